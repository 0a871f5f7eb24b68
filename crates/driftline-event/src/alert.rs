//! What an alert says.

use serde::{Deserialize, Serialize};

use crate::{Effect, Metric, SeriesKey, Statistic, Timestamp, WindowSpan};

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The distribution of an input moved.
    FeatureDrift,
    /// The distribution of the model's output moved.
    PredictionDrift,
    /// Missing, invalid, out-of-range or unseen values became more common.
    DataQuality,
    /// What is true for the same prediction changed: errors, or how scores and labels go together.
    ConceptDrift,
    /// The distribution of the labels moved.
    LabelDrift,
    /// A performance metric fell below what the baseline allows.
    Performance,
    /// Labels that should be there are not.
    LabelsLate,
}

impl AlertKind {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FeatureDrift => "feature_drift",
            Self::PredictionDrift => "prediction_drift",
            Self::DataQuality => "data_quality",
            Self::ConceptDrift => "concept_drift",
            Self::LabelDrift => "label_drift",
            Self::Performance => "performance",
            Self::LabelsLate => "labels_late",
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a ticket.
    Warning,
    /// Worth a page.
    Critical,
}

impl Severity {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Where an alert is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// The rule holds, but not for long enough. Not sent.
    Pending,
    /// The rule held for long enough.
    Firing,
    /// It stopped holding for long enough.
    Resolved,
}

impl AlertStatus {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// The statistic that made the rule hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which statistic.
    pub name: Statistic,
    /// Its value in the window.
    pub value: f64,
    /// The value at or above which the rule holds.
    pub threshold: f64,
    /// The p-value, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Valid values in the window.
    pub n: u64,
}

/// One step in the life of an alert, as it is written to the alerts topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertEvent {
    /// Unique to this step; the same step always has the same id.
    pub alert_id: String,
    /// The same for all steps of all alerts about the same thing.
    pub fingerprint: String,
    /// Firing or resolved.
    pub status: AlertStatus,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub kind: AlertKind,
    /// Which series.
    #[serde(flatten)]
    pub series: SeriesKey,
    /// The rule's name.
    pub rule: String,
    /// What made it hold.
    pub statistic: Evidence,
    /// The performance metric, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// The window of this step.
    pub window: WindowSpan,
    /// The reference's id.
    pub reference: String,
    /// The end of the first window in which the rule held.
    pub started_at: Timestamp,
    /// The end of the window of this step.
    pub evaluated_at: Timestamp,
    /// When it was resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Since when the values are different, where the rule can tell; at or before `started_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onset: Option<Timestamp>,
    /// How far what moved has moved, where the rule can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Shared by all alerts that one alarm of the model's false-alarm budget raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// One sentence for people.
    pub summary: String,
}
