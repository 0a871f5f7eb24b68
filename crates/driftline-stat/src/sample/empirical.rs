//! Tests on the two empirical distribution functions.

use super::{NumericPair, TestError, TestResult};
use crate::distribution::{cramer_von_mises_upper_tail, kuiper_upper_tail};
use crate::kolmogorov;

mod exact;

/// The exact Kolmogorov–Smirnov law is used up to this size of the larger sample, as in scipy's `auto`.
const EXACT_KS_SIZE_MAX: usize = 10_000;

/// The exact Cramér–von Mises law is used up to this size of the larger sample, as in scipy's `auto`.
const EXACT_CVM_SIZE_MAX: usize = 20;

/// Kolmogorov–Smirnov test.
///
/// **Measures** the largest gap between the two distribution functions, 0 to 1.
///
/// **Formula.** D = max |G − F|. Up to 10,000 values a side the p-value is the exact share of lattice paths that leave
/// the band (for continuous values; with ties it is conservative); beyond, the exact one-sample law at the effective
/// size nm/(n + m).
///
/// **When not to use.** For changes in the tails, where both functions are close by construction.
///
/// **Reference implementation.** `scipy.stats.ks_2samp`. **Source.** Hodges 1958; Viehmann 2021; Simard and L'Ecuyer
/// 2011.
///
/// ```
/// use driftline_stat::sample::{NumericPair, empirical};
///
/// let pair = NumericPair::new(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0])?;
/// let test = empirical::kolmogorov_smirnov(&pair);
/// assert_eq!((test.statistic, test.method), (1.0, "exact"));
/// assert!((test.p_value.unwrap() - 0.1).abs() < 1e-12);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn kolmogorov_smirnov(pair: &NumericPair) -> TestResult {
    let (n, m) = pair.sizes();
    let (statistic, gap) = largest_gap(pair);
    if n.max(m) <= EXACT_KS_SIZE_MAX {
        return TestResult::exact(statistic, exact::smirnov_upper_tail(n, m, gap));
    }
    // numpy rounds halves to even, and so does this.
    let size = (n as f64 * m as f64 / (n as f64 + m as f64)).round_ties_even();
    TestResult::asymptotic(
        statistic,
        kolmogorov::two_sided_upper_tail(size as u64, statistic),
    )
}

/// The Kolmogorov–Smirnov statistic, also in units of one over the least common multiple of the sizes.
pub(crate) fn largest_gap(pair: &NumericPair) -> (f64, u128) {
    let (n, m) = pair.sizes();
    let (above, below) = gaps(pair);
    let gap = above.max(below);
    let least_common_multiple = (n / exact::greatest_common_divisor(n, m)) as f64 * m as f64;
    (gap as f64 / least_common_multiple, gap)
}

/// Kuiper's test.
///
/// **Measures** the largest gap above plus the largest gap below, 0 to 2: unlike Kolmogorov–Smirnov it is as sensitive in
/// the tails as in the middle, and independent of where a circle (hour of day, angle) starts.
///
/// **Formula.** V = max(F − G) + max(G − F); p-value by Paltani's formulas at the effective size nm/(n + m).
///
/// **When not to use.** For small samples: the p-value is approximate, worst at 40–50 values.
///
/// **Reference implementation.** `astropy.stats.kuiper_two`. **Source.** Kuiper 1960; Stephens 1965; Paltani 2004.
///
/// ```
/// use driftline_stat::sample::{NumericPair, empirical};
///
/// let pair = NumericPair::new(&[1.0, 2.0, 5.0, 6.0], &[3.0, 3.5, 4.0, 4.5])?;
/// assert_eq!(empirical::kuiper(&pair).statistic, 1.0);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn kuiper(pair: &NumericPair) -> TestResult {
    let (n, m) = pair.sizes();
    let (above, below) = gaps(pair);
    let least_common_multiple = (n / exact::greatest_common_divisor(n, m)) as f64 * m as f64;
    let statistic = (above + below) as f64 / least_common_multiple;
    let size = n as f64 * m as f64 / (n as f64 + m as f64);
    TestResult::asymptotic(statistic, kuiper_upper_tail(statistic, size))
}

