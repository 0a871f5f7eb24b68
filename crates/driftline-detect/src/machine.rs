//! The life of an alert.

use driftline_event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ThresholdRule;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The rule does not hold.
    #[default]
    Inactive,
    /// The rule holds, but not for long enough, or a cooldown has not passed.
    Pending,
    /// The rule held for long enough and has not been clear for long enough since.
    Firing,
}

/// What one closed window says to a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The end of the window.
    pub at: Timestamp,
    /// The statistic's value, if the window has one that the rule may look at.
    pub value: Option<f64>,
    /// How many values it rests on.
    pub n: u64,
}

/// A step that the world is told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The alert fires.
    Fired {
        /// The end of the first window in which the rule held.
        started_at: Timestamp,
    },
    /// The alert ends.
    Resolved {
        /// The end of the first window in which the rule held.
        started_at: Timestamp,
        /// The end of the window that ended it.
        ended_at: Timestamp,
    },
}

/// The life cycle of one rule on one window of one series.
///
/// ```text
///              holds                 held for_closes times, cooldown over
///  inactive ──────────► pending ─────────────────────────────────────────► firing
///      ▲                   │ does not hold                                    │
///      ├───────────────────┘                                                  │
///      └──────────────── clear clear_closes times in a row: resolved ◄────────┘
/// ```
///
/// A window without enough data changes nothing: it neither raises nor clears, and does not interrupt a
/// run of closes. A value between `threshold × clear_ratio` and the threshold keeps a firing alert firing
/// (hysteresis) and ends a pending one. After it is resolved the alert stays pending, however long the rule
/// holds, until `cooldown` has passed in event time.
///
/// The state is a function of the observations alone; the same sequence gives the same transitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertMachine {
    phase: Phase,
    started_at: Option<Timestamp>,
    closes: u32,
    cooldown_until: Option<Timestamp>,
}

impl AlertMachine {
    /// Where the alert stands.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the machine is as it was made: forgetting it loses nothing at event time `at`.
    pub fn is_idle(&self, at: Timestamp) -> bool {
        self.phase == Phase::Inactive && self.cooldown_until.is_none_or(|until| until <= at)
    }

    /// Takes in one closed window.
    pub fn step(&mut self, rule: &ThresholdRule, observation: Observation) -> Option<Transition> {
        let Observation { at, value, n } = observation;
        let value = value.filter(|v| v.is_finite() && n >= rule.min_events)?;
        match self.phase {
            Phase::Inactive | Phase::Pending if rule.holds(value) => self.held(rule, at),
            Phase::Inactive => None,
            Phase::Pending => {
                self.phase = Phase::Inactive;
                self.started_at = None;
                self.closes = 0;
                None
            }
            Phase::Firing if rule.is_clear(value) => self.cleared(rule, at),
            Phase::Firing => {
                self.closes = 0;
                None
            }
        }
    }

    fn held(&mut self, rule: &ThresholdRule, at: Timestamp) -> Option<Transition> {
        let started_at = *self.started_at.get_or_insert(at);
        self.closes = self.closes.saturating_add(1);
        let cooling = self.cooldown_until.is_some_and(|until| at < until);
        if cooling || self.closes < rule.for_closes.max(1) {
            self.phase = Phase::Pending;
            return None;
        }
        self.phase = Phase::Firing;
        self.closes = 0;
        Some(Transition::Fired { started_at })
    }

    fn cleared(&mut self, rule: &ThresholdRule, at: Timestamp) -> Option<Transition> {
        self.closes = self.closes.saturating_add(1);
        if self.closes < rule.clear_closes.max(1) {
            return None;
        }
        let started_at = self.started_at.unwrap_or(at);
        *self = Self {
            cooldown_until: (!rule.cooldown.is_zero()).then(|| at.saturating_add(rule.cooldown)),
            ..Self::default()
        };
        Some(Transition::Resolved {
            started_at,
            ended_at: at,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn rule() -> ThresholdRule {
        ThresholdRule {
            threshold: 1.0,
            clear_ratio: 0.5,
            min_events: 10,
            for_closes: 2,
            clear_closes: 2,
            cooldown: Duration::from_secs(300),
            ..ThresholdRule::default()
        }
    }

    /// Steps once a minute; `f` fired, `r` resolved, `p` pending, `F` firing, `.` inactive.
    fn run(rule: &ThresholdRule, values: &[(f64, u64)]) -> String {
        let mut machine = AlertMachine::default();
        (1..)
            .zip(values)
            .map(|(minute, &(value, n))| {
                let at = Timestamp::from_seconds(60 * minute);
                match machine.step(
                    rule,
                    Observation {
                        at,
                        value: Some(value),
                        n,
                    },
                ) {
                    Some(Transition::Fired { .. }) => 'f',
                    Some(Transition::Resolved { .. }) => 'r',
                    None => match machine.phase() {
                        Phase::Inactive => '.',
                        Phase::Pending => 'p',
                        Phase::Firing => 'F',
                    },
                }
            })
            .collect()
    }

    fn values(text: &str) -> Vec<(f64, u64)> {
        let value = |c| match c {
            'h' => (1.0, 10),
            'm' => (0.7, 10),
            'l' => (0.2, 10),
            '?' => (9.0, 9),
            'n' => (f64::NAN, 99),
            _ => unreachable!(),
        };
        text.chars().map(value).collect()
    }

    #[test]
    fn raises_holds_and_clears() {
        assert_eq!(run(&rule(), &values("lhlhhmmlmllll")), ".p.pfFFFFFr..");
    }

    #[test]
    fn too_little_data_changes_nothing() {
        assert_eq!(run(&rule(), &values("h??h?ln?l?")), "pppfFFFFr.");
    }

    #[test]
    fn does_not_fire_again_before_the_cooldown_has_passed() {
        // Resolved in minute 4, so not before minute 9.
        assert_eq!(run(&rule(), &values("hhllhhhhhh")), "pfFrppppfF");
    }

    #[test]
    fn zero_closes_mean_one() {
        let rule = ThresholdRule {
            for_closes: 0,
            clear_closes: 0,
            cooldown: Duration::ZERO,
            ..rule()
        };
        assert_eq!(run(&rule, &values("hlhl")), "frfr");
    }

    proptest! {
        /// Fired and resolved alternate, and whatever lacks data can be left out.
        #[test]
        fn alternates_and_ignores_windows_without_data(text in "[hml?n]{0,60}") {
            let (mut all, mut some) = (AlertMachine::default(), AlertMachine::default());
            let mut firing = false;
            for (minute, (value, n)) in (1..).zip(values(&text)) {
                let at = Timestamp::from_seconds(60 * minute);
                let step = all.step(&rule(), Observation { at, value: Some(value), n });
                if n >= 10 && value.is_finite() {
                    prop_assert_eq!(step, some.step(&rule(), Observation { at, value: Some(value), n }));
                }
                prop_assert_eq!(all, some);
                match step {
                    Some(Transition::Fired { .. }) => prop_assert!(!std::mem::replace(&mut firing, true)),
                    Some(Transition::Resolved { .. }) => prop_assert!(std::mem::take(&mut firing)),
                    None => {}
                }
                prop_assert_eq!(firing, all.phase() == Phase::Firing);
            }
        }
    }
}
