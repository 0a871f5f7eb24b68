//! What the end-to-end tests share: topics of their own, the binary as a child process, and clients that
//! nobody here wrote.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests, each of which uses a part of it"
)]

pub mod data;
pub mod http;
pub mod labelled;
pub mod outcome;
pub mod service;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use driftline_kafka::{KafkaOptions, OutRecord, Producer, TopicAdmin, TopicSpec};
use serde_json::Value;

/// How long anything may take that should take seconds; the machine may have much else to do.
pub const WITHIN: Duration = Duration::from_secs(120);
const NAP: Duration = Duration::from_millis(50);

/// What `cargo xtask test` sets.
pub fn environment(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: `cargo xtask test` sets it; see docs/development.md")
    })
}

pub fn brokers() -> String {
    environment("DRIFTLINE_KAFKA")
}

/// Waits for a condition.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {WITHIN:?}: {what}");
        std::thread::sleep(NAP);
    }
}

/// A name that no other run has, and a directory of that name that goes when the test passes.
#[derive(Debug)]
pub struct Scratch {
    pub app: String,
    pub directory: PathBuf,
}

impl Scratch {
    pub fn new(name: &str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let app = format!("t-{name}-{}", since.as_nanos());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&app);
        std::fs::create_dir_all(&directory).unwrap();
        Self { app, directory }
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `<app>.<suffix>`.
    pub fn topic(&self, suffix: &str) -> String {
        format!("{}.{suffix}", self.app)
    }

    /// Creates `<app>.in` with so many partitions, and what Driftline itself needs.
    pub fn create_topics(&self, inputs: i32) {
        create_topic(
            &self.topic("in"),
            inputs,
            &[("max.message.bytes", "4000000")],
        );
        create_topic(&self.topic("partials"), 2, &[]);
        create_topic(&self.topic("alerts"), 1, &[]);
        create_topic(&self.topic("dead-letters"), 1, &[]);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

pub fn create_topic(name: &str, partitions: i32, config: &[(&str, &str)]) {
    let admin = TopicAdmin::new(&KafkaOptions::new(brokers(), "t")).unwrap();
    let config = config.iter().map(|(k, v)| ((*k).into(), (*v).into()));
    let spec = TopicSpec {
        name: name.to_owned(),
        partitions: Some(partitions),
        replication: None,
        config: config.collect::<BTreeMap<String, String>>(),
    };
    assert_eq!(admin.ensure(&[spec]).unwrap(), [name]);
}

/// A producer that takes records of up to 4 MB.
pub fn producer() -> Producer {
    let mut options = KafkaOptions::new(brokers(), "t");
    let largest = ("message.max.bytes".to_owned(), "4000000".to_owned());
    options.properties.extend([largest]);
    Producer::new(&options).unwrap()
}

/// Sends values in order, the i-th to partition i modulo `partitions`.
pub fn produce(topic: &str, partitions: i32, values: impl IntoIterator<Item = Vec<u8>>) {
    let producer = producer();
    send(&producer, topic, partitions, values);
    producer.flush(WITHIN).unwrap();
}

/// The same, 300 at a time with pauses in between: a stream that has a middle.
pub fn produce_slowly(topic: &str, partitions: i32, values: &[Vec<u8>]) {
    let producer = producer();
    for part in values.chunks(300) {
        send(&producer, topic, partitions, part.iter().cloned());
        producer.flush(WITHIN).unwrap();
        std::thread::sleep(NAP);
    }
}

fn send(
    producer: &Producer,
    topic: &str,
    partitions: i32,
    values: impl IntoIterator<Item = Vec<u8>>,
) {
    for (i, value) in (0..partitions).cycle().zip(values) {
        let record = OutRecord {
            topic: topic.to_owned(),
            partition: Some(i),
            value: Some(value),
            ..OutRecord::default()
        };
        producer.send(&record, WITHIN).unwrap();
    }
}

/// A record as kcat reads it.
#[derive(Clone, Debug)]
pub struct Consumed {
    pub key: String,
    pub value: Option<String>,
    pub headers: BTreeMap<String, String>,
}

impl Consumed {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(self.value.as_deref().unwrap()).unwrap()
    }
}

/// Everything that is committed in a topic, read by kcat.
pub fn consume(topic: &str) -> Vec<Consumed> {
    let output = Command::new(environment("DRIFTLINE_KCAT"))
        .args(["-C", "-b", &brokers(), "-t", topic, "-o", "beginning"])
        .args(["-e", "-q", "-J", "-X", "isolation.level=read_committed"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kcat: {errors}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(consumed).collect()
}

fn consumed(line: &str) -> Consumed {
    let record: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let headers = record["headers"].as_array().cloned().unwrap_or_default();
    let headers = headers.chunks(2).map(|pair| {
        let [name, value] = pair else {
            panic!("headers come in pairs: {line}")
        };
        (text(name).unwrap(), text(value).unwrap_or_default())
    });
    Consumed {
        key: text(&record["key"]).unwrap_or_default(),
        value: text(&record["payload"]),
        headers: headers.collect(),
    }
}

/// Sends lines with kcat.
pub fn kcat_produce(topic: &str, lines: &str) {
    use std::io::Write as _;
    let mut child = Command::new(environment("DRIFTLINE_KCAT"))
        .args(["-P", "-b", &brokers(), "-t", topic])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
