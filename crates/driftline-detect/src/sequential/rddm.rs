//! RDDM, the Reactive Drift Detection Method.

use serde::{Deserialize, Serialize};

use super::bits::Bits;
use super::level::{WAIT_MAX, is_error, min_num_instances, spelled};
use super::options::checked;
use super::{Compat, Options, Parameter, ParameterError, SequentialDetector, Signal, usable};

/// The most values that may be kept and gone through again.
const KEPT_MAX: u64 = 1_000_000;

/// Parameters of [`Rddm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RddmOptions {
    /// Whose names.
    pub compat: Compat,
    /// Values before the first test.
    pub min_num_instances: u64,
    /// A warning is so many standard deviations above the minimum.
    pub warning_level: f64,
    /// A drift is so many standard deviations above the minimum.
    pub drift_level: f64,
    /// A concept longer than this is cut to its newest values.
    pub max_concept_size: u64,
    /// How many of its newest values it is cut to.
    pub min_concept_size: u64,
    /// A warning that lasts so many values is a drift.
    pub warning_limit: u64,
}

impl Default for RddmOptions {
    fn default() -> Self {
        Self {
            compat: Compat::Paper,
            min_num_instances: 129,
            warning_level: 1.773,
            drift_level: 2.258,
            max_concept_size: 40_000,
            min_concept_size: 7_000,
            warning_limit: 1_400,
        }
    }
}

impl Options for RddmOptions {
    const DETECTOR: &'static str = "rddm";

    fn defaults(compat: Compat) -> Option<Self> {
        matches!(compat, Compat::Moa | Compat::Paper).then(|| Self {
            compat,
            ..Self::default()
        })
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        let name = |moa, python| spelled(self.compat, moa, python);
        let names = [
            name("warningLevel", "warning_level"),
            name("driftLevel", "drift_level"),
            name("maxSizeConcept", "max_concept_size"),
            name("minSizeStableConcept", "min_concept_size"),
            name("warnLimit", "warning_limit"),
        ];
        vec![
            min_num_instances(self.compat, &mut self.min_num_instances),
            Parameter::number(
                names[0],
                &mut self.warning_level,
                [0.0, 1e6],
                "standard deviations above the minimum that are a warning",
            ),
            Parameter::number(
                names[1],
                &mut self.drift_level,
                [0.0, 1e6],
                "standard deviations above the minimum that are a drift",
            ),
            Parameter::count(
                names[2],
                &mut self.max_concept_size,
                [1, WAIT_MAX],
                "a concept longer than this is cut to its newest values",
            ),
            Parameter::count(
                names[3],
                &mut self.min_concept_size,
                [1, KEPT_MAX],
                "how many of its newest values it is cut to",
            ),
            Parameter::count(
                names[4],
                &mut self.warning_limit,
                [1, WAIT_MAX],
                "a warning that lasts so many values is a drift",
            ),
        ]
    }
}

/// What the next value begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Pending {
    Nothing,
    /// The rate anew, from the values that are kept; the minimum stays.
    Recount,
    /// The rate and the minimum anew.
    Restart,
}

/// RDDM: [DDM](super::Ddm) that forgets old values of a long concept and does not warn for ever.
///
/// **Formula.** As DDM: with p the error rate and s = √(p(1 − p)/n), the least p + s is kept as p_min + s_min, and p + s above
/// p_min + `drift_level`·s_min is a drift, above p_min + `warning_level`·s_min a warning. Besides:
///
/// - after a drift p is counted anew, from the first value of the warning that led to it, or from the last value
///   if none did;
/// - a concept of more than `max_concept_size` values without a warning is cut to its newest `min_concept_size`: p is
///   counted anew from those, and the minimum stays, so that DDM's slowness on long streams ends;
/// - a warning that has lasted `warning_limit` values is a drift, after which p starts from the last value.
///
/// Values of at least 0.5 are errors. A value after a cut or a drift costs up to `min_concept_size` steps; the others cost one.
///
/// **Assumes** independent outcomes. **When not to use it.** As an alarm: its levels are lower than DDM's, so a quiet
/// stream has more false alarms. A stream without any error up to the first test has p_min = s_min = 0, and its
/// first error is then a drift, as with DDM.
///
/// **Parity.** `moa`: `RDDM`, by the authors of the paper; `paper` is the same with other names. Frouros' `RDDM` differs (it does
/// not cut to the warning, forgets the minimum at every cut, and leaves a value uncounted after it) and is not followed.
/// Values other than 0 and 1 count in MOA's rate as they are.
///
/// **Paper.** R. S. M. Barros, D. R. L. Cabral, P. M. Gonçalves, S. G. T. C. Santos: RDDM: Reactive drift detection method. Expert
/// Systems with Applications 90, 2017.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawRddm")]
pub struct Rddm {
    options: RddmOptions,
    kept: Bits,
    /// Values of p.
    n: u64,
    p: f64,
    /// p_min and s_min.
    minimum: Option<(f64, f64)>,
    /// Values since the warning began, that one included.
    warned: Option<u64>,
    /// How many of the kept values belong to the warning; none if its first one is not kept any more.
    warned_kept: Option<u64>,
    pending: Pending,
    skipped: u64,
}

