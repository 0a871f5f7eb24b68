//! `driftline replay`.

use crate::cli::ReplayArgs;
use crate::exit::{Exit, Failure};

/// Runs the command.
///
/// # Errors
/// Always, for now.
pub fn run(_args: &ReplayArgs) -> Result<Exit, Failure> {
    Err(Failure::internal("`driftline replay` is not built yet"))
}
