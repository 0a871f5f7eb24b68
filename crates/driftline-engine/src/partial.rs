//! The bytes of a record on the partials topic.
//!
//! ```text
//! batch    = "DLPB" version:u8  topics  models  deltas  progress
//! topics   = n { name:text  partitions }                  partitions: 0 if not known
//! models   = n { model:text  version:text  reference:text  pane_micros }
//! deltas   = n { model:index  segment  pane:zigzag  rows  len  body }
//! segment  = 0 | 1 text
//! pane     = start of the pane divided by its width
//! body     = the model's columns in order, each as driftline-sketch encodes a summary
//! progress = n { topic:index  partition  from:zigzag  to:zigzag  flags  [front:zigzag]  [newest:zigzag]
//!                received  counted  dropped }
//! flags    = 1 idle | 2 has front | 4 has newest | 8 of outcomes
//! ```
//!
//! Format 2 is format 1 with what the labels say behind it, and with the flag that tells how far the joiner came in the
//! outcomes from how far observers came in the predictions. A batch that needs neither is written as format 1.
//!
//! ```text
//! outcomes = s { model:index  step_micros }  n { model:index  segment  change  arrival:zigzag  bucket:zigzag  len  body }
//! change   = 0 predicted | 1 add delay:u8 | 2 retract delay:u8
//! arrival  = start of the tick in which it became known, divided by the model's step; bucket the same of the predictions
//! body     = a summary of outcomes, or of predictions, as driftline-sketch encodes it
//! ```
//!
//! Every number is a canonical varint, so equal batches have equal bytes. Each delta names the reference it
//! was binned by, through its model: an evaluator with another reference refuses it instead of adding bins
//! that mean something else. Reading is bounded by the input's own length and refuses the batch as a whole.

use driftline_event::{OffsetRange, SourcePartition, Timestamp};

use crate::varint::{ReadError, Reader, put_i64, put_text, put_u64};

pub(crate) use outcome::{OutcomeChange, RawOutcome};
use outcome::{OutcomesWriter, read_outcomes};

mod outcome;

const MAGIC: &[u8; 4] = b"DLPB";
/// Deltas and progress of predictions.
const VERSION: u8 = 1;
/// The same, with outcomes.
const VERSION_OUTCOMES: u8 = 2;
/// The longest text that is read: topic, model, version, segment.
const TEXT_BYTES_MAX: usize = 4_096;
/// The latest instant that a pane may start at: 9999-12-31. Arithmetic on panes stays far from overflow.
const MICROS_MAX: i64 = 253_402_300_800_000_000;
const IDLE: u8 = 1;
const HAS_FRONT: u8 = 2;
const HAS_NEWEST: u8 = 4;
const OF_OUTCOMES: u8 = 8;

/// Why bytes are not a partial batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes do not begin like a batch.
    #[error("the record is not a partial batch")]
    NotABatch,
    /// The batch was written by another version of Driftline.
    #[error("the batch has format {0}, this evaluator reads up to {VERSION_OUTCOMES}")]
    UnknownFormat(u8),
    /// The bytes end too early.
    #[error("the batch is truncated")]
    Truncated,
    /// A value is not in its canonical form, out of its range, or not UTF-8.
    #[error("the batch is malformed: {0}")]
    Malformed(&'static str),
    /// A column's summary does not fit the reference.
    #[error("the delta of model `{model}` version `{version}` cannot be read: {reason}")]
    Delta {
        /// The model's id.
        model: String,
        /// The version's name.
        version: String,
        /// What does not fit.
        reason: String,
    },
}

impl From<ReadError> for BatchError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Truncated => Self::Truncated,
            ReadError::NotCanonical => Self::Malformed("a number is not in its shortest form"),
            ReadError::NotUtf8 => Self::Malformed("a text is not UTF-8"),
            ReadError::TooLong => Self::Malformed("a length is above its bound"),
        }
    }
}

/// How far an observer came in one source partition, or the joiner in one partition of the outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) source: SourcePartition,
    /// Whether it is about the outcomes: those and the predictions do not wait for each other.
    pub(crate) of_outcomes: bool,
    /// How many partitions the topic has; 0 if not known.
    pub(crate) topic_partitions: u32,
    pub(crate) range: OffsetRange,
    pub(crate) front: Option<Timestamp>,
    pub(crate) newest: Option<Timestamp>,
    pub(crate) idle: bool,
    pub(crate) received: u64,
    pub(crate) counted: u64,
    pub(crate) dropped: u64,
}

/// What a delta's bins belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModelRef<'a> {
    pub(crate) model: &'a str,
    pub(crate) version: &'a str,
    pub(crate) reference: &'a str,
    pub(crate) pane_micros: i64,
}

/// One delta before its columns are read, which takes the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawDelta<'a> {
    /// An index into [`Batch::models`].
    pub(crate) model: usize,
    pub(crate) segment: Option<&'a str>,
    pub(crate) pane: Timestamp,
    pub(crate) rows: u64,
    pub(crate) body: &'a [u8],
}

