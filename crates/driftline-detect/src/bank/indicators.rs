//! Which 0/1 events a stream is watched for, and how to count them from a pane's cells.

use serde::{Deserialize, Serialize};

/// More indicators than this do not fit the memory that a column is promised.
pub const INDICATORS_MAX: usize = 113;

/// Levels of the distribution function at which a numeric column is cut, beside the even ones.
const TAIL_LEVELS: [f64; 4] = [0.001, 0.005, 0.01, 0.02];
const CUTS: u32 = 32;
/// Central intervals leave out this mass on either side. Their weight is in proportion to the square of the h by which they
/// see a small change of a normal distribution's spread: how many times fewer events they take for it.
const CENTRAL_LEVELS: [(f64, f64); 14] = [
    (0.001, 0.17),
    (0.005, 0.43),
    (0.01, 0.6),
    (0.02, 0.79),
    (0.03, 0.89),
    (0.05, 0.99),
    (0.075, 1.0),
    (0.1, 0.97),
    (0.125, 0.92),
    (0.15, 0.85),
    (0.2, 0.71),
    (0.25, 0.57),
    (0.3, 0.42),
    (0.35, 0.3),
];
/// Adjacent intervals of about equal mass: so many on each scale.
const COARSE_INTERVALS: usize = 12;
const FINE_INTERVALS: usize = 48;

/// Shares of the weight: most changes move values up or down, some change their spread, few only a peak or a tail. A part
/// of a half costs 0.7 nats of the more than twenty that an alarm takes.
const CUT_WEIGHT: f64 = 0.61;
const TAIL_WEIGHT: f64 = 0.02;
const CENTRAL_WEIGHT: f64 = 0.34;
const INTERVAL_WEIGHT: f64 = 0.03;

/// Most frequent categories that have an indicator of their own where not all can.
const SINGLE_CATEGORIES: usize = 60;
/// Indicators for the other categories.
const CATEGORY_GROUPS: usize = 40;
/// Up to so many cells each category has an indicator of its own.
const ALL_SINGLE_MAX: usize = 104;

/// Hits and trials by indicator, of one step, of several together or of the reference.
///
/// They are `f64` so that bounded fractional hits fit; counts are exact below 2^53.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// How often each event happened.
    pub hits: Vec<f64>,
    /// How often it could have.
    pub trials: Vec<f64>,
}

impl Tally {
    /// No trials of `indicators` events.
    pub fn new(indicators: usize) -> Self {
        Self {
            hits: vec![0.0; indicators],
            trials: vec![0.0; indicators],
        }
    }

    /// Adds another tally of the same indicators; the longer of the two fixes how many there are.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.hits, &other.hits),
            (&mut self.trials, &other.trials),
        ] {
            if mine.len() < theirs.len() {
                mine.resize(theirs.len(), 0.0);
            }
            for (sum, term) in mine.iter_mut().zip(theirs) {
                *sum += term;
            }
        }
    }

    /// Back to no trials, of as many indicators.
    pub fn clear(&mut self) {
        self.hits.fill(0.0);
        self.trials.fill(0.0);
    }

    /// Whether nothing was tried.
    pub fn is_empty(&self) -> bool {
        self.trials.iter().all(|trials| *trials == 0.0)
    }

    /// Hits and trials of one indicator; none of one that is not there.
    pub fn of(&self, indicator: usize) -> (f64, f64) {
        let at = |of: &[f64]| of.get(indicator).copied().unwrap_or(0.0);
        (at(&self.hits), at(&self.trials))
    }
}

/// What one indicator is about, for saying it in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indicator {
    /// The value is in a bin up to this one: a cut of the distribution function.
    Below {
        /// The last bin below the cut.
        bin: usize,
    },
    /// The value is in one of the bins from `first` to `last`.
    Between {
        /// The interval's first bin.
        first: usize,
        /// The interval's last bin.
        last: usize,
    },
    /// The value is in one of these cells.
    Cells {
        /// Their indices, ascending.
        cells: Vec<usize>,
    },
    /// The rate of this index.
    Rate(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ordered,
    Categories,
    Rates,
}

/// A range of cells, both ends included, in the order of [`Indicators::order`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u32,
    last: u32,
}

/// The events that a stream is watched for. Fixed by the column's cells and how the reference falls into them; whatever
/// has the same cells shares it: seasonal slots, segments, trailing references.
#[derive(Clone, Debug, PartialEq)]
pub struct Indicators {
    kind: Kind,
    cells: usize,
    /// Cells from the most to the least frequent; empty where they stay in their own order.
    order: Vec<u32>,
    spans: Vec<Span>,
    /// The bins between atoms, together one more indicator; or none.
    gaps: Vec<u32>,
    /// The part of the evidence's weight that each indicator gets, up to a common factor.
    weights: Vec<f64>,
}

