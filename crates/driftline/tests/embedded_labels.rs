//! Labels through the pipeline on the embedded broker: good ones, bad ones, and those that no reference understands.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::mpsc;
use std::time::Duration;

use driftline::config::{self, Config};
use driftline::pipeline::{Pipeline, PipelineOptions, models};
use driftline_engine::{ModelSet, Output};
use driftline_event::DropReason;
use driftline_kafka::{EmbeddedBroker, KafkaOptions, OutRecord, Producer};
use driftline_telemetry::{Stream, Telemetry, TelemetryOptions};
use support::data::{self, Fare};
use support::labelled::{self, Label, STRAYS, labels, predictions};
use support::{Scratch, WITHIN, eventually};

const EVENTS: u64 = 3_000;
/// Labels that cannot be used, and why.
const BAD: [(&str, DropReason); 4] = [
    ("{\"prediction_id\": \"1\"", DropReason::Malformed),
    (
        "{\"observed_at\": 1704067200000000, \"label\": \"yes\"}",
        DropReason::MissingField,
    ),
    (
        "{\"prediction_id\": \"1\", \"observed_at\": 1704067200000000}",
        DropReason::MissingField,
    ),
    (
        "{\"prediction_id\": \"1\", \"model_id\": \"trips\", \"observed_at\": 1704067200000000, \"label\": \"yes\"}",
        DropReason::UnknownModel,
    ),
];

struct Run {
    telemetry: Telemetry,
    outputs: Vec<Output>,
}

/// Feeds the pipeline and ends it well.
fn run(
    config: &Config,
    models: &ModelSet,
    topics: &[&str],
    rows: &[Fare],
    labels: &[String],
) -> Run {
    let broker = EmbeddedBroker::start().unwrap();
    for topic in topics {
        broker
            .create_topic(&format!("{}.{topic}", config.app), 2)
            .unwrap();
    }
    let kafka = KafkaOptions::new(broker.bootstrap(), "t");
    let producer = Producer::new(&kafka).unwrap();
    let rows: Vec<String> = rows.iter().map(Fare::json).collect();
    for (topic, values) in [("in", rows.as_slice()), ("labels", labels)] {
        for (partition, value) in [0, 1].iter().cycle().zip(values) {
            let record = OutRecord {
                topic: format!("{}.{topic}", config.app),
                partition: Some(*partition),
                value: Some(value.clone().into_bytes()),
                ..OutRecord::default()
            };
            producer.send(&record, WITHIN).unwrap();
        }
    }
    producer.flush(WITHIN).unwrap();
    let (tap, outputs) = mpsc::channel();
    let options = PipelineOptions {
        transactional: false,
        evaluate_interval: Duration::from_millis(100),
        tap: Some(tap),
        ..PipelineOptions::default()
    };
    let telemetry = Telemetry::new(TelemetryOptions::default());
    let mut pipeline = Pipeline::start(config, &kafka, models, &telemetry, &options).unwrap();
    let counted = telemetry.events(Stream::Prediction, "fares");
    let taken = telemetry.events(Stream::Label, "fares");
    let refused = telemetry.rejects(Stream::Label);
    let wanted = labels.len() as u64;
    eventually("everything is read", || {
        assert!(!pipeline.has_failed(), "{:?}", pipeline.stop());
        let refused: u64 = DropReason::ALL.iter().map(|r| refused.value(*r)).sum();
        counted.value() == rows.len() as u64 && taken.value() + refused >= wanted
    });
    assert!(!pipeline.has_finished(&config.topics.partials.name));
    pipeline.finish();
    eventually("everything is evaluated", || {
        assert!(!pipeline.has_failed(), "{:?}", pipeline.stop());
        pipeline.has_finished(&config.topics.partials.name)
    });
    pipeline.stop().unwrap();
    Run {
        telemetry,
        outputs: outputs.try_iter().collect(),
    }
}