/// A batch that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch<'a> {
    pub(crate) models: Vec<ModelRef<'a>>,
    pub(crate) deltas: Vec<RawDelta<'a>>,
    pub(crate) progress: Vec<Progress>,
    pub(crate) outcomes: Vec<RawOutcome<'a>>,
}

/// Writes one or more batches that stay below a size, as far as single deltas do.
#[derive(Debug, Default)]
pub(crate) struct BatchWriter {
    bytes_max: usize,
    done: Vec<Vec<u8>>,
    models: Vec<u8>,
    models_count: u64,
    last_model: Option<u32>,
    deltas: Vec<u8>,
    deltas_count: u64,
    outcomes: OutcomesWriter,
}

impl BatchWriter {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            ..Self::default()
        }
    }

    /// Adds a delta. Deltas of one model, numbered `id`, follow each other.
    pub(crate) fn delta(&mut self, id: u32, model: ModelRef<'_>, delta: &RawDelta<'_>) {
        self.make_room(delta.body.len());
        self.name_model(id, model);
        let out = &mut self.deltas;
        put_u64(out, self.models_count - 1);
        match delta.segment {
            None => out.push(0),
            Some(segment) => {
                out.push(1);
                put_text(out, segment);
            }
        }
        put_i64(out, delta.pane.as_micros().div_euclid(model.pane_micros));
        put_u64(out, delta.rows);
        put_u64(out, delta.body.len() as u64);
        out.extend_from_slice(delta.body);
        self.deltas_count += 1;
    }

    /// Adds what labels say. Deltas and outcomes of one model, numbered `id`, follow each other.
    pub(crate) fn outcome(&mut self, id: u32, model: ModelRef<'_>, outcome: &RawOutcome<'_>) {
        self.make_room(outcome.body.len());
        self.name_model(id, model);
        self.outcomes.add(self.models_count - 1, outcome);
    }

    /// Ends the part at hand if so many bytes more would make it too large.
    fn make_room(&mut self, body: usize) {
        let size = self.models.len() + self.deltas.len() + self.outcomes.len() + body;
        let has_any = self.deltas_count > 0 || !self.outcomes.is_empty();
        if has_any && size > self.bytes_max {
            let part = self.finish_part(&[]);
            self.done.push(part);
        }
    }

    fn name_model(&mut self, id: u32, model: ModelRef<'_>) {
        if self.last_model != Some(id) {
            put_text(&mut self.models, model.model);
            put_text(&mut self.models, model.version);
            put_text(&mut self.models, model.reference);
            put_u64(&mut self.models, model.pane_micros as u64);
            self.models_count += 1;
            self.last_model = Some(id);
        }
    }

    /// The batches; the last one carries the progress.
    pub(crate) fn finish(mut self, progress: &[Progress]) -> Vec<Vec<u8>> {
        let last = self.finish_part(progress);
        self.done.push(last);
        self.done
    }

    fn finish_part(&mut self, progress: &[Progress]) -> Vec<u8> {
        let mut topics: Vec<(&str, u32)> = progress
            .iter()
            .map(|p| (p.source.topic.as_str(), p.topic_partitions))
            .collect();
        topics.sort_unstable();
        topics.dedup_by_key(|(topic, _)| *topic);
        let capacity = 64 + self.models.len() + self.deltas.len() + self.outcomes.len();
        let mut out = Vec::with_capacity(capacity);
        out.extend_from_slice(MAGIC);
        let of_outcomes = !self.outcomes.is_empty() || progress.iter().any(|p| p.of_outcomes);
        out.push(if of_outcomes {
            VERSION_OUTCOMES
        } else {
            VERSION
        });
        put_u64(&mut out, topics.len() as u64);
        for (name, partitions) in &topics {
            put_text(&mut out, name);
            put_u64(&mut out, u64::from(*partitions));
        }
        put_u64(&mut out, self.models_count);
        out.append(&mut self.models);
        put_u64(&mut out, self.deltas_count);
        out.append(&mut self.deltas);
        put_u64(&mut out, progress.len() as u64);
        for entry in progress {
            let topic = topics.partition_point(|(name, _)| *name < entry.source.topic.as_str());
            put_progress(&mut out, topic, entry);
        }
        if of_outcomes {
            self.outcomes.finish(&mut out);
        }
        self.models_count = 0;
        self.deltas_count = 0;
        self.last_model = None;
        out
    }
}

fn put_progress(out: &mut Vec<u8>, topic: usize, entry: &Progress) {
    put_u64(out, topic as u64);
    put_i64(out, i64::from(entry.source.partition));
    put_i64(out, entry.range.from);
    put_i64(out, entry.range.to);
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    out.push(
        flag(entry.idle, IDLE)
            | flag(entry.front.is_some(), HAS_FRONT)
            | flag(entry.newest.is_some(), HAS_NEWEST)
            | flag(entry.of_outcomes, OF_OUTCOMES),
    );
    for time in [entry.front, entry.newest].into_iter().flatten() {
        put_i64(out, time.as_micros());
    }
    put_u64(out, entry.received);
    put_u64(out, entry.counted);
    put_u64(out, entry.dropped);
}

