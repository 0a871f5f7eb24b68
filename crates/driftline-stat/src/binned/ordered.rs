//! Distances between two distribution functions that are known at the bins' edges.

use super::{noise, total, totals};
use crate::distribution::kolmogorov_upper_tail;

/// Mean overshoot of a Gaussian random walk over a boundary, −ζ(½)/√(2π): what a maximum over equally spaced
/// points loses against the maximum over the continuum (Chernoff 1965; Siegmund 1985, chapter 10).
pub(super) const OVERSHOOT: f64 = 0.582_597_157_939_010_7;

/// Expectation of Kolmogorov's law, √(π/2)·ln 2.
const KOLMOGOROV_MEAN: f64 = 0.868_731_160_636_159_6;

/// Kolmogorov–Smirnov distance: the largest gap between the two distribution functions at a bin's edge.
///
/// **Formula.** D = maxⱼ |Gⱼ − Fⱼ| over the edges, F and G being the cumulative shares.
///
/// **Assumes** bins in ascending order. The value is exact at the edges and a lower bound of the distance on
/// the values themselves, by at most minus the largest minⱼ(fⱼ, gⱼ), about one bin's mass; for a smooth shift
/// the loss is of the order of 1/B².
///
/// **Not for** categories, whose order means nothing, nor for changes that stay in the far tail, where
/// distribution functions are close by construction.
///
/// **Source.** Kolmogorov 1933; Smirnov 1939. On one value per bin it equals `scipy.stats.ks_2samp`.
///
/// ```
/// use driftline_stat::binned;
///
/// assert_eq!(binned::kolmogorov_smirnov(&[50, 50], &[75, 25]), Some(0.25));
/// assert_eq!(binned::kolmogorov_smirnov(&[], &[]), None);
/// ```
pub fn kolmogorov_smirnov(reference: &[u64], current: &[u64]) -> Option<f64> {
    let (n_ref, n_cur) = totals(reference, current)?;
    let (mut below_ref, mut below_cur) = (0_u128, 0_u128);
    let mut distance = 0.0_f64;
    for (&r, &c) in reference.iter().zip(current) {
        below_ref += u128::from(r);
        below_cur += u128::from(c);
        distance = distance.max((below_ref as f64 / n_ref - below_cur as f64 / n_cur).abs());
    }
    Some(distance)
}

/// P-value of [`kolmogorov_smirnov`]: the probability of a distance at least this large without drift.
///
/// **Formula.** 1 − K(√nₑ·D + 0.5826/√B) with Kolmogorov's law K, nₑ = nm/(n+m) and B = `cells`. A distance
/// that is looked at in B places only is smaller than one looked at everywhere; the second term is the mean
/// overshoot that gives it back, without which a nominal 5 % is really 3.3 % at 64 bins.
///
/// **Assumes** independent events and about equal bins; with atoms, the correction is too small and the
/// p-value conservative. It is asymptotic: below about 20 values a side use
/// [`sample`](crate::sample) instead.
///
/// `None` if a side or `cells` is zero.
///
/// ```
/// use driftline_stat::binned;
///
/// let p = binned::kolmogorov_smirnov_p_value(0.05, 64, 1_000, 1_000).unwrap();
/// assert!((p - 0.117_3).abs() < 1e-4);
/// ```
pub fn kolmogorov_smirnov_p_value(
    distance: f64,
    cells: usize,
    n_ref: u64,
    n_cur: u64,
) -> Option<f64> {
    let noise = noise(n_ref, n_cur)?;
    if cells == 0 || distance.is_nan() {
        return None;
    }
    if distance <= 0.0 {
        return Some(1.0);
    }
    Some(kolmogorov_upper_tail(
        distance / noise.sqrt() + OVERSHOOT / (cells as f64).sqrt(),
    ))
}

/// The [`kolmogorov_smirnov`] distance to expect without drift.
///
/// **Formula.** (√(π/2)·ln 2 − 0.5826/√B) / √nₑ, the mean of Kolmogorov's law less the loss by bins.
///
/// ```
/// use driftline_stat::binned;
///
/// let floor = binned::kolmogorov_smirnov_floor(64, 50_000, 500).unwrap();
/// assert!((floor - 0.0358).abs() < 1e-4);
/// ```
pub fn kolmogorov_smirnov_floor(cells: usize, n_ref: u64, n_cur: u64) -> Option<f64> {
    let noise = noise(n_ref, n_cur)?;
    if cells < 2 {
        return Some(0.0);
    }
    Some(((KOLMOGOROV_MEAN - OVERSHOOT / (cells as f64).sqrt()) * noise.sqrt()).min(1.0))
}

/// What of the current values lies outside the reference's range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outside {
    /// Values below the reference's minimum.
    pub below: u64,
    /// Values above its maximum.
    pub above: u64,
    /// How far all of them are from the range, added up.
    pub distance: f64,
}

