//! What can stop a client.

use std::time::Duration;

use driftline_event::SourcePartition;
use rdkafka::error::RDKafkaErrorCode;

/// What a stage may fail with; it ends the worker.
pub type StageError = Box<dyn std::error::Error + Send + Sync>;

/// Why a Kafka client cannot go on. Bad messages are never among the reasons.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// No broker answered in time.
    #[error("no broker answered at {brokers} within {} s: {reason}; check the address, that the \
             brokers run, and security.protocol", waited.as_secs())]
    Unreachable {
        /// The bootstrap addresses.
        brokers: String,
        /// How long was tried.
        waited: Duration,
        /// The last error.
        reason: String,
    },
    /// Topics that are needed do not exist, or the client may not see them.
    #[error("missing topics: {}; create them (`driftline topics --create`) or grant Describe on them",
            .0.join(", "))]
    MissingTopics(Vec<String>),
    /// A property that would break a guarantee, or that is unknown.
    #[error("kafka property `{property}` cannot be set: {reason}")]
    RefusedProperty {
        /// The property's name.
        property: String,
        /// Why not, and what to use instead.
        reason: &'static str,
    },
    /// Another live worker uses the same transactional id.
    #[error(
        "transactional id `{0}` was taken over: either another worker uses the same id, or this \
             one was away longer than transaction.timeout.ms"
    )]
    Fenced(String),
    /// The position to continue from is not in the log any more.
    #[error(
        "{source_partition}: offset {position} is outside of the log, which holds {low} to {high}; \
             retention was shorter than the lag, or the topic was recreated. Reset the group's offsets \
             to accept the gap"
    )]
    OffsetOutOfRange {
        /// The partition.
        source_partition: SourcePartition,
        /// Where the worker wanted to continue.
        position: i64,
        /// The first offset there is.
        low: i64,
        /// The offset after the last.
        high: i64,
    },
    /// A record that the brokers will never take.
    #[error("a record of {bytes} bytes for topic {topic} cannot be produced: {reason}")]
    Unproducible {
        /// Where it should go.
        topic: String,
        /// Key and value.
        bytes: usize,
        /// The client's word.
        reason: String,
    },
    /// The stage gave up.
    #[error("the stage failed: {0}")]
    Stage(#[source] StageError),
    /// An administrative request was refused.
    #[error("{operation} failed: {reason}")]
    Admin {
        /// What was asked.
        operation: String,
        /// The broker's word.
        reason: String,
    },
    /// Anything else, with what was being done.
    #[error("{operation}: {source}")]
    Client {
        /// What was being done.
        operation: &'static str,
        /// The client's error.
        #[source]
        source: rdkafka::error::KafkaError,
    },
    /// The system would not start a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl KafkaError {
    pub(crate) fn client(
        operation: &'static str,
    ) -> impl FnOnce(rdkafka::error::KafkaError) -> Self {
        move |source| Self::Client { operation, source }
    }

    /// Whether another worker took this one's place.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Fenced(_))
    }
}

/// Whether an error code says that this producer was replaced by one with a newer epoch.
pub(crate) fn is_fencing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Fenced
            | RDKafkaErrorCode::ProducerFenced
            | RDKafkaErrorCode::InvalidProducerEpoch
            | RDKafkaErrorCode::TransactionCoordinatorFenced
    )
}

/// Whether an error leaves it open if a request took effect.
pub(crate) fn is_doubtful(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::NetworkException
    )
}
