//! The e-detector for losses between 0 and 1: alarms when a mean loss leaves its reference's tolerance.
//!
//! **What it watches.** The mean of a loss l in [0, 1] that is no 0/1 error: of a regression min(|error| / cap, 1), of a
//! ranking 1 − NDCG. The indicators of the [`bank`](crate::bank) ask how often the loss is beyond some cut; this asks
//! for the mean itself, and uses its variance: a loss that hardly varies is judged on far fewer events than Hoeffding's or
//! the coin's bound would allow.
//!
//! **Formula.** A step brings n losses, Σl and Σl². With σ the reference's standard deviation, m its size, ϕ the
//! dispersion, and L = −ln Φ(−z):
//!
//! ```text
//! edge = mean ± (max(tolerance, band)·σ + σ·√(2L·ϕ/m) + 7L·ϕ/(3(m − ϕ)))
//! ℓ    = ±λ·(Σl − n·edge) − ψ(λ)·Σ(l − μ)²            ψ(λ) = −ln(1 − λ) − λ,   λ in BoundedLossOptions::lambdas
//! M    ← (M + g·w)·exp(ℓ/ϕ)                            in each component (direction, λ); Σ w = 1
//! g    = min(1, c/10·n·E[−ℓ/ϕ])                        E for one loss of the reference
//! μ    ← μ + (Σl − n·μ)/(n + memory)                   after the step; the reference's mean at first
//! ```
//!
//! Σ(l − μ)² = Σl² − 2μ·Σl + n·μ². The tolerance is in standard deviations of the reference (Cohen's d), which for 0/1
//! losses is the bank's h to first order. What it adds for the reference's own error is Maurer's and Pontil's bound,
//! which holds for any m and any distribution on [0, 1] at the level that z sigmas have in a normal one. λ near 1 is for
//! large and rare losses, small λ for small changes: the best for a change of δ at variance v is about δ/(δ + v).
//!
//! **What it promises.** [`BoundedLossState::evidence`] is one stream's M, and takes part in
//! [`decide`](crate::bank::decide) beside the bank's: over τ steps at most τ/c false alarms are to be expected, as the
//! proof there needs no more of a stream than that a step's factor has a mean of at most one. That holds here: for
//! x ≥ −1 and 0 ≤ λ < 1, exp(λx − ψ(λ)x²) ≤ 1 + λx (Fan, Grama, Liu 2015). With x = l − μ and μ fixed before the step,
//!
//! ```text
//! E exp(λ(l − edge) − ψ(λ)(l − μ)²) ≤ (1 + λ(E l − μ))·exp(λ(μ − edge)) ≤ exp(λ(E l − edge)) ≤ 1    if E l ≤ edge,
//! ```
//!
//! event after event given the past, so the product over a step has a mean of at most one as well; downwards it is the
//! same with x = μ − l. With ϕ > 1, Jensen's inequality. Nothing is assumed of the loss's distribution, which may change
//! as it likes while its conditional mean stays within the edges.
//!
//! **What it assumes.** Every loss is in [0, 1] (others are taken for the nearest end, which is another loss with the same
//! promise), the conditional mean given the past stays within the edges without drift, and the reference's losses are
//! independent, or as good as m/ϕ independent ones.
//!
//! **What it does not see.** A change of the loss that leaves its mean within the tolerance; what happens beyond the cap. A
//! cap far above usual losses costs power, as λ < 1 cannot make up for it: the 99 % quantile of the reference's losses is a
//! good one. With ϕ > 1 for bursts, ℓ/ϕ is right in the normal approximation only.
//!
//! **Arithmetic.** In `f64`, every ℓ set off downwards by 2^-40 of the size of its terms, evidence capped at 1e30; `libm`'s
//! functions only. A step takes one exponential for each of 16 components.
//!
//! ```
//! use driftline_detect::bounded_loss::{BoundedLoss, BoundedLossOptions, BoundedLossState, LossTally};
//!
//! // 20,000 losses around 0.2, and 50 a step later.
//! let losses = |n: u64, raise: f64| {
//!     let mut tally = LossTally::default();
//!     (0..n).for_each(|i| tally.add((i % 5) as f64 * 0.1 + raise));
//!     tally
//! };
//! let test = BoundedLoss::new(&losses(20_000, 0.0), &BoundedLossOptions::default());
//! let mut state = BoundedLossState::new(&test);
//! for _ in 0..1_000 {
//!     state.step(&test, &losses(50, 0.0));
//! }
//! assert!(state.evidence() < 720.0);
//! let steps = (1..100).find(|_| {
//!     state.step(&test, &losses(50, 0.1));
//!     state.evidence() >= 43_200.0
//! });
//! assert!(steps.is_some_and(|n| n < 15), "{steps:?}");
//! ```
//!
//! **Papers.** X. Fan, I. Grama, Q. Liu, "Exponential inequalities for martingales with applications", EJP 2015. S. R.
//! Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals
//! of Statistics 2021 (empirical Bernstein, theorem 4). I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random
//! variables by betting", JRSS B 2023. A. Podkopaev, A. Ramdas, "Tracking the risk of a deployed model and detecting
//! harmful distribution shifts", ICLR 2022 (the risk of a model against its source's). A. Maurer, M. Pontil, "Empirical
//! Bernstein bounds and sample-variance penalization", COLT 2009 (the reference's error). The recursion: see
//! [`bank`](crate::bank).

