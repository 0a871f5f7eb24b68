//! `driftline schema`.

use crate::cli::{SchemaArgs, SchemaName};
use crate::config;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// JSON Schema of an alert, as it stands in the alerts topic.
pub const ALERT_SCHEMA: &str = include_str!("../../../../schemas/alert.schema.json");

/// JSON Schema of a retrain request.
pub const RETRAIN_REQUEST_SCHEMA: &str =
    include_str!("../../../../schemas/retrain-request.schema.json");

/// Prints the schema.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    match args.name {
        SchemaName::Config => terminal::print_json(&config::json_schema())?,
        SchemaName::Alert => terminal::print(ALERT_SCHEMA)?,
        SchemaName::RetrainRequest => terminal::print(RETRAIN_REQUEST_SCHEMA)?,
        SchemaName::Prediction => terminal::print(driftline_wire::PREDICTION_SCHEMA)?,
        SchemaName::Label => terminal::print(driftline_wire::LABEL_SCHEMA)?,
    }
    Ok(Exit::Fine)
}
