//! Where a field stands in a record: `$.a.b`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The way from the top of a record to one of its fields.
///
/// `$.inputs.age`, `inputs.age` and `inputs["age"]` are the same; `$` is the record itself. Names with dots
/// or other signs go into brackets and quotes. Items of arrays cannot be named.
///
/// ```
/// use driftline_wire::FieldPath;
/// let path: FieldPath = "$.inputs['home.state']".parse()?;
/// assert_eq!(path.steps(), ["inputs", "home.state"]);
/// # Ok::<(), driftline_wire::PathError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath {
    steps: Vec<String>,
}

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is nothing between two dots, or nothing at all.
    #[error("path `{0}` has an empty step; write it as `$.field.field`")]
    EmptyStep(String),
    /// A bracket does not hold a quoted name.
    #[error(
        "path `{0}` has brackets without a quoted name; only `[\"name\"]` is understood, array items cannot be named"
    )]
    Bracket(String),
    /// The path is too long.
    #[error("path `{0}` has more than {max} steps", max = FieldPath::STEPS_MAX)]
    TooLong(String),
}

impl FieldPath {
    /// The most steps that a path may have.
    pub const STEPS_MAX: usize = 15;

    /// The names from the top down; none for the record itself.
    pub fn steps(&self) -> &[String] {
        &self.steps
    }
}

impl FromStr for FieldPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let empty = || PathError::EmptyStep(text.to_owned());
        let bracket = || PathError::Bracket(text.to_owned());
        let mut rest = text.trim();
        let mut steps = Vec::new();
        match rest.strip_prefix('$') {
            Some("") => return Ok(Self { steps }),
            Some(after) if after.starts_with(['.', '[']) => {
                rest = after.strip_prefix('.').unwrap_or(after);
            }
            _ => {}
        }
        loop {
            if let Some(after) = rest.strip_prefix('[') {
                let quote = after
                    .chars()
                    .next()
                    .filter(|c| matches!(c, '"' | '\''))
                    .ok_or_else(bracket)?;
                let (name, after) = after[1..].split_once(quote).ok_or_else(bracket)?;
                rest = after.strip_prefix(']').ok_or_else(bracket)?;
                steps.push(name.to_owned());
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                steps.push(rest[..end].to_owned());
                rest = &rest[end..];
            }
            if steps.last().is_some_and(String::is_empty) {
                return Err(empty());
            }
            if steps.len() > Self::STEPS_MAX {
                return Err(PathError::TooLong(text.to_owned()));
            }
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None if rest.is_empty() => return Ok(Self { steps }),
                None if rest.starts_with('[') => {}
                None => return Err(bracket()),
            }
        }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for step in &self.steps {
            if step.contains(['.', '[', '$']) {
                let quote = if step.contains('"') { '\'' } else { '"' };
                write!(f, "[{quote}{step}{quote}]")?;
            } else {
                write!(f, ".{step}")?;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for FieldPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Serialize for FieldPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for FieldPath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FieldPath".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A path such as `$.inputs.age`.",
            "examples": ["$.inputs.age", "request_id"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for (text, steps) in [
            ("$", vec![]),
            ("$.a", vec!["a"]),
            ("a.b", vec!["a", "b"]),
            ("$[\"x.y\"].z", vec!["x.y", "z"]),
            ("a['it\"s'].b", vec!["a", "it\"s", "b"]),
            ("$version", vec!["$version"]),
        ] {
            let path: FieldPath = text.parse().unwrap();
            assert_eq!(path.steps(), steps, "{text}");
            assert_eq!(path.to_string().parse(), Ok(path), "{text}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_follow() {
        for text in [
            "", "a..b", "$.", "a.", "a[0]", "a['b", "a['b'", "a['b']c", "a['']",
        ] {
            assert!(text.parse::<FieldPath>().is_err(), "{text}");
        }
        assert!(["a"; 16].join(".").parse::<FieldPath>().is_err());
    }
}
