//! What binned statistics lose against the same tests on the values, at the sizes and bins that a monitor has.

#![allow(clippy::unwrap_used)]

use driftline_stat::binned::{self, Moments, Outside};
use driftline_stat::sample::{NumericPair, Test};

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

/// Bins of equal reference mass, closed above, and the counts of both samples in them.
fn bins(reference: &[f64], current: &[f64], cells: usize) -> (Vec<f64>, Vec<u64>, Vec<u64>) {
    let mut sorted = reference.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut bounds: Vec<f64> = (1..cells)
        .map(|i| sorted[i * sorted.len() / cells])
        .collect();
    bounds.push(f64::INFINITY);
    let count = |side: &[f64]| {
        let mut counts = vec![0_u64; cells];
        for &v in side {
            counts[bounds.partition_point(|&b| b < v)] += 1;
        }
        counts
    };
    let counted = (count(reference), count(current));
    (bounds, counted.0, counted.1)
}

fn moments(values: &[f64]) -> Moments {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
    Moments {
        n: values.len() as u64,
        mean,
        variance,
    }
}

/// Beyond scipy's limit for the exact Kolmogorov–Smirnov law, which takes its time.
const REFERENCE: u64 = 10_001;
const CURRENT: u64 = 1_000;

/// The largest |binned − exact| seen, by test: statistic (U as a share of nm; with a shift, relative) and p-value.
fn worst(cells: usize, shift: f64, scale: f64) -> Vec<(&'static str, f64, f64)> {
    let mut source = Source(20_260_401);
    let mut worst: Vec<(&'static str, f64, f64)> = Vec::new();
    for _ in 0..6 {
        let reference: Vec<f64> = (0..REFERENCE).map(|_| source.bell()).collect();
        let current: Vec<f64> = (0..CURRENT)
            .map(|_| source.bell() * scale + shift)
            .collect();
        let exact = NumericPair::new(&reference, &current).unwrap();
        let (bounds, r, c) = bins(&reference, &current, cells);
        let (low, high) = exact.reference_range();
        let outside = Outside {
            below: current.iter().filter(|&&v| v < low).count() as u64,
            above: current.iter().filter(|&&v| v > high).count() as u64,
            distance: current
                .iter()
                .map(|&v| (low - v).max(v - high).max(0.0))
                .sum(),
        };
        let p = |test: binned::BinnedTest| (test.statistic, test.p_value);
        let distance = |value: Option<f64>| (value.unwrap(), f64::NAN);
        let ks = binned::kolmogorov_smirnov(&r, &c).unwrap();
        let found = [
            (
                Test::KolmogorovSmirnov,
                (
                    ks,
                    binned::kolmogorov_smirnov_p_value(ks, cells, REFERENCE, CURRENT).unwrap(),
                ),
            ),
            (Test::Kuiper, p(binned::kuiper(&r, &c).unwrap())),
            (
                Test::CramerVonMises,
                p(binned::cramer_von_mises(&r, &c).unwrap()),
            ),
            (
                Test::AndersonDarling,
                p(binned::anderson_darling(&r, &c).unwrap()),
            ),
            (Test::MannWhitney, p(binned::mann_whitney(&r, &c).unwrap())),
            (
                Test::WelchT,
                p(binned::welch_t(moments(&reference), moments(&current)).unwrap()),
            ),
            (
                Test::Wasserstein,
                distance(binned::wasserstein(&bounds, low, high, &r, &c, outside)),
            ),
            (
                Test::Energy,
                distance(binned::energy(&bounds, low, high, &r, &c, outside)),
            ),
        ];
        for (test, (statistic, p_value)) in found {
            let exact = exact.run(test).unwrap();
            let unit = match test {
                _ if shift != 0.0 => exact.statistic.abs(),
                Test::MannWhitney => (REFERENCE * CURRENT) as f64,
                _ => 1.0,
            };
            let gap = (statistic - exact.statistic).abs() / unit;
            let p_gap = exact.p_value.map_or(0.0, |p| (p - p_value).abs());
            match worst.iter_mut().find(|w| w.0 == test.as_str()) {
                Some(w) => (w.1, w.2) = (w.1.max(gap), w.2.max(p_gap)),
                None => worst.push((test.as_str(), gap, p_gap)),
            }
        }
    }
    worst
}

/// The table of docs/statistics.md: error of statistic and p-value without drift, and relative error of the statistic when
/// the mean moves by half a standard deviation.
const STATED: [(&str, f64, f64, f64); 8] = [
    ("ks", 0.005, 0.1, 0.03),
    ("kuiper", 0.008, 0.2, 0.03),
    ("cramer_von_mises", 0.01, 0.02, 0.005),
    ("anderson_darling", 0.1, 0.03, 0.005),
    ("mann_whitney", 5e-4, 0.02, 0.001),
    ("welch_t", 1e-9, 1e-9, 1e-9),
    ("wasserstein", 0.005, 0.0, 0.05),
    ("energy", 0.002, 0.0, 0.01),
];

#[test]
fn the_stated_errors_hold_at_96_bins() {
    let (quiet, shifted) = (worst(96, 0.0, 1.0), worst(96, 0.5, 1.0));
    let mut wrong = Vec::new();
    for (name, statistic, p_value, moved) in STATED {
        let find = |all: &[(&str, f64, f64)]| {
            *all.iter()
                .find(|w| w.0 == name)
                .map(|w| (w.1, w.2))
                .as_ref()
                .unwrap()
        };
        let (seen, with_drift) = (find(&quiet), find(&shifted));
        if seen.0 > statistic || seen.1 > p_value || with_drift.0 > moved {
            wrong.push(format!(
                "{name}: {:.2e} {:.2e}, drifted {:.2e}",
                seen.0, seen.1, with_drift.0
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_errors_are_the_ones_in_the_documentation() {
    let page = include_str!("../../../docs/statistics.md");
    for (name, statistic, p_value, moved) in STATED {
        let p_value = match p_value {
            0.0 => "–".to_owned(),
            p => p.to_string(),
        };
        let row = format!("| `{name}` | {statistic} | {p_value} | {moved} |");
        assert!(page.contains(&row), "{row}");
    }
}

/// How often each binned p-value is at most 5 % without drift; `atom` of the values fall into the first bin.
fn sizes(cells: usize, atom: f64) -> Vec<(&'static str, f64)> {
    const RUNS: u32 = 600;
    let mut source = Source(7);
    let mut rejected = [
        ("kuiper", 0_u32),
        ("cramer_von_mises", 0),
        ("anderson_darling", 0),
        ("mann_whitney", 0),
    ];
    for _ in 0..RUNS {
        let mut draw = |n: usize| {
            let mut counts = vec![0_u64; cells];
            for _ in 0..n {
                let u = (source.unit() - atom).max(0.0) / (1.0 - atom);
                counts[(u * cells as f64) as usize] += 1;
            }
            counts
        };
        let (r, c) = (draw(2_000), draw(600));
        let tests = [
            binned::kuiper(&r, &c),
            binned::cramer_von_mises(&r, &c),
            binned::anderson_darling(&r, &c),
            binned::mann_whitney(&r, &c),
        ];
        for (count, test) in rejected.iter_mut().zip(tests) {
            count.1 += u32::from(test.unwrap().p_value <= 0.05);
        }
    }
    rejected
        .map(|(name, count)| (name, f64::from(count) / f64::from(RUNS)))
        .to_vec()
}

#[test]
fn binned_p_values_keep_their_level() {
    let mut wrong = Vec::new();
    for (cells, atom) in [(96, 0.0), (24, 0.0), (64, 0.3)] {
        for (name, rate) in sizes(cells, atom) {
            if !(0.02..=0.075).contains(&rate) {
                wrong.push(format!("{cells} bins, atom {atom}, {name}: {rate:.3}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
