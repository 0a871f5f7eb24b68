//! Tests on averages: of the values, and of the waves they drive.

use super::share::quantile;
use super::{NumericPair, TestError, TestResult};
use crate::distribution::{chi_square_upper_tail, student_two_tails};

/// Welch's t-test of equal means without assuming equal variances.
///
/// **Formula.** (x̄ − ȳ)/√(s²ₓ/n + s²ᵧ/m), Student's law with Satterthwaite's degrees of freedom. Positive when the
/// reference has the larger mean.
///
/// **When not to use.** With heavy tails, where means hardly converge, or for changes that leave the mean in place.
///
/// **Reference implementation.** `scipy.stats.ttest_ind(.., equal_var=False)`. **Source.** Welch 1947.
///
/// # Errors
/// [`TestError::TooFew`] below two values a side, [`TestError::NotFinite`] if one is infinite,
/// [`TestError::Constant`] if neither side varies, [`TestError::Overflow`] if a variance is beyond the range of a double.
///
/// ```
/// use driftline_stat::sample::{NumericPair, moment};
///
/// let pair = NumericPair::new(&[1.0, 2.0, 3.0, 4.0], &[2.0, 4.0, 6.0])?;
/// let test = moment::welch_t(&pair)?;
/// assert!((test.statistic + 1.133_893_419_027_681_7).abs() < 1e-12);
/// assert!((test.p_value.unwrap() - 0.333_823_700_077_501).abs() < 1e-9);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn welch_t(pair: &NumericPair) -> Result<TestResult, TestError> {
    let (n, m) = pair.sizes();
    if n.min(m) < 2 {
        return Err(TestError::TooFew(2));
    }
    pair.require_finite()?;
    let (mean_ref, variance_ref) = mean_and_variance(&pair.reference);
    let (mean_cur, variance_cur) = mean_and_variance(&pair.current);
    let (error_ref, error_cur) = (variance_ref / n as f64, variance_cur / m as f64);
    let error = error_ref + error_cur;
    if error == 0.0 {
        return Err(TestError::Constant);
    }
    // Shares before squares, so that the degrees of freedom cannot overflow where the variances did not.
    let (share_ref, share_cur) = (error_ref / error, error_cur / error);
    let df =
        1.0 / (share_ref * share_ref / (n - 1) as f64 + share_cur * share_cur / (m - 1) as f64);
    let t = (mean_ref - mean_cur) / error.sqrt();
    if !(error.is_finite() && t.is_finite()) {
        return Err(TestError::Overflow);
    }
    Ok(TestResult::asymptotic(t, student_two_tails(t, df)))
}

fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let first = values[0];
    if values[values.len() - 1] == first {
        // A rounded mean would give a constant sample a variance.
        return (first, 0.0);
    }
    let mean = first + values.iter().map(|v| v - first).sum::<f64>() / n;
    let (mut squares, mut rest) = (0.0, 0.0);
    for v in values {
        let gap = v - mean;
        squares += gap * gap;
        rest += gap;
    }
    // What the rounded mean left over is taken out of the squares (Chan, Golub and LeVeque 1983).
    (mean, (squares - rest * rest / n) / (n - 1.0))
}

/// The points at which the characteristic functions are compared, in units of half the interquartile range.
const POINTS: [f64; 2] = [0.4, 0.8];

/// Eigenvalues below this share of the largest count as zero. A direction that small is rounding: the values have too
/// few distinct points to move in it.
const RANK_TOLERANCE: f64 = 1e-12;

/// Waves vary between −1 and 1; a covariance below this is the rounding of two constant samples.
const VARIANCE_MIN: f64 = 1e-24;

/// Epps–Singleton test.
///
/// **Measures** the difference of the two empirical characteristic functions at 0.4 and 0.8 (over half the pooled
/// interquartile range). It sees changes of shape that Kolmogorov–Smirnov is slow for, and takes discrete values.
///
/// **Formula.** W = N·gᵀ·S⁺·g with g the difference of the mean cosines and sines and S their covariance; chi-square
/// with rank(S) degrees of freedom. Below 25 values a side W is shrunk as the paper says.
///
/// **When not to use.** Below five values a side, or when over half of the values are equal (the interquartile range
/// is then zero).
///
/// **Reference implementation.** `scipy.stats.epps_singleton_2samp`. **Differs** where the covariance is singular, as
/// for binary values: scipy then inverts rounding errors above 9e-16 of the largest eigenvalue, here they stop at 1e-12.
///
/// **Source.** Epps and Singleton 1986; Goerg and Kaiser 2009.
///
/// # Errors
/// [`TestError::TooFew`] below five values a side, [`TestError::NotFinite`] if one is infinite,
/// [`TestError::Constant`] if the interquartile range or both
/// variances are zero, [`TestError::Overflow`] if it is beyond the range of a double.
///
/// ```
/// use driftline_stat::sample::{NumericPair, moment};
///
/// let pair = NumericPair::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2.0, 3.0, 5.0, 8.0, 13.0])?;
/// assert!(moment::epps_singleton(&pair)?.p_value.unwrap() > 0.05);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn epps_singleton(pair: &NumericPair) -> Result<TestResult, TestError> {
    let (n, m) = pair.sizes();
    if n.min(m) < 5 {
        return Err(TestError::TooFew(5));
    }
    pair.require_finite()?;
    let mut pooled = [pair.reference.as_slice(), pair.current.as_slice()].concat();
    pooled.sort_unstable_by(f64::total_cmp);
    let scale = (quantile(&pooled, 0.75) - quantile(&pooled, 0.25)) / 2.0;
    if scale == 0.0 {
        return Err(TestError::Constant);
    }
    let frequencies = POINTS.map(|t| t / scale);
    let widest = pooled[0].abs().max(pooled[pooled.len() - 1].abs());
    if !(scale.is_finite() && (widest * frequencies[1]).is_finite()) {
        return Err(TestError::Overflow);
    }
    let (mean_ref, spread_ref) = waves(&pair.reference, frequencies);
    let (mean_cur, spread_cur) = waves(&pair.current, frequencies);
    let (n, m) = (n as f64, m as f64);
    let size = n + m;
    let mut covariance = [[0.0; 4]; 4];
    for (i, row) in covariance.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().enumerate() {
            *cell = size / n * spread_ref[i][j] + size / m * spread_cur[i][j];
        }
    }
    let (values, vectors) = eigen(covariance);
    let largest = values.iter().fold(0.0_f64, |max, v| max.max(*v));
    if largest < VARIANCE_MIN {
        return Err(TestError::Constant);
    }
    let (mut w, mut rank) = (0.0, 0.0);
    for (k, &value) in values.iter().enumerate() {
        if value > largest * RANK_TOLERANCE {
            let along: f64 = (0..4)
                .map(|i| vectors[i][k] * (mean_ref[i] - mean_cur[i]))
                .sum();
            w += size * along * along / value;
            rank += 1.0;
        }
    }
    if n.max(m) < 25.0 {
        w /= 1.0 + size.powf(-0.45) + 10.1 * (n.powf(-1.7) + m.powf(-1.7));
    }
    Ok(TestResult::asymptotic(w, chi_square_upper_tail(w, rank)))
}

