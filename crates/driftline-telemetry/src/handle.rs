//! Handles that a worker takes once and counts on per batch, and the closed sets they are labelled with.

use driftline_event::DropReason;
use prometheus::{IntCounter, IntCounterVec};

/// Which kind of input an event came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// What a model said.
    Prediction,
    /// What turned out to be true.
    Label,
}

impl Stream {
    /// Both streams.
    pub const ALL: &[Self] = &[Self::Prediction, Self::Label];

    /// The stable label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prediction => "prediction",
            Self::Label => "label",
        }
    }
}

/// A stage of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Reads events, writes partial counts.
    Observe,
    /// Decodes and counts labels.
    Labels,
    /// Joins predictions with labels.
    Join,
    /// Merges partial counts, closes windows, decides.
    Evaluate,
}

impl Stage {
    /// The stable label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Labels => "labels",
            Self::Join => "join",
            Self::Evaluate => "evaluate",
        }
    }
}

/// A counter whose labels are fixed.
#[derive(Clone, Debug)]
pub struct Counter(pub(crate) IntCounter);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.inc_by(n);
    }

    /// The count since the process started.
    pub fn value(&self) -> u64 {
        self.0.get()
    }
}

/// A counter for each [`DropReason`] that its family knows; all of them exist from the start, so a first
/// increase is seen.
#[derive(Clone, Debug)]
pub struct ReasonCounters {
    counters: Vec<(DropReason, IntCounter)>,
}

impl ReasonCounters {
    /// A handle on `family`, whose last label is one of the reasons `of` and whose others are `labels`.
    pub(crate) fn new(family: &IntCounterVec, labels: &[&str], of: &[DropReason]) -> Self {
        let counter = |reason: DropReason| {
            let mut values = labels.to_vec();
            values.push(reason.as_str());
            (reason, family.with_label_values(&values))
        };
        Self {
            counters: of.iter().copied().map(counter).collect(),
        }
    }

    /// Adds `n` under `reason`; nothing where the family does not know it.
    pub fn add(&self, reason: DropReason, n: u64) {
        if let Some((_, counter)) = self.counters.iter().find(|(r, _)| *r == reason) {
            counter.inc_by(n);
        }
    }

    /// The count under `reason` since the process started.
    pub fn value(&self, reason: DropReason) -> u64 {
        self.counters
            .iter()
            .find(|(r, _)| *r == reason)
            .map_or(0, |(_, counter)| counter.get())
    }
}
