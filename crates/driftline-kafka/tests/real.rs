//! The guarantees, against real brokers: `DRIFTLINE_KAFKA` is the bootstrap address.
//!
//! `cargo xtask test` starts Apache Kafka and runs these; by hand:
//! `DRIFTLINE_KAFKA=127.0.0.1:19092 cargo test -p driftline-kafka --test real -- --ignored`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use driftline_event::SourcePartition;
use driftline_kafka::{Delivery, KafkaError, KafkaOptions, TopicAdmin, TopicSpec, WorkerOptions};
use support::*;

const STOP_WITHIN: Duration = Duration::from_secs(15);
const READ_COMMITTED: &str = "read_committed";

fn brokers() -> String {
    std::env::var("DRIFTLINE_KAFKA")
        .expect("DRIFTLINE_KAFKA is not set; `cargo xtask kafka up` prints the address")
}

/// Names that no other run has, and the topics `<prefix>.in` and `<prefix>.out`.
fn setup(name: &str, partitions: i32) -> String {
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    let prefix = format!("t-{name}-{nanos}");
    let spec = |suffix: &str| TopicSpec {
        name: format!("{prefix}.{suffix}"),
        partitions: Some(partitions),
        replication: None,
        config: BTreeMap::new(),
    };
    let created = admin().ensure(&[spec("in"), spec("out")]).unwrap();
    assert_eq!(created.len(), 2);
    prefix
}

fn admin() -> TopicAdmin {
    TopicAdmin::new(&KafkaOptions::new(brokers(), "t")).unwrap()
}

fn options(prefix: &str, slot: &str) -> WorkerOptions {
    let delivery = Delivery::Transactional {
        id: format!("{prefix}.{slot}"),
    };
    let mut options = WorkerOptions::new(prefix.to_owned(), vec![format!("{prefix}.in")], delivery);
    options.flush_interval = Duration::from_millis(200);
    options
}

fn start(prefix: &str, slot: &str) -> Running {
    start_with(prefix, options(prefix, slot))
}

fn start_with(prefix: &str, options: WorkerOptions) -> Running {
    Running::start(&brokers(), options, Echo::to(&format!("{prefix}.out")))
}

