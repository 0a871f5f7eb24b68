//! The part of a batch that says what labels have shown.

use std::collections::BTreeMap;

use driftline_event::Timestamp;
use driftline_sketch::DelayBucket;

use super::{BatchError, MICROS_MAX, many, read_instant, read_segment};
use crate::varint::{Reader, put_i64, put_text, put_u64};

const PREDICTED: u8 = 0;
const ADD: u8 = 1;
const RETRACT: u8 = 2;

/// What an outcome delta does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OutcomeChange {
    /// Its body is a summary of predictions, whose labels are waited for.
    Predicted,
    /// Its body is a summary of predictions with their labels, which came so late: the number of the
    /// [`DelayBucket`].
    Add(u8),
    /// The same that was added before and no longer holds.
    Retract(u8),
}

/// One outcome delta before its summary is read, which takes the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawOutcome<'a> {
    /// An index into [`super::Batch::models`]; the writer sets it by itself.
    pub(crate) model: usize,
    /// The width of ticks and buckets; one for all deltas of a model.
    pub(crate) step_micros: i64,
    pub(crate) segment: Option<&'a str>,
    /// The start of the tick in which it became known.
    pub(crate) arrival: Timestamp,
    /// The start of the bucket of the predictions' own time.
    pub(crate) bucket: Timestamp,
    pub(crate) change: OutcomeChange,
    pub(crate) body: &'a [u8],
}

/// The outcomes of the part that is being written.
#[derive(Debug, Default)]
pub(super) struct OutcomesWriter {
    steps: BTreeMap<u64, i64>,
    deltas: Vec<u8>,
    count: u64,
}

impl OutcomesWriter {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn len(&self) -> usize {
        self.deltas.len()
    }

    pub(super) fn add(&mut self, model: u64, outcome: &RawOutcome<'_>) {
        let step = outcome.step_micros;
        debug_assert!(step > 0, "the specification was checked");
        self.steps.insert(model, step);
        let out = &mut self.deltas;
        put_u64(out, model);
        match outcome.segment {
            None => out.push(0),
            Some(segment) => {
                out.push(1);
                put_text(out, segment);
            }
        }
        match outcome.change {
            OutcomeChange::Predicted => out.push(PREDICTED),
            OutcomeChange::Add(delay) => out.extend([ADD, delay]),
            OutcomeChange::Retract(delay) => out.extend([RETRACT, delay]),
        }
        for instant in [outcome.arrival, outcome.bucket] {
            put_i64(out, instant.as_micros().div_euclid(step.max(1)));
        }
        put_u64(out, outcome.body.len() as u64);
        out.extend_from_slice(outcome.body);
        self.count += 1;
    }

    /// Writes the section, and is empty again.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        put_u64(out, self.steps.len() as u64);
        for (model, step) in std::mem::take(&mut self.steps) {
            put_u64(out, model);
            put_u64(out, step.unsigned_abs());
        }
        put_u64(out, self.count);
        out.append(&mut self.deltas);
        self.count = 0;
    }
}

/// Reads the section of a batch with so many models.
pub(super) fn read_outcomes<'a>(
    reader: &mut Reader<'a>,
    models: usize,
) -> Result<Vec<RawOutcome<'a>>, BatchError> {
    let mut last = None;
    let steps = many(reader, |r| {
        let (model, step) = read_step(r)?;
        if model >= models || last.is_some_and(|last| model <= last) {
            return Err(BatchError::Malformed("a step has no model"));
        }
        last = Some(model);
        Ok((model, step))
    })?;
    many(reader, |r| read_outcome(r, &steps))
}

fn read_step(reader: &mut Reader<'_>) -> Result<(usize, i64), BatchError> {
    let model = usize::try_from(reader.u64()?);
    let model = model.map_err(|_| BatchError::Malformed("a step has no model"))?;
    let step = i64::try_from(reader.u64()?).ok();
    let step = step.filter(|&step| step > 0 && step <= MICROS_MAX);
    Ok((
        model,
        step.ok_or(BatchError::Malformed("a step has no width"))?,
    ))
}

fn read_outcome<'a>(
    reader: &mut Reader<'a>,
    steps: &[(usize, i64)],
) -> Result<RawOutcome<'a>, BatchError> {
    let model = reader.u64()?;
    let of_model = steps.iter().find(|(index, _)| *index as u64 == model);
    let &(model, step_micros) =
        of_model.ok_or(BatchError::Malformed("an outcome's model has no step"))?;
    let segment = read_segment(reader)?;
    let change = match reader.u8()? {
        PREDICTED => OutcomeChange::Predicted,
        ADD => OutcomeChange::Add(read_delay(reader)?),
        RETRACT => OutcomeChange::Retract(read_delay(reader)?),
        _ => return Err(BatchError::Malformed("an outcome changes nothing known")),
    };
    let arrival = read_instant(reader, step_micros)?;
    let bucket = read_instant(reader, step_micros)?;
    if arrival < bucket {
        return Err(BatchError::Malformed(
            "an outcome is known before its prediction",
        ));
    }
    let len = reader.count(usize::MAX)?;
    Ok(RawOutcome {
        model,
        step_micros,
        segment,
        arrival,
        bucket,
        change,
        body: reader.bytes(len)?,
    })
}

fn read_delay(reader: &mut Reader<'_>) -> Result<u8, BatchError> {
    let delay = reader.u8()?;
    let known = DelayBucket::new(delay).map(|_| delay);
    known.ok_or(BatchError::Malformed("a delay is none of the known ones"))
}