mod state;
mod tally;

use serde::{Deserialize, Serialize};

use crate::bank::{Direction, EffectSize};

pub use state::BoundedLossState;
pub use tally::LossTally;

/// How many λ there are in each direction.
pub const LAMBDAS: usize = 8;
/// Components of a stream: λ times directions.
const COMPONENTS: usize = 2 * LAMBDAS;
/// The part of the horizon that starts alone may fill, while losses are exactly those of the reference.
const IDLE_SHARE: f64 = 0.1;
/// As good as no horizon, and a number in a snapshot.
const HORIZON_MAX: f64 = 1e30;

/// What a [`BoundedLoss`] tolerates and what it looks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundedLossOptions {
    /// The smallest change of the mean worth an alarm, in standard deviations of the reference's losses.
    pub tolerance: f64,
    /// How far the mean wanders without drift, in the same unit; from a calibration, else 0.
    pub band: f64,
    /// Dispersion ϕ, at least 1: how many times larger the variance of a step's sum is than that of independent losses.
    pub dispersion: f64,
    /// For how many standard deviations of the reference's own error to allow, by the level that they have in a normal
    /// distribution.
    pub reference_sigmas: f64,
    /// The bets, each above 0 and below 1. Others take no part.
    pub lambdas: [f64; LAMBDAS],
    /// After how many losses half of the predicted mean μ is new.
    pub memory: f64,
    /// The threshold c of the whole model, in steps, as in [`BankOptions`](crate::bank::BankOptions::horizon).
    pub horizon: f64,
}

impl Default for BoundedLossOptions {
    /// A tolerance of 0.1, no band, independent losses, four sigmas, bets from 1/64 to 0.9, a memory of 1,000 losses; no
    /// horizon.
    fn default() -> Self {
        Self {
            tolerance: 0.1,
            band: 0.0,
            dispersion: 1.0,
            reference_sigmas: 4.0,
            lambdas: [0.015_625, 0.031_25, 0.062_5, 0.125, 0.25, 0.5, 0.75, 0.9],
            memory: 1_000.0,
            horizon: HORIZON_MAX,
        }
    }
}

/// One member of the mixture: a direction and one of the λ.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct LossComponent {
    /// Whether it looks for a larger or for a smaller mean.
    pub direction: Direction,
    /// Index into [`BoundedLossOptions::lambdas`].
    pub lambda: usize,
}

