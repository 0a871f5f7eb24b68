//! Prints what counting costs: nanoseconds per value, column by column in tiles of 64 rows, as the
//! engine does.
//!
//! ```text
//! cargo run --release -p driftline-sketch --example kernel_ns
//! ```
//!
//! Twenty numeric columns take turns, tile by tile, so the tables compete for the cache as they do
//! in a model with twenty features. The figure is the best of several rounds.
#![allow(clippy::print_stdout)]

use std::hint::black_box;

use driftline_event::ColumnRole;
use driftline_sketch::{
    CategoricalSummary, ColumnProfile, MISSING, NumericProfile, NumericSummary, ProfileOptions,
    ReferenceBuilder, UNSEEN_CODE,
};

const ROWS: usize = 64;
const COLUMNS: usize = 20;
const TILES: usize = 200;
const ROUNDS: usize = 40;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In (0, 1).
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

fn draw(shape: &str, random: &mut Random) -> f64 {
    match shape {
        "normal" => 3.0 + 2.0 * random.normal(),
        "lognormal" => (1.5 * random.normal()).exp(),
        "uniform" => random.uniform() * 1e6,
        "cauchy" => random.normal() / random.normal(),
        "integers" => (random.uniform() * 24.0).floor(),
        "zero_inflated" if random.uniform() < 0.6 => 0.0,
        "zero_inflated" => random.uniform().ln() * -20.0,
        "missing_10" if random.uniform() < 0.1 => MISSING,
        _ => random.normal(),
    }
}

/// The fastest of the rounds, in nanoseconds per value.
#[allow(clippy::disallowed_methods)] // An example may look at the clock; the crate may not.
fn nanoseconds(values: usize, mut round: impl FnMut()) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let start = std::time::Instant::now();
        round();
        start.elapsed().as_secs_f64() * 1e9 / values as f64
    });
    times.fold(f64::INFINITY, f64::min)
}

fn numeric(shape: &str) -> f64 {
    let mut random = Random(7);
    let mut builder = ReferenceBuilder::new("bench", "1", ProfileOptions::default());
    let names: Vec<String> = (0..COLUMNS).map(|i| format!("x{i}")).collect();
    for name in &names {
        let values = (0..20_000).map(|_| draw(shape, &mut random)).collect();
        builder
            .numeric(name, ColumnRole::Feature, values)
            .expect("a fresh column of as many rows");
    }
    let reference = builder.build().expect("default options");
    let profiles: Vec<&NumericProfile> = reference
        .columns
        .iter()
        .filter_map(|c| match &c.profile {
            ColumnProfile::Numeric(profile) => Some(profile),
            ColumnProfile::Categorical(_) | ColumnProfile::Embedding(_) => None,
        })
        .collect();
    let tiles: Vec<Vec<f64>> = (0..TILES * COLUMNS)
        .map(|_| (0..ROWS).map(|_| draw(shape, &mut random)).collect())
        .collect();
    let mut summaries: Vec<NumericSummary> = profiles.iter().map(|p| p.empty_summary()).collect();
    let ns = nanoseconds(TILES * COLUMNS * ROWS, || {
        for row in tiles.chunks_exact(COLUMNS) {
            for ((tile, profile), summary) in row.iter().zip(&profiles).zip(&mut summaries) {
                profile.add_column(black_box(tile), summary);
            }
        }
    });
    black_box(&summaries);
    ns
}

/// Nanoseconds for the code of a text, and for counting a code.
fn categorical(categories: usize, seen: f64) -> (f64, f64) {
    let mut random = Random(11);
    // About Zipf: the rank is exponential in a uniform number.
    let mut text = |limit: usize| {
        let rank = (limit as f64).powf(random.uniform()) as usize;
        format!("category-{rank}")
    };
    let reference: Vec<String> = (0..50_000).map(|_| text(categories)).collect();
    let mut builder = ReferenceBuilder::new("bench", "1", ProfileOptions::default());
    let column = reference.iter().map(|t| Some(t.as_str()));
    builder
        .categorical("c", ColumnRole::Feature, column)
        .expect("the first column");
    let profile = builder.build().expect("default options");
    let ColumnProfile::Categorical(profile) = &profile.columns[0].profile else {
        return (0.0, 0.0);
    };
    let limit = (categories as f64 / seen) as usize;
    let texts: Vec<String> = (0..TILES * ROWS).map(|_| text(limit)).collect();
    let mut codes = vec![UNSEEN_CODE; texts.len()];
    let lookup = nanoseconds(texts.len(), || {
        for (code, text) in codes.iter_mut().zip(&texts) {
            *code = profile.code(black_box(text));
        }
    });
    let mut summary = CategoricalSummary::default();
    let count = nanoseconds(codes.len(), || {
        for tile in codes.chunks(ROWS) {
            profile.add_codes(black_box(tile), &mut summary);
        }
    });
    black_box(&summary);
    (lookup, count)
}

fn main() {
    println!("add_column, {COLUMNS} columns in tiles of {ROWS} rows, ns per value");
    for shape in [
        "normal",
        "lognormal",
        "uniform",
        "cauchy",
        "integers",
        "zero_inflated",
        "missing_10",
    ] {
        println!("  {shape:<14} {:6.2}", numeric(shape));
    }
    println!("categories, ns per value: code, add_codes");
    for (categories, seen) in [(11, 1.0), (200, 1.0), (5_000, 1.0), (5_000, 0.5)] {
        let (lookup, count) = categorical(categories, seen);
        println!(
            "  {categories:>5} known, {:>3.0} % {lookup:6.2} {count:6.2}",
            seen * 100.0
        );
    }
}
