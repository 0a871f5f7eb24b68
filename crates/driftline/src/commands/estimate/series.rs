//! Estimates beside what they are judged by.

use std::ops::Range;

use driftline_event::Timestamp;
use driftline_stat::estimate::{Health, HealthReason, HealthState, SamplingError, Thresholds};

use crate::cli::EstimateTask;

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Estimation {
    pub(super) task: EstimateTask,
    /// Of bands and thresholds.
    pub(super) deviations: f64,
    /// Classes, and whether their scores are calibrated.
    pub(super) calibrated: Vec<(String, bool)>,
    /// Name and rows.
    pub(super) reference: (String, usize),
    /// Name and rows.
    pub(super) current: (String, usize),
    pub(super) series: Vec<Series>,
    pub(super) chunks: Vec<Chunk>,
}

/// One metric, and what the reference says of it.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) name: String,
    /// What its values cannot go beyond.
    pub(super) limits: (f64, f64),
    pub(super) sampling: Option<SamplingError>,
    pub(super) thresholds: Option<Thresholds>,
}

/// One chunk of the current file.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Where it stands among the rows.
    pub(super) place: Range<usize>,
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// Rows that have all that an estimate needs.
    pub(super) used: usize,
    /// By series.
    pub(super) values: Vec<Value>,
    pub(super) health: Option<Health>,
}

/// One metric of one chunk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Value {
    pub(super) estimate: Option<f64>,
    /// How far the labels' own chance moves the metric, if the probabilities are right.
    pub(super) deviation: Option<f64>,
    /// The sampling error to both sides.
    pub(super) band: Option<(f64, f64)>,
    pub(super) alert: bool,
    pub(super) realised: Option<f64>,
}

impl Chunk {
    pub(super) fn alert(&self) -> bool {
        self.values.iter().any(|value| value.alert)
    }
}

/// What a task found for a chunk, before it is judged.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) used: usize,
    /// Estimates with their deviation, by series.
    pub(super) estimates: Vec<(Option<f64>, Option<f64>)>,
    /// By series, where labels are known.
    pub(super) realised: Vec<Option<f64>>,
    pub(super) health: Option<Health>,
}

impl Series {
    /// A metric with the realised values of the reference's chunks.
    pub(super) fn new(
        name: String,
        limits: (f64, f64),
        sampling: Option<SamplingError>,
        realised: &[Option<f64>],
        deviations: f64,
    ) -> Self {
        let thresholds = Thresholds::of_chunks(realised, deviations, limits);
        Self {
            name,
            limits,
            sampling,
            thresholds,
        }
    }

    fn judge(&self, found: (Option<f64>, Option<f64>), used: usize, deviations: f64) -> Value {
        let (estimate, deviation) = found;
        let reach = self.sampling.map(|s| deviations * s.deviation(used as f64));
        let band = estimate.zip(reach).map(|(x, reach)| {
            (
                (x - reach).max(self.limits.0),
                (x + reach).min(self.limits.1),
            )
        });
        let alert = estimate
            .zip(self.thresholds)
            .is_some_and(|(x, t)| t.alert(x));
        Value {
            estimate,
            deviation,
            band,
            alert,
            realised: None,
        }
    }
}

/// Judges what was found for a chunk.
pub(super) fn judged(
    series: &[Series],
    found: Found,
    place: Range<usize>,
    span: Option<(Timestamp, Timestamp)>,
    deviations: f64,
) -> Chunk {
    let mut values: Vec<Value> = series
        .iter()
        .zip(&found.estimates)
        .map(|(series, estimate)| series.judge(*estimate, found.used, deviations))
        .collect();
    for (value, realised) in values.iter_mut().zip(&found.realised) {
        value.realised = *realised;
    }
    let mut health = found.health;
    let contradicted = |value: &Value| match (value.band, value.realised) {
        (Some((lower, upper)), Some(realised)) => realised < lower || realised > upper,
        _ => false,
    };
    if let Some(health) = health.as_mut().filter(|_| values.iter().any(contradicted)) {
        health.worsen(HealthState::Doubtful, HealthReason::LabelsDisagree);
    }
    Chunk {
        place,
        span,
        used: found.used,
        values,
        health,
    }
}
