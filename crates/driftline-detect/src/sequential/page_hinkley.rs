//! The Page–Hinkley test, on both sides.

use serde::{Deserialize, Serialize};

use super::mean::Mean;
use super::options::checked;
use super::{Choice, Compat, Options, Parameter, ParameterError, SequentialDetector, Signal};
use super::{Slot, usable};

/// Which way the mean may not go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Up.
    Up,
    /// Down.
    Down,
    /// Up and down.
    #[default]
    Both,
}

impl Choice for Side {
    fn words(&self) -> &'static [&'static str] {
        &["up", "down", "both"]
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Both => "both",
        }
    }

    fn choose(&mut self, word: &str) -> bool {
        let sides = [Self::Up, Self::Down, Self::Both];
        let chosen = sides.into_iter().find(|side| side.word() == word);
        chosen.map(|side| *self = side).is_some()
    }
}

/// Parameters of [`PageHinkley`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageHinkleyOptions {
    /// No drift before so many values.
    pub min_instances: u64,
    /// Change of the mean that is let pass (δ), in the units of the values.
    pub delta: f64,
    /// A drift is a sum larger than it (λ), in the units of the values.
    pub threshold: f64,
    /// Share of the sums that is kept at each value (α).
    pub alpha: f64,
    /// Which way the mean may not go.
    pub mode: Side,
}

impl Default for PageHinkleyOptions {
    fn default() -> Self {
        Self {
            min_instances: 30,
            delta: 0.005,
            threshold: 50.0,
            alpha: 1.0 - 0.0001,
            mode: Side::Both,
        }
    }
}

impl Options for PageHinkleyOptions {
    const DETECTOR: &'static str = "page_hinkley";

    fn defaults(compat: Compat) -> Option<Self> {
        match compat {
            Compat::River | Compat::Paper => Some(Self::default()),
            Compat::Moa | Compat::Frouros => None,
        }
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        vec![
            Parameter::count(
                "min_instances",
                &mut self.min_instances,
                [1, 1_000_000_000],
                "values before the first test",
            ),
            Parameter::number(
                "delta",
                &mut self.delta,
                [0.0, 1e100],
                "change of the mean that is let pass",
            ),
            Parameter::number(
                "threshold",
                &mut self.threshold,
                [0.0, 1e100],
                "sum of deviations above which there is a drift (lambda)",
            ),
            Parameter::number(
                "alpha",
                &mut self.alpha,
                [0.0, 1.0],
                "share of the sums that is kept at each value",
            ),
            Parameter {
                name: "mode",
                meaning: "which way the mean may not go",
                slot: Slot::Choice(&mut self.mode),
            },
        ]
    }
}

/// Page–Hinkley: the sum of deviations from the running mean, above its minimum.
///
/// **Formula.** With x̄ the mean since the last drift, u ← αu + (x − x̄ − δ) and d ← αd + (x − x̄ + δ). A drift is
/// u − min u > λ (up) or max d − d > λ (down), after at least `min_instances` values.
///
/// **Assumes** that δ and λ (`threshold`) are chosen for the spread of the values: they have the units of the values, and
/// there is no normalisation. **When not to use it.** With the defaults on anything but losses within 0 to 1: λ = 50 is
/// passed by standard normal values that do not change, after 1,300 of them in the median. A slow change
/// moves the mean with it and is found late.
///
/// **Parity.** `river`: `river.drift.PageHinkley`; `paper` is the same. MOA and Frouros have one side only and subtract no
/// minimum.
///
/// **Papers.** E. S. Page: Continuous inspection schemes. Biometrika 41, 1954. R. Sebastião, J. M. Fernandes: Supporting the
/// Page–Hinkley test with empirical mode decomposition for change detection. ISMIS 2017.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageHinkley {
    #[serde(deserialize_with = "checked")]
    options: PageHinkleyOptions,
    mean: Mean,
    up: f64,
    up_least: f64,
    down: f64,
    down_greatest: f64,
    skipped: u64,
}

impl PageHinkley {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range.
    pub fn new(options: PageHinkleyOptions) -> Result<Self, ParameterError> {
        options.check()?;
        let mut new = Self {
            options,
            mean: Mean::default(),
            up: 0.0,
            up_least: 0.0,
            down: 0.0,
            down_greatest: 0.0,
            skipped: 0,
        };
        new.reset();
        Ok(new)
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &PageHinkleyOptions {
        &self.options
    }
}

impl SequentialDetector for PageHinkley {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        let PageHinkleyOptions {
            min_instances,
            delta,
            threshold,
            alpha,
            mode,
        } = self.options;
        self.mean.add(value);
        let deviation = value - self.mean.mean;
        self.up = alpha * self.up + deviation - delta;
        self.down = alpha * self.down + deviation + delta;
        self.up_least = self.up_least.min(self.up);
        self.down_greatest = self.down_greatest.max(self.down);
        if self.mean.n < min_instances {
            return Signal::Stable;
        }
        let up = mode != Side::Down && self.up - self.up_least > threshold;
        let down = mode != Side::Up && self.down_greatest - self.down > threshold;
        if up || down {
            self.reset();
            return Signal::Drift;
        }
        Signal::Stable
    }

    fn reset(&mut self) {
        self.mean = Mean::default();
        (self.up, self.down) = (0.0, 0.0);
        // Beyond any sum, so that the first one is both the least and the greatest.
        (self.up_least, self.down_greatest) = (f64::MAX, -f64::MAX);
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
