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

/// Far more than the rounding of rates within 0 to 1, and far less than their standard deviation.
const MARGIN: f64 = 1e-10;

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

    /// Whether p + s is above its minimum and below the warning by more than rounding could change, which it is nearly always;
    /// found without a root and with one division less. `share` is 1/n.
    fn is_clearly_stable(&self, share: f64) -> bool {
        let p = self.errors.mean;
        let variance = p * (1.0 - p) * share;
        let above_least = self.p_min + self.s_min - p + MARGIN;
        let below_warning = self.p_min + self.lower_threshold() * self.s_min - p - MARGIN;
        self.tested
            && (0.0..=1.0).contains(&p)
            && (above_least < 0.0 || variance > above_least * above_least * (1.0 + MARGIN))
            && below_warning > 0.0
            && variance < below_warning * below_warning * (1.0 - MARGIN)
    }

    /// Whichever signal comes first.
    fn lower_threshold(&self) -> f64 {
        let options = &self.options;
        options.warning_threshold.min(options.drift_threshold)
    }
}

impl SequentialDetector for Ddm {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        let share = self.errors.add(value);
        if self.errors.n <= self.options.warm_start || self.is_clearly_stable(share) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word for word.
    fn plainly(options: &DdmOptions, values: &[f64]) -> Vec<Signal> {
        let (mut errors, mut least) = (Mean::default(), None);
        let mut signals = Vec::new();
        for value in values {
            errors.add(*value);
            let (p, n) = (errors.mean, errors.count());
            let s = (p * (1.0 - p) / n).max(0.0).sqrt();
            let mut signal = Signal::Stable;
            if errors.n > options.warm_start {
                let (mut p_min, mut s_min) = least.unwrap_or((p, s));
                if p + s <= p_min + s_min {
                    (p_min, s_min) = (p, s);
                }
                least = Some((p_min, s_min));
                let beyond = |threshold: f64| p + s > p_min + threshold * s_min;
                signal = Signal::of(
                    beyond(options.drift_threshold),
                    beyond(options.warning_threshold),
                );
            }
            if signal == Signal::Drift {
                (errors, least) = (Mean::default(), None);
            }
            signals.push(signal);
        }
        signals
    }

    proptest! {
        #[test]
        fn the_shortcut_changes_no_signal(
            rates in prop::collection::vec((0.0..1.0_f64, 1..400_usize), 1..8),
            warning_threshold in 0.0..3.0,
            drift_threshold in 0.0..4.0,
            losses in any::<bool>(),
            seed in any::<u32>(),
        ) {
            let options = DdmOptions { warm_start: 5, warning_threshold, drift_threshold };
            let mut state = u64::from(seed);
            let mut values = Vec::new();
            for (rate, length) in rates {
                for _ in 0..length {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let uniform = (state >> 40) as f64 / (1 << 24) as f64;
                    values.push(if losses { uniform * rate } else { f64::from(u8::from(uniform < rate)) });
                }
            }
            let mut ddm = Ddm::new(options.clone()).unwrap();
            let signals: Vec<_> = values.iter().map(|value| ddm.update(*value)).collect();
            prop_assert_eq!(signals, plainly(&options, &values));
        }
    }
}
