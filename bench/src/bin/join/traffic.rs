//! A day of predictions with their labels, as records of one outcomes partition.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use driftline_engine::{
    LabelEvent, LabelForwarder, LabelForwarderOptions, LabelSpec, LabelValue, ModelSet, ModelSpec,
    Observer, ObserverOptions, SourceHandle,
};
use driftline_event::{ColumnRole, LayoutId, Row, SourcePartition, Task, Timestamp, Value};
use driftline_sketch::{
    OutcomeLabel, OutcomeOptions, OutcomeProfile, OutcomeRow, ProfileOptions, ReferenceBuilder,
    Scored, Truth,
};

/// Events between two flushes of the forwarders.
const FLUSH_EVERY: u64 = 20_000;
const START: i64 = 1_700_000_000;
const DAY: u64 = 86_400;
/// The share of predictions that get a label.
const LABELLED: f64 = 0.7;
/// Half of the labels come within this, in seconds.
const HALF_DELAY: f64 = 4.0 * 3_600.0;

/// What joiners read.
#[derive(Debug)]
pub(crate) struct Traffic {
    pub(crate) models: ModelSet,
    /// Predictions and labels in the order of their times.
    pub(crate) records: Vec<Vec<u8>>,
    /// The predictions alone.
    pub(crate) predictions_only: Vec<Vec<u8>>,
    /// Predictions and labels.
    pub(crate) events: u64,
}

/// Numbers from a seed: SplitMix64 (Steele, Lea and Flood, 2014).
struct Numbers(u64);

impl Numbers {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn models(numbers: &mut Numbers) -> Result<ModelSet> {
    let scores: Vec<f64> = (0..20_000).map(|_| numbers.unit()).collect();
    let mut options = OutcomeOptions::new(Task::Binary);
    options.score_columns = vec!["score".to_owned()];
    options.classes = vec!["no".to_owned(), "yes".to_owned()];
    let rows: Vec<OutcomeRow> = scores
        .iter()
        .map(|&score| OutcomeRow {
            scored: Scored::Binary {
                score,
                positive: score >= 0.5,
            },
            label: Some(OutcomeLabel {
                truth: Truth::Class(u16::from(numbers.unit() < score)),
                weight: 1.0,
                delay_micros: None,
            }),
        })
        .collect();
    let outcome = OutcomeProfile::build(&options, &rows)?;
    let mut builder = ReferenceBuilder::new("fraud", "1", ProfileOptions::default());
    builder.numeric("score", ColumnRole::Output, scores)?;
    let profile = builder.build()?.with_outcome(Some(outcome));
    let spec = ModelSpec {
        segments: vec!["region".to_owned()],
        out_of_orderness: Duration::from_secs(3_600),
        labels: Some(LabelSpec::default()),
        ..ModelSpec::new(Arc::new(profile), "fraud", "1")
    };
    ModelSet::new(vec![spec]).map_err(|errors| anyhow!("{errors}"))
}

/// Both forwarders, each of one partition.
struct Forwarders {
    observer: Observer,
    predictions: SourceHandle,
    labels: LabelForwarder,
    label_source: SourceHandle,
    offsets: [i64; 2],
    row: Row,
    regions: Vec<String>,
}

impl Forwarders {
    fn new(models: &ModelSet) -> Self {
        let source = |topic: &str| SourcePartition {
            topic: topic.to_owned(),
            partition: 0,
        };
        let mut observer = Observer::new(models, ObserverOptions::default());
        let mut labels = LabelForwarder::new(models, LabelForwarderOptions::default());
        Self {
            predictions: observer.assign(source("predictions"), 0, None),
            label_source: labels.assign(source("labels"), 0, None),
            observer,
            labels,
            offsets: [0; 2],
            row: Row::default(),
            regions: (0..20).map(|i| format!("region {i}")).collect(),
        }
    }

    fn predict(&mut self, id: &str, at: i64, bits: u64) -> Result<()> {
        let row = &mut self.row;
        row.clear();
        row.start(LayoutId(0), 1, 1);
        row.set_time(Timestamp::from_micros(at));
        let range = row.push_text(id);
        row.set_id(range);
        row.set_value(0, Value::Double((bits % 1_000) as f64 / 1_000.0));
        let region = row.push_text(&self.regions[(bits >> 32) as usize % 20]);
        row.set_segment(0, region);
        let offset = self.offsets[0];
        self.offsets[0] += 1;
        let seen = self.observer.observe(self.predictions, offset, None, row);
        seen.map_err(|reason| anyhow!("a prediction is {reason}"))
    }

    fn label(&mut self, id: &str, at: i64, bits: u64) -> Result<()> {
        let label = LabelEvent {
            id,
            model: Some("fraud"),
            version: None,
            observed_at: Timestamp::from_micros(at),
            value: LabelValue::Text(if bits.is_multiple_of(2) { "yes" } else { "no" }),
            weight: 1.0,
            revision: 0,
        };
        let offset = self.offsets[1];
        self.offsets[1] += 1;
        let seen = self.labels.observe(self.label_source, offset, None, &label);
        seen.map_err(|reason| anyhow!("a label is {reason}"))
    }

    fn flush(&mut self, into: &mut Vec<Vec<u8>>) {
        let outcomes = self.observer.flush().outcomes.into_iter();
        into.extend(outcomes.map(|(_, batch)| batch));
        let outcomes = self.labels.flush().outcomes.into_iter();
        into.extend(outcomes.map(|(_, batch)| batch));
    }
}

impl Traffic {
    pub(crate) fn new(seed: u64, predictions: u64) -> Result<Self> {
        let mut numbers = Numbers(seed);
        let models = models(&mut numbers).context("the reference")?;
        let step = (DAY * 1_000_000 / predictions.max(1)).max(1) as i64;
        // Time, whether it is a label, and the number of the request.
        let mut events: Vec<(i64, bool, u64)> = Vec::new();
        for i in 0..predictions {
            let at = START * 1_000_000 + i as i64 * step;
            events.push((at, false, i));
            if numbers.unit() < LABELLED {
                let delay = -HALF_DELAY * (1.0 - numbers.unit()).log2();
                events.push((at + (delay * 1e6) as i64, true, i));
            }
        }
        events.sort_unstable();
        let forward = |wanted: &dyn Fn(bool) -> bool| -> Result<Vec<Vec<u8>>> {
            let (mut forwarders, mut records) = (Forwarders::new(&models), Vec::new());
            let mut since = 0;
            for (at, is_label, i) in events.iter().filter(|(_, is_label, _)| wanted(*is_label)) {
                let (id, bits) = (format!("request-{i:012}"), Numbers(*i).bits());
                if *is_label {
                    forwarders.label(&id, *at, bits)?;
                } else {
                    forwarders.predict(&id, *at, bits)?;
                }
                since += 1;
                if since == FLUSH_EVERY {
                    forwarders.flush(&mut records);
                    since = 0;
                }
            }
            forwarders.flush(&mut records);
            Ok(records)
        };
        Ok(Self {
            records: forward(&|_| true)?,
            predictions_only: forward(&|is_label| !is_label)?,
            events: events.len() as u64,
            models,
        })
    }
}
