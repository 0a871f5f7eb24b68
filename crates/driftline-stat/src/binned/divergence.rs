//! Divergences between two rows of shares, blind to the order of the cells.

use std::f64::consts::{LN_2, PI};

use super::{noise, totals};

/// What replaces a share of zero in [`psi`]; nothing is renormalised.
pub const ZERO_SHARE: f64 = 1e-4;

/// Population stability index: the symmetrised Kullback–Leibler divergence that credit scoring uses.
///
/// **Formula.** Σ (q − p)·ln(q/p), natural logarithm; a share of zero on one side is replaced by
/// [`ZERO_SHARE`] without renormalising, and a cell that is empty on both sides adds nothing.
///
/// **When not to use.** On many cells or few events: without drift it is about (B − 1)(1/n + 1/m)
/// ([`psi_floor`]), so the folklore thresholds 0.1 and 0.2 measure noise when n is small, and at large n 0.2
/// needs a shift of 0.45 standard deviations. A single vanished cell adds up to p·ln(p/0.0001).
///
/// **Source.** Yurdakul and Naranjo, "Statistical properties of the population stability index", 2020. The rule
/// for zeros is the one that Evidently and most scorecards use.
///
/// ```
/// use driftline_stat::binned;
///
/// let psi = binned::psi(&[50, 50], &[60, 40]).unwrap();
/// assert!((psi - 0.1 * 1.5_f64.ln()).abs() < 1e-12);
/// ```
pub fn psi(reference: &[u64], current: &[u64]) -> Option<f64> {
    sum_over_cells(reference, current, |p, q| {
        if p == 0.0 && q == 0.0 {
            return 0.0;
        }
        let p = if p == 0.0 { ZERO_SHARE } else { p };
        let q = if q == 0.0 { ZERO_SHARE } else { q };
        (q - p) * (q / p).ln()
    })
}

/// Kullback–Leibler divergence KL(reference‖current), in nats.
///
/// **Formula.** Σ p·ln(p/q), a share of zero on one side being replaced by [`ZERO_SHARE`] without renormalising, so that
/// it can be slightly negative. A cell that is empty on both sides adds nothing.
///
/// **When not to use.** On many cells or few events: without drift it is half of [`psi_floor`].
///
/// **Source.** Kullback and Leibler 1951. Reference: `scipy.stats.entropy(p, q)` where no share is zero.
///
/// ```
/// use driftline_stat::binned;
///
/// let by_hand = 0.5 * (0.5_f64 / 0.6).ln() + 0.5 * (0.5_f64 / 0.4).ln();
/// assert!((binned::kl_divergence(&[5, 5], &[6, 4]).unwrap() - by_hand).abs() < 1e-12);
/// ```
pub fn kl_divergence(reference: &[u64], current: &[u64]) -> Option<f64> {
    sum_over_cells(reference, current, |p, q| {
        if p == 0.0 && q == 0.0 {
            return 0.0;
        }
        let p = if p == 0.0 { ZERO_SHARE } else { p };
        let q = if q == 0.0 { ZERO_SHARE } else { q };
        p * (p / q).ln()
    })
}

/// Largest difference between two shares, 0 to 1.
///
/// **Formula.** max |q − p|.
///
/// **When not to use.** For a change that is spread over many cells; it sees only the largest. On bins of a number it is
/// at most the mass of a bin.
///
/// ```
/// use driftline_stat::binned;
///
/// assert_eq!(binned::l_infinity(&[5, 5, 0], &[3, 0, 1]), Some(0.5));
/// ```
pub fn l_infinity(reference: &[u64], current: &[u64]) -> Option<f64> {
    let (n_ref, n_cur) = totals(reference, current)?;
    let gaps = reference
        .iter()
        .zip(current)
        .map(|(&r, &c)| (c as f64 / n_cur - r as f64 / n_ref).abs());
    Some(gaps.fold(0.0, f64::max))
}

