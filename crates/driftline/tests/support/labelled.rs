//! The model `fares` with labels: whether a passenger was content, which the score says the chance of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use driftline::cli;
use driftline::commands::reference;
use driftline::files::{Input, Table, TableFilter};
use driftline_event::Timestamp;
use driftline_kafka::{OutRecord, Producer};
use driftline_sketch::ProfileOptions;
use serde_json::json;

use super::WITHIN;
use super::data::{Fare, Fares, Rng, START, fares};

/// Event time between predictions.
const EVERY_SECONDS: i64 = 20;
/// Labels that were observed later than this after their prediction do not count. Nobody waits longer for labels that are
/// still to be read, so it is more event time than may be read of predictions before the first label is.
pub const TTL: Duration = Duration::from_secs(3 * 86_400);
/// Ids that nobody predicted.
pub const STRAYS: u64 = 40;

/// A label of one prediction.
#[derive(Clone, Debug)]
pub struct Label {
    pub id: u64,
    pub at: Timestamp,
    pub content: bool,
    pub revision: i64,
}

impl Label {
    pub fn json(&self) -> String {
        json!({
            "prediction_id": self.id.to_string(),
            "model_id": "fares",
            "observed_at": self.at.as_micros(),
            "label": if self.content { "yes" } else { "no" },
            "revision": self.revision,
        })
        .to_string()
    }
}

/// [`fares`], slowed down, so that there is time for labels.
pub fn predictions(seed: u64, n: u64) -> Vec<Fare> {
    let mut rows = fares(Fares {
        seed,
        n,
        disorder: 45,
        drift_from: u64::MAX,
    });
    for row in &mut rows {
        let later = (EVERY_SECONDS - 1) * row.id as i64;
        row.at = row.at.saturating_add(Duration::from_secs(later as u64));
    }
    rows
}

/// The first instant after all of `n` predictions.
pub fn end_of(n: u64) -> Timestamp {
    Timestamp::from_seconds(START + EVERY_SECONDS * n as i64)
}

/// The labels of `rows` as they come: most within an hour, some after the time to live or never, some twice, some corrected,
/// some of predictions that nobody knows. From the row `drift_from` on they do not listen to the score.
pub fn labels(seed: u64, rows: &[Fare], drift_from: u64) -> Vec<Label> {
    let mut rng = Rng(seed);
    let mut all = Vec::new();
    for row in rows {
        let by_score = if row.id < drift_from { row.score } else { 0.5 };
        let content = rng.unit() < by_score;
        let delay = match rng.below(100) {
            0..8 => continue,
            8..10 => 260_000 + rng.below(10_000),
            10..20 => 3_600 * (6 + rng.below(10)),
            20..35 => 3_600 + rng.below(10_000),
            _ => rng.below(3_000),
        };
        let label = Label {
            id: row.id,
            at: row.at.saturating_add(Duration::from_secs(delay)),
            content,
            revision: 0,
        };
        match rng.below(20) {
            0 => all.push(label.clone()),
            // Both are judged at the same age. Where a label that is judged before its correction is known comes before
            // its prediction, the join may know the correction alone.
            1..6 if (3_600..14_000).contains(&delay) => all.push(Label {
                at: label.at.saturating_add(Duration::from_secs(1_800)),
                content: !content,
                revision: 1,
                ..label
            }),
            _ => {}
        }
        all.push(label);
    }
    let stray = |i| Label {
        id: u64::MAX - i,
        at: rows[(i as usize * 37) % rows.len()].at,
        content: true,
        revision: 0,
    };
    all.extend((0..STRAYS).map(stray));
    // A little out of order, as logs are.
    all.sort_by_cached_key(|label| {
        (
            label.at.as_micros() + rng.below(20_000_000) as i64,
            label.id,
        )
    });
    all
}

/// How many of `rows` have a label that counts.
pub fn labelled(rows: &[Fare], labels: &[Label]) -> u64 {
    let at: BTreeMap<u64, Timestamp> = rows.iter().map(|row| (row.id, row.at)).collect();
    let counts = |label: &&Label| {
        at.get(&label.id)
            .is_some_and(|at| label.at <= at.saturating_add(TTL))
    };
    let ids = labels.iter().filter(counts).map(|label| label.id);
    ids.collect::<BTreeSet<u64>>().len() as u64
}

/// Writes `fares.json`, the reference with labels.
pub fn write_reference(directory: &Path) {
    let rows = predictions(99, 10_000);
    let labels = labels(98, &rows, u64::MAX);
    let write = |name: &str, lines: Vec<String>| {
        let path = directory.join(name);
        std::fs::write(&path, lines.join("\n")).unwrap();
        path
    };
    let rows = write("train.jsonl", rows.iter().map(flat).collect());
    let labels = write(
        "train-labels.jsonl",
        labels.iter().map(Label::json).collect(),
    );
    let (rows, filter) = (Input::from(rows.as_path()), TableFilter::default());
    let table = Table::read(&rows, &filter).unwrap();
    let profile = reference::profile(&table, "fares", "1", ProfileOptions::default()).unwrap();
    let (profile, _) = reference::labels::with_labels(
        profile,
        &table,
        (&rows, &filter),
        Some(&Input::from(labels.as_path())),
        &cli::LabelOptions {
            threshold: Some(0.5),
            ..cli::LabelOptions::default()
        },
    )
    .unwrap();
    std::fs::write(directory.join("fares.json"), profile.to_json()).unwrap();
}

/// As a line of training data.
fn flat(row: &Fare) -> String {
    json!({
        "prediction_id": row.id.to_string(),
        "ts": row.at.as_micros(),
        "amount": row.amount,
        "passengers": row.passengers,
        "kind": row.kind,
        "score": row.score,
    })
    .to_string()
}

/// Sends labels, each to the partition of its id, so that those of one prediction stay in order.
pub fn produce_labels(topic: &str, partitions: u64, labels: &[Label]) {
    let producer = super::producer();
    send_labels(&producer, topic, partitions, labels);
}

pub fn send_labels(producer: &Producer, topic: &str, partitions: u64, labels: &[Label]) {
    for label in labels {
        let record = OutRecord {
            topic: topic.to_owned(),
            partition: Some((label.id % partitions) as i32),
            value: Some(label.json().into_bytes()),
            ..OutRecord::default()
        };
        producer.send(&record, WITHIN).unwrap();
    }
    producer.flush(WITHIN).unwrap();
}

/// A configuration of the model with labels; `more` further top-level keys.
pub fn config(app: &str, brokers: &str, more: &str) -> String {
    format!(
        "\
app: {app}
kafka: {{brokers: '{brokers}', properties: {{session.timeout.ms: '6000'}}}}
streams:
  predictions: {{topic: {app}.in, start: earliest, format: json}}
  labels: {{topic: {app}.labels, start: earliest, format: json}}
topics: {{partials: {{partitions: 2}}, outcomes: {{partitions: 3}}}}
models:
  - id: fares
    versions: [{{version: '1', reference: fares.json}}]
    segments: [region]
    pane: 10m
    windows: [{{size: 6h, slide: 2h, name: 6h}}]
    rules: [{{statistic: psi, threshold: 0.2}}]
    labels:
      step: 1h
      ttl: 3d
      mature_after: [1h, 6h]
      windows: [{{size: 6h, name: 6h}}]
      rules: [{{metric: accuracy, tolerance: 0.1, last: 2, min_labels: 200}}]
      detectors: [{{name: ddm}}]
flush: {{interval: 250ms}}
http: {{bind: '127.0.0.1:0'}}
{more}
"
    )
}
