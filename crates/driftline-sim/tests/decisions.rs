//! The indicator bank in the pipeline: what fires, what does not, when it ends, and against which baseline.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use driftline_detect::{ColumnQuorum, PValueRule};
use driftline_engine::{
    Baseline, Calibration, ColumnCalibration, DecisionSpec, Evaluator, EvaluatorOptions, ModelSet,
    ModelSpec, Observer, ObserverOptions, Output, SliceCalibration, WindowSpec,
};
use driftline_event::{
    AlertEvent, AlertKind, AlertStatus, ColumnRole, LayoutId, Row, Season, SeriesState,
    SourcePartition, Statistic, Timestamp, Value, WindowReport,
};
use driftline_sim::Rng;
use driftline_sketch::{ColumnProfile, ProfileOptions, ReferenceBuilder, ReferenceProfile};

/// Midnight, 2024-01-01T00:00:00Z.
const START: i64 = 1_704_067_200;
const EVENTS: u64 = 60;

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

fn profile() -> Arc<ReferenceProfile> {
    let mut rng = Rng::new(7);
    let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
    let x = (0..20_000).map(|_| rng.bell()).collect();
    let names = ["a", "b", "c", "d"];
    let c: Vec<&str> = (0..20_000).map(|_| names[rng.below(4) as usize]).collect();
    builder.numeric("x", ColumnRole::Feature, x).unwrap();
    let c = c.into_iter().map(Some);
    builder.categorical("c", ColumnRole::Output, c).unwrap();
    Arc::new(builder.build().unwrap())
}

fn spec(decision: DecisionSpec, version: &str) -> ModelSpec {
    ModelSpec {
        windows: vec![WindowSpec {
            name: "1h".to_owned(),
            size: minutes(60),
            slide: minutes(10),
        }],
        out_of_orderness: Duration::ZERO,
        decision: Some(decision),
        ..ModelSpec::new(profile(), "m", version)
    }
}

fn decision() -> DecisionSpec {
    DecisionSpec::new(1.0, minutes(1))
}

/// One event: whose it is, when, and what is in it.
#[derive(Clone, Copy, Debug)]
struct Event {
    layout: u32,
    seconds: i64,
    x: Option<f64>,
    c: &'static str,
    segment: &'static str,
}

/// `minutes` of events for every layout; `x` says where the bell of a minute of a segment stands.
fn events(
    layouts: u32,
    minutes: i64,
    seed: u64,
    x: impl Fn(u32, i64, u64) -> Option<f64>,
) -> Vec<Event> {
    let mut rng = Rng::new(seed);
    let mut events = Vec::new();
    for minute in 0..minutes {
        for i in 0..EVENTS {
            for layout in 0..layouts {
                let half = i % 2;
                let bell = rng.bell();
                events.push(Event {
                    layout,
                    seconds: START + 60 * minute + (i * 60 / EVENTS) as i64,
                    x: x(layout, minute, half).map(|centre| bell + centre),
                    c: ["a", "b", "c", "d"][rng.below(4) as usize],
                    segment: ["north", "south"][half as usize],
                });
            }
        }
    }
    events
}

