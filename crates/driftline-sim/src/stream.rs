//! Models and the records of their topic, from a seed.

use std::sync::Arc;
use std::time::Duration;

use driftline_detect::ThresholdRule;
use driftline_engine::{Baseline, DecisionSpec, ModelSet, ModelSpec, WindowSpec};
use driftline_event::{
    ColumnRole, DropReason, LayoutId, Row, SourcePartition, Statistic, Timestamp, Value,
};
use driftline_sketch::{ProfileOptions, ReferenceBuilder, ReferenceProfile};

use crate::Rng;

/// The size and the nuisances of a stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamOptions {
    /// What everything follows from.
    pub seed: u64,
    /// Partitions of the topic.
    pub sources: u32,
    /// Records in each partition.
    pub records: u32,
    /// Models; the second one has the version `*`.
    pub models: u32,
    /// The share of events that come when their pane has closed or is about to.
    pub late: f64,
    /// The share of values that are missing or of a wrong kind.
    pub dirt: f64,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            sources: 3,
            records: 600,
            models: 2,
            late: 0.1,
            dirt: 0.08,
        }
    }
}

/// The value of a field in a generated event.
#[derive(Clone, Debug, PartialEq)]
pub enum SampleValue {
    /// Null or absent.
    Missing,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Long(i64),
    /// A floating-point number.
    Double(f64),
    /// A text.
    Text(String),
    /// A kind that no column takes.
    Unsupported,
}

/// One generated event.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Which model.
    pub layout: LayoutId,
    /// The event time.
    pub at: Timestamp,
    /// The values by column.
    pub values: Vec<SampleValue>,
    /// The values of the segment fields.
    pub segments: Vec<Option<String>>,
}

impl Sample {
    /// Writes the event into a row, as a decoder would.
    pub fn fill(&self, row: &mut Row) {
        row.clear();
        row.start(self.layout, self.values.len(), self.segments.len());
        row.set_time(self.at);
        for (i, value) in self.values.iter().enumerate() {
            let value = match value {
                SampleValue::Missing => Value::Missing,
                SampleValue::Bool(b) => Value::Bool(*b),
                SampleValue::Long(long) => Value::Long(*long),
                SampleValue::Double(d) => Value::Double(*d),
                SampleValue::Text(text) => Value::Text(row.push_text(text)),
                SampleValue::Unsupported => Value::Unsupported,
            };
            row.set_value(i, value);
        }
        for (i, value) in self.segments.iter().enumerate() {
            if let Some(value) = value {
                let range = row.push_text(value);
                row.set_segment(i, range);
            }
        }
    }
}

/// What stands at an offset.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An event that decodes.
    Sample(Sample),
    /// A record that does not.
    Bad(DropReason),
    /// No record: a control record, or one that compaction removed.
    Hole,
}

/// One offset of a partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The record's own timestamp.
    pub time: Timestamp,
    /// What stands there.
    pub event: Event,
}

/// Models and, partition by partition, their records; a record's offset is its index.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The models.
    pub models: ModelSet,
    /// The partitions with their records.
    pub sources: Vec<(SourcePartition, Vec<Record>)>,
}

const NAMES: [&str; 6] = ["red", "green", "blue", "1", "true", "violet"];
const SEGMENTS: [&str; 3] = ["north", "south", "far east"];
const START: i64 = 1_700_000_000;

/// Makes the stream of a seed.
///
/// # Panics
/// When a generated reference or specification is refused, which is a bug.
pub fn stream(options: StreamOptions) -> Stream {
    let mut rng = Rng::new(options.seed);
    let specs = (0..options.models).map(|i| spec(i, &mut rng)).collect();
    let models = ModelSet::new(specs).expect("generated specifications are valid");
    let sources = (0..options.sources)
        .map(|i| {
            let partition = i32::try_from(i).expect("few partitions");
            let source = SourcePartition {
                topic: "predictions".to_owned(),
                partition,
            };
            (source, records(&options, &models, &mut rng))
        })
        .collect();
    Stream { models, sources }
}

fn reference(model: &str, rng: &mut Rng) -> ReferenceProfile {
    let n = 2_000;
    let mut builder = ReferenceBuilder::new(model, "1", ProfileOptions::default());
    let bell = (0..n).map(|_| rng.bell()).collect();
    let count = (0..n).map(|_| rng.below(5) as f64).collect();
    let score = (0..n).map(|_| rng.unit()).collect();
    let names: Vec<&str> = (0..n).map(|_| NAMES[rng.below(5) as usize]).collect();
    let built = builder
        .numeric("bell", ColumnRole::Feature, bell)
        .and_then(|b| b.numeric("count", ColumnRole::Feature, count))
        .and_then(|b| b.categorical("name", ColumnRole::Feature, names.into_iter().map(Some)))
        .and_then(|b| b.numeric("score", ColumnRole::Output, score))
        .map(|_| ());
    built
        .and_then(|()| builder.build())
        .expect("the generated reference is valid")
}

