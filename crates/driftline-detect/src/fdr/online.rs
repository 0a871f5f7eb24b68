//! Procedures that decide each hypothesis as it comes, without an end in sight.

use serde::{Deserialize, Serialize};

/// How many rejections a procedure remembers. What an older one would add to a level is left out, which can only make
/// the procedure reject less; by then it is below α·10⁻³ or so.
pub const REJECTIONS_MAX: usize = 1_000;

/// C of [`Lord`]'s sequence, which makes it sum to one (Javanmard and Montanari 2018, section 5).
const LORD_SCALE: f64 = 0.077_208_38;

/// One over Riemann's ζ(1.6), which makes j^−1.6 sum to one.
const POWER_SCALE: f64 = 0.437_490_165_8;

/// γⱼ = C·ln(max(j, 2))/(j·exp(√ln j)).
fn lord_gamma(j: u64) -> f64 {
    let j = j as f64;
    LORD_SCALE * j.max(2.0).ln() / (j * j.ln().sqrt().exp())
}

/// γⱼ = j^−1.6/ζ(1.6).
fn power_gamma(j: u64) -> f64 {
    POWER_SCALE * (j as f64).powf(-1.6)
}

fn keep_latest<T>(rejections: &mut Vec<T>) {
    // The first rejection counts differently, so it stays.
    if rejections.len() > REJECTIONS_MAX {
        rejections.remove(1);
    }
}

/// LORD++: each rejection refills the level of the tests that follow.
///
/// **Formula.** α_t = γ_t·w₀ + (α − w₀)·γ_{t−τ₁} + α·Σ_{j≥2} γ_{t−τⱼ}, with τⱼ the time of the j-th rejection and
/// γⱼ = 0.0772·ln(max(j, 2))/(j·e^√ln j).
///
/// **Promises** FDR ≤ α at any time if each null p-value is independent of the past; **not** for overlapping windows.
///
/// **When not to use.** Where drift is rare: after 10,000 tests without a rejection a level is below 2·10⁻⁶·α.
///
/// **Source.** Javanmard and Montanari, "Online rules for control of false discovery rate and exceedance", 2018; Ramdas,
/// Yang, Wainwright and Jordan, "Online control of the false discovery rate with decaying memory", 2017.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lord {
    alpha: f64,
    initial_wealth: f64,
    tested: u64,
    rejections: Vec<u64>,
}

impl Lord {
    /// A new sequence at level `alpha` that starts with `initial_wealth` (w₀), from 0 to `alpha`; half of it is usual.
    pub fn new(alpha: f64, initial_wealth: f64) -> Self {
        Self {
            alpha,
            initial_wealth: initial_wealth.clamp(0.0, alpha),
            tested: 0,
            rejections: Vec::new(),
        }
    }

    /// The level of the next test.
    pub fn level(&self) -> f64 {
        let t = self.tested.saturating_add(1);
        let mut level = self.initial_wealth * lord_gamma(t);
        if let Some((&first, later)) = self.rejections.split_first() {
            level += (self.alpha - self.initial_wealth) * lord_gamma(t - first);
            level += self.alpha * later.iter().map(|&at| lord_gamma(t - at)).sum::<f64>();
        }
        level
    }

    /// Tests the next hypothesis: whether it is rejected. A NaN is not.
    pub fn test(&mut self, p_value: f64) -> bool {
        let rejected = p_value <= self.level();
        self.tested = self.tested.saturating_add(1);
        if rejected {
            self.rejections.push(self.tested);
            keep_latest(&mut self.rejections);
        }
        rejected
    }
}

