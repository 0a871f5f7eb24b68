//! The reference profile of a model version.

use driftline_event::{Column, ColumnRole, Layout};
use xxhash_rust::xxh3::Xxh3;

use crate::codec::write_varint;
use crate::column::{ColumnProfile, ColumnSummary};

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
}

impl Default for ProfileOptions {
    fn default() -> Self {
        Self {
            bins: 96,
            tail_quantiles: [0.001, 0.005, 0.995, 0.999],
            top_categories: 256,
            hash_buckets: 64,
            distinct_sample: 64,
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
    /// The columns in the order of the layout.
    pub columns: Vec<ProfiledColumn>,
    id: String,
}

impl ReferenceProfile {
    pub(crate) fn assemble(
        model: String,
        version: String,
        source: String,
        rows: u64,
        columns: Vec<ProfiledColumn>,
    ) -> Self {
        let id = content_hash(&model, &version, rows, &columns);
        Self {
            model,
            version,
            source,
            rows,
            columns,
            id,
        }
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

    /// The layout of this model version, cut by these segment fields.
    pub fn layout(&self, segments: Vec<String>) -> Layout {
        Layout {
            model: self.model.clone(),
            version: self.version.clone(),
            columns: self.columns.iter().map(|c| c.column.clone()).collect(),
            segments,
        }
    }
}

/// xxh3-128 over everything that decides how events are counted and compared.
fn content_hash(model: &str, version: &str, rows: u64, columns: &[ProfiledColumn]) -> String {
    let mut hasher = Xxh3::new();
    let mut bytes = Vec::new();
    let text = |text: &str, bytes: &mut Vec<u8>| {
        write_varint(text.len() as u128, bytes);
        bytes.extend_from_slice(text.as_bytes());
    };
    text(model, &mut bytes);
    text(version, &mut bytes);
    bytes.extend_from_slice(&rows.to_le_bytes());
    for ProfiledColumn { column, profile } in columns {
        text(&column.name, &mut bytes);
        bytes.push(match column.role {
            ColumnRole::Feature => 0,
            ColumnRole::Output => 1,
        });
        write_varint(profile.cells() as u128, &mut bytes);
        match profile {
            ColumnProfile::Numeric(numeric) => {
                let range = [numeric.minimum(), numeric.maximum(), numeric.grid.centre()];
                for number in numeric.upper_bounds().iter().chain(&range) {
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
                bytes.extend_from_slice(&numeric.grid.exponent().to_le_bytes());
            }
            ColumnProfile::Categorical(categorical) => {
                write_varint(categorical.top.len() as u128, &mut bytes);
                categorical
                    .top
                    .iter()
                    .for_each(|name| text(name, &mut bytes));
                write_varint(categorical.rest.len() as u128, &mut bytes);
                for hash in &categorical.rest {
                    bytes.extend_from_slice(&hash.to_le_bytes());
                }
                for count in [
                    categorical.distinct,
                    categorical.singletons,
                    categorical.sample_capacity as u64,
                ] {
                    write_varint(u128::from(count), &mut bytes);
                }
            }
        }
        ColumnSummary::encode(&profile.reference(), &mut bytes);
        hasher.update(&bytes);
        bytes.clear();
    }
    hasher.update(&bytes);
    format!("{:032x}", hasher.digest128())
}