fn of_config(scratch: &Scratch) -> Config {
    let text = labelled::config(&scratch.app, "embedded:9092", "");
    let text = text.replace("partitions: 3", "partitions: 2");
    let (config, _) = config::parse(&text, "t.yaml", &scratch.directory).unwrap();
    config
}

#[test]
fn labels_are_joined_and_bad_ones_are_dead_letters() {
    let scratch = Scratch::new("embedded-labels");
    labelled::write_reference(&scratch.directory);
    let config = of_config(&scratch);
    let models = models::load(&config, models::Labelling::Joined).unwrap();
    let rows = predictions(1, EVENTS);
    let labels = labels(2, &rows, u64::MAX);
    let labelled = labelled::labelled(&rows, &labels);
    let mut lines: Vec<String> = labels.iter().map(Label::json).collect();
    lines.extend(BAD.iter().map(|(text, _)| (*text).to_owned()));
    let topics = [
        "in",
        "labels",
        "partials",
        "outcomes",
        "alerts",
        "dead-letters",
    ];
    let run = run(&config, &models, &topics, &rows, &lines);
    let (rejects, letters) = (
        run.telemetry.rejects(Stream::Label),
        run.telemetry.dead_letters(),
    );
    for reason in DropReason::ALL {
        let bad = BAD.iter().filter(|(_, why)| why == reason).count() as u64;
        assert_eq!(rejects.value(*reason), bad, "{reason}");
        let is_letter = reason.kind() == driftline_event::RejectKind::DeadLetter;
        assert_eq!(
            letters.value(*reason),
            if is_letter { bad } else { 0 },
            "{reason}"
        );
    }
    assert!(
        letters.value(DropReason::Malformed) > 0 && letters.value(DropReason::MissingField) > 0
    );
    let joined = |name| run.telemetry.labels_joined(name).value();
    assert_eq!((joined("joined"), joined("unmatched")), (labelled, STRAYS));
    let mut of_all = 0;
    for output in run.outputs {
        match output {
            Output::Violation(violation) => panic!("{violation}"),
            Output::Performance(r) if r.segment.is_none() && r.maturity.is_final => {
                of_all += r.maturity.labelled;
            }
            _ => {}
        }
    }
    assert_eq!(of_all, labelled, "each label is in one final report");
}

#[test]
fn labels_that_no_reference_understands_are_only_counted() {
    let scratch = Scratch::new("embedded-unlabelled");
    data::write_reference(&scratch.directory);
    let text = labelled::config(&scratch.app, "embedded:9092", "");
    // Asked for by name, a reference without labels is refused.
    let (config, _) = config::parse(&text, "t.yaml", &scratch.directory).unwrap();
    let refused = models::load(&config, models::Labelling::Joined)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("fares") && refused.contains("labels"),
        "{refused}"
    );
    let (from, to) = (
        text.find("    labels:").unwrap(),
        text.find("flush:").unwrap(),
    );
    let text =
        format!("{}{}", &text[..from], &text[to..]).replace("partitions: 3", "partitions: 2");
    let (config, _) = config::parse(&text, "t.yaml", &scratch.directory).unwrap();
    let models = models::load(&config, models::Labelling::Joined).unwrap();
    let rows = predictions(1, 600);
    let lines: Vec<String> = labels(2, &rows, u64::MAX).iter().map(Label::json).collect();
    // There is no topic of outcomes, and nobody misses it.
    let topics = ["in", "labels", "partials", "alerts", "dead-letters"];
    let run = run(&config, &models, &topics, &rows, &lines);
    let taken = run.telemetry.events(Stream::Label, "fares");
    assert_eq!(taken.value(), lines.len() as u64);
    assert_eq!(run.telemetry.labels_joined("joined").value(), 0);
    let is_performance = |o: &Output| matches!(o, Output::Performance(_));
    assert!(!run.outputs.iter().any(is_performance));
}
