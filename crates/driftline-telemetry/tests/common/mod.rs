//! Reports and alerts to fill telemetry with.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "tests and examples each use their part of it"
)]

use std::collections::BTreeMap;

use driftline_event::{
    AlertEvent, AlertKind, AlertStatus, ColumnKind, ColumnRole, Comparison, DropReason, Evidence,
    Maturity, Metric, MetricValue, PerformanceReport, Quality, SampleSize, SeriesKey, SeriesState,
    Severity, SourcePartition, Statistic, StatisticValue, Task, Timestamp, WindowReport,
    WindowSpan,
};
use driftline_telemetry::{
    DecisionInfo, LatencyKind, ModelInfo, Stage, Stream, Telemetry, TelemetryOptions,
};

pub fn series(model: &str, feature: &str) -> SeriesKey {
    SeriesKey {
        model: model.to_owned(),
        version: "3".to_owned(),
        segment: None,
        feature: feature.to_owned(),
        role: ColumnRole::Feature,
    }
}

/// A report whose every drift statistic is `value`, with a PSI rule at 0.2 and a missing rule at 0.1.
pub fn report(series: SeriesKey, window: &str, value: f64) -> WindowReport {
    let end: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
    let statistic = |statistic: Statistic| StatisticValue {
        statistic,
        value: if statistic.is_quality() { 0.01 } else { value },
        floor: None,
        p_value: (statistic == Statistic::KolmogorovSmirnov).then_some(0.03),
    };
    let rule = |statistic, value: f64, threshold: f64| Comparison {
        statistic,
        value,
        threshold,
        enough_data: true,
        exceeded: value >= threshold,
    };
    WindowReport {
        kind: ColumnKind::Numeric,
        reference: "9f86d081884c7d65".to_owned(),
        window: WindowSpan {
            name: window.to_owned(),
            start: end.saturating_sub(std::time::Duration::from_secs(3_600)),
            end,
            events: 18_000,
        },
        sample_size: SampleSize {
            reference: 50_000,
            current: 17_800,
        },
        statistics: Statistic::ALL.iter().copied().map(statistic).collect(),
        quality: Quality {
            missing: 200,
            ..Quality::default()
        },
        mean: Some(41.5),
        standard_deviation: Some(12.0),
        state: if value >= 0.2 {
            SeriesState::Drifted
        } else {
            SeriesState::Stable
        },
        evidence: vec![
            rule(Statistic::Psi, value, 0.2),
            rule(Statistic::MissingRatio, 0.01, 0.1),
        ],
        decision: None,
        series,
    }
}

pub fn alert(series: SeriesKey, status: AlertStatus) -> AlertEvent {
    let window = report(series.clone(), "24h", 0.31).window;
    AlertEvent {
        alert_id: format!("{}-{}", series.feature, status.as_str()),
        fingerprint: format!("{}/{}/psi", series.model, series.feature),
        status,
        severity: Severity::Warning,
        kind: AlertKind::FeatureDrift,
        rule: "psi-24h".to_owned(),
        statistic: Evidence {
            name: Statistic::Psi,
            value: 0.31,
            threshold: 0.2,
            p_value: None,
            n: 17_800,
        },
        reference: "9f86d081884c7d65".to_owned(),
        started_at: window.end,
        evaluated_at: window.end,
        ended_at: None,
        onset: None,
        effect: None,
        incident: None,
        metric: None,
        summary: format!("{} drifted: psi 0.310 is at or above 0.200", series.feature),
        window,
        series,
    }
}

/// What labels say about a mature day.
pub fn performance() -> PerformanceReport {
    let values = |value| {
        vec![MetricValue {
            metric: Metric::RocAuc,
            class: None,
            value,
            lower: value - 0.02,
            upper: value + 0.02,
            n: 9_000,
        }]
    };
    PerformanceReport {
        model: "credit".to_owned(),
        version: "3".to_owned(),
        segment: None,
        task: Task::Binary,
        reference: "9f86d081884c7d65".to_owned(),
        window: WindowSpan {
            name: "1d".to_owned(),
            start: Timestamp::from_seconds(1_772_236_800),
            end: Timestamp::from_seconds(1_772_323_200),
            events: 18_000,
        },
        revision: 1,
        evaluated_at: Timestamp::from_seconds(1_772_366_400),
        maturity: Maturity {
            predicted: 18_000,
            labelled: 9_000,
            coverage: Some(0.5),
            expected_coverage: Some(0.6),
            delay_p50_seconds: Some(3_600.0),
            delay_p95_seconds: Some(36_000.0),
            is_mature: true,
            is_final: false,
        },
        realised: values(0.71),
        estimated: values(0.74),
        baseline: values(0.78),
        calibrated: false,
        state: SeriesState::Stable,
    }
}

