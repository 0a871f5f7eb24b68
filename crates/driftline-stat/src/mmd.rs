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
//! **Error.** For a dozen vectors or more the tail beyond 1 % is right to about a fifth of its probability. Further out it
//! is too light: p-values up to 0.001 come up to 1.75 times as often as they should, those up to 0.0001 up to 4.5
//! times. It assumes independent vectors: bursts make p-values too small.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64; seeded, so that the test is the same every time.
    struct Random(u64);

    impl Random {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }

        /// Standard normal.
        fn normal(&mut self) -> f64 {
            let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
            radius * (std::f64::consts::TAU * self.uniform()).cos()
        }
    }

    #[test]
    fn sums_of_squares_have_this_tail() {
        // Independent squares of one size are chi-square, and then the law is exact.
        for (count, x, p) in [(1, 3.841_458_820_694_124, 0.05), (10, 29.588_298, 0.001)] {
            let n = f64::from(count);
            let traces = Traces {
                first: n,
                second: n,
                third: n,
            };
            assert!((traces.upper_tail(x) / p - 1.0).abs() < 1e-6);
        }
        // Of decaying sizes, against a simulation.
        let sizes: Vec<f64> = (0..40).map(|i| 0.8_f64.powi(i)).collect();
        let power = |p: i32| sizes.iter().map(|s| s.powi(p)).sum::<f64>();
        let traces = Traces {
            first: power(1),
            second: power(2),
            third: power(3),
        };
        let mut random = Random(1);
        let draws = 20_000;
        let mut beyond = [0; 3];
        let levels = [0.1, 0.01, 0.001];
        for _ in 0..draws {
            let sum = sizes.iter().map(|s| s * random.normal().powi(2)).sum();
            let p = traces.upper_tail(sum);
            for (count, level) in beyond.iter_mut().zip(levels) {
                *count += u32::from(p <= level);
            }
        }
        let shares = beyond.map(|n| f64::from(n) / f64::from(draws));
        assert!((0.09..0.11).contains(&shares[0]), "{shares:?}");
        assert!((0.008..0.012).contains(&shares[1]), "{shares:?}");
        assert!((0.000_5..0.002).contains(&shares[2]), "{shares:?}");
    }

    #[test]
    fn nothing_is_compared_with_nothing() {
        let traces = Traces {
            first: 0.0,
            second: 0.0,
            third: 0.0,
        };
        let side = |hits: &'static [f64], trials| Side { hits, trials };
        assert_eq!(mmd(side(&[], 1), side(&[], 1), &traces), None);
        assert_eq!(mmd(side(&[0.0], 0), side(&[1.0], 1), &traces), None);
        assert_eq!(mmd(side(&[0.0], 1), side(&[1.0, 0.0], 1), &traces), None);
        // A reference that is constant.
        let same = mmd(side(&[2.0], 4), side(&[1.0], 2), &traces);
        let other = mmd(side(&[2.0], 4), side(&[2.0], 2), &traces);
        assert_eq!(same.map(|m| (m.statistic, m.p_value)), Some((0.0, 1.0)));
        assert_eq!(other.map(|m| (m.statistic, m.p_value)), Some((2.0, 0.0)));
    }
}
