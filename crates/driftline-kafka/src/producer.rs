//! A plain producer: idempotent, bounded, no transactions.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer};
use tracing::{debug, warn};

use crate::error::KafkaError;
use crate::options::{KafkaOptions, PRODUCER_DEFAULTS, PRODUCER_MUSTS};
use crate::stage::OutRecord;
use crate::worker::base_record;

/// Records in the queue at most; `send` waits when it is full.
const QUEUE_RECORDS_MAX: &str = "20000";
const QUEUE_KILOBYTES_MAX: &str = "16384";
const FULL_WAIT: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Tally {
    delivered: AtomicU64,
    failed: AtomicU64,
}

struct Context(Arc<Tally>);

impl ClientContext for Context {
    fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
        debug!(%error, reason, "producer");
    }
}

impl ProducerContext<NoCustomPartitioner> for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => self.0.delivered.fetch_add(1, Ordering::Relaxed),
            Err((error, _)) => {
                debug!(%error, "a record was not delivered");
                self.0.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

/// Writes records in order per partition, without duplicates from retries, and with back-pressure: a full
/// queue makes [`send`](Self::send) wait.
pub struct Producer {
    producer: ThreadedProducer<Context>,
    tally: Arc<Tally>,
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("delivered", &self.delivered())
            .field("failed", &self.failed())
            .finish_non_exhaustive()
    }
}

impl Producer {
    /// Connects in the background; a broker that is away shows in [`flush`](Self::flush).
    ///
    /// # Errors
    /// On properties that are refused or wrong.
    pub fn new(kafka: &KafkaOptions) -> Result<Self, KafkaError> {
        let mut config = kafka.configure(PRODUCER_DEFAULTS, PRODUCER_MUSTS)?;
        config.set("queue.buffering.max.messages", QUEUE_RECORDS_MAX);
        config.set("queue.buffering.max.kbytes", QUEUE_KILOBYTES_MAX);
        let tally = Arc::<Tally>::default();
        let producer = config
            .create_with_context(Context(Arc::clone(&tally)))
            .map_err(KafkaError::client("creating the producer"))?;
        Ok(Self { producer, tally })
    }

    /// Queues a record; waits up to `within` while the queue is full.
    ///
    /// # Errors
    /// If the queue stays full or the record can never be sent.
    pub fn send(&self, record: &OutRecord, within: Duration) -> Result<(), KafkaError> {
        let deadline = Instant::now() + within;
        loop {
            let Err((error, _)) = self.producer.send(base_record(record)) else {
                return Ok(());
            };
            let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            if !is_full || Instant::now() >= deadline {
                return Err(KafkaError::Client {
                    operation: "producing",
                    source: error,
                });
            }
            std::thread::sleep(FULL_WAIT);
        }
    }

    /// Waits until everything that was queued is delivered or has failed.
    ///
    /// # Errors
    /// If something failed since the producer was made, or the time is over.
    pub fn flush(&self, within: Duration) -> Result<(), KafkaError> {
        self.producer
            .flush(within)
            .map_err(KafkaError::client("flushing"))?;
        match self.failed() {
            0 => Ok(()),
            count => {
                warn!(count, "records were not delivered");
                let code = RDKafkaErrorCode::MessageTimedOut;
                let source = rdkafka::error::KafkaError::MessageProduction(code);
                Err(KafkaError::Client {
                    operation: "delivering",
                    source,
                })
            }
        }
    }

    /// Records that the brokers have acknowledged.
    pub fn delivered(&self) -> u64 {
        self.tally.delivered.load(Ordering::Relaxed)
    }

    /// Records that were given up.
    pub fn failed(&self) -> u64 {
        self.tally.failed.load(Ordering::Relaxed)
    }
}
