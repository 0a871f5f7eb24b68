//! `replay` of a file and the same events through a real Kafka: the same panes, reports and alerts.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::Path;
use std::sync::mpsc;

use driftline::pipeline::{Pipeline, PipelineOptions, models};
use driftline::{config, connect};
use driftline_engine::{ModelSet, Output};
use driftline_telemetry::{Telemetry, TelemetryOptions};
use support::data::{self, Fare, Fares, fares};
use support::outcome::{Outcome, replayed};
use support::{Scratch, eventually, produce};

/// Runs the pipeline until as much has come out as `expected` has, and then ends it well.
fn through_kafka(config: &config::Config, models: &ModelSet, expected: &Outcome) -> Outcome {
    let (tap, outputs) = mpsc::channel();
    let options = PipelineOptions {
        emit_panes: true,
        tap: Some(tap),
        ..PipelineOptions::default()
    };
    let kafka = connect::kafka_options(config).unwrap();
    let telemetry = Telemetry::new(TelemetryOptions::default());
    let mut pipeline = Pipeline::start(config, &kafka, models, &telemetry, &options).unwrap();
    // All of the input has to be read before its end is declared.
    let counted = telemetry.events(driftline_telemetry::Stream::Prediction, "fares");
    eventually("everything is counted", || {
        assert!(!pipeline.has_failed(), "{:?}", pipeline.stop());
        counted.value() >= expected.rows()
    });
    pipeline.finish();
    let mut all: Vec<Output> = Vec::new();
    eventually("every pane is closed", || {
        assert!(!pipeline.has_failed(), "{:?}", pipeline.stop());
        all.extend(outputs.try_iter());
        Outcome::of(all.clone()).sizes() >= expected.sizes()
    });
    pipeline.stop().unwrap();
    all.extend(outputs.try_iter());
    Outcome::of(all)
}

fn same_through_kafka(
    name: &str,
    partitions: i32,
    stream: &str,
    message: &dyn Fn(&Fare) -> Vec<u8>,
) {
    let scratch = Scratch::new(name);
    scratch.create_topics(partitions);
    data::write_reference(&scratch.directory);
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/prediction.avsc");
    std::fs::copy(schema, scratch.directory.join("prediction.avsc")).unwrap();
    let text = data::config(&scratch.app, &support::brokers(), stream, "");
    let (config, _) = config::parse(&text, "t.yaml", &scratch.directory).unwrap();
    let models = models::load(&config, models::Labelling::None).unwrap();
    let rows = fares(Fares {
        seed: 1,
        n: 12_000,
        disorder: if partitions == 1 { 0 } else { 45 },
        drift_from: 6_000,
    });
    let lines: Vec<String> = rows.iter().map(Fare::json).collect();
    let file = scratch.write("events.jsonl", &lines.join("\n"));
    let expected = replayed(&config, &models, &file);
    assert!(expected.others.is_empty(), "{:?}", expected.others);
    assert!(
        expected.sizes().iter().all(|n| *n > 0),
        "{:?}",
        expected.sizes()
    );
    produce(&scratch.topic("in"), partitions, rows.iter().map(message));
    let actual = through_kafka(&config, &models, &expected);
    assert_eq!(actual.sizes(), expected.sizes());
    assert_eq!(actual.others, expected.others);
    assert_eq!(actual.alerts, expected.alerts);
    assert!(actual.reports == expected.reports, "the reports differ");
    assert!(actual.panes == expected.panes, "the panes differ");
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn json_in_one_partition_gives_what_replay_gives() {
    let message = |fare: &Fare| fare.json().into_bytes();
    same_through_kafka("one", 1, "format: json", &message);
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn avro_out_of_order_in_three_partitions_gives_what_replay_gives() {
    let stream = "format: avro, schema_file: prediction.avsc";
    same_through_kafka("three", 3, stream, &|fare| fare.avro(7));
}
