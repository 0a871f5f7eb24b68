//! The simple rule for a model's performance: the mean of the last windows against a baseline.

use std::time::Duration;

use driftline_event::{Better, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AlertMachine, Observation, Persistence, Phase, Reading, Transition};

/// The most windows whose mean is formed, and that a baseline is learnt from.
pub const BASELINE_WINDOWS_MAX: u32 = 1_000;

/// Alerts while the mean of the last `windows` windows is worse than a baseline by more than a share `drop` of it.
///
/// **What it measures.** One metric's value of each window, such as accuracy or RMSE. With x̄ the plain mean of the last k =
/// `windows` windows that have enough evidence and b the baseline, the loss is b − x̄ where [higher](Better::Higher) is better,
/// x̄ − b where [lower](Better::Lower) is, and |x̄| − |b| where [zero](Better::Zero) is best.
///
/// **Formula.** It holds when there are k such windows and the loss exceeds the margin max(`drop`·|b|, `difference_min`), and is clear
/// when the loss is at most `clear_ratio` times that. For accuracy and k = 3, x = 0.05: alert while the mean of the last three
/// windows is below 0.95 times the baseline's. For b < 0, such as an R² below zero, the margin still is on the worse side.
///
/// **When not to use it.** Nobody knows its false-alarm rate beforehand: it depends on the number of labels in a
/// window, on k, and on how often windows close; with 100 labels in a window and an accuracy of 0.9 the mean of three windows
/// has a standard deviation of 0.017, a third of 0.05·0.9. Windows that overlap are one observation counted more than once. The
/// [indicator bank](crate::bank) on error indicators keeps a budget and takes in every label. It is here because it can be
/// explained in a sentence, and because many teams have it already.
///
/// **Where it comes from.** Practice; it has no paper. The baseline is what [`BaselineMachine::step`] is given, or else the mean of
/// the first `baseline_windows` windows.
///
/// ```
/// use driftline_detect::{BaselineMachine, BaselineRule, Observation, Transition};
/// use driftline_event::{Better, Timestamp};
///
/// let rule = BaselineRule { better: Better::Higher, windows: 2, drop: 0.1, ..BaselineRule::default() };
/// let mut machine = BaselineMachine::default();
/// let mut day = |day: i64, accuracy: f64| {
///     let at = Timestamp::from_seconds(86_400 * day);
///     machine.step(&rule, Some(0.9), Observation { at, value: Some(accuracy), n: 500 })
/// };
/// assert_eq!(day(1, 0.70), None, "one bad day is not two");
/// assert_eq!(day(2, 0.95), None, "a mean of 0.825 is above 0.9 × 0.9");
/// assert!(matches!(day(3, 0.66), Some(Transition::Fired { .. })), "a mean of 0.805 is not");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineRule {
    /// Which values are good; with [`Better::Neither`] the rule never holds.
    pub better: Better,
    /// How many windows the mean is of (k); at least 1, at most [`BASELINE_WINDOWS_MAX`].
    pub windows: u32,
    /// The share of the baseline that may be lost (x), such as 0.05.
    pub drop: f64,
    /// The least loss that counts, in the metric's own unit: a baseline of 0 has no shares.
    pub difference_min: f64,
    /// A window counts only if its value rests on at least so many labelled events.
    pub events_min: u64,
    /// A baseline that is not given is the mean of so many first windows; zero means one.
    pub baseline_windows: u32,
    /// Clear is a loss of at most so many times the margin; in 0 to 1.
    pub clear_ratio: f64,
    /// After it is resolved it does not fire again for so long, in event time.
    pub cooldown: Duration,
}

impl Default for BaselineRule {
    /// Three windows of at least 100 labels, a twentieth of a metric of which more is better; clear at half of that.
    fn default() -> Self {
        Self {
            better: Better::Higher,
            windows: 3,
            drop: 0.05,
            difference_min: 0.0,
            events_min: 100,
            baseline_windows: 7,
            clear_ratio: 0.5,
            cooldown: Duration::ZERO,
        }
    }
}