fn run(specs: Vec<ModelSpec>, events: &[Event], flush_every: usize) -> Vec<Output> {
    let models = ModelSet::new(specs).unwrap();
    let has_segments = models.specs().iter().any(|s| !s.segments.is_empty());
    let options = ObserverOptions {
        watermark_rank: 1,
        ..ObserverOptions::default()
    };
    let mut observer = Observer::new(&models, options);
    let mut evaluator = Evaluator::new(&models, EvaluatorOptions::default());
    let topic = "t".to_owned();
    let source = observer.assign(
        SourcePartition {
            topic,
            partition: 0,
        },
        0,
        None,
    );
    let (mut row, mut out) = (Row::default(), Vec::new());
    let mut flush = |observer: &mut Observer| {
        for (_, batch) in observer.flush().batches {
            evaluator.handle(&batch, &mut out).unwrap();
        }
    };
    for (offset, event) in events.iter().enumerate() {
        row.clear();
        row.start(LayoutId(event.layout), 2, usize::from(has_segments));
        row.set_time(Timestamp::from_seconds(event.seconds));
        row.set_value(0, event.x.map_or(Value::Missing, Value::Double));
        let name = row.push_text(event.c);
        row.set_value(1, Value::Text(name));
        if has_segments {
            let segment = row.push_text(event.segment);
            row.set_segment(0, segment);
        }
        observer.observe(source, offset as i64, None, &row).unwrap();
        if (offset + 1) % flush_every == 0 {
            flush(&mut observer);
        }
    }
    observer.finish(source);
    flush(&mut observer);
    out
}

fn alerts(out: &[Output]) -> Vec<&AlertEvent> {
    out.iter()
        .filter_map(|o| match o {
            Output::Alert(alert) => Some(alert),
            _ => None,
        })
        .collect()
}

/// Those about the shape: a far shift makes values leave the range as well.
fn of_shape<'a>(alerts: &[&'a AlertEvent]) -> Vec<&'a AlertEvent> {
    let shape = alerts.iter().filter(|a| a.kind == AlertKind::FeatureDrift);
    shape.copied().collect()
}

fn reports<'a>(out: &'a [Output], feature: &str) -> Vec<&'a WindowReport> {
    out.iter()
        .filter_map(|o| match o {
            Output::Report(report) if report.series.feature == feature => Some(report),
            _ => None,
        })
        .collect()
}

fn minute(at: Timestamp) -> i64 {
    (at.as_micros() / 1_000_000 - START) / 60
}

#[test]
fn nothing_fires_without_drift_and_the_evidence_is_reported() {
    let events = events(1, 240, 1, |_, _, _| Some(0.0));
    let out = run(vec![spec(decision(), "1")], &events, 1_000);
    assert_eq!(alerts(&out), Vec::<&AlertEvent>::new());
    let last = *reports(&out, "x").last().unwrap();
    let decision = last.decision.as_ref().unwrap();
    assert!((decision.threshold - 43_200_f64.ln()).abs() < 1e-9);
    assert!(!decision.calibrated && decision.shape.evidence < decision.threshold);
    assert_eq!(
        (last.state, decision.shape.state),
        (SeriesState::Stable, SeriesState::Stable)
    );
    assert_eq!(last.value(Statistic::Bank), Some(decision.shape.evidence));
    assert!(last.value(Statistic::BankQuality).is_some());
}

#[test]
fn a_shift_fires_says_what_moved_and_is_resolved_when_it_is_over() {
    let shifted = |minute| (60..120).contains(&minute);
    let events = events(1, 300, 2, |_, m, _| {
        Some(if shifted(m) { 1.0 } else { 0.0 })
    });
    let out = run(vec![spec(decision(), "1")], &events, 777);
    let alerts = alerts(&out);
    assert_eq!(alerts.len(), 2, "{alerts:#?}");
    let (fired, resolved) = (alerts[0], alerts[1]);
    assert_eq!(
        (fired.status, fired.kind),
        (AlertStatus::Firing, AlertKind::FeatureDrift)
    );
    assert_eq!(fired.series.feature, "x");
    assert!((61..70).contains(&minute(fired.evaluated_at)), "{fired:?}");
    assert!(
        (50..=60).contains(&minute(fired.onset.unwrap())),
        "{fired:?}"
    );
    assert!(fired.statistic.value >= fired.statistic.threshold - 1e-9);
    let effect = fired.effect.as_ref().unwrap();
    assert!(
        effect.h.abs() > effect.tolerance && effect.indicator.contains('x'),
        "{effect:?}"
    );
    assert!(effect.lower <= effect.current && effect.current <= effect.upper);
    assert_eq!(resolved.status, AlertStatus::Resolved);
    assert_eq!(
        (resolved.incident.clone(), resolved.started_at),
        (fired.incident.clone(), fired.evaluated_at)
    );
    assert_eq!(resolved.fingerprint, fired.fingerprint);
    assert!(
        (121..200).contains(&minute(resolved.evaluated_at)),
        "{resolved:?}"
    );
    let state = |at: i64| {
        let report = reports(&out, "x")
            .into_iter()
            .find(|r| minute(r.window.end) == at);
        report.unwrap().state
    };
    assert_eq!(
        (state(100), state(290)),
        (SeriesState::Drifted, SeriesState::Stable)
    );
}

