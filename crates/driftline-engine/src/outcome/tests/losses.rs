//! The mean size of a regression's errors is judged beside the bank's streams: found, explained, resolved, and quiet.

use std::time::Duration;

use driftline_event::{AlertEvent, AlertKind, AlertStatus, Task};
use driftline_sketch::{
    DecisionSource, OutcomeLabel, OutcomeOptions, OutcomeProfile, OutcomeRow, Scored, Truth,
};

use super::stream::{DAY, Event, HOUR, Rng, START, alerts, run, spec, violations};
use crate::{DecisionSpec, LabelSpec, ModelSet, ModelSpec};

/// By how much the share of errors above any cut is up in a worse world, as Cohen's h.
const WORSE: f64 = 0.125;

/// A prediction whose |error| is exponential in a world as usual, and `h` above that at every cut alike.
fn event(at: i64, h: f64, rng: &mut Rng) -> Event {
    // The share of errors beyond this one, from the world that is to the world as usual.
    let angle = rng.share().sqrt().asin() - 0.5 * h;
    let beyond = angle.max(0.03).sin().powi(2);
    let size = -beyond.ln();
    let error = if rng.chance(0.5) { size } else { -size };
    let label = 20.0 * rng.share();
    Event {
        at,
        segment: None,
        scored: Scored::Regression {
            value: label + error,
        },
        labels: vec![(at + HOUR / 2, Truth::Number(label))],
    }
}

fn events((from, days, per_hour): (i64, i64, i64), h: f64, rng: &mut Rng) -> Vec<Event> {
    let all = 0..days * 24 * per_hour;
    all.map(|i| event(from + i * HOUR / per_hour, h, rng))
        .collect()
}

fn profile() -> OutcomeProfile {
    let mut rng = Rng(99);
    let rows: Vec<OutcomeRow> = events((0, 25, 50), 0.0, &mut rng)
        .into_iter()
        .map(|event| OutcomeRow {
            scored: event.scored,
            label: Some(OutcomeLabel {
                truth: event.labels[0].1,
                weight: 1.0,
                delay_micros: None,
            }),
        })
        .collect();
    let options = OutcomeOptions {
        score_columns: vec!["score".to_owned()],
        decision: DecisionSource::Score,
        ..OutcomeOptions::new(Task::Regression)
    };
    OutcomeProfile::build(&options, &rows).unwrap()
}

fn model(alarms_per_month: f64) -> ModelSpec {
    let labels = LabelSpec {
        mature_after: vec![Duration::from_secs(3_600)],
        windows: Vec::new(),
        ..LabelSpec::default()
    };
    ModelSpec {
        decision: Some(DecisionSpec::new(
            alarms_per_month,
            Duration::from_secs(300),
        )),
        ..spec(profile(), "1", labels)
    }
}

fn of<'a>(all: &[&'a AlertEvent], feature: &str) -> Vec<&'a AlertEvent> {
    let of = all.iter().filter(|a| a.series.feature == feature);
    of.copied().collect()
}

#[test]
fn errors_that_are_larger_on_average_are_found_by_their_mean() {
    let mut rng = Rng(21);
    let mut all = events((START, 8, 60), 0.0, &mut rng);
    all.extend(events((START + 8 * DAY, 12, 60), WORSE, &mut rng));
    all.extend(events((START + 20 * DAY, 20, 60), 0.0, &mut rng));
    let models = ModelSet::new(vec![model(1.0)]).unwrap();
    let out = run(&models, &all, (HOUR, START + 40 * DAY));
    assert!(violations(&out).is_empty());
    let all = alerts(&out);
    let losses = of(&all, "loss");
    for alert in &all {
        println!("{} {}", alert.status.as_str(), alert.summary);
    }
    let statuses: Vec<AlertStatus> = losses.iter().map(|a| a.status).collect();
    assert_eq!(statuses, [AlertStatus::Firing, AlertStatus::Resolved]);
    let (fired, resolved) = (losses[0], losses[1]);
    // No share of errors beyond any cut is so far off that the bank would say so by then.
    let others = all.iter().filter(|a| a.series.feature != "loss");
    for other in others {
        assert!(other.evaluated_at.as_micros() > fired.evaluated_at.as_micros() + 2 * DAY);
    }
    assert_eq!(
        (fired.kind, fired.rule.as_str()),
        (AlertKind::ConceptDrift, "bank")
    );
    let after = fired.evaluated_at.as_micros() - (START + 8 * DAY);
    assert!((DAY..10 * DAY).contains(&after), "{} hours", after / HOUR);
    let onset = fired.onset.unwrap().as_micros() - (START + 8 * DAY);
    assert!(onset.abs() <= 2 * DAY, "{} hours", onset / HOUR);
    let effect = fired.effect.as_ref().unwrap();
    assert!(effect.lower <= effect.current && effect.current <= effect.upper);
    assert!(effect.reference < effect.current && effect.h > effect.tolerance);
    assert!(
        effect.indicator.starts_with("mean |error| up to "),
        "{effect:?}"
    );
    assert!(
        fired.summary.contains("mean |error|, counted up to"),
        "{}",
        fired.summary
    );
    assert_eq!(resolved.fingerprint, fired.fingerprint);
    assert_eq!(resolved.incident, fired.incident);
    assert!(resolved.evaluated_at.as_micros() > START + 20 * DAY);
}

#[test]
fn a_segment_learns_its_own_mean_loss() {
    let spec = ModelSpec {
        segments: vec!["s".to_owned()],
        segments_max: 2,
        ..model(1.0)
    };
    let models = ModelSet::new(vec![spec]).unwrap();
    let mut rng = Rng(22);
    let mut all = events((START, 20, 60), 0.0, &mut rng);
    for (i, one) in all.iter_mut().enumerate() {
        one.segment = Some("s=usual");
        if i % 3 == 0 {
            // Worse than the rest from the beginning, much worse later.
            let h = if one.at < START + 10 * DAY { 0.3 } else { 0.9 };
            *one = event(one.at, h, &mut rng);
            one.segment = Some("s=odd");
        }
    }
    let out = run(&models, &all, (HOUR, START + 22 * DAY));
    let all = alerts(&out);
    let losses = of(&all, "loss");
    let fired = losses.iter().find(|a| a.series.segment.is_some()).unwrap();
    assert_eq!(fired.series.segment.as_deref(), Some("s=odd"));
    assert!(fired.evaluated_at.as_micros() > START + 10 * DAY);
    assert!(
        fired
            .summary
            .contains("in its own first labels at the same age"),
        "{}",
        fired.summary
    );
}

/// How many alarms quiet months of a regression raise.
fn quiet(months: u64, alarms_per_month: f64) -> u64 {
    let models = ModelSet::new(vec![model(alarms_per_month)]).unwrap();
    let mut alarms = 0;
    for seed in 0..months {
        let mut rng = Rng(2_000 + seed);
        let events = events((START, 30, 20), 0.0, &mut rng);
        let out = run(&models, &events, (6 * HOUR, START + 31 * DAY));
        assert!(violations(&out).is_empty());
        alarms += alerts(&out).len() as u64;
    }
    alarms
}

fn assert_quiet(months: u64) {
    let alarms = quiet(months, 8.0);
    println!("{alarms} alarms in {months} months, 2 a month are allowed");
    assert!(alarms <= 2 * months);
}

#[test]
fn quiet_months_of_a_regression_keep_the_budget() {
    assert_quiet(3);
}

#[test]
#[ignore = "takes minutes"]
fn two_hundred_quiet_months_of_a_regression_keep_the_budget() {
    assert_quiet(200);
}
