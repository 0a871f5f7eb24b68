//! ADWIN, the adaptive window.

mod histogram;

use serde::{Deserialize, Serialize};

use histogram::{Histogram, Rows};

use super::options::checked;
use super::usable;
use super::{AfterDrift, Compat, Options, Parameter, ParameterError, SequentialDetector, Signal};

/// Parameters of [`Adwin`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdwinOptions {
    /// Significance of one look at the window (δ).
    pub delta: f64,
    /// The window is looked at after every so many values.
    pub clock: u64,
    /// Buckets of one size that are kept before two are merged (M).
    pub max_buckets: u64,
    /// Least values on each side of a cut.
    pub min_window_length: u64,
    /// No look before more values than this.
    pub grace_period: u64,
    /// What is kept after a drift: not a named parameter, nothing in river's form.
    pub after_drift: AfterDrift,
}

impl Default for AdwinOptions {
    /// River's values, with the paper's behaviour after a drift.
    fn default() -> Self {
        Self {
            delta: 0.002,
            clock: 32,
            max_buckets: 5,
            min_window_length: 5,
            grace_period: 10,
            after_drift: AfterDrift::Recent,
        }
    }
}

impl Options for AdwinOptions {
    const DETECTOR: &'static str = "adwin";

    fn defaults(compat: Compat) -> Option<Self> {
        let after_drift = match compat {
            Compat::River => AfterDrift::Nothing,
            Compat::Paper => AfterDrift::Recent,
            Compat::Moa | Compat::Frouros => return None,
        };
        Some(Self {
            after_drift,
            ..Self::default()
        })
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        vec![
            Parameter::number(
                "delta",
                &mut self.delta,
                [1e-100, 1.0],
                "significance of one look at the window",
            ),
            Parameter::count(
                "clock",
                &mut self.clock,
                [1, 1_000_000_000],
                "values from one look to the next",
            ),
            Parameter::count(
                "max_buckets",
                &mut self.max_buckets,
                [1, 64],
                "buckets of one size; more are exacter and slower",
            ),
            Parameter::count(
                "min_window_length",
                &mut self.min_window_length,
                [1, 1_000_000_000],
                "least values on each side of a cut",
            ),
            Parameter::count(
                "grace_period",
                &mut self.grace_period,
                [1, 1_000_000_000],
                "no look before more values than this",
            ),
        ]
    }
}

/// ADWIN: a window that is cut where the means of its two sides differ.
///
/// **Formula.** The window's W values are kept in an exponential histogram: rows of up to `max_buckets` buckets, a bucket of
/// row i holding the sum and variance of 2ⁱ values. Every `clock` values each border of buckets with n₀ values
/// before it and n₁ after it is tried. The cut is real if |μ₀ − μ₁| > √(2·m·σ²·d) + ⅔·m·d, with σ² the variance of
/// the window, d = ln(2·ln W/δ) and m = 1/(n₀ − l + 1) + 1/(n₁ − l + 1), l = `min_window_length`. There is no warning.
///
/// **Assumes** independent values, within 0 to 1 for the bound to mean anything; any others are taken as they are. It is
/// two-sided. **When not to use it.** δ is (about) the error of one look, and there are many: it holds no budget of
/// false alarms, though of all detectors here it has the fewest for its delay.
///
/// **Cost.** No allocation after [`Adwin::new`]; 32 rows hold more than 2³² values at `max_buckets` 5, in 3 KB. A window that
/// would need another row forgets its oldest bucket.
///
/// **Parity.** `river`: `river.drift.ADWIN`, the version written in Rust, which tries the last bucket too (its older
/// versions and Frouros do not). River throws the whole window away at a drift. In the form of `paper`, and in MOA, the oldest
/// buckets are dropped until no cut is real any more, and the rest stays.
///
/// **Paper.** A. Bifet, R. Gavaldà: Learning from time-changing data with adaptive windowing. SDM 2007.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Snapshot", into = "Snapshot")]
pub struct Adwin {
    options: AdwinOptions,
    window: Histogram,
    /// Values since the last look.
    tick: u64,
    skipped: u64,
}

impl Adwin {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range.
    pub fn new(options: AdwinOptions) -> Result<Self, ParameterError> {
        options.check()?;
        Ok(Self {
            window: Histogram::new(options.max_buckets as usize),
            tick: 0,
            skipped: 0,
            options,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &AdwinOptions {
        &self.options
    }

    /// The number of values in the window.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.window.width()
    }

    /// The mean of the window; 0 while it is empty.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.window.mean()
    }

    /// The variance of the window (divided by its width); 0 while it is empty.
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.window.variance()
    }

