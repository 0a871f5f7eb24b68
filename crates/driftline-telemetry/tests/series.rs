//! What is exported: by name, by number, and for how long.

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use common::{alert, busy, parse, report, series};
use driftline_event::{AlertStatus, ColumnRole, SeriesKey, Timestamp};
use driftline_telemetry::catalogue::{self, CATALOGUE, MetricType};
use driftline_telemetry::{OTHER, Telemetry, TelemetryOptions};

fn drift_lines(text: &str) -> Vec<common::Line> {
    let mut lines = parse(text);
    let drift = [
        "driftline_drift_",
        "driftline_feature_",
        "driftline_prediction_",
        "driftline_window_",
        "driftline_segment_",
    ];
    lines.retain(|(name, ..)| drift.iter().any(|prefix| name.starts_with(prefix)));
    lines
}

#[test]
fn every_metric_of_the_catalogue_is_exported_as_it_says_and_nothing_else() {
    let text = busy(TelemetryOptions {
        segments: true,
        ..TelemetryOptions::default()
    })
    .render();
    let mut names = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (name, labels, _) in parse(&text) {
        let metric = CATALOGUE.iter().find(|m| {
            let parts = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|s| name.strip_suffix(s));
            m.name == name
                || m.metric_type == MetricType::Histogram && parts.clone().any(|n| n == m.name)
        });
        let metric = metric.unwrap_or_else(|| panic!("{name} is not in the catalogue"));
        let has: BTreeSet<&str> = labels
            .keys()
            .map(String::as_str)
            .filter(|l| *l != "le")
            .collect();
        assert_eq!(has, metric.labels.iter().copied().collect(), "{name}");
        assert!(seen.insert((name, labels)), "a series stands twice");
        names.insert(metric.name);
        assert!(text.contains(&format!(
            "# TYPE {} {}\n",
            metric.name,
            metric.metric_type.as_str()
        )));
        assert!(text.contains(&format!("# HELP {} {}\n", metric.name, metric.help)));
    }
    assert_eq!(names, CATALOGUE.iter().map(|m| m.name).collect());
}

#[test]
fn the_score_the_threshold_and_the_flag_of_a_rule_carry_the_same_labels() {
    let telemetry = busy(TelemetryOptions::default());
    let labels = [("feature", "age"), ("detector", "psi"), ("window", "24h")];
    let value = |metric| telemetry.value(&metric, &labels);
    assert!((value(catalogue::DRIFT_SCORE) - 0.31).abs() < 1e-12);
    assert!((value(catalogue::DRIFT_THRESHOLD) - 0.2).abs() < 1e-12);
    assert!((value(catalogue::DRIFT_DETECTED) - 1.0).abs() < 1e-12);
    assert!(
        !telemetry.render().contains("region=eu"),
        "segments are off by default"
    );
}

#[test]
fn a_rule_without_enough_data_detects_nothing() {
    let telemetry = Telemetry::new(TelemetryOptions::default());
    let mut few = report(series("m", "rare"), "1h", 0.9);
    few.evidence
        .iter_mut()
        .for_each(|rule| rule.enough_data = false);
    telemetry.record_report(few);
    assert!(telemetry.value(&catalogue::DRIFT_SCORE, &[("detector", "psi")]) > 0.8);
    assert!(telemetry.value(&catalogue::DRIFT_DETECTED, &[]).abs() < f64::EPSILON);
}

#[test]
fn a_wide_model_keeps_its_worst_features_and_folds_the_others() {
    let options = TelemetryOptions {
        series_per_model_max: 300,
        ..TelemetryOptions::default()
    };
    let telemetry = Telemetry::new(options);
    for i in 0..200 {
        let value = if i == 150 {
            0.9
        } else {
            f64::from(i) / 1_100.0
        };
        telemetry.record_report(report(series("wide", &format!("f{i:03}")), "24h", value));
    }
    let output = SeriesKey {
        role: ColumnRole::Output,
        ..series("wide", "score")
    };
    telemetry.record_report(report(output, "24h", 0.01));
    let lines = drift_lines(&telemetry.render());
    assert!(lines.len() <= 300 && lines.len() > 280, "{}", lines.len());
    let features: BTreeSet<&str> = lines
        .iter()
        .filter_map(|(_, l, _)| l.get("feature"))
        .map(String::as_str)
        .collect();
    for kept in ["f150", "f199", "f198", OTHER] {
        assert!(features.contains(kept), "{kept} of {features:?}");
    }
    assert!(!features.contains("f000"));
    assert!(
        lines
            .iter()
            .any(|(name, ..)| name == "driftline_prediction_drift_score")
    );
    assert!(telemetry.value(&catalogue::SERIES_DROPPED, &[("model", "wide")]) > 1_000.0);
    assert_eq!(
        telemetry.latest_reports().len(),
        201,
        "the read view has them all"
    );
}

