//! What all series of one model version's outcomes share.

use std::sync::Arc;
use std::time::Duration;

use driftline_detect::bank::{self, Bank};
use driftline_detect::bounded_loss::BoundedLoss;
use driftline_event::MetricValue;
use driftline_sketch::{
    DELAY_EDGES, DelayBucket, OutcomeProfile, OutcomeReference, OutcomeSummary,
};
use driftline_stat::performance::performance;

use super::spec::LabelSpec;
use super::streams::{StreamKind, Streams};
use crate::baseline::short;
use crate::calibration::LevelCalibration;
use crate::counting::span_micros;
use crate::spec::ModelSpec;

/// The part of the budget that all events have where there are segments, as it is for columns.
const ALL_EVENTS_SHARE: f64 = 0.5;

/// The banks of all streams of one level against one reference.
pub(crate) type LevelBanks = Arc<[Bank]>;

/// Labels that came within a range of delays, judged at its end.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    /// The longest delay, in microseconds.
    pub(crate) after: i64,
    /// How long after the end of a bucket it is judged: the same in whole steps.
    pub(crate) after_steps: i64,
    /// The name where a window's is due.
    pub(crate) name: String,
    /// Buckets with less of their predictions labelled by then are not judged.
    pub(crate) coverage_min: Option<f64>,
    /// None if the reference has no such labels: then a series' own first ones are its reference.
    pub(crate) banks: Option<LevelBanks>,
    /// The same for the mean loss of a regression.
    pub(crate) loss: Option<Arc<BoundedLoss>>,
}

impl Level {
    /// The longest delay of its labels.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_micros(self.after.unsigned_abs())
    }
}

/// The labels' part of the model's budget.
#[derive(Clone, Debug)]
pub(crate) struct LabelBudget {
    /// c: the weighted evidence at which there is an alarm.
    pub(crate) threshold: f64,
    pub(crate) clear_evidence: f64,
    /// The parts that all events have, and that each segment has.
    shares: (f64, f64),
}

/// A model version with what its outcomes are judged by.
#[derive(Clone, Debug)]
pub(crate) struct LabelModel {
    pub(crate) spec: Arc<ModelSpec>,
    pub(crate) labels: LabelSpec,
    pub(crate) profile: OutcomeProfile,
    /// The width of buckets and ticks, in microseconds.
    pub(crate) step: i64,
    /// How long after the end of a bucket its labels can change, in microseconds.
    pub(crate) keep: i64,
    pub(crate) levels: Vec<Level>,
    pub(crate) streams: Streams,
    /// None without a budget of the model: then the bank does not judge.
    pub(crate) budget: Option<LabelBudget>,
    /// The reference's own performance; empty without labels.
    pub(crate) baseline: Vec<MetricValue>,
}

impl LabelModel {
    /// None if labels are not asked for, or the reference does not know what they are.
    pub(crate) fn new(spec: &Arc<ModelSpec>) -> Option<Self> {
        let labels = spec.labels.clone()?;
        let profile = spec.profile.outcome()?.clone();
        let step = span_micros(labels.step).max(1);
        let ttl = span_micros(labels.ttl);
        let reference = profile.reference();
        let baseline = match reference.all().is_empty() {
            true => Vec::new(),
            false => performance(&profile, &reference.all(), &labels.performance),
        };
        let mut built = Self {
            // The join lets predictions expire in sixteenths of their time to live.
            keep: ceil_to(ttl.saturating_add(ttl / 16), step).saturating_add(step),
            levels: levels(&labels, reference),
            streams: Streams::new(&profile, labels.performance.ndcg_k),
            budget: budget(spec, &labels),
            spec: Arc::clone(spec),
            baseline,
            labels,
            profile,
            step,
        };
        built.refer();
        Some(built)
    }

