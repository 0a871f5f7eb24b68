//! Peers' own definitions, to the digit, for those who compare or migrate.
//!
//! - [`evidently`]: version 0.7.21's automatic choice of a test, its tests and thresholds, and its dataset rule.
//! - [`nannyml`]: version 0.13.1's univariate methods and thresholds.
//!
//! What looks like a mistake is copied, and documented where it stands. Golden files made with the real packages hold
//! both to 1e-9 of their results.

pub mod evidently;
mod histogram;
pub mod nannyml;

use std::collections::BTreeMap;

use crate::sample::TestError;

/// A column's values as a peer sees them, missing ones left out.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Numbers.
    Numbers(&'a [f64]),
    /// Names of categories and how often each occurs.
    Categories(&'a [(&'a str, u64)]),
}

/// Counts of both sides by name, or by value, in order.
fn joined<K: Ord>(
    reference: impl IntoIterator<Item = (K, u64)>,
    current: impl IntoIterator<Item = (K, u64)>,
) -> Vec<(u64, u64)> {
    let mut cells: BTreeMap<K, (u64, u64)> = BTreeMap::new();
    for (name, count) in reference {
        cells.entry(name).or_default().0 += count;
    }
    for (name, count) in current {
        cells.entry(name).or_default().1 += count;
    }
    cells.into_values().filter(|&cell| cell != (0, 0)).collect()
}

/// A number that orders like its value.
#[derive(Clone, Copy, Debug)]
struct Ordered(f64);

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

fn each_once(values: &[f64]) -> impl Iterator<Item = (Ordered, u64)> + '_ {
    // Adding zero makes negative zero positive.
    values.iter().map(|v| (Ordered(v + 0.0), 1))
}

/// The sums of both sides of a table, if neither is empty.
fn sizes(cells: &[(u64, u64)]) -> Result<(f64, f64), TestError> {
    let sum = |side: fn(&(u64, u64)) -> u64| cells.iter().map(|c| side(c) as f64).sum::<f64>();
    match (sum(|c| c.0), sum(|c| c.1)) {
        (n, m) if n > 0.0 && m > 0.0 => Ok((n, m)),
        _ => Err(TestError::Empty),
    }
}

/// Jensen–Shannon distance in nats of two rows that are made to sum to one first, as scipy does.
fn jensen_shannon_nats(shares: &[(f64, f64)]) -> f64 {
    let (left, right) = shares
        .iter()
        .fold((0.0, 0.0), |sum, s| (sum.0 + s.0, sum.1 + s.1));
    let part = |v: f64, mean: f64| if v > 0.0 { v * (v / mean).ln() } else { 0.0 };
    let sum: f64 = shares
        .iter()
        .map(|&(p, q)| (p / left, q / right))
        .map(|(p, q)| part(p, 0.5 * (p + q)) + part(q, 0.5 * (p + q)))
        .sum();
    (0.5 * sum).max(0.0).sqrt()
}
