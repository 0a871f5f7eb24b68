//! Numeric columns: counts in the bins of the reference's quantiles, and moments on a grid of its
//! scale.
//!
//! **What it measures.** The share of a window's values in each of about 96 bins of equal reference mass; hence
//! the distribution function at every cut, exactly. Cuts are the reference's quantiles at i/96 and at 0.1, 0.5,
//! 99.5 and 99.9 %; a value v that is common in the reference has the bin (v⁻, v] to itself, where v⁻ is the
//! next smaller f64, so that ties, inflated zeros and discrete columns are compared value by value.
//!
//! **Error.** Counts have none. The distribution function between two cuts is known to within the mass of one
//! bin, and a Kolmogorov–Smirnov distance likewise: to 1/96, for smooth shifts to far less. The mean is that of the
//! values rounded to a grid of 2^-20 of the reference's spread (its interquartile range, rounded up to a power of
//! two): an error of at most 2^-21 of that spread, whatever the number of values. Values more than 2,048
//! spreads away count in the moments as if they stood there, and their number is [`NumericSummary::clamped`].
//!
//! **Not for** columns whose reference is not representative at all: a bin without reference mass says
//! only that something is there.

mod summary;

use std::fmt;

use crate::binner::Binner;
use crate::moments::Grid;
use crate::{ProfileOptions, cuts};
pub use summary::NumericSummary;

/// Stands in a column of numbers for a value that is not there. A NaN that no arithmetic produces.
pub const MISSING: f64 = f64::from_bits(0x7ff8_d21f_0000_0001);

/// Stands in a column of numbers for a value that is no number. A NaN that no arithmetic produces.
pub const WRONG_TYPE: f64 = f64::from_bits(0x7ff8_d21f_0000_0002);

/// Values that are counted at a time.
const TILE: usize = 64;

/// Whether `value` is [`MISSING`].
pub fn is_missing(value: f64) -> bool {
    value.to_bits() == MISSING.to_bits()
}

/// Whether `value` is [`WRONG_TYPE`].
pub fn is_wrong_type(value: f64) -> bool {
    value.to_bits() == WRONG_TYPE.to_bits()
}

/// A number as it came from outside: whatever NaN it is becomes the plain one, so that no event can
/// pass a NaN for one of the sentinels.
///
/// ```
/// use driftline_sketch::{MISSING, is_missing, number};
/// assert!(is_missing(MISSING) && !is_missing(number(MISSING)));
/// ```
pub fn number(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

/// How a numeric column is cut, and how the reference falls into the cuts.
///
/// Bins are `(lower, upper]`. A value that is common in the reference has a bin of its own,
/// `(next_down(v), v]`. Values outside the reference's range count in the outer bins, and besides
/// in [`NumericSummary::below_min`] or [`NumericSummary::above_max`].
#[derive(Clone)]
pub struct NumericProfile {
    pub(crate) binner: Binner,
    pub(crate) grid: Grid,
    pub(crate) range: Option<(f64, f64)>,
    pub(crate) reference: NumericSummary,
}

impl fmt::Debug for NumericProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NumericProfile")
            .field("upper_bounds", &self.upper_bounds())
            .field("grid", &self.grid)
            .field("range", &self.range)
            .field("reference", &self.reference)
            .finish()
    }
}

impl PartialEq for NumericProfile {
    fn eq(&self, other: &Self) -> bool {
        self.upper_bounds() == other.upper_bounds()
            && self.grid == other.grid
            && self.range == other.range
            && self.reference == other.reference
    }
}

