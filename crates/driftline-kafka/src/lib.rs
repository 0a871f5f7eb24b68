//! Brokers to bytes.
//!
//! This crate is the only one that speaks Kafka. It knows nothing of models or drift: a [`Stage`] gets
//! messages and gives records and positions back, and a [`Worker`] moves both so that, with
//! [`Delivery::Transactional`], every message counts exactly once in what the stage wrote.
//!
//! **Guarantees.** A flush is one Kafka transaction: records and input positions become visible together
//! or not at all. Positions are read back from the group, never guessed. A worker that lost its partitions
//! or its transaction forgets what it had and starts from what is committed.
//!
//! **Non-guarantees.** librdkafka 2.12 has no KIP-890, so a delayed `EndTxn` may still hit the wrong
//! transaction; a worker takes a new producer epoch after every doubtful outcome, and the engine's ledger
//! is the proof. The [`EmbeddedBroker`] has no true transactions at all: see its page.
//!
//! TLS, to brokers and to the registry, is behind the cargo feature `tls` (off by default), because it
//! links the system's OpenSSL; everything else needs a C and C++ compiler and make only.
#![deny(missing_docs)]

mod admin;
mod embedded;
mod error;
mod options;
mod producer;
mod registry;
mod stage;
mod worker;

pub use admin::{TopicAdmin, TopicDescription, TopicSpec};
pub use embedded::EmbeddedBroker;
pub use error::{KafkaError, StageError};
pub use options::KafkaOptions;
pub use producer::Producer;
pub use registry::{
    RegistryClient, RegistryCredentials, RegistryError, RegistryOptions, SchemaKey,
};
pub use stage::{Assignment, Flow, Headers, Message, OutRecord, Stage, StageFlush, StartAt};
pub use worker::{
    Delivery, PartitionProgress, Progress, StartPolicy, Worker, WorkerCounts, WorkerOptions,
};
