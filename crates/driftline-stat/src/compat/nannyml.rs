//! NannyML 0.13.1: univariate methods against a reference, and thresholds from the reference's chunks.
//!
//! Each chunk is compared with the whole reference. All methods but chi-square alert when a chunk's value is above the
//! mean plus three standard deviations of the values of the reference's own chunks ([`standard_deviation_threshold`]);
//! chi-square alerts when its p-value is below 0.05, whatever threshold is configured.
//!
//! **Copied as they are:** the chunks that set the threshold are part of the reference they are compared with, so they
//! are a little too close to it; from 10,000 reference values on Kolmogorov–Smirnov and Wasserstein are taken from 10,000
//! equal bins of the reference's range, where one outlier leaves the rest in a few bins; the Wasserstein's estimate counts
//! values below the range one too many (n + 1 over the chunk's size) and then adds that to every bin; the leftover bin for
//! values outside the reference's bins holds a rounding error when there are none.
//!
//! ```
//! use driftline_stat::compat::Values;
//! use driftline_stat::compat::nannyml::{Method, Reference};
//!
//! let values: Vec<f64> = (0..500).map(f64::from).collect();
//! let reference = Reference::new(Values::Numbers(&values))?;
//! let distance = reference.compare(Method::JensenShannon, Values::Numbers(&values[..250]))?;
//! assert!(distance > 0.4);
//! # Ok::<(), driftline_stat::sample::TestError>(())
//! ```

use super::{Values, each_once, histogram, jensen_shannon_nats, joined, sizes};
use crate::sample::{CategoricalPair, NumericPair, TestError, contingency, empirical, transport};

/// From so many reference values on, some methods are estimated from bins.
const ESTIMATED_SIZE: usize = 10_000;

/// Their number.
const ESTIMATED_BINS: usize = 10_000;

/// Chi-square alerts below this p-value.
pub const CHI_SQUARE_ALPHA: f64 = 0.05;

/// NannyML's univariate methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `jensen_shannon`: distance in base 2 over Doane's bins of the reference, or categories.
    JensenShannon,
    /// `hellinger`: over the same.
    Hellinger,
    /// `kolmogorov_smirnov`: the statistic; numbers only.
    KolmogorovSmirnov,
    /// `wasserstein`: in the values' units; numbers only.
    Wasserstein,
    /// `chi2`: the statistic of scipy's `chi2_contingency`; categories only.
    ChiSquare,
    /// `l_infinity`: the largest difference of shares; categories only.
    LInfinity,
}

impl Method {
    /// Every method.
    pub const ALL: &[Self] = &[
        Self::JensenShannon,
        Self::Hellinger,
        Self::KolmogorovSmirnov,
        Self::Wasserstein,
        Self::ChiSquare,
        Self::LInfinity,
    ];

    /// NannyML's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JensenShannon => "jensen_shannon",
            Self::Hellinger => "hellinger",
            Self::KolmogorovSmirnov => "kolmogorov_smirnov",
            Self::Wasserstein => "wasserstein",
            Self::ChiSquare => "chi2",
            Self::LInfinity => "l_infinity",
        }
    }

    /// The largest threshold that makes sense; a larger one is brought down to it.
    ///
    /// NannyML knows that only Kolmogorov–Smirnov and chi-square end at one, and of chi-square it is not true.
    pub const fn limit(self) -> Option<f64> {
        match self {
            Self::KolmogorovSmirnov | Self::ChiSquare => Some(1.0),
            _ => None,
        }
    }
}

/// A reference to compare chunks with.
#[derive(Clone, Debug)]
pub struct Reference<'a> {
    values: Values<'a>,
}

impl<'a> Reference<'a> {
    /// # Errors
    /// If there are no values, or one is not finite.
    pub fn new(values: Values<'a>) -> Result<Self, TestError> {
        match values {
            Values::Numbers(numbers) => NumericPair::new(numbers, numbers)?.require_finite()?,
            Values::Categories(counts) if counts.iter().all(|c| c.1 == 0) => {
                return Err(TestError::Empty);
            }
            Values::Categories(_) => {}
        }
        Ok(Self { values })
    }

