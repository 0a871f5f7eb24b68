//! What the evaluator says.

use std::time::Duration;

use driftline_detect::bank::Tally;
use driftline_event::{AlertEvent, PerformanceReport, Timestamp, WindowReport};

use crate::invariants::Violation;

/// Everything that leaves an [`crate::Evaluator`].
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A window of a series closed.
    Report(WindowReport),
    /// A performance window closed, or its labels have come in further.
    Performance(PerformanceReport),
    /// An alert fired or was resolved.
    Alert(AlertEvent),
    /// An invariant did not hold.
    Violation(Violation),
    /// A pane closed; only with [`crate::EvaluatorOptions::emit_panes`].
    Pane(ClosedPane),
    /// The labels of a bucket were judged; only with [`crate::EvaluatorOptions::emit_judged`].
    Judged(JudgedBucket),
    /// A delta came for a pane that had closed, so it does not count.
    Late(LateDelta),
}

/// The final counts of one series in one pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedPane {
    /// The model's id.
    pub model: String,
    /// The version's name.
    pub version: String,
    /// `field=value` of the segment; none for all events.
    pub segment: Option<String>,
    /// The first instant of the pane.
    pub start: Timestamp,
    /// Events in it.
    pub rows: u64,
    /// The canonical bytes of the columns' summaries: equal counts have equal bytes.
    pub bytes: Vec<u8>,
}

/// What the labels of one level of maturity showed in one bucket of one series, when they were judged.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedBucket {
    /// The model's id.
    pub model: String,
    /// The version's name.
    pub version: String,
    /// `field=value` of the segment; none for all events.
    pub segment: Option<String>,
    /// The longest delay of the level's labels.
    pub after: Duration,
    /// The first instant of the bucket, by the time of the prediction.
    pub start: Timestamp,
    /// Its labels of this level.
    pub labels: u64,
    /// What was counted, in the order of [`crate::LabelStreams`].
    pub tallies: Vec<Tally>,
}

/// Events that an observer counted in time but the evaluator had stopped waiting for, because their source
/// partition had been idle or unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateDelta {
    /// The model's id.
    pub model: String,
    /// The version's name.
    pub version: String,
    /// `field=value` of the segment; none for all events.
    pub segment: Option<String>,
    /// The first instant of the pane.
    pub pane: Timestamp,
    /// How many events.
    pub rows: u64,
}