/// Telemetry in which every metric has at least one series, with hostile names among them.
pub fn busy(options: TelemetryOptions) -> Telemetry {
    let telemetry = Telemetry::new(options);
    telemetry.register_model(ModelInfo {
        model: "credit".to_owned(),
        version: "3".to_owned(),
        reference: "9f86d081884c7d65".to_owned(),
        source: "reference.parquet".to_owned(),
        reference_events: 50_000,
        task: "classification".to_owned(),
        decision: Some(DecisionInfo {
            alarms_per_month: 1.0,
            calibrated_days: Some(28),
        }),
    });
    for stream in Stream::ALL {
        telemetry.events(*stream, "credit").add(18_000);
        telemetry.late_events(*stream, "credit").add(3);
        telemetry.rejects(*stream).add(DropReason::Malformed, 7);
        telemetry.set_last_event(*stream, "credit", Timestamp::from_seconds(1_772_366_400));
    }
    telemetry.dead_letters().add(DropReason::Malformed, 7);
    telemetry.set_consumer_lag("predictions", 0, 12);
    telemetry.set_watermark("predictions", 0, Timestamp::from_seconds(1_772_366_000));
    telemetry.rebalances(Stage::Observe).add(1);
    telemetry.flushes_aborted(Stage::Observe).add(1);
    telemetry.set_state_bytes(Stage::Evaluate, 1 << 20);
    telemetry.labels_joined("joined").add(5);
    let outcomes = SourcePartition {
        topic: "outcomes".to_owned(),
        partition: 0,
    };
    telemetry.set_join_pending(&outcomes, 12, 1);
    telemetry.record_performance(performance());
    telemetry.register_invariants(&["offsets_tile"]);
    for kind in LatencyKind::ALL {
        telemetry
            .latency(*kind, Stage::Observe)
            .record(std::time::Duration::from_millis(42));
    }
    let hostile = "x\"} 1\ndriftline_events_total{evil=\"\\".to_owned();
    for feature in ["age", "income", "<script>alert(1)</script>", &hostile] {
        for window in ["1h", "24h"] {
            let value = if feature == "age" { 0.31 } else { 0.02 };
            telemetry.record_report(report(series("credit", feature), window, value));
        }
    }
    let output = SeriesKey {
        role: ColumnRole::Output,
        ..series("credit", "score")
    };
    telemetry.record_report(report(output, "24h", 0.05));
    let segment = SeriesKey {
        segment: Some("region=eu".to_owned()),
        ..series("credit", "age")
    };
    telemetry.record_report(report(segment, "24h", 0.25));
    telemetry.record_alert(&alert(series("credit", "age"), AlertStatus::Firing));
    telemetry
}

/// One line of the text format: the name, the labels and the value.
pub type Line = (String, BTreeMap<String, String>, f64);

/// Reads the text format strictly enough to notice a label that breaks out of its quotes.
pub fn parse(text: &str) -> Vec<Line> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(parse_line)
        .collect()
}

fn parse_line(line: &str) -> Line {
    let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a name and a value"));
    let mut labels = BTreeMap::new();
    let mut chars = rest.chars().peekable();
    if chars.next_if_eq(&'{').is_some() {
        while chars.next_if_eq(&'}').is_none() {
            let key: String = std::iter::from_fn(|| chars.next_if(|c| *c != '=')).collect();
            assert_eq!(
                (chars.next(), chars.next()),
                (Some('='), Some('"')),
                "{line}"
            );
            let mut value = String::new();
            loop {
                match chars.next().expect("the quote ends") {
                    '"' => break,
                    '\\' => value.push(match chars.next() {
                        Some('n') => '\n',
                        Some(c @ ('\\' | '"')) => c,
                        other => panic!("{other:?} escaped in {line}"),
                    }),
                    c => value.push(c),
                }
            }
            chars.next_if_eq(&',');
            assert!(labels.insert(key, value).is_none(), "{line}");
        }
    }
    let value: String = chars.collect();
    (
        name.to_owned(),
        labels,
        value.trim().parse().expect("a number"),
    )
}
