//! `kill -9` of the join and of the evaluators: every label still counts once, and every alert is sent once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use driftline::config::Config;
use driftline::pipeline::{Pipeline, PipelineOptions, models};
use driftline::{config, connect};
use driftline_engine::{ModelSet, Output};
use driftline_event::Timestamp;
use driftline_telemetry::{Telemetry, TelemetryOptions};
use support::data::Fare;
use support::labelled::{self, Label, end_of, labels, predictions, produce_labels};
use support::outcome::{Outcome, replayed_with};
use support::service::Service;
use support::{Scratch, consume, eventually, http, produce};

const EVENTS: u64 = 9_000;
const PARTITIONS: i32 = 3;
/// As many in each partition as the watermark asks for, so that everything before becomes final.
const CLOSERS: u64 = 20 * PARTITIONS as u64;
const LIVES: usize = 4;

/// What is known at the end, and what comes long after that.
struct Input {
    rows: Vec<Fare>,
    labels: Vec<Label>,
    closers: (Vec<Fare>, Vec<Label>),
}

fn input() -> Input {
    let mut rows = predictions(7, EVENTS + CLOSERS);
    let mut closing = rows.split_off(EVENTS as usize);
    for row in &mut closing {
        row.at = row.at.saturating_add(Duration::from_secs(6 * 86_400));
    }
    let label = |row: &Fare| Label {
        id: row.id,
        at: row.at,
        content: true,
        revision: 0,
    };
    Input {
        labels: labels(8, &rows, EVENTS / 2),
        closers: (closing.clone(), closing.iter().map(label).collect()),
        rows,
    }
}

fn lines(all: impl Iterator<Item = String>) -> String {
    all.collect::<Vec<_>>().join("\n")
}

fn start(config: &Path, stage: &str, life: usize) -> Service {
    let name = format!("{stage}-{life}");
    Service::start_with(config, &name, &["--stages", stage])
}

/// How much of a topic a service has not read, as far as it knows.
fn unread(service: &Service, topic: &str, partitions: i32) -> Option<f64> {
    let metrics = service.metrics();
    let lag = |partition: i32| {
        let labels = [("topic", topic), ("partition", &partition.to_string())];
        http::sample(&metrics, "driftline_kafka_consumer_lag_records", &labels)
    };
    (0..partitions).map(lag).sum()
}

/// Stops with `kill -9`, and finds nothing wrong before.
fn kill(service: Service) {
    assert!(!service.log().contains("invariant"), "{}", service.log());
    service.kill();
}

fn feed(scratch: &Scratch, rows: &[Fare], labels: &[Label]) {
    let messages = rows.iter().map(|row| row.json().into_bytes());
    produce(&scratch.topic("in"), PARTITIONS, messages);
    produce_labels(&scratch.topic("labels"), PARTITIONS as u64, labels);
}

/// One process reads, and others join and evaluate, who are killed in mid-stream.
fn killed_again_and_again(scratch: &Scratch, path: &Path, input: &Input) {
    let reader = start(path, "observe", 0);
    let (rows, labels) = (input.rows.len() / LIVES, input.labels.len() / LIVES + 1);
    let parts = input.rows.chunks(rows).zip(input.labels.chunks(labels));
    for (life, (rows, labels)) in parts.enumerate() {
        let join = start(path, "join", life);
        let evaluate = start(path, "evaluate", life);
        feed(scratch, rows, labels);
        eventually("a part of it is joined and evaluated", || {
            let joined = join.metric("driftline_join_labels_total", &[("result", "joined")]);
            joined.is_some_and(|n| n > 100.0)
        });
        kill(join);
        kill(evaluate);
    }
    let join = start(path, "join", LIVES);
    let evaluate = start(path, "evaluate", LIVES);
    let all_read = |what: &str, service: &Service, topic: &str, partitions| {
        eventually(what, || {
            unread(service, &scratch.topic(topic), partitions) == Some(0.0)
        });
    };
    all_read("the labels are read", &reader, "labels", PARTITIONS);
    all_read("the predictions are read", &reader, "in", PARTITIONS);
    feed(scratch, &input.closers.0, &input.closers.1);
    let counted = (EVENTS + CLOSERS) as f64;
    eventually("the closers are read", || {
        reader.received().0 as f64 >= counted
    });
    let flushed = "driftline_join_labels_total";
    eventually("the closers are joined", || {
        join.metric(flushed, &[("result", "unlabelled")])
            .is_some_and(|n| n > 0.0)
    });
    all_read("all counts are evaluated", &evaluate, "partials", 2);
    for service in [reader, join, evaluate] {
        assert!(!service.log().contains("invariant"), "{}", service.log());
        service.terminate();
    }
}

