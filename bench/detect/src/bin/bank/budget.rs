//! The budget under adversarial dependence, on a larger scale than a test can afford.

use anyhow::{Result, ensure};
use driftline_detect::bank::{Bank, BankOptions, BankState, Indicators, Tally, decide};

use crate::random::Random;

const THRESHOLD: f64 = 100.0;
const STEPS: usize = 5_000;
/// Descending, so that the events of each are part of those before; the last is the first upside down.
const RATES: [f64; 6] = [0.7, 0.5, 0.2, 0.03, 0.001, 0.3];

/// Streams at the worst rates that the tolerance allows, all fed from the same events: nested, equal and opposite.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) fn run(runs: usize, seed: u64) -> Result<()> {
    let indicators = Indicators::rates(1);
    let banks = RATES.map(|rate| {
        let reference = Tally {
            hits: vec![rate * 1e6],
            trials: vec![1e6],
        };
        Bank::new(&indicators, &reference, &BankOptions::default())
    });
    println!("threshold {THRESHOLD}, {runs} runs of {STEPS} steps, seed {seed}");
    println!("events a step     alarms a run / bound");
    for (name, exponents) in [
        ("1", [0.0, 0.0]),
        ("10", [1.0, 1.0]),
        ("1,000", [3.0, 3.0]),
        ("1,000,000", [6.0, 6.0]),
        ("1 to 1,000,000", [0.0, 6.0]),
    ] {
        let mut random = Random::new(seed);
        let counts: Vec<f64> = (0..runs)
            .map(|_| f64::from(alarms(&banks, exponents, &mut random)))
            .collect();
        let n = runs as f64;
        let mean = counts.iter().sum::<f64>() / n;
        let variance = counts.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let bound = STEPS as f64 / THRESHOLD;
        let error = (variance / n).sqrt();
        println!("{name:<16} {mean:7.2} ± {error:.2} / {bound}");
        ensure!(mean <= bound + 4.0 * error, "the budget is broken");
    }
    Ok(())
}

fn alarms(banks: &[Bank; 6], exponents: [f64; 2], random: &mut Random) -> u32 {
    let mut states = [0, 1, 2, 3, 4, 5].map(|i: usize| BankState::new(&banks[i]));
    let edges = [0, 1, 2, 3, 4].map(|i: usize| banks[i].tolerated(0).1);
    let mut alarms = 0;
    for _ in 0..STEPS {
        let exponent = exponents[0] + (exponents[1] - exponents[0]) * random.uniform();
        let n = 10_f64.powf(exponent).round();
        let (mut within, mut share) = (n as u64, 1.0);
        let mut first = 0.0;
        for (i, edge) in edges.iter().enumerate() {
            within = random.binomial(within, edge / share);
            share = *edge;
            let hits = within as f64;
            if i == 0 {
                first = hits;
            }
            step(&mut states[i], &banks[i], hits, n);
        }
        step(&mut states[5], &banks[5], n - first, n);
        let weighted = [0, 1, 2, 3, 4, 5].map(|i: usize| states[i].evidence() / 6.0);
        let named = decide(&weighted, THRESHOLD);
        alarms += u32::from(!named.is_empty());
        for stream in named {
            states[stream].reset();
        }
    }
    alarms
}

fn step(state: &mut BankState, bank: &Bank, hits: f64, trials: f64) {
    let tally = Tally {
        hits: vec![hits],
        trials: vec![trials],
    };
    state.step(bank, &tally);
}