/// The largest gap of the reference's distribution function above and below the current one's, in units of one over the
/// least common multiple of the sizes.
fn gaps(pair: &NumericPair) -> (u128, u128) {
    let (n, m) = pair.sizes();
    let divisor = exact::greatest_common_divisor(n, m);
    let (per_ref, per_cur) = ((m / divisor) as i128, (n / divisor) as i128);
    let (mut gap, mut above, mut below) = (0_i128, 0_i128, 0_i128);
    for step in pair.steps() {
        gap += step.in_reference as i128 * per_ref - step.in_current as i128 * per_cur;
        above = above.max(gap);
        below = below.max(-gap);
    }
    (above.unsigned_abs(), below.unsigned_abs())
}

/// Cramér–von Mises test.
///
/// **Measures** the mean squared gap between the two distribution functions; less sensitive to one large gap than
/// Kolmogorov–Smirnov, more to many small ones.
///
/// **Formula.** T = U/(nmN) − (4nm − 1)/(6N), U = n·Σ(rᵢ − i)² + m·Σ(sⱼ − j)² with midranks r and s in the pooled sample.
/// The p-value is exact up to 20 values a side, else by the limiting law after matching mean and variance.
///
/// **When not to use.** For changes in the tails, and for values that tie between samples of different size: midranks
/// then inflate T without drift, in scipy as here ([`floor`](crate::sample::floor) says by how much). An asymptotic
/// p-value below about 1e-6 only says "small": the series
/// of the law is cut at terms of 1e-7 as in scipy, so that both agree.
///
/// **Reference implementation.** `scipy.stats.cramervonmises_2samp`. **Source.** Anderson 1962; Xiao, Gordon and
/// Yakovlev 2006.
///
/// # Errors
/// [`TestError::TooFew`] below two values a side.
///
/// ```
/// use driftline_stat::sample::{NumericPair, empirical};
///
/// let pair = NumericPair::new(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0])?;
/// let test = empirical::cramer_von_mises(&pair)?;
/// assert!((test.statistic - 19.0 / 36.0).abs() < 1e-12);
/// assert!((test.p_value.unwrap() - 0.1).abs() < 1e-12);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn cramer_von_mises(pair: &NumericPair) -> Result<TestResult, TestError> {
    let (n, m) = pair.sizes();
    if n.min(m) < 2 {
        return Err(TestError::TooFew(2));
    }
    // Whole numbers: four times U, since midranks are halves. The difference below would lose ten digits in floats.
    let (mut below_ref, mut below_cur) = (0_i128, 0_i128);
    let (mut squares_ref, mut squares_cur) = (0_i128, 0_i128);
    for step in pair.steps() {
        let (r, c) = (step.in_reference as i128, step.in_current as i128);
        let twice_rank = 2 * (below_ref + below_cur) + r + c + 1;
        let sum = |below: i128, count: i128| -> i128 {
            (below + 1..=below + count)
                .map(|i| (twice_rank - 2 * i) * (twice_rank - 2 * i))
                .sum()
        };
        squares_ref += sum(below_ref, r);
        squares_cur += sum(below_cur, c);
        below_ref += r;
        below_cur += c;
    }
    let (n_i, m_i) = (n as i128, m as i128);
    let (product, size) = (n_i * m_i, n_i + m_i);
    let excess = 6 * (n_i * squares_ref + m_i * squares_cur) - 4 * product * (4 * product - 1);
    let statistic = excess as f64 / (24.0 * product as f64 * size as f64);
    if n.max(m) <= EXACT_CVM_SIZE_MAX {
        return Ok(TestResult::exact(
            statistic,
            exact::cramer_von_mises_upper_tail(n, m, excess),
        ));
    }
    let (n, m, k, size) = (n as f64, m as f64, product as f64, size as f64);
    let expected = (1.0 + 1.0 / size) / 6.0;
    let variance = (size + 1.0) * (4.0 * k * size - 3.0 * (n * n + m * m) - 2.0 * k)
        / (45.0 * size * size * 4.0 * k);
    let scaled = 1.0 / 6.0 + (statistic - expected) / (45.0 * variance).sqrt();
    Ok(TestResult::asymptotic(
        statistic,
        cramer_von_mises_upper_tail(scaled),
    ))
}

/// Logarithm of the significance as a quadratic in the standardised statistic, lowest power first: the least-squares
/// fit through the seven points of Scholz and Stephens' table 2 for two samples, which is what scipy interpolates with.
const ANDERSON_FIT: [f64; 3] = [
    -1.077_770_279_820_486,
    -1.008_226_564_465_251_5,
    0.018_198_094_574_111_343,
];

