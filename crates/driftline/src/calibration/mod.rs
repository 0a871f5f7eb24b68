//! The calibration file: what `driftline calibrate` writes and a configuration names.
//!
//! YAML with everything that people want to read as numbers, and the usual counts of each hour as base64 of their
//! canonical bytes. Whatever is read is checked against the version's reference: nothing in it is believed.

mod base64;
pub mod collect;
mod entry;
pub mod fit;
pub mod labels;
pub mod report;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use driftline_detect::calibration::Outcome;
use driftline_engine::{Calibration, ColumnCalibration, SliceCalibration, Slot, StreamCalibration};
use driftline_event::{ColumnRole, Season, Timestamp};
use driftline_sketch::{ColumnSummary, ReferenceProfile};
use serde::{Deserialize, Serialize};

use labels::LabelsEntry;

/// The format of the file.
pub const FORMAT: u32 = 1;

/// A file that is larger was not written by us.
const BYTES_MAX: u64 = 64 << 20;

/// The whole file: what was found for each version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationFile {
    /// [`FORMAT`].
    pub driftline_calibration: u32,
    /// A version each.
    pub versions: Vec<VersionEntry>,
}

/// What was found for one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionEntry {
    /// The model's id.
    pub model: String,
    /// The version's name.
    pub version: String,
    /// The id of the reference that the history was counted against.
    pub reference: String,
    /// The history.
    pub history: HistoryEntry,
    /// Whether the history was shorter than it should be, and bands are wider for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub short: bool,
    /// The cycle of the baselines.
    pub season: Season,
    /// What the history, reshuffled into months, would bring. Absent when that was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<AlarmsEntry>,
    /// In the order of the reference.
    pub columns: Vec<ColumnEntry>,
    /// The counts of each slot, base64; none with season `none`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<Option<String>>,
    /// By `field=value`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub segments: BTreeMap<String, SegmentEntry>,
    /// What the history's labels say; absent if it was calibrated without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelsEntry>,
}

/// The history of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryEntry {
    /// The start of its first pane.
    pub from: Timestamp,
    /// The end of its last.
    pub until: Timestamp,
    /// Days with events.
    pub days: u32,
    /// Events.
    pub events: u64,
}

/// Alarms in months made of the history's days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmsEntry {
    /// The version's budget for 30 days.
    pub budget: f64,
    /// How many months were made.
    pub months: usize,
    /// How many alarms were in them.
    pub alarms: u64,
    /// Alarms a month.
    pub per_month: f64,
    /// The ends of the 95 % interval of the same.
    pub interval: (f64, f64),
    /// Its one-sided 95 % upper limit.
    pub at_most: f64,
}

impl AlarmsEntry {
    fn new(budget: f64, outcome: &Outcome) -> Self {
        Self {
            budget,
            months: outcome.months,
            alarms: outcome.alarms,
            per_month: outcome.per_month(),
            interval: outcome.interval(),
            at_most: outcome.at_most(),
        }
    }
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnEntry {
    /// Its name.
    pub column: String,
    /// Feature or output.
    pub role: ColumnRole,
    /// The distribution of valid values.
    pub shape: StreamEntry,
    /// Missing, invalid, out-of-range and unseen values.
    pub quality: StreamEntry,
}

/// One stream of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamEntry {
    /// Pearson dispersion of the counts.
    pub dispersion: f64,
    /// Harmless wander, Cohen's h.
    pub band: f64,
    /// Days that had drifted and were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentEntry {
    /// In the order of the reference.
    pub columns: Vec<ColumnEntry>,
    /// The counts of each slot, base64.
    pub slots: Vec<Option<String>>,
}

const HEADER: &str = "\
# Written by `driftline calibrate`. Name it under models[].versions[].calibration.
# dispersion: how much more counts vary than those of independent events. band: how far shares wander without
# drift, Cohen's h. slots: what each hour usually looks like, in the bins of the reference. labels: the same for what
# labels show, by how long they took.
";

impl CalibrationFile {
    /// The file's text.
    ///
    /// # Errors
    /// When it cannot be written as YAML.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        serde_saphyr::to_string(self).map(|body| format!("{HEADER}{body}"))
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn from_yaml(text: &str) -> Result<Self, String> {
        let file: Self = serde_saphyr::from_str(text).map_err(|error| {
            let error = error.without_snippet().to_string();
            error.lines().next().unwrap_or("it is not YAML").to_owned()
        })?;
        match file.driftline_calibration {
            FORMAT => Ok(file),
            other => Err(format!(
                "it has format {other}, and this version reads {FORMAT}"
            )),
        }
    }

