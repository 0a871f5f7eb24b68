//! When windows are reported, and what time does to them.

use driftline_event::{Metric, SeriesState, Timestamp};
use driftline_sketch::{Scored, Truth};

use super::stream::{
    Batches, DAY, Event, HOUR, Rng, START, World, alerts, profile, reports, run, spec, violations,
};
use crate::outcome::ModelOutcomes;
use crate::{
    Evaluator, EvaluatorOptions, LabelSpec, ModelSet, Output, PerformanceWindow, WindowSpanSpec,
};

fn models() -> ModelSet {
    let labels = LabelSpec::default();
    ModelSet::new(vec![spec(profile(World::default(), true), "1", labels)]).unwrap()
}

/// A prediction at `at` with labels after so long.
fn event(at: i64, score: f64, labels: &[(i64, u16)]) -> Event {
    Event {
        at,
        segment: None,
        scored: Scored::Binary {
            score,
            positive: score >= 0.5,
        },
        labels: labels
            .iter()
            .map(|(after, class)| (at + after, Truth::Class(*class)))
            .collect(),
    }
}

/// Revision, hours after the window's end, labelled, mature, final.
fn revisions(out: &[Output]) -> Vec<(u32, i64, u64, bool, bool)> {
    let of = |r: &&driftline_event::PerformanceReport| {
        let after = r.evaluated_at.as_micros() - r.window.end.as_micros();
        let m = &r.maturity;
        (
            r.revision,
            after / HOUR,
            m.labelled,
            m.is_mature,
            m.is_final,
        )
    };
    reports(out).iter().map(of).collect()
}

#[test]
fn a_window_is_reported_at_its_end_at_every_maturity_and_when_it_is_final() {
    let models = models();
    let events = [
        event(START, 0.9, &[(HOUR, 1)]),
        event(START + HOUR, 0.8, &[(30 * HOUR, 0)]),
        event(START + 2 * HOUR, 0.1, &[(9 * DAY, 0)]),
        event(START + 3 * HOUR, 0.2, &[]),
    ];
    let out = run(&models, &events, (HOUR / 2, START + 40 * DAY));
    let final_after = (30 * DAY + 30 * DAY / 16) / HOUR + 1;
    assert_eq!(
        revisions(&out),
        [
            (0, 0, 1, false, false),
            (1, 24, 2, false, false),
            (2, 7 * 24, 2, true, false),
            (3, final_after, 3, true, true),
        ]
    );
    let last = reports(&out)[3].clone();
    assert_eq!(last.maturity.predicted, 4);
    assert_eq!(last.maturity.coverage, Some(0.75));
    assert_eq!(last.window.start, Timestamp::from_micros(START));
    let accuracy = last.realised(Metric::Accuracy).unwrap();
    assert_eq!((accuracy.value, accuracy.n), (2.0 / 3.0, 3));
    assert!(last.estimated(Metric::Accuracy).is_some() && !last.baseline.is_empty());
    let p50 = last.maturity.delay_p50_seconds.unwrap();
    assert!((80_000.0..140_000.0).contains(&p50), "{p50}");
    assert!(alerts(&out).is_empty() && violations(&out).is_empty());
}

#[test]
fn nothing_is_said_twice_without_news() {
    let models = models();
    let out = run(
        &models,
        &[event(START, 0.9, &[(HOUR, 1)])],
        (HOUR, START + 40 * DAY),
    );
    let said: Vec<u32> = revisions(&out).iter().map(|r| r.0).collect();
    assert_eq!(said, [0, 1, 2], "at its end, when mature, when final");
}

#[test]
fn a_corrected_label_is_taken_back_after_it_was_judged() {
    let models = models();
    let right = event(START, 0.9, &[(HOUR, 0), (8 * DAY, 1)]);
    let out = run(&models, &[right], (HOUR, START + 40 * DAY));
    assert!(violations(&out).is_empty(), "{:?}", violations(&out));
    let accuracy = |r: &driftline_event::PerformanceReport| {
        r.realised(Metric::Accuracy).map(|m| (m.value, m.n))
    };
    let said: Vec<_> = reports(&out).into_iter().map(accuracy).collect();
    assert_eq!(said, [Some((0.0, 1)), Some((0.0, 1)), Some((1.0, 1))]);
}

#[test]
fn a_label_that_came_with_its_prediction_is_in_the_first_report() {
    let models = models();
    let early = event(START + 90 * 60_000_000, 0.9, &[(-HOUR, 1)]);
    let out = run(&models, &[early], (HOUR / 4, START + 2 * DAY));
    assert_eq!(revisions(&out)[0], (0, 0, 1, false, false));
}

