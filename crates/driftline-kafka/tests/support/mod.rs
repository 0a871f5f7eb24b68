//! What the broker tests share: an echo stage, and a reader of whole topics.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::print_stderr,
    reason = "each test binary uses a part of it"
)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use driftline_event::SourcePartition;
use driftline_kafka::{
    Assignment, Flow, KafkaError, KafkaOptions, Message, OutRecord, Producer, Progress, Stage,
    StageError, StageFlush, StartAt, Worker, WorkerOptions,
};
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

pub const WITHIN: Duration = Duration::from_secs(60);

/// Copies input to a topic and commits how many messages it has seen in each partition as metadata.
#[derive(Debug, Default)]
pub struct Echo {
    pub out: String,
    pub pending: Vec<OutRecord>,
    pub positions: BTreeMap<SourcePartition, (i64, u64)>,
    /// Every assignment, in order.
    pub assignments: Arc<Mutex<Vec<Assignment>>>,
    pub ends: Arc<Mutex<Vec<SourcePartition>>>,
    pub seen: Arc<AtomicU64>,
    /// Refuse this offset of every partition once.
    pub refuse_once: Option<i64>,
    pub start: StartAt,
    /// Make the first transaction fail by metadata that no broker takes.
    pub spoil_first: bool,
}

impl Echo {
    pub fn to(out: &str) -> Self {
        Self {
            out: out.to_owned(),
            ..Self::default()
        }
    }
}

impl Stage for Echo {
    fn assigned(&mut self, assignments: &[Assignment]) -> Vec<StartAt> {
        for assignment in assignments {
            let count = assignment
                .metadata
                .as_deref()
                .map_or(0, |text| text.parse().unwrap());
            self.positions
                .insert(assignment.source.clone(), (assignment.position, count));
        }
        self.assignments
            .lock()
            .unwrap()
            .extend_from_slice(assignments);
        vec![self.start; assignments.len()]
    }

    fn message(&mut self, message: &Message<'_>) -> Flow {
        if self.refuse_once == Some(message.offset) {
            self.refuse_once = None;
            return Flow::RetryAfter(Duration::from_millis(300));
        }
        self.seen.fetch_add(1, Ordering::Relaxed);
        let (position, count) = self.positions.get_mut(message.source).expect("assigned");
        *position = message.offset + 1;
        *count += 1;
        self.pending.push(OutRecord {
            topic: self.out.clone(),
            partition: Some(message.source.partition),
            value: message.payload.map(<[u8]>::to_vec),
            headers: message
                .headers
                .iter()
                .map(|(key, value)| (key.to_owned(), value.unwrap_or_default().to_vec()))
                .collect(),
            ..OutRecord::default()
        });
        Flow::Continue
    }

    fn end_of_partition(&mut self, source: &SourcePartition) {
        self.ends.lock().unwrap().push(source.clone());
    }

    fn flush_due(&self) -> bool {
        self.pending.len() >= 500
    }

    fn flush(&mut self) -> Result<StageFlush, StageError> {
        // A slow broker lets a flush without records come first; that one is not worth spoiling.
        let spoil = self.spoil_first && !self.pending.is_empty();
        self.spoil_first &= !spoil;
        let text = |count: u64| {
            if spoil {
                "x".repeat(10_000)
            } else {
                count.to_string()
            }
        };
        Ok(StageFlush {
            records: std::mem::take(&mut self.pending),
            positions: self
                .positions
                .iter()
                .map(|(source, (position, count))| (source.clone(), *position, text(*count)))
                .collect(),
        })
    }

    fn committed(&mut self) {}

    fn aborted(&mut self) {
        self.pending.clear();
        self.positions.clear();
    }

    fn revoked(&mut self, sources: &[SourcePartition]) {
        self.positions.retain(|source, _| !sources.contains(source));
    }
}

/// A worker on a thread.
pub struct Running {
    stop: Arc<AtomicBool>,
    pub progress: Arc<Progress>,
    thread: JoinHandle<Result<Echo, KafkaError>>,
}

impl Running {
    pub fn start(brokers: &str, options: WorkerOptions, stage: Echo) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let mut kafka = KafkaOptions::new(brokers, "driftline-test");
        // A killed member's partitions are free after this; the default is 45 s.
        kafka
            .properties
            .insert("session.timeout.ms".into(), "6000".into());
        let worker = Worker::new(kafka, options, stage, Arc::clone(&stop));
        let progress = worker.progress();
        Self {
            stop,
            progress,
            thread: worker.spawn("worker").unwrap(),
        }
    }

    /// Stops and says how long that took.
    pub fn stop(self) -> (Result<Echo, KafkaError>, Duration) {
        self.stop.store(true, Ordering::Release);
        let started = Instant::now();
        let result = self.thread.join().expect("the worker does not panic");
        (result, started.elapsed())
    }

    pub fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    pub fn wait(self) -> Result<Echo, KafkaError> {
        self.thread.join().expect("the worker does not panic")
    }
}

/// Waits for a condition; panics after a minute.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Writes the numbers of a range as text, spread over partitions.
pub fn produce(brokers: &str, topic: &str, partitions: i32, numbers: std::ops::Range<u64>) {
    let producer = Producer::new(&KafkaOptions::new(brokers, "driftline-test")).unwrap();
    for number in numbers {
        let record = OutRecord {
            topic: topic.to_owned(),
            partition: Some((number % partitions as u64) as i32),
            value: Some(number.to_string().into_bytes()),
            headers: vec![("n".into(), vec![1])],
            ..OutRecord::default()
        };
        producer.send(&record, WITHIN).unwrap();
    }
    producer.flush(WITHIN).unwrap();
}

/// Every number in a topic, in no order; to the end of each partition as of now.
pub fn read_numbers(brokers: &str, topic: &str, partitions: i32, isolation: &str) -> Vec<u64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "never-joined")
        .set("isolation.level", isolation)
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    let mut open = partitions;
    let mut numbers = Vec::new();
    let deadline = Instant::now() + WITHIN;
    while open > 0 {
        assert!(Instant::now() < deadline, "cannot read {topic}");
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => {
                let text = std::str::from_utf8(message.payload().unwrap()).unwrap();
                numbers.push(text.parse().unwrap());
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => open -= 1,
            // A broker that is away is not this reader's subject; the deadline is.
            Some(Err(error)) => eprintln!("{topic}: {error}"),
        }
    }
    numbers
}

/// Whether a list holds each number of `0..count` exactly once.
pub fn assert_exactly(mut numbers: Vec<u64>, count: u64) {
    numbers.sort_unstable();
    let lost = (0..count)
        .filter(|n| numbers.binary_search(n).is_err())
        .count();
    let twice = numbers.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert_eq!(
        (lost, twice, numbers.len() as u64),
        (0, 0, count),
        "lost, twice, all"
    );
}
