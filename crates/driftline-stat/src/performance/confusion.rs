//! The confusion matrix of two classes.

use super::interval::{Confidence, Interval};
use crate::estimate::CostMatrix;

/// Added to each cell where a variance from the counts alone would say that nothing can vary.
const CELL_PRIOR: f64 = 0.5;

/// How often which class was predicted for which: counts, weights or expectations.
///
/// Every metric is none where it is 0/0. Counts are finite and not negative.
///
/// ```
/// use driftline_stat::performance::{Confidence, Confusion};
///
/// let cells = Confusion { true_positive: 40.0, false_positive: 10.0, false_negative: 20.0, true_negative: 30.0 };
/// assert_eq!(cells.accuracy(), Some(0.7));
/// assert_eq!(cells.precision(), Some(0.8));
/// assert!((cells.f1().unwrap() - 0.727_272_727).abs() < 1e-9);
/// let interval = cells.f_beta_interval(1.0, Confidence::new(0.95));
/// assert!(interval.lower > 0.62 && interval.upper < 0.82);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Confusion {
    /// Predicted positive and positive.
    pub true_positive: f64,
    /// Predicted positive but negative.
    pub false_positive: f64,
    /// Predicted negative but positive.
    pub false_negative: f64,
    /// Predicted negative and negative.
    pub true_negative: f64,
}

/// a / b where there is something to divide by.
pub(super) fn ratio(a: f64, b: f64) -> Option<f64> {
    (b > 0.0).then(|| a / b)
}

