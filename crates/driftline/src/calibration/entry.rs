//! What goes into the file.

use std::collections::BTreeMap;

use driftline_detect::calibration::day_of;
use driftline_event::Season;
use driftline_sketch::{ColumnSummary, ReferenceProfile};

use super::collect::History;
use super::fit::{SliceFound, VersionFound};
use super::labels::LabelsReport;
use super::report::{ColumnReport, SegmentReport, StreamReport, VersionReport};
use super::{ColumnEntry, SegmentEntry, StreamEntry, VersionEntry, encode_slot};

impl VersionReport {
    /// What goes into the file.
    #[must_use]
    pub fn entry(
        &self,
        profile: &ReferenceProfile,
        histories: &BTreeMap<Option<String>, History>,
        found: &VersionFound,
    ) -> VersionEntry {
        let slots = |segment: &Option<String>| {
            let (slice, history) = (found.slices.get(segment)?, histories.get(segment)?);
            Some(slots(profile, history, slice, found.season))
        };
        let entry = |segment: &SegmentReport| {
            let entry = SegmentEntry {
                columns: columns_entry(&segment.columns),
                slots: slots(&Some(segment.segment.clone())).unwrap_or_default(),
            };
            (segment.segment.clone(), entry)
        };
        let plain = self.season == Season::None;
        VersionEntry {
            model: self.model.clone(),
            version: self.version.clone(),
            reference: self.reference.clone(),
            history: self.history.clone(),
            short: self.short,
            season: self.season,
            alarms: self.alarms.clone(),
            columns: columns_entry(&self.columns),
            slots: if plain {
                Vec::new()
            } else {
                slots(&None).unwrap_or_default()
            },
            segments: self.segments.iter().map(entry).collect(),
            labels: self.labels.as_ref().map(LabelsReport::entry),
        }
    }
}

/// Four decimals are a thousandth of what any decision rests on.
pub(super) fn round(x: f64) -> f64 {
    (x * 1e4).ceil() / 1e4
}

fn columns_entry(columns: &[ColumnReport]) -> Vec<ColumnEntry> {
    let stream = |stream: &StreamReport| StreamEntry {
        dispersion: round(stream.dispersion),
        band: round(stream.band),
        dropped: stream.dropped.clone(),
    };
    let entry = |column: &ColumnReport| ColumnEntry {
        column: column.column.clone(),
        role: column.role,
        shape: stream(&column.shape),
        quality: stream(&column.quality),
    };
    columns.iter().map(entry).collect()
}

/// The counts of each slot, without the days that a column had drifted on.
fn slots(
    profile: &ReferenceProfile,
    history: &History,
    slice: &SliceFound,
    season: Season,
) -> Vec<Option<String>> {
    let empty = || -> Vec<ColumnSummary> {
        profile
            .columns
            .iter()
            .map(|c| c.profile.empty_summary())
            .collect()
    };
    let mut slots: Vec<Vec<ColumnSummary>> = vec![empty(); season.slots()];
    for (column, sides) in slice.columns.iter().enumerate() {
        for (at, summary) in history.summaries(column, profile) {
            let day = day_of(at);
            if !sides
                .iter()
                .any(|found| found.chosen.dropped.contains(&day))
            {
                // A sum that leaves its range would say nothing: the slot then keeps what it has.
                let _ = slots[season.slot(at)][column].merge(&summary);
            }
        }
    }
    let is_empty = |slot: &[ColumnSummary]| slot.iter().all(ColumnSummary::is_empty);
    let text = |slot: Vec<ColumnSummary>| (!is_empty(&slot)).then(|| encode_slot(&slot, profile));
    slots.into_iter().map(text).collect()
}