/// Jensen–Shannon distance: the square root of the divergence in base 2, 0 to 1.
///
/// **Formula.** √(½·KL(p‖m) + ½·KL(q‖m)) with m = (p + q)/2 and logarithms to base 2. It is a metric.
///
/// **When not to use.** Near its floor ([`jensen_shannon_floor`]): being a square root it starts steep, and 100
/// events in ten cells already show 0.1 without drift.
///
/// **Source.** Lin 1991; Endres and Schindelin 2003. Reference: `scipy.spatial.distance.jensenshannon(p, q, 2)`.
///
/// ```
/// use driftline_stat::binned;
///
/// assert_eq!(binned::jensen_shannon(&[7, 0], &[0, 3]), Some(1.0));
/// ```
pub fn jensen_shannon(reference: &[u64], current: &[u64]) -> Option<f64> {
    let sum = sum_over_cells(reference, current, |p, q| {
        let mean = 0.5 * (p + q);
        let left = if p > 0.0 { p * (p / mean).ln() } else { 0.0 };
        let right = if q > 0.0 { q * (q / mean).ln() } else { 0.0 };
        left + right
    })?;
    Some((0.5 * sum / LN_2).clamp(0.0, 1.0).sqrt())
}

/// Hellinger distance, 0 to 1.
///
/// **Formula.** √(½·Σ (√p − √q)²).
///
/// **When not to use.** It weighs rare cells like the divergences do; see [`hellinger_floor`] for few events.
///
/// **Source.** Hellinger 1909; Le Cam 1986.
///
/// ```
/// use driftline_stat::binned;
///
/// assert_eq!(binned::hellinger(&[7, 0], &[0, 3]), Some(1.0));
/// assert_eq!(binned::hellinger(&[7, 7], &[3, 3]), Some(0.0));
/// ```
pub fn hellinger(reference: &[u64], current: &[u64]) -> Option<f64> {
    let sum = sum_over_cells(reference, current, |p, q| {
        let gap = p.sqrt() - q.sqrt();
        gap * gap
    })?;
    Some((0.5 * sum).min(1.0).sqrt())
}

/// Total variation distance, 0 to 1: the largest difference in the probability of any set of cells.
///
/// **Formula.** ½·Σ |q − p|, the share of events that would have to change their cell.
///
/// **When not to use.** For changes in rare cells, which it weighs by their share; and see
/// [`total_variation_floor`] for few events.
///
/// ```
/// use driftline_stat::binned;
///
/// assert_eq!(binned::total_variation(&[50, 50], &[75, 25]), Some(0.25));
/// ```
pub fn total_variation(reference: &[u64], current: &[u64]) -> Option<f64> {
    sum_over_cells(reference, current, |p, q| 0.5 * (q - p).abs()).map(|tv| tv.min(1.0))
}

/// The [`psi`] to expect without drift: (B − 1)(1/n + 1/m).
///
/// First order in the sample sizes: exact when each cell expects some ten events, too high when many cells
/// expect less than one. `None` if a side is empty.
///
/// ```
/// use driftline_stat::binned;
///
/// let floor = binned::psi_floor(10, 50_000, 100).unwrap();
/// assert!((floor - 0.0902).abs() < 1e-4);
/// ```
pub fn psi_floor(cells: usize, n_ref: u64, n_cur: u64) -> Option<f64> {
    Some(cells.saturating_sub(1) as f64 * noise(n_ref, n_cur)?)
}

/// The [`jensen_shannon`] distance to expect without drift.
///
/// Eight times the divergence (in nats) over 1/n + 1/m follows a chi-square law of B − 1 degrees of freedom, so
/// its square root follows a chi law, whose mean this is. `None` if a side is empty.
///
/// ```
/// use driftline_stat::binned;
///
/// let floor = binned::jensen_shannon_floor(10, 50_000, 100).unwrap();
/// assert!((floor - 0.124).abs() < 1e-3);
/// ```
pub fn jensen_shannon_floor(cells: usize, n_ref: u64, n_cur: u64) -> Option<f64> {
    Some((chi_mean(cells) * (noise(n_ref, n_cur)? / (8.0 * LN_2)).sqrt()).min(1.0))
}

/// The [`hellinger`] distance to expect without drift; derived like [`jensen_shannon_floor`].
///
/// ```
/// use driftline_stat::binned;
///
/// let floor = binned::hellinger_floor(10, 50_000, 100).unwrap();
/// assert!((floor - 0.1033).abs() < 1e-4);
/// ```
pub fn hellinger_floor(cells: usize, n_ref: u64, n_cur: u64) -> Option<f64> {
    Some((chi_mean(cells) * (noise(n_ref, n_cur)? / 8.0).sqrt()).min(1.0))
}

