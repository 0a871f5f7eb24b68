//! Sums over the rows of one score, and the metrics that follow from them.

use super::binary::{BinaryEstimate, Estimate};
use super::metric::{CostMatrix, Metric};

/// Terms of a harmonic sum that are added one by one before the logarithm takes over.
const HARMONIC_TERMS: f64 = 32.0;

/// The rows of one score, or of one bin of scores.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group {
    /// How many.
    pub(super) rows: f64,
    /// The sum of their probabilities p: the positives to be expected.
    pub(super) positives: f64,
    /// The sum of p(1 − p): the variance of the number of positives.
    pub(super) variance: f64,
    /// The same three of those that are predicted positive.
    pub(super) predicted: Part,
}

/// Sums over the rows that are predicted positive.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    pub(super) rows: f64,
    pub(super) positives: f64,
    pub(super) variance: f64,
}

impl Group {
    pub(super) fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.positives += other.positives;
        self.variance += other.variance;
        self.predicted.rows += other.predicted.rows;
        self.predicted.positives += other.predicted.positives;
        self.predicted.variance += other.predicted.variance;
    }

    /// One row with the probability `p`.
    pub(super) fn push(&mut self, p: f64, predicted_positive: bool) {
        let variance = p * (1.0 - p);
        self.rows += 1.0;
        self.positives += p;
        self.variance += variance;
        if predicted_positive {
            self.predicted.rows += 1.0;
            self.predicted.positives += p;
            self.predicted.variance += variance;
        }
    }
}

/// Rows in ascending order of their score, as groups of equal scores: score, probability, predicted positive.
pub(super) fn grouped(rows: &[(f64, f64, bool)]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut last = f64::NAN;
    for &(score, p, positive) in rows {
        if score != last || groups.is_empty() {
            groups.push(Group::default());
            last = score;
        }
        if let Some(group) = groups.last_mut() {
            group.push(p, positive);
        }
    }
    groups
}

/// Rows with known outcomes, in any order, as groups of equal scores. Scores that are not a number are left out.
pub(super) fn of_outcomes(rows: impl Iterator<Item = (f64, bool)>) -> Vec<Group> {
    let mut sorted: Vec<(f64, f64, bool)> = rows
        .filter(|(score, _)| !score.is_nan())
        // Adding 0 makes one zero of two.
        .map(|(score, is)| (score + 0.0, f64::from(u8::from(is)), false))
        .collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    grouped(&sorted)
}

/// All metrics of groups in ascending order of their score. None without rows.
pub(super) fn estimate(
    groups: &[Group],
    costs: Option<&CostMatrix>,
    predicted: bool,
) -> Option<BinaryEstimate> {
    let mut total = Group::default();
    groups.iter().for_each(|group| total.add(group));
    if total.rows <= 0.0 {
        return None;
    }
    let mut found = BinaryEstimate::new(total.rows, total.positives / total.rows);
    found.set(Metric::RocAuc, roc_auc(groups, &total));
    found.set(Metric::AveragePrecision, average_precision(groups, &total));
    if predicted {
        of_cells(&total, costs, &mut found);
    }
    Some(found)
}

/// The metrics of the expected confusion matrix, which need no order.
fn of_cells(total: &Group, costs: Option<&CostMatrix>, found: &mut BinaryEstimate) {
    let n = total.rows;
    let (tp, tp_var) = (total.predicted.positives, total.predicted.variance);
    let (fneg, fneg_var) = (total.positives - tp, (total.variance - tp_var).max(0.0));
    let fneg = fneg.max(0.0);
    let fp = (total.predicted.rows - tp).max(0.0);
    let tn = (n - total.predicted.rows - fneg).max(0.0);
    let all_var = tp_var + fneg_var;
    let cell = |value: f64, variance: f64| Some(Estimate::new(value, variance));
    found.set(Metric::TruePositive, cell(tp, tp_var));
    found.set(Metric::FalsePositive, cell(fp, tp_var));
    found.set(Metric::FalseNegative, cell(fneg, fneg_var));
    found.set(Metric::TrueNegative, cell(tn, fneg_var));
    found.set(Metric::Accuracy, cell((tp + tn) / n, all_var / (n * n)));
    // A ratio a / b whose parts move with the numbers of positives among the predicted positives and negatives.
    let ratio = |value: f64, of: f64, by_tp: f64, by_fn: f64| {
        let variance = by_tp * by_tp * tp_var + by_fn * by_fn * fneg_var;
        // NannyML calls a ratio of nothing 0.
        if of > 0.0 {
            Estimate::new(value / of, variance / (of * of * of * of))
        } else {
            Estimate::new(0.0, 0.0)
        }
    };
    let (predicted, positives, negatives) = (tp + fp, tp + fneg, tn + fp);
    found.set(
        Metric::Precision,
        Some(ratio(tp, predicted, predicted, 0.0)),
    );
    found.set(Metric::Recall, Some(ratio(tp, positives, fneg, -tp)));
    found.set(Metric::Specificity, Some(ratio(tn, negatives, tn, -fp)));
    let both = predicted + positives;
    found.set(
        Metric::F1,
        Some(ratio(2.0 * tp, both, 2.0 * (both - tp), -2.0 * tp)),
    );
    if let Some(c) = costs {
        let value = tp * c.true_positive
            + fp * c.false_positive
            + fneg * c.false_negative
            + tn * c.true_negative;
        let on_positive = c.true_positive - c.false_positive;
        let on_negative = c.false_negative - c.true_negative;
        let variance = tp_var * on_positive * on_positive + fneg_var * on_negative * on_negative;
        found.set(Metric::BusinessValue, Some(Estimate::new(value, variance)));
    }
}

