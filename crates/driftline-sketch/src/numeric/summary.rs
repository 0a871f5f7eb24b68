//! What a column of numbers amounts to.

use super::{is_missing, is_wrong_type};
use crate::column::{Combine, ShapeMismatch};

/// What a column of numbers amounts to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumericSummary {
    /// Valid values by bin.
    pub counts: Vec<u64>,
    /// Values that were not there.
    pub missing: u64,
    /// Values that were not a number.
    pub nan: u64,
    /// Values that were +∞.
    pub positive_infinity: u64,
    /// Values that were −∞.
    pub negative_infinity: u64,
    /// Values of a type that is no number.
    pub wrong_type: u64,
    /// Valid values below the reference's minimum; they are in `counts` too.
    pub below_min: u64,
    /// Valid values above the reference's maximum; they are in `counts` too.
    pub above_max: u64,
    /// Sum of the valid values' places on the profile's grid.
    pub sum: i128,
    /// Sum of the squares of the same.
    pub sum_of_squares: u128,
    /// The part of `sum` that is below the reference's minimum.
    pub sum_below: i128,
    /// The part of `sum` that is above the reference's maximum.
    pub sum_above: i128,
    /// Valid values that were too far from the centre for the grid and count as its end in the
    /// sums.
    pub clamped: u64,
}

impl NumericSummary {
    /// How many values are in the bins.
    pub fn valid(&self) -> u64 {
        self.counts
            .iter()
            .fold(0, |n, count| n.saturating_add(*count))
    }

    /// How many values were neither missing nor a finite number.
    pub fn invalid(&self) -> u64 {
        [
            self.nan,
            self.positive_infinity,
            self.negative_infinity,
            self.wrong_type,
        ]
        .iter()
        .fold(0, |n, count| n.saturating_add(*count))
    }

    /// How many rows this is a summary of.
    pub fn rows(&self) -> u64 {
        self.valid()
            .saturating_add(self.missing)
            .saturating_add(self.invalid())
    }

    /// Counts a value that is neither finite nor missing.
    #[cold]
    pub(super) fn add_invalid(&mut self, value: f64) {
        if is_wrong_type(value) {
            self.wrong_type += 1;
        } else if value.is_nan() {
            self.nan += u64::from(!is_missing(value));
        } else {
            self.positive_infinity += u64::from(value == f64::INFINITY);
            self.negative_infinity += u64::from(value == f64::NEG_INFINITY);
        }
    }

    /// The counters beside the bins, in the order in which they are written.
    pub(crate) fn counters(&self) -> [u64; 8] {
        [
            self.missing,
            self.nan,
            self.positive_infinity,
            self.negative_infinity,
            self.wrong_type,
            self.below_min,
            self.above_max,
            self.clamped,
        ]
    }

    pub(crate) fn set_counters(&mut self, counters: [u64; 8]) {
        [
            self.missing,
            self.nan,
            self.positive_infinity,
            self.negative_infinity,
            self.wrong_type,
            self.below_min,
            self.above_max,
            self.clamped,
        ] = counters;
    }

    /// `self` and `other` combined by exact addition or subtraction; `self` is unchanged on error.
    pub(crate) fn combine(&mut self, other: &Self, by: Combine) -> Result<(), ShapeMismatch> {
        by.check(&self.counts, &other.counts)?;
        let mut counters = [0; 8];
        for (to, (a, b)) in counters
            .iter_mut()
            .zip(self.counters().into_iter().zip(other.counters()))
        {
            *to = by.count(a, b)?;
        }
        let sum = by.sum(self.sum, other.sum)?;
        let sum_below = by.sum(self.sum_below, other.sum_below)?;
        let sum_above = by.sum(self.sum_above, other.sum_above)?;
        let sum_of_squares = match by {
            Combine::Add => self.sum_of_squares.checked_add(other.sum_of_squares),
            Combine::Subtract => self.sum_of_squares.checked_sub(other.sum_of_squares),
        };
        self.sum_of_squares = sum_of_squares.ok_or(ShapeMismatch::OutOfRange)?;
        (self.sum, self.sum_below, self.sum_above) = (sum, sum_below, sum_above);
        by.counts(&mut self.counts, &other.counts);
        self.set_counters(counters);
        Ok(())
    }
}
