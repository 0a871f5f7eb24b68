//! Evidently 0.7.21: the automatic choice of a test, the tests, and the share of drifted columns.
//!
//! | Column, distinct values of both samples | Up to 1,000 reference rows | More |
//! | --- | --- | --- |
//! | number, up to 2 | [`Test::Z`] | [`Test::JensenShannon`] |
//! | number, 3 to 5 | [`Test::ChiSquare`] | [`Test::JensenShannon`] |
//! | number, over 5 | [`Test::KolmogorovSmirnov`] | [`Test::Wasserstein`] |
//! | category, up to 2 | [`Test::Z`] | [`Test::JensenShannon`] |
//! | category, over 2 | [`Test::ChiSquare`] | [`Test::JensenShannon`] |
//!
//! One reference row more flips the test from a p-value below 0.05 to a distance of at least 0.1, and a distance of 0.1
//! with it: at 100 current rows without drift, Wasserstein's passes in some three quarters of all columns. Compare with
//! [`sample::floor`](crate::sample::floor) before believing it.
//!
//! **Copied as they are:** numbers of over 20 distinct reference values are binned by Sturges' rule over *both* samples
//! joined, so bins move with the current window (the quantiles of its documentation are not computed); Jensen–Shannon is
//! in nats, at most 0.833; a zero share becomes 0.0001, or a millionth of the smallest other share where that is not
//! above 0.0001; the chi-square test takes the reference's shares as exactly known, so it rejects more often than its
//! level unless the reference is far larger, and a category the reference lacks gives a p-value of zero; Hellinger's bins
//! are by Sturges' rule over the distinct values.
//!
//! ```
//! use driftline_stat::compat::Values;
//! use driftline_stat::compat::evidently::{self, Test};
//!
//! let reference: Vec<f64> = (0..1_001).map(|i| f64::from(i % 100)).collect();
//! let current: Vec<f64> = (0..200).map(|i| f64::from(i % 100) + 5.0).collect();
//! let drift = evidently::column(Values::Numbers(&reference), Values::Numbers(&current))?;
//! assert_eq!(drift.test, Test::Wasserstein);
//! assert!(drift.drifted);
//! # Ok::<(), driftline_stat::sample::TestError>(())
//! ```

use super::{Values, each_once, histogram, jensen_shannon_nats, joined, sizes};
use crate::distribution::{chi_square_upper_tail, normal_two_tails};
use crate::sample::{NumericPair, TestError, empirical, transport};

/// Up to so many reference rows a test with a p-value is chosen.
const SMALL_REFERENCE: usize = 1_000;

/// Up to so many distinct values of both samples a number is compared like a category.
const FEW_VALUES: usize = 5;

/// Over so many distinct reference values a number is binned.
const BINNED_VALUES: usize = 20;

/// The least standard deviation that the Wasserstein distance is divided by.
const DEVIATION_MIN: f64 = 0.001;

/// A share of drifted columns from which the dataset counts as drifted.
pub const DRIFT_SHARE: f64 = 0.5;

/// Evidently's tests, by its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Test {
    /// `ks`: p-value of scipy's `ks_2samp`, drifted up to 0.05.
    KolmogorovSmirnov,
    /// `z`: p-value of the pooled two-proportion test, drifted below 0.05.
    Z,
    /// `chisquare`: p-value of scipy's one-sample `chisquare`, drifted below 0.05.
    ChiSquare,
    /// `wasserstein`: distance over max(reference's standard deviation, 0.001), drifted from 0.1.
    Wasserstein,
    /// `jensenshannon`: distance in nats, drifted from 0.1.
    JensenShannon,
    /// `psi`: drifted from 0.1.
    Psi,
    /// `kl_div`: drifted from 0.1.
    KlDivergence,
    /// `hellinger`: drifted from 0.1.
    Hellinger,
}

impl Test {
    /// Every test.
    pub const ALL: &[Self] = &[
        Self::KolmogorovSmirnov,
        Self::Z,
        Self::ChiSquare,
        Self::Wasserstein,
        Self::JensenShannon,
        Self::Psi,
        Self::KlDivergence,
        Self::Hellinger,
    ];

