//! Corrections for looking at many p-values: of one look, or of an endless sequence of them.
//!
//! | | Controls | Needs of the p-values | Source |
//! | --- | --- | --- | --- |
//! | [`Correction::None`] | nothing beyond each test | – | |
//! | [`Correction::Bonferroni`] | P(any false rejection) | nothing | Bonferroni 1936 |
//! | [`Correction::Holm`] | the same, never rejects less | nothing | Holm 1979 |
//! | [`Correction::BenjaminiHochberg`] | FDR | independence or positive dependence | Benjamini and Hochberg 1995 |
//! | [`Correction::BenjaminiYekutieli`] | FDR | nothing | Benjamini and Yekutieli 2001 |
//! | [`Lord`] | FDR over the whole sequence | nulls independent of the past | Javanmard and Montanari 2018; Ramdas et al. 2017 |
//! | [`Saffron`] | FDR over the whole sequence | nulls independent of the past | Ramdas et al. 2018 |
//! | [`ELond`] | FDR over the whole sequence | e-values; any dependence | Xu and Ramdas 2024 |
//!
//! FDR is the expected share of false rejections among all rejections, zero if there are none.
//!
//! # What they do not promise
//!
//! **A batch correction counts one look.** Nothing has drifted most of the time, and then every rejection is false: the
//! FDR of a look is the probability of any rejection, so 5 % means an alarm every twentieth look whatever the number of
//! columns. At one look a minute that is some 2,000 a month, and since windows overlap they come in episodes of minutes.
//! A false-alarm budget over time is what the indicator bank keeps; these are for those who have to report p-values.
//!
//! **An online procedure runs dry.** Its levels sum to about α plus what rejections earn back; through a quiet month
//! they fall like t^−1.6 and what drifts later is no longer seen ("alpha death"). It also promises nothing about when an
//! error happens, and windows that overlap are dependent, which [`Lord`] and [`Saffron`] do not allow. A procedure whose
//! time between false alarms is finite cannot control the FDR of an endless sequence at all (Dandapanthula and Ramdas
//! 2025).
//!
//! **No correction knows what matters.** With many events a p-value is small for differences that nobody cares for.
//!
//! ```
//! use driftline_detect::fdr::{Correction, Lord};
//!
//! let p = [0.001, 0.012, 0.021, 0.9];
//! assert_eq!(Correction::Bonferroni.reject(&p, 0.05), [true, true, false, false]);
//! assert_eq!(Correction::BenjaminiHochberg.reject(&p, 0.05), [true, true, true, false]);
//!
//! let mut lord = Lord::new(0.05, 0.025);
//! assert!(lord.test(1e-4), "the first level is about 0.0013");
//! assert!(!lord.test(0.5));
//! ```

use serde::{Deserialize, Serialize};

mod online;

pub use online::{ELond, Lord, REJECTIONS_MAX, Saffron, e_value};

/// A correction of the p-values of one look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Each p-value against α.
    None,
    /// Each p-value against α/K.
    Bonferroni,
    /// The i-th smallest against α/(K − i + 1), stopping at the first that fails.
    Holm,
    /// The largest i with p₍ᵢ₎ ≤ α·i/K, and all smaller ones.
    #[default]
    BenjaminiHochberg,
    /// The same with α divided by 1 + 1/2 + … + 1/K.
    BenjaminiYekutieli,
}

