//! Bytes from Kafka to rows, and what Driftline writes to bytes. No IO.
//!
//! A [`Decoder`] turns the messages of one topic into [`driftline_event::Row`]s, whole or not at all. For Avro
//! the writer's schema and the field [`Mapping`] are compiled, once per schema id, to a flat program that a
//! cursor runs over the bytes; JSON is visited without building a tree. Both fill the same slots, and a plan
//! per layout moves them to columns.
//!
//! Invariants:
//! - Any bytes end in a row or in a [`Reject`]; never in a panic, and never in memory beyond [`Limits`].
//! - All bytes of a message are used, or it is rejected.
//! - The same event gives the same row from Avro and from JSON, whatever the order of its fields.
//!
//! What it does not do: it does not fetch schemas ([`Reject::NeedSchema`] asks the driver to), read arrays of
//! rows in one message, or follow recursive schemas.
#![deny(missing_docs)]

mod avro;
pub mod cloudevents;
pub mod dead_letter;
mod decoder;
mod encode;
mod envelope;
mod framing;
mod json;
mod label;
mod limits;
mod mapping;
mod path;
mod place;
mod reader;
mod reject;
mod sink;
mod target;
mod texts;
mod timestamp;

pub use avro::SchemaError;
pub use decoder::Decoder;
pub use encode::{FeatureValue, Label, LabelEncoder, Prediction, PredictionEncoder};
pub use envelope::Envelope;
pub use framing::VALUE_SCHEMA_ID_HEADER;
pub use label::{LabelDecoder, LabelRow, LabelValue};
pub use limits::Limits;
pub use mapping::{
    Constant, FieldGroup, Fields, LabelMapping, Mapping, MappingError, NamedField, NamedPath,
    RecordTimestamp, Source, TimeField, TimePath, TimeUnit,
};
pub use path::{FieldPath, PathError};
pub use reader::Format;
pub use reject::{Reject, SchemaId};

/// The canonical Avro schema of a prediction.
pub const PREDICTION_SCHEMA: &str = include_str!("../../../schemas/prediction.avsc");

/// The canonical Avro schema of a label.
pub const LABEL_SCHEMA: &str = include_str!("../../../schemas/label.avsc");
