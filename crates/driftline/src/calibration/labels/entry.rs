//! What the file says about labels.

use std::collections::BTreeMap;
use std::time::Duration;

use driftline_engine::{LabelCalibration, LevelCalibration, StreamCalibration};
use driftline_event::Timestamp;
use serde::{Deserialize, Serialize};

use super::report::{LabelsReport, LevelReport};
use crate::calibration::AlarmsEntry;
use crate::calibration::entry::round;
use crate::calibration::report::StreamReport;
use crate::calibration::words::span;
use crate::config::units::DurationText;

/// What was found for the labels of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelsEntry {
    /// The width of the buckets that were counted: `labels.step` of the configuration.
    pub step: String,
    /// The start of the first bucket.
    pub from: Timestamp,
    /// The end of the last.
    pub until: Timestamp,
    /// Days with labels.
    pub days: u32,
    /// Labels that were judged.
    pub labels: u64,
    /// Whether the history was shorter than it should be, and bands are wider for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub short: bool,
    /// What the history, reshuffled into months, would bring. Absent when that was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<AlarmsEntry>,
    /// All events, by level of maturity.
    pub levels: Vec<LevelEntry>,
    /// By `field=value`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segments: BTreeMap<String, Vec<LevelEntry>>,
}

/// One level of maturity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelEntry {
    /// The longest delay of its labels: one of `labels.mature_after` of the configuration.
    pub after: String,
    /// How often and where predictions are wrong, or how far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<LabelStreamEntry>,
    /// What is true given the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<LabelStreamEntry>,
    /// What is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<LabelStreamEntry>,
}

/// One stream of labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelStreamEntry {
    /// Pearson dispersion of the counts.
    pub dispersion: f64,
    /// Harmless wander, Cohen's h.
    pub band: f64,
    /// Days that had drifted and were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// The smallest change on a round scale that is seen; for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sees: Option<String>,
}

impl LabelsReport {
    /// What goes into the file.
    #[must_use]
    pub fn entry(&self) -> LabelsEntry {
        let mut segments: BTreeMap<String, Vec<LevelEntry>> = BTreeMap::new();
        for level in &self.segments {
            let segment = level.segment.clone().unwrap_or_default();
            segments.entry(segment).or_default().push(level.entry());
        }
        LabelsEntry {
            step: self.step.clone(),
            from: self.from,
            until: self.until,
            days: self.days,
            labels: self.labels,
            short: self.short,
            alarms: self.alarms.clone(),
            levels: self.levels.iter().map(LevelReport::entry).collect(),
            segments,
        }
    }
}

impl LevelReport {
    fn entry(&self) -> LevelEntry {
        let stream = |stream: &StreamReport| LabelStreamEntry {
            dispersion: round(stream.dispersion),
            band: round(stream.band),
            dropped: stream.dropped.clone(),
            sees: stream
                .sees
                .as_ref()
                .map(|f| format!("{} after about {}", f.change, span(f.seconds))),
        };
        LevelEntry {
            after: self.after.clone(),
            error: self.error.as_ref().map(stream),
            calibration: self.calibration.as_ref().map(stream),
            label: self.label.as_ref().map(stream),
        }
    }
}

impl LabelsEntry {
    /// What the engine makes of it.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub fn to_calibration(&self) -> Result<LabelCalibration, String> {
        let levels = |all: &[LevelEntry]| all.iter().map(LevelEntry::to_calibration).collect();
        let segment = |(name, all): (&String, &Vec<LevelEntry>)| {
            let levels: Result<_, String> = levels(all);
            Ok((name.clone(), levels?))
        };
        Ok(LabelCalibration {
            step: duration("step", &self.step)?,
            days: self.days,
            short: self.short,
            all: levels(&self.levels)?,
            segments: self
                .segments
                .iter()
                .map(segment)
                .collect::<Result<_, String>>()?,
        })
    }
}

impl LevelEntry {
    fn to_calibration(&self) -> Result<LevelCalibration, String> {
        let stream = |entry: &LabelStreamEntry| StreamCalibration {
            dispersion: entry.dispersion,
            band: entry.band,
        };
        Ok(LevelCalibration {
            after: duration("after", &self.after)?,
            error: self.error.as_ref().map(stream),
            calibration: self.calibration.as_ref().map(stream),
            label: self.label.as_ref().map(stream),
        })
    }
}

fn duration(name: &str, text: &str) -> Result<Duration, String> {
    DurationText(text.to_owned())
        .parse()
        .ok_or_else(|| format!("labels: {name}: `{text}` is no duration such as 1d or 6h"))
}