    /// Evidently's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KolmogorovSmirnov => "ks",
            Self::Z => "z",
            Self::ChiSquare => "chisquare",
            Self::Wasserstein => "wasserstein",
            Self::JensenShannon => "jensenshannon",
            Self::Psi => "psi",
            Self::KlDivergence => "kl_div",
            Self::Hellinger => "hellinger",
        }
    }

    /// Its default threshold.
    pub const fn threshold(self) -> f64 {
        match self {
            Self::KolmogorovSmirnov | Self::Z | Self::ChiSquare => 0.05,
            _ => 0.1,
        }
    }

    /// Whether a score at the default threshold's side of drift.
    pub fn is_drifted(self, score: f64) -> bool {
        match self {
            Self::KolmogorovSmirnov => score <= self.threshold(),
            Self::Z | Self::ChiSquare => score < self.threshold(),
            _ => score >= self.threshold(),
        }
    }
}

/// What Evidently says about a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnDrift {
    /// The test.
    pub test: Test,
    /// A p-value or a distance.
    pub score: f64,
    /// Whether it passes the test's default threshold.
    pub drifted: bool,
}

/// Chooses a test and runs it.
///
/// # Errors
/// As [`run`].
pub fn column(reference: Values<'_>, current: Values<'_>) -> Result<ColumnDrift, TestError> {
    run(choose(reference, current), reference, current)
}

/// The test that is chosen automatically.
pub fn choose(reference: Values<'_>, current: Values<'_>) -> Test {
    let distinct = cells(reference, current).map_or(0, |cells| cells.len());
    let (rows, is_number) = match reference {
        Values::Numbers(values) => (values.len(), true),
        Values::Categories(counts) => (counts.iter().map(|c| c.1 as usize).sum(), false),
    };
    match (rows > SMALL_REFERENCE, is_number && distinct > FEW_VALUES) {
        (true, true) => Test::Wasserstein,
        (true, false) => Test::JensenShannon,
        (false, true) => Test::KolmogorovSmirnov,
        (false, false) if distinct > 2 => Test::ChiSquare,
        (false, false) => Test::Z,
    }
}

/// Whether the dataset counts as drifted: the share of drifted columns is at least `drift_share` ([`DRIFT_SHARE`]).
///
/// Nothing corrects for the number of columns.
pub fn dataset_is_drifted(columns: &[ColumnDrift], drift_share: f64) -> bool {
    let drifted = columns.iter().filter(|c| c.drifted).count() as f64;
    !columns.is_empty() && drifted / columns.len() as f64 >= drift_share
}

/// Runs one test.
///
/// # Errors
/// If a side is empty, holds a NaN or an infinity, a test of numbers is given categories, or `z` more than two values.
pub fn run(
    test: Test,
    reference: Values<'_>,
    current: Values<'_>,
) -> Result<ColumnDrift, TestError> {
    let score = match test {
        Test::KolmogorovSmirnov => {
            let result = empirical::kolmogorov_smirnov(&numeric_pair(reference, current)?);
            result.p_value.unwrap_or(1.0)
        }
        Test::Wasserstein => {
            let pair = numeric_pair(reference, current)?;
            let deviation = match reference {
                Values::Numbers(values) => histogram::moments(values).1,
                Values::Categories(_) => return Err(TestError::NotNumeric),
            };
            transport::wasserstein(&pair)?.statistic / deviation.max(DEVIATION_MIN)
        }
        Test::Z => z(&cells(reference, current)?)?,
        Test::ChiSquare => chi_square(&cells(reference, current)?)?,
        Test::JensenShannon => jensen_shannon_nats(&shares(reference, current)?),
        Test::Psi => filled(shares(reference, current)?)
            .iter()
            .map(|(p, q)| (p - q) * (p / q).ln())
            .sum(),
        Test::KlDivergence => {
            // scipy's entropy makes both sum to one again after the zeros were filled.
            let shares = filled(shares(reference, current)?);
            let (left, right) = shares
                .iter()
                .fold((0.0, 0.0), |sum, s| (sum.0 + s.0, sum.1 + s.1));
            shares
                .iter()
                .map(|(p, q)| p / left * ((p / left) / (q / right)).ln())
                .sum()
        }
        Test::Hellinger => hellinger(reference, current)?,
    };
    let drifted = test.is_drifted(score);
    Ok(ColumnDrift {
        test,
        score,
        drifted,
    })
}

fn numeric_pair(reference: Values<'_>, current: Values<'_>) -> Result<NumericPair, TestError> {
    match (reference, current) {
        (Values::Numbers(r), Values::Numbers(c)) => NumericPair::new(r, c),
        _ => Err(TestError::NotNumeric),
    }
}

