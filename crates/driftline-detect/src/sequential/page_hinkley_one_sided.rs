//! The Page–Hinkley test as MOA and Frouros have it.

use serde::{Deserialize, Serialize};

use super::level::{Level, lambda, min_num_instances};
use super::options::checked;
use super::{Compat, Options, Parameter, ParameterError, SequentialDetector, Signal, usable};

/// Parameters of [`OneSidedPageHinkley`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneSidedPageHinkleyOptions {
    /// Whose first test and names: `moa` or `frouros`.
    pub compat: Compat,
    /// Values before the first test.
    pub min_num_instances: u64,
    /// How far above the mean a value may be without adding to the sum (δ), in the values' own unit.
    pub delta: f64,
    /// A sum above this is a drift (λ), in the values' own unit.
    pub lambda: f64,
    /// What is left of the sum after each value (α).
    pub alpha: f64,
}

impl Default for OneSidedPageHinkleyOptions {
    fn default() -> Self {
        Self {
            compat: Compat::Moa,
            min_num_instances: 30,
            delta: 0.005,
            lambda: 50.0,
            alpha: 0.9999,
        }
    }
}

impl Options for OneSidedPageHinkleyOptions {
    const DETECTOR: &'static str = "page_hinkley";

    fn defaults(compat: Compat) -> Option<Self> {
        matches!(compat, Compat::Moa | Compat::Frouros).then(|| Self {
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
            Parameter::number(
                "alpha",
                &mut self.alpha,
                [0.0, 1.0],
                "what is left of the sum after each value",
            ),
        ]
    }
}

/// The Page–Hinkley test as MOA and Frouros have it: one-sided, and without its minimum.
///
/// **Formula.** With x̄ the mean of all values so far, this one included, S ← `alpha`·S + (x − x̄ − `delta`); S above
/// `lambda` is a drift once there are `min_num_instances` values. It has no warning.
///
/// **When not to use it.** If one is free to choose: the test of the paper compares S with its least value so far. These
/// compare S itself, which sinks by `delta` a value while nothing happens, down to −`delta`/(1 − `alpha`) = −50 with
/// the defaults, and a change then has to make that good before it counts. `--compat river` and `--compat paper` are
/// the test with its minimum, on both sides.
///
/// **Parity.** `moa`: `PageHinkleyDM` as it is in capymoa 0.15.1 (MOA's source has since been given the minimum);
/// `frouros`: `PageHinkley`, started afresh after each drift, which Frouros leaves to its caller. MOA tests one value
/// sooner, after `minNumInstances` − 1.
///
/// **Paper.** E. S. Page: Continuous inspection schemes. Biometrika 41, 1954.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneSidedPageHinkley {
    #[serde(deserialize_with = "checked")]
    options: OneSidedPageHinkleyOptions,
    level: Level,
    sum: f64,
    skipped: u64,
}

impl OneSidedPageHinkley {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range.
    pub fn new(options: OneSidedPageHinkleyOptions) -> Result<Self, ParameterError> {
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
    pub fn options(&self) -> &OneSidedPageHinkleyOptions {
        &self.options
    }

    /// The sum S.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }
}

impl SequentialDetector for OneSidedPageHinkley {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        let options = &self.options;
        self.level.add(value);
        self.sum = options.alpha * self.sum + (value - self.level.mean - options.delta);
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
