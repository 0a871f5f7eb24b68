//! STEPD, the statistical test of equal proportions.

use std::f64::consts::FRAC_1_SQRT_2;

use serde::{Deserialize, Serialize};

use super::bits::Bits;
use super::level::is_error;
use super::options::checked;
use super::{Compat, Options, Parameter, ParameterError, SequentialDetector, Signal, usable};

/// The longest window.
const WINDOW_MAX: u64 = 100_000;

/// Parameters of [`Stepd`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepdOptions {
    /// Whose p-value and names.
    pub compat: Compat,
    /// The newest values, which are compared with all before them; there must be as many of those.
    pub window_size: u64,
    /// A p-value below this is a drift.
    pub alpha_drift: f64,
    /// A p-value below this is a warning.
    pub alpha_warning: f64,
}

impl Default for StepdOptions {
    fn default() -> Self {
        Self {
            compat: Compat::Paper,
            window_size: 30,
            alpha_drift: 0.003,
            alpha_warning: 0.05,
        }
    }
}

impl Options for StepdOptions {
    const DETECTOR: &'static str = "stepd";

    fn defaults(compat: Compat) -> Option<Self> {
        (compat != Compat::River).then(|| Self {
            compat,
            ..Self::default()
        })
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        let [window, drift, warning] = match self.compat {
            Compat::Moa => ["windowSize", "alphaDrift", "alphaWarning"],
            Compat::Frouros => ["min_num_instances", "alpha_d", "alpha_w"],
            _ => ["window_size", "alpha_drift", "alpha_warning"],
        };
        vec![
            Parameter::count(
                window,
                &mut self.window_size,
                [1, WINDOW_MAX],
                "newest values, compared with all before them",
            ),
            Parameter::number(
                drift,
                &mut self.alpha_drift,
                [0.0, 1.0],
                "a p-value below this is a drift",
            ),
            Parameter::number(
                warning,
                &mut self.alpha_warning,
                [0.0, 1.0],
                "a p-value below this is a warning",
            ),
        ]
    }
}

/// STEPD: the accuracy of the newest outcomes against that of all before them.
///
/// **Formula.** Of the newest n_r = `window_size` outcomes r_r are correct, of the n_o before them r_o; p̂ = (r_o + r_r)/(n_o + n_r)
/// and v = 1/n_o + 1/n_r. The statistic is z = (r_o/n_o − r_r/n_r − v/2)/√(p̂(1 − p̂)·v), and its upper tail of the normal
/// distribution the p-value. Below `alpha_drift` it is a drift, below `alpha_warning` a warning, once n_o ≥ n_r. Values of at
/// least 0.5 are errors.
///
/// **Assumes** independent outcomes. **When not to use it.** As an alarm: it looks after every outcome at the level of one look,
/// so a quiet stream has a false alarm every few hundred to few thousand outcomes.
///
/// **Parity.** `moa`: `STEPD`; `frouros`: `STEPD`, started afresh after each drift, which Frouros leaves to its caller.
/// Frouros wants 1 for a correct outcome; here 1 is an error in every form, which changes no signal. Both use
/// z = (|r_o/n_o − r_r/n_r| − v/2)/√…, and then |z|, with two tails in MOA and one in Frouros. So
///
/// - a rise of the accuracy is a drift too, and
/// - where the two shares differ by *less* than the correction v/2 the sign is lost: with hardly any errors, and without any
///   at all, where z is −∞, the most equal shares are a drift. A stream without an error has one every 2·`window_size`
///   outcomes.
///
/// `moa` and `frouros` repeat this, for they are there to repeat; `paper` does not.
///
/// **Paper.** K. Nishida, K. Yamauchi: Detecting concept drift using statistical testing. Discovery Science 2007.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawStepd")]
pub struct Stepd {
    options: StepdOptions,
    recent: Bits,
    recent_errors: u64,
    older: u64,
    older_errors: u64,
    skipped: u64,
}

/// As it is read: with a window of any size.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStepd {
    #[serde(deserialize_with = "checked")]
    options: StepdOptions,
    recent: Bits,
    recent_errors: u64,
    older: u64,
    older_errors: u64,
    skipped: u64,
}

impl TryFrom<RawStepd> for Stepd {
    type Error = &'static str;

    fn try_from(raw: RawStepd) -> Result<Self, Self::Error> {
        let errors = raw.recent.iter().filter(|error| *error).count();
        let fits = raw.recent.capacity() as u64 == raw.options.window_size
            && errors as u64 == raw.recent_errors
            && raw.older_errors <= raw.older;
        if !fits {
            return Err("the counts of stepd do not hold together");
        }
        Ok(Self {
            options: raw.options,
            recent: raw.recent,
            recent_errors: raw.recent_errors,
            older: raw.older,
            older_errors: raw.older_errors,
            skipped: raw.skipped,
        })
    }
}

impl Stepd {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range.
    pub fn new(options: StepdOptions) -> Result<Self, ParameterError> {
        options.check()?;
        Ok(Self {
            recent: Bits::new(options.window_size),
            options,
            recent_errors: 0,
            older: 0,
            older_errors: 0,
            skipped: 0,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &StepdOptions {
        &self.options
    }

    /// The p-value; 1 until there are two windows of values.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        if self.older < self.options.window_size {
            return 1.0;
        }
        let (older, recent) = (self.older as f64, self.recent.len() as f64);
        let older_correct = older - self.older_errors as f64;
        let recent_correct = recent - self.recent_errors as f64;
        let inverse = 1.0 / older + 1.0 / recent;
        let correct = (older_correct + recent_correct) / (older + recent);
        let deviation = (correct * (1.0 - correct) * inverse).sqrt();
        let fall = older_correct / older - recent_correct / recent;
        let one_tail = |z: f64| 0.5 * libm::erfc(z * FRAC_1_SQRT_2);
        match self.options.compat {
            Compat::Moa => 2.0 * one_tail(((fall.abs() - inverse / 2.0) / deviation).abs()),
            Compat::Frouros => one_tail(((fall.abs() - inverse / 2.0) / deviation).abs()),
            // Without a fall there may be no deviation to divide by.
            _ if fall <= inverse / 2.0 => 1.0,
            _ => one_tail((fall - inverse / 2.0) / deviation),
        }
    }
}

impl SequentialDetector for Stepd {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        let error = is_error(value);
        if let Some(dropped) = self.recent.push(error) {
            let dropped = u64::from(dropped);
            self.older = self.older.saturating_add(1);
            self.older_errors = self.older_errors.saturating_add(dropped);
            self.recent_errors = self.recent_errors.saturating_sub(dropped);
        }
        self.recent_errors += u64::from(error);
        let p = self.p_value();
        let signal = Signal::of(p < self.options.alpha_drift, p < self.options.alpha_warning);
        if signal == Signal::Drift {
            self.reset();
        }
        signal
    }

    fn reset(&mut self) {
        self.recent.clear();
        (self.recent_errors, self.older, self.older_errors) = (0, 0, 0);
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
