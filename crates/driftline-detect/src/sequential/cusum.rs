//! CUSUM, the cumulative sum of what exceeds the mean.

use serde::{Deserialize, Serialize};

use super::level::{Level, lambda, min_num_instances};
use super::options::checked;
use super::{Compat, Options, Parameter, ParameterError, SequentialDetector, Signal, usable};

/// Parameters of [`Cusum`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CusumOptions {
    /// Whose first test and names.
    pub compat: Compat,
    /// Values before the first test.
    pub min_num_instances: u64,
    /// How far above the mean a value may be without adding to the sum (δ), in the values' own unit.
    pub delta: f64,
    /// A sum above this is a drift (λ), in the values' own unit.
    pub lambda: f64,
}

impl Default for CusumOptions {
    fn default() -> Self {
        Self {
            compat: Compat::Paper,
            min_num_instances: 30,
            delta: 0.005,
            lambda: 50.0,
        }
    }
}

impl Options for CusumOptions {
    const DETECTOR: &'static str = "cusum";

    fn defaults(compat: Compat) -> Option<Self> {
        (compat != Compat::River).then(|| Self {
            compat,
            ..Self::default()
        })
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        vec![
            min_num_instances(self.compat, &mut self.min_num_instances),
            Parameter::number(
                "delta",
                &mut self.delta,
                [0.0, 1e12],
                "how far above the mean a value adds nothing",
            ),
            Parameter::number(
                lambda(self.compat),
                &mut self.lambda,
                [0.0, 1e12],
                "a sum above this is a drift",
            ),
        ]
    }
}

/// CUSUM: what exceeds the mean adds up.
///
/// **Formula.** With x̄ the mean of all values so far, this one included, S ← max(0, S + x − x̄ − `delta`); S above `lambda`
/// is a drift once there are `min_num_instances` values. It has no warning.
///
/// **Assumes** that `delta` is about half of the change that matters, and that x̄ has settled before the change: a slow
/// change moves x̄ along and is not seen. **When not to use it.** With its defaults on errors, if soon matters: from one
/// error in ten to three in ten, S grows by less than 0.2 a value at first, so that `lambda` = 50 takes over 250 values.
/// Values of another scale than 0 to 1 need both parameters in their own unit.
///
/// **Parity.** `moa`: `CusumDM`; `frouros`: `CUSUM`, started afresh after each drift, which Frouros leaves to its caller.
/// MOA tests one value sooner, after `minNumInstances` − 1. `paper` is as Frouros. Page's own sum is against a level
/// that is known; all of these take the running mean for it.
///
/// **Paper.** E. S. Page: Continuous inspection schemes. Biometrika 41, 1954.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cusum {
    #[serde(deserialize_with = "checked")]
    options: CusumOptions,
    level: Level,
    skipped: u64,
    /// Not beside the mean: the compiler would load both as one vector, which waits for both stores of the last update.
    sum: f64,
}

impl Cusum {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range.
    pub fn new(options: CusumOptions) -> Result<Self, ParameterError> {
        options.check()?;
        Ok(Self {
            options,
            level: Level::default(),
            sum: 0.0,
            skipped: 0,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &CusumOptions {
        &self.options
    }

    /// The sum S.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }
}

impl SequentialDetector for Cusum {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        let options = &self.options;
        self.level.add(value);
        self.sum = (self.sum + value - self.level.mean - options.delta).max(0.0);
        let tested = self
            .level
            .is_tested(options.compat, options.min_num_instances);
        let drift = tested && self.sum > options.lambda;
        if drift {
            self.reset();
        }
        Signal::of(drift, false)
    }

    fn reset(&mut self) {
        (self.level, self.sum) = (Level::default(), 0.0);
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
