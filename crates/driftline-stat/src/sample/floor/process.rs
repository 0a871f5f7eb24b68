//! Areas between two distribution functions, as functionals of a Gaussian bridge.
//!
//! Without drift the gap D(x) is normal with covariance (1/n + 1/m)·H(x)(1 − H(y)) for x ≤ y, H being the common
//! distribution function.

use std::f64::consts::PI;

use super::{Gamma, NullExpectation};
use crate::sample::NumericPair;

/// The integrals over pairs of points are taken over this many groups of neighbours.
const GROUPS: usize = 100;

/// ∫|D|dx.
pub(super) fn wasserstein(pair: &NumericPair, noise: f64) -> Option<NullExpectation> {
    // E|D| = √(2/π)·σ, and Cov(|X|, |Y|) of a normal pair is σσ′·(2/π)(√(1 − ρ²) + ρ·asin ρ − 1).
    let groups = groups(pair, |h| (h * (1.0 - h)).sqrt());
    let mean: f64 = groups.iter().map(|g| g.weight).sum::<f64>() * (2.0 / PI * noise).sqrt();
    let variance = over_pairs(&groups, |rho| {
        2.0 / PI * ((1.0 - rho * rho).max(0.0).sqrt() + rho * rho.asin() - 1.0)
    });
    Gamma::new(mean, variance * noise)?.expectation()
}

/// √(2·∫D²dx).
pub(super) fn energy(pair: &NumericPair, noise: f64) -> Option<NullExpectation> {
    // E D² = σ², and Cov(X², Y²) of a normal pair is 2σ²σ′²ρ².
    let groups = groups(pair, |h| h * (1.0 - h));
    let mean: f64 = 2.0 * noise * groups.iter().map(|g| g.weight).sum::<f64>();
    let variance = over_pairs(&groups, |rho| 2.0 * rho * rho);
    Gamma::new(mean, variance * 4.0 * noise * noise)?.root_expectation()
}

/// A stretch of the axis: the integral of the weight over it, and the mean share below it.
struct Group {
    weight: f64,
    share: f64,
}

fn groups(pair: &NumericPair, weight: impl Fn(f64) -> f64) -> Vec<Group> {
    let (n, m) = pair.sizes();
    let size = (n + m) as f64;
    let mut pieces: Vec<(f64, f64)> = Vec::new();
    let mut below = 0;
    let mut last: Option<f64> = None;
    for step in pair.steps() {
        if let Some(last) = last {
            let share = below as f64 / size;
            pieces.push((share, (step.value - last) * weight(share)));
        }
        below += step.in_reference + step.in_current;
        last = Some(step.value);
    }
    let all: f64 = pieces.iter().map(|p| p.1).sum();
    let mut groups: Vec<Group> = Vec::new();
    let mut open = Group {
        weight: 0.0,
        share: 0.0,
    };
    for (share, weight) in pieces {
        open.weight += weight;
        open.share += weight * share;
        if open.weight * GROUPS as f64 >= all {
            groups.push(open);
            open = Group {
                weight: 0.0,
                share: 0.0,
            };
        }
    }
    groups.push(open);
    groups.retain(|g| g.weight > 0.0);
    for group in &mut groups {
        group.share /= group.weight;
    }
    groups
}

/// Σ wᵢwⱼ·f(ρᵢⱼ) over all pairs.
fn over_pairs(groups: &[Group], of: impl Fn(f64) -> f64) -> f64 {
    let mut sum = 0.0;
    for (i, a) in groups.iter().enumerate() {
        sum += a.weight * a.weight * of(1.0);
        for b in &groups[i + 1..] {
            let odds = a.share * (1.0 - b.share) / (b.share * (1.0 - a.share));
            let rho = odds.clamp(0.0, 1.0).sqrt();
            sum += 2.0 * a.weight * b.weight * of(rho);
        }
    }
    sum
}