impl Indicators {
    /// For numeric bins, from the reference's counts.
    ///
    /// - The distribution function cut at each 1/32 and at 0.1, 0.5, 1, 2, 98, 99, 99.5 and 99.9 %, to see values
    ///   move up or down and tails grow.
    /// - Central intervals between the quantiles u and 1 − u, to see the spread change while the middle stays.
    /// - Adjacent intervals of about 1/12 and 1/48 of the mass, to see a peak grow or a range vanish. A value with
    ///   more mass than that is alone in its interval.
    /// - All bins without reference mass together if there are several: what has been whole numbers is not any more.
    ///
    /// Levels fall on the nearest edge of a bin; what is the same event twice, or its opposite, is kept once. There are
    /// at most [`INDICATORS_MAX`], and none if there is only one bin.
    pub fn ordered(reference: &[u64]) -> Self {
        let mut built = Self {
            kind: Kind::Ordered,
            cells: reference.len(),
            order: Vec::new(),
            spans: Vec::new(),
            gaps: Vec::new(),
            weights: Vec::new(),
        };
        let masses = Masses::new(reference);
        for i in 1..CUTS {
            let edge = masses.edge(f64::from(i) / f64::from(CUTS));
            let below = masses.before[edge];
            // A small move of a normal distribution is seen about so much sooner in the middle than at the ends.
            built.push_weighted(0, edge, below * (1.0 - below));
        }
        built.share(0, CUT_WEIGHT);
        let cuts = built.spans.len();
        for level in TAIL_LEVELS.iter().flat_map(|level| [*level, 1.0 - level]) {
            built.push_weighted(0, masses.edge(level), 1.0);
        }
        built.share(cuts, TAIL_WEIGHT);
        let central = built.spans.len();
        for (level, weight) in CENTRAL_LEVELS {
            built.push_weighted(masses.edge(level), masses.edge(1.0 - level), weight);
        }
        built.share(central, CENTRAL_WEIGHT);
        let gaps: Vec<u32> = (0..reference.len() as u32)
            .filter(|bin| reference[*bin as usize] == 0)
            .collect();
        if gaps.len() > 1 && gaps.len() < reference.len() {
            built.gaps = gaps;
        }
        built.push_all(&masses.intervals(COARSE_INTERVALS));
        // Between atoms there are more intervals than asked for: coarser ones until they fit.
        let mut wanted = FINE_INTERVALS;
        while wanted > 0 {
            let mut full = built.clone();
            full.push_all(&masses.intervals(wanted));
            if full.len() <= INDICATORS_MAX {
                built = full;
                break;
            }
            wanted = wanted * 3 / 4;
        }
        built.spans.truncate(INDICATORS_MAX - 1);
        let others = built.weights.len();
        built.weights.resize(built.len(), 1.0);
        built.share(others, INTERVAL_WEIGHT);
        built
    }

    /// For the cells of a column of names, from the reference's counts.
    ///
    /// Each of up to 104 cells is its own indicator. Of more, the 60 most frequent are; the others are put into 40 groups
    /// of cells of similar frequency, so that a rare category that grows shares its group only with rare ones and stands
    /// out from them. The 2, 4, 8, … most frequent cells together, at most eight such sets, show a distribution that
    /// gets flatter or more concentrated as a whole.
    pub fn categories(reference: &[u64]) -> Self {
        let cells = reference.len();
        let mut order: Vec<u32> = (0..cells as u32).collect();
        order.sort_by_key(|cell| std::cmp::Reverse(reference[*cell as usize]));
        let mut built = Self {
            kind: Kind::Categories,
            cells,
            order,
            spans: Vec::new(),
            gaps: Vec::new(),
            weights: Vec::new(),
        };
        let singles = if cells <= ALL_SINGLE_MAX {
            cells
        } else {
            SINGLE_CATEGORIES
        };
        for rank in 0..singles {
            built.push(rank, rank + 1);
        }
        let rest = cells - singles;
        for group in 0..CATEGORY_GROUPS {
            let edge = |group: usize| singles + rest * group / CATEGORY_GROUPS;
            built.push(edge(group), edge(group + 1));
        }
        for power in 1..=8 {
            built.push(0, 1 << power);
        }
        built.weights = vec![1.0; built.spans.len()];
        built
    }

    /// For `n` unrelated rates, each with its own trials.
    pub fn rates(n: usize) -> Self {
        Self {
            kind: Kind::Rates,
            cells: n,
            order: Vec::new(),
            spans: Vec::new(),
            gaps: Vec::new(),
            weights: vec![1.0; n],
        }
    }

    /// How many indicators there are.
    pub fn len(&self) -> usize {
        match self.kind {
            Kind::Rates => self.cells,
            _ => self.spans.len() + usize::from(!self.gaps.is_empty()),
        }
    }

