//! The error of a regression model, estimated without labels.

use std::fmt;
use std::str::FromStr;

use super::boost::{BoostOptions, BoostedTrees, Feature};
use super::metric::UnknownMetric;
use super::reference::SamplingError;

/// A metric of a regression model. All are means of a loss per row, or the root of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// Mean absolute error.
    Mae,
    /// Mean squared error.
    Mse,
    /// Root of the mean squared error.
    Rmse,
    /// Mean absolute percentage error, as a share. Rows whose label is 0 do not count.
    Mape,
    /// Mean squared error of ln(1 + x). Rows with a label or prediction below 0 do not count.
    Msle,
    /// Root of that.
    Rmsle,
}

impl Loss {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Mae,
        Self::Mse,
        Self::Rmse,
        Self::Mape,
        Self::Msle,
        Self::Rmsle,
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mae => "mae",
            Self::Mse => "mse",
            Self::Rmse => "rmse",
            Self::Mape => "mape",
            Self::Msle => "msle",
            Self::Rmsle => "rmsle",
        }
    }

    /// The loss of one row; none where it has none.
    #[must_use]
    pub fn of_row(self, label: f64, prediction: f64) -> Option<f64> {
        let error = label - prediction;
        let loss = match self {
            Self::Mae => error.abs(),
            Self::Mse | Self::Rmse => error * error,
            Self::Mape if label == 0.0 => return None,
            Self::Mape => error.abs() / label.abs(),
            Self::Msle | Self::Rmsle if label < 0.0 || prediction < 0.0 => return None,
            Self::Msle | Self::Rmsle => {
                let error = libm::log1p(label) - libm::log1p(prediction);
                error * error
            }
        };
        Some(loss).filter(|x| x.is_finite())
    }

    fn is_root(self) -> bool {
        matches!(self, Self::Rmse | Self::Rmsle)
    }

    /// The metric from the mean of the rows' losses.
    fn of_mean(self, mean: f64) -> f64 {
        if self.is_root() {
            libm::sqrt(mean.max(0.0))
        } else {
            mean.max(0.0)
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Loss {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|m| m.as_str() == text);
        found.ok_or(UnknownMetric)
    }
}

/// What loss to expect of a row, learned from the features, the prediction and the label on the reference.
///
/// NannyML's direct loss estimation (DLE) with [`BoostedTrees`] in LightGBM's place: the losses on the reference
/// are regressed on the features and the prediction, and a chunk's metric is the mean of its rows' expected losses
/// (the root of it for RMSE and RMSLE). It sees that a model is now used where it errs more. It assumes that the
/// spread of the label around the prediction depends on the features as it did, and it cannot tell where a
/// prediction is wrong because the world has changed. A loss is harder to learn than a label: on the reference's
/// own chunks the estimates scatter less than the realised errors do.
#[derive(Clone, Debug)]
pub struct LossModel {
    loss: Loss,
    trees: BoostedTrees,
}

impl LossModel {
    /// Learns `loss` from the reference. The prediction should be among the features. None when no row has one.
    #[must_use]
    pub fn fit(
        loss: Loss,
        features: &[Feature<'_>],
        labels: &[f64],
        predictions: &[f64],
        options: &BoostOptions,
    ) -> Option<Self> {
        let losses: Vec<f64> = losses(loss, labels, predictions)
            .map(|l| l.unwrap_or(f64::NAN))
            .collect();
        let trees = BoostedTrees::fit(features, &losses, options)?;
        Some(Self { loss, trees })
    }

    /// The loss to be expected of each row. None when the features are not those of the fit.
    #[must_use]
    pub fn expect(&self, features: &[Feature<'_>]) -> Option<Vec<f64>> {
        let mut expected = self.trees.predict(features)?;
        // A sum of trees can fall below what any row can lose.
        expected.iter_mut().for_each(|loss| *loss = loss.max(0.0));
        Some(expected)
    }

    /// The metric to be expected of rows with these expected losses. None without rows.
    #[must_use]
    pub fn estimate(&self, expected: &[f64]) -> Option<f64> {
        let n = expected.len();
        (n > 0).then(|| self.loss.of_mean(expected.iter().sum::<f64>() / n as f64))
    }
}

/// The metric of rows with labels. None when no row counts.
#[must_use]
pub fn realised_loss(loss: Loss, labels: &[f64], predictions: &[f64]) -> Option<f64> {
    moments(loss, labels, predictions).map(|(mean, _)| loss.of_mean(mean))
}

/// The sampling error of the metric, learned on the labelled reference: the standard deviation of a row's loss,
/// carried through the root for RMSE and RMSLE. NannyML's formulas.
#[must_use]
pub fn sampling_loss(loss: Loss, labels: &[f64], predictions: &[f64]) -> Option<SamplingError> {
    let (mean, variance) = moments(loss, labels, predictions)?;
    let deviation = libm::sqrt(variance);
    SamplingError::of_mean(if loss.is_root() {
        if mean > 0.0 {
            deviation / (2.0 * libm::sqrt(mean))
        } else {
            0.0
        }
    } else {
        deviation
    })
}

fn losses<'a>(
    loss: Loss,
    labels: &'a [f64],
    predictions: &'a [f64],
) -> impl Iterator<Item = Option<f64>> + 'a {
    labels
        .iter()
        .zip(predictions)
        .map(move |(y, p)| loss.of_row(*y, *p))
}

