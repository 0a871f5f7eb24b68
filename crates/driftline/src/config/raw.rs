//! The configuration as it stands in the file: every key may be absent, nothing is checked.
//!
//! These types are also the JSON Schema (`driftline schema config`), so their docs are written for users.

use std::collections::BTreeMap;

use driftline_wire::{LabelMapping, Mapping};
use schemars::JsonSchema;
use serde::Deserialize;

use super::raw_model::RawModel;
use super::secret::SecretSource;
use super::units::{DurationText, SizeText};

/// The configuration of Driftline.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Driftline configuration", rename = "Config")]
pub(super) struct RawConfig {
    /// A short name: the prefix of topics, of the consumer group and of transactional ids.
    #[schemars(required)]
    pub(super) app: Option<String>,
    /// A stable name of this process among those of the app; each needs its own.
    pub(super) instance: Option<String>,
    /// How to reach the brokers.
    #[schemars(required)]
    pub(super) kafka: RawKafka,
    /// The schema registry, when messages are framed with schema ids.
    pub(super) registry: Option<RawRegistry>,
    /// The input topics.
    #[schemars(required)]
    pub(super) streams: RawStreams,
    /// The topics that Driftline itself needs.
    pub(super) topics: RawTopics,
    /// The models to monitor.
    #[schemars(required)]
    pub(super) models: Vec<RawModel>,
    /// When counts are written out and offsets committed.
    pub(super) flush: RawFlush,
    /// Bounds on everything that data could make grow.
    pub(super) limits: RawLimits,
    /// The page, the API and /metrics.
    pub(super) http: RawHttp,
    /// What becomes of events whose window has closed.
    pub(super) late_events: LateEvents,
    /// Threads per stage.
    pub(super) workers: RawWorkers,
    /// Where predictions wait for their labels.
    pub(super) join: RawJoin,
}

/// How to reach the brokers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Kafka")]
pub(super) struct RawKafka {
    /// Brokers to ask first: `host:port`, with commas between them.
    #[schemars(required)]
    pub(super) brokers: Option<String>,
    /// Authentication.
    pub(super) sasl: Option<RawSasl>,
    /// Encryption. Present means on.
    pub(super) tls: Option<RawTls>,
    /// Further librdkafka settings, by its names.
    pub(super) properties: BTreeMap<String, String>,
}

/// Authentication with the brokers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Sasl")]
pub(super) struct RawSasl {
    /// How.
    #[schemars(required)]
    pub(super) mechanism: Option<SaslMechanism>,
    /// The user's name.
    #[schemars(required)]
    pub(super) username: Option<String>,
    /// The user's password.
    #[schemars(required)]
    pub(super) password: Option<SecretSource>,
}

/// How to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum SaslMechanism {
    /// Name and password as they are; use TLS with it.
    #[serde(rename = "PLAIN")]
    Plain,
    /// Salted challenge, SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Salted challenge, SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// Encryption of connections to the brokers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub(super) struct RawTls {
    /// PEM file of the authorities that sign the brokers' certificates; the system's when absent.
    pub(super) ca_file: Option<String>,
    /// PEM file of this client's certificate.
    pub(super) certificate_file: Option<String>,
    /// PEM file of its private key.
    pub(super) key_file: Option<String>,
    /// The private key's password.
    pub(super) key_password: Option<SecretSource>,
}

/// The schema registry (Confluent's API).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Registry")]
pub(super) struct RawRegistry {
    /// Its address, such as `http://localhost:8081`.
    #[schemars(required)]
    pub(super) url: Option<String>,
    /// Authentication.
    pub(super) auth: Option<RawRegistryAuth>,
    /// How long to wait for an answer.
    pub(super) timeout: Option<DurationText>,
}

/// Either a user name with a password, or a token.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RegistryAuth")]
pub(super) struct RawRegistryAuth {
    /// The user's name (HTTP basic).
    pub(super) username: Option<String>,
    /// The user's password.
    pub(super) password: Option<SecretSource>,
    /// A bearer token.
    pub(super) token: Option<SecretSource>,
}

/// The input topics.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Streams")]
pub(super) struct RawStreams {
    /// What the models said.
    #[schemars(required)]
    pub(super) predictions: Option<RawStream<Mapping>>,
    /// What turned out to be true.
    pub(super) labels: Option<RawStream<LabelMapping>>,
}

/// One input topic.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Stream{M}")]
pub(super) struct RawStream<M: Default> {
    /// The topic's name.
    #[schemars(required)]
    pub(super) topic: Option<String>,
    /// How messages are encoded.
    pub(super) format: StreamFormat,
    /// Avro schema file; needed for `avro_plain`, and for `avro` without a registry.
    pub(super) schema_file: Option<String>,
    /// Where to begin when the group has no offsets yet.
    pub(super) start: StreamStart,
    /// Which field is what, where that differs from the canonical schema.
    pub(super) mapping: M,
}

