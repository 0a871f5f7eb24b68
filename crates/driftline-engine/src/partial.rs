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
//! flags    = 1 idle | 2 has front | 4 has newest
//! ```
//!
//! Every number is a canonical varint, so equal batches have equal bytes. Each delta names the reference it
//! was binned by, through its model: an evaluator with another reference refuses it instead of adding bins
//! that mean something else. Reading is bounded by the input's own length and refuses the batch as a whole.

use driftline_event::{OffsetRange, SourcePartition, Timestamp};

use crate::varint::{ReadError, Reader, put_i64, put_text, put_u64};

const MAGIC: &[u8; 4] = b"DLPB";
const VERSION: u8 = 1;
/// The longest text that is read: topic, model, version, segment.
const TEXT_BYTES_MAX: usize = 4_096;
/// The latest instant that a pane may start at: 9999-12-31. Arithmetic on panes stays far from overflow.
const MICROS_MAX: i64 = 253_402_300_800_000_000;
const IDLE: u8 = 1;
const HAS_FRONT: u8 = 2;
const HAS_NEWEST: u8 = 4;

/// Why bytes are not a partial batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes do not begin like a batch.
    #[error("the record is not a partial batch")]
    NotABatch,
    /// The batch was written by another version of Driftline.
    #[error("the batch has format {0}, this evaluator reads format {VERSION}")]
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

/// How far an observer came in one source partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) source: SourcePartition,
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
        let size = self.models.len() + self.deltas.len() + delta.body.len();
        if self.deltas_count > 0 && size > self.bytes_max {
            let part = self.finish_part(&[]);
            self.done.push(part);
        }
        if self.last_model != Some(id) {
            put_text(&mut self.models, model.model);
            put_text(&mut self.models, model.version);
            put_text(&mut self.models, model.reference);
            put_u64(&mut self.models, model.pane_micros as u64);
            self.models_count += 1;
            self.last_model = Some(id);
        }
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
        let mut out = Vec::with_capacity(64 + self.models.len() + self.deltas.len());
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
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
            | flag(entry.newest.is_some(), HAS_NEWEST),
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
        match reader.u8()? {
            VERSION => {}
            other => return Err(BatchError::UnknownFormat(other)),
        }
        let topics = many(reader, |r| Ok((r.text(TEXT_BYTES_MAX)?, r.u32()?)))?;
        let models = many(reader, read_model)?;
        let deltas = many(reader, |r| read_delta(r, &models))?;
        let progress = many(reader, |r| read_progress(r, &topics))?;
        if !reader.rest.is_empty() {
            return Err(BatchError::Malformed("bytes follow the end"));
        }
        Ok(Self {
            models,
            deltas,
            progress,
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
    let segment = match reader.u8()? {
        0 => None,
        1 => Some(reader.text(TEXT_BYTES_MAX)?),
        _ => {
            return Err(BatchError::Malformed(
                "a segment is neither there nor absent",
            ));
        }
    };
    let start = reader
        .i64()?
        .checked_mul(width)
        .filter(|t| t.abs() <= MICROS_MAX);
    let start = start.ok_or(BatchError::Malformed("a pane is out of range"))?;
    let rows = reader.u64()?;
    let len = reader.count(usize::MAX)?;
    let body = reader.bytes(len)?;
    Ok(RawDelta {
        model,
        segment,
        pane: Timestamp::from_micros(start),
        rows,
        body,
    })
}

fn read_progress(reader: &mut Reader<'_>, topics: &[(&str, u32)]) -> Result<Progress, BatchError> {
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
    if flags & !(IDLE | HAS_FRONT | HAS_NEWEST) != 0 {
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn model(name: &str) -> ModelRef<'_> {
        ModelRef {
            model: name,
            version: "1",
            reference: "abc",
            pane_micros: 60_000_000,
        }
    }

    fn delta<'a>(
        model: usize,
        segment: Option<&'a str>,
        minute: i64,
        body: &'a [u8],
    ) -> RawDelta<'a> {
        RawDelta {
            model,
            segment,
            pane: Timestamp::from_seconds(60 * minute),
            rows: 7,
            body,
        }
    }

    fn progress(topic: &str, partition: i32) -> Progress {
        Progress {
            source: SourcePartition {
                topic: topic.to_owned(),
                partition,
            },
            topic_partitions: 12,
            range: OffsetRange { from: 5, to: 90 },
            front: Some(Timestamp::from_seconds(-3)),
            newest: None,
            idle: true,
            received: 80,
            counted: 70,
            dropped: 10,
        }
    }

    fn example(bytes_max: usize) -> Vec<Vec<u8>> {
        let mut writer = BatchWriter::new(bytes_max);
        writer.delta(3, model("a"), &delta(0, None, -1, &[1; 40]));
        writer.delta(3, model("a"), &delta(0, Some("s=x"), 2, &[2; 40]));
        writer.delta(8, model("b"), &delta(0, None, 2, &[]));
        writer.finish(&[progress("t", 0), progress("s", 1), progress("t", 1)])
    }

    #[test]
    fn reads_what_it_wrote() {
        let batches = example(10_000);
        assert_eq!(batches.len(), 1);
        let batch = Batch::decode(&batches[0]).unwrap();
        assert_eq!(batch.models, [model("a"), model("b")]);
        assert_eq!(
            batch.deltas,
            [
                delta(0, None, -1, &[1; 40]),
                delta(0, Some("s=x"), 2, &[2; 40]),
                delta(1, None, 2, &[])
            ]
        );
        assert_eq!(
            batch.progress,
            [progress("t", 0), progress("s", 1), progress("t", 1)]
        );
    }

    #[test]
    fn splits_what_is_too_large_and_only_the_last_part_makes_progress() {
        let batches = example(80);
        let parts: Vec<_> = batches.iter().map(|b| Batch::decode(b).unwrap()).collect();
        assert_eq!(
            parts.iter().map(|p| p.deltas.len()).collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!(
            parts.iter().map(|p| p.progress.len()).collect::<Vec<_>>(),
            [0, 3]
        );
        assert_eq!(parts[1].models, [model("a"), model("b")]);
    }

    #[test]
    fn refuses_every_truncation_and_every_extension() {
        let bytes = &example(10_000)[0];
        for end in 0..bytes.len() {
            assert!(Batch::decode(&bytes[..end]).is_err(), "{end}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(
            Batch::decode(&longer),
            Err(BatchError::Malformed("bytes follow the end"))
        );
        let mut newer = bytes.clone();
        newer[4] = 9;
        assert_eq!(Batch::decode(&newer), Err(BatchError::UnknownFormat(9)));
        assert_eq!(Batch::decode(b"hello"), Err(BatchError::NotABatch));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(at: prop::sample::Index, byte: u8, tail in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut bytes = example(10_000).remove(0);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = Batch::decode(&bytes);
            let mut headed = b"DLPB\x01".to_vec();
            headed.extend(tail);
            let _ = Batch::decode(&headed);
        }
    }
}
