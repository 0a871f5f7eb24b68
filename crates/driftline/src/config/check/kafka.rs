//! Brokers, registry and topics.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use driftline_engine::WindowSpanSpec;
use driftline_kafka::KafkaOptions;
use driftline_wire::Mapping;

use super::RETENTION;
use super::{Checker, Given, key};
use crate::config::checked::{
    Config, Kafka, Model, Registry, RegistryAuth, Sasl, Stream, Tls, Topic, Topics,
};
use crate::config::raw::{
    RawKafka, RawRegistry, RawSasl, RawStream, RawTls, RawTopic, RawTopics, SaslMechanism,
    StreamFormat,
};
use crate::config::secret::SecretSource;

const DAY: Duration = Duration::from_secs(86_400);

/// Settings that have a place of their own, and that place.
const PLACED_PROPERTIES: &[(&str, &str)] = &[
    ("sasl.password", "kafka.sasl.password"),
    ("sasl.username", "kafka.sasl.username"),
    ("sasl.mechanism", "kafka.sasl.mechanism"),
    ("sasl.mechanisms", "kafka.sasl.mechanism"),
    ("security.protocol", "kafka.sasl and kafka.tls"),
    ("ssl.key.password", "kafka.tls.key_password"),
    ("ssl.key.pem", "kafka.tls.key_file"),
    ("ssl.key.location", "kafka.tls.key_file"),
    ("ssl.ca.location", "kafka.tls.ca_file"),
    ("ssl.certificate.location", "kafka.tls.certificate_file"),
];

