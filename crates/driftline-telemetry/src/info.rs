//! What is known of the monitored models, and what has been counted in all.

/// A model version that this process monitors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelInfo {
    /// The model's id.
    pub model: String,
    /// The version's name.
    pub version: String,
    /// The reference's id.
    pub reference: String,
    /// Where the reference came from.
    pub source: String,
    /// Events in the reference.
    pub reference_events: u64,
    /// What kind of model it is, such as `classification`; empty if unknown.
    pub task: String,
    /// The default decision rule, if it is on.
    pub decision: Option<DecisionInfo>,
}

/// How a model version's default decision rule is set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecisionInfo {
    /// The most false alarms to be expected in 30 days.
    pub alarms_per_month: f64,
    /// Days of history that tolerances and seasons were calibrated on; none without a calibration, which makes
    /// tolerances wider.
    pub calibrated_days: Option<u32>,
}

/// Sums over all models and partitions since the process started, for views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Predictions counted.
    pub predictions: u64,
    /// Labels counted.
    pub labels: u64,
    /// Events that did not count, late ones among them.
    pub rejected: u64,
    /// Messages written to the dead-letter topic.
    pub dead_letters: u64,
    /// Events that came after their pane had closed.
    pub late: u64,
    /// Invariants that did not hold.
    pub violations: u64,
    /// Records between the positions of this process and the ends of its partitions.
    pub lag_records: u64,
}
