//! The verdict on each column.
//!
//! Two questions, kept apart. *Is it certain?* All p-values of all columns, with a test of the missing shares,
//! go through Holm's step-down procedure: at most `alpha` chance of any false alarm, whatever the tests'
//! dependence on each other (Holm 1979). *Is it large enough to matter?* The largest change of a share, as Cohen's
//! h, is at least the tolerance. Drift is both; certain but small is `slight`. A statistic within its floor never
//! counts, whatever its p-value or a threshold say.

use driftline_stat::sample::Test;

use super::column::Feature;

/// What is said about a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// It differs beyond chance, and by enough to matter.
    Drifted,
    /// It differs beyond chance, but by less than the tolerance.
    Slight,
    /// A large change would have been missed too often.
    TooFew,
    /// A side has no values.
    Empty,
    /// No difference beyond chance.
    Stable,
}

impl Verdict {
    /// As JSON has it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Drifted => "drifted",
            Self::Slight => "slight",
            Self::TooFew => "too_few",
            Self::Empty => "empty",
            Self::Stable => "stable",
        }
    }

    /// As people read it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::TooFew => "too few",
            other => other.as_str(),
        }
    }
}

/// How columns are judged.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// The chance of any false alarm over all columns.
    pub(super) alpha: f64,
    /// The smallest change that matters, as Cohen's h.
    pub(super) tolerance: f64,
    /// Distances that matter whatever the tolerance says.
    pub(super) thresholds: Vec<(Test, f64)>,
}

/// A change that would be called large (Cohen 1988).
const LARGE: f64 = 0.8;
/// The standard normal quantile of 80 %, the power at which a change counts as detectable.
const POWER: f64 = 0.84;

/// Whose p-value it is.
#[derive(Clone, Copy)]
enum Evidence {
    Result(usize),
    Merged,
    Missing,
}

/// Fills in `drift` of every judged result, and each column's verdict with its reasons.
pub(super) fn judge(features: &mut [Feature], rule: &Rule) {
    let mut hypotheses = hypotheses(features);
    hypotheses.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total = hypotheses.len();
    let (mut certain_shape, mut certain_missing) =
        (vec![false; features.len()], vec![false; features.len()]);
    let mut adjusted = 0.0_f64;
    for (i, (p, position, evidence)) in hypotheses.into_iter().enumerate() {
        adjusted = adjusted.max((p * (total - i) as f64).min(1.0));
        let feature = &mut features[position];
        let so_far = feature.adjusted_p.unwrap_or(1.0);
        feature.adjusted_p = Some(so_far.min(adjusted));
        let rejects = adjusted <= rule.alpha;
        match evidence {
            Evidence::Missing => certain_missing[position] = rejects,
            Evidence::Merged => certain_shape[position] |= rejects,
            Evidence::Result(r) => {
                let matters = feature.effect >= rule.tolerance;
                let outcome = &mut feature.results[r];
                let certain = rejects && !outcome.within_floor();
                outcome.drift = Some(certain && matters);
                certain_shape[position] |= certain;
            }
        }
    }
    for (i, feature) in features.iter_mut().enumerate() {
        let crossed = cross_thresholds(feature, &rule.thresholds, certain_shape[i]);
        conclude(
            feature,
            rule,
            total,
            certain_shape[i],
            certain_missing[i],
            crossed,
        );
    }
}

fn hypotheses(features: &[Feature]) -> Vec<(f64, usize, Evidence)> {
    let mut found = Vec::new();
    for (position, feature) in features.iter().enumerate() {
        for (r, outcome) in feature.results.iter().enumerate() {
            if let Some(p) = outcome.p_value.filter(|_| outcome.unsound.is_none()) {
                found.push((p, position, Evidence::Result(r)));
            }
        }
        found.extend(feature.merged.map(|p| (p, position, Evidence::Merged)));
        let missing = feature.missing.p_value;
        found.extend(missing.map(|p| (p, position, Evidence::Missing)));
    }
    found
}

/// A threshold says what matters in place of the tolerance; that it is no chance, a p-value must say.
fn cross_thresholds(feature: &mut Feature, thresholds: &[(Test, f64)], certain: bool) -> bool {
    let mut any = false;
    for outcome in &mut feature.results {
        let Some((_, threshold)) = thresholds.iter().find(|(test, _)| *test == outcome.test) else {
            continue;
        };
        let crossed = certain && outcome.statistic >= *threshold && !outcome.within_floor();
        outcome.drift = Some(outcome.drift.unwrap_or(false) || crossed);
        any |= crossed;
    }
    any
}

fn conclude(
    feature: &mut Feature,
    rule: &Rule,
    hypotheses: usize,
    certain_shape: bool,
    certain_missing: bool,
    crossed: bool,
) {
    let shape = certain_shape && feature.effect >= rule.tolerance;
    let missing = certain_missing && feature.missing.effect >= rule.tolerance;
    let drifted = shape || missing || crossed;
    let reasons = [
        (if drifted { shape } else { certain_shape }, "shape"),
        (if drifted { missing } else { certain_missing }, "missing"),
        (crossed, "threshold"),
    ];
    feature.reasons = reasons.iter().filter(|r| r.0).map(|r| r.1).collect();
    feature.verdict = if drifted {
        Verdict::Drifted
    } else if certain_shape || certain_missing {
        Verdict::Slight
    } else if feature.reference.n == 0 || feature.current.n == 0 {
        Verdict::Empty
    } else if detectable(feature, rule.alpha, hypotheses) > LARGE {
        Verdict::TooFew
    } else {
        Verdict::Stable
    };
}

/// About the smallest Cohen's h that would be found four times in five, with √(2·ln(2k/α)) as the quantile of a
/// normal law at Holm's strictest level.
pub(super) fn detectable(feature: &Feature, alpha: f64, hypotheses: usize) -> f64 {
    let (n, m) = (feature.reference.n as f64, feature.current.n as f64);
    let quantile = (2.0 * (2.0 * hypotheses.max(1) as f64 / alpha).ln()).sqrt();
    (quantile + POWER) * (1.0 / n + 1.0 / m).sqrt()
}
