//! The classical sequential detectors of concept drift: ADWIN, DDM, EDDM, HDDM, Page–Hinkley and their kin.
//!
//! Each reads one value after another and says after each whether the stream is [`Stable`](Signal::Stable),
//! close to a change ([`Warning`](Signal::Warning)) or changed ([`Drift`](Signal::Drift)). After a drift the detector has
//! started afresh by itself, so that it goes on to look for the next one.
//!
//! They are here for those who know them, and each is in parity with a named reference implementation
//! ([`Compat`]). None of them keeps a budget of false alarms: most alarm on a stream that does not change, sooner or
//! later, and say nothing of how often. Prefer the [indicator bank](crate::bank) for alerts.
//!
//! ```
//! use driftline_detect::sequential::{Ddm, DdmOptions, SequentialDetector, Signal};
//!
//! let mut ddm = Ddm::new(DdmOptions::default()).expect("the defaults are within their ranges");
//! // One error in ten, and after 2,000 outcomes three in ten.
//! let errors = (0..4_000_u32).map(|i| if i < 2_000 { i % 10 < 1 } else { i % 10 < 3 });
//! let drift = errors.map(|error| ddm.update(f64::from(error))).position(|signal| signal == Signal::Drift);
//! assert!(drift.is_some_and(|at| at >= 2_000));
//! ```
//!
//! # Input
//!
//! | Detector | Value | A drift is |
//! | --- | --- | --- |
//! | `adwin` | any number | another mean |
//! | `page_hinkley` | any number | a higher mean, in river's form a lower one too |
//! | `kswin` | any number | another distribution |
//! | `ddm`, `eddm`, `fhddm` | 1 = error, 0 = correct | more errors |
//! | `hddm_a`, `hddm_w` | a loss within 0 to 1 (1 = error) | a higher mean, with `two_sided_test` a lower one too |
//!
//! A value that is not finite, or larger than [`VALUE_MAX`] in size, is skipped: it changes nothing but a count
//! ([`SequentialDetector::skipped`]), and the signal is `Stable`. No value makes a detector panic.
//!
//! # Snapshots
//!
//! The serde form of a [`Detector`] is its snapshot: what is read back goes on as the original would have. With JSON, read
//! it with serde_json's feature `float_roundtrip`, or else the last bit of a number may be lost. A snapshot that does
//! not hold together is refused when it is read.

mod detector;
mod options;

mod adwin;
mod ddm;
mod eddm;
mod fhddm;
mod hddm_a;
mod hddm_w;
mod kswin;
mod mean;
mod page_hinkley;

mod bits;
mod cusum;
mod ecdd;
mod gma;
mod level;
mod page_hinkley_one_sided;
mod rddm;
mod stepd;

use serde::{Deserialize, Serialize};

pub use adwin::{Adwin, AdwinOptions};
pub use cusum::{Cusum, CusumOptions};
pub use ddm::{Ddm, DdmOptions};
pub use detector::{Detector, DetectorName};
pub use ecdd::{AverageRunLength, Ecdd, EcddOptions};
pub use eddm::{Eddm, EddmOptions};
pub use fhddm::{Fhddm, FhddmOptions};
pub use gma::{Gma, GmaOptions};
pub use hddm_a::{HddmA, HddmAOptions};
pub use hddm_w::{HddmW, HddmWOptions};
pub use kswin::{Kswin, KswinOptions, KswinTest};
pub use options::{Choice, Compat, Options, Parameter, ParameterError, ParameterHelp, Slot};
pub use page_hinkley::{PageHinkley, PageHinkleyOptions, Side};
pub use page_hinkley_one_sided::{OneSidedPageHinkley, OneSidedPageHinkleyOptions};
pub use rddm::{Rddm, RddmOptions};
pub use stepd::{Stepd, StepdOptions};

/// Largest size of a value that counts; larger ones are skipped, so that no sum of squares ever overflows.
pub const VALUE_MAX: f64 = 1e100;

/// Most outcomes that [`SequentialDetector::update_counts`] feeds for one pane.
pub const PANE_OUTCOMES_MAX: u64 = 4_096;

/// What a detector says of the stream after a value. The order is that of alarm.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Nothing, or not enough values yet.
    #[default]
    Stable,
    /// A change is likely but not sure; detectors without such a zone never say so.
    Warning,
    /// A change: the detector has started afresh.
    Drift,
}

