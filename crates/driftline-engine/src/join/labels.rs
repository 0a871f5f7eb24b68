//! Sends labels to where their predictions are.

use std::time::Duration;

use driftline_event::{DropReason, SourcePartition, Timestamp};

use super::batch::{LabelEntry, LabelsWriter, ScopeEntry, TEXT_BYTES_MAX, Value};
use super::forward::{outcomes_partition, prediction_id};
use super::model::JoinedModels;
use crate::invariants::Violation;
use crate::observer::{SourceHandle, Tally};
use crate::source::{Plausible, Sources};
use crate::spec::ModelSet;

/// The bounds and settings of a [`LabelForwarder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelForwarderOptions {
    /// How many partitions the outcomes topic has.
    pub outcomes_partitions: u32,
    /// Which of the largest times of a source partition is its front; up to 64.
    pub watermark_rank: usize,
    /// How far a label's time may be ahead of the record's own timestamp.
    pub future_skew: Duration,
    /// Times before this are not plausible.
    pub earliest: Timestamp,
    /// Times after this are not plausible.
    pub latest: Timestamp,
    /// The size above which a batch is split.
    pub batch_bytes_max: usize,
}

impl Default for LabelForwarderOptions {
    /// One partition, rank 16, ten minutes of skew, 1970-01-02 to 2100, batches up to 900 kB.
    fn default() -> Self {
        Self {
            outcomes_partitions: 1,
            watermark_rank: 16,
            future_skew: Duration::from_secs(600),
            earliest: Timestamp::from_seconds(86_400),
            latest: Timestamp::from_seconds(4_102_444_800),
            batch_bytes_max: 900_000,
        }
    }
}

/// What turned out to be true, as it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LabelValue<'a> {
    /// A number.
    Number(f64),
    /// A class or an item.
    Text(&'a str),
}

/// One decoded label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelEvent<'a> {
    /// The id of its prediction.
    pub id: &'a str,
    /// The model, where the sender knows it.
    pub model: Option<&'a str>,
    /// The version, where the sender knows it; means nothing without a model.
    pub version: Option<&'a str>,
    /// When the truth became known.
    pub observed_at: Timestamp,
    /// The truth.
    pub value: LabelValue<'a>,
    /// How much it counts, not negative.
    pub weight: f64,
    /// A higher one replaces a lower one.
    pub revision: i64,
}

/// Everything since the last flush, to be written in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelFlush {
    /// Records for the outcomes topic, with their partitions; every partition gets at least one.
    pub outcomes: Vec<(u32, Vec<u8>)>,
    /// For every assigned source partition: the next offset to read, and the metadata to commit with it.
    pub positions: Vec<(SourcePartition, i64, String)>,
    /// By source partition.
    pub tallies: Vec<Tally>,
    /// What should not have happened.
    pub violations: Vec<Violation>,
}

/// Checks labels, and writes them to the partitions of the outcomes topic where their predictions are.
///
/// It is to labels what an [`Observer`](crate::Observer) is to predictions: the same positions, fronts and tallies, and the
/// same rule for a transaction that fails. No label is late here; whether one still finds its prediction is the
/// [`Joiner`](crate::Joiner)'s matter.
#[derive(Debug)]
pub struct LabelForwarder {
    models: JoinedModels,
    sources: Sources,
    writers: Vec<LabelsWriter>,
    plausible: Plausible,
    options: LabelForwarderOptions,
    bytes: usize,
}

impl LabelForwarder {
    /// A forwarder of labels of these models that has no source partition yet.
    pub fn new(models: &ModelSet, options: LabelForwarderOptions) -> Self {
        let writer = |_| LabelsWriter::new(options.batch_bytes_max);
        Self {
            models: JoinedModels::new(models),
            sources: Sources::new(options.watermark_rank, 0),
            writers: (0..options.outcomes_partitions.max(1))
                .map(writer)
                .collect(),
            plausible: Plausible {
                earliest: options.earliest,
                latest: options.latest,
                future_skew: options.future_skew,
            },
            options,
            bytes: 0,
        }
    }

    /// As [`Observer::announce_topic`](crate::Observer::announce_topic).
    pub fn announce_topic(&mut self, topic: &str, partitions: u32) {
        self.sources.announce_topic(topic, partitions);
    }

    /// As [`Observer::assign`](crate::Observer::assign).
    pub fn assign(
        &mut self,
        partition: SourcePartition,
        position: i64,
        metadata: Option<&str>,
    ) -> SourceHandle {
        self.sources.assign(partition, position, metadata)
    }

