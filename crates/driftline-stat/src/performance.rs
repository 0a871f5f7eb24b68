//! Performance with labels: metrics and their intervals.

mod binary;
mod calibration_error;
mod classes;
mod collect;
mod confusion;
mod curve;
mod estimated;
mod interval;
mod mean;
mod multiclass;
mod options;
mod regression;

use driftline_event::{MetricValue, Task};
use driftline_sketch::{OutcomeProfile, OutcomeSummary};

pub use calibration_error::{CalibrationBin, calibration_error};
pub use classes::{Averaging, ClassConfusion, ClassMetric};
use collect::Metrics;
pub use confusion::Confusion;
pub use curve::{ScoreBin, average_precision, roc_auc};
pub use estimated::{assumption_health, estimated};
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

/// The metrics of labelled predictions, each with an interval.
///
/// See the module's page for which metrics a task has. A metric that is 0/0, or whose interval cannot be told, is left
/// out; nothing is NaN or infinite. `summary` is of `profile`.
#[must_use]
pub fn performance(
    profile: &OutcomeProfile,
    summary: &OutcomeSummary,
    options: &PerformanceOptions,
) -> Vec<MetricValue> {
    let mut metrics = Metrics::new(options).weighted(summary);
    match profile.task() {
        Task::Binary => metrics.binary(profile, summary),
        Task::Multiclass => metrics.multiclass(profile, summary),
        Task::Regression => metrics.regression(profile, summary),
        Task::Ranking => metrics.ranking(summary),
    }
    metrics.into_values()
}
