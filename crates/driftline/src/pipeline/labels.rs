//! The labels stage: decodes and counts what turned out to be true.
//!
//! Labels have a worker and a group of their own: their event times must not hold back the watermark of
//! the predictions.

use std::collections::BTreeMap;

use driftline_event::{DropReason, SourcePartition};
use driftline_kafka::{Assignment, Flow, Message, Stage, StageError, StageFlush, StartAt};
use driftline_telemetry::{ReasonCounters, Stream, Telemetry};
use driftline_wire::dead_letter::FailedStage;
use driftline_wire::{LabelDecoder, LabelRow};

use super::letters::{self, Letters};
use super::schemas::{DecodeFailure, Schemas};

/// The model under which labels count that name none, or one that is not monitored.
const UNNAMED: &str = "";

/// Decodes labels, counts them by model, and sends what nobody can use to the dead letters.
#[derive(Debug)]
pub(super) struct LabelStage {
    decoder: LabelDecoder,
    schemas: Schemas,
    letters: Letters,
    models: Vec<String>,
    positions: BTreeMap<SourcePartition, i64>,
    counted: BTreeMap<String, u64>,
    dropped: Vec<DropReason>,
    flush_bytes: usize,
    telemetry: Telemetry,
    rejects: ReasonCounters,
}

impl LabelStage {
    pub(super) fn new(
        decoder: LabelDecoder,
        schemas: Schemas,
        letters: Letters,
        models: Vec<String>,
        flush_bytes: usize,
        telemetry: Telemetry,
    ) -> Self {
        Self {
            decoder,
            schemas,
            letters,
            models,
            positions: BTreeMap::new(),
            counted: BTreeMap::new(),
            dropped: Vec::new(),
            flush_bytes,
            rejects: telemetry.rejects(Stream::Label),
            telemetry,
        }
    }

    fn forget(&mut self) {
        self.counted.clear();
        self.dropped.clear();
        self.letters.take();
        self.positions.clear();
    }

    fn count(&mut self, label: &LabelRow) {
        let model = label.model.as_deref().unwrap_or(UNNAMED);
        let model = if self.models.iter().any(|m| m == model) {
            model
        } else {
            UNNAMED
        };
        match self.counted.get_mut(model) {
            Some(n) => *n += 1,
            None => {
                self.counted.insert(model.to_owned(), 1);
            }
        }
    }
}

impl Stage for LabelStage {
    fn assigned(&mut self, assignments: &[Assignment]) -> Vec<StartAt> {
        let positions = assignments.iter().map(|a| (a.source.clone(), a.position));
        self.positions.extend(positions);
        vec![StartAt::Committed; assignments.len()]
    }

    fn message(&mut self, message: &Message<'_>) -> Flow {
        let decoded = self.schemas.decode(&mut self.decoder, |decoder| {
            let headers = letters::headers(message);
            decoder.decode_label(message.payload, headers, message.timestamp)
        });
        match decoded {
            Ok(label) => self.count(&label),
            Err(DecodeFailure::Drop(reason, detail)) => {
                self.dropped.push(reason);
                self.letters
                    .push(message, reason, &detail, FailedStage::Decode);
            }
            Err(DecodeFailure::Later(after)) => return Flow::RetryAfter(after),
        }
        self.positions
            .insert(message.source.clone(), message.offset + 1);
        Flow::Continue
    }

    fn end_of_partition(&mut self, _: &SourcePartition) {}

    fn flush_due(&self) -> bool {
        self.letters.bytes() >= self.flush_bytes
    }

    fn flush(&mut self) -> Result<StageFlush, StageError> {
        let (records, _) = self.letters.take();
        let positions = self.positions.iter();
        let positions = positions
            .map(|(p, next)| (p.clone(), *next, String::new()))
            .collect();
        Ok(StageFlush { records, positions })
    }

    fn committed(&mut self) {
        for (model, n) in std::mem::take(&mut self.counted) {
            self.telemetry.events(Stream::Label, &model).add(n);
        }
        let dead_letters = self.telemetry.dead_letters();
        for reason in self.dropped.drain(..) {
            self.rejects.add(reason, 1);
            dead_letters.add(reason, 1);
        }
    }

    fn aborted(&mut self) {
        self.forget();
    }

    fn revoked(&mut self, sources: &[SourcePartition]) {
        self.positions
            .retain(|partition, _| !sources.contains(partition));
    }
}