impl NumericProfile {
    /// Cuts the column and counts it. `values` may hold the sentinels, NaN and infinities.
    pub(crate) fn build(values: &[f64], options: &ProfileOptions) -> Self {
        let mut sorted: Vec<f64> = values
            .iter()
            .filter(|v| v.is_finite())
            .map(|v| v + 0.0)
            .collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let upper = cuts::upper_bounds(&sorted, options);
        let at = |q: f64| {
            sorted
                .get(cuts::rank(q, sorted.len()))
                .copied()
                .unwrap_or(0.0)
        };
        let (median, range) = (at(0.5), (at(0.0), at(1.0)));
        // Quartiles first: a few wild values must not coarsen the grid for all others.
        let spread = [(0.25, 0.75), (0.05, 0.95), (0.0, 1.0)]
            .into_iter()
            .map(|(low, high)| (at(high) - at(low)).min(f64::MAX))
            .find(|spread| *spread > 0.0);
        let range = (!sorted.is_empty()).then_some(range);
        let grid = Grid::around(median, spread.unwrap_or(0.0));
        let plain = Self::assemble(upper, grid, range, NumericSummary::default());
        let mut reference = plain.empty_summary();
        plain.add_column(values, &mut reference);
        // Once more, now that the counts say which bins the table should resolve best.
        Self::assemble(plain.binner.into_upper_bounds(), grid, range, reference)
    }

    pub(crate) fn assemble(
        upper: Vec<f64>,
        grid: Grid,
        range: Option<(f64, f64)>,
        reference: NumericSummary,
    ) -> Self {
        Self {
            binner: Binner::new(upper, &reference.counts),
            grid,
            range,
            reference,
        }
    }

    /// How many bins there are, at least one.
    pub fn bins(&self) -> usize {
        self.upper_bounds().len()
    }

    /// The bins' upper bounds, strictly ascending; the last is +∞.
    pub fn upper_bounds(&self) -> &[f64] {
        self.binner.upper_bounds()
    }

    /// The reference's own summary.
    pub fn reference(&self) -> &NumericSummary {
        &self.reference
    }

    /// The reference's smallest valid value; 0 if it has none.
    pub fn minimum(&self) -> f64 {
        self.range.map_or(0.0, |(minimum, _)| minimum)
    }

    /// The reference's largest valid value; 0 if it has none.
    pub fn maximum(&self) -> f64 {
        self.range.map_or(0.0, |(_, maximum)| maximum)
    }

    /// The reference's sample standard deviation; 0 if it has fewer than two valid values.
    pub fn standard_deviation(&self) -> f64 {
        self.standard_deviation_of(&self.reference).unwrap_or(0.0)
    }

    /// A summary of nothing, in the shape of this profile.
    pub fn empty_summary(&self) -> NumericSummary {
        NumericSummary {
            counts: vec![0; self.bins()],
            ..NumericSummary::default()
        }
    }

    /// Counts a column of values. The order of the values, and how they are cut into columns, makes
    /// no difference to the summary.
    ///
    /// A summary with too few bins, such as the default one, is first widened to this profile's.
    pub fn add_column(&self, values: &[f64], into: &mut NumericSummary) {
        if into.counts.len() < self.bins() {
            into.counts.resize(self.bins(), 0);
        }
        let mut finite = [0.0; TILE + 1];
        for tile in values.chunks(TILE) {
            // Whole tiles of finite numbers, the usual case, need no copy.
            if tile.iter().fold(true, |all, value| all & value.is_finite()) {
                self.add_finite(tile, into);
                continue;
            }
            // Without branches: where values are missing at random, one would be guessed wrong.
            let (mut n, mut missing) = (0, 0);
            for &value in tile {
                finite[n] = value;
                n += usize::from(value.is_finite());
                missing += usize::from(is_missing(value));
            }
            into.missing += missing as u64;
            if n + missing < tile.len() {
                tile.iter().for_each(|value| into.add_invalid(*value));
            }
            self.add_finite(&finite[..n], into);
        }
    }

    /// Counts at most a tile of finite values.
    fn add_finite(&self, values: &[f64], into: &mut NumericSummary) {
        self.binner.count(values, &mut into.counts);
        let (minimum, maximum) = self.range.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        let mut outside = [0_u64; 2];
        for &value in values {
            outside[0] += u64::from(value < minimum);
            outside[1] += u64::from(value > maximum);
        }
        if outside != [0, 0] {
            self.add_outside(values, into);
        }
        into.below_min += outside[0];
        into.above_max += outside[1];
        let sums = self.grid.sums(values);
        into.sum += i128::from(sums.sum);
        into.sum_of_squares += sums.squares;
        into.clamped += sums.clamped;
    }

