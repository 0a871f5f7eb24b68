//! What a threshold rule asks.

use std::time::Duration;

use driftline_event::{Severity, Statistic};

use crate::machine::{Persistence, Reading};

/// Raises an alert while a statistic is at or above a threshold.
///
/// **What it measures.** Nothing of its own: it compares one [`Statistic`] of a closed window with a number.
///
/// **When not to use it.** A threshold on a distance has a false-alarm rate that depends on the sample size,
/// the number of columns and how often windows close; nobody knows it beforehand. Compare the threshold with
/// the statistic's floor at `min_events`, and use `for_closes` against single odd windows.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdRule {
    /// The rule's name, unique within its model; part of the alert's fingerprint.
    pub name: String,
    /// What is compared.
    pub statistic: Statistic,
    /// The rule holds when the value is at or above this.
    pub threshold: f64,
    /// The rule looks at a window only if the statistic rests on at least so many values.
    pub min_events: u64,
    /// How many closes the rule must hold before it fires; zero means one. In a row, unless `of_closes` is given.
    pub for_closes: u32,
    /// Lets the rule fire when it held at `for_closes` of the last so many closes; none means in a row.
    pub of_closes: Option<u32>,
    /// How many closes in a row it must be clear before it is resolved; zero means one.
    pub clear_closes: u32,
    /// A close is clear when the value is below `threshold` times this; in (0, 1].
    pub clear_ratio: f64,
    /// After it is resolved it does not fire again for so long, in event time.
    pub cooldown: Duration,
    /// How bad it is when it fires.
    pub severity: Severity,
    /// The windows that the rule looks at, by name; empty means every window.
    pub windows: Vec<String>,
    /// The columns that the rule looks at, by name; empty means every column.
    pub columns: Vec<String>,
}

impl Default for ThresholdRule {
    /// PSI at or above 0.2 on at least 500 values, fires at the first close, clears once below 0.16.
    fn default() -> Self {
        Self {
            name: "psi".to_owned(),
            statistic: Statistic::Psi,
            threshold: 0.2,
            min_events: 500,
            for_closes: 1,
            of_closes: None,
            clear_closes: 1,
            clear_ratio: 0.8,
            cooldown: Duration::ZERO,
            severity: Severity::Warning,
            windows: Vec::new(),
            columns: Vec::new(),
        }
    }
}

/// Why a rule cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// The rule has no name.
    #[error("a rule needs a name")]
    NoName,
    /// The threshold is not a positive finite number.
    #[error("rule `{rule}`: the threshold must be a positive number, not {threshold}")]
    Threshold {
        /// The rule's name.
        rule: String,
        /// What was given.
        threshold: f64,
    },
    /// The clear ratio is outside (0, 1].
    #[error("rule `{rule}`: clear_ratio must be above 0 and at most 1, not {clear_ratio}")]
    ClearRatio {
        /// The rule's name.
        rule: String,
        /// What was given.
        clear_ratio: f64,
    },
    /// The rule asks for more closes than it looks back on, or looks back too far.
    #[error(
        "rule `{rule}`: of_closes must be from {for_closes} (for_closes) to {OF_CLOSES_MAX}, not {of_closes}"
    )]
    OfCloses {
        /// The rule's name.
        rule: String,
        /// How many closes it must hold.
        for_closes: u32,
        /// Of how many.
        of_closes: u32,
    },
    /// A level of significance is outside (0, 1).
    #[error("rule `{rule}`: alpha must be above 0 and below 1, not {alpha}")]
    Alpha {
        /// The rule's name.
        rule: String,
        /// What was given.
        alpha: f64,
    },
    /// The statistic has no p-value.
    #[error("rule `{rule}`: {statistic} has no p-value; take ks or chi_square")]
    NoPValue {
        /// The rule's name.
        rule: String,
        /// What was given.
        statistic: Statistic,
    },
    /// A parameter of a correction is outside its range.
    #[error("rule `{rule}`: {parameter} must be {range}, not {value}")]
    Correction {
        /// The rule's name.
        rule: String,
        /// The parameter's name.
        parameter: &'static str,
        /// Where it may lie.
        range: &'static str,
        /// What was given.
        value: f64,
    },
    /// A quorum that no columns, or all at any time, make up.
    #[error("rule `{rule}`: a quorum must be at least one column or a share above 0 and at most 1")]
    Quorum {
        /// The rule's name.
        rule: String,
    },
}

