//! Means of losses.

use super::Measured;
use super::interval::Confidence;

/// Added at each end of a bounded loss's range where its variance is taken.
const END_PRIOR: f64 = 0.5;

/// The mean of a loss and its variance over the population of predictions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossMean {
    /// The mean.
    pub mean: f64,
    /// The variance of single losses (of the sample as it is, not n − 1).
    pub variance: f64,
    /// How many predictions of equal weight say as much.
    pub effective_n: f64,
}

impl LossMean {
    /// The mean with an interval by Student's law, within `lower` to `upper`.
    ///
    /// None with fewer than two predictions, of which no interval can be made. Its coverage falls below the nominal one
    /// where a few large losses make up the mean: of a squared error with tails that have no fourth moment, say.
    #[must_use]
    pub fn measured(&self, lower: f64, upper: f64, confidence: Confidence) -> Option<Measured> {
        if !(self.effective_n >= 2.0 && self.mean.is_finite() && self.variance.is_finite()) {
            return None;
        }
        let variance = self.variance / (self.effective_n - 1.0);
        let interval = confidence.student(self.mean, variance, self.effective_n);
        Some(Measured {
            value: self.mean,
            interval: interval.clipped(lower, upper).with(self.mean),
        })
    }

    /// The square root of the mean, with both ends' square roots: RMSE from the squared error.
    #[must_use]
    pub fn root(&self, confidence: Confidence) -> Option<Measured> {
        let square = self.measured(0.0, f64::MAX, confidence)?;
        Some(Measured {
            value: square.value.max(0.0).sqrt(),
            interval: square.interval.map(f64::sqrt),
        })
    }
}

/// The mean of a gain in 0 to 1 that takes few values, from (value, weight) of each: NDCG and reciprocal rank.
///
/// The interval is normal, its variance taken with half a prediction more at 0 and at 1, so that it is not a point where
/// all gains are the same. None without weight.
#[must_use]
pub fn mean_gain(
    gains: impl Iterator<Item = (f64, f64)> + Clone,
    per_weight: f64,
    confidence: Confidence,
) -> Option<Measured> {
    let add = |sum: (f64, f64, f64), (value, weight): (f64, f64)| {
        (
            sum.0 + weight,
            sum.1 + weight * value,
            sum.2 + weight * value * value,
        )
    };
    let (weight, sum, squares) = gains.fold((0.0, 0.0, 0.0), add);
    if weight <= 0.0 {
        return None;
    }
    let value = (sum / weight).clamp(0.0, 1.0);
    let n = weight * per_weight + 2.0 * END_PRIOR;
    let mean = (sum * per_weight + END_PRIOR) / n;
    let variance = ((squares * per_weight + END_PRIOR) / n - mean * mean).max(0.0) / n;
    Some(Measured {
        value,
        interval: confidence.normal(value, variance).clipped(0.0, 1.0),
    })
}

/// R², the share of the labels' variance that is explained: 1 − MSE / Var(y).
///
/// `label_kurtosis` is that of the labels, E(y − ȳ)⁴ / Var(y)². The interval is the delta method's on the scale of
/// ln(1 − R²), in which the relative errors of MSE and variance add up. That errors are larger for labels far from the
/// mean is not taken into account, which makes it too wide, not too short. None with fewer than three predictions or
/// labels that are all the same.
#[must_use]
pub fn r2(
    squared_error: &LossMean,
    label_variance: f64,
    label_kurtosis: f64,
    confidence: Confidence,
) -> Option<Measured> {
    let n = squared_error.effective_n;
    let mse = squared_error.mean;
    if !(n >= 3.0 && label_variance > 0.0 && mse.is_finite()) {
        return None;
    }
    let unexplained = mse / label_variance;
    let value = 1.0 - unexplained;
    if !value.is_finite() {
        return None;
    }
    let of_error = if mse > 0.0 {
        squared_error.variance / (mse * mse)
    } else {
        0.0
    };
    let relative = (of_error + (label_kurtosis - 1.0).max(0.0)) / (n - 1.0);
    let scale = confidence.student(0.0, relative, n);
    let at = |log: f64| (1.0 - unexplained * libm::exp(-log)).max(f64::MIN);
    Some(Measured {
        value,
        interval: scale.map(at).clipped(f64::MIN, 1.0).with(value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_prediction_has_no_interval() {
        let confidence = Confidence::new(0.95);
        let one = LossMean {
            mean: 3.0,
            variance: 0.0,
            effective_n: 1.0,
        };
        assert_eq!(one.measured(0.0, 10.0, confidence), None);
        assert_eq!(r2(&one, 1.0, 3.0, confidence), None);
        let many = LossMean {
            mean: 4.0,
            variance: 9.0,
            effective_n: 901.0,
        };
        let found = many.measured(0.0, f64::MAX, confidence).unwrap();
        assert!((found.interval.upper - 4.0 - 0.1 * 1.9626).abs() < 1e-3);
        let root = many.root(confidence).unwrap();
        assert_eq!(root.value, 2.0);
        assert!((root.interval.upper - found.interval.upper.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_gain_of_one_value_has_an_interval() {
        let found = mean_gain([(1.0, 20.0)].into_iter(), 1.0, Confidence::new(0.95)).unwrap();
        assert_eq!((found.value, found.interval.upper), (1.0, 1.0));
        assert!(found.interval.lower > 0.85 && found.interval.lower < 0.95);
        assert_eq!(mean_gain([].into_iter(), 1.0, Confidence::new(0.95)), None);
    }

    #[test]
    fn r2_never_passes_one() {
        let error = LossMean {
            mean: 0.5,
            variance: 0.5,
            effective_n: 500.0,
        };
        let found = r2(&error, 2.0, 3.0, Confidence::new(0.95)).unwrap();
        assert_eq!(found.value, 0.75);
        assert!(
            found.interval.lower > 0.68 && found.interval.upper < 0.80,
            "{found:?}"
        );
        assert_eq!(r2(&error, 0.0, 3.0, Confidence::new(0.95)), None);
    }
}
