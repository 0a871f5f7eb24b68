//! The outcomes of one series: all events of a model version, or one segment of them.

use std::collections::BTreeMap;

use driftline_detect::{AlertMachine, Phase, Reading};
use driftline_event::{SeriesState, Timestamp};
use driftline_sketch::{OutcomeSummary, ShapeMismatch};

use super::fold::{Change, OutcomeDelta};
use super::level::LevelState;
use super::model::LabelModel;
use super::packed::Packed;
use super::rules::Rules;
use super::windows::Windows;

/// A bucket with fewer predictions says nothing about whether labels are late.
const LATE_PREDICTIONS_MIN: u64 = 20;
/// Labels are no longer late once the coverage is this many times what it must be at least, or full.
const LATE_CLEAR_RATIO: f64 = 1.2;

/// The labels of one level in one bucket.
#[derive(Clone, Debug, Default)]
struct BucketLevel {
    labelled: u64,
    judged: u64,
    errors: u64,
    /// What is in them, until the level is judged.
    outcomes: Option<Packed>,
}

/// Predictions whose labels are not mature yet.
#[derive(Clone, Debug)]
struct Bucket {
    predicted: u64,
    levels: Vec<BucketLevel>,
}

/// What a bucket shows when one of its levels is judged.
#[derive(Clone, Debug)]
pub(crate) struct Matured {
    /// The start of the bucket.
    pub(crate) bucket: i64,
    /// The labels of this level alone.
    pub(crate) outcomes: OutcomeSummary,
    pub(crate) predicted: u64,
    /// Of this level and those before it.
    pub(crate) labelled: u64,
    pub(crate) judged: u64,
    pub(crate) errors: u64,
}

impl Matured {
    /// The part of the predictions that has a label; none without predictions.
    pub(crate) fn coverage(&self) -> Option<f64> {
        (self.predicted > 0).then(|| self.labelled as f64 / self.predicted as f64)
    }
}

/// Everything that is known of one series.
#[derive(Clone, Debug)]
pub(crate) struct OutcomeSeries {
    pub(crate) segment: Option<String>,
    buckets: BTreeMap<i64, Bucket>,
    pub(crate) levels: Vec<LevelState>,
    pub(crate) windows: Windows,
    pub(crate) late: AlertMachine,
    pub(crate) rules: Rules,
}

impl OutcomeSeries {
    pub(crate) fn new(model: &LabelModel, segment: Option<String>) -> Self {
        let levels = 0..model.levels.len();
        Self {
            buckets: BTreeMap::new(),
            levels: levels
                .map(|level| LevelState::new(model, level, segment.as_deref()))
                .collect(),
            windows: Windows::new(model),
            late: AlertMachine::default(),
            rules: Rules::new(model, segment.is_some()),
            segment,
        }
    }

    /// Takes in a delta of the tick that starts at `until`, where everything before has closed.
    ///
    /// # Errors
    /// When something is taken away that was not there.
    pub(crate) fn fold(
        &mut self,
        model: &LabelModel,
        delta: &OutcomeDelta,
        until: i64,
    ) -> Result<(), ShapeMismatch> {
        let windows = self.windows.fold(model, delta, until);
        let levels = model.levels.len();
        if model.matures_at(delta.bucket, levels.saturating_sub(1)) <= until {
            return windows;
        }
        let bucket = self.buckets.entry(delta.bucket).or_insert_with(|| Bucket {
            predicted: 0,
            levels: vec![BucketLevel::default(); levels],
        });
        let (level, outcomes, is_added) = match &delta.change {
            Change::Predicted(summary) => {
                bucket.predicted = bucket.predicted.saturating_add(summary.predicted());
                return windows;
            }
            Change::Add(level, outcomes) => (*level, outcomes, true),
            Change::Retract(level, outcomes) => (*level, outcomes, false),
        };
        // Labels that come after the last level only change performance.
        let Some(own) = bucket.levels.get_mut(level) else {
            return windows;
        };
        let is_judged = model.matures_at(delta.bucket, level) <= until;
        windows.and(own.fold(model, (outcomes, is_added), is_judged))
    }

