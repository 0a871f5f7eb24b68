//! One topic's messages into the scratch, whatever their format.

use driftline_event::DropReason;
use serde::{Deserialize, Serialize};

use crate::avro::{self, Bounds, SchemaError};
use crate::framing;
use crate::json;
use crate::limits::Limits;
use crate::place::{Plans, Shape};
use crate::reject::{Fault, Reject, SchemaId};
use crate::sink::Scratch;
use crate::target::{Node, Target};

/// How the messages of a topic are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Avro in the framing of a schema registry.
    #[default]
    Avro,
    /// Avro without framing: all messages have one schema, given in the configuration.
    AvroPlain,
    /// JSON objects, with or without the framing of a schema registry.
    Json,
}

/// The most schemas that one topic may use.
pub(crate) const SCHEMAS_MAX: usize = 1_024;

/// Where the data begins after the classic framing.
const CLASSIC_BYTES: usize = 5;

/// A program and the plans of the layouts that its messages had.
#[derive(Debug, Default)]
struct Compiled<P> {
    program: P,
    plans: Plans,
}

#[derive(Debug)]
enum Known {
    Usable(Box<Compiled<avro::Program>>),
    Refused(String),
}

/// Reads messages.
pub(crate) struct Reader {
    format: Format,
    tree: Node,
    limits: Limits,
    /// In the order of their arrival; `last` is the one that the last message had, and `last_id` its number.
    schemas: Vec<(SchemaId, Known)>,
    last: usize,
    last_id: Option<u32>,
    plain: Option<Known>,
    json: Compiled<json::Program>,
}

impl Reader {
    pub(crate) fn new(
        format: Format,
        tree: Node,
        limits: Limits,
        wanted: &dyn Fn(&Target) -> bool,
    ) -> Self {
        let program = match format {
            Format::Json => json::compile(&tree, wanted),
            Format::Avro | Format::AvroPlain => json::Program::default(),
        };
        let json = Compiled {
            program,
            plans: Plans::new(),
        };
        Self {
            format,
            tree,
            limits,
            schemas: Vec::new(),
            last: 0,
            last_id: None,
            plain: None,
            json,
        }
    }

    fn compile(&self, json: &str, wanted: &dyn Fn(&Target) -> bool) -> Result<Known, SchemaError> {
        let bounds = Bounds {
            nesting_max: self.limits.nesting_max,
            fields_max: self.limits.features_max,
        };
        let program = avro::compile(json, &self.tree, wanted, bounds)?;
        Ok(Known::Usable(Box::new(Compiled {
            program,
            plans: Plans::new(),
        })))
    }

    pub(crate) fn add_schema(
        &mut self,
        id: SchemaId,
        json: &str,
        wanted: &dyn Fn(&Target) -> bool,
    ) -> Result<(), SchemaError> {
        if self.format != Format::Avro {
            return Err(SchemaError::NotAvro);
        }
        let compiled = self.compile(json, wanted);
        let error = compiled.as_ref().err().cloned();
        let known = compiled.unwrap_or_else(|e| Known::Refused(e.to_string()));
        self.remember(id, known)?;
        error.map_or(Ok(()), Err)
    }

    pub(crate) fn set_schema(
        &mut self,
        json: &str,
        wanted: &dyn Fn(&Target) -> bool,
    ) -> Result<(), SchemaError> {
        if self.format != Format::AvroPlain {
            return Err(SchemaError::NotAvro);
        }
        self.plain = Some(self.compile(json, wanted)?);
        Ok(())
    }

    pub(crate) fn refuse_schema(&mut self, id: SchemaId, why: &str) -> Result<(), SchemaError> {
        self.remember(id, Known::Refused(why.to_owned()))
    }

    pub(crate) fn forget_schema(&mut self, id: SchemaId) {
        self.schemas.retain(|(known, _)| *known != id);
        self.last = 0;
        self.last_id = None;
    }

    fn remember(&mut self, id: SchemaId, known: Known) -> Result<(), SchemaError> {
        match self.schemas.iter().position(|(other, _)| *other == id) {
            Some(i) => self.schemas[i].1 = known,
            None if self.schemas.len() < SCHEMAS_MAX => self.schemas.push((id, known)),
            None => return Err(SchemaError::TooMany(SCHEMAS_MAX)),
        }
        Ok(())
    }

    /// Reads a message. On success the values are in `scratch`, and the shape and plans tell what they are.
    pub(crate) fn read<'h>(
        &mut self,
        payload: &[u8],
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
        scratch: &mut Scratch,
    ) -> Result<(&Shape, &mut Plans), Reject> {
        if payload.len() > self.limits.message_bytes_max {
            return Err(self.oversize(payload.len()));
        }
        let (known, from) = match self.format {
            Format::Json => return self.read_json(payload, scratch),
            Format::AvroPlain => {
                let missing = || {
                    Reject::Drop(
                        DropReason::UnknownSchema,
                        "no schema is configured for this topic; set `schema_file`".into(),
                    )
                };
                (self.plain.as_mut().ok_or_else(missing)?, 0)
            }
            Format::Avro => {
                let header = framing::in_headers(headers);
                let from = match framing::classic(payload) {
                    Some(id) if header.is_none() && self.last_id == Some(id) => CLASSIC_BYTES,
                    _ => self.find_schema(payload, header)?,
                };
                (&mut self.schemas[self.last].1, from)
            }
        };
        let compiled = match known {
            Known::Usable(compiled) => compiled,
            Known::Refused(why) => {
                return Err(Reject::Drop(DropReason::UnknownSchema, why.clone()));
            }
        };
        scratch.start(compiled.program.shape.slots.len());
        let all = avro::run(&compiled.program, payload, from, scratch).map_err(Fault::reject)?;
        if !all {
            return Err(Reject::malformed(
                "bytes follow the end of the record; the writer's schema may be another one",
            ));
        }
        Ok((&compiled.program.shape, &mut compiled.plans))
    }

    /// Makes the message's schema the last one, and tells where the message's data begins.
    #[inline(never)]
    fn find_schema(&mut self, payload: &[u8], header: Option<&[u8]>) -> Result<usize, Reject> {
        let (id, from) = framing::of_message(payload, header)?;
        let known = self.schemas.iter().position(|(known, _)| *known == id);
        self.last = known.ok_or(Reject::NeedSchema(id))?;
        self.last_id = match id {
            SchemaId::Id(id) => Some(id),
            SchemaId::Guid(_) => None,
        };
        Ok(from)
    }

    #[cold]
    fn oversize(&self, bytes: usize) -> Reject {
        let max = self.limits.message_bytes_max;
        Reject::Drop(
            DropReason::Oversize,
            format!("{bytes} bytes are more than message_bytes_max ({max})"),
        )
    }

    fn read_json(
        &mut self,
        payload: &[u8],
        scratch: &mut Scratch,
    ) -> Result<(&Shape, &mut Plans), Reject> {
        // A registry's JSON serialiser puts the same framing before the text as Avro's does.
        let from = match payload.first() {
            Some(0 | 1) => framing::schema_id(payload)?.1,
            _ => 0,
        };
        let compiled = &mut self.json;
        scratch.start(compiled.program.shape.slots.len());
        json::run(
            &compiled.program,
            payload,
            from,
            self.limits.nesting_max,
            scratch,
        )?;
        Ok((&compiled.program.shape, &mut compiled.plans))
    }
}