/// The counts of each distinct value, in order.
fn cells(reference: Values<'_>, current: Values<'_>) -> Result<Vec<(u64, u64)>, TestError> {
    match (reference, current) {
        (Values::Numbers(r), Values::Numbers(c)) => {
            if r.iter().chain(c).any(|v| v.is_nan()) {
                return Err(TestError::NotANumber);
            }
            Ok(joined(each_once(r), each_once(c)))
        }
        (Values::Categories(r), Values::Categories(c)) => {
            Ok(joined(r.iter().copied(), c.iter().copied()))
        }
        _ => Err(TestError::NotNumeric),
    }
}

fn z(cells: &[(u64, u64)]) -> Result<f64, TestError> {
    let (n, m) = sizes(cells)?;
    let first = match cells {
        [_] => return Ok(1.0),
        [first, _] => first,
        _ => return Err(TestError::NotBinary),
    };
    let (p, q) = (1.0 - first.0 as f64 / n, 1.0 - first.1 as f64 / m);
    let pooled = (p * n + q * m) / (n + m);
    let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    Ok(normal_two_tails((p - q) / error))
}

/// The reference's shares as if they were known exactly.
fn chi_square(cells: &[(u64, u64)]) -> Result<f64, TestError> {
    let (n, m) = sizes(cells)?;
    if cells.len() < 2 {
        // scipy's p-value with no degree of freedom is NaN, which never passes a threshold.
        return Err(TestError::Constant);
    }
    let statistic: f64 = cells
        .iter()
        .map(|&(r, c)| {
            let expected = r as f64 * (m / n);
            (c as f64 - expected) * (c as f64 - expected) / expected
        })
        .sum();
    Ok(chi_square_upper_tail(statistic, (cells.len() - 1) as f64))
}

/// The shares of both sides in the bins, or of the values.
fn shares(reference: Values<'_>, current: Values<'_>) -> Result<Vec<(f64, f64)>, TestError> {
    let cells = cells(reference, current)?;
    let (n, m) = sizes(&cells)?;
    let of = |(r, c): (u64, u64)| (r as f64 / n, c as f64 / m);
    let many = cells.iter().filter(|c| c.0 > 0).count() > BINNED_VALUES;
    match (reference, current) {
        (Values::Numbers(r), Values::Numbers(c)) if many => {
            numeric_pair(reference, current)?.require_finite()?;
            let edges = histogram::sturges_edges(&[r, c].concat());
            let counts = histogram::counts(r, &edges)
                .into_iter()
                .zip(histogram::counts(c, &edges));
            Ok(counts.map(of).collect())
        }
        _ => Ok(cells.into_iter().map(of).collect()),
    }
}

/// Replaces zeros, each side by its own.
fn filled(mut shares: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let fill = |smallest: f64| {
        if smallest <= 0.0001 {
            smallest / 1e6
        } else {
            0.0001
        }
    };
    let smallest = |side: fn(&(f64, f64)) -> f64| {
        let used = shares.iter().map(side).filter(|&v| v != 0.0);
        fill(used.fold(f64::INFINITY, f64::min))
    };
    let (left, right) = (smallest(|s| s.0), smallest(|s| s.1));
    for share in &mut shares {
        share.0 = if share.0 == 0.0 { left } else { share.0 };
        share.1 = if share.1 == 0.0 { right } else { share.1 };
    }
    shares
}

fn hellinger(reference: Values<'_>, current: Values<'_>) -> Result<f64, TestError> {
    let overlap: f64 = match (reference, current) {
        (Values::Numbers(r), Values::Numbers(c)) => {
            let pair = numeric_pair(reference, current)?;
            pair.require_finite()?;
            let distinct: Vec<f64> = pair.steps().map(|step| step.value).collect();
            let edges = histogram::sturges_edges(&distinct);
            let (n, m) = (r.len() as f64, c.len() as f64);
            let counts = histogram::counts(r, &edges)
                .into_iter()
                .zip(histogram::counts(c, &edges));
            counts
                .map(|(r, c)| ((r as f64 / n) * (c as f64 / m)).sqrt())
                .sum()
        }
        _ => {
            let cells = cells(reference, current)?;
            let (n, m) = sizes(&cells)?;
            cells
                .iter()
                .map(|&(r, c)| ((r as f64 / n) * (c as f64 / m)).sqrt())
                .sum()
        }
    };
    Ok((1.0 - overlap.clamp(0.0, 1.0)).sqrt())
}
