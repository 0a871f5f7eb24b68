//! DDM, the Drift Detection Method.

use serde::{Deserialize, Serialize};

use super::mean::Mean;
use super::options::checked;
use super::{Compat, Options, Parameter, ParameterError, SequentialDetector, Signal, usable};

/// Parameters of [`Ddm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DdmOptions {
    /// No signal before more values than this (n).
    pub warm_start: u64,
    /// A warning is so many standard deviations above the minimum.
    pub warning_threshold: f64,
    /// A drift is so many standard deviations above the minimum.
    pub drift_threshold: f64,
}

impl Default for DdmOptions {
    fn default() -> Self {
        Self {
            warm_start: 30,
            warning_threshold: 2.0,
            drift_threshold: 3.0,
        }
    }
}

impl Options for DdmOptions {
    const DETECTOR: &'static str = "ddm";

    fn defaults(compat: Compat) -> Option<Self> {
        match compat {
            Compat::River | Compat::Paper => Some(Self::default()),
            Compat::Moa | Compat::Frouros => None,
        }
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        vec![
            Parameter::count(
                "warm_start",
                &mut self.warm_start,
                [1, 1_000_000_000],
                "values before the first test",
            ),
            Parameter::number(
                "warning_threshold",
                &mut self.warning_threshold,
                [0.0, 1e6],
                "standard deviations above the minimum that are a warning",
            ),
            Parameter::number(
                "drift_threshold",
                &mut self.drift_threshold,
                [0.0, 1e6],
                "standard deviations above the minimum that are a drift",
            ),
        ]
    }
}

/// DDM: the error rate p with s = √(p(1 − p)/n) leaves its own minimum.
///
/// **Formula.** The least p + s since the start is kept as p_min + s_min; a drift is
/// p + s > p_min + `drift_threshold`·s_min after more than `warm_start` values, a warning the same with
/// `warning_threshold`.
///
/// **Assumes** independent outcomes and an error rate that otherwise falls or stays. **When not to use it.** On long quiet
/// streams: p is the rate since the start, so it gets slower and slower; and because p_min is the least of many looks,
/// a quiet stream has false alarms, most of them early. A stream without any error up to the first
/// test has p_min = s_min = 0, and its first error is then a drift: in the paper, and in every implementation.
///
/// **Parity.** `river`: `river.drift.binary.DDM`. The paper's test is ≥ and river's >; the latter is kept for `paper`
/// too, because with ≥ a stream without errors is a drift at once. A mean outside 0 to 1 (values that are
/// not error indicators) stops river with a math error; here its s is 0.
///
/// **Paper.** J. Gama, P. Medas, G. Castillo, P. Rodrigues: Learning with drift detection. SBIA 2004.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ddm {
    #[serde(deserialize_with = "checked")]
    options: DdmOptions,
    errors: Mean,
    p_min: f64,
    s_min: f64,
    /// Whether there is a minimum yet.
    tested: bool,
    skipped: u64,
}

impl Ddm {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range.
    pub fn new(options: DdmOptions) -> Result<Self, ParameterError> {
        options.check()?;
        Ok(Self {
            options,
            errors: Mean::default(),
            p_min: 0.0,
            s_min: 0.0,
            tested: false,
            skipped: 0,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &DdmOptions {
        &self.options
    }

    /// The error rate since the last drift.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        self.errors.mean
    }
}

impl SequentialDetector for Ddm {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        self.errors.add(value);
        if self.errors.n <= self.options.warm_start {
            return Signal::Stable;
        }
        let p = self.errors.mean;
        let s = (p * (1.0 - p) / self.errors.count()).max(0.0).sqrt();
        if !self.tested || p + s <= self.p_min + self.s_min {
            (self.p_min, self.s_min, self.tested) = (p, s, true);
        }
        if p + s > self.p_min + self.options.drift_threshold * self.s_min {
            self.reset();
            return Signal::Drift;
        }
        let warning = p + s > self.p_min + self.options.warning_threshold * self.s_min;
        Signal::of(false, warning)
    }

    fn reset(&mut self) {
        (self.errors, self.tested) = (Mean::default(), false);
        (self.p_min, self.s_min) = (0.0, 0.0);
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
