//! A series' own past as a reference that slides along.

use std::collections::VecDeque;
use std::time::Duration;

use driftline_sketch::{ReferenceProfile, ShapeMismatch};

use crate::counting::span_micros;
use crate::pane::PaneSummary;

/// A trailing reference advances in steps of about so small a part of its size.
const CHUNKS_WANTED: i64 = 24;

/// The counts of `size` of event time that end `lag` before the data that is judged.
///
/// Panes are merged into chunks, and the reference is the exact sum of whole chunks, so it moves on only when a chunk is
/// complete: about 24 times while its size passes.
#[derive(Clone, Debug)]
pub(crate) struct Trailing {
    width: i64,
    size: i64,
    lag: i64,
    /// Starts and sums, ascending, without empty ones; the last one may still grow.
    chunks: VecDeque<(i64, PaneSummary)>,
    /// The sum is of the chunks that start from here to before `high`.
    low: i64,
    high: i64,
    sum: PaneSummary,
    /// The start of the first pane since there were no chunks.
    since: Option<i64>,
}

impl Trailing {
    /// `judged` is the span that is judged at once: the reference ends `lag` before its start.
    pub(crate) fn new(
        (size, lag, judged): (Duration, Duration, Duration),
        pane: Duration,
        profile: &ReferenceProfile,
    ) -> Self {
        let pane = span_micros(pane);
        let panes = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX) / pane;
        let width = pane * chunk_panes(panes(size), panes(lag));
        Self {
            width,
            size: span_micros(size),
            lag: pane * (panes(lag) + panes(judged)),
            chunks: VecDeque::new(),
            low: i64::MIN,
            high: i64::MIN,
            sum: PaneSummary::empty(profile),
            since: None,
        }
    }

    /// Takes in the pane from `start` on, and moves on to the instant `end` at which it ends.
    pub(crate) fn push(
        &mut self,
        start: i64,
        end: i64,
        pane: Option<&PaneSummary>,
        profile: &ReferenceProfile,
    ) -> Result<(), ShapeMismatch> {
        let mut outcome = self.advance(end, profile);
        if let Some(pane) = pane {
            self.since.get_or_insert(start);
            let chunk = start.div_euclid(self.width) * self.width;
            match self.chunks.back_mut().filter(|(at, _)| *at == chunk) {
                Some((_, sum)) => outcome = outcome.and(sum.merge(pane)),
                None => self.chunks.push_back((chunk, pane.clone())),
            }
        }
        outcome
    }

    /// Slides to where the reference is for what ends at `end`.
    fn advance(&mut self, end: i64, profile: &ReferenceProfile) -> Result<(), ShapeMismatch> {
        let high = end.saturating_sub(self.lag).div_euclid(self.width) * self.width;
        if high <= self.high {
            return Ok(());
        }
        let low = high.saturating_sub(self.size);
        let mut outcome = Ok(());
        for (start, chunk) in &self.chunks {
            let (was, is) = (
                (self.low..self.high).contains(start),
                (low..high).contains(start),
            );
            match (was, is) {
                (false, true) => outcome = outcome.and(self.sum.merge(chunk)),
                (true, false) => outcome = outcome.and(self.sum.subtract(chunk)),
                _ => {}
            }
        }
        (self.low, self.high) = (low, high);
        while self.chunks.front().is_some_and(|(start, _)| *start < low) {
            self.chunks.pop_front();
        }
        if self.chunks.is_empty() {
            self.since = None;
        }
        if self.sum.rows == 0 {
            self.sum = PaneSummary::empty(profile);
        }
        outcome
    }

    /// The reference, once events have been seen for all of its size, with the instant at which it ends.
    pub(crate) fn reference(&self) -> Option<(i64, &PaneSummary)> {
        let covered = self.since.is_some_and(|since| since <= self.low);
        (covered && self.sum.rows > 0).then_some((self.high, &self.sum))
    }

    /// Whether nothing is left of the past at the instant `end`.
    pub(crate) fn is_empty(&self, end: i64) -> bool {
        let high = end.saturating_sub(self.lag).div_euclid(self.width) * self.width;
        let low = high.saturating_sub(self.size);
        self.chunks.back().is_none_or(|(start, _)| *start < low)
    }
}

/// The most panes that size and lag are both whole multiples of, and the size at least 24 times if it can be.
fn chunk_panes(size: i64, lag: i64) -> i64 {
    let (mut a, mut b) = (size, lag);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let common = a.max(1);
    let wanted = (size / CHUNKS_WANTED).clamp(1, common);
    // Divisors come in pairs, so the square root is as far as one has to look.
    let mut best = 1;
    let mut divisor = 1;
    while divisor <= common / divisor {
        if common % divisor == 0 {
            for candidate in [divisor, common / divisor] {
                if candidate <= wanted {
                    best = best.max(candidate);
                }
            }
        }
        divisor += 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use driftline_event::ColumnRole;
    use driftline_sketch::{ColumnSummary, ProfileOptions, ReferenceBuilder};
    use proptest::prelude::*;

    use super::*;

    fn profile() -> ReferenceProfile {
        let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
        let values = (0..100).map(f64::from).collect();
        builder.numeric("x", ColumnRole::Feature, values).unwrap();
        builder.build().unwrap()
    }

    fn pane(rows: u64, profile: &ReferenceProfile) -> Option<PaneSummary> {
        let mut pane = PaneSummary::empty(profile);
        pane.rows = rows;
        if let ColumnSummary::Numeric(summary) = &mut pane.columns[0] {
            summary.counts[0] = rows;
        }
        (rows > 0).then_some(pane)
    }

    #[test]
    fn a_chunk_divides_size_and_lag() {
        // A week, a day behind, of minutes: six hours.
        assert_eq!(chunk_panes(7 * 1_440, 1_440), 360);
        assert_eq!(chunk_panes(60, 0), 2);
        assert_eq!(chunk_panes(7, 5), 1);
        assert_eq!(chunk_panes(1_440, 60), 60);
    }

    proptest! {
        /// However panes are skipped, the reference is the sum of the panes that it covers.
        #[test]
        fn the_reference_is_the_sum_of_its_panes(
            rows in prop::collection::vec(0_u64..3, 1..80),
            (chunks, lag_chunks, chunk) in (1_i64..5, 0_i64..4, 1_i64..4),
        ) {
            let profile = profile();
            let seconds = |n: i64| Duration::from_secs(n as u64);
            let spans = (seconds(chunks * chunk), seconds(lag_chunks * chunk), seconds(1));
            let mut trailing = Trailing::new(spans, seconds(1), &profile);
            let width = trailing.width / 1_000_000;
            for (i, &n) in rows.iter().enumerate() {
                let i = i as i64;
                if n == 0 && i % 3 != 0 {
                    continue;
                }
                trailing.push(1_000_000 * i, 1_000_000 * (i + 1), pane(n, &profile).as_ref(), &profile).unwrap();
                let high = (i - lag_chunks * chunk).div_euclid(width) * width;
                let low = high - chunks * chunk;
                let expected: u64 = (low.max(0)..high.max(0)).map(|s| rows[s as usize]).sum();
                prop_assert_eq!(trailing.sum.rows, expected);
                prop_assert_eq!(trailing.sum.columns[0].rows(), expected);
                let Some((end, _)) = trailing.reference() else { continue };
                prop_assert_eq!(end, 1_000_000 * high);
            }
        }
    }
}