/// Wasserstein-1 (earth mover's) distance, in the column's own units.
///
/// **Measures** how far, on average, a value has to move to turn one distribution into the other: the area
/// between the two distribution functions.
///
/// **Formula.** Σⱼ ∫ |G − F| dx, both distribution functions being linear inside a bin. Bin j is
/// `(upper_bounds[j − 1], upper_bounds[j]]`; the outer bins are cut at `minimum` and `maximum`. Beyond those the
/// reference has nothing, so the area there is the mean distance of the values `outside` from the range, exactly.
/// The bin `(v.next_down(), v]` of an atom has no width, so atoms are exact.
///
/// **Error** against the distance on the values: at most width × min(fⱼ, gⱼ) for each bin between the cuts.
///
/// **Not for** comparing columns with each other before dividing by a scale such as the interquartile range.
///
/// `None` if the rows do not fit each other, a side is empty, or the range is not a range.
///
/// **Source.** Vallender 1974; on one value per bin it equals `scipy.stats.wasserstein_distance`.
///
/// ```
/// use driftline_stat::binned::{Outside, wasserstein};
///
/// // Half of the mass moves from the middle of [0, 1] to the middle of [1, 3]: 1.5 units on average.
/// let bounds = [1.0, f64::INFINITY];
/// let inside = Outside::default();
/// assert_eq!(wasserstein(&bounds, 0.0, 3.0, &[10, 0], &[5, 5], inside), Some(0.75));
///
/// // All of the mass moves from [0, 1] to 5, which is outside of the reference's range.
/// let outside = Outside { below: 0, above: 10, distance: 10.0 * (5.0 - 1.0) };
/// let bounds = [0.0, f64::INFINITY];
/// assert_eq!(wasserstein(&bounds, 0.0, 1.0, &[0, 10], &[0, 10], outside), Some(4.5));
/// ```
pub fn wasserstein(
    upper_bounds: &[f64],
    minimum: f64,
    maximum: f64,
    reference: &[u64],
    current: &[u64],
    outside: Outside,
) -> Option<f64> {
    let twice_mean = |before: f64, after: f64| {
        let (b, a) = (before.abs(), after.abs());
        match before * after < 0.0 {
            true => (b * b + a * a) / (b + a),
            false => b + a,
        }
    };
    let area = integrate(
        (upper_bounds, minimum, maximum),
        reference,
        current,
        outside,
        twice_mean,
    )?;
    Some((area + outside.distance.max(0.0) / total(current)).min(f64::MAX))
}

/// Energy distance, in the square root of the column's units.
///
/// **Formula.** √(2·∫(G − F)²dx), both distribution functions being linear inside a bin, in the bins of [`wasserstein`].
/// Beyond the reference's range the share of current values is taken to fall to nothing linearly.
///
/// **Error.** The noise inside the bins is lost: without drift its square is 1/B or so too small. The part beyond the
/// range, ⅔·share·mean distance, is between nothing and half as much again. Atoms are exact.
///
/// **Source.** Székely and Rizzo 2013; on one value per bin it equals `scipy.stats.energy_distance`.
///
/// ```
/// use driftline_stat::binned::{Outside, energy};
///
/// // One value at 0 and one at 2, as atoms.
/// let bounds = [0.0, 2.0_f64.next_down(), f64::INFINITY];
/// let distance = energy(&bounds, 0.0, 2.0, &[1, 0, 0], &[0, 0, 1], Outside::default()).unwrap();
/// assert!((distance - 2.0).abs() < 1e-9);
/// ```
pub fn energy(
    upper_bounds: &[f64],
    minimum: f64,
    maximum: f64,
    reference: &[u64],
    current: &[u64],
    outside: Outside,
) -> Option<f64> {
    let twice_mean =
        |before: f64, after: f64| 2.0 / 3.0 * (before * before + before * after + after * after);
    let area = integrate(
        (upper_bounds, minimum, maximum),
        reference,
        current,
        outside,
        twice_mean,
    )?;
    let n_cur = total(current);
    let (below, above) = (outside.below as f64 / n_cur, outside.above as f64 / n_cur);
    let mean_square = (below * below + above * above) / (below + above).max(f64::MIN_POSITIVE);
    let beyond = 2.0 / 3.0 * mean_square * outside.distance.max(0.0) / n_cur;
    Some((2.0_f64.sqrt() * (area + beyond).sqrt()).min(f64::MAX))
}

