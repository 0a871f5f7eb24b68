//! EDDM, the Early Drift Detection Method.

use serde::{Deserialize, Serialize};

use super::mean::Variance;
use super::options::checked;
use super::{Compat, Options, Parameter, ParameterError, SequentialDetector, Signal, usable};

/// Parameters of [`Eddm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EddmOptions {
    /// No maximum is kept before more values than this, and no signal is given before more errors than this.
    pub warm_start: u64,
    /// A level below it is a warning (α).
    pub alpha: f64,
    /// A level below it is a drift (β), at most α.
    pub beta: f64,
    /// Whether a new maximum ends a warning: not a named parameter, false in river's form.
    pub maximum_ends_warning: bool,
}

impl Default for EddmOptions {
    /// The form of the paper.
    fn default() -> Self {
        Self {
            warm_start: 30,
            alpha: 0.95,
            beta: 0.9,
            maximum_ends_warning: true,
        }
    }
}

impl Options for EddmOptions {
    const DETECTOR: &'static str = "eddm";

    fn defaults(compat: Compat) -> Option<Self> {
        let maximum_ends_warning = match compat {
            Compat::River => false,
            Compat::Paper => true,
            Compat::Moa | Compat::Frouros => return None,
        };
        Some(Self {
            maximum_ends_warning,
            ..Self::default()
        })
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        vec![
            Parameter::count(
                "warm_start",
                &mut self.warm_start,
                [1, 1_000_000_000],
                "values before the first maximum, and errors before the first signal",
            ),
            Parameter::number(
                "alpha",
                &mut self.alpha,
                [0.0, 1.0],
                "share of the greatest distance below which there is a warning",
            ),
            Parameter::number(
                "beta",
                &mut self.beta,
                [0.0, 1.0],
                "share of the greatest distance below which there is a drift; at most alpha",
            ),
        ]
    }

    fn conflict(&self) -> Option<&'static str> {
        (self.alpha < self.beta).then_some("`alpha` must be at least `beta`")
    }
}

/// EDDM: the distance between errors gets shorter.
///
/// **Formula.** With p′ and s′ the mean and the sample standard deviation of the number of values from one error to the
/// next, the greatest p′ + 2s′ is kept. At an error, (p′ + 2s′)/maximum below `beta` is a drift, below `alpha` a
/// warning, which lasts until the next error. Values other than 1 are not errors.
///
/// **Assumes** that distances between errors only get longer while the model learns. **When not to use it.** As an alarm:
/// the maximum is one of noise, and a quiet stream falls below nine tenths of it often (river's defaults: about 50
/// false alarms in a million outcomes with one error in ten).
///
/// **Parity.** `river`: `river.drift.binary.EDDM`. There a warning outlives an error that sets a new maximum;
/// in the form of `paper` that error ends it.
///
/// **Paper.** M. Baena-García, J. del Campo-Ávila, R. Fidalgo, A. Bifet, R. Gavaldà, R. Morales-Bueno: Early drift detection
/// method. Fourth International Workshop on Knowledge Discovery from Data Streams, 2006.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Eddm {
    #[serde(deserialize_with = "checked")]
    options: EddmOptions,
    distances: Variance,
    n: u64,
    last_error: u64,
    /// Greatest p′ + 2s′; 0 while there is none, for no distance is that short.
    greatest: f64,
    warning: bool,
    skipped: u64,
}

impl Eddm {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range, or `beta` exceeds `alpha`.
    pub fn new(options: EddmOptions) -> Result<Self, ParameterError> {
        options.check()?;
        Ok(Self {
            options,
            distances: Variance::default(),
            n: 0,
            last_error: 0,
            greatest: 0.0,
            warning: false,
            skipped: 0,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &EddmOptions {
        &self.options
    }
}

impl SequentialDetector for Eddm {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        self.n = self.n.saturating_add(1);
        if value != 1.0 {
            return Signal::of(false, self.warning);
        }
        let distance = self.n.saturating_sub(self.last_error);
        self.distances.add(distance as f64);
        self.last_error = self.n;
        if self.n <= self.options.warm_start {
            return Signal::Stable;
        }
        let reach = self.distances.mean.mean + 2.0 * self.distances.sample().max(0.0).sqrt();
        if reach > self.greatest {
            self.greatest = reach;
            self.warning &= !self.options.maximum_ends_warning;
        } else if self.distances.mean.n > self.options.warm_start {
            let level = reach / self.greatest;
            if level < self.options.beta {
                self.reset();
                return Signal::Drift;
            }
            self.warning = level < self.options.alpha;
        }
        Signal::of(false, self.warning)
    }

    fn reset(&mut self) {
        (self.n, self.last_error) = (0, 0);
        (self.greatest, self.warning) = (0.0, false);
        self.distances = Variance::default();
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