    /// Whether there is nothing to watch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts the indicators of a pane's cells, in place of what `into` held. Cells that `counts` lacks are empty; for
    /// rates, which have no cells, this is no trials.
    pub fn read(&self, counts: &[u64], into: &mut Tally) {
        into.hits.clear();
        into.trials.clear();
        if self.kind == Kind::Rates {
            into.hits.resize(self.cells, 0.0);
            into.trials.resize(self.cells, 0.0);
            return;
        }
        let count = |cell: usize| counts.get(cell).copied().unwrap_or(0);
        let mut before: Vec<u64> = Vec::with_capacity(self.cells + 1);
        let mut sum = 0_u64;
        before.push(0);
        for position in 0..self.cells {
            let cell = self.order.get(position).map_or(position, |c| *c as usize);
            sum = sum.saturating_add(count(cell));
            before.push(sum);
        }
        into.hits.extend(
            self.spans
                .iter()
                .map(|span| (before[span.last as usize + 1] - before[span.first as usize]) as f64),
        );
        if !self.gaps.is_empty() {
            let gaps = self.gaps.iter().map(|bin| count(*bin as usize));
            into.hits.push(gaps.fold(0, u64::saturating_add) as f64);
        }
        into.trials.resize(into.hits.len(), sum as f64);
    }

    /// The part of the weight that indicator `i` gets, up to a common factor.
    pub(super) fn weight(&self, i: usize) -> f64 {
        self.weights.get(i).copied().unwrap_or(0.0)
    }

    /// What indicator `i` is about. One that is not there is about no cells.
    pub fn indicator(&self, i: usize) -> Indicator {
        if self.kind == Kind::Rates {
            return Indicator::Rate(i);
        }
        let Some(span) = self.spans.get(i) else {
            let cells = self.gaps.iter().map(|bin| *bin as usize).collect();
            return Indicator::Cells { cells };
        };
        let (first, last) = (span.first as usize, span.last as usize);
        match self.kind {
            Kind::Categories => {
                let mut cells: Vec<usize> = self.order[first..=last]
                    .iter()
                    .map(|cell| *cell as usize)
                    .collect();
                cells.sort_unstable();
                Indicator::Cells { cells }
            }
            _ if first == 0 => Indicator::Below { bin: last },
            _ => Indicator::Between { first, last },
        }
    }

    /// Adds the cells from `start` to before `end`, unless that is nothing, everything, or there already, also as its
    /// opposite.
    fn push(&mut self, start: usize, end: usize) {
        let end = end.min(self.cells);
        let (start, end) = if end == self.cells {
            (0, start)
        } else {
            (start, end)
        };
        if start >= end {
            return;
        }
        let span = Span {
            first: start as u32,
            last: end as u32 - 1,
        };
        if !self.spans.contains(&span) {
            self.spans.push(span);
        }
    }

    /// As `push`; what is added has this weight.
    fn push_weighted(&mut self, start: usize, end: usize, weight: f64) {
        self.push(start, end);
        self.weights.resize(self.spans.len(), weight);
    }

    /// Lets the weights from `first` on add up to `total`.
    fn share(&mut self, first: usize, total: f64) {
        let family = &mut self.weights[first..];
        let sum: f64 = family.iter().sum();
        let count = family.len() as f64;
        for weight in family {
            // Of a reference that is all one value every cut has all mass on one side, and no weight of its own.
            *weight = if sum > 0.0 {
                *weight * (total / sum)
            } else {
                total / count
            };
        }
    }

    fn push_all(&mut self, ranges: &[(usize, usize)]) {
        for (start, end) in ranges {
            self.push(*start, *end);
        }
    }
}

/// The reference's mass by bin.
struct Masses {
    /// Mass before each edge; one more than bins.
    before: Vec<f64>,
}

impl Masses {
    /// Without any reference all bins weigh alike.
    fn new(reference: &[u64]) -> Self {
        let empty = reference.iter().all(|count| *count == 0);
        let mass = |count: u64| if empty { 1.0 } else { count as f64 };
        let total: f64 = reference.iter().map(|count| mass(*count)).sum();
        let mut before = vec![0.0];
        let mut sum = 0.0;
        for count in reference {
            sum += mass(*count);
            before.push(sum / total);
        }
        Self { before }
    }

    /// The edge before which the mass is nearest to `level`.
    fn edge(&self, level: f64) -> usize {
        let after = self.before.partition_point(|mass| *mass < level);
        let gap = |edge: usize| (self.before.get(edge).copied().unwrap_or(2.0) - level).abs();
        if after > 0 && gap(after - 1) <= gap(after) {
            after - 1
        } else {
            after
        }
    }

    /// About `wanted` adjacent intervals of equal mass, as start and end edge. A bin that has the mass of one is alone.
    fn intervals(&self, wanted: usize) -> Vec<(usize, usize)> {
        let share = 1.0 / wanted as f64 - 1e-9;
        let mut intervals = Vec::new();
        let mut start = 0;
        for edge in 1..self.before.len() {
            let mass = self.before[edge] - self.before[edge - 1];
            if mass >= share && start < edge - 1 {
                intervals.push((start, edge - 1));
                start = edge - 1;
            }
            // By levels and not by sums, so that what one interval lacks the next ones do not.
            let level = (self.before[start] * wanted as f64 + 1e-6).floor() + 1.0;
            if mass >= share || self.before[edge] * wanted as f64 >= level - 1e-6 {
                intervals.push((start, edge));
                start = edge;
            }
        }
        if start + 1 < self.before.len() {
            intervals.push((start, self.before.len() - 1));
        }
        intervals
    }
}