#[test]
fn missing_values_are_a_matter_of_quality_and_one_alarm_is_one_incident() {
    let mut events = events(1, 100, 3, |_, m, i| (m < 60 || i == 0).then_some(0.0));
    for event in events.iter_mut().filter(|e| e.seconds >= START + 3_600) {
        event.c = "never seen";
    }
    let out = run(vec![spec(decision(), "1")], &events, 1_000);
    let alerts = alerts(&out);
    let about = |feature: &str| alerts.iter().find(|a| a.series.feature == feature).unwrap();
    let (x, c) = (about("x"), about("c"));
    assert_eq!(
        (x.kind, c.kind),
        (AlertKind::DataQuality, AlertKind::DataQuality)
    );
    assert_eq!(x.effect.as_ref().unwrap().indicator, "missing");
    assert_eq!(c.effect.as_ref().unwrap().indicator, "unseen");
    assert_eq!((&x.incident, x.evaluated_at), (&c.incident, c.evaluated_at));
    assert!(
        alerts
            .iter()
            .all(|a| a.statistic.name == Statistic::BankQuality),
        "{alerts:#?}"
    );
}

#[test]
fn a_step_of_several_panes_and_any_cut_give_the_same() {
    let decision = DecisionSpec {
        step: minutes(5),
        ..decision()
    };
    let events = events(1, 150, 4, |_, m, _| Some(if m < 80 { 0.0 } else { 0.6 }));
    let spec = || vec![spec(decision.clone(), "1")];
    let whole = run(spec(), &events, usize::MAX);
    for flush_every in [61, 1_000] {
        assert_eq!(whole, run(spec(), &events, flush_every));
    }
    let fired = alerts(&whole);
    assert_eq!(fired.len(), 1, "{fired:#?}");
    assert_eq!(minute(fired[0].evaluated_at) % 5, 0);
}

#[test]
fn a_trailing_baseline_warms_up_and_follows_a_level_that_the_reference_does_not_have() {
    let decision = DecisionSpec {
        baseline: Baseline::Trailing {
            size: minutes(120),
            lag: minutes(60),
        },
        ..decision()
    };
    let events = events(1, 420, 5, |_, m, _| Some(if m < 330 { 1.0 } else { 2.5 }));
    let out = run(vec![spec(decision, "1")], &events, 1_000);
    let reports = reports(&out, "x");
    let warm: Vec<i64> = reports
        .iter()
        .filter(|r| r.state == SeriesState::WarmingUp)
        .map(|r| minute(r.window.end))
        .collect();
    // Two hours that end an hour and a step ago.
    assert_eq!((warm.first(), warm.last()), (Some(&10), Some(&180)));
    let (first, last) = (reports[0], reports[reports.len() - 1]);
    assert!(first.decision.is_none() && !first.reference.contains('@'));
    assert!(
        last.reference.ends_with("@trailing:2h"),
        "{}",
        last.reference
    );
    let fired = of_shape(&alerts(&out));
    assert_eq!(fired.len(), 1, "{fired:#?}");
    assert!(
        (331..345).contains(&minute(fired[0].evaluated_at)),
        "{:?}",
        fired[0]
    );
    assert!(fired[0].reference.ends_with("@trailing:2h"));
}

