//! The plainest join that is right.
//!
//! It shares nothing with the engine's but the summaries of outcomes: everything that ever came stands in one list, and
//! every entry is compared with every other. What is counted is what holds in the end; nothing is taken back.

use std::collections::BTreeMap;
use std::time::Duration;

use driftline_engine::{LabelSpec, ModelSet, prediction_id};
use driftline_event::{Task, Timestamp};
use driftline_sketch::{DelayBucket, OutcomeSummary, PredictedSummary, Scored, Truth};

use super::land::{JoinLog, Landed, RANK};
use super::run::{JoinSums, profile};
use super::schedule::{JoinEvent, JoinSchedule, LabelSample, PredictionSample};

const MODELS: [(&str, &str); 3] = [("fraud", "1"), ("fraud", "2"), ("fares", "*")];

fn labels_of(models: &ModelSet, layout: u32) -> &LabelSpec {
    let labels = models.specs()[layout as usize].labels.as_ref();
    labels.expect("every model of a schedule has labels")
}

fn is_sampled(models: &ModelSet, id: &str) -> bool {
    let rate = labels_of(models, 0).sampling_rate;
    (prediction_id(id) as u64 as f64) < rate * 2.0_f64.powi(64)
}

/// Whether a label that names a model and perhaps a version is about predictions of a layout.
fn is_about(label: &LabelSample, layout: u32) -> bool {
    let (model, version) = MODELS[layout as usize];
    label.scope.0.is_none_or(|m| m == model)
        && label.scope.1.is_none_or(|v| v == version || version == "*")
}

/// Until when something of this time is kept.
fn kept_until(at: Timestamp, ttl: Duration) -> Timestamp {
    at.floor_to(ttl / 16).saturating_add(ttl / 16 + ttl)
}

fn label_kept_until(models: &ModelSet, label: &LabelSample) -> Timestamp {
    let ttls = (0..3)
        .filter(|layout| is_about(label, *layout))
        .map(|l| labels_of(models, l).ttl);
    kept_until(label.at, ttls.max().expect("a label is about some model"))
}

struct Prediction<'a> {
    sample: &'a PredictionSample,
    kept_until: Timestamp,
    label: Option<&'a LabelSample>,
}

struct Label<'a> {
    sample: &'a LabelSample,
    kept_until: Timestamp,
}

/// The label that counts for a prediction: the highest revision, and of those what names more.
fn best<'a>(
    prediction: &PredictionSample,
    labels: impl Iterator<Item = &'a LabelSample>,
) -> Option<&'a LabelSample> {
    let names = |l: &LabelSample| (l.scope.0.is_some(), l.scope.1.is_some());
    labels
        .filter(|l| l.id == prediction.id && is_about(l, prediction.layout))
        .max_by_key(|l| (l.revision, names(l)))
}

fn scored(prediction: &PredictionSample) -> Scored {
    match prediction.layout {
        2 => Scored::Regression {
            value: prediction.score,
        },
        _ => Scored::Binary {
            score: prediction.score,
            positive: prediction.score >= 0.5,
        },
    }
}

/// What a label means to a model; nothing if it is nothing that the model can predict.
fn truth(models: &ModelSet, layout: u32, label: &LabelSample) -> Option<Truth> {
    let profile = profile(models, layout);
    match (profile.task(), label.value) {
        (Task::Regression, Ok(number)) => Some(Truth::Number(number)),
        (Task::Regression, Err(text)) => text.parse().ok().map(Truth::Number),
        (_, Ok(number)) if number.fract() != 0.0 => None,
        (_, Ok(number)) => profile.truth_of_number(number).ok(),
        (_, Err("no")) => Some(Truth::Class(0)),
        (_, Err("yes")) => Some(Truth::Class(1)),
        (_, Err(_)) => Some(Truth::Class(2)),
    }
}

impl JoinSums {
    fn count(&mut self, models: &ModelSet, p: &PredictionSample, label: Option<&LabelSample>) {
        let (profile, spec) = (profile(models, p.layout), labels_of(models, p.layout));
        let scored = scored(p);
        let bucket = p.at.floor_to(spec.step);
        let segments = [Some(None), p.region.map(|r| Some(format!("region={r}")))];
        let counted = label.and_then(|label| {
            let delay = label.at.since(p.at);
            let truth = truth(models, p.layout, label).filter(|_| delay <= spec.ttl)?;
            Some((truth, label.weight, delay.as_micros() as i64))
        });
        for segment in segments.into_iter().flatten() {
            let key = (p.layout, segment.clone(), bucket);
            let sum = self.predicted.entry(key);
            let sum = sum.or_insert_with(|| PredictedSummary::empty(profile));
            sum.add(profile, &scored).expect("of the model's task");
            let Some((truth, weight, delay)) = counted else {
                continue;
            };
            let key = (p.layout, segment, bucket, DelayBucket::of(delay).0);
            let sum = self.outcomes.entry(key);
            let sum = sum.or_insert_with(|| OutcomeSummary::empty(profile));
            let added = sum.add(profile, &scored, truth, weight, Some(delay));
            added.expect("of the model's task");
        }
    }
}

/// How far a topic has come: `Err(true)` at its end, `Err(false)` before anything is known.
fn front(partitions: &[Vec<JoinEvent>], flush: &Landed) -> Result<Timestamp, bool> {
    let mut least = None;
    for (partition, (read, has_ended)) in partitions.iter().zip(&flush.positions) {
        if *has_ended {
            continue;
        }
        let mut times: Vec<Timestamp> = partition[..*read].iter().map(JoinEvent::at).collect();
        times.sort_unstable();
        let front = times
            .len()
            .checked_sub(RANK)
            .map(|i| times[i])
            .ok_or(false)?;
        least = Some(least.map_or(front, |least: Timestamp| least.min(front)));
    }
    least.ok_or(true)
}

