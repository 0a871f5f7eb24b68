//! The findings as JSON and as a table.

use std::fmt::Write as _;

use driftline_telemetry::short_text;
use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::Chosen;
use super::watch::Watched;
use crate::page::number::{count, short};
use crate::terminal;

/// A file's name in the table is cut after so many bytes.
const NAME_BYTES_MAX: usize = 200;

/// What a detector found in a stream.
#[derive(Debug, Serialize)]
pub(super) struct Findings {
    detector: String,
    compat: &'static str,
    params: Map<String, Value>,
    n: u64,
    /// How many drifts there are; with more than ten million, not all of them are listed.
    drift_count: u64,
    warning_count: u64,
    drifts: Vec<u64>,
    warnings: Vec<u64>,
    #[serde(skip)]
    watched: Watched,
}

impl Findings {
    pub(super) fn new(chosen: Chosen, mut watched: Watched) -> Self {
        let params = chosen.params.into_iter();
        Self {
            detector: chosen.name,
            compat: chosen.compat.name(),
            params: params
                .map(|(name, text)| (name.to_owned(), value(text)))
                .collect(),
            n: watched.n(),
            drift_count: watched.drifts.count,
            warning_count: watched.warnings.count,
            drifts: std::mem::take(&mut watched.drifts.at),
            warnings: std::mem::take(&mut watched.warnings.at),
            watched,
        }
    }

    pub(super) fn has_drifted(&self) -> bool {
        self.drift_count > 0
    }

    /// For people, with at most `limit` drifts; 0 for all.
    pub(super) fn table(&self, file: &str, limit: usize) -> String {
        let shown = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let params: Vec<String> = self
            .params
            .iter()
            .map(|(name, value)| format!("{name}={}", shown(value)))
            .collect();
        let mut text = format!(
            "{} ({}) {}\n{}: {}, mean {}\n",
            self.detector,
            self.compat,
            params.join(" "),
            terminal::clean(&short_text(file, NAME_BYTES_MAX)),
            counted(self.n, "value"),
            self.watched.mean().map_or("–".to_owned(), short),
        );
        let mut rows = vec![
            [
                "drift",
                "at value",
                "values since",
                "mean before",
                "mean to it",
                "mean after",
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        let most = if limit == 0 { usize::MAX } else { limit };
        for (i, drift) in self.watched.details.iter().take(most).enumerate() {
            rows.push(vec![
                (i + 1).to_string(),
                count(drift.at as usize),
                count(drift.since as usize),
                short(drift.before),
                short(drift.last),
                drift.after.map_or("–".to_owned(), short),
            ]);
        }
        if rows.len() > 1 {
            let window = self.watched.window();
            let _ = write!(text, "\n{}", terminal::table(&rows, &[0, 1, 2, 3, 4, 5]));
            let left = self.drift_count - (rows.len() - 1) as u64;
            if left > 0 {
                let _ = writeln!(
                    text,
                    "… and {} more; --limit 0 shows all",
                    count(left as usize)
                );
            }
            let _ = writeln!(
                text,
                "\nbefore: since the drift before, without the {window} values up to this one; to it: those {window}; \
                 after: the {window} after it"
            );
        }
        let _ = writeln!(
            text,
            "\n{}, {}",
            counted(self.drift_count, "drift"),
            counted(self.warning_count, "warning")
        );
        text
    }
}

fn counted(n: u64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(n as usize))
}

/// A parameter's value as the JSON of its kind.
fn value(text: String) -> Value {
    if let Ok(whole) = text.parse::<u64>() {
        return whole.into();
    }
    match text.as_str() {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "none" => Value::Null,
        _ => match text.parse().ok().and_then(Number::from_f64) {
            Some(number) => Value::Number(number),
            None => Value::String(text),
        },
    }
}
