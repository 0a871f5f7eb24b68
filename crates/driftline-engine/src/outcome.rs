//! What labels say about a model's performance, and when that is a change.
//!
//! The joiner says, tick by tick of arrivals, which predictions were made and what their labels turned out to be, summed
//! up by *bucket* of prediction time and by how long the labels took. Ticks close in order once all partitions of the
//! outcomes have passed them, independently of how far the predictions' own panes have come.
//!
//! **Equal maturity.** Early labels are not like late ones: a fraud is confirmed in an hour, its absence after a month. So
//! labels are judged by *level*: those that took up to the first age of
//! [`LabelSpec::mature_after`], then those between the first and the second, and so on. When a level's time is over for a
//! bucket, its labels are one decision step of the bank, compared with the reference's labels of the same delays. What
//! comes later only revises performance. A bucket with too few labels is not judged; labels are late then, which is an
//! alert of its own.
//!
//! **Calibration.** Errors and labels vary from bucket to bucket by far more than independent events would: a storm delays
//! all flights of a day. With a [`crate::LabelCalibration`] each stream has the dispersion and the band of its history; without
//! one it has a wide tolerance and is taken for independent events.
//!
//! **Budget.** All streams of all series and levels together have [`LabelSpec::budget_share`] of the model's false alarms,
//! the columns have the rest: each part keeps its own promise, so their sum is kept as well. A step of the labels is a
//! tick, and every tick judges one bucket of each level.
//!
//! **Segments** are compared with their own first labels, at least 2,000 of each level, as a reference has no segments.
//! So are all events if the reference has no labels.
//!
//! **Windows** of prediction time are reported when they end, at each age of maturity, and when no label can change them
//! any more, as far as there is news; a higher revision replaces a lower one.

mod alert;
mod calibrate;
mod closing;
mod fold;
mod judge;
mod level;
mod loss;
mod model;
mod packed;
mod report;
mod rules;
mod series;
mod spec;
mod streams;
mod versions;
mod windows;

pub use calibrate::LabelStreams;
pub(crate) use closing::ModelOutcomes;
pub(crate) use fold::OutcomeDelta;
pub(crate) use rules::MatureWindow;
pub use spec::{
    DetectorRule, LabelProblem, LabelSpec, PerformanceBaseline, PerformanceRule, PerformanceWindow,
    WindowSpanSpec,
};
pub use streams::StreamKind;

pub(crate) use versions::label_version_problems;

#[cfg(test)]
mod tests;
