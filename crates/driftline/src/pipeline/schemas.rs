//! Where the schemas of a topic's writers come from.

use std::path::Path;
use std::time::Duration;

use driftline_kafka::{RegistryClient, RegistryError, SchemaKey};
use driftline_wire::SchemaId;

use crate::exit::Failure;

/// How long a message waits for a registry that does not answer before it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What is known of a schema.
pub(super) enum Lookup {
    /// Its text.
    Found(String),
    /// There is no such schema; the text says more.
    Unknown(String),
    /// Nobody can say now.
    Later(Duration),
}

/// Where the schemas of a topic's writers come from.
#[derive(Debug)]
pub(super) enum Schemas {
    /// Nowhere: the format needs none.
    None,
    /// One file, whatever id a message names.
    File(String),
    /// A registry.
    Registry(Box<RegistryClient>),
}

impl Schemas {
    /// Reads the schema file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn file(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failure::config(format_args!("schema_file {}: {e}", path.display())))?;
        Ok(Self::File(text))
    }

    pub(super) fn find(&mut self, id: SchemaId) -> Lookup {
        match self {
            Self::None => Lookup::Unknown(format!(
                "schema {id}: the stream has neither a registry nor a schema_file"
            )),
            Self::File(text) => Lookup::Found(text.clone()),
            Self::Registry(client) => {
                let key = match id {
                    SchemaId::Id(number) => SchemaKey::Id(number),
                    SchemaId::Guid(_) => SchemaKey::Guid(id.to_string()),
                };
                match client.schema(&key) {
                    Ok(text) => Lookup::Found(text.to_string()),
                    Err(error) => later_or_unknown(&error, id),
                }
            }
        }
    }
}

fn later_or_unknown(error: &RegistryError, id: SchemaId) -> Lookup {
    if error.is_temporary() {
        tracing::warn!(%id, %error, "the schema registry does not answer; the message waits");
        Lookup::Later(RETRY_AFTER)
    } else {
        Lookup::Unknown(error.to_string())
    }
}
