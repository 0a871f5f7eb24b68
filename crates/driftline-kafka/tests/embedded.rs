//! Worker, producer and admin against the embedded broker: everything but transactions, which it has not.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use driftline_event::SourcePartition;
use driftline_kafka::{
    Delivery, EmbeddedBroker, KafkaError, KafkaOptions, StartAt, StartPolicy, TopicAdmin, Worker,
    WorkerOptions,
};
use support::*;

fn broker(topics: &[(&str, i32)]) -> EmbeddedBroker {
    let broker = EmbeddedBroker::start().unwrap();
    for (name, partitions) in topics {
        broker.create_topic(name, *partitions).unwrap();
    }
    broker
}

fn options(group: &str, topics: &[&str]) -> WorkerOptions {
    let topics = topics.iter().map(|&topic| topic.to_owned()).collect();
    let mut options = WorkerOptions::new(group, topics, Delivery::AtLeastOnce);
    options.flush_interval = Duration::from_millis(200);
    options
}

#[test]
fn echoes_everything_and_continues_after_a_restart() {
    let broker = broker(&[("in", 3), ("out", 3)]);
    produce(broker.bootstrap(), "in", 3, 0..2_000);
    let first = Running::start(
        broker.bootstrap(),
        options("echo", &["in"]),
        Echo::to("out"),
    );
    eventually("all are seen", || first.progress.counts().messages == 2_000);
    let progress = Arc::clone(&first.progress);
    eventually("the end is seen", || {
        let partitions = progress.partitions();
        partitions.len() == 3 && partitions.values().all(|p| p.is_at_end && p.position > 600)
    });
    let (result, took) = first.stop();
    result.unwrap();
    assert!(took < Duration::from_secs(15), "{took:?}");

    produce(broker.bootstrap(), "in", 3, 2_000..3_000);
    let second = Echo::to("out");
    let assignments = Arc::clone(&second.assignments);
    let second = Running::start(broker.bootstrap(), options("echo", &["in"]), second);
    eventually("the rest is seen", || {
        second.progress.counts().messages == 1_000
    });
    second.stop().0.unwrap();
    assert_exactly(
        read_numbers(broker.bootstrap(), "out", 3, "read_committed"),
        3_000,
    );
    assert!(
        assignments
            .lock()
            .unwrap()
            .iter()
            .all(|a| a.is_committed && a.position > 600)
    );
}

#[test]
fn a_refused_message_comes_again_and_order_is_kept() {
    let broker = broker(&[("in", 1), ("out", 1)]);
    produce(broker.bootstrap(), "in", 1, 0..100);
    let stage = Echo {
        refuse_once: Some(40),
        ..Echo::to("out")
    };
    let worker = Running::start(broker.bootstrap(), options("retry", &["in"]), stage);
    eventually("all are seen", || worker.progress.counts().messages == 100);
    assert_eq!(worker.progress.counts().retries, 1);
    worker.stop().0.unwrap();
    let numbers = read_numbers(broker.bootstrap(), "out", 1, "read_committed");
    assert_eq!(numbers, (0..100).collect::<Vec<u64>>());
}

#[test]
fn ends_of_two_topics_with_the_same_partition_numbers_are_told_apart() {
    let broker = broker(&[("a", 1), ("b", 1), ("out", 1)]);
    produce(broker.bootstrap(), "a", 1, 0..10);
    let stage = Echo::to("out");
    let ends = Arc::clone(&stage.ends);
    let worker = Running::start(broker.bootstrap(), options("ends", &["a", "b"]), stage);
    let has = |topic: &str| {
        let source = SourcePartition {
            topic: topic.into(),
            partition: 0,
        };
        ends.lock().unwrap().contains(&source)
    };
    eventually("both have ended", || has("a") && has("b"));
    worker.stop().0.unwrap();
}

#[test]
fn a_stage_may_begin_before_what_is_committed() {
    let broker = broker(&[("in", 1), ("out", 1)]);
    produce(broker.bootstrap(), "in", 1, 0..50);
    for round in 1..=2 {
        let stage = Echo {
            start: StartAt::Beginning,
            ..Echo::to("out")
        };
        let worker = Running::start(broker.bootstrap(), options("replay", &["in"]), stage);
        eventually("all are seen", || worker.progress.counts().messages == 50);
        worker.stop().0.unwrap();
        let numbers = read_numbers(broker.bootstrap(), "out", 1, "read_committed");
        assert_eq!(numbers.len(), 50 * round);
    }
}

