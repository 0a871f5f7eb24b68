//! The observe stage: predictions in, partial batches out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use driftline_engine::{Flush, ModelSet, Observer, ObserverOptions};
use driftline_event::{DropReason, RejectKind, Row, SourcePartition, Timestamp};
use driftline_kafka::{
    Assignment, Flow, Message, OutRecord, Stage, StageError, StageFlush, StartAt,
};
use driftline_telemetry::{
    Counter, Latency, LatencyKind, ReasonCounters, Stage as StageLabel, Stream, Telemetry,
};
use driftline_wire::Decoder;
use driftline_wire::dead_letter::FailedStage;

use super::Finish;
use super::inputs::{End, Inputs};
use super::letters::{self, Letters};
use super::schemas::{DecodeFailure, Schemas};

/// What an [`ObserveStage`] works with.
#[derive(Debug)]
pub(super) struct ObserveParts {
    pub(super) app: String,
    pub(super) partials_topic: String,
    pub(super) outcomes_topic: String,
    pub(super) dead_letters_topic: String,
    pub(super) observer: ObserverOptions,
    pub(super) decoder: Decoder,
    pub(super) schemas: Schemas,
    /// The memory of deltas and dead letters at which a flush is due.
    pub(super) flush_bytes: usize,
    /// How long a partition has nothing to read before nobody waits for it.
    pub(super) idle_after: Duration,
    /// Whether late events become dead letters as well.
    pub(super) keep_late: bool,
    /// The input topic and how many partitions it has.
    pub(super) topic: (String, u32),
    pub(super) finish: Arc<Finish>,
    pub(super) telemetry: Telemetry,
}

#[derive(Debug)]
struct Counters {
    flush: Latency,
    commit: Latency,
    events: Vec<Counter>,
    late: Vec<Counter>,
    rejects: ReasonCounters,
    dead_letters: ReasonCounters,
}

/// What the last flush handed over, to be counted once it is committed.
#[derive(Debug, Default)]
struct Handed {
    flush: Flush,
    letters: Vec<DropReason>,
    started: Option<Instant>,
    handed: Option<Instant>,
}

/// Decodes predictions, counts them, and flushes the counts.
#[derive(Debug)]
pub(super) struct ObserveStage {
    parts: ObserveParts,
    models: ModelSet,
    observer: Observer,
    row: Row,
    inputs: Inputs,
    letters: Letters,
    counters: Counters,
    /// The newest event time that counted, by model.
    newest: Vec<Timestamp>,
    handed: Option<Handed>,
    /// A partition has become idle since the last flush; the evaluators wait to hear of it.
    has_idled: bool,
    end: End,
}

impl ObserveStage {
    pub(super) fn new(models: ModelSet, parts: ObserveParts) -> Self {
        let telemetry = &parts.telemetry;
        let per_model = |counter: &dyn Fn(&str) -> Counter| {
            models
                .specs()
                .iter()
                .map(|spec| counter(&spec.model))
                .collect()
        };
        let counters = Counters {
            flush: telemetry.latency(LatencyKind::Flush, StageLabel::Observe),
            commit: telemetry.latency(LatencyKind::Commit, StageLabel::Observe),
            events: per_model(&|model| telemetry.events(Stream::Prediction, model)),
            late: per_model(&|model| telemetry.late_events(Stream::Prediction, model)),
            rejects: telemetry.rejects(Stream::Prediction),
            dead_letters: telemetry.dead_letters(),
        };
        let newest = vec![Timestamp::MIN; models.specs().len()];
        let mut observer = Observer::new(&models, parts.observer);
        observer.announce_topic(&parts.topic.0, parts.topic.1);
        Self {
            letters: Letters::new(&parts.app, &parts.dead_letters_topic),
            inputs: Inputs::new(parts.idle_after),
            parts,
            models,
            observer,
            row: Row::default(),
            counters,
            newest,
            handed: None,
            has_idled: false,
            end: End::Open,
        }
    }

    /// Decodes into `self.row`.
    fn decode(&mut self, message: &Message<'_>) -> Result<(), DecodeFailure> {
        let (parts, row) = (&mut self.parts, &mut self.row);
        parts.schemas.decode(&mut parts.decoder, |decoder| {
            let headers = letters::headers(message);
            decoder.decode_prediction(message.payload, headers, message.timestamp, row)
        })
    }

    fn reject(
        &mut self,
        message: &Message<'_>,
        reason: DropReason,
        detail: &str,
        stage: FailedStage,
    ) {
        let wanted = match reason {
            DropReason::Late => self.parts.keep_late,
            other => other.kind() == RejectKind::DeadLetter,
        };
        if wanted {
            self.letters.push(message, reason, detail, stage);
        }
    }

