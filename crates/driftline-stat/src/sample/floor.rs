//! What a statistic is without drift, at the sizes of the samples at hand.
//!
//! Every distance between two samples is above zero, more so the smaller they are. A distance below [`floor`]'s `upper`
//! says nothing, whatever threshold folklore has for it.
//!
//! | Test | Law without drift | Source |
//! | --- | --- | --- |
//! | `ks`, `kuiper` | Kolmogorov's and Kuiper's, less half a step of the lattice | Kolmogorov 1933; Kuiper 1960 |
//! | `cramer_von_mises` | the limiting law at the exact mean and variance | Anderson 1962 |
//! | `anderson_darling` | mean 0, 5 % point 1.961 | Scholz and Stephens 1987 |
//! | `mann_whitney`, `welch_t`, `z_test` | normal and Student's; two-sided | |
//! | `epps_singleton` | chi-square of four degrees of freedom | Epps and Singleton 1986 |
//! | `wasserstein` | gamma with the mean and variance of ∫\|D\|dx, D a Gaussian bridge over the pooled sample | |
//! | `energy` | gamma with the mean and variance of 2∫D²dx | |
//! | `psi`, `kl_divergence`, `jensen_shannon`, `hellinger` | gamma with the mean and variance over the cells' Poisson counts | Yurdakul and Naranjo 2020 for PSI |
//! | `total_variation`, `l_infinity` | sum and maximum of half-normal cells | |
//! | `chi_square`, `g_test` | chi-square | |
//! | `fisher_exact` | log-normal odds ratio around one | Woolf 1955 |
//!
//! What the law depends on besides the sizes (shares of cells, spread of values) is taken from both samples pooled.
//!
//! **Error.** From 50 values a side on, means are within 10 % of the upper point, and 1–10 % of windows without drift are
//! above it, which a simulation holds them to. Exceptions: `epps_singleton` needs some 300 values a side for its law to
//! hold, `kuiper` and `ks` of values that tie are below it, and chi-square and G need five expected events a cell. Where
//! most categories are seen a handful of times, the shares that one has to go by are themselves noise, and means come
//! out some 10 % and upper points some 15 % too low. With
//! fewer values or heavy tails (`wasserstein`, `energy`) they are orders of magnitude and no more.

use super::pair::Step;
use super::{CategoricalPair, NumericPair, Test, TestResult, share};
use crate::binned::total;
use crate::distribution::{chi_square_upper_tail, student_two_tails};

mod cells;
mod process;

use cells::Cells;

/// A statistic's law without drift, in two numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NullExpectation {
    /// Its mean (of the odds ratio: its median).
    pub mean: f64,
    /// Its 95 % point: one window in twenty without drift is above. For the two-sided `mann_whitney`, `welch_t`,
    /// `z_test` and `fisher_exact` its 97.5 % point, as far above the middle as the 2.5 % point is below.
    pub upper: f64,
}

/// The share of windows without drift above [`NullExpectation::upper`].
const ABOVE: f64 = 0.05;

/// The 97.5 % point of the normal law.
const NORMAL_UPPER: f64 = 1.959_963_984_540_054;

/// Mean and 95 % point of Kolmogorov's law.
const KOLMOGOROV: (f64, f64) = (0.868_731_160_636_159_6, 1.358_098_638_636_15);

/// Mean √(π/2) and 95 % point of Kuiper's law.
const KUIPER: (f64, f64) = (1.253_314_137_315_500_3, 1.747_258_400_637_13);

/// 95 % point of the limiting Cramér–von Mises law, whose mean is 1/6 and whose variance is 1/45.
const CRAMER_VON_MISES_UPPER: f64 = 0.461_363_163_610_5;

/// 5 % point of the standardised Anderson–Darling statistic of two samples (Scholz and Stephens 1987, table 2).
const ANDERSON_UPPER: f64 = 1.961;

