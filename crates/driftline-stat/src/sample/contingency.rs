//! Tests on a table of counts: two sides, one column for each category.

use super::{TestError, TestResult};
use crate::binned::total;
use crate::distribution::{binomial_probability, chi_square_upper_tail, normal_two_tails};

/// Counts of reference and current in the same cells; cells that are empty on both sides are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    reference: Vec<u64>,
    current: Vec<u64>,
}

impl Table {
    pub(crate) fn new(cells: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let (reference, current) = cells.into_iter().filter(|&cell| cell != (0, 0)).unzip();
        Self { reference, current }
    }

    /// Counts of the reference.
    pub fn reference(&self) -> &[u64] {
        &self.reference
    }

    /// Counts of the current sample.
    pub fn current(&self) -> &[u64] {
        &self.current
    }

    /// Whether a side has no counts at all.
    pub(super) fn is_one_sided(&self) -> bool {
        total(&self.reference) == 0.0 || total(&self.current) == 0.0
    }

    /// The sum of `term(observed, expected)` over all cells of both sides, with Yates' correction in a two by two
    /// table, and its degrees of freedom.
    fn sum_against_expected(&self, term: impl Fn(f64, f64) -> f64) -> (f64, usize) {
        let (n, m) = (total(&self.reference), total(&self.current));
        let corrects = self.reference.len() == 2;
        let corrected = |observed: f64, expected: f64| {
            let gap = expected - observed;
            let moved = if corrects {
                gap.abs().min(0.5).copysign(gap)
            } else {
                0.0
            };
            term(observed + moved, expected)
        };
        let mut sum = 0.0;
        for (&r, &c) in self.reference.iter().zip(&self.current) {
            let (r, c) = (r as f64, c as f64);
            sum += corrected(r, (r + c) * (n / (n + m)));
            sum += corrected(c, (r + c) * (m / (n + m)));
        }
        (sum, self.reference.len() - 1)
    }

    fn two_by_two(&self) -> Result<[u64; 4], TestError> {
        match (self.reference.as_slice(), self.current.as_slice()) {
            (&[a, b], &[c, d]) => Ok([a, b, c, d]),
            _ => Err(TestError::NotBinary),
        }
    }
}

/// Pearson's chi-square test of homogeneity.
///
/// **Measures** whether the shares of the categories differ by more than sampling would.
///
/// **Formula.** Σ (O − E)²/E over both sides, chi-square with cells − 1 degrees of freedom; each |O − E| of a two by
/// two table is first reduced by up to one half (Yates). One category only: statistic 0, p-value 1.
///
/// **When not to use.** When many cells expect fewer than five events the law is off;
/// [`binned::chi_square`](crate::binned::chi_square) merges those. With very many events everything is significant.
///
/// **Reference implementation.** `scipy.stats.chi2_contingency`. **Source.** Pearson 1900; Yates 1934.
///
/// ```
/// use driftline_stat::sample::{CategoricalPair, contingency};
///
/// let pair = CategoricalPair::new(&[("a", 10), ("b", 20), ("c", 30)], &[("a", 6), ("b", 9), ("c", 17)])?;
/// let test = contingency::chi_square(pair.table());
/// assert!((test.statistic - 0.271_574_651_504_035_2).abs() < 1e-12);
/// assert!((test.p_value.unwrap() - 0.873_028_283_380_073).abs() < 1e-12);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn chi_square(table: &Table) -> TestResult {
    let (statistic, df) = table.sum_against_expected(|o, e| (o - e) * (o - e) / e);
    TestResult::asymptotic(statistic, chi_square_upper_tail(statistic, df as f64))
}

