//! Performance without labels.
//!
//! - [`IsotonicCalibration`] turns scores into probabilities, learned where labels are known.
//! - [`estimate_binary`] and [`estimate_binary_rows`] say what accuracy, AUC and the like those probabilities
//!   imply (CBPE): from a mergeable histogram of the score, or row by row.
//!
//! - [`estimate_multiclass`] and [`estimate_multiclass_rows`] do so for several classes, one against the rest.
//! - [`LossModel`] learns where a regression model errs, and says what error to expect where it is used now.
//! - [`HealthReference`] and [`judge_bins`] say whether the assumptions hold.
//!
//! All of it assumes that P(Y|X) is what it was on the reference, and that nothing lies where the reference had
//! no data. An estimate follows a change of the inputs; of concept drift it knows nothing.

mod binary;
mod boost;
mod decision;
mod group;
mod health;
mod isotonic;
mod loss;
mod metric;
mod multiclass;
mod reference;
mod split;

pub use binary::{BinaryEstimate, Estimate, EstimateBin, estimate_binary, estimate_binary_rows};
pub use boost::{BoostOptions, BoostedTrees, Feature};
pub use decision::needs_calibration;
pub use health::{
    Health, HealthEvidence, HealthOptions, HealthReason, HealthReference, HealthState, judge_bins,
};
pub use isotonic::IsotonicCalibration;
pub use loss::{Loss, LossModel, realised_loss, sampling_loss};
pub use metric::{CostMatrix, Metric, UnknownMetric};
pub use multiclass::{
    ByClass, ClassCalibration, ClassRows, estimate_multiclass, estimate_multiclass_rows,
    realised_multiclass, sampling_multiclass,
};
pub use reference::{
    ByMetric, LabelledRows, SamplingError, Thresholds, realised_binary, sampling_binary,
};