/// As it is read: with a queue of any size.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRddm {
    #[serde(deserialize_with = "checked")]
    options: RddmOptions,
    kept: Bits,
    n: u64,
    p: f64,
    minimum: Option<(f64, f64)>,
    warned: Option<u64>,
    warned_kept: Option<u64>,
    pending: Pending,
    skipped: u64,
}

impl TryFrom<RawRddm> for Rddm {
    type Error = &'static str;

    fn try_from(raw: RawRddm) -> Result<Self, Self::Error> {
        if raw.kept.capacity() as u64 != raw.options.min_concept_size {
            return Err("rddm does not keep as many values as its options say");
        }
        Ok(Self {
            options: raw.options,
            kept: raw.kept,
            n: raw.n,
            p: raw.p,
            minimum: raw.minimum,
            warned: raw.warned,
            warned_kept: raw.warned_kept,
            pending: raw.pending,
            skipped: raw.skipped,
        })
    }
}

impl Rddm {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range.
    pub fn new(options: RddmOptions) -> Result<Self, ParameterError> {
        options.check()?;
        Ok(Self {
            kept: Bits::new(options.min_concept_size),
            options,
            n: 0,
            p: 0.0,
            minimum: None,
            warned: None,
            warned_kept: None,
            pending: Pending::Nothing,
            skipped: 0,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &RddmOptions {
        &self.options
    }

    /// The error rate of the present concept.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        self.p
    }

    /// Adds an outcome to p; its s.
    fn add(&mut self, error: bool) -> f64 {
        self.n = self.n.saturating_add(1);
        let n = self.n as f64;
        self.p += (f64::from(u8::from(error)) - self.p) / n;
        (self.p * (1.0 - self.p) / n).max(0.0).sqrt()
    }

    /// Keeps p and s if they are the least so far.
    fn note_minimum(&mut self, s: f64) -> (f64, f64) {
        match self.minimum {
            Some((p_min, s_min)) if self.p + s >= p_min + s_min => (p_min, s_min),
            _ => *self.minimum.insert((self.p, s)),
        }
    }

    /// Counts anew from the values that are kept.
    fn recount(&mut self) {
        let restart = self.pending == Pending::Restart;
        if let Some(len) = self.warned_kept {
            self.kept
                .keep_newest(usize::try_from(len).unwrap_or(usize::MAX));
        }
        (self.n, self.p) = (0, 0.0);
        if restart {
            self.minimum = None;
        }
        let kept = std::mem::replace(&mut self.kept, Bits::new(1));
        for error in kept.iter() {
            let s = self.add(error);
            if restart && self.n > self.options.min_num_instances {
                self.note_minimum(s);
            }
        }
        self.kept = kept;
        (self.warned, self.warned_kept) = (None, None);
        self.pending = Pending::Nothing;
    }

    /// Keeps the outcome, and how many of the kept ones belong to the warning.
    fn keep(&mut self, error: bool) {
        self.kept.push(error);
        let capacity = self.kept.capacity() as u64;
        let still = |len: u64| Some(len.saturating_add(1)).filter(|len| *len <= capacity);
        self.warned_kept = self.warned_kept.and_then(still);
        self.warned = self.warned.map(|n| n.saturating_add(1));
    }

    fn drift(&mut self) -> Signal {
        self.pending = Pending::Restart;
        Signal::Drift
    }
}

impl SequentialDetector for Rddm {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        if self.pending != Pending::Nothing {
            self.recount();
        }
        let error = is_error(value);
        self.keep(error);
        let s = self.add(error);
        // The counter of the reference is one ahead.
        if self.n < self.options.min_num_instances {
            return Signal::Stable;
        }
        let (p_min, s_min) = self.note_minimum(s);
        let level = self.p + s;
        if level > p_min + self.options.drift_level * s_min {
            if self.warned.is_none() {
                self.kept.keep_newest(1);
            }
            return self.drift();
        }
        if level > p_min + self.options.warning_level * s_min {
            let lasted = self.warned.map_or(0, |n| n.saturating_sub(1));
            if self.warned.is_some() && lasted >= self.options.warning_limit {
                self.kept.keep_newest(1);
                (self.warned, self.warned_kept) = (None, None);
                return self.drift();
            }
            if self.warned.is_none() {
                (self.warned, self.warned_kept) = (Some(1), Some(1));
            }
            return Signal::Warning;
        }
        (self.warned, self.warned_kept) = (None, None);
        if self.n.saturating_add(1) > self.options.max_concept_size {
            self.pending = Pending::Recount;
        }
        Signal::Stable
    }

    fn reset(&mut self) {
        self.kept.clear();
        (self.n, self.p, self.minimum) = (0, 0.0, None);
        (self.warned, self.warned_kept) = (None, None);
        self.pending = Pending::Nothing;
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
