//! Rules on p-values, with a correction for the number of columns or of looks.

use driftline_event::{Severity, Statistic, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fdr::{Correction, ELond, Lord, Saffron, e_value};
use crate::machine::{AlertMachine, Persistence, Phase, Reading, Transition};
use crate::rule::{RuleError, names, of_closes_problem};

/// What is corrected for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Multiplicity {
    /// The columns of one close, each close by itself.
    Columns(Correction),
    /// All columns of all closes, one after another, by LORD++.
    Lord {
        /// w₀ as a share of α, 0 to 1; one half is usual.
        initial_wealth: f64,
    },
    /// The same by SAFFRON.
    Saffron {
        /// w₀ as a share of α, 0 to 1; one half is usual.
        initial_wealth: f64,
        /// λ: p-values up to it are candidates, above 0 and below 1; one half is usual.
        candidate: f64,
    },
    /// The same by e-LOND, on e-values κ·p^(κ−1).
    ELond {
        /// κ, above 0 and below 1; one half is usual.
        kappa: f64,
    },
}

/// Raises an alert for a column whose p-value is rejected after correction.
///
/// **What it measures.** Whether a window's distribution could be the reference's, as [`Statistic::KolmogorovSmirnov`] or
/// [`Statistic::ChiSquare`] says; a column without that statistic is not tested.
///
/// **When not to use it.** As a first choice. No correction here bounds the alarms of a month, and at a million events
/// any difference is significant: see [`fdr`](crate::fdr) for what each promises. Prefer the indicator bank.
#[derive(Clone, Debug, PartialEq)]
pub struct PValueRule {
    /// The rule's name, unique within its model; part of the alert's fingerprint.
    pub name: String,
    /// Whose p-value it is.
    pub test: Statistic,
    /// What is corrected for, and how.
    pub correction: Multiplicity,
    /// The level of significance, above 0 and below 1.
    pub alpha: f64,
    /// A column is tested only if its window has at least so many values.
    pub min_events: u64,
    /// For how many closes a column must be rejected, and not, before its alert fires and ends.
    pub persistence: Persistence,
    /// How bad it is when it fires.
    pub severity: Severity,
    /// The windows that the rule looks at, by name; empty means every window.
    pub windows: Vec<String>,
    /// The columns that the rule looks at, by name; empty means every column.
    pub columns: Vec<String>,
}

impl Default for PValueRule {
    /// Kolmogorov–Smirnov on at least 500 values, FDR of a look 1 % by Benjamini–Hochberg, fires at the first close.
    fn default() -> Self {
        Self {
            name: "p_value".to_owned(),
            test: Statistic::KolmogorovSmirnov,
            correction: Multiplicity::Columns(Correction::BenjaminiHochberg),
            alpha: 0.01,
            min_events: 500,
            persistence: Persistence::default(),
            severity: Severity::Warning,
            windows: Vec::new(),
            columns: Vec::new(),
        }
    }
}

impl PValueRule {
    /// Everything that is wrong with the rule.
    pub fn problems(&self) -> Vec<RuleError> {
        let rule = || self.name.clone();
        let mut problems = Vec::new();
        if self.name.is_empty() {
            problems.push(RuleError::NoName);
        }
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            let alpha = self.alpha;
            problems.push(RuleError::Alpha {
                rule: rule(),
                alpha,
            });
        }
        let statistic = self.test;
        if !matches!(
            statistic,
            Statistic::KolmogorovSmirnov | Statistic::ChiSquare
        ) {
            problems.push(RuleError::NoPValue {
                rule: rule(),
                statistic,
            });
        }
        let mut within = |parameter, value: f64, range, holds: bool| {
            if !holds {
                problems.push(RuleError::Correction {
                    rule: rule(),
                    parameter,
                    range,
                    value,
                });
            }
        };
        let share = |v: f64| (0.0..=1.0).contains(&v);
        let inside = |v: f64| v > 0.0 && v < 1.0;
        match self.correction {
            Multiplicity::Columns(_) => {}
            Multiplicity::Lord { initial_wealth: w } => {
                within("initial_wealth", w, "from 0 to 1", share(w));
            }
            Multiplicity::Saffron {
                initial_wealth: w,
                candidate: c,
            } => {
                within("initial_wealth", w, "from 0 to 1", share(w));
                within("candidate", c, "above 0 and below 1", inside(c));
            }
            Multiplicity::ELond { kappa } => {
                within("kappa", kappa, "above 0 and below 1", inside(kappa));
            }
        }
        let Persistence {
            for_closes,
            of_closes,
            ..
        } = self.persistence;
        problems.extend(of_closes_problem(&self.name, for_closes, of_closes));
        problems
    }

    /// Whether the rule looks at this window of this column.
    pub fn applies_to(&self, window: &str, column: &str) -> bool {
        names(&self.windows, window) && names(&self.columns, column)
    }
}

