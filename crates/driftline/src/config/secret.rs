//! Secrets: where they are, and what they are, neither of which is ever printed by accident.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

/// Where a secret is found when it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// The content of a file, without the line break at its end.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// A secret's value. `Debug` and `Display` hide it; [`Secret::reveal`] is the only way to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value, for the one place that hands it to a client.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Why a secret cannot be had. Says where it was looked for, never what was found.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not set, or is not UTF-8.
    #[error("the environment variable `{0}` is not set")]
    Env(String),
    /// The file cannot be read.
    #[error("the secret file {path} cannot be read: {source}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("the secret in {0} is empty")]
    Empty(String),
}

impl SecretSource {
    /// Fetches the secret. Relative files are looked for in `directory`, that of the configuration.
    ///
    /// # Errors
    /// When it is not there or empty.
    pub fn fetch(&self, directory: &Path) -> Result<Secret, SecretError> {
        let (text, place) = match self {
            Self::Env(name) => {
                let text = std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?;
                (text, format!("the environment variable `{name}`"))
            }
            Self::File(path) => {
                let path = directory.join(path);
                let text = std::fs::read_to_string(&path).map_err(|source| SecretError::File {
                    path: path.clone(),
                    source,
                })?;
                (
                    text.trim_end_matches(['\r', '\n']).to_owned(),
                    path.display().to_string(),
                )
            }
        };
        if text.is_empty() {
            Err(SecretError::Empty(place))
        } else {
            Ok(Secret(text))
        }
    }
}

const FORM: &str = "{file: path} or {env: NAME}";

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

struct SourceVisitor;

/// No error here repeats what was found: it may be the secret.
fn refuse<E: serde::de::Error>() -> E {
    E::custom(format_args!(
        "a secret never stands in the configuration itself\nhint: write {FORM}"
    ))
}

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<SecretSource, E> {
        Err(refuse())
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<SecretSource, E> {
        Err(refuse())
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<SecretSource, E> {
        Err(refuse())
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<SecretSource, E> {
        Err(refuse())
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<SecretSource, E> {
        Err(refuse())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<SecretSource, A::Error> {
        let mut source = None;
        while let Some(key) = access.next_key::<String>()? {
            let value: String = access.next_value()?;
            let found = match key.as_str() {
                "file" => SecretSource::File(value.into()),
                "env" => SecretSource::Env(value),
                other => return Err(A::Error::unknown_field(other, &["file", "env"])),
            };
            if source.replace(found).is_some() {
                return Err(A::Error::custom(format_args!(
                    "give either file or env, not both"
                )));
            }
        }
        source.ok_or_else(|| {
            A::Error::custom(format_args!("where is the secret?\nhint: write {FORM}"))
        })
    }
}

impl JsonSchema for SecretSource {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Where a secret is found: in a file or in an environment variable.",
            "type": "object",
            "properties": { "file": { "type": "string" }, "env": { "type": "string" } },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret("hunter2".into());
        assert_eq!(
            format!("{secret} {secret:?} {:?}", Some(&secret)),
            "[hidden] [hidden] Some([hidden])"
        );
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn a_missing_secret_says_where_it_was_looked_for() {
        let directory = Path::new("/nonexistent");
        let error = SecretSource::Env("DRIFTLINE_NO_SUCH".into())
            .fetch(directory)
            .unwrap_err();
        assert!(error.to_string().contains("DRIFTLINE_NO_SUCH"));
        let error = SecretSource::File("password".into())
            .fetch(directory)
            .unwrap_err();
        assert!(
            error.to_string().contains("/nonexistent/password"),
            "{error}"
        );
    }
}