/// The first and last critical value of that table; beyond them the p-value stays at the table's end.
const ANDERSON_CRITICAL: (f64, f64) = (0.325, 6.546);

/// Anderson–Darling test for two samples, midrank version.
///
/// **Measures** the squared gap between the distribution functions, weighted by 1/(H(1 − H)): the tails count.
///
/// **Formula.** (A² − 1)/σ with Scholz and Stephens' A²akN and σ. The p-value is interpolated in their table and stays
/// within 0.001 and 0.25.
///
/// **When not to use.** When the p-value matters outside that range.
///
/// **Reference implementation.** `scipy.stats.anderson_ksamp` with its default midranks. **Source.** Scholz and Stephens
/// 1987.
///
/// # Errors
/// [`TestError::TooFew`] below four values in all, [`TestError::Constant`] if all values are equal.
///
/// ```
/// use driftline_stat::sample::{NumericPair, empirical};
///
/// let pair = NumericPair::new(&[1.0, 2.0, 3.0, 4.0], &[1.5, 2.5, 3.5, 4.5])?;
/// assert_eq!(empirical::anderson_darling(&pair)?.p_value, Some(0.25));
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn anderson_darling(pair: &NumericPair) -> Result<TestResult, TestError> {
    let (n, m) = pair.sizes();
    if n + m < 4 {
        return Err(TestError::TooFew(2));
    }
    if pair.steps().nth(1).is_none() {
        return Err(TestError::Constant);
    }
    let (n, m) = (n as f64, m as f64);
    let size = n + m;
    let (mut below, mut below_ref, mut sum) = (0.0, 0.0, 0.0);
    for step in pair.steps() {
        let (r, equal) = (
            step.in_reference as f64,
            (step.in_reference + step.in_current) as f64,
        );
        let middle = below + equal / 2.0;
        let gap = size * (below_ref + r / 2.0) - middle * n;
        // The current sample's gap is the reference's with the other sign, hence one sum for both.
        sum += equal / size * gap * gap / (middle * (size - middle) - size * equal / 4.0);
        below += equal;
        below_ref += r;
    }
    let statistic = sum * (1.0 / n + 1.0 / m) * (size - 1.0) / size;
    let standardised = (statistic - 1.0) / anderson_variance(n, m).sqrt();
    Ok(TestResult::asymptotic(
        standardised,
        anderson_p_value(standardised),
    ))
}

/// The p-value of the standardised Anderson–Darling statistic.
pub(crate) fn anderson_p_value(standardised: f64) -> f64 {
    let (first, last) = ANDERSON_CRITICAL;
    if standardised < first {
        0.25
    } else if standardised > last {
        0.001
    } else {
        let [c, b, a] = ANDERSON_FIT;
        ((a * standardised + b) * standardised + c).exp()
    }
}

/// Variance of the Anderson–Darling statistic of two samples (Scholz and Stephens 1987, equation 4).
pub(crate) fn anderson_variance(n: f64, m: f64) -> f64 {
    let size = n + m;
    let inverse = 1.0 / n + 1.0 / m;
    // g is a double sum over i < j; the inner one is carried along.
    let (mut inner, mut g) = (0.0, 0.0);
    let mut i = 2.0;
    while i < size {
        inner += 1.0 / (size + 1.0 - i);
        g += inner / i;
        i += 1.0;
    }
    let h = inner + 1.0;
    let k = 2.0;
    let a = (4.0 * g - 6.0) * (k - 1.0) + (10.0 - 6.0 * g) * inverse;
    let b = (2.0 * g - 4.0) * k * k + 8.0 * h * k + (2.0 * g - 14.0 * h - 4.0) * inverse - 8.0 * h
        + 4.0 * g
        - 6.0;
    let c = (6.0 * h + 2.0 * g - 2.0) * k * k
        + (4.0 * h - 4.0 * g + 6.0) * k
        + (2.0 * h - 6.0) * inverse
        + 4.0 * h;
    let d = (2.0 * h + 6.0) * k * k - 4.0 * h * k;
    (((a * size + b) * size + c) * size + d) / ((size - 1.0) * (size - 2.0) * (size - 3.0))
}
