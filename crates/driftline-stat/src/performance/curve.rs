//! Metrics of the score's order, from counts in bins of it.

use statrs::function::gamma::digamma;

use super::Measured;
use super::interval::Confidence;

/// The labelled predictions of one bin of the score: counts or weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ScoreBin {
    /// Positives in it.
    pub positives: f64,
    /// Negatives in it.
    pub negatives: f64,
    /// Whether all its scores are the same.
    pub is_one_value: bool,
}

impl ScoreBin {
    fn rows(&self) -> f64 {
        self.positives + self.negatives
    }
}

fn totals(bins: &[ScoreBin]) -> (f64, f64) {
    bins.iter().fold((0.0, 0.0), |(p, n), bin| {
        (p + bin.positives, n + bin.negatives)
    })
}

/// Area under the ROC curve: the chance that a positive has a higher score than a negative, ties by half.
///
/// `bins` are in ascending order of the score, and scores of one bin count as tied: the value is exact where every
/// bin holds one score, and else low by at most Σ P_b·N_b / (2·P·N) over the others; with 128 quantile bins by less than
/// 3e-4 in practice. `per_weight` is how many predictions a weight of one stands for (1 without weights).
///
/// The interval is normal on the scale of log odds, with DeLong's variance, computed in one pass over the bins; with
/// fewer than two positives or negatives, Hanley's and McNeil's. Where the two classes do not overlap that variance is
/// zero, and Wilson's interval with as many trials as the smaller class has members stands in. None with one class only.
///
/// E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 1988; J. A. Hanley, B. J. McNeil, Radiology 1982;
/// G. Qin, L. Hotilovac, Statistical Methods in Medical Research 2008 (log odds).
///
/// ```
/// use driftline_stat::performance::{Confidence, ScoreBin, roc_auc};
///
/// let bin = |negatives, positives| ScoreBin { positives, negatives, is_one_value: true };
/// let bins = [bin(50.0, 10.0), bin(30.0, 20.0), bin(20.0, 70.0)];
/// let auc = roc_auc(&bins, 1.0, Confidence::new(0.95)).unwrap();
/// assert!((auc.value - 0.785).abs() < 1e-12);
/// assert!(auc.interval.lower > 0.71 && auc.interval.upper < 0.85);
/// ```
#[must_use]
pub fn roc_auc(bins: &[ScoreBin], per_weight: f64, confidence: Confidence) -> Option<Measured> {
    let (positives, negatives) = totals(bins);
    if positives <= 0.0 || negatives <= 0.0 {
        return None;
    }
    let (mut sum, mut below) = (0.0, 0.0);
    for bin in bins {
        sum += bin.positives * (below + bin.negatives / 2.0);
        below += bin.negatives;
    }
    let value = (sum / (positives * negatives)).clamp(0.0, 1.0);
    let (p, n) = (positives * per_weight, negatives * per_weight);
    let variance = if p < 2.0 || n < 2.0 {
        hanley_mcneil(value, p.max(1.0), n.max(1.0))
    } else {
        // How often a positive of the bin beats a negative, and how often a negative loses.
        let (mut of_positives, mut of_negatives) = (0.0, 0.0);
        let mut before = (0.0, 0.0);
        for bin in bins {
            let wins = (before.1 + bin.negatives / 2.0) / negatives - value;
            let losses = (positives - before.0 - bin.positives / 2.0) / positives - value;
            of_positives += bin.positives * wins * wins;
            of_negatives += bin.negatives * losses * losses;
            before = (before.0 + bin.positives, before.1 + bin.negatives);
        }
        of_positives / positives / (p - 1.0) + of_negatives / negatives / (n - 1.0)
    };
    let logit = (variance > 0.0).then(|| confidence.logit(value, variance));
    let interval = logit.flatten().unwrap_or_else(|| {
        let trials = p.min(n);
        confidence.wilson(value * trials, trials)
    });
    Some(Measured {
        value,
        interval: interval.with(value),
    })
}

