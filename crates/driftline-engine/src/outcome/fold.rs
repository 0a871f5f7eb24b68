//! What labels have shown since the last tick that closed, waiting for its own tick to close.

use std::collections::BTreeMap;

use driftline_event::Timestamp;
use driftline_sketch::{DelayBucket, OutcomeSummary, PredictedSummary, ShapeMismatch};

use super::model::LabelModel;
use super::packed::{Packed, Summary};
use crate::partial::{OutcomeChange, RawOutcome};

/// The most sums of one model that wait for their tick; what goes beyond is refused.
const WAITING_MAX: usize = 262_144;

/// What a delta does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Predictions were made.
    Predicted(PredictedSummary),
    /// Labels came; their level of maturity.
    Add(usize, OutcomeSummary),
    /// Labels of this level no longer hold.
    Retract(usize, OutcomeSummary),
}

/// One delta of the joiner.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OutcomeDelta {
    pub(crate) segment: Option<String>,
    /// The start of the tick that it belongs to, in microseconds.
    pub(crate) arrival: i64,
    /// The start of the bucket of its predictions.
    pub(crate) bucket: i64,
    pub(crate) change: Change,
}

impl OutcomeDelta {
    /// Reads a delta of the batch; a sentence that says why not.
    pub(crate) fn read(raw: &RawOutcome<'_>, model: &LabelModel) -> Result<Self, String> {
        let profile = &model.profile;
        let mut body = raw.body;
        let change = match raw.change {
            OutcomeChange::Predicted => PredictedSummary::decode(&mut body, profile)
                .map(Change::Predicted)
                .map_err(|error| error.to_string())?,
            OutcomeChange::Add(delay) => {
                let summary = OutcomeSummary::decode(&mut body, profile);
                let summary = summary.map_err(|error| error.to_string())?;
                Change::Add(model.level(DelayBucket(delay)), summary)
            }
            OutcomeChange::Retract(delay) => {
                let summary = OutcomeSummary::decode(&mut body, profile);
                let summary = summary.map_err(|error| error.to_string())?;
                Change::Retract(model.level(DelayBucket(delay)), summary)
            }
        };
        if !body.is_empty() {
            return Err(format!("{} bytes follow the outcomes", body.len()));
        }
        Ok(Self {
            segment: raw.segment.map(str::to_owned),
            arrival: raw.arrival.as_micros(),
            bucket: raw.bucket.as_micros(),
            change,
        })
    }

    /// How many predictions or labels it is of.
    pub(crate) fn count(&self) -> u64 {
        match &self.change {
            Change::Predicted(summary) => summary.count(),
            Change::Add(_, summary) | Change::Retract(_, summary) => summary.count(),
        }
    }
}

/// What is summed up while it waits. Of one bucket the predictions come first, then what is added, then what is taken
/// away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Predicted,
    Add(usize),
    Retract(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    segment: Option<String>,
    bucket: i64,
    kind: Kind,
}

/// Deltas by tick, each kind of each bucket of each segment summed up: the order in which they came, and how they were
/// cut, makes no difference.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    ticks: BTreeMap<i64, BTreeMap<Key, Packed>>,
    len: usize,
}

/// Why a delta is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too many wait.
    Full,
    /// It does not fit what is there.
    Mismatch(ShapeMismatch),
}

impl Waiting {
    /// Adds a delta to its tick; one whose tick has closed belongs to the tick that starts at `until`.
    pub(crate) fn add(
        &mut self,
        delta: OutcomeDelta,
        until: i64,
        model: &LabelModel,
    ) -> Result<(), Refused> {
        let tick = delta.arrival.max(until);
        let kind = match &delta.change {
            Change::Predicted(_) => Kind::Predicted,
            Change::Add(level, _) => Kind::Add(*level),
            Change::Retract(level, _) => Kind::Retract(*level),
        };
        let key = Key {
            segment: delta.segment,
            bucket: delta.bucket,
            kind,
        };
        let profile = &model.profile;
        if let Some(waiting) = self.ticks.get_mut(&tick).and_then(|t| t.get_mut(&key)) {
            let merged = match &delta.change {
                Change::Predicted(summary) => waiting.merge(summary, profile),
                Change::Add(_, summary) | Change::Retract(_, summary) => {
                    waiting.merge(summary, profile)
                }
            };
            return merged.map_err(Refused::Mismatch);
        }
        if self.len >= WAITING_MAX {
            return Err(Refused::Full);
        }
        let packed = match &delta.change {
            Change::Predicted(summary) => Packed::of(summary),
            Change::Add(_, summary) | Change::Retract(_, summary) => Packed::of(summary),
        };
        self.ticks.entry(tick).or_default().insert(key, packed);
        self.len += 1;
        Ok(())
    }

    /// The start of the first tick that something waits in.
    pub(crate) fn first(&self) -> Option<i64> {
        self.ticks.first_key_value().map(|(tick, _)| *tick)
    }

    /// The start of the last one.
    pub(crate) fn last(&self) -> Option<i64> {
        self.ticks.last_key_value().map(|(tick, _)| *tick)
    }

    /// Hands over everything up to the tick that starts at `tick`, tick by tick, by segment and bucket.
    pub(crate) fn take(
        &mut self,
        tick: i64,
        model: &LabelModel,
    ) -> impl Iterator<Item = OutcomeDelta> {
        let later = self.ticks.split_off(&tick.saturating_add(1));
        let due = std::mem::replace(&mut self.ticks, later);
        self.len -= due.values().map(BTreeMap::len).sum::<usize>();
        let profile = &model.profile;
        let all = due
            .into_iter()
            .flat_map(|(arrival, waiting)| waiting.into_iter().map(move |(k, p)| (arrival, k, p)));
        all.map(move |(arrival, key, packed)| OutcomeDelta {
            segment: key.segment,
            arrival,
            bucket: key.bucket,
            change: match key.kind {
                Kind::Predicted => Change::Predicted(packed.unpack(profile)),
                Kind::Add(level) => Change::Add(level, packed.unpack(profile)),
                Kind::Retract(level) => Change::Retract(level, packed.unpack(profile)),
            },
        })
    }
}

/// What a delta is called in a violation.
pub(crate) fn words(delta: &OutcomeDelta) -> String {
    let what = match &delta.change {
        Change::Predicted(_) => "predictions",
        Change::Add(..) => "labels",
        Change::Retract(..) => "taken back labels",
    };
    let bucket = Timestamp::from_micros(delta.bucket);
    let segment = delta.segment.as_deref().unwrap_or("all events");
    format!("{} {what} of {segment} of {bucket}", delta.count())
}
