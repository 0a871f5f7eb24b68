//! What a stream is tested against: the tolerated range of each indicator, and the alternatives beyond it.

use serde::{Deserialize, Serialize};
use std::f64::consts::LN_2;

use super::cohen::{arcsine, normal_lower_tail, share};
use super::evidence::ROUNDING;
use super::{Indicators, Tally};

/// How many alternatives each indicator has in each direction.
pub const SHIFTS: usize = 6;
/// Components of one indicator: shifts times directions.
pub(super) const LANES: usize = 2 * SHIFTS;

/// How the alternatives weigh by shift: those of a mean that moves by a quarter or half of a standard deviation have the
/// most.
const SHIFT_WEIGHTS: [f32; SHIFTS] = [0.4, 1.0, 1.1, 1.4, 1.6, 0.9];
/// The same by lane.
pub(super) const LANE_WEIGHTS: [f32; LANES] = {
    let mut weights = [0.0; LANES];
    let mut lane = 0;
    while lane < LANES {
        weights[lane] = SHIFT_WEIGHTS[lane / 2];
        lane += 1;
    }
    weights
};
/// Below this many hits in the reference its share's limit is computed exactly.
const RARE_HITS: f64 = 100.0;
/// The nearest that the alternative of a return comes to 0 or 1, as a part of the way to the tolerance's edge. An
/// alternative of exactly 0 would take the first hit for a disproof.
const RETURN_SHARE: f64 = 0.25;
/// The logarithm of a component that has no alternative: its evidence is zero after any step.
const NEVER: f32 = -1e30;

/// The part of the horizon that starts alone may fill, while shares are exactly those of the reference.
const IDLE_SHARE: f64 = 0.1;
/// As good as no horizon, and a number in a snapshot.
const HORIZON_MAX: f64 = 1e30;

/// What a [`Bank`] tolerates and what it looks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BankOptions {
    /// The smallest change worth an alarm, as Cohen's h (`h_min`).
    pub tolerance: f64,
    /// How far the stream wanders without drift, as Cohen's h; from a calibration, else 0.
    pub band: f64,
    /// Pearson dispersion ϕ of the stream's counts, at least 1: how many times larger their variance is than that of
    /// independent events.
    pub dispersion: f64,
    /// For how many standard deviations of the reference's own error to allow.
    pub reference_sigmas: f64,
    /// The alternatives' distances beyond the tolerance, as Cohen's h.
    pub shifts: [f64; SHIFTS],
    /// The threshold c of the whole model, in steps: how long evidence has to grow to an alarm from the starts alone. A
    /// component that learns so little in a step that its starts would fill a tenth of that is started with less.
    pub horizon: f64,
}

impl Default for BankOptions {
    /// What holds without a calibration: a tolerance of 0.1, no band, independent events, four sigmas; no horizon.
    fn default() -> Self {
        Self {
            tolerance: 0.1,
            band: 0.0,
            dispersion: 1.0,
            reference_sigmas: 4.0,
            // Steps of about 1.9: a change between two of them takes about a tenth more events than the best alternative
            // would. Of a change beyond the last a few dozen events are enough anyway.
            shifts: [0.025, 0.048, 0.09, 0.175, 0.335, 0.65],
            horizon: HORIZON_MAX,
        }
    }
}

impl BankOptions {
    fn dispersion(&self) -> f64 {
        // `max` takes the number if the other is NaN.
        self.dispersion.clamp(1.0, 1e12).max(1.0)
    }

    fn tolerance(&self) -> f64 {
        self.tolerance.max(self.band).max(0.0)
    }
}

/// Which way a share has changed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It has grown.
    #[default]
    Up,
    /// It has shrunk.
    Down,
}

impl Direction {
    const BOTH: [Self; 2] = [Self::Up, Self::Down];

    fn sign(self) -> f64 {
        match self {
            Self::Up => 1.0,
            Self::Down => -1.0,
        }
    }
}

/// One member of the bank: an indicator, a direction and one of the shifts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ComponentId {
    /// Index of the indicator.
    pub indicator: usize,
    /// The direction of the alternative.
    pub direction: Direction,
    /// Index into [`BankOptions::shifts`].
    pub shift: usize,
}

