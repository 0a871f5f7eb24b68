//! Months of a hundred features, put together from a pool of months of one feature.
//!
//! Features do not depend on each other in these scenarios, so a hundred of them drawn without replacement from
//! the pool are a month of a model. Of each feature-month the pool keeps the evidence's maximum in each hour; the
//! model's evidence S is at no minute above the sum of its features' maxima in that hour, so counting alarms on
//! that sum counts no fewer than there are. Only where the sum reaches the threshold are minutes looked at, for
//! the features that have them.

use serde::{Deserialize, Serialize};

use crate::judge::Blame;
use crate::rng::Rng;
use crate::scenario::{FEATURES, MONTH};

/// Minutes of an hour.
pub(crate) const HOUR: usize = 60;

/// One feature's month: what its decision rule said after its own calibration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FeatureMonth {
    /// Its place in the pool, which is also its stream of random numbers.
    pub(crate) index: u64,
    /// Minutes at which the feature alone reached the model's threshold, and what by.
    pub(crate) alarms: Vec<(u32, Blame)>,
    /// By hour, the largest evidence of the feature, both of its streams by their weights. A latched stream has
    /// left the sum and counts as none.
    pub(crate) hours: Vec<f32>,
    /// The minutes of those hours in which it came within a thousandth of the model's threshold.
    pub(crate) loud: Vec<(u16, Vec<f32>)>,
    /// The same alarms by the rule without calibration, where it was run too.
    pub(crate) uncalibrated: Option<u32>,
    /// What calibration said.
    pub(crate) calibration: Calibrated,
    /// CPU seconds, about.
    pub(crate) seconds: f64,
}

/// What calibration said of a feature.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Calibrated {
    pub(crate) season: String,
    pub(crate) band: f64,
    pub(crate) dispersion: f64,
}

impl FeatureMonth {
    /// The month's largest evidence.
    pub(crate) fn peak(&self) -> f64 {
        self.hours
            .iter()
            .fold(0.0, |peak, hour| f64::from(*hour).max(peak))
    }

    fn minutes(&self, hour: usize) -> Option<&[f32]> {
        let place = self
            .loud
            .binary_search_by_key(&(hour as u16), |(hour, _)| *hour)
            .ok()?;
        Some(&self.loud[place].1)
    }
}

/// Collects one feature-month minute by minute.
#[derive(Debug)]
pub(crate) struct Recorder {
    loud_from: f64,
    hour: Vec<f32>,
    hours: Vec<f32>,
    loud: Vec<(u16, Vec<f32>)>,
}

impl Recorder {
    /// `threshold` is the model's.
    pub(crate) fn new(threshold: f64) -> Self {
        Self {
            loud_from: threshold / 1_000.0,
            hour: Vec::new(),
            hours: Vec::new(),
            loud: Vec::new(),
        }
    }

    pub(crate) fn minute(&mut self, evidence: f64) {
        // Rounded up, for the sum of hours is to be a bound.
        self.hour.push((evidence as f32).next_up());
        if self.hour.len() == HOUR {
            let peak = self.hour.iter().copied().fold(0.0, f32::max);
            if f64::from(peak) >= self.loud_from {
                self.loud.push((self.hours.len() as u16, self.hour.clone()));
            }
            self.hours.push(peak);
            self.hour.clear();
        }
    }

    pub(crate) fn finish(self) -> (Vec<f32>, Vec<(u16, Vec<f32>)>) {
        (self.hours, self.loud)
    }
}

/// A month of the model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Month {
    /// At least as many as there were alarms.
    pub(crate) alarms: u32,
    /// At least the largest evidence, in thresholds.
    pub(crate) peak: f64,
}

/// `count` months of the model, from the pool.
pub(crate) fn months(
    pool: &[FeatureMonth],
    count: usize,
    threshold: f64,
    rng: &mut Rng,
) -> Vec<Month> {
    let mut order: Vec<usize> = (0..pool.len()).collect();
    let features = FEATURES.min(pool.len());
    (0..count)
        .map(|_| {
            for i in 0..features {
                let other = i + rng.below(pool.len() - i);
                order.swap(i, other);
            }
            let chosen: Vec<&FeatureMonth> = order[..features].iter().map(|i| &pool[*i]).collect();
            month(&chosen, threshold)
        })
        .collect()
}

fn month(features: &[&FeatureMonth], threshold: f64) -> Month {
    let mut result = Month::default();
    for feature in features {
        result.alarms += feature.alarms.len() as u32;
    }
    if result.alarms > 0 {
        result.peak = 1.0;
    }
    let mut above = false;
    for hour in 0..MONTH / HOUR {
        let mut sum: f64 = features.iter().map(|f| f64::from(f.hours[hour])).sum();
        if sum < threshold {
            above = false;
        } else {
            sum = 0.0;
            for minute in 0..HOUR {
                let evidence = |f: &&FeatureMonth| {
                    f64::from(
                        f.minutes(hour)
                            .map_or(f.hours[hour], |minutes| minutes[minute]),
                    )
                };
                let at: f64 = features.iter().map(evidence).sum();
                result.alarms += u32::from(at >= threshold && !above);
                above = at >= threshold;
                sum = sum.max(at);
            }
        }
        result.peak = result.peak.max(sum / threshold);
    }
    result
}

/// The lower end of Clopper and Pearson's one-sided interval at 95 %: the smallest probability under which
/// `successes` of `trials` or more are not rarer than one in twenty.
pub(crate) fn clopper_pearson_lower(successes: u64, trials: u64) -> f64 {
    if successes == 0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if at_least(successes, trials, middle) < 0.05 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// P(X ≥ k) of a binomial number.
fn at_least(k: u64, n: u64, p: f64) -> f64 {
    // From the largest term down in logarithms; n is at most some thousands here.
    let mut log_term = n as f64 * p.ln();
    let mut sum = 0.0;
    for i in (k..=n).rev() {
        sum += log_term.exp();
        log_term += (i as f64 / (n - i + 1) as f64).ln() + (1.0 - p).ln() - p.ln();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(index: u64, minutes: impl Fn(usize) -> f64) -> FeatureMonth {
        let mut recorder = Recorder::new(1_000.0);
        (0..MONTH).for_each(|minute| recorder.minute(minutes(minute)));
        let (hours, loud) = recorder.finish();
        FeatureMonth {
            index,
            alarms: vec![],
            hours,
            loud,
            uncalibrated: None,
            calibration: Calibrated::default(),
            seconds: 0.0,
        }
    }

    #[test]
    fn maxima_at_different_minutes_are_no_alarm() {
        let early = feature(0, |minute| if minute % 60 == 3 { 600.0 } else { 0.0 });
        let late = feature(1, |minute| if minute % 60 == 50 { 600.0 } else { 0.0 });
        let apart = month(&[&early, &late], 1_000.0);
        assert_eq!(apart.alarms, 0);
        assert!((apart.peak - 0.6).abs() < 1e-3);
        let once = feature(2, |minute| if minute == 63 { 600.0 } else { 0.0 });
        let together = month(&[&early, &once], 1_000.0);
        assert_eq!(together.alarms, 1);
        assert!(together.peak > 1.0);
    }

    #[test]
    fn clopper_and_pearson() {
        // scipy.stats.binomtest(k, n, alternative="greater").proportion_ci()
        for (k, n, lower) in [
            (1_000, 1_000, 0.997_009),
            (990, 1_000, 0.983_097),
            (4, 4, 0.472_871),
        ] {
            assert!(
                (clopper_pearson_lower(k, n) - lower).abs() < 1e-5,
                "{k} of {n}"
            );
        }
    }
}