    /// The calibration of a version, if it can be used with this reference.
    ///
    /// # Errors
    /// A sentence that says why it cannot.
    pub fn calibration(
        &self,
        model: &str,
        version: &str,
        profile: &ReferenceProfile,
    ) -> Result<Calibration, String> {
        let entry = self
            .versions
            .iter()
            .find(|e| e.model == model && e.version == version)
            .ok_or_else(|| format!("it has no version `{version}` of model `{model}`"))?;
        let calibration = entry.to_calibration(profile)?;
        calibration
            .check(profile)
            .map_err(|problem| format!("{problem}; `driftline calibrate` makes it anew"))?;
        Ok(calibration)
    }
}

/// Reads the calibration of a version from the file at `path`.
///
/// # Errors
/// A sentence that says why it cannot be used with this reference.
pub fn read(
    path: &Path,
    model: &str,
    version: &str,
    profile: &ReferenceProfile,
) -> Result<Calibration, String> {
    let named = |problem: String| format!("the calibration {}: {problem}", path.display());
    let length = std::fs::metadata(path).map(|file| file.len());
    match length {
        Ok(..=BYTES_MAX) => {}
        Ok(length) => return Err(named(format!("{length} bytes are more than it can have"))),
        Err(error) => return Err(named(format!("it cannot be read: {error}"))),
    }
    let text =
        std::fs::read_to_string(path).map_err(|e| named(format!("it cannot be read: {e}")))?;
    CalibrationFile::from_yaml(&text)
        .and_then(|file| file.calibration(model, version, profile))
        .map_err(named)
}

impl VersionEntry {
    /// What the engine makes of it, the counts decoded in the bins of `profile`.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub fn to_calibration(&self, profile: &ReferenceProfile) -> Result<Calibration, String> {
        if self.reference != profile.id() {
            let (found, wanted) = (&self.reference, profile.id());
            return Err(format!(
                "it was made with the reference {found}, and the version has {wanted}"
            ));
        }
        let segment = |(name, entry): (&String, &SegmentEntry)| {
            slice(&entry.columns, &entry.slots, profile)
                .map(|slice| (name.clone(), slice))
                .map_err(|problem| format!("segment `{name}`: {problem}"))
        };
        Ok(Calibration {
            reference: self.reference.clone(),
            days: self.history.days,
            short: self.short,
            season: self.season,
            all: slice(&self.columns, &self.slots, profile)?,
            segments: self
                .segments
                .iter()
                .map(segment)
                .collect::<Result<_, _>>()?,
            labels: self
                .labels
                .as_ref()
                .map(LabelsEntry::to_calibration)
                .transpose()?,
        })
    }
}

fn slice(
    columns: &[ColumnEntry],
    slots: &[Option<String>],
    profile: &ReferenceProfile,
) -> Result<SliceCalibration, String> {
    let names = columns.iter().map(|c| (c.role, c.column.as_str()));
    let wanted = profile
        .columns
        .iter()
        .map(|c| (c.column.role, c.column.name.as_str()));
    if !names.eq(wanted) {
        return Err("its columns are not those of the reference".to_owned());
    }
    let stream = |entry: &StreamEntry| StreamCalibration {
        dispersion: entry.dispersion,
        band: entry.band,
    };
    let column = |entry: &ColumnEntry| ColumnCalibration {
        shape: stream(&entry.shape),
        quality: stream(&entry.quality),
    };
    let slot = |(i, text): (usize, &Option<String>)| {
        let decoded = text
            .as_ref()
            .map(|text| decode_slot(text, profile))
            .transpose();
        decoded.map_err(|problem| format!("slot {i}: {problem}"))
    };
    Ok(SliceCalibration {
        columns: columns.iter().map(column).collect(),
        slots: slots
            .iter()
            .enumerate()
            .map(slot)
            .collect::<Result<_, _>>()?,
    })
}

/// The text of a slot's counts. Texts that the reference has never seen are left out: a baseline does not need them.
#[must_use]
pub fn encode_slot(summaries: &[ColumnSummary], profile: &ReferenceProfile) -> String {
    let mut bytes = Vec::new();
    for (summary, column) in summaries.iter().zip(&profile.columns) {
        let mut summary = summary.clone();
        if let (ColumnSummary::Categorical(full), ColumnSummary::Categorical(empty)) =
            (&mut summary, column.profile.empty_summary())
        {
            full.sample = empty.sample;
        }
        summary.encode(&mut bytes);
    }
    base64::encode(&bytes)
}

fn decode_slot(text: &str, profile: &ReferenceProfile) -> Result<Slot, String> {
    let bytes = base64::decode(text).ok_or("its counts are not base64")?;
    let mut rest = bytes.as_slice();
    let mut summaries = Vec::with_capacity(profile.columns.len());
    for column in &profile.columns {
        let summary = ColumnSummary::decode(&mut rest, &column.profile)
            .map_err(|error| format!("column `{}`: {error}", column.column.name))?;
        summaries.push(summary);
    }
    if rest.is_empty() {
        Ok(summaries.into())
    } else {
        Err(format!("{} bytes follow the last column", rest.len()))
    }
}

#[cfg(test)]
mod tests;
