//! `driftline topics`.

use std::collections::BTreeMap;

use driftline_kafka::{TopicAdmin, TopicSpec};
use serde::Serialize;

use crate::cli::{OutputFormat, TopicsArgs};
use crate::config::{self, Config, Topic};
use crate::connect;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// A topic that a configuration needs.
#[derive(Clone, Debug, Serialize)]
pub struct NeededTopic {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: &'static str,
    /// Whether it is Driftline's own, and so created by `--create`.
    pub own: bool,
    /// How many partitions it needs; none for topics of others.
    pub partitions: Option<u32>,
    /// Copies of each partition; none is the brokers' default.
    pub replication: Option<u16>,
    /// Its settings.
    pub properties: BTreeMap<String, String>,
}

/// Every topic that `config` needs.
#[must_use]
pub fn needed(config: &Config) -> Vec<NeededTopic> {
    let input = |name: &str, purpose| NeededTopic {
        name: name.to_owned(),
        purpose,
        own: false,
        partitions: None,
        replication: None,
        properties: BTreeMap::new(),
    };
    let own = |topic: &Topic, purpose| NeededTopic {
        name: topic.name.clone(),
        purpose,
        own: true,
        partitions: Some(topic.partitions),
        replication: topic.replication,
        properties: topic.properties.clone(),
    };
    let mut topics = vec![input(&config.predictions.topic, "predictions")];
    topics.extend(
        config
            .labels
            .as_ref()
            .map(|labels| input(&labels.topic, "labels")),
    );
    topics.push(own(&config.topics.partials, "partial counts"));
    if config.labels.is_some() {
        let purpose = "predictions and labels by id";
        topics.push(own(&config.topics.outcomes, purpose));
    }
    topics.push(own(&config.topics.alerts, "alerts"));
    topics.push(own(&config.topics.dead_letters, "dead letters"));
    topics
}

/// The topics of `topics` that are Driftline's own, as its admin client takes them.
#[must_use]
pub fn specs(topics: &[NeededTopic]) -> Vec<TopicSpec> {
    let own = topics.iter().filter(|t| t.own);
    own.map(|t| TopicSpec {
        name: t.name.clone(),
        partitions: t.partitions.and_then(|p| i32::try_from(p).ok()),
        replication: t.replication.map(i32::from),
        config: t.properties.clone(),
    })
    .collect()
}

/// Lists the topics, and creates what is missing if asked to.
///
/// # Errors
/// When the configuration is wrong, or the brokers do not answer or refuse.
pub fn run(args: &TopicsArgs) -> Result<Exit, Failure> {
    let (config, _) = config::load(&args.config)?;
    let topics = needed(&config);
    let mut created = Vec::new();
    if args.create {
        let admin =
            TopicAdmin::new(&connect::kafka_options(&config)?).map_err(Failure::unavailable)?;
        created = admin
            .ensure(&specs(&topics))
            .map_err(Failure::unavailable)?;
    }
    match args.format {
        OutputFormat::Json => terminal::print_json(&serde_json::json!({
            "topics": topics,
            "created": created,
            "commands": commands(&config, &topics),
        }))?,
        OutputFormat::Table => terminal::print(&describe(&config, &topics, &created, args.create))?,
    }
    Ok(Exit::Fine)
}

fn describe(config: &Config, topics: &[NeededTopic], created: &[String], create: bool) -> String {
    let header = ["topic", "for", "partitions", "replication", "settings", ""];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for topic in topics {
        let settings: Vec<String> = topic
            .properties
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let state = match (topic.own, create, created.contains(&topic.name)) {
            (false, ..) => "must exist",
            (true, true, true) => "created",
            (true, true, false) => "was there",
            (true, false, _) => "",
        };
        rows.push(vec![
            topic.name.clone(),
            topic.purpose.to_owned(),
            topic
                .partitions
                .map_or_else(|| "any".into(), |p| p.to_string()),
            topic
                .replication
                .map_or_else(|| "default".into(), |r| r.to_string()),
            settings.join(" "),
            state.to_owned(),
        ]);
    }
    let mut text = terminal::table(&rows, &[2, 3]);
    if !create {
        let commands = commands(config, topics).join("\n");
        text.push_str(&format!(
            "\n# As an administrator, with Kafka's tools:\n{commands}\n"
        ));
    }
    text
}

/// What an administrator types: topics, then rights for the least that Driftline needs.
fn commands(config: &Config, topics: &[NeededTopic]) -> Vec<String> {
    let brokers = &config.kafka.brokers;
    let mut commands = Vec::new();
    for topic in topics.iter().filter(|t| t.own) {
        let mut command = format!(
            "kafka-topics.sh --bootstrap-server {brokers} --create --if-not-exists --topic {}",
            topic.name
        );
        if let Some(partitions) = topic.partitions {
            command.push_str(&format!(" --partitions {partitions}"));
        }
        if let Some(replication) = topic.replication {
            command.push_str(&format!(" --replication-factor {replication}"));
        }
        for (name, value) in &topic.properties {
            command.push_str(&format!(" --config {name}={value}"));
        }
        commands.push(command);
    }
    let user = config
        .kafka
        .sasl
        .as_ref()
        .map_or("driftline", |sasl| sasl.username.as_str());
    let acl = |rights: &str| {
        format!(
            "kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal 'User:{user}' {rights}"
        )
    };
    for topic in topics {
        let operations: &[&str] = match topic.purpose {
            "predictions" | "labels" => &["Read", "Describe"],
            "partial counts" | "predictions and labels by id" => &["Read", "Write", "Describe"],
            _ => &["Write", "Describe"],
        };
        let operations: Vec<String> = operations
            .iter()
            .map(|o| format!("--operation {o}"))
            .collect();
        commands.push(acl(&format!(
            "{} --topic {}",
            operations.join(" "),
            topic.name
        )));
    }
    let prefixed = "--resource-pattern-type prefixed";
    commands.push(acl(&format!(
        "--operation Read {prefixed} --group {}",
        config.app
    )));
    commands.push(acl(&format!(
        "--operation Write --operation Describe {prefixed} --transactional-id {}",
        config.app
    )));
    commands
}