/// The integral over the reference's range of a function of the gap G − F, given as twice its mean between the gaps at
/// both ends of a bin.
fn integrate(
    (upper_bounds, minimum, maximum): (&[f64], f64, f64),
    reference: &[u64],
    current: &[u64],
    outside: Outside,
    twice_mean: impl Fn(f64, f64) -> f64,
) -> Option<f64> {
    let (n_ref, n_cur) = totals(reference, current)?;
    let is_range = minimum.is_finite() && maximum.is_finite() && minimum <= maximum;
    let fits = upper_bounds.len() == reference.len() && !upper_bounds.iter().any(|b| b.is_nan());
    if !fits || !is_range || outside.distance.is_nan() {
        return None;
    }
    let (mut below_ref, mut below_cur) = (0_u128, 0_u128);
    // Just below the minimum and at the maximum only the values outside make a gap.
    let (mut lower, mut gap_before) = (minimum, -(outside.below as f64) / n_cur);
    let gap_at_maximum = outside.above as f64 / n_cur;
    let mut area = 0.0;
    for (j, (&r, &c)) in reference.iter().zip(current).enumerate() {
        below_ref += u128::from(r);
        below_cur += u128::from(c);
        let gap = match j + 1 == reference.len() {
            true => gap_at_maximum,
            false => below_ref as f64 / n_ref - below_cur as f64 / n_cur,
        };
        let upper = upper_bounds[j].clamp(lower, maximum);
        // Halves before the difference, so that the whole range of a double has a finite width.
        let half_width = upper / 2.0 - lower / 2.0;
        area += half_width * twice_mean(gap_before, gap);
        lower = upper;
        gap_before = gap;
    }
    Some(area)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INSIDE: Outside = Outside {
        below: 0,
        above: 0,
        distance: 0.0,
    };

    #[test]
    fn an_atom_is_exact() {
        // Values 0, 5 and 9 as atoms: 0.3 of the mass goes from 0 to 5 and 0.1 from 5 to 9.
        let bounds = [
            0.0,
            5.0_f64.next_down(),
            5.0,
            9.0_f64.next_down(),
            f64::INFINITY,
        ];
        let w = wasserstein(
            &bounds,
            0.0,
            9.0,
            &[50, 0, 30, 0, 20],
            &[20, 0, 50, 0, 30],
            INSIDE,
        )
        .unwrap();
        assert!((w - (0.3 * 5.0 + 0.1 * 4.0)).abs() < 1e-12, "{w}");
    }

    #[test]
    fn a_crossing_inside_a_bin_counts_both_triangles() {
        let bounds = [1.0, 2.0, 3.0, f64::INFINITY];
        let w = wasserstein(&bounds, 0.0, 4.0, &[2, 0, 0, 2], &[1, 2, 0, 1], INSIDE).unwrap();
        // |D| is 1/4 at 1, −1/4 at 2 and 3, 0 at the ends.
        assert!((w - (0.125 + 0.125 + 0.25 + 0.125)).abs() < 1e-12, "{w}");
    }

    #[test]
    fn the_widest_range_does_not_overflow() {
        let bounds = [0.0, f64::INFINITY];
        let w = wasserstein(&bounds, f64::MIN, f64::MAX, &[1, 0], &[0, 1], INSIDE).unwrap();
        assert!(w.is_finite() && w > 1e307);
        assert_eq!(
            wasserstein(&bounds, f64::NAN, 1.0, &[1, 0], &[0, 1], INSIDE),
            None
        );
        assert_eq!(wasserstein(&[], 0.0, 1.0, &[], &[], INSIDE), None);
    }

    #[test]
    fn the_correction_meets_the_simulated_quantile() {
        // The 95 % point of √nₑ·D at 64 equal bins is 1.286, from 400,000 simulated bridges; its mean is 0.796.
        let p = kolmogorov_smirnov_p_value(1.286 / 1_000.0, 64, 2_000_000, 2_000_000).unwrap();
        assert!((p - 0.05).abs() < 5e-4, "{p}");
        let floor = kolmogorov_smirnov_floor(64, 2_000_000, 2_000_000).unwrap();
        assert!((floor * 1_000.0 - 0.796).abs() < 1e-3, "{floor}");
    }

    proptest! {
        #[test]
        fn distances_are_symmetric_and_bounded(
            rows in prop::collection::vec((0_u64..1_000, 0_u64..1_000), 1..70),
        ) {
            let (r, c): (Vec<u64>, Vec<u64>) = rows.into_iter().unzip();
            let bounds: Vec<f64> = (1..r.len()).map(|i| i as f64).chain([f64::INFINITY]).collect();
            let max = r.len() as f64;
            let ks = kolmogorov_smirnov(&r, &c);
            let w = wasserstein(&bounds, 0.0, max, &r, &c, INSIDE);
            prop_assert_eq!(ks.is_some(), total(&r) > 0.0 && total(&c) > 0.0);
            prop_assert_eq!(ks, kolmogorov_smirnov(&c, &r));
            prop_assert_eq!(w, wasserstein(&bounds, 0.0, max, &c, &r, INSIDE));
            if let (Some(ks), Some(w)) = (ks, w) {
                prop_assert!((0.0..=1.0).contains(&ks));
                // The area is at most the largest gap times the range.
                prop_assert!(w >= 0.0 && w <= ks * max + 1e-12);
            }
        }
    }
}
