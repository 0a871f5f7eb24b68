//! Logs on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command, LogFormat};

/// Starts logging. `DRIFTLINE_LOG` takes a filter such as `info,driftline_kafka=debug` and wins over `-v` and `-q`.
///
/// The demo draws on standard error, so it logs one level less than the other commands.
pub fn init(cli: &Cli) {
    let options = &cli.global;
    let drawing = i16::from(matches!(cli.command, Command::Demo(_)));
    let level = match i16::from(options.verbose) - i16::from(options.quiet) - drawing {
        ..=-2 => "off",
        -1 => "error",
        0 => "warn,driftline=info",
        1 => "info,driftline=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("DRIFTLINE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let started = match options.log_format {
        LogFormat::Text => {
            let ansi = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            builder.with_ansi(ansi).with_target(false).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // Only a second call in one process fails, and then the first one's choice stands.
    drop(started);
}
