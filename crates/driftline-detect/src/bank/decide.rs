//! When the streams' evidence is an alarm, whose it is, and what follows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Bank, BankState, ComponentId, Tally};
use crate::bounded_loss::{BoundedLoss, BoundedLossState, LossComponent, LossTally};

/// The month of the budget.
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// Evidence that adds up to less than this part of the threshold in some order is below it in any order: sums of up to
/// 2^40 terms err by less.
const CERTAINLY_BELOW: f64 = 0.999;

/// The threshold c = T/N: steps in a month over the alarms that it may have. Infinite if it may have none.
///
/// ```
/// use std::time::Duration;
/// use driftline_detect::bank::threshold;
/// assert_eq!(threshold(1.0, Duration::from_secs(60)), 43_200.0);
/// ```
pub fn threshold(alarms_per_month: f64, step: Duration) -> f64 {
    let steps = MONTH.as_secs_f64() / step.as_secs_f64();
    if alarms_per_month > 0.0 {
        steps / alarms_per_month
    } else {
        f64::INFINITY
    }
}

/// The streams that an alarm is about, as indices into `weighted`, which holds ωM of each watched stream; empty without
/// an alarm.
///
/// There is an alarm when the sum is at least `threshold`. It is about the streams with the most evidence: as many as it
/// takes for their sum to reach the threshold and for what is left to fall below it. The first condition pays for the
/// alarm in the proof; the second says all of a wide drift at once instead of step by step.
pub fn decide(weighted: &[f64], threshold: f64) -> Vec<usize> {
    let value = |i: usize| {
        let value = weighted.get(i).copied().unwrap_or(0.0);
        if value > 0.0 { value } else { 0.0 }
    };
    // As a rule there is no alarm, and sorting is not worth it. Rounding cannot make up the difference.
    if (0..weighted.len()).map(value).sum::<f64>() < threshold * CERTAINLY_BELOW {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..weighted.len()).filter(|i| value(*i) > 0.0).collect();
    order.sort_by(|a, b| value(*b).total_cmp(&value(*a)));
    // What is left once the streams before an index are removed, by index. Small terms first, for the sum's sake.
    let mut left = vec![0.0; order.len() + 1];
    for (i, stream) in order.iter().enumerate().rev() {
        left[i] = left[i + 1] + value(*stream);
    }
    let mut removed = 0.0;
    let mut count = 0;
    if left[0] >= threshold {
        while count < order.len() && (removed < threshold || left[count] >= threshold) {
            removed += value(order[count]);
            count += 1;
        }
    }
    order.truncate(count);
    order
}

/// What [`Latch::step`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatchEvent {
    /// The stream has gathered a whole alarm's evidence again: the drift goes on, perhaps as another one. No event is
    /// due.
    Refreshed,
    /// The share is back within the tolerance: the alert is over, and the stream is watched again.
    Cleared,
}

/// What one stream has gathered: evidence that [`decide`] and [`Latch`] can work with, whatever it is about.
pub trait StreamEvidence {
    /// What the stream is tested against.
    type Test;
    /// What a step counts.
    type Tally;
    /// A member of the mixture: what an alert is about.
    type Component: Copy;

    /// No evidence yet.
    fn new(test: &Self::Test) -> Self;
    /// Whether a step says nothing at all.
    fn is_empty(tally: &Self::Tally) -> bool;
    /// Takes in one step.
    fn step(&mut self, test: &Self::Test, tally: &Self::Tally);
    /// M.
    fn evidence(&self) -> f64;
    /// The component with the most evidence.
    fn best(&self, test: &Self::Test) -> Self::Component;
    /// Back to no evidence.
    fn reset(&mut self);
    /// The logarithm of a step's evidence that what a component is about is no longer so.
    fn return_log_ratio(test: &Self::Test, of: Self::Component, tally: &Self::Tally) -> f64;
}

impl StreamEvidence for BankState {
    type Test = Bank;
    type Tally = Tally;
    type Component = ComponentId;

