//! The evaluate stage: partial batches in, alerts and reports out.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::time::Instant;

use driftline_engine::{Evaluator, EvaluatorOptions, ModelSet, Output};
use driftline_event::{AlertEvent, SourcePartition};
use driftline_kafka::{
    Assignment, Flow, Message, OutRecord, Stage, StageError, StageFlush, StartAt,
};
use driftline_telemetry::{Latency, LatencyKind, Stage as StageLabel, Stream, Telemetry};
use driftline_wire::cloudevents;

/// What an [`EvaluateStage`] works with.
#[derive(Debug)]
pub(super) struct EvaluateParts {
    pub(super) app: String,
    pub(super) alerts_topic: String,
    pub(super) evaluator: EvaluatorOptions,
    /// Gets every output that is not repeated by a restart.
    pub(super) tap: Option<Sender<Output>>,
    pub(super) telemetry: Telemetry,
}

#[derive(Debug)]
struct Shard {
    evaluator: Evaluator,
    /// Outputs of batches before this offset are in the log already.
    live_from: i64,
    next: i64,
}

/// Merges deltas, closes windows, and sends alerts.
///
/// The evaluator's state is not stored anywhere: on assignment the partials partition is read again from its
/// beginning, silently up to the committed offset, and live from there.
#[derive(Debug)]
pub(super) struct EvaluateStage {
    parts: EvaluateParts,
    models: ModelSet,
    shards: BTreeMap<SourcePartition, Shard>,
    outputs: Vec<Output>,
    /// Live outputs since the last commit.
    pending: Vec<Output>,
    records: Vec<OutRecord>,
    commit: Latency,
    handed: Option<Instant>,
}

impl EvaluateStage {
    pub(super) fn new(models: ModelSet, parts: EvaluateParts) -> Self {
        let commit = parts
            .telemetry
            .latency(LatencyKind::Commit, StageLabel::Evaluate);
        Self {
            commit,
            handed: None,
            parts,
            models,
            shards: BTreeMap::new(),
            outputs: Vec::new(),
            pending: Vec::new(),
            records: Vec::new(),
        }
    }

    fn alert_record(&self, alert: &AlertEvent) -> Option<OutRecord> {
        let source = format!("driftline/{}", self.parts.app);
        match cloudevents::alert(alert, &source) {
            Ok(envelope) => Some(OutRecord {
                topic: self.parts.alerts_topic.clone(),
                partition: None,
                key: Some(envelope.key),
                value: envelope.body,
                headers: envelope.headers,
                timestamp_millis: None,
            }),
            Err(error) => {
                tracing::error!(%error, id = alert.alert_id, "an alert cannot be written as JSON");
                None
            }
        }
    }

    /// What a restart only needs to show again: it was counted and sent before.
    fn restore(telemetry: &Telemetry, output: Output) {
        match output {
            Output::Report(report) => telemetry.record_report(report),
            Output::Alert(alert) => telemetry.restore_alert(&alert),
            Output::Performance(report) => telemetry.record_performance(report),
            Output::Violation(_) | Output::Pane(_) | Output::Judged(_) | Output::Late(_) => {}
        }
    }

    fn publish(&self, output: Output) {
        let telemetry = &self.parts.telemetry;
        match &output {
            Output::Report(report) => telemetry.record_report(report.clone()),
            Output::Alert(alert) => telemetry.record_alert(alert),
            Output::Violation(v) => telemetry.invariant_violated(v.invariant.as_str(), &v.detail),
            // Every row is in the delta of all events; those of its segments are the same rows again.
            Output::Late(late) if late.segment.is_none() => {
                telemetry
                    .late_events(Stream::Prediction, &late.model)
                    .add(late.rows);
            }
            Output::Performance(report) => telemetry.record_performance(report.clone()),
            Output::Late(_) | Output::Judged(_) | Output::Pane(_) => {}
        }
        if let Some(tap) = &self.parts.tap {
            // The receiver is a test or the demo's view; it may be gone.
            let _ = tap.send(output);
        }
    }
}

impl Stage for EvaluateStage {
    fn assigned(&mut self, assignments: &[Assignment]) -> Vec<StartAt> {
        for assignment in assignments {
            let shard = Shard {
                evaluator: Evaluator::new(&self.models, self.parts.evaluator),
                live_from: if assignment.is_committed {
                    assignment.position
                } else {
                    0
                },
                next: assignment.position,
            };
            self.shards.insert(assignment.source.clone(), shard);
        }
        vec![StartAt::Beginning; assignments.len()]
    }

    fn message(&mut self, message: &Message<'_>) -> Flow {
        let Some(shard) = self.shards.get_mut(message.source) else {
            return Flow::Continue;
        };
        let batch = message.payload.unwrap_or_default();
        if let Err(error) = shard.evaluator.handle(batch, &mut self.outputs) {
            let detail = format!("{} offset {}: {error}", message.source, message.offset);
            self.parts
                .telemetry
                .invariant_violated("unreadable_partial", &detail);
        }
        let is_live = message.offset >= shard.live_from;
        shard.next = shard.next.max(message.offset + 1);
        let outputs = std::mem::take(&mut self.outputs);
        for output in outputs {
            if !is_live {
                Self::restore(&self.parts.telemetry, output);
                continue;
            }
            if let Output::Alert(alert) = &output {
                self.records.extend(self.alert_record(alert));
            }
            self.pending.push(output);
        }
        Flow::Continue
    }

    fn end_of_partition(&mut self, _: &SourcePartition) {}

    fn flush_due(&self) -> bool {
        !self.records.is_empty()
    }

    fn flush(&mut self) -> Result<StageFlush, StageError> {
        self.handed = Some(Instant::now());
        let positions = self.shards.iter();
        let positions = positions
            .map(|(p, shard)| (p.clone(), shard.next, String::new()))
            .collect();
        Ok(StageFlush {
            records: std::mem::take(&mut self.records),
            positions,
        })
    }

    fn committed(&mut self) {
        if let Some(handed) = self.handed.take() {
            self.commit.record(handed.elapsed());
        }
        for output in std::mem::take(&mut self.pending) {
            self.publish(output);
        }
    }

    fn aborted(&mut self) {
        self.handed = None;
        self.shards.clear();
        self.outputs.clear();
        self.pending.clear();
        self.records.clear();
    }

    fn revoked(&mut self, sources: &[SourcePartition]) {
        self.shards
            .retain(|partition, _| !sources.contains(partition));
    }
}
