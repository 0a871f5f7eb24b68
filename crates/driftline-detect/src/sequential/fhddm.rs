//! FHDDM and FHDDMS, the fast Hoeffding drift detection methods.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::options::checked;
use super::{Compat, Options, Parameter, ParameterError, SequentialDetector, Signal, Slot, usable};

/// Parameters of [`Fhddm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FhddmOptions {
    /// Values in the window (n).
    pub sliding_window_size: u64,
    /// Significance (δ).
    pub confidence_level: f64,
    /// Values in the short window of FHDDMS, its newest ones; none is FHDDM.
    pub short_window_size: Option<u64>,
}

impl Default for FhddmOptions {
    fn default() -> Self {
        Self {
            sliding_window_size: 100,
            confidence_level: 0.000_001,
            short_window_size: None,
        }
    }
}

/// Largest window.
const WINDOW_MAX: u64 = 100_000;

impl Options for FhddmOptions {
    const DETECTOR: &'static str = "fhddm";

    fn defaults(compat: Compat) -> Option<Self> {
        match compat {
            Compat::River | Compat::Paper => Some(Self::default()),
            Compat::Moa | Compat::Frouros => None,
        }
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        vec![
            Parameter::count(
                "sliding_window_size",
                &mut self.sliding_window_size,
                [1, WINDOW_MAX],
                "values in the window",
            ),
            Parameter::number(
                "confidence_level",
                &mut self.confidence_level,
                [1e-100, 1.0],
                "significance of a drift",
            ),
            Parameter {
                name: "short_window_size",
                meaning: "values in the second, short window (FHDDMS); none of it is FHDDM",
                slot: Slot::OptionalCount {
                    value: &mut self.short_window_size,
                    min: 1,
                    max: WINDOW_MAX,
                },
            },
        ]
    }

    fn conflict(&self) -> Option<&'static str> {
        let longer = |short| short > self.sliding_window_size;
        self.short_window_size
            .is_some_and(longer)
            .then_some("`short_window_size` must be at most `sliding_window_size`")
    }
}

/// FHDDM: the accuracy of the last n outcomes against the best that it has been, by Hoeffding's inequality.
///
/// **Formula.** With u the share of correct outcomes (anything but 1) in the last `sliding_window_size`, a drift is
/// max u − u > √(ln(1/δ)/2n). FHDDMS has the same rule for the newest `short_window_size` outcomes besides; either
/// is a drift. There is no warning.
///
/// **Assumes** independent outcomes. **When not to use it.** For changes smaller than the bound: with the defaults that is
/// 0.26, which nothing shorter of it will ever reach however long it lasts. The maximum is one of many looks,
/// and δ the error of one.
///
/// **Parity.** `river`: `river.drift.binary.FHDDM`, except for the polarity. River's page calls 1 an error but the code
/// alarms when the share of ones falls, so that it sees models get better. Here 1 is an error in every form,
/// and the alarm is for more of them: it equals river's on 1 − x. `paper` is the same.
///
/// **Papers.** A. Pesaranghader, H. Viktor: Fast Hoeffding drift detection method for evolving data streams. ECML PKDD 2016.
/// A. Pesaranghader, H. Viktor, E. Paquet: Reservoir of diverse adaptive learners and stacking fast Hoeffding drift detection
/// methods for evolving data streams. Machine Learning 107, 2018.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Snapshot")]
pub struct Fhddm {
    options: FhddmOptions,
    /// Whether each of the last outcomes was an error, the oldest first; at most one less than the window.
    outcomes: VecDeque<bool>,
    #[serde(skip)]
    long: Watch,
    #[serde(skip)]
    short: Watch,
    /// Best shares of correct outcomes, long and short.
    best: [f64; 2],
    skipped: u64,
}

/// The errors among the newest outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Watch {
    /// Outcomes that are looked at; none if 0.
    size: usize,
    errors: usize,
    bound: f64,
}

impl Watch {
    fn new(size: u64, confidence: f64) -> Self {
        Self {
            size: size as usize,
            errors: 0,
            bound: (libm::log(1.0 / confidence) / (2.0 * size as f64)).sqrt(),
        }
    }

    /// Whether the share of correct outcomes is too far below its best.
    fn drifted(&self, best: &mut f64) -> bool {
        if self.size == 0 {
            return false;
        }
        let correct = (self.size - self.errors) as f64 / self.size as f64;
        *best = best.max(correct);
        *best - correct > self.bound
    }
}

impl Fhddm {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range, or the short window is longer than the other.
    pub fn new(options: FhddmOptions) -> Result<Self, ParameterError> {
        options.check()?;
        let watch = |size| Watch::new(size, options.confidence_level);
        Ok(Self {
            outcomes: VecDeque::with_capacity(options.sliding_window_size as usize),
            long: watch(options.sliding_window_size),
            short: options.short_window_size.map(watch).unwrap_or_default(),
            best: [0.0; 2],
            skipped: 0,
            options,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &FhddmOptions {
        &self.options
    }

    /// Takes an outcome into the window.
    fn push(&mut self, error: bool) {
        self.outcomes.push_back(error);
        self.long.errors += usize::from(error);
        self.short.errors += usize::from(error);
        let before_short = self.outcomes.len().checked_sub(self.short.size + 1);
        if before_short.is_some_and(|at| self.outcomes[at]) {
            self.short.errors -= 1;
        }
    }
}

impl SequentialDetector for Fhddm {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        self.push(value == 1.0);
        if self.outcomes.len() < self.long.size {
            return Signal::Stable;
        }
        let [best_long, best_short] = &mut self.best;
        // Not `||`, so that both maxima are kept.
        if self.long.drifted(best_long) | self.short.drifted(best_short) {
            self.reset();
            return Signal::Drift;
        }
        let oldest = self.outcomes.pop_front();
        self.long.errors -= usize::from(oldest == Some(true));
        // A short window as long as the other loses the same outcome at the next push, where it no longer is.
        if self.short.size == self.long.size {
            self.short.errors -= usize::from(oldest == Some(true));
        }
        Signal::Stable
    }

    fn reset(&mut self) {
        self.outcomes.clear();
        (self.long.errors, self.short.errors) = (0, 0);
        self.best = [0.0; 2];
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

/// What a snapshot holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    #[serde(deserialize_with = "checked")]
    options: FhddmOptions,
    outcomes: Vec<bool>,
    best: [f64; 2],
    skipped: u64,
}

impl TryFrom<Snapshot> for Fhddm {
    type Error = ParameterError;

    fn try_from(snapshot: Snapshot) -> Result<Self, Self::Error> {
        let mut fhddm = Self::new(snapshot.options)?;
        if snapshot.outcomes.len() >= fhddm.long.size {
            return Err(ParameterError::Together {
                problem: "the snapshot has more outcomes than `sliding_window_size`",
            });
        }
        for error in snapshot.outcomes {
            fhddm.push(error);
        }
        (fhddm.best, fhddm.skipped) = (snapshot.best, snapshot.skipped);
        Ok(fhddm)
    }
}