    /// The value of a method for one chunk.
    ///
    /// # Errors
    /// If the chunk is empty, is not of the reference's kind, or holds what is not a number.
    pub fn compare(&self, method: Method, chunk: Values<'_>) -> Result<f64, TestError> {
        match (self.values, chunk) {
            (Values::Numbers(reference), Values::Numbers(chunk)) => {
                let pair = NumericPair::new(reference, chunk)?;
                pair.require_finite()?;
                let estimated = reference.len() >= ESTIMATED_SIZE;
                match method {
                    Method::JensenShannon => Ok(jensen_shannon(&doane_shares(reference, chunk))),
                    Method::Hellinger => Ok(hellinger(&doane_shares(reference, chunk))),
                    Method::KolmogorovSmirnov if estimated => {
                        Ok(estimated_kolmogorov_smirnov(reference, chunk))
                    }
                    Method::KolmogorovSmirnov => Ok(empirical::largest_gap(&pair).0),
                    Method::Wasserstein if estimated => Ok(estimated_wasserstein(reference, chunk)),
                    Method::Wasserstein => Ok(transport::wasserstein(&pair)?.statistic),
                    Method::ChiSquare | Method::LInfinity => {
                        let cells = joined(each_once(reference), each_once(chunk));
                        of_categories(method, &cells)
                    }
                }
            }
            (Values::Categories(reference), Values::Categories(chunk)) => {
                let cells = joined(reference.iter().copied(), chunk.iter().copied());
                of_categories(method, &cells)
            }
            _ => Err(TestError::NotNumeric),
        }
    }

    /// Whether chi-square alerts for a chunk: its p-value is below [`CHI_SQUARE_ALPHA`].
    ///
    /// # Errors
    /// As [`compare`](Self::compare), or if the columns are not categories.
    pub fn chi_square_alerts(&self, chunk: Values<'_>) -> Result<bool, TestError> {
        let (Values::Categories(reference), Values::Categories(chunk)) = (self.values, chunk)
        else {
            return Err(TestError::NotNumeric);
        };
        let pair = CategoricalPair::new(reference, chunk)?;
        let p_value = contingency::chi_square(pair.table()).p_value;
        Ok(p_value.is_some_and(|p| p < CHI_SQUARE_ALPHA))
    }
}

/// The upper threshold over the values of the reference's chunks: their mean plus `multiplier` (3) standard deviations,
/// with n in the denominator, at most `limit`. `None` without chunks.
///
/// ```
/// use driftline_stat::compat::nannyml::standard_deviation_threshold;
///
/// assert_eq!(standard_deviation_threshold(&[0.1, 0.3], 3.0, None), Some(0.5));
/// assert_eq!(standard_deviation_threshold(&[0.1, 0.9], 3.0, Some(1.0)), Some(1.0));
/// ```
pub fn standard_deviation_threshold(
    chunks: &[f64],
    multiplier: f64,
    limit: Option<f64>,
) -> Option<f64> {
    let known: Vec<f64> = chunks.iter().copied().filter(|v| !v.is_nan()).collect();
    if known.is_empty() {
        return None;
    }
    let (mean, deviation) = histogram::moments(&known);
    let threshold = mean + deviation * multiplier;
    Some(limit.map_or(threshold, |limit| threshold.min(limit)))
}

/// Doane's bins on the reference, and one for what of the chunk is outside.
fn doane_shares(reference: &[f64], chunk: &[f64]) -> Vec<(f64, f64)> {
    let edges = histogram::doane_edges(reference);
    let (n, m) = (reference.len() as f64, chunk.len() as f64);
    let counted = histogram::counts(chunk, &edges);
    let outside = chunk.len() as u64 - counted.iter().sum::<u64>();
    let counts = histogram::counts(reference, &edges)
        .into_iter()
        .zip(counted);
    counts
        .chain([(0, outside)])
        .map(|(r, c)| (r as f64 / n, c as f64 / m))
        .collect()
}

