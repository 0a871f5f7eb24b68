//! The life of an alert.

use std::time::Duration;

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

/// What a close says to the life cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The rule holds.
    Holds,
    /// Neither holds nor is clear: a firing alert goes on, a pending run of closes ends.
    Between,
    /// Clear enough for a firing alert to end.
    Clear,
}

/// How long a rule must hold to fire, and be clear to be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Persistence {
    /// How many closes the rule must hold before it fires; zero means one.
    pub for_closes: u32,
    /// Of how many of the last closes; none, or no more than `for_closes`, means in a row.
    pub of_closes: Option<u32>,
    /// How many closes in a row it must be clear before it is resolved; zero means one.
    pub clear_closes: u32,
    /// After it is resolved it does not fire again for so long, in event time.
    pub cooldown: Duration,
}

impl Default for Persistence {
    /// Fires at the first close, is resolved at the first clear one, without a cooldown.
    fn default() -> Self {
        Self {
            for_closes: 1,
            of_closes: None,
            clear_closes: 1,
            cooldown: Duration::ZERO,
        }
    }
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
/// run of closes. With `of_closes` the rule need not hold at each close: it fires at a close at which it holds and has
/// held at `for_closes` of the last `of_closes`, and is pending while it held at any of them. A value between `threshold × clear_ratio` and the threshold keeps a firing alert firing
/// (hysteresis) and ends a pending one. After it is resolved the alert stays pending, however long the rule
/// holds, until `cooldown` has passed in event time.
///
/// The state is a function of the observations alone; the same sequence gives the same transitions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertMachine {
    phase: Phase,
    started_at: Option<Timestamp>,
    closes: u32,
    cooldown_until: Option<Timestamp>,
    /// The closes at which the rule held among the last `of_closes`, oldest first; empty where it must hold in a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recent: Vec<Held>,
}

/// A close at which the rule held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    closes_ago: u32,
    at: Timestamp,
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
        self.advance(&rule.persistence(), at, rule.read(value))
    }

    /// Takes in what a closed window says, whatever kind of rule says it.
    pub fn advance(
        &mut self,
        persistence: &Persistence,
        at: Timestamp,
        reading: Reading,
    ) -> Option<Transition> {
        let in_a_row = persistence.for_closes.max(1);
        match (self.phase, reading) {
            (Phase::Firing, Reading::Clear) => self.cleared(persistence, at),
            (Phase::Firing, _) => {
                self.closes = 0;
                None
            }
            _ => match persistence.of_closes.filter(|&of| of > in_a_row) {
                Some(of_closes) => self.looked_back(persistence, of_closes, at, reading),
                None if reading == Reading::Holds => self.held(persistence, at),
                None => {
                    self.phase = Phase::Inactive;
                    self.started_at = None;
                    self.closes = 0;
                    None
                }
            },
        }
    }

    fn held(&mut self, persistence: &Persistence, at: Timestamp) -> Option<Transition> {
        let started_at = *self.started_at.get_or_insert(at);
        self.closes = self.closes.saturating_add(1);
        if self.is_cooling(at) || self.closes < persistence.for_closes.max(1) {
            self.phase = Phase::Pending;
            return None;
        }
        self.fired(started_at)
    }

    fn looked_back(
        &mut self,
        persistence: &Persistence,
        of_closes: u32,
        at: Timestamp,
        reading: Reading,
    ) -> Option<Transition> {
        for held in &mut self.recent {
            held.closes_ago = held.closes_ago.saturating_add(1);
        }
        self.recent.retain(|held| held.closes_ago < of_closes);
        if reading == Reading::Holds {
            self.recent.push(Held { closes_ago: 0, at });
        }
        self.started_at = self.recent.first().map(|held| held.at);
        let Some(started_at) = self.started_at else {
            self.phase = Phase::Inactive;
            return None;
        };
        let enough = self.recent.len() >= persistence.for_closes.max(1) as usize;
        if reading != Reading::Holds || !enough || self.is_cooling(at) {
            self.phase = Phase::Pending;
            return None;
        }
        self.fired(started_at)
    }

    fn is_cooling(&self, at: Timestamp) -> bool {
        self.cooldown_until.is_some_and(|until| at < until)
    }

    fn fired(&mut self, started_at: Timestamp) -> Option<Transition> {
        self.phase = Phase::Firing;
        self.closes = 0;
        self.recent.clear();
        Some(Transition::Fired { started_at })
    }

    fn cleared(&mut self, persistence: &Persistence, at: Timestamp) -> Option<Transition> {
        self.closes = self.closes.saturating_add(1);
        if self.closes < persistence.clear_closes.max(1) {
            return None;
        }
        let started_at = self.started_at.unwrap_or(at);
        let cooldown = persistence.cooldown;
        *self = Self {
            cooldown_until: (!cooldown.is_zero()).then(|| at.saturating_add(cooldown)),
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
    fn fires_at_k_of_the_last_n_closes() {
        let rule = ThresholdRule {
            for_closes: 2,
            of_closes: Some(4),
            ..rule()
        };
        // The two holds may lie three closes apart, not four; a close without data is none.
        assert_eq!(run(&rule, &values("hllhll")), "pppfFr");
        assert_eq!(
            run(&rule, &values("hlllhlllll")),
            "ppppppppp."[..4].to_owned() + "pppp.."
        );
        assert_eq!(run(&rule, &values("hl?l?h")), "pppppf");
        let mut machine = AlertMachine::default();
        let at = |minute| Timestamp::from_seconds(60 * minute);
        let mut step = |minute: i64, value| {
            machine.step(
                &rule,
                Observation {
                    at: at(minute),
                    value: Some(value),
                    n: 10,
                },
            )
        };
        // The first hold has left the last four closes, so the alert starts with the second.
        for (minute, value) in [(1, 1.0), (2, 0.0), (3, 0.0), (4, 0.0), (5, 1.0), (6, 0.0)] {
            assert_eq!(step(minute, value), None);
        }
        assert_eq!(step(7, 1.0), Some(Transition::Fired { started_at: at(5) }));
    }

    #[test]
    fn a_state_written_before_of_closes_reads_back() {
        let written = serde_json::to_string(&AlertMachine::default()).unwrap();
        assert!(!written.contains("recent"), "{written}");
        assert_eq!(
            serde_json::from_str::<AlertMachine>(&written).unwrap(),
            AlertMachine::default()
        );
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
        /// Looking back on exactly as many closes as the rule must hold is the same as in a row.
        #[test]
        fn k_of_k_is_in_a_row(text in "[hml?n]{0,60}", k in 1_u32..5) {
            let rule = ThresholdRule { for_closes: k, ..rule() };
            let same = ThresholdRule { of_closes: Some(k), ..rule.clone() };
            prop_assert_eq!(run(&rule, &values(&text)), run(&same, &values(&text)));
        }

        /// It fires at a close exactly if so many of the last closes with data held, this one among them.
        #[test]
        fn k_of_n_counts(text in "[hl?]{0,40}", k in 1_usize..4, more in 1_usize..5) {
            let n = k + more;
            let rule = ThresholdRule { for_closes: k as u32, of_closes: Some(n as u32), ..rule() };
            let seen = run(&rule, &values(&text));
            let mut looked = Vec::new();
            let first = text.chars().enumerate().find_map(|(i, c)| {
                if c == '?' { return None }
                looked.push(c == 'h');
                let held = looked.iter().rev().take(n).filter(|&&h| h).count();
                (c == 'h' && held >= k).then_some(i)
            });
            prop_assert_eq!(seen.find('f'), first);
        }

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
                prop_assert_eq!(&all, &some);
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
