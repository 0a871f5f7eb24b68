//! Deciding by the indicator bank, under the model's false-alarm budget.
//!
//! Every column of every series has two *streams*, its shape and its quality, each with the evidence of
//! [`driftline_detect::bank`]. When a decision step closes, every series that has events in it steps its streams; then the
//! weighted evidence of all streams of the model version is one sum, and at T/N there is an alarm: the streams with most
//! evidence are *latched*, which means that their alert fires, that they leave the sum, and that they come back when the
//! alert is resolved. All alerts of one step are one incident.
//!
//! A step without events changes nothing, so time without events can be skipped. Everything is a function of the closed
//! panes, so it does not depend on how the stream was cut.
//!
//! **Segments** have a part of the budget (half of it for all events, half for the segments, by slot) and are judged only
//! with a baseline of their own. A segment without events for a day loses its evidence, unless its alert is on: that
//! keeps the guarantee, since dropping evidence never raises an alarm, and lets dead segments be forgotten. A segment
//! whose alert is on is kept until it is resolved.

mod alarm;
mod budget;
mod column;
mod series;
mod since;
mod spec;

pub(crate) use alarm::judge;
pub use budget::StreamWeights;
pub(crate) use budget::{Budget, WARNING_BUDGET};
pub(crate) use column::QUALITY;
pub use column::{ColumnStreams, bank_bytes};
pub(crate) use series::{Banks, Cleared, SeriesBank, View};
pub(crate) use since::Moved;
pub(crate) use spec::version_problem;
pub use spec::{Baseline, DecisionSpec};
