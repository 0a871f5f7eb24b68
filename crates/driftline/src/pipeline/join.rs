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
use driftline_telemetry::{Counter, Latency, LatencyKind, Stage as StageLabel, Telemetry};

use super::Finish;

/// What a [`JoinStage`] works with.
#[derive(Debug)]
pub(super) struct JoinParts {
    pub(super) partials_topic: String,
    pub(super) joiner: JoinerOptions,
    /// Where pending entries go that do not fit into memory.
    pub(super) directory: Option<PathBuf>,
    /// The memory of counts at which a flush is due.
    pub(super) flush_bytes: usize,
    pub(super) finish: Arc<Finish>,
    pub(super) telemetry: Telemetry,
}

/// What becomes of labels and predictions, as the counters call it.
type Outcome = (&'static str, fn(&JoinTally) -> u64);

const RESULTS: [Outcome; 12] = [
    ("joined", |t| t.joined),
    ("corrected", |t| t.corrections),
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

/// Joins labels with predictions.
///
/// What waits is not stored anywhere but in the outcomes topic: on assignment a partition is read again from its
/// beginning, silently up to the committed offset, and live from there.
#[derive(Debug)]
pub(super) struct JoinStage {
    parts: JoinParts,
    models: ModelSet,
    shards: BTreeMap<SourcePartition, Joiner>,
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

    fn joiner(&self, assignment: &Assignment) -> Result<Joiner, StoreError> {
        let partition = &assignment.source;
        let store: Option<Box<dyn PendingStore>> = match &self.parts.directory {
            None => None,
            Some(directory) => {
                let path = directory.join(format!("{}-{}", partition.topic, partition.partition));
                let reason = format!("{}: there is no store yet", path.display());
                return Err(StoreError {
                    what: "open",
                    reason,
                });
            }
        };
        let mut joiner = Joiner::new(&self.models, self.parts.joiner, store)?;
        let position = if assignment.is_committed {
            assignment.position
        } else {
            0
        };
        joiner.assign(partition.clone(), position, assignment.metadata.as_deref());
        Ok(joiner)
    }
}

impl Stage for JoinStage {
    fn assigned(&mut self, assignments: &[Assignment]) -> Vec<StartAt> {
        for assignment in assignments {
            // The old one's directory must be free before the new one takes it.
            self.shards.remove(&assignment.source);
            match self.joiner(assignment) {
                Ok(joiner) => {
                    self.shards.insert(assignment.source.clone(), joiner);
                }
                Err(error) => self.failure = Some(error.into()),
            }
        }
        vec![StartAt::Beginning; assignments.len()]
    }

    fn message(&mut self, message: &Message<'_>) -> Flow {
        let Some(joiner) = self.shards.get_mut(message.source) else {
            return Flow::Continue;
        };
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

    fn end_of_partition(&mut self, _: &SourcePartition) {}

    fn flush_due(&self) -> bool {
        let bytes: usize = self.shards.values().map(Joiner::bytes).sum();
        self.failure.is_some() || bytes >= self.parts.flush_bytes
    }

    fn flush(&mut self) -> Result<StageFlush, StageError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure.to_string().into());
        }
        let mut flush = StageFlush::default();
        let mut bytes = 0;
        for (source, joiner) in &mut self.shards {
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
        for source in sources {
            self.parts
                .telemetry
                .forget_partition(&source.topic, source.partition);
        }
    }
}