impl<'a> Batch<'a> {
    /// Reads a batch, all of it or nothing.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(BatchError::NotABatch)?;
        let reader = &mut Reader::new(rest);
        let has_outcomes = match reader.u8()? {
            VERSION => false,
            VERSION_OUTCOMES => true,
            other => return Err(BatchError::UnknownFormat(other)),
        };
        let topics = many(reader, |r| Ok((r.text(TEXT_BYTES_MAX)?, r.u32()?)))?;
        let models = many(reader, read_model)?;
        let deltas = many(reader, |r| read_delta(r, &models))?;
        let flags = if has_outcomes { OF_OUTCOMES } else { 0 };
        let progress = many(reader, |r| read_progress(r, &topics, flags))?;
        let outcomes = if has_outcomes {
            read_outcomes(reader, models.len())?
        } else {
            Vec::new()
        };
        if !reader.rest.is_empty() {
            return Err(BatchError::Malformed("bytes follow the end"));
        }
        Ok(Self {
            models,
            deltas,
            progress,
            outcomes,
        })
    }
}

fn many<'a, T>(
    reader: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, BatchError>,
) -> Result<Vec<T>, BatchError> {
    let count = reader.count(usize::MAX)?;
    // Every item takes bytes, but not as many as it takes memory: grow with what is really read.
    let mut items = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        items.push(read(reader)?);
    }
    Ok(items)
}

fn read_model<'a>(reader: &mut Reader<'a>) -> Result<ModelRef<'a>, BatchError> {
    let model = reader.text(TEXT_BYTES_MAX)?;
    let version = reader.text(TEXT_BYTES_MAX)?;
    let reference = reader.text(TEXT_BYTES_MAX)?;
    let pane_micros = i64::try_from(reader.u64()?)
        .ok()
        .filter(|&p| p > 0 && p <= MICROS_MAX);
    let pane_micros = pane_micros.ok_or(BatchError::Malformed("a pane has no width"))?;
    Ok(ModelRef {
        model,
        version,
        reference,
        pane_micros,
    })
}

fn read_delta<'a>(
    reader: &mut Reader<'a>,
    models: &[ModelRef<'a>],
) -> Result<RawDelta<'a>, BatchError> {
    let model = reader.count(usize::MAX)?;
    let width = models
        .get(model)
        .ok_or(BatchError::Malformed("a delta has no model"))?
        .pane_micros;
    let segment = read_segment(reader)?;
    let start = read_instant(reader, width)?;
    let rows = reader.u64()?;
    let len = reader.count(usize::MAX)?;
    let body = reader.bytes(len)?;
    Ok(RawDelta {
        model,
        segment,
        pane: start,
        rows,
        body,
    })
}

fn read_segment<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a str>, BatchError> {
    match reader.u8()? {
        0 => Ok(None),
        1 => Ok(Some(reader.text(TEXT_BYTES_MAX)?)),
        _ => Err(BatchError::Malformed(
            "a segment is neither there nor absent",
        )),
    }
}

/// An instant that was divided by `width`.
fn read_instant(reader: &mut Reader<'_>, width: i64) -> Result<Timestamp, BatchError> {
    let micros = reader
        .i64()?
        .checked_mul(width)
        .filter(|t| t.abs() <= MICROS_MAX);
    let micros = micros.ok_or(BatchError::Malformed("a pane is out of range"))?;
    Ok(Timestamp::from_micros(micros))
}

/// `more` are flags that the batch's format knows besides the usual ones.
fn read_progress(
    reader: &mut Reader<'_>,
    topics: &[(&str, u32)],
    more: u8,
) -> Result<Progress, BatchError> {
    let topic = reader.count(usize::MAX)?;
    let (topic, topic_partitions) = *topics
        .get(topic)
        .ok_or(BatchError::Malformed("a range has no topic"))?;
    let partition = i32::try_from(reader.i64()?)
        .map_err(|_| BatchError::Malformed("a partition number is out of range"))?;
    let range = OffsetRange {
        from: reader.i64()?,
        to: reader.i64()?,
    };
    if range.from > range.to {
        return Err(BatchError::Malformed("a range of offsets runs backwards"));
    }
    let flags = reader.u8()?;
    if flags & !(IDLE | HAS_FRONT | HAS_NEWEST | more) != 0 {
        return Err(BatchError::Malformed("an unknown flag is set"));
    }
    let mut time = |bit: u8| -> Result<Option<Timestamp>, BatchError> {
        Ok(if flags & bit == 0 {
            None
        } else {
            Some(Timestamp::from_micros(reader.i64()?))
        })
    };
    let (front, newest) = (time(HAS_FRONT)?, time(HAS_NEWEST)?);
    let source = SourcePartition {
        topic: topic.to_owned(),
        partition,
    };
    let (received, counted, dropped) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let idle = flags & IDLE != 0;
    Ok(Progress {
        source,
        of_outcomes: flags & OF_OUTCOMES != 0,
        topic_partitions,
        range,
        front,
        newest,
        idle,
        received,
        counted,
        dropped,
    })
}

#[cfg(test)]
mod tests;