fn output(prefix: &str, partitions: i32, isolation: &str) -> Vec<u64> {
    read_numbers(&brokers(), &format!("{prefix}.out"), partitions, isolation)
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn a_flush_is_seen_once_and_the_metadata_comes_back() {
    let prefix = setup("once", 2);
    let input = format!("{prefix}.in");
    produce(&brokers(), &input, 2, 0..3_000);
    let worker = start(&prefix, "0");
    eventually("all are seen", || {
        worker.progress.counts().messages == 3_000
    });
    let (result, took) = worker.stop();
    result.unwrap();
    assert!(took < STOP_WITHIN, "{took:?}");
    assert_exactly(output(&prefix, 2, READ_COMMITTED), 3_000);

    let stage = Echo::to(&format!("{prefix}.out"));
    let assignments = Arc::clone(&stage.assignments);
    let ends = Arc::clone(&stage.ends);
    let worker = Running::start(&brokers(), options(&prefix, "0"), stage);
    eventually("both partitions are at their end", || {
        ends.lock().unwrap().len() >= 2
    });
    assert_eq!(worker.progress.counts().messages, 0);
    worker.stop().0.unwrap();
    for assignment in assignments.lock().unwrap().iter() {
        assert!(assignment.is_committed);
        assert_eq!(assignment.position, 1_500);
        assert_eq!(assignment.metadata.as_deref(), Some("1500"));
    }
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn an_aborted_flush_leaves_nothing_and_is_done_again() {
    let prefix = setup("abort", 1);
    produce(&brokers(), &format!("{prefix}.in"), 1, 0..400);
    let stage = Echo {
        spoil_first: true,
        ..Echo::to(&format!("{prefix}.out"))
    };
    let worker = Running::start(&brokers(), options(&prefix, "0"), stage);
    // Which flush is spoilt, and how many records it has, depends on when it is due: only the end is certain.
    eventually("all are committed", || {
        worker.progress.counts().aborts >= 1 && output(&prefix, 1, READ_COMMITTED).len() >= 400
    });
    worker.stop().0.unwrap();
    assert_exactly(output(&prefix, 1, READ_COMMITTED), 400);
    let with_aborted = output(&prefix, 1, "read_uncommitted").len();
    assert!(
        with_aborted > 400,
        "the aborted records are in the log: {with_aborted}"
    );
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn workers_come_and_go_without_loss_or_duplicates() {
    const PARTITIONS: i32 = 6;
    let prefix = setup("rebalance", PARTITIONS);
    let input = format!("{prefix}.in");
    let produced = Arc::new(AtomicU64::new(0));
    let done = Arc::clone(&produced);
    let producing = input.clone();
    let producer = std::thread::spawn(move || {
        for chunk in 0..30_u64 {
            produce(
                &brokers(),
                &producing,
                PARTITIONS,
                chunk * 500..(chunk + 1) * 500,
            );
            done.store((chunk + 1) * 500, Ordering::Release);
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let has = |worker: &Running, count: usize| worker.progress.partitions().len() == count;
    let first = start(&prefix, "0");
    eventually("the first has all", || has(&first, 6));
    let second = start(&prefix, "1");
    eventually("they share", || has(&first, 3) && has(&second, 3));
    let third = start(&prefix, "2");
    eventually("three share", || {
        has(&first, 2) && has(&second, 2) && has(&third, 2)
    });
    let (result, took) = first.stop();
    result.unwrap();
    assert!(took < STOP_WITHIN, "{took:?}");
    eventually("two take over", || has(&second, 3) && has(&third, 3));
    producer.join().unwrap();
    let total = produced.load(Ordering::Acquire);
    eventually("all is at the end", || {
        let at_end = |w: &Running| w.progress.partitions().values().all(|p| p.is_at_end);
        at_end(&second) && at_end(&third)
    });
    second.stop().0.unwrap();
    third.stop().0.unwrap();
    assert_exactly(output(&prefix, PARTITIONS, READ_COMMITTED), total);
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn a_second_worker_with_the_same_id_fences_the_first() {
    let prefix = setup("fence", 1);
    let input = format!("{prefix}.in");
    let first = start(&prefix, "same");
    eventually("the first works", || first.progress.counts().commits > 0);
    let second = start(&prefix, "same");
    eventually("the second is in", || {
        second.progress.counts().rebalances > 0 || first.is_done()
    });
    produce(&brokers(), &input, 1, 0..100);
    let error = first.wait().expect_err("it cannot commit any more");
    assert!(matches!(error, KafkaError::Fenced(_)), "{error:?}");
    eventually("the second takes over", || {
        second
            .progress
            .partitions()
            .values()
            .any(|p| p.is_at_end && p.position == 100)
    });
    second.stop().0.unwrap();
    assert_exactly(output(&prefix, 1, READ_COMMITTED), 100);
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn killed_workers_lose_and_repeat_nothing() {
    const PARTITIONS: i32 = 3;
    let prefix = setup("kill", PARTITIONS);
    let admin = admin();
    produce(&brokers(), &format!("{prefix}.in"), PARTITIONS, 0..100_000);
    let written = || -> i64 {
        let end = |partition| {
            let source = SourcePartition {
                topic: format!("{prefix}.out"),
                partition,
            };
            admin.log_end(&source, Duration::from_secs(5)).unwrap_or(0)
        };
        (0..PARTITIONS).map(end).sum()
    };
    // Each is killed while it works: at a moment of its flushes that nobody chooses.
    for millis in [0, 7, 13, 29] {
        let before = written();
        let mut child = spawn_child(&prefix);
        eventually("the child writes", || written() >= before + 2_000);
        std::thread::sleep(Duration::from_millis(millis));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(
        written() < 100_000,
        "the children were killed before the end"
    );
    let worker = start(&prefix, "child");
    eventually("all is at the end", || {
        let partitions = worker.progress.partitions();
        partitions.len() == 3 && partitions.values().all(|p| p.is_at_end)
    });
    worker.stop().0.unwrap();
    assert_exactly(output(&prefix, PARTITIONS, READ_COMMITTED), 100_000);
}

fn spawn_child(prefix: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_that_is_killed"])
        .env("DRIFTLINE_TEST_CHILD", prefix)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The process that `killed_workers_lose_and_repeat_nothing` kills; does nothing by itself.
#[test]
#[ignore = "a part of another test"]
fn child_that_is_killed() {
    let Ok(prefix) = std::env::var("DRIFTLINE_TEST_CHILD") else {
        return;
    };
    let mut options = options(&prefix, "child");
    options.flush_interval = Duration::from_millis(20);
    let worker = start_with(&prefix, options);
    worker.wait().unwrap();
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn topics_are_created_with_their_settings_and_described() {
    let prefix = setup("admin", 2);
    let name = format!("{prefix}.state");
    let config = BTreeMap::from([
        ("cleanup.policy".to_owned(), "compact".to_owned()),
        ("max.message.bytes".to_owned(), "4000000".to_owned()),
    ]);
    let spec = TopicSpec {
        name: name.clone(),
        partitions: Some(4),
        replication: None,
        config: config.clone(),
    };
    let admin = admin();
    assert_eq!(
        admin.ensure(std::slice::from_ref(&spec)).unwrap(),
        [name.as_str()]
    );
    assert!(
        admin
            .ensure(std::slice::from_ref(&spec))
            .unwrap()
            .is_empty()
    );
    let described = admin.describe(&[spec]).unwrap();
    assert_eq!(
        (described[0].partitions, &described[0].config),
        (4, &config)
    );
    let source = SourcePartition {
        topic: name,
        partition: 0,
    };
    assert_eq!(admin.log_end(&source, Duration::from_secs(5)).unwrap(), 0);
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn a_flush_costs_milliseconds() {
    let prefix = setup("cost", 1);
    let worker = start(&prefix, "0");
    let input = format!("{prefix}.in");
    eventually("assigned", || worker.progress.counts().commits > 0);
    let started = Instant::now();
    produce(&brokers(), &input, 1, 0..50_000);
    eventually("all are seen", || {
        worker.progress.counts().messages == 50_000
    });
    let commits = worker.progress.counts().commits;
    println!(
        "50 000 messages and {commits} commits in {:?}",
        started.elapsed()
    );
    worker.stop().0.unwrap();
    assert_exactly(output(&prefix, 1, READ_COMMITTED), 50_000);
}