/// Everything that a new evaluator says of the counts in the log, until as much is final as is `expected`.
fn evaluated(config: &Config, models: &ModelSet, end: Timestamp, expected: &Outcome) -> Outcome {
    let (tap, outputs) = mpsc::channel();
    let options = PipelineOptions {
        observe: false,
        join: false,
        emit_panes: true,
        tap: Some(tap),
        ..PipelineOptions::default()
    };
    let kafka = connect::kafka_options(config).unwrap();
    let telemetry = Telemetry::new(TelemetryOptions::default());
    let mut pipeline = Pipeline::start(config, &kafka, models, &telemetry, &options).unwrap();
    let mut all: Vec<Output> = Vec::new();
    let mut outcome = Outcome::default();
    eventually("the evaluator has read all counts", || {
        assert!(!pipeline.has_failed(), "{:?}", pipeline.stop());
        all.extend(outputs.try_iter());
        outcome = Outcome::of(all.clone());
        outcome.keep_until(end);
        let finals = outcome.performance.values();
        let finals = finals.filter(|r| r.maturity.is_final).count();
        finals >= expected.performance.len() && outcome.sizes() >= expected.sizes()
    });
    pipeline.stop().unwrap();
    outcome
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn labels_survive_kill_9_of_the_join_exactly() {
    let scratch = Scratch::new("labels-crash");
    scratch.create_topics(PARTITIONS);
    support::create_topic(&scratch.topic("labels"), PARTITIONS, &[]);
    support::create_topic(&scratch.topic("outcomes"), 3, &[]);
    labelled::write_reference(&scratch.directory);
    let text = labelled::config(&scratch.app, &support::brokers(), "");
    let path = scratch.write("driftline.yaml", &text);
    let input = input();
    let rows = input.rows.iter().chain(&input.closers.0).map(Fare::json);
    let rows = scratch.write("rows.jsonl", &lines(rows));
    let labels = input.labels.iter().chain(&input.closers.1);
    let labels = scratch.write("labels.jsonl", &lines(labels.map(Label::json)));

    killed_again_and_again(&scratch, &path, &input);

    // A reader of its own, who has committed nothing yet.
    let reader = format!("{}-reader", scratch.app);
    for suffix in ["alerts", "dead-letters"] {
        support::create_topic(&format!("{reader}.{suffix}"), 1, &[]);
    }
    let partials = format!("partials: {{name: {}, ", scratch.topic("partials"));
    let outcomes = format!("outcomes: {{name: {}, ", scratch.topic("outcomes"));
    let other = text
        .replace(&format!("app: {}", scratch.app), &format!("app: {reader}"))
        .replace("partials: {", &partials)
        .replace("outcomes: {", &outcomes);
    let (config, _) = config::parse(&other, "t.yaml", &scratch.directory).unwrap();
    let models = models::load(&config, models::Labelling::Joined).unwrap();
    let end = end_of(EVENTS);
    let mut expected = replayed_with(&config, &models, &rows, Some(&labels));
    expected.keep_until(end);
    assert!(expected.performance.values().all(|r| r.maturity.is_final));
    let actual = evaluated(&config, &models, end, &expected);
    assert_eq!(actual.others, expected.others, "no violation, nothing late");
    assert_eq!(actual.sizes(), expected.sizes());
    assert!(actual.panes == expected.panes, "the panes differ");
    assert!(actual.reports == expected.reports, "the reports differ");
    assert_eq!(actual.performance, expected.performance);
    assert_eq!(actual.alerts, expected.alerts);

    // What the killed ones sent: each step once.
    let sent = consume(&scratch.topic("alerts"));
    let ids: BTreeSet<&str> = sent.iter().map(|r| r.header("ce_id")).collect();
    assert_eq!(ids.len(), sent.len(), "an alert was sent twice");
    let step = |r: &support::Consumed| -> (Timestamp, String) {
        let at = r.header("ce_time").parse().unwrap();
        (at, r.value.clone().unwrap())
    };
    let mut alerts: Vec<_> = sent.iter().map(step).filter(|a| a.0 <= end).collect();
    alerts.sort();
    assert!(!alerts.is_empty());
    assert_eq!(alerts, expected.alerts);
}
