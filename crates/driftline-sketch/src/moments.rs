//! Sums that do not depend on the order of their terms: fixed-point numbers on a grid of the
//! reference's scale.

/// Fractional bits of the grid: a step is `scale / 2^20`.
const FRACTION_BITS: i32 = 20;
/// Values further than this many steps from the centre count as if they stood here (2,048 scales).
const STEPS_MAX: f64 = 2_147_483_648.0;
/// Added to a number below 2^51, leaves its nearest integer (ties to even) in the low bits of the
/// mantissa.
pub(crate) const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// Below this exponent the grid's inverse would overflow.
const EXPONENT_MIN: i32 = -1_000;
const EXPONENT_MAX: i32 = 1_023;

/// A grid of steps `2^(exponent - 20)` around a centre.
///
/// A value x stands on the grid at `q = round((x − centre) / step)`, clamped to ±2^31. Its error is
/// at most half a step, which is 2^-21 of the reference's spread rounded up to a power of two, plus
/// half a unit in the last place of `x − centre`; values more than 2,048 scales away are clamped,
/// and counted. A mean of n values has at most the same error, whatever n.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Grid {
    centre: f64,
    exponent: i32,
    step: f64,
    per_step: f64,
}

/// `2^exponent`, for normal results.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent.clamp(-1_022, 1_023) + 1_023) as u64) << 52)
}

/// The smallest e with 2^e ≥ `value`, within the grid's bounds.
fn exponent_above(value: f64) -> i32 {
    let bits = value.to_bits();
    let floor = (bits >> 52 & 0x7ff) as i32 - 1_023;
    let exact = bits & ((1 << 52) - 1) == 0;
    (floor + i32::from(!exact)).clamp(EXPONENT_MIN, EXPONENT_MAX)
}

/// What a tile of values adds to a summary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sums {
    pub(crate) sum: i64,
    pub(crate) squares: u128,
    pub(crate) clamped: u64,
}

impl Grid {
    /// A grid for values around `near` that spread over `spread`. Both finite, `spread` not
    /// negative; a zero `spread` falls back to the size of `near`, and then to one.
    pub(crate) fn around(near: f64, spread: f64) -> Self {
        let size = [spread, near.abs()]
            .into_iter()
            .find(|s| *s > 0.0)
            .unwrap_or(1.0);
        let exponent = exponent_above(size);
        let centre = Self::new(0.0, exponent).map_or(0.0, |grid| grid.nearest(near));
        Self::new(centre, exponent).unwrap_or(Self {
            centre: 0.0,
            exponent: 0,
            step: 1.0,
            per_step: 1.0,
        })
    }

    /// The grid with this centre and scale, if they are in range.
    pub(crate) fn new(centre: f64, exponent: i32) -> Option<Self> {
        let fits = centre.is_finite() && (EXPONENT_MIN..=EXPONENT_MAX).contains(&exponent);
        fits.then(|| Self {
            centre: centre + 0.0,
            exponent,
            step: power_of_two(exponent - FRACTION_BITS),
            per_step: power_of_two(FRACTION_BITS - exponent),
        })
    }

    pub(crate) fn centre(&self) -> f64 {
        self.centre
    }

    pub(crate) fn exponent(&self) -> i32 {
        self.exponent
    }

    pub(crate) fn step(&self) -> f64 {
        self.step
    }

    /// The multiple of the step nearest to `value`, where one is representable.
    fn nearest(&self, value: f64) -> f64 {
        let steps = value * self.per_step;
        if steps.abs() < 4_503_599_627_370_496.0 {
            steps.round() * self.step
        } else {
            value
        }
    }

    /// The sums over a tile of finite values, at most 2^31 of them.
    #[inline]
    pub(crate) fn sums(&self, values: &[f64]) -> Sums {
        let (mut sum, mut low, mut high, mut clamped) = (0_i64, 0_u64, 0_u64, 0_u64);
        for &value in values {
            let steps = (value - self.centre) * self.per_step;
            let within = steps.clamp(-STEPS_MAX, STEPS_MAX);
            let place = (within + ROUNDER).to_bits().wrapping_sub(ROUNDER.to_bits()) as i64;
            // At most 2^31, so the square fits and its halves add up without carries.
            let square = place.unsigned_abs() * place.unsigned_abs();
            sum += place;
            low += square & 0xffff_ffff;
            high += square >> 32;
            clamped += u64::from(within != steps);
        }
        Sums {
            sum,
            squares: (u128::from(high) << 32) + u128::from(low),
            clamped,
        }
    }