/// One column's p-value in a closed window; none where the window has none or too few values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestedColumn {
    /// The p-value.
    pub p_value: Option<f64>,
    /// How many values it rests on.
    pub n: u64,
}

/// What a close said about one column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tested {
    /// Whether the p-value was rejected; none if the column was not tested.
    pub rejected: Option<bool>,
    /// The p-value at or below which it would have been; none if the column was not tested. For a batch correction,
    /// with the other columns as they were.
    pub level: Option<f64>,
    /// The column's alert firing or ending.
    pub transition: Option<Transition>,
}

/// The sequence that an online correction has come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sequence {
    Lord(Lord),
    Saffron(Saffron),
    ELond(ELond),
}

impl Sequence {
    fn new(rule: &PValueRule) -> Option<Self> {
        let alpha = rule.alpha;
        match rule.correction {
            Multiplicity::Columns(_) => None,
            Multiplicity::Lord { initial_wealth } => {
                Some(Self::Lord(Lord::new(alpha, alpha * initial_wealth)))
            }
            Multiplicity::Saffron {
                initial_wealth,
                candidate,
            } => Some(Self::Saffron(Saffron::new(
                alpha,
                alpha * initial_wealth,
                candidate,
            ))),
            Multiplicity::ELond { .. } => Some(Self::ELond(ELond::new(alpha))),
        }
    }

    /// The level in terms of the p-value, and whether this one is rejected.
    fn test(&mut self, p_value: f64, correction: Multiplicity) -> (f64, bool) {
        match self {
            Self::Lord(lord) => (lord.level(), lord.test(p_value)),
            Self::Saffron(saffron) => (saffron.level(), saffron.test(p_value)),
            Self::ELond(e_lond) => {
                let kappa = match correction {
                    Multiplicity::ELond { kappa } => kappa,
                    _ => 0.5,
                };
                // κ·p^(κ−1) ≥ 1/level, solved for p.
                let level = (kappa * e_lond.level()).powf(1.0 / (1.0 - kappa));
                (level, e_lond.test(e_value(p_value, kappa)))
            }
        }
    }
}

/// The life cycles of one [`PValueRule`] on one window of one model, version and segment: one alert for each column.
///
/// Columns are given in the same order at every close. Online corrections take them in that order, so columns that
/// matter come first.
///
/// ```
/// use driftline_detect::{PValueMachine, PValueRule, TestedColumn};
/// use driftline_event::Timestamp;
///
/// let rule = PValueRule::default();
/// let mut machine = PValueMachine::default();
/// let columns = [1e-6, 0.02, 0.7].map(|p| TestedColumn { p_value: Some(p), n: 1_000 });
/// let tested = machine.step(&rule, Timestamp::from_seconds(60), &columns);
/// let rejected: Vec<_> = tested.iter().map(|t| t.rejected).collect();
/// assert_eq!(rejected, [Some(true), Some(false), Some(false)]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PValueMachine {
    sequence: Option<Sequence>,
    machines: Vec<AlertMachine>,
}

impl PValueMachine {
    /// Where the alert of the column with this index stands.
    pub fn phase(&self, column: usize) -> Phase {
        self.machines
            .get(column)
            .map_or(Phase::Inactive, AlertMachine::phase)
    }

    /// Takes in one closed window; one answer for each column, in order.
    pub fn step(
        &mut self,
        rule: &PValueRule,
        at: Timestamp,
        columns: &[TestedColumn],
    ) -> Vec<Tested> {
        if self.machines.len() < columns.len() {
            self.machines.resize(columns.len(), AlertMachine::default());
        }
        let verdicts = self.decide(rule, columns);
        verdicts
            .into_iter()
            .zip(&mut self.machines)
            .map(|(verdict, machine)| Tested {
                rejected: verdict.map(|(_, rejected)| rejected),
                level: verdict.map(|(level, _)| level),
                transition: verdict.and_then(|(_, rejected)| {
                    let reading = if rejected {
                        Reading::Holds
                    } else {
                        Reading::Clear
                    };
                    machine.advance(&rule.persistence, at, reading)
                }),
            })
            .collect()
    }