impl<M: Default> Default for RawStream<M> {
    fn default() -> Self {
        Self {
            topic: None,
            format: StreamFormat::default(),
            schema_file: None,
            start: StreamStart::default(),
            mapping: M::default(),
        }
    }
}

/// How messages are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamFormat {
    /// Avro with a schema id in front (the registry's framing).
    #[default]
    Avro,
    /// Avro alone, every message with the schema of `schema_file`.
    AvroPlain,
    /// JSON.
    Json,
}

/// Where to begin when the group has no offsets yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamStart {
    /// With the oldest message there is.
    Earliest,
    /// With the next message to come.
    #[default]
    Latest,
}

/// The topics that Driftline itself needs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Topics")]
pub(super) struct RawTopics {
    /// Partial counts, from observe to evaluate. Its partitions bound how many processes evaluate.
    pub(super) partials: RawTopic,
    /// Predictions and labels by prediction id, from observe and labels to join. It is what the join restarts from, so it
    /// is kept as long as labels may come. Its partitions bound how many processes join.
    pub(super) outcomes: RawTopic,
    /// Alerts, for people and programs.
    pub(super) alerts: RawTopic,
    /// Messages that nobody can use, with the reason.
    pub(super) dead_letters: RawTopic,
}

/// One topic of Driftline's own. What is absent has a default of its own for each topic.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Topic")]
pub(super) struct RawTopic {
    /// Its name; `<app>.partials`, `<app>.outcomes`, `<app>.alerts`, `<app>.dead-letters` when absent.
    pub(super) name: Option<String>,
    /// How many partitions. Changing it later starts the counts of all models anew.
    pub(super) partitions: Option<u32>,
    /// Copies of each partition; the brokers' default when absent.
    pub(super) replication: Option<u16>,
    /// How long records are kept.
    pub(super) retention: Option<DurationText>,
    /// Further topic settings, by Kafka's names.
    pub(super) properties: BTreeMap<String, String>,
}

/// When counts are written out and offsets committed: at whichever comes first.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Flush")]
pub(super) struct RawFlush {
    /// After so long.
    pub(super) interval: Option<DurationText>,
    /// When counts since the last time hold so much memory, per worker.
    pub(super) bytes: Option<SizeText>,
}

/// Bounds on everything that data could make grow.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub(super) struct RawLimits {
    /// The largest message; larger ones are dead letters.
    pub(super) message_bytes_max: Option<SizeText>,
    /// The longest text or key in a message.
    pub(super) string_bytes_max: Option<SizeText>,
    /// The most features in a message.
    pub(super) features_max: Option<u32>,
    /// Levels of records, maps, arrays and objects within one another.
    pub(super) nesting_max: Option<u32>,
    /// The most values of one segment field that are told apart; further ones count under `__other__`.
    pub(super) segments_per_field_max: Option<u32>,
    /// The most metric series of one model.
    pub(super) series_per_model_max: Option<u32>,
    /// The most metric series of all models.
    pub(super) series_max: Option<u32>,
    /// How far an event may be ahead of its own record's timestamp.
    pub(super) future_skew_max: Option<DurationText>,
    /// The earliest event time that is believed.
    pub(super) earliest_time: Option<String>,
    /// The largest record in the partials topic.
    pub(super) batch_bytes_max: Option<SizeText>,
}

/// The page, the API and /metrics.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Http")]
pub(super) struct RawHttp {
    /// Address and port; port 0 picks a free one. There is no authentication: bind to others than
    /// loopback only behind a proxy or inside a cluster.
    pub(super) bind: Option<String>,
}

/// What becomes of events whose window has closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LateEvents {
    /// They are counted in the metrics.
    #[default]
    Count,
    /// They are counted and go to the dead-letter topic.
    DeadLetter,
}

/// Where predictions wait for their labels, and labels for their predictions.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Join")]
pub(super) struct RawJoin {
    /// How much memory those that wait may take, per worker; older ones go to `directory`.
    pub(super) memory: Option<SizeText>,
    /// A directory on a local disk for what does not fit into `memory`. It is a cache: the join fills it anew when it
    /// starts. Without one everything stays in memory.
    pub(super) directory: Option<String>,
}

/// Threads per stage, in this process.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Workers")]
pub(super) struct RawWorkers {
    /// Threads that read events.
    pub(super) observe: Option<u16>,
    /// Threads that join labels with predictions.
    pub(super) join: Option<u16>,
    /// Threads that evaluate windows.
    pub(super) evaluate: Option<u16>,
}