#[test]
fn latest_skips_history_and_is_committed_at_once() {
    let broker = broker(&[("in", 1), ("out", 1)]);
    produce(broker.bootstrap(), "in", 1, 0..20);
    for _ in 0..2 {
        let stage = Echo::to("out");
        let assignments = Arc::clone(&stage.assignments);
        let mut options = options("latest", &["in"]);
        options.start = StartPolicy::Latest;
        let worker = Running::start(broker.bootstrap(), options, stage);
        eventually("assigned", || worker.progress.counts().commits > 0);
        worker.stop().0.unwrap();
        // In the second round the position is what the first round committed.
        assert_eq!(assignments.lock().unwrap()[0].position, 20);
        produce(broker.bootstrap(), "in", 1, 20..21);
        if assignments.lock().unwrap()[0].is_committed {
            return;
        }
    }
    panic!("the start position was not committed");
}

#[test]
fn missing_topics_are_named() {
    let broker = broker(&[("in", 1)]);
    let mut options = options("missing", &["in", "nope"]);
    options.output_topics = vec!["neither".into()];
    let error = Running::start(broker.bootstrap(), options, Echo::to("out"))
        .wait()
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, KafkaError::MissingTopics(_)), "{text}");
    assert!(
        text.contains("neither, nope") && text.contains("driftline topics --create"),
        "{text}"
    );
}

#[test]
fn an_unreachable_broker_is_reported_at_the_deadline() {
    let mut options = options("away", &["in"]);
    options.start_deadline = Some(Duration::from_secs(1));
    let error = Running::start("127.0.0.1:9", options, Echo::to("out"))
        .wait()
        .unwrap_err();
    assert!(matches!(error, KafkaError::Unreachable { .. }), "{error}");
}

#[test]
fn stops_in_time_while_the_broker_is_away() {
    let broker = broker(&[("in", 1), ("out", 1)]);
    let worker = Running::start(
        broker.bootstrap(),
        options("gone", &["in"]),
        Echo::to("out"),
    );
    eventually("assigned", || !worker.progress.partitions().is_empty());
    broker.set_down(true).unwrap();
    let (_, took) = worker.stop();
    assert!(took < Duration::from_secs(25), "{took:?}");

    let stop = Arc::new(AtomicBool::new(false));
    let mut waiting = options("never", &["in"]);
    waiting.start_deadline = None;
    let kafka = KafkaOptions::new(broker.bootstrap(), "t");
    let worker = Worker::new(kafka, waiting, Echo::to("out"), Arc::clone(&stop));
    let thread = worker.spawn("worker").unwrap();
    stop.store(true, Ordering::Release);
    let started = Instant::now();
    thread.join().unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_position_outside_of_the_log_is_an_error_that_says_so() {
    use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
    let broker = broker(&[("in", 1), ("out", 1)]);
    produce(broker.bootstrap(), "in", 1, 0..10);
    let consumer: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("group.id", "range")
        .create()
        .unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_offset("in", 0, rdkafka::Offset::Offset(5_000))
        .unwrap();
    consumer.commit(&list, CommitMode::Sync).unwrap();
    let worker = Running::start(
        broker.bootstrap(),
        options("range", &["in"]),
        Echo::to("out"),
    );
    match worker.wait().unwrap_err() {
        KafkaError::OffsetOutOfRange {
            position,
            low,
            high,
            ..
        } => {
            assert_eq!((position, low, high), (5_000, 0, 10));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn admin_reads_the_embedded_broker() {
    let broker = broker(&[("in", 3), ("out", 1)]);
    let admin = TopicAdmin::new(&KafkaOptions::new(broker.bootstrap(), "t")).unwrap();
    let topics = admin.topics(Duration::from_secs(5)).unwrap();
    assert_eq!(topics.get("in"), Some(&3));
    assert_eq!(
        admin.partitions("nope", Duration::from_secs(5)).unwrap(),
        None
    );
    produce(broker.bootstrap(), "out", 1, 0..7);
    let source = SourcePartition {
        topic: "out".into(),
        partition: 0,
    };
    assert_eq!(admin.log_end(&source, Duration::from_secs(5)).unwrap(), 7);
}
