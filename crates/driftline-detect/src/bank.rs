//! The indicator-bank e-detector: at most N false alarms a month.

mod cohen;
mod decide;
mod effect;
mod evidence;
mod indicators;
mod null;
mod passage;

pub use cohen::{arcsine, normal_shift, share};
pub use decide::{Latch, LatchEvent, decide, threshold};
pub use effect::EffectSize;
pub use evidence::BankState;
pub use indicators::{INDICATORS_MAX, Indicator, Indicators, Tally};
pub use null::{Bank, BankOptions, ComponentId, Direction, RateBounds, SHIFTS};
pub use passage::Passage;
