//! Performance with labels: metrics and their intervals.
//!
//! - [`performance`] turns the outcomes of a window into all metrics of its task, [`estimated`] its predictions alone.
//! - [`Confusion`], [`ClassConfusion`], [`roc_auc`], [`average_precision`], [`calibration_error`], [`LossMean`],
//!   [`mean_gain`] and [`r2`] are the formulas: functions of counts or weights, which may be fractions.
//! - [`Confidence`] makes the intervals.
//!
//! An interval is for the metric of the population of which the labelled predictions are a sample, at one time; it is no
//! test of a change. Each function says which method it is and whose. `docs/performance_metrics.md` has the table of
//! metrics with the error of the bins, the differences from scikit-learn and the intervals' coverage as simulated.
//!
//! A metric that is 0/0 does not exist: it is `None`, or left out of a report. Nothing is NaN or infinite.

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

use self::collect::Metrics;

pub use calibration_error::{CalibrationBin, calibration_error};
pub use classes::{Averaging, ClassConfusion, ClassMetric};
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
/// A metric that is 0/0, or whose interval cannot be told, is left out; nothing is NaN or infinite. `summary` is of
/// `profile`.
///
/// ```
/// use driftline_event::{Metric, Task};
/// use driftline_sketch::{OutcomeLabel, OutcomeOptions, OutcomeProfile, OutcomeRow, Scored, Truth};
/// use driftline_stat::performance::{PerformanceOptions, performance};
///
/// // A hundred predictions: scores 0.00 to 0.99, positive from 0.70 on; predicted positive from 0.50 on.
/// let rows: Vec<OutcomeRow> = (0..100_u16)
///     .map(|i| OutcomeRow {
///         scored: Scored::Binary { score: f64::from(i) / 100.0, positive: i >= 50 },
///         label: Some(OutcomeLabel { truth: Truth::Class(u16::from(i >= 70)), weight: 1.0, delay_micros: None }),
///     })
///     .collect();
/// let options = OutcomeOptions {
///     classes: vec!["no".to_owned(), "yes".to_owned()],
///     score_columns: vec!["score".to_owned()],
///     ..OutcomeOptions::new(Task::Binary)
/// };
/// let profile = OutcomeProfile::build(&options, &rows).unwrap();
/// let found = performance(&profile, &profile.reference().all(), &PerformanceOptions::default());
/// let of = |metric| found.iter().find(|v| v.metric == metric).unwrap();
/// assert_eq!(of(Metric::Precision).value, 0.6);
/// assert_eq!(of(Metric::Recall).value, 1.0);
/// assert!(of(Metric::Recall).lower > 0.88 && of(Metric::Recall).n == 30);
/// assert_eq!(of(Metric::RocAuc).value, 1.0);
/// ```
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