impl ComponentId {
    /// Directions alternate, so that every second lane of a vector looks up.
    pub(super) fn at(index: usize) -> Self {
        let lane = index % LANES;
        Self {
            indicator: index / LANES,
            direction: Direction::BOTH[lane % 2],
            shift: lane / 2,
        }
    }
}

/// A reference rate that comes with limits of its own, in place of those from its hits and trials.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateBounds {
    /// The best estimate.
    pub rate: f64,
    /// The rate is not below this.
    pub lower: f64,
    /// The rate is not above this.
    pub upper: f64,
}

impl RateBounds {
    /// The rate of values that a reference of `trials` values has never shown although nothing has changed.
    ///
    /// Good and Turing estimate it by the share of values that the reference shows exactly once; the limits are those
    /// that Clopper and Pearson give a share with so many hits, at the one-sided level that `sigmas` standard deviations
    /// have in a normal distribution. (I. J. Good, "The population frequencies of species and the estimation of
    /// population parameters", Biometrika 1953.)
    pub fn unseen(singletons: u64, trials: u64, sigmas: f64) -> Self {
        let (hits, trials) = (singletons as f64, trials as f64);
        let options = BankOptions {
            reference_sigmas: sigmas,
            ..BankOptions::default()
        };
        let (lower, upper) = limits(hits, trials, &options);
        Self {
            rate: if trials > 0.0 { hits / trials } else { 0.0 },
            lower: share(lower),
            upper: share(upper),
        }
    }
}

/// The tolerated range of one indicator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Null {
    /// The reference's share.
    pub(super) rate: f64,
    /// Arcsine of the largest and of the smallest tolerated share; beyond 0 or π, nothing is outside.
    pub(super) edges: [f64; 2],
    /// Evidence that each component of the indicator starts with in each step, but for [`LANE_WEIGHTS`]; all live ones'
    /// sum is at most one.
    pub(super) weight: f32,
}

impl Null {
    pub(super) fn edge(&self, direction: Direction) -> f64 {
        match direction {
            Direction::Up => self.edges[0],
            Direction::Down => self.edges[1],
        }
    }

    /// The natural logarithms of the ratios θ₁/θ₀ and (1 − θ₁)/(1 − θ₀), if both shares lie between 0 and 1.
    fn ratios(&self, direction: Direction, shift: f64) -> Option<(f64, f64)> {
        let null = self.edge(direction);
        ratios(null, null + direction.sign() * shift)
    }
}

/// The logarithms of the ratios of two shares and of their complements, from the shares' arcsines.
fn ratios(null: f64, alternative: f64) -> Option<(f64, f64)> {
    let inside = |phi: f64| phi > 0.0 && phi < std::f64::consts::PI;
    if !(inside(null) && inside(alternative) && null != alternative) {
        return None;
    }
    let half = |phi: f64| {
        (
            libm::log(libm::sin(phi / 2.0)),
            libm::log(libm::cos(phi / 2.0)),
        )
    };
    let ((sine0, cosine0), (sine1, cosine1)) = (half(null), half(alternative));
    let pair = (2.0 * (sine1 - sine0), 2.0 * (cosine1 - cosine0));
    (pair.0.is_finite() && pair.1.is_finite()).then_some(pair)
}

/// Null hypotheses and alternatives of one stream against one reference. Immutable, and shared by all that is compared
/// with this reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Bank {
    pub(super) nulls: Vec<Null>,
    /// By component, binary logarithms: what a hit more than expected adds, and what each trial adds.
    pub(super) slopes: Vec<f32>,
    pub(super) drifts: Vec<f32>,
    pub(super) live: usize,
    /// What a component's drift in a step is multiplied by for the part of its weight that it starts with, at most one.
    pub(super) starting: f32,
    pub(super) dispersion: f64,
    pub(super) shifts: [f64; SHIFTS],
}

impl Bank {
    /// The bank of `indicators` for a reference with these hits and trials.
    ///
    /// An indicator without reference trials is not judged, nor a component whose alternative is no share; the weights
    /// of the others add up to one.
    pub fn new(indicators: &Indicators, reference: &Tally, options: &BankOptions) -> Self {
        Self::new_with_bounds(indicators, reference, &[], options)
    }

