//! Performance without labels.
//!
//! - [`IsotonicCalibration`] turns scores into probabilities, learned where labels are known.
//! - [`estimate_binary`] and [`estimate_binary_rows`] say what accuracy, AUC and the like those probabilities
//!   imply (CBPE): from a mergeable histogram of the score, or row by row.
//!
//! All of it assumes that P(Y|X) is what it was on the reference, and that nothing lies where the reference had
//! no data. An estimate follows a change of the inputs; of concept drift it knows nothing.

mod binary;
mod group;
mod isotonic;
mod metric;

pub use binary::{BinaryEstimate, Estimate, EstimateBin, estimate_binary, estimate_binary_rows};
pub use isotonic::IsotonicCalibration;
pub use metric::{CostMatrix, Metric, UnknownMetric};
