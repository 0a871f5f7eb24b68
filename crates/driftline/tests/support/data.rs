//! A small model, its reference and its predictions, from a seed.

use std::path::Path;

use driftline_event::{ColumnRole, Timestamp};
use driftline_sketch::{ProfileOptions, ReferenceBuilder};
use driftline_wire::{FeatureValue, Prediction, PredictionEncoder};
use serde_json::json;

pub const START: i64 = 1_704_067_200;
const KINDS: [&str; 4] = ["day", "night", "airport", "far"];
const REGIONS: [&str; 3] = ["north", "south", "east"];

/// Numbers without a pattern (splitmix64).
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A prediction of the model `fares`.
#[derive(Clone, Debug)]
pub struct Fare {
    pub id: u64,
    pub at: Timestamp,
    pub amount: Option<f64>,
    pub passengers: i64,
    pub kind: &'static str,
    pub score: f64,
    pub region: &'static str,
}

/// How the predictions come.
#[derive(Clone, Copy, Debug)]
pub struct Fares {
    pub seed: u64,
    pub n: u64,
    /// How far, in seconds, an event may be behind those before it.
    pub disorder: u64,
    /// From which event on `amount` is half as much again.
    pub drift_from: u64,
}

/// A prediction a second from [`START`] on.
pub fn fares(options: Fares) -> Vec<Fare> {
    let mut rng = Rng(options.seed);
    let fare = |id: u64| {
        let second = START + id as i64;
        let behind = rng.below(1_000_000 * options.disorder.max(1));
        let drift = if id >= options.drift_from { 1.5 } else { 1.0 };
        Fare {
            id,
            at: Timestamp::from_micros(1_000_000 * second - behind as i64),
            amount: (rng.below(50) > 0).then(|| drift * (10.0 + 30.0 * rng.unit())),
            passengers: 1 + rng.below(5) as i64,
            kind: KINDS[rng.below(4) as usize],
            score: rng.unit(),
            region: REGIONS[rng.below(3) as usize],
        }
    };
    (0..options.n).map(fare).collect()
}

impl Fare {
    /// As a JSON message in the canonical form.
    pub fn json(&self) -> String {
        json!({
            "prediction_id": self.id.to_string(),
            "model_id": "fares",
            "model_version": "1",
            "predicted_at": self.at.as_micros(),
            "features": {"amount": self.amount, "passengers": self.passengers, "kind": self.kind},
            "prediction": {"value": self.score},
            "segments": {"region": self.region},
        })
        .to_string()
    }

    /// As an Avro message in the canonical schema and the registry's framing.
    pub fn avro(&self, schema_id: u32) -> Vec<u8> {
        let amount = self.amount.map_or(FeatureValue::Null, FeatureValue::Double);
        let mut bytes = Vec::new();
        let prediction = Prediction {
            id: &self.id.to_string(),
            model: "fares",
            version: "1",
            predicted_at: self.at,
            features: &[
                ("amount", amount),
                ("passengers", FeatureValue::Long(self.passengers)),
                ("kind", FeatureValue::Text(self.kind)),
            ],
            value: Some(self.score),
            segments: &[("region", self.region)],
            ..Prediction::default()
        };
        PredictionEncoder::registry(schema_id).encode(&prediction, &mut bytes);
        bytes
    }
}

/// Writes `fares.json`, the reference: what [`fares`] gives without drift.
pub fn write_reference(directory: &Path) {
    let rows = fares(Fares {
        seed: 99,
        n: 20_000,
        disorder: 0,
        drift_from: u64::MAX,
    });
    let feature = ColumnRole::Feature;
    let amounts = rows
        .iter()
        .map(|r| r.amount.unwrap_or(driftline_sketch::MISSING));
    let passengers = rows.iter().map(|r| r.passengers as f64);
    let mut builder = ReferenceBuilder::new("fares", "1", ProfileOptions::default());
    builder
        .numeric("amount", feature, amounts.collect())
        .unwrap();
    builder
        .numeric("passengers", feature, passengers.collect())
        .unwrap();
    builder
        .categorical("kind", feature, rows.iter().map(|r| Some(r.kind)))
        .unwrap();
    builder
        .numeric(
            "value",
            ColumnRole::Output,
            rows.iter().map(|r| r.score).collect(),
        )
        .unwrap();
    let text = builder.build().unwrap().to_json();
    std::fs::write(directory.join("fares.json"), text).unwrap();
}

/// A configuration of the model `fares`; `stream` is the rest of the predictions' stream, `more` further
/// top-level keys.
pub fn config(app: &str, brokers: &str, stream: &str, more: &str) -> String {
    format!(
        "\
app: {app}
kafka: {{brokers: '{brokers}', properties: {{session.timeout.ms: '6000'}}}}
streams: {{predictions: {{topic: {app}.in, start: earliest, {stream}}}}}
topics: {{partials: {{partitions: 2}}}}
models:
  - id: fares
    versions: [{{version: '1', reference: fares.json}}]
    segments: [region]
    pane: 1m
    windows:
      - {{size: 10m, slide: 2m, name: 10m}}
      - {{size: 30m, slide: 10m, name: 30m}}
    rules:
      - {{statistic: psi, threshold: 0.2, min_events: 300, for: 2, clear: 2}}
      - {{statistic: unseen_ratio, threshold: 0.2}}
      - {{statistic: missing_ratio, threshold: 0.2}}
flush: {{interval: 250ms}}
http: {{bind: '127.0.0.1:0'}}
{more}
"
    )
}
