//! The recursion, and its arithmetic.

use serde::{Deserialize, Serialize};

use super::null::{LANE_WEIGHTS, LANES, valid};
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
#[serde(from = "Vec<f32>", into = "Vec<f32>")]
pub struct BankState {
    evidence: f64,
    /// By component, times its weight.
    components: Vec<f32>,
}

impl From<Vec<f32>> for BankState {
    /// From a snapshot. What cannot be evidence is none.
    fn from(mut components: Vec<f32>) -> Self {
        for evidence in &mut components {
            let is_evidence = (0.0..=EVIDENCE_MAX).contains(evidence);
            *evidence = if is_evidence { *evidence } else { 0.0 };
        }
        Self {
            evidence: sum(&components),
            components,
        }
    }
}

impl From<BankState> for Vec<f32> {
    fn from(state: BankState) -> Self {
        state.components
    }
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
        let mut counts = tally.hits.iter().zip(&tally.trials);
        for (((evidence, slope), drift), null) in components
            .iter_mut()
            .zip(slopes)
            .zip(drifts)
            .zip(&bank.nulls)
        {
            // An indicator that the tally lacks has no trials.
            let (&hits, &trials) = counts.next().unwrap_or((&0.0, &0.0));
            if let Some((hits, trials)) = valid(hits, trials) {
                let surplus = (hits - trials * null.rate) as f32;
                let slack = surplus.abs() * ROUNDING;
                // Slopes are positive upwards and negative downwards: either way the product comes out too small.
                let (up, down) = (surplus - slack, surplus + slack);
                let surplus = [up, down, up, down, up, down, up, down, up, down, up, down];
                let start = Start {
                    weight: null.weight,
                    per_drift: bank.starting,
                };
                step_lanes(evidence, slope, drift, surplus, trials as f32, start);
            }
        }
        self.evidence = sum(&self.components);
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

/// The sum, or a little less.
fn sum(components: &[f32]) -> f64 {
    let mut sums = [0.0_f32; LANES];
    for block in components.as_chunks::<LANES>().0 {
        for (sum, term) in sums.iter_mut().zip(block) {
            *sum += *term;
        }
    }
    let total: f64 = sums.iter().map(|sum| f64::from(*sum)).sum();
    total * (1.0 - SUM_ROUNDING)
}

/// What components start with in a step.
#[derive(Clone, Copy)]
pub(super) struct Start {
    pub(super) weight: f32,
    /// [`Bank::starting`].
    pub(super) per_drift: f32,
}

impl Start {
    /// What the component in a lane starts with that expects to lose `expected` in this step.
    #[inline(always)]
    pub(super) fn of(self, lane: usize, expected: f32) -> f32 {
        let share = expected * self.per_drift;
        let weight = self.weight * LANE_WEIGHTS[lane];
        weight * if share < 1.0 { share } else { 1.0 }
    }
}

/// M ← (M + start)·2^(surplus·slope + trials·drift), each lane a little too small.
#[inline(always)]
fn step_lanes(
    evidence: &mut [f32; LANES],
    slopes: &[f32; LANES],
    drifts: &[f32; LANES],
    surplus: [f32; LANES],
    trials: f32,
    start: Start,
) {
    // Four at a time is what every x86-64 does at once.
    for first in (0..LANES).step_by(4) {
        let expected: [f32; 4] = std::array::from_fn(|i| trials * drifts[first + i]);
        let exponents: [f32; 4] =
            std::array::from_fn(|i| surplus[first + i] * slopes[first + i] + expected[i]);
        let factors = exp2_below_each(exponents);
        for i in 0..4 {
            let grown = (evidence[first + i] + start.of(first + i, expected[i])) * factors[i];
            evidence[first + i] = if grown < EVIDENCE_MAX {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::{BankOptions, Direction, Indicators};

    fn bank(rate: f64, options: &BankOptions) -> Bank {
        let reference = Tally {
            hits: vec![rate * 1e5],
            trials: vec![1e5],
        };
        Bank::new(&Indicators::rates(1), &reference, options)
    }

    /// ln of the binomial coefficient n over k.
    fn log_choose(n: f64, k: f64) -> f64 {
        libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0)
    }

    /// The means of a step's factors over a binomial number of hits.
    fn mean_factors(bank: &Bank, n: f64, p: f64) -> [f64; LANES] {
        let (middle, reach) = (n * p, 14.0 * (n * p * (1.0 - p)).sqrt() + 40.0);
        let mut means = [0.0; LANES];
        let mut state = BankState::new(bank);
        let mut hits = (middle - reach).max(0.0).floor();
        while hits <= (middle + reach).min(n) {
            let log = log_choose(n, hits) + hits * p.ln() + (n - hits) * (-p).ln_1p();
            state.reset();
            let tally = Tally {
                hits: vec![hits],
                trials: vec![n],
            };
            state.step(bank, &tally);
            for (mean, evidence) in means.iter_mut().zip(&state.components) {
                *mean += log.exp() * f64::from(*evidence);
            }
            hits += 1.0;
        }
        let mut lane = 0;
        means.map(|mean| {
            let weight = weight(bank, lane);
            lane += 1;
            if mean > 0.0 { mean / weight } else { 0.0 }
        })
    }

    /// What the component in a lane starts with.
    fn weight(bank: &Bank, lane: usize) -> f64 {
        f64::from(bank.nulls[0].weight * LANE_WEIGHTS[lane])
    }

    #[test]
    fn no_factor_has_a_mean_above_one_anywhere_in_the_band() {
        for (tolerance, dispersion) in [(0.0, 1.0), (0.1, 1.0), (0.05, 3.0)] {
            let options = BankOptions {
                tolerance,
                dispersion,
                ..BankOptions::default()
            };
            for rate in [0.0, 1e-3, 0.02, 0.3, 0.5, 0.9, 1.0] {
                let bank = bank(rate, &options);
                let (low, high) = bank.tolerated(0);
                for n in [1.0, 7.0, 60.0, 1_000.0, 20_000.0] {
                    for p in [low, rate, 0.5 * (low + high), high] {
                        if p > 0.0 && p < 1.0 {
                            let means = mean_factors(&bank, n, p);
                            // The binomial probabilities are good to 1e-9.
                            let worst = means.into_iter().fold(0.0, f64::max);
                            assert!(worst <= 1.0 + 1e-8, "{worst} at {rate} {n} {p} {options:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn at_the_edge_the_mean_is_one_but_for_the_rounding() {
        let bank = bank(0.3, &BankOptions::default());
        let (low, high) = bank.tolerated(0);
        for (p, direction) in [(high, Direction::Up), (low, Direction::Down)] {
            let means = mean_factors(&bank, 50.0, p);
            for (index, mean) in means.into_iter().enumerate() {
                if ComponentId::at(index).direction == direction {
                    assert!((1.0 - 1e-3..1.0).contains(&mean), "{index}: {mean}");
                } else {
                    assert!(mean < 1.0);
                }
            }
        }
    }

    #[test]
    fn fractional_hits_are_covered_too() {
        let bank = bank(0.4, &BankOptions::default());
        let (low, high) = bank.tolerated(0);
        for p in [low, 0.4, high] {
            // A third, with the rest of the mean on one: two trials of it.
            let third = 1.5 * (1.0 - p);
            let values = [(1.0 / 3.0, third), (1.0, 1.0 - third)];
            let mut means = [0.0; LANES];
            for (a, of_a) in values {
                for (b, of_b) in values {
                    let mut state = BankState::new(&bank);
                    let tally = Tally {
                        hits: vec![a + b],
                        trials: vec![2.0],
                    };
                    state.step(&bank, &tally);
                    for (mean, evidence) in means.iter_mut().zip(&state.components) {
                        *mean += of_a * of_b * f64::from(*evidence);
                    }
                }
            }
            let is_fair = |(lane, mean): (usize, f64)| mean <= weight(&bank, lane) * (1.0 + 1e-7);
            assert!(means.into_iter().enumerate().all(is_fair), "{means:?}");
        }
    }

    #[test]
    fn powers_of_two_are_just_below_the_exact_ones() {
        for i in -1_010_000..=1_250_000 {
            let x = i as f32 * 1e-4;
            let (power, exact) = (f64::from(exp2_below(x)), libm::exp2(f64::from(x)));
            if x > EXPONENT_MIN {
                let ratio = power / exact;
                assert!((1.0 - 2e-6..1.0 - 2.5e-7).contains(&ratio), "{x}: {ratio}");
            } else {
                assert_eq!(power, 0.0, "{x}");
            }
        }
        assert_eq!(exp2_below(f32::NAN), 0.0);
        assert_eq!(exp2_below(f32::NEG_INFINITY), 0.0);
        assert!(exp2_below(f32::INFINITY).is_finite());
    }

    /// What a step computes, against the formula in the plain.
    #[test]
    fn a_step_is_the_formula_rounded_down() {
        let options = BankOptions {
            dispersion: 1.7,
            ..BankOptions::default()
        };
        let bank = bank(0.2, &options);
        let mut state = BankState::new(&bank);
        let mut exact = [0.0_f64; LANES];
        for (hits, trials) in [(30.0, 100.0), (0.0, 0.0), (260_000.0, 1e6), (1.0, 9.0)] {
            let tally = Tally {
                hits: vec![hits],
                trials: vec![trials],
            };
            state.step(&bank, &tally);
            for (index, exact) in exact.iter_mut().enumerate() {
                let is_live = bank.slopes[index] != 0.0;
                if is_live && trials > 0.0 {
                    let ratio = bank.log_ratio(ComponentId::at(index), hits, trials);
                    *exact = ((*exact + weight(&bank, index)) * ratio.exp()).min(1e30);
                }
                let computed = f64::from(state.components[index]);
                assert!(
                    computed <= *exact * (1.0 + 1e-7),
                    "{index}: {computed} > {exact}"
                );
                assert!(
                    computed >= *exact * 0.9 || *exact < 1e-20,
                    "{computed} < {exact}"
                );
            }
        }
    }
}
