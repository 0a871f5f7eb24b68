//! The producing half: one flush is one transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::{info, warn};

use super::context::{OutputContext, OutputState, WorkerContext};
use super::progress::{Count, Progress};
use super::{Delivery, WARN_EVERY, WorkerOptions};
use crate::error::{KafkaError, is_doubtful, is_fencing};
use crate::options::{KafkaOptions, PRODUCER_DEFAULTS, PRODUCER_MUSTS};
use crate::stage::{OutRecord, StageFlush};

/// One blocking call to the transaction coordinator; more are made until the flush's own deadline.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// A commit that took longer may have been sent twice: a new epoch shuts out the stray one.
const DOUBT_AFTER: Duration = Duration::from_secs(10);
const DRAIN_STEP: Duration = Duration::from_millis(1);

/// How a flush ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Committed,
    /// Nothing of it counts (or, after a doubt, only the group's positions can tell).
    Aborted,
}

/// Why a step of a transaction did not succeed.
enum Failure {
    Abort(String),
    Doubt(String),
    Fatal(KafkaError),
}

pub(super) struct Output {
    brokers: String,
    config: ClientConfig,
    delivery: Delivery,
    start_deadline: Option<Duration>,
    state: Arc<OutputState>,
    stop: Arc<AtomicBool>,
    progress: Arc<Progress>,
    producer: Option<ThreadedProducer<OutputContext>>,
}

impl Output {
    pub(super) fn new(
        kafka: &KafkaOptions,
        options: &WorkerOptions,
        stop: &Arc<AtomicBool>,
        progress: &Arc<Progress>,
    ) -> Result<Self, KafkaError> {
        let mut config = kafka.configure(PRODUCER_DEFAULTS, PRODUCER_MUSTS)?;
        if let Delivery::Transactional { id } = &options.delivery {
            config.set("transactional.id", id);
            if !kafka.properties.contains_key("transaction.timeout.ms") {
                config.set("transaction.timeout.ms", "30000");
            }
        }
        Ok(Self {
            brokers: kafka.brokers.clone(),
            config,
            delivery: options.delivery.clone(),
            start_deadline: options.start_deadline,
            state: Arc::default(),
            stop: Arc::clone(stop),
            progress: Arc::clone(progress),
            producer: None,
        })
    }

