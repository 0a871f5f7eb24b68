//! Decisions: when a statistic's value becomes an alert, and when the alert ends.
//!
//! A [`ThresholdRule`] says what to look at. One [`AlertMachine`] per series, window and rule turns the
//! values of successive closed windows into [`Transition`]s; [`Subject::event`] turns a transition into the
//! event that is written to the alerts topic. Everything steps in event time, once per closed window, so a
//! replay takes the same decisions.
//!
//! ```
//! use driftline_detect::{AlertMachine, Observation, ThresholdRule, Transition};
//! use driftline_event::{Statistic, Timestamp};
//!
//! let rule = ThresholdRule { statistic: Statistic::Psi, threshold: 0.2, for_closes: 2, ..Default::default() };
//! let mut machine = AlertMachine::default();
//! let mut step = |minute: i64, psi: f64| {
//!     let at = Timestamp::from_seconds(60 * minute);
//!     machine.step(&rule, Observation { at, value: Some(psi), n: 1_000 })
//! };
//! assert_eq!(step(1, 0.30), None, "it has to hold twice");
//! assert_eq!(step(2, 0.30), Some(Transition::Fired { started_at: Timestamp::from_seconds(60) }));
//! assert_eq!(step(3, 0.18), None, "hysteresis: it clears below 0.2 × 0.8");
//! assert!(matches!(step(4, 0.10), Some(Transition::Resolved { .. })));
//! ```
#![deny(missing_docs)]

mod alert;
pub mod bank;
mod baseline;
pub mod bounded_loss;
pub mod calibration;
pub mod fdr;
mod machine;
mod p_value;
mod quorum;
mod rule;
pub mod sequential;

pub use alert::{
    ALL_COLUMNS, BANK, BankSubject, PValueSubject, QuorumSubject, Subject, alert_kind, fingerprint,
    incident,
};
pub use baseline::{
    BASELINE_WINDOWS_MAX, BaselineMachine, BaselineRule, BaselineRuleError, Standing,
};
pub use machine::{AlertMachine, Observation, Persistence, Phase, Reading, Transition};
pub use p_value::{Multiplicity, PValueMachine, PValueRule, Tested, TestedColumn};
pub use quorum::{Ballot, ColumnQuorum, Quorum, QuorumMachine};
pub use rule::{OF_CLOSES_MAX, RuleError, ThresholdRule};