    fn count(&self, handed: &Handed) {
        let telemetry = &self.parts.telemetry;
        for (latency, since) in [
            (&self.counters.flush, handed.started),
            (&self.counters.commit, handed.handed),
        ] {
            if let Some(since) = since {
                latency.record(since.elapsed());
            }
        }
        for (spec, newest) in self.models.specs().iter().zip(&self.newest) {
            if *newest > Timestamp::MIN {
                telemetry.set_last_event(Stream::Prediction, &spec.model, *newest);
            }
        }
        for tally in &handed.flush.tallies {
            if let Some(front) = tally.front {
                telemetry.set_watermark(&tally.source.topic, tally.source.partition, front);
            }
            for (reason, n) in &tally.dropped {
                self.counters.rejects.add(*reason, *n);
            }
        }
        for tally in &handed.flush.models {
            self.counters.events[tally.layout.index()].add(tally.counted);
            self.counters.late[tally.layout.index()].add(tally.late);
        }
        for reason in &handed.letters {
            self.counters.dead_letters.add(*reason, 1);
        }
        for violation in &handed.flush.violations {
            let name = violation.invariant.as_str();
            self.parts
                .telemetry
                .invariant_violated(name, &violation.detail);
        }
        for overflow in &handed.flush.overflows {
            let model = self
                .models
                .spec(overflow.layout)
                .map_or("", |spec| spec.model.as_str());
            let (field, rows) = (&overflow.field, overflow.rows);
            tracing::warn!(model, %field, rows, "more segment values than segments_per_field_max");
        }
    }
}

impl Stage for ObserveStage {
    fn assigned(&mut self, assignments: &[Assignment]) -> Vec<StartAt> {
        for assignment in assignments {
            let metadata = assignment
                .metadata
                .as_deref()
                .filter(|text| !text.is_empty());
            let partition = assignment.source.clone();
            let handle = self
                .observer
                .assign(partition.clone(), assignment.position, metadata);
            self.inputs.assign(partition, handle);
        }
        vec![StartAt::Committed; assignments.len()]
    }

    fn message(&mut self, message: &Message<'_>) -> Flow {
        let Some(handle) = self.inputs.heard_of(message.source) else {
            return Flow::Continue;
        };
        match self.decode(message) {
            Ok(()) => {
                let counted =
                    self.observer
                        .observe(handle, message.offset, message.timestamp, &self.row);
                match counted {
                    Ok(()) => {
                        let newest = &mut self.newest[self.row.layout().index()];
                        *newest = self.row.time().max(*newest);
                    }
                    Err(reason) => {
                        let detail = format!("event time {}", self.row.time());
                        self.reject(message, reason, &detail, FailedStage::Observe);
                    }
                }
            }
            Err(DecodeFailure::Drop(reason, detail)) => {
                self.observer.skip(handle, message.offset, reason);
                self.reject(message, reason, &detail, FailedStage::Decode);
            }
            Err(DecodeFailure::Later(after)) => return Flow::RetryAfter(after),
        }
        Flow::Continue
    }

    fn end_of_partition(&mut self, source: &SourcePartition) {
        self.inputs.is_at_end(source);
    }

    fn flush_due(&self) -> bool {
        self.has_idled
            || self.observer.bytes() + self.letters.bytes() >= self.parts.flush_bytes
            || (self.end == End::Open && self.parts.finish.wanted.load(Ordering::Acquire))
    }

    fn tick(&mut self) {
        for handle in self.inputs.newly_idle() {
            self.has_idled = true;
            self.observer.idle(handle);
        }
    }

    fn flush(&mut self) -> Result<StageFlush, StageError> {
        if self.parts.finish.wanted.load(Ordering::Acquire) && self.end == End::Open {
            self.inputs.handles().for_each(|h| self.observer.finish(h));
            self.end = End::Flushed;
        }
        self.has_idled = false;
        if !self.observer.has_changes() {
            return Ok(StageFlush::default());
        }
        let started = Some(Instant::now());
        self.parts
            .telemetry
            .set_state_bytes(StageLabel::Observe, self.observer.bytes());
        let mut flush = self.observer.flush();
        let (mut records, letters) = self.letters.take();
        let partials = std::mem::take(&mut flush.batches);
        let outcomes = std::mem::take(&mut flush.outcomes);
        for (topic, batches) in [
            (&self.parts.partials_topic, partials),
            (&self.parts.outcomes_topic, outcomes),
        ] {
            records.extend(batches.into_iter().map(|(partition, batch)| OutRecord {
                topic: topic.clone(),
                partition: Some(partition as i32),
                value: Some(batch),
                ..OutRecord::default()
            }));
        }
        let positions = flush.positions.clone();
        let handed = Some(Instant::now());
        self.handed = Some(Handed {
            flush,
            letters,
            started,
            handed,
        });
        Ok(StageFlush { records, positions })
    }

    fn committed(&mut self) {
        if let Some(handed) = self.handed.take() {
            self.count(&handed);
        }
        if self.end == End::Flushed {
            self.end = End::Committed;
            self.parts.finish.done.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn aborted(&mut self) {
        self.handed = None;
        self.letters.take();
        self.observer.reset();
        self.observer
            .announce_topic(&self.parts.topic.0, self.parts.topic.1);
        self.inputs.clear();
        self.has_idled = false;
        self.end = End::Open;
    }

    fn revoked(&mut self, sources: &[SourcePartition]) {
        for handle in self.inputs.revoke(sources) {
            self.observer.revoke(handle);
        }
        for source in sources {
            self.parts
                .telemetry
                .forget_partition(&source.topic, source.partition);
        }
    }
}