fn spec(i: u32, rng: &mut Rng) -> ModelSpec {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let name = format!("model{i}");
    let version = if i == 1 { "*" } else { "1" };
    let window = |name: &str, size, slide| WindowSpec {
        name: name.to_owned(),
        size: minutes(size),
        slide: minutes(slide),
    };
    let rule = |statistic: Statistic, threshold, for_closes| ThresholdRule {
        name: statistic.as_str().to_owned(),
        statistic,
        threshold,
        min_events: 30,
        for_closes,
        cooldown: minutes(3),
        ..ThresholdRule::default()
    };
    ModelSpec {
        segments: vec!["region".to_owned()],
        windows: vec![
            window("5m", 5, 1),
            window("20m", 20, 5),
            window("10m", 10, 5),
        ],
        rules: vec![
            rule(Statistic::Psi, 0.2, 2),
            rule(Statistic::KolmogorovSmirnov, 0.15, 1),
            rule(Statistic::MissingRatio, 0.05, 1),
        ],
        out_of_orderness: Duration::from_secs(20),
        allowed_lateness: Duration::from_secs(if i == 0 { 0 } else { 30 }),
        allow_partial_windows: i == 2,
        decision: Some(decision(i)),
        ..ModelSpec::new(Arc::new(reference(&name, rng)), &name, version)
    }
}

/// A budget so large that short streams have alarms; every third model is compared with its own past.
fn decision(i: u32) -> DecisionSpec {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let (size, lag) = (minutes(12), minutes(4));
    DecisionSpec {
        baseline: match i {
            2 => Baseline::Trailing { size, lag },
            _ => Baseline::Reference,
        },
        ..DecisionSpec::new(300.0, minutes(if i == 1 { 3 } else { 1 }))
    }
}

fn records(options: &StreamOptions, models: &ModelSet, rng: &mut Rng) -> Vec<Record> {
    let step = 1 + rng.below(3) as i64;
    let mut now = START + rng.below(120) as i64;
    (0..options.records)
        .map(|i| {
            // Now and then nothing comes for a while; sometimes for longer than a window.
            now += match rng.below(200) {
                0 => 60 * (5 + rng.below(40) as i64),
                _ => rng.below(2 * step as u64 + 1) as i64,
            };
            let time = Timestamp::from_seconds(now);
            let event = match rng.below(100) {
                0 => Event::Hole,
                1 => Event::Bad(DropReason::Malformed),
                2 => Event::Bad(DropReason::UnknownModel),
                _ => {
                    let drifted = 2 * i > options.records;
                    Event::Sample(sample(options, models, now, drifted, rng))
                }
            };
            Record { time, event }
        })
        .collect()
}

fn sample(
    options: &StreamOptions,
    models: &ModelSet,
    now: i64,
    drifted: bool,
    rng: &mut Rng,
) -> Sample {
    let layout = LayoutId(rng.below(models.specs().len() as u64) as u32);
    let at = match rng.below(1_000) {
        0 => Timestamp::from_seconds(now + 86_400),
        1 => Timestamp::from_seconds(0),
        // Some only just late or just in time, on whole seconds, where the bounds are; some by far.
        _ if rng.chance(options.late) => {
            let behind = if rng.chance(0.7) {
                rng.below(160)
            } else {
                600 + rng.below(6_000)
            };
            Timestamp::from_seconds(now - behind as i64)
        }
        _ if rng.chance(0.5) => Timestamp::from_seconds(now - rng.below(20) as i64),
        _ => Timestamp::from_micros(1_000_000 * now - rng.below(20_000_000) as i64),
    };
    let shift = if drifted { 1.5 } else { 0.0 };
    let names = if drifted { 6 } else { 5 };
    let mut values = vec![
        SampleValue::Double(rng.bell() + shift),
        SampleValue::Long(rng.below(5) as i64),
        SampleValue::Text(NAMES[rng.below(names) as usize].to_owned()),
        SampleValue::Double(rng.unit()),
    ];
    for value in &mut values {
        if rng.chance(options.dirt) {
            *value = dirt(rng);
        }
    }
    let segment = rng.below(4) as usize;
    let segments = vec![SEGMENTS.get(segment).map(|s| (*s).to_owned())];
    Sample {
        layout,
        at,
        values,
        segments,
    }
}

fn dirt(rng: &mut Rng) -> SampleValue {
    match rng.below(12) {
        0..4 => SampleValue::Missing,
        4 => SampleValue::Double(f64::NAN),
        5 => SampleValue::Double(f64::INFINITY),
        6 => SampleValue::Double(f64::NEG_INFINITY),
        7 => SampleValue::Double(1e6 * rng.bell()),
        8 => SampleValue::Bool(rng.chance(0.5)),
        9 => SampleValue::Long(rng.below(9) as i64 - 4),
        10 => SampleValue::Text(format!("strange {}", rng.below(40))),
        _ => SampleValue::Unsupported,
    }
}
