//! What a calibration knows about a version's history: how bursty its traffic is, how far harmless wander
//! goes, and what each hour usually looks like.

mod labels;

use std::collections::BTreeMap;
use std::sync::Arc;

use driftline_event::{ColumnKind, Season, Timestamp};
use driftline_sketch::{ColumnSummary, ReferenceProfile};

pub use labels::{LabelCalibration, LevelCalibration};

/// The share of a summary that one stream of a column is judged by: its shape or its quality.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamCalibration {
    /// How much more the counts of a pane vary than those of independent events; 1 or more.
    pub dispersion: f64,
    /// How far the indicators harmlessly move from the baseline, Cohen's h; 0 or more. It takes the place of
    /// the configured tolerance where it is larger.
    pub band: f64,
}

impl Default for StreamCalibration {
    /// Independent events that never wander.
    fn default() -> Self {
        Self {
            dispersion: 1.0,
            band: 0.0,
        }
    }
}

impl StreamCalibration {
    fn is_usable(self) -> bool {
        let Self { dispersion, band } = self;
        dispersion.is_finite() && dispersion >= 1.0 && band.is_finite() && band >= 0.0
    }
}

/// Both streams of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ColumnCalibration {
    /// The distribution of valid values.
    pub shape: StreamCalibration,
    /// Missing, invalid, out-of-range and unseen values.
    pub quality: StreamCalibration,
}

/// The counts of every column, in the order of the reference's columns.
pub type Slot = Arc<[ColumnSummary]>;

/// What history says about all events of a version, or about one segment of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SliceCalibration {
    /// In the order of the reference's columns.
    pub columns: Vec<ColumnCalibration>,
    /// The baseline by slot of the season. Empty when the baseline is the version's reference. None where
    /// history has no events: whatever comes then has nothing to be compared with, and is not judged.
    pub slots: Vec<Option<Slot>>,
}

impl SliceCalibration {
    /// The baseline of the slot that `at` falls into; none when there is none or the reference itself is it.
    pub fn slot(&self, season: Season, at: Timestamp) -> Option<&Slot> {
        self.slots.get(season.slot(at))?.as_ref()
    }

    fn problem(&self, season: Season, profile: &ReferenceProfile) -> Option<CalibrationProblem> {
        let columns = profile.columns.len();
        if self.columns.len() != columns {
            return Some(CalibrationProblem::Columns {
                found: self.columns.len(),
                wanted: columns,
            });
        }
        let mut streams = self.columns.iter().flat_map(|c| [c.shape, c.quality]);
        if !streams.all(StreamCalibration::is_usable) {
            return Some(CalibrationProblem::OutOfRange);
        }
        if !self.slots.is_empty() && self.slots.len() != season.slots() {
            return Some(CalibrationProblem::Slots {
                found: self.slots.len(),
                wanted: season.slots(),
            });
        }
        let fits = |slot: &Slot| {
            let kinds = slot.iter().map(kind_and_cells);
            let wanted = profile.columns.iter();
            kinds.eq(wanted.map(|c| (c.profile.kind(), c.profile.cells())))
        };
        let shapes = self.slots.iter().flatten().all(fits);
        (!shapes).then_some(CalibrationProblem::Shape)
    }
}

fn kind_and_cells(summary: &ColumnSummary) -> (ColumnKind, usize) {
    match summary {
        ColumnSummary::Numeric(s) => (ColumnKind::Numeric, s.counts.len()),
        ColumnSummary::Categorical(s) => (ColumnKind::Categorical, s.counts.len()),
        ColumnSummary::Embedding(s) => (ColumnKind::Embedding, s.sums.len()),
    }
}

/// What a run over history has found out about one version.
///
/// Made by `driftline calibrate`. The reference stays that of the version: it fixes the bins, and with
/// [`Season::None`] it is the baseline of all events as well. A season's baselines are the history's counts, hour by
/// hour, in the same bins. A segment has no reference of its own, so its baseline is always its history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    /// The id of the reference whose bins the history was counted in.
    pub reference: String,
    /// Days of history that it rests on.
    pub days: u32,
    /// Whether that was fewer than a calibration should have; the bands are then widened.
    pub short: bool,
    /// The cycle that the baselines follow.
    pub season: Season,
    /// All events. No slots with [`Season::None`].
    pub all: SliceCalibration,
    /// By `field=value`; always with slots.
    pub segments: BTreeMap<String, SliceCalibration>,
    /// What the history's labels say; none if it was calibrated without them.
    pub labels: Option<LabelCalibration>,
}

