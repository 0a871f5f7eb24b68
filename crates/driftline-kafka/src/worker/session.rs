//! The worker's loop: poll, hand over, flush, answer rebalances.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use driftline_event::{SourcePartition, Timestamp};
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::{debug, info, warn};

use super::context::{Rebalance, WorkerContext};
use super::output::{Output, Sent};
use super::progress::{Count, PartitionProgress, Progress};
use super::{StartPolicy, WARN_EVERY, WorkerOptions, check_topics};
use crate::error::KafkaError;
use crate::options::KafkaOptions;
use crate::stage::{Assignment, Flow, Headers, Message, Stage, StartAt};

mod positions;

const POLL_WAIT: Duration = Duration::from_millis(100);
/// Messages between two looks at the clock.
const BATCH_MAX: usize = 512;
const FLUSH_CHECK_EVERY: usize = 64;
const PUBLISH_EVERY: Duration = Duration::from_millis(250);
/// A flush in the loop: above the longest wait for a coordinator, below max.poll.interval.
const FLUSH_WITHIN: Duration = Duration::from_secs(60);
/// A flush before giving partitions up: a fifth of the default max.poll.interval.
const REVOKE_WITHIN: Duration = Duration::from_secs(24);
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// A partition that is ours.
#[derive(Debug)]
struct Owned {
    source: SourcePartition,
    position: i64,
    is_at_end: bool,
    /// When this partition was one of several that an end-of-partition may have been for.
    maybe_at_end: Option<Instant>,
    /// Not before then may it be read again.
    resume_at: Option<Instant>,
}

pub(super) struct Session<S> {
    pub(super) stage: S,
    pub(super) consumer: BaseConsumer<WorkerContext>,
    pub(super) output: Output,
    pub(super) options: WorkerOptions,
    stop: Arc<AtomicBool>,
    progress: Arc<Progress>,
    owned: Vec<Owned>,
    /// Whether anything happened that a flush would tell.
    is_dirty: bool,
    last_flush: Instant,
    last_publish: Instant,
    last_warning: Option<Instant>,
}

impl<S: Stage> Session<S> {
    pub(super) fn new(
        stage: S,
        consumer: BaseConsumer<WorkerContext>,
        output: Output,
        options: WorkerOptions,
        stop: Arc<AtomicBool>,
        progress: Arc<Progress>,
    ) -> Self {
        let now = Instant::now();
        Self {
            stage,
            consumer,
            output,
            options,
            stop,
            progress,
            owned: Vec::new(),
            is_dirty: false,
            last_flush: now,
            last_publish: now,
            last_warning: None,
        }
    }

    /// Brokers, topics, producer epoch, and only then the group. False if stopped meanwhile.
    pub(super) fn start(&mut self, kafka: &KafkaOptions) -> Result<bool, KafkaError> {
        if !check_topics(kafka, &self.options, &self.consumer, &self.stop)? {
            return Ok(false);
        }
        let deadline = self.output.start_deadline();
        if !self.output.open(deadline)? {
            return Ok(false);
        }
        let topics: Vec<&str> = self.options.topics.iter().map(String::as_str).collect();
        self.consumer
            .subscribe(&topics)
            .map_err(KafkaError::client("subscribing"))?;
        Ok(true)
    }

    pub(super) fn run(&mut self) -> Result<(), KafkaError> {
        while !self.stop.load(Ordering::Acquire) {
            self.poll_batch()?;
            if let Some(event) = self.consumer.context().take_rebalance() {
                self.rebalance(event)?;
            }
            self.stage.tick();
            self.housekeeping()?;
            let due = self.last_flush.elapsed() >= self.options.flush_interval;
            // A stage may have something to say although nothing came in, such as that its input is idle.
            if ((self.is_dirty && due) || self.stage.flush_due())
                && self.flush(FLUSH_WITHIN)? == Sent::Aborted
            {
                self.reset()?;
            }
        }
        info!(group = %self.options.group, "stopping: last flush");
        if self.is_dirty && !self.consumer.assignment_lost() {
            // If this aborts, the next start reads the same input again.
            self.flush(self.options.stop_deadline)?;
        }
        Ok(())
    }

