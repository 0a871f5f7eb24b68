//! Where to cut a column: equal-mass quantiles, tails, and an own bin for every value that is
//! common.

use crate::ProfileOptions;

/// A value that stands for less than this many reference rows gets no bin of its own: in a small
/// reference a chance tie must not look like an atom.
const ATOM_COUNT_MIN: usize = 5;

/// The upper bounds of the bins for `sorted` (finite, ascending): strictly ascending, the last is
/// +∞.
///
/// Quantiles are values of the reference (the inverse of its distribution function). A bound at or
/// above the largest finite number would leave nothing above it and is left out.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(mut values: Vec<f64>) -> Vec<f64> {
        values.sort_unstable_by(f64::total_cmp);
        let options = ProfileOptions {
            bins: 64,
            ..ProfileOptions::default()
        };
        upper_bounds(&values, &options)
    }

    #[test]
    fn equal_mass_and_tails() {
        let upper = cuts((1..=64_000).map(f64::from).collect());
        // 63 inner cuts, four tail cuts and the open end.
        assert_eq!(upper.len(), 68);
        for cut in [
            64.0,
            320.0,
            1_000.0,
            32_000.0,
            63_000.0,
            63_680.0,
            63_936.0,
            f64::INFINITY,
        ] {
            assert!(upper.contains(&cut), "{cut}");
        }
    }

    #[test]
    fn a_common_value_has_its_own_bin() {
        let mut values: Vec<f64> = (1..=1_000).map(f64::from).collect();
        values.extend([0.0; 600]);
        values.extend([500.5; 20]);
        let upper = cuts(values);
        assert_eq!(upper[..2], [0.0_f64.next_down(), 0.0]);
        assert!(upper.contains(&500.5) && upper.contains(&500.5_f64.next_down()));
        assert!(!upper.contains(&501.0_f64.next_down()));
    }

    #[test]
    fn a_chance_tie_in_a_small_reference_has_none() {
        let upper = cuts(vec![1.0, 2.0, 2.0, 3.0]);
        assert_eq!(upper, [1.0, 2.0, f64::INFINITY]);
    }

    #[test]
    fn one_value_or_none() {
        assert_eq!(cuts(vec![]), [f64::INFINITY]);
        assert_eq!(cuts(vec![7.0]), [f64::INFINITY]);
        assert_eq!(
            cuts(vec![7.0; 100]),
            [7.0_f64.next_down(), 7.0, f64::INFINITY]
        );
    }

    #[test]
    fn every_bin_holds_a_finite_number() {
        for extreme in [f64::MAX, f64::MIN] {
            let upper = cuts(vec![extreme; 100]);
            assert_eq!(upper.len(), 2);
            assert!(upper[0].is_finite() && upper[0] < f64::MAX);
        }
    }
}