    /// Creates the producer and fences the earlier one of this id. Must succeed before any position is
    /// read: then no flush of the past can still change them. False if stopped meanwhile.
    pub(super) fn open(&mut self, deadline: Option<Duration>) -> Result<bool, KafkaError> {
        self.producer = None;
        let started = Instant::now();
        let mut warned: Option<Instant> = None;
        let context = OutputContext::new(Arc::clone(&self.state));
        let producer: ThreadedProducer<OutputContext> = self
            .config
            .create_with_context(context)
            .map_err(KafkaError::client("creating the producer"))?;
        if self.delivery == Delivery::AtLeastOnce {
            self.producer = Some(producer);
            return Ok(true);
        }
        loop {
            let error = match producer.init_transactions(CALL_TIMEOUT) {
                Ok(()) => break,
                Err(error) => error,
            };
            if !is_retriable(&error) {
                return Err(self.fatal("init_transactions", error));
            }
            if deadline.is_some_and(|deadline| started.elapsed() >= deadline) {
                return Err(KafkaError::Unreachable {
                    brokers: self.brokers.clone(),
                    waited: started.elapsed(),
                    reason: error.to_string(),
                });
            }
            if self.stop.load(Ordering::Acquire) {
                return Ok(false);
            }
            if warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
                warn!(brokers = %self.brokers, %error, "no transaction coordinator; trying again");
                warned = Some(Instant::now());
            }
        }
        self.producer = Some(producer);
        Ok(true)
    }

    /// The deadline that the worker was given for its start.
    pub(super) fn start_deadline(&self) -> Option<Duration> {
        self.start_deadline
    }

    /// Writes one flush.
    pub(super) fn send(
        &mut self,
        flush: &StageFlush,
        consumer: &BaseConsumer<WorkerContext>,
        within: Duration,
    ) -> Result<Sent, KafkaError> {
        let deadline = Instant::now() + within;
        // An outage is no reason to end: this waits until the brokers are back or the worker is stopped.
        if self.producer.is_none() && !self.open(None)? {
            return Ok(Sent::Aborted);
        }
        let outcome = match self.delivery {
            Delivery::Transactional { .. } => self.transaction(flush, consumer, deadline),
            Delivery::AtLeastOnce => self.flush_then_commit(flush, consumer, deadline),
        };
        match outcome {
            Ok(()) => {
                self.progress.count(Count::Commit);
                if matches!(self.delivery, Delivery::Transactional { .. })
                    && self.state.is_in_doubt()
                {
                    self.rotate("a connection failed during the commit");
                }
                Ok(Sent::Committed)
            }
            Err(Failure::Abort(reason)) => {
                warn!(reason, "transaction aborted; its input is read again");
                self.abort(deadline)?;
                self.progress.count(Count::Abort);
                Ok(Sent::Aborted)
            }
            Err(Failure::Doubt(reason)) => {
                self.rotate(&reason);
                self.progress.count(Count::Abort);
                Ok(Sent::Aborted)
            }
            Err(Failure::Fatal(error)) => Err(error),
        }
    }

    fn transaction(
        &self,
        flush: &StageFlush,
        consumer: &BaseConsumer<WorkerContext>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let producer = self.producer()?;
        self.state.begin();
        self.step("begin_transaction", deadline, || {
            producer.begin_transaction()
        })?;
        self.produce(producer, &flush.records, deadline)?;
        if !flush.positions.is_empty() {
            let offsets = positions_list(flush)?;
            // Taken now: a copy from before a rebalance would be refused.
            let group = consumer
                .group_metadata()
                .ok_or_else(|| Failure::Abort("the consumer has no group".into()))?;
            self.step("send_offsets_to_transaction", deadline, || {
                producer.send_offsets_to_transaction(&offsets, &group, CALL_TIMEOUT)
            })?;
        }
        let started = Instant::now();
        self.step("commit_transaction", deadline, || {
            producer.commit_transaction(CALL_TIMEOUT)
        })?;
        if started.elapsed() > DOUBT_AFTER {
            return Err(Failure::Doubt("the commit took long".into()));
        }
        Ok(())
    }

    fn flush_then_commit(
        &self,
        flush: &StageFlush,
        consumer: &BaseConsumer<WorkerContext>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        self.state.begin();
        self.produce(self.producer()?, &flush.records, deadline)?;
        if let Some(reason) = self.state.failures() {
            return Err(Failure::Abort(reason));
        }
        if !flush.positions.is_empty() {
            consumer
                .commit(&positions_list(flush)?, CommitMode::Sync)
                .map_err(|error| Failure::Abort(error.to_string()))?;
        }
        Ok(())
    }

    fn producer(&self) -> Result<&ThreadedProducer<OutputContext>, Failure> {
        self.producer
            .as_ref()
            .ok_or_else(|| Failure::Doubt("there is no producer".into()))
    }

    /// Hands records over and waits for their reports. `commit_transaction` would wait in steps of
    /// 100 ms; this waits in steps of 1 ms.
    fn produce(
        &self,
        producer: &ThreadedProducer<OutputContext>,
        records: &[OutRecord],
        deadline: Instant,
    ) -> Result<(), Failure> {
        for record in records {
            self.produce_one(producer, record, deadline)?;
        }
        while producer.in_flight_count() > 0 {
            if Instant::now() > deadline {
                return Err(Failure::Abort(
                    "records were not acknowledged in time".into(),
                ));
            }
            thread::sleep(DRAIN_STEP);
        }
        Ok(())
    }

    fn produce_one(
        &self,
        producer: &ThreadedProducer<OutputContext>,
        record: &OutRecord,
        deadline: Instant,
    ) -> Result<(), Failure> {
        loop {
            let Err((error, _)) = producer.send(base_record(record)) else {
                return Ok(());
            };
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) if Instant::now() < deadline => {
                    thread::sleep(DRAIN_STEP);
                }
                Some(RDKafkaErrorCode::QueueFull) => {
                    return Err(Failure::Abort("the producer's queue stayed full".into()));
                }
                Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidArgument) => {
                    return Err(Failure::Fatal(unproducible(record, &error)));
                }
                _ => return Err(self.classify("produce", error)),
            }
        }
    }

    /// Makes one call until it succeeds, fails for good or the time is over.
    fn step(
        &self,
        operation: &'static str,
        deadline: Instant,
        call: impl Fn() -> Result<(), ClientError>,
    ) -> Result<(), Failure> {
        loop {
            let Err(error) = call() else { return Ok(()) };
            if !is_retriable(&error) {
                return Err(self.classify(operation, error));
            }
            if Instant::now() >= deadline {
                return Err(Failure::Doubt(format!("{operation}: {error}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn classify(&self, operation: &'static str, error: ClientError) -> Failure {
        let text = match self.state.failures() {
            Some(failures) => format!("{operation}: {error} ({failures})"),
            None => format!("{operation}: {error}"),
        };
        match &error {
            ClientError::Transaction(e) if e.txn_requires_abort() => Failure::Abort(text),
            ClientError::Transaction(e) if e.is_fatal() || is_fencing(e.code()) => {
                Failure::Fatal(self.fatal(operation, error))
            }
            _ if self.fatal_code().is_some() => Failure::Fatal(self.fatal(operation, error)),
            _ => Failure::Doubt(text),
        }
    }

    fn fatal_code(&self) -> Option<RDKafkaErrorCode> {
        self.producer
            .as_ref()
            .and_then(|p| p.client().fatal_error())
            .map(|(code, _)| code)
    }

    fn fatal(&self, operation: &'static str, error: ClientError) -> KafkaError {
        let code = self.fatal_code().or_else(|| error.rdkafka_error_code());
        match (&self.delivery, code) {
            (Delivery::Transactional { id }, Some(code)) if is_fencing(code) => {
                KafkaError::Fenced(id.clone())
            }
            _ => KafkaError::Client {
                operation,
                source: error,
            },
        }
    }

    fn abort(&mut self, deadline: Instant) -> Result<(), KafkaError> {
        if self.delivery == Delivery::AtLeastOnce {
            return Ok(());
        }
        let Ok(producer) = self.producer() else {
            return Ok(());
        };
        // At least one full attempt, also when the flush used up its time.
        let deadline = deadline.max(Instant::now() + CALL_TIMEOUT);
        match self.step("abort_transaction", deadline, || {
            producer.abort_transaction(CALL_TIMEOUT)
        }) {
            Ok(()) if !self.state.is_in_doubt() => Ok(()),
            Ok(()) => {
                self.rotate("a connection failed during the transaction");
                Ok(())
            }
            Err(Failure::Fatal(error)) => Err(error),
            Err(Failure::Abort(reason) | Failure::Doubt(reason)) => {
                self.rotate(&reason);
                Ok(())
            }
        }
    }

    /// Gives the producer up. The next one gets a higher epoch, which shuts out whatever of this one may
    /// still be on its way, and makes the positions final before they are read.
    fn rotate(&mut self, reason: &str) {
        info!(reason, "taking a new producer");
        self.progress.count(Count::Rotation);
        self.producer = None;
    }

    /// Whether a producer is there; without one positions must not be read yet.
    pub(super) fn is_open(&self) -> bool {
        self.producer.is_some()
    }
}

fn is_retriable(error: &ClientError) -> bool {
    match error {
        ClientError::Transaction(e) => {
            !e.is_fatal() && !e.txn_requires_abort() && (e.is_retriable() || is_doubtful(e.code()))
        }
        _ => false,
    }
}

fn positions_list(flush: &StageFlush) -> Result<TopicPartitionList, Failure> {
    let mut list = TopicPartitionList::with_capacity(flush.positions.len());
    for (source, position, metadata) in &flush.positions {
        let mut element = list.add_partition(&source.topic, source.partition);
        element
            .set_offset(Offset::Offset(*position))
            .map_err(|error| Failure::Abort(format!("{source} at {position}: {error}")))?;
        if !metadata.is_empty() {
            element.set_metadata(metadata);
        }
    }
    Ok(list)
}

fn unproducible(record: &OutRecord, error: &ClientError) -> KafkaError {
    let bytes = record.key.as_ref().map_or(0, Vec::len) + record.value.as_ref().map_or(0, Vec::len);
    KafkaError::Unproducible {
        topic: record.topic.clone(),
        bytes,
        reason: error.to_string(),
    }
}

pub(crate) fn base_record(record: &OutRecord) -> BaseRecord<'_, [u8], [u8]> {
    let mut base = BaseRecord::to(&record.topic);
    if let Some(partition) = record.partition {
        base = base.partition(partition);
    }
    if let Some(key) = &record.key {
        base = base.key(key.as_slice());
    }
    if let Some(value) = &record.value {
        base = base.payload(value.as_slice());
    }
    if let Some(millis) = record.timestamp_millis {
        base = base.timestamp(millis);
    }
    if !record.headers.is_empty() {
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in &record.headers {
            headers = headers.insert(Header {
                key,
                value: Some(value),
            });
        }
        base = base.headers(headers);
    }
    base
}
