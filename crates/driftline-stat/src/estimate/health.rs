//! Whether the assumptions of an estimate hold.

use std::fmt;

/// What √(nm / (n + m)) times the distance of two samples of one distribution exceeds one time in a hundred, by
/// Kolmogorov's law.
const KOLMOGOROV_1_PERCENT: f64 = 1.627_624;

/// Where trust ends. Every limit is a share of rows, or a distance between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthOptions {
    /// How many bins of equal width the reference's range of scores is cut into. Default 50.
    pub bins: usize,
    /// A bin with fewer reference rows than this has seen too few labels to be calibrated. Default 20.
    pub rows_min: u64,
    /// Kolmogorov–Smirnov distance of the scores from the reference's that makes an estimate doubtful. Default 0.1,
    /// and never below the floor.
    pub distance_doubtful: f64,
    /// The distance from which it is broken. Default 0.4.
    pub distance_broken: f64,
    /// The share of values outside the reference's range, or never seen there, that makes it doubtful. Default 0.01.
    pub outside_doubtful: f64,
    /// The share outside from which it is broken. Default 0.1.
    pub outside_broken: f64,
    /// The share in bins with fewer than `rows_min` reference rows that makes it doubtful. Default 0.05.
    pub thin_doubtful: f64,
    /// The share in such bins from which it is broken. Default 0.25.
    pub thin_broken: f64,
    /// The share of rows without a score or prediction that makes it doubtful. Default 0.05.
    pub missing_doubtful: f64,
    /// The share of such rows from which it is broken. Default 0.5.
    pub missing_broken: f64,
}

impl Default for HealthOptions {
    fn default() -> Self {
        Self {
            bins: 50,
            rows_min: 20,
            distance_doubtful: 0.1,
            distance_broken: 0.4,
            outside_doubtful: 0.01,
            outside_broken: 0.1,
            thin_doubtful: 0.05,
            thin_broken: 0.25,
            missing_doubtful: 0.05,
            missing_broken: 0.5,
        }
    }
}

/// How far an estimate can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthState {
    /// Nothing speaks against it.
    Ok,
    /// The chunk is partly where the reference says little.
    Doubtful,
    /// The chunk is largely where the reference says nothing.
    Broken,
}

impl HealthState {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Doubtful => "doubtful",
            Self::Broken => "broken",
        }
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an estimate is doubtful or broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthReason {
    /// The scores are distributed otherwise than the reference's.
    ScoreDrift,
    /// Values lie outside the reference's range, or were never seen there.
    OutsideReference,
    /// Scores lie where the reference has few rows.
    ThinReference,
    /// Rows have no score or no prediction.
    Missing,
    /// Labels that are known contradict the estimate.
    LabelsDisagree,
}

impl HealthReason {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScoreDrift => "score_drift",
            Self::OutsideReference => "outside_reference",
            Self::ThinReference => "thin_reference",
            Self::Missing => "missing",
            Self::LabelsDisagree => "labels_disagree",
        }
    }
}

/// The assumptions of one estimate: P(Y|X) cannot be seen without labels, but where X is, can.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// The worst that any reason makes of it.
    pub state: HealthState,
    /// What is behind the state; empty when it is ok.
    pub reasons: Vec<HealthReason>,
    /// Kolmogorov–Smirnov distance of the scores from the reference's.
    pub distance: f64,
    /// What that distance exceeds by chance one time in a hundred without any drift.
    pub floor: f64,
    /// Share of values outside the reference's range or never seen there.
    pub outside: f64,
    /// Share in bins where the reference has few rows.
    pub thin: f64,
    /// Share of rows without a score or prediction.
    pub missing: f64,
}

/// What the assumptions are judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HealthEvidence {
    /// Kolmogorov–Smirnov distance.
    pub distance: f64,
    /// Its floor.
    pub floor: f64,
    /// Share outside the reference.
    pub outside: f64,
    /// Share in thin bins.
    pub thin: f64,
    /// Share of rows that do not count.
    pub missing: f64,
}

impl Health {
    /// Judges `evidence` by `options`.
    #[must_use]
    pub fn judge(evidence: &HealthEvidence, options: &HealthOptions) -> Self {
        let e = evidence;
        let rules = [
            (
                HealthReason::ScoreDrift,
                if e.distance > e.floor {
                    e.distance
                } else {
                    0.0
                },
                (options.distance_doubtful, options.distance_broken),
            ),
            (
                HealthReason::OutsideReference,
                e.outside,
                (options.outside_doubtful, options.outside_broken),
            ),
            (
                HealthReason::ThinReference,
                e.thin,
                (options.thin_doubtful, options.thin_broken),
            ),
            (
                HealthReason::Missing,
                e.missing,
                (options.missing_doubtful, options.missing_broken),
            ),
        ];
        let mut health = Self {
            state: HealthState::Ok,
            reasons: Vec::new(),
            distance: e.distance,
            floor: e.floor,
            outside: e.outside,
            thin: e.thin,
            missing: e.missing,
        };
        for (reason, value, (doubtful, broken)) in rules {
            if value >= broken {
                health.worsen(HealthState::Broken, reason);
            } else if value >= doubtful {
                health.worsen(HealthState::Doubtful, reason);
            }
        }
        health
    }

