//! Metrics from the predictions alone.

use driftline_event::{Metric, MetricValue, Task};
use driftline_sketch::{OutcomeProfile, PredictedSummary, ProbabilityBin, ValueBin};

use super::collect::{Metrics, measured};
use super::{Confusion, Measured, PerformanceOptions};
use crate::estimate::{
    self, BinaryEstimate, Estimate, EstimateBin, Health, HealthOptions, estimate_binary,
    estimate_multiclass, judge_bins,
};

/// Probabilities are at least this far from 0 and 1 in a log loss, as in scikit-learn.
const PROBABILITY_MIN: f64 = f64::EPSILON;

/// The metrics that the predictions should have, before their labels come.
///
/// Of classes by confidence-based performance estimation from the histogram of the score, with the reference's
/// calibrated probability of each bin; of numbers by the reference's mean loss in each bin of the predicted value. The
/// interval is where the metric of the labels will lie if the probabilities (the losses) are right: it holds the labels'
/// own chance, neither the calibration's error nor any drift of P(Y|X). Nothing of rankings, of average precision
/// and AUC of several classes, and of calibration, which is what an estimate has to take for granted.
///
/// `summary` is of `profile`. See [`crate::estimate`] for what is assumed, and [`assumption_health`] for whether it holds.
#[must_use]
pub fn estimated(
    profile: &OutcomeProfile,
    summary: &PredictedSummary,
    options: &PerformanceOptions,
) -> Vec<MetricValue> {
    let mut metrics = Metrics::new(options);
    match profile.task() {
        Task::Binary => metrics.estimated_binary(profile, summary),
        Task::Multiclass => metrics.estimated_multiclass(profile, summary),
        Task::Regression => metrics.estimated_regression(profile, summary),
        Task::Ranking => {}
    }
    metrics.into_values()
}

/// Whether predictions lie where the reference has labels: by the distance of the scores' (or values') distribution from
/// the reference's, and by the share in bins where the reference has few rows.
///
/// `missing` counts predictions without a score. None for tasks or windows without scores; of several classes it is
/// that of the class whose probabilities are furthest from the reference's.
#[must_use]
pub fn assumption_health(
    profile: &OutcomeProfile,
    summary: &PredictedSummary,
    missing: u64,
    options: &HealthOptions,
) -> Option<Health> {
    let reference = profile.reference().predicted();
    let judge =
        |reference: &[u64], current: &[u64]| judge_bins(reference, current, 0, missing, options);
    match profile.task() {
        Task::Binary => {
            let counts = |of: &PredictedSummary| -> Option<Vec<u64>> {
                let view = of.binary()?;
                let rows = |bin| view.count(bin, false) + view.count(bin, true);
                Some((0..view.bins()).map(rows).collect())
            };
            judge(&counts(reference)?, &counts(summary)?)
        }
        Task::Regression => {
            let counts = |of: &PredictedSummary| -> Option<Vec<u64>> {
                let view = of.regression()?;
                Some((0..view.bins()).map(|bin| view.count(bin)).collect())
            };
            judge(&counts(reference)?, &counts(summary)?)
        }
        Task::Multiclass => {
            let counts = |of: &PredictedSummary, class: usize| -> Option<Vec<u64>> {
                let view = of.multiclass(profile)?;
                // The last bin is of predictions without the class among their best: those have the lowest probability.
                let bins = view.bins(class);
                let rows = |bin| view.count(class, bin, false) + view.count(class, bin, true);
                Some(
                    [bins.saturating_sub(1)]
                        .into_iter()
                        .chain(0..bins.saturating_sub(1))
                        .map(rows)
                        .collect(),
                )
            };
            let classes = 0..profile.classes().len();
            let healths = classes
                .filter_map(|class| judge(&counts(reference, class)?, &counts(summary, class)?));
            healths.max_by(|a, b| {
                a.state
                    .cmp(&b.state)
                    .then(a.distance.total_cmp(&b.distance))
            })
        }
        Task::Ranking => None,
    }
}

