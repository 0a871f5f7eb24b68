//! Which columns of the reference go together.

use std::collections::BTreeMap;

use super::build::{Source, Values};

/// Groups of values of a column, besides what is missing.
const GROUPS: usize = 4;
const MISSING: u8 = GROUPS as u8;
/// Rows that are looked at, and how many table entries about that may take for all pairs together.
const ROWS_MAX: usize = 4_096;
const ROWS_MIN: usize = 512;
const ENTRIES: usize = 200_000_000;

/// Cramér's V² of every pair of columns, less what chance explains: 0 to 1, row by row.
#[derive(Debug)]
pub(super) struct Dependence {
    columns: usize,
    values: Vec<f64>,
}

impl Dependence {
    pub(super) fn new(sources: &[Source<'_>], rows: usize) -> Self {
        let columns = sources.len();
        let pairs = (columns * columns / 2).max(1);
        let most = (ENTRIES / pairs).clamp(ROWS_MIN, ROWS_MAX);
        let step = rows.div_ceil(most).max(1);
        let sample: Vec<usize> = (0..rows).step_by(step).collect();
        let groups: Vec<Vec<u8>> = sources.iter().map(|s| groups(s.values, &sample)).collect();
        let mut values = vec![0.0; columns * columns];
        for i in 0..columns {
            for j in 0..i {
                let value = cramer(&groups[i], &groups[j]);
                values[i * columns + j] = value;
                values[j * columns + i] = value;
            }
        }
        Self { columns, values }
    }

    pub(super) fn of(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.columns + j]
    }
}

/// The group of every row of the sample: a quartile, or one of the most frequent categories.
fn groups(values: &Values, sample: &[usize]) -> Vec<u8> {
    match values {
        Values::Numbers(numbers) => {
            let mut sorted: Vec<f64> = sample.iter().map(|row| numbers[*row]).collect();
            sorted.retain(|value| !value.is_nan());
            sorted.sort_unstable_by(f64::total_cmp);
            let quartile = |i: usize| sorted.get(i * sorted.len() / GROUPS).copied();
            let bounds: Vec<f64> = (1..GROUPS).filter_map(quartile).collect();
            let group = |value: f64| match value.is_nan() {
                true => MISSING,
                false => bounds.iter().filter(|bound| value >= **bound).count() as u8,
            };
            sample.iter().map(|row| group(numbers[*row])).collect()
        }
        Values::Codes(codes) => {
            let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
            for row in sample {
                *counts.entry(codes[*row]).or_default() += 1;
            }
            let mut ranked: Vec<(u32, usize)> = counts.into_iter().collect();
            ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let rank = |code: u32| ranked.iter().take(GROUPS).position(|(c, _)| *c == code);
            sample
                .iter()
                .map(|row| rank(codes[*row]).map_or(MISSING, |rank| rank as u8))
                .collect()
        }
    }
}

/// Cramér's V² of two columns of groups, with χ² lowered by its mean and three standard deviations without
/// dependence.
fn cramer(a: &[u8], b: &[u8]) -> f64 {
    const SIDE: usize = GROUPS + 1;
    let mut table = [[0_u32; SIDE]; SIDE];
    for (a, b) in a.iter().zip(b) {
        table[usize::from(*a)][usize::from(*b)] += 1;
    }
    let rows = table.map(|row| row.iter().sum::<u32>());
    let columns: [u32; SIDE] = std::array::from_fn(|j| table.iter().map(|row| row[j]).sum());
    let used = |sums: &[u32; SIDE]| sums.iter().filter(|sum| **sum > 0).count();
    let (r, c) = (used(&rows), used(&columns));
    if r < 2 || c < 2 {
        return 0.0;
    }
    let n = a.len() as f64;
    let mut chi_square = 0.0;
    for (row, row_sum) in table.iter().zip(rows) {
        for (count, column_sum) in row.iter().zip(columns) {
            let expected = f64::from(row_sum) * f64::from(column_sum) / n;
            if expected > 0.0 {
                chi_square += (f64::from(*count) - expected).powi(2) / expected;
            }
        }
    }
    let degrees = ((r - 1) * (c - 1)) as f64;
    let beyond = chi_square - degrees - 3.0 * (2.0 * degrees).sqrt();
    (beyond / n / (r.min(c) - 1) as f64).clamp(0.0, 1.0)
}
