//! What has changed is found, and said once.

use driftline_event::{AlertKind, AlertStatus, Metric, SeriesState};

use super::stream::{
    Batches, DAY, Event, HOUR, Rng, START, World, alerts, profile, reports, run, spec,
};
use crate::{
    DetectorRule, Evaluator, EvaluatorOptions, LabelSpec, ModelSet, ModelSpec, Output,
    PerformanceBaseline, PerformanceRule,
};

fn models(labels: LabelSpec) -> ModelSet {
    ModelSet::new(vec![spec(profile(World::default(), true), "1", labels)]).unwrap()
}

fn changed() -> World {
    World {
        truth: |score| 0.4 * score,
        ..World::default()
    }
}

/// Ten days as the reference, eight in which scores mean less, and then as before.
fn events(per_hour: i64) -> Vec<Event> {
    let mut rng = Rng(3);
    let mut events = World::default().events((START, 24 * 10, per_hour), &mut rng);
    events.extend(changed().events((START + 10 * DAY, 24 * 8, per_hour), &mut rng));
    events.extend(World::default().events((START + 18 * DAY, 24 * 12, per_hour), &mut rng));
    events
}

#[test]
fn a_change_of_the_concept_is_found_before_its_labels_are_mature() {
    let models = models(LabelSpec::default());
    let out = run(&models, &events(30), (HOUR, START + 30 * DAY));
    let concept: Vec<_> = alerts(&out)
        .into_iter()
        .filter(|a| a.kind == AlertKind::ConceptDrift)
        .collect();
    let first = concept[0];
    assert_eq!(first.status, AlertStatus::Firing);
    let delay = first.evaluated_at.as_micros() - (START + 10 * DAY);
    println!("found after {} hours: {}", delay / HOUR, first.summary);
    assert!((DAY..3 * DAY).contains(&delay), "{first:#?}");
    let onset = first.onset.unwrap().as_micros() - (START + 10 * DAY);
    assert!(onset.abs() <= 12 * HOUR, "{first:#?}");
    assert_eq!(first.started_at, first.evaluated_at);
    assert_eq!(first.window.name, "bank_1d");
    let named = first.incident.clone().unwrap();
    let others = alerts(&out)
        .into_iter()
        .filter(|a| a.evaluated_at == first.evaluated_at);
    assert!(
        others
            .map(|a| a.incident.clone().unwrap())
            .all(|i| i == named)
    );
    // What fires is resolved, by the same name, once the world is as before.
    let fired = concept.iter().filter(|a| a.status == AlertStatus::Firing);
    for fired in fired.filter(|a| a.window.name == "bank_1d") {
        let resolved = concept
            .iter()
            .find(|a| a.fingerprint == fired.fingerprint && a.status == AlertStatus::Resolved);
        let resolved = resolved.unwrap_or_else(|| panic!("{fired:#?}"));
        assert!(resolved.evaluated_at.as_micros() > START + 19 * DAY);
        assert_eq!(resolved.started_at, fired.started_at);
    }
    let states: Vec<SeriesState> = reports(&out).iter().map(|r| r.state).collect();
    assert_eq!(states[0], SeriesState::WarmingUp);
    assert!(states.contains(&SeriesState::Stable) && states.contains(&SeriesState::Drifted));
}

#[test]
fn a_segment_is_compared_with_its_own_past() {
    let plain = spec(profile(World::default(), true), "1", LabelSpec::default());
    let spec = ModelSpec {
        segments: vec!["s".to_owned()],
        segments_max: 2,
        ..plain
    };
    let models = ModelSet::new(vec![spec]).unwrap();
    let mut rng = Rng(4);
    // A segment that is unlike the rest from the start is none of anybody's business.
    let mut events = World::default().events((START, 24 * 30, 60), &mut rng);
    let odd = World {
        truth: |score| 1.0 - score,
        ..World::default()
    };
    let start = START + 20 * DAY;
    for (i, event) in events.iter_mut().enumerate() {
        if i % 4 == 0 {
            let world = if event.at < start { odd } else { changed() };
            *event = world.event(event.at, &mut rng);
            event.segment = Some("s=odd");
        } else {
            event.segment = Some("s=usual");
        }
    }
    let out = run(&models, &events, (6 * HOUR, START + 30 * DAY));
    let of = |segment: &str| -> Vec<i64> {
        let alerts = alerts(&out).into_iter();
        let of_segment = alerts.filter(|a| a.series.segment.as_deref() == Some(segment));
        of_segment
            .map(|a| (a.evaluated_at.as_micros() - start) / HOUR)
            .collect()
    };
    assert!(of("s=usual").is_empty());
    let odd = of("s=odd");
    assert!(
        !odd.is_empty() && odd.iter().all(|hours| *hours > 24),
        "{odd:?}"
    );
}