/// SAFFRON: as [`Lord`], but tests that could not have been rejected anyway cost nothing.
///
/// **Formula.** α_t = min(λ, (1 − λ)·(w₀·γ_{t−C₀} + (α − w₀)·γ_{t−τ₁−C₁} + α·Σ_{j≥2} γ_{t−τⱼ−Cⱼ})), with Cⱼ the number of
/// candidates (p ≤ λ) after the j-th rejection and before t, C₀ that since the start, and γⱼ = j^−1.6/ζ(1.6).
///
/// **Promises** FDR ≤ α at any time if each null p-value is independent of the past; **not** for overlapping windows.
///
/// **When not to use.** As [`Lord`]; with discrete p-values, which are conservative, it gains little.
///
/// **Source.** Ramdas, Zrnic, Wainwright and Jordan, "SAFFRON: an adaptive algorithm for online control of the false
/// discovery rate", 2018.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saffron {
    alpha: f64,
    initial_wealth: f64,
    candidate: f64,
    tested: u64,
    candidates: u64,
    /// When, and how many candidates there had been by then, that one included.
    rejections: Vec<(u64, u64)>,
}

impl Saffron {
    /// A new sequence at level `alpha` that starts with `initial_wealth` (w₀), from 0 to `alpha`; p-values up to
    /// `candidate` (λ), above 0 and below 1, are candidates. Half of α and 0.5 are usual.
    pub fn new(alpha: f64, initial_wealth: f64, candidate: f64) -> Self {
        Self {
            alpha,
            initial_wealth: initial_wealth.clamp(0.0, alpha),
            candidate,
            tested: 0,
            candidates: 0,
            rejections: Vec::new(),
        }
    }

    /// The level of the next test.
    pub fn level(&self) -> f64 {
        let t = self.tested.saturating_add(1);
        let since =
            |(at, candidates): (u64, u64)| power_gamma(t - at - (self.candidates - candidates));
        let mut level = self.initial_wealth * since((0, 0));
        if let Some((&first, later)) = self.rejections.split_first() {
            level += (self.alpha - self.initial_wealth) * since(first);
            level += self.alpha * later.iter().map(|&rejection| since(rejection)).sum::<f64>();
        }
        ((1.0 - self.candidate) * level).min(self.candidate)
    }

    /// Tests the next hypothesis: whether it is rejected. A NaN is not.
    pub fn test(&mut self, p_value: f64) -> bool {
        let rejected = p_value <= self.level();
        self.tested = self.tested.saturating_add(1);
        if p_value <= self.candidate {
            self.candidates = self.candidates.saturating_add(1);
        }
        if rejected {
            self.rejections.push((self.tested, self.candidates));
            keep_latest(&mut self.rejections);
        }
        rejected
    }
}

/// e-LOND: rejects an e-value of at least one over a level that grows with the number of rejections.
///
/// **Formula.** α_t = α·γ_t·(R_{t−1} + 1), γⱼ = j^−1.6/ζ(1.6), rejected if E_t ≥ 1/α_t.
///
/// **Promises** FDR ≤ α at any time under any dependence, overlapping windows included, if each E_t of a true null has an
/// expectation of at most one.
///
/// **When not to use.** Where drift is rare: the level falls with every test, and never recovers without a rejection.
///
/// **Source.** Xu and Ramdas, "Online multiple testing with e-values", 2024.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ELond {
    alpha: f64,
    tested: u64,
    rejected: u64,
}

impl ELond {
    /// A new sequence at level `alpha`.
    pub const fn new(alpha: f64) -> Self {
        Self {
            alpha,
            tested: 0,
            rejected: 0,
        }
    }

    /// The level of the next test.
    pub fn level(&self) -> f64 {
        let grown = self.rejected.saturating_add(1) as f64;
        self.alpha * power_gamma(self.tested.saturating_add(1)) * grown
    }

    /// Tests the next hypothesis by its e-value: whether it is rejected. A NaN is not.
    pub fn test(&mut self, e_value: f64) -> bool {
        let rejected = e_value * self.level() >= 1.0;
        self.tested = self.tested.saturating_add(1);
        self.rejected = self.rejected.saturating_add(u64::from(rejected));
        rejected
    }
}

