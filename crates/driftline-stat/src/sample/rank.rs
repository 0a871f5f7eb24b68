//! Tests on ranks.

use super::{NumericPair, TestResult};
use crate::distribution::normal_upper_tail;

/// The exact law is used up to this size of the smaller sample, as in scipy's `auto`.
const EXACT_SIZE_MAX: usize = 8;

/// The exact law needs memory for this many arrangements at most.
const EXACT_STATISTIC_MAX: usize = 4_000_000;

/// Mann–Whitney U test (Wilcoxon's rank-sum test).
///
/// **Measures** whether one sample tends to have the larger values: U/(nm) is the probability that a reference value
/// exceeds a current one, ties counting half.
///
/// **Formula.** U = R − n(n + 1)/2 with R the sum of the reference's ranks. With a sample of at most eight and no ties
/// the p-value is exact; else normal with continuity and tie correction.
///
/// **When not to use.** For changes of spread or shape that leave the middle in place: U does not see them.
///
/// **Reference implementation.** `scipy.stats.mannwhitneyu`. **Differs** where U exceeds four million or the number
/// of arrangements 128 bits, which scipy cannot finish: the asymptotic p-value is returned.
///
/// **Source.** Mann and Whitney 1947.
///
/// ```
/// use driftline_stat::sample::{NumericPair, rank};
///
/// let pair = NumericPair::new(&[19.0, 22.0, 16.0, 29.0, 24.0], &[20.0, 11.0, 17.0, 12.0])?;
/// let test = rank::mann_whitney(&pair);
/// assert_eq!((test.statistic, test.method), (17.0, "exact"));
/// assert!((test.p_value.unwrap() - 1.0 / 9.0).abs() < 1e-12);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn mann_whitney(pair: &NumericPair) -> TestResult {
    let (n, m) = pair.sizes();
    let (mut below, mut rank_sum, mut ties) = (0.0, 0.0, 0.0);
    for step in pair.steps() {
        let equal = (step.in_reference + step.in_current) as f64;
        rank_sum += step.in_reference as f64 * (below + (equal + 1.0) / 2.0);
        ties += equal * equal * equal - equal;
        below += equal;
    }
    let (n_f, m_f) = (n as f64, m as f64);
    let u = rank_sum - n_f * (n_f + 1.0) / 2.0;
    let larger = u.max(n_f * m_f - u);
    if n.min(m) <= EXACT_SIZE_MAX && ties == 0.0 {
        // Without ties U is a whole number.
        let smaller = (n_f * m_f - larger) as usize;
        if let Some(tail) = lower_tail(n.min(m), n.max(m), smaller) {
            return TestResult::exact(u, 2.0 * tail);
        }
    }
    let size = n_f + m_f;
    let variance = n_f * m_f / 12.0 * ((size + 1.0) - ties / (size * (size - 1.0)));
    if variance <= 0.0 {
        return TestResult::asymptotic(u, 1.0);
    }
    let z = (larger - n_f * m_f / 2.0 - 0.5) / variance.sqrt();
    TestResult::asymptotic(u, 2.0 * normal_upper_tail(z))
}

/// P(U ≤ u) for samples of `small` and `large` values without ties; `None` where that is too much to
/// count.
///
/// The numbers of arrangements are the coefficients of the Gaussian binomial ∏ (1 − q^(large + i))/(1 − q^i), which is
/// multiplied out in whole numbers. Wrapping subtraction is exact because every finished coefficient fits.
fn lower_tail(small: usize, large: usize, u: usize) -> Option<f64> {
    if u > EXACT_STATISTIC_MAX {
        return None;
    }
    let mut arrangements: u128 = 1;
    for i in 1..=small {
        arrangements = arrangements.checked_mul((large + i) as u128)? / i as u128;
    }
    let mut ways = vec![0_u128; u + 1];
    ways[0] = 1;
    for i in 1..=small {
        for k in (large + i..=u).rev() {
            ways[k] = ways[k].wrapping_sub(ways[k - large - i]);
        }
        for k in i..=u {
            ways[k] = ways[k].wrapping_add(ways[k - i]);
        }
    }
    Some(ways.iter().sum::<u128>() as f64 / arrangements as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_no_evidence() {
        let test = mann_whitney(&NumericPair::new(&[1.0; 5], &[1.0; 7]).unwrap());
        assert_eq!((test.statistic, test.p_value), (17.5, Some(1.0)));
    }

    #[test]
    fn the_exact_law_sums_to_one() {
        assert_eq!(lower_tail(5, 7, 35), Some(1.0));
        assert_eq!(lower_tail(1, 9, 4), Some(0.5));
        assert_eq!(lower_tail(8, 10_000_000, 0), None);
    }
}