impl Checker<'_> {
    pub(super) fn kafka(&mut self, raw: RawKafka) -> Kafka {
        let brokers = self.text(
            raw.brokers,
            "kafka.brokers",
            "brokers such as `localhost:9092`",
        );
        let brokers = self.brokers(&brokers);
        for name in raw.properties.keys() {
            let path = key("kafka.properties", name);
            if let Some((_, place)) = PLACED_PROPERTIES.iter().find(|(n, _)| n == name) {
                self.error(
                    &path,
                    format!("`{name}` does not belong here"),
                    format!("use {place}"),
                );
            } else if name.contains("password") || name.contains("secret") {
                let message = format!("`{name}` is a secret, and secrets do not stand in the file");
                self.error(&path, message, "use kafka.sasl or kafka.tls");
            } else {
                let mut options = KafkaOptions::new("", "");
                options.properties.insert(name.clone(), String::new());
                if let Some(refusal) = options.check().first() {
                    self.error(&path, refusal.to_string(), "leave it out");
                }
            }
        }
        Kafka {
            brokers,
            sasl: raw.sasl.map(|sasl| self.sasl(sasl)),
            tls: raw.tls.map(|tls| self.tls(tls)),
            properties: raw.properties,
        }
    }

    fn brokers(&mut self, text: &str) -> String {
        let brokers: Vec<&str> = text
            .split(',')
            .map(str::trim)
            .filter(|b| !b.is_empty())
            .collect();
        for broker in &brokers {
            let address = broker
                .rsplit_once("://")
                .map_or(*broker, |(_, address)| address);
            let port = address
                .rsplit_once(':')
                .filter(|(host, _)| !host.is_empty());
            if port
                .and_then(|(_, port)| port.parse::<u16>().ok())
                .is_none_or(|port| port == 0)
            {
                let message = format!("`{broker}` is not a broker address");
                self.error(
                    "kafka.brokers",
                    message,
                    "write host:port, such as localhost:9092",
                );
            }
        }
        brokers.join(",")
    }

    fn sasl(&mut self, raw: RawSasl) -> Sasl {
        let password = raw.password.unwrap_or_else(|| {
            if !self.problems.covers("kafka.sasl.password") {
                let hint = "give {file: path} or {env: NAME}";
                self.error("kafka.sasl.password", "this key is missing", hint);
            }
            nowhere()
        });
        let mechanism = raw.mechanism.unwrap_or_else(|| {
            if !self.problems.covers("kafka.sasl.mechanism") {
                let hint = "give PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512";
                self.error("kafka.sasl.mechanism", "this key is missing", hint);
            }
            SaslMechanism::Plain
        });
        let username = self.text(raw.username, "kafka.sasl.username", "the user's name");
        Sasl {
            mechanism,
            username,
            password,
        }
    }

    fn tls(&mut self, raw: RawTls) -> Tls {
        if raw.certificate_file.is_some() != raw.key_file.is_some() {
            let message = "a client certificate and its key go together";
            self.error(
                "kafka.tls",
                message,
                "give both certificate_file and key_file, or neither",
            );
        }
        Tls {
            ca_file: raw.ca_file.map(PathBuf::from),
            certificate_file: raw.certificate_file.map(PathBuf::from),
            key_file: raw.key_file.map(PathBuf::from),
            key_password: raw.key_password,
        }
    }

    pub(super) fn registry(&mut self, raw: RawRegistry) -> Registry {
        let url = self.text(
            raw.url,
            "registry.url",
            "an address such as http://localhost:8081",
        );
        let host = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"));
        if !url.is_empty() && host.is_none_or(|host| host.trim_matches('/').is_empty()) {
            self.error(
                "registry.url",
                "this is not an http:// or https:// address",
                "",
            );
        }
        if host.is_some_and(|host| host.split('/').next().is_some_and(|h| h.contains('@'))) {
            let hint = "use registry.auth with {file: path} or {env: NAME}";
            self.error(
                "registry.url",
                "the address holds a user name or password",
                hint,
            );
        }
        let path = "registry.auth";
        let auth = raw.auth.map_or(RegistryAuth::None, |auth| {
            match (auth.username, auth.password, auth.token) {
                (Some(username), Some(password), None) => {
                    RegistryAuth::Basic { username, password }
                }
                (None, None, Some(token)) => RegistryAuth::Token(token),
                _ => {
                    if !self.problems.covers(path) {
                        let message = "this is neither a user with a password nor a token";
                        self.error(path, message, "give username and password, or token");
                    }
                    RegistryAuth::None
                }
            }
        });
        let timeout = Duration::from_secs(10);
        let timeout = self.span(raw.timeout.as_ref(), "registry.timeout", timeout);
        Registry {
            url: url.trim_end_matches('/').to_owned(),
            auth,
            timeout,
        }
    }

    pub(super) fn predictions(&mut self, raw: Option<RawStream<Mapping>>) -> Stream<Mapping> {
        let path = "streams.predictions";
        if raw.is_none() && !self.problems.covers(path) {
            self.error(
                path,
                "this section is missing",
                "give at least the topic of the predictions",
            );
            return self.stream_without_topic();
        }
        self.stream(raw.unwrap_or_default(), path)
    }

    fn stream_without_topic(&self) -> Stream<Mapping> {
        let RawStream {
            format,
            start,
            mapping,
            ..
        } = RawStream::default();
        Stream {
            topic: String::new(),
            format,
            schema_file: None,
            start,
            mapping,
        }
    }

    pub(super) fn stream<M: Default>(&mut self, raw: RawStream<M>, path: &str) -> Stream<M> {
        let topic_path = key(path, "topic");
        let topic = self.required(raw.topic, &topic_path, "the topic's name");
        self.topic_name(&topic_path, &topic);
        if raw.format == StreamFormat::AvroPlain && raw.schema_file.is_none() {
            let message = "`avro_plain` messages do not say their schema";
            self.error(
                &key(path, "schema_file"),
                message,
                "give the Avro schema file that wrote them",
            );
        }
        if raw.format == StreamFormat::Json && raw.schema_file.is_some() {
            let path = key(path, "schema_file");
            self.problems.warning(
                &path,
                "JSON messages need no schema; the file is not used",
                "leave it out",
            );
        }
        Stream {
            topic,
            format: raw.format,
            schema_file: raw.schema_file.map(PathBuf::from),
            start: raw.start,
            mapping: raw.mapping,
        }
    }

    pub(super) fn topics(&mut self, raw: RawTopics, app: &str) -> Topics {
        Topics {
            partials: self.topic(raw.partials, "partials", app, 4, 7 * DAY),
            outcomes: self.topic(raw.outcomes, "outcomes", app, 4, 7 * DAY),
            alerts: self.topic(raw.alerts, "alerts", app, 1, 30 * DAY),
            dead_letters: self.topic(raw.dead_letters, "dead-letters", app, 1, 14 * DAY),
        }
    }

    fn topic(
        &mut self,
        raw: RawTopic,
        suffix: &str,
        app: &str,
        partitions: u32,
        retention: Duration,
    ) -> Topic {
        let path = key("topics", &suffix.replace('-', "_"));
        if let Some(name) = &raw.name {
            self.topic_name(&key(&path, "name"), name);
        }
        let name = raw.name.unwrap_or_else(|| format!("{app}.{suffix}"));
        let partitions = raw.partitions.unwrap_or(partitions);
        let partitions = self.within(partitions, &key(&path, "partitions"), 1, 10_000);
        let replication = raw
            .replication
            .map(|r| self.within(r, &key(&path, "replication"), 1, 100));
        let retention = self.span(raw.retention.as_ref(), &key(&path, "retention"), retention);
        let mut properties = BTreeMap::from([
            ("cleanup.policy".to_owned(), "delete".to_owned()),
            ("retention.ms".to_owned(), retention.as_millis().to_string()),
        ]);
        if raw.retention.is_some() && raw.properties.contains_key("retention.ms") {
            let path = key(&key(&path, "properties"), "retention.ms");
            self.error(&path, "`retention` says the same", "keep one of the two");
        }
        properties.extend(raw.properties);
        Topic {
            name,
            partitions,
            replication,
            properties,
        }
    }

    /// A restarted evaluator reads the partials topic again, so that must hold the longest window, and a restarted join
    /// the outcomes topic, so that must hold all predictions that wait for labels. Without a retention of their own they
    /// hold twice that, and never less than the default.
    pub(super) fn retention(&mut self, config: &mut Config, given: Given) {
        let with_labels = config.labels.is_some();
        let labels = |model: &Model| {
            let labels = model.labels.as_ref().filter(|_| with_labels)?;
            let windows = labels.spec.windows.iter().map(|w| match w.span {
                WindowSpanSpec::Fixed { size, .. } => size,
                WindowSpanSpec::Month => 31 * DAY,
            });
            Some((labels.spec.ttl, windows.max().unwrap_or_default()))
        };
        let of_model = |model: &Model| {
            let windows = model.windows.iter().map(|w| w.size);
            let features = windows.max().unwrap_or_default() + model.pane + model.allowed_lateness;
            let labels = labels(model).map_or(Duration::ZERO, |(ttl, window)| ttl + window);
            features.max(labels)
        };
        let longest = config.models.iter().map(of_model).max();
        let wait = config.models.iter().filter_map(labels);
        let wait = wait.map(|(ttl, _)| ttl).max();
        self.retain(
            &mut config.topics.partials,
            ("topics.partials.retention", given.partials),
            longest.unwrap_or_default(),
            (
                "this is shorter than the longest window, so a restart loses a part of it",
                "retain partial counts for at least the longest window, and for labels their ttl besides",
            ),
        );
        self.retain(
            &mut config.topics.outcomes,
            ("topics.outcomes.retention", given.outcomes),
            wait.unwrap_or_default(),
            (
                "this is shorter than labels may take, so a restart forgets predictions that wait",
                "retain outcomes for at least the longest ttl of labels",
            ),
        );
    }

    fn retain(
        &mut self,
        topic: &mut Topic,
        (path, is_given): (&str, bool),
        least: Duration,
        (message, hint): (&str, &str),
    ) {
        let kept = topic.properties.get(RETENTION);
        let kept = kept.and_then(|text| text.parse::<i128>().ok());
        let least = i128::try_from(least.as_millis()).unwrap_or(i128::MAX);
        match kept {
            // A negative retention is for ever.
            Some(kept) if kept >= 0 && kept < least && is_given => {
                self.problems.warning(path, message, hint);
            }
            Some(kept) if kept < 2 * least && !is_given => {
                let twice = (2 * least).to_string();
                topic.properties.insert(RETENTION.to_owned(), twice);
            }
            _ => {}
        }
    }

    /// No topic serves two purposes.
    pub(super) fn topics_differ(&mut self, config: &Config) {
        let labels = config.labels.as_ref().map(|l| l.topic.as_str());
        let named = [
            (
                "streams.predictions.topic",
                Some(config.predictions.topic.as_str()),
            ),
            ("streams.labels.topic", labels),
            (
                "topics.partials.name",
                Some(config.topics.partials.name.as_str()),
            ),
            (
                "topics.outcomes.name",
                Some(config.topics.outcomes.name.as_str()),
            ),
            (
                "topics.alerts.name",
                Some(config.topics.alerts.name.as_str()),
            ),
            (
                "topics.dead_letters.name",
                Some(config.topics.dead_letters.name.as_str()),
            ),
        ];
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (path, name) in named {
            let Some(name) = name.filter(|name| !name.is_empty()) else {
                continue;
            };
            if let Some(first) = seen.insert(name, path) {
                self.error(
                    path,
                    format!("the topic `{name}` already serves as {first}"),
                    "",
                );
            }
        }
    }

    /// Framed messages need someone who knows their schemas.
    pub(super) fn framing(&mut self, config: &Config) {
        if config.registry.is_some() {
            return;
        }
        let labels = config
            .labels
            .as_ref()
            .map(|l| ("streams.labels", l.format, &l.schema_file));
        let predictions = &config.predictions;
        let predictions = (
            "streams.predictions",
            predictions.format,
            &predictions.schema_file,
        );
        for (path, format, schema_file) in std::iter::once(predictions).chain(labels) {
            let unknown = format == StreamFormat::Avro && schema_file.is_none();
            if unknown && !self.problems.covers(path) {
                let message = "messages in format `avro` name their schema by an id, and nobody knows the ids";
                let hint = "give registry.url, or schema_file here, or format: json";
                self.error(&key(path, "format"), message, hint);
            }
        }
    }
}

/// Stands where a secret is missing; never used, because the error has been reported.
fn nowhere() -> SecretSource {
    SecretSource::Env(String::new())
}