    /// As [`Bank::new`], but where `bounds` has an entry for an indicator, these limits stand in for those that follow
    /// from the reference's hits and trials.
    pub fn new_with_bounds(
        indicators: &Indicators,
        reference: &Tally,
        bounds: &[Option<RateBounds>],
        options: &BankOptions,
    ) -> Self {
        let tolerance = options.tolerance();
        let nulls = (0..indicators.len())
            .map(|i| {
                let (hits, trials) = reference.of(i);
                let (rate, (lower, upper)) = match bounds.get(i).copied().flatten() {
                    Some(own) => (own.rate, (arcsine(own.lower), arcsine(own.upper))),
                    None => (hits / trials, limits(hits, trials, options)),
                };
                Null {
                    rate: rate.clamp(0.0, 1.0).max(0.0),
                    edges: [upper + tolerance, lower - tolerance],
                    weight: indicators.weight(i) as f32,
                }
            })
            .collect();
        Self::with_nulls(nulls, options)
    }

    fn with_nulls(nulls: Vec<Null>, options: &BankOptions) -> Self {
        let components = nulls.len() * LANES;
        let mut bank = Self {
            nulls,
            slopes: vec![0.0; components],
            drifts: vec![NEVER; components],
            live: 0,
            starting: -(IDLE_SHARE * LN_2 * options.horizon.clamp(0.0, HORIZON_MAX)) as f32,
            dispersion: options.dispersion(),
            shifts: options.shifts,
        };
        let mut weights = 0.0;
        let per_nat = 1.0 / (LN_2 * bank.dispersion);
        for index in 0..components {
            let component = ComponentId::at(index);
            let null = bank.nulls[component.indicator];
            let shift = bank.shifts[component.shift];
            let Some((hit, miss)) = null.ratios(component.direction, shift) else {
                continue;
            };
            // hits·hit + (trials − hits)·miss = (hits − trials·rate)·slope + trials·drift, without the cancellation.
            let slope = (hit - miss) * per_nat;
            let drift = (miss + null.rate * (hit - miss)) * per_nat;
            bank.slopes[index] = slope as f32;
            bank.drifts[index] = (drift - drift.abs() * f64::from(ROUNDING)) as f32;
            bank.live += 1;
            weights += f64::from(null.weight * LANE_WEIGHTS[index % LANES]);
        }
        for null in &mut bank.nulls {
            let weight = f64::from(null.weight) / weights * (1.0 - f64::from(ROUNDING));
            null.weight = if weights > 0.0 { weight as f32 } else { 0.0 };
        }
        bank
    }

    /// How many indicators there are.
    pub fn indicators(&self) -> usize {
        self.nulls.len()
    }

    /// How many components can gather evidence. With none, the reference says too little to judge anything by.
    pub fn components(&self) -> usize {
        self.live
    }

    /// How much memory the bank takes, in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(self.nulls.as_slice())
            + size_of_val(self.slopes.as_slice())
            + size_of_val(self.drifts.as_slice())
    }

    /// The tolerated range of an indicator's share; all shares for an indicator that is not there.
    pub fn tolerated(&self, indicator: usize) -> (f64, f64) {
        self.nulls.get(indicator).map_or((0.0, 1.0), |null| {
            (share(null.edges[1]), share(null.edges[0]))
        })
    }

    /// The natural logarithm of the likelihood ratio of a component, alternative against the tolerance's edge, tempered
    /// by the dispersion. Sums over steps. Zero for a component that is not there and for impossible counts.
    pub fn log_ratio(&self, component: ComponentId, hits: f64, trials: f64) -> f64 {
        let shift = self.shifts[component.shift.min(SHIFTS - 1)];
        let ratios = self
            .nulls
            .get(component.indicator)
            .and_then(|null| null.ratios(component.direction, shift));
        self.weigh(ratios, hits, trials)
    }

    /// The natural logarithm of the likelihood ratio that speaks for a return: the reference's share against the edge of
    /// the tolerance in the component's direction, tempered by the dispersion.
    pub fn return_log_ratio(&self, component: ComponentId, hits: f64, trials: f64) -> f64 {
        let ratios = self.nulls.get(component.indicator).and_then(|null| {
            let edge = null.edge(component.direction);
            let (low, high) = match component.direction {
                Direction::Up => (RETURN_SHARE * edge, edge),
                Direction::Down => {
                    let room = std::f64::consts::PI - edge;
                    (edge, edge + (1.0 - RETURN_SHARE) * room)
                }
            };
            (low < high).then(|| ratios(edge, arcsine(null.rate).clamp(low, high)))?
        });
        self.weigh(ratios, hits, trials)
    }

    fn weigh(&self, ratios: Option<(f64, f64)>, hits: f64, trials: f64) -> f64 {
        match (ratios, valid(hits, trials)) {
            (Some((hit, miss)), Some((hits, trials))) => {
                (hits * hit + (trials - hits) * miss) / self.dispersion
            }
            _ => 0.0,
        }
    }
}

