//! How labels are judged, for whoever calibrates that.

use std::sync::Arc;
use std::time::Duration;

use driftline_detect::bank::{BankOptions, Indicators, Tally};

use super::model::{LabelModel, Level};
use super::streams::{StreamKind, options};
use crate::calibration::StreamCalibration;
use crate::spec::ModelSpec;

/// The streams that the labels of a model version are judged by, level by level. Public so that a calibration measures
/// exactly what is judged.
#[derive(Clone, Debug)]
pub struct LabelStreams(LabelModel);

impl LabelStreams {
    /// None without labels or without a decision rule: then nothing is judged.
    pub fn new(spec: &Arc<ModelSpec>) -> Option<Self> {
        let model = LabelModel::new(spec)?;
        model.budget.is_some().then_some(Self(model))
    }

    /// The longest delay of each level's labels, ascending.
    pub fn levels(&self) -> Vec<Duration> {
        self.0.levels.iter().map(Level::age).collect()
    }

    /// The width of a bucket.
    pub fn step(&self) -> Duration {
        self.0.labels.step
    }

    /// What the streams of the bank are about, in the order of [`crate::JudgedBucket::tallies`]. The mean loss of a
    /// regression is not among them: it takes over what is found for errors.
    pub fn kinds(&self) -> Vec<StreamKind> {
        let streams = 0..self.0.streams.len();
        streams.map(|stream| self.0.streams.kind(stream)).collect()
    }

    /// What a stream counts; nothing of one that is not there.
    pub fn indicators(&self, stream: usize) -> Indicators {
        let found = self.0.streams.indicators(stream);
        found.cloned().unwrap_or_else(|| Indicators::rates(0))
    }

    /// What an indicator is about, in words.
    pub fn words(&self, stream: usize, indicator: usize) -> String {
        let place = (stream, indicator);
        self.0.streams.words(&self.0.profile, place)
    }

    /// What the reference's labels of a level say, by stream; none if it has no such labels. All events are compared with it,
    /// segments with their own first labels.
    pub fn reference(&self, level: usize) -> Option<Vec<Tally>> {
        let outcomes = self.0.reference_of(level)?;
        Some(self.0.streams.read(&self.0.profile, &outcomes))
    }

    /// How a stream is judged that history says this about.
    pub fn bank_options(&self, calibration: StreamCalibration) -> BankOptions {
        options(Some(calibration), self.threshold())
    }

    /// c: the weighted evidence at which there is an alarm.
    pub fn threshold(&self) -> f64 {
        let budget = self.0.budget.as_ref();
        budget.map_or(f64::MAX, |b| b.threshold)
    }

    /// The false alarms a month that labels may have.
    pub fn alarms_per_month(&self) -> f64 {
        let decision = self.0.spec.decision.as_ref();
        decision.map_or(0.0, |d| d.alarms_per_month * self.0.labels.budget_share)
    }

    /// The part of the labels' budget that a stream of a level has.
    pub fn weight(&self, is_segment: bool, stream: usize) -> f64 {
        self.0.weight(is_segment, stream)
    }
}