    /// Makes the banks of the reference, for the levels that it has labels of.
    fn refer(&mut self) {
        for level in 0..self.levels.len() {
            let Some(outcomes) = self.reference_of(level) else {
                continue;
            };
            let banks = self.banks_of(level, None, &outcomes);
            let loss = self.loss_of(level, None, &outcomes);
            if let Some(level) = self.levels.get_mut(level) {
                level.banks = banks;
                level.loss = loss;
            }
        }
    }

    /// The reference's labels of the delays of a level, if it has any.
    pub(crate) fn reference_of(&self, level: usize) -> Option<OutcomeSummary> {
        let reference = self.profile.reference();
        let after = self.levels.get(level)?.after;
        let before = level.checked_sub(1).and_then(|i| self.levels.get(i));
        let within = before.map_or(0, |l| l.after);
        let outcomes = reference.of(|delay| {
            let is_before = within > 0 && delay.is_within(within);
            !reference.has_delays() || (delay.is_within(after) && !is_before)
        });
        (!outcomes.is_empty()).then_some(outcomes)
    }

    /// The banks of a level of a segment, or of all events, against these labels; none without a budget.
    pub(crate) fn banks_of(
        &self,
        level: usize,
        segment: Option<&str>,
        against: &OutcomeSummary,
    ) -> Option<LevelBanks> {
        let horizon = self.budget.as_ref()?.threshold;
        let calibration = self.calibration(level, segment);
        let banks = self
            .streams
            .banks(&self.profile, against, (calibration, horizon));
        Some(banks.into())
    }

    /// The test of the mean loss of a level of a segment, or of all events, against these labels; none without a budget or
    /// for another task.
    pub(crate) fn loss_of(
        &self,
        level: usize,
        segment: Option<&str>,
        against: &OutcomeSummary,
    ) -> Option<Arc<BoundedLoss>> {
        let horizon = self.budget.as_ref()?.threshold;
        let calibration = StreamKind::Loss.of(self.calibration(level, segment));
        let loss = self.streams.loss()?;
        let test = loss.test(&self.profile, against, (calibration, horizon));
        Some(Arc::new(test))
    }

    /// What history says about a level of a segment, or of all events.
    fn calibration(&self, level: usize, segment: Option<&str>) -> Option<LevelCalibration> {
        let calibration = self.spec.decision.as_ref()?.calibration.as_ref()?;
        let labels = calibration.labels.as_ref()?;
        let fits = labels.step == self.labels.step;
        labels
            .level(segment, self.levels.get(level)?.age())
            .filter(|_| fits)
            .copied()
    }

    /// Whether history says something about every level of a segment, or of all events.
    pub(crate) fn is_calibrated(&self, segment: Option<&str>) -> bool {
        (0..self.levels.len()).all(|level| self.calibration(level, segment).is_some())
    }

    /// The level that a label of this delay is judged at; one more than the last for a label that comes too late.
    pub(crate) fn level(&self, delay: DelayBucket) -> usize {
        if delay == DelayBucket::UNKNOWN {
            return self.levels.len().saturating_sub(1);
        }
        let levels = self.levels.iter();
        levels.take_while(|l| !delay.is_within(l.after)).count()
    }

    /// Whether all events are compared with the reference at a level, not with their own first labels.
    pub(crate) fn has_reference(&self, level: usize) -> bool {
        self.levels.get(level).is_some_and(|l| l.banks.is_some())
    }

    /// When a level of a bucket is judged.
    pub(crate) fn matures_at(&self, bucket: i64, level: usize) -> i64 {
        let after = self.levels.get(level).map_or(0, |l| l.after_steps);
        bucket.saturating_add(self.step).saturating_add(after)
    }

    /// The part of the labels' budget that a stream has. All parts add up to one.
    pub(crate) fn weight(&self, is_segment: bool, stream: usize) -> f64 {
        let shares = self.budget.as_ref().map_or((0.0, 0.0), |b| b.shares);
        let share = if is_segment { shares.1 } else { shares.0 };
        share / self.levels.len().max(1) as f64 * self.streams.weight(stream)
    }