    /// When something is due next, at the end of a tick after `until`.
    pub(crate) fn next_due(&self, model: &LabelModel, until: i64) -> Option<i64> {
        let levels = model.levels.iter().filter_map(|level| {
            let before = until.saturating_sub(model.step + level.after_steps);
            let (bucket, _) = self.buckets.range(before.saturating_add(1)..).next()?;
            Some(bucket + model.step + level.after_steps)
        });
        levels.chain(self.windows.next_due(model, until)).min()
    }

    /// The labels of a level whose time is over at `end`, if there is such a bucket.
    pub(crate) fn mature(&mut self, model: &LabelModel, level: usize, end: i64) -> Option<Matured> {
        let after = model.levels.get(level)?.after_steps;
        let start = end - after - model.step;
        let bucket = self.buckets.get_mut(&start)?;
        let outcomes = bucket.levels.get_mut(level)?.outcomes.take();
        let until = bucket.levels.get(..=level)?;
        let sum = |of: fn(&BucketLevel) -> u64| until.iter().map(of).sum();
        let matured = Matured {
            bucket: start,
            outcomes: match outcomes {
                Some(outcomes) => outcomes.unpack(&model.profile),
                None => OutcomeSummary::empty(&model.profile),
            },
            predicted: bucket.predicted,
            labelled: sum(|l| l.labelled),
            judged: sum(|l| l.judged),
            errors: sum(|l| l.errors),
        };
        if level + 1 == model.levels.len() {
            self.buckets.remove(&start);
        }
        Some(matured)
    }

    /// What a mature bucket says about missing labels; none if it has too few predictions.
    pub(crate) fn lateness(model: &LabelModel, matured: &Matured) -> Option<Reading> {
        let coverage = matured
            .coverage()
            .filter(|_| matured.predicted >= LATE_PREDICTIONS_MIN)?;
        let least = model.levels.last()?.coverage_min?;
        Some(if coverage < least {
            Reading::Holds
        } else if coverage >= (LATE_CLEAR_RATIO * least).min(1.0) {
            Reading::Clear
        } else {
            Reading::Between
        })
    }

    /// What a user sees of the series, given the labels of one window.
    pub(crate) fn state(&self, model: &LabelModel, labelled: u64) -> SeriesState {
        let levels = self.levels.iter().map(LevelState::says);
        let says = levels.fold((false, false, false), |a, b| {
            (a.0 | b.0, a.1 | b.1, a.2 | b.2)
        });
        let (is_firing, is_warning, has_stepped) = says;
        let (rule_fires, rule_warns) = self.rules.says();
        if is_firing || rule_fires {
            SeriesState::Drifted
        } else if self.late.phase() == Phase::Firing {
            SeriesState::LabelsLate
        } else if is_warning || rule_warns {
            SeriesState::Warning
        } else if labelled == 0 {
            SeriesState::NotEnoughData
        } else if !has_stepped && model.budget.is_some() {
            SeriesState::WarmingUp
        } else {
            SeriesState::Stable
        }
    }

    /// Whether nothing would be lost if the series were made anew when outcomes come.
    pub(crate) fn is_forgettable(&self, at: i64) -> bool {
        let at = Timestamp::from_micros(at);
        self.buckets.is_empty()
            && self.windows.is_empty()
            && self.late.is_idle(at)
            && self.rules.is_idle(at)
            && self.levels.iter().all(LevelState::is_idle)
    }

    /// How many buckets and windows it holds.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.buckets.len() + self.windows.len()
    }
}

impl BucketLevel {
    fn fold(
        &mut self,
        model: &LabelModel,
        (outcomes, is_added): (&OutcomeSummary, bool),
        is_judged: bool,
    ) -> Result<(), ShapeMismatch> {
        let counts = [outcomes.labelled(), outcomes.judged(), outcomes.errors()];
        let sums = [&mut self.labelled, &mut self.judged, &mut self.errors];
        for (sum, count) in sums.into_iter().zip(counts) {
            *sum = match is_added {
                true => sum.saturating_add(count),
                false => sum.saturating_sub(count),
            };
        }
        if is_judged {
            return Ok(());
        }
        let mut all: OutcomeSummary = match &self.outcomes {
            Some(packed) => packed.unpack(&model.profile),
            None => OutcomeSummary::empty(&model.profile),
        };
        match is_added {
            true => all.merge(outcomes)?,
            false => all.subtract(outcomes)?,
        }
        self.outcomes = (!all.is_empty()).then(|| Packed::of(&all));
        Ok(())
    }
}
