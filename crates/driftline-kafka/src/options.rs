//! How to reach the brokers.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;

use crate::error::KafkaError;

/// Properties that pass through to librdkafka as they are.
const ALLOWED: &[&str] = &[
    "broker.address.family",
    "client.dns.lookup",
    "client.rack",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "enable.metrics.push",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "group.instance.id",
    "heartbeat.interval.ms",
    "linger.ms",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "message.max.bytes",
    "metadata.max.age.ms",
    "metadata.recovery.strategy",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "receive.message.max.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "sasl.kerberos.keytab",
    "sasl.kerberos.principal",
    "sasl.kerberos.service.name",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.crl.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "topic.metadata.refresh.interval.ms",
    "transaction.timeout.ms",
];

/// Properties that somebody may well try, and why they must not.
const REFUSED: &[(&str, &str)] = &[
    (
        "acks",
        "flushes count only when every in-sync replica has them",
    ),
    (
        "allow.auto.create.topics",
        "a misspelt topic must be an error",
    ),
    (
        "auto.offset.reset",
        "a lost position must be an error; choose the start with `start`",
    ),
    ("bootstrap.servers", "it is the `brokers` setting"),
    ("client.id", "it is the `client_id` setting"),
    (
        "enable.auto.commit",
        "positions are committed with the output, in one transaction",
    ),
    (
        "enable.auto.offset.store",
        "positions are committed with the output, in one transaction",
    ),
    ("enable.idempotence", "retries must not duplicate records"),
    (
        "enable.partition.eof",
        "the end of a partition tells an idle one from a slow one",
    ),
    (
        "enable.ssl.certificate.verification",
        "a broker that cannot prove who it is gets no data",
    ),
    ("group.id", "it is the application's name"),
    (
        "group.protocol",
        "the bundled librdkafka ends a slow member of the new protocol for good",
    ),
    ("interceptors", "it would load code into this process"),
    ("isolation.level", "aborted records must not be counted"),
    (
        "partition.assignment.strategy",
        "workers of one group must agree on cooperative-sticky",
    ),
    (
        "plugin.library.paths",
        "it would load code into this process",
    ),
    ("sasl.kerberos.kinit.cmd", "it would run a shell command"),
    (
        "ssl.endpoint.identification.algorithm",
        "a broker that cannot prove its name gets no data",
    ),
    (
        "ssl.engine.location",
        "it would load code into this process",
    ),
    ("ssl.providers", "it would load code into this process"),
    (
        "statistics.interval.ms",
        "lag and positions are measured without it",
    ),
    (
        "transactional.id",
        "it is derived from the application, stage and instance",
    ),
];

/// How to reach the brokers and who to be. `Debug` never shows the values of properties.
#[derive(Clone, Default)]
pub struct KafkaOptions {
    /// Bootstrap addresses, `host:port[,host:port…]`.
    pub brokers: String,
    /// The name in the brokers' logs and quotas.
    pub client_id: String,
    /// librdkafka properties, by its names; only those that cannot break a guarantee are taken.
    pub properties: BTreeMap<String, String>,
}

impl fmt::Debug for KafkaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.properties.keys().collect();
        f.debug_struct("KafkaOptions")
            .field("brokers", &self.brokers)
            .field("client_id", &self.client_id)
            .field("properties", &names)
            .finish_non_exhaustive()
    }
}

impl KafkaOptions {
    /// Options with no further properties.
    pub fn new(brokers: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            client_id: client_id.into(),
            properties: BTreeMap::new(),
        }
    }

    /// Every property that will be refused; nothing is connected to.
    ///
    /// ```
    /// use driftline_kafka::KafkaOptions;
    /// let mut options = KafkaOptions::new("127.0.0.1:9092", "docs");
    /// options.properties.insert("acks".into(), "1".into());
    /// assert!(options.check()[0].to_string().contains("every in-sync replica"));
    /// ```
    pub fn check(&self) -> Vec<KafkaError> {
        self.properties
            .keys()
            .filter(|name| !ALLOWED.contains(&name.as_str()))
            .map(|name| KafkaError::RefusedProperty {
                property: name.clone(),
                reason: REFUSED.iter().find(|(refused, _)| refused == name).map_or(
                    "it is not a property that Driftline passes on",
                    |(_, why)| why,
                ),
            })
            .collect()
    }

    /// A client configuration: `defaults`, then the user's properties, then what must hold.
    pub(crate) fn configure(
        &self,
        defaults: &[(&str, &str)],
        musts: &[(&str, &str)],
    ) -> Result<ClientConfig, KafkaError> {
        if let Some(refused) = self.check().into_iter().next() {
            return Err(refused);
        }
        let mut config = ClientConfig::new();
        for (key, value) in defaults {
            config.set(*key, *value);
        }
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        for (key, value) in musts {
            config.set(*key, *value);
        }
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", &self.client_id);
        Ok(config)
    }
}

/// What every producer of this crate has.
pub(crate) const PRODUCER_DEFAULTS: &[(&str, &str)] = &[
    ("linger.ms", "5"),
    ("compression.type", "lz4"),
    ("reconnect.backoff.max.ms", "2000"),
    ("socket.timeout.ms", "20000"),
    ("message.max.bytes", "1000000"),
];

/// What no property may change in a producer.
pub(crate) const PRODUCER_MUSTS: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("allow.auto.create.topics", "false"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let mut options = KafkaOptions::new("b:1", "c");
        options
            .properties
            .insert("sasl.password".into(), "hunter2".into());
        let text = format!("{options:?}");
        assert!(
            text.contains("sasl.password") && !text.contains("hunter2"),
            "{text}"
        );
    }

    #[test]
    fn lists_do_not_overlap_and_are_sorted() {
        assert!(ALLOWED.is_sorted());
        assert!(REFUSED.iter().map(|(name, _)| name).is_sorted());
        assert!(REFUSED.iter().all(|(name, _)| !ALLOWED.contains(name)));
    }

    #[test]
    fn all_refusals_are_reported_at_once() {
        let mut options = KafkaOptions::new("b:1", "c");
        for name in ["plugin.library.paths", "nonsense", "linger.ms"] {
            options.properties.insert(name.into(), "x".into());
        }
        assert_eq!(options.check().len(), 2);
        assert!(options.configure(&[], &[]).is_err());
    }
}