    /// Adds up the values of a tile that are outside the reference's range.
    #[cold]
    fn add_outside(&self, values: &[f64], into: &mut NumericSummary) {
        let Some((minimum, maximum)) = self.range else {
            return;
        };
        for &value in values {
            let place = || i128::from(self.grid.sums(&[value]).sum);
            if value < minimum {
                into.sum_below += place();
            } else if value > maximum {
                into.sum_above += place();
            }
        }
    }

    /// How far the valid values outside the reference's range are from it, added up, in the column's own unit.
    pub fn distance_outside(&self, summary: &NumericSummary) -> f64 {
        let Some((minimum, maximum)) = self.range else {
            return 0.0;
        };
        let below = self
            .grid
            .total(summary.below_min, summary.sum_below, minimum);
        let above = self
            .grid
            .total(summary.above_max, summary.sum_above, maximum);
        (above - below).clamp(0.0, f64::MAX)
    }

    /// The mean of the valid values, if there are any.
    pub fn mean(&self, summary: &NumericSummary) -> Option<f64> {
        self.grid.mean(summary.valid(), summary.sum)
    }

    /// The sample standard deviation (n − 1) of the valid values, if there are at least two.
    pub fn standard_deviation_of(&self, summary: &NumericSummary) -> Option<f64> {
        self.grid
            .standard_deviation(summary.valid(), summary.sum, summary.sum_of_squares)
    }

