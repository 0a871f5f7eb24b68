//! What was found about labels, for people and for programs.

use std::time::Duration;

use driftline_detect::bank::{arcsine, share};
use driftline_engine::{LabelStreams, StreamKind};
use driftline_event::Timestamp;
use serde::Serialize;

use super::{LabelHistory, LabelStream, LabelsFound};
use crate::calibration::AlarmsEntry;
use crate::calibration::report::{self, COLUMNS, Floor, StreamReport, expectation};
use crate::calibration::words::{count, minute, percent};
use crate::config::units::spell_duration;
use crate::terminal::{self, clean};

/// The findings on the labels of a version, as `--format json` prints them.
#[derive(Clone, Debug, Serialize)]
pub struct LabelsReport {
    /// The width of a bucket.
    pub step: String,
    /// The start of the first bucket.
    pub from: Timestamp,
    /// The end of the last.
    pub until: Timestamp,
    /// Days with labels.
    pub days: u32,
    /// Labels that were judged.
    pub labels: u64,
    /// Whether the history was short.
    pub short: bool,
    /// What months made of the history's days brought.
    pub alarms: Option<AlarmsEntry>,
    /// All events, by level.
    pub levels: Vec<LevelReport>,
    /// The segments, by level.
    pub segments: Vec<LevelReport>,
    /// Segments with too little history.
    pub segments_left_out: Vec<String>,
}

/// The findings on one level of maturity.
#[derive(Clone, Debug, Serialize)]
pub struct LevelReport {
    /// `field=value`; none for all events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// The longest delay of its labels.
    pub after: String,
    /// How often and where predictions are wrong, or how far.
    pub error: Option<StreamReport>,
    /// What is true given the score.
    pub calibration: Option<StreamReport>,
    /// What is true.
    pub label: Option<StreamReport>,
}

impl LevelReport {
    /// The streams that there are, with their names.
    pub(super) fn streams(&self) -> impl Iterator<Item = (StreamKind, &StreamReport)> {
        [
            (StreamKind::Error, &self.error),
            (StreamKind::Calibration, &self.calibration),
            (StreamKind::Label, &self.label),
        ]
        .into_iter()
        .filter_map(|(kind, stream)| Some((kind, stream.as_ref()?)))
    }
}

impl LabelsReport {
    /// The findings.
    #[must_use]
    pub fn new(streams: &LabelStreams, history: &LabelHistory, found: &LabelsFound) -> Self {
        let (from, last) = history.span().unwrap_or_default();
        let levels = levels(&found.streams);
        let (segments, levels): (Vec<_>, Vec<_>) =
            levels.into_iter().partition(|l| l.segment.is_some());
        let trial = found.trial.as_ref();
        Self {
            step: spell_duration(streams.step()),
            from,
            until: last.saturating_add(streams.step()),
            days: u32::try_from(history.days(None).len()).unwrap_or(u32::MAX),
            labels: history.labels(),
            short: found.short,
            alarms: trial.map(|outcome| AlarmsEntry::new(streams.alarms_per_month(), outcome)),
            levels,
            segments,
            segments_left_out: found.left_out.clone(),
        }
    }

    /// The findings for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "labels: {} days from {} to {}, {} labels in steps of {}\n\n",
            self.days,
            minute(self.from),
            minute(self.until),
            count(self.labels as f64),
            self.step
        );
        for level in self.levels.iter().chain(&self.segments) {
            text.push_str(&table(level));
            text.push('\n');
        }
        text.push_str(&expectation(self.alarms.as_ref()));
        for remark in self.remarks() {
            text.push_str(&format!("- {remark}\n"));
        }
        text
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.short {
            remarks.push(format!(
                "{} days with labels are fewer than 14: bands are widened, and nothing is held to less than h 0.1",
                self.days
            ));
        }
        for level in self.levels.iter().chain(&self.segments) {
            let segment = level.segment.as_deref();
            let place = segment.map_or_else(String::new, |s| format!(" [{}]", clean(s)));
            for (kind, stream) in level.streams() {
                let (name, after) = (kind.name(), &level.after);
                let all = stream.remarks("labels.step");
                remarks.extend(all.map(|r| format!("{name} within {after}{place}: {r}")));
            }
        }
        for segment in &self.segments_left_out {
            let name = clean(segment);
            remarks.push(format!(
                "{name}: too few days of labels; its tolerances stay wide"
            ));
        }
        remarks
    }
}

fn levels(streams: &[LabelStream]) -> Vec<LevelReport> {
    let mut levels: Vec<(&Option<String>, Duration, LevelReport)> = Vec::new();
    for stream in streams {
        let LabelStream { segment, after, .. } = stream;
        if levels.last().map(|l| (l.0, l.1)) != Some((segment, *after)) {
            let level = LevelReport {
                segment: segment.clone(),
                after: spell_duration(*after),
                error: None,
                calibration: None,
                label: None,
            };
            levels.push((segment, *after, level));
        }
        let Some((.., level)) = levels.last_mut() else {
            continue;
        };
        let report = StreamReport::new(&stream.found, floor(stream));
        match stream.kind {
            StreamKind::Error => level.error = Some(report),
            // Judged by what was found for errors.
            StreamKind::Loss => {}
            StreamKind::Calibration => level.calibration = Some(report),
            StreamKind::Label => level.label = Some(report),
        }
    }
    levels.into_iter().map(|(.., level)| level).collect()
}

/// Labels are waited for anyhow, so a change is told of that is seen within as many days.
const SOON_DAYS: f64 = 7.0;

/// The smallest change on a round scale that is seen within a week of labels, or at all.
fn floor(stream: &LabelStream) -> Option<Floor> {
    let (words, usual) = &stream.usual;
    let change = |_: f64, h: f64| {
        let away = if *usual > 0.5 { -h } else { h };
        let to = share(arcsine(*usual) + away);
        format!("{words}: {} → {}", percent(*usual), percent(to))
    };
    let floor = report::floor(&stream.found, (1.0, SOON_DAYS), change)?;
    let days = floor.seconds / 86_400.0;
    Some(Floor {
        // Of a stream of several parts a day has more labels than any part of it.
        events: days * stream.labels_per_day,
        ..floor
    })
}

fn table(level: &LevelReport) -> String {
    let segment = level.segment.as_ref();
    let title = segment.map_or_else(
        || format!("within {}", level.after),
        |s| format!("{} within {}", clean(s), level.after),
    );
    let mut rows = vec![
        std::iter::once(title)
            .chain(COLUMNS.map(str::to_owned))
            .collect(),
    ];
    rows.extend(
        level
            .streams()
            .map(|(kind, stream)| stream.row(kind.name().to_owned(), "labels")),
    );
    terminal::table(&rows, &[1, 2, 3, 5, 6])
}