impl LossComponent {
    /// As in the bank, directions alternate.
    fn at(index: usize) -> Self {
        Self {
            direction: match index % 2 {
                0 => Direction::Up,
                _ => Direction::Down,
            },
            lambda: index / 2,
        }
    }
}

/// What a stream of bounded losses is tested against.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundedLoss {
    mean: f64,
    variance: f64,
    /// The tolerated means: from the first to the second.
    edges: [f64; 2],
    dispersion: f64,
    lambdas: [f64; LAMBDAS],
    /// By component; 0 for one that is not there.
    weights: [f64; COMPONENTS],
    /// How much of its start a component gets for each loss of a step.
    starts: [f64; COMPONENTS],
    memory: f64,
}

/// ψ(λ) = −ln(1 − λ) − λ.
fn psi(lambda: f64) -> f64 {
    -libm::log1p(-lambda) - lambda
}

impl BoundedLoss {
    /// Against the losses of a reference. With fewer than two of them, or a tolerance that leaves no other mean, no
    /// component gathers evidence.
    pub fn new(reference: &LossTally, options: &BoundedLossOptions) -> Self {
        // `max` takes the number if the other is NaN.
        let dispersion = options.dispersion.clamp(1.0, 1e12).max(1.0);
        let (mean, variance) = (reference.mean().unwrap_or(0.5), reference.variance());
        let deviation = variance.sqrt();
        let tolerated = options.tolerance.max(options.band).max(0.0) * deviation;
        let m = reference.n() / dispersion;
        // Beyond 2 no mean is left, and the edges stay numbers.
        let error = reference_error(deviation, m, options.reference_sigmas);
        let reach = (tolerated + error).min(2.0);
        let mut test = Self {
            mean,
            variance,
            edges: [mean - reach, mean + reach],
            dispersion,
            lambdas: options
                .lambdas
                .map(|l| if l > 0.0 && l < 1.0 { l } else { 0.0 }),
            weights: [0.0; COMPONENTS],
            starts: [0.0; COMPONENTS],
            memory: options.memory.clamp(1.0, 1e12).max(1.0),
        };
        let horizon = options.horizon.clamp(0.0, HORIZON_MAX);
        let live = |index: &usize| {
            let component = LossComponent::at(*index);
            let edge = test.edge(component.direction);
            test.lambdas[component.lambda] > 0.0 && edge > 0.0 && edge < 1.0
        };
        let live: Vec<usize> = (0..COMPONENTS).filter(live).collect();
        for &index in &live {
            let component = LossComponent::at(index);
            let lambda = test.lambdas[component.lambda];
            // What one loss of the reference takes away on average, its mean being predicted.
            let lost = (lambda * reach + psi(lambda) * variance) / dispersion;
            test.weights[index] = 1.0 / live.len() as f64;
            test.starts[index] = IDLE_SHARE * horizon * lost;
        }
        test
    }

    /// How many components can gather evidence. With none, the reference says too little to judge anything by.
    pub fn components(&self) -> usize {
        self.weights.iter().filter(|w| **w > 0.0).count()
    }

    /// The reference's mean loss.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The tolerated means: from, to. May go beyond 0 and 1.
    pub fn tolerated(&self) -> (f64, f64) {
        (self.edges[0], self.edges[1])
    }

    fn edge(&self, direction: Direction) -> f64 {
        match direction {
            Direction::Up => self.edges[1],
            Direction::Down => self.edges[0],
        }
    }

    /// ℓ/ϕ of a component, a little too small, when `predicted` is the mean that the step was thought to have.
    pub fn log_ratio(&self, component: LossComponent, tally: &LossTally, predicted: f64) -> f64 {
        let lambda = self.lambdas.get(component.lambda).copied().unwrap_or(0.0);
        let edge = self.edge(component.direction);
        bet(component.direction, lambda, edge, predicted, tally) / self.dispersion
    }