fn moments(loss: Loss, labels: &[f64], predictions: &[f64]) -> Option<(f64, f64)> {
    let losses: Vec<f64> = losses(loss, labels, predictions).flatten().collect();
    if losses.is_empty() {
        return None;
    }
    let n = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / n;
    Some((
        mean,
        losses.iter().map(|l| (l - mean) * (l - mean)).sum::<f64>() / n,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_scikit_learns() {
        let (labels, predictions) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
        let found = |loss| realised_loss(loss, &labels, &predictions).unwrap();
        assert_eq!(found(Loss::Mae), 0.5);
        assert_eq!(found(Loss::Mse), 0.375);
        assert!((found(Loss::Rmse) - 0.612_372_435_695_794_5).abs() < 1e-15);
        assert!((found(Loss::Mape) - 0.327_380_952_380_952_4).abs() < 1e-15);
        // mean_squared_log_error([3, 5, 2.5, 7], [2.5, 5, 4, 8])
        let logs = realised_loss(Loss::Msle, &[3.0, 5.0, 2.5, 7.0], &[2.5, 5.0, 4.0, 8.0]).unwrap();
        assert!((logs - 0.039_730_122_981_7).abs() < 1e-9);
        assert_eq!(realised_loss(Loss::Mape, &[0.0], &[1.0]), None);
        assert_eq!(realised_loss(Loss::Msle, &[-1.0], &[1.0]), None);
    }

    /// Labels scatter around the prediction by 0.2 + x, and x moves from below 1 to above 2.
    #[test]
    fn the_estimate_follows_a_known_spread_where_the_reference_mean_does_not() {
        let seed = 20_261_123u64;
        println!("seed {seed}");
        let mut state = seed;
        let mut unit = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let n = 6_000;
        // Most of the reference is at small x.
        let x: Vec<f64> = (0..n).map(|_| 3.0 * unit() * unit()).collect();
        let noise: Vec<f64> = (0..n).map(|_| 2.0 * unit() - 1.0).collect();
        let predictions: Vec<f64> = x.iter().map(|x| 10.0 - x).collect();
        let labels: Vec<f64> = (0..n)
            .map(|i| predictions[i] + (0.2 + x[i]) * noise[i])
            .collect();
        let features = [Feature::Numbers(&x), Feature::Numbers(&predictions)];
        let now: Vec<f64> = (0..2_000).map(|_| 2.0 + 0.8 * unit()).collect();
        let said: Vec<f64> = now.iter().map(|x| 10.0 - x).collect();
        // |uniform noise| has mean 1/2, its square 1/3.
        let spread: Vec<f64> = now.iter().map(|x| 0.2 + x).collect();
        let mae = spread.iter().sum::<f64>() / 2.0 / 2_000.0;
        let mse = spread.iter().map(|s| s * s).sum::<f64>() / 3.0 / 2_000.0;
        for (loss, truth) in [(Loss::Mae, mae), (Loss::Mse, mse), (Loss::Rmse, mse.sqrt())] {
            let options = BoostOptions::default();
            let model = LossModel::fit(loss, &features, &labels, &predictions, &options).unwrap();
            let current = [Feature::Numbers(&now[..]), Feature::Numbers(&said[..])];
            let expected = model.expect(&current).unwrap();
            let found = model.estimate(&expected).unwrap();
            let before = realised_loss(loss, &labels, &predictions).unwrap();
            println!("{loss}: truth {truth:.3}, estimate {found:.3}, reference {before:.3}");
            assert!(
                (found / truth - 1.0).abs() < 0.06,
                "{loss}: {found} {truth}"
            );
            assert!(before < 0.75 * truth, "{loss}: {before} {truth}");
        }
    }
}
