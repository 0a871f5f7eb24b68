//! Sums over cells whose counts vary by sampling alone.
//!
//! The counts of a cell are taken as Poisson with the pooled share of either size. In cells that expect many events this
//! is the usual chi-square limit; in sparse ones it also has the zeros and what replaces them.

use std::f64::consts::{LN_2, PI};

use super::{Gamma, NullExpectation, noise_of, upper_point};
use crate::binned::{ZERO_SHARE, total};
use crate::sample::contingency::Table;

/// Cells that expect more than this are taken in the limit.
const LIMIT_COUNT: f64 = 60.0;

/// Up to this many expected on both sides, moments are summed over the counts of both.
const BOTH_COUNTS: f64 = 20.0;

/// Covariances between cells are left out beyond this many, where each is negligible.
const PAIRS_MAX: usize = 300;

pub(super) struct Cells {
    shares: Vec<f64>,
    noise: f64,
    /// Whether the cells were cut so that the reference has about as many values in each: none of them is empty.
    equal_reference: bool,
    sizes: (f64, f64),
    counts: [f64; 4],
}

impl Cells {
    /// Of cells that the reference's quantiles made.
    pub(super) fn of_quantiles(table: &Table) -> Self {
        Self {
            equal_reference: true,
            ..Self::new(table)
        }
    }

