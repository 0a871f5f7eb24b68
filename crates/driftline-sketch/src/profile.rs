//! The reference profile of a model version.

use std::collections::BTreeMap;

use driftline_event::{Column, ColumnKind, ColumnRole, Layout};
use xxhash_rust::xxh3::Xxh3;

use crate::codec::write_varint;
use crate::column::{ColumnProfile, ColumnSummary};
use crate::embedding::GENERATOR;
use crate::outcome::OutcomeProfile;
use crate::tree::{JointOptions, JointTree, Split};

/// How to cut a reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProfileOptions {
    /// Bins of equal reference mass in a numeric column, 1 to 1,024. A value that stands for at
    /// least 1/(2 · bins) of the reference, and for at least five rows, has a bin of its own
    /// besides.
    pub bins: usize,
    /// Further cuts in the tails, as shares of the reference, 0 to 1.
    pub tail_quantiles: [f64; 4],
    /// Categories with a cell of their own, at most 4,096.
    pub top_categories: usize,
    /// Cells that the reference's other categories share by hash, at most 1,024.
    pub hash_buckets: usize,
    /// Distinct unseen texts kept by name, at most 1,024.
    pub distinct_sample: usize,
    /// Whether to cut the joint distribution of the features too, and how. The builder then keeps the
    /// features' values until it is done.
    pub joint: Option<JointOptions>,
}

impl Default for ProfileOptions {
    fn default() -> Self {
        Self {
            bins: 96,
            tail_quantiles: [0.001, 0.005, 0.995, 0.999],
            top_categories: 256,
            hash_buckets: 64,
            distinct_sample: 64,
            joint: None,
        }
    }
}

/// A column with its cuts.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfiledColumn {
    /// The name, kind and role.
    pub column: Column,
    /// The cuts and the reference's counts.
    pub profile: ColumnProfile,
}

/// What a model version's data looked like when it was fine: the cuts and counts of every column.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceProfile {
    /// The model's id as it stands in the events.
    pub model: String,
    /// The version's name as it stands in the events.
    pub version: String,
    /// Where the reference came from, for people. Not part of the id.
    pub source: String,
    /// Rows of the reference.
    pub rows: u64,
    /// The columns of the events in the order of the layout; after them the derived ones, which the observer
    /// fills: the leaves of the tree ([`JOINT_COLUMN`](crate::JOINT_COLUMN)), then the embeddings.
    pub columns: Vec<ProfiledColumn>,
    id: String,
    event_columns: usize,
    /// Coordinates of embeddings that are not among the columns, in the order in which they first occur.
    coordinates: Vec<String>,
    tree: Option<JointTree>,
    outcome: Option<OutcomeProfile>,
}

impl ReferenceProfile {
    pub(crate) fn assemble(
        model: String,
        version: String,
        source: String,
        rows: u64,
        mut columns: Vec<ProfiledColumn>,
        tree: Option<JointTree>,
    ) -> Self {
        let id = content_hash(&model, &version, rows, &columns, tree.as_ref(), None);
        let is_embedding = |c: &ProfiledColumn| c.column.kind == ColumnKind::Embedding;
        let embeddings = columns.iter().filter(|c| is_embedding(c)).count();
        let event_columns = columns.len() - embeddings - usize::from(tree.is_some());
        let (events, derived) = columns.split_at_mut(event_columns);
        let coordinates = place_coordinates(events, derived);
        Self {
            model,
            version,
            source,
            rows,
            columns,
            id,
            event_columns,
            coordinates,
            tree,
            outcome: None,
        }
    }

    /// The same reference with what its labels say, or without. The id changes with it.
    pub fn with_outcome(self, outcome: Option<OutcomeProfile>) -> Self {
        let (columns, tree) = (&self.columns, self.tree.as_ref());
        let id = content_hash(
            &self.model,
            &self.version,
            self.rows,
            columns,
            tree,
            outcome.as_ref(),
        );
        Self {
            id,
            outcome,
            ..self
        }
    }

    /// What the reference's labels say, if it was built with labels.
    pub fn outcome(&self) -> Option<&OutcomeProfile> {
        self.outcome.as_ref()
    }

    /// How many of the columns are columns of the events. They come first; all others are derived from them.
    pub fn event_columns(&self) -> usize {
        self.event_columns
    }

    /// The features of the events that are coordinates of embeddings and nothing else. In a layout they
    /// follow the columns of the events, and in the numbers of a row those of its numeric columns.
    pub fn coordinates(&self) -> &[String] {
        &self.coordinates
    }

    /// The tree whose leaves the column [`JOINT_COLUMN`](crate::JOINT_COLUMN) counts, if the joint distribution
    /// was cut. Its column is the one at [`ReferenceProfile::event_columns`].
    pub fn joint_tree(&self) -> Option<&JointTree> {
        self.tree.as_ref()
    }

    /// The hash of the content, 32 hexadecimal digits: equal for equal references, whoever built
    /// them where.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The column `name` with `role`, if it is in the reference.
    pub fn column(&self, role: ColumnRole, name: &str) -> Option<&ProfiledColumn> {
        self.columns
            .iter()
            .find(|c| c.column.role == role && c.column.name == name)
    }

