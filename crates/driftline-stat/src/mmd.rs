//! Maximum mean discrepancy over random Fourier features, with its distribution under no drift.
//!
//! **What it measures.** The squared distance of two mean embeddings, MMD² = |μ − μ'|² with
//! μ = mean of √(8/D) · z and z the D features in [0, 1] of a vector (`driftline_sketch::EmbeddingProfile`): an
//! estimate of the squared MMD under a Gaussian kernel (Gretton et al., "A kernel two-sample test", 2012; Rahimi
//! and Recht, 2007). 0 when the features' means agree; about 2 at most.
//!
//! **Null.** With n and m independent vectors of one distribution whose features have the covariance Σ with
//! eigenvalues λ, MMD² is about (1/n + 1/m) Σ λ χ²₁: mean tr Σ · (1/n + 1/m), which is the floor, and variance
//! 2 tr Σ² · (1/n + 1/m)². The p-value is the upper tail of the gamma law with this mean, this variance and the
//! third cumulant 8 tr Σ³ · (1/n + 1/m)³ (Hall, 1983; Buckley and Eagleson, 1988).
//!
//! **Error.** The tail beyond 1 % is right to about a fifth of its probability, and beyond 0.1 % to about a half,
//! for a dozen vectors or more. It assumes independent vectors: bursts make it too small.
//!
//! **Not** corrected for looking again and again; for that there is the indicator bank.

use crate::distribution::chi_square_upper_tail;

/// Traces of the powers of the covariance Σ of √(8/D) · z in the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traces {
    /// tr Σ.
    pub first: f64,
    /// tr Σ².
    pub second: f64,
    /// tr Σ³.
    pub third: f64,
}

/// One side: the sum of each feature, and of how many vectors.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The sum of each feature over all vectors.
    pub hits: &'a [f64],
    /// How many vectors.
    pub trials: u64,
}

/// What two mean embeddings differ by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mmd {
    /// MMD².
    pub statistic: f64,
    /// Its mean without drift at these sample sizes.
    pub floor: f64,
    /// The probability of at least this value without drift.
    pub p_value: f64,
}

/// The squared maximum mean discrepancy of two sets of vectors. `None` if a side is empty or the sides have
/// different features.
///
/// ```
/// use driftline_stat::mmd::{Side, Traces, mmd};
/// let traces = Traces { first: 1.0, second: 0.25, third: 0.08 };
/// let reference = Side { hits: &[500.0, 400.0], trials: 1_000 };
/// let current = Side { hits: &[50.0, 60.0], trials: 100 };
/// let found = mmd(reference, current, &traces).expect("both sides have vectors");
/// assert!((found.statistic - 4.0 * 0.2 * 0.2).abs() < 1e-12);
/// assert!((found.floor - 0.011).abs() < 1e-12 && found.p_value < 1e-6);
/// ```
pub fn mmd(reference: Side<'_>, current: Side<'_>, traces: &Traces) -> Option<Mmd> {
    let features = reference.hits.len();
    let (n, m) = (reference.trials as f64, current.trials as f64);
    if features == 0 || features != current.hits.len() || n == 0.0 || m == 0.0 {
        return None;
    }
    let squares = reference.hits.iter().zip(current.hits);
    let distance: f64 = squares.map(|(a, b)| (a / n - b / m).powi(2)).sum();
    let statistic = 8.0 / features as f64 * distance;
    let noise = 1.0 / n + 1.0 / m;
    Some(Mmd {
        statistic,
        floor: traces.first * noise,
        p_value: traces.upper_tail(statistic / noise),
    })
}

impl Traces {
    /// P(Σ λ χ²₁ ≥ x).
    fn upper_tail(&self, x: f64) -> f64 {
        let deviation = (2.0 * self.second).sqrt();
        if !(deviation > 0.0 && x.is_finite()) {
            // The reference's features do not vary at all: any difference is one.
            return if x > 0.0 { 0.0 } else { 1.0 };
        }
        // Within what any eigenvalues with these two traces can have: between all equal and a single one.
        let least = self.second * self.second / self.first;
        let third = self.third.max(least).min(self.second.powf(1.5));
        let degrees = (self.second.powi(3) / third.powi(2)).max(1.0);
        let standard = (x - self.first) / deviation;
        let quantile = degrees + (2.0 * degrees).sqrt() * standard;
        if quantile <= 0.0 {
            return 1.0;
        }
        chi_square_upper_tail(quantile, degrees).clamp(0.0, 1.0)
    }
}