impl Metrics<'_> {
    fn estimated_binary(&mut self, profile: &OutcomeProfile, summary: &PredictedSummary) {
        let Some(view) = summary.binary().filter(|_| profile.has_scores()) else {
            return;
        };
        let of_reference = profile.probability_bins(0);
        let bin = |(bin, reference): (usize, &ProbabilityBin)| {
            let positive = view.count(bin, true);
            EstimateBin {
                count: view.count(bin, false).saturating_add(positive),
                probability: reference.probability,
                predicted_positive: positive,
            }
        };
        let bins: Vec<EstimateBin> = of_reference.iter().enumerate().map(bin).collect();
        let costs = self.options.cost_matrix;
        let Some(estimate) = estimate_binary(&bins, costs.as_ref()) else {
            return;
        };
        let n = summary.predicted();
        let predicted = bins.iter().map(|b| b.predicted_positive).sum::<u64>();
        self.push_estimates(&estimate, predicted, n);
        self.estimated_decisions(&estimate, n);
        let scores = of_reference.iter().map(|b| b.score);
        if of_reference.iter().all(|b| (0.0..=1.0).contains(&b.score)) {
            let bins: Vec<(EstimateBin, f64)> = bins.iter().copied().zip(scores).collect();
            self.estimated_losses(&bins, n);
        }
    }

    /// What the estimate says itself. It calls a ratio of nothing 0; here it is left out.
    fn push_estimates(&mut self, estimate: &BinaryEstimate, predicted: u64, n: u64) {
        use estimate::Metric as E;
        let (rows, share) = (estimate.rows(), estimate.prevalence());
        for (metric, of, is_defined) in [
            (Metric::Accuracy, E::Accuracy, true),
            (Metric::Precision, E::Precision, predicted > 0),
            (Metric::Recall, E::Recall, share > 0.0),
            (Metric::F1, E::F1, predicted > 0 || share > 0.0),
            (Metric::Specificity, E::Specificity, share < 1.0),
            (Metric::RocAuc, E::RocAuc, true),
            (Metric::AveragePrecision, E::AveragePrecision, true),
            (Metric::TruePositives, E::TruePositive, true),
            (Metric::FalsePositives, E::FalsePositive, true),
            (Metric::FalseNegatives, E::FalseNegative, true),
            (Metric::TrueNegatives, E::TrueNegative, true),
        ] {
            let found = estimate.metric(of).filter(|_| is_defined);
            let found = found.map(|found| self.banded(&found, of));
            self.push(metric, found, n);
        }
        // A total there, a mean here.
        let value = estimate.metric(E::BusinessValue).map(|total| Estimate {
            value: total.value / rows,
            deviation: total.deviation / rows,
        });
        let value = value.map(|value| self.banded(&value, E::BusinessValue));
        self.push(Metric::BusinessValue, value, n);
    }

    fn banded(&self, found: &Estimate, of: estimate::Metric) -> Measured {
        let (lower, upper) = found.band(of, self.confidence.deviations());
        measured(found.value, super::Interval { lower, upper })
    }

    /// F-beta and MCC of the expected confusion matrix: its cells move with the numbers of positives among those
    /// predicted positive and among those predicted negative.
    fn estimated_decisions(&mut self, estimate: &BinaryEstimate, n: u64) {
        use estimate::Metric as E;
        let cell = |of| estimate.metric(of).unwrap_or_default();
        let (hits, misses) = (cell(E::TruePositive), cell(E::FalseNegative));
        let cells = Confusion {
            true_positive: hits.value,
            false_positive: cell(E::FalsePositive).value,
            false_negative: misses.value,
            true_negative: cell(E::TrueNegative).value,
        };
        let beta = self.options.beta;
        let square = beta * beta;
        let all = (1.0 + square) * cells.true_positive
            + square * cells.false_negative
            + cells.false_positive;
        if let Some(value) = cells.f_beta(beta) {
            // One more positive among the predicted ones is a TP more and an FP less.
            let by_hit = (1.0 + square - value * square) / all;
            let by_miss = -value * square / all;
            let variance = squared(by_hit * hits.deviation) + squared(by_miss * misses.deviation);
            let interval = self.confidence.normal(value, variance).clipped(0.0, 1.0);
            self.push(Metric::FBeta, Some(measured(value, interval)), n);
        }
        if let Some(value) = cells.mcc() {
            // With p predicted and P positive of N: MCC = (N·TP − p·P) / √(p·(N − p)·P·(N − P)), and N and p are fixed.
            let (total, said, positives) = (cells.total(), cells.predicted(), cells.positives());
            let rest = total - positives;
            let root = (said * (total - said)).sqrt() * (positives * rest).sqrt();
            let by_positive = -said / root - 0.5 * value * (1.0 / positives - 1.0 / rest);
            let by_hit = total / root + by_positive;
            let variance =
                squared(by_hit * hits.deviation) + squared(by_positive * misses.deviation);
            let interval = self.confidence.normal(value, variance).clipped(-1.0, 1.0);
            self.push(Metric::Mcc, Some(measured(value, interval)), n);
        }
    }

    /// Log loss and Brier score of the mean score of each bin, with its calibrated probability.
    fn estimated_losses(&mut self, bins: &[(EstimateBin, f64)], n: u64) {
        let log = |p: f64| -libm::log(p.clamp(PROBABILITY_MIN, 1.0 - PROBABILITY_MIN));
        type Loss = fn(&dyn Fn(f64) -> f64, f64) -> f64;
        let losses: [(Metric, Loss, f64); 2] = [
            (Metric::LogLoss, |log, likelihood| log(likelihood), f64::MAX),
            (
                Metric::Brier,
                |_, likelihood| squared(1.0 - likelihood),
                1.0,
            ),
        ];
        for (metric, loss, most) in losses {
            let (mut sum, mut variance) = (0.0, 0.0);
            for (bin, score) in bins {
                let (rows, p) = (bin.count as f64, bin.probability);
                let (of_positive, of_negative) = (loss(&log, *score), loss(&log, 1.0 - score));
                sum += rows * (p * of_positive + (1.0 - p) * of_negative);
                variance += rows * p * (1.0 - p) * squared(of_positive - of_negative);
            }
            let rows = n as f64;
            let interval = self.confidence.normal(sum / rows, variance / (rows * rows));
            let found = measured(sum / rows, interval.clipped(0.0, most));
            self.push(metric, (n > 0).then_some(found), n);
        }
    }

    fn estimated_multiclass(&mut self, profile: &OutcomeProfile, summary: &PredictedSummary) {
        use estimate::Metric as E;
        let Some(view) = summary.multiclass(profile).filter(|_| profile.has_scores()) else {
            return;
        };
        let class = |class: usize| -> Vec<EstimateBin> {
            let of_reference = profile.probability_bins(class).iter().enumerate();
            let bin = |(bin, reference): (usize, &ProbabilityBin)| {
                let decided = view.count(class, bin, true);
                EstimateBin {
                    count: view.count(class, bin, false).saturating_add(decided),
                    probability: reference.probability,
                    predicted_positive: decided,
                }
            };
            of_reference.map(bin).collect()
        };
        let classes: Vec<Vec<EstimateBin>> = (0..view.classes()).map(class).collect();
        let Some(estimate) = estimate_multiclass(&classes) else {
            return;
        };
        for (metric, of) in [
            (Metric::Accuracy, E::Accuracy),
            (Metric::Precision, E::Precision),
            (Metric::Recall, E::Recall),
            (Metric::F1, E::F1),
        ] {
            let found = estimate.metric(of).map(|found| self.banded(&found, of));
            self.push(metric, found, summary.predicted());
        }
    }

    fn estimated_regression(&mut self, profile: &OutcomeProfile, summary: &PredictedSummary) {
        let (Some(view), values) = (summary.regression(), profile.value_losses()) else {
            return;
        };
        let n = summary.predicted();
        if n == 0 || values.is_empty() {
            return;
        }
        // The mean of a loss over the bins, and the variance that the mean of so many labels will have.
        let mean = |loss: fn(&ValueBin) -> f64, square: fn(&ValueBin) -> f64| {
            let (mut sum, mut variance) = (0.0, 0.0);
            for (bin, value) in values.iter().enumerate() {
                let rows = view.count(bin) as f64;
                sum += rows * loss(value);
                variance += rows * (square(value) - squared(loss(value))).max(0.0);
            }
            let rows = n as f64;
            (sum / rows, variance / (rows * rows))
        };
        let confidence = self.confidence;
        let within = |(value, variance): (f64, f64), lower: f64| {
            measured(
                value,
                confidence.normal(value, variance).clipped(lower, f64::MAX),
            )
        };
        let squares = within(mean(|v| v.squared_error, |v| v.fourth_power), 0.0);
        let root = Measured {
            value: squares.value.max(0.0).sqrt(),
            interval: squares.interval.map(f64::sqrt),
        };
        let absolute = within(mean(|v| v.absolute_error, |v| v.squared_error), 0.0);
        let bias = within(mean(|v| v.error, |v| v.squared_error), f64::MIN);
        for (metric, found) in [
            (Metric::Mae, absolute),
            (Metric::Mse, squares),
            (Metric::Rmse, root),
            (Metric::Bias, bias),
        ] {
            self.push(metric, Some(found), n);
        }
    }
}

fn squared(x: f64) -> f64 {
    x * x
}
