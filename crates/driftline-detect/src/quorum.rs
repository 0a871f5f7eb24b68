//! Rules over many columns: fire when enough of them hold at once.

use driftline_event::{Severity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::machine::{AlertMachine, Persistence, Phase, Reading, Transition};
use crate::rule::{RuleError, names, of_closes_problem};

/// How many columns make a quorum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quorum {
    /// At least so many columns.
    Columns(u32),
    /// At least this share of the columns that could be judged, above 0 and at most 1.
    Share(f64),
}

impl Quorum {
    /// The columns it takes when `judged` could be judged; at least one.
    pub fn required(self, judged: usize) -> usize {
        match self {
            Self::Columns(columns) => (columns as usize).max(1),
            // A share such as 0.3 of 10 must be 3, whatever its last binary digit.
            Self::Share(share) => ((share * judged as f64 - 1e-9).ceil().max(1.0)) as usize,
        }
    }
}

/// Raises one alert for a model while a rule holds for enough of its columns.
///
/// **What it measures.** How many columns another rule holds for in the same closed window, such as Evidently's
/// "dataset drift" (a share of 0.5).
///
/// **Parameters.** The quorum itself; how many columns must be judged at all; for how many closes, and in how many of
/// the last ones, it must be met; and a clear quorum below which a firing alert may end.
///
/// **When not to use it.** To be told of a single column. And it does not bound false alarms: columns that drift
/// together, as copies of each other do, meet a quorum as easily as one meets its own rule.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnQuorum {
    /// The rule's name, unique within its model; part of the alert's fingerprint.
    pub name: String,
    /// The name of the rule that has to hold.
    pub rule: String,
    /// How many columns it has to hold for.
    pub quorum: Quorum,
    /// A close counts only if at least so many columns could be judged; zero means one.
    pub judged_min: u32,
    /// A close is clear when fewer than this share of the required columns hold; in (0, 1].
    pub clear_ratio: f64,
    /// How long it must be met and be clear.
    pub persistence: Persistence,
    /// How bad it is when it fires.
    pub severity: Severity,
    /// The windows that it looks at, by name; empty means every window.
    pub windows: Vec<String>,
    /// The columns that count, by name; empty means every column.
    pub columns: Vec<String>,
}

impl Default for ColumnQuorum {
    /// Half of the columns that `psi` judges, at one close; clear once fewer.
    fn default() -> Self {
        Self {
            name: "quorum".to_owned(),
            rule: "psi".to_owned(),
            quorum: Quorum::Share(0.5),
            judged_min: 1,
            clear_ratio: 1.0,
            persistence: Persistence::default(),
            severity: Severity::Warning,
            windows: Vec::new(),
            columns: Vec::new(),
        }
    }
}

/// The columns of one closed window, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ballot {
    /// Columns with enough data for the rule.
    pub judged: usize,
    /// Those for which it holds, in the order given.
    pub holding: Vec<String>,
}

impl ColumnQuorum {
    /// Everything that is wrong with the rule.
    pub fn problems(&self) -> Vec<RuleError> {
        let mut problems = Vec::new();
        if self.name.is_empty() {
            problems.push(RuleError::NoName);
        }
        let possible = match self.quorum {
            Quorum::Columns(columns) => columns > 0,
            Quorum::Share(share) => share > 0.0 && share <= 1.0,
        };
        let rule = self.name.clone();
        if !possible {
            problems.push(RuleError::Quorum { rule: rule.clone() });
        }
        if !(self.clear_ratio > 0.0 && self.clear_ratio <= 1.0) {
            let clear_ratio = self.clear_ratio;
            problems.push(RuleError::ClearRatio { rule, clear_ratio });
        }
        let Persistence {
            for_closes,
            of_closes,
            ..
        } = self.persistence;
        problems.extend(of_closes_problem(&self.name, for_closes, of_closes));
        problems
    }

    /// Whether it looks at this window.
    pub fn applies_to(&self, window: &str) -> bool {
        names(&self.windows, window)
    }

    /// Counts the columns of a closed window: whether the rule holds for each, or none where it could not be judged.
    pub fn count<'a>(&self, columns: impl IntoIterator<Item = (&'a str, Option<bool>)>) -> Ballot {
        let mut ballot = Ballot::default();
        for (column, holds) in columns {
            let Some(holds) = holds.filter(|_| names(&self.columns, column)) else {
                continue;
            };
            ballot.judged += 1;
            if holds {
                ballot.holding.push(column.to_owned());
            }
        }
        ballot
    }

    /// What a ballot says; none if too few columns could be judged.
    pub fn read(&self, ballot: &Ballot) -> Option<Reading> {
        if ballot.judged < self.judged_min.max(1) as usize {
            return None;
        }
        let required = self.quorum.required(ballot.judged);
        let holding = ballot.holding.len();
        Some(if holding >= required {
            Reading::Holds
        } else if (holding as f64) < required as f64 * self.clear_ratio {
            Reading::Clear
        } else {
            Reading::Between
        })
    }
}

