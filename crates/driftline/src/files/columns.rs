//! Which column of a file is what.

use crate::cli::ColumnOptions;
use crate::config::suggest;

use super::error::FileError;

const TIME_NAMES: &[&str] = &[
    "predicted_at",
    "ts",
    "time",
    "timestamp",
    "event_time",
    "label_ts",
    "observed_at",
];
const ID_NAMES: &[&str] = &["prediction_id", "id"];
const MODEL_NAMES: &[&str] = &["model_id", "model"];
const VERSION_NAMES: &[&str] = &["model_version"];
const SCORE_NAMES: &[&str] = &["prediction.value", "score"];
const PREDICTION_NAMES: &[&str] = &["prediction.label", "pred", "prediction", "label"];

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The prediction's id.
    Id,
    /// The event time.
    Time,
    /// The model's id.
    Model,
    /// The model's version.
    Version,
    /// The model's score or value: the output column `value`.
    Score,
    /// The predicted label: the output column `label`.
    Prediction,
    /// A feature, and perhaps a segment field.
    Feature,
    /// Left out.
    Ignored,
}

/// The roles of a file's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    names: Vec<String>,
    roles: Vec<Role>,
}

impl Columns {
    /// Gives every column of `file` its role: as `options` say, else by its canonical name.
    ///
    /// # Errors
    /// When `options` name a column that is not there, or one column for two roles.
    pub fn find(file: &str, names: &[String], options: &ColumnOptions) -> Result<Self, FileError> {
        let mut columns = Self {
            names: names.to_vec(),
            roles: vec![Role::Feature; names.len()],
        };
        for name in &options.ignore {
            let i = position(file, names, name)?;
            columns.roles[i] = Role::Ignored;
        }
        let given = [
            (Role::Time, &options.time_column),
            (Role::Id, &options.id_column),
            (Role::Score, &options.score_column),
            (Role::Prediction, &options.prediction_column),
        ];
        for (role, name) in given {
            let Some(name) = name else { continue };
            let i = position(file, names, name)?;
            if columns.roles[i] != Role::Feature {
                return Err(FileError::new(file, "the options give it two roles").in_column(name));
            }
            columns.roles[i] = role;
        }
        let canonical = [
            (Role::Time, TIME_NAMES),
            (Role::Id, ID_NAMES),
            (Role::Model, MODEL_NAMES),
            (Role::Version, VERSION_NAMES),
            (Role::Score, SCORE_NAMES),
            (Role::Prediction, PREDICTION_NAMES),
        ];
        for (role, candidates) in canonical {
            if !columns.roles.contains(&role) {
                columns.take_first(role, candidates);
            }
        }
        Ok(columns)
    }

    fn take_first(&mut self, role: Role, candidates: &[&str]) {
        let free = |name: &&str| {
            let i = self.names.iter().position(|n| n == name)?;
            (self.roles[i] == Role::Feature).then_some(i)
        };
        if let Some(i) = candidates.iter().find_map(free) {
            self.roles[i] = role;
        }
    }

    /// Where the column with `role` stands.
    #[must_use]
    pub fn position(&self, role: Role) -> Option<usize> {
        self.roles.iter().position(|r| *r == role)
    }

    /// The roles, by column.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// The name of the feature in column `i`: canonical events have it under `features`.
    #[must_use]
    pub fn feature_name(&self, i: usize) -> &str {
        self.names[i]
            .strip_prefix("features.")
            .unwrap_or(&self.names[i])
    }

    /// The column of the segment field `name`.
    #[must_use]
    pub fn segment(&self, name: &str) -> Option<usize> {
        let plain = |n: &String| n.strip_prefix("segments.").unwrap_or(n) == name;
        let of_feature = |i: &usize| self.feature_name(*i) == name;
        self.names
            .iter()
            .position(plain)
            .or_else(|| (0..self.names.len()).find(of_feature))
    }
}

/// Where the column `name` stands.
pub(super) fn position(file: &str, names: &[String], name: &str) -> Result<usize, FileError> {
    names.iter().position(|n| n == name).ok_or_else(|| {
        let known: Vec<&str> = names.iter().take(50).map(String::as_str).collect();
        let error = FileError::new(file, "there is no such column").in_column(name);
        error.with_hint(suggest::hint(name, &known))
    })
}