    fn new(test: &Bank) -> Self {
        Self::new(test)
    }

    fn is_empty(tally: &Tally) -> bool {
        tally.is_empty()
    }

    fn step(&mut self, test: &Bank, tally: &Tally) {
        Self::step(self, test, tally);
    }

    fn evidence(&self) -> f64 {
        Self::evidence(self)
    }

    fn best(&self, test: &Bank) -> ComponentId {
        Self::best(self, test)
    }

    fn reset(&mut self) {
        Self::reset(self);
    }

    fn return_log_ratio(test: &Bank, of: ComponentId, tally: &Tally) -> f64 {
        let (hits, trials) = tally.of(of.indicator);
        test.return_log_ratio(of, hits, trials)
    }
}

impl StreamEvidence for BoundedLossState {
    type Test = BoundedLoss;
    type Tally = LossTally;
    type Component = LossComponent;

    fn new(test: &BoundedLoss) -> Self {
        Self::new(test)
    }

    fn is_empty(tally: &LossTally) -> bool {
        tally.n() <= 0.0
    }

    fn step(&mut self, test: &BoundedLoss, tally: &LossTally) {
        Self::step(self, test, tally);
    }

    fn evidence(&self) -> f64 {
        Self::evidence(self)
    }

    fn best(&self, _: &BoundedLoss) -> LossComponent {
        Self::best(self)
    }

    fn reset(&mut self) {
        Self::reset(self);
    }

    fn return_log_ratio(test: &BoundedLoss, of: LossComponent, tally: &LossTally) -> f64 {
        test.return_log_ratio(of.direction, tally)
    }
}

/// Whether a stream is watched, or has an alert that goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latch<C = ComponentId> {
    /// The stream's evidence takes part in the sum.
    #[default]
    Watching,
    /// The alert is on; the stream's evidence does not take part.
    Latched {
        /// What the alert is about.
        component: C,
        /// R: how strongly the stream speaks for a return.
        return_evidence: f64,
    },
}

impl<C: Copy> Latch<C> {
    /// Whether the stream's evidence takes part in the sum.
    pub fn is_watching(&self) -> bool {
        matches!(self, Self::Watching)
    }

    /// What the alert is about, while there is one.
    pub fn component(&self) -> Option<C> {
        match self {
            Self::Watching => None,
            Self::Latched { component, .. } => Some(*component),
        }
    }

    /// Begins the alert of a stream that [`decide`] has named: its evidence is spent.
    pub fn latch<S>(&mut self, test: &S::Test, state: &mut S)
    where
        S: StreamEvidence<Component = C>,
    {
        *self = Self::Latched {
            component: state.best(test),
            return_evidence: 1.0,
        };
        state.reset();
    }

    /// Steps the stream's evidence and, while latched, the evidence of its return.
    ///
    /// `refresh` is the threshold of the stream's own evidence, c/ω. The latch clears when the return evidence is at least
    /// `clear_evidence`.
    pub fn step<S>(
        &mut self,
        test: &S::Test,
        state: &mut S,
        tally: &S::Tally,
        refresh: f64,
        clear_evidence: f64,
    ) -> Option<LatchEvent>
    where
        S: StreamEvidence<Component = C>,
    {
        state.step(test, tally);
        let Self::Latched {
            component,
            return_evidence,
        } = self
        else {
            return None;
        };
        let ratio = libm::exp(S::return_log_ratio(test, *component, tally));
        // The largest double is as good as certainty, and stays a number in a snapshot.
        *return_evidence = (return_evidence.max(1.0) * ratio).min(f64::MAX);
        if state.evidence() >= refresh {
            self.latch(test, state);
            return Some(LatchEvent::Refreshed);
        }
        if *return_evidence >= clear_evidence {
            *self = Self::Watching;
            state.reset();
            return Some(LatchEvent::Cleared);
        }
        None
    }
}