impl Signal {
    /// Drift if that is so, else a warning if that is so.
    pub(crate) fn of(drift: bool, warning: bool) -> Self {
        match (drift, warning) {
            (true, _) => Self::Drift,
            (false, true) => Self::Warning,
            (false, false) => Self::Stable,
        }
    }
}

/// What a detector that keeps a window has left of it after a drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterDrift {
    /// Nothing: it starts as if new.
    Nothing,
    /// The values that are of the new kind.
    Recent,
}

/// One value at a time in, one [`Signal`] out.
pub trait SequentialDetector {
    /// Takes the next value. See the [module](self) for what each detector means by it.
    fn update(&mut self, value: f64) -> Signal;

    /// Forgets every value, as if new; the count of skipped values stays.
    fn reset(&mut self);

    /// How many values were skipped, because they are not finite or exceed [`VALUE_MAX`].
    fn skipped(&self) -> u64;

    /// Takes the outcomes of a closed pane, `errors` ones among `trials`, evenly interleaved; the strongest signal of
    /// the pane.
    ///
    /// The order in which a pane's events arrived is not the same in every run, so that a pipeline may know
    /// only their counts: this is the order that has as few ones as possible beside each other (Bresenham's line). Of more
    /// than [`PANE_OUTCOMES_MAX`] trials only so many are fed, with the share of ones rounded to the nearest. More errors
    /// than trials are taken as that many trials.
    fn update_counts(&mut self, errors: u64, trials: u64) -> Signal {
        let (errors, trials) = scaled(errors.min(trials), trials);
        let mut strongest = Signal::Stable;
        let mut sum = trials / 2;
        for _ in 0..trials {
            sum += errors;
            let error = sum >= trials;
            if error {
                sum -= trials;
            }
            strongest = strongest.max(self.update(f64::from(u8::from(error))));
        }
        strongest
    }
}

/// Counts that are in proportion to these but not above the cap of a pane.
fn scaled(errors: u64, trials: u64) -> (u64, u64) {
    if trials <= PANE_OUTCOMES_MAX {
        return (errors, trials);
    }
    let (cap, all) = (u128::from(PANE_OUTCOMES_MAX), u128::from(trials));
    let kept = (u128::from(errors) * cap + all / 2) / all;
    (kept as u64, PANE_OUTCOMES_MAX)
}

/// Whether a value counts.
pub(crate) fn usable(value: f64) -> bool {
    value.abs() <= VALUE_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers what it is fed.
    #[derive(Default)]
    struct Tape(Vec<f64>);

    impl SequentialDetector for Tape {
        fn update(&mut self, value: f64) -> Signal {
            self.0.push(value);
            Signal::of(self.0.len() == 3, self.0.len() == 5)
        }
        fn reset(&mut self) {}
        fn skipped(&self) -> u64 {
            0
        }
    }

    fn fed(errors: u64, trials: u64) -> Vec<f64> {
        let mut tape = Tape::default();
        tape.update_counts(errors, trials);
        tape.0
    }

    #[test]
    fn a_pane_is_fed_evenly_interleaved() {
        assert_eq!(fed(0, 3), [0.0, 0.0, 0.0]);
        assert_eq!(fed(3, 3), [1.0, 1.0, 1.0]);
        assert_eq!(fed(2, 6), [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(fed(5, 3), [1.0, 1.0, 1.0]);
        assert!(fed(0, 0).is_empty());
        for trials in 0..60 {
            for errors in 0..=trials {
                let fed = fed(errors, trials);
                assert_eq!(fed.len() as u64, trials);
                assert_eq!(fed.iter().sum::<f64>() as u64, errors);
            }
        }
    }

    #[test]
    fn a_large_pane_is_scaled_down() {
        let fed = fed(u64::MAX / 4, u64::MAX);
        assert_eq!(fed.len() as u64, PANE_OUTCOMES_MAX);
        assert_eq!(fed.iter().sum::<f64>(), 1_024.0);
    }

    #[test]
    fn a_pane_says_the_strongest_of_its_signals() {
        assert_eq!(Tape::default().update_counts(1, 9), Signal::Drift);
        assert_eq!(Tape::default().update_counts(1, 2), Signal::Stable);
    }

    #[test]
    fn what_is_not_usable() {
        for value in [f64::NAN, f64::INFINITY, -f64::INFINITY, 1.1e100, -1.1e100] {
            assert!(!usable(value));
        }
        assert!(usable(-1e100) && usable(0.0) && usable(f64::MIN_POSITIVE / 2.0));
    }
}
