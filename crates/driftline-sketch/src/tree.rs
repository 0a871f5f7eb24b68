//! The joint column: which leaf of a tree over the features a row falls into.
//!
//! **What it measures.** The joint distribution of the features, cut into (by default) 64 leaves of about equal
//! reference mass by comparing one feature at each of six levels (after QuantTree: Boracchi et al., "QuantTree:
//! histograms for change detection in multivariate data streams", 2018, and kd-trees). A row's leaf is one more
//! category, in the column [`JOINT_COLUMN`] with the categories `leaf 0`, `leaf 1`, …, so that whatever judges
//! categories judges the joint distribution too. When features keep their own distributions but no longer go
//! together as they did, the shares of leaves change and nothing else does.
//!
//! **Splits.** Each node is split where the reference's rows in it fall into the most equal halves: a number at a
//! value (at most it: left), a category by a set of categories. What is missing, no number, or a category that
//! the reference has never seen goes right. Which feature: of those least often split on the way from the root,
//! the one that depends most on a feature split on that way, or half as much on one still to come, divided by
//! one plus the share of rows for which it was split on already. Dependence is Cramér's V² of quartiles (numbers)
//! or the most frequent categories, less what chance explains. So features that belong together meet on one path,
//! and different branches look at different groups. Where nothing is to choose between, the seed decides.
//!
//! **Limits.** Six levels see at most six features of a row. Features whose values are mostly ties cannot be halved,
//! and leave uneven or fewer leaves. A leaf has at least [`LEAF_ROWS_MIN`] rows of the reference. As the tree is
//! cut at the reference's own quantiles, its leaves' shares in the reference are as uncertain as any shares are.

mod build;
mod dependence;
mod wording;

use std::collections::{BTreeMap, BTreeSet};

use crate::categorical::{CategoricalProfile, CategoryCode};
pub(crate) use build::{Source, Values};

/// The name of the column of leaves. No feature may have it in a reference with a tree.
pub const JOINT_COLUMN: &str = "joint";

/// Rows of the reference in a leaf, at least.
pub const LEAF_ROWS_MIN: usize = 20;

/// Leaves at most.
pub(crate) const LEAVES_MAX: usize = 256;

/// How to cut the joint distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JointOptions {
    /// How many leaves, a power of two from 2 to 256.
    pub leaves: usize,
    /// Decides between features that the rule cannot tell apart.
    pub seed: u64,
}

impl Default for JointOptions {
    fn default() -> Self {
        Self {
            leaves: 64,
            seed: 0,
        }
    }
}

impl JointOptions {
    pub(crate) fn are_possible(&self) -> bool {
        (2..=LEAVES_MAX).contains(&self.leaves) && self.leaves.is_power_of_two()
    }
}

/// Where a node sends a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Split {
    /// Left, whatever the row: a leaf that is nearer to the root than others.
    Whole,
    /// Left if the number is at most `threshold`.
    Number {
        /// The position of the column in the profile.
        column: usize,
        /// Its position among the numbers of a row.
        slot: usize,
        threshold: f64,
    },
    /// Left if the code is in the set.
    Category {
        /// The position of the column in the profile.
        column: usize,
        /// Its position among the codes of a row.
        slot: usize,
        /// How many cells the column has.
        cells: usize,
        /// A bit for each cell.
        left: Vec<u64>,
    },
}

/// A tree over the features of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct JointTree {
    pub(crate) seed: u64,
    /// The children of node i are 2i + 1 and 2i + 2; one less than a power of two.
    pub(crate) splits: Vec<Split>,
    /// The leaf at the end of each path.
    leaves: Vec<CategoryCode>,
    count: usize,
}

/// What the rows of a leaf have in common in one column.
#[derive(Clone, Debug, PartialEq)]
pub struct LeafCondition {
    /// The position of the column in [`ReferenceProfile::columns`](crate::ReferenceProfile::columns).
    pub column: usize,
    /// The values of the column.
    pub values: LeafValues,
}

/// Values of a column that belong to a leaf.
#[derive(Clone, Debug, PartialEq)]
pub enum LeafValues {
    /// Numbers of an interval.
    Interval {
        /// Only numbers above this, and, unless there is an upper end, what is missing or no number.
        above: Option<f64>,
        /// Only numbers up to this; nothing that is missing or no number.
        at_most: Option<f64>,
    },
    /// Some categories.
    Categories {
        /// The cells of the column.
        cells: Vec<usize>,
        /// Whether what is missing, of a wrong type or unseen belongs to the leaf too.
        others: bool,
    },
}