#[test]
fn many_models_share_the_total_and_small_ones_keep_all_of_theirs() {
    let options = TelemetryOptions {
        series_max: 1_000,
        ..TelemetryOptions::default()
    };
    let telemetry = Telemetry::new(options);
    for model in 0..10 {
        for feature in 0..50 {
            let key = series(&format!("big{model}"), &format!("f{feature}"));
            telemetry.record_report(report(key, "24h", 0.1));
        }
    }
    telemetry.record_report(report(series("small", "age"), "24h", 0.1));
    let lines = drift_lines(&telemetry.render());
    assert!(lines.len() <= 1_000 && lines.len() > 900, "{}", lines.len());
    let of = |model: &str| {
        lines
            .iter()
            .filter(|(_, l, _)| l.get("model").is_some_and(|m| m == model))
            .count()
    };
    assert!(
        of("big0").abs_diff(of("big9")) <= 20,
        "{} and {}",
        of("big0"),
        of("big9")
    );
    assert!(
        telemetry
            .value(&catalogue::SERIES_DROPPED, &[("model", "small")])
            .abs()
            < f64::EPSILON
    );
}

#[test]
fn names_that_become_one_label_become_one_series() {
    let telemetry = Telemetry::new(TelemetryOptions::default());
    for (feature, value) in [("a\u{1}", 0.1), ("a\\u{1}", 0.4)] {
        telemetry.record_report(report(series("m", feature), "24h", value));
    }
    let lines = drift_lines(&telemetry.render());
    let scores: Vec<f64> = lines
        .iter()
        .filter(|(name, l, _)| {
            name == "driftline_drift_score" && l.get("detector").is_some_and(|d| d == "psi")
        })
        .map(|(_, _, value)| *value)
        .collect();
    assert_eq!(scores, [0.4]);
}

#[test]
fn the_series_of_a_version_vanish_after_its_events_stopped() {
    let options = TelemetryOptions {
        expire_after: Duration::from_secs(3_600),
        ..TelemetryOptions::default()
    };
    let telemetry = Telemetry::new(options);
    let start = Instant::now();
    let mut empty = report(series("m", "age"), "24h", 0.3);
    telemetry.record_report_at(empty.clone(), start);
    telemetry.record_alert(&alert(series("m", "age"), AlertStatus::Firing));
    // Empty windows go on closing; they do not keep a version alive.
    empty.window.events = 0;
    telemetry.record_report_at(empty, start + Duration::from_secs(3_000));
    telemetry.expire(start + Duration::from_secs(3_500));
    assert_eq!(telemetry.latest_reports().len(), 1);
    telemetry.expire(start + Duration::from_secs(3_601));
    assert_eq!(
        (
            telemetry.latest_reports().len(),
            telemetry.active_alerts().len()
        ),
        (0, 0)
    );
    assert!(drift_lines(&telemetry.render()).is_empty());
    assert!(!telemetry.render().contains("driftline_alert_active"));
}

#[test]
fn the_read_view_is_bounded_and_counts_what_it_refuses() {
    let options = TelemetryOptions {
        reports_max: 10,
        ..TelemetryOptions::default()
    };
    let telemetry = Telemetry::new(options);
    for i in 0..30 {
        telemetry.record_report(report(series("m", &i.to_string()), "24h", 0.1));
    }
    assert_eq!(telemetry.latest_reports().len(), 10);
    assert!((telemetry.value(&catalogue::SERIES_DROPPED, &[]) - 20.0).abs() < 1e-9);
    telemetry.record_report(report(series("m", "0"), "24h", 0.7));
    assert!(
        telemetry.value(
            &catalogue::DRIFT_SCORE,
            &[("feature", "0"), ("detector", "psi")]
        ) > 0.6
    );
}

