//! Distances between shares: of categories as they are, or of a numeric column cut at the reference's deciles.
//!
//! The cuts are the distinct type-7 deciles of the reference (10 % to 90 %), the bins `[eᵢ, eᵢ₊₁)` with open ends.
//! The formulas are those of [`binned`](crate::binned), whose pages also give each distance's value without drift.

use super::contingency::Table;
use super::{NumericPair, TestResult};
use crate::binned;

/// Population stability index; see [`binned::psi`].
///
/// A share of zero on one side is replaced by 0.0001 without renormalising.
///
/// **Reference implementation.** Evidently and most scorecards, up to their choice of bins.
///
/// ```
/// use driftline_stat::sample::{CategoricalPair, share};
///
/// let pair = CategoricalPair::new(&[("a", 5), ("b", 5)], &[("a", 6), ("b", 4)])?;
/// assert!((share::psi(pair.table()).statistic - 0.1 * 1.5_f64.ln()).abs() < 1e-12);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn psi(table: &Table) -> TestResult {
    of_counts(table, binned::psi)
}

/// Kullback–Leibler divergence of the reference from the current sample, KL(reference‖current).
///
/// **Measures** the nats lost when the reference is described by the current shares.
///
/// **Formula.** Σ p·ln(p/q), a share of zero on one side being replaced by 0.0001 without renormalising.
///
/// **When not to use.** As a symmetric distance, or with many empty cells: each adds what the replacement says. For
/// the same reason it can be slightly negative.
///
/// **Reference implementation.** `scipy.stats.entropy(p, q)` where no share is zero.
/// **Source.** Kullback and Leibler 1951.
///
/// ```
/// use driftline_stat::sample::{CategoricalPair, share};
///
/// let pair = CategoricalPair::new(&[("a", 5), ("b", 5)], &[("a", 6), ("b", 4)])?;
/// let by_hand = 0.5 * (0.5_f64 / 0.6).ln() + 0.5 * (0.5_f64 / 0.4).ln();
/// assert!((share::kl_divergence(pair.table()).statistic - by_hand).abs() < 1e-12);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn kl_divergence(table: &Table) -> TestResult {
    of_counts(table, binned::kl_divergence)
}

/// Jensen–Shannon distance in base 2; see [`binned::jensen_shannon`].
///
/// **Reference implementation.** `scipy.spatial.distance.jensenshannon(p, q, 2)`.
///
/// ```
/// use driftline_stat::sample::{CategoricalPair, share};
///
/// let pair = CategoricalPair::new(&[("a", 5)], &[("b", 4)])?;
/// assert_eq!(share::jensen_shannon(pair.table()).statistic, 1.0);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn jensen_shannon(table: &Table) -> TestResult {
    of_counts(table, binned::jensen_shannon)
}

/// Hellinger distance; see [`binned::hellinger`].
///
/// ```
/// use driftline_stat::sample::{CategoricalPair, share};
///
/// let pair = CategoricalPair::new(&[("a", 5)], &[("b", 4)])?;
/// assert_eq!(share::hellinger(pair.table()).statistic, 1.0);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn hellinger(table: &Table) -> TestResult {
    of_counts(table, binned::hellinger)
}

/// Total variation distance; see [`binned::total_variation`].
///
/// ```
/// use driftline_stat::sample::{NumericPair, Test};
///
/// let pair = NumericPair::new(&[0.0, 0.0, 1.0, 1.0], &[0.0, 1.0, 1.0, 1.0])?;
/// assert_eq!(pair.run(Test::TotalVariation)?.statistic, 0.25);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn total_variation(table: &Table) -> TestResult {
    of_counts(table, binned::total_variation)
}

/// Largest difference between two shares, 0 to 1.
///
/// **Formula.** max |q − p|, the Chebyshev distance.
///
/// **When not to use.** For a change that is spread over many cells; it sees only the largest.
///
/// **Reference implementation.** `scipy.spatial.distance.chebyshev`; TensorFlow Data Validation's default for
/// categories.
///
/// ```
/// use driftline_stat::sample::{CategoricalPair, share};
///
/// let pair = CategoricalPair::new(&[("a", 5), ("b", 5)], &[("a", 3), ("c", 1)])?;
/// assert_eq!(share::l_infinity(pair.table()).statistic, 0.5);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn l_infinity(table: &Table) -> TestResult {
    of_counts(table, binned::l_infinity)
}

/// Counts of both samples in the bins between the reference's deciles.
///
/// ```
/// use driftline_stat::sample::{NumericPair, share};
///
/// // The only cut of a constant reference is its value, which belongs to the bin above.
/// let pair = NumericPair::new(&[3.0, 3.0], &[1.0, 3.0, 4.0])?;
/// assert_eq!(share::decile_table(&pair).current(), [1, 2]);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn decile_table(pair: &NumericPair) -> Table {
    let mut cuts: Vec<f64> = (1..10)
        .map(|i| quantile(&pair.reference, f64::from(i) / 10.0))
        .collect();
    cuts.dedup();
    let reference = counts_between(&pair.reference, &cuts);
    let current = counts_between(&pair.current, &cuts);
    Table::new(reference.into_iter().zip(current))
}

/// The type-7 quantile of a sorted, non-empty sample, rounded as numpy rounds it, so that a current value that
/// equals a cut falls on the same side.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let position = (sorted.len() - 1) as f64 * q;
    let (index, t) = (position.floor() as usize, position.fract());
    let low = sorted[index.min(sorted.len() - 1)];
    let high = sorted[(index + 1).min(sorted.len() - 1)];
    if low == high || t == 0.0 {
        return low;
    }
    let gap = high - low;
    if !gap.is_finite() {
        return match (low.is_finite(), high.is_finite()) {
            (true, true) => low * (1.0 - t) + high * t,
            (false, true) => low,
            (true, false) => high,
            // Between both infinities there is nothing to interpolate: take the nearer.
            (false, false) => {
                if t < 0.5 {
                    low
                } else {
                    high
                }
            }
        };
    }
    if t >= 0.5 {
        high - gap * (1.0 - t)
    } else {
        low + gap * t
    }
}

fn counts_between(sorted: &[f64], cuts: &[f64]) -> Vec<u64> {
    let mut below = 0;
    let mut counts: Vec<u64> = Vec::with_capacity(cuts.len() + 1);
    for &cut in cuts {
        let end = sorted.partition_point(|&v| v < cut);
        counts.push((end - below) as u64);
        below = end;
    }
    counts.push((sorted.len() - below) as u64);
    counts
}

fn of_counts(table: &Table, statistic: fn(&[u64], &[u64]) -> Option<f64>) -> TestResult {
    let value = statistic(table.reference(), table.current());
    TestResult::distance(value.expect("a table's sides have the same length and are not empty"))
}
