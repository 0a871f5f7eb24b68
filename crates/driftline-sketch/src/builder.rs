//! From the reference's rows to its profile.

use driftline_event::{Column, ColumnKind, ColumnRole};

use crate::tree::{JOINT_COLUMN, JointTree, Source, Values};
use crate::{
    CategoricalProfile, CategoricalSummary, CategoryCode, ColumnProfile, EmbeddingOptions,
    EmbeddingProfile, MISSING_CODE, NumericProfile, ProfileOptions, ProfiledColumn,
    ReferenceProfile,
};

/// Why a profile cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// An option is outside its bounds.
    #[error("`{option}` is out of bounds")]
    Option {
        /// The option's name.
        option: &'static str,
    },
    /// A column has another number of rows than those before it.
    #[error("column `{column}` has {rows} rows, those before it have {expected}")]
    Rows {
        /// The column's name.
        column: String,
        /// How many rows it has.
        rows: u64,
        /// How many rows the first column has.
        expected: u64,
    },
    /// A column of this role and name was already given.
    #[error("the column `{column}` is given twice")]
    DuplicateColumn {
        /// The column's name.
        column: String,
    },
    /// There are fewer than two features, so there is nothing joint about them.
    #[error("a joint distribution needs at least two features")]
    TooFewFeatures,
    /// The coordinates of a vector have different lengths, or are too many or none.
    #[error("the vector `{column}` needs 1 to 4,096 coordinates of equally many rows")]
    Coordinates {
        /// The vector's name.
        column: String,
    },
    /// A coordinate is a column of categories too.
    #[error("`{coordinate}` is a column of categories and cannot be a coordinate of `{column}`")]
    CoordinateKind {
        /// The vector's name.
        column: String,
        /// The coordinate's name.
        coordinate: String,
    },
    /// Too few vectors to standardise by.
    #[error("the vector `{column}` has fewer than two rows in which every coordinate is a number")]
    TooFewVectors {
        /// The vector's name.
        column: String,
    },
}

/// Builds a [`ReferenceProfile`] column by column.
#[derive(Debug)]
pub struct ReferenceBuilder {
    model: String,
    version: String,
    source: String,
    options: ProfileOptions,
    rows: Option<u64>,
    columns: Vec<ProfiledColumn>,
    embeddings: Vec<ProfiledColumn>,
    /// The values of all columns, if they are to be cut jointly.
    kept: Vec<Values>,
}

