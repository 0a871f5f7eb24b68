//! How long labels took.

/// The upper edges of the delay buckets, in microseconds: 1, 5 and 15 minutes; 1, 3, 6 and 12 hours; 1, 2, 3, 7, 14,
/// 30, 60 and 90 days. A delay equal to an edge is below it.
pub const DELAY_EDGES: [i64; 15] = {
    const MINUTE: i64 = 60_000_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    [
        MINUTE,
        5 * MINUTE,
        15 * MINUTE,
        HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
        DAY,
        2 * DAY,
        3 * DAY,
        7 * DAY,
        14 * DAY,
        30 * DAY,
        60 * DAY,
        90 * DAY,
    ]
};

/// Which of the [`DELAY_EDGES`] a label's delay lies between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DelayBucket(pub u8);

impl DelayBucket {
    /// Later than the last edge.
    pub const BEYOND: Self = Self(DELAY_EDGES.len() as u8);
    /// The delay is not known, as in references without label times.
    pub const UNKNOWN: Self = Self(DELAY_EDGES.len() as u8 + 1);
    /// How many buckets there are, with the one beyond and the unknown.
    pub const COUNT: usize = DELAY_EDGES.len() + 2;

    /// The bucket of a delay in microseconds; a negative one counts as none.
    #[inline]
    pub fn of(micros: i64) -> Self {
        Self(DELAY_EDGES.partition_point(|edge| *edge < micros) as u8)
    }

    /// The bucket with this number, if there is one.
    pub const fn new(number: u8) -> Option<Self> {
        if (number as usize) < Self::COUNT {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The longest delay of the bucket, in microseconds; none for the last and the unknown.
    pub fn upper(self) -> Option<i64> {
        DELAY_EDGES.get(usize::from(self.0)).copied()
    }

    /// Whether the delay is known and not longer than `micros`, for all of the bucket.
    pub fn is_within(self, micros: i64) -> bool {
        self.upper().is_some_and(|upper| upper <= micros)
    }
}

/// Label delays in half octaves of a second: cell 0 up to 1 s, cell i up to 2^(i/2) s, the last open.
///
/// A quantile is off by at most a factor √2, in practice by a few percent, for delays lie side by side in a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayHistogram {
    pub(crate) counts: [u64; Self::CELLS],
}

impl Default for DelayHistogram {
    fn default() -> Self {
        Self {
            counts: [0; Self::CELLS],
        }
    }
}

impl DelayHistogram {
    /// How many cells there are.
    pub const CELLS: usize = 64;

    /// Counts a delay in microseconds; a negative one counts as none.
    #[inline]
    pub fn add(&mut self, micros: i64) {
        self.counts[cell(micros)] += 1;
    }

    /// By cell.
    pub fn counts(&self) -> &[u64; Self::CELLS] {
        &self.counts
    }

    /// How many delays are known.
    pub fn known(&self) -> u64 {
        self.counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The `q` quantile of the known delays in seconds, linear in a cell; none without any, or if `q` is not within 0
    /// to 1.
    pub fn quantile_seconds(&self, q: f64) -> Option<f64> {
        let known = self.known();
        if known == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let wanted = q * known as f64;
        let (mut before, mut lower) = (0_u64, 0.0);
        for (i, count) in self.counts.iter().enumerate() {
            let upper = edge_seconds(i);
            let through = before.saturating_add(*count);
            if *count > 0 && through as f64 >= wanted {
                let share = ((wanted - before as f64) / *count as f64).clamp(0.0, 1.0);
                return Some(lower + (upper - lower) * share);
            }
            (before, lower) = (through, upper);
        }
        None
    }
}

/// √2 · 2^k seconds in whole microseconds.
const HALF_EDGES: [u64; DelayHistogram::CELLS / 2] = {
    let mut edges = [0; DelayHistogram::CELLS / 2];
    let mut octave = 0;
    while octave < edges.len() {
        edges[octave] = ((1_414_213_562_373_u128 << octave) / 1_000_000) as u64;
        octave += 1;
    }
    edges
};

/// 2^(i/2).
fn edge_seconds(i: usize) -> f64 {
    let octaves = (1_u64 << (i / 2)) as f64;
    if i.is_multiple_of(2) {
        octaves
    } else {
        octaves * std::f64::consts::SQRT_2
    }
}

#[inline]
fn cell(micros: i64) -> usize {
    let micros = micros.max(0) as u64;
    if micros <= 1_000_000 {
        return 0;
    }
    // The largest k with 2^k s below the delay.
    let octave = ((micros - 1) / 1_000_000).ilog2() as usize;
    let half = HALF_EDGES.get(octave).copied().unwrap_or(u64::MAX);
    let cell = 2 * octave + 1 + usize::from(micros > half);
    cell.min(DelayHistogram::CELLS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn an_edge_belongs_to_what_is_below_it() {
        for (i, edge) in DELAY_EDGES.into_iter().enumerate() {
            assert_eq!(DelayBucket::of(edge), DelayBucket(i as u8));
            assert_eq!(DelayBucket::of(edge + 1), DelayBucket(i as u8 + 1));
            assert!(DelayBucket::of(edge).is_within(edge));
            assert!(!DelayBucket::of(edge + 1).is_within(edge));
        }
        assert_eq!(DelayBucket::of(i64::MIN), DelayBucket(0));
        assert_eq!(DelayBucket::of(i64::MAX), DelayBucket::BEYOND);
        assert!(!DelayBucket::UNKNOWN.is_within(i64::MAX));
        assert_eq!(DelayBucket::new(DelayBucket::COUNT as u8), None);
    }

    #[test]
    fn a_cell_is_half_an_octave() {
        for (seconds, wanted) in [(0, 0), (1, 0), (2, 2), (4, 4), (5, 5), (6, 6), (8, 6)] {
            assert_eq!(cell(seconds * SECOND), wanted, "{seconds}");
        }
        assert_eq!(cell(SECOND + 1), 1);
        assert_eq!(cell(2 * SECOND + 1), 3);
        assert_eq!(cell(i64::MIN), 0);
        assert_eq!(cell(i64::MAX), 63);
        let mut last = 0;
        for i in 0..1_000_000_i64 {
            let now = cell(i * 7_919);
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn quantiles_lie_in_their_cells() {
        let mut histogram = DelayHistogram::default();
        assert_eq!(histogram.quantile_seconds(0.5), None);
        (1..=10_000).for_each(|i| histogram.add(i * SECOND));
        for (q, wanted) in [(0.5, 5_000.0), (0.95, 9_500.0), (1.0, 11_585.2)] {
            let found = histogram.quantile_seconds(q).unwrap();
            assert!((found / wanted - 1.0).abs() < 0.2, "{q}: {found}");
        }
        assert_eq!(histogram.known(), 10_000);
        assert_eq!(histogram.quantile_seconds(f64::NAN), None);
    }
}