/// Σ P_b (N_below + N_b / 2) / (P N). None when there is nothing to tell apart.
pub(super) fn area(groups: &[Group]) -> Option<f64> {
    let mut total = Group::default();
    groups.iter().for_each(|group| total.add(group));
    roc_auc(groups, &total).map(|found| found.value)
}

/// Average precision with one step per score, as scikit-learn has it for known labels. None without positives.
pub(super) fn tied_average_precision(groups: &[Group]) -> Option<f64> {
    let (mut rows, mut hits, mut sum) = (0.0, 0.0, 0.0);
    for group in groups.iter().rev() {
        rows += group.rows;
        hits += group.positives;
        if rows > 0.0 {
            sum += group.positives * hits / rows;
        }
    }
    (hits > 0.0).then(|| sum / hits)
}

/// The area, and how far that of drawn labels scatters around it.
fn roc_auc(groups: &[Group], total: &Group) -> Option<Estimate> {
    let (positives, negatives) = (total.positives, total.rows - total.positives);
    if positives <= 0.0 || negatives <= 0.0 {
        return None;
    }
    let mut below = (0.0, 0.0);
    let mut sum = 0.0;
    for group in groups {
        let others = group.rows - group.positives;
        sum += group.positives * (below.1 + others / 2.0);
        below = (below.0 + group.positives, below.1 + others);
    }
    let value = sum / (positives * negatives);
    // What one more positive in the place of a negative would change, to first order.
    let mut variance = 0.0;
    let level = value * (1.0 / positives - 1.0 / negatives);
    let mut below = (0.0, 0.0);
    for group in groups {
        let others = group.rows - group.positives;
        let negatives_below = below.1 + others / 2.0;
        let positives_above = positives - below.0 - group.positives / 2.0;
        let slope = (negatives_below - positives_above) / (positives * negatives) - level;
        variance += group.variance * slope * slope;
        below = (below.0 + group.positives, below.1 + others);
    }
    Some(Estimate::new(value, variance))
}

/// Σ over the rows, from the highest score, of the gain of recall times the precision there.
fn average_precision(groups: &[Group], total: &Group) -> Option<Estimate> {
    let positives = total.positives;
    if positives <= 0.0 {
        return None;
    }
    let (mut above, mut found) = ((0.0, 0.0), 0.0);
    for group in groups.iter().rev() {
        found += steps(above.0, above.1, group);
        above = (above.0 + group.rows, above.1 + group.positives);
    }
    let value = found / positives;
    let (mut variance, mut below, mut tail) = (0.0, (0.0, 0.0), 0.0);
    for group in groups {
        let (ranked, hits) = (total.rows - below.0, positives - below.1);
        if ranked > 0.0 {
            tail += group.positives / ranked;
            let slope = (hits / ranked + tail - value) / positives;
            variance += group.variance * slope * slope;
        }
        below = (below.0 + group.rows, below.1 + group.positives);
    }
    Some(Estimate::new(value, variance))
}

/// Σ_{k=1..c} p (a + k p) / (b + k): what `c` rows of one probability add when `a` hits of `b` rows are above.
fn steps(b: f64, a: f64, group: &Group) -> f64 {
    if group.rows <= 0.0 {
        return 0.0;
    }
    let p = group.positives / group.rows;
    // (a + kp) / (b + k) = p + (a - pb) / (b + k), so that only the harmonic sum is long.
    p * (p * group.rows + (a - p * b) * harmonic(b, group.rows))
}

/// Σ_{k=1..c} 1 / (b + k).
fn harmonic(b: f64, c: f64) -> f64 {
    let first = c.min(HARMONIC_TERMS);
    let mut sum = 0.0;
    let mut k = 1.0;
    while k <= first {
        sum += 1.0 / (b + k);
        k += 1.0;
    }
    if c > first {
        // ψ(x + 1) ≈ ln(x + 1/2) + 1 / (24 (x + 1/2)²): off by less than 1e-7 from the 32nd term on.
        let digamma = |x: f64| {
            let y = x + 0.5;
            libm::log(y) + 1.0 / (24.0 * y * y)
        };
        sum += digamma(b + c) - digamma(b + first);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_to_a_harmonic_sum_is_exact_enough() {
        for (b, c) in [
            (0.0, 1.0),
            (0.0, 32.0),
            (0.0, 33.0),
            (0.0, 5_000.0),
            (7.0, 400.0),
            (1e6, 1e4),
        ] {
            let mut long = 0.0;
            let mut k = 1.0;
            while k <= c {
                long += 1.0 / (b + k);
                k += 1.0;
            }
            assert!((harmonic(b, c) - long).abs() < 1e-7, "{b} {c}");
        }
    }
}