    /// Looks for a cut, and forgets what lies before it.
    fn look(&mut self) -> bool {
        let AdwinOptions {
            delta,
            min_window_length: least,
            ..
        } = self.options;
        let mut drift = false;
        while self.window.cut(delta, least as f64) {
            drift = true;
            if self.options.after_drift == AfterDrift::Nothing {
                self.reset();
            } else {
                self.window.forget_oldest();
            }
        }
        drift
    }
}

impl SequentialDetector for Adwin {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        self.window.push(value);
        self.tick += 1;
        if self.tick < self.options.clock {
            return Signal::Stable;
        }
        self.tick = 0;
        let drift = self.window.width() > self.options.grace_period && self.look();
        Signal::of(drift, false)
    }

    fn reset(&mut self) {
        self.window.clear();
        self.tick = 0;
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

/// What a snapshot holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    #[serde(deserialize_with = "checked")]
    options: AdwinOptions,
    /// The sum and the variance of the whole window: not exactly those of the rows, which were added up in another order.
    total: f64,
    squares: f64,
    rows: Rows,
    tick: u64,
    skipped: u64,
}

impl From<Adwin> for Snapshot {
    fn from(adwin: Adwin) -> Self {
        let (total, squares, rows) = adwin.window.state();
        Self {
            options: adwin.options,
            total,
            squares,
            rows,
            tick: adwin.tick,
            skipped: adwin.skipped,
        }
    }
}

impl TryFrom<Snapshot> for Adwin {
    type Error = ParameterError;

    fn try_from(snapshot: Snapshot) -> Result<Self, Self::Error> {
        let problem = |problem| ParameterError::Together { problem };
        let mut adwin = Self::new(snapshot.options)?;
        if snapshot.tick >= adwin.options.clock {
            return Err(problem("the snapshot has missed a tick of its `clock`"));
        }
        (adwin.tick, adwin.skipped) = (snapshot.tick, snapshot.skipped);
        adwin
            .window
            .restore(snapshot.total, snapshot.squares, &snapshot.rows)
            .map_err(problem)?;
        Ok(adwin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adwin(compat: Compat) -> Adwin {
        Adwin::new(AdwinOptions::defaults(compat).unwrap()).unwrap()
    }

    #[test]
    fn after_a_drift_the_paper_keeps_the_newer_part() {
        let values = (0..3_000).map(|i| f64::from(u8::from(i >= 2_000)));
        let widths = |compat| {
            let mut adwin = adwin(compat);
            let drift = values
                .clone()
                .position(|value| adwin.update(value) == Signal::Drift);
            (drift.unwrap(), adwin.width())
        };
        let (river, nothing) = widths(Compat::River);
        let (paper, recent) = widths(Compat::Paper);
        assert_eq!(river, paper);
        assert_eq!(nothing, 0);
        assert!(recent > 0 && recent < 500, "{recent}");
    }

    #[test]
    fn moments_are_those_of_the_window() {
        let mut adwin = adwin(Compat::Paper);
        for value in [1.0, 2.0, 6.0] {
            adwin.update(value);
        }
        assert_eq!((adwin.width(), adwin.mean()), (3, 3.0));
        assert!((adwin.variance() - 14.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_snapshot_that_does_not_hold_together_is_refused() {
        let mut adwin = adwin(Compat::River);
        for i in 0..100 {
            adwin.update(f64::from(i % 3));
        }
        let good = serde_json::to_value(&adwin).unwrap();
        let spoilt = |pointer: &str, value: serde_json::Value| {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).unwrap() = value;
            serde_json::from_value::<Adwin>(bad)
                .unwrap_err()
                .to_string()
        };
        assert!(spoilt("/options/clock", 0.into()).contains("from 1"));
        assert!(spoilt("/tick", 32.into()).contains("tick"));
        assert!(spoilt("/rows/0", vec![[0.0, 0.0]; 6].into()).contains("buckets"));
        assert!(spoilt("/rows", vec![Vec::<[f64; 2]>::new(); 33].into()).contains("rows"));
        assert_eq!(
            serde_json::from_value::<Adwin>(good.clone()).unwrap(),
            adwin
        );
    }
}
