//! What is said does not depend on how the joiner's output was cut.

use proptest::prelude::*;

use super::stream::{Batches, DAY, HOUR, MINUTE, Rng, START, World, profile, run, spec};
use crate::partial::{BatchWriter, Progress};
use crate::{
    DetectorRule, Evaluator, EvaluatorOptions, LabelSpec, ModelSet, ModelSpec, Output,
    PerformanceBaseline, PerformanceRule,
};

fn models() -> ModelSet {
    let detector = driftline_detect::sequential::DetectorName::Ddm;
    let rule = PerformanceRule {
        windows: 1,
        drop: 0.02,
        min_labels: 20,
        baseline: PerformanceBaseline::FirstWindows(2),
        ..PerformanceRule::new("worse", driftline_event::Metric::Accuracy, "1d")
    };
    let labels = LabelSpec {
        rules: vec![rule],
        detectors: vec![DetectorRule {
            segments: true,
            ..DetectorRule::new("ddm", detector)
        }],
        ..LabelSpec::default()
    };
    let spec = ModelSpec {
        segments: vec!["s".to_owned()],
        segments_max: 2,
        ..spec(profile(World::default(), true), "1", labels)
    };
    ModelSet::new(vec![spec]).unwrap()
}

#[test]
fn neither_flushes_nor_their_order_make_a_difference() {
    let models = models();
    let mut rng = Rng(8);
    let mut events = World::default().events((START, 24 * 8, 16), &mut rng);
    let changed = World {
        truth: |score| 0.6 * score,
        ..World::default()
    };
    events.extend(changed.events((START + 8 * DAY, 24 * 8, 16), &mut rng));
    for (i, event) in events.iter_mut().enumerate() {
        // More values than are told apart.
        event.segment = Some(["s=a", "s=b", "s=c", "s=d"][i * i % 7 % 4]);
    }
    let until = START + 26 * DAY;
    let whole = run(&models, &events, (HOUR, until));
    assert!(whole.iter().any(|o| matches!(o, Output::Alert(_))));
    for flush in [37 * MINUTE, 5 * HOUR, 26 * DAY] {
        assert_eq!(run(&models, &events, (flush, until)), whole, "{flush}");
    }
    // Within a flush in any order and in any parts.
    let mut batches = Batches::new(&models);
    events.iter().rev().for_each(|event| batches.add(0, event));
    let mut evaluator = Evaluator::new(&models, EvaluatorOptions::default());
    let mut out = Vec::new();
    for hour in 1..=26 * 4 {
        for batch in batches.parts(START + hour * 6 * HOUR, 11) {
            evaluator.handle(&batch, &mut out).unwrap();
        }
    }
    assert_eq!(out, whole);
    assert!(evaluator.outcome_series() >= 3 && evaluator.outcome_series() <= 12);
}

#[test]
fn predictions_and_outcomes_do_not_wait_for_each_other() {
    let models = models();
    let mut rng = Rng(9);
    let events = World::default().events((START, 48, 30), &mut rng);
    let mut batches = Batches::new(&models);
    events.iter().for_each(|event| batches.add(0, event));
    let mut evaluator = Evaluator::new(&models, EvaluatorOptions::default());
    let mut out = Vec::new();
    // The predictions' topic has two partitions, and only one of them was heard of.
    let progress = Progress {
        source: driftline_event::SourcePartition {
            topic: "predictions".to_owned(),
            partition: 0,
        },
        of_outcomes: false,
        topic_partitions: 2,
        range: driftline_event::OffsetRange { from: 0, to: 0 },
        front: None,
        newest: None,
        idle: false,
        received: 0,
        counted: 0,
        dropped: 0,
    };
    let slow = BatchWriter::new(1_000).finish(&[progress]).remove(0);
    evaluator.handle(&slow, &mut out).unwrap();
    evaluator
        .handle(&batches.until(START + 30 * HOUR), &mut out)
        .unwrap();
    let model = driftline_event::LayoutId(0);
    assert!(evaluator.outcomes_closed_until(model).is_some());
    assert!(evaluator.closed_until(model).is_none());
    assert!(out.iter().any(|o| matches!(o, Output::Performance(_))));
    assert_eq!(evaluator.positions().count(), 2);
}

#[test]
fn outcomes_that_mean_something_else_are_refused() {
    let models = models();
    let events = World::default().events((START, 2, 30), &mut Rng(1));
    let mut batches = Batches::new(&models);
    events.iter().for_each(|event| batches.add(0, event));
    let batch = batches.until(START + DAY);
    let spec = models.specs()[0].as_ref().clone();
    let hours = |n: u64| std::time::Duration::from_secs(3_600 * n);
    let coarse = LabelSpec {
        step: hours(2),
        ..spec.labels.clone().unwrap()
    };
    for (labels, wanted) in [
        (None, "it has no labels here"),
        (Some(coarse), "the batch has steps of"),
    ] {
        let others = ModelSet::new(vec![ModelSpec {
            labels,
            ..spec.clone()
        }]);
        let mut evaluator = Evaluator::new(&others.unwrap(), EvaluatorOptions::default());
        let mut out = Vec::new();
        evaluator.handle(&batch, &mut out).unwrap();
        let said = super::stream::violations(&out);
        assert!(said.len() == 1 && said[0].contains(wanted), "{said:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn hostile_outcomes_never_panic(at: prop::sample::Index, byte: u8) {
        let models = models();
        let events = World::default().events((START, 2, 3), &mut Rng(1));
        let mut batches = Batches::new(&models);
        events.iter().for_each(|event| batches.add(0, event));
        let mut batch = batches.until(START + DAY);
        let at = at.index(batch.len());
        batch[at] = byte;
        let mut evaluator = Evaluator::new(&models, EvaluatorOptions::default());
        let _ = evaluator.handle(&batch, &mut Vec::new());
    }
}