/// An e-value from a p-value: κ·p^(κ−1) for `kappa` in (0, 1); one half is usual. Infinite for a p-value of zero.
///
/// **Source.** Vovk and Wang, "E-values: calibration, combination and applications", 2021.
///
/// ```
/// assert_eq!(driftline_detect::fdr::e_value(0.01, 0.5), 5.0);
/// ```
pub fn e_value(p_value: f64, kappa: f64) -> f64 {
    kappa * p_value.powf(kappa - 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sequences_sum_to_at_most_about_one() {
        let sum = |gamma: fn(u64) -> f64| (1..200_000).map(gamma).sum::<f64>();
        let power = sum(power_gamma);
        assert!((0.99..=1.0).contains(&power), "{power}");
        let lord = sum(lord_gamma);
        assert!((0.4..=1.0).contains(&lord), "{lord}");
    }

    #[test]
    fn the_state_reads_back() {
        let mut lord = Lord::new(0.05, 0.025);
        let mut saffron = Saffron::new(0.05, 0.025, 0.5);
        let mut e_lond = ELond::new(0.05);
        for p in [0.3, 1e-5, 0.2, 0.01, 1e-9] {
            lord.test(p);
            saffron.test(p);
            e_lond.test(e_value(p, 0.5));
        }
        let again: Lord = serde_json::from_str(&serde_json::to_string(&lord).unwrap()).unwrap();
        assert_eq!(again, lord);
        let again: Saffron =
            serde_json::from_str(&serde_json::to_string(&saffron).unwrap()).unwrap();
        assert_eq!(again, saffron);
        let again: ELond = serde_json::from_str(&serde_json::to_string(&e_lond).unwrap()).unwrap();
        assert_eq!(again, e_lond);
    }

    #[test]
    fn what_is_forgotten_only_lowers_the_level() {
        let mut lord = Lord::new(0.05, 0.025);
        let mut saffron = Saffron::new(0.05, 0.025, 0.5);
        for _ in 0..2 * REJECTIONS_MAX {
            assert!(lord.test(0.0) && saffron.test(0.0));
        }
        assert_eq!(lord.rejections.len(), REJECTIONS_MAX);
        assert_eq!((lord.rejections[0], saffron.rejections[0]), (1, (1, 1)));
        assert!(lord.level() <= 0.05 * 1.01 * REJECTIONS_MAX as f64);
    }

    proptest! {
        /// The wealth spent stays within α(R ∨ 1): the estimate of the false discovery proportion that LORD++ bounds,
        /// and with candidates taken out the one that SAFFRON does.
        #[test]
        fn the_estimated_proportion_stays_below_alpha(p in prop::collection::vec(0.0..1.0_f64, 1..200), power in 1..6) {
            let (mut lord, mut saffron) = (Lord::new(0.1, 0.05), Saffron::new(0.1, 0.05, 0.5));
            let (mut spent, mut estimate) = (0.0, 0.0);
            for p in p.iter().map(|p| p.powi(power)) {
                spent += lord.level();
                lord.test(p);
                prop_assert!(spent <= 0.1 * lord.rejections.len().max(1) as f64 + 1e-12);
                let level = saffron.level();
                saffron.test(p);
                estimate += if p > 0.5 { level / 0.5 } else { 0.0 };
                prop_assert!(estimate <= 0.1 * saffron.rejections.len().max(1) as f64 + 1e-12);
            }
        }

        /// A rejection more never lowers a later level.
        #[test]
        fn levels_are_monotone_in_the_past(p in prop::collection::vec(0.0..1.0_f64, 2..60), at in 0_usize..60) {
            let mut smaller = p.clone();
            let at = at % p.len();
            smaller[at] = 0.0;
            let mut lords = [Lord::new(0.1, 0.05), Lord::new(0.1, 0.05)];
            let mut e_londs = [ELond::new(0.1), ELond::new(0.1)];
            for (a, b) in p.iter().zip(&smaller) {
                prop_assert!(lords[0].level() <= lords[1].level() + 1e-15);
                prop_assert!(e_londs[0].level() <= e_londs[1].level() + 1e-15);
                lords[0].test(*a);
                lords[1].test(*b);
                e_londs[0].test(e_value(*a, 0.5));
                e_londs[1].test(e_value(*b, 0.5));
            }
        }
    }
}
