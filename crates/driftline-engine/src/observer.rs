//! The first stage: rows in, partial batches out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use driftline_event::{DropReason, LayoutId, Row, SourcePartition, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use crate::coerce::Cells;
use crate::counting::ModelCounts;
use crate::invariants::Violation;
use crate::join::{ForwardTally, PredictionForwarder};
use crate::partial::{BatchWriter, Progress};
use crate::source::{Plausible, Sources};
use crate::spec::ModelSet;

/// The bounds and settings of an [`Observer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObserverOptions {
    /// How many partitions the partials topic has.
    pub partials_partitions: u32,
    /// How many partitions the outcomes topic has.
    pub outcomes_partitions: u32,
    /// Which of the largest event times of a source partition is its front; up to 64.
    pub watermark_rank: usize,
    /// How far an event time may be ahead of the record's own timestamp.
    pub future_skew: Duration,
    /// Event times before this are not plausible.
    pub earliest: Timestamp,
    /// Event times after this are not plausible.
    pub latest: Timestamp,
    /// The size above which a batch is split.
    pub batch_bytes_max: usize,
}

impl Default for ObserverOptions {
    /// One partition of partials and of outcomes, rank 16, ten minutes of skew, 1970-01-02 to 2100, batches up to 900 kB.
    fn default() -> Self {
        Self {
            partials_partitions: 1,
            outcomes_partitions: 1,
            watermark_rank: 16,
            future_skew: Duration::from_secs(600),
            earliest: Timestamp::from_seconds(86_400),
            latest: Timestamp::from_seconds(4_102_444_800),
            batch_bytes_max: 900_000,
        }
    }
}

/// A source partition that is assigned to an [`Observer`]. Good until the partition is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceHandle(pub(crate) u32);

/// What became of the records of one source partition since the last flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Which partition.
    pub source: SourcePartition,
    /// Records taken in.
    pub received: u64,
    /// Records that count.
    pub counted: u64,
    /// Records that do not, by reason; received = counted + dropped.
    pub dropped: BTreeMap<DropReason, u64>,
    /// The event time from which the watermark follows, if there were events enough to tell.
    pub front: Option<Timestamp>,
}

/// What one model got from one source partition since the last flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTally {
    /// Which partition.
    pub source: SourcePartition,
    /// Which model and version.
    pub layout: LayoutId,
    /// Rows that count.
    pub counted: u64,
    /// Rows that came after their pane had closed.
    pub late: u64,
}

/// Rows of one model whose segment value did not get a series of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentOverflow {
    /// Which model and version.
    pub layout: LayoutId,
    /// The segment field.
    pub field: String,
    /// How many rows.
    pub rows: u64,
}

/// Everything since the last flush, to be written in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flush {
    /// Records for the partials topic, with their partitions; every partition gets at least one.
    pub batches: Vec<(u32, Vec<u8>)>,
    /// Records for the outcomes topic, with their partitions; every partition gets at least one, unless no model has
    /// labels.
    pub outcomes: Vec<(u32, Vec<u8>)>,
    /// For every assigned source partition: the next offset to read, and the metadata to commit with it.
    pub positions: Vec<(SourcePartition, i64, String)>,
    /// By source partition.
    pub tallies: Vec<Tally>,
    /// By source partition and model; only those with any.
    pub models: Vec<ModelTally>,
    /// By model and segment field; only those with any.
    pub overflows: Vec<SegmentOverflow>,
    /// By model that has labels; only those with any rows.
    pub forwarded: Vec<ForwardTally>,
    /// What should not have happened.
    pub violations: Vec<Violation>,
}

/// Counts rows into pane deltas, decides lateness, and keeps the positions that go with them.
///
/// It holds no durable state: a flush hands over everything since the last one. If the transaction that
/// carries a flush fails, or is in doubt, call [`Observer::reset`] and assign the partitions again from
/// their committed positions and metadata; the same rows then give the same deltas.
///
/// What the flushes add up to does not depend on when they happen, on how rows of different source
/// partitions interleave, or on which observer reads which partition.
#[derive(Debug)]
pub struct Observer {
    models: Vec<ModelCounts>,
    forwarder: PredictionForwarder,
    sources: Sources,
    plausible: Plausible,
    options: ObserverOptions,
    cells: Cells,
    bytes: usize,
}

impl Observer {
    /// An observer of these models that has no source partition yet.
    pub fn new(models: &ModelSet, options: ObserverOptions) -> Self {
        let (partitions, bytes_max) = (options.outcomes_partitions, options.batch_bytes_max);
        let forwarder = PredictionForwarder::new(models, partitions, bytes_max);
        let models: Vec<ModelCounts> = models
            .specs()
            .iter()
            .map(|spec| ModelCounts::new(Arc::clone(spec)))
            .collect();
        Self {
            sources: Sources::new(options.watermark_rank, models.len()),
            models,
            forwarder,
            plausible: Plausible {
                earliest: options.earliest,
                latest: options.latest,
                future_skew: options.future_skew,
            },
            options,
            cells: Cells::default(),
            bytes: 0,
        }
    }

