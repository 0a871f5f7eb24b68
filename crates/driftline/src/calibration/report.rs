//! What was found, for people and for programs.

use driftline_detect::bank::{arcsine, normal_shift, share};
use driftline_detect::calibration::events_to_see;
use driftline_event::{ColumnKind, ColumnRole, Season};
use driftline_sketch::ReferenceProfile;
use serde::Serialize;

use super::fit::{Found, Side, SliceFound, VersionFound};
use super::labels::LabelsReport;
use super::words::{count, date, minute, percent, span};
use super::{AlarmsEntry, HistoryEntry};
use crate::terminal::{self, clean};

/// Shifts of a mean that a floor is given for, in standard deviations.
const SHIFTS: [f64; 5] = [0.1, 0.25, 0.5, 1.0, 2.0];
/// Where a whole distribution moves, the median is about this part of the bound for one indicator.
const MEDIAN_SHARE: f64 = 0.6;
/// The share that a change of a category's or a rate's share is told for.
const SHAPE_SHARE: f64 = 0.1;
const QUALITY_SHARE: f64 = 0.001;
const DAY_SECONDS: f64 = 86_400.0;
/// What a table says about a stream, beside its name.
pub(super) const COLUMNS: [&str; 6] = [
    "bursts",
    "band",
    "tolerates",
    "sees",
    "after about",
    "that is",
];
/// Bands and offsets from here on are worth a remark: half of what Cohen calls a small difference to a medium one.
const WIDE: f64 = 0.3;
const FAR: f64 = 0.15;

/// The findings on one version, as `--format json` prints them.
#[derive(Clone, Debug, Serialize)]
pub struct VersionReport {
    /// The model's id.
    pub model: String,
    /// The version's name.
    pub version: String,
    /// The id of the reference.
    pub reference: String,
    /// The history.
    pub history: HistoryEntry,
    /// Whether it was short.
    pub short: bool,
    /// The season of the baselines.
    pub season: Season,
    /// What months made of the history's days brought.
    pub alarms: Option<AlarmsEntry>,
    /// Whether there were fewer of them than asked for, to save time.
    pub fewer_months: bool,
    /// All events.
    pub columns: Vec<ColumnReport>,
    /// The segments.
    pub segments: Vec<SegmentReport>,
    /// Segments with too little history.
    pub segments_left_out: Vec<String>,
    /// What the labels say, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelsReport>,
}

/// The findings on one segment.
#[derive(Clone, Debug, Serialize)]
pub struct SegmentReport {
    /// `field=value`.
    pub segment: String,
    /// Days with events.
    pub days: usize,
    /// Events.
    pub events: u64,
    /// Its columns.
    pub columns: Vec<ColumnReport>,
}

/// The findings on one column.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnReport {
    /// Its name.
    pub column: String,
    /// Feature or output.
    pub role: ColumnRole,
    /// How it is compared.
    pub kind: ColumnKind,
    /// The distribution of valid values.
    pub shape: StreamReport,
    /// Missing, invalid, out-of-range and unseen values.
    pub quality: StreamReport,
}

/// The findings on one stream.
#[derive(Clone, Debug, Serialize)]
pub struct StreamReport {
    /// Pearson dispersion of the counts.
    pub dispersion: f64,
    /// The band to use, Cohen's h.
    pub band: f64,
    /// The band as measured, before it was widened.
    pub band_measured: f64,
    /// What is tolerated with the reference's own error, Cohen's h.
    pub tolerance: f64,
    /// How far history is from the reference, Cohen's h.
    pub offset: f64,
    /// Days that had drifted and were left out.
    pub dropped: Vec<String>,
    /// Days that would have been, had they not been too many.
    pub suspect: Vec<String>,
    /// The smallest change on a round scale that is seen within a day or decision step, or at all.
    pub sees: Option<Floor>,
}

/// A change and what it takes to see it.
#[derive(Clone, Debug, Serialize)]
pub struct Floor {
    /// The change in words.
    pub change: String,
    /// The same as Cohen's h.
    pub h: f64,
    /// About so many events, at least those of a decision step.
    pub events: f64,
    /// About so long at the history's traffic.
    pub seconds: f64,
}