    /// The `q` quantile of the valid values, linear inside a bin; `None` if there are none or `q`
    /// is not within 0 to 1.
    ///
    /// The outer bins end at the reference's minimum and maximum, so the answer never leaves that
    /// range: a window that does is seen by its below-minimum and above-maximum counts.
    pub fn quantile(&self, summary: &NumericSummary, q: f64) -> Option<f64> {
        let n = summary.valid();
        if n == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let wanted = q * n as f64;
        let (minimum, maximum) = self.range?;
        let mut lower = minimum;
        let mut before = 0_u64;
        for (bound, count) in self.upper_bounds().iter().zip(&summary.counts) {
            let upper = bound.clamp(minimum, maximum);
            let through = before.saturating_add(*count);
            if *count > 0 && through as f64 >= wanted {
                let share = ((wanted - before as f64) / *count as f64).clamp(0.0, 1.0);
                let is_atom = upper.next_down() <= lower;
                return Some(if is_atom {
                    upper
                } else {
                    lower * (1.0 - share) + upper * share
                });
            }
            before = through;
            lower = upper;
        }
        Some(maximum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Combine;

    fn profile(values: &[f64]) -> NumericProfile {
        NumericProfile::build(values, &ProfileOptions::default())
    }

    fn summary(profile: &NumericProfile, values: &[f64]) -> NumericSummary {
        let mut summary = profile.empty_summary();
        profile.add_column(values, &mut summary);
        summary
    }

    #[test]
    fn a_continuous_reference_falls_evenly_into_its_bins() {
        let values: Vec<f64> = (0..64_000).map(|i| f64::from(i).sqrt()).collect();
        let profile = profile(&values);
        let inner = profile
            .reference()
            .counts
            .iter()
            .filter(|n| (600..700).contains(*n));
        assert_eq!((profile.bins(), inner.count()), (100, 94));
        assert_eq!(profile.reference().valid(), 64_000);
        assert_eq!(
            (profile.minimum(), profile.maximum()),
            (0.0, f64::from(63_999).sqrt())
        );
    }

    #[test]
    fn what_is_no_number_is_counted_by_kind() {
        let profile = profile(&[1.0, 2.0, 3.0]);
        let values = [
            MISSING,
            WRONG_TYPE,
            f64::NAN,
            -f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            2.0,
        ];
        for times in [1, 9, 64, 65] {
            let summary = summary(&profile, &values.repeat(times));
            let times = times as u64;
            assert_eq!(
                (summary.missing, summary.wrong_type, summary.nan),
                (times, times, 2 * times)
            );
            assert_eq!(
                (summary.positive_infinity, summary.negative_infinity),
                (times, times)
            );
            assert_eq!(
                (summary.valid(), summary.invalid(), summary.rows()),
                (times, 5 * times, 7 * times)
            );
            assert_eq!(profile.mean(&summary), Some(2.0));
        }
        assert!(!is_missing(number(MISSING)) && !is_wrong_type(number(WRONG_TYPE)));
    }

    #[test]
    fn inflated_zeros_do_not_mix_with_their_neighbours() {
        let mut values = vec![0.0; 700];
        values.extend((1..=300).map(f64::from));
        let profile = profile(&values);
        assert_eq!(profile.reference().counts[..2], [0, 700]);
        let window = summary(&profile, &[0.0, -0.0, 5e-324, -5e-324]);
        assert_eq!(window.counts[..3], [1, 2, 1]);
        assert_eq!((window.below_min, window.above_max), (1, 0));
        assert_eq!(profile.quantile(profile.reference(), 0.5), Some(0.0));
    }

    #[test]
    fn a_constant_reference_tells_its_value_from_all_others() {
        let profile = profile(&[7.0; 1_000]);
        assert_eq!(profile.reference().counts, [0, 1_000, 0]);
        assert_eq!(profile.standard_deviation(), 0.0);
        let window = summary(&profile, &[6.9, 7.0, 7.0, 7.1]);
        assert_eq!(window.counts, [1, 2, 1]);
        assert_eq!((window.below_min, window.above_max), (1, 1));
        assert_eq!(profile.quantile(&window, 0.5), Some(7.0));
    }

    #[test]
    fn a_reference_without_numbers_has_one_bin_and_no_range() {
        for values in [vec![], vec![MISSING; 10], vec![f64::NAN, f64::INFINITY]] {
            let profile = profile(&values);
            assert_eq!(profile.upper_bounds(), [f64::INFINITY]);
            assert_eq!(profile.reference().rows(), values.len() as u64);
            assert_eq!(
                (profile.mean(profile.reference()), profile.minimum()),
                (None, 0.0)
            );
            let window = summary(&profile, &[1.0, -1e308]);
            assert_eq!(
                (window.valid(), window.below_min, window.above_max),
                (2, 0, 0)
            );
            assert_eq!(profile.quantile(&window, 0.5), None);
        }
    }

    #[test]
    fn extremes_are_numbers_too() {
        let values = [f64::MIN, -1e308, -5e-324, 0.0, 5e-324, 1e308, f64::MAX];
        let profile = profile(&values.repeat(100));
        assert_eq!(profile.reference().valid(), 700);
        assert_eq!(
            profile
                .reference()
                .counts
                .iter()
                .filter(|n| **n == 100)
                .count(),
            7
        );
        for q in [0.0, 0.3, 0.5, 1.0] {
            assert!(
                profile
                    .quantile(profile.reference(), q)
                    .is_some_and(f64::is_finite)
            );
        }
    }

    #[test]
    fn what_is_outside_knows_how_far() {
        let profile = profile(&(0..1_000).map(f64::from).collect::<Vec<_>>());
        let mut window = summary(&profile, &[-10.0, 500.0, 1_099.0, 1_199.0]);
        assert!((profile.distance_outside(&window) - 310.0).abs() < 0.01);
        let inside = summary(&profile, &[500.0, 0.0, 999.0]);
        assert_eq!(profile.distance_outside(&inside), 0.0);
        let part = summary(&profile, &[-10.0, 1_099.0]);
        window.combine(&part, Combine::Subtract).unwrap();
        assert!((profile.distance_outside(&window) - 200.0).abs() < 0.01);
    }

    #[test]
    fn mean_deviation_and_quantiles_are_those_of_the_values() {
        let values: Vec<f64> = (0..=1_000).map(f64::from).collect();
        let profile = profile(&values);
        let reference = profile.reference();
        assert_eq!(profile.mean(reference), Some(500.0));
        let deviation = profile.standard_deviation();
        assert!(
            (deviation - 289.108_111_266_356_3).abs() < 1e-9,
            "{deviation}"
        );
        for q in [0.0, 0.01, 0.25, 0.5, 0.9, 1.0] {
            let quantile = profile.quantile(reference, q).unwrap();
            assert!((quantile - 1_000.0 * q).abs() < 2.0, "{q}: {quantile}");
        }
        assert_eq!(profile.quantile(reference, 1.5), None);
        assert_eq!(profile.quantile(reference, f64::NAN), None);
    }
}
