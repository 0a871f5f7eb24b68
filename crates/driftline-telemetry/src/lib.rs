//! Typed internal events to tracing and Prometheus, with a series budget.
//!
//! [`Telemetry`] is the one door: a cheap clone that workers take counting handles from once, that gets
//! every [`WindowReport`](driftline_event::WindowReport) and [`AlertEvent`](driftline_event::AlertEvent),
//! and that HTTP, the terminal view and the tests read. The names are in [`catalogue`].
//!
//! Guarantees: label values come only from configuration, from enums, or pass [`label_value`]; the number
//! of series and the memory behind them are bounded ([`TelemetryOptions`]); the series of a model version
//! vanish after its events have stopped. Not guaranteed: the numbers do not survive the process.
#![deny(missing_docs)]

mod budget;
pub mod catalogue;
mod collector;
mod event;
mod families;
mod handle;
mod info;
mod label;
mod latency;
mod options;
mod performance;
mod process;
mod telemetry;
mod view;

pub use event::InternalEvent;
pub use handle::{Counter, ReasonCounters, Stage, Stream};
pub use info::{DecisionInfo, ModelInfo, Totals};
pub use label::{LABEL_BYTES_MAX, OTHER, label_value, short_text};
pub use latency::{Latency, LatencyKind, LatencyQuantiles};
pub use options::TelemetryOptions;
pub use performance::PerformanceView;
pub use telemetry::{TEXT_FORMAT, Telemetry};
pub use view::SeriesView;
