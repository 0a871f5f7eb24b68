//! The configuration after checking: no value in it is absent, out of range or contradictory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use driftline_detect::{ColumnQuorum, PValueRule, ThresholdRule};
use driftline_engine::LabelSpec;
use driftline_event::{Severity, Timestamp};
use driftline_wire::{LabelMapping, Mapping};

use super::raw::{LateEvents, SaslMechanism, StreamFormat, StreamStart};
use super::secret::SecretSource;

/// A checked configuration. Passed by value, never changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The prefix of topics, of the consumer group and of transactional ids.
    pub app: String,
    /// The stable name of this process among those of the app.
    pub instance: String,
    /// How to reach the brokers.
    pub kafka: Kafka,
    /// The schema registry, if there is one.
    pub registry: Option<Registry>,
    /// The predictions' topic.
    pub predictions: Stream<Mapping>,
    /// The labels' topic, if there is one.
    pub labels: Option<Stream<LabelMapping>>,
    /// Driftline's own topics.
    pub topics: Topics,
    /// The models, in the order of the file.
    pub models: Vec<Model>,
    /// When counts are written out.
    pub flush: Flush,
    /// Bounds on what data could make grow.
    pub limits: Limits,
    /// Where HTTP listens.
    pub http: Http,
    /// What becomes of late events.
    pub late_events: LateEvents,
    /// Threads per stage.
    pub workers: Workers,
    /// Where predictions wait for their labels.
    pub join: Join,
    /// The directory that relative paths of the file start from.
    pub directory: PathBuf,
}

/// How to reach the brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kafka {
    /// `host:port`, with commas between them.
    pub brokers: String,
    /// Authentication.
    pub sasl: Option<Sasl>,
    /// Encryption; present means on.
    pub tls: Option<Tls>,
    /// Further librdkafka settings.
    pub properties: BTreeMap<String, String>,
}

/// Authentication with the brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sasl {
    /// How.
    pub mechanism: SaslMechanism,
    /// The user's name.
    pub username: String,
    /// Where the password is.
    pub password: SecretSource,
}

/// Encryption of connections to the brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the authorities.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client's certificate.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of the private key.
    pub key_file: Option<PathBuf>,
    /// Where the private key's password is.
    pub key_password: Option<SecretSource>,
}

/// The schema registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// Its address.
    pub url: String,
    /// Authentication.
    pub auth: RegistryAuth,
    /// How long to wait for an answer.
    pub timeout: Duration,
}

/// Authentication with the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryAuth {
    /// None.
    None,
    /// HTTP basic.
    Basic {
        /// The user's name.
        username: String,
        /// Where the password is.
        password: SecretSource,
    },
    /// A bearer token.
    Token(SecretSource),
}

/// One input topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream<M> {
    /// The topic's name.
    pub topic: String,
    /// How messages are encoded.
    pub format: StreamFormat,
    /// The Avro schema file.
    pub schema_file: Option<PathBuf>,
    /// Where to begin without offsets.
    pub start: StreamStart,
    /// Which field is what.
    pub mapping: M,
}

/// Driftline's own topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// Partial counts.
    pub partials: Topic,
    /// Predictions and labels by prediction id.
    pub outcomes: Topic,
    /// Alerts.
    pub alerts: Topic,
    /// Messages that nobody can use.
    pub dead_letters: Topic,
}

/// One topic of Driftline's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: u32,
    /// Copies of each partition; none is the brokers' default.
    pub replication: Option<u16>,
    /// Its settings by Kafka's names, `retention.ms` and `cleanup.policy` among them.
    pub properties: BTreeMap<String, String>,
}

impl Topics {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Topic> {
        [
            &self.partials,
            &self.outcomes,
            &self.alerts,
            &self.dead_letters,
        ]
        .into_iter()
    }
}

