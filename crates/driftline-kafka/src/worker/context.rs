//! What librdkafka's callbacks leave for the worker's loop.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use driftline_event::SourcePartition;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{NoCustomPartitioner, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tracing::{debug, warn};

use crate::error::is_doubtful;

/// A change of the assignment that waits for the worker's answer.
#[derive(Debug)]
pub(super) enum Rebalance {
    Assign(Vec<SourcePartition>),
    Revoke(Vec<SourcePartition>),
}

/// The consumer's side.
///
/// The rebalance callback only notes the event: `poll` returns right after it, and the loop answers on
/// the same thread with the stage and the producer at hand. librdkafka waits for that answer.
#[derive(Debug, Default)]
pub(super) struct WorkerContext {
    events: Mutex<VecDeque<Rebalance>>,
    /// Set before the consumer is dropped: nobody answers then, so the callback must.
    pub(super) closing: Arc<AtomicBool>,
}

impl WorkerContext {
    pub(super) fn take_rebalance(&self) -> Option<Rebalance> {
        lock(&self.events).pop_front()
    }

    pub(super) fn has_rebalance(&self) -> bool {
        !lock(&self.events).is_empty()
    }
}

impl ClientContext for WorkerContext {
    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "consumer");
    }
}

impl ConsumerContext for WorkerContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        err: RDKafkaRespErr,
        tpl: &mut TopicPartitionList,
    ) {
        let is_assign = err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Acquire) {
            // Without an answer the consumer would never be closed.
            let answer = if is_assign {
                consumer.incremental_assign(&TopicPartitionList::new())
            } else {
                consumer.incremental_unassign(tpl)
            };
            if let Err(error) = answer {
                debug!(%error, "rebalance while closing");
            }
            return;
        }
        let sources = tpl
            .elements()
            .iter()
            .map(|e| SourcePartition {
                topic: e.topic().to_owned(),
                partition: e.partition(),
            })
            .collect();
        lock(&self.events).push_back(if is_assign {
            Rebalance::Assign(sources)
        } else {
            Rebalance::Revoke(sources)
        });
    }
}

/// The producer's side: failures since the transaction began.
#[derive(Debug, Default)]
pub(super) struct OutputContext {
    state: Arc<OutputState>,
}

/// Shared between the producer's polling thread and the worker.
#[derive(Debug, Default)]
pub(super) struct OutputState {
    doubt: AtomicBool,
    failed: AtomicU64,
    last_failure: Mutex<String>,
}

impl OutputState {
    pub(super) fn begin(&self) {
        self.doubt.store(false, Ordering::Release);
        self.failed.store(0, Ordering::Release);
    }

    /// Whether a connection failed since `begin`, so that a request may still be on its way.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.load(Ordering::Acquire)
    }

    /// How many records failed since `begin`, and why the last one did.
    pub(super) fn failures(&self) -> Option<String> {
        match self.failed.load(Ordering::Acquire) {
            0 => None,
            count => Some(format!(
                "{count} record(s) failed: {}",
                lock(&self.last_failure)
            )),
        }
    }
}

impl OutputContext {
    pub(super) fn new(state: Arc<OutputState>) -> Self {
        Self { state }
    }
}

impl ClientContext for OutputContext {
    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "producer");
        if error.rdkafka_error_code().is_some_and(is_doubtful) {
            self.state.doubt.store(true, Ordering::Release);
        }
    }
}

impl ProducerContext<NoCustomPartitioner> for OutputContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            use rdkafka::Message as _;
            let text = format!("{}: {error}", message.topic());
            if self.state.failed.fetch_add(1, Ordering::AcqRel) == 0 {
                warn!(topic = message.topic(), %error, "a record was not delivered");
            }
            *lock(&self.state.last_failure) = text;
        }
    }
}

/// A panic elsewhere does not make these plain values wrong.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
