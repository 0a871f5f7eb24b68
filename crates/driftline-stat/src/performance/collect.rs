//! From formulas to the metrics of a report.

use driftline_event::{Metric, MetricValue};
use driftline_sketch::{Bins, LossMoments, OutcomeSummary};

use super::interval::{Confidence, Interval};
use super::mean::LossMean;
use super::{Measured, PerformanceOptions};

/// Collects those metrics that are defined.
pub(super) struct Metrics<'a> {
    pub(super) options: &'a PerformanceOptions,
    pub(super) confidence: Confidence,
    /// How many predictions of equal weight a weight of one stands for: 1 without weights.
    pub(super) per_weight: f64,
    found: Vec<MetricValue>,
}

impl<'a> Metrics<'a> {
    pub(super) fn new(options: &'a PerformanceOptions) -> Self {
        Self {
            options,
            confidence: Confidence::new(options.confidence),
            per_weight: 1.0,
            found: Vec::new(),
        }
    }

    pub(super) fn weighted(mut self, summary: &OutcomeSummary) -> Self {
        if summary.is_weighted() && summary.weight() > 0.0 {
            self.per_weight = summary.effective_n() / summary.weight();
        }
        self
    }

    pub(super) fn into_values(self) -> Vec<MetricValue> {
        self.found
    }

    /// Adds a metric of all classes that rests on `n` predictions; nothing if it is not defined.
    pub(super) fn push(&mut self, metric: Metric, measured: Option<Measured>, n: u64) {
        self.push_class(metric, None, measured, n);
    }

    /// Adds a metric of one class.
    pub(super) fn push_class(
        &mut self,
        metric: Metric,
        class: Option<&str>,
        measured: Option<Measured>,
        n: u64,
    ) {
        let Some(Measured { value, interval }) = measured else {
            return;
        };
        let ends = [value, interval.lower, interval.upper];
        if ends.iter().all(|x| x.is_finite()) {
            self.found.push(MetricValue {
                metric,
                class: class.map(str::to_owned),
                // One zero of two.
                value: value + 0.0,
                lower: interval.lower + 0.0,
                upper: interval.upper + 0.0,
                n,
            });
        }
    }

    /// A share with Wilson's interval; none of nothing.
    pub(super) fn share(&self, hits: f64, of: f64) -> Option<Measured> {
        (of > 0.0).then(|| {
            let interval = self
                .confidence
                .wilson(hits * self.per_weight, of * self.per_weight);
            measured((hits / of).clamp(0.0, 1.0), interval)
        })
    }

    /// The mean of a loss between 0 and `most`.
    pub(super) fn push_loss(&mut self, metric: Metric, moments: Option<LossMoments>, most: f64) {
        if let Some(moments) = moments {
            let mean = self.mean(&moments);
            let found = mean.measured(0.0, most, self.confidence);
            self.push(metric, found, moments.n);
        }
    }

    pub(super) fn mean(&self, moments: &LossMoments) -> LossMean {
        LossMean {
            mean: moments.mean,
            variance: moments.variance,
            effective_n: moments.weight * self.per_weight,
        }
    }
}

/// A value and an interval that holds it.
pub(super) fn measured(value: f64, interval: Interval) -> Measured {
    Measured {
        value,
        interval: interval.with(value),
    }
}

/// Whether a bin of the score holds one value only: `(next_down(v), v]`.
pub(super) fn is_one_value(bins: &Bins, bin: usize) -> bool {
    let bounds = bins.upper_bounds();
    let lower = bin.checked_sub(1).and_then(|below| bounds.get(below));
    match (lower, bounds.get(bin)) {
        (Some(lower), Some(upper)) => lower.next_up() == *upper,
        _ => false,
    }
}
