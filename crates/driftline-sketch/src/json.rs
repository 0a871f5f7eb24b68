//! A reference profile as JSON.
//!
//! Format 1 knows numeric and categorical columns. Format 2 adds those that are derived from others; a profile
//! without any is still written in format 1, byte for byte as before. Format 3 adds what labels say, and is written
//! only where there are any.

mod derived;
mod outcome;

use driftline_event::{Column, ColumnKind, ColumnRole};
use serde::{Deserialize, Serialize};

use self::derived::{Embedding, Joint};
use self::outcome::Outcome;
use crate::builder::conflict;
use crate::codec;
use crate::moments::Grid;
use crate::{
    CategoricalProfile, CategoricalSummary, ColumnProfile, JOINT_COLUMN, JointTree, NumericProfile,
    NumericSummary, ProfiledColumn, ReferenceProfile,
};

/// The format of a profile without derived columns.
const PLAIN_FORMAT: u32 = 1;
/// The format of one with derived columns but without labels.
const DERIVED_FORMAT: u32 = 2;
/// The newest format that this code reads and writes.
const FORMAT: u32 = 3;
const CELLS_MAX: usize = 8_192;
const SAMPLE_MAX: usize = 1_024;

/// Why a text is not a reference profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Not the JSON of a profile.
    #[error("not a reference profile: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by another version of this program.
    #[error("reference format {found} is not known here, only those up to {FORMAT} are")]
    Format {
        /// The format found.
        found: u32,
    },
    /// A column that cannot be.
    #[error("column `{column}`: {what}")]
    Column {
        /// The column's name.
        column: String,
        /// What is wrong.
        what: &'static str,
    },
    /// What labels say cannot be.
    #[error("`outcome`, what labels say: {what}")]
    Outcome {
        /// What is wrong.
        what: &'static str,
    },
    /// The content does not have the id that it claims.
    #[error(
        "the content's id is {actual}, not {claimed}: the reference was changed by hand or damaged"
    )]
    Id {
        /// The id in the text.
        claimed: String,
        /// The id of the content.
        actual: String,
    },
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    id: String,
    model: String,
    version: String,
    #[serde(default)]
    source: String,
    rows: u64,
    columns: Vec<DocumentColumn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    joint: Option<Joint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentColumn {
    column: Column,
    #[serde(skip_serializing_if = "Option::is_none")]
    numeric: Option<Numeric>,
    #[serde(skip_serializing_if = "Option::is_none")]
    categorical: Option<Categorical>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<Embedding>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numeric {
    /// Without the last one, +∞.
    upper_bounds: Vec<f64>,
    range: Option<(f64, f64)>,
    centre: f64,
    scale_exponent: i32,
    counts: Vec<u64>,
    missing: u64,
    nan: u64,
    positive_infinity: u64,
    negative_infinity: u64,
    wrong_type: u64,
    clamped: u64,
    /// JSON numbers end at 64 bits.
    sum: String,
    sum_of_squares: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Categorical {
    top: Vec<String>,
    /// Hexadecimal hashes, ascending.
    rest: Vec<String>,
    distinct: u64,
    singletons: u64,
    distinct_sample: usize,
    counts: Vec<u64>,
    unseen: u64,
    missing: u64,
    wrong_type: u64,
}

impl ReferenceProfile {
    /// The profile as JSON, with which [`ReferenceProfile::from_json`] gives the same profile
    /// again, bit for bit.
    pub fn to_json(&self) -> String {
        let columns = self
            .columns
            .iter()
            .map(|ProfiledColumn { column, profile }| {
                let mut document = DocumentColumn {
                    column: column.clone(),
                    numeric: None,
                    categorical: None,
                    embedding: None,
                };
                match profile {
                    ColumnProfile::Numeric(profile) => document.numeric = Some(profile.into()),
                    ColumnProfile::Categorical(profile) => {
                        document.categorical = Some(profile.into());
                    }
                    ColumnProfile::Embedding(profile) => document.embedding = Some(profile.into()),
                }
                document
            });
        let is_plain = self.event_columns() == self.columns.len();
        let document = Document {
            format: match self.outcome() {
                Some(_) => FORMAT,
                None if is_plain => PLAIN_FORMAT,
                None => DERIVED_FORMAT,
            },
            id: self.id().to_owned(),
            model: self.model.clone(),
            version: self.version.clone(),
            source: self.source.clone(),
            rows: self.rows,
            columns: columns.collect(),
            joint: self.joint_tree().map(Joint::from),
            outcome: self.outcome().map(Outcome::from),
        };
        serde_json::to_string(&document).expect("plain data with text keys always has a JSON form")
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// When the text is not JSON, is of another format version, contradicts itself, or is not what its id says.
    pub fn from_json(text: &str) -> Result<Self, ProfileError> {
        // The format comes first: another version's fields need not be known here.
        let FormatOnly { format } = serde_json::from_str(text)?;
        if !(PLAIN_FORMAT..=FORMAT).contains(&format) {
            return Err(ProfileError::Format { found: format });
        }
        let document: Document = serde_json::from_str(text)?;
        let rows = document.rows;
        let mut columns: Vec<ProfiledColumn> = Vec::new();
        for column in document.columns {
            let column = column.checked(rows, &columns)?;
            columns.push(column);
        }
        let tree = checked_derived(&columns, document.joint)?;
        let outcome = document.outcome.map(|o| o.checked(rows, &columns));
        let outcome = outcome.transpose()?;
        let Document {
            id: claimed,
            model,
            version,
            source,
            ..
        } = document;
        let profile = Self::assemble(model, version, source, rows, columns, tree);
        let profile = match outcome {
            Some(outcome) => profile.with_outcome(Some(outcome)),
            None => profile,
        };
        if profile.id() != claimed {
            return Err(ProfileError::Id {
                claimed,
                actual: profile.id().to_owned(),
            });
        }
        Ok(profile)
    }
}

impl DocumentColumn {
    /// The column, which comes after those `before`.
    fn checked(self, rows: u64, before: &[ProfiledColumn]) -> Result<ProfiledColumn, ProfileError> {
        let column = self.column;
        let is_same = |c: &Column| c.role == column.role && c.name == column.name;
        let profile = match (column.kind, self.numeric, self.categorical, self.embedding) {
            _ if before.iter().any(|c| is_same(&c.column)) => Err("it is given twice"),
            (ColumnKind::Numeric, Some(numeric), None, None) => {
                numeric.checked(rows).map(ColumnProfile::Numeric)
            }
            (ColumnKind::Categorical, None, Some(categorical), None) => {
                categorical.checked(rows).map(ColumnProfile::Categorical)
            }
            (ColumnKind::Embedding, None, None, Some(embedding)) => {
                embedding.checked(rows).map(ColumnProfile::Embedding)
            }
            _ => Err("it needs the counts of its kind and no others"),
        };
        match profile {
            Ok(profile) => Ok(ProfiledColumn { column, profile }),
            Err(what) => Err(fail(&column, what)),
        }
    }
}

fn fail(column: &Column, what: &'static str) -> ProfileError {
    ProfileError::Column {
        column: column.name.clone(),
        what,
    }
}

/// The tree, if there is one and all derived columns fit those of the events.
fn checked_derived(
    columns: &[ProfiledColumn],
    joint: Option<Joint>,
) -> Result<Option<JointTree>, ProfileError> {
    let is_embedding = |c: &&ProfiledColumn| c.column.kind == ColumnKind::Embedding;
    let embeddings = columns.iter().filter(is_embedding).count();
    let (others, last) = columns.split_at(columns.len() - embeddings);
    for column in last {
        if !is_embedding(&column) || column.column.role != ColumnRole::Feature {
            return Err(fail(&column.column, "it stands after an embedding"));
        }
        if conflict(column, others).is_some() {
            return Err(fail(&column.column, "a coordinate of it is no number"));
        }
    }
    let Some(joint) = joint else {
        return Ok(None);
    };
    let Some(own) = others.len().checked_sub(1) else {
        return Err(ProfileError::Column {
            column: JOINT_COLUMN.to_owned(),
            what: "it is not there",
        });
    };
    let tree = joint.checked(others, own);
    tree.map(Some)
        .map_err(|what| fail(&others[own].column, what))
}

impl From<&NumericProfile> for Numeric {
    fn from(profile: &NumericProfile) -> Self {
        let reference = profile.reference();
        let (_, finite) = profile
            .upper_bounds()
            .split_last()
            .expect("the last bound is infinite");
        Self {
            upper_bounds: finite.to_vec(),
            range: profile.range,
            centre: profile.grid.centre(),
            scale_exponent: profile.grid.exponent(),
            counts: reference.counts.clone(),
            missing: reference.missing,
            nan: reference.nan,
            positive_infinity: reference.positive_infinity,
            negative_infinity: reference.negative_infinity,
            wrong_type: reference.wrong_type,
            clamped: reference.clamped,
            sum: reference.sum.to_string(),
            sum_of_squares: reference.sum_of_squares.to_string(),
        }
    }
}

impl Numeric {
    fn checked(self, rows: u64) -> Result<NumericProfile, &'static str> {
        let mut upper = self.upper_bounds;
        if !upper.is_sorted_by(|a, b| a < b)
            || upper.iter().any(|b| !(-f64::MAX..f64::MAX).contains(b))
        {
            return Err("its bounds are not finite and ascending");
        }
        upper.iter_mut().for_each(|bound| *bound += 0.0);
        upper.push(f64::INFINITY);
        if upper.len() > CELLS_MAX || self.counts.len() != upper.len() {
            return Err("it has not one count for each bin");
        }
        let grid = Grid::new(self.centre, self.scale_exponent).ok_or("its grid is out of range")?;
        let reference = NumericSummary {
            counts: self.counts,
            missing: self.missing,
            nan: self.nan,
            positive_infinity: self.positive_infinity,
            negative_infinity: self.negative_infinity,
            wrong_type: self.wrong_type,
            below_min: 0,
            above_max: 0,
            sum: self.sum.parse().map_err(|_| "its sum is not an integer")?,
            sum_of_squares: self
                .sum_of_squares
                .parse()
                .map_err(|_| "its sum of squares is not an integer")?,
            // Nothing of the reference is outside its own range.
            sum_below: 0,
            sum_above: 0,
            clamped: self.clamped,
        };
        codec::check_numeric(&reference).map_err(|_| "its counts contradict each other")?;
        if reference.rows() != rows {
            return Err("its counts do not add up to the rows");
        }
        let range = self
            .range
            .map(|(minimum, maximum)| (minimum + 0.0, maximum + 0.0));
        let range_fits = match range {
            Some((low, high)) => {
                reference.valid() > 0 && low.is_finite() && high.is_finite() && low <= high
            }
            None => reference.valid() == 0,
        };
        if !range_fits {
            return Err("its range does not fit its counts");
        }
        Ok(NumericProfile::assemble(upper, grid, range, reference))
    }
}

impl From<&CategoricalProfile> for Categorical {
    fn from(profile: &CategoricalProfile) -> Self {
        let reference = profile.reference();
        Self {
            top: profile.top.clone(),
            rest: profile
                .rest
                .iter()
                .map(|hash| format!("{hash:016x}"))
                .collect(),
            distinct: profile.distinct(),
            singletons: profile.singletons(),
            distinct_sample: profile.sample_capacity,
            counts: reference.counts.clone(),
            unseen: reference.unseen,
            missing: reference.missing,
            wrong_type: reference.wrong_type,
        }
    }
}

impl Categorical {
    fn checked(self, rows: u64) -> Result<CategoricalProfile, &'static str> {
        use crate::categorical::{NAMED_BYTES_MAX, REST_MAX};
        if self.counts.len() > CELLS_MAX
            || self.distinct_sample > SAMPLE_MAX
            || self.rest.len() > REST_MAX
        {
            return Err("it is larger than any profile can be");
        }
        let mut names: Vec<&str> = self.top.iter().map(String::as_str).collect();
        names.sort_unstable();
        if !names.is_sorted_by(|a, b| a < b) || names.iter().any(|n| n.len() > NAMED_BYTES_MAX) {
            return Err("its categories are not distinct and short");
        }
        let hash = |text: &String| {
            u64::from_str_radix(text, 16)
                .ok()
                .filter(|h| format!("{h:016x}") == *text)
        };
        let rest: Option<Vec<u64>> = self.rest.iter().map(hash).collect();
        let rest = rest
            .filter(|rest| rest.is_sorted_by(|a, b| a < b))
            .ok_or("its hashes are not ascending")?;
        let shared = self.counts.len().checked_sub(self.top.len());
        let buckets = shared.filter(|shared| (*shared == 0) == rest.is_empty());
        let buckets = buckets.ok_or("it has not one count for each category")?;
        let mut profile =
            CategoricalProfile::assemble(self.top, rest, buckets, self.distinct_sample);
        let reference = CategoricalSummary {
            counts: self.counts,
            unseen: self.unseen,
            missing: self.missing,
            wrong_type: self.wrong_type,
            ..profile.empty_summary()
        };
        codec::check_categorical(&reference).map_err(|_| "its counts contradict each other")?;
        if reference.rows() != rows {
            return Err("its counts do not add up to the rows");
        }
        if self.singletons > self.distinct || self.distinct > reference.valid() {
            return Err("its distinct categories are more than its values");
        }
        profile.reference = reference;
        (profile.distinct, profile.singletons) = (self.distinct, self.singletons);
        Ok(profile)
    }
}
