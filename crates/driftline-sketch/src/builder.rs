//! From the reference's rows to its profile.

use driftline_event::{Column, ColumnKind, ColumnRole};

use crate::{
    CategoricalProfile, ColumnProfile, NumericProfile, ProfileOptions, ProfiledColumn,
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
        self.push(
            name,
            role,
            values.len() as u64,
            ColumnProfile::Numeric(profile),
        )
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
        let profile = CategoricalProfile::build(values.into_iter(), &self.options);
        let rows = profile.reference().rows();
        self.push(name, role, rows, ColumnProfile::Categorical(profile))
    }

    /// The profile of the columns given so far.
    ///
    /// # Errors
    /// When an option is out of bounds.
    pub fn build(self) -> Result<ReferenceProfile, BuildError> {
        check_options(&self.options)?;
        let rows = self.rows.unwrap_or(0);
        Ok(ReferenceProfile::assemble(
            self.model,
            self.version,
            self.source,
            rows,
            self.columns,
        ))
    }

    fn check(&self, name: &str, role: ColumnRole) -> Result<(), BuildError> {
        check_options(&self.options)?;
        if self
            .columns
            .iter()
            .any(|c| c.column.role == role && c.column.name == name)
        {
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
        self.columns.push(ProfiledColumn { column, profile });
        Ok(self)
    }
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
    ];
    match bounds.iter().find(|(_, within)| !within) {
        Some((option, _)) => Err(BuildError::Option { option }),
        None => Ok(()),
    }
}
