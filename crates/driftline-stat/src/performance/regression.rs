//! Metrics of predicted numbers from their outcomes.

use driftline_event::Metric;
use driftline_sketch::{Bins, LossMoments, OutcomeProfile, OutcomeSummary, RegressionOutcomes};

use super::collect::Metrics;
use super::mean::r2;

/// The kurtosis of a normal law.
const NORMAL_KURTOSIS: f64 = 3.0;

impl Metrics<'_> {
    pub(super) fn regression(&mut self, profile: &OutcomeProfile, summary: &OutcomeSummary) {
        let Some(view) = summary.regression(profile) else {
            return;
        };
        self.push_loss(Metric::Mae, view.absolute_error(), f64::MAX);
        let squared = view.squared_error();
        self.push_loss(Metric::Mse, squared, f64::MAX);
        if let Some(squared) = &squared {
            let mean = self.mean(squared);
            self.push(Metric::Rmse, mean.root(self.confidence), squared.n);
            if let Some(label) = view.label() {
                let kurtosis = label_kurtosis(&view, profile.label_bins(), &label);
                let found = r2(&mean, label.variance, kurtosis, self.confidence);
                self.push(Metric::R2, found, squared.n);
            }
        }
        self.push_loss(Metric::Mape, view.relative_error(), f64::MAX);
        self.push_loss(Metric::Msle, view.squared_log_error(), f64::MAX);
        if let Some(error) = view.error() {
            let found = self
                .mean(&error)
                .measured(f64::MIN, f64::MAX, self.confidence);
            self.push(Metric::Bias, found, error.n);
        }
        let pinball = view.quantile_loss(self.options.quantile);
        self.push_loss(Metric::QuantileLoss, pinball, f64::MAX);
    }
}

/// E(y − ȳ)⁴ / Var(y)² of the labels, from their bins: the middle of each inner bin stands for its labels, and those in
/// the two outer bins, which are open, are as far away as the known variance says.
fn label_kurtosis(view: &RegressionOutcomes<'_>, bins: &Bins, label: &LossMoments) -> f64 {
    let (bounds, last) = (bins.upper_bounds(), bins.count().saturating_sub(1));
    let n: f64 = (0..=last).map(|bin| view.label_count(bin) as f64).sum();
    if n <= 0.0 || label.variance <= 0.0 {
        return NORMAL_KURTOSIS;
    }
    let (mut inner, mut squares, mut fourth) = (0.0, 0.0, 0.0);
    for bin in 1..last {
        let share = view.label_count(bin) as f64 / n;
        let distance = 0.5 * (bounds[bin - 1] + bounds[bin]) - label.mean;
        let square = distance * distance / label.variance;
        inner += share;
        squares += share * square;
        fourth += share * square * square;
    }
    let outer = 1.0 - inner;
    let left = (1.0 - squares).max(0.0);
    if outer > 0.0 {
        fourth += left * left / outer;
    }
    if fourth.is_finite() {
        fourth.max(1.0)
    } else {
        NORMAL_KURTOSIS
    }
}
