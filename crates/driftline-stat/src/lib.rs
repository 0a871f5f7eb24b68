//! Drift statistics: two summaries, or two samples, in; a statistic and its p-value out.
//!
//! - [`binned`] compares two rows of counts over the same bins or categories. It is what a running monitor
//!   calls each time a window closes: linear in the number of bins, whatever the number of events.
//! - [`sample`] compares two samples value by value, with the exact and asymptotic two-sample tests that a
//!   notebook would call. It is what `driftline compare` prints.
//! - [`compat`] repeats what Evidently and NannyML compute where they define things differently.
//! - [`estimate`] says how well a model does while its labels are still to come.
//! - [`mmd`] compares two mean embeddings of vectors.
//! - [`performance`] says how well a model does by the labels that came.
//!
//! Everything is a pure function of its arguments. Empty input is `None` or an error, never a panic, and no
//! result is NaN.
#![deny(missing_docs)]

pub mod binned;
pub mod compat;
mod distribution;
pub mod estimate;
mod kolmogorov;
pub mod mmd;
pub mod performance;
pub mod sample;