    pub(super) fn new(table: &Table) -> Self {
        let (r, c) = (table.reference(), table.current());
        let size: f64 = r.iter().chain(c).map(|&v| v as f64).sum();
        let pair = |i: usize| {
            let pooled = r.get(i).map_or(0.0, |&r| r as f64) + c.get(i).map_or(0.0, |&c| c as f64);
            let reference: f64 = r.iter().map(|&v| v as f64).sum();
            [
                pooled * reference / size,
                pooled * (size - reference) / size,
            ]
        };
        let ([a, b], [c_first, d]) = (pair(0), pair(1));
        Self {
            shares: r
                .iter()
                .zip(c)
                .map(|(&r, &c)| (r as f64 + c as f64) / size)
                .collect(),
            noise: noise_of(r, c),
            equal_reference: false,
            sizes: (total(r), total(c)),
            counts: [a, b, c_first, d],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shares.len()
    }

    /// Woolf's standard error of the log odds ratio, from the expected counts.
    pub(super) fn log_odds_error(&self) -> f64 {
        self.counts.iter().map(|c| 1.0 / c).sum::<f64>().sqrt()
    }

    pub(super) fn psi(&self) -> Option<NullExpectation> {
        let law = self.divergence(1.0, |p, q| {
            let (p, q) = (filled(p), filled(q));
            (q - p) * (q / p).ln()
        })?;
        law.expectation()
    }

    pub(super) fn kl_divergence(&self) -> Option<NullExpectation> {
        // The linear terms add up to nothing over all cells, and would only add variance here.
        let law = self.divergence(0.5, |p, q| filled(p) * (filled(p) / filled(q)).ln() - p + q)?;
        law.expectation()
    }

    pub(super) fn jensen_shannon(&self) -> Option<NullExpectation> {
        let law = self.divergence(1.0 / (8.0 * LN_2), |p, q| {
            let mean = 0.5 * (p + q);
            let part = |v: f64| if v > 0.0 { v * (v / mean).ln() } else { 0.0 };
            0.5 * (part(p) + part(q)) / LN_2
        })?;
        law.root_expectation().map(at_most_one)
    }

    pub(super) fn hellinger(&self) -> Option<NullExpectation> {
        let law = self.divergence(1.0 / 8.0, |p, q| {
            let gap = p.sqrt() - q.sqrt();
            0.5 * gap * gap
        })?;
        law.root_expectation().map(at_most_one)
    }

    /// The law of Σ f(pᵢ, qᵢ), where f is `curvature`·(q − p)²/p to second order.
    fn divergence(&self, curvature: f64, f: impl Fn(f64, f64) -> f64) -> Option<Gamma> {
        let cells = self.len() as f64;
        if cells < 2.0 {
            return None;
        }
        let (mut mean, mut variance) = (0.0, 0.0);
        let (n, m) = self.sizes;
        for &p in &self.shares {
            let limit = curvature * self.noise;
            let (first, second) = if self.equal_reference && m * p <= LIMIT_COUNT {
                self.with_the_other(curvature, n, poisson_moments(m * p, |c| f(p, c / m)))
            } else if (n * p).max(m * p) <= BOTH_COUNTS {
                moments_of_both((n * p, m * p), |r, c| match (r, c) {
                    // A cell that is empty on both sides is left out of the table.
                    (0.0, 0.0) => 0.0,
                    _ => f(r / n, c / m),
                })
            } else if (n * p).min(m * p) > LIMIT_COUNT {
                (limit, 3.0 * limit * limit)
            } else if m <= n {
                self.with_the_other(curvature, n, poisson_moments(m * p, |c| f(p, c / m)))
            } else {
                self.with_the_other(curvature, m, poisson_moments(n * p, |r| f(r / n, p)))
            };
            mean += first;
            variance += second - first * first;
        }
        // The shares add up to one, which takes one degree of freedom.
        let free = (cells - 1.0) / cells;
        Gamma::new(mean * free, variance * free)
    }

    /// Adds the noise of the other side, which is the larger one, to the moments of the smaller one.
    fn with_the_other(
        &self,
        curvature: f64,
        larger: f64,
        (first, second): (f64, f64),
    ) -> (f64, f64) {
        let mean = first + curvature / larger;
        let grown = self.noise / (self.noise - 1.0 / larger);
        (mean, (second - first * first) * grown * grown + mean * mean)
    }

    pub(super) fn total_variation(&self) -> Option<NullExpectation> {
        let deviations: Vec<f64> = self.deviations();
        let mean = 0.5 * deviations.iter().sum::<f64>() * (2.0 / PI).sqrt();
        let mut variance = deviations
            .iter()
            .map(|s| s * s * (1.0 - 2.0 / PI))
            .sum::<f64>();
        if deviations.len() <= PAIRS_MAX {
            let odds: Vec<f64> = self.shares.iter().map(|p| (p / (1.0 - p)).sqrt()).collect();
            for i in 0..odds.len() {
                for j in 0..i {
                    let rho = -(odds[i] * odds[j]).min(1.0);
                    let joint = (1.0 - rho * rho).sqrt() + rho * rho.asin() - 1.0;
                    variance += 2.0 * deviations[i] * deviations[j] * (2.0 / PI) * joint;
                }
            }
        }
        Gamma::new(mean, 0.25 * variance)?
            .expectation()
            .map(at_most_one)
    }

    pub(super) fn l_infinity(&self) -> Option<NullExpectation> {
        let deviations = self.deviations();
        let largest = deviations.iter().fold(0.0_f64, |max, s| max.max(*s));
        if largest == 0.0 {
            return None;
        }
        // The last cell follows from the others, which are taken as independent (Šidák). A sparse cell's share is
        // lopsided: take its count as Poisson, stretched to the noise of both sides.
        let (n, m) = self.sizes;
        let smaller = n.min(m);
        let stretch = (self.noise * smaller).sqrt();
        let laws: Vec<CellLaw> = self
            .shares
            .iter()
            .zip(&deviations)
            .skip(1)
            .map(|(&share, &deviation)| CellLaw {
                share,
                deviation,
                counts: match share * smaller <= LIMIT_COUNT {
                    true => poisson(share * smaller),
                    false => Vec::new(),
                },
            })
            .collect();
        let above = |x: f64| {
            1.0 - laws
                .iter()
                .map(|cell| cell.within(x, smaller, stretch))
                .product::<f64>()
        };
        let (end, steps) = (largest * 8.0, 100);
        let width = end / f64::from(steps);
        let mean = (0..steps)
            .map(|i| above((f64::from(i) + 0.5) * width) * width)
            .sum();
        let upper = upper_point(above, super::ABOVE, largest)?;
        Some(at_most_one(NullExpectation { mean, upper }))
    }

    /// The standard deviation of the difference of each cell's shares.
    fn deviations(&self) -> Vec<f64> {
        let deviation = |p: &f64| (p * (1.0 - p) * self.noise).max(0.0).sqrt();
        self.shares.iter().map(deviation).collect()
    }
}

/// How far the share of a cell strays.
struct CellLaw {
    share: f64,
    deviation: f64,
    /// The counts of the smaller side and their probabilities, of a sparse cell.
    counts: Vec<(f64, f64)>,
}

impl CellLaw {
    /// The probability that the shares of both sides are at most `x` apart.
    fn within(&self, x: f64, smaller: f64, stretch: f64) -> f64 {
        if self.counts.is_empty() {
            return libm::erf(x / self.deviation * std::f64::consts::FRAC_1_SQRT_2);
        }
        let near = |count: f64| (count / smaller - self.share).abs() * stretch <= x;
        let inside = self.counts.iter().filter(|(count, _)| near(*count));
        inside.map(|(_, probability)| probability).sum()
    }
}

fn at_most_one(null: NullExpectation) -> NullExpectation {
    NullExpectation {
        mean: null.mean.min(1.0),
        upper: null.upper.min(1.0),
    }
}

fn filled(share: f64) -> f64 {
    if share == 0.0 { ZERO_SHARE } else { share }
}

/// The counts a Poisson variable has with more than negligible probability, and those.
fn poisson(expected: f64) -> Vec<(f64, f64)> {
    let last = expected + 9.0 * expected.sqrt() + 10.0;
    let mut law = Vec::new();
    let (mut count, mut probability) = (0.0, (-expected).exp());
    while count <= last {
        law.push((count, probability));
        count += 1.0;
        probability *= expected / count;
    }
    law
}

/// First and second moment of a function of a Poisson count.
fn poisson_moments(expected: f64, f: impl Fn(f64) -> f64) -> (f64, f64) {
    let (mut first, mut second) = (0.0, 0.0);
    for (count, probability) in poisson(expected) {
        let value = f(count);
        first += probability * value;
        second += probability * value * value;
    }
    (first, second)
}

/// The same of two independent ones.
fn moments_of_both(expected: (f64, f64), f: impl Fn(f64, f64) -> f64) -> (f64, f64) {
    let (mut first, mut second) = (0.0, 0.0);
    let other = poisson(expected.1);
    for (r, p) in poisson(expected.0) {
        for &(c, q) in other.iter().filter(|(_, q)| p * q > 1e-12) {
            let value = f(r, c);
            first += p * q * value;
            second += p * q * value * value;
        }
    }
    (first, second)
}
