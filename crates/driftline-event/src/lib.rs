//! The words every part of Driftline shares.
//!
//! This crate has no logic beyond keeping its own types valid: event time, the layout of a model's
//! columns, one decoded row, why a record did not count, what a closed window says, and what an alert
//! says. Everything here is plain data; nothing here reads a clock or does IO.
#![deny(missing_docs)]

mod alert;
mod decimal;
mod drop_reason;
mod layout;
mod performance;
mod report;
mod row;
mod season;
mod source;
mod time;
mod words;

pub use alert::{AlertEvent, AlertKind, AlertStatus, Evidence, Severity};
pub use decimal::decimal;
pub use drop_reason::{DropReason, RejectKind};
pub use layout::{Catalog, CatalogError, Column, ColumnKind, ColumnRole, Layout, LayoutId};
pub use performance::{Better, Maturity, Metric, MetricValue, PerformanceReport, Task};
pub use report::{
    Comparison, Decision, Effect, Quality, SampleSize, SeriesKey, SeriesState, Statistic,
    StatisticValue, Verdict, WindowReport, WindowSpan,
};
pub use row::{Row, TextRange, Value};
pub use season::Season;
pub use source::{OffsetRange, SourcePartition};
pub use time::{ParseTimestampError, Timestamp};
pub use words::seconds_in_words;
