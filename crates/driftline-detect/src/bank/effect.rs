//! How large a change is, and how small a one can be seen.

use serde::{Deserialize, Serialize};

use super::cohen::arcsine;
use super::null::{SHIFTS, valid};
use super::{Bank, Direction};

/// The change of one indicator's share, with an interval that holds at all times together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EffectSize {
    /// The reference's share, 0 to 1.
    pub reference: f64,
    /// The current share, 0 to 1; the reference's while there are no trials.
    pub current: f64,
    /// The interval's lower end, 0 to 1.
    pub lower: f64,
    /// The interval's upper end, 0 to 1.
    pub upper: f64,
    /// Cohen's h, φ(current) − φ(reference), with its sign.
    pub h: f64,
    /// How large |h| may be in this direction without counting as drift.
    pub tolerance: f64,
}

impl Bank {
    /// The share of `hits` in `trials` against the reference's, for one indicator.
    ///
    /// The interval is the confidence sequence that follows from the mixture of all binomial alternatives under Jeffreys'
    /// prior (Robbins' method of mixtures): it contains, with probability 1 − `alpha`, a share that has been constant
    /// since the count began, at all later times together, so that one may look when one likes. The beginning may have
    /// been chosen after the fact among `starts` ones: each gets its part of `alpha` (Bonferroni). Counts are divided by
    /// the bank's dispersion, for which the interval is an approximation. If the share has moved meanwhile, read the
    /// interval as one of its average.
    ///
    /// H. Robbins, "Statistical methods related to the law of the iterated logarithm", 1970; S. R. Howard, A. Ramdas and
    /// others, "Time-uniform, nonparametric, nonasymptotic confidence sequences", 2021.
    pub fn effect(
        &self,
        indicator: usize,
        hits: f64,
        trials: f64,
        starts: usize,
        alpha: f64,
    ) -> EffectSize {
        let Some(null) = self.nulls.get(indicator) else {
            return EffectSize {
                upper: 1.0,
                ..EffectSize::default()
            };
        };
        let phi = arcsine(null.rate);
        let counted = valid(hits, trials);
        let current = counted.map_or(null.rate, |(hits, trials)| hits / trials);
        let (lower, upper) = counted.map_or((0.0, 1.0), |(hits, trials)| {
            let limit = libm::log(starts.max(1) as f64) - libm::log(alpha.clamp(1e-300, 1.0));
            confidence_sequence(hits / self.dispersion, trials / self.dispersion, limit)
        });
        let h = arcsine(current) - phi;
        let direction = if h < 0.0 {
            Direction::Down
        } else {
            Direction::Up
        };
        EffectSize {
            reference: null.rate,
            current,
            lower,
            upper,
            h,
            tolerance: (null.edge(direction) - phi).abs().min(std::f64::consts::PI),
        }
    }

    /// About how many events a change of size `h` takes to be noticed at this threshold of the stream's own evidence,
    /// which is c/ω; infinite within the tolerance. `indicator` is the one that changes so, for its reference error.
    ///
    /// The best single component gains (g·Δ − Δ²/2)/ϕ nats an event at a distance g beyond the tolerance and has to pay
    /// for the threshold and for its weight. Its neighbours and the later starting times take part as well, so the
    /// median is about 0.6 of this bound where one indicator's change stands for a whole distribution's.
    pub fn detection_floor(&self, indicator: usize, h: f64, threshold: f64) -> f64 {
        let Some(null) = self.nulls.get(indicator) else {
            return f64::INFINITY;
        };
        let direction = if h < 0.0 {
            Direction::Down
        } else {
            Direction::Up
        };
        let tolerance = (null.edge(direction) - arcsine(null.rate)).abs();
        let beyond = h.abs() - tolerance;
        let price = libm::log(threshold.max(1.0)) + libm::log(self.live.max(1) as f64);
        let gain = (0..SHIFTS)
            .map(|i| beyond * self.shifts[i] - 0.5 * self.shifts[i] * self.shifts[i])
            .fold(0.0, f64::max);
        if gain > 0.0 {
            price * self.dispersion / gain
        } else {
            f64::INFINITY
        }
    }
}

/// The shares p for which ln of mixture over likelihood, with `hits` of `trials`, stays below `limit`.
fn confidence_sequence(hits: f64, trials: f64, limit: f64) -> (f64, f64) {
    const PRIOR: f64 = 0.5;
    let log_beta = |a: f64, b: f64| libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let misses = trials - hits;
    let mixture = log_beta(hits + PRIOR, misses + PRIOR) - log_beta(PRIOR, PRIOR);
    // 0·ln 0 is 0: a share of 0 does not contradict no hits.
    let term = |n: f64, p: f64| if n > 0.0 { n * libm::log(p) } else { 0.0 };
    let contradicted = |p: f64| mixture - term(hits, p) - term(misses, 1.0 - p) >= limit;
    let estimate = hits / trials;
    let search = |end: f64| {
        if !contradicted(end) {
            return end;
        }
        let (mut outside, mut inside) = (end, estimate);
        for _ in 0..60 {
            let middle = 0.5 * (outside + inside);
            if contradicted(middle) {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        outside
    };
    (search(0.0), search(1.0))
}
