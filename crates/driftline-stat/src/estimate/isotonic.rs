//! Isotonic regression: the non-decreasing step from a score to the share of positives at that score.

use serde::{Deserialize, Serialize};

/// Scores that differ by less than this are one score, as scikit-learn has it for doubles.
const RESOLUTION: f64 = 1e-15;

/// Maps scores to calibrated probabilities: non-decreasing, linear between thresholds, constant beyond them.
///
/// Least squares under the condition that the values do not decrease, found exactly by pooling adjacent
/// violators: sorting takes `n ln n`, the rest is linear. Equal scores are pooled first.
///
/// The result is scikit-learn's `IsotonicRegression(out_of_bounds="clip")`, and its stored form are the same two
/// rows of numbers (`X_thresholds_`, `y_thresholds_`).
///
/// ```
/// use driftline_stat::estimate::IsotonicCalibration;
///
/// let scores = [0.1, 0.2, 0.3, 0.4];
/// let calibration = IsotonicCalibration::fit(&scores, &[0.0, 1.0, 0.0, 1.0], None).unwrap();
/// assert_eq!(calibration.calibrate(0.2), 0.5);   // 0.2 and 0.3 are out of order, so they are pooled
/// assert!((calibration.calibrate(0.35) - 0.75).abs() < 1e-12); // half way between two thresholds
/// assert_eq!(calibration.calibrate(7.0), 1.0);   // beyond the last
/// ```
///
/// Source: Barlow, Bartholomew, Bremner, Brunk (1972), Statistical inference under order restrictions;
/// Zadrozny, Elkan (2002), Transforming classifier scores into accurate multiclass probability estimates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct IsotonicCalibration {
    thresholds: Vec<f64>,
    values: Vec<f64>,
}

/// What is read back, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    thresholds: Vec<f64>,
    values: Vec<f64>,
}

impl TryFrom<Stored> for IsotonicCalibration {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        Self::from_parts(stored.thresholds, stored.values).ok_or(
            "an isotonic calibration needs as many finite thresholds as values, the thresholds ascending and \
             the values not descending",
        )
    }
}

/// Neighbours with one common mean.
#[derive(Clone, Copy)]
struct Block {
    weight: f64,
    sum: f64,
    points: usize,
}

impl Block {
    fn mean(&self) -> f64 {
        self.sum / self.weight
    }
}

impl IsotonicCalibration {
    /// Fits `outcomes` (0 or 1, or any finite number) to `scores`; without `weights`, every row weighs 1.
    ///
    /// Rows with a score, outcome or weight that is not finite, or with a weight that is not positive, do not
    /// count. None when no row counts or the slices differ in length.
    #[must_use]
    pub fn fit(scores: &[f64], outcomes: &[f64], weights: Option<&[f64]>) -> Option<Self> {
        let lengths = [outcomes.len(), weights.map_or(scores.len(), <[f64]>::len)];
        if lengths.iter().any(|n| *n != scores.len()) {
            return None;
        }
        let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
        let rows = scores.iter().zip(outcomes).enumerate();
        let rows = rows.map(|(i, (x, y))| (*x, *y, weight(i)));
        let counts = |(x, y, w): &(f64, f64, f64)| {
            x.is_finite() && y.is_finite() && w.is_finite() && *w > 0.0
        };
        let mut rows: Vec<(f64, f64, f64)> = rows.filter(counts).collect();
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Self::fit_sorted(&rows)
    }

    /// Fits counts of positives in bins of the score: `(mean score, positives, rows)` a bin, ascending.
    ///
    /// Bins without rows do not count. None when none counts or the scores are not ascending and finite.
    #[must_use]
    pub fn fit_bins(bins: &[(f64, u64, u64)]) -> Option<Self> {
        let bins = bins.iter().filter(|(_, _, rows)| *rows > 0);
        let row = |&(x, positives, rows): &(f64, u64, u64)| {
            let rows = rows as f64;
            (x, (positives as f64 / rows).min(1.0), rows)
        };
        let rows: Vec<(f64, f64, f64)> = bins.map(row).collect();
        let ascending = rows.windows(2).all(|pair| pair[0].0 <= pair[1].0);
        let finite = rows.iter().all(|row| row.0.is_finite());
        (ascending && finite).then(|| Self::fit_sorted(&rows))?
    }

    /// A calibration from its two rows of numbers; none when they are not one.
    #[must_use]
    pub fn from_parts(thresholds: Vec<f64>, values: Vec<f64>) -> Option<Self> {
        let finite = |all: &[f64]| all.iter().all(|x| x.is_finite());
        let valid = !thresholds.is_empty()
            && thresholds.len() == values.len()
            && finite(&thresholds)
            && finite(&values)
            && thresholds.windows(2).all(|pair| pair[0] < pair[1])
            && values.windows(2).all(|pair| pair[0] <= pair[1]);
        valid.then_some(Self { thresholds, values })
    }

    /// The scores at which the line may bend, ascending.
    #[must_use]
    pub fn thresholds(&self) -> &[f64] {
        &self.thresholds
    }

    /// The calibrated value at each threshold.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The calibrated value at `score`. Not a number in, not a number out.
    #[must_use]
    pub fn calibrate(&self, score: f64) -> f64 {
        if score.is_nan() {
            return score;
        }
        // The first threshold that is not below the score.
        let i = self.thresholds.partition_point(|t| *t < score);
        let last = self.thresholds.len() - 1;
        if i == 0 || i > last {
            return self.values[i.min(last)];
        }
        let (x0, x1) = (self.thresholds[i - 1], self.thresholds[i]);
        let (y0, y1) = (self.values[i - 1], self.values[i]);
        y0 + (y1 - y0) / (x1 - x0) * (score - x0)
    }