    fn poll_batch(&mut self) -> Result<(), KafkaError> {
        let mut wait = POLL_WAIT.min(self.options.flush_interval);
        let mut taken = 0;
        for index in 0..BATCH_MAX {
            let Some(polled) = self.consumer.poll(wait) else {
                break;
            };
            wait = Duration::ZERO;
            match polled {
                Ok(message) => {
                    let flow = deliver(&mut self.stage, &mut self.owned, &message);
                    self.is_dirty = true;
                    match flow {
                        Flow::Continue => taken += 1,
                        Flow::RetryAfter(after) => {
                            let at = (
                                message.topic().to_owned(),
                                message.partition(),
                                message.offset(),
                            );
                            drop(message);
                            self.put_back(&at.0, at.1, at.2, after)?;
                        }
                    }
                }
                Err(ClientError::PartitionEOF(partition)) => self.partition_end(partition),
                Err(error) => self.consumer_error(error)?,
            }
            let is_checkpoint = index % FLUSH_CHECK_EVERY == FLUSH_CHECK_EVERY - 1;
            if is_checkpoint && self.stage.flush_due() {
                break;
            }
        }
        self.progress.add_messages(taken);
        Ok(())
    }

    /// Reads a message again later: back to its offset, and nothing of its partition until then.
    fn put_back(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        after: Duration,
    ) -> Result<(), KafkaError> {
        self.progress.count(Count::Retry);
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        self.consumer
            .pause(&list)
            .map_err(KafkaError::client("pausing a partition"))?;
        self.consumer
            .seek(topic, partition, Offset::Offset(offset), QUERY_TIMEOUT)
            .map_err(KafkaError::client("seeking back"))?;
        if let Some(owned) = self.owned.iter_mut().find(|o| o.is(topic, partition)) {
            owned.position = offset;
            owned.resume_at = Some(Instant::now() + after);
        }
        Ok(())
    }

