//! What a calibration knows about labels: how much errors, calibration and labels vary from bucket to bucket.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CalibrationProblem, StreamCalibration};

/// The labels of one level of maturity.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LevelCalibration {
    /// The longest delay of its labels, one of [`crate::LabelSpec::mature_after`].
    pub after: Duration,
    /// Errors; none where history says nothing about them.
    pub error: Option<StreamCalibration>,
    /// What is true given the score.
    pub calibration: Option<StreamCalibration>,
    /// What is true.
    pub label: Option<StreamCalibration>,
}

/// What a run over history with its labels has found out about one version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelCalibration {
    /// The width of the buckets that were counted. It says nothing about buckets of another width.
    pub step: Duration,
    /// Days that it rests on.
    pub days: u32,
    /// Whether that was fewer than a calibration should have; the bands are then widened.
    pub short: bool,
    /// All events, by level.
    pub all: Vec<LevelCalibration>,
    /// By `field=value`, and by level.
    pub segments: BTreeMap<String, Vec<LevelCalibration>>,
}

impl LabelCalibration {
    /// What is known about a level of a segment, or of all events.
    pub fn level(&self, segment: Option<&str>, after: Duration) -> Option<&LevelCalibration> {
        let levels = match segment {
            None => Some(&self.all),
            Some(segment) => self.segments.get(segment),
        };
        levels?.iter().find(|level| level.after == after)
    }

    pub(super) fn problem(&self) -> Option<CalibrationProblem> {
        let levels = self.all.iter().chain(self.segments.values().flatten());
        let mut streams = levels
            .flat_map(|l| [l.error, l.calibration, l.label])
            .flatten();
        let fits = streams.all(StreamCalibration::is_usable);
        (!fits).then_some(CalibrationProblem::OutOfRange)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_found_by_its_age_and_numbers_must_be_usable() {
        let day = Duration::from_secs(86_400);
        let of = |band| LevelCalibration {
            after: day,
            error: Some(StreamCalibration {
                dispersion: 2.0,
                band,
            }),
            ..LevelCalibration::default()
        };
        let mut labels = LabelCalibration {
            all: vec![of(0.2)],
            segments: BTreeMap::from([("a=b".to_owned(), vec![of(0.3)])]),
            ..LabelCalibration::default()
        };
        assert_eq!(labels.level(None, day), Some(&of(0.2)));
        assert_eq!(labels.level(Some("a=b"), day), Some(&of(0.3)));
        assert_eq!(labels.level(Some("a=c"), day), None);
        assert_eq!(labels.level(None, 2 * day), None);
        assert_eq!(labels.problem(), None);
        labels.segments.insert("a=c".to_owned(), vec![of(-0.1)]);
        assert_eq!(labels.problem(), Some(CalibrationProblem::OutOfRange));
    }
}
