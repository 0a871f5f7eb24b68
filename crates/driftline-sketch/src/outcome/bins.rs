//! Bins of one number.

use std::fmt;

use crate::binner::Binner;
use crate::{ProfileOptions, cuts};

/// Bins `(lower, upper]` cut from the reference's quantiles; a value that is common there has one of its own.
#[derive(Clone)]
pub struct Bins {
    binner: Binner,
}

impl fmt::Debug for Bins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bins").field(&self.upper_bounds()).finish()
    }
}

impl PartialEq for Bins {
    fn eq(&self, other: &Self) -> bool {
        self.upper_bounds() == other.upper_bounds()
    }
}

impl Default for Bins {
    /// One bin.
    fn default() -> Self {
        Self::assemble(vec![f64::INFINITY])
    }
}

impl Bins {
    /// About `bins` quantile bins of `values`, with these further upper bounds.
    pub(crate) fn cut(values: impl Iterator<Item = f64>, bins: usize, further: &[f64]) -> Self {
        let mut sorted: Vec<f64> = values.filter(|v| v.is_finite()).map(|v| v + 0.0).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let options = ProfileOptions {
            bins,
            ..ProfileOptions::default()
        };
        let mut upper = cuts::upper_bounds(&sorted, &options);
        let fits = |bound: &&f64| (-f64::MAX..f64::MAX).contains(*bound);
        upper.extend(further.iter().filter(fits).map(|bound| bound + 0.0));
        upper.sort_unstable_by(f64::total_cmp);
        upper.dedup();
        Self::assemble(upper)
    }

    /// `upper` is strictly ascending and ends with +∞.
    pub(crate) fn assemble(upper: Vec<f64>) -> Self {
        let even = vec![1; upper.len()];
        Self {
            binner: Binner::new(upper, &even),
        }
    }

    /// The upper bounds, strictly ascending; the last is +∞.
    pub fn upper_bounds(&self) -> &[f64] {
        self.binner.upper_bounds()
    }

    /// How many bins there are, at least one.
    pub fn count(&self) -> usize {
        self.upper_bounds().len()
    }

    /// The bin of a finite value.
    #[inline]
    pub fn bin(&self, value: f64) -> usize {
        self.binner.bin(value)
    }
}