impl JointTree {
    /// A tree of these splits. Their number is one less than a power of two.
    pub(crate) fn assemble(seed: u64, splits: Vec<Split>) -> Self {
        let paths = splits.len() + 1;
        let mut leaves = vec![0; paths];
        let mut count = 0;
        for (path, leaf) in leaves.iter_mut().enumerate() {
            *leaf = count;
            let levels = paths.trailing_zeros();
            let is_reached = (0..levels).all(|level| {
                let node = (1 << level) - 1 + (path >> (levels - level));
                let right = path >> (levels - level - 1) & 1 == 1;
                !(right && splits[node] == Split::Whole)
            });
            count += CategoryCode::from(is_reached);
        }
        Self {
            seed,
            splits,
            leaves,
            count: count as usize,
        }
    }

    /// How many leaves there are.
    pub fn leaves(&self) -> usize {
        self.count
    }

    /// The seed that decided between features that the rule could not tell apart.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The leaf of a row: its numeric columns' numbers and its categorical columns' codes, each in the order of the
    /// profile. What a row does not have is missing.
    #[inline]
    pub fn leaf(&self, numbers: &[f64], codes: &[CategoryCode]) -> CategoryCode {
        let mut node = 0;
        while let Some(split) = self.splits.get(node) {
            node = 2 * node + 1 + usize::from(split.is_right(numbers, codes));
        }
        self.leaves
            .get(node - self.splits.len())
            .copied()
            .unwrap_or(0)
    }

    /// The positions of the columns that are split on, ascending.
    pub fn columns(&self) -> Vec<usize> {
        let column = |split: &Split| match split {
            Split::Whole => None,
            Split::Number { column, .. } | Split::Category { column, .. } => Some(*column),
        };
        let columns: BTreeSet<usize> = self.splits.iter().filter_map(column).collect();
        columns.into_iter().collect()
    }

    /// What the rows of a leaf have in common, column by column.
    pub fn conditions(&self, leaf: usize) -> Vec<LeafCondition> {
        let Some(path) = self.leaves.iter().position(|l| *l as usize == leaf) else {
            return Vec::new();
        };
        let mut found: BTreeMap<usize, LeafValues> = BTreeMap::new();
        let mut node = path + self.splits.len();
        while node > 0 {
            let right = node.is_multiple_of(2);
            node = (node - 1) / 2;
            self.splits[node].narrow(right, &mut found);
        }
        let condition = |(column, values)| LeafCondition { column, values };
        found.into_iter().map(condition).collect()
    }

    /// The categories of the column of leaves.
    pub(crate) fn categories(&self) -> CategoricalProfile {
        let names = (0..self.count).map(|leaf| format!("leaf {leaf}")).collect();
        CategoricalProfile::assemble(names, Vec::new(), 0, 0)
    }
}

impl Split {
    #[inline(always)]
    fn is_right(&self, numbers: &[f64], codes: &[CategoryCode]) -> bool {
        match self {
            Self::Whole => false,
            Self::Number {
                slot, threshold, ..
            } => {
                let is_left = numbers.get(*slot).is_some_and(|value| value <= threshold);
                !is_left
            }
            Self::Category { slot, left, .. } => {
                let code = codes.get(*slot).copied().unwrap_or(CategoryCode::MAX);
                let word = left.get(code as usize / 64).copied().unwrap_or(0);
                word >> (code % 64) & 1 == 0
            }
        }
    }

    /// Adds what one side of the split demands; the splits nearer to the leaf have been added before.
    fn narrow(&self, right: bool, found: &mut BTreeMap<usize, LeafValues>) {
        match self {
            Self::Whole => {}
            Self::Number {
                column, threshold, ..
            } => {
                let all = LeafValues::Interval {
                    above: None,
                    at_most: None,
                };
                let values = found.entry(*column).or_insert(all);
                if let LeafValues::Interval { above, at_most } = values {
                    // A split further down is narrower on its own side.
                    let end = if right { above } else { at_most };
                    end.get_or_insert(*threshold);
                }
            }
            Self::Category {
                column,
                cells: all,
                left,
                ..
            } => {
                let is_left = |cell: &usize| left[cell / 64] >> (cell % 64) & 1 == 1;
                let side = |cell: &usize| is_left(cell) != right;
                match found.get_mut(column) {
                    Some(LeafValues::Categories { cells, others }) => {
                        cells.retain(side);
                        *others &= right;
                    }
                    _ => {
                        let cells = (0..*all).filter(side).collect();
                        let others = right;
                        found.insert(*column, LeafValues::Categories { cells, others });
                    }
                }
            }
        }
    }
}
