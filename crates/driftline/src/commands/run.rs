//! `driftline run`.

use crate::cli::RunArgs;
use crate::exit::{Exit, Failure};

/// Runs the command.
///
/// # Errors
/// Always, for now.
pub fn run(_args: &RunArgs) -> Result<Exit, Failure> {
    Err(Failure::internal("`driftline run` is not built yet"))
}
