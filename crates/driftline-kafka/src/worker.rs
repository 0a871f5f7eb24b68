//! One worker: one thread, one consumer, one producer, one [`Stage`].

mod context;
mod output;
mod progress;
mod session;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tracing::{info, warn};

use crate::error::KafkaError;
use crate::options::KafkaOptions;
use crate::stage::Stage;
use context::WorkerContext;
use output::Output;
pub(crate) use output::base_record;
pub use progress::{PartitionProgress, Progress, WorkerCounts};
use session::Session;

/// How often an unreachable broker is complained about.
const WARN_EVERY: Duration = Duration::from_secs(10);
const METADATA_TIMEOUT: Duration = Duration::from_secs(3);
/// Consumer settings that a user may change. The queue's backoff must be short where the queue is small,
/// else librdkafka waits a second whenever it is full.
const CONSUMER_DEFAULTS: &[(&str, &str)] = &[
    ("queued.min.messages", "20000"),
    ("queued.max.messages.kbytes", "16384"),
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.wait.max.ms", "50"),
    ("fetch.max.bytes", "4194304"),
    ("max.poll.interval.ms", "120000"),
    ("session.timeout.ms", "45000"),
    ("reconnect.backoff.max.ms", "2000"),
    ("socket.timeout.ms", "20000"),
    ("topic.metadata.refresh.interval.ms", "30000"),
];
const CONSUMER_MUSTS: &[(&str, &str)] = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("enable.partition.eof", "true"),
    ("allow.auto.create.topics", "false"),
    ("check.crcs", "true"),
];

/// How output and positions reach the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Output and positions in one transaction: exactly once, on real brokers. The id must be stable and
    /// used by one live worker only, `<app>.<stage>.<instance>.<thread>`.
    ///
    /// The [`EmbeddedBroker`](crate::EmbeddedBroker) acknowledges transactions without honouring them: it
    /// shows aborted records, forgets the positions and fences nobody.
    Transactional {
        /// The `transactional.id`.
        id: String,
    },
    /// Output first, then positions: a crash between the two repeats output. The only mode in which the
    /// embedded broker keeps positions.
    AtLeastOnce,
}

/// Where to begin in a partition without a committed position.
///
/// A partition that appears in a topic where the group already has positions always begins at its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartPolicy {
    /// At the oldest record.
    #[default]
    Earliest,
    /// Behind the newest record. The position is handed to the stage and committed with its next flush.
    Latest,
}

/// What a worker reads and how it commits.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The consumer group.
    pub group: String,
    /// Input topics.
    pub topics: Vec<String>,
    /// Output topics; only their existence is checked, at the start.
    pub output_topics: Vec<String>,
    /// Exactly once or at least once.
    pub delivery: Delivery,
    /// Where to begin without a position.
    pub start: StartPolicy,
    /// The longest time between flushes while messages come in.
    pub flush_interval: Duration,
    /// How long to wait for a broker at the start; `None` waits until stopped.
    pub start_deadline: Option<Duration>,
    /// How long the last flush and leaving the group may take together.
    pub stop_deadline: Duration,
}

impl WorkerOptions {
    /// Usual settings: flush every 5 s, wait a minute for the brokers, 12 s to stop.
    pub fn new(group: impl Into<String>, topics: Vec<String>, delivery: Delivery) -> Self {
        Self {
            group: group.into(),
            topics,
            output_topics: Vec::new(),
            delivery,
            start: StartPolicy::default(),
            flush_interval: Duration::from_secs(5),
            start_deadline: Some(Duration::from_secs(60)),
            stop_deadline: Duration::from_secs(12),
        }
    }
}

/// Moves messages to a stage and its output to the log, until stopped.
#[derive(Debug)]
pub struct Worker<S> {
    kafka: KafkaOptions,
    options: WorkerOptions,
    stage: S,
    stop: Arc<AtomicBool>,
    progress: Arc<Progress>,
}