/// Means and (biased) covariances of the cosines and sines of the values at both frequencies.
fn waves(values: &[f64], [slow, fast]: [f64; 2]) -> ([f64; 4], [[f64; 4]; 4]) {
    let n = values.len() as f64;
    let wave = |&v: &f64| {
        let ((sin_slow, cos_slow), (sin_fast, cos_fast)) =
            ((slow * v).sin_cos(), (fast * v).sin_cos());
        [cos_slow, cos_fast, sin_slow, sin_fast]
    };
    let waves: Vec<[f64; 4]> = values.iter().map(wave).collect();
    let mut mean = [0.0; 4];
    for wave in &waves {
        for (sum, w) in mean.iter_mut().zip(wave) {
            *sum += w;
        }
    }
    let mean = mean.map(|sum| sum / n);
    let mut spread = [[0.0; 4]; 4];
    for wave in &waves {
        let gap = std::array::from_fn::<f64, 4, _>(|i| wave[i] - mean[i]);
        for i in 0..4 {
            for j in 0..4 {
                spread[i][j] += gap[i] * gap[j] / n;
            }
        }
    }
    (mean, spread)
}

/// Eigenvalues and eigenvectors (as columns) of a symmetric matrix, by Jacobi's rotations.
fn eigen(mut a: [[f64; 4]; 4]) -> ([f64; 4], [[f64; 4]; 4]) {
    let mut v = [[0.0; 4]; 4];
    for (i, row) in v.iter_mut().enumerate() {
        row[i] = 1.0;
    }
    // Convergence is quadratic; a 4 × 4 matrix needs six sweeps or so.
    for _ in 0..30 {
        for p in 0..3 {
            for q in p + 1..4 {
                if a[p][q] == 0.0 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = 1.0_f64.copysign(theta) / (theta.abs() + theta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                for row in &mut a {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                let (row_p, row_q) = (a[p], a[q]);
                a[p] = std::array::from_fn(|k| c * row_p[k] - s * row_q[k]);
                a[q] = std::array::from_fn(|k| s * row_p[k] + c * row_q[k]);
                for row in &mut v {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
            }
        }
    }
    ([a[0][0], a[1][1], a[2][2], a[3][3]], v)
}

#[cfg(test)]
mod tests {
    use crate::sample::{Test, TestError, numeric};

    #[test]
    fn binary_values_leave_one_degree_of_freedom() {
        // All four waves are then linear in the value, so W is the squared z of two shares with unpooled variance.
        let sample = |zeros, ones| [vec![0.0; zeros], vec![1.0; ones]].concat();
        let test = numeric(Test::EppsSingleton, &sample(60, 40), &sample(35, 65)).unwrap();
        let by_hand = 0.25 * 0.25 / (0.6 * 0.4 / 100.0 + 0.35 * 0.65 / 100.0);
        assert!((test.statistic - by_hand).abs() < 1e-9 * by_hand);
        let p_value = crate::distribution::normal_two_tails(f64::sqrt(by_hand));
        assert!((test.p_value.unwrap() - p_value).abs() < 1e-9 * p_value);
        let constants = numeric(Test::EppsSingleton, &[1.0; 30], &[2.0; 40]);
        assert_eq!(constants, Err(TestError::Constant));
    }

    #[test]
    fn what_cannot_be_tested_is_an_error() {
        let error = |test, a: &[f64], b: &[f64]| numeric(test, a, b).unwrap_err();
        assert_eq!(
            error(Test::WelchT, &[1.0], &[1.0, 2.0]),
            TestError::TooFew(2)
        );
        assert_eq!(
            error(Test::WelchT, &[0.1; 9], &[0.3; 7]),
            TestError::Constant
        );
        assert_eq!(
            error(Test::EppsSingleton, &[0.1; 9], &[0.3; 3]),
            TestError::TooFew(5)
        );
        assert_eq!(
            error(Test::EppsSingleton, &[0.1; 9], &[0.1; 9]),
            TestError::Constant
        );
        let wide = [-1e308, -1e308, 1e308, 1e308, 1e308, 1e308];
        assert_eq!(error(Test::WelchT, &wide, &wide), TestError::Overflow);
        assert!(numeric(Test::EppsSingleton, &wide, &wide).is_err());
    }
}
