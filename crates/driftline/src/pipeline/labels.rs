//! The labels stage: what turned out to be true, sent to where its predictions are.
//!
//! Labels have a worker and a group of their own: their event times must not hold back the watermark of
//! the predictions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use driftline_engine::{
    LabelEvent, LabelFlush, LabelForwarder, LabelForwarderOptions, LabelValue, ModelSet,
};
use driftline_event::{DropReason, RejectKind, SourcePartition};
use driftline_kafka::{
    Assignment, Flow, Message, OutRecord, Stage, StageError, StageFlush, StartAt,
};
use driftline_telemetry::{ReasonCounters, Stream, Telemetry};
use driftline_wire::dead_letter::FailedStage;
use driftline_wire::{LabelDecoder, LabelRow};

use super::Finish;
use super::inputs::{End, Inputs};
use super::letters::{self, Letters};
use super::schemas::{DecodeFailure, Schemas};

/// The model under which labels count that name none, or one that is not monitored.
const UNNAMED: &str = "";

/// What a [`LabelStage`] works with.
#[derive(Debug)]
pub(super) struct LabelParts {
    pub(super) decoder: LabelDecoder,
    pub(super) schemas: Schemas,
    pub(super) letters: Letters,
    pub(super) models: ModelSet,
    pub(super) outcomes_topic: String,
    pub(super) forwarder: LabelForwarderOptions,
    /// The memory of labels and dead letters at which a flush is due.
    pub(super) flush_bytes: usize,
    /// How long a partition has nothing to read before nobody waits for it.
    pub(super) idle_after: Duration,
    /// The input topic and how many partitions it has.
    pub(super) topic: (String, u32),
    pub(super) finish: Arc<Finish>,
    pub(super) telemetry: Telemetry,
}

/// Decodes labels, sends them on to the join, and what nobody can use to the dead letters.
#[derive(Debug)]
pub(super) struct LabelStage {
    parts: LabelParts,
    forwarder: LabelForwarder,
    /// Without a model whose labels are joined they are only counted.
    joins: bool,
    inputs: Inputs,
    counted: BTreeMap<String, u64>,
    letters_sent: Vec<DropReason>,
    handed: Option<LabelFlush>,
    rejects: ReasonCounters,
    /// A partition has become idle since the last flush; the join waits to hear of it.
    has_idled: bool,
    end: End,
}

/// Whether any model's labels are joined.
pub(super) fn joins(models: &ModelSet) -> bool {
    models.specs().iter().any(|spec| spec.labels.is_some())
}

impl LabelStage {
    pub(super) fn new(parts: LabelParts) -> Self {
        let mut forwarder = LabelForwarder::new(&parts.models, parts.forwarder);
        forwarder.announce_topic(&parts.topic.0, parts.topic.1);
        Self {
            forwarder,
            joins: joins(&parts.models),
            inputs: Inputs::new(parts.idle_after),
            counted: BTreeMap::new(),
            letters_sent: Vec::new(),
            handed: None,
            rejects: parts.telemetry.rejects(Stream::Label),
            has_idled: false,
            end: End::Open,
            parts,
        }
    }

    fn count(&mut self, label: &LabelRow) {
        let model = label.model.as_deref().unwrap_or(UNNAMED);
        let known = self.parts.models.specs().iter().any(|m| m.model == model);
        let model = if known { model } else { UNNAMED };
        match self.counted.get_mut(model) {
            Some(n) => *n += 1,
            None => {
                self.counted.insert(model.to_owned(), 1);
            }
        }
    }
}

/// A decoded label as the engine takes it.
pub(crate) fn event(label: &LabelRow) -> LabelEvent<'_> {
    LabelEvent {
        id: &label.id,
        model: label.model.as_deref(),
        version: label.version.as_deref(),
        observed_at: label.observed_at,
        value: match &label.label {
            driftline_wire::LabelValue::Text(text) => LabelValue::Text(text),
            driftline_wire::LabelValue::Number(number) => LabelValue::Number(*number),
        },
        weight: label.weight,
        revision: label.revision,
    }
}

impl Stage for LabelStage {
    fn assigned(&mut self, assignments: &[Assignment]) -> Vec<StartAt> {
        for assignment in assignments {
            let metadata = assignment.metadata.as_deref().filter(|m| !m.is_empty());
            let partition = assignment.source.clone();
            let handle = self
                .forwarder
                .assign(partition.clone(), assignment.position, metadata);
            self.inputs.assign(partition, handle);
        }
        vec![StartAt::Committed; assignments.len()]
    }