    /// The share of predictions of `[start, end)` that the reference would have a label of at `at`.
    pub(crate) fn expected_coverage(&self, (start, end): (i64, i64), at: i64) -> Option<f64> {
        const POINTS: i64 = 64;
        let reference = self.profile.reference();
        if !reference.has_delays() {
            return None;
        }
        let width = (end - start).max(0);
        let mut sum = 0.0;
        for point in 0..POINTS {
            let made = start + width / POINTS * point + width / POINTS / 2;
            sum += coverage_at(reference, at.saturating_sub(made))?;
        }
        Some(sum / POINTS as f64)
    }
}

/// The coverage of the reference at an age, linear between the edges of the delay buckets.
fn coverage_at(reference: &OutcomeReference, age: i64) -> Option<f64> {
    let next = DELAY_EDGES.partition_point(|edge| *edge <= age);
    let edge = |i: usize| DELAY_EDGES.get(i).copied();
    let (low, from) = match next.checked_sub(1).and_then(edge) {
        Some(edge) => (reference.coverage_within(edge)?, edge),
        None => (0.0, 0),
    };
    let Some(to) = edge(next) else {
        return Some(low);
    };
    let high = reference.coverage_within(to)?;
    let way = (age.max(0) - from) as f64 / (to - from).max(1) as f64;
    Some(low + (high - low) * way)
}

fn levels(labels: &LabelSpec, reference: &OutcomeReference) -> Vec<Level> {
    let step = span_micros(labels.step);
    let has_delays = reference.has_delays();
    let has_labels = !reference.outcomes().is_empty();
    let last = labels.mature_after.last().copied().unwrap_or_default();
    let last_expected = match has_delays {
        true => reference.coverage_within(span_micros(last)),
        false => reference.coverage().filter(|_| has_labels),
    };
    let usual = last_expected.map(|coverage| 0.5 * coverage);
    let last_min = labels.coverage_min.or(usual);
    let last_min = last_min.unwrap_or(LabelSpec::COVERAGE_MIN);
    let all = &labels.mature_after;
    // Labels of all ages together can only be compared with labels of all ages.
    let judged = match has_labels && !has_delays {
        true => &all[all.len().saturating_sub(1)..],
        false => &all[..],
    };
    let level = |after: &Duration| {
        let is_last = *after == last;
        let expected = match is_last {
            true => last_expected,
            false => reference.coverage_within(span_micros(*after)),
        };
        let part = || Some(last_min * expected? / last_expected.filter(|c| *c > 0.0)?);
        Level {
            after: span_micros(*after),
            after_steps: ceil_to(span_micros(*after), step),
            name: format!("bank_{}", short(*after)),
            coverage_min: if is_last { Some(last_min) } else { part() },
            banks: None,
            loss: None,
        }
    };
    judged.iter().map(level).collect()
}

fn budget(spec: &ModelSpec, labels: &LabelSpec) -> Option<LabelBudget> {
    let decision = spec.decision.as_ref()?;
    let alarms = decision.alarms_per_month * labels.budget_share;
    let slots = spec.segments.len() as f64 * (spec.segments_max as f64 + 1.0);
    let shares = match spec.segments.is_empty() {
        true => (1.0, 0.0),
        false => (ALL_EVENTS_SHARE, (1.0 - ALL_EVENTS_SHARE) / slots),
    };
    Some(LabelBudget {
        threshold: bank::threshold(alarms, labels.step),
        clear_evidence: decision.clear_evidence,
        shares,
    })
}

/// The smallest multiple of `step` that is not before `at`.
pub(crate) fn ceil_to(at: i64, step: i64) -> i64 {
    let floor = at.div_euclid(step) * step;
    if floor == at {
        at
    } else {
        floor.saturating_add(step)
    }
}