impl Correction {
    /// Every correction.
    pub const ALL: &[Self] = &[
        Self::None,
        Self::Bonferroni,
        Self::Holm,
        Self::BenjaminiHochberg,
        Self::BenjaminiYekutieli,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bonferroni => "bonferroni",
            Self::Holm => "holm",
            Self::BenjaminiHochberg => "benjamini_hochberg",
            Self::BenjaminiYekutieli => "benjamini_yekutieli",
        }
    }

    /// The adjusted p-values: the smallest α at which each would be rejected, at most one.
    ///
    /// A NaN counts as one: no evidence.
    ///
    /// **Reference implementation.** `scipy.stats.false_discovery_control`; `statsmodels.stats.multitest`.
    pub fn adjust(self, p_values: &[f64]) -> Vec<f64> {
        let size = p_values.len() as f64;
        let clean = |p: f64| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
        let mut order: Vec<usize> = (0..p_values.len()).collect();
        order.sort_by(|&a, &b| clean(p_values[a]).total_cmp(&clean(p_values[b])));
        let mut adjusted = vec![1.0; p_values.len()];
        match self {
            Self::None => order.iter().for_each(|&i| adjusted[i] = clean(p_values[i])),
            Self::Bonferroni => {
                for &i in &order {
                    adjusted[i] = (clean(p_values[i]) * size).min(1.0);
                }
            }
            Self::Holm => {
                let mut largest = 0.0_f64;
                for (rank, &i) in order.iter().enumerate() {
                    largest = largest.max(clean(p_values[i]) * (size - rank as f64));
                    adjusted[i] = largest.min(1.0);
                }
            }
            Self::BenjaminiHochberg | Self::BenjaminiYekutieli => {
                let harmonic = match self {
                    Self::BenjaminiYekutieli => (1..=p_values.len()).map(|i| 1.0 / i as f64).sum(),
                    _ => 1.0,
                };
                let mut smallest = 1.0_f64;
                for (rank, &i) in order.iter().enumerate().rev() {
                    let scaled = clean(p_values[i]) * size * harmonic / (rank + 1) as f64;
                    smallest = smallest.min(scaled);
                    adjusted[i] = smallest;
                }
            }
        }
        adjusted
    }

    /// The p-value up to which these decisions at level `alpha` rejected: for a step-up or step-down rule, the step that
    /// it stopped at.
    pub fn level(self, rejected: &[bool], alpha: f64) -> f64 {
        let size = rejected.len().max(1) as f64;
        let count = rejected.iter().filter(|&&r| r).count() as f64;
        match self {
            Self::None => alpha,
            Self::Bonferroni => alpha / size,
            Self::Holm => alpha / (size - count).max(1.0),
            Self::BenjaminiHochberg => alpha * count.max(1.0) / size,
            Self::BenjaminiYekutieli => {
                let harmonic: f64 = (1..=rejected.len()).map(|i| 1.0 / i as f64).sum();
                alpha * count.max(1.0) / (size * harmonic.max(1.0))
            }
        }
    }

    /// Which p-values are rejected at level `alpha`.
    pub fn reject(self, p_values: &[f64], alpha: f64) -> Vec<bool> {
        self.adjust(p_values).iter().map(|&p| p <= alpha).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_to_test_rejects_nothing() {
        for correction in Correction::ALL {
            assert!(correction.reject(&[], 0.05).is_empty());
            assert_eq!(correction.reject(&[f64::NAN], 0.05), [false]);
        }
    }

    proptest! {
        /// Adjusted values are probabilities in the order of the p-values, and the corrections are ordered by what
        /// they promise.
        #[test]
        fn corrections_are_ordered(p in prop::collection::vec(0.0..1.0_f64, 1..40)) {
            let all: Vec<Vec<f64>> = Correction::ALL.iter().map(|c| c.adjust(&p)).collect();
            let [none, bonferroni, holm, bh, by] = all.as_slice() else { unreachable!() };
            for i in 0..p.len() {
                prop_assert!(none[i] <= bh[i] + 1e-12 && bh[i] <= by[i] + 1e-12);
                prop_assert!(bh[i] <= holm[i] + 1e-12 && holm[i] <= bonferroni[i] + 1e-12);
                for j in 0..p.len() {
                    for adjusted in &all {
                        prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
                        prop_assert!((0.0..=1.0).contains(&adjusted[i]));
                    }
                }
            }
        }

        /// The textbook's step-up rule, without adjusted values.
        #[test]
        fn benjamini_hochberg_by_its_definition(p in prop::collection::vec(0.0..0.2_f64, 1..40)) {
            let mut sorted = p.clone();
            sorted.sort_by(f64::total_cmp);
            let level = |i: usize| 0.05 * (i + 1) as f64 / p.len() as f64;
            let cut = (0..p.len()).rev().find(|&i| sorted[i] <= level(i)).map(|i| sorted[i]);
            let by_definition: Vec<bool> = p.iter().map(|p| cut.is_some_and(|cut| *p <= cut)).collect();
            prop_assert_eq!(Correction::BenjaminiHochberg.reject(&p, 0.05), by_definition);
        }
    }
}