/// The life cycle of one [`ColumnQuorum`] on one window of one model, version and segment.
///
/// ```
/// use driftline_detect::{ColumnQuorum, Quorum, QuorumMachine, Transition};
/// use driftline_event::Timestamp;
///
/// let quorum = ColumnQuorum { quorum: Quorum::Columns(2), ..Default::default() };
/// let mut machine = QuorumMachine::default();
/// let at = Timestamp::from_seconds(60);
/// let ballot = quorum.count([("age", Some(true)), ("fare", Some(true)), ("city", None)]);
/// assert_eq!(machine.step(&quorum, at, &ballot), Some(Transition::Fired { started_at: at }));
/// assert_eq!(machine.columns(), ["age", "fare"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumMachine {
    machine: AlertMachine,
    columns: Vec<String>,
}

impl QuorumMachine {
    /// Where the alert stands.
    pub const fn phase(&self) -> Phase {
        self.machine.phase()
    }

    /// The columns that held when it last held, while pending or firing.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether the machine is as it was made: forgetting it loses nothing at event time `at`.
    pub fn is_idle(&self, at: Timestamp) -> bool {
        self.machine.is_idle(at)
    }

    /// Takes in one closed window.
    pub fn step(
        &mut self,
        rule: &ColumnQuorum,
        at: Timestamp,
        ballot: &Ballot,
    ) -> Option<Transition> {
        let reading = rule.read(ballot)?;
        let transition = self.machine.advance(&rule.persistence, at, reading);
        if reading == Reading::Holds {
            self.columns.clone_from(&ballot.holding);
        } else if self.machine.phase() == Phase::Inactive && transition.is_none() {
            self.columns.clear();
        }
        transition
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

    fn ballot(quorum: &ColumnQuorum, holds: &[Option<bool>]) -> Ballot {
        quorum.count(NAMES.into_iter().zip(holds.iter().copied()))
    }

    #[test]
    fn a_share_is_of_the_columns_that_could_be_judged() {
        assert_eq!(Quorum::Share(0.3).required(10), 3);
        assert_eq!(Quorum::Share(0.5).required(3), 2);
        assert_eq!(Quorum::Share(0.01).required(3), 1);
        assert_eq!(Quorum::Columns(0).required(3), 1);
        let half = ColumnQuorum::default();
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(
            half.read(&ballot(&half, &[yes, no, None, None])),
            Some(Reading::Holds)
        );
        assert_eq!(
            half.read(&ballot(&half, &[yes, no, no])),
            Some(Reading::Clear)
        );
        assert_eq!(half.read(&ballot(&half, &[None, None])), None);
        let named = ColumnQuorum {
            columns: vec!["b".to_owned()],
            ..half
        };
        assert_eq!(
            ballot(&named, &[yes, no]),
            Ballot {
                judged: 1,
                holding: vec![]
            }
        );
    }

    #[test]
    fn remembers_who_held_until_it_is_over() {
        let quorum = ColumnQuorum {
            quorum: Quorum::Columns(2),
            clear_ratio: 0.5,
            persistence: Persistence {
                for_closes: 2,
                of_closes: Some(3),
                ..Persistence::default()
            },
            ..ColumnQuorum::default()
        };
        let (yes, no) = (Some(true), Some(false));
        let mut machine = QuorumMachine::default();
        let mut step = |minute: i64, holds: &[Option<bool>]| {
            let at = Timestamp::from_seconds(60 * minute);
            let transition = machine.step(&quorum, at, &ballot(&quorum, holds));
            (transition, machine.columns().concat())
        };
        assert_eq!(step(1, &[yes, yes]), (None, "ab".to_owned()));
        assert_eq!(step(2, &[no, no]), (None, "ab".to_owned()));
        let started_at = Timestamp::from_seconds(60);
        assert_eq!(
            step(3, &[no, yes, yes]),
            (Some(Transition::Fired { started_at }), "bc".to_owned())
        );
        assert_eq!(
            step(4, &[no, no, yes]),
            (None, "bc".to_owned()),
            "one of two is not clear"
        );
        let ended_at = Timestamp::from_seconds(300);
        let resolved = Transition::Resolved {
            started_at,
            ended_at,
        };
        assert_eq!(step(5, &[no, no, no]), (Some(resolved), "bc".to_owned()));
        assert_eq!(step(6, &[no, no, no]), (None, String::new()));
    }

    #[test]
    fn names_everything_that_is_wrong() {
        let wrong = ColumnQuorum {
            name: String::new(),
            quorum: Quorum::Share(1.5),
            clear_ratio: 0.0,
            persistence: Persistence {
                for_closes: 4,
                of_closes: Some(3),
                ..Persistence::default()
            },
            ..ColumnQuorum::default()
        };
        assert_eq!(wrong.problems().len(), 4);
        assert!(ColumnQuorum::default().problems().is_empty());
    }

    proptest! {
        /// A column more that holds never takes a quorum away.
        #[test]
        fn more_columns_never_hold_less(holds in prop::collection::vec(any::<bool>(), 1..5), share in 0.01..1.0_f64, at in 0_usize..5) {
            let quorum = ColumnQuorum { quorum: Quorum::Share(share), ..ColumnQuorum::default() };
            let mut more = holds.clone();
            let at = at % more.len();
            more[at] = true;
            let read = |h: &[bool]| quorum.read(&ballot(&quorum, &h.iter().map(|&h| Some(h)).collect::<Vec<_>>()));
            prop_assert!(read(&holds) != Some(Reading::Holds) || read(&more) == Some(Reading::Holds));
        }
    }
}
