//! What a step costs.

use std::hint::black_box;

use driftline_bench_detect::cpu_nanos;
use driftline_detect::bank::{Bank, BankOptions, BankState, Indicators, Tally};

use crate::random::Random;

const ROUNDS: usize = 9;
const NANOS_MAX: f64 = 5_000.0;
const BYTES_MAX: usize = 6 * 1_024;
const MODELS: f64 = 1_000.0;
const FEATURES: f64 = 100.0;

struct Feature {
    bank: Bank,
    state: BankState,
    panes: Vec<Vec<u64>>,
}

/// Steps `features` different banks in turn, so that nothing stays in a cache if there are many.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) fn run(features: usize, seed: u64) {
    let mut random = Random::new(seed);
    let reference: Vec<u64> = (0..100).map(|_| random.binomial(50_000, 0.01)).collect();
    let indicators = Indicators::ordered(&reference);
    let mut all: Vec<Feature> = (0..features)
        .map(|_| {
            let counts: Vec<u64> = (0..100).map(|_| random.binomial(50_000, 0.01)).collect();
            let mut tally = Tally::default();
            indicators.read(&counts, &mut tally);
            let bank = Bank::new(&indicators, &tally, &BankOptions::default());
            Feature {
                state: BankState::new(&bank),
                panes: (0..4)
                    .map(|_| (0..100).map(|_| random.binomial(200, 0.01)).collect())
                    .collect(),
                bank,
            }
        })
        .collect();
    let mut tally = Tally::default();
    let (mut read, mut both) = (f64::INFINITY, f64::INFINITY);
    let repeats = (20_000 / features).max(1);
    for _ in 0..ROUNDS {
        read = read.min(nanos_per(repeats * features, || {
            for pane in 0..repeats {
                for feature in &all {
                    indicators.read(&feature.panes[pane % 4], &mut tally);
                    black_box(&tally);
                }
            }
        }));
        both = both.min(nanos_per(repeats * features, || {
            for pane in 0..repeats {
                for feature in &mut all {
                    indicators.read(&feature.panes[pane % 4], &mut tally);
                    feature.state.step(&feature.bank, &tally);
                    black_box(feature.state.evidence());
                }
            }
        }));
    }
    let bytes = all[0].state.bytes();
    let share = both * MODELS * FEATURES / 60e9;
    println!(
        "{} indicators, {} components",
        indicators.len(),
        all[0].bank.components()
    );
    println!("{features} features in turn, best of {ROUNDS} rounds, seed {seed}");
    println!("read         {read:8.0} ns a feature and pane");
    println!("read, step   {both:8.0} ns a feature and pane; bound {NANOS_MAX:.0}");
    println!("state        {bytes:8} bytes; bound {BYTES_MAX}");
    println!(
        "bank         {:8} bytes, shared and constant",
        all[0].bank.bytes()
    );
    println!(
        "{MODELS} models of {FEATURES} features at one-minute panes: {:.1} % of a core",
        100.0 * share
    );
}

fn nanos_per(steps: usize, work: impl FnOnce()) -> f64 {
    let start = cpu_nanos();
    work();
    (cpu_nanos() - start) / steps as f64
}
