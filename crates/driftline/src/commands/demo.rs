//! `driftline demo`.

use crate::cli::DemoArgs;
use crate::exit::{Exit, Failure};

/// Runs the command.
///
/// # Errors
/// Always, for now.
pub fn run(_args: &DemoArgs) -> Result<Exit, Failure> {
    Err(Failure::internal("`driftline demo` is not built yet"))
}