/// Counts that a step can use: finite, some trials, and no more hits than those.
#[inline(always)]
pub(super) fn valid(hits: f64, trials: f64) -> Option<(f64, f64)> {
    // Beyond 2^64 nothing was counted; the lower bound keeps a never-live component at zero.
    let usable = (1e-12..=1e20).contains(&trials) && hits.is_finite();
    usable.then(|| (hits.clamp(0.0, trials), trials))
}

/// Arcsines of the limits within which the reference's true share lies, `reference_sigmas` standard deviations to each side.
///
/// φ(q̂) ± z/√m is short by the skewness where hits, or misses, are few, and has no meaning where there are none. There
/// the limit on the side towards ½ is Clopper and Pearson's exact one; further in, it has the second-order term. The
/// limit on the other side is on the safe side as it is.
fn limits(hits: f64, trials: f64, options: &BankOptions) -> (f64, f64) {
    let z = options.reference_sigmas.max(0.0);
    let Some((hits, trials)) = valid(hits, trials) else {
        return (f64::NEG_INFINITY, f64::INFINITY);
    };
    let (x, m) = (hits / options.dispersion(), trials / options.dispersion());
    let phi = arcsine(hits / trials);
    let margin = z / m.sqrt();
    if z == 0.0 {
        return (phi, phi);
    }
    let upper = upper_limit(x, m, z, margin);
    let lower = std::f64::consts::PI - upper_limit(m - x, m, z, margin);
    (lower.min(phi - margin), upper.max(phi + margin))
}

/// Arcsine of the upper limit of a share with `x` hits of `m`.
fn upper_limit(x: f64, m: f64, z: f64, margin: f64) -> f64 {
    if x < RARE_HITS {
        return arcsine(clopper_pearson_upper(x, m, normal_lower_tail(-z)));
    }
    let skew = (1.0 - 2.0 * x / m).max(0.0) * (z * z / 12.0 + 2.0 / 3.0);
    arcsine((x + skew) / m) + margin
}

/// The share at which `x` hits or fewer of `m` have the probability `level`; fractions round to the safe side.
fn clopper_pearson_upper(x: f64, m: f64, level: f64) -> f64 {
    let (x, m) = (x.ceil(), m.floor());
    if x >= m {
        return 1.0;
    }
    let (mut low, mut high) = (x / m, 1.0);
    for _ in 0..48 {
        let middle = 0.5 * (low + high);
        if binomial_lower_tail(x, m, middle) > level {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// P(X ≤ x) of the binomial law for few hits: the sum of its terms, each from the one before.
fn binomial_lower_tail(x: f64, m: f64, p: f64) -> f64 {
    // The first term may be below the smallest double and later ones not, so it is kept as a logarithm.
    const LARGE: f64 = 1e250;
    let odds = p / (1.0 - p);
    let mut log_scale = m * libm::log1p(-p);
    let (mut term, mut sum) = (1.0, 1.0);
    let mut k = 0.0;
    while k < x {
        term *= (m - k) / (k + 1.0) * odds;
        sum += term;
        k += 1.0;
        if sum > LARGE {
            (term, sum) = (term / LARGE, sum / LARGE);
            log_scale += libm::log(LARGE);
        }
    }
    libm::exp(log_scale + libm::log(sum))
}
