//! Whether scores are better off calibrated.

use super::isotonic::IsotonicCalibration;
use super::metric::Metric;
use super::reference::{LabelledRows, realised_binary};
use super::split::stratified;

/// Splits that are tried, each with a tenth of the rows for testing.
const SPLITS: usize = 10;
/// Bins, equally many rows each, in which mean score and share of positives are compared.
const BINS: usize = 10;
/// The seed that scikit-learn's users write when they mean "any", and NannyML too.
const SEED: u32 = 42;
/// Above this, NannyML takes the scores for perfect and leaves them alone.
const AREA_MAX: f64 = 0.999;

/// Whether isotonic calibration lowers the expected calibration error of `scores` on rows it was not fitted to.
///
/// NannyML 0.13.1's decision, with the same ten stratified splits: calibrate on nine tenths, apply to the tenth,
/// pool all tenths, and compare the calibration error (ten bins of equally many rows) before and after. No when
/// the labels are all of one class, when AUC is above 0.999, or when the rows are too few to be split. Ties
/// stay in the order in which the splits draw them. numpy's sort, which is not stable, may leave them in another;
/// that can decide otherwise where the two errors are nearly equal.
///
/// # Panics
/// Never: slices of different lengths give no.
#[must_use]
pub fn needs_calibration(scores: &[f64], labels: &[bool]) -> bool {
    let rows = LabelledRows {
        scores,
        predicted: None,
        labels,
    };
    if scores.len() != labels.len() || scores.iter().any(|s| s.is_nan()) {
        return false;
    }
    match realised_binary(&rows, None).get(Metric::RocAuc) {
        Some(area) if area <= AREA_MAX => {}
        _ => return false,
    }
    let Some(splits) = stratified(labels, SPLITS, SEED) else {
        return false;
    };
    let outcome = |i: usize| f64::from(u8::from(labels[i]));
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // As the fit sorts its rows, so that it need not sort ten times.
    order.sort_unstable_by(|a, b| {
        scores[*a]
            .total_cmp(&scores[*b])
            .then(labels[*a].cmp(&labels[*b]))
    });
    let mut tested: Vec<(f64, f64, f64)> = Vec::new();
    let mut is_test = vec![false; labels.len()];
    for test in &splits {
        test.iter().for_each(|i| is_test[*i] = true);
        let train = order.iter().filter(|i| !is_test[**i]);
        let train: Vec<(f64, f64, f64)> = train.map(|i| (scores[*i], outcome(*i), 1.0)).collect();
        let Some(calibration) = IsotonicCalibration::fit_sorted(&train) else {
            return false;
        };
        let row = |i: &usize| (scores[*i], calibration.calibrate(scores[*i]), outcome(*i));
        tested.extend(test.iter().map(row));
        test.iter().for_each(|i| is_test[*i] = false);
    }
    let before = calibration_error(tested.iter().map(|t| (t.0, t.2)).collect());
    let after = calibration_error(tested.iter().map(|t| (t.1, t.2)).collect());
    matches!((before, after), (Some(before), Some(after)) if before > after)
}

/// Expected calibration error of (probability, outcome) over bins of equally many rows.
///
/// Rows of one probability stay in the order in which they come.
fn calibration_error(mut rows: Vec<(f64, f64)>) -> Option<f64> {
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = rows.len();
    let bins = if n <= 2 * BINS { n / 2 } else { BINS };
    if bins < 2 {
        return None;
    }
    let width = n / bins;
    // A remainder of a whole width or more makes bins of its own; the last bin takes the rest.
    let count = n / width;
    let mut error = 0.0;
    for bin in 0..count {
        let end = if bin + 1 == count {
            n
        } else {
            (bin + 1) * width
        };
        let part = &rows[bin * width..end];
        let size = part.len() as f64;
        let (p, y) = part
            .iter()
            .fold((0.0, 0.0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
        error += size / n as f64 * (p / size - y / size).abs();
    }
    Some(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Positives as often as `chance` says, at scores 0, 1/99, 2/99, …
    fn rows(chance: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<bool>) {
        let mut state = 7u64;
        let mut unit = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let scores: Vec<f64> = (0..4_000).map(|i| f64::from(i % 100) / 99.0).collect();
        let labels = scores.iter().map(|s| unit() < chance(*s)).collect();
        (scores, labels)
    }

    #[test]
    fn overconfident_scores_need_it_and_good_ones_do_not() {
        let (scores, labels) = rows(|s| 0.3 + 0.4 * s);
        assert!(needs_calibration(&scores, &labels));
        let (scores, labels) = rows(|s| f64::from(u8::from(s > 0.5)));
        assert!(
            !needs_calibration(&scores, &labels),
            "perfect ones are left alone"
        );
    }

    #[test]
    fn what_cannot_be_tried_is_left_alone() {
        assert!(!needs_calibration(&[], &[]));
        assert!(!needs_calibration(&[0.1, 0.2], &[true]));
        assert!(!needs_calibration(&[0.1, 0.2], &[true, true]));
        assert!(!needs_calibration(&[0.2, 0.1], &[true, false]));
        assert!(!needs_calibration(&[f64::NAN, 0.1], &[true, false]));
    }
}