/// The [`total_variation`] distance to expect without drift: √((B − 1)(1/n + 1/m)/(2π)).
///
/// For cells of equal share; with unequal ones the expectation is lower, so this is an upper bound. `None` if a
/// side is empty.
///
/// ```
/// use driftline_stat::binned;
///
/// let floor = binned::total_variation_floor(10, 50_000, 100).unwrap();
/// assert!((floor - 0.1198).abs() < 1e-4);
/// ```
pub fn total_variation_floor(cells: usize, n_ref: u64, n_cur: u64) -> Option<f64> {
    let variance = cells.saturating_sub(1) as f64 * noise(n_ref, n_cur)?;
    Some((variance / (2.0 * PI)).sqrt().min(1.0))
}

fn sum_over_cells(
    reference: &[u64],
    current: &[u64],
    term: impl Fn(f64, f64) -> f64,
) -> Option<f64> {
    let (n_ref, n_cur) = totals(reference, current)?;
    let shares = reference
        .iter()
        .zip(current)
        .map(|(&r, &c)| (r as f64 / n_ref, c as f64 / n_cur));
    Some(shares.map(|(p, q)| term(p, q)).sum())
}

/// Mean of the chi law with `cells − 1` degrees of freedom.
fn chi_mean(cells: usize) -> f64 {
    let df = cells.saturating_sub(1) as f64;
    if df == 0.0 {
        return 0.0;
    }
    // √2·Γ((k+1)/2)/Γ(k/2); the logarithms keep it finite for any number of cells.
    2.0_f64.sqrt() * (libm::lgamma((df + 1.0) / 2.0) - libm::lgamma(df / 2.0)).exp()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn psi_replaces_a_zero_share_and_skips_an_empty_cell() {
        let one_sided = psi(&[50, 50, 0], &[50, 0, 0]).unwrap();
        let by_hand = 0.5 * 2.0_f64.ln() + (1e-4 - 0.5) * (1e-4_f64 / 0.5).ln();
        assert!((one_sided - by_hand).abs() < 1e-12);
    }

    #[test]
    fn floors_match_the_simulated_table() {
        // Mean PSI without drift at ten cells and 50, 100 and 500 events, simulated against a large reference,
        // is 0.165 (skewed by empty cells), 0.086 and 0.018.
        let m = 1 << 40;
        assert!((psi_floor(10, m, 50).unwrap() - 0.165).abs() < 0.02);
        assert!((psi_floor(10, m, 100).unwrap() - 0.086).abs() < 0.005);
        assert!((psi_floor(10, m, 500).unwrap() - 0.018).abs() < 0.001);
        assert_eq!(psi_floor(10, 0, 100), None);
        assert_eq!(jensen_shannon_floor(0, 10, 10), Some(0.0));
        assert_eq!(jensen_shannon_floor(1_000_000, 1, 1), Some(1.0));
    }

    proptest! {
        #[test]
        fn divergences_keep_their_bounds_and_order(
            rows in prop::collection::vec((0_u64..1_000, 0_u64..1_000), 1..70),
        ) {
            let (r, c): (Vec<u64>, Vec<u64>) = rows.into_iter().unzip();
            let Some(tv) = total_variation(&r, &c) else { return Ok(()) };
            let js = jensen_shannon(&r, &c).unwrap();
            let h = hellinger(&r, &c).unwrap();
            prop_assert!(psi(&r, &c).unwrap() >= 0.0);
            for d in [tv, js, h] {
                prop_assert!((0.0..=1.0).contains(&d));
            }
            // Le Cam's inequalities, and Lin's bound of the divergence by the variation.
            prop_assert!(h * h <= tv + 1e-12 && tv <= h * (2.0 - h * h).sqrt() + 1e-12);
            prop_assert!(js * js <= tv + 1e-12);
            // The same shares at any size are no drift.
            let doubled: Vec<u64> = r.iter().map(|x| x * 2).collect();
            prop_assert!(total_variation(&r, &doubled).unwrap() == 0.0);
        }
    }
}
