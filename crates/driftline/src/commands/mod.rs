//! One module per command: `run(&Args) -> Result<Exit, Failure>`.

pub mod calibrate;
pub mod check;
pub mod compare;
pub mod demo;
pub mod detect;
pub mod estimate;
pub mod reference;
pub mod replay;
pub mod run;
pub mod schema;
pub mod topics;

use crate::cli::{Cli, Command, ReferenceCommand};
use crate::exit::{Exit, Failure};

/// Runs the command that `cli` asks for.
///
/// # Errors
/// Whatever the command could not do, with its exit code and what to do about it.
pub fn dispatch(cli: &Cli) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Run(args) => run::run(args),
        Command::Check(args) => check::run(args),
        Command::Topics(args) => topics::run(args),
        Command::Reference(ReferenceCommand::Build(args)) => reference::build(args),
        Command::Reference(ReferenceCommand::Show(args)) => reference::show(args),
        Command::Replay(args) => replay::run(args),
        Command::Calibrate(args) => calibrate::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Detect(args) => detect::run(args),
        Command::Estimate(args) => estimate::run(args),
        Command::Schema(args) => schema::run(args),
    }
}
