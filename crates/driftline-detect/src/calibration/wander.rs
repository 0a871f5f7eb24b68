//! How far shares harmlessly wander from what is usual.

use std::collections::BTreeMap;

use super::history::{Cell, DAY_MICROS, Usual};
use crate::bank::{Tally, arcsine};

/// One block of one day: how far its most deviant indicator is from what other days say, beyond noise.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockDistance {
    pub(super) day: i64,
    pub(super) distance: f64,
}

/// The quantile of the largest of `n` independent |Z|, the standard normal law's.
pub(super) fn largest_of_normals(n: f64, quantile: f64) -> f64 {
    let each = libm::exp(libm::log(quantile) / n.max(1.0));
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..60 {
        let middle: f64 = 0.5 * (low + high);
        if libm::erf(middle * std::f64::consts::FRAC_1_SQRT_2) < each {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Sums of a block: what was counted, what other days make one expect, and how uncertain that is.
struct Block {
    day: i64,
    hits: Vec<f64>,
    trials: Vec<f64>,
    expected: Vec<f64>,
    /// Σ n²/m over the block's cells.
    uncertain: Vec<f64>,
}

impl Block {
    fn new(day: i64, indicators: usize) -> Self {
        Self {
            day,
            hits: vec![0.0; indicators],
            trials: vec![0.0; indicators],
            expected: vec![0.0; indicators],
            uncertain: vec![0.0; indicators],
        }
    }

    fn add(&mut self, counted: &Tally, usual: &Tally) {
        for i in 0..self.hits.len() {
            let ((x, n), (y, m)) = (counted.of(i), usual.of(i));
            if n > 0.0 && m > 0.0 {
                self.hits[i] += x;
                self.trials[i] += n;
                self.expected[i] += n * y / m;
                self.uncertain[i] += n * n / m;
            }
        }
    }

    /// The largest |φ(p) − φ(q)| less the noise, in quadrature: `noise` is the dispersion times the squared number of
    /// standard deviations. What is usual is uncertain as well; the bank allows for a reference's error once more.
    fn distance(&self, noise: f64) -> BlockDistance {
        let excess = |i: usize| {
            let n = self.trials[i];
            if n <= 0.0 {
                return 0.0;
            }
            let h = arcsine(self.hits[i] / n) - arcsine(self.expected[i] / n);
            h * h - noise * (1.0 / n + self.uncertain[i] / (n * n))
        };
        let largest = (0..self.hits.len()).map(excess).fold(0.0, f64::max);
        BlockDistance {
            day: self.day,
            distance: largest.sqrt(),
        }
    }
}

/// The distance of every block from what all other days say.
pub(super) fn distances(
    cells: &[Cell],
    usual: &Usual<'_>,
    block: i64,
    noise: f64,
) -> Vec<BlockDistance> {
    let indicators = cells.first().map_or(0, |c| c.tally.hits.len());
    let mut distances = Vec::new();
    let mut open: Option<(i64, Block)> = None;
    let mut others: BTreeMap<(i64, usize), Tally> = BTreeMap::new();
    for cell in cells {
        let at = cell.start.as_micros().div_euclid(block);
        if let Some((_, full)) = open.take_if(|(started, _)| *started != at) {
            distances.push(full.distance(noise));
        }
        let slot = usual.slot(cell.start);
        others.retain(|(day, _), _| *day == cell.day);
        let rest = others
            .entry((cell.day, slot))
            .or_insert_with(|| usual.without(cell.day, slot));
        let (_, block) = open.get_or_insert_with(|| (at, Block::new(cell.day, indicators)));
        block.add(&cell.tally, rest);
    }
    distances.extend(open.map(|(_, block)| block.distance(noise)));
    distances
}

/// How far the same hours of all days together are from what is usual, at their most deviant: the course of the day.
///
/// Days are cut into blocks of `block` microseconds, and each is added up over the days that are not `dropped`.
pub(super) fn course(
    cells: &[Cell],
    usual: &Usual<'_>,
    dropped: &[i64],
    block: i64,
    noise: f64,
) -> f64 {
    let indicators = cells.first().map_or(0, |c| c.tally.hits.len());
    let mut blocks: BTreeMap<i64, Block> = BTreeMap::new();
    for cell in cells.iter().filter(|c| !dropped.contains(&c.day)) {
        let at = cell.start.as_micros().rem_euclid(DAY_MICROS);
        let sums = blocks
            .entry(at.div_euclid(block))
            .or_insert_with(|| Block::new(cell.day, indicators));
        sums.add(&cell.tally, &usual.slots()[usual.slot(cell.start)]);
    }
    let distances = blocks.values().map(|sums| sums.distance(noise).distance);
    distances.fold(0.0, f64::max)
}
