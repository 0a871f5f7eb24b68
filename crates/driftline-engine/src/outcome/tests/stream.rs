//! A model with labels, predictions with late labels, and the batches that a joiner would make of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use driftline_event::{
    AlertEvent, ColumnRole, OffsetRange, PerformanceReport, SourcePartition, Task, Timestamp,
};
use driftline_sketch::{
    DelayBucket, OutcomeLabel, OutcomeOptions, OutcomeProfile, OutcomeRow, OutcomeSummary,
    PredictedSummary, ProfileOptions, ReferenceBuilder, Scored, Truth,
};

use crate::partial::{BatchWriter, ModelRef, OutcomeChange, Progress, RawOutcome};
use crate::{DecisionSpec, Evaluator, EvaluatorOptions, LabelSpec, ModelSet, ModelSpec, Output};

pub(super) const MINUTE: i64 = 60_000_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;
/// 2024-02-01, a Thursday.
pub(super) const START: i64 = 19_754 * DAY;

/// Numbers that look random (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.share() < p
    }
}

/// A prediction with what became of it.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) at: i64,
    pub(super) segment: Option<&'static str>,
    pub(super) scored: Scored,
    /// When each label came and what it said; a later one replaces the one before it.
    pub(super) labels: Vec<(i64, Truth)>,
}

/// How a world makes labels: the share of positives that the score of a prediction stands for, and how long labels
/// take.
#[derive(Clone, Copy, Debug)]
pub(super) struct World {
    /// The probability of the positive class at a score.
    pub(super) truth: fn(f64) -> f64,
    /// The part of the predictions that get a label.
    pub(super) coverage: f64,
    /// Whether positives are confirmed early and their absence late, as frauds are.
    pub(super) is_biased: bool,
}

impl Default for World {
    fn default() -> Self {
        Self {
            truth: |score| score,
            coverage: 0.9,
            is_biased: true,
        }
    }
}

impl World {
    /// A prediction at an instant.
    pub(super) fn event(&self, at: i64, rng: &mut Rng) -> Event {
        // More low scores than high ones.
        let score = rng.share() * rng.share();
        let positive = rng.chance((self.truth)(score));
        let scored = Scored::Binary {
            score,
            positive: score >= 0.5,
        };
        let early = if positive { 0.8 } else { 0.2 };
        let is_early = rng.chance(if self.is_biased { early } else { 0.5 });
        let wait = rng.share();
        let delay = match is_early {
            true => MINUTE as f64 * 10.0 + wait * 12.0 * HOUR as f64,
            false => 2.0 * DAY as f64 + wait * 4.0 * DAY as f64,
        };
        let has_label = rng.chance(self.coverage);
        let label = (at + delay as i64, Truth::Class(u16::from(positive)));
        Event {
            at,
            segment: None,
            scored,
            labels: has_label.then_some(label).into_iter().collect(),
        }
    }

    /// So many predictions an hour, from `from` for so many hours.
    pub(super) fn events(
        &self,
        (from, hours, per_hour): (i64, i64, i64),
        rng: &mut Rng,
    ) -> Vec<Event> {
        let all = 0..hours * per_hour;
        all.map(|i| self.event(from + i * HOUR / per_hour, rng))
            .collect()
    }
}

/// The reference's outcomes: as the usual world makes them, with or without the labels' delays.
pub(super) fn profile(world: World, has_delays: bool) -> OutcomeProfile {
    let mut rng = Rng(99);
    let rows: Vec<OutcomeRow> = (0..20_000)
        .map(|_| {
            let event = world.event(0, &mut rng);
            let label = event.labels.first().map(|(at, truth)| OutcomeLabel {
                truth: *truth,
                weight: 1.0,
                delay_micros: has_delays.then_some(*at),
            });
            OutcomeRow {
                scored: event.scored,
                label,
            }
        })
        .collect();
    let options = OutcomeOptions {
        classes: vec!["no".to_owned(), "yes".to_owned()],
        score_columns: vec!["score".to_owned()],
        score_bins: 32,
        ..OutcomeOptions::new(Task::Binary)
    };
    OutcomeProfile::build(&options, &rows).unwrap()
}

