//! The recursion.

use serde::{Deserialize, Serialize};

use super::{BoundedLoss, COMPONENTS, LossComponent, LossTally};

/// Evidence beyond this makes no difference to any alarm.
const EVIDENCE_MAX: f64 = 1e30;
/// What products and sums of evidence may lose to rounding in a step.
const ROUNDING: f64 = 1.0 / (1_u64 << 40) as f64;

/// The evidence of one stream of bounded losses: a weighted sum of Shiryaev–Roberts e-processes, one for each component
/// of its [`BoundedLoss`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Snapshot", into = "Snapshot")]
pub struct BoundedLossState {
    evidence: f64,
    /// By component, times its weight.
    components: Vec<f64>,
    /// μ: the mean that the next step is thought to have.
    predicted: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    components: Vec<f64>,
    predicted: f64,
}

impl From<Snapshot> for BoundedLossState {
    /// What cannot be evidence is none.
    fn from(snapshot: Snapshot) -> Self {
        let is_evidence = |x: f64| (0.0..=EVIDENCE_MAX).contains(&x);
        let only = |x: f64| if is_evidence(x) { x } else { 0.0 };
        let components: Vec<f64> = snapshot.components.into_iter().map(only).collect();
        let mut state = Self {
            evidence: 0.0,
            predicted: if snapshot.predicted.is_nan() {
                0.5
            } else {
                snapshot.predicted.clamp(0.0, 1.0)
            },
            components,
        };
        state.sum();
        state
    }
}

impl From<BoundedLossState> for Snapshot {
    fn from(state: BoundedLossState) -> Self {
        Self {
            components: state.components,
            predicted: state.predicted,
        }
    }
}

impl BoundedLossState {
    /// No evidence yet.
    pub fn new(test: &BoundedLoss) -> Self {
        Self {
            evidence: 0.0,
            components: vec![0.0; COMPONENTS],
            predicted: test.mean,
        }
    }

    /// Takes in one step. Without losses everything stays as it is.
    pub fn step(&mut self, test: &BoundedLoss, tally: &LossTally) {
        // A snapshot of another shape holds evidence about other things.
        if self.components.len() != COMPONENTS {
            *self = Self::new(test);
        }
        // Beyond these bounds nothing was counted.
        if !(1e-12..=1e20).contains(&tally.n()) {
            return;
        }
        for (index, evidence) in self.components.iter_mut().enumerate() {
            let weight = test.weights[index];
            if weight <= 0.0 {
                *evidence = 0.0;
                continue;
            }
            let component = LossComponent::at(index);
            let log = test.log_ratio(component, tally, self.predicted);
            let start = weight * (test.starts[index] * tally.n()).min(1.0);
            // Beyond e^700 the product is above the cap, whatever the evidence was.
            let grown = (*evidence + start) * libm::exp(log.min(700.0)) * (1.0 - ROUNDING);
            *evidence = grown.min(EVIDENCE_MAX);
        }
        self.sum();
        let off = tally.sum() - tally.n() * self.predicted;
        let next = self.predicted + off / (tally.n() + test.memory);
        self.predicted = next.clamp(0.0, 1.0);
    }

    /// M: how strongly the stream speaks for a mean beyond the tolerance. Never above its exact value; finite.
    pub fn evidence(&self) -> f64 {
        self.evidence
    }

    /// μ, 0 to 1.
    pub fn predicted(&self) -> f64 {
        self.predicted
    }

    /// The component with the most evidence; the first of several.
    pub fn best(&self) -> LossComponent {
        let mut best = (0, 0.0);
        for (index, evidence) in self.components.iter().enumerate().take(COMPONENTS) {
            if *evidence > best.1 {
                best = (index, *evidence);
            }
        }
        LossComponent::at(best.0)
    }

    /// Back to no evidence. What was learnt of the mean stays.
    pub fn reset(&mut self) {
        self.evidence = 0.0;
        self.components.fill(0.0);
    }

    /// How much memory the state takes, in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(self.components.as_slice())
    }

    fn sum(&mut self) {
        self.evidence = self.components.iter().sum::<f64>() * (1.0 - ROUNDING);
    }
}
