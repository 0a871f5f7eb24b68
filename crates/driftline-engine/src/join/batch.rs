//! The bytes of a record on the outcomes topic: predictions that wait for their labels, or labels.
//!
//! ```text
//! batch       = "DLOB" version:u8 side:u8  table  entries  progress
//! side        = 0 predictions | 1 labels
//! predictions: models  = n { model:text  version:text  reference:text }
//!              groups  = n { model:index  n { segment:text } }
//!              entries = n { group:index  id:16 bytes  at:zigzag  len:u8  scored }
//! labels:      scopes  = n { model:text  0 | 1 version:text }
//!              entries = n { scope:0 | 1 + index  id:16 bytes  at:zigzag  flags:u8  value  [weight:8 bytes]  revision:zigzag }
//! flags       = 1 the value is a text (else 8 bytes) | 2 has a weight
//! at          = microseconds since the entry before; the first since 1970
//! scored      = driftline-sketch's 30 bytes without the zeros at their end
//! progress    = len  bytes of a partial batch that has progress and nothing else
//! ```
//!
//! Numbers are canonical varints, those of 8 and 16 bytes little-endian, so equal batches have equal bytes. A flush writes
//! one batch, or several if one would be too large, to *every* partition of the topic; the last one says how far the
//! source partitions have come. Reading is bounded by the input's own length and refuses the batch as a whole.

use crate::partial::{Batch, BatchError, Progress};
use crate::varint::Reader;

pub(crate) use write::{LabelsWriter, PredictionsWriter};

mod write;

const MAGIC: &[u8; 4] = b"DLOB";
const VERSION: u8 = 1;
const PREDICTIONS: u8 = 0;
const LABELS: u8 = 1;
const IS_TEXT: u8 = 1;
const HAS_WEIGHT: u8 = 2;
/// The longest text that is read: model, version, reference, segment, class.
pub(crate) const TEXT_BYTES_MAX: usize = 4_096;
/// The most segments that one prediction can belong to.
pub(crate) const SEGMENTS_MAX: usize = 64;
/// Times further from 1970 than this are refused: 9999-12-31. Arithmetic on them stays far from overflow.
pub(crate) const MICROS_MAX: i64 = 253_402_300_800_000_000;
/// What driftline-sketch makes of a prediction.
pub(crate) const SCORED_BYTES: usize = 30;

/// Which model version predictions belong to, and by which reference they were scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scorer<'a> {
    pub(crate) model: &'a str,
    pub(crate) version: &'a str,
    pub(crate) reference: &'a str,
}

/// The series that a prediction belongs to besides that of all events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupEntry<'a> {
    /// An index into [`Predictions::models`].
    pub(crate) model: usize,
    pub(crate) segments: Vec<&'a str>,
}

/// A prediction that waits for its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PredictionEntry {
    /// An index into [`Predictions::groups`].
    pub(crate) group: usize,
    pub(crate) id: u128,
    pub(crate) at: i64,
    pub(crate) scored: [u8; SCORED_BYTES],
}

/// Which predictions of its id a label is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ScopeEntry<'a> {
    pub(crate) model: &'a str,
    pub(crate) version: Option<&'a str>,
}

/// A label as it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Number(f64),
    Text(&'a str),
}

/// What turned out to be true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LabelEntry<'a> {
    /// An index into [`Labels::scopes`]; none for all predictions of the id.
    pub(crate) scope: Option<usize>,
    pub(crate) id: u128,
    pub(crate) at: i64,
    pub(crate) value: Value<'a>,
    pub(crate) weight: f64,
    pub(crate) revision: i64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Predictions<'a> {
    pub(crate) models: Vec<Scorer<'a>>,
    pub(crate) groups: Vec<GroupEntry<'a>>,
    pub(crate) entries: Vec<PredictionEntry>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Labels<'a> {
    pub(crate) scopes: Vec<ScopeEntry<'a>>,
    pub(crate) entries: Vec<LabelEntry<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Side<'a> {
    Predictions(Predictions<'a>),
    Labels(Labels<'a>),
}

/// A batch that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OutcomeBatch<'a> {
    pub(crate) side: Side<'a>,
    pub(crate) progress: Vec<Progress>,
}

impl<'a> OutcomeBatch<'a> {
    /// Reads a batch, all of it or nothing.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(BatchError::NotABatch)?;
        let reader = &mut Reader::new(rest);
        match reader.u8()? {
            VERSION => {}
            other => return Err(BatchError::UnknownFormat(other)),
        }
        let side = match reader.u8()? {
            PREDICTIONS => Side::Predictions(read_predictions(reader)?),
            LABELS => Side::Labels(read_labels(reader)?),
            _ => return Err(malformed("it has neither predictions nor labels")),
        };
        let len = reader.count(usize::MAX)?;
        let inner = Batch::decode(reader.bytes(len)?)?;
        if !(inner.models.is_empty() && inner.deltas.is_empty() && inner.outcomes.is_empty()) {
            return Err(malformed("its progress has more than progress"));
        }
        if !reader.rest.is_empty() {
            return Err(malformed("bytes follow the end"));
        }
        Ok(Self {
            side,
            progress: inner.progress,
        })
    }
}

