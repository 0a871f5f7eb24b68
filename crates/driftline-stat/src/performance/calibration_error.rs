//! How far scores are from the shares of positives.

use super::Measured;
use super::interval::Confidence;

/// How many groups the calibration error is taken over (Guo and others, 2017).
const GROUPS: usize = 15;

/// The labelled predictions of one bin of the score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CalibrationBin {
    /// Their weight.
    pub weight: f64,
    /// The weight of the positives.
    pub positives: f64,
    /// Their mean score, 0 to 1.
    pub score: f64,
}

/// Expected calibration error: the mean, over all predictions, of the distance between the share of positives and the
/// mean score of a group of neighbouring bins, less what chance makes of it.
///
/// ```text
/// ECE = max(0, Σ_g (w_g / w)·(|ȳ_g − s_g| − √(2·s_g·(1 − s_g) / (π·n_g))))
/// ```
///
/// The second term is the mean distance of a perfectly calibrated model (the half-normal law), without which the metric
/// grows as predictions become few. Where the model is off by more than that noise, the term takes away too much: at most
/// as much as it says. `bins` are ascending and are grouped into at most 15 groups of about equal weight;
/// `per_weight` is how many predictions a weight of one stands for.
///
/// The interval is normal, with √(Σ w_g²·s_g(1 − s_g)/n_g)/w, the deviation if all groups were off to one side; within 0
/// to 1. None without predictions.
///
/// C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks", ICML 2017.
#[must_use]
pub fn calibration_error(
    bins: &[CalibrationBin],
    per_weight: f64,
    confidence: Confidence,
) -> Option<Measured> {
    let total: f64 = bins.iter().map(|bin| bin.weight).sum();
    if total <= 0.0 {
        return None;
    }
    let (mut raw, mut noise, mut variance) = (0.0, 0.0, 0.0);
    for group in grouped(bins, total) {
        let (share, score) = (group.weight / total, group.score);
        let n = group.weight * per_weight;
        let spread = score * (1.0 - score) / n;
        raw += share * (group.positives / group.weight - score).abs();
        noise += share * (2.0 / std::f64::consts::PI * spread).sqrt();
        variance += share * share * spread;
    }
    let value = (raw - noise).clamp(0.0, 1.0);
    Some(Measured {
        value,
        interval: confidence.normal(value, variance).clipped(0.0, 1.0),
    })
}

fn grouped(bins: &[CalibrationBin], total: f64) -> Vec<CalibrationBin> {
    let mut groups: Vec<CalibrationBin> = Vec::new();
    let (mut before, mut last) = (0.0, usize::MAX);
    for bin in bins.iter().filter(|bin| bin.weight > 0.0) {
        // By the bin's middle, so that a heavy bin has a group of its own.
        let middle = (before + 0.5 * bin.weight) / total;
        let index = (middle * GROUPS as f64) as usize;
        before += bin.weight;
        match groups.last_mut() {
            Some(group) if index == last => {
                let weight = group.weight + bin.weight;
                group.score += (bin.score - group.score) * bin.weight / weight;
                group.positives += bin.positives;
                group.weight = weight;
            }
            _ => groups.push(*bin),
        }
        last = index;
    }
    for group in &mut groups {
        group.score = group.score.clamp(0.0, 1.0);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(weight: f64, positives: f64, score: f64) -> CalibrationBin {
        CalibrationBin {
            weight,
            positives,
            score,
        }
    }

    #[test]
    fn the_noise_is_taken_away() {
        let confidence = Confidence::new(0.95);
        let exact = [bin(1_000.0, 200.0, 0.2), bin(1_000.0, 700.0, 0.7)];
        assert_eq!(
            calibration_error(&exact, 1.0, confidence).unwrap().value,
            0.0
        );
        let off = [bin(1e6, 3e5, 0.2), bin(1e6, 7e5, 0.7)];
        let found = calibration_error(&off, 1.0, confidence).unwrap();
        assert!((found.value - 0.05).abs() < 5e-4, "{found:?}");
        assert!(found.interval.lower > 0.048 && found.interval.upper < 0.051);
        assert_eq!(calibration_error(&[], 1.0, confidence), None);
    }

    #[test]
    fn bins_are_grouped_by_weight() {
        let many: Vec<CalibrationBin> = (0..128)
            .map(|i| bin(10.0, f64::from(i) / 12.8, f64::from(i) / 128.0))
            .collect();
        let groups = grouped(&many, 1_280.0);
        assert_eq!(groups.len(), GROUPS);
        let weight: f64 = groups.iter().map(|g| g.weight).sum();
        assert!((weight - 1_280.0).abs() < 1e-9);
        assert!(
            groups
                .iter()
                .all(|g| (g.positives / g.weight - g.score).abs() < 1e-12)
        );
    }
}
