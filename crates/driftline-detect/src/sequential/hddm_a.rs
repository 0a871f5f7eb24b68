//! HDDM with the averages test (HDDM_A).

use serde::{Deserialize, Serialize};

use super::mean::Mean;
use super::options::checked;
use super::{Compat, Options, Parameter, ParameterError, SequentialDetector, Signal, usable};

/// Parameters of [`HddmA`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HddmAOptions {
    /// Significance of a drift (α_D).
    pub drift_confidence: f64,
    /// Significance of a warning (α_W).
    pub warning_confidence: f64,
    /// Whether a fall of the mean is a drift too.
    pub two_sided_test: bool,
}

impl Default for HddmAOptions {
    fn default() -> Self {
        Self {
            drift_confidence: 0.001,
            warning_confidence: 0.005,
            two_sided_test: false,
        }
    }
}

impl Options for HddmAOptions {
    const DETECTOR: &'static str = "hddm_a";

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
            Parameter::flag(
                "two_sided_test",
                &mut self.two_sided_test,
                "whether a fall of the mean is a drift too",
            ),
        ]
    }
}

/// HDDM_A: the mean since the last drift against the mean up to a cut, by Hoeffding's inequality.
///
/// **Formula.** The cut is where mean + √(ln(1/α)/2n) was least. With x̄ of the n values before the cut and z̄ of all N,
/// a drift is z̄ − x̄ ≥ √(m/2·ln(2/α)), m = (N − n)/(nN), α = `drift_confidence`; a warning the same with
/// `warning_confidence`. The other side is the mirror image.
///
/// **Assumes** independent values within 0 to 1. Others are taken as they are, but then the confidence means nothing.
/// **When not to use it.** For small rises late in a long stream: all values since the last drift weigh
/// the same. α is the error of one look, not of a month.
///
/// **Parity.** `river`: `river.drift.binary.HDDMA`; `paper` is the same. (Frouros takes ln(1/α) instead of ln(2/α).)
///
/// **Paper.** I. Frías-Blanco, J. del Campo-Ávila, G. Ramos-Jiménez, R. Morales-Bueno, A. Ortiz-Díaz, Y. Caballero-Mota: Online
/// and non-parametric drift detection methods based on Hoeffding's bounds. IEEE TKDE 27(3), 2015.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HddmA {
    #[serde(deserialize_with = "checked")]
    options: HddmAOptions,
    logs: Logs,
    all: Mean,
    /// Up to the cut from which a rise would be seen best.
    lowest: Mean,
    /// Up to the cut from which a fall would be seen best.
    highest: Mean,
    skipped: u64,
}

/// What depends only on the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Logs {
    cut: f64,
    drift: f64,
    warning: f64,
}

impl HddmA {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range.
    pub fn new(options: HddmAOptions) -> Result<Self, ParameterError> {
        options.check()?;
        let logs = Logs {
            cut: libm::log(1.0 / options.drift_confidence),
            drift: libm::log(2.0 / options.drift_confidence),
            warning: libm::log(2.0 / options.warning_confidence),
        };
        Ok(Self {
            options,
            logs,
            all: Mean::default(),
            lowest: Mean::default(),
            highest: Mean::default(),
            skipped: 0,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &HddmAOptions {
        &self.options
    }

    fn bound(&self, n: f64) -> f64 {
        (1.0 / (2.0 * n) * self.logs.cut).sqrt()
    }

    /// What `change` away from the mean of the values up to `cut` means.
    fn test(&self, cut: Mean, change: f64) -> Signal {
        if cut.n == self.all.n {
            return Signal::Stable;
        }
        let (cut, all) = (cut.count(), self.all.count());
        let m = (all - cut) / cut * (1.0 / all);
        let beyond = |log: f64| change >= (m / 2.0 * log).sqrt();
        Signal::of(beyond(self.logs.drift), beyond(self.logs.warning))
    }
}

impl SequentialDetector for HddmA {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        self.all.add(value);
        let all = self.all;
        let bound = self.bound(all.count());
        let lowest = self.lowest;
        if lowest.n == 0 || lowest.mean + self.bound(lowest.count()) >= all.mean + bound {
            self.lowest = all;
        }
        let mut signal = self.test(self.lowest, all.mean - self.lowest.mean);
        if self.options.two_sided_test {
            let highest = self.highest;
            if highest.n == 0 || highest.mean - self.bound(highest.count()) <= all.mean - bound {
                self.highest = all;
            }
            signal = signal.max(self.test(self.highest, self.highest.mean - all.mean));
        }
        if signal == Signal::Drift {
            self.reset();
        }
        signal
    }

    fn reset(&mut self) {
        self.all = Mean::default();
        self.lowest = Mean::default();
        self.highest = Mean::default();
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