/// Why a [`BaselineRule`] cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BaselineRuleError {
    /// A number of windows is out of bounds.
    #[error("`{name}` must be from 1 to {BASELINE_WINDOWS_MAX}, not {value}")]
    Windows {
        /// Which.
        name: &'static str,
        /// What was given.
        value: u32,
    },
    /// A share or a difference is negative, or no number.
    #[error("`{name}` must be a number of at least 0, not {value}")]
    Negative {
        /// Which.
        name: &'static str,
        /// What was given.
        value: f64,
    },
    /// The clear ratio is outside 0 to 1.
    #[error("`clear_ratio` must be from 0 to 1, not {value}")]
    ClearRatio {
        /// What was given.
        value: f64,
    },
    /// Neither a share nor a difference is asked for, so that any loss would hold.
    #[error("`drop` and `difference_min` cannot both be 0")]
    NoMargin,
}

impl BaselineRule {
    /// Checks every parameter.
    ///
    /// # Errors
    ///
    /// The first that is out of bounds.
    pub fn check(&self) -> Result<(), BaselineRuleError> {
        let counts = [
            ("windows", self.windows),
            ("baseline_windows", self.baseline_windows),
        ];
        if let Some((name, value)) = counts
            .into_iter()
            .find(|(_, n)| !(1..=BASELINE_WINDOWS_MAX).contains(n))
        {
            return Err(BaselineRuleError::Windows { name, value });
        }
        let amounts = [("drop", self.drop), ("difference_min", self.difference_min)];
        let wrong = |(_, x): &(&str, f64)| !(x.is_finite() && *x >= 0.0);
        if let Some((name, value)) = amounts.into_iter().find(wrong) {
            return Err(BaselineRuleError::Negative { name, value });
        }
        if !(0.0..=1.0).contains(&self.clear_ratio) {
            let value = self.clear_ratio;
            return Err(BaselineRuleError::ClearRatio { value });
        }
        if self.drop == 0.0 && self.difference_min == 0.0 {
            return Err(BaselineRuleError::NoMargin);
        }
        Ok(())
    }

    /// What may be lost of this baseline.
    fn margin(&self, baseline: f64) -> f64 {
        (self.drop * baseline.abs()).max(self.difference_min)
    }

    /// What of the baseline is lost; negative if something was gained. None for a metric that only describes.
    fn loss(&self, mean: f64, baseline: f64) -> Option<f64> {
        match self.better {
            Better::Higher => Some(baseline - mean),
            Better::Lower => Some(mean - baseline),
            Better::Zero => Some(mean.abs() - baseline.abs()),
            Better::Neither => None,
        }
    }

    fn counts(&self, observation: Observation) -> Option<f64> {
        let enough = observation.n >= self.events_min;
        observation
            .value
            .filter(|value| value.is_finite() && enough)
    }
}

/// How the last windows stand to the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// The mean of the last windows.
    pub mean: f64,
    /// What it is compared with.
    pub baseline: f64,
    /// What of the baseline is lost; negative if something was gained.
    pub loss: f64,
    /// The loss beyond which the rule holds.
    pub margin: f64,
}

/// The life of the alert of one [`BaselineRule`] on one metric of one series.
///
/// A window without a value or with too few labels changes nothing, and neither do windows before there are enough of
/// them. A window that is seen again, because late labels have come, takes the place of what it was, as long as it is among
/// the last k. The state is a function of the observations alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BaselineMachine {
    /// The first windows, for a baseline that is not given.
    #[serde(default)]
    first: Vec<WindowValue>,
    /// The last windows by their ends, oldest first.
    #[serde(default)]
    last: Vec<WindowValue>,
    alert: AlertMachine,
}

/// A window that counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct WindowValue {
    at: Timestamp,
    value: f64,
}

impl BaselineMachine {
    /// Where the alert stands.
    pub const fn phase(&self) -> Phase {
        self.alert.phase()
    }