    /// Says how many partitions a topic has, so that no pane closes before each of them was heard of.
    pub fn announce_topic(&mut self, topic: &str, partitions: u32) {
        self.sources.announce_topic(topic, partitions);
    }

    /// Takes over a source partition at `position`, with the metadata that was committed with it.
    ///
    /// Metadata that cannot be read is a violation, and the watermark starts anew.
    pub fn assign(
        &mut self,
        partition: SourcePartition,
        position: i64,
        metadata: Option<&str>,
    ) -> SourceHandle {
        self.sources.assign(partition, position, metadata)
    }

    /// Gives up a source partition. Flush first: what it brought since the last flush stays in the deltas.
    pub fn revoke(&mut self, source: SourceHandle) {
        self.sources.revoke(source);
    }

    /// Forgets everything since the last flush, and all source partitions.
    pub fn reset(&mut self) {
        self.models.iter_mut().for_each(ModelCounts::clear);
        self.forwarder.clear();
        self.sources.reset();
        self.bytes = 0;
    }

    /// Takes in the row of one record; `record_time` is the record's own timestamp.
    ///
    /// # Errors
    /// Why the row does not count. It is accounted for either way.
    pub fn observe(
        &mut self,
        source: SourceHandle,
        offset: i64,
        record_time: Option<Timestamp>,
        row: &Row,
    ) -> Result<(), DropReason> {
        let Some(state) = self.sources.receive(source, offset) else {
            return Ok(());
        };
        let outcome = self
            .plausible
            .check(record_time, row.time())
            .and_then(|()| {
                let index = row.layout().index();
                let model = self.models.get_mut(index).ok_or(DropReason::UnknownModel)?;
                let pane = model.pane_of(row.time());
                let late = state
                    .front
                    .time()
                    .is_some_and(|front| model.is_closed(pane, front));
                state.front.record(row.time());
                let (counted, dropped) = &mut state.models[index];
                if late {
                    *dropped += 1;
                    return Err(DropReason::Late);
                }
                *counted += 1;
                self.cells.read(row, &model.spec.profile);
                model.count(pane, row, &self.cells, &mut self.bytes);
                if self.forwarder.has_models() {
                    let segment = |series| model.segment(series);
                    self.bytes += self.forwarder.forward(row, model.placed(), segment);
                }
                Ok(())
            });
        state.conclude(outcome);
        outcome
    }

    /// Takes in a record that does not count, for a reason that was found before it became a row.
    pub fn skip(&mut self, source: SourceHandle, offset: i64, reason: DropReason) {
        if let Some(state) = self.sources.receive(source, offset) {
            state.conclude(Err(reason));
        }
    }

    /// Moves the position to `next_offset` over offsets that hold no record (control records, compaction).
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

    /// About how much memory the deltas since the last flush take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a flush would say anything new.
    pub fn has_changes(&self) -> bool {
        self.sources.has_changes()
    }

    /// Hands over everything since the last flush and forgets it.
    pub fn flush(&mut self) -> Flush {
        let partitions = self.options.partials_partitions.max(1);
        let mut writers: Vec<BatchWriter> = (0..partitions)
            .map(|_| BatchWriter::new(self.options.batch_bytes_max))
            .collect();
        let mut flush = Flush::default();
        for (i, model) in self.models.iter_mut().enumerate() {
            let partition = partials_partition(&model.spec.model, partitions);
            model.flush(i as u32, &mut writers[partition as usize]);
            flush
                .overflows
                .extend(model.take_overflows(LayoutId(i as u32)));
        }
        let sources = self.sources.flush();
        flush.batches = seal(writers, &sources.progress);
        if self.forwarder.has_models() {
            flush.outcomes = self.forwarder.flush(&sources.progress);
            flush.forwarded = self.forwarder.take_tallies();
        }
        flush.positions = sources.positions;
        flush.tallies = sources.tallies;
        flush.models = sources.models;
        flush.violations = sources.violations;
        self.bytes = 0;
        flush
    }
}

/// The partition of the partials topic to which the deltas of a model go: those of all its versions, for one may be
/// compared with another.
pub fn partials_partition(model: &str, partitions: u32) -> u32 {
    (xxh3_64(model.as_bytes()) % u64::from(partitions.max(1))) as u32
}

fn seal(writers: Vec<BatchWriter>, progress: &[Progress]) -> Vec<(u32, Vec<u8>)> {
    let parts = |(partition, writer): (u32, BatchWriter)| {
        writer
            .finish(progress)
            .into_iter()
            .map(move |batch| (partition, batch))
    };
    (0..).zip(writers).flat_map(parts).collect()
}
