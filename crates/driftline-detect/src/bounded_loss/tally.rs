//! Sums of losses.

use serde::{Deserialize, Serialize};

/// The losses of a step or of a reference: how many, their sum and the sum of their squares.
///
/// Sums of losses in [0, 1] are 0 ≤ Σl² ≤ Σl ≤ n, which holds of every tally, wherever it came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 3]", into = "[f64; 3]")]
pub struct LossTally {
    n: f64,
    sum: f64,
    squares: f64,
}

impl From<[f64; 3]> for LossTally {
    fn from([n, sum, squares]: [f64; 3]) -> Self {
        Self::from_sums(n, sum, squares)
    }
}

impl From<LossTally> for [f64; 3] {
    fn from(tally: LossTally) -> Self {
        [tally.n, tally.sum, tally.squares]
    }
}

impl LossTally {
    /// From n, Σl and Σl². What losses in [0, 1] cannot have is brought to the nearest that they can; nothing if one is no
    /// finite number.
    pub fn from_sums(n: f64, sum: f64, squares: f64) -> Self {
        let is_finite = n.is_finite() && sum.is_finite() && squares.is_finite();
        if !(is_finite && n > 0.0) {
            return Self::default();
        }
        let sum = sum.clamp(0.0, n);
        // By Cauchy and Schwarz the sum of squares is at least that of losses that are all the same.
        let squares = squares.clamp((sum * sum / n).min(sum), sum);
        Self { n, sum, squares }
    }

    /// Adds a loss. Outside [0, 1] it counts as the nearest end; what is no number does not count.
    pub fn add(&mut self, loss: f64) {
        self.add_many(loss, 1);
    }

    /// Adds the same loss several times, as for a bin of losses.
    pub fn add_many(&mut self, loss: f64, times: u64) {
        if !loss.is_nan() {
            let (loss, times) = (loss.clamp(0.0, 1.0), times as f64);
            self.n += times;
            self.sum += times * loss;
            self.squares += times * loss * loss;
        }
    }

    /// Adds another tally's losses.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// How many losses.
    pub fn n(&self) -> f64 {
        self.n
    }

    /// Σl.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Σl².
    pub fn squares(&self) -> f64 {
        self.squares
    }

    /// Σl/n, 0 to 1; none without losses.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0.0).then(|| (self.sum / self.n).clamp(0.0, 1.0))
    }

    /// The sample's variance (n − 1), 0 to ½; 0 with fewer than two losses.
    pub fn variance(&self) -> f64 {
        match self.mean() {
            Some(mean) if self.n > 1.0 => {
                (self.squares_around(mean) / (self.n - 1.0)).clamp(0.0, 0.5)
            }
            _ => 0.0,
        }
    }

    /// Σ(l − centre)².
    pub(super) fn squares_around(&self, centre: f64) -> f64 {
        let around = self.squares - centre * (2.0 * self.sum - self.n * centre);
        around.max(0.0)
    }
}