    /// Adds a reason that makes the estimate at least as bad as `state`.
    pub fn worsen(&mut self, state: HealthState, reason: HealthReason) {
        self.state = self.state.max(state);
        self.reasons.push(reason);
    }
}

/// The reference's scores, for judging chunks of scores.
#[derive(Clone, Debug)]
pub struct HealthReference {
    options: HealthOptions,
    /// Ascending.
    scores: Vec<f64>,
    /// Rows of the bins of equal width.
    counts: Vec<u64>,
}

impl HealthReference {
    /// Remembers the reference's scores. None when no score is finite.
    #[must_use]
    pub fn new(scores: &[f64], options: HealthOptions) -> Option<Self> {
        let mut scores: Vec<f64> = scores.iter().copied().filter(|s| s.is_finite()).collect();
        scores.sort_unstable_by(f64::total_cmp);
        scores.first()?;
        let bins = options.bins.clamp(1, 10_000);
        let mut found = Self {
            options,
            scores,
            counts: vec![0; bins],
        };
        for i in 0..found.scores.len() {
            let bin = found.bin(found.scores[i]);
            found.counts[bin] += 1;
        }
        Some(found)
    }

    /// Judges a chunk: its `scores` (those that are not finite do not count), how many of its rows are `missing`,
    /// and how many rows lie `outside` for other reasons than their score.
    #[must_use]
    pub fn judge(&self, scores: &[f64], missing: usize, outside: usize) -> Health {
        let mut chunk: Vec<f64> = scores.iter().copied().filter(|s| s.is_finite()).collect();
        chunk.sort_unstable_by(f64::total_cmp);
        let n = chunk.len();
        let share = |count: usize, of: usize| {
            if of == 0 {
                0.0
            } else {
                count as f64 / of as f64
            }
        };
        let (low, high) = (self.scores[0], self.scores[self.scores.len() - 1]);
        let beyond = chunk.iter().filter(|s| **s < low || **s > high).count();
        let few = |s: &&f64| self.counts[self.bin(**s)] < self.options.rows_min;
        let evidence = HealthEvidence {
            distance: distance(&self.scores, &chunk),
            floor: floor(self.scores.len() as f64, n as f64),
            outside: share((beyond + outside).min(n), n),
            thin: share(chunk.iter().filter(few).count(), n),
            missing: share(missing, missing + n),
        };
        Health::judge(&evidence, &self.options)
    }

    fn bin(&self, score: f64) -> usize {
        let (low, high) = (self.scores[0], self.scores[self.scores.len() - 1]);
        let last = self.counts.len() - 1;
        if high <= low {
            return 0;
        }
        let at = (score - low) / (high - low) * self.counts.len() as f64;
        // A cast saturates, so whatever is outside falls into an outer bin.
        (at as usize).min(last)
    }
}

/// Judges a window by counts in the bins of the reference: `reference` and `current` are counts of the same bins,
/// ascending, `outside` counts the values beyond the outermost, and `missing` those without a score.
///
/// The distance is that at the bins' edges. None when there are no values, or the bins are not the same.
#[must_use]
pub fn judge_bins(
    reference: &[u64],
    current: &[u64],
    outside: u64,
    missing: u64,
    options: &HealthOptions,
) -> Option<Health> {
    if reference.len() != current.len() {
        return None;
    }
    let sum = |counts: &[u64]| counts.iter().map(|c| *c as f64).sum::<f64>();
    let (m, inside) = (sum(reference), sum(current));
    let n = inside + outside as f64;
    if m <= 0.0 || n <= 0.0 {
        return None;
    }
    let (mut a, mut b, mut distance, mut thin) = (0.0, 0.0, 0.0f64, 0.0);
    for (r, c) in reference.iter().zip(current) {
        (a, b) = (a + *r as f64, b + *c as f64);
        if inside > 0.0 {
            distance = distance.max((a / m - b / inside).abs());
        }
        if *r < options.rows_min {
            thin += *c as f64;
        }
    }
    let evidence = HealthEvidence {
        distance,
        floor: floor(m, inside.max(1.0)),
        outside: outside as f64 / n,
        thin: thin / n,
        missing: missing as f64 / (missing as f64 + n),
    };
    Some(Health::judge(&evidence, options))
}

/// The largest difference of two distribution functions; both samples ascending.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let (mut i, mut j, mut most) = (0, 0, 0.0f64);
    while i < a.len() && j < b.len() {
        let x = a[i].min(b[j]);
        while i < a.len() && a[i] <= x {
            i += 1;
        }
        while j < b.len() && b[j] <= x {
            j += 1;
        }
        most = most.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    most
}

/// What the distance of two samples of one distribution exceeds one time in a hundred (Kolmogorov's law).
fn floor(m: f64, n: f64) -> f64 {
    if m <= 0.0 || n <= 0.0 {
        return 1.0;
    }
    (KOLMOGOROV_1_PERCENT * libm::sqrt((m + n) / (m * n))).min(1.0)
}