/// The most closes that a rule looks back on.
pub const OF_CLOSES_MAX: u32 = 10_000;

/// Checks `of_closes` against `for_closes`.
pub(crate) fn of_closes_problem(
    rule: &str,
    for_closes: u32,
    of_closes: Option<u32>,
) -> Option<RuleError> {
    let of_closes = of_closes?;
    let possible = for_closes.max(1)..=OF_CLOSES_MAX;
    (!possible.contains(&of_closes)).then(|| RuleError::OfCloses {
        rule: rule.to_owned(),
        for_closes,
        of_closes,
    })
}

/// Whether a list of names means this one; an empty list means all.
pub(crate) fn names(list: &[String], name: &str) -> bool {
    list.is_empty() || list.iter().any(|n| n == name)
}

impl ThresholdRule {
    /// Everything that is wrong with the rule.
    pub fn problems(&self) -> Vec<RuleError> {
        let mut problems = Vec::new();
        if self.name.is_empty() {
            problems.push(RuleError::NoName);
        }
        if !(self.threshold.is_finite() && self.threshold > 0.0) {
            let (rule, threshold) = (self.name.clone(), self.threshold);
            problems.push(RuleError::Threshold { rule, threshold });
        }
        if !(self.clear_ratio > 0.0 && self.clear_ratio <= 1.0) {
            let (rule, clear_ratio) = (self.name.clone(), self.clear_ratio);
            problems.push(RuleError::ClearRatio { rule, clear_ratio });
        }
        problems.extend(of_closes_problem(
            &self.name,
            self.for_closes,
            self.of_closes,
        ));
        problems
    }

    /// Whether the rule looks at this window of this column.
    pub fn applies_to(&self, window: &str, column: &str) -> bool {
        names(&self.windows, window) && names(&self.columns, column)
    }

    /// How long it must hold and be clear.
    pub const fn persistence(&self) -> Persistence {
        Persistence {
            for_closes: self.for_closes,
            of_closes: self.of_closes,
            clear_closes: self.clear_closes,
            cooldown: self.cooldown,
        }
    }

    /// What a value says: the rule holds, is clear, or is in between.
    pub fn read(&self, value: f64) -> Reading {
        if self.holds(value) {
            Reading::Holds
        } else if self.is_clear(value) {
            Reading::Clear
        } else {
            Reading::Between
        }
    }

    /// Whether `value` makes the rule hold.
    pub fn holds(&self, value: f64) -> bool {
        value >= self.threshold
    }

    /// Whether `value` is so far below the threshold that a firing alert may end.
    pub fn is_clear(&self, value: f64) -> bool {
        value < self.threshold * self.clear_ratio
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_everything_that_is_wrong() {
        let rule = ThresholdRule {
            name: String::new(),
            threshold: f64::NAN,
            clear_ratio: 1.5,
            for_closes: 3,
            of_closes: Some(2),
            ..ThresholdRule::default()
        };
        assert_eq!(rule.problems().len(), 4);
        assert!(ThresholdRule::default().problems().is_empty());
    }

    #[test]
    fn an_empty_list_means_all() {
        let mut rule = ThresholdRule::default();
        assert!(rule.applies_to("1h", "x"));
        rule.windows = vec!["24h".to_owned()];
        assert!(!rule.applies_to("1h", "x") && rule.applies_to("24h", "x"));
        rule.columns = vec!["y".to_owned()];
        assert!(!rule.applies_to("24h", "x") && rule.applies_to("24h", "y"));
    }
}
