//! The join stage: predictions and labels by id in, counts of outcomes out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use driftline_engine::{
    JoinError, JoinFlush, JoinTally, Joiner, JoinerOptions, ModelSet, PendingStore, StoreError,
};
use driftline_event::{SourcePartition, Timestamp};
use driftline_kafka::{
    Assignment, Flow, Message, OutRecord, Stage, StageError, StageFlush, StartAt,
};
use driftline_store::{DiskStore, DiskStoreOptions};
use driftline_telemetry::{Counter, Latency, LatencyKind, Stage as StageLabel, Telemetry};

use super::Finish;

/// What a [`JoinStage`] works with.
#[derive(Debug)]
pub(super) struct JoinParts {
    pub(super) partials_topic: String,
    pub(super) joiner: JoinerOptions,
    /// Where pending entries go that do not fit into memory; this worker's alone.
    pub(super) directory: Option<PathBuf>,
    /// The memory of counts at which a flush is due.
    pub(super) flush_bytes: usize,
    pub(super) finish: Arc<Finish>,
    pub(super) telemetry: Telemetry,
}

/// What becomes of labels and predictions, as the counters call it.
type Outcome = (&'static str, fn(&JoinTally) -> u64);

const RESULTS: [Outcome; 13] = [
    ("joined", |t| t.joined),
    ("corrected", |t| t.corrections),
    ("superseded", |t| t.superseded),
    ("duplicate_prediction", |t| t.duplicate_predictions),
    ("duplicate", |t| t.duplicate_labels),
    ("unknown_model", |t| t.unknown_model),
    ("unreadable", |t| t.unreadable),
    ("expired", |t| t.expired),
    ("too_late", |t| t.too_late),
    ("sampled_out", |t| t.sampled_out),
    ("out_of_bounds", |t| t.out_of_bounds),
    ("unlabelled", |t| t.unlabelled),
    ("unmatched", |t| t.unmatched),
];

#[derive(Debug)]
struct Shard {
    joiner: Joiner,
    /// What is before this offset was joined by someone before.
    live_from: i64,
}

/// Joins labels with predictions.
///
/// What waits is not stored anywhere but in the outcomes topic: on assignment a partition is read again from its
/// beginning, silently up to the committed offset, and live from there.
#[derive(Debug)]
pub(super) struct JoinStage {
    parts: JoinParts,
    models: ModelSet,
    shards: BTreeMap<SourcePartition, Shard>,
    /// Why the worker has to end.
    failure: Option<JoinError>,
    handed: Vec<(SourcePartition, JoinFlush)>,
    handed_at: Option<Instant>,
    counters: Vec<Counter>,
    commit: Latency,
}

impl JoinStage {
    pub(super) fn new(models: ModelSet, parts: JoinParts) -> Self {
        let counters = RESULTS.iter();
        let counters = counters.map(|(name, _)| parts.telemetry.labels_joined(name));
        Self {
            counters: counters.collect(),
            commit: parts
                .telemetry
                .latency(LatencyKind::Commit, StageLabel::Join),
            parts,
            models,
            shards: BTreeMap::new(),
            failure: None,
            handed: Vec::new(),
            handed_at: None,
        }
    }

    fn shard(&self, assignment: &Assignment) -> Result<Shard, StoreError> {
        let partition = &assignment.source;
        let store: Option<Box<dyn PendingStore>> = match &self.parts.directory {
            None => None,
            Some(directory) => {
                let path = directory.join(format!("{}-{}", partition.topic, partition.partition));
                Some(Box::new(DiskStore::open(
                    &path,
                    DiskStoreOptions::default(),
                )?))
            }
        };
        let mut joiner = Joiner::new(&self.models, self.parts.joiner, store)?;
        let live_from = if assignment.is_committed {
            assignment.position
        } else {
            0
        };
        joiner.assign(partition.clone(), live_from, assignment.metadata.as_deref());
        Ok(Shard { joiner, live_from })
    }

    /// The worker's memory is shared by its partitions, among which ids are spread evenly.
    fn share_memory(&mut self) {
        let share = self.parts.joiner.bytes_max / self.shards.len().max(1);
        for shard in self.shards.values_mut() {
            shard.joiner.set_bytes_max(share);
        }
    }
}

impl Stage for JoinStage {
    fn assigned(&mut self, assignments: &[Assignment]) -> Vec<StartAt> {
        for assignment in assignments {
            // The old one's directory must be free before the new one takes it.
            self.shards.remove(&assignment.source);
            match self.shard(assignment) {
                Ok(shard) => {
                    self.shards.insert(assignment.source.clone(), shard);
                }
                Err(error) => self.failure = Some(error.into()),
            }
        }
        self.share_memory();
        vec![StartAt::Beginning; assignments.len()]
    }

    fn message(&mut self, message: &Message<'_>) -> Flow {
        let Some(shard) = self.shards.get_mut(message.source) else {
            return Flow::Continue;
        };
        if self.failure.is_some() {
            // The worker is about to end, and the joiner may be broken.
            return Flow::Continue;
        }
        let joiner = &mut shard.joiner;
        match joiner.handle(message.offset, message.payload.unwrap_or_default()) {
            Ok(()) => {}
            Err(JoinError::Batch { offset, error }) => {
                let detail = format!("{} offset {offset}: {error}", message.source);
                let telemetry = &self.parts.telemetry;
                telemetry.invariant_violated("unreadable_outcomes", &detail);
                joiner.advance(message.offset + 1);
            }
            Err(fatal) => self.failure = Some(fatal),
        }
        Flow::Continue
    }

    fn end_of_partition(&mut self, source: &SourcePartition) {
        // Where the log has been emptied since the last commit, no record says that everything was read again.
        if let Some(shard) = self.shards.get_mut(source) {
            shard.joiner.advance(shard.live_from);
        }
    }

    fn flush_due(&self) -> bool {
        let shards = self.shards.values();
        let bytes: usize = shards.map(|shard| shard.joiner.bytes()).sum();
        self.failure.is_some() || bytes >= self.parts.flush_bytes
    }

    fn flush(&mut self) -> Result<StageFlush, StageError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure.to_string().into());
        }
        let mut flush = StageFlush::default();
        let mut bytes = 0;
        for (source, Shard { joiner, .. }) in &mut self.shards {
            bytes += joiner.pending_bytes();
            if !joiner.has_changes() {
                continue;
            }
            let mut part = joiner.flush();
            flush.positions.extend(part.position.take());
            for (partition, batch) in std::mem::take(&mut part.batches) {
                flush.records.push(OutRecord {
                    topic: self.parts.partials_topic.clone(),
                    partition: Some(partition as i32),
                    value: Some(batch),
                    ..OutRecord::default()
                });
            }
            self.handed.push((source.clone(), part));
        }
        self.parts
            .telemetry
            .set_state_bytes(StageLabel::Join, bytes);
        self.handed_at = Some(Instant::now());
        Ok(flush)
    }

    fn committed(&mut self) {
        if let Some(at) = self.handed_at.take() {
            self.commit.record(at.elapsed());
        }
        let telemetry = &self.parts.telemetry;
        for (source, flush) in self.handed.drain(..) {
            let tally = &flush.tally;
            for (counter, (_, count)) in self.counters.iter().zip(RESULTS) {
                counter.add(count(tally));
            }
            let pending = (tally.pending_predictions, tally.pending_labels);
            telemetry.set_join_pending(&source, pending.0, pending.1);
            if tally.watermark == Some(Timestamp::MAX) {
                super::lock(&self.parts.finish.joined).insert(source.clone());
            }
            if let Some(watermark) = tally.watermark {
                telemetry.set_watermark(&source.topic, source.partition, watermark);
            }
            for violation in &flush.violations {
                telemetry.invariant_violated(violation.invariant.as_str(), &violation.detail);
            }
        }
    }

    fn aborted(&mut self) {
        self.shards.clear();
        self.handed.clear();
        self.handed_at = None;
        self.failure = None;
    }

    fn revoked(&mut self, sources: &[SourcePartition]) {
        self.shards
            .retain(|partition, _| !sources.contains(partition));
        self.share_memory();
        for source in sources {
            self.parts
                .telemetry
                .forget_partition(&source.topic, source.partition);
        }
    }
}
