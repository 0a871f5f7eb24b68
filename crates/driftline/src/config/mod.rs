//! The configuration file: read, checked once, then never questioned again.
//!
//! [`parse`] gathers every problem of the file, each with its place and what to do, and touches nothing
//! but the text.

mod check;
mod checked;
mod collect;
mod problem;
mod raw;
mod raw_decision;
mod raw_labels;
mod raw_model;
mod raw_rule;
pub mod reference;
mod secret;
pub mod sizing;
pub(crate) mod suggest;
pub mod units;
mod yaml;

use std::path::Path;

pub use checked::{
    CompareWith, Config, Decision, Flush, Http, Kafka, Limits, Model, Registry, RegistryAuth, Sasl,
    Stream, Tls, Topic, Topics, Version, Window, Workers,
};
pub use problem::{Gravity, Problem, Problems};
pub use raw::{LateEvents, SaslMechanism, StreamFormat, StreamStart};
pub use secret::{Secret, SecretError, SecretSource};
pub use yaml::Position;

use crate::exit::Failure;

/// The configuration with every default, as documentation. A test holds it to what the code does.
pub const DEFAULT_YAML: &str = include_str!("default.yaml");

/// Reads and checks `text`. `file` names it in messages; relative paths start from `directory`.
///
/// # Errors
/// Everything that is wrong. Warnings alone do not fail; they come with the configuration.
pub fn parse(text: &str, file: &str, directory: &Path) -> Result<(Config, Problems), Problems> {
    let node = match yaml::Node::parse(text) {
        Ok(node) => node,
        Err(error) => return Err(syntax_problem(&error, file)),
    };
    let mut problems = Problems::new(file, node.places());
    let raw = collect::collect(&node, &mut problems);
    let config = check::check(raw, directory, &mut problems);
    problems.sort();
    if problems.errors() > 0 {
        Err(problems)
    } else {
        Ok((config, problems))
    }
}

/// Reads and checks the file at `path`.
///
/// # Errors
/// When it cannot be read, or is wrong: with every problem in the message.
pub fn load(path: &Path) -> Result<(Config, Problems), Failure> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let hint = "docs/config.md describes the file, and examples/ has some to start from";
        Failure::config(format_args!(
            "the configuration {file} cannot be read: {error}"
        ))
        .hint(hint)
    })?;
    let directory = path.parent().unwrap_or(Path::new(""));
    parse(&text, &file, directory).map_err(|problems| failure(&problems))
}

/// The failure that tells all of `problems`.
#[must_use]
pub fn failure(problems: &Problems) -> Failure {
    let errors = problems.errors();
    let (count, s) = if errors > 0 {
        (errors, "error")
    } else {
        (problems.warnings(), "warning")
    };
    let s = format!("{count} {s}{}", if count == 1 { "" } else { "s" });
    Failure::config(format_args!(
        "the configuration has {s}\n{}",
        problems.to_string().trim_end()
    ))
}

/// The JSON Schema of the file.
#[must_use]
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(raw::RawConfig)
}

fn syntax_problem(error: &serde_saphyr::Error, file: &str) -> Problems {
    let mut places = std::collections::BTreeMap::new();
    if let Some(location) = error.location() {
        places.insert(String::new(), location.into());
    }
    let mut problems = Problems::new(file, places);
    // The library's own rendering quotes the file, which may hold a secret in the wrong place.
    let message = error.without_snippet().to_string();
    let message = message
        .lines()
        .next()
        .unwrap_or("the file is not YAML")
        .to_owned();
    problems.error("", message, "");
    problems
}

#[cfg(test)]
mod labels_tests;
#[cfg(test)]
mod tests;