    /// Takes in a closed or revised window; `baseline` is what to compare with, or none to take the first windows.
    pub fn step(
        &mut self,
        rule: &BaselineRule,
        baseline: Option<f64>,
        observation: Observation,
    ) -> Option<Transition> {
        let at = observation.at;
        let value = rule.counts(observation)?;
        let window = WindowValue { at, value };
        if baseline.is_none() && !self.learnt(rule) {
            put(&mut self.first, window, usize::MAX);
            return None;
        }
        if let Some(first) = self.first.iter_mut().find(|first| first.at == at) {
            // A window of the baseline is not judged by it, but its late labels count.
            first.value = value;
            return None;
        }
        let known = self.last.iter().any(|window| window.at == at);
        let oldest = self.last.first().is_some_and(|window| at < window.at);
        put(&mut self.last, window, windows(rule.windows));
        if oldest && !known && self.last.first().is_none_or(|window| window.at != at) {
            // It is older than the last k.
            return None;
        }
        let standing = self.standing(rule, baseline)?;
        let reading = if standing.loss > standing.margin {
            Reading::Holds
        } else if standing.loss <= standing.margin * rule.clear_ratio {
            Reading::Clear
        } else {
            Reading::Between
        };
        let persistence = Persistence {
            cooldown: rule.cooldown,
            ..Persistence::default()
        };
        let now = self.last.last().map_or(at, |window| window.at);
        self.alert.advance(&persistence, now, reading)
    }

    /// How the last windows stand to the baseline; none while there are too few.
    pub fn standing(&self, rule: &BaselineRule, baseline: Option<f64>) -> Option<Standing> {
        let own = || self.learnt(rule).then(|| mean(&self.first)).flatten();
        let baseline = baseline.or_else(own).filter(|b| b.is_finite())?;
        let enough = self.last.len() >= windows(rule.windows);
        let mean = mean(&self.last).filter(|_| enough)?;
        Some(Standing {
            mean,
            baseline,
            loss: rule.loss(mean, baseline)?,
            margin: rule.margin(baseline),
        })
    }

    /// Whether there are enough first windows.
    fn learnt(&self, rule: &BaselineRule) -> bool {
        self.first.len() >= windows(rule.baseline_windows)
    }
}

fn windows(asked: u32) -> usize {
    asked.clamp(1, BASELINE_WINDOWS_MAX) as usize
}

/// Puts a window in its place, or into that of itself, and forgets the oldest of too many.
fn put(into: &mut Vec<WindowValue>, window: WindowValue, most: usize) {
    match into.binary_search_by_key(&window.at, |known| known.at) {
        Ok(place) => into[place] = window,
        Err(place) => into.insert(place, window),
    }
    let surplus = into.len().saturating_sub(most);
    into.drain(..surplus);
}

