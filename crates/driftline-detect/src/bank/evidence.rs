//! The recursion, and its arithmetic.

use serde::{Deserialize, Serialize};

use super::null::{LANES, valid};
use super::{Bank, ComponentId, Tally};

/// Evidence beyond this makes no difference to any alarm.
pub(super) const EVIDENCE_MAX: f32 = 1e30;
/// Relative error that a step's arithmetic stays below, and by which it errs downwards: 2^-20.
pub(super) const ROUNDING: f32 = 1.0 / 1_048_576.0;
/// What a sum of all components may lose to rounding.
const SUM_ROUNDING: f64 = 1.0 / 32_768.0;
/// A factor below 2 to this power is zero: nothing that it leaves could matter, and subnormal numbers are slow.
const EXPONENT_MIN: f32 = -100.0;
const EXPONENT_MAX: f32 = 126.0;

/// The evidence of one stream: a weighted sum of Shiryaev–Roberts e-processes, one for each component of its [`Bank`].
///
/// It may be stepped with banks of different references as long as their indicators are the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BankState {
    evidence: f64,
    /// By component, times its weight.
    components: Vec<f32>,
}

impl BankState {
    /// No evidence yet.
    pub fn new(bank: &Bank) -> Self {
        Self {
            evidence: 0.0,
            components: vec![0.0; bank.slopes.len()],
        }
    }

    /// Takes in one step. An indicator without trials, or with impossible ones, keeps its evidence.
    pub fn step(&mut self, bank: &Bank, tally: &Tally) {
        // A snapshot of another shape holds evidence about other things.
        if self.components.len() != bank.slopes.len() {
            *self = Self::new(bank);
        }
        let (components, _) = self.components.as_chunks_mut::<LANES>();
        let (slopes, _) = bank.slopes.as_chunks::<LANES>();
        let (drifts, _) = bank.drifts.as_chunks::<LANES>();
        let counts = tally.hits.iter().zip(&tally.trials);
        let mut sums = [0.0; LANES];
        let mut rest = components.iter_mut();
        for ((((evidence, slope), drift), null), (&hits, &trials)) in rest
            .by_ref()
            .zip(slopes)
            .zip(drifts)
            .zip(&bank.nulls)
            .zip(counts)
        {
            if let Some((hits, trials)) = valid(hits, trials) {
                let surplus = (hits - trials * null.rate) as f32;
                let slack = surplus.abs() * ROUNDING;
                // Slopes are positive upwards and negative downwards: either way the product comes out too small.
                let (up, down) = (surplus - slack, surplus + slack);
                let surplus = [up, down, up, down, up, down, up, down, up, down, up, down];
                step_lanes(evidence, slope, drift, surplus, trials as f32, null.weight);
            }
            for (sum, term) in sums.iter_mut().zip(evidence.iter()) {
                *sum += *term;
            }
        }
        // With a tally that is too short the others keep their evidence.
        for evidence in rest {
            for (sum, term) in sums.iter_mut().zip(evidence.iter()) {
                *sum += *term;
            }
        }
        let sum: f64 = sums.iter().map(|sum| f64::from(*sum)).sum();
        self.evidence = sum * (1.0 - SUM_ROUNDING);
    }

    /// M: how strongly the stream speaks for a drift beyond the tolerance. Never above its exact value; finite.
    pub fn evidence(&self) -> f64 {
        self.evidence
    }

    /// The component with the most evidence; the first of several.
    pub fn best(&self, bank: &Bank) -> ComponentId {
        let mut best = (0, 0.0);
        for (index, evidence) in self.components[..self.components.len().min(bank.slopes.len())]
            .iter()
            .enumerate()
        {
            if *evidence > best.1 {
                best = (index, *evidence);
            }
        }
        ComponentId::at(best.0)
    }

    /// Back to no evidence.
    pub fn reset(&mut self) {
        self.evidence = 0.0;
        self.components.fill(0.0);
    }

    /// How much memory the state takes, in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(self.components.as_slice())
    }
}

/// M ← (M + weight)·2^(surplus·slope + trials·drift), each lane a little too small.
#[inline(always)]
fn step_lanes(
    evidence: &mut [f32; LANES],
    slopes: &[f32; LANES],
    drifts: &[f32; LANES],
    surplus: [f32; LANES],
    trials: f32,
    weight: f32,
) {
    // Four at a time is what every x86-64 does at once.
    for start in (0..LANES).step_by(4) {
        let exponents: [f32; 4] = std::array::from_fn(|i| {
            surplus[start + i] * slopes[start + i] + trials * drifts[start + i]
        });
        let factors = exp2_below_each(exponents);
        for i in 0..4 {
            let grown = (evidence[start + i] + weight) * factors[i];
            evidence[start + i] = if grown < EVIDENCE_MAX {
                grown
            } else {
                EVIDENCE_MAX
            };
        }
    }
}

/// 2^x in each lane, at most its exact value and at least 1 − 2^-19 times it; zero below 2^-100.
///
/// Nothing but additions and multiplications in a fixed order, so that every machine gets the same bits.
#[inline(always)]
fn exp2_below_each(x: [f32; 4]) -> [f32; 4] {
    /// Adding it rounds to a whole number, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let map = |x: [f32; 4], f: fn(f32) -> f32| [f(x[0]), f(x[1]), f(x[2]), f(x[3])];
    let zip = |x: [f32; 4], y: [f32; 4], f: fn(f32, f32) -> f32| {
        [f(x[0], y[0]), f(x[1], y[1]), f(x[2], y[2]), f(x[3], y[3])]
    };
    let capped = map(x, |x| if x < EXPONENT_MAX { x } else { EXPONENT_MAX });
    let bounded = map(capped, |x| if x > EXPONENT_MIN { x } else { EXPONENT_MIN });
    let rounded = map(bounded, |x| x + ROUND);
    let r = zip(bounded, rounded, |x, rounded| x - (rounded - ROUND));
    // Minimax polynomial of relative error 8e-8 on [-1/2, 1/2], times 1 - 2^-20.
    let mut power = map(r, |r| P5 * r + P4);
    power = zip(power, r, |p, r| p * r + P3);
    power = zip(power, r, |p, r| p * r + P2);
    power = zip(power, r, |p, r| p * r + P1);
    power = zip(power, r, |p, r| p * r + P0);
    let scale = map(rounded, |x| {
        f32::from_bits(x.to_bits().wrapping_add(127) << 23)
    });
    let value = zip(power, scale, |p, s| p * s);
    zip(value, x, |v, x| if x > EXPONENT_MIN { v } else { 0.0 })
}

/// 2^x, rounded as in a step.
#[inline(always)]
pub(super) fn exp2_below(x: f32) -> f32 {
    exp2_below_each([x; 4])[0]
}

const P0: f32 = 0.999_999_1;
const P1: f32 = 0.693_146_3;
const P2: f32 = 0.240_220_97;
const P3: f32 = 0.055_507_08;
const P4: f32 = 0.009_675_532;
const P5: f32 = 0.001_327_646;
