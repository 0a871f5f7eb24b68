//! The derived columns of a reference profile as JSON: the tree and the embeddings.

use std::collections::BTreeSet;

use driftline_event::ColumnRole;
use serde::{Deserialize, Serialize};

use crate::embedding::{
    EmbeddingOptions, EmbeddingProfile, EmbeddingSummary, FeatureCovariance, GENERATOR,
};
use crate::tree::{JOINT_COLUMN, JointTree, LEAVES_MAX, Split};
use crate::{ColumnProfile, ProfiledColumn};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Joint {
    seed: u64,
    /// Level by level; nothing for a node that sends every row left.
    splits: Vec<Option<JointSplit>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JointSplit {
    /// The position of the column.
    column: usize,
    /// Numbers up to this go left.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<f64>,
    /// These cells go left.
    #[serde(skip_serializing_if = "Option::is_none")]
    cells: Option<Vec<usize>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Embedding {
    coordinates: Vec<String>,
    centres: Vec<f64>,
    scales: Vec<f64>,
    bandwidth: f64,
    seed: u64,
    /// The version of the code that makes the features out of the seed.
    generator: u32,
    valid: u64,
    missing: u64,
    sums: Vec<u64>,
    trace: f64,
    trace_of_square: f64,
    trace_of_cube: f64,
}

impl From<&JointTree> for Joint {
    fn from(tree: &JointTree) -> Self {
        let split = |split: &Split| match split {
            Split::Whole => None,
            Split::Number {
                column, threshold, ..
            } => Some(JointSplit {
                column: *column,
                at_most: Some(*threshold),
                cells: None,
            }),
            Split::Category {
                column,
                cells,
                left,
                ..
            } => {
                let is_left = |cell: &usize| left[cell / 64] >> (cell % 64) & 1 == 1;
                Some(JointSplit {
                    column: *column,
                    at_most: None,
                    cells: Some((0..*cells).filter(is_left).collect()),
                })
            }
        };
        Self {
            seed: tree.seed,
            splits: tree.splits.iter().map(split).collect(),
        }
    }
}

impl Joint {
    /// The tree, if it fits the columns, of which `columns[own]` is that of its leaves.
    pub(super) fn checked(
        self,
        columns: &[ProfiledColumn],
        own: usize,
    ) -> Result<JointTree, &'static str> {
        let paths = self.splits.len() + 1;
        if !(2..=LEAVES_MAX).contains(&paths) || !paths.is_power_of_two() {
            return Err("its splits are not those of whole levels");
        }
        let split = |split: Option<JointSplit>| match split {
            None => Ok(Split::Whole),
            Some(split) => split.checked(&columns[..own]),
        };
        let splits: Result<Vec<Split>, _> = self.splits.into_iter().map(split).collect();
        let tree = JointTree::assemble(self.seed, splits?);
        let column = &columns[own];
        let is_leaf = |(leaf, name): (usize, &String)| *name == format!("leaf {leaf}");
        match &column.profile {
            ColumnProfile::Categorical(leaves)
                if column.column.name == JOINT_COLUMN
                    && column.column.role == ColumnRole::Feature
                    && leaves.cells() == tree.leaves()
                    && leaves.top.len() == tree.leaves()
                    && leaves.top.iter().enumerate().all(is_leaf) =>
            {
                Ok(tree)
            }
            _ => Err("it is not the column of the tree's leaves"),
        }
    }
}

impl JointSplit {
    fn checked(self, columns: &[ProfiledColumn]) -> Result<Split, &'static str> {
        let column = self.column;
        let kind = |c: &ProfiledColumn| c.column.kind;
        let of = columns.get(column).map(kind);
        let slot = columns
            .iter()
            .take(column)
            .filter(|c| Some(kind(c)) == of)
            .count();
        match (
            columns.get(column).map(|c| &c.profile),
            self.at_most,
            self.cells,
        ) {
            (Some(ColumnProfile::Numeric(_)), Some(threshold), None) if threshold.is_finite() => {
                Ok(Split::Number {
                    column,
                    slot,
                    threshold: threshold + 0.0,
                })
            }
            (Some(ColumnProfile::Categorical(profile)), None, Some(chosen))
                if chosen.is_sorted_by(|a, b| a < b)
                    && chosen.last().is_none_or(|cell| *cell < profile.cells()) =>
            {
                let cells = profile.cells();
                let mut left = vec![0; cells.div_ceil(64)];
                for cell in chosen {
                    left[cell / 64] |= 1 << (cell % 64);
                }
                Ok(Split::Category {
                    column,
                    slot,
                    cells,
                    left,
                })
            }
            _ => Err("a split of its tree does not fit its column"),
        }
    }
}

impl From<&EmbeddingProfile> for Embedding {
    fn from(profile: &EmbeddingProfile) -> Self {
        let reference = profile.reference();
        Self {
            coordinates: profile.coordinates.clone(),
            centres: profile.centres.clone(),
            scales: profile.scales.clone(),
            bandwidth: profile.bandwidth,
            seed: profile.seed,
            generator: GENERATOR,
            valid: reference.valid,
            missing: reference.missing,
            sums: reference.sums.clone(),
            trace: profile.covariance.trace,
            trace_of_square: profile.covariance.trace_of_square,
            trace_of_cube: profile.covariance.trace_of_cube,
        }
    }
}

impl Embedding {
    pub(super) fn checked(self, rows: u64) -> Result<EmbeddingProfile, &'static str> {
        if self.generator != GENERATOR {
            return Err("its features are made in a way that is not known here");
        }
        let (dimension, features) = (self.coordinates.len(), self.sums.len());
        let options = EmbeddingOptions {
            features,
            seed: self.seed,
        };
        let distinct: BTreeSet<&String> = self.coordinates.iter().collect();
        if !options.are_possible(dimension) || distinct.len() != dimension {
            return Err("its coordinates or features are too many or not distinct");
        }
        let positive = |x: &f64| x.is_finite() && *x > 0.0;
        let fits = self.centres.len() == dimension
            && self.scales.len() == dimension
            && self.centres.iter().all(|centre| centre.is_finite())
            && self.scales.iter().all(positive)
            && positive(&self.bandwidth);
        if !fits {
            return Err("its coordinates have not one centre and scale each");
        }
        let covariance = FeatureCovariance {
            trace: self.trace,
            trace_of_square: self.trace_of_square,
            trace_of_cube: self.trace_of_cube,
        };
        let traces = [self.trace, self.trace_of_square, self.trace_of_cube];
        if traces.iter().any(|t| !t.is_finite() || *t < 0.0) {
            return Err("its features have no such covariance");
        }
        let reference = EmbeddingSummary {
            sums: self.sums,
            valid: self.valid,
            missing: self.missing,
        };
        if !reference.is_possible() {
            return Err("its counts contradict each other");
        }
        if reference.rows() != rows {
            return Err("its counts do not add up to the rows");
        }
        let places = (self.centres, self.scales);
        let mut profile = EmbeddingProfile::assemble(
            self.coordinates,
            places,
            self.bandwidth,
            features,
            self.seed,
        );
        profile.covariance = covariance;
        profile.reference = reference;
        Ok(profile)
    }
}
