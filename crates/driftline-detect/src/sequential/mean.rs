//! Running moments, updated in the order of operations that river has.

use serde::{Deserialize, Serialize};

/// The mean of the values so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mean {
    pub(crate) n: u64,
    pub(crate) mean: f64,
}

impl Mean {
    /// Takes a value; one by the number of values so far.
    pub(crate) fn add(&mut self, value: f64) -> f64 {
        // Saturating, because a snapshot may say anything.
        self.n = self.n.saturating_add(1);
        let share = 1.0 / self.n as f64;
        self.mean += share * (value - self.mean);
        share
    }

    /// The count as a number to calculate with.
    pub(crate) fn count(self) -> f64 {
        self.n as f64
    }
}

/// The mean and the sample variance of the values so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Variance {
    pub(crate) mean: Mean,
    squares: f64,
}

impl Variance {
    pub(crate) fn add(&mut self, value: f64) {
        let before = self.mean.mean;
        self.mean.add(value);
        self.squares += (value - before) * (value - self.mean.mean);
    }

    /// With n − 1; 0 of a single value.
    pub(crate) fn sample(self) -> f64 {
        if self.mean.n < 2 {
            return 0.0;
        }
        self.squares / (self.mean.count() - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_a_few_values() {
        let mut variance = Variance::default();
        variance.add(3.0);
        assert_eq!((variance.mean.mean, variance.sample()), (3.0, 0.0));
        variance.add(5.0);
        variance.add(10.0);
        assert_eq!((variance.mean.mean, variance.sample()), (6.0, 13.0));
    }
}
