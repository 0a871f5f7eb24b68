//! What the labelled reference says: realised metrics, sampling error, and the thresholds beyond which to alert.

use super::group::{self, Group};
use super::metric::{CostMatrix, Metric};

/// Rows with labels, of a model with two classes. The slices have the same length.
#[derive(Clone, Copy, Debug)]
pub struct LabelledRows<'a> {
    /// The model's scores.
    pub scores: &'a [f64],
    /// Whether the model said positive, if it said anything but a score.
    pub predicted: Option<&'a [bool]>,
    /// Whether it was positive.
    pub labels: &'a [bool],
}

/// How far the metric of a chunk scatters around its true value, as a function of the chunk's size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingError {
    /// The standard deviation for a chunk of one row.
    unit: f64,
    /// Whether the metric is a total, which grows with the chunk.
    is_total: bool,
}

impl SamplingError {
    pub(super) fn of_mean(unit: f64) -> Option<Self> {
        unit.is_finite().then_some(Self {
            unit,
            is_total: false,
        })
    }

    pub(super) fn of_total(unit: f64) -> Option<Self> {
        unit.is_finite().then_some(Self {
            unit,
            is_total: true,
        })
    }

    /// The standard deviation of the metric of `rows` rows.
    #[must_use]
    pub fn deviation(&self, rows: f64) -> f64 {
        if self.is_total {
            self.unit * libm::sqrt(rows.max(0.0))
        } else {
            self.unit / libm::sqrt(rows.max(1.0))
        }
    }
}

/// A value for each metric of two classes.
#[derive(Clone, Debug, PartialEq)]
pub struct ByMetric<T> {
    values: [Option<T>; Metric::ALL.len()],
}

impl<T: Copy> ByMetric<T> {
    pub(super) fn new() -> Self {
        Self {
            values: [None; Metric::ALL.len()],
        }
    }

    pub(super) fn set(&mut self, metric: Metric, value: Option<T>) {
        self.values[metric.index()] = value;
    }

    /// The value of `metric`, if it has one.
    #[must_use]
    pub fn get(&self, metric: Metric) -> Option<T> {
        self.values[metric.index()]
    }
}

/// Where an estimate is far from what the reference's chunks realised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Below this.
    pub lower: f64,
    /// Above this.
    pub upper: f64,
}

impl Thresholds {
    /// The mean of the reference chunks' values and `deviations` standard deviations (of the population) to both
    /// sides, within `limits`. None when no chunk has a value. NannyML's default is 3 deviations.
    #[must_use]
    pub fn of_chunks(values: &[Option<f64>], deviations: f64, limits: (f64, f64)) -> Option<Self> {
        let values: Vec<f64> = values.iter().flatten().copied().collect();
        if values.is_empty() {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        let reach = deviations * libm::sqrt(variance);
        Some(Self {
            lower: (mean - reach).max(limits.0),
            upper: (mean + reach).min(limits.1),
        })
    }

    /// Whether `value` is outside.
    #[must_use]
    pub fn alert(&self, value: f64) -> bool {
        value < self.lower || value > self.upper
    }
}

/// The four cells of rows with labels and predictions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cells {
    pub(super) tp: f64,
    pub(super) fp: f64,
    pub(super) fneg: f64,
    pub(super) tn: f64,
}

impl Cells {
    pub(super) fn count(predicted: &[bool], labels: &[bool]) -> Self {
        let mut cells = Self::default();
        for (said, is) in predicted.iter().zip(labels) {
            match (said, is) {
                (true, true) => cells.tp += 1.0,
                (true, false) => cells.fp += 1.0,
                (false, true) => cells.fneg += 1.0,
                (false, false) => cells.tn += 1.0,
            }
        }
        cells
    }

    pub(super) fn rows(&self) -> f64 {
        self.tp + self.fp + self.fneg + self.tn
    }

    /// What precision, recall, specificity and F1 look at: hits, and rows of which they are a share.
    pub(super) fn looked_at(&self) -> [(f64, f64); 4] {
        [
            (self.tp, self.tp + self.fp),
            (self.tp, self.tp + self.fneg),
            (self.tn, self.tn + self.fp),
            (self.tp, self.tp + self.fp + self.fneg),
        ]
    }

