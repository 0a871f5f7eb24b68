//! Estimates for a model with two classes.

use super::group::{self, Group, Part};
use super::metric::{CostMatrix, Metric};

/// An estimated metric, and how far the metric of the real labels would scatter around it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Standard deviation of the metric that the labels will show, if the calibrated probabilities are right.
    ///
    /// It holds the labels' own chance only: neither the calibration's error nor any drift of P(Y|X) is in it.
    pub deviation: f64,
}

impl Estimate {
    pub(super) fn new(value: f64, variance: f64) -> Self {
        Self {
            value,
            deviation: libm::sqrt(variance.max(0.0)),
        }
    }

    /// From `deviations` standard deviations below to as many above, within the metric's limits.
    #[must_use]
    pub fn band(&self, metric: Metric, deviations: f64) -> (f64, f64) {
        let reach = deviations * self.deviation;
        let lower = (self.value - reach).max(metric.lower_limit());
        (lower, (self.value + reach).min(metric.upper_limit()))
    }
}

/// Events of one bin of the score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EstimateBin {
    /// How many events.
    pub count: u64,
    /// The mean of their calibrated scores, in [0, 1].
    pub probability: f64,
    /// How many of them are predicted positive. All or none where predictions are a threshold of the score.
    pub predicted_positive: u64,
}

/// The metrics of one window, estimated without its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryEstimate {
    rows: f64,
    prevalence: f64,
    metrics: [Option<Estimate>; Metric::ALL.len()],
}

impl BinaryEstimate {
    pub(super) fn new(rows: f64, prevalence: f64) -> Self {
        Self {
            rows,
            prevalence,
            metrics: [None; Metric::ALL.len()],
        }
    }

    pub(super) fn set(&mut self, metric: Metric, estimate: Option<Estimate>) {
        self.metrics[metric.index()] = estimate;
    }

    /// The estimate of `metric`.
    ///
    /// None for AUC when the expected labels are all of one class, for average precision without expected
    /// positives, for metrics of predictions when there are none, and for business value without a cost matrix.
    #[must_use]
    pub fn metric(&self, metric: Metric) -> Option<Estimate> {
        self.metrics[metric.index()]
    }

    /// How many events it was made from.
    #[must_use]
    pub fn rows(&self) -> f64 {
        self.rows
    }

    /// The expected share of positives.
    #[must_use]
    pub fn prevalence(&self) -> f64 {
        self.prevalence
    }
}

/// Confidence-based performance estimation (CBPE) from a histogram of the score.
///
/// If a calibrated score s is the chance of a positive, then a row predicted positive is a true positive with
/// chance s and a false positive with 1 − s, and the expected confusion matrix needs no labels. `bins` are in
/// ascending order of the score; the order matters for `roc_auc` and `average_precision` only. Counts of panes
/// add up, and so do windows: the estimate is a function of the sums.
///
/// Against the same estimate from rows:
///
/// - Accuracy, precision, recall, F1, specificity, business value and the cells are exact when predictions are
///   a threshold of the score and the threshold is an edge. Where a bin holds both predictions, its mean
///   probability serves for both: the cells are then off by at most Σ c_b w_b / 4 rows over such bins, w_b being
///   the range of calibrated scores in the bin (one bin of 128 quantile bins: at most w / 512 of the rows).
/// - `roc_auc` takes the rows of one bin for tied. It is low by at most Σ P_b N_b / (2 P N), whatever happens
///   inside the bins; with 128 quantile bins by less than 3e-4 in practice, as scores inside one such bin are
///   nearly equally good. `average_precision` is decided in the few highest bins and is low by up to 1.2e-3 for
///   a fraud score with 14 % positives.
///
/// The deviation is that of independent labels with these probabilities: exact for accuracy, precision, business
/// value and the cells (for instance √(Σ c_b s_b (1 − s_b)) / n for accuracy), first order (delta method) for the
/// others. Using a bin's mean probability makes it too large by at most a factor √(1 + Σ c_b v_b / Σ c_b s_b (1 − s_b)),
/// v_b being the variance of probabilities inside the bin.
///
/// None without events. A probability outside [0, 1] is taken for the nearest limit, a bin whose probability is
/// not a number is left out, and more predicted positives than events are taken for all events.
///
/// ```
/// use driftline_stat::estimate::{EstimateBin, Metric, estimate_binary};
///
/// let bin = |count, probability, positive: bool| EstimateBin {
///     count,
///     probability,
///     predicted_positive: if positive { count } else { 0 },
/// };
/// let bins = [bin(600, 0.1, false), bin(300, 0.6, true), bin(100, 0.95, true)];
/// let estimate = estimate_binary(&bins, None).unwrap();
/// let accuracy = estimate.metric(Metric::Accuracy).unwrap();
/// assert!((accuracy.value - 0.815).abs() < 1e-12); // (600 × 0.9 + 300 × 0.6 + 100 × 0.95) / 1000
/// assert!((accuracy.deviation - 0.0115).abs() < 1e-4);
/// ```
///
/// Source: NannyML 0.13.1, `performance_estimation.confidence_based`; Białek et al. (2024), Estimating model
/// performance under covariate shift without labels, arXiv 2401.08348.
#[must_use]
pub fn estimate_binary(bins: &[EstimateBin], costs: Option<&CostMatrix>) -> Option<BinaryEstimate> {
    let groups: Vec<Group> = bins.iter().filter_map(of_bin).collect();
    group::estimate(&groups, costs, true)
}

fn of_bin(bin: &EstimateBin) -> Option<Group> {
    if bin.probability.is_nan() || bin.count == 0 {
        return None;
    }
    let p = bin.probability.clamp(0.0, 1.0);
    let part = |count: u64| {
        let rows = count as f64;
        Part {
            rows,
            positives: rows * p,
            variance: rows * p * (1.0 - p),
        }
    };
    let all = part(bin.count);
    Some(Group {
        rows: all.rows,
        positives: all.positives,
        variance: all.variance,
        predicted: part(bin.predicted_positive.min(bin.count)),
    })
}

/// Confidence-based performance estimation from rows: the model's `scores`, their calibrated `probabilities` and
/// what was predicted (`predicted_positive`; without it only `roc_auc` and `average_precision` are estimated).
///
/// Equal scores are ties and share their mean probability. Rows whose score or probability is not a number are
/// left out; probabilities outside [0, 1] are taken for the nearest limit. None without rows, or when the slices
/// differ in length. See [`estimate_binary`] for the deviations and the source.
#[must_use]
pub fn estimate_binary_rows(
    scores: &[f64],
    probabilities: &[f64],
    predicted_positive: Option<&[bool]>,
    costs: Option<&CostMatrix>,
) -> Option<BinaryEstimate> {
    let n = scores.len();
    if probabilities.len() != n || predicted_positive.is_some_and(|p| p.len() != n) {
        return None;
    }
    let positive = |i: usize| predicted_positive.is_some_and(|p| p[i]);
    let rows = scores.iter().zip(probabilities).enumerate();
    let mut rows: Vec<(f64, f64, bool)> = rows
        .filter(|(_, (score, p))| !score.is_nan() && !p.is_nan())
        // Adding 0 makes one zero of two.
        .map(|(i, (score, p))| (score + 0.0, p.clamp(0.0, 1.0), positive(i)))
        .collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    group::estimate(&group::grouped(&rows), costs, predicted_positive.is_some())
}
