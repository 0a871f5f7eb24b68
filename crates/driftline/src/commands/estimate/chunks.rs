//! Cutting a file into chunks.

use std::ops::Range;

use driftline_event::Timestamp;

use crate::cli::ChunkPeriod;

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// The rows of a file in their order, and where each chunk ends.
#[derive(Clone, Debug)]
pub(super) struct Chunking {
    order: Vec<usize>,
    chunks: Vec<Range<usize>>,
}

impl Chunking {
    /// Chunks of `size` rows; the last one has what remains. In the order of `times`, if there are any.
    pub(super) fn by_size(rows: usize, size: usize, times: Option<&[Timestamp]>) -> Self {
        let chunks = (0..rows).step_by(size.max(1));
        let chunks = chunks
            .map(|start| start..start.saturating_add(size).min(rows))
            .collect();
        Self {
            order: ordered(rows, times),
            chunks,
        }
    }

    /// A chunk for each period that has rows.
    pub(super) fn by_period(times: &[Timestamp], period: ChunkPeriod) -> Self {
        let order = ordered(times.len(), Some(times));
        let mut chunks: Vec<Range<usize>> = Vec::new();
        let mut last = None;
        for (at, row) in order.iter().enumerate() {
            let key = key(times[*row], period);
            match chunks.last_mut() {
                Some(chunk) if last == Some(key) => chunk.end = at + 1,
                _ => chunks.push(at..at + 1),
            }
            last = Some(key);
        }
        Self { order, chunks }
    }

    pub(super) fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Where the chunk stands among the rows in their order.
    pub(super) fn place(&self, chunk: usize) -> Range<usize> {
        self.chunks[chunk].clone()
    }

    /// The rows of the chunk.
    pub(super) fn rows(&self, chunk: usize) -> &[usize] {
        &self.order[self.chunks[chunk].clone()]
    }

    /// All rows, in their order.
    pub(super) fn all(&self) -> &[usize] {
        &self.order
    }
}

fn ordered(rows: usize, times: Option<&[Timestamp]>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows).collect();
    if let Some(times) = times {
        order.sort_by_key(|row| times[*row]);
    }
    order
}

/// A number that is the same for all times of one period.
fn key(at: Timestamp, period: ChunkPeriod) -> i64 {
    let micros = at.as_micros();
    let day = micros.div_euclid(DAY_MICROS);
    match period {
        ChunkPeriod::Hour => micros.div_euclid(HOUR_MICROS),
        ChunkPeriod::Day => day,
        // 1970 began on a Thursday.
        ChunkPeriod::Week => (day + 3).div_euclid(7),
        ChunkPeriod::Month => month(day),
    }
}

/// Months since March of the year 0, for a day since 1970 (Hinnant's civil-from-days).
fn month(day: i64) -> i64 {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    (era * 400 + year) * 12 + (5 * of_year + 2) / 153
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_leave_a_rest() {
        let chunks = Chunking::by_size(10, 4, None);
        let places: Vec<Range<usize>> = (0..chunks.len()).map(|c| chunks.place(c)).collect();
        assert_eq!(places, [0..4, 4..8, 8..10]);
        assert_eq!(Chunking::by_size(3, usize::MAX, None).place(0), 0..3);
    }

    #[test]
    fn periods_begin_where_the_calendar_says() {
        let time = |text: &str| text.parse::<Timestamp>().expect("a time");
        let cases = [
            (
                ChunkPeriod::Month,
                "2024-02-29T23:59:59Z",
                "2024-03-01T00:00:00Z",
            ),
            (
                ChunkPeriod::Month,
                "2023-12-31T23:00:00Z",
                "2024-01-01T00:00:00Z",
            ),
            (
                ChunkPeriod::Week,
                "2024-06-09T23:00:00Z",
                "2024-06-10T00:00:00Z",
            ),
            (
                ChunkPeriod::Day,
                "1969-12-31T23:00:00Z",
                "1970-01-01T00:00:00Z",
            ),
            (
                ChunkPeriod::Hour,
                "2024-06-09T22:59:00Z",
                "2024-06-09T23:00:00Z",
            ),
        ];
        for (period, before, after) in cases {
            let times = [time(after), time(before), time(after)];
            let chunks = Chunking::by_period(&times, period);
            assert_eq!(chunks.len(), 2, "{before} {after}");
            assert_eq!(chunks.rows(0), [1], "{before} {after}");
            assert_eq!(chunks.rows(1), [0, 2], "{before} {after}");
        }
        assert_eq!(
            key(time("2024-02-01T00:00:00Z"), ChunkPeriod::Month),
            key(time("2024-02-29T09:00:00Z"), ChunkPeriod::Month)
        );
    }
}
