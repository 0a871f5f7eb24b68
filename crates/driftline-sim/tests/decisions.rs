//! The indicator bank in the pipeline: what fires, what does not, when it ends, and against which baseline.

#![allow(clippy::unwrap_used)]

mod pipeline;

use driftline_detect::{ColumnQuorum, PValueRule, ThresholdRule};
use driftline_engine::{DecisionSpec, ModelSet, ModelSpec};
use driftline_event::{AlertEvent, AlertKind, AlertStatus, SeriesState, Statistic};
use pipeline::{START, alerts, decision, events, minute, minutes, of_shape, reports, run, spec};

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

#[test]
fn a_drift_that_goes_on_is_one_alert() {
    let events = events(1, 480, 16, |_, m, _| Some(if m < 60 { 0.0 } else { 1.0 }));
    let out = run(vec![spec(decision(), "1")], &events, 1_000);
    let fired = of_shape(&alerts(&out));
    assert_eq!(fired.len(), 1, "{fired:#?}");
    let later: Vec<_> = reports(&out, "x")
        .into_iter()
        .filter(|r| minute(r.window.end) >= 80)
        .map(|r| (r.state, r.decision.clone().unwrap()))
        .collect();
    assert!(
        later
            .iter()
            .all(|(state, _)| *state == SeriesState::Drifted)
    );
    assert!(later.iter().all(|(_, d)| d.shape.onset == fired[0].onset));
    // Without new starts the evidence of seven hours would be far above the threshold.
    for (_, decision) in &later {
        assert!(decision.shape.evidence < decision.threshold, "{decision:?}");
    }
}

#[test]
fn a_rule_does_not_hold_below_its_floor() {
    let events = events(1, 300, 17, |_, m, _| Some(if m < 180 { 0.0 } else { 1.0 }));
    let lowest = ThresholdRule {
        name: "any_psi".to_owned(),
        statistic: Statistic::Psi,
        threshold: 1e-9,
        min_events: 1,
        ..ThresholdRule::default()
    };
    let spec = ModelSpec {
        rules: vec![lowest],
        decision: None,
        ..spec(decision(), "1")
    };
    let out = run(vec![spec], &events, 1_000);
    let (mut below, mut above) = (0, 0);
    for report in reports(&out, "x") {
        let psi = report
            .statistics
            .iter()
            .find(|s| s.statistic == Statistic::Psi);
        let (Some(psi), Some(compared)) = (psi, report.evidence.first()) else {
            continue;
        };
        let beyond_chance = psi.value > psi.floor.unwrap();
        assert_eq!(compared.exceeded, beyond_chance, "{report:?}");
        below += u32::from(!beyond_chance && compared.value > compared.threshold);
        above += u32::from(beyond_chance);
        let fired =
            |a: &&&AlertEvent| a.evaluated_at == report.window.end && a.series.feature == "x";
        for alert in alerts(&out).iter().filter(fired) {
            assert_eq!(
                alert.status == AlertStatus::Firing,
                beyond_chance,
                "{alert:?}"
            );
        }
    }
    assert!(below > 5 && above > 5, "{below} {above}");
}
