//! What it costs to observe an event of 20 numbers and 5 texts, in nanoseconds.
//!
//! ```text
//! cargo run --release -p driftline-engine --example observe_ns
//! ```
//!
//! A thousand rows are made beforehand from a seed, and of each a model at random; they stay in the cache, as
//! the one row of a decoder does. Figures are CPU time of the thread where Linux tells it, so that a busy
//! machine does not count: the best and the median of several rounds. Flushes are measured apart.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs
)]

use std::sync::Arc;
use std::time::Instant;

use driftline_engine::{ModelSet, ModelSpec, Observer, ObserverOptions};
use driftline_event::{ColumnRole, LayoutId, Row, SourcePartition, Timestamp, Value};
use driftline_sketch::{ProfileOptions, ReferenceBuilder, ReferenceProfile};

const NUMBERS: usize = 20;
const TEXTS: usize = 5;
const ROWS: usize = 1_000;
const EVENTS: usize = 300_000;
const ROUNDS: usize = 9;

struct Rng(u64);

impl Rng {
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn reference(rng: &mut Rng) -> ReferenceProfile {
    let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
    for i in 0..NUMBERS {
        let values = (0..5_000)
            .map(|_| 10.0 * rng.unit() - rng.unit().ln())
            .collect();
        builder
            .numeric(&format!("x{i}"), ColumnRole::Feature, values)
            .unwrap();
    }
    for i in 0..TEXTS {
        let names: Vec<String> = (0..5_000).map(|_| name(rng)).collect();
        let names = names.iter().map(|n| Some(n.as_str()));
        builder
            .categorical(&format!("c{i}"), ColumnRole::Feature, names)
            .unwrap();
    }
    builder.build().unwrap()
}

/// Nanoseconds that this thread has run so far, or those that have passed if nobody says.
fn cpu_nanos(start: Instant) -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ran = stat.split_whitespace().next().and_then(|n| n.parse().ok());
    ran.unwrap_or_else(|| start.elapsed().as_nanos() as f64)
}

fn name(rng: &mut Rng) -> String {
    format!("category-{}", (30.0 * rng.unit() * rng.unit()) as u32)
}

fn row(model: u32, i: usize, rng: &mut Rng) -> Row {
    let mut row = Row::default();
    row.start(LayoutId(model), NUMBERS + TEXTS, 0);
    row.set_time(Timestamp::from_millis(1_700_000_000_000 + i as i64));
    for column in 0..NUMBERS {
        row.set_value(column, Value::Double(10.0 * rng.unit() - rng.unit().ln()));
    }
    for column in 0..TEXTS {
        let text = row.push_text(&name(rng));
        row.set_value(NUMBERS + column, Value::Text(text));
    }
    row
}

fn measure(models: u32) {
    let mut rng = Rng(0x5eed);
    let specs =
        (0..models).map(|i| ModelSpec::new(Arc::new(reference(&mut rng)), &format!("m{i}"), "1"));
    let set = ModelSet::new(specs.collect()).unwrap();
    let rows: Vec<Row> = (0..ROWS)
        .map(|i| row((rng.bits() % u64::from(models)) as u32, i, &mut rng))
        .collect();
    let mut observer = Observer::new(&set, ObserverOptions::default());
    let source = observer.assign(
        SourcePartition {
            topic: "t".to_owned(),
            partition: 0,
        },
        0,
        None,
    );
    let (mut observing, mut flushing, mut offset) = (Vec::new(), Vec::new(), 0);
    let epoch = Instant::now();
    for _ in 0..ROUNDS {
        let start = cpu_nanos(epoch);
        for i in 0..EVENTS {
            observer
                .observe(source, offset, None, &rows[i % ROWS])
                .unwrap();
            offset += 1;
        }
        let end = cpu_nanos(epoch);
        observing.push((end - start) / EVENTS as f64);
        let bytes: usize = observer.flush().batches.iter().map(|(_, b)| b.len()).sum();
        flushing.push(((cpu_nanos(epoch) - end) / 1e3, bytes));
    }
    observing.sort_unstable_by(f64::total_cmp);
    flushing.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (best, median) = (observing[0], observing[ROUNDS / 2]);
    let (micros, bytes) = flushing[ROUNDS / 2];
    println!(
        "{models:>3} models: {best:.0} ns an event at best, {median:.0} median ({:.1} a value); \
         a flush of {bytes} bytes takes {micros:.0} µs",
        best / (NUMBERS + TEXTS) as f64
    );
}

fn main() {
    [1, 8, 64].into_iter().for_each(measure);
}