#[test]
fn rules_and_detectors_fire_and_are_resolved() {
    let rule = |name: &str, baseline| PerformanceRule {
        windows: 2,
        drop: 0.05,
        min_labels: 100,
        baseline,
        ..PerformanceRule::new(name, Metric::RocAuc, "1d")
    };
    let detector = driftline_detect::sequential::DetectorName::Ddm;
    let labels = LabelSpec {
        rules: vec![
            rule("reference", PerformanceBaseline::Reference),
            rule("first", PerformanceBaseline::FirstWindows(4)),
        ],
        detectors: vec![DetectorRule::new("ddm", detector)],
        ..LabelSpec::default()
    };
    let models = models(labels);
    let mut rng = Rng(7);
    let mut events = World::default().events((START, 24 * 10, 30), &mut rng);
    let noise = World {
        truth: |score| 0.5 * score + 0.25,
        ..World::default()
    };
    events.extend(noise.events((START + 10 * DAY, 24 * 8, 30), &mut rng));
    events.extend(World::default().events((START + 18 * DAY, 24 * 8, 30), &mut rng));
    let out = run(&models, &events, (6 * HOUR, START + 38 * DAY));
    for name in ["reference", "first", "ddm"] {
        let of_rule: Vec<_> = alerts(&out)
            .into_iter()
            .filter(|a| a.rule == name)
            .collect();
        let statuses: Vec<AlertStatus> = of_rule.iter().take(2).map(|a| a.status).collect();
        assert_eq!(
            statuses,
            [AlertStatus::Firing, AlertStatus::Resolved],
            "{name}"
        );
        println!("{}", of_rule[0].summary);
        let is_performance = name != "ddm";
        assert_eq!(of_rule[0].metric, is_performance.then_some(Metric::RocAuc));
        let after = of_rule[0].evaluated_at.as_micros() - (START + 10 * DAY);
        // A day of predictions, and a week for their labels.
        assert!((7 * DAY..10 * DAY).contains(&after), "{:#?}", of_rule[0]);
        assert!(of_rule[0].incident.is_none());
    }
}

#[test]
fn a_version_is_compared_with_another_one_at_the_same_time() {
    let rule = PerformanceRule {
        windows: 1,
        drop: 0.05,
        min_labels: 100,
        baseline: PerformanceBaseline::Version("1".to_owned()),
        ..PerformanceRule::new("worse", Metric::RocAuc, "1d")
    };
    let labels = LabelSpec {
        rules: vec![rule],
        ..LabelSpec::default()
    };
    let profile = profile(World::default(), true);
    let champion = spec(profile.clone(), "1", LabelSpec::default());
    let challenger = spec(profile, "2", labels);
    let noise = World {
        truth: |score| 0.5 * score + 0.25,
        ..World::default()
    };
    // In whichever order they are given, and whichever of them is further.
    for (first, second) in [(&champion, &challenger), (&challenger, &champion)] {
        let models = ModelSet::new(vec![first.clone(), second.clone()]).unwrap();
        let mut rng = Rng(11);
        let mut batches = Batches::new(&models);
        for (i, spec) in models.specs().iter().enumerate() {
            let world = if spec.version == "1" {
                World::default()
            } else {
                noise
            };
            let events = world.events((START, 24 * 4, 30), &mut rng);
            events.iter().for_each(|event| batches.add(i, event));
        }
        let mut evaluator = Evaluator::new(&models, EvaluatorOptions::default());
        let mut out: Vec<Output> = Vec::new();
        evaluator
            .handle(&batches.until(START + 20 * DAY), &mut out)
            .unwrap();
        let fired: Vec<_> = alerts(&out)
            .into_iter()
            .filter(|a| a.rule == "worse")
            .collect();
        assert_eq!(fired.len(), 1);
        assert_eq!(fired[0].series.version, "2");
        assert!(fired[0].reference.ends_with("@version:1"));
        let after = fired[0].evaluated_at.as_micros() - START;
        assert_eq!(after, 8 * DAY, "both of the first day are mature");
    }
}
