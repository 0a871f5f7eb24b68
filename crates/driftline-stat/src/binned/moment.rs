//! Tests from counts, means and variances.

use super::BinnedTest;
use crate::distribution::student_two_tails;

/// What is left of a sample when only its moments are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// How many values.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Their variance, with n − 1 in the denominator.
    pub variance: f64,
}

/// Welch's t-test of equal means; positive when the reference has the larger mean.
///
/// **Formula.** As [`sample::moment::welch_t`](crate::sample::moment::welch_t): exact from moments. From winsorised
/// moments it compares the means of the winsorised values, which is what they estimate.
///
/// `None` below two values a side, without variance, or when something is not finite.
///
/// ```
/// use driftline_stat::binned::{self, Moments};
///
/// let reference = Moments { n: 4, mean: 2.5, variance: 5.0 / 3.0 };
/// let current = Moments { n: 3, mean: 4.0, variance: 4.0 };
/// let test = binned::welch_t(reference, current).unwrap();
/// assert!((test.statistic + 1.133_893_419_027_681_7).abs() < 1e-12);
/// assert!((test.p_value - 0.333_823_700_077_501).abs() < 1e-9);
/// ```
pub fn welch_t(reference: Moments, current: Moments) -> Option<BinnedTest> {
    if reference.n.min(current.n) < 2 {
        return None;
    }
    let (n, m) = (reference.n as f64, current.n as f64);
    let (error_ref, error_cur) = (reference.variance / n, current.variance / m);
    let error = error_ref + error_cur;
    if !(error > 0.0 && error_ref >= 0.0 && error_cur >= 0.0) {
        return None;
    }
    let (share_ref, share_cur) = (error_ref / error, error_cur / error);
    let df = 1.0 / (share_ref * share_ref / (n - 1.0) + share_cur * share_cur / (m - 1.0));
    let statistic = (reference.mean - current.mean) / error.sqrt();
    (statistic.is_finite() && df.is_finite()).then(|| BinnedTest {
        statistic,
        p_value: student_two_tails(statistic, df),
    })
}