    fn consumer_error(&mut self, error: ClientError) -> Result<(), KafkaError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset) => return Err(self.out_of_range(error)),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                return Err(KafkaError::MissingTopics(self.options.topics.clone()));
            }
            _ => {}
        }
        if let ClientError::MessageConsumptionFatal(_) = error {
            return Err(KafkaError::Client {
                operation: "consuming",
                source: error,
            });
        }
        if self
            .last_warning
            .is_none_or(|at| at.elapsed() >= WARN_EVERY)
        {
            warn!(%error, "consuming is held up; trying on");
            self.last_warning = Some(Instant::now());
        } else {
            debug!(%error, "consuming");
        }
        Ok(())
    }

    /// librdkafka does not say which partition it was, so the log's bounds are asked for.
    fn out_of_range(&self, error: ClientError) -> KafkaError {
        for owned in &self.owned {
            let source = &owned.source;
            let bounds =
                self.consumer
                    .fetch_watermarks(&source.topic, source.partition, QUERY_TIMEOUT);
            if let Ok((low, high)) = bounds
                && !(low..=high).contains(&owned.position)
            {
                return KafkaError::OffsetOutOfRange {
                    source_partition: source.clone(),
                    position: owned.position,
                    low,
                    high,
                };
            }
        }
        KafkaError::Client {
            operation: "consuming",
            source: error,
        }
    }

    /// What is due now and then: resume partitions, settle ambiguous ends, publish positions.
    fn housekeeping(&mut self) -> Result<(), KafkaError> {
        let now = Instant::now();
        let mut due = TopicPartitionList::new();
        for owned in &mut self.owned {
            if owned.resume_at.is_some_and(|at| at <= now) {
                owned.resume_at = None;
                due.add_partition(&owned.source.topic, owned.source.partition);
            }
        }
        if due.count() > 0 {
            self.consumer
                .resume(&due)
                .map_err(KafkaError::client("resuming partitions"))?;
        }
        if now.duration_since(self.last_publish) >= PUBLISH_EVERY {
            self.last_publish = now;
            self.settle_ends();
            self.publish();
        }
        Ok(())
    }

    fn publish(&self) {
        self.progress.set_partitions(self.owned.iter().map(|owned| {
            let progress = PartitionProgress {
                position: owned.position,
                is_at_end: owned.is_at_end,
            };
            (owned.source.clone(), progress)
        }));
    }

    fn flush(&mut self, within: Duration) -> Result<Sent, KafkaError> {
        let flush = self.stage.flush().map_err(KafkaError::Stage)?;
        self.last_flush = Instant::now();
        let sent = match flush.is_empty() {
            true => Sent::Committed,
            false => self.output.send(&flush, &self.consumer, within)?,
        };
        if sent == Sent::Committed {
            self.stage.committed();
            self.is_dirty = false;
        }
        Ok(sent)
    }

    fn rebalance(&mut self, event: Rebalance) -> Result<(), KafkaError> {
        self.progress.count(Count::Rebalance);
        match event {
            Rebalance::Assign(sources) => {
                info!(partitions = sources.len(), "assigned");
                self.assign(sources)?;
            }
            Rebalance::Revoke(sources) => self.revoke(&sources)?,
        }
        self.publish();
        Ok(())
    }

    fn revoke(&mut self, sources: &[SourcePartition]) -> Result<(), KafkaError> {
        let is_lost = self.consumer.assignment_lost();
        let mut is_reset = false;
        if is_lost {
            // Others may already own them and count what we counted: nothing of it may be committed.
            warn!(
                partitions = sources.len(),
                "partitions lost; what was not flushed is read again"
            );
            self.progress.count(Count::Loss);
            is_reset = true;
        } else {
            info!(partitions = sources.len(), "revoked");
            if self.is_dirty {
                is_reset = self.flush(REVOKE_WITHIN)? == Sent::Aborted;
            }
        }
        self.owned.retain(|owned| !sources.contains(&owned.source));
        self.consumer
            .incremental_unassign(&partition_list(sources.iter()))
            .map_err(KafkaError::client("giving partitions up"))?;
        if is_reset {
            self.stage.aborted();
            self.is_dirty = false;
            self.stage.revoked(sources);
            return self.reassign();
        }
        self.stage.revoked(sources);
        Ok(())
    }

    /// Back to what is committed, after an aborted flush.
    fn reset(&mut self) -> Result<(), KafkaError> {
        self.stage.aborted();
        self.is_dirty = false;
        // A rebalance that waits for its answer comes first, else the calls below would be taken for it.
        // Messages that turn up here are read again anyway.
        for _ in 0..BATCH_MAX {
            if self.consumer.context().has_rebalance()
                || self.consumer.poll(Duration::ZERO).is_none()
            {
                break;
            }
        }
        if let Some(event) = self.consumer.context().take_rebalance() {
            match event {
                Rebalance::Revoke(_) => self.rebalance(event)?,
                Rebalance::Assign(sources) => {
                    self.reassign()?;
                    return self.rebalance(Rebalance::Assign(sources));
                }
            }
        }
        self.reassign()
    }

    fn reassign(&mut self) -> Result<(), KafkaError> {
        let sources: Vec<SourcePartition> = std::mem::take(&mut self.owned)
            .into_iter()
            .map(|owned| owned.source)
            .collect();
        if sources.is_empty() {
            return Ok(());
        }
        self.consumer
            .incremental_unassign(&partition_list(sources.iter()))
            .map_err(KafkaError::client("stepping back"))?;
        self.assign(sources)
    }
}

impl Owned {
    fn is(&self, topic: &str, partition: i32) -> bool {
        self.source.partition == partition && self.source.topic == topic
    }
}

/// Gives one message to the stage. One of a partition that is not ours is a leftover in the queue.
fn deliver<S: Stage>(stage: &mut S, owned: &mut [Owned], message: &BorrowedMessage<'_>) -> Flow {
    let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
    let Some(owned) = owned.iter_mut().find(|owned| owned.is(topic, partition)) else {
        return Flow::Continue;
    };
    if owned.resume_at.is_some() {
        return Flow::Continue;
    }
    let flow = stage.message(&Message {
        source: &owned.source,
        offset,
        timestamp: message.timestamp().to_millis().map(Timestamp::from_millis),
        key: message.key(),
        payload: message.payload(),
        headers: Headers(message.headers()),
    });
    if flow == Flow::Continue {
        owned.position = offset + 1;
        owned.is_at_end = false;
        owned.maybe_at_end = None;
    }
    flow
}

fn partition_list<'a>(sources: impl Iterator<Item = &'a SourcePartition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for source in sources {
        list.add_partition(&source.topic, source.partition);
    }
    list
}
