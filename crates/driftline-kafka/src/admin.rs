//! Topics: which there are, and making them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use driftline_event::SourcePartition;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use crate::error::KafkaError;
use crate::options::KafkaOptions;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// A topic as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// Partitions; `None` leaves it to the cluster.
    pub partitions: Option<i32>,
    /// Replicas; `None` leaves it to the cluster.
    pub replication: Option<i32>,
    /// Settings such as `cleanup.policy` and `retention.ms`.
    pub config: BTreeMap<String, String>,
}

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Partitions.
    pub partitions: i32,
    /// Replicas of the first partition.
    pub replication: usize,
    /// The settings that were asked for; empty where the broker does not tell (the embedded one).
    pub config: BTreeMap<String, String>,
}

/// Asks for and creates topics.
pub struct TopicAdmin {
    brokers: String,
    config: ClientConfig,
    reader: BaseConsumer,
}

impl fmt::Debug for TopicAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicAdmin")
            .field("brokers", &self.brokers)
            .finish_non_exhaustive()
    }
}

impl TopicAdmin {
    /// Connects in the background.
    ///
    /// # Errors
    /// On properties that are refused or wrong.
    pub fn new(kafka: &KafkaOptions) -> Result<Self, KafkaError> {
        let config = kafka.configure(&[("reconnect.backoff.max.ms", "2000")], &[])?;
        let mut reading = config.clone();
        reading.set("allow.auto.create.topics", "false");
        reading.set("isolation.level", "read_committed");
        let reader = reading
            .create()
            .map_err(KafkaError::client("creating the client"))?;
        Ok(Self {
            brokers: kafka.brokers.clone(),
            config,
            reader,
        })
    }

    /// The number of partitions of every topic that exists (also on the embedded broker), internal ones
    /// left out.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] if no broker answers within `within`.
    pub fn topics(&self, within: Duration) -> Result<BTreeMap<String, i32>, KafkaError> {
        let metadata = self
            .reader
            .fetch_metadata(None, within)
            .map_err(|error| self.unreachable(within, &error))?;
        Ok(metadata
            .topics()
            .iter()
            .filter(|topic| topic.error().is_none() && !topic.name().starts_with("__"))
            .map(|topic| (topic.name().to_owned(), topic.partitions().len() as i32))
            .collect())
    }

    /// The number of partitions of one topic; `None` if it does not exist.
    ///
    /// # Errors
    /// As [`topics`](Self::topics).
    pub fn partitions(&self, topic: &str, within: Duration) -> Result<Option<i32>, KafkaError> {
        Ok(self.topics(within)?.get(topic).copied())
    }

    /// The offset after the last committed record of a partition.
    ///
    /// # Errors
    /// If the partition's leader does not answer.
    pub fn log_end(&self, source: &SourcePartition, within: Duration) -> Result<i64, KafkaError> {
        self.reader
            .fetch_watermarks(&source.topic, source.partition, within)
            .map(|(_, high)| high)
            .map_err(KafkaError::client("asking for the end of a log"))
    }

    /// Creates the topics that do not exist and returns their names. Those that exist stay as they are.
    ///
    /// # Errors
    /// The first refusal. The embedded broker knows no such request: use its own `create_topic`.
    pub fn ensure(&self, specs: &[TopicSpec]) -> Result<Vec<String>, KafkaError> {
        let existing = self.topics(REQUEST_TIMEOUT)?;
        let missing: Vec<&TopicSpec> = specs
            .iter()
            .filter(|spec| !existing.contains_key(&spec.name))
            .collect();
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let new: Vec<NewTopic<'_>> = missing.iter().map(|spec| new_topic(spec)).collect();
        let results = self
            .block_on(|admin, options| admin.create_topics(&new, options))?
            .map_err(KafkaError::client("creating topics"))?;
        let mut created = Vec::with_capacity(results.len());
        for result in results {
            match result {
                Ok(name) => created.push(name),
                // Somebody else was quicker.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    let operation = format!("creating topic {name}");
                    return Err(KafkaError::Admin {
                        operation,
                        reason: code.to_string(),
                    });
                }
            }
        }
        self.wait_for(&created)?;
        Ok(created)
    }

    /// Deletes topics; those that do not exist are no error. For tests and `demo` only.
    ///
    /// # Errors
    /// If the request itself fails.
    pub fn delete(&self, names: &[&str]) -> Result<(), KafkaError> {
        self.block_on(|admin, options| admin.delete_topics(names, options))?
            .map(|_| ())
            .map_err(KafkaError::client("deleting topics"))
    }

    /// Describes the topics of `specs` that exist, with the settings that the specs name.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn describe(&self, specs: &[TopicSpec]) -> Result<Vec<TopicDescription>, KafkaError> {
        let metadata = self
            .reader
            .fetch_metadata(None, REQUEST_TIMEOUT)
            .map_err(|error| self.unreachable(REQUEST_TIMEOUT, &error))?;
        let mut found = Vec::new();
        for spec in specs {
            let Some(topic) = metadata
                .topics()
                .iter()
                .find(|topic| topic.name() == spec.name)
            else {
                continue;
            };
            let resource = [ResourceSpecifier::Topic(&spec.name)];
            let configs = match spec.config.is_empty() {
                true => Vec::new(),
                false => self
                    .block_on(|admin, options| admin.describe_configs(&resource, options))?
                    .unwrap_or_default(),
            };
            let config = configs
                .iter()
                .flatten()
                .flat_map(|resource| &resource.entries)
                .filter(|entry| spec.config.contains_key(&entry.name))
                .filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)))
                .collect();
            found.push(TopicDescription {
                name: spec.name.clone(),
                partitions: topic.partitions().len() as i32,
                replication: topic.partitions().first().map_or(0, |p| p.replicas().len()),
                config,
            });
        }
        Ok(found)
    }

    /// A new topic takes a moment to reach every broker's metadata.
    fn wait_for(&self, names: &[String]) -> Result<(), KafkaError> {
        let deadline = std::time::Instant::now() + REQUEST_TIMEOUT;
        loop {
            let existing = self.topics(REQUEST_TIMEOUT)?;
            let missing: Vec<String> = names
                .iter()
                .filter(|name| !existing.contains_key(*name))
                .cloned()
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            if std::time::Instant::now() >= deadline {
                return Err(KafkaError::MissingTopics(missing));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn unreachable(&self, waited: Duration, error: &rdkafka::error::KafkaError) -> KafkaError {
        KafkaError::Unreachable {
            brokers: self.brokers.clone(),
            waited,
            reason: error.to_string(),
        }
    }

    /// Admin requests are futures in rust-rdkafka, but need no reactor.
    fn block_on<F: Future>(
        &self,
        request: impl FnOnce(&AdminClient<DefaultClientContext>, &AdminOptions) -> F,
    ) -> Result<F::Output, KafkaError> {
        let admin: AdminClient<DefaultClientContext> = self
            .config
            .create()
            .map_err(KafkaError::client("creating the admin client"))?;
        let options = AdminOptions::new()
            .request_timeout(Some(REQUEST_TIMEOUT))
            .operation_timeout(Some(REQUEST_TIMEOUT));
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(runtime.block_on(request(&admin, &options)))
    }
}

fn new_topic(spec: &TopicSpec) -> NewTopic<'_> {
    let replication = TopicReplication::Fixed(spec.replication.unwrap_or(-1));
    let topic = NewTopic::new(&spec.name, spec.partitions.unwrap_or(-1), replication);
    spec.config
        .iter()
        .fold(topic, |topic, (key, value)| topic.set(key, value))
}
