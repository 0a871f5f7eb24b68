//! Messages to rows.

use std::fmt;
use std::sync::Arc;

use driftline_event::{Catalog, DropReason, Row, TextRange, Timestamp, Value, decimal};

use crate::avro::SchemaError;
use crate::limits::Limits;
use crate::mapping::{Mapping, MappingError};
use crate::place::Router;
use crate::reader::{Format, Reader};
use crate::reject::{Fault, Reject, SchemaId};
use crate::sink::{Scalar, Scratch};
use crate::target::{self, Head, Node};
use crate::timestamp::Clock;

/// Decodes the predictions of one topic.
///
/// A decoder is one thread's own: it keeps the programs of the schemas it met and its buffers. Decoding an
/// event allocates nothing once the buffers have grown to their size.
///
/// ```
/// use std::sync::Arc;
/// use driftline_event::{Catalog, Column, ColumnKind, ColumnRole, Layout, Row, Value};
/// use driftline_wire::{Decoder, Format, Limits, Mapping};
///
/// let age = Column { name: "age".into(), kind: ColumnKind::Numeric, role: ColumnRole::Feature };
/// let layout = Layout { model: "fraud".into(), version: "3".into(), columns: vec![age], segments: vec![] };
/// let catalog = Arc::new(Catalog::new(vec![layout])?);
/// let mut decoder = Decoder::new(Format::Json, Mapping::default(), catalog, Limits::default())?;
///
/// let message = br#"{"prediction_id": "p1", "model_id": "fraud", "model_version": "3",
///     "predicted_at": "2024-05-01T12:00:00Z", "features": {"age": 42}}"#;
/// let mut row = Row::default();
/// decoder.decode_prediction(Some(message), [], None, &mut row)?;
/// assert_eq!(row.values(), [Value::Long(42)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Decoder {
    reader: Reader,
    router: Router,
    clock: Clock,
    scratch: Scratch,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder of messages in `format` whose fields stand where `mapping` says.
    ///
    /// # Errors
    /// When the mapping contradicts itself.
    pub fn new(
        format: Format,
        mapping: Mapping,
        catalog: Arc<Catalog>,
        limits: Limits,
    ) -> Result<Self, MappingError> {
        let tree = Node::prediction(&mapping)?;
        let model = target::constant(&mapping.model);
        let version = target::constant(&mapping.version);
        let router = Router::new(catalog, model, version);
        let clock = Clock::new(&mapping.time, &limits);
        let scratch = Scratch::new(limits.features_max, limits.string_bytes_max);
        let reader = Reader::new(format, tree, limits, &|target| router.wants(target));
        Ok(Self {
            reader,
            router,
            clock,
            scratch,
        })
    }

    /// Gives the schema that [`Reject::NeedSchema`] asked for. It is compiled once.
    ///
    /// # Errors
    /// When it is no Avro schema or beyond the bounds; messages that name it are then dropped as
    /// [`DropReason::UnknownSchema`] until [`Decoder::forget_schema`].
    pub fn add_schema(&mut self, id: impl Into<SchemaId>, json: &str) -> Result<(), SchemaError> {
        let router = &self.router;
        self.reader
            .add_schema(id.into(), json, &|target| router.wants(target))
    }

    /// Gives the one schema of a topic in [`Format::AvroPlain`].
    ///
    /// # Errors
    /// When it is no Avro schema or beyond the bounds.
    pub fn set_schema(&mut self, json: &str) -> Result<(), SchemaError> {
        let router = &self.router;
        self.reader.set_schema(json, &|target| router.wants(target))
    }

    /// Says that the registry does not know a schema: messages that name it are dropped as
    /// [`DropReason::UnknownSchema`] until [`Decoder::forget_schema`].
    ///
    /// # Errors
    /// When the topic names too many schemas to remember.
    pub fn refuse_schema(&mut self, id: impl Into<SchemaId>, why: &str) -> Result<(), SchemaError> {
        self.reader.refuse_schema(id.into(), why)
    }

    /// Forgets a schema, so that the next message that names it asks for it again.
    pub fn forget_schema(&mut self, id: impl Into<SchemaId>) {
        self.reader.forget_schema(id.into());
    }

    /// Decodes a message into `row`, whole or not at all: after an error the row is empty.
    ///
    /// `headers` are looked at only for the schema id. `record_time` is the Kafka record's own timestamp,
    /// for mappings that take it as the event time.
    ///
    /// # Errors
    /// [`Reject::Drop`] when the message cannot count, and [`Reject::NeedSchema`] when the writer's schema
    /// must be fetched first.
    pub fn decode_prediction<'h>(
        &mut self,
        payload: Option<&[u8]>,
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
        record_time: Option<Timestamp>,
        row: &mut Row,
    ) -> Result<(), Reject> {
        row.clear();
        let decoded = self.decode(payload, headers, record_time, row);
        if decoded.is_err() {
            row.clear();
        }
        decoded
    }

    fn decode<'h>(
        &mut self,
        payload: Option<&[u8]>,
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
        record_time: Option<Timestamp>,
        row: &mut Row,
    ) -> Result<(), Reject> {
        let payload = not_empty(payload)?;
        let scratch = &mut self.scratch;
        let (shape, plans) = self.reader.read(payload, headers, scratch)?;
        scratch.texts.finish(row).map_err(Fault::reject)?;
        self.router.fill(shape, plans, scratch, payload, row)?;
        row.set_time(self.clock.time(scratch, row, record_time)?);
        match id(scratch)? {
            Id::None => {}
            Id::Text(range) => row.set_id(range),
            Id::Number(n) => {
                let id = row.push_text(decimal(n, &mut [0; 20]));
                row.set_id(id);
            }
        }
        Ok(())
    }
}

pub(crate) fn not_empty(payload: Option<&[u8]>) -> Result<&[u8], Reject> {
    payload
        .filter(|bytes| !bytes.is_empty())
        .ok_or_else(|| Reject::Drop(DropReason::Empty, "the message has no value".to_owned()))
}

/// A prediction's id.
pub(crate) enum Id {
    None,
    Text(TextRange),
    Number(i64),
}

#[inline]
pub(crate) fn id(scratch: &Scratch) -> Result<Id, Reject> {
    match scratch.head(Head::Id) {
        Scalar::Plain(Value::Missing) => Ok(Id::None),
        Scalar::Plain(Value::Long(n)) => Ok(Id::Number(n)),
        Scalar::Plain(Value::Text(range)) => Ok(Id::Text(range)),
        _ => Err(Reject::missing("`id` is neither a text nor an integer")),
    }
}
