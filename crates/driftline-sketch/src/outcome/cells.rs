//! Counts by cell: side by side where they are few, by number where most of many are empty.

use std::collections::BTreeMap;

use crate::codec::{DecodeError, take_varint, write_varint};
use crate::column::{Combine, ShapeMismatch};

/// More cells than these are kept by number.
const DENSE_MAX: usize = 4_096;

/// What a cell holds: a count, or a sum of weights.
pub(crate) trait Amount: Copy + Default + PartialEq + Into<u128> {
    /// No cell goes beyond this.
    const MAX: u128;
    /// `amount`, which is at most [`Amount::MAX`].
    fn from(amount: u128) -> Self;
    fn plus(self, amount: Self) -> Self;
}

impl Amount for u64 {
    const MAX: u128 = i64::MAX as u128;

    fn from(amount: u128) -> Self {
        amount as Self
    }

    #[inline]
    fn plus(self, amount: Self) -> Self {
        self.saturating_add(amount)
    }
}

impl Amount for u128 {
    const MAX: Self = i128::MAX as Self;

    fn from(amount: u128) -> Self {
        amount
    }

    #[inline]
    fn plus(self, amount: Self) -> Self {
        self.saturating_add(amount)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cells<T> {
    Dense(Vec<T>),
    /// Only those that are not empty.
    Sparse {
        cells: usize,
        filled: BTreeMap<u32, T>,
    },
}

impl<T: Amount> Cells<T> {
    pub(crate) fn empty(cells: usize) -> Self {
        if cells <= DENSE_MAX {
            Self::Dense(vec![T::default(); cells])
        } else {
            let filled = BTreeMap::new();
            Self::Sparse { cells, filled }
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Dense(all) => all.len(),
            Self::Sparse { cells, .. } => *cells,
        }
    }

    /// Nothing where there is no such cell.
    #[inline]
    pub(crate) fn at(&self, cell: usize) -> T {
        match self {
            Self::Dense(all) => all.get(cell).copied().unwrap_or_default(),
            Self::Sparse { filled, .. } => filled.get(&(cell as u32)).copied().unwrap_or_default(),
        }
    }

    /// `cell` is below the length.
    #[inline]
    pub(crate) fn add(&mut self, cell: usize, amount: T) {
        match self {
            Self::Dense(all) => {
                if let Some(held) = all.get_mut(cell) {
                    *held = held.plus(amount);
                }
            }
            Self::Sparse { filled, .. } => {
                if amount != T::default() {
                    let held = filled.entry(cell as u32).or_default();
                    *held = held.plus(amount);
                }
            }
        }
    }

    /// The cells that are not empty, in order.
    pub(crate) fn filled(&self) -> impl Iterator<Item = (usize, T)> {
        let (dense, sparse) = match self {
            Self::Dense(all) => (Some(all), None),
            Self::Sparse { filled, .. } => (None, Some(filled)),
        };
        let dense = dense.into_iter().flatten().copied().enumerate();
        let dense = dense.filter(|(_, amount)| *amount != T::default());
        let sparse = sparse.into_iter().flatten();
        dense.chain(sparse.map(|(cell, amount)| (*cell as usize, *amount)))
    }

    /// Whether [`Cells::combine`] will do. `other` has as many cells.
    pub(crate) fn check(&self, other: &Self, by: Combine) -> Result<(), ShapeMismatch> {
        other.filled().try_for_each(|(cell, amount)| {
            let (held, amount): (u128, u128) = (self.at(cell).into(), amount.into());
            let combined = match by {
                Combine::Add => held.checked_add(amount).filter(|sum| *sum <= T::MAX),
                Combine::Subtract => held.checked_sub(amount),
            };
            combined.map(|_| ()).ok_or(ShapeMismatch::OutOfRange)
        })
    }

    /// Adds or takes away what passed [`Cells::check`].
    pub(crate) fn combine(&mut self, other: &Self, by: Combine) {
        for (cell, amount) in other.filled() {
            let (held, amount): (u128, u128) = (self.at(cell).into(), amount.into());
            let combined = match by {
                Combine::Add => held.saturating_add(amount),
                Combine::Subtract => held.saturating_sub(amount),
            };
            self.set(cell, combined);
        }
    }

    fn set(&mut self, cell: usize, amount: u128) {
        match self {
            Self::Dense(all) => {
                if let Some(held) = all.get_mut(cell) {
                    *held = T::from(amount);
                }
            }
            Self::Sparse { filled, .. } => {
                if amount == 0 {
                    filled.remove(&(cell as u32));
                } else {
                    filled.insert(cell as u32, T::from(amount));
                }
            }
        }
    }

    /// Every cell `factor` times.
    pub(crate) fn scaled(&self, factor: u128) -> Cells<u128> {
        let mut result = Cells::empty(self.len());
        for (cell, amount) in self.filled() {
            result.set(cell, amount.into().saturating_mul(factor));
        }
        result
    }

    /// Before each filled cell the number of empty ones; the number of filled ones first.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        write_varint(self.filled().count() as u128, out);
        let mut next = 0;
        for (cell, amount) in self.filled() {
            write_varint((cell - next) as u128, out);
            write_varint(amount.into(), out);
            next = cell + 1;
        }
    }

    pub(crate) fn decode(input: &mut &[u8], cells: usize) -> Result<Self, DecodeError> {
        let filled = take_varint(input)?;
        if filled > cells as u128 {
            return Err(DecodeError::Cells);
        }
        let mut result = Self::empty(cells);
        let mut next = 0;
        for _ in 0..filled {
            let gap = take_varint(input)?;
            if gap >= (cells - next) as u128 {
                return Err(DecodeError::Cells);
            }
            let cell = next + gap as usize;
            let amount = take_varint(input)?;
            if amount == 0 {
                return Err(DecodeError::NotCanonical);
            }
            if amount > T::MAX {
                return Err(DecodeError::Impossible);
            }
            result.set(cell, amount);
            next = cell + 1;
        }
        Ok(result)
    }
}
