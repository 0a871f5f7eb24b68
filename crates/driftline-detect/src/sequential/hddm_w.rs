//! HDDM with the weighted averages test (HDDM_W).

use serde::{Deserialize, Serialize};

use super::options::checked;
use super::{Compat, Options, Parameter, ParameterError, SequentialDetector, Signal, usable};

/// Parameters of [`HddmW`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HddmWOptions {
    /// Significance of a drift (α_D).
    pub drift_confidence: f64,
    /// Significance of a warning (α_W).
    pub warning_confidence: f64,
    /// Weight of the newest value (λ).
    pub lambda_val: f64,
    /// Whether a fall of the mean is a drift too.
    pub two_sided_test: bool,
}

impl Default for HddmWOptions {
    fn default() -> Self {
        Self {
            drift_confidence: 0.001,
            warning_confidence: 0.005,
            lambda_val: 0.05,
            two_sided_test: false,
        }
    }
}

impl Options for HddmWOptions {
    const DETECTOR: &'static str = "hddm_w";

    fn defaults(compat: Compat) -> Option<Self> {
        match compat {
            Compat::River | Compat::Paper => Some(Self::default()),
            Compat::Moa | Compat::Frouros => None,
        }
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        vec![
            Parameter::number(
                "drift_confidence",
                &mut self.drift_confidence,
                [1e-100, 1.0],
                "significance of a drift",
            ),
            Parameter::number(
                "warning_confidence",
                &mut self.warning_confidence,
                [1e-100, 1.0],
                "significance of a warning",
            ),
            Parameter::number(
                "lambda_val",
                &mut self.lambda_val,
                [0.0, 1.0],
                "weight of the newest value; less remembers longer",
            ),
            Parameter::flag(
                "two_sided_test",
                &mut self.two_sided_test,
                "whether a fall of the mean is a drift too",
            ),
        ]
    }
}

/// HDDM_W: a weighted mean of the values since a cut against that of the values before it, by McDiarmid's inequality.
///
/// **Formula.** The means are exponentially weighted with λ = `lambda_val`; b ← λ² + (1 − λ)²·b from 1 is the sum of the
/// squared weights. The cut is where mean + √(b·ln(1/α_D)/2) was least. A drift is
/// mean₂ − mean₁ > √((b₁ + b₂)·ln(1/α)/2), α = `drift_confidence`; a warning the same with `warning_confidence`.
///
/// **Assumes** independent values within 0 to 1. Others are taken as they are, but then the confidence means nothing.
/// **When not to use it.** For small rises: with λ = 0.05 both means stand on some 40 values for ever, so that a change of
/// less than about a half is hardly ever seen. It is meant for sudden, large changes.
///
/// **Parity.** `river`: `river.drift.binary.HDDMW`; `paper` is the same. (Frouros takes λ for α in the bound of the cut.)
///
/// **Paper.** As for [`HddmA`](super::HddmA).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HddmW {
    #[serde(deserialize_with = "checked")]
    options: HddmWOptions,
    weights: Weights,
    all: Weighted,
    rise: Cut,
    fall: Cut,
    skipped: u64,
}

/// What depends only on the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Weights {
    log_drift: f64,
    log_warning: f64,
    new: f64,
    old: f64,
    new_squared: f64,
    old_squared: f64,
}

/// An exponentially weighted mean with the sum of its squared weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Weighted {
    mean: f64,
    squares: f64,
    any: bool,
}

impl Weighted {
    const NONE: Self = Self {
        mean: 0.0,
        squares: 1.0,
        any: false,
    };

    fn add(&mut self, value: f64, weights: &Weights) {
        self.mean = match self.any {
            true => weights.new * value + weights.old * self.mean,
            false => value,
        };
        self.any = true;
        self.squares = weights.new_squared + weights.old_squared * self.squares;
    }
}

/// The best cut for one direction, with the means before and after it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Cut {
    /// The least bound so far; nothing is as large as the initial one.
    bound: f64,
    before: Weighted,
    after: Weighted,
}

impl Cut {
    const NONE: Self = Self {
        bound: f64::MAX,
        before: Weighted::NONE,
        after: Weighted::NONE,
    };

    /// Cuts here if the bound is the least, else takes the value as one after the cut.
    fn step(&mut self, bound: f64, all: Weighted, value: f64, weights: &Weights) {
        if bound < self.bound {
            *self = Self {
                bound,
                before: all,
                after: Weighted::NONE,
            };
        } else {
            self.after.add(value, weights);
        }
    }

    /// How much higher the mean is after the cut.
    fn change(&self) -> f64 {
        self.after.mean - self.before.mean
    }

    /// What `change` across the cut means.
    fn test(&self, change: f64, weights: &Weights) -> Signal {
        if !(self.before.any && self.after.any) {
            return Signal::Stable;
        }
        let squares = self.before.squares + self.after.squares;
        let beyond = |log: f64| change > (squares * log / 2.0).sqrt();
        Signal::of(beyond(weights.log_drift), beyond(weights.log_warning))
    }
}

impl HddmW {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range.
    pub fn new(options: HddmWOptions) -> Result<Self, ParameterError> {
        options.check()?;
        let (new, old) = (options.lambda_val, 1.0 - options.lambda_val);
        let weights = Weights {
            log_drift: libm::log(1.0 / options.drift_confidence),
            log_warning: libm::log(1.0 / options.warning_confidence),
            new,
            old,
            new_squared: new * new,
            old_squared: old * old,
        };
        Ok(Self {
            options,
            weights,
            all: Weighted::NONE,
            rise: Cut::NONE,
            fall: Cut::NONE,
            skipped: 0,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &HddmWOptions {
        &self.options
    }
}

impl SequentialDetector for HddmW {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        let weights = self.weights;
        self.all.add(value, &weights);
        let all = self.all;
        let bound = (all.squares * weights.log_drift / 2.0).sqrt();
        self.rise.step(all.mean + bound, all, value, &weights);
        let mut signal = self.rise.test(self.rise.change(), &weights);
        if self.options.two_sided_test {
            // The mirror image: the greatest mean − bound is the least of its negative.
            self.fall.step(bound - all.mean, all, value, &weights);
            signal = signal.max(self.fall.test(-self.fall.change(), &weights));
        }
        if signal == Signal::Drift {
            self.reset();
        }
        signal
    }

    fn reset(&mut self) {
        self.all = Weighted::NONE;
        self.rise = Cut::NONE;
        self.fall = Cut::NONE;
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