    fn worth(&self, costs: &CostMatrix) -> (f64, f64) {
        let cells = [
            (self.tp, costs.true_positive),
            (self.fp, costs.false_positive),
            (self.fneg, costs.false_negative),
            (self.tn, costs.true_negative),
        ];
        let total: f64 = cells.iter().map(|(n, c)| n * c).sum();
        let mean = total / self.rows();
        let squares: f64 = cells.iter().map(|(n, c)| n * (c - mean) * (c - mean)).sum();
        (total, libm::sqrt(squares / self.rows()))
    }

    /// Precision, recall, specificity and F1; none where NannyML does not compute them.
    pub(super) fn ratios(&self) -> [Option<f64>; 4] {
        let ratio = |a: f64, b: f64| (b > 0.0).then(|| a / b);
        let mixed = |a: f64, b: f64| a > 0.0 && b > 0.0;
        // With one class only, in the labels or in the predictions, these say nothing.
        let telling = mixed(self.tp + self.fneg, self.fp + self.tn)
            && mixed(self.tp + self.fp, self.fneg + self.tn);
        let told = |x: Option<f64>| x.filter(|_| telling);
        [
            told(ratio(self.tp, self.tp + self.fp)),
            told(ratio(self.tp, self.tp + self.fneg)),
            ratio(self.tn, self.tn + self.fp),
            told(ratio(2.0 * self.tp, 2.0 * self.tp + self.fp + self.fneg)),
        ]
    }
}

/// The metrics of labelled rows, as scikit-learn computes them.
///
/// None, as with NannyML, where a chunk cannot tell: AUC and the ratios when labels (or predictions) are all of one
/// class, average precision without positives, metrics of predictions without them. Scores that are not a
/// number count in no metric of scores.
#[must_use]
pub fn realised_binary(rows: &LabelledRows<'_>, costs: Option<&CostMatrix>) -> ByMetric<f64> {
    let mut found = ByMetric::new();
    let groups = groups(rows);
    found.set(Metric::RocAuc, group::area(&groups));
    found.set(
        Metric::AveragePrecision,
        group::tied_average_precision(&groups),
    );
    let Some(predicted) = rows.predicted else {
        return found;
    };
    let cells = Cells::count(predicted, rows.labels);
    if cells.rows() <= 0.0 {
        return found;
    }
    let [precision, recall, specificity, f1] = cells.ratios();
    found.set(Metric::Precision, precision);
    found.set(Metric::Recall, recall);
    found.set(Metric::Specificity, specificity);
    found.set(Metric::F1, f1);
    found.set(Metric::Accuracy, Some((cells.tp + cells.tn) / cells.rows()));
    found.set(Metric::TruePositive, Some(cells.tp));
    found.set(Metric::TrueNegative, Some(cells.tn));
    found.set(Metric::FalsePositive, Some(cells.fp));
    found.set(Metric::FalseNegative, Some(cells.fneg));
    found.set(
        Metric::BusinessValue,
        costs.map(|costs| cells.worth(costs).0),
    );
    found
}

