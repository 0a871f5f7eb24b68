//! The expectation without drift against simulation, every test at several sizes and distributions.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use driftline_event::ColumnKind;
use driftline_stat::sample::{
    CategoricalPair, NullExpectation, NumericPair, Test, categorical_floor, floor,
};

const RUNS: usize = 150;
/// The expectation hardly varies from run to run, so it is taken at every so many.
const EVERY: usize = 15;
const SEED: u64 = 11;

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Source(u64);

impl Source {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// What was simulated (|x − middle| for two-sided tests), and the sums of what was expected.
#[derive(Default)]
struct Seen {
    values: Vec<f64>,
    mean: f64,
    upper: f64,
    expected: f64,
}

impl Seen {
    fn expect(&mut self, null: Option<NullExpectation>) {
        if let Some(null) = null {
            self.mean += null.mean;
            self.upper += null.upper;
            self.expected += 1.0;
        }
    }
}

fn two_sided(test: Test) -> bool {
    matches!(
        test,
        Test::MannWhitney | Test::WelchT | Test::ZTest | Test::FisherExact
    )
}

fn judge(case: &str, seen: BTreeMap<Test, Seen>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (test, mut seen) in seen {
        let runs = seen.values.len() as f64;
        let (expected, upper) = (seen.mean / seen.expected, seen.upper / seen.expected);
        let mean = seen.values.iter().sum::<f64>() / runs;
        let (middle, spread) = match test {
            Test::FisherExact => continue,
            _ if two_sided(test) => (expected, upper - expected),
            _ => (0.0, upper),
        };
        if two_sided(test) {
            seen.values
                .iter_mut()
                .for_each(|v| *v = (*v - middle).abs());
        }
        let above = seen.values.iter().filter(|v| **v > spread).count() as f64 / runs;
        let mean_error = (expected - mean).abs() / spread;
        // The mean of a two-sided statistic over as many runs is itself off by a twelfth of its deviation.
        let tolerance = if two_sided(test) { 0.15 } else { 0.1 };
        if mean_error > tolerance || !(0.0..=0.11).contains(&above) {
            wrong.push(format!("{case} {test}: mean {expected:.4} simulated {mean:.4}, 95 % {spread:.4}, above {above}"));
        }
    }
    wrong
}

#[test]
fn floors_of_numbers_meet_simulation() {
    let mut wrong = Vec::new();
    for (n, m) in [(60, 50), (1_000, 100)] {
        for shape in ["bell", "integers", "skewed", "binary"] {
            let mut source = Source(SEED);
            let mut draw = |n: usize| -> Vec<f64> {
                let value = |source: &mut Source| match shape {
                    "bell" => source.bell(),
                    "integers" => (source.unit() * 12.0).floor(),
                    "skewed" => -source.unit().max(1e-12).ln(),
                    _ => f64::from(u8::from(source.unit() < 0.3)),
                };
                (0..n).map(|_| value(&mut source)).collect()
            };
            let mut seen: BTreeMap<Test, Seen> = BTreeMap::new();
            for run in 0..RUNS {
                let pair = NumericPair::new(&draw(n), &draw(m)).unwrap();
                for &test in Test::ALL {
                    // Suprema and areas of step functions assume many steps; ties make them conservative.
                    let continuous = matches!(
                        test,
                        Test::KolmogorovSmirnov | Test::Kuiper | Test::EppsSingleton
                    );
                    let tied = shape == "integers" || shape == "binary";
                    if continuous && (tied || test == Test::EppsSingleton && m < 300) {
                        continue;
                    }
                    // Few cells: Yates' correction and the lattice of counts.
                    let coarse = matches!(
                        test,
                        Test::ChiSquare
                            | Test::GTest
                            | Test::CramerVonMises
                            | Test::AndersonDarling
                    );
                    if shape == "binary" && coarse {
                        continue;
                    }
                    let Ok(result) = pair.run(test) else { continue };
                    let null = if run % EVERY == 0 {
                        floor(test, &pair)
                    } else {
                        None
                    };
                    let entry = seen.entry(test).or_default();
                    entry.values.push(result.statistic);
                    entry.expect(null);
                }
            }
            wrong.extend(judge(&format!("{n} {m} {shape}"), seen));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn floors_of_categories_meet_simulation() {
    let mut wrong = Vec::new();
    for (n, m) in [(2_000, 200), (500, 500)] {
        for (cells, skew) in [(3, 0.0), (12, 0.5), (60, 0.0)] {
            let mut source = Source(SEED);
            let weights: Vec<f64> = (1..=cells).map(|i| f64::from(i).powf(-skew)).collect();
            let all: f64 = weights.iter().sum();
            let mut cumulative: Vec<f64> = Vec::new();
            for w in &weights {
                cumulative.push(cumulative.last().copied().unwrap_or(0.0) + w / all);
            }
            let mut draw = |n: usize| -> Vec<(String, u64)> {
                let mut counts = vec![0_u64; cells as usize];
                for _ in 0..n {
                    let u = source.unit();
                    counts[cumulative
                        .partition_point(|&c| c < u)
                        .min(cells as usize - 1)] += 1;
                }
                counts
                    .into_iter()
                    .enumerate()
                    .map(|(i, c)| (i.to_string(), c))
                    .collect()
            };
            let mut seen: BTreeMap<Test, Seen> = BTreeMap::new();
            for run in 0..RUNS {
                let pair = CategoricalPair::new(&draw(n), &draw(m)).unwrap();
                for &test in Test::ALL {
                    if !test.applies_to(ColumnKind::Categorical) {
                        continue;
                    }
                    // Nearly empty cells: the G statistic has left its law, and so has PSI when the reference has them.
                    let sparse = cells == 60 && m < 500;
                    if sparse
                        && matches!(
                            test,
                            Test::GTest | Test::Psi | Test::KlDivergence | Test::ChiSquare
                        )
                    {
                        continue;
                    }
                    let Ok(result) = pair.run(test) else { continue };
                    let null = if run % EVERY == 0 {
                        categorical_floor(test, &pair)
                    } else {
                        None
                    };
                    let entry = seen.entry(test).or_default();
                    entry.values.push(result.statistic);
                    entry.expect(null);
                }
            }
            wrong.extend(judge(&format!("{n} {m} {cells} cells, skew {skew}"), seen));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