    fn message(&mut self, message: &Message<'_>) -> Flow {
        let Some(handle) = self.inputs.heard_of(message.source) else {
            return Flow::Continue;
        };
        let parts = &mut self.parts;
        let decoded = parts.schemas.decode(&mut parts.decoder, |decoder| {
            let headers = letters::headers(message);
            decoder.decode_label(message.payload, headers, message.timestamp)
        });
        let dropped = match decoded {
            Ok(label) if !self.joins => {
                self.forwarder.advance(handle, message.offset + 1);
                self.count(&label);
                None
            }
            Ok(label) => {
                let (offset, time) = (message.offset, message.timestamp);
                match self.forwarder.observe(handle, offset, time, &event(&label)) {
                    Ok(()) => {
                        self.count(&label);
                        None
                    }
                    Err(reason) => {
                        let detail = format!("label of {}", label.observed_at);
                        Some((reason, detail, FailedStage::Observe))
                    }
                }
            }
            Err(DecodeFailure::Drop(reason, detail)) => {
                self.forwarder.skip(handle, message.offset, reason);
                Some((reason, detail, FailedStage::Decode))
            }
            Err(DecodeFailure::Later(after)) => return Flow::RetryAfter(after),
        };
        if let Some((reason, detail, stage)) = dropped
            && reason.kind() == RejectKind::DeadLetter
        {
            self.parts.letters.push(message, reason, &detail, stage);
        }
        Flow::Continue
    }

    fn end_of_partition(&mut self, source: &SourcePartition) {
        self.inputs.is_at_end(source);
    }

    fn flush_due(&self) -> bool {
        self.has_idled
            || self.forwarder.bytes() + self.parts.letters.bytes() >= self.parts.flush_bytes
            || (self.end == End::Open && self.parts.finish.labels_wanted.load(Ordering::Acquire))
    }

    fn tick(&mut self) {
        for handle in self.inputs.newly_idle() {
            self.has_idled = true;
            self.forwarder.idle(handle);
        }
    }

    fn flush(&mut self) -> Result<StageFlush, StageError> {
        if self.parts.finish.labels_wanted.load(Ordering::Acquire) && self.end == End::Open {
            self.inputs.handles().for_each(|h| self.forwarder.finish(h));
            self.end = End::Flushed;
        }
        self.has_idled = false;
        if !self.forwarder.has_changes() {
            return Ok(StageFlush::default());
        }
        let mut flush = self.forwarder.flush();
        let (mut records, letters) = self.parts.letters.take();
        if self.joins {
            for (partition, batch) in std::mem::take(&mut flush.outcomes) {
                records.push(OutRecord {
                    topic: self.parts.outcomes_topic.clone(),
                    partition: Some(partition as i32),
                    value: Some(batch),
                    ..OutRecord::default()
                });
            }
        }
        self.letters_sent = letters;
        let positions = std::mem::take(&mut flush.positions);
        self.handed = Some(flush);
        Ok(StageFlush { records, positions })
    }

    fn committed(&mut self) {
        let telemetry = &self.parts.telemetry;
        for (model, n) in std::mem::take(&mut self.counted) {
            telemetry.events(Stream::Label, &model).add(n);
        }
        let dead_letters = telemetry.dead_letters();
        for reason in self.letters_sent.drain(..) {
            dead_letters.add(reason, 1);
        }
        if let Some(flush) = self.handed.take() {
            for tally in &flush.tallies {
                if let Some(front) = tally.front {
                    telemetry.set_watermark(&tally.source.topic, tally.source.partition, front);
                }
                for (reason, n) in &tally.dropped {
                    self.rejects.add(*reason, *n);
                }
            }
            for violation in &flush.violations {
                telemetry.invariant_violated(violation.invariant.as_str(), &violation.detail);
            }
        }
        if self.end == End::Flushed {
            self.end = End::Committed;
        }
    }

    fn aborted(&mut self) {
        self.counted.clear();
        self.letters_sent.clear();
        self.handed = None;
        self.parts.letters.take();
        self.forwarder.reset();
        self.forwarder
            .announce_topic(&self.parts.topic.0, self.parts.topic.1);
        self.inputs.clear();
        self.has_idled = false;
        self.end = End::Open;
    }

    fn revoked(&mut self, sources: &[SourcePartition]) {
        for handle in self.inputs.revoke(sources) {
            self.forwarder.revoke(handle);
        }
        for source in sources {
            self.parts
                .telemetry
                .forget_partition(&source.topic, source.partition);
        }
    }
}