/// A model with labels and a budget.
pub(super) fn spec(outcome: OutcomeProfile, version: &str, labels: LabelSpec) -> ModelSpec {
    let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
    let values = (0..100).map(f64::from).collect();
    // The outcome's scores are this column's.
    builder
        .numeric("score", ColumnRole::Output, values)
        .unwrap();
    let profile = builder.build().unwrap().with_outcome(Some(outcome));
    ModelSpec {
        decision: Some(DecisionSpec::new(1.0, Duration::from_secs(300))),
        labels: Some(labels),
        ..ModelSpec::new(Arc::new(profile), "m", version)
    }
}

/// What the joiner sums up: model, arrival, bucket, segment and change.
type Key = (usize, i64, i64, Option<&'static str>, OutcomeChange);

/// The deltas of events, one by one.
#[derive(Clone, Debug)]
pub(super) enum Delta {
    Predicted(Scored),
    Outcome(Scored, Truth, i64),
}

#[derive(Clone, Debug)]
pub(super) struct Batches<'a> {
    pub(super) models: &'a ModelSet,
    offset: i64,
    /// By arrival.
    deltas: BTreeMap<i64, Vec<(Key, Delta)>>,
}

impl<'a> Batches<'a> {
    pub(super) fn new(models: &'a ModelSet) -> Self {
        Self {
            models,
            offset: 0,
            deltas: BTreeMap::new(),
        }
    }

    fn step(&self, model: usize) -> i64 {
        let labels = self.models.specs()[model].labels.as_ref().unwrap();
        labels.step.as_micros() as i64
    }

    /// Adds all that the joiner will say of an event, for all events and for its segment.
    pub(super) fn add(&mut self, model: usize, event: &Event) {
        let step = self.step(model);
        let floor = |at: i64| at.div_euclid(step) * step;
        let bucket = floor(event.at);
        for segment in [None, event.segment]
            .iter()
            .take(1 + usize::from(event.segment.is_some()))
        {
            let mut add = |arrival: i64, change, delta| {
                let arrival = floor(arrival);
                let key = (model, arrival, bucket, *segment, change);
                self.deltas.entry(arrival).or_default().push((key, delta));
            };
            add(
                event.at,
                OutcomeChange::Predicted,
                Delta::Predicted(event.scored),
            );
            let mut before: Option<(u8, Delta)> = None;
            let mut known = event.at;
            for (at, truth) in &event.labels {
                known = known.max(*at);
                if let Some((delay, outcome)) = before.take() {
                    add(known, OutcomeChange::Retract(delay), outcome);
                }
                let delay = (at - event.at).max(0);
                let outcome = Delta::Outcome(event.scored, *truth, delay);
                let bucket = DelayBucket::of(delay).0;
                add(known, OutcomeChange::Add(bucket), outcome.clone());
                before = Some((bucket, outcome));
            }
        }
    }

    /// What arrived before `front`.
    fn take(&mut self, front: i64) -> Vec<(Key, Delta)> {
        let later = self.deltas.split_off(&front);
        let now = std::mem::replace(&mut self.deltas, later);
        now.into_values().flatten().collect()
    }

    /// One batch with everything that arrived before `front`, which `i64::MAX` says to be the end.
    pub(super) fn until(&mut self, front: i64) -> Vec<u8> {
        let now = self.take(front);
        self.batch(now, front)
    }

    /// Everything that arrived before `front` in batches of so many deltas; the front moves with the last.
    pub(super) fn parts(&mut self, front: i64, size: usize) -> Vec<Vec<u8>> {
        let before = self.deltas.keys().next().copied().unwrap_or(front);
        let now = self.take(front);
        let mut batches: Vec<Vec<u8>> = now
            .chunks(size)
            .map(|part| self.batch(part.to_vec(), before.min(front)))
            .collect();
        batches.push(self.batch(Vec::new(), front));
        batches
    }