/// Likelihood-ratio test of homogeneity (G-test).
///
/// **Formula.** 2·Σ O·ln(O/E), with the law and the correction of [`chi_square`].
///
/// **When not to use.** As for [`chi_square`]; it is the further off of the two when cells are nearly empty.
///
/// **Reference implementation.** `scipy.stats.chi2_contingency(.., lambda_="log-likelihood")`. **Source.** Wilks
/// 1935.
///
/// ```
/// use driftline_stat::sample::{CategoricalPair, contingency};
///
/// let pair = CategoricalPair::new(&[("a", 10), ("b", 20), ("c", 30)], &[("a", 6), ("b", 9), ("c", 17)])?;
/// let test = contingency::g_test(pair.table());
/// assert!((test.statistic - 0.274_026_542_024_660_6).abs() < 1e-12);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn g_test(table: &Table) -> TestResult {
    let term = |o: f64, e: f64| if o > 0.0 { 2.0 * o * (o / e).ln() } else { 0.0 };
    let (statistic, df) = table.sum_against_expected(term);
    // Equal shares can give a sum a rounding below zero.
    let statistic = statistic.max(0.0);
    TestResult::asymptotic(statistic, chi_square_upper_tail(statistic, df as f64))
}

/// Tables whose probabilities differ by less than this share count as equally likely.
///
/// scipy takes 1e-14, below the rounding of the probabilities of large tables; R takes 1e-7.
const TIE_TOLERANCE: f64 = 1e-10;

/// Fisher's exact test of a two by two table.
///
/// **Measures** whether a binary column's odds differ, given both margins.
///
/// **Formula.** The statistic is the sample odds ratio ad/bc (infinite if b or c is zero), the p-value the total
/// hypergeometric probability of all tables no more likely than the observed one.
///
/// **When not to use.** It is conservative: for large tables the chi-square test has the better size.
///
/// **Differs** from `scipy.stats.fisher_exact` in the tolerance for equally likely tables: 1e-10 instead of 1e-14.
///
/// **Source.** Fisher 1934; probabilities by Loader's method (2000).
///
/// # Errors
/// [`TestError::NotBinary`] unless there are exactly two categories.
///
/// ```
/// use driftline_stat::sample::{CategoricalPair, contingency};
///
/// let pair = CategoricalPair::new(&[("a", 6), ("b", 2)], &[("a", 1), ("b", 4)])?;
/// let test = contingency::fisher_exact(pair.table())?;
/// assert_eq!(test.statistic, 12.0);
/// assert!((test.p_value.unwrap() - 0.102_564_102_564_102_57).abs() < 1e-12);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn fisher_exact(table: &Table) -> Result<TestResult, TestError> {
    let [a, b, c, d] = table.two_by_two()?;
    let odds_ratio = if b > 0 && c > 0 {
        (a as f64 / b as f64) * (d as f64 / c as f64)
    } else {
        f64::INFINITY
    };
    let law = Hypergeometric {
        row: total(&[a, b]),
        other: total(&[c, d]),
        column: total(&[a, c]),
    };
    let observed = a as f64;
    let likely = law.probability(observed) * (1.0 + TIE_TOLERANCE);
    let (low, high) = (0.0_f64.max(law.column - law.other), law.row.min(law.column));
    let mode = ((law.row + 1.0) * (law.column + 1.0) / (law.row + law.other + 2.0)).floor();
    let mode = mode.clamp(low, high);
    // Both sides of the mode are monotone: find where each becomes as unlikely as the observed table.
    let left = bisect(low - 1.0, mode, |x| law.probability(x) <= likely);
    let right = bisect(high + 1.0, mode, |x| law.probability(x) <= likely);
    if left == mode || right == mode {
        return Ok(TestResult::exact(odds_ratio, 1.0));
    }
    Ok(TestResult::exact(
        odds_ratio,
        law.tail(left, low, -1.0) + law.tail(right, high, 1.0),
    ))
}

/// The law of the first cell of a two by two table with fixed margins.
struct Hypergeometric {
    row: f64,
    other: f64,
    column: f64,
}

impl Hypergeometric {
    fn probability(&self, x: f64) -> f64 {
        let share = self.column / (self.row + self.other);
        binomial_probability(x, self.row, share, 1.0 - share)
            * binomial_probability(self.column - x, self.other, share, 1.0 - share)
            / binomial_probability(self.column, self.row + self.other, share, 1.0 - share)
    }