    /// The mean of `n` values with this sum.
    pub(crate) fn mean(&self, n: u64, sum: i128) -> Option<f64> {
        let mean = || self.centre + sum as f64 / n as f64 * self.step;
        (n > 0).then(|| mean().clamp(f64::MIN, f64::MAX))
    }

    /// How far `n` values with this sum are from `from`, added up.
    pub(crate) fn total(&self, n: u64, sum: i128, from: f64) -> f64 {
        sum as f64 * self.step - n as f64 * (from - self.centre)
    }

    /// The sample standard deviation (n − 1) of `n` values with these sums.
    pub(crate) fn standard_deviation(&self, n: u64, sum: i128, squares: u128) -> Option<f64> {
        if n < 2 {
            return None;
        }
        // Taken around the integer nearest below the mean, all but the last small term is exact.
        let count = i128::from(n);
        let (whole, rest) = (sum.div_euclid(count), sum.rem_euclid(count));
        let around = i128::try_from(squares)
            .ok()?
            .checked_sub(whole.checked_mul(sum.checked_add(rest)?)?)?;
        let rest = rest as f64;
        let deviations = (around as f64 - rest * (rest / n as f64)).max(0.0);
        Some((deviations / (n - 1) as f64).sqrt() * self.step).map(|d: f64| d.min(f64::MAX))
    }

    /// Whether `n` places can have these sums.
    pub(crate) fn possible(n: u64, sum: i128, squares: u128) -> bool {
        let n = u128::from(n);
        sum.unsigned_abs() <= n << 31 && squares <= n << 62
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_stand_on_the_grid_exactly() {
        let grid = Grid::around(1e9 + 7.0, 300.0);
        let values = [1e9, 1e9 + 7.0, 1e9 - 1_000.0];
        let sums = grid.sums(&values);
        assert_eq!(grid.mean(3, i128::from(sums.sum)), Some(1e9 - 331.0));
        assert_eq!(sums.clamped, 0);
    }

    #[test]
    fn a_far_shift_keeps_its_small_spread() {
        let grid = Grid::around(0.0, 1.0);
        let sums = grid.sums(&[2_000.0, 2_000.0 + 1.0 / 1_024.0]);
        let deviation = grid
            .standard_deviation(2, i128::from(sums.sum), sums.squares)
            .unwrap();
        assert!(
            (deviation - 0.5_f64.sqrt() / 1_024.0).abs() < 1e-12,
            "{deviation}"
        );
    }

    #[test]
    fn extremes_are_clamped_and_counted() {
        for (near, spread) in [
            (0.0, 1.0),
            (1e308, 1.0),
            (-1e308, 1e308),
            (0.0, 5e-324),
            (5e-324, 0.0),
        ] {
            let grid = Grid::around(near, spread);
            let sums = grid.sums(&[f64::MIN, f64::MAX, 0.0, -0.0, 5e-324, -5e-324]);
            assert!(Grid::possible(6, i128::from(sums.sum), sums.squares));
            assert!(
                grid.mean(6, i128::from(sums.sum))
                    .is_some_and(f64::is_finite)
            );
            assert!(sums.clamped <= 6);
        }
        assert_eq!(
            Grid::around(0.0, 1.0)
                .sums(&[2_049.0, -1e300, 2_048.0])
                .clamped,
            2
        );
    }

    #[test]
    fn the_error_of_a_place_is_half_a_step() {
        let grid = Grid::around(0.3, 0.7);
        for i in -1_000..1_000 {
            let value = f64::from(i) * 0.012_345;
            let back = grid.mean(1, i128::from(grid.sums(&[value]).sum)).unwrap();
            assert!(
                (back - value).abs() <= 1.000_001 * 2.0_f64.powi(-21),
                "{value}"
            );
        }
    }

    #[test]
    fn sums_that_no_values_have_do_not_overflow() {
        let grid = Grid::around(0.0, 1.0);
        for sum in [i128::MIN, i128::MAX, 0] {
            for squares in [0, u128::MAX] {
                for n in [0, 1, 2, u64::MAX] {
                    let _ = grid.standard_deviation(n, sum, squares);
                    let _ = grid.mean(n, sum);
                    let _ = Grid::possible(n, sum, squares);
                }
            }
        }
    }
}
