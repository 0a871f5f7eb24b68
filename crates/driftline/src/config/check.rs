//! From the raw configuration to the checked one. Nothing here touches a file or the network.

mod decision;
mod kafka;
mod labels;
mod limit;
mod model;
mod rule;

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

pub(super) use rule::CORRECTIONS;

use super::checked::Config;
use super::problem::Problems;
use super::raw::{RawConfig, RawTopic};
use super::units::{DurationText, SizeText};
use super::yaml::join;

/// Kafka's name of a topic's retention.
const RETENTION: &str = "retention.ms";

/// Checks everything. The result is only worth something when `problems` holds no error.
pub(super) fn check(raw: RawConfig, directory: &Path, problems: &mut Problems) -> Config {
    let mut checker = Checker { problems };
    let app = checker.required(raw.app, "app", "a short name such as `flights`");
    checker.name("app", &app);
    let instance = raw.instance.unwrap_or_else(|| "0".into());
    checker.name("instance", &instance);
    let is_given =
        |topic: &RawTopic| topic.retention.is_some() || topic.properties.contains_key(RETENTION);
    let given = Given {
        partials: is_given(&raw.topics.partials),
        outcomes: is_given(&raw.topics.outcomes),
    };
    let mut config = Config {
        kafka: checker.kafka(raw.kafka),
        registry: raw.registry.map(|registry| checker.registry(registry)),
        predictions: checker.predictions(raw.streams.predictions),
        labels: raw
            .streams
            .labels
            .map(|labels| checker.stream(labels, "streams.labels")),
        topics: checker.topics(raw.topics, &app),
        models: checker.models(raw.models),
        flush: checker.flush(&raw.flush),
        limits: checker.limits(&raw.limits),
        http: checker.http(&raw.http),
        late_events: raw.late_events,
        workers: checker.workers(&raw.workers),
        join: checker.join_stage(raw.join),
        directory: directory.to_owned(),
        instance,
        app,
    };
    checker.retention(&mut config, given);
    checker.topics_differ(&config);
    checker.framing(&config);
    checker.labels_come(&config);
    config
}

/// Which topics the file gives a retention.
#[derive(Clone, Copy)]
struct Given {
    partials: bool,
    outcomes: bool,
}

/// Turns values into checked ones and remembers what was wrong.
struct Checker<'p> {
    problems: &'p mut Problems,
}

impl Checker<'_> {
    fn error(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.error(path, message, hint);
    }

    /// A value that must be there. Says so unless something worse was said about it already.
    fn required<T: Default>(&mut self, value: Option<T>, path: &str, what: &str) -> T {
        value.unwrap_or_else(|| {
            if !self.problems.covers(path) {
                self.error(path, "this key is missing", format!("give {what}"));
            }
            T::default()
        })
    }

    /// A text that must be there and not be empty.
    fn text(&mut self, value: Option<String>, path: &str, what: &str) -> String {
        let text = self.required(value, path, what);
        if text.trim().is_empty() && !self.problems.covers(path) {
            self.error(path, "this is empty", format!("give {what}"));
        }
        text
    }

    /// A name that ends up in topic names, group names and transactional ids.
    fn name(&mut self, path: &str, name: &str) {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.problems.covers(path)
            || (!name.is_empty() && name.len() <= 100 && name.chars().all(fits))
        {
            return;
        }
        let message = format!("`{name}` cannot be part of a topic name");
        self.error(
            path,
            message,
            "use 1 to 100 of the characters a-z A-Z 0-9 . _ -",
        );
    }

    fn topic_name(&mut self, path: &str, name: &str) {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let valid = !name.is_empty()
            && name.len() <= 249
            && name.chars().all(fits)
            && !matches!(name, "." | "..");
        if !valid && !self.problems.covers(path) {
            let message = format!("`{name}` is not a topic name");
            self.error(
                path,
                message,
                "Kafka allows 1 to 249 of the characters a-z A-Z 0-9 . _ -",
            );
        }
    }

    fn duration(&mut self, text: Option<&DurationText>, path: &str, default: Duration) -> Duration {
        let Some(text) = text else { return default };
        text.parse().unwrap_or_else(|| {
            let message = format!("`{}` is not a duration", text.0);
            self.error(
                path,
                message,
                "write whole numbers with ms, s, m, h, d or w, such as 90s or 1h30m",
            );
            default
        })
    }

    /// A duration that must not be zero.
    fn span(&mut self, text: Option<&DurationText>, path: &str, default: Duration) -> Duration {
        let duration = self.duration(text, path, default);
        if duration.is_zero() {
            self.error(path, "this must be longer than nothing", "");
            return default;
        }
        duration
    }

    fn size(&mut self, text: Option<&SizeText>, path: &str, default: u64) -> u64 {
        let Some(text) = text else { return default };
        text.parse().filter(|bytes| *bytes > 0).unwrap_or_else(|| {
            let message = format!("`{}` is not a size", text.0);
            self.error(
                path,
                message,
                "write a whole number above 0 with B, KB, MB, GB, KiB, MiB or GiB, such as 64MiB",
            );
            default
        })
    }

    fn within<T: PartialOrd + Display + Copy>(
        &mut self,
        value: T,
        path: &str,
        least: T,
        most: T,
    ) -> T {
        if value < least || value > most || value.partial_cmp(&value).is_none() {
            self.error(
                path,
                format!("{value} is out of range"),
                format!("allowed: {least} to {most}"),
            );
            return least;
        }
        value
    }

    /// Whether `name` is new among `seen`; if not, says so.
    fn fresh(&mut self, seen: &[&str], name: &str, path: &str, what: &str) {
        if !name.is_empty() && seen.contains(&name) {
            self.error(path, format!("the {what} `{name}` is there twice"), "");
        }
    }
}

fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

fn key(path: &str, key: &str) -> String {
    join(path, key)
}
