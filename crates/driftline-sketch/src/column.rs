//! A column of any kind.

use driftline_event::ColumnKind;

use crate::codec::{self, DecodeError};
use crate::{
    CategoricalProfile, CategoricalSummary, EmbeddingProfile, EmbeddingSummary, NumericProfile,
    NumericSummary,
};

/// Why two summaries cannot be combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeMismatch {
    /// They are of columns of different kinds.
    #[error("summaries of columns of different kinds cannot be combined")]
    Kind,
    /// They have different numbers of cells.
    #[error("summaries of {left} and {right} cells cannot be combined")]
    Cells {
        /// Cells of the summary that was to change.
        left: usize,
        /// Cells of the other.
        right: usize,
    },
    /// Their samples have different capacities.
    #[error("samples of {left} and {right} texts cannot be combined")]
    Sample {
        /// Capacity of the summary that was to change.
        left: usize,
        /// Capacity of the other.
        right: usize,
    },
    /// A count would exceed its range, or more would be subtracted than was ever added.
    #[error("a count would leave its range: the summaries do not belong together")]
    OutOfRange,
}

/// How a column is cut, and how the reference falls into the cuts.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnProfile {
    /// Numbers.
    Numeric(NumericProfile),
    /// Categories.
    Categorical(CategoricalProfile),
    /// Vectors.
    Embedding(EmbeddingProfile),
}

impl ColumnProfile {
    /// The kind of the column.
    pub fn kind(&self) -> ColumnKind {
        match self {
            Self::Numeric(_) => ColumnKind::Numeric,
            Self::Categorical(_) => ColumnKind::Categorical,
            Self::Embedding(_) => ColumnKind::Embedding,
        }
    }

    /// How many cells a summary has: bins, named categories and shared cells, or features.
    pub fn cells(&self) -> usize {
        match self {
            Self::Numeric(profile) => profile.bins(),
            Self::Categorical(profile) => profile.cells(),
            Self::Embedding(profile) => profile.features(),
        }
    }

    /// A summary of nothing.
    pub fn empty_summary(&self) -> ColumnSummary {
        match self {
            Self::Numeric(profile) => ColumnSummary::Numeric(profile.empty_summary()),
            Self::Categorical(profile) => ColumnSummary::Categorical(profile.empty_summary()),
            Self::Embedding(profile) => ColumnSummary::Embedding(profile.empty_summary()),
        }
    }

    /// A copy of the reference's own summary; the profile of each kind lends its own.
    pub fn reference(&self) -> ColumnSummary {
        match self {
            Self::Numeric(profile) => ColumnSummary::Numeric(profile.reference().clone()),
            Self::Categorical(profile) => ColumnSummary::Categorical(profile.reference().clone()),
            Self::Embedding(profile) => ColumnSummary::Embedding(profile.reference().clone()),
        }
    }
}

/// What a column amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnSummary {
    /// Of numbers.
    Numeric(NumericSummary),
    /// Of categories.
    Categorical(CategoricalSummary),
    /// Of vectors.
    Embedding(EmbeddingSummary),
}

impl ColumnSummary {
    /// Adds all that `other` counted. Exact, and the order of merges makes no difference.
    ///
    /// # Errors
    /// When the two are not of the same profile, as far as that can be seen, or a count would overflow;
    /// `self` is then unchanged.
    pub fn merge(&mut self, other: &Self) -> Result<(), ShapeMismatch> {
        self.combine(other, Combine::Add)
    }

    /// Takes away all that `other` counted: the exact inverse of [`ColumnSummary::merge`] for
    /// counts and sums. A sample of distinct texts cannot forget, and stays as it is.
    ///
    /// # Errors
    /// When the two are not of the same profile, as far as that can be seen, or `other` is not a part of
    /// `self`; `self` is then unchanged.
    pub fn subtract(&mut self, other: &Self) -> Result<(), ShapeMismatch> {
        self.combine(other, Combine::Subtract)
    }

    fn combine(&mut self, other: &Self, by: Combine) -> Result<(), ShapeMismatch> {
        match (self, other) {
            (Self::Numeric(left), Self::Numeric(right)) => left.combine(right, by),
            (Self::Categorical(left), Self::Categorical(right)) => left.combine(right, by),
            (Self::Embedding(left), Self::Embedding(right)) => left.combine(right, by),
            _ => Err(ShapeMismatch::Kind),
        }
    }

    /// How many rows this is a summary of.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Numeric(summary) => summary.rows(),
            Self::Categorical(summary) => summary.rows(),
            Self::Embedding(summary) => summary.rows(),
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// Appends the canonical bytes: equal summaries give equal bytes, and only they do.
    pub fn encode(&self, out: &mut Vec<u8>) {
        codec::encode(self, out);
    }

    /// Takes a summary of this profile from the front of `input`.
    ///
    /// # Errors
    /// When the bytes are not exactly what [`ColumnSummary::encode`] writes for a summary of this profile.
    /// `input` is then left somewhere inside the summary.
    pub fn decode(input: &mut &[u8], profile: &ColumnProfile) -> Result<Self, DecodeError> {
        codec::decode(input, profile)
    }
}

/// No count goes beyond this, so that counting on from a summary that came from outside cannot
/// overflow.
pub(crate) const COUNT_MAX: u64 = i64::MAX as u64;

/// The two exact ways to combine counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Combine {
    Add,
    Subtract,
}

impl Combine {
    pub(crate) fn count(self, a: u64, b: u64) -> Result<u64, ShapeMismatch> {
        let result = match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
        };
        result
            .filter(|count| *count <= COUNT_MAX)
            .ok_or(ShapeMismatch::OutOfRange)
    }

    pub(crate) fn sum(self, a: i128, b: i128) -> Result<i128, ShapeMismatch> {
        let result = match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
        };
        result.ok_or(ShapeMismatch::OutOfRange)
    }

    /// Whether [`Combine::counts`] will do.
    pub(crate) fn check(self, a: &[u64], b: &[u64]) -> Result<(), ShapeMismatch> {
        if a.len() != b.len() {
            return Err(ShapeMismatch::Cells {
                left: a.len(),
                right: b.len(),
            });
        }
        a.iter()
            .zip(b)
            .try_for_each(|(a, b)| self.count(*a, *b).map(|_| ()))
    }

    /// Combines counts that passed [`Combine::check`].
    pub(crate) fn counts(self, a: &mut [u64], b: &[u64]) {
        for (a, b) in a.iter_mut().zip(b) {
            match self {
                Self::Add => *a += b,
                Self::Subtract => *a -= b,
            }
        }
    }
}