impl Confusion {
    /// The sum of all cells.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.true_positive + self.false_positive + self.false_negative + self.true_negative
    }

    /// Predicted positives.
    #[must_use]
    pub fn predicted(&self) -> f64 {
        self.true_positive + self.false_positive
    }

    /// Positives.
    #[must_use]
    pub fn positives(&self) -> f64 {
        self.true_positive + self.false_negative
    }

    /// Negatives.
    #[must_use]
    pub fn negatives(&self) -> f64 {
        self.true_negative + self.false_positive
    }

    /// Every cell times `factor`: weights as the number of predictions that say as much.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self {
            true_positive: self.true_positive * factor,
            false_positive: self.false_positive * factor,
            false_negative: self.false_negative * factor,
            true_negative: self.true_negative * factor,
        }
    }

    /// (TP + TN) / n.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.true_positive + self.true_negative, self.total())
    }

    /// TP / (TP + FP).
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positive, self.predicted())
    }

    /// TP / (TP + FN).
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positive, self.positives())
    }

    /// TN / (TN + FP).
    #[must_use]
    pub fn specificity(&self) -> Option<f64> {
        ratio(self.true_negative, self.negatives())
    }

    /// 2 TP / (2 TP + FP + FN).
    #[must_use]
    pub fn f1(&self) -> Option<f64> {
        self.f_beta(1.0)
    }

    /// (1 + β²) TP / ((1 + β²) TP + β² FN + FP).
    #[must_use]
    pub fn f_beta(&self, beta: f64) -> Option<f64> {
        let square = beta * beta;
        let hits = (1.0 + square) * self.true_positive;
        ratio(
            hits,
            hits + square * self.false_negative + self.false_positive,
        )
    }

    /// Matthews' correlation (TP·TN − FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN)). None where a row or column is empty.
    #[must_use]
    pub fn mcc(&self) -> Option<f64> {
        let margins = self.margins();
        if margins.iter().any(|m| *m <= 0.0) {
            return None;
        }
        // By pairs, so that large counts do not overflow.
        let [a, b, c, d] = margins.map(f64::sqrt);
        let agreeing = (self.true_positive / (a * b)) * (self.true_negative / (c * d));
        let opposing = (self.false_positive / (a * c)) * (self.false_negative / (b * d));
        Some((agreeing - opposing).clamp(-1.0, 1.0))
    }

    /// The value by `costs` for each prediction.
    #[must_use]
    pub fn business_value(&self, costs: &CostMatrix) -> Option<f64> {
        let value = self.true_positive * costs.true_positive
            + self.false_positive * costs.false_positive
            + self.false_negative * costs.false_negative
            + self.true_negative * costs.true_negative;
        ratio(value, self.total())
    }

    /// Interval of [`Self::f_beta`]; of [`Self::f1`] with `beta` 1.
    ///
    /// The odds of F are (1 + β²)·TP / (β²·FN + FP). Given how many predictions are TP, FN or FP, TP is binomial, so F1
    /// is an increasing function of the share TP / (TP + FN + FP) and takes over Wilson's interval of it. For other β the
    /// misses count as m = (β²·FN + FP)² / (β⁴·FN + FP) of equal weight, which has the variance of the delta method.
    #[must_use]
    pub fn f_beta_interval(&self, beta: f64, confidence: Confidence) -> Interval {
        let square = beta * beta;
        let missed = square * self.false_negative + self.false_positive;
        let squares = square * square * self.false_negative + self.false_positive;
        // The odds of F are this factor times the odds of a hit among hits and misses of equal weight.
        let (misses, factor) = if squares > 0.0 {
            (missed * missed / squares, (1.0 + square) * missed / squares)
        } else {
            (0.0, (1.0 + square) * (1.0 / square).min(1.0))
        };
        let share = confidence.wilson(self.true_positive, self.true_positive + misses);
        let interval = share.map(|p| p * factor / (p * factor + (1.0 - p)));
        interval.with(self.f_beta(beta).unwrap_or(interval.lower))
    }

    /// Interval of [`Self::mcc`]: the delta method for multinomial cells on Fisher's scale artanh(MCC), with half a count
    /// added to each cell, so that it is not a point where no error was seen.
    #[must_use]
    pub fn mcc_interval(&self, confidence: Confidence) -> Interval {
        let cells = self.smoothed();
        let Some(value) = cells.mcc() else {
            return Interval {
                lower: -1.0,
                upper: 1.0,
            };
        };
        let [a, b, c, d] = cells.margins();
        let root = a.sqrt() * b.sqrt() * c.sqrt() * d.sqrt();
        let slope = |other: f64, rows: f64, columns: f64| {
            other / root - 0.5 * value * (1.0 / rows + 1.0 / columns)
        };
        let terms = [
            (cells.true_positive, slope(cells.true_negative, a, b)),
            (cells.true_negative, slope(cells.true_positive, c, d)),
            (cells.false_positive, slope(-cells.false_negative, a, c)),
            (cells.false_negative, slope(-cells.false_positive, b, d)),
        ];
        let variance: f64 = terms
            .iter()
            .map(|(count, slope)| count * slope * slope)
            .sum();
        let room = (1.0 - value * value).max(f64::MIN_POSITIVE);
        let scale = confidence.normal(libm::atanh(value), variance / (room * room));
        let interval = scale.map(libm::tanh);
        interval.with(self.mcc().unwrap_or(value))
    }

    /// Interval of [`Self::business_value`]: normal, the variance that of the cells' values with half a count added to
    /// each cell; within the smallest and largest value of a cell.
    #[must_use]
    pub fn business_value_interval(&self, costs: &CostMatrix, confidence: Confidence) -> Interval {
        let cells = self.smoothed();
        let values = [
            (cells.true_positive, costs.true_positive),
            (cells.false_positive, costs.false_positive),
            (cells.false_negative, costs.false_negative),
            (cells.true_negative, costs.true_negative),
        ];
        let (n, mean) = (cells.total(), cells.business_value(costs).unwrap_or(0.0));
        let squares: f64 = values
            .iter()
            .map(|(c, v)| c * (v - mean) * (v - mean))
            .sum();
        let centre = self.business_value(costs).unwrap_or(mean);
        let of = |pick: fn(f64, f64) -> f64, start| values.iter().fold(start, |m, v| pick(m, v.1));
        confidence
            .normal(centre, squares / (n * n))
            .clipped(of(f64::min, f64::INFINITY), of(f64::max, f64::NEG_INFINITY))
    }

    fn margins(&self) -> [f64; 4] {
        [
            self.predicted(),
            self.positives(),
            self.negatives(),
            self.true_negative + self.false_negative,
        ]
    }

    fn smoothed(&self) -> Self {
        Self {
            true_positive: self.true_positive + CELL_PRIOR,
            false_positive: self.false_positive + CELL_PRIOR,
            false_negative: self.false_negative + CELL_PRIOR,
            true_negative: self.true_negative + CELL_PRIOR,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(tp: f64, fp: f64, fneg: f64, tn: f64) -> Confusion {
        Confusion {
            true_positive: tp,
            false_positive: fp,
            false_negative: fneg,
            true_negative: tn,
        }
    }

    #[test]
    fn nothing_by_nothing_is_no_metric() {
        let empty = Confusion::default();
        assert_eq!(empty.accuracy(), None);
        assert_eq!(empty.f1(), None);
        assert_eq!(empty.mcc(), None);
        let never = cells(0.0, 0.0, 5.0, 5.0);
        assert_eq!(never.precision(), None);
        assert_eq!((never.recall(), never.f1()), (Some(0.0), Some(0.0)));
        assert_eq!(never.mcc(), None);
    }

    #[test]
    fn the_interval_of_f1_is_that_of_a_share() {
        let confidence = Confidence::new(0.95);
        let found = cells(30.0, 8.0, 12.0, 100.0).f_beta_interval(1.0, confidence);
        let share = confidence.wilson(30.0, 50.0);
        assert!((found.lower - 2.0 * share.lower / (1.0 + share.lower)).abs() < 1e-12);
        assert!((found.upper - 2.0 * share.upper / (1.0 + share.upper)).abs() < 1e-12);
    }

    #[test]
    fn without_an_error_no_interval_is_a_point() {
        let perfect = cells(12.0, 0.0, 0.0, 20.0);
        let confidence = Confidence::new(0.95);
        for beta in [0.5, 1.0, 2.0] {
            let f = perfect.f_beta_interval(beta, confidence);
            assert!(f.upper == 1.0 && f.lower > 0.5 && f.lower < 0.95, "{f:?}");
        }
        let mcc = perfect.mcc_interval(confidence);
        assert!(
            mcc.upper == 1.0 && mcc.lower > 0.5 && mcc.lower < 0.95,
            "{mcc:?}"
        );
    }

    proptest! {
        #[test]
        fn intervals_hold_their_value_and_stay_in_range(
            tp in 0_u32..2_000, fp in 0_u32..2_000, fneg in 0_u32..2_000, tn in 0_u32..2_000,
            beta in 0.1_f64..5.0,
        ) {
            let c = cells(tp.into(), fp.into(), fneg.into(), tn.into());
            let confidence = Confidence::new(0.95);
            let costs = CostMatrix::from_rows([[1.0, -2.0], [-3.0, 4.0]]);
            let all = [
                (c.f_beta(beta), c.f_beta_interval(beta, confidence), 0.0, 1.0),
                (c.mcc(), c.mcc_interval(confidence), -1.0, 1.0),
                (c.business_value(&costs), c.business_value_interval(&costs, confidence), -3.0, 4.0),
            ];
            for (value, interval, lowest, highest) in all {
                prop_assert!(interval.lower >= lowest && interval.upper <= highest, "{interval:?}");
                if let Some(value) = value {
                    prop_assert!(interval.lower <= value && value <= interval.upper, "{value} {interval:?}");
                }
            }
        }
    }
}
