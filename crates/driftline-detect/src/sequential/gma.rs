//! GMA, the geometric moving average.

use serde::{Deserialize, Serialize};

use super::level::{Level, lambda, min_num_instances};
use super::options::checked;
use super::{Compat, Options, Parameter, ParameterError, SequentialDetector, Signal, usable};

/// Parameters of [`Gma`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GmaOptions {
    /// Whose first test, limit and names.
    pub compat: Compat,
    /// Values before the first test.
    pub min_num_instances: u64,
    /// An average above this is a drift (λ): for `paper` in its own standard deviations, else in the values' own unit.
    pub lambda: f64,
    /// What is left of the average after each value (α).
    pub alpha: f64,
}

impl Default for GmaOptions {
    fn default() -> Self {
        Self {
            compat: Compat::Paper,
            min_num_instances: 30,
            lambda: 4.0,
            alpha: 0.99,
        }
    }
}

impl Options for GmaOptions {
    const DETECTOR: &'static str = "gma";

    fn defaults(compat: Compat) -> Option<Self> {
        let paper = Self::default();
        match compat {
            Compat::Paper => Some(paper),
            Compat::Moa | Compat::Frouros => Some(Self {
                compat,
                lambda: 1.0,
                ..paper
            }),
            Compat::River => None,
        }
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        let meaning = match self.compat {
            Compat::Paper => "so many standard deviations of the average above 0 are a drift",
            _ => "an average above this is a drift",
        };
        vec![
            min_num_instances(self.compat, &mut self.min_num_instances),
            Parameter::number(lambda(self.compat), &mut self.lambda, [0.0, 1e12], meaning),
            Parameter::number(
                "alpha",
                &mut self.alpha,
                [0.0, 1.0],
                "what is left of the average after each value",
            ),
        ]
    }
}

/// GMA: a moving average of what exceeds the mean.
///
/// **Formula.** With x̄ the mean of all n values so far, this one included, g ← `alpha`·g + (1 − `alpha`)·(x − x̄). For `moa` and
/// `frouros` g above `lambda` is a drift once there are `min_num_instances` values; for `paper` g above
/// `lambda`·s·√((1 − `alpha`)/(1 + `alpha`)·(1 − `alpha`²ⁿ)), where s is the standard deviation of the values. It has no
/// warning.
///
/// **Assumes** independent values with a mean that has settled before the change: a slow change moves x̄ along and is
/// not seen. **When not to use it.** In the form of `moa` and `frouros` on errors: g never exceeds 1, so that
/// their default `lambda` = 1 is never reached; about 0.1 to 0.2 is needed, and depends on the error rate. `paper`
/// needs no unit.
///
/// **Parity.** `moa`: `GeometricMovingAverageDM`; `frouros`: `GeometricMovingAverage`, started afresh after each drift, which
/// Frouros leaves to its caller. MOA tests one value sooner, after `minNumInstances` − 1. Neither has the paper's
/// limit in standard deviations.
///
/// **Paper.** S. W. Roberts: Control chart tests based on geometric moving averages. Technometrics 1, 1959; its chart has two
/// sides, this one only the upper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gma {
    #[serde(deserialize_with = "checked")]
    options: GmaOptions,
    level: Level,
    /// Σ(x − x̄)², for `paper` only.
    squares: f64,
    /// `alpha`²ⁿ, for `paper` only.
    settling: f64,
    average: f64,
    skipped: u64,
}

impl Gma {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range.
    pub fn new(options: GmaOptions) -> Result<Self, ParameterError> {
        options.check()?;
        Ok(Self {
            options,
            level: Level::default(),
            squares: 0.0,
            settling: 1.0,
            average: 0.0,
            skipped: 0,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &GmaOptions {
        &self.options
    }

    /// The average g.
    #[must_use]
    pub fn average(&self) -> f64 {
        self.average
    }

    /// What g must exceed to be a drift.
    fn limit(&mut self, value: f64, mean_before: f64) -> f64 {
        let GmaOptions {
            compat,
            alpha,
            lambda,
            ..
        } = self.options;
        if compat != Compat::Paper {
            return lambda;
        }
        self.settling *= alpha * alpha;
        self.squares += (value - mean_before) * (value - self.level.mean);
        if self.level.n < 2 {
            return f64::INFINITY;
        }
        let variance = self.squares / (self.level.n - 1) as f64;
        let share = (1.0 - alpha) / (1.0 + alpha) * (1.0 - self.settling);
        lambda * (variance * share).max(0.0).sqrt()
    }
}

impl SequentialDetector for Gma {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        let before = self.level.mean;
        self.level.add(value);
        let limit = self.limit(value, before);
        let GmaOptions { compat, alpha, .. } = self.options;
        self.average = alpha * self.average + (1.0 - alpha) * (value - self.level.mean);
        let tested = self.level.is_tested(compat, self.options.min_num_instances);
        let drift = tested && self.average > limit;
        if drift {
            self.reset();
        }
        Signal::of(drift, false)
    }

    fn reset(&mut self) {
        self.level = Level::default();
        (self.squares, self.settling, self.average) = (0.0, 1.0, 0.0);
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
