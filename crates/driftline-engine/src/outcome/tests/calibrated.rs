//! What history says about labels: days that are unlike each other are no drift, and what is judged can be had.

use std::sync::Arc;

use driftline_detect::bank::Tally;

use super::stream::{
    Batches, DAY, Event, Rng, START, World, alerts, profile, reports, spec, violations,
};
use crate::{
    Calibration, Evaluator, EvaluatorOptions, LabelCalibration, LabelSpec, LabelStreams,
    LevelCalibration, ModelSet, ModelSpec, Output, StreamCalibration, StreamKind,
};

fn labels() -> LabelSpec {
    LabelSpec {
        step: std::time::Duration::from_secs(86_400),
        ..LabelSpec::default()
    }
}

fn plain() -> ModelSpec {
    spec(profile(World::default(), true), "1", labels())
}

/// The same with what history says about every stream of all events.
fn calibrated(stream: StreamCalibration, step: std::time::Duration) -> ModelSpec {
    let mut spec = plain();
    let level = |after: &std::time::Duration| LevelCalibration {
        after: *after,
        error: Some(stream),
        calibration: Some(stream),
        label: Some(stream),
    };
    let decision = spec.decision.as_mut().unwrap();
    decision.calibration = Some(Arc::new(Calibration {
        reference: spec.profile.id().to_owned(),
        all: crate::SliceCalibration {
            columns: vec![crate::ColumnCalibration::default()],
            slots: Vec::new(),
        },
        labels: Some(LabelCalibration {
            step,
            days: 30,
            all: labels().mature_after.iter().map(level).collect(),
            ..LabelCalibration::default()
        }),
        ..Calibration::default()
    }));
    spec
}

/// Forty days, some of which have many more positives than their scores say, and some fewer.
fn unsteady(mut rng: Rng) -> Vec<Event> {
    let worlds: [fn(f64) -> f64; 4] = [|s| s, |s| 1.5 * s, |s| 0.6 * s, |s| s];
    let day = |day: i64| {
        let world = World {
            truth: worlds[(day * day + day / 3) as usize % 4],
            ..World::default()
        };
        world.events((START + day * DAY, 24, 40), &mut rng)
    };
    (0..40).flat_map(day).collect()
}

fn run(spec: ModelSpec, events: &[Event]) -> Vec<Output> {
    let models = ModelSet::new(vec![spec]).unwrap();
    let mut batches = Batches::new(&models);
    events.iter().for_each(|event| batches.add(0, event));
    let options = EvaluatorOptions {
        emit_judged: true,
        ..EvaluatorOptions::default()
    };
    let mut evaluator = Evaluator::new(&models, options);
    let mut out = Vec::new();
    let until = START + 50 * DAY;
    evaluator.handle(&batches.until(until), &mut out).unwrap();
    assert!(violations(&out).is_empty());
    out
}

#[test]
fn unsteady_days_are_no_drift_once_history_says_so() {
    let events = unsteady(Rng(5));
    let stream = StreamCalibration {
        dispersion: 12.0,
        band: 0.1,
    };
    let day = labels().step;
    let wide = run(plain(), &events);
    assert!(!alerts(&wide).is_empty(), "the days are unlike each other");
    assert!(reports(&wide).iter().all(|r| !r.calibrated));
    let calibrated_out = run(calibrated(stream, day), &events);
    assert!(alerts(&calibrated_out).is_empty());
    assert!(reports(&calibrated_out).iter().all(|r| r.calibrated));
    // A calibration of hours says nothing about days.
    let other = run(calibrated(stream, day / 24), &events);
    assert_eq!(alerts(&other), alerts(&wide));
    assert!(reports(&other).iter().all(|r| !r.calibrated));
}

#[test]
fn every_bucket_that_is_judged_can_be_had() {
    let events = unsteady(Rng(6));
    let spec = Arc::new(plain());
    let streams = LabelStreams::new(&spec).unwrap();
    let kinds = [
        StreamKind::Error,
        StreamKind::Calibration,
        StreamKind::Label,
    ];
    assert_eq!(streams.kinds(), kinds);
    let mut counted = 0;
    let mut days = 0;
    for output in run(plain(), &events) {
        let Output::Judged(judged) = output else {
            continue;
        };
        assert!(judged.segment.is_none() && streams.levels().contains(&judged.after));
        for (stream, tally) in judged.tallies.iter().enumerate() {
            assert_eq!(tally.hits.len(), streams.indicators(stream).len());
        }
        let trials = |tally: &Tally| tally.trials.iter().sum::<f64>();
        assert_eq!(trials(&judged.tallies[2]), judged.labels as f64);
        counted += judged.labels;
        days += 1;
    }
    let all: usize = events.iter().map(|e| e.labels.len()).sum();
    assert_eq!((counted, days), (all as u64, 2 * 40));
    // Without a decision rule nothing is judged, and all can be counted nevertheless.
    let silent = ModelSpec {
        decision: None,
        ..plain()
    };
    assert!(LabelStreams::new(&Arc::new(silent.clone())).is_none());
    let buckets = run(silent, &events);
    let buckets = buckets.iter().filter(|o| matches!(o, Output::Judged(_)));
    assert_eq!(buckets.count(), days);
}

#[test]
fn the_budget_and_the_reference_are_those_that_judge() {
    let spec = Arc::new(plain());
    let streams = LabelStreams::new(&spec).unwrap();
    assert!((streams.alarms_per_month() - 0.25).abs() < 1e-12);
    assert!((streams.threshold() - 30.0 / 0.25).abs() < 1e-9);
    let of = |level| streams.reference(level).unwrap()[2].trials[0];
    let all = spec.profile.outcome().unwrap().reference().all().judged();
    assert_eq!(of(0) + of(1), all as f64);
    assert!(streams.reference(2).is_none());
    assert_eq!(streams.words(0, 0), "wrong");
}
