//! One module per command: `run(&Args) -> Result<Exit, Failure>`.

pub mod demo;
pub mod replay;
pub mod run;

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Failure};

/// Runs the command that `cli` asks for.
///
/// # Errors
/// Whatever the command could not do, with its exit code and what to do about it.
pub fn dispatch(cli: &Cli) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Run(args) => run::run(args),
        Command::Replay(args) => replay::run(args),
        other => Err(Failure::internal(format_args!("not built yet: {other:?}"))),
    }
}