impl VersionReport {
    /// The findings on a version.
    #[must_use]
    pub fn new(
        profile: &ReferenceProfile,
        (model, version): (&str, &str),
        history: HistoryEntry,
        budget: f64,
        found: &VersionFound,
    ) -> Self {
        let columns = |slice: &SliceFound| {
            let pairs = profile.columns.iter().zip(&slice.columns);
            let column = pairs.map(|(column, [shape, quality])| ColumnReport {
                column: column.column.name.clone(),
                role: column.column.role,
                kind: column.column.kind,
                shape: stream(shape, Side::Shape, column.column.kind),
                quality: stream(quality, Side::Quality, column.column.kind),
            });
            column.collect()
        };
        let segment = |(name, slice): (&Option<String>, &SliceFound)| {
            Some(SegmentReport {
                segment: name.clone()?,
                days: slice.days,
                events: slice.events,
                columns: columns(slice),
            })
        };
        Self {
            model: model.to_owned(),
            version: version.to_owned(),
            reference: profile.id().to_owned(),
            history,
            short: found.short,
            season: found.season,
            alarms: found.trial.as_ref().map(|o| AlarmsEntry::new(budget, o)),
            fewer_months: found.fewer_months,
            columns: found.slices.get(&None).map(columns).unwrap_or_default(),
            segments: found.slices.iter().filter_map(segment).collect(),
            segments_left_out: found.left_out.clone(),
            labels: None,
        }
    }

    /// The findings for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.heading();
        text.push_str(&table(&self.columns));
        for segment in &self.segments {
            let (name, days) = (clean(&segment.segment), segment.days);
            let events = count(segment.events as f64);
            text.push_str(&format!("\n{name}: {events} events on {days} days\n"));
            text.push_str(&table(&segment.columns));
        }
        text.push('\n');
        text.push_str(&expectation(self.alarms.as_ref()));
        for remark in self.remarks() {
            text.push_str(&format!("- {remark}\n"));
        }
        if let Some(labels) = &self.labels {
            text.push('\n');
            text.push_str(&labels.text());
        }
        text
    }

    fn heading(&self) -> String {
        let HistoryEntry {
            from,
            until,
            days,
            events,
        } = &self.history;
        let compared = match self.season {
            Season::None => "all is compared with the reference as it is",
            Season::HourOfDay => "each hour is compared with the same hour of other days",
            Season::HourOfWeek => "each hour is compared with the same hour of other weeks",
        };
        format!(
            "{} {}: {days} days from {} to {}, {} events\nseason {}: {compared}\n\n",
            clean(&self.model),
            clean(&self.version),
            minute(*from),
            minute(*until),
            count(*events as f64),
            self.season.as_str(),
        )
    }

    /// What somebody should know, a sentence each.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.short {
            remarks.push(format!(
                "{} days are fewer than 14: bands are widened, and no shape is held to less than h 0.1",
                self.history.days
            ));
        }
        if self.fewer_months {
            remarks.push("fewer months were made than asked for, to save time".to_owned());
        }
        // The same remark about several columns is one remark.
        let mut about: Vec<(String, Vec<String>)> = Vec::new();
        let all = self.columns.iter().map(|c| (None, c));
        let cut = self.segments.iter();
        let cut = cut.flat_map(|s| s.columns.iter().map(move |c| (Some(&s.segment), c)));
        for (segment, column) in all.chain(cut) {
            let place = segment.map_or_else(String::new, |s| format!(" [{}]", clean(s)));
            for (side, stream) in [("", &column.shape), (" (quality)", &column.quality)] {
                let name = format!("{}{side}{place}", clean(&column.column));
                for remark in stream.remarks("decision.step") {
                    match about.iter_mut().find(|(known, _)| *known == remark) {
                        Some((_, names)) => names.push(name.clone()),
                        None => about.push((remark, vec![name.clone()])),
                    }
                }
            }
        }
        let sentence =
            |(remark, names): (String, Vec<String>)| format!("{}: {remark}", names.join(", "));
        remarks.extend(about.into_iter().map(sentence));
        for segment in &self.segments_left_out {
            let name = clean(segment);
            remarks.push(format!(
                "{name}: too few days of history; it is counted but not judged"
            ));
        }
        remarks
    }
}

/// What the trial says about alarms to expect.
pub(super) fn expectation(alarms: Option<&AlarmsEntry>) -> String {
    let Some(alarms) = alarms else {
        return "No trial was made, so nothing is said about alarms to expect.\n".to_owned();
    };
    let AlarmsEntry {
        budget,
        months,
        per_month,
        interval: (lower, upper),
        ..
    } = alarms;
    let kept = if alarms.at_most <= *budget || alarms.alarms == 0 {
        "within the budget"
    } else {
        "OVER the budget"
    };
    format!(
        "Expected false alarms: {per_month:.2} a month, 95 % interval {lower:.2} to {upper:.2}; {kept} of {budget}.\n\
         ({} in {months} months made of the history's days.)\n",
        alarms.alarms
    )
}

