//! Driftline's command line: configuration, files, and the driver that joins the pure engine with Kafka,
//! HTTP and the terminal.
//!
//! Data goes to standard output; progress, logs and errors go to standard error. Exit codes are
//! listed in [`exit`].

pub mod calibration;
pub mod cli;
pub mod commands;
pub mod config;
pub mod connect;
pub mod data;
pub mod exit;
pub mod files;
pub mod logging;
pub mod page;
pub mod pipeline;
pub mod summary;
pub mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

/// Runs the command line of this process and says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    logging::init(&cli);
    match commands::dispatch(&cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print();
            failure.exit().into()
        }
    }
}
