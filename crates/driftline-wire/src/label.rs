//! Messages to labels.

use std::fmt;

use driftline_event::{Row, Timestamp, Value};

use crate::avro::SchemaError;
use crate::decoder::{Id, id, not_empty};
use crate::limits::Limits;
use crate::mapping::{LabelMapping, MappingError};
use crate::reader::{Format, Reader};
use crate::reject::{Fault, Reject, SchemaId};
use crate::sink::{Scalar, Scratch};
use crate::target::{self, Head, Node};
use crate::timestamp::Clock;

/// What turned out to be true.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelValue {
    /// A class. Integers and truth values are written out.
    Text(String),
    /// A number.
    Number(f64),
}

impl Default for LabelValue {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// One decoded label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelRow {
    /// The id of the prediction that this is the truth of.
    pub id: String,
    /// The model's name, where the sender knows it.
    pub model: Option<String>,
    /// The model's version, where the sender knows it.
    pub version: Option<String>,
    /// When the truth became known.
    pub observed_at: Timestamp,
    /// The truth.
    pub label: LabelValue,
    /// How much it counts.
    pub weight: f64,
    /// A higher revision replaces a lower one.
    pub revision: i64,
}

/// Decodes the labels of one topic. The counterpart of [`crate::Decoder`].
pub struct LabelDecoder {
    reader: Reader,
    clock: Clock,
    scratch: Scratch,
    /// Holds the texts of the message at hand.
    row: Row,
    model: Option<String>,
    version: Option<String>,
}

impl fmt::Debug for LabelDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LabelDecoder").finish_non_exhaustive()
    }
}

impl LabelDecoder {
    /// A decoder of messages in `format` whose fields stand where `mapping` says.
    ///
    /// # Errors
    /// When the mapping contradicts itself.
    pub fn new(
        format: Format,
        mapping: LabelMapping,
        limits: Limits,
    ) -> Result<Self, MappingError> {
        let tree = Node::label(&mapping)?;
        let clock = Clock::new(&mapping.time, &limits);
        let scratch = Scratch::new(limits.features_max, limits.string_bytes_max);
        let reader = Reader::new(format, tree, limits, &|_| true);
        let model = target::constant(&mapping.model);
        let version = target::constant(&mapping.version);
        Ok(Self {
            reader,
            clock,
            scratch,
            row: Row::default(),
            model,
            version,
        })
    }

    /// As [`crate::Decoder::add_schema`].
    ///
    /// # Errors
    /// When it is no Avro schema or beyond the bounds.
    pub fn add_schema(&mut self, id: impl Into<SchemaId>, json: &str) -> Result<(), SchemaError> {
        self.reader.add_schema(id.into(), json, &|_| true)
    }

    /// As [`crate::Decoder::set_schema`].
    ///
    /// # Errors
    /// When it is no Avro schema or beyond the bounds.
    pub fn set_schema(&mut self, json: &str) -> Result<(), SchemaError> {
        self.reader.set_schema(json, &|_| true)
    }

    /// As [`crate::Decoder::refuse_schema`].
    ///
    /// # Errors
    /// When the topic names too many schemas to remember.
    pub fn refuse_schema(&mut self, id: impl Into<SchemaId>, why: &str) -> Result<(), SchemaError> {
        self.reader.refuse_schema(id.into(), why)
    }

    /// As [`crate::Decoder::forget_schema`].
    pub fn forget_schema(&mut self, id: impl Into<SchemaId>) {
        self.reader.forget_schema(id.into());
    }

    /// Decodes a message. A label without an id, a time or a value is dropped.
    ///
    /// # Errors
    /// As [`crate::Decoder::decode_prediction`].
    pub fn decode_label<'h>(
        &mut self,
        payload: Option<&[u8]>,
        headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
        record_time: Option<Timestamp>,
    ) -> Result<LabelRow, Reject> {
        let payload = not_empty(payload)?;
        let (scratch, row) = (&mut self.scratch, &mut self.row);
        self.reader.read(payload, headers, scratch)?;
        scratch.texts.finish(row).map_err(Fault::reject)?;
        let (scratch, row) = (&*scratch, &*row);
        let id = match id(scratch)? {
            Id::Text(range) => row.text(range).to_owned(),
            Id::Number(n) => n.to_string(),
            Id::None => {
                return Err(Reject::missing(
                    "the label has no prediction id; map `id` to a path",
                ));
            }
        };
        let text = |head, field: &str| text(scratch.head(head), row, field);
        let label = match text(Head::Label, "label")? {
            Some(label) => LabelValue::Text(label),
            None => {
                LabelValue::Number(number(scratch, Head::Value, "value")?.ok_or_else(|| {
                    Reject::missing(
                        "the label has neither a class nor a value; map `label` or `value`",
                    )
                })?)
            }
        };
        let revision = match scratch.head(Head::Revision) {
            Scalar::Plain(Value::Missing) => 0,
            Scalar::Plain(Value::Long(n)) => n,
            _ => return Err(Reject::missing("`revision` is not an integer")),
        };
        let named = |constant: &Option<String>, head, field: &str| match constant {
            Some(constant) => Ok(Some(constant.clone())),
            None => text(head, field),
        };
        Ok(LabelRow {
            id,
            model: named(&self.model, Head::Model, "model")?,
            version: named(&self.version, Head::Version, "version")?,
            observed_at: self.clock.time(scratch, row, record_time)?,
            label,
            weight: number(scratch, Head::Weight, "weight")?.unwrap_or(1.0),
            revision,
        })
    }
}

fn text(head: Scalar, row: &Row, field: &str) -> Result<Option<String>, Reject> {
    Ok(match head {
        Scalar::Plain(Value::Missing) => None,
        Scalar::Plain(Value::Text(range)) => Some(row.text(range).to_owned()),
        Scalar::Plain(Value::Long(n)) => Some(n.to_string()),
        Scalar::Plain(Value::Bool(b)) => Some(b.to_string()),
        _ => {
            return Err(Reject::missing(format!(
                "`{field}` is not a text or an integer"
            )));
        }
    })
}

fn number(scratch: &Scratch, head: Head, field: &str) -> Result<Option<f64>, Reject> {
    match scratch.head(head) {
        Scalar::Plain(Value::Missing) => Ok(None),
        Scalar::Plain(Value::Double(x)) if x.is_finite() => Ok(Some(x)),
        Scalar::Plain(Value::Long(n)) => Ok(Some(n as f64)),
        _ => Err(Reject::missing(format!("`{field}` is not a finite number"))),
    }
}
