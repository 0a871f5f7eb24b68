//! Where the schemas of a topic's writers come from.

use std::path::Path;
use std::time::Duration;

use driftline_event::DropReason;
use driftline_kafka::{RegistryClient, RegistryError, SchemaKey};
use driftline_wire::{Decoder, LabelDecoder, Reject, SchemaError, SchemaId};

use crate::exit::Failure;

/// How long a message waits for a registry that does not answer before it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What is known of a schema.
enum Lookup {
    /// Its text.
    Found(String),
    /// There is no such schema; the text says more.
    Unknown(String),
    /// Nobody can say now.
    Later(Duration),
}

/// Why a message was not decoded.
pub(super) enum DecodeFailure {
    /// It does not count; the text says more.
    Drop(DropReason, String),
    /// Its schema cannot be had now: deliver it again after this time.
    Later(Duration),
}

/// A decoder that asks for the schemas it meets.
pub(super) trait SchemaUser {
    /// Gives it a schema.
    fn add(&mut self, id: SchemaId, text: &str) -> Result<(), SchemaError>;
    /// Tells it that there is no such schema.
    fn refuse(&mut self, id: SchemaId, why: &str) -> Result<(), SchemaError>;
}

impl SchemaUser for Decoder {
    fn add(&mut self, id: SchemaId, text: &str) -> Result<(), SchemaError> {
        self.add_schema(id, text)
    }

    fn refuse(&mut self, id: SchemaId, why: &str) -> Result<(), SchemaError> {
        self.refuse_schema(id, why)
    }
}

impl SchemaUser for LabelDecoder {
    fn add(&mut self, id: SchemaId, text: &str) -> Result<(), SchemaError> {
        self.add_schema(id, text)
    }

    fn refuse(&mut self, id: SchemaId, why: &str) -> Result<(), SchemaError> {
        self.refuse_schema(id, why)
    }
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

    /// Decodes a message; a schema that the decoder does not know yet is looked up once.
    pub(super) fn decode<D: SchemaUser, T>(
        &mut self,
        decoder: &mut D,
        mut decode: impl FnMut(&mut D) -> Result<T, Reject>,
    ) -> Result<T, DecodeFailure> {
        for _ in 0..2 {
            let id = match decode(decoder) {
                Ok(decoded) => return Ok(decoded),
                Err(Reject::Drop(reason, detail)) => {
                    return Err(DecodeFailure::Drop(reason, detail));
                }
                Err(Reject::NeedSchema(id)) => id,
            };
            let added = match self.find(id) {
                Lookup::Found(text) => decoder.add(id, &text),
                Lookup::Unknown(why) => decoder.refuse(id, &why),
                Lookup::Later(after) => return Err(DecodeFailure::Later(after)),
            };
            if let Err(error) = added {
                tracing::warn!(%id, %error, "a schema cannot be used; its messages are dead letters");
            }
        }
        let detail = "its schema cannot be used".to_owned();
        Err(DecodeFailure::Drop(DropReason::UnknownSchema, detail))
    }

    fn find(&mut self, id: SchemaId) -> Lookup {
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