fn malformed(what: &'static str) -> BatchError {
    BatchError::Malformed(what)
}

fn many<'a, T>(
    reader: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, BatchError>,
) -> Result<Vec<T>, BatchError> {
    let count = reader.count(usize::MAX)?;
    // An item is at least a few bytes long: what is said to come cannot make memory grow much beyond what is there.
    let mut items = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        items.push(read(reader)?);
    }
    Ok(items)
}

fn read_predictions<'a>(reader: &mut Reader<'a>) -> Result<Predictions<'a>, BatchError> {
    let models = many(reader, |r| {
        Ok(Scorer {
            model: r.text(TEXT_BYTES_MAX)?,
            version: r.text(TEXT_BYTES_MAX)?,
            reference: r.text(TEXT_BYTES_MAX)?,
        })
    })?;
    let groups = many(reader, |r| {
        let model = r.count(usize::MAX)?;
        if model >= models.len() {
            return Err(malformed("a group has no model"));
        }
        let count = r.count(SEGMENTS_MAX)?;
        let segments: Result<Vec<_>, _> = (0..count).map(|_| r.text(TEXT_BYTES_MAX)).collect();
        let segments = segments?;
        Ok(GroupEntry { model, segments })
    })?;
    let mut last = 0;
    let entries = many(reader, |r| read_prediction(r, groups.len(), &mut last))?;
    Ok(Predictions {
        models,
        groups,
        entries,
    })
}

fn read_prediction(
    reader: &mut Reader<'_>,
    groups: usize,
    last: &mut i64,
) -> Result<PredictionEntry, BatchError> {
    let group = index(reader, groups)?.ok_or(malformed("a prediction has no group"))?;
    let id = read_id(reader)?;
    let at = read_time(reader, last)?;
    let len = usize::from(reader.u8()?);
    let mut scored = [0; SCORED_BYTES];
    let into = scored
        .get_mut(..len)
        .ok_or(malformed("a prediction is too long"))?;
    into.copy_from_slice(reader.bytes(len)?);
    if into.last() == Some(&0) {
        return Err(malformed("a prediction ends with zeros"));
    }
    Ok(PredictionEntry {
        group,
        id,
        at,
        scored,
    })
}

fn read_labels<'a>(reader: &mut Reader<'a>) -> Result<Labels<'a>, BatchError> {
    let scopes = many(reader, |r| {
        let model = r.text(TEXT_BYTES_MAX)?;
        let version = match r.u8()? {
            0 => None,
            1 => Some(r.text(TEXT_BYTES_MAX)?),
            _ => return Err(malformed("a version is neither there nor absent")),
        };
        Ok(ScopeEntry { model, version })
    })?;
    let mut last = 0;
    let entries = many(reader, |r| read_label(r, scopes.len(), &mut last))?;
    Ok(Labels { scopes, entries })
}

fn read_label<'a>(
    reader: &mut Reader<'a>,
    scopes: usize,
    last: &mut i64,
) -> Result<LabelEntry<'a>, BatchError> {
    let scope = index(reader, scopes + 1)?.ok_or(malformed("a label has no scope"))?;
    let id = read_id(reader)?;
    let at = read_time(reader, last)?;
    let flags = reader.u8()?;
    if flags & !(IS_TEXT | HAS_WEIGHT) != 0 {
        return Err(malformed("an unknown flag is set"));
    }
    let value = if flags & IS_TEXT == 0 {
        Value::Number(read_number(reader)?)
    } else {
        Value::Text(reader.text(TEXT_BYTES_MAX)?)
    };
    let weight = if flags & HAS_WEIGHT == 0 {
        1.0
    } else {
        let weight = read_number(reader)?;
        if weight.is_sign_negative() || weight.to_bits() == 1.0_f64.to_bits() {
            return Err(malformed("a weight is negative, or one"));
        }
        weight
    };
    Ok(LabelEntry {
        scope: scope.checked_sub(1),
        id,
        at,
        value,
        weight,
        revision: reader.i64()?,
    })
}

fn index(reader: &mut Reader<'_>, bound: usize) -> Result<Option<usize>, BatchError> {
    let index = usize::try_from(reader.u64()?).ok();
    Ok(index.filter(|index| *index < bound))
}

fn read_id(reader: &mut Reader<'_>) -> Result<u128, BatchError> {
    let mut id = [0; 16];
    id.copy_from_slice(reader.bytes(16)?);
    Ok(u128::from_le_bytes(id))
}

fn read_time(reader: &mut Reader<'_>, last: &mut i64) -> Result<i64, BatchError> {
    let at = last.checked_add(reader.i64()?);
    let at = at.filter(|at| (-MICROS_MAX..=MICROS_MAX).contains(at));
    *last = at.ok_or(malformed("a time is out of range"))?;
    Ok(*last)
}

fn read_number(reader: &mut Reader<'_>) -> Result<f64, BatchError> {
    let mut number = [0; 8];
    number.copy_from_slice(reader.bytes(8)?);
    let number = f64::from_le_bytes(number);
    if number.is_finite() {
        Ok(number)
    } else {
        Err(malformed("a number is not finite"))
    }
}

#[cfg(test)]
mod tests;
