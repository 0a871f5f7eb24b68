//! `kill -9`, again and again: nothing is lost and nothing counts twice.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc;

use driftline::pipeline::{Pipeline, PipelineOptions, models};
use driftline::{config, connect};
use driftline_engine::{ModelSet, Output};
use driftline_event::Timestamp;
use driftline_telemetry::{Telemetry, TelemetryOptions};
use support::data::{self, Fare, Fares, fares};
use support::outcome::{Outcome, replayed};
use support::service::Service;
use support::{Scratch, consume, eventually, http, produce_slowly};

const PARTITIONS: i32 = 3;
const EVENTS: u64 = 60_000;
/// Events of a day later: as many in each partition as the watermark asks for, so that every pane before closes.
const CLOSERS: u64 = 20 * PARTITIONS as u64;
const KILLS: u64 = 5;

fn events() -> Vec<Fare> {
    let mut rows = fares(Fares {
        seed: 4,
        n: EVENTS + CLOSERS,
        disorder: 45,
        drift_from: EVENTS / 2,
    });
    for row in &mut rows[EVENTS as usize..] {
        let day = std::time::Duration::from_secs(86_400);
        row.at = row.at.saturating_add(day);
    }
    rows
}

/// Everything that a new evaluator says of the partial counts in the log, down to `sizes`.
fn evaluated(config: &config::Config, models: &ModelSet, sizes: [usize; 3]) -> Outcome {
    let (tap, outputs) = mpsc::channel();
    let options = PipelineOptions {
        observe: false,
        emit_panes: true,
        tap: Some(tap),
        ..PipelineOptions::default()
    };
    let kafka = connect::kafka_options(config).unwrap();
    let telemetry = Telemetry::new(TelemetryOptions::default());
    let mut pipeline = Pipeline::start(config, &kafka, models, &telemetry, &options).unwrap();
    let mut all: Vec<Output> = Vec::new();
    eventually("the evaluator has read all counts", || {
        assert!(!pipeline.has_failed(), "{:?}", pipeline.stop());
        all.extend(outputs.try_iter());
        Outcome::of(all.clone()).sizes()[0] >= sizes[0]
    });
    pipeline.stop().unwrap();
    all.extend(outputs.try_iter());
    Outcome::of(all)
}

fn nothing_is_left(service: &Service, input: &str) -> bool {
    let metrics = service.metrics();
    (0..PARTITIONS).all(|partition| {
        let labels = [("topic", input), ("partition", &partition.to_string())];
        http::sample(&metrics, "driftline_kafka_consumer_lag_records", &labels) == Some(0.0)
    })
}

/// Runs the service and kills it in mid-stream, [`KILLS`] times, and then lets it finish.
fn killed_again_and_again(path: &Path, events: &[Fare], input: &str) {
    let chunk = events.len().div_ceil(KILLS as usize + 1);
    for (i, chunk) in events.chunks(chunk).enumerate() {
        let messages: Vec<Vec<u8>> = chunk.iter().map(|f| f.json().into_bytes()).collect();
        let (topic, count) = (input.to_owned(), chunk.len() as u64);
        // While it is being fed, not before and not after.
        let feeder = std::thread::spawn(move || produce_slowly(&topic, PARTITIONS, &messages));
        if i as u64 == KILLS {
            feeder.join().unwrap();
            let service = Service::start(path, "last");
            // A new process asks for the ends of the log after everything is in it.
            eventually("nothing is left to read", || {
                nothing_is_left(&service, input)
            });
            service.terminate();
            return;
        }
        let service = Service::start(path, &format!("life{i}"));
        eventually("a part of it is counted", || {
            service.received().0 >= count / 3
        });
        service.kill();
        feeder.join().unwrap();
    }
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn counts_survive_kill_9_exactly() {
    let scratch = Scratch::new("crash");
    scratch.create_topics(PARTITIONS);
    data::write_reference(&scratch.directory);
    let text = data::config(&scratch.app, &support::brokers(), "format: json", "");
    let path = scratch.write("driftline.yaml", &text);
    let rows = events();
    let lines: Vec<String> = rows.iter().map(Fare::json).collect();
    let file = scratch.write("events.jsonl", &lines.join("\n"));

    killed_again_and_again(&path, &rows, &scratch.topic("in"));

    let other = text
        .replace(&format!("app: {}", scratch.app), "app: APP")
        .replace(
            "partials: {",
            &format!("partials: {{name: {}, ", scratch.topic("partials")),
        );
    let reader = format!("{}-reader", scratch.app);
    support::create_topic(&format!("{reader}.alerts"), 1, &[]);
    support::create_topic(&format!("{reader}.dead-letters"), 1, &[]);
    let other = other.replace("app: APP", &format!("app: {reader}"));
    let (config, _) = config::parse(&other, "t.yaml", &scratch.directory).unwrap();
    let models = models::load(&config, models::Labelling::None).unwrap();
    let mut expected = replayed(&config, &models, &file);
    let end = Timestamp::from_seconds(data::START + EVENTS as i64 + 7_200);
    expected.keep_until(end);
    assert_eq!(expected.rows(), EVENTS);
    let mut actual = evaluated(&config, &models, expected.sizes());
    actual.keep_until(end);
    assert_eq!(actual.others, expected.others, "no violation, nothing late");
    assert_eq!(actual.sizes(), expected.sizes());
    assert!(actual.panes == expected.panes, "the panes differ");
    assert!(actual.reports == expected.reports, "the reports differ");
    assert_eq!(actual.alerts, expected.alerts);

    // What the killed ones sent: each step once.
    let sent = consume(&scratch.topic("alerts"));
    let ids: BTreeSet<&str> = sent.iter().map(|r| r.header("ce_id")).collect();
    assert_eq!(ids.len(), sent.len(), "an alert was sent twice");
    let mut alerts: Vec<(Timestamp, String)> = sent
        .iter()
        .map(|r| {
            (
                r.header("ce_time").parse().unwrap(),
                r.value.clone().unwrap(),
            )
        })
        .filter(|(at, _)| *at <= end)
        .collect();
    alerts.sort();
    assert!(!alerts.is_empty());
    assert_eq!(alerts, expected.alerts);
}