/// What a pair has without drift; `None` where the test is not defined for it.
///
/// ```
/// use driftline_stat::sample::{NumericPair, Test, floor};
///
/// let values: Vec<f64> = (0..200).map(|i| f64::from(i)).collect();
/// let pair = NumericPair::new(&values, &values[..100])?;
/// let null = floor(Test::KolmogorovSmirnov, &pair).unwrap();
/// assert!((null.mean - 0.104).abs() < 0.001 && (null.upper - 0.164).abs() < 0.001);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn floor(test: Test, pair: &NumericPair) -> Option<NullExpectation> {
    // Not defined for the values, not expected.
    let result = pair.run(test).ok()?;
    let (n, m) = pair.sizes();
    let (n, m) = (n as f64, m as f64);
    let noise = 1.0 / n + 1.0 / m;
    match test {
        Test::KolmogorovSmirnov => Some(lattice(KOLMOGOROV, n, m, 1.0)),
        Test::Kuiper => Some(lattice(KUIPER, n, m, 2.0)),
        Test::CramerVonMises => {
            let ties: f64 = pair.steps().map(|step| tie_bias(&step, n, m)).sum();
            let null = cramer_von_mises(n, m);
            Some(around(null.mean + ties, null.upper - null.mean))
        }
        Test::AndersonDarling => Some(NullExpectation {
            mean: 0.0,
            upper: ANDERSON_UPPER,
        }),
        Test::MannWhitney => {
            let ties: f64 = pair
                .steps()
                .map(|s| (s.in_reference + s.in_current) as f64)
                .map(|t| t * t * t - t)
                .sum();
            let size = n + m;
            let variance = n * m / 12.0 * ((size + 1.0) - ties / (size * (size - 1.0)));
            Some(around(n * m / 2.0, NORMAL_UPPER * variance.max(0.0).sqrt()))
        }
        Test::WelchT => {
            // With equal variances; Satterthwaite's freedom is that for equal shares of the error.
            let df = noise * noise / (1.0 / (n * n * (n - 1.0)) + 1.0 / (m * m * (m - 1.0)));
            let upper = upper_point(|t| student_two_tails(t, df), ABOVE, 1.0)?;
            Some(around(0.0, upper))
        }
        Test::EppsSingleton => chi_square(4),
        Test::Wasserstein => process::wasserstein(pair, noise),
        Test::Energy => process::energy(pair, noise),
        Test::FisherExact | Test::ZTest => {
            let table = pair.distinct_values().ok()?;
            of_table(test, &Cells::new(&table), result)
        }
        _ => of_table(
            test,
            &Cells::of_quantiles(&share::decile_table(pair)),
            result,
        ),
    }
}

/// What a pair of tables has without drift; `None` where the test is not defined for it.
///
/// ```
/// use driftline_stat::sample::{CategoricalPair, Test, categorical_floor};
///
/// let pair = CategoricalPair::new(&[("a", 5_000), ("b", 5_000)], &[("a", 60), ("b", 40)])?;
/// let null = categorical_floor(Test::TotalVariation, &pair).unwrap();
/// assert!((null.mean - 0.04).abs() < 0.001 && null.upper > 0.09);
/// # Ok::<(), driftline_stat::sample::TestError>(())
/// ```
pub fn categorical_floor(test: Test, pair: &CategoricalPair) -> Option<NullExpectation> {
    let result = pair.run(test).ok()?;
    of_table(test, &Cells::new(pair.table()), result)
}

fn of_table(test: Test, cells: &Cells, result: TestResult) -> Option<NullExpectation> {
    match test {
        Test::Psi => cells.psi(),
        Test::KlDivergence => cells.kl_divergence(),
        Test::JensenShannon => cells.jensen_shannon(),
        Test::Hellinger => cells.hellinger(),
        Test::TotalVariation => cells.total_variation(),
        Test::LInfinity => cells.l_infinity(),
        Test::ChiSquare | Test::GTest => chi_square(cells.len().checked_sub(1)?),
        Test::ZTest => Some(around(0.0, NORMAL_UPPER)),
        Test::FisherExact if result.statistic.is_nan() => None,
        Test::FisherExact => Some(NullExpectation {
            mean: 1.0,
            upper: (NORMAL_UPPER * cells.log_odds_error()).exp(),
        }),
        _ => None,
    }
}

fn around(mean: f64, reach: f64) -> NullExpectation {
    let upper = mean + reach;
    NullExpectation { mean, upper }
}

