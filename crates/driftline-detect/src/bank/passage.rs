//! What a stretch of steps does to evidence, whatever evidence it finds.

use super::evidence::{EVIDENCE_MAX, Start, exp2_below};
use super::null::{LANES, valid};
use super::{Bank, Tally};

/// A stretch of steps as a map from the evidence before it to the evidence after it.
///
/// The recursion M ← (M + w)·eˡ is affine in M, component by component, so that any number of steps is M ← a·M + b. With the
/// largest a and b on the way, evidence inside the stretch is bounded as well. Whole days of history can thus be strung
/// together in any order at the cost of one step each.
///
/// Rounds to nearest, so unlike [`BankState`](super::BankState) it may err to either side, by about 1e-6 a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    growth: Vec<f32>,
    gain: Vec<f32>,
    growth_peak: Vec<f32>,
    gain_peak: Vec<f32>,
}

impl Passage {
    /// No steps.
    pub fn new(bank: &Bank) -> Self {
        let components = bank.slopes.len();
        Self {
            growth: vec![1.0; components],
            gain: vec![0.0; components],
            growth_peak: vec![0.0; components],
            gain_peak: vec![0.0; components],
        }
    }

    /// Adds a step at the end.
    pub fn step(&mut self, bank: &Bank, tally: &Tally) {
        let slopes = bank.slopes.chunks_exact(LANES);
        let terms = slopes.zip(bank.drifts.chunks_exact(LANES)).zip(&bank.nulls);
        let (growth, gain) = (
            self.growth.chunks_exact_mut(LANES),
            self.gain.chunks_exact_mut(LANES),
        );
        let growth_peak = self.growth_peak.chunks_exact_mut(LANES);
        let peaks = growth_peak.zip(self.gain_peak.chunks_exact_mut(LANES));
        let counts = tally.hits.iter().zip(&tally.trials);
        for (((((slopes, drifts), null), (&hits, &trials)), (growth, gain)), (high, top)) in
            terms.zip(counts).zip(growth.zip(gain)).zip(peaks)
        {
            let Some((hits, trials)) = valid(hits, trials) else {
                // Nothing to learn: the evidence stays as it is, and that is a place on the way as well.
                for lane in 0..LANES {
                    high[lane] = high[lane].max(growth[lane]);
                }
                continue;
            };
            let (surplus, trials) = ((hits - trials * null.rate) as f32, trials as f32);
            let start = Start {
                weight: null.weight,
                per_drift: bank.starting,
            };
            for lane in 0..LANES {
                let expected = trials * drifts[lane];
                let factor = exp2_below(surplus * slopes[lane] + expected);
                growth[lane] = normal(capped(growth[lane] * factor));
                gain[lane] = capped((gain[lane] + start.of(lane, expected)) * factor);
                high[lane] = larger(high[lane], growth[lane]);
                top[lane] = larger(top[lane], gain[lane]);
            }
        }
    }

    /// An upper bound of the stream's evidence inside the stretch, given the components' evidence before it, which
    /// becomes that after it. An empty `evidence` is none.
    pub fn pass(&self, evidence: &mut Vec<f32>) -> f64 {
        evidence.resize(self.growth.len(), 0.0);
        let mut sums = [0.0_f32; LANES];
        let maps = self
            .growth
            .chunks_exact(LANES)
            .zip(self.gain.chunks_exact(LANES));
        let peaks = self
            .growth_peak
            .chunks_exact(LANES)
            .zip(self.gain_peak.chunks_exact(LANES));
        for ((evidence, (growth, gain)), (high, top)) in
            evidence.chunks_exact_mut(LANES).zip(maps).zip(peaks)
        {
            for lane in 0..LANES {
                sums[lane] += capped(high[lane] * evidence[lane] + top[lane]);
                evidence[lane] = capped(growth[lane] * evidence[lane] + gain[lane]);
            }
        }
        sums.iter().map(|sum| f64::from(*sum)).sum()
    }
}

#[inline(always)]
fn capped(x: f32) -> f32 {
    if x < EVIDENCE_MAX { x } else { EVIDENCE_MAX }
}

/// Subnormal numbers are slow, and such growth leaves nothing that matters.
#[inline(always)]
fn normal(x: f32) -> f32 {
    if x > 1e-30 { x } else { 0.0 }
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::{BankOptions, BankState, Indicators};

    #[test]
    fn a_passage_does_what_its_steps_do() {
        let indicators = Indicators::rates(3);
        let tally = |hits: [f64; 3], n: f64| Tally {
            hits: hits.to_vec(),
            trials: vec![n, n, 0.0],
        };
        let bank = Bank::new(
            &indicators,
            &Tally {
                hits: vec![500.0, 20.0, 1.0],
                trials: vec![1_000.0; 3],
            },
            &BankOptions::default(),
        );
        let steps: Vec<Tally> = (0..40)
            .map(|i| tally([60.0 + f64::from(i), f64::from(i % 5), 0.0], 100.0))
            .collect();
        let (mut state, mut evidence, mut peak) = (BankState::new(&bank), Vec::new(), 0.0_f64);
        for stretch in steps.chunks(10) {
            let mut passage = Passage::new(&bank);
            let mut inside = 0.0_f64;
            for step in stretch {
                state.step(&bank, step);
                passage.step(&bank, step);
                inside = inside.max(state.evidence());
            }
            let bound = passage.pass(&mut evidence);
            peak = peak.max(inside);
            assert!(
                bound >= inside * 0.999 && bound <= inside * 20.0,
                "{bound} {inside}"
            );
            let after: f64 = evidence.iter().map(|e| f64::from(*e)).sum();
            assert!((after / state.evidence() - 1.0).abs() < 1e-2, "{after}");
        }
        assert!(peak > 1e3, "{peak}");
    }
}