#[test]
fn a_version_is_compared_with_what_the_other_one_sees() {
    let follower = DecisionSpec {
        baseline: Baseline::Version("1".to_owned()),
        ..decision()
    };
    let first = DecisionSpec::new(1e-9, minutes(1));
    // The follower stands first, so the order of the specifications must not matter.
    let specs = || vec![spec(follower.clone(), "2"), spec(first.clone(), "1")];
    // Both are elsewhere than the reference from the beginning; the follower alone leaves later.
    let events = events(2, 240, 6, |layout, m, _| {
        Some(if layout == 0 && m >= 180 { 2.5 } else { 1.0 })
    });
    let out = run(specs(), &events, 1_000);
    let mut fired = of_shape(&alerts(&out));
    fired.retain(|a| a.series.version == "2");
    assert_eq!(fired.len(), 1, "{fired:#?}");
    assert!(
        (181..195).contains(&minute(fired[0].evaluated_at)),
        "{:?}",
        fired[0]
    );
    assert!(fired[0].reference.ends_with("@version:1"));
    for flush_every in [97, usize::MAX] {
        assert_eq!(out, run(specs(), &events, flush_every));
    }
}

#[test]
fn p_values_are_corrected_across_columns_and_a_quorum_counts_them() {
    let shifted = |m: i64| (60..120).contains(&m);
    let events = events(1, 240, 11, |_, m, _| {
        Some(if shifted(m) { 1.0 } else { 0.0 })
    });
    let p_value = PValueRule {
        name: "ks_p".to_owned(),
        min_events: 100,
        ..PValueRule::default()
    };
    let quorum = ColumnQuorum {
        name: "half".to_owned(),
        rule: "ks_p".to_owned(),
        ..ColumnQuorum::default()
    };
    let spec = ModelSpec {
        p_value_rules: vec![p_value],
        quorum_rules: vec![quorum.clone()],
        decision: None,
        ..spec(decision(), "1")
    };
    let out = run(vec![spec.clone()], &events, 1_000);
    let alerts = alerts(&out);
    let of = |rule: &str| -> Vec<(AlertStatus, &str, i64)> {
        let of_rule = alerts.iter().filter(|a| a.rule == rule);
        of_rule
            .map(|a| (a.status, a.series.feature.as_str(), minute(a.evaluated_at)))
            .collect()
    };
    let (tests, quorums) = (of("ks_p"), of("half"));
    // At a level of 1 % a look, alerts without drift are to be expected as well.
    let during = |(_, _, at): &&(AlertStatus, &str, i64)| (60..=80).contains(at);
    let first = *tests
        .iter()
        .find(during)
        .unwrap_or_else(|| panic!("{tests:?}"));
    assert_eq!((first.0, first.1), (AlertStatus::Firing, "x"), "{tests:?}");
    assert!(
        tests
            .iter()
            .any(|t| t.0 == AlertStatus::Resolved && t.2 > 120),
        "{tests:?}"
    );
    // Only `x` has a Kolmogorov-Smirnov statistic, so it alone is the quorum.
    assert!(
        quorums.contains(&(AlertStatus::Firing, "*", first.2)),
        "{quorums:?}"
    );
    let compared = reports(&out, "x")
        .iter()
        .filter(|r| r.evidence.iter().any(|c| c.exceeded))
        .count();
    assert!(compared >= 6, "{compared}");
    let unknown = ModelSpec {
        quorum_rules: vec![ColumnQuorum {
            rule: "ks_q".to_owned(),
            ..quorum
        }],
        ..spec
    };
    let error = ModelSet::new(vec![unknown]).unwrap_err().to_string();
    assert!(error.contains("there is no rule `ks_q`"), "{error}");
}