    /// The probability of `start` and everything beyond it up to `end`, away from the mode, by the ratio of
    /// neighbours; it stops when further terms cannot matter.
    fn tail(&self, start: f64, end: f64, step: f64) -> f64 {
        if (end - start) * step < 0.0 {
            return 0.0;
        }
        let mut x = start;
        let mut term = self.probability(x);
        let mut sum = term;
        while x != end && term > sum * 1e-18 {
            // The ratio P(x + 1)/P(x), or its inverse one to the left.
            let lower = if step > 0.0 { x } else { x - 1.0 };
            let up = (self.row - lower) * (self.column - lower);
            let down = (lower + 1.0) * (self.other - self.column + lower + 1.0);
            term *= if step > 0.0 { up / down } else { down / up };
            sum += term;
            x += step;
        }
        sum
    }
}

/// The point nearest to `to` that satisfies `holds`, which is true from `from` (taken for granted) up to some point;
/// `to` itself if it holds there.
fn bisect(from: f64, to: f64, holds: impl Fn(f64) -> bool) -> f64 {
    if holds(to) {
        return to;
    }
    let (mut inside, mut outside) = (from, to);
    while (outside - inside).abs() > 1.0 {
        let middle = ((inside + outside) / 2.0).floor();
        if holds(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    inside
}

/// Two-proportion z-test of a binary column, pooled variance.
///
/// **Measures** whether the share of the second value (in order: 1 of 0 and 1, `yes` of `no` and `yes`) differs. The
/// statistic is positive when the reference has the larger share.
///
/// **Formula.** (p₁ − p₂)/√(p(1 − p)(1/n + 1/m)), standard normal. Its square is the chi-square statistic without
/// Yates' correction.
///
/// **When not to use.** When a value is rare (fewer than five expected); use [`fisher_exact`].
///
/// **Reference implementation.** `statsmodels.stats.proportion.proportions_ztest`.
///
/// # Errors
/// [`TestError::NotBinary`] unless there are exactly two categories.
///
/// ```
/// use driftline_stat::sample::{CategoricalPair, contingency};
///
/// let pair = CategoricalPair::new(&[("no", 50), ("yes", 50)], &[("no", 40), ("yes", 60)])?;
/// let test = contingency::z_test(pair.table())?;
/// assert!((test.statistic + (200.0_f64 / 99.0).sqrt()).abs() < 1e-12);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn z_test(table: &Table) -> Result<TestResult, TestError> {
    let counts = table.two_by_two()?;
    let [a, b, c, d] = counts.map(|count| count as f64);
    let (n, m) = (a + b, c + d);
    let (first, second) = ((a + c) / (n + m), (b + d) / (n + m));
    let error = (first * second * (1.0 / n + 1.0 / m)).sqrt();
    let z = (b / n - d / m) / error;
    Ok(TestResult::asymptotic(z, normal_two_tails(z)))
}

#[cfg(test)]
mod tests {
    use crate::sample::{Test, TestError, categorical};

    #[test]
    fn one_category_is_no_evidence() {
        let chi = categorical(Test::ChiSquare, &[("a", 3)], &[("a", 9)]).unwrap();
        assert_eq!((chi.statistic, chi.p_value), (0.0, Some(1.0)));
        for test in [Test::FisherExact, Test::ZTest] {
            assert_eq!(
                categorical(test, &[("a", 3)], &[("a", 9)]),
                Err(TestError::NotBinary)
            );
        }
        assert_eq!(
            categorical(Test::Psi, &[("a", 0)], &[("a", 9)]),
            Err(TestError::Empty)
        );
        assert_eq!(
            categorical(Test::Energy, &[("a", 1)], &[("a", 9)]),
            Err(TestError::NotNumeric)
        );
    }

    #[test]
    fn the_likeliest_table_has_p_value_one() {
        let test = categorical(
            Test::FisherExact,
            &[("a", 5), ("b", 5)],
            &[("a", 5), ("b", 5)],
        );
        assert_eq!(test.unwrap().p_value, Some(1.0));
    }
}