fn mean(windows: &[WindowValue]) -> Option<f64> {
    let n = windows.len();
    (n > 0).then(|| windows.iter().map(|window| window.value).sum::<f64>() / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(better: Better) -> BaselineRule {
        BaselineRule {
            better,
            windows: 2,
            drop: 0.1,
            baseline_windows: 2,
            ..BaselineRule::default()
        }
    }

    fn seen(at: i64, value: f64) -> Observation {
        Observation {
            at: Timestamp::from_seconds(at),
            value: Some(value),
            n: 1_000,
        }
    }

    /// The phases after each value, the i-th at time i.
    fn phases(rule: &BaselineRule, baseline: Option<f64>, values: &[f64]) -> Vec<Phase> {
        let mut machine = BaselineMachine::default();
        let step = |(i, value): (usize, &f64)| {
            machine.step(rule, baseline, seen(i as i64, *value));
            machine.phase()
        };
        values.iter().enumerate().map(step).collect()
    }

    const OFF: Phase = Phase::Inactive;
    const ON: Phase = Phase::Firing;

    #[test]
    fn higher_is_better() {
        let rule = rule(Better::Higher);
        let values = [0.5, 0.8, 0.8, 0.85, 0.87, 0.9];
        // Means 0.65, 0.8, 0.825, 0.86, 0.885; it holds below 0.81 and is clear from 0.855 on.
        let expected = [OFF, ON, ON, ON, OFF, OFF];
        assert_eq!(phases(&rule, Some(0.9), &values), expected);
    }

    #[test]
    fn lower_is_better() {
        let rule = rule(Better::Lower);
        let values = [10.0, 11.9, 12.2, 11.0, 10.0, 10.0];
        // Means 10.95, 12.05, 11.6, 10.5, 10; it holds above 11 and is clear up to 10.5.
        let expected = [OFF, OFF, ON, ON, OFF, OFF];
        assert_eq!(phases(&rule, Some(10.0), &values), expected);
    }

    #[test]
    fn near_zero_is_best_and_a_zero_baseline_needs_a_difference() {
        let rule = BaselineRule {
            difference_min: 0.5,
            ..rule(Better::Zero)
        };
        let values = [-0.4, -0.5, -0.7, 0.7, 0.0];
        let expected = [OFF, OFF, ON, OFF, OFF];
        assert_eq!(phases(&rule, Some(0.0), &values), expected);
        let described = BaselineRule {
            better: Better::Neither,
            ..rule
        };
        assert_eq!(phases(&described, Some(0.0), &values), [OFF; 5]);
    }

    #[test]
    fn a_negative_baseline_has_its_margin_on_the_worse_side() {
        let rule = rule(Better::Higher);
        let values = [-0.2, -0.2, -0.23, -0.23];
        assert_eq!(phases(&rule, Some(-0.2), &values), [OFF, OFF, OFF, ON]);
    }

    #[test]
    fn the_first_windows_are_the_baseline() {
        let rule = rule(Better::Higher);
        let values = [0.8, 1.0, 0.7, 0.9, 0.7];
        // The baseline is 0.9; the means after it are 0.8 and 0.8.
        assert_eq!(phases(&rule, None, &values), [OFF, OFF, OFF, ON, ON]);
    }

    #[test]
    fn windows_with_too_little_evidence_change_nothing() {
        let rule = rule(Better::Higher);
        let mut machine = BaselineMachine::default();
        for (at, value, n) in [
            (1, Some(0.1), 99),
            (2, None, 1_000),
            (3, Some(f64::NAN), 1_000),
            (4, Some(0.1), 100),
        ] {
            let at = Timestamp::from_seconds(at);
            let before = machine.clone();
            assert_eq!(
                machine.step(&rule, Some(0.9), Observation { at, value, n }),
                None
            );
            assert_eq!(machine == before, n < 100 || value.is_none_or(f64::is_nan));
        }
        assert_eq!(
            machine.standing(&rule, Some(0.9)),
            None,
            "one window is not two"
        );
    }

    #[test]
    fn late_labels_revise_a_window() {
        let rule = rule(Better::Higher);
        let mut machine = BaselineMachine::default();
        let mut step = |at, value| machine.step(&rule, Some(0.9), seen(at, value));
        assert_eq!(step(1, 0.7), None);
        assert!(matches!(step(2, 0.7), Some(Transition::Fired { .. })));
        let resolved = step(1, 1.1);
        let now = Timestamp::from_seconds(2);
        assert_eq!(
            resolved,
            Some(Transition::Resolved {
                started_at: now,
                ended_at: now
            })
        );
        assert_eq!(step(0, 0.0), None, "older than the last two");
        assert!(matches!(step(3, 0.7), Some(Transition::Fired { .. })));
    }

    #[test]
    fn rules_that_cannot_be_used() {
        let rule = BaselineRule::default();
        assert_eq!(rule.check(), Ok(()));
        for wrong in [
            BaselineRule {
                windows: 0,
                ..rule.clone()
            },
            BaselineRule {
                baseline_windows: 1_001,
                ..rule.clone()
            },
            BaselineRule {
                drop: -0.1,
                ..rule.clone()
            },
            BaselineRule {
                difference_min: f64::NAN,
                ..rule.clone()
            },
            BaselineRule {
                drop: 0.0,
                ..rule.clone()
            },
            BaselineRule {
                clear_ratio: 1.1,
                ..rule.clone()
            },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }
}
