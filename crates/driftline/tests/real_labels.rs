//! Labels through a real Kafka: what comes out is what `replay --labels` says of the same rows.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::mpsc;

use driftline::config::Config;
use driftline::pipeline::{Pipeline, PipelineOptions, models};
use driftline::{config, connect};
use driftline_engine::{ModelSet, Output};
use driftline_event::{AlertKind, PerformanceReport};
use driftline_telemetry::{Stream, Telemetry, TelemetryOptions};
use support::data::Fare;
use support::labelled::{self, Label, STRAYS, labels, predictions, produce_labels};
use support::outcome::{Outcome, replayed_with};
use support::{Scratch, eventually, produce};

const EVENTS: u64 = 9_000;
const PARTITIONS: i32 = 3;
/// Labels that came to the log, as the join's counters call what became of them.
const OF_LABELS: [&str; 6] = [
    "joined",
    "corrected",
    "superseded",
    "duplicate",
    "too_late",
    "unmatched",
];

/// What the join counted, by name.
fn joined(telemetry: &Telemetry, name: &'static str) -> u64 {
    telemetry.labels_joined(name).value()
}

/// Runs the pipeline until all of the input was counted and joined, and ends it well.
fn through_kafka(
    (config, models): (&Config, &ModelSet),
    telemetry: &Telemetry,
    (rows, labels): (u64, u64),
    expected: &Outcome,
) -> Outcome {
    let (tap, outputs) = mpsc::channel();
    let options = PipelineOptions {
        emit_panes: true,
        tap: Some(tap),
        ..PipelineOptions::default()
    };
    let kafka = connect::kafka_options(config).unwrap();
    let mut pipeline = Pipeline::start(config, &kafka, models, telemetry, &options).unwrap();
    let counted = telemetry.events(Stream::Prediction, "fares");
    let taken = telemetry.events(Stream::Label, "fares");
    eventually("everything is counted", || {
        assert!(!pipeline.has_failed(), "{:?}", pipeline.stop());
        counted.value() >= rows && taken.value() >= labels
    });
    pipeline.finish();
    let mut all: Vec<Output> = Vec::new();
    eventually("everything is final", || {
        assert!(!pipeline.has_failed(), "{:?}", pipeline.stop());
        all.extend(outputs.try_iter());
        let outcome = Outcome::of(all.clone());
        let finals = outcome.performance.values();
        let finals = finals.filter(|r| r.maturity.is_final).count();
        outcome.sizes() >= expected.sizes() && finals >= expected.performance.len()
    });
    pipeline.stop().unwrap();
    all.extend(outputs.try_iter());
    Outcome::of(all)
}

fn same_performance(actual: &Outcome, expected: &Outcome) {
    let (actual, expected) = (&actual.performance, &expected.performance);
    assert!(actual.keys().eq(expected.keys()));
    let maturities = |all: &BTreeMap<_, PerformanceReport>| -> Vec<_> {
        all.values().map(|r| r.maturity.clone()).collect()
    };
    assert_eq!(maturities(actual), maturities(expected));
    assert_eq!(actual, expected);
}

/// The counters against the rows themselves.
fn counts_add_up(telemetry: &Telemetry, rows: &[Fare], labels: &[Label]) {
    let labelled = labelled::labelled(rows, labels);
    let count = |name| joined(telemetry, name);
    assert_eq!(count("joined"), labelled);
    // A prediction whose label came too late may have been forgotten before or not.
    let without = rows.len() as u64 - labelled;
    let unlabelled = without - count("too_late")..=without;
    assert!(unlabelled.contains(&count("unlabelled")));
    assert_eq!(count("unmatched"), STRAYS);
    assert!(count("duplicate") > 0 && count("too_late") > 0);
    let all: u64 = OF_LABELS.iter().map(|name| count(name)).sum();
    assert_eq!(all, labels.len() as u64);
    for name in ["duplicate_prediction", "unknown_model", "unreadable"] {
        assert_eq!(count(name), 0, "{name}");
    }
    for name in ["expired", "sampled_out", "out_of_bounds"] {
        assert_eq!(count(name), 0, "{name}");
    }
}

/// In any order in which the two topics may be filled.
fn same_through_kafka(name: &str, labels_first: bool) {
    let scratch = Scratch::new(name);
    scratch.create_topics(PARTITIONS);
    support::create_topic(&scratch.topic("labels"), PARTITIONS, &[]);
    support::create_topic(&scratch.topic("outcomes"), 3, &[]);
    labelled::write_reference(&scratch.directory);
    let text = labelled::config(
        &scratch.app,
        &support::brokers(),
        "join: {directory: pending}",
    );
    let (config, _) = config::parse(&text, "t.yaml", &scratch.directory).unwrap();
    let models = models::load(&config, models::Labelling::Joined).unwrap();
    let rows = predictions(5, EVENTS);
    let labels = labels(6, &rows, EVENTS / 2);
    let file = scratch.write("rows.jsonl", &lines(rows.iter().map(Fare::json)));
    let label_file = scratch.write("labels.jsonl", &lines(labels.iter().map(Label::json)));
    let expected = replayed_with(&config, &models, &file, Some(&label_file));
    assert!(expected.others.is_empty(), "{:?}", expected.others);
    let finals = expected.performance.values();
    assert!(finals.clone().count() >= 4 * (EVENTS as usize / 1_080));
    assert!(finals.clone().all(|report| report.maturity.is_final));
    let kinds = [AlertKind::ConceptDrift, AlertKind::Performance];
    for kind in kinds {
        let kind = format!("\"{}\"", kind.as_str());
        let alerts = &expected.alerts;
        assert!(alerts.iter().any(|a| a.1.contains(&kind)), "{kind}");
    }

    let produce_rows = || {
        let messages = rows.iter().map(|row| row.json().into_bytes());
        produce(&scratch.topic("in"), PARTITIONS, messages);
    };
    if !labels_first {
        produce_rows();
    }
    produce_labels(&scratch.topic("labels"), PARTITIONS as u64, &labels);
    if labels_first {
        produce_rows();
    }
    let telemetry = Telemetry::new(TelemetryOptions::default());
    let counts = (rows.len() as u64, labels.len() as u64);
    let actual = through_kafka((&config, &models), &telemetry, counts, &expected);
    assert_eq!(actual.others, expected.others);
    assert_eq!(actual.sizes(), expected.sizes());
    assert!(actual.panes == expected.panes, "the panes differ");
    assert!(actual.reports == expected.reports, "the reports differ");
    same_performance(&actual, &expected);
    assert_eq!(actual.alerts, expected.alerts);
    counts_add_up(&telemetry, &rows, &labels);
}

fn lines(all: impl Iterator<Item = String>) -> String {
    all.collect::<Vec<_>>().join("\n")
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn labels_give_what_replay_gives() {
    same_through_kafka("labels", false);
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn labels_that_come_before_their_predictions_give_the_same() {
    same_through_kafka("labels-first", true);
}
