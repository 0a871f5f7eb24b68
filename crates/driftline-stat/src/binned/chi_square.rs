//! Pearson's chi-square test of homogeneity.

use super::totals;
use crate::distribution::chi_square_upper_tail;

/// Cells are merged until each side expects at least this many events in each (Cochran's rule).
const EXPECTED_MIN: f64 = 5.0;

/// A chi-square statistic with what is needed to judge it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChiSquare {
    /// Pearson's statistic, 0 upwards.
    pub statistic: f64,
    /// Cells left after merging, less one: also the statistic's expected value without drift.
    pub degrees_of_freedom: usize,
    /// Probability of a statistic at least this large without drift.
    pub p_value: f64,
}

/// Pearson's chi-square test that both rows come from the same distribution.
///
/// **Formula.** Σ (r·√(n/m) − c·√(m/n))² / (r + c), with m reference and n current events, over cells in which
/// either side expects at least five events. Neighbours are merged until they do; the remainder joins the
/// last cell. Hence rows should be ordered by value, or by reference frequency for categories.
///
/// **Assumes** independent events: bursts of equal events inflate it. The merging is by the pooled counts, so it
/// does not favour either side.
///
/// **When not to use.** With very many events every difference is significant; read a distance beside it. Its
/// power for smooth shifts falls with the number of cells, its power for spikes grows.
///
/// `None` if the rows do not fit each other, a side is empty, or fewer than two cells are left.
///
/// **Source.** Pearson 1900; Cochran 1954. Where nothing is merged it equals
/// `scipy.stats.chi2_contingency([reference, current], correction=False)`.
///
/// ```
/// use driftline_stat::binned;
///
/// let test = binned::chi_square(&[50, 50], &[40, 60]).unwrap();
/// assert!((test.statistic - 200.0 / 99.0).abs() < 1e-12);
/// assert_eq!(test.degrees_of_freedom, 1);
/// assert!((test.p_value - 0.155_218).abs() < 1e-6);
/// ```
pub fn chi_square(reference: &[u64], current: &[u64]) -> Option<ChiSquare> {
    let (n_ref, n_cur) = totals(reference, current)?;
    let (to_ref, to_cur) = ((n_cur / n_ref).sqrt(), (n_ref / n_cur).sqrt());
    over_merged(reference, current, |(r, c)| {
        let gap = r * to_ref - c * to_cur;
        gap * gap / (r + c)
    })
}

/// Likelihood-ratio test of homogeneity (G-test), on cells merged as for [`chi_square`].
///
/// **Formula.** 2·Σ O·ln(O/E) over both sides, chi-square with cells − 1 degrees of freedom.
///
/// **Source.** Wilks 1935. Where nothing is merged it equals
/// `scipy.stats.chi2_contingency([reference, current], correction=False, lambda_="log-likelihood")`.
///
/// ```
/// use driftline_stat::binned;
///
/// let test = binned::g_test(&[10, 20, 30], &[6, 9, 17]).unwrap();
/// assert!((test.statistic - 0.274_026_542_024_660_6).abs() < 1e-12);
/// ```
pub fn g_test(reference: &[u64], current: &[u64]) -> Option<ChiSquare> {
    let (n_ref, n_cur) = totals(reference, current)?;
    let share = n_ref / (n_ref + n_cur);
    let part = |o: f64, e: f64| if o > 0.0 { 2.0 * o * (o / e).ln() } else { 0.0 };
    over_merged(reference, current, |(r, c)| {
        // A cell's sum is never negative but for rounding.
        (part(r, (r + c) * share) + part(c, (r + c) * (1.0 - share))).max(0.0)
    })
}

/// The sum of `term` over cells that expect enough events, judged as chi-square.
fn over_merged(
    reference: &[u64],
    current: &[u64],
    term: impl Fn((f64, f64)) -> f64,
) -> Option<ChiSquare> {
    let (n_ref, n_cur) = totals(reference, current)?;
    // The smaller side expects this share of a cell's pooled count.
    let smaller_share = n_ref.min(n_cur) / (n_ref + n_cur);
    let pooled_min = EXPECTED_MIN / smaller_share;
    let (mut statistic, mut cells) = (0.0, 0_usize);
    let mut last: Option<(f64, f64)> = None;
    let mut open = (0.0, 0.0);
    for (&r, &c) in reference.iter().zip(current) {
        open = (open.0 + r as f64, open.1 + c as f64);
        if open.0 + open.1 >= pooled_min {
            // The cell before is final only now that it need not take in a remainder.
            statistic += last.map_or(0.0, &term);
            last = Some(open);
            cells += 1;
            open = (0.0, 0.0);
        }
    }
    let (r, c) = last?;
    statistic += term((r + open.0, c + open.1));
    if cells < 2 {
        return None;
    }
    let degrees_of_freedom = cells - 1;
    let p_value = chi_square_p_value(statistic, degrees_of_freedom);
    Some(ChiSquare {
        statistic,
        degrees_of_freedom,
        p_value,
    })
}

/// Probability of a chi-square statistic at least this large without drift.
///
/// ```
/// use driftline_stat::binned;
///
/// assert!((binned::chi_square_p_value(3.841_458_820_694_124, 1) - 0.05).abs() < 1e-12);
/// assert_eq!(binned::chi_square_p_value(0.0, 9), 1.0);
/// ```
pub fn chi_square_p_value(statistic: f64, degrees_of_freedom: usize) -> f64 {
    chi_square_upper_tail(statistic, degrees_of_freedom as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cells_join_their_neighbours() {
        let merged = chi_square(&[40, 1, 1, 1, 40], &[30, 0, 1, 0, 30]).unwrap();
        let by_hand = chi_square(&[40, 43], &[30, 31]).unwrap();
        assert_eq!(merged, by_hand);
    }

    #[test]
    fn too_little_to_test_is_none() {
        assert_eq!(chi_square(&[3, 3], &[2, 2]), None);
        assert_eq!(chi_square(&[100, 0], &[100, 0]), None);
        assert_eq!(chi_square(&[100, 0], &[100]), None);
    }

    #[test]
    fn huge_counts_stay_finite() {
        let half = u64::MAX / 2;
        let test = chi_square(&[half, half], &[half, half / 2]).unwrap();
        assert!(test.statistic.is_finite() && test.p_value == 0.0);
    }
}