/// The variance of an area `a` with `p` positives and `n` negatives, scores being exponential in both classes.
fn hanley_mcneil(a: f64, p: f64, n: f64) -> f64 {
    let (q1, q2) = (a / (2.0 - a), 2.0 * a * a / (1.0 + a));
    (a * (1.0 - a) + (p - 1.0) * (q1 - a * a) + (n - 1.0) * (q2 - a * a)) / (p * n)
}

/// Average precision: over the positives from the highest score down, the mean share of positives among all that have at
/// least the same score (scikit-learn's `average_precision_score`).
///
/// `bins` are in ascending order of the score. A bin of one value is a step, which is exact. Of any other bin the order
/// inside is not known, and the value is the mean over all orders: low by what the score tells inside the bin. `rows` is
/// how many predictions each bin has (weights do not say). See `docs/performance_metrics.md` for the error.
///
/// The interval is normal on the scale of log odds, with the delta method's variance for multinomial cells; at 0 and 1
/// Wilson's with as many trials as there are positives. None without positives.
///
/// K. Boyd, K. H. Eng, C. D. Page, "Area under the precision-recall curve: point estimates and confidence intervals",
/// ECML 2013 (log odds, and why not the bootstrap).
#[must_use]
pub fn average_precision(
    bins: &[ScoreBin],
    rows: &[f64],
    per_weight: f64,
    confidence: Confidence,
) -> Option<Measured> {
    let (positives, negatives) = totals(bins);
    if positives <= 0.0 {
        return None;
    }
    let mut above = (0.0, 0.0);
    let mut sum = 0.0;
    for (i, bin) in bins.iter().enumerate().rev() {
        let count = rows.get(i).copied().unwrap_or(1.0);
        sum += gain(above.0, above.1, bin, count);
        above = (above.0 + bin.rows(), above.1 + bin.positives);
    }
    let value = (sum / positives).clamp(0.0, 1.0);
    // One more positive moves the steps of its bin and of those below it; so does one more negative.
    let (mut variance, mut steps) = (0.0, (0.0, 0.0));
    let mut reached = (positives + negatives, positives);
    let scale = per_weight * positives * positives;
    let tied = tied_value(bins);
    for bin in bins {
        let (ranked, hits) = reached;
        if bin.rows() > 0.0 && ranked > 0.0 {
            let share = bin.positives / (ranked * ranked);
            steps = (steps.0 + share * (ranked - hits), steps.1 - share * hits);
            let of_positive = hits / ranked - tied + steps.0;
            variance += bin.positives * of_positive * of_positive;
            variance += bin.negatives * steps.1 * steps.1;
        }
        reached = (ranked - bin.rows(), hits - bin.positives);
    }
    let variance = variance / scale;
    let logit = (variance > 0.0).then(|| confidence.logit(value, variance));
    let interval = logit.flatten().unwrap_or_else(|| {
        let trials = positives * per_weight;
        confidence.wilson(value * trials, trials)
    });
    Some(Measured {
        value,
        interval: interval.with(value),
    })
}

/// Average precision if every bin were one score: what the variance is the derivative of.
fn tied_value(bins: &[ScoreBin]) -> f64 {
    let (positives, _) = totals(bins);
    let (mut above, mut sum) = ((0.0, 0.0), 0.0);
    for bin in bins.iter().rev() {
        above = (above.0 + bin.rows(), above.1 + bin.positives);
        if above.0 > 0.0 {
            sum += bin.positives * above.1 / above.0;
        }
    }
    sum / positives
}

