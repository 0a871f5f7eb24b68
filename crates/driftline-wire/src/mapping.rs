//! Which fields of a record mean what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::FieldPath;

/// Where the parts of a prediction stand in a record.
///
/// What is not given keeps its canonical place (`schemas/prediction.avsc`), so a mapping names only what
/// differs. The same mapping reads Avro and JSON, and an object or map is read like a record.
///
/// ```
/// use driftline_wire::Mapping;
/// let mapping: Mapping = serde_json::from_str(r#"{
///     "id": "$.request_id",
///     "model": {"constant": "fraud"},
///     "version": "meta.version",
///     "time": {"path": "ts", "unit": "millis"},
///     "features": {"prefix": "f_"},
///     "outputs": {"value": "result.score"},
///     "segments": ["meta.country", {"name": "plan", "path": "f_plan"}]
/// }"#)?;
/// assert_eq!(mapping.id.to_string(), "$.request_id");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// The prediction's id: a text or an integer. A record without one counts, but no label finds it.
    pub id: FieldPath,
    /// The model's name.
    pub model: Source,
    /// The model's version.
    pub version: Source,
    /// The event time.
    pub time: TimeField,
    /// The model's inputs.
    pub features: Fields,
    /// What the model said, by the name of the output column.
    pub outputs: BTreeMap<String, FieldPath>,
    /// The record or map of scores by class: class `c` is the output column `scores.c`.
    pub scores: Option<FieldPath>,
    /// The fields that events are cut by.
    pub segments: Fields,
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            id: canonical("prediction_id"),
            model: Source::Path(canonical("model_id")),
            version: Source::Path(canonical("model_version")),
            time: TimeField::at("predicted_at"),
            features: Fields::under("features"),
            outputs: [("label", "prediction.label"), ("value", "prediction.value")]
                .map(|(name, path)| (name.to_owned(), canonical(path)))
                .into(),
            scores: Some(canonical("prediction.scores")),
            segments: Fields::under("segments"),
        }
    }
}

/// Where the parts of a label stand in a record. What is not given keeps its place in `schemas/label.avsc`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct LabelMapping {
    /// The id of the prediction that this is the truth of.
    pub id: FieldPath,
    /// The model's name, where the record has it.
    pub model: Source,
    /// The model's version, where the record has it.
    pub version: Source,
    /// When the truth became known.
    pub time: TimeField,
    /// The true class: a text, an integer or a truth value.
    pub label: FieldPath,
    /// The true number; read when there is no class.
    pub value: FieldPath,
    /// How much the label counts; 1 where the record does not say.
    pub weight: FieldPath,
    /// A higher revision replaces a lower one; 0 where the record does not say.
    pub revision: FieldPath,
}

impl Default for LabelMapping {
    fn default() -> Self {
        Self {
            id: canonical("prediction_id"),
            model: Source::Path(canonical("model_id")),
            version: Source::Path(canonical("model_version")),
            time: TimeField::at("observed_at"),
            label: canonical("label"),
            value: canonical("value"),
            weight: canonical("weight"),
            revision: canonical("revision"),
        }
    }
}

fn canonical(path: &str) -> FieldPath {
    path.parse().expect("the canonical paths are well-formed")
}

/// A text that stands in the record or is the same for all records of the topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected a path such as `$.model`, or `constant: NAME` when all records of the topic share it"
)]
pub enum Source {
    /// The field at this path.
    Path(FieldPath),
    /// The same for every record.
    Constant(Constant),
}

/// A text that is the same for every record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// The text.
    pub constant: String,
}

/// Where the event time stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected a path such as `$.time`, or `path` with `unit` (seconds, millis, micros or nanos), or `record_timestamp: true`"
)]
pub enum TimeField {
    /// The field at this path: RFC 3339 text, an Avro timestamp, or microseconds since 1970.
    Path(FieldPath),
    /// The field at this path, with the unit of its numbers.
    Unit(TimePath),
    /// The timestamp of the Kafka record itself.
    Record(RecordTimestamp),
}

/// A field that holds a time, and the unit of its numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TimePath {
    /// Where the field stands.
    pub path: FieldPath,
    /// What one means, for numbers that are not Avro timestamps.
    #[serde(default)]
    pub unit: TimeUnit,
}

/// Takes the event time from the Kafka record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RecordTimestamp {
    /// Always true.
    pub record_timestamp: bool,
}

impl TimeField {
    fn at(path: &str) -> Self {
        Self::Path(canonical(path))
    }

    /// The path and the unit; none when the record's own timestamp is meant.
    pub(crate) fn parts(&self) -> Option<(&FieldPath, TimeUnit)> {
        match self {
            Self::Path(path) => Some((path, TimeUnit::default())),
            Self::Unit(TimePath { path, unit }) => Some((path, *unit)),
            Self::Record(_) => None,
        }
    }
}

/// The unit of a number that counts from 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    #[default]
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl TimeUnit {
    /// Every unit, the coarsest first.
    pub const ALL: [Self; 4] = [Self::Seconds, Self::Millis, Self::Micros, Self::Nanos];

    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Millis => "millis",
            Self::Micros => "micros",
            Self::Nanos => "nanos",
        }
    }
}

/// A group of named fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected the path of a record or map, or `path` and `prefix`, or a list of paths or of `name` and `path`"
)]
pub enum Fields {
    /// Every field of the record or map at this path.
    Path(FieldPath),
    // Before the group: serde would also read a list as the group's fields in order.
    /// These fields and no others.
    List(Vec<NamedField>),
    /// Every field of a record or map whose name has the prefix.
    Group(FieldGroup),
}

impl Fields {
    fn under(path: &str) -> Self {
        Self::Path(canonical(path))
    }
}

/// The fields of one record or map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct FieldGroup {
    /// Where the record or map stands; the whole record when it is not given.
    pub path: FieldPath,
    /// Only fields whose name begins so; the field's own name is what follows.
    pub prefix: String,
    /// Whether the prefix stays part of the name.
    pub keep_prefix: bool,
}

/// One field with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected a path such as `$.inputs.age`, or `name` and `path`"
)]
pub enum NamedField {
    /// The path's last step is the name.
    Path(FieldPath),
    /// The name is given.
    Named(NamedPath),
}

/// A path with a name of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NamedPath {
    /// The name of the column or segment field.
    pub name: String,
    /// Where it stands.
    pub path: FieldPath,
}

impl NamedField {
    /// The name and the path; no name when the path is the whole record.
    pub(crate) fn parts(&self) -> (Option<&str>, &FieldPath) {
        match self {
            Self::Path(path) => (path.steps().last().map(String::as_str), path),
            Self::Named(NamedPath { name, path }) => (Some(name), path),
        }
    }
}

/// Why a mapping cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Two fields of one group have the same name.
    #[error(
        "{group}: `{name}` is given twice; give one of the two another name with `name` and `path`"
    )]
    Duplicate {
        /// The part of the mapping.
        group: &'static str,
        /// The name.
        name: String,
    },
    /// A listed field is the whole record.
    #[error("{group}: `$` is the whole record, not a field; name a field such as `$.inputs.age`")]
    NotAField {
        /// The part of the mapping.
        group: &'static str,
    },
    /// A constant is empty.
    #[error("{group}: the constant is empty; write the name as the reference profile has it")]
    EmptyConstant {
        /// The part of the mapping.
        group: &'static str,
    },
    /// `record_timestamp: false` says nothing.
    #[error(
        "time: `record_timestamp: false` leaves no event time; give a `path`, or `record_timestamp: true`"
    )]
    NoTime,
}
