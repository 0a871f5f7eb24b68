//! How much more counts vary than those of independent events.
//!
//! In windows of an hour or two, each indicator's share is fitted by a straight line in time, and Pearson's X² of the
//! counts around it is divided by its degrees of freedom. The line takes out what daily cycles do within a window, so that
//! only what is faster remains; slower wander is the band's business.

use std::time::Duration;

use driftline_event::Timestamp;

use super::history::HistoryPane;
use crate::bank::Tally;

/// Blocks that a window has at least.
const BLOCKS_MIN: i64 = 6;
/// Short and long: the block, and the window around it.
const SHORT: (i64, i64) = (1, 3_600_000_000);
const LONG: (i64, i64) = (900_000_000, 7_200_000_000);
/// By so many of its standard errors the estimate of each indicator is lowered before the largest is taken.
const STANDARD_ERRORS: f64 = 2.0;
/// The share of windows that may be burstier than the estimate.
const CAP_QUANTILE: f64 = 0.95;

/// ϕ = max(1, ϕ of single panes around an hour's course, ϕ of 15 minutes around two hours' course).
///
/// Blocks are whole panes and windows at least six blocks, so with panes of 15 minutes or longer both use one pane, in
/// windows of six (eight within the two hours) panes. The largest indicator counts, each lowered by two standard errors so
/// that the largest of many is not the noisiest; and none counts beyond the value that it has in 95 % of the windows,
/// so that a few wild hours do not blind the detector for good.
pub fn dispersion(panes: &[HistoryPane], pane: Duration) -> f64 {
    around(panes, pane, |_| None)
}

/// The same, around what is usual at an instant instead of an hour's average: for panes so long that a window holds several
/// slots of a season. Nothing is usual where `usual` has none.
pub(super) fn around<'a>(
    panes: &[HistoryPane],
    pane: Duration,
    usual: impl Fn(Timestamp) -> Option<&'a Tally> + Copy,
) -> f64 {
    let pane = i64::try_from(pane.as_micros()).unwrap_or(i64::MAX).max(1);
    let scale = |(block, window): (i64, i64)| {
        let block = block.max(pane).div_euclid(pane).saturating_mul(pane);
        let window = window.max(block.saturating_mul(BLOCKS_MIN));
        let window = window.div_euclid(block).saturating_mul(block);
        around_trend(panes, block, window, usual)
    };
    scale(SHORT).max(scale(LONG)).max(1.0)
}

/// Running sums of one indicator in one window, over blocks: x hits of n trials at time t.
#[derive(Clone, Copy, Default)]
struct Sums {
    blocks: f64,
    x: f64,
    n: f64,
    inverse_n: f64,
    xx_n: f64,
    nt: f64,
    ntt: f64,
    xt: f64,
    /// Hits that are usual, taken out of `x`, and their variance.
    usual: f64,
    scatter: f64,
}

/// One indicator in one block.
#[derive(Clone, Copy, Default)]
struct Count {
    x: f64,
    n: f64,
    usual: f64,
    scatter: f64,
}

impl Sums {
    fn add(
        &mut self,
        Count {
            x,
            n,
            usual,
            scatter,
        }: Count,
        t: f64,
    ) {
        if n > 0.0 {
            self.usual += usual;
            self.scatter += scatter;
            let x = x - usual;
            self.blocks += 1.0;
            self.x += x;
            self.n += n;
            self.inverse_n += 1.0 / n;
            self.xx_n += x * x / n;
            self.nt += n * t;
            self.ntt += n * t * t;
            self.xt += x * t;
        }
    }

    /// X², its degrees of freedom, and its variance if events were independent.
    fn pearson(&self) -> Option<(f64, f64, f64)> {
        let freedom = self.blocks - 2.0;
        let share = self.x / self.n;
        let scatter = if self.usual > 0.0 {
            self.scatter / self.n
        } else {
            share * (1.0 - share)
        };
        if freedom < 1.0 || scatter <= 0.0 {
            return None;
        }
        let time = self.ntt - self.nt * self.nt / self.n;
        let course = self.xt - self.x * self.nt / self.n;
        let slope = if time > 0.0 {
            course * course / time
        } else {
            0.0
        };
        let squares = (self.xx_n - self.x * share - slope).max(0.0) / scatter;
        let kurtosis = self.inverse_n / scatter;
        Some((squares, freedom, 2.0 * freedom + kurtosis))
    }
}

/// What the windows of one indicator amount to.
#[derive(Clone, Default)]
struct Pooled {
    squares: f64,
    freedom: f64,
    variance: f64,
    windows: Vec<f64>,
}

impl Pooled {
    fn add(&mut self, (squares, freedom, variance): (f64, f64, f64)) {
        self.squares += squares;
        self.freedom += freedom;
        self.variance += variance;
        self.windows.push(squares / freedom);
    }

    fn estimate(mut self) -> f64 {
        if self.windows.is_empty() {
            return 1.0;
        }
        let pooled = self.squares / self.freedom;
        let error = self.variance.sqrt() / self.freedom;
        self.windows.sort_unstable_by(f64::total_cmp);
        let cap = super::quantile(&self.windows, CAP_QUANTILE);
        pooled.min(cap) - STANDARD_ERRORS * error
    }
}

fn around_trend<'a>(
    panes: &[HistoryPane],
    block: i64,
    window: i64,
    usual: impl Fn(Timestamp) -> Option<&'a Tally>,
) -> f64 {
    let indicators = panes.iter().map(|p| p.tally.hits.len()).max().unwrap_or(0);
    let mut pooled = vec![Pooled::default(); indicators];
    let mut sums = vec![Sums::default(); indicators];
    let mut counts = vec![Count::default(); indicators];
    let (mut at_block, mut at_window) = (i64::MIN, i64::MIN);
    let close_block = |counts: &mut [Count], sums: &mut [Sums], at: i64| {
        let t = at.rem_euclid(window.div_euclid(block)) as f64;
        for (count, sums) in counts.iter_mut().zip(sums) {
            sums.add(std::mem::take(count), t);
        }
    };
    let close_window = |sums: &mut [Sums], pooled: &mut [Pooled]| {
        for (sums, pooled) in sums.iter_mut().zip(pooled) {
            if let Some(pearson) = sums.pearson() {
                pooled.add(pearson);
            }
            *sums = Sums::default();
        }
    };
    for pane in panes {
        let micros = pane.start.as_micros();
        let (in_block, in_window) = (micros.div_euclid(block), micros.div_euclid(window));
        if in_block != at_block {
            close_block(&mut counts, &mut sums, at_block);
            at_block = in_block;
        }
        if in_window != at_window {
            close_window(&mut sums, &mut pooled);
            at_window = in_window;
        }
        let usual = usual(pane.start);
        for (i, count) in counts.iter_mut().enumerate() {
            let (hits, trials) = pane.tally.of(i);
            count.x += hits;
            count.n += trials;
            if let Some((y, m)) = usual.map(|usual| usual.of(i)).filter(|(_, m)| *m > 0.0) {
                count.usual += trials * y / m;
                count.scatter += trials * y / m * (1.0 - y / m);
            }
        }
    }
    close_block(&mut counts, &mut sums, at_block);
    close_window(&mut sums, &mut pooled);
    pooled.into_iter().map(Pooled::estimate).fold(1.0, f64::max)
}