/// One monitored model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Its id.
    pub id: String,
    /// Its versions.
    pub versions: Vec<Version>,
    /// The fields that cut its segments.
    pub segments: Vec<String>,
    /// The smallest step of event time.
    pub pane: Duration,
    /// Its windows.
    pub windows: Vec<Window>,
    /// How much older than the newest events an event usually may be.
    pub out_of_orderness: Duration,
    /// How much longer a window stays open.
    pub allowed_lateness: Duration,
    /// The default decision rule; none when it is off.
    pub decision: Option<Decision>,
    /// How labels are joined and judged; none when that is off.
    pub labels: Option<Labels>,
    /// What raises alerts outside the budget.
    pub rules: Vec<ThresholdRule>,
    /// Tests whose p-values are corrected for the number of columns or looks.
    pub p_value_rules: Vec<PValueRule>,
    /// Rules over rules: enough columns at once.
    pub quorums: Vec<ColumnQuorum>,
}

/// The default decision rule: an indicator bank with a false-alarm budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// False alarms to be expected in 30 days, at most, of the model with all its versions.
    pub alarms_per_month: f64,
    /// How often evidence is taken in: whole panes.
    pub step: Duration,
    /// The tolerated Cohen's h of shapes, if the file gives one.
    pub tolerance: Option<f64>,
    /// The same of data-quality rates.
    pub quality_tolerance: f64,
    /// The likelihood ratio that resolves an alert.
    pub clear_evidence: f64,
    /// Shares of the budget, by column; 1 when not named.
    pub weights: BTreeMap<String, f64>,
    /// How bad an alarm is.
    pub severity: Severity,
}

/// How a model's labels are joined and judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// How.
    pub spec: LabelSpec,
    /// Whether the file says so. If it does not, versions whose reference knows no labels go without.
    pub is_explicit: bool,
    /// Whether labels are judged at the age by which the reference has most of them.
    pub judges_when_usual: bool,
}

/// What a version's values are compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CompareWith {
    /// The reference file, by season when the calibration says so.
    #[default]
    Reference,
    /// The version's own values of an earlier time.
    Trailing {
        /// How long a time.
        size: Duration,
        /// How long before now it ends.
        lag: Duration,
    },
    /// Another version of the same model, now.
    Version(String),
}

/// One version of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its name; `*` stands for all that are not named.
    pub version: String,
    /// The reference file, relative to [`Config::directory`].
    pub reference: PathBuf,
    /// The calibration file, relative to [`Config::directory`].
    pub calibration: Option<PathBuf>,
    /// What its values are compared with.
    pub compare_with: CompareWith,
}

/// One window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// What reports and rules call it.
    pub name: String,
    /// How much event time it covers: whole panes.
    pub size: Duration,
    /// How often it is looked at: whole panes.
    pub slide: Duration,
}

/// When counts are written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flush {
    /// After so long.
    pub interval: Duration,
    /// At so much memory per worker.
    pub bytes: u64,
}

/// Bounds on what data could make grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bounds on one message.
    pub wire: driftline_wire::Limits,
    /// The most values of one segment field that are told apart.
    pub segments_per_field_max: u32,
    /// The most metric series of one model.
    pub series_per_model_max: u32,
    /// The most metric series of all models.
    pub series_max: u32,
    /// How far an event may be ahead of its record's timestamp.
    pub future_skew_max: Duration,
    /// The earliest event time that is believed.
    pub earliest_time: Timestamp,
    /// The largest record in the partials topic, in bytes.
    pub batch_bytes_max: u64,
}

/// Where HTTP listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Address and port.
    pub bind: SocketAddr,
}

/// Threads per stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workers {
    /// Threads that read events.
    pub observe: u16,
    /// Threads that join labels with predictions.
    pub join: u16,
    /// Threads that evaluate windows.
    pub evaluate: u16,
}

/// Where predictions wait for their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Memory of what waits, in bytes per worker.
    pub memory: u64,
    /// Where the rest goes, relative to [`Config::directory`]; nowhere without one.
    pub directory: Option<PathBuf>,
}