/// A supremum of the gap: a limiting law over √nₑ, less half a step of the lattice it lives on for each extreme.
///
/// The two-sample statistic is a maximum over points only one of which is the bridge's; Kim 1969 shows that moving it by
/// half a step of the larger sample's function makes the limit hold for small samples.
fn lattice((mean, upper): (f64, f64), n: f64, m: f64, most: f64) -> NullExpectation {
    let size = n * m / (n + m);
    let step = most * 0.5 / n.max(m);
    let at = |point: f64| (point / size.sqrt() - step).clamp(0.0, most);
    NullExpectation {
        mean: at(mean),
        upper: at(upper),
    }
}

fn cramer_von_mises(n: f64, m: f64) -> NullExpectation {
    let size = n + m;
    let mean = (1.0 + 1.0 / size) / 6.0;
    let variance =
        (1.0 + 1.0 / size) * (4.0 - 3.0 * (n / m + m / n) / size - 2.0 / size) / (45.0 * 4.0);
    let reach = (CRAMER_VON_MISES_UPPER - 1.0 / 6.0) * (45.0 * variance.max(0.0)).sqrt();
    around(mean, reach)
}

/// What scipy's midranks add to the Cramér–von Mises statistic for a value that r reference and c current values share,
/// against the expectation over all orders of them.
///
/// Large where values tie and sizes differ: the test is then not what its law says.
fn tie_bias(step: &Step, n: f64, m: f64) -> f64 {
    let side = |r: f64, c: f64| {
        let midranks = r * c * c / 4.0 + r * (r * r - 1.0) / 12.0;
        let in_order = c * r * (c * (2.0 * r + 1.0) + r + c + 1.0) / (6.0 * (r + 1.0));
        midranks - in_order
    };
    let (r, c) = (step.in_reference as f64, step.in_current as f64);
    if r + c < 2.0 {
        return 0.0;
    }
    (n * side(r, c) + m * side(c, r)) / (n * m * (n + m))
}

fn chi_square(df: usize) -> Option<NullExpectation> {
    let df = df as f64;
    let upper = upper_point(|x| chi_square_upper_tail(x, df), ABOVE, df.max(1.0))?;
    Some(NullExpectation {
        mean: df,
        upper: if df > 0.0 { upper } else { 0.0 },
    })
}

/// The gamma law with this mean and variance.
#[derive(Clone, Copy, Debug)]
struct Gamma {
    shape: f64,
    scale: f64,
}

impl Gamma {
    fn new(mean: f64, variance: f64) -> Option<Self> {
        let law = Self {
            shape: mean * mean / variance,
            scale: variance / mean,
        };
        (mean > 0.0 && law.shape.is_finite() && law.scale.is_finite() && law.shape > 0.0)
            .then_some(law)
    }

    fn upper(self) -> Option<f64> {
        // Twice a gamma variable over its scale is chi-square with twice the shape.
        let twice = upper_point(
            |x| chi_square_upper_tail(x, 2.0 * self.shape),
            ABOVE,
            2.0 * self.shape,
        )?;
        Some(self.scale * twice / 2.0)
    }

    fn expectation(self) -> Option<NullExpectation> {
        let mean = self.shape * self.scale;
        Some(NullExpectation {
            mean,
            upper: self.upper()?,
        })
    }

    /// Of the square root of a variable with this law.
    fn root_expectation(self) -> Option<NullExpectation> {
        let ratio = if self.shape > 100.0 {
            // The two logarithms would cancel.
            self.shape.sqrt() * (1.0 - 1.0 / (8.0 * self.shape))
        } else {
            (libm::lgamma(self.shape + 0.5) - libm::lgamma(self.shape)).exp()
        };
        Some(NullExpectation {
            mean: self.scale.sqrt() * ratio,
            upper: self.upper()?.sqrt(),
        })
    }
}

/// The point beyond which a falling tail is `probability`, by doubling from `start` and bisection.
fn upper_point(tail: impl Fn(f64) -> f64, probability: f64, start: f64) -> Option<f64> {
    let (mut low, mut high) = (0.0, start);
    let mut doublings = 0;
    while tail(high) > probability {
        low = high;
        high *= 2.0;
        doublings += 1;
        if doublings > 200 {
            return None;
        }
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if tail(middle) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

/// `1/n + 1/m` of a table.
fn noise_of(reference: &[u64], current: &[u64]) -> f64 {
    1.0 / total(reference) + 1.0 / total(current)
}