fn jensen_shannon(shares: &[(f64, f64)]) -> f64 {
    jensen_shannon_nats(shares) / std::f64::consts::LN_2.sqrt()
}

fn hellinger(shares: &[(f64, f64)]) -> f64 {
    let gap = |&(p, q): &(f64, f64)| (p.sqrt() - q.sqrt()) * (p.sqrt() - q.sqrt());
    (0.5 * shares.iter().map(gap).sum::<f64>()).sqrt()
}

fn of_categories(method: Method, cells: &[(u64, u64)]) -> Result<f64, TestError> {
    let (n, m) = sizes(cells)?;
    // What the reference lacks is one cell together.
    let known = cells.iter().filter(|c| c.0 > 0);
    let leftover: u64 = cells.iter().filter(|c| c.0 == 0).map(|c| c.1).sum();
    let shares: Vec<(f64, f64)> = known
        .copied()
        .chain([(0, leftover)])
        .map(|(r, c)| (r as f64 / n, c as f64 / m))
        .collect();
    match method {
        Method::JensenShannon => Ok(jensen_shannon(&shares)),
        Method::Hellinger => Ok(hellinger(&shares)),
        Method::LInfinity => Ok(cells
            .iter()
            .map(|&(r, c)| (r as f64 / n - c as f64 / m).abs())
            .fold(0.0, f64::max)),
        Method::ChiSquare => {
            Ok(contingency::chi_square(&contingency::Table::new(cells.iter().copied())).statistic)
        }
        Method::KolmogorovSmirnov | Method::Wasserstein => Err(TestError::NotNumeric),
    }
}

/// Cumulative shares at the upper ends of 10,000 equal bins over the reference's range.
fn cumulative(values: &[f64], edges: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let mut sum = 0.0;
    histogram::counts(values, edges)
        .into_iter()
        .map(|count| {
            sum += count as f64 / n;
            sum
        })
        .collect()
}

fn estimated_kolmogorov_smirnov(reference: &[f64], chunk: &[f64]) -> f64 {
    let first = reference.iter().copied().fold(f64::INFINITY, f64::min);
    let last = reference.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let edges = histogram::linspace(first, last, ESTIMATED_BINS);
    let below = chunk.iter().filter(|&&v| v < first).count() as f64 / chunk.len() as f64;
    // numpy counts nothing but the maximum itself when all edges are equal.
    cumulative(reference, &edges)
        .iter()
        .zip(cumulative(chunk, &edges))
        .map(|(r, c)| (r - (below + c)).abs())
        .fold(0.0, f64::max)
}

fn estimated_wasserstein(reference: &[f64], chunk: &[f64]) -> f64 {
    let (first, last) = histogram::outer_edges(reference);
    let edges = histogram::linspace(first, last, ESTIMATED_BINS);
    let width = edges[1] - edges[0];
    let size = chunk.len() as f64;
    let below: Vec<f64> = chunk.iter().copied().filter(|&v| v < first).collect();
    let above: Vec<f64> = chunk.iter().copied().filter(|&v| v > last).collect();
    // The area between the outside values' own distribution function, the end of the range counted in, and the end.
    let sum = |outside: &[f64], end: f64| outside.iter().map(|v| (v - end).abs()).sum::<f64>();
    let amount = |outside: &[f64]| match outside.len() {
        0 => 0.0,
        n => (n + 1) as f64 / size,
    };
    let mean = |outside: &[f64], end: f64| sum(outside, end) / (outside.len() + 1) as f64;
    let shift = amount(&below);
    let within: f64 = cumulative(reference, &edges)
        .iter()
        .zip(cumulative(chunk, &edges))
        .map(|(r, c)| (r - (c + shift)).abs() * width)
        .sum();
    within + mean(&below, first) * shift + mean(&above, last) * amount(&above)
}