/// Hours 0 to 5 around their own centre each, as a calibration of one day would have them.
fn calibration(profile: &ReferenceProfile, centre: impl Fn(usize) -> f64) -> Calibration {
    let mut rng = Rng::new(8);
    let slot = |hour: usize, rng: &mut Rng| {
        let mut slot: Vec<_> = profile
            .columns
            .iter()
            .map(|c| c.profile.reference())
            .collect();
        if let ColumnProfile::Numeric(p) = &profile.columns[0].profile {
            let mut summary = p.empty_summary();
            let values: Vec<f64> = (0..20_000).map(|_| rng.bell() + centre(hour)).collect();
            p.add_column(&values, &mut summary);
            slot[0] = driftline_sketch::ColumnSummary::Numeric(summary);
        }
        (hour < 6).then(|| slot.into())
    };
    Calibration {
        reference: profile.id().to_owned(),
        days: 14,
        season: Season::HourOfDay,
        all: SliceCalibration {
            columns: vec![ColumnCalibration::default(); 2],
            slots: (0..24).map(|hour| slot(hour, &mut rng)).collect(),
        },
        ..Calibration::default()
    }
}

#[test]
fn a_cycle_that_the_calibration_knows_is_no_drift() {
    let centre = |hour: usize| [0.0, 0.5, 1.0, 1.5, 1.0, 0.5][hour.min(5)];
    let shift = |m: i64| if m >= 300 { 0.7 } else { 0.0 };
    let events = events(1, 360, 9, |_, m, _| {
        Some(centre(m as usize / 60) + shift(m))
    });
    let plain = run(vec![spec(decision(), "1")], &events, 1_000);
    assert!(alerts(&plain).iter().any(|a| minute(a.evaluated_at) < 300));
    let known = decision().calibrated(Arc::new(calibration(&profile(), centre)));
    let out = run(vec![spec(known, "1")], &events, 1_000);
    let fired = alerts(&out);
    assert_eq!(fired.len(), 1, "{fired:#?}");
    assert!(
        (301..320).contains(&minute(fired[0].evaluated_at)),
        "{:?}",
        fired[0]
    );
    assert!(
        (290..=300).contains(&minute(fired[0].onset.unwrap())),
        "{:?}",
        fired[0]
    );
    assert!(fired[0].reference.ends_with("@hour_of_day"));
    // A window of two half hours is described against the mixture of both.
    let report = reports(&out, "x")
        .into_iter()
        .find(|r| minute(r.window.end) == 150)
        .unwrap();
    assert!(report.decision.as_ref().unwrap().calibrated);
    assert!(
        report.value(Statistic::KolmogorovSmirnov).unwrap() < 0.06,
        "{report:?}"
    );
}

#[test]
fn a_segment_is_judged_by_its_own_past() {
    let trailing = DecisionSpec {
        baseline: Baseline::Trailing {
            size: minutes(60),
            lag: minutes(60),
        },
        ..decision()
    };
    let events = events(1, 240, 10, |_, m, half| {
        Some(if half == 1 && m >= 180 { 1.5 } else { 0.0 })
    });
    let cut = |decision| ModelSpec {
        segments: vec!["region".to_owned()],
        segments_max: 3,
        ..spec(decision, "1")
    };
    let out = run(vec![cut(trailing)], &events, 1_000);
    let fired = alerts(&out);
    let segments: Vec<_> = fired.iter().map(|a| a.series.segment.as_deref()).collect();
    assert!(segments.contains(&Some("region=south")), "{fired:#?}");
    assert!(!segments.contains(&Some("region=north")), "{fired:#?}");
    // Without a baseline of its own a segment is only described.
    let out = run(vec![cut(decision())], &events, 1_000);
    let (own, all): (Vec<_>, Vec<_>) = reports(&out, "x")
        .into_iter()
        .partition(|r| r.series.segment.is_some());
    assert!(!own.is_empty() && own.iter().all(|r| r.decision.is_none()));
    assert!(all.iter().any(|r| r.decision.is_some()));
}