impl ReferenceBuilder {
    /// A profile of this version of this model, without columns yet.
    pub fn new(
        model: impl Into<String>,
        version: impl Into<String>,
        options: ProfileOptions,
    ) -> Self {
        Self {
            model: model.into(),
            version: version.into(),
            source: String::new(),
            options,
            rows: None,
            columns: Vec::new(),
            embeddings: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Says, for people, where the reference comes from.
    pub fn source(&mut self, source: impl Into<String>) -> &mut Self {
        self.source = source.into();
        self
    }

    /// Adds a column of numbers, which may hold [`MISSING`](crate::MISSING) and
    /// [`WRONG_TYPE`](crate::WRONG_TYPE), NaN and infinities.
    ///
    /// # Errors
    /// When an option is out of bounds, the column was given before, or its rows are not as many as the others'.
    pub fn numeric(
        &mut self,
        name: &str,
        role: ColumnRole,
        values: Vec<f64>,
    ) -> Result<&mut Self, BuildError> {
        self.check(name, role)?;
        let profile = NumericProfile::build(&values, &self.options);
        let rows = values.len() as u64;
        self.push(name, role, rows, ColumnProfile::Numeric(profile))?;
        if self.options.joint.is_some() {
            self.kept.push(Values::Numbers(values));
        }
        Ok(self)
    }

    /// Adds a column of categories; `None` is a missing value.
    ///
    /// # Errors
    /// When an option is out of bounds, the column was given before, or its rows are not as many as the others'.
    pub fn categorical<'a>(
        &mut self,
        name: &str,
        role: ColumnRole,
        values: impl IntoIterator<Item = Option<&'a str>>,
    ) -> Result<&mut Self, BuildError> {
        self.check(name, role)?;
        if self.options.joint.is_none() {
            let profile = CategoricalProfile::build(values.into_iter(), &self.options);
            let rows = profile.reference().rows();
            return self.push(name, role, rows, ColumnProfile::Categorical(profile));
        }
        let values: Vec<Option<&str>> = values.into_iter().collect();
        let profile = CategoricalProfile::build(values.iter().copied(), &self.options);
        let code = |text: &Option<&str>| text.map_or(MISSING_CODE, |text| profile.code(text));
        let kept = Values::Codes(values.iter().map(code).collect());
        let rows = values.len() as u64;
        self.push(name, role, rows, ColumnProfile::Categorical(profile))?;
        self.kept.push(kept);
        Ok(self)
    }

    /// Adds a vector, whose coordinates are features of the events: by name and with all their values. A
    /// coordinate that is given as a numeric column too is also monitored by itself; others are not.
    ///
    /// # Errors
    /// When an option is out of bounds, the column was given before, its rows are not as many as the others', or
    /// fewer than two rows have all coordinates.
    pub fn embedding(
        &mut self,
        name: &str,
        coordinates: Vec<(String, Vec<f64>)>,
        options: EmbeddingOptions,
    ) -> Result<&mut Self, BuildError> {
        self.check(name, ColumnRole::Feature)?;
        let column = || name.to_owned();
        let (names, values): (Vec<String>, Vec<Vec<f64>>) = coordinates.into_iter().unzip();
        let rows = values.first().map_or(0, Vec::len);
        if !options.are_possible(values.len()) {
            return Err(match options.are_possible(1) {
                true => BuildError::Coordinates { column: column() },
                false => BuildError::Option { option: "features" },
            });
        }
        if values.iter().any(|values| values.len() != rows) {
            return Err(BuildError::Coordinates { column: column() });
        }
        let profile = EmbeddingProfile::build(names, &values, options)
            .ok_or_else(|| BuildError::TooFewVectors { column: column() })?;
        let profiled = self.profiled(
            name,
            ColumnRole::Feature,
            rows as u64,
            ColumnProfile::Embedding(profile),
        )?;
        self.embeddings.push(profiled);
        Ok(self)
    }

    /// The profile of the columns given so far.
    ///
    /// # Errors
    /// When an option is out of bounds, or there are fewer than two features to cut jointly.
    pub fn build(mut self) -> Result<ReferenceProfile, BuildError> {
        check_options(&self.options)?;
        let rows = self.rows.unwrap_or(0);
        let tree = self.joint()?;
        for embedding in &self.embeddings {
            if let Some(coordinate) = conflict(embedding, &self.columns) {
                return Err(BuildError::CoordinateKind {
                    column: embedding.column.name.clone(),
                    coordinate,
                });
            }
        }
        self.columns.append(&mut self.embeddings);
        Ok(ReferenceProfile::assemble(
            self.model,
            self.version,
            self.source,
            rows,
            self.columns,
            tree,
        ))
    }

    /// Cuts the joint distribution of the features, if asked to, and adds its column.
    fn joint(&mut self) -> Result<Option<JointTree>, BuildError> {
        let Some(options) = self.options.joint else {
            return Ok(None);
        };
        self.check(JOINT_COLUMN, ColumnRole::Feature)?;
        let (mut numbers, mut codes): (Vec<&[f64]>, Vec<&[CategoryCode]>) = Default::default();
        let mut sources = Vec::new();
        for (i, (column, values)) in self.columns.iter().zip(&self.kept).enumerate() {
            let slot = match values {
                Values::Numbers(values) => {
                    numbers.push(values);
                    numbers.len() - 1
                }
                Values::Codes(values) => {
                    codes.push(values);
                    codes.len() - 1
                }
            };
            if column.column.role == ColumnRole::Feature {
                sources.push(Source {
                    column: i,
                    slot,
                    cells: column.profile.cells(),
                    values,
                });
            }
        }
        if sources.len() < 2 {
            return Err(BuildError::TooFewFeatures);
        }
        let rows = self.rows.unwrap_or(0) as usize;
        let tree = JointTree::build(&sources, rows, options);
        let mut profile = tree.categories();
        let mut reference: CategoricalSummary = profile.empty_summary();
        let (mut row_numbers, mut row_codes) = (Vec::new(), Vec::new());
        for row in 0..rows {
            row_numbers.clear();
            row_numbers.extend(numbers.iter().map(|column| column[row]));
            row_codes.clear();
            row_codes.extend(codes.iter().map(|column| column[row]));
            profile.add_codes(&[tree.leaf(&row_numbers, &row_codes)], &mut reference);
        }
        // Without rows there is one leaf, and nothing in it.
        profile.distinct = reference.counts.iter().filter(|rows| **rows > 0).count() as u64;
        profile.reference = reference;
        self.kept.clear();
        let profile = ColumnProfile::Categorical(profile);
        let column = self.profiled(JOINT_COLUMN, ColumnRole::Feature, rows as u64, profile)?;
        self.columns.push(column);
        Ok(Some(tree))
    }

    fn check(&self, name: &str, role: ColumnRole) -> Result<(), BuildError> {
        check_options(&self.options)?;
        let mut columns = self.columns.iter().chain(&self.embeddings);
        if columns.any(|c| c.column.role == role && c.column.name == name) {
            return Err(BuildError::DuplicateColumn {
                column: name.to_owned(),
            });
        }
        Ok(())
    }

    fn push(
        &mut self,
        name: &str,
        role: ColumnRole,
        rows: u64,
        profile: ColumnProfile,
    ) -> Result<&mut Self, BuildError> {
        let profiled = self.profiled(name, role, rows, profile)?;
        self.columns.push(profiled);
        Ok(self)
    }

    fn profiled(
        &mut self,
        name: &str,
        role: ColumnRole,
        rows: u64,
        profile: ColumnProfile,
    ) -> Result<ProfiledColumn, BuildError> {
        let expected = *self.rows.get_or_insert(rows);
        if rows != expected {
            return Err(BuildError::Rows {
                column: name.to_owned(),
                rows,
                expected,
            });
        }
        let kind: ColumnKind = profile.kind();
        let column = Column {
            name: name.to_owned(),
            kind,
            role,
        };
        Ok(ProfiledColumn { column, profile })
    }
}

/// A coordinate of the embedding that is a feature of another kind than numbers.
pub(crate) fn conflict(embedding: &ProfiledColumn, columns: &[ProfiledColumn]) -> Option<String> {
    let ColumnProfile::Embedding(profile) = &embedding.profile else {
        return None;
    };
    let is_conflict = |name: &&String| {
        columns.iter().any(|c| {
            c.column.role == ColumnRole::Feature
                && c.column.name == **name
                && c.column.kind != ColumnKind::Numeric
        })
    };
    profile.coordinates().iter().find(is_conflict).cloned()
}

fn check_options(options: &ProfileOptions) -> Result<(), BuildError> {
    let bounds = [
        ("bins", (1..=1_024).contains(&options.bins)),
        (
            "tail_quantiles",
            options
                .tail_quantiles
                .iter()
                .all(|q| (0.0..=1.0).contains(q)),
        ),
        ("top_categories", options.top_categories <= 4_096),
        ("hash_buckets", options.hash_buckets <= 1_024),
        ("distinct_sample", options.distinct_sample <= 1_024),
        (
            "leaves",
            options.joint.is_none_or(|joint| joint.are_possible()),
        ),
    ];
    match bounds.iter().find(|(_, within)| !within) {
        Some((option, _)) => Err(BuildError::Option { option }),
        None => Ok(()),
    }
}
