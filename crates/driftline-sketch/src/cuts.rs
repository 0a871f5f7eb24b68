//! Where to cut a column: equal-mass quantiles, tails, and an own bin for every value that is common.

use crate::ProfileOptions;

/// A value that stands for less than this many reference rows gets no bin of its own: in a small
/// reference a chance tie must not look like an atom.
const ATOM_COUNT_MIN: usize = 5;

/// The upper bounds of the bins for `sorted` (finite, ascending): strictly ascending, the last is +∞.
///
/// Quantiles are values of the reference (the inverse of its distribution function). A bound at or above the
/// largest finite number would leave nothing above it and is left out.
pub(crate) fn upper_bounds(sorted: &[f64], options: &ProfileOptions) -> Vec<f64> {
    let n = sorted.len();
    let mut bounds = Vec::new();
    if let (Some(&last), Some(top)) = (sorted.last(), n.checked_sub(1)) {
        let bins = options.bins.max(1);
        let equal = (1..bins).map(|i| (i * n).div_ceil(bins).saturating_sub(1).min(top));
        let tails = options.tail_quantiles.iter().map(|q| rank(*q, n));
        // A cut at the maximum would only repeat what `above_max` says.
        bounds.extend(
            equal
                .chain(tails)
                .map(|i| sorted[i])
                .filter(|cut| *cut < last),
        );
        let least = n.div_ceil(2 * bins).max(ATOM_COUNT_MIN);
        for run in sorted
            .chunk_by(|a, b| a == b)
            .filter(|run| run.len() >= least)
        {
            bounds.extend([run[0].next_down() + 0.0, run[0]]);
        }
    }
    bounds.retain(|bound| (-f64::MAX..f64::MAX).contains(bound));
    bounds.push(f64::INFINITY);
    bounds.sort_unstable_by(f64::total_cmp);
    bounds.dedup();
    bounds
}

/// The index of the `q` quantile among `n` sorted values.
pub(crate) fn rank(q: f64, n: usize) -> usize {
    ((q * n as f64).ceil() as usize).clamp(1, n.max(1)) - 1
}