    /// Fits rows of score, outcome and weight that are already sorted.
    pub(super) fn fit_sorted(rows: &[(f64, f64, f64)]) -> Option<Self> {
        let (xs, means) = distinct(rows);
        if xs.is_empty() {
            return None;
        }
        let mut blocks: Vec<Block> = Vec::new();
        for &(sum, weight) in &means {
            let mut block = Block {
                weight,
                sum,
                points: 1,
            };
            while let Some(previous) = blocks.last()
                && previous.mean() >= block.mean()
            {
                block.weight += previous.weight;
                block.sum += previous.sum;
                block.points += previous.points;
                blocks.pop();
            }
            blocks.push(block);
        }
        let (mut thresholds, mut values) = (Vec::new(), Vec::new());
        let mut at = 0;
        for block in blocks {
            // Inside a block the line is level: its two ends say all.
            for i in [at, at + block.points - 1] {
                if thresholds.last() != Some(&xs[i]) {
                    thresholds.push(xs[i]);
                    values.push(block.mean());
                }
            }
            at += block.points;
        }
        Some(Self { thresholds, values })
    }
}

/// The distinct scores of sorted rows, with the weighted sum of outcomes and the weight of each.
fn distinct(rows: &[(f64, f64, f64)]) -> (Vec<f64>, Vec<(f64, f64)>) {
    let (mut xs, mut sums): (Vec<f64>, Vec<(f64, f64)>) = (Vec::new(), Vec::new());
    for &(x, y, w) in rows {
        match (xs.last(), sums.last_mut()) {
            (Some(last), Some(sum)) if x - last < RESOLUTION => {
                *sum = (sum.0 + y * w, sum.1 + w);
            }
            _ => {
                xs.push(x);
                sums.push((y * w, w));
            }
        }
    }
    (xs, sums)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(IsotonicCalibration::fit(&[], &[], None), None);
        assert_eq!(IsotonicCalibration::fit(&[0.5], &[], None), None);
        assert_eq!(IsotonicCalibration::fit(&[f64::NAN], &[1.0], None), None);
        assert_eq!(IsotonicCalibration::fit_bins(&[(0.5, 0, 0)]), None);
        assert_eq!(
            IsotonicCalibration::fit_bins(&[(0.5, 1, 2), (0.4, 1, 2)]),
            None
        );
    }

    #[test]
    fn what_is_stored_comes_back_and_is_checked() {
        let fitted = IsotonicCalibration::fit(&[0.1, 0.9], &[0.0, 1.0], None).unwrap();
        let text = serde_json::to_string(&fitted).unwrap();
        assert_eq!(text, r#"{"thresholds":[0.1,0.9],"values":[0.0,1.0]}"#);
        assert_eq!(
            serde_json::from_str::<IsotonicCalibration>(&text).unwrap(),
            fitted
        );
        for bad in [
            r#"{"thresholds":[],"values":[]}"#,
            r#"{"thresholds":[0.1],"values":[]}"#,
            r#"{"thresholds":[0.2,0.1],"values":[0,1]}"#,
            r#"{"thresholds":[0.1,0.2],"values":[1,0]}"#,
        ] {
            let error = serde_json::from_str::<IsotonicCalibration>(bad).unwrap_err();
            assert!(error.to_string().contains("ascending"), "{bad}: {error}");
        }
    }

    #[test]
    fn bins_fit_as_their_rows_do() {
        let bins = [(0.1, 1, 10), (0.2, 5, 20), (0.3, 2, 10), (0.7, 9, 10)];
        let (mut scores, mut outcomes) = (Vec::new(), Vec::new());
        for (score, positives, rows) in bins {
            for i in 0..rows {
                scores.push(score);
                outcomes.push(f64::from(u8::from(i < positives)));
            }
        }
        let rows = IsotonicCalibration::fit(&scores, &outcomes, None).unwrap();
        let binned = IsotonicCalibration::fit_bins(&bins).unwrap();
        assert_eq!(rows.thresholds(), binned.thresholds());
        for (a, b) in rows.values().iter().zip(binned.values()) {
            assert!((a - b).abs() < 1e-12);
        }
    }

    proptest! {
        #[test]
        fn the_fit_is_monotone_and_keeps_the_mean(
            rows in prop::collection::vec((0u8..50, any::<bool>()), 1..200),
        ) {
            let scores: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 50.0).collect();
            let outcomes: Vec<f64> = rows.iter().map(|r| f64::from(u8::from(r.1))).collect();
            let fitted = IsotonicCalibration::fit(&scores, &outcomes, None).unwrap();
            prop_assert!(fitted.values().windows(2).all(|pair| pair[0] <= pair[1]));
            let mean = scores.iter().map(|x| fitted.calibrate(*x)).sum::<f64>();
            prop_assert!((mean - outcomes.iter().sum::<f64>()).abs() < 1e-9);
            let stored = IsotonicCalibration::from_parts(
                fitted.thresholds().to_vec(),
                fitted.values().to_vec(),
            );
            prop_assert_eq!(stored, Some(fitted));
        }
    }
}
