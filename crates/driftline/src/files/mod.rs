//! Readers of CSV, JSON-lines and Parquet files.
//!
//! [`RecordReader`] streams records of any of the three with bounded memory. On top of it,
//! [`Table`] holds whole columns for building references and comparing files, and [`PredictionFile`]
//! turns records into [`driftline_event::Row`]s for the engine.

mod columns;
mod csv;
mod error;
mod input;
mod jsonl;
mod label;
mod parquet;
mod prediction;
mod record;
mod table;

pub use columns::{Columns, Role};
pub use error::FileError;
pub use input::{Format, Input};
pub use label::{LabelFile, LabelStep};
pub use prediction::{PredictionDefaults, PredictionFile, Step};
pub(crate) use prediction::{scores_column, time_of};
pub use record::{Cell, Record, RecordReader};
pub use table::{Table, TableColumn, TableFilter, Values};

#[cfg(test)]
mod tests;