#[test]
fn an_alert_is_active_until_it_is_resolved_and_recent_ones_are_a_ring() {
    let options = TelemetryOptions {
        alerts_recent_max: 3,
        ..TelemetryOptions::default()
    };
    let telemetry = Telemetry::new(options);
    telemetry.record_alert(&alert(series("m", "age"), AlertStatus::Pending));
    assert!(telemetry.active_alerts().is_empty() && telemetry.recent_alerts().is_empty());
    telemetry.record_alert(&alert(series("m", "age"), AlertStatus::Firing));
    telemetry.record_alert(&alert(series("m", "income"), AlertStatus::Firing));
    let active = |telemetry: &Telemetry| {
        telemetry.value(&catalogue::ALERT_ACTIVE, &[("monitor", "psi-24h")])
    };
    assert_eq!(telemetry.active_alerts().len(), 2);
    assert!(
        (active(&telemetry) - 1.0).abs() < f64::EPSILON,
        "one monitor, one flag"
    );
    telemetry.record_alert(&alert(series("m", "age"), AlertStatus::Resolved));
    telemetry.record_alert(&alert(series("m", "income"), AlertStatus::Resolved));
    assert!(telemetry.active_alerts().is_empty());
    assert!(
        telemetry.render().contains("driftline_alert_active{"),
        "a quiet monitor stays, at 0"
    );
    assert!(active(&telemetry).abs() < f64::EPSILON);
    let recent: Vec<_> = telemetry
        .recent_alerts()
        .iter()
        .map(|a| a.alert_id.clone())
        .collect();
    assert_eq!(recent, ["income-resolved", "age-resolved", "income-firing"]);
    assert!(
        (telemetry.value(&catalogue::ALERTS_EMITTED, &[("status", "resolved")]) - 2.0).abs() < 1e-9
    );
}

#[test]
fn an_older_window_does_not_replace_a_newer_one() {
    let telemetry = Telemetry::new(TelemetryOptions::default());
    let new = report(series("m", "age"), "24h", 0.3);
    let mut old = report(series("m", "age"), "24h", 0.1);
    old.window.end = Timestamp::from_seconds(1_000_000);
    for step in [&old, &new, &old, &new] {
        telemetry.record_report(step.clone());
    }
    let views = telemetry.latest_reports();
    assert_eq!(*views[0].report, new);
    assert_eq!(views[0].state_since, new.window.end);
    assert_eq!(views[0].history.len(), 2);
}

#[test]
fn a_forgotten_partition_has_no_series() {
    let telemetry = busy(TelemetryOptions::default());
    assert!(
        telemetry
            .render()
            .contains("driftline_kafka_consumer_lag_records{")
    );
    telemetry.forget_partition("predictions", 0);
    telemetry.forget_partition("never seen", 7);
    let text = telemetry.render();
    assert!(
        !text.contains("consumer_lag_records{") && !text.contains("watermark_timestamp_seconds{")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_budget_is_ever_exceeded_and_no_series_stands_twice(
        columns in prop::collection::vec((0..4_u8, "[a-c\\x00~_]{0,3}", 0..3_u8, 0.0..1.0_f64), 0..60),
        series_per_model_max in 0..80_usize,
        series_max in 0..200_usize,
        segments: bool,
    ) {
        let options = TelemetryOptions { series_per_model_max, series_max, segments, ..TelemetryOptions::default() };
        let telemetry = Telemetry::new(options);
        for (model, feature, kind, value) in columns {
            let mut key = series(&format!("m{model}"), &feature);
            match kind {
                0 => {}
                1 => key.role = ColumnRole::Output,
                _ => key.segment = Some("region=eu".to_owned()),
            }
            telemetry.record_report(report(key, "24h", value));
        }
        let lines = drift_lines(&telemetry.render());
        prop_assert!(lines.len() <= series_max);
        let mut seen = BTreeSet::new();
        for (name, labels, _) in &lines {
            prop_assert!(seen.insert((name, labels)));
        }
        for model in 0..4 {
            let name = format!("m{model}");
            let of = lines.iter().filter(|(_, l, _)| l.get("model") == Some(&name)).count();
            prop_assert!(of <= series_per_model_max);
        }
    }
}