    /// The layout of this model version, cut by these segment fields: what a decoder has to find in an event.
    /// It has no derived columns, and the coordinates of embeddings at its end.
    pub fn layout(&self, segments: Vec<String>) -> Layout {
        let events = self.columns[..self.event_columns].iter();
        let coordinate = |name: &String| Column {
            name: name.clone(),
            kind: ColumnKind::Numeric,
            role: ColumnRole::Feature,
        };
        Layout {
            model: self.model.clone(),
            version: self.version.clone(),
            columns: events
                .map(|c| c.column.clone())
                .chain(self.coordinates.iter().map(coordinate))
                .collect(),
            segments,
        }
    }
}

/// Tells every embedding where its coordinates stand among the numbers of a row: those of the events' numeric
/// columns, then the returned names.
fn place_coordinates(events: &[ProfiledColumn], derived: &mut [ProfiledColumn]) -> Vec<String> {
    let is_numeric = |c: &&ProfiledColumn| c.column.kind == ColumnKind::Numeric;
    let numbers: Vec<&Column> = events
        .iter()
        .filter(is_numeric)
        .map(|c| &c.column)
        .collect();
    let is_feature = |c: &Column, name: &str| c.role == ColumnRole::Feature && c.name == name;
    let mut further: BTreeMap<String, usize> = BTreeMap::new();
    let mut names = Vec::new();
    for column in derived {
        let ColumnProfile::Embedding(embedding) = &mut column.profile else {
            continue;
        };
        let slots = embedding.coordinates.iter().map(|name| {
            match numbers.iter().position(|c| is_feature(c, name)) {
                Some(slot) => slot,
                None => *further.entry(name.clone()).or_insert_with(|| {
                    names.push(name.clone());
                    numbers.len() + names.len() - 1
                }),
            }
        });
        embedding.slots = slots.collect();
    }
    names
}

/// xxh3-128 over everything that decides how events are counted and compared.
fn content_hash(
    model: &str,
    version: &str,
    rows: u64,
    columns: &[ProfiledColumn],
    tree: Option<&JointTree>,
    outcome: Option<&OutcomeProfile>,
) -> String {
    let mut hasher = Xxh3::new();
    let mut bytes = Vec::new();
    text(model, &mut bytes);
    text(version, &mut bytes);
    bytes.extend_from_slice(&rows.to_le_bytes());
    for ProfiledColumn { column, profile } in columns {
        text(&column.name, &mut bytes);
        bytes.push(match column.role {
            ColumnRole::Feature => 0,
            ColumnRole::Output => 1,
            ColumnRole::Label => 2,
        });
        write_varint(profile.cells() as u128, &mut bytes);
        write_cuts(profile, &mut bytes);
        ColumnSummary::encode(&profile.reference(), &mut bytes);
        hasher.update(&bytes);
        bytes.clear();
    }
    if let Some(tree) = tree {
        write_tree(tree, &mut bytes);
    }
    if let Some(outcome) = outcome {
        outcome.write_content(&mut bytes);
    }
    hasher.update(&bytes);
    format!("{:032x}", hasher.digest128())
}

pub(crate) fn text(text: &str, bytes: &mut Vec<u8>) {
    write_varint(text.len() as u128, bytes);
    bytes.extend_from_slice(text.as_bytes());
}

fn write_cuts(profile: &ColumnProfile, bytes: &mut Vec<u8>) {
    match profile {
        ColumnProfile::Numeric(numeric) => {
            let range = [numeric.minimum(), numeric.maximum(), numeric.grid.centre()];
            for number in numeric.upper_bounds().iter().chain(&range) {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.extend_from_slice(&numeric.grid.exponent().to_le_bytes());
        }
        ColumnProfile::Categorical(categorical) => {
            write_varint(categorical.top.len() as u128, bytes);
            categorical.top.iter().for_each(|name| text(name, bytes));
            write_varint(categorical.rest.len() as u128, bytes);
            for hash in &categorical.rest {
                bytes.extend_from_slice(&hash.to_le_bytes());
            }
            for count in [
                categorical.distinct,
                categorical.singletons,
                categorical.sample_capacity as u64,
            ] {
                write_varint(u128::from(count), bytes);
            }
        }
        ColumnProfile::Embedding(embedding) => {
            let coordinates = embedding.coordinates.iter();
            let places = embedding.centres.iter().zip(&embedding.scales);
            for (name, (centre, scale)) in coordinates.zip(places) {
                text(name, bytes);
                bytes.extend_from_slice(&centre.to_le_bytes());
                bytes.extend_from_slice(&scale.to_le_bytes());
            }
            let covariance = embedding.covariance;
            for number in [
                embedding.bandwidth,
                covariance.trace,
                covariance.trace_of_square,
                covariance.trace_of_cube,
            ] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.extend_from_slice(&embedding.seed.to_le_bytes());
            write_varint(u128::from(GENERATOR), bytes);
        }
    }
}

fn write_tree(tree: &JointTree, bytes: &mut Vec<u8>) {
    for split in &tree.splits {
        match split {
            Split::Whole => bytes.push(0),
            Split::Number {
                column, threshold, ..
            } => {
                bytes.push(1);
                write_varint(*column as u128, bytes);
                bytes.extend_from_slice(&threshold.to_le_bytes());
            }
            Split::Category { column, left, .. } => {
                bytes.push(2);
                write_varint(*column as u128, bytes);
                for word in left {
                    bytes.extend_from_slice(&word.to_le_bytes());
                }
            }
        }
    }
}
