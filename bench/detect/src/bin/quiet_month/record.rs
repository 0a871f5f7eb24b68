//! What a run leaves behind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::classical::Flood;
use crate::judge::{Blame, threshold};
use crate::months::{FeatureMonth, Month, clopper_pearson_lower, months};
use crate::rng::Rng;
use crate::scenario::{FEATURES, Scenario};
use crate::shifts::ShiftResult;

/// Alarms a month that the rule may raise.
pub(crate) const ALARMS_PER_MONTH: f64 = 1.0;

/// A whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The day, UTC.
    pub(crate) date: String,
    /// The commit whose code ran.
    pub(crate) commit: String,
    /// The processor, its cores and the system.
    pub(crate) machine: String,
    pub(crate) seed: u64,
    pub(crate) jobs: usize,
    /// Seconds of all feature-months, over all threads and all runs that made the pools.
    pub(crate) pool_seconds: f64,
    pub(crate) alarms_per_month: f64,
    pub(crate) scenarios: Vec<ScenarioResult>,
    pub(crate) shifts: Vec<ShiftResult>,
}

/// What one scenario gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ScenarioResult {
    pub(crate) scenario: Scenario,
    /// Feature-months in the pool.
    pub(crate) pool: usize,
    pub(crate) pool_seconds: f64,
    /// Months of a hundred features, put together from the pool.
    pub(crate) months: usize,
    /// How many of them had so many alarms.
    pub(crate) months_by_alarms: BTreeMap<u32, usize>,
    /// Those with no more than the budget.
    pub(crate) months_within: usize,
    /// One-sided 95 % bound for their share, as if the months shared no feature-month.
    pub(crate) share_within_lower: f64,
    /// The largest evidence of a month, in thresholds: median, 99 % quantile and maximum over the months.
    pub(crate) peaks: [f64; 3],
    /// Feature-months in which the feature alone reached the model's threshold.
    pub(crate) features_alarmed: usize,
    /// Feature-months in which it reached the threshold's hundredth part; without one of these there is no alarm.
    pub(crate) features_above_share: usize,
    /// Alarms a month of a hundred features, each on its own: what the pool's mean says.
    pub(crate) alarms_a_month: f64,
    /// The part of them that was about missing, invalid or out-of-range values.
    pub(crate) quality_alarms_a_month: f64,
    /// Alarms a month without calibration, from the first feature-months.
    pub(crate) alarms_a_month_uncalibrated: Option<f64>,
    pub(crate) calibration: CalibrationSummary,
    pub(crate) classical: Option<Flood>,
}

/// What calibration said over the pool: quantiles are median and maximum.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct CalibrationSummary {
    pub(crate) seasons: BTreeMap<String, usize>,
    pub(crate) band: [f64; 2],
    pub(crate) dispersion: [f64; 2],
}

impl ScenarioResult {
    /// A one-sided 95 % bound for the probability of an alarm in a month, which needs no months put together: there
    /// is none unless one of the features reaches its hundredth part, and features are independent.
    pub(crate) fn alarm_probability_upper(&self) -> f64 {
        let below = (self.pool - self.features_above_share) as u64;
        1.0 - clopper_pearson_lower(below, self.pool as u64).powi(FEATURES as i32)
    }

    /// Puts `count` months together and counts; `None` while the pool is smaller than one month.
    pub(crate) fn new(
        scenario: Scenario,
        pool: &[FeatureMonth],
        count: usize,
        seed: u64,
        classical: Option<Flood>,
    ) -> Option<Self> {
        if pool.len() < FEATURES {
            return None;
        }
        // A pool of one month's features can be put together in one way only.
        let count = if pool.len() == FEATURES { 1 } else { count };
        let threshold = threshold();
        let mut rng = Rng::new(seed ^ 0x006d_6f6e_7468, scenario.stream());
        let months = months(pool, count, threshold, &mut rng);
        let mut months_by_alarms = BTreeMap::new();
        for month in &months {
            *months_by_alarms.entry(month.alarms).or_default() += 1;
        }
        let within = |month: &&Month| f64::from(month.alarms) <= ALARMS_PER_MONTH;
        let months_within = months.iter().filter(within).count();
        let alarmed = |feature: &FeatureMonth| !feature.alarms.is_empty();
        let share = threshold / FEATURES as f64;
        let above_share = pool.iter().filter(|f| alarmed(f) || f.peak() >= share);
        let alarms: Vec<Blame> = pool
            .iter()
            .flat_map(|feature| &feature.alarms)
            .map(|(_, blame)| *blame)
            .collect();
        let quality = alarms
            .iter()
            .filter(|blame| **blame == Blame::Quality)
            .count();
        let a_month = |alarms: usize| (alarms * FEATURES) as f64 / pool.len() as f64;
        let plain: Vec<f64> = pool
            .iter()
            .filter_map(|feature| feature.uncalibrated)
            .map(f64::from)
            .collect();
        let per_month = FEATURES as f64 / plain.len() as f64;
        Some(Self {
            scenario,
            pool: pool.len(),
            pool_seconds: pool.iter().map(|feature| feature.seconds).sum(),
            months: count,
            months_by_alarms,
            months_within,
            share_within_lower: clopper_pearson_lower(months_within as u64, count as u64),
            peaks: quantiles(
                months.iter().map(|month| month.peak).collect(),
                [0.5, 0.99, 1.0],
            ),
            features_alarmed: pool.iter().filter(|feature| alarmed(feature)).count(),
            features_above_share: above_share.count(),
            alarms_a_month: a_month(alarms.len()),
            quality_alarms_a_month: a_month(quality),
            alarms_a_month_uncalibrated: (!plain.is_empty())
                .then(|| plain.iter().sum::<f64>() * per_month),
            calibration: CalibrationSummary::new(pool),
            classical,
        })
    }
}

impl CalibrationSummary {
    fn new(pool: &[FeatureMonth]) -> Self {
        let mut seasons = BTreeMap::new();
        for feature in pool {
            *seasons
                .entry(feature.calibration.season.clone())
                .or_default() += 1;
        }
        let of = |value: fn(&FeatureMonth) -> f64| {
            quantiles(pool.iter().map(value).collect(), [0.5, 1.0])
        };
        Self {
            seasons,
            band: of(|feature| feature.calibration.band),
            dispersion: of(|feature| feature.calibration.dispersion),
        }
    }
}

fn quantiles<const N: usize>(mut values: Vec<f64>, at: [f64; N]) -> [f64; N] {
    values.sort_unstable_by(f64::total_cmp);
    at.map(|q| {
        let rank = (q * values.len() as f64).ceil() as usize;
        values.get(rank.max(1) - 1).copied().unwrap_or(0.0)
    })
}