/// What a bin of `rows` predictions adds to P times the average precision, when `a` of the weight `b` above is positive.
fn gain(b: f64, a: f64, bin: &ScoreBin, rows: f64) -> f64 {
    let (weight, hits) = (bin.rows(), bin.positives);
    if weight <= 0.0 || hits <= 0.0 {
        return 0.0;
    }
    if bin.is_one_value || rows <= 1.0 {
        return hits * (a + hits) / (b + weight);
    }
    // In rows of this bin's mean weight: the k-th is a hit with the chance p, and then of the k − 1 before it a share
    // `rest` is to be expected.
    let unit = weight / rows;
    let (a, b) = (a / unit, b / unit);
    let (p, rest) = (hits / weight, ((hits / unit - 1.0) / (rows - 1.0)).max(0.0));
    // (a + 1 + (k − 1)·rest) / (b + k), summed over k = 1 to `rows`.
    let harmonic = digamma(b + rows + 1.0) - digamma(b + 1.0);
    let sum = rest * rows + (a + 1.0 - rest - rest * b) * harmonic;
    unit * p * sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Interval;
    use super::*;

    fn is_sound(interval: &Interval) -> bool {
        interval.lower <= interval.upper && interval.lower >= 0.0 && interval.upper <= 1.0
    }

    fn one(negatives: u32, positives: u32) -> ScoreBin {
        ScoreBin {
            positives: positives.into(),
            negatives: negatives.into(),
            is_one_value: true,
        }
    }

    /// The mean precision over all orders of `hits` among `rows` below `b` rows with `a` hits, by brute force.
    fn brute(b: f64, a: f64, hits: usize, rows: usize) -> f64 {
        let (mut sum, mut orders) = (0.0, 0.0);
        for mask in 0_u32..1 << rows {
            if mask.count_ones() as usize != hits {
                continue;
            }
            orders += 1.0;
            let mut found = a;
            for k in 0..rows {
                if mask >> k & 1 == 1 {
                    found += 1.0;
                    sum += found / (b + k as f64 + 1.0);
                }
            }
        }
        sum / orders
    }

    #[test]
    fn an_unknown_order_counts_as_all_of_them() {
        for (b, a, hits, rows) in [
            (0.0, 0.0, 3, 7),
            (5.0, 4.0, 1, 6),
            (9.0, 2.0, 8, 8),
            (2.0, 1.0, 2, 2),
        ] {
            let bin = ScoreBin {
                positives: hits as f64,
                negatives: (rows - hits) as f64,
                is_one_value: false,
            };
            let found = gain(b, a, &bin, rows as f64);
            assert!(
                (found - brute(b, a, hits, rows)).abs() < 1e-9,
                "{b} {a} {hits} {rows}"
            );
            // Every row with twice the weight is the same.
            let double = ScoreBin {
                positives: 2.0 * bin.positives,
                negatives: 2.0 * bin.negatives,
                ..bin
            };
            assert!((gain(2.0 * b, 2.0 * a, &double, rows as f64) - 2.0 * found).abs() < 1e-9);
        }
    }

    #[test]
    fn one_class_has_no_area() {
        let confidence = Confidence::new(0.95);
        assert_eq!(roc_auc(&[one(5, 0)], 1.0, confidence), None);
        assert_eq!(roc_auc(&[], 1.0, confidence), None);
        assert_eq!(
            average_precision(&[one(5, 0)], &[5.0], 1.0, confidence),
            None
        );
        let all = average_precision(&[one(0, 5)], &[5.0], 1.0, confidence).unwrap();
        assert_eq!(all.value, 1.0);
        assert!(all.interval.lower < 0.6);
    }

    #[test]
    fn classes_apart_have_an_interval() {
        let auc = roc_auc(&[one(30, 0), one(0, 12)], 1.0, Confidence::new(0.95)).unwrap();
        assert_eq!((auc.value, auc.interval.upper), (1.0, 1.0));
        assert!(auc.interval.lower > 0.7 && auc.interval.lower < 0.8);
    }

    proptest! {
        #[test]
        fn both_lie_in_their_intervals(
            cells in prop::collection::vec((0_u32..50, 0_u32..50, any::<bool>()), 0..20),
            per_weight in 0.1_f64..1.0,
        ) {
            let bins: Vec<ScoreBin> = cells
                .iter()
                .map(|(n, p, same)| ScoreBin { is_one_value: *same, ..one(*n, *p) })
                .collect();
            let rows: Vec<f64> = bins.iter().map(ScoreBin::rows).collect();
            let confidence = Confidence::new(0.95);
            let found = [
                roc_auc(&bins, per_weight, confidence),
                average_precision(&bins, &rows, per_weight, confidence),
            ];
            for measured in found.into_iter().flatten() {
                prop_assert!(is_sound(&measured.interval), "{measured:?}");
                prop_assert!(measured.interval.lower <= measured.value);
                prop_assert!(measured.value <= measured.interval.upper);
            }
        }
    }
}