    fn batch(&mut self, deltas: Vec<(Key, Delta)>, front: i64) -> Vec<u8> {
        let mut summed: BTreeMap<Key, Vec<Delta>> = BTreeMap::new();
        let n = deltas.len() as u64;
        for (key, delta) in deltas {
            summed.entry(key).or_default().push(delta);
        }
        let mut writer = BatchWriter::new(usize::MAX);
        for ((model, arrival, bucket, segment, change), deltas) in summed {
            let spec = &self.models.specs()[model];
            let body = body(spec.profile.outcome().unwrap(), &deltas);
            let of = ModelRef {
                model: &spec.model,
                version: &spec.version,
                reference: spec.profile.id(),
                pane_micros: spec.pane.as_micros() as i64,
            };
            let outcome = RawOutcome {
                model: 0,
                step_micros: self.step(model),
                segment,
                arrival: Timestamp::from_micros(arrival),
                bucket: Timestamp::from_micros(bucket),
                change,
                body: &body,
            };
            writer.outcome(model as u32, of, &outcome);
        }
        let from = self.offset;
        self.offset += n as i64;
        let progress = Progress {
            source: SourcePartition {
                topic: "outcomes".to_owned(),
                partition: 0,
            },
            of_outcomes: true,
            topic_partitions: 1,
            range: OffsetRange {
                from,
                to: self.offset,
            },
            front: Some(Timestamp::from_micros(front)),
            newest: Some(Timestamp::from_micros(front)),
            idle: false,
            received: n,
            counted: n,
            dropped: 0,
        };
        writer.finish(&[progress]).remove(0)
    }
}

fn body(profile: &OutcomeProfile, deltas: &[Delta]) -> Vec<u8> {
    let mut predicted = PredictedSummary::empty(profile);
    let mut outcomes = OutcomeSummary::empty(profile);
    for delta in deltas {
        match delta {
            Delta::Predicted(scored) => predicted.add(profile, scored).unwrap(),
            Delta::Outcome(scored, truth, delay) => outcomes
                .add(profile, scored, *truth, 1.0, Some(*delay))
                .unwrap(),
        }
    }
    let mut bytes = Vec::new();
    match deltas.first() {
        Some(Delta::Predicted(_)) => predicted.encode(&mut bytes),
        _ => outcomes.encode(&mut bytes),
    }
    bytes
}

/// What an evaluator says of one stream of events of the first model, flushed every `flush`, up to `until`.
pub(super) fn run(models: &ModelSet, events: &[Event], (flush, until): (i64, i64)) -> Vec<Output> {
    let mut batches = Batches::new(models);
    events.iter().for_each(|event| batches.add(0, event));
    let mut evaluator = Evaluator::new(models, EvaluatorOptions::default());
    let mut out = Vec::new();
    let mut front = events.first().map_or(START, |e| e.at);
    while front < until {
        front += flush;
        evaluator.handle(&batches.until(front), &mut out).unwrap();
    }
    out
}

pub(super) fn alerts(out: &[Output]) -> Vec<&AlertEvent> {
    out.iter()
        .filter_map(|output| match output {
            Output::Alert(alert) => Some(alert),
            _ => None,
        })
        .collect()
}

pub(super) fn reports(out: &[Output]) -> Vec<&PerformanceReport> {
    out.iter()
        .filter_map(|output| match output {
            Output::Performance(report) => Some(report),
            _ => None,
        })
        .collect()
}

pub(super) fn violations(out: &[Output]) -> Vec<String> {
    out.iter()
        .filter_map(|output| match output {
            Output::Violation(violation) => Some(violation.to_string()),
            _ => None,
        })
        .collect()
}