/// How far predictions and labels have come together, if that can be said.
fn together(
    predictions: Result<Timestamp, bool>,
    labels: Result<Timestamp, bool>,
    wait: Duration,
) -> Option<Timestamp> {
    match (predictions, labels) {
        (Err(false), _) | (Err(true), Err(false)) => None,
        (Err(true), Err(true)) => Some(Timestamp::MAX),
        (Err(true), Ok(labels)) => Some(labels),
        (Ok(predictions), Err(true)) => Some(predictions),
        (Ok(predictions), Err(false)) => Some(predictions.saturating_sub(wait)),
        (Ok(predictions), Ok(labels)) => Some(
            predictions
                .min(labels)
                .max(predictions.saturating_sub(wait)),
        ),
    }
}

/// Joins logs.
pub fn join_oracle(schedule: &JoinSchedule, models: &ModelSet, logs: &[JoinLog]) -> JoinSums {
    let mut sums = JoinSums::default();
    let wait = labels_of(models, 0).wait;
    for log in logs {
        let (mut predictions, mut labels) = (Vec::new(), Vec::new());
        let mut now = Timestamp::MIN;
        let (mut of_predictions, mut of_labels) = (Err(false), Err(false));
        for landed in log {
            for event in landed.events.iter().filter(|e| is_sampled(models, e.id())) {
                match event {
                    JoinEvent::Prediction(p) => {
                        predict(models, p, now, &mut predictions, &mut labels)
                    }
                    JoinEvent::Label(l) => label(models, l, now, &mut predictions, &mut labels),
                }
            }
            if landed.flush.of_labels {
                of_labels = front(&schedule.labels, &landed.flush);
            } else {
                of_predictions = front(&schedule.predictions, &landed.flush);
            }
            now = now.max(together(of_predictions, of_labels, wait).unwrap_or(now));
        }
        for p in &predictions {
            sums.count(models, p.sample, p.label);
        }
    }
    sums
}

fn predict<'a>(
    models: &ModelSet,
    sample: &'a PredictionSample,
    now: Timestamp,
    predictions: &mut Vec<Prediction<'a>>,
    labels: &mut [Label<'a>],
) {
    let kept_until = kept_until(sample.at, labels_of(models, sample.layout).ttl);
    let is_same = |p: &Prediction<'_>| {
        (&p.sample.id, p.sample.layout) == (&sample.id, sample.layout) && p.kept_until > now
    };
    if kept_until <= now || predictions.iter().any(is_same) {
        return;
    }
    let mut known: Vec<&mut Label<'a>> = labels
        .iter_mut()
        .filter(|l| l.kept_until > now && l.sample.id == sample.id)
        .filter(|l| is_about(l.sample, sample.layout))
        .collect();
    for label in &mut known {
        label.kept_until = label.kept_until.max(kept_until);
    }
    predictions.push(Prediction {
        sample,
        kept_until,
        label: best(sample, known.iter().map(|l| l.sample)),
    });
}

fn label<'a>(
    models: &ModelSet,
    sample: &'a LabelSample,
    now: Timestamp,
    predictions: &mut [Prediction<'a>],
    labels: &mut Vec<Label<'a>>,
) {
    let own = label_kept_until(models, sample);
    let same = labels.iter().position(|l| {
        (&l.sample.id, l.sample.scope) == (&sample.id, sample.scope) && l.kept_until > now
    });
    let is_old = same.is_some_and(|i| labels[i].sample.revision >= sample.revision);
    if own <= now || is_old {
        return;
    }
    let concerned = |p: &&mut Prediction<'a>| {
        p.kept_until > now && p.sample.id == sample.id && is_about(sample, p.sample.layout)
    };
    let mut concerned: Vec<&mut Prediction<'a>> =
        predictions.iter_mut().filter(concerned).collect();
    // What replaces a label is kept as long as that was.
    let kept_until = same.map_or(own, |i| labels[i].kept_until);
    let needed = concerned.iter().map(|p| p.kept_until).max();
    let kept_until = kept_until.max(needed.unwrap_or(kept_until));
    let new = Label { sample, kept_until };
    match same {
        Some(i) => labels[i] = new,
        None => labels.push(new),
    }
    for p in &mut concerned {
        let alive = labels.iter().filter(|l| l.kept_until > now);
        p.label = best(p.sample, alive.map(|l| l.sample));
    }
}

/// Joins the schedule as if all of it had come at once: right where nothing expires and nothing contradicts itself.
pub fn join_oracle_of_sets(schedule: &JoinSchedule, models: &ModelSet) -> JoinSums {
    let mut sums = JoinSums::default();
    let labels: Vec<&LabelSample> = schedule
        .labels
        .iter()
        .flatten()
        .filter_map(|event| match event {
            JoinEvent::Label(label) => Some(label),
            JoinEvent::Prediction(_) => None,
        })
        .collect();
    let mut predictions: BTreeMap<(&str, u32), &PredictionSample> = BTreeMap::new();
    for event in schedule.predictions.iter().flatten() {
        if let JoinEvent::Prediction(p) = event {
            predictions.entry((&p.id, p.layout)).or_insert(p);
        }
    }
    for p in predictions.into_values() {
        if is_sampled(models, &p.id) {
            sums.count(models, p, best(p, labels.iter().copied()));
        }
    }
    sums
}