#[test]
fn time_ends_with_the_last_label() {
    let models = models();
    let events = [
        event(START, 0.9, &[(HOUR, 1)]),
        event(START + 2 * DAY, 0.9, &[]),
    ];
    let mut batches = Batches::new(&models);
    events.iter().for_each(|event| batches.add(0, event));
    let mut evaluator = Evaluator::new(&models, EvaluatorOptions::default());
    let mut out = Vec::new();
    evaluator
        .handle(&batches.until(i64::MAX), &mut out)
        .unwrap();
    assert_eq!(
        revisions(&out),
        [
            (0, 0, 1, false, false),
            (1, 2 * 24 + 1 - 24, 1, false, true),
            (0, 1 - 24, 0, false, true)
        ]
    );
    assert!(alerts(&out).is_empty(), "labels had no time to be late");
    let until = evaluator.outcomes_closed_until(driftline_event::LayoutId(0));
    assert_eq!(until, Some(Timestamp::from_micros(START + 2 * DAY + HOUR)));
}

#[test]
fn months_are_those_of_the_calendar() {
    let labels = LabelSpec {
        windows: vec![PerformanceWindow {
            name: "month".to_owned(),
            span: WindowSpanSpec::Month,
        }],
        ..LabelSpec::default()
    };
    let profile = profile(World::default(), true);
    let models = ModelSet::new(vec![spec(profile, "1", labels)]).unwrap();
    let events = [
        event(START, 0.9, &[(HOUR, 1)]),
        event(START + 29 * DAY - HOUR, 0.9, &[(HOUR, 1)]),
        event(START + 29 * DAY, 0.9, &[(HOUR, 1)]),
    ];
    let out = run(&models, &events, (6 * HOUR, START + 29 * DAY + 12 * HOUR));
    let reports = reports(&out);
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].window.end.to_string(), "2024-03-01T00:00:00Z");
    assert_eq!(reports[0].maturity.predicted, 2);
    assert_eq!(reports[0].maturity.labelled, 1);
}

#[test]
fn missing_labels_are_late_and_no_drift() {
    let models = models();
    let mut rng = Rng(5);
    let usual = World::default();
    // Only the early labels come: more of them are positive than of all.
    let mut events = usual.events((START, 24 * 10, 40), &mut rng);
    let mut lost = usual.events((START + 10 * DAY, 24 * 10, 40), &mut rng);
    for event in &mut lost {
        let at = event.at;
        event.labels.retain(|(label_at, _)| label_at - at < DAY);
    }
    events.extend(lost);
    events.extend(usual.events((START + 20 * DAY, 24 * 10, 40), &mut rng));
    let out = run(&models, &events, (HOUR, START + 36 * DAY));
    let said: Vec<(&str, &str)> = alerts(&out)
        .iter()
        .map(|a| (a.kind.as_str(), a.status.as_str()))
        .collect();
    assert_eq!(
        said,
        [("labels_late", "firing"), ("labels_late", "resolved")],
        "{:#?}",
        alerts(&out)
    );
    let fired = alerts(&out)[0];
    let late = fired.evaluated_at.as_micros() - (START + 10 * DAY);
    assert!((7 * DAY..8 * DAY).contains(&late), "{fired:#?}");
    let states: Vec<SeriesState> = reports(&out).iter().map(|r| r.state).collect();
    assert!(states.contains(&SeriesState::LabelsLate) && !states.contains(&SeriesState::Drifted));
}

#[test]
fn what_is_over_is_dropped() {
    let models = models();
    let mut rng = Rng(6);
    let mut batches = Batches::new(&models);
    let world = World::default();
    let events = world.events((START, 24 * 80, 5), &mut rng);
    events.iter().for_each(|event| batches.add(0, event));
    let mut outcomes = ModelOutcomes::new(&models.specs()[0], false).unwrap();
    let mut held = 0;
    let mut out = Vec::new();
    for hour in 1..24 * 80 {
        let batch = batches.until(START + hour * HOUR);
        let batch = crate::partial::Batch::decode(&batch).unwrap();
        let mut violations = Vec::new();
        for raw in &batch.outcomes {
            outcomes.merge(outcomes.read(raw).unwrap(), &mut violations);
        }
        assert!(violations.is_empty());
        while let Some(end) = outcomes.next_end(START + hour * HOUR) {
            outcomes.close(end, &mut out);
        }
        held = held.max(outcomes.held());
    }
    // A week of hours whose labels are not mature, and a month of days whose reports are not final.
    assert!(held <= 7 * 24 + 1 + 34, "{held}");
}

#[test]
fn a_label_after_its_time_to_live_is_refused_and_counted() {
    let models = models();
    let out = run(
        &models,
        &[event(START, 0.9, &[(40 * DAY, 1)])],
        (HOUR, START + 45 * DAY),
    );
    let said = violations(&out);
    assert_eq!(said.len(), 1);
    assert!(
        said[0].contains("1 labels of all events of 2024-02-01T00:00:00Z came after"),
        "{said:?}"
    );
}