impl Calibration {
    /// What is known about a segment, or about all events; none for a segment that history does not have, or
    /// has too little of.
    pub fn slice(&self, segment: Option<&str>) -> Option<&SliceCalibration> {
        match segment {
            None => Some(&self.all),
            Some(segment) => self.segments.get(segment),
        }
    }

    /// Checks that the calibration is one for this reference.
    ///
    /// # Errors
    /// When it is of another reference, or its columns, slots or numbers cannot be.
    pub fn check(&self, profile: &ReferenceProfile) -> Result<(), CalibrationProblem> {
        if self.reference != profile.id() {
            return Err(CalibrationProblem::Reference {
                found: self.reference.clone(),
                wanted: profile.id().to_owned(),
            });
        }
        let segments = self.segments.values();
        if segments.clone().any(|s| s.slots.is_empty()) {
            let wanted = self.season.slots();
            return Err(CalibrationProblem::Slots { found: 0, wanted });
        }
        let slices = std::iter::once(&self.all).chain(segments);
        let problem = slices
            .into_iter()
            .find_map(|s| s.problem(self.season, profile))
            .or_else(|| self.labels.as_ref().and_then(LabelCalibration::problem));
        problem.map_or(Ok(()), Err)
    }
}

/// Why a calibration cannot be used with a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalibrationProblem {
    /// It was made with another reference.
    #[error("it was made with the reference {found}, and the version has {wanted}")]
    Reference {
        /// The id in the calibration.
        found: String,
        /// The id of the version's reference.
        wanted: String,
    },
    /// It has another number of columns.
    #[error("it has {found} columns, and the reference has {wanted}")]
    Columns {
        /// Columns of the calibration.
        found: usize,
        /// Columns of the reference.
        wanted: usize,
    },
    /// It has another number of slots than its season.
    #[error("it has {found} slots, and its season has {wanted}")]
    Slots {
        /// Slots of the calibration.
        found: usize,
        /// Slots of the season.
        wanted: usize,
    },
    /// A slot's counts are not those of the reference's columns.
    #[error("the counts of a slot are not in the bins of the reference")]
    Shape,
    /// A dispersion below 1, a negative band, or no number.
    #[error("a dispersion is below 1, or a band below 0")]
    OutOfRange,
}

#[cfg(test)]
mod tests {
    use driftline_event::ColumnRole;
    use driftline_sketch::{ProfileOptions, ReferenceBuilder};

    use super::*;

    fn profile() -> ReferenceProfile {
        let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
        let values = (0..100).map(f64::from).collect();
        builder.numeric("x", ColumnRole::Feature, values).unwrap();
        builder.build().unwrap()
    }

    fn calibration(profile: &ReferenceProfile) -> Calibration {
        let counts: Vec<_> = profile
            .columns
            .iter()
            .map(|c| c.profile.reference())
            .collect();
        let mut slots = vec![Some(counts.into()); 24];
        slots[3] = None;
        Calibration {
            reference: profile.id().to_owned(),
            days: 14,
            season: Season::HourOfDay,
            all: SliceCalibration {
                columns: vec![ColumnCalibration::default()],
                slots,
            },
            ..Default::default()
        }
    }

    #[test]
    fn a_slot_is_found_by_the_time_of_day() {
        let profile = profile();
        let calibration = calibration(&profile);
        assert_eq!(calibration.check(&profile), Ok(()));
        let all = calibration.slice(None).unwrap();
        let at = |hour: i64| Timestamp::from_seconds(3_600 * hour);
        assert!(all.slot(calibration.season, at(26)).is_some());
        assert!(all.slot(calibration.season, at(27)).is_none());
        assert!(calibration.slice(Some("carrier=UA")).is_none());
    }

    #[test]
    fn what_does_not_fit_the_reference_is_refused() {
        type Spoil = fn(&mut Calibration);
        let profile = profile();
        let cases: [(Spoil, &str); 6] = [
            (|c| c.reference.push('0'), "it was made with the reference"),
            (|c| c.all.columns.clear(), "it has 0 columns"),
            (|c| c.season = Season::HourOfWeek, "it has 24 slots"),
            (
                |c| c.all.slots[0] = Some(Arc::new([])),
                "the counts of a slot",
            ),
            (
                |c| c.all.columns[0].shape.band = f64::NAN,
                "a dispersion is below 1",
            ),
            (
                |c| drop(c.segments.insert("a=b".into(), SliceCalibration::default())),
                "it has 0 slots",
            ),
        ];
        for (spoil, message) in cases {
            let mut calibration = calibration(&profile);
            spoil(&mut calibration);
            let problem = calibration.check(&profile).unwrap_err().to_string();
            assert!(problem.starts_with(message), "{problem}");
        }
    }
}
