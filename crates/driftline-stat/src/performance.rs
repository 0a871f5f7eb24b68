//! Performance with labels: metrics and their intervals.

mod calibration_error;
mod classes;
mod confusion;
mod curve;
mod interval;
mod mean;
mod options;

pub use calibration_error::{CalibrationBin, calibration_error};
pub use classes::{Averaging, ClassConfusion, ClassMetric};
pub use confusion::Confusion;
pub use curve::{ScoreBin, average_precision, roc_auc};
pub use interval::{Confidence, Interval};
pub use mean::{LossMean, mean_gain, r2};
pub use options::{OptionsProblem, PerformanceOptions};

/// A metric and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Its value.
    pub value: f64,
    /// Where the metric of the whole population may lie, of which the labelled predictions are a sample.
    pub interval: Interval,
}
