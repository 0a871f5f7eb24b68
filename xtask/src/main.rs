//! The one door for developers: `cargo xtask --help` lists everything.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: results on stdout, progress on stderr"
)]

mod bench;
mod cache;
mod check;
mod deploy;
mod golden;
mod kafka;
mod quiet_month;
mod run;
mod servers;
mod streams;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a developer of Driftline runs.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every check and say what ran: format, clippy, all tests, licences, rules, compose, real Kafka
    Test {
        /// Only what needs no server and no tool beyond cargo: format, clippy and the hermetic tests
        #[arg(long)]
        quick: bool,
    },
    /// Check the code without running it: format, clippy, architecture, licences
    Lint,
    /// Check docker-compose.yml and the configurations that it mounts (nothing is started)
    Compose,
    /// Run the scripts that make the golden files, and say which files they changed
    Golden {
        /// Only scripts with this in their path
        only: Option<String>,
    },
    /// Fetch a tool that the checks use, if it is missing, and print its path
    Tool {
        /// Which one
        #[arg(value_enum)]
        name: cache::Tool,
    },
    /// Measure what Driftline costs, in a release build
    #[command(subcommand)]
    Bench(bench::Bench),
    /// A real Apache Kafka on loopback, for tests (Java 17 and Maven; no Docker)
    #[command(subcommand)]
    Kafka(kafka::KafkaCommand),
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a directory of the tree");
    let result = match Arguments::parse().command {
        Command::Test { quick } => check::test(root, quick),
        Command::Lint => check::lint(root),
        Command::Compose => deploy::check(root),
        Command::Golden { only } => golden::make(root, only.as_deref()),
        Command::Tool { name } => cache::print_path(root, name),
        Command::Bench(bench) => bench::run(root, &bench),
        Command::Kafka(command) => kafka::run(&command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