impl<S: Stage> Worker<S> {
    /// A worker that ends soon after `stop` becomes true.
    pub fn new(
        kafka: KafkaOptions,
        options: WorkerOptions,
        stage: S,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            kafka,
            options,
            stage,
            stop,
            progress: Arc::default(),
        }
    }

    /// Counters and positions, for metrics; valid while and after the worker runs.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Runs on a thread of its own.
    ///
    /// # Errors
    /// [`KafkaError::Thread`] if there can be none.
    pub fn spawn(self, name: &str) -> Result<JoinHandle<Result<S, KafkaError>>, KafkaError>
    where
        S: Send + 'static,
    {
        Ok(thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || self.run())?)
    }

    /// Runs until stopped or until an error that only a new worker, or a person, can mend. After any end
    /// without an error everything the stage took is committed.
    ///
    /// # Errors
    /// See [`KafkaError`]; whatever was not committed does not count.
    pub fn run(self) -> Result<S, KafkaError> {
        let Self {
            kafka,
            options,
            stage,
            stop,
            progress,
        } = self;
        let consumer = consumer(&kafka, &options)?;
        let closing = Arc::clone(&consumer.context().closing);
        let mut session = Session::new(
            stage,
            consumer,
            Output::new(&kafka, &options, &stop, &progress)?,
            options,
            stop,
            progress,
        );
        let result = session.start(&kafka).and_then(|started| match started {
            true => session.run(),
            false => Ok(()),
        });
        let Session {
            stage,
            consumer,
            output,
            options,
            ..
        } = session;
        closing.store(true, Ordering::Release);
        close(consumer, output, options.stop_deadline);
        result.map(|()| stage)
    }
}

impl KafkaOptions {
    /// What every worker's consumer is configured with, by librdkafka's names; its group comes on top. For
    /// benchmarks that compare with a consumer of the same settings.
    ///
    /// # Errors
    /// On properties that are refused.
    pub fn consumer_properties(&self) -> Result<BTreeMap<String, String>, KafkaError> {
        let config = self.configure(CONSUMER_DEFAULTS, CONSUMER_MUSTS)?;
        let properties = config.config_map().into_iter();
        Ok(properties
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }
}

fn consumer(
    kafka: &KafkaOptions,
    options: &WorkerOptions,
) -> Result<BaseConsumer<WorkerContext>, KafkaError> {
    let mut config = kafka.configure(CONSUMER_DEFAULTS, CONSUMER_MUSTS)?;
    config.set("group.id", &options.group);
    config
        .create_with_context(WorkerContext::default())
        .map_err(KafkaError::client("creating the consumer"))
}

/// Leaves the group. librdkafka may block in there for as long as a broker does not answer, so it happens
/// on a thread of its own, which is left behind at the deadline.
fn close(consumer: BaseConsumer<WorkerContext>, output: Output, deadline: Duration) {
    let (done, wait) = mpsc::channel::<()>();
    let closer = thread::Builder::new()
        .name("kafka-close".into())
        .spawn(move || {
            drop(consumer);
            drop(output);
            drop(done);
        });
    if closer.is_ok() && wait.recv_timeout(deadline) == Err(mpsc::RecvTimeoutError::Timeout) {
        warn!(
            "the Kafka client did not close within {} s; left behind",
            deadline.as_secs()
        );
    }
}

/// Waits for a broker and looks for the topics. False if stopped meanwhile.
fn check_topics(
    kafka: &KafkaOptions,
    options: &WorkerOptions,
    consumer: &BaseConsumer<WorkerContext>,
    stop: &AtomicBool,
) -> Result<bool, KafkaError> {
    let started = Instant::now();
    let mut warned: Option<Instant> = None;
    let mut missing = Vec::new();
    for topic in options.topics.iter().chain(&options.output_topics) {
        loop {
            if stop.load(Ordering::Acquire) {
                return Ok(false);
            }
            let timeout = options.start_deadline.map_or(METADATA_TIMEOUT, |deadline| {
                let left = deadline.saturating_sub(started.elapsed());
                left.clamp(Duration::from_millis(100), METADATA_TIMEOUT)
            });
            match topic_exists(consumer, topic, timeout) {
                Ok(true) => break,
                Ok(false) => {
                    missing.push(topic.clone());
                    break;
                }
                Err(error) => {
                    let waited = started.elapsed();
                    if options
                        .start_deadline
                        .is_some_and(|deadline| waited >= deadline)
                    {
                        return Err(KafkaError::Unreachable {
                            brokers: kafka.brokers.clone(),
                            waited,
                            reason: error.to_string(),
                        });
                    }
                    if warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
                        warn!(brokers = %kafka.brokers, %error, "no broker answers; trying again");
                        warned = Some(Instant::now());
                    }
                }
            }
        }
    }
    if missing.is_empty() {
        info!(brokers = %kafka.brokers, group = %options.group, "connected");
        return Ok(true);
    }
    missing.sort();
    missing.dedup();
    Err(KafkaError::MissingTopics(missing))
}

fn topic_exists<C: rdkafka::consumer::ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    timeout: Duration,
) -> Result<bool, rdkafka::error::KafkaError> {
    let metadata = match consumer.fetch_metadata(Some(topic), timeout) {
        Ok(metadata) => metadata,
        Err(rdkafka::error::KafkaError::MetadataFetch(
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic,
        )) => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(metadata.topics().iter().any(|found| {
        found.name() == topic && found.error().is_none() && !found.partitions().is_empty()
    }))
}