impl StreamReport {
    /// The findings on a stream, and the smallest change that it sees.
    pub(super) fn new(found: &Found, sees: Option<Floor>) -> Self {
        let dates = |days: &[i64]| days.iter().map(|day| date(*day)).collect();
        Self {
            dispersion: found.chosen.dispersion,
            band: found.chosen.band,
            band_measured: found.measured,
            tolerance: found.chosen.tolerance,
            offset: found.chosen.offset,
            dropped: dates(&found.chosen.dropped),
            suspect: dates(&found.chosen.suspect),
            sees,
        }
    }

    /// A line of the table; `events` is what is counted.
    pub(super) fn row(&self, name: String, events: &str) -> Vec<String> {
        let sees = self.sees.as_ref();
        let dash = || "–".to_owned();
        vec![
            name,
            format!("{:.2}×", self.dispersion),
            format!("{:.3}", self.band),
            format!("{:.3}", self.tolerance),
            sees.map_or_else(|| "nothing".to_owned(), |f| f.change.clone()),
            sees.map_or_else(dash, |f| format!("{} {events}", count(f.events))),
            sees.map_or_else(dash, |f| span(f.seconds)),
        ]
    }

    /// What somebody should know; `step` is the setting that averages more.
    pub(super) fn remarks(&self, step: &str) -> impl Iterator<Item = String> {
        let mut remarks = Vec::new();
        if !self.dropped.is_empty() {
            remarks.push(format!("drifted on {}, left out", self.dropped.join(", ")));
        }
        if !self.suspect.is_empty() {
            let (days, s) = (
                self.suspect.len(),
                if self.suspect.len() == 1 { "" } else { "s" },
            );
            remarks.push(format!(
                "unlike the others on {days} day{s}, too many or too close together to leave out, so the band is wide"
            ));
        }
        if self.band > 1.001 * self.band_measured.max(0.05) {
            let (measured, band) = (self.band_measured, self.band);
            remarks.push(format!("band widened from {measured:.3} to {band:.3}"));
        }
        if self.offset > FAR {
            let offset = self.offset;
            remarks.push(format!(
                "the whole history is {offset:.2} away from the reference; does the reference fit this traffic?"
            ));
        }
        if self.band > WIDE {
            remarks.push(format!(
                "only large shifts can be told from its wander; a longer {step} averages it"
            ));
        }
        remarks.into_iter()
    }
}

fn stream(found: &Found, side: Side, kind: ColumnKind) -> StreamReport {
    let (part, from) = match side {
        Side::Shape => (MEDIAN_SHARE, SHAPE_SHARE),
        Side::Quality => (1.0, QUALITY_SHARE),
    };
    let change = |shift: f64, h: f64| match (side, kind) {
        (Side::Shape, ColumnKind::Numeric) => format!("{shift} sd"),
        _ => {
            let to = share(arcsine(from) + h);
            format!("{} → {}", percent(from), percent(to))
        }
    };
    StreamReport::new(found, floor(found, (part, 1.0), change))
}

/// The smallest shift on a round scale that is seen within so many days or a step, or else the smallest that is seen at all. It
/// takes `part` of the bound for one indicator, and `change` says in words what it is.
pub(super) fn floor(
    found: &Found,
    (part, days): (f64, f64),
    change: impl Fn(f64, f64) -> String,
) -> Option<Floor> {
    let per_day = found.fit.events_per_day.max(1.0);
    // Nothing is seen before the step that it happens in has ended.
    let per_step = per_day * found.options.pane.as_secs_f64() / DAY_SECONDS;
    let of = |shift: f64| {
        let h = normal_shift(shift);
        let (tolerance, dispersion) = (found.chosen.tolerance, found.chosen.dispersion);
        let shifts = &found.options.bank.shifts;
        let bound = events_to_see(h, tolerance, dispersion, found.price(), shifts);
        let events = (part * bound).max(per_step);
        Floor {
            change: change(shift, h),
            h,
            events,
            seconds: events / per_day * DAY_SECONDS,
        }
    };
    let all = SHIFTS.map(of);
    let soon = all
        .iter()
        .find(|f| f.events <= (days * per_day).max(per_step));
    soon.or_else(|| all.iter().find(|f| f.events.is_finite()))
        .cloned()
}

fn table(columns: &[ColumnReport]) -> String {
    type Side = fn(&ColumnReport) -> &StreamReport;
    let sides: [(&str, Side); 2] = [
        ("distribution", |column| &column.shape),
        ("data quality", |column| &column.quality),
    ];
    let tables = sides.map(|(title, stream)| {
        let header = std::iter::once(title).chain(COLUMNS);
        let mut rows = vec![header.map(str::to_owned).collect()];
        for column in columns {
            let mut name = clean(&column.column);
            if column.role == ColumnRole::Output {
                name.push_str(" (output)");
            }
            rows.push(stream(column).row(name, "events"));
        }
        terminal::table(&rows, &[1, 2, 3, 5, 6])
    });
    tables.join("\n")
}