    /// The logarithm of the evidence for a return, against all means beyond the edge in `direction`: a bet on the
    /// reference's mean, with the λ that is best there. Sums over steps.
    pub fn return_log_ratio(&self, direction: Direction, tally: &LossTally) -> f64 {
        let (edge, back) = match direction {
            Direction::Up => (self.edges[1], Direction::Down),
            Direction::Down => (self.edges[0], Direction::Up),
        };
        let gap = (edge - self.mean).abs();
        if gap <= 0.0 {
            return 0.0;
        }
        let lambda = (gap / (gap + self.variance)).min(0.9);
        bet(back, lambda, edge, self.mean, tally) / self.dispersion
    }

    /// The mean of the losses in `tally` against the reference's.
    ///
    /// The interval is the empirical Bernstein confidence sequence of these λ (a union over them, the reference's mean for
    /// μ): it holds, with probability 1 − `alpha`, a mean that has been constant since the count began, at all later times
    /// together; its beginning may have been chosen after the fact among `starts` ones. `h` and `tolerance` are in
    /// standard deviations of the reference's losses; without variance there, in units of the loss.
    pub fn effect(&self, tally: &LossTally, starts: usize, alpha: f64) -> EffectSize {
        let current = tally.mean().unwrap_or(self.mean);
        let unit = if self.variance > 0.0 {
            self.variance.sqrt()
        } else {
            1.0
        };
        let bets = self.lambdas.iter().filter(|l| **l > 0.0);
        let each = bets.clone().count().max(1) as f64;
        let level =
            libm::log(2.0 * each * starts.max(1) as f64) - libm::log(alpha.clamp(1e-300, 1.0));
        let squares = tally.squares_around(self.mean) / self.dispersion;
        let n = tally.n() / self.dispersion;
        let reach = bets
            .map(|lambda| (level + psi(*lambda) * squares) / (lambda * n))
            .fold(f64::INFINITY, f64::min);
        let reach = if reach.is_finite() { reach } else { 1.0 };
        EffectSize {
            reference: self.mean,
            current,
            lower: (current - reach).max(0.0),
            upper: (current + reach).min(1.0),
            h: (current - self.mean) / unit,
            tolerance: (self.edges[1] - self.mean) / unit,
        }
    }
}

/// ±λ·(Σl − n·edge) − ψ(λ)·Σ(l − predicted)², rounded downwards.
fn bet(direction: Direction, lambda: f64, edge: f64, predicted: f64, tally: &LossTally) -> f64 {
    /// More than the few roundings of either term can add up to.
    const ROUNDING: f64 = 1.0 / (1_u64 << 40) as f64;
    let (predicted, expected) = (predicted.clamp(0.0, 1.0), tally.n() * edge);
    let surplus = match direction {
        Direction::Up => tally.sum() - expected,
        Direction::Down => expected - tally.sum(),
    };
    let price = psi(lambda);
    let size = lambda * (tally.sum() + expected.abs()) + price * (tally.squares() + tally.n());
    lambda * surplus - price * tally.squares_around(predicted) - ROUNDING * size
}

/// By how much the mean of `m` losses may be off: Maurer's and Pontil's bound at the level of `sigmas`.
fn reference_error(deviation: f64, m: f64, sigmas: f64) -> f64 {
    // Also for what is no number.
    if !(m > 1.0 && m.is_finite()) {
        return f64::INFINITY;
    }
    let sigmas = sigmas.clamp(0.0, 30.0).max(0.0);
    if sigmas == 0.0 {
        return 0.0;
    }
    let tail = 0.5 * libm::erfc(sigmas * std::f64::consts::FRAC_1_SQRT_2);
    let level = -libm::log(tail);
    deviation * (2.0 * level / m).sqrt() + 7.0 * level / (3.0 * (m - 1.0))
}

#[cfg(test)]
mod tests;