    /// The level and the decision for each column that can be tested.
    fn decide(&mut self, rule: &PValueRule, columns: &[TestedColumn]) -> Vec<Option<(f64, bool)>> {
        let usable: Vec<Option<f64>> = columns
            .iter()
            .map(|c| c.p_value.filter(|p| !p.is_nan() && c.n >= rule.min_events))
            .collect();
        let Multiplicity::Columns(correction) = rule.correction else {
            if self.sequence.is_none() {
                self.sequence = Sequence::new(rule);
            }
            let Some(sequence) = &mut self.sequence else {
                return vec![None; columns.len()];
            };
            return usable
                .iter()
                .map(|p| p.map(|p| sequence.test(p, rule.correction)))
                .collect();
        };
        let p_values: Vec<f64> = usable.iter().flatten().copied().collect();
        let rejected = correction.reject(&p_values, rule.alpha);
        let level = correction.level(&rejected, rule.alpha);
        let mut rejected = rejected.into_iter();
        usable
            .iter()
            .map(|p| p.and_then(|_| rejected.next().map(|rejected| (level, rejected))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tested(p: f64) -> TestedColumn {
        TestedColumn {
            p_value: Some(p),
            n: 1_000,
        }
    }

    #[test]
    fn a_column_without_data_is_not_counted() {
        // Three columns at 0.01: the second passes Bonferroni only because the third has too few values.
        let rule = PValueRule {
            correction: Multiplicity::Columns(Correction::Bonferroni),
            ..PValueRule::default()
        };
        let few = TestedColumn {
            p_value: Some(0.0),
            n: 499,
        };
        let none = TestedColumn {
            p_value: None,
            n: 1_000,
        };
        let mut machine = PValueMachine::default();
        let at = Timestamp::from_seconds(60);
        let found = machine.step(&rule, at, &[tested(0.5), tested(0.005), few, none]);
        let rejected: Vec<_> = found.iter().map(|t| t.rejected).collect();
        assert_eq!(rejected, [Some(false), Some(true), None, None]);
        assert_eq!(found[0].level, Some(0.005));
        assert_eq!(
            found[1].transition,
            Some(Transition::Fired { started_at: at })
        );
        assert_eq!(
            (machine.phase(1), machine.phase(0), machine.phase(99)),
            (Phase::Firing, Phase::Inactive, Phase::Inactive)
        );
    }

    #[test]
    fn an_online_sequence_goes_on_over_closes_and_restarts() {
        let rule = PValueRule {
            correction: Multiplicity::Lord {
                initial_wealth: 0.5,
            },
            alpha: 0.05,
            ..PValueRule::default()
        };
        let mut machine = PValueMachine::default();
        let mut lord = Lord::new(0.05, 0.025);
        for (minute, p) in (1..).zip([0.3, 1e-6, 0.001, 0.2, 0.002, 0.9]) {
            let found = machine.step(&rule, Timestamp::from_seconds(60 * minute), &[tested(p)]);
            assert_eq!(found[0].level, Some(lord.level()));
            assert_eq!(found[0].rejected, Some(lord.test(p)));
            machine = serde_json::from_str(&serde_json::to_string(&machine).unwrap()).unwrap();
        }
    }

    #[test]
    fn names_everything_that_is_wrong() {
        let wrong = PValueRule {
            name: String::new(),
            test: Statistic::Psi,
            alpha: 0.0,
            correction: Multiplicity::Saffron {
                initial_wealth: 2.0,
                candidate: 1.0,
            },
            persistence: Persistence {
                for_closes: 4,
                of_closes: Some(3),
                ..Persistence::default()
            },
            ..PValueRule::default()
        };
        assert_eq!(wrong.problems().len(), 6);
        assert!(PValueRule::default().problems().is_empty());
    }

    proptest! {
        /// Rejected means at or below the level that is shown, for every correction but Holm's steps in between.
        #[test]
        fn the_level_separates(p in prop::collection::vec(0.0..0.1_f64, 1..20), which in 0_usize..8) {
            let correction = match which {
                5 => Multiplicity::Lord { initial_wealth: 0.5 },
                6 => Multiplicity::Saffron { initial_wealth: 0.5, candidate: 0.5 },
                7 => Multiplicity::ELond { kappa: 0.5 },
                batch => Multiplicity::Columns(Correction::ALL[batch]),
            };
            let rule = PValueRule { correction, alpha: 0.05, ..PValueRule::default() };
            let columns: Vec<TestedColumn> = p.iter().map(|&p| tested(p)).collect();
            let found = PValueMachine::default().step(&rule, Timestamp::from_seconds(60), &columns);
            for (p, found) in p.iter().zip(&found) {
                let level = found.level.unwrap();
                if (p - level).abs() > 1e-12 {
                    prop_assert_eq!(found.rejected, Some(*p <= level), "{} {}", p, level);
                }
            }
        }
    }
}
