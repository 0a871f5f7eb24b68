//! One model, a number and a category, read through both stages.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // No test file needs all of it.

use std::sync::Arc;
use std::time::Duration;

use driftline_engine::{
    DecisionSpec, Evaluator, EvaluatorOptions, ModelSet, ModelSpec, Observer, ObserverOptions,
    Output, WindowSpec,
};
use driftline_event::{
    AlertEvent, AlertKind, ColumnRole, LayoutId, Row, SourcePartition, Timestamp, Value,
    WindowReport,
};
use driftline_sim::Rng;
use driftline_sketch::{ProfileOptions, ReferenceBuilder, ReferenceProfile};

/// Midnight, 2024-01-01T00:00:00Z.
pub const START: i64 = 1_704_067_200;
pub const EVENTS: u64 = 60;

pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

pub fn profile() -> Arc<ReferenceProfile> {
    let mut rng = Rng::new(7);
    let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
    let x = (0..20_000).map(|_| rng.bell()).collect();
    let names = ["a", "b", "c", "d"];
    let c: Vec<&str> = (0..20_000).map(|_| names[rng.below(4) as usize]).collect();
    builder.numeric("x", ColumnRole::Feature, x).unwrap();
    let c = c.into_iter().map(Some);
    builder.categorical("c", ColumnRole::Output, c).unwrap();
    Arc::new(builder.build().unwrap())
}

pub fn spec(decision: DecisionSpec, version: &str) -> ModelSpec {
    ModelSpec {
        windows: vec![WindowSpec {
            name: "1h".to_owned(),
            size: minutes(60),
            slide: minutes(10),
        }],
        out_of_orderness: Duration::ZERO,
        decision: Some(decision),
        ..ModelSpec::new(profile(), "m", version)
    }
}

pub fn decision() -> DecisionSpec {
    DecisionSpec::new(1.0, minutes(1))
}

/// One event: whose it is, when, and what is in it.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub layout: u32,
    pub seconds: i64,
    pub x: Option<f64>,
    pub c: &'static str,
    pub segment: &'static str,
}

/// `minutes` of events for every layout; `x` says where the bell of a minute of a segment stands.
pub fn events(
    layouts: u32,
    minutes: i64,
    seed: u64,
    x: impl Fn(u32, i64, u64) -> Option<f64>,
) -> Vec<Event> {
    let mut rng = Rng::new(seed);
    let mut events = Vec::new();
    for minute in 0..minutes {
        for i in 0..EVENTS {
            for layout in 0..layouts {
                let half = i % 2;
                let bell = rng.bell();
                events.push(Event {
                    layout,
                    seconds: START + 60 * minute + (i * 60 / EVENTS) as i64,
                    x: x(layout, minute, half).map(|centre| bell + centre),
                    c: ["a", "b", "c", "d"][rng.below(4) as usize],
                    segment: ["north", "south"][half as usize],
                });
            }
        }
    }
    events
}

pub fn run(specs: Vec<ModelSpec>, events: &[Event], flush_every: usize) -> Vec<Output> {
    read(specs, events, flush_every).0
}

/// What was said, and who said it.
pub fn read(
    specs: Vec<ModelSpec>,
    events: &[Event],
    flush_every: usize,
) -> (Vec<Output>, Evaluator) {
    let models = ModelSet::new(specs).unwrap();
    let has_segments = models.specs().iter().any(|s| !s.segments.is_empty());
    let options = ObserverOptions {
        watermark_rank: 1,
        ..ObserverOptions::default()
    };
    let mut observer = Observer::new(&models, options);
    let mut evaluator = Evaluator::new(&models, EvaluatorOptions::default());
    let topic = "t".to_owned();
    let source = observer.assign(
        SourcePartition {
            topic,
            partition: 0,
        },
        0,
        None,
    );
    let (mut row, mut out) = (Row::default(), Vec::new());
    let mut flush = |observer: &mut Observer| {
        for (_, batch) in observer.flush().batches {
            evaluator.handle(&batch, &mut out).unwrap();
        }
    };
    for (offset, event) in events.iter().enumerate() {
        row.clear();
        row.start(LayoutId(event.layout), 2, usize::from(has_segments));
        row.set_time(Timestamp::from_seconds(event.seconds));
        row.set_value(0, event.x.map_or(Value::Missing, Value::Double));
        let name = row.push_text(event.c);
        row.set_value(1, Value::Text(name));
        if has_segments {
            let segment = row.push_text(event.segment);
            row.set_segment(0, segment);
        }
        observer.observe(source, offset as i64, None, &row).unwrap();
        if (offset + 1) % flush_every == 0 {
            flush(&mut observer);
        }
    }
    observer.finish(source);
    flush(&mut observer);
    (out, evaluator)
}

pub fn alerts(out: &[Output]) -> Vec<&AlertEvent> {
    out.iter()
        .filter_map(|o| match o {
            Output::Alert(alert) => Some(alert),
            _ => None,
        })
        .collect()
}

/// Those about the shape: a far shift makes values leave the range as well.
pub fn of_shape<'a>(alerts: &[&'a AlertEvent]) -> Vec<&'a AlertEvent> {
    let shape = alerts.iter().filter(|a| a.kind == AlertKind::FeatureDrift);
    shape.copied().collect()
}

pub fn reports<'a>(out: &'a [Output], feature: &str) -> Vec<&'a WindowReport> {
    out.iter()
        .filter_map(|o| match o {
            Output::Report(report) if report.series.feature == feature => Some(report),
            _ => None,
        })
        .collect()
}

pub fn minute(at: Timestamp) -> i64 {
    (at.as_micros() / 1_000_000 - START) / 60
}