    /// Gives up a source partition. Flush first.
    pub fn revoke(&mut self, source: SourceHandle) {
        self.sources.revoke(source);
    }

    /// Forgets everything since the last flush, and all source partitions.
    pub fn reset(&mut self) {
        self.sources.reset();
        for writer in &mut self.writers {
            *writer = LabelsWriter::new(self.options.batch_bytes_max);
        }
        self.bytes = 0;
    }

    /// Takes in the label of one record; `record_time` is the record's own timestamp.
    ///
    /// # Errors
    /// Why the label does not count. It is accounted for either way.
    pub fn observe(
        &mut self,
        source: SourceHandle,
        offset: i64,
        record_time: Option<Timestamp>,
        label: &LabelEvent<'_>,
    ) -> Result<(), DropReason> {
        let Some(state) = self.sources.receive(source, offset) else {
            return Ok(());
        };
        let at = label.observed_at;
        let outcome = self.plausible.check(record_time, at).and_then(|()| {
            let scope = check(label)?;
            let named = scope.map(|s| (s.model, s.version));
            let number = self.models.scope(named).ok_or(DropReason::UnknownModel)?;
            state.front.record(at);
            let id = prediction_id(label.id);
            if !self.models.samples_label(number, id) {
                return Err(DropReason::SampledOut);
            }
            let entry = LabelEntry {
                scope: None,
                id,
                at: at.as_micros(),
                value: match label.value {
                    LabelValue::Number(number) => Value::Number(number),
                    LabelValue::Text(text) => Value::Text(text),
                },
                weight: label.weight,
                revision: label.revision,
            };
            let partition = outcomes_partition(id, self.writers.len() as u32);
            self.bytes += self.writers[partition as usize].add(scope, &entry);
            Ok(())
        });
        state.conclude(outcome);
        outcome
    }

    /// Takes in a record that does not count, for a reason that was found before it became a label.
    pub fn skip(&mut self, source: SourceHandle, offset: i64, reason: DropReason) {
        if let Some(state) = self.sources.receive(source, offset) {
            state.conclude(Err(reason));
        }
    }

    /// Moves the position to `next_offset` over offsets that hold no record.
    pub fn advance(&mut self, source: SourceHandle, next_offset: i64) {
        self.sources.advance(source, next_offset);
    }

    /// Says that a source partition has had nothing to read for a while, so nobody should wait for it.
    /// The next record ends that.
    pub fn idle(&mut self, source: SourceHandle) {
        self.sources.idle(source);
    }

    /// Says that a source partition has ended for good.
    pub fn finish(&mut self, source: SourceHandle) {
        self.sources.finish(source);
    }

    /// The next offset to read from a source partition, if it is assigned.
    pub fn position(&self, source: SourceHandle) -> Option<i64> {
        self.sources.position(source)
    }

    /// About how much memory the labels since the last flush take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a flush would say anything new.
    pub fn has_changes(&self) -> bool {
        self.sources.has_changes()
    }

    /// Hands over everything since the last flush and forgets it.
    pub fn flush(&mut self) -> LabelFlush {
        let flushed = self.sources.flush();
        let mut outcomes = Vec::with_capacity(self.writers.len());
        for (partition, writer) in (0..).zip(&mut self.writers) {
            let batches = writer.finish(&flushed.progress);
            outcomes.extend(batches.into_iter().map(|batch| (partition, batch)));
        }
        self.bytes = 0;
        LabelFlush {
            outcomes,
            positions: flushed.positions,
            tallies: flushed.tallies,
            violations: flushed.violations,
        }
    }
}

/// The scope that a label names, if the label is within its bounds.
fn check<'a>(label: &LabelEvent<'a>) -> Result<Option<ScopeEntry<'a>>, DropReason> {
    if label.id.is_empty() || (label.model.is_none() && label.version.is_some()) {
        return Err(DropReason::MissingField);
    }
    let texts = [label.model, label.version];
    let value = match label.value {
        LabelValue::Text(text) => Some(text),
        LabelValue::Number(number) if number.is_finite() => None,
        LabelValue::Number(_) => return Err(DropReason::Malformed),
    };
    if texts
        .into_iter()
        .chain([value])
        .flatten()
        .any(|text| text.len() > TEXT_BYTES_MAX)
    {
        return Err(DropReason::BoundExceeded);
    }
    if !(label.weight.is_finite() && label.weight >= 0.0) {
        return Err(DropReason::Malformed);
    }
    Ok(label.model.map(|model| ScopeEntry {
        model,
        version: label.version,
    }))
}