/// The sampling error of each metric, learned on the labelled reference, by NannyML 0.13.1's formulas.
///
/// The standard error of a mean of rows of the kind that the metric looks at: for recall, the positives. AUC is
/// the mean over positives of the share of negatives below them. Average precision is resampled at random
/// there; here its variance is that of its influence function, which is what the resampling approaches.
#[must_use]
pub fn sampling_binary(
    rows: &LabelledRows<'_>,
    costs: Option<&CostMatrix>,
) -> ByMetric<SamplingError> {
    let mut found = ByMetric::new();
    let groups = groups(rows);
    let unit = |(variance, share): (f64, f64)| libm::sqrt(variance / share);
    found.set(
        Metric::RocAuc,
        area_variance(&groups)
            .map(unit)
            .and_then(SamplingError::of_mean),
    );
    let of_precision = average_precision_variance(&groups).map(libm::sqrt);
    found.set(
        Metric::AveragePrecision,
        of_precision.and_then(SamplingError::of_mean),
    );
    let Some(predicted) = rows.predicted else {
        return found;
    };
    let cells = Cells::count(predicted, rows.labels);
    let n = cells.rows();
    if n <= 0.0 {
        return found;
    }
    let ratio = |of: f64, among: f64| SamplingError::of_mean(unit(share_variance(of, among, n)));
    found.set(Metric::Precision, ratio(cells.tp, cells.tp + cells.fp));
    found.set(Metric::Recall, ratio(cells.tp, cells.tp + cells.fneg));
    found.set(Metric::Specificity, ratio(cells.tn, cells.tn + cells.fp));
    found.set(Metric::Accuracy, ratio(cells.tp + cells.tn, n));
    let wrong = cells.fp + cells.fneg;
    let all = cells.tp + wrong;
    let factor = all / (0.5 * wrong + cells.tp);
    let of_f1 = unit(share_variance(cells.tp, all, n)) * factor;
    found.set(Metric::F1, SamplingError::of_mean(of_f1));
    let total = |cell: f64| SamplingError::of_total(libm::sqrt(share_variance(cell, n, n).0));
    found.set(Metric::TruePositive, total(cells.tp));
    found.set(Metric::TrueNegative, total(cells.tn));
    found.set(Metric::FalsePositive, total(cells.fp));
    found.set(Metric::FalseNegative, total(cells.fneg));
    let worth = costs.and_then(|costs| SamplingError::of_total(cells.worth(costs).1));
    found.set(Metric::BusinessValue, worth);
    found
}

/// Variance of "is one of `of`" over the rows `among`, and the share of those in all `n`.
pub(super) fn share_variance(of: f64, among: f64, n: f64) -> (f64, f64) {
    let q = of / among;
    (q * (1.0 - q), among / n)
}

fn groups(rows: &LabelledRows<'_>) -> Vec<Group> {
    group::of_outcomes(rows.scores.iter().copied().zip(rows.labels.iter().copied()))
}

/// Variance, over the rarer class, of the share of the other class on its wrong side, and the rarer class's share.
///
/// NannyML breaks ties by the order in which a sort happens to leave them; here they stand in every order at once.
pub(super) fn area_variance(groups: &[Group]) -> Option<(f64, f64)> {
    let n: f64 = groups.iter().map(|g| g.rows).sum();
    let positives: f64 = groups.iter().map(|g| g.positives).sum();
    let flipped = positives / n > 0.5;
    let rare = if flipped { n - positives } else { positives };
    let others = n - rare;
    if rare <= 0.0 || others <= 0.0 {
        return None;
    }
    // Read from the top when the classes are exchanged; the variance is the same from either side.
    let (mut below, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for group in groups {
        let hits = if flipped {
            group.rows - group.positives
        } else {
            group.positives
        };
        let here = group.rows - hits;
        let mean = below + here / 2.0;
        sum += hits * mean;
        squares += hits * (mean * mean + here * (here + 2.0) / 12.0);
        below += here;
    }
    let mean = sum / rare;
    let variance = (squares / rare - mean * mean).max(0.0) / (others * others);
    Some((variance, rare / n))
}

/// The variance of average precision's influence function: that of one row's part in it.
pub(super) fn average_precision_variance(groups: &[Group]) -> Option<f64> {
    let n: f64 = groups.iter().map(|g| g.rows).sum();
    let positives: f64 = groups.iter().map(|g| g.positives).sum();
    let value = group::tied_average_precision(groups)?;
    let (mut rows, mut hits) = (n, positives);
    // Σ dP₁ / S and Σ A dP₁ / S² over the scores up to here, A and S being shares at or above a score.
    let (mut gain, mut loss, mut variance) = (0.0, 0.0, 0.0);
    for group in groups {
        let precision = hits / rows;
        gain += group.positives / rows;
        loss += hits * group.positives / (rows * rows);
        let of_positive = (precision + gain - loss - value) * n / positives;
        let of_negative = -loss * n / positives;
        let negatives = group.rows - group.positives;
        variance += (group.positives * of_positive * of_positive
            + negatives * of_negative * of_negative)
            / n;
        rows -= group.rows;
        hits -= group.positives;
    }
    Some(variance)
}
