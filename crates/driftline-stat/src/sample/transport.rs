//! Distances in the values' own units.

use super::{NumericPair, TestError, TestResult};

/// Wasserstein-1 (earth mover's) distance.
///
/// **Measures** how far, on average, a value has to move to turn one sample into the other.
///
/// **Formula.** ∫ |G − F| dx. Units of the values, 0 upwards, no p-value.
///
/// **When not to use.** To compare columns of different scale; with heavy tails, where a few extreme values decide
/// it. Values near the ends of the double range are reported as at most the largest double.
///
/// **Reference implementation.** `scipy.stats.wasserstein_distance`. **Source.** Vallender 1974.
///
/// # Errors
/// [`TestError::NotFinite`] if a sample holds an infinity.
///
/// ```
/// use driftline_stat::sample::{NumericPair, transport};
///
/// let pair = NumericPair::new(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0])?;
/// assert!((transport::wasserstein(&pair)?.statistic - 5.0).abs() < 1e-12);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn wasserstein(pair: &NumericPair) -> Result<TestResult, TestError> {
    pair.require_finite()?;
    Ok(TestResult::distance(2.0 * half_integral(pair, f64::abs)))
}

/// Energy distance.
///
/// **Measures** √(2·E|X − Y| − E|X − X′| − E|Y − Y′|): zero only for equal distributions, and less swayed by a few
/// extreme values than the Wasserstein distance.
///
/// **Formula.** √(2·∫ (G − F)² dx), the same in one dimension. Units are the square root of the values'.
///
/// **When not to use.** As a scale-free figure: divide by the square root of a scale first.
///
/// **Reference implementation.** `scipy.stats.energy_distance`. **Source.** Székely and Rizzo 2013.
///
/// # Errors
/// [`TestError::NotFinite`] if a sample holds an infinity.
///
/// ```
/// use driftline_stat::sample::{NumericPair, transport};
///
/// let pair = NumericPair::new(&[0.0], &[2.0])?;
/// assert!((transport::energy(&pair)?.statistic - 2.0).abs() < 1e-12);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn energy(pair: &NumericPair) -> Result<TestResult, TestError> {
    pair.require_finite()?;
    let half = half_integral(pair, |gap| gap * gap);
    Ok(TestResult::distance(2.0 * half.sqrt()))
}

/// Half the integral of `of` the gap between the two distribution functions.
///
/// Halves before the difference, so that the whole range of a double has a finite width.
fn half_integral(pair: &NumericPair, of: impl Fn(f64) -> f64) -> f64 {
    let (n, m) = pair.sizes();
    let (mut below_ref, mut below_cur) = (0_usize, 0_usize);
    let mut last: Option<f64> = None;
    let mut area = 0.0;
    for step in pair.steps() {
        if let Some(last) = last {
            let gap = below_ref as f64 / n as f64 - below_cur as f64 / m as f64;
            area += (step.value / 2.0 - last / 2.0) * of(gap);
        }
        below_ref += step.in_reference;
        below_cur += step.in_current;
        last = Some(step.value);
    }
    area
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_range_stays_finite() {
        let pair = NumericPair::new(&[f64::MIN], &[f64::MAX]).unwrap();
        assert_eq!(wasserstein(&pair).unwrap().statistic, f64::MAX);
        assert!(energy(&pair).unwrap().statistic.is_finite());
    }
}
