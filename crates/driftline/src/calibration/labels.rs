//! Labels: how much errors, calibration and labels vary from bucket to bucket, level by level of maturity.

mod entry;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use driftline_detect::bank::Tally;
use driftline_detect::calibration::{
    Bootstrap, BootstrapOptions, CalibrationOptions, HistoryPane, Outcome, calibrate_stream, day_of,
};
use driftline_engine::{JudgedBucket, LabelStreams, StreamCalibration, StreamKind};
use driftline_event::{Season, Timestamp};

use super::fit::{DAYS_MIN, Found, SHORT_TOLERANCE, widen};

pub use entry::{LabelStreamEntry, LabelsEntry, LevelEntry};
pub use report::{LabelsReport, LevelReport};

/// Days of a month of the trial.
const MONTH_DAYS: f64 = 30.0;

/// The judged buckets of one version, by segment and by the longest delay of their level.
#[derive(Clone, Debug, Default)]
pub struct LabelHistory {
    levels: BTreeMap<(Option<String>, Duration), Vec<JudgedBucket>>,
}

impl LabelHistory {
    /// Adds what was judged; buckets of a level come in the order of their times.
    pub fn push(&mut self, bucket: JudgedBucket) {
        let key = (bucket.segment.clone(), bucket.after);
        self.levels.entry(key).or_default().push(bucket);
    }

    /// Forgets what was before a day, as [`day_of`] counts it.
    pub fn keep_from(&mut self, first: i64) {
        for buckets in self.levels.values_mut() {
            buckets.retain(|bucket| day_of(bucket.start) >= first);
        }
    }

    fn of<'a>(&'a self, segment: Option<&str>) -> impl Iterator<Item = &'a JudgedBucket> {
        let own = self
            .levels
            .iter()
            .filter(move |((s, _), _)| s.as_deref() == segment);
        own.flat_map(|(_, buckets)| buckets)
    }

    /// The days of which labels of a segment, or of all events, were judged, ascending.
    #[must_use]
    pub fn days(&self, segment: Option<&str>) -> Vec<i64> {
        let mut days: Vec<i64> = self.of(segment).map(|b| day_of(b.start)).collect();
        days.sort_unstable();
        days.dedup();
        days
    }

    /// Labels of all levels of all events.
    #[must_use]
    pub fn labels(&self) -> u64 {
        self.of(None).map(|b| b.labels).sum()
    }

    /// The starts of the first and the last bucket.
    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let starts = || self.of(None).map(|b| b.start);
        Some((starts().min()?, starts().max()?))
    }

    fn segments(&self) -> Vec<Option<String>> {
        let mut segments: Vec<_> = self.levels.keys().map(|(s, _)| s.clone()).collect();
        segments.dedup();
        segments
    }
}

/// How the labels of a version are going to be judged.
#[derive(Clone, Copy, Debug)]
pub struct LabelPlan<'a> {
    /// What is watched.
    pub streams: &'a LabelStreams,
    /// Months of the trial; none leaves it out.
    pub months: usize,
    /// Seeds the choice of days.
    pub seed: u64,
}

/// One stream of one level of a series.
#[derive(Clone, Debug)]
pub struct LabelStream {
    /// `field=value` of the segment; none for all events.
    pub segment: Option<String>,
    /// The longest delay of the level.
    pub after: Duration,
    /// What it is about.
    pub kind: StreamKind,
    /// What was found.
    pub found: Found,
    /// Labels of a day.
    pub labels_per_day: f64,
    /// Its indicator that a change is told of, in words, and how often it usually happens.
    pub usual: (String, f64),
    panes: Vec<HistoryPane>,
}

/// Everything that was found for the labels of a version.
#[derive(Clone, Debug)]
pub struct LabelsFound {
    /// Whether the history is short.
    pub short: bool,
    /// By segment, all events first, then by level.
    pub streams: Vec<LabelStream>,
    /// Segments whose history is too short.
    pub left_out: Vec<String>,
    /// What came of the trial, if there was one.
    pub trial: Option<Outcome>,
}

/// Calibrates the labels of a version.
pub fn calibrate(plan: &LabelPlan<'_>, history: &LabelHistory) -> LabelsFound {
    let days = history.days(None);
    let short = days.len() < DAYS_MIN;
    let mut found = LabelsFound {
        short,
        streams: Vec::new(),
        left_out: Vec::new(),
        trial: None,
    };
    for segment in history.segments() {
        if !short && history.days(segment.as_deref()).len() < DAYS_MIN {
            found.left_out.extend(segment);
            continue;
        }
        for (level, after) in plan.streams.levels().into_iter().enumerate() {
            let Some(buckets) = history.levels.get(&(segment.clone(), after)) else {
                continue;
            };
            let place = (level, after, segment.as_deref());
            found.streams.extend(fit(plan, place, buckets));
        }
    }
    if short {
        let widening = (DAYS_MIN as f64 / days.len().max(1) as f64).sqrt();
        for stream in &mut found.streams {
            let band = stream.found.measured * widening;
            stream.found.set_band(band.max(SHORT_TOLERANCE));
        }
    }
    if plan.months > 0 {
        try_out(plan, &days, &mut found);
    }
    found
}

/// The streams of one level.
fn fit(
    plan: &LabelPlan<'_>,
    (level, after, segment): (usize, Duration, Option<&str>),
    buckets: &[JudgedBucket],
) -> Vec<LabelStream> {
    let streams = plan.streams;
    // Segments are compared with their own past, and so are all events if the reference has no such labels.
    let reference = streams.reference(level).filter(|_| segment.is_none());
    let labels: u64 = buckets.iter().map(|b| b.labels).sum();
    let mut days: Vec<i64> = buckets.iter().map(|b| day_of(b.start)).collect();
    days.dedup();
    let one = |(stream, kind): (usize, StreamKind)| {
        let pane = |bucket: &JudgedBucket| {
            Some(HistoryPane {
                start: bucket.start,
                tally: bucket.tallies.get(stream)?.clone(),
            })
        };
        let panes: Vec<HistoryPane> = buckets.iter().filter_map(pane).collect();
        let weight = streams.weight(segment.is_some(), stream);
        let options = CalibrationOptions {
            pane: streams.step(),
            bank: streams.bank_options(StreamCalibration::default()),
            seasons: vec![Season::None],
            threshold: streams.threshold() / weight.max(1e-12),
            ..CalibrationOptions::default()
        };
        let indicators = streams.indicators(stream);
        let reference = reference.as_ref().and_then(|all| all.get(stream));
        let fit = calibrate_stream(&panes, &indicators, reference, &options);
        let chosen = fit.season(Season::None)?.clone();
        let spoken = spoken(kind, chosen.baseline.first()?);
        Some(LabelStream {
            segment: segment.map(str::to_owned),
            after,
            kind,
            labels_per_day: labels as f64 / days.len().max(1) as f64,
            usual: (streams.words(stream, spoken.0), spoken.1),
            found: Found {
                indicators,
                measured: chosen.band,
                fit,
                chosen,
                options,
                weight,
            },
            panes,
        })
    };
    let kinds = streams.kinds().into_iter().enumerate();
    kinds.filter_map(one).collect()
}

/// The indicator that a change is told of: that of all labels, or of several parts of a whole the one nearest to one half.
fn spoken(kind: StreamKind, usual: &Tally) -> (usize, f64) {
    let share = |i: usize| {
        let (hits, trials) = usual.of(i);
        if trials > 0.0 { hits / trials } else { 0.0 }
    };
    let of_all = usual.trials.iter().all(|n| Some(n) == usual.trials.first());
    let first = match kind {
        StreamKind::Calibration => false,
        StreamKind::Error | StreamKind::Loss | StreamKind::Label => {
            !of_all || usual.trials.len() == 1
        }
    };
    let nearest = (0..usual.trials.len()).min_by(|a, b| {
        let distance = |i: usize| (share(i) - 0.5).abs();
        distance(*a).total_cmp(&distance(*b))
    });
    let indicator = nearest.filter(|_| !first).unwrap_or(0);
    (indicator, share(indicator))
}

/// Months made of the history's days; bands that are too narrow are widened until the labels' budget holds.
fn try_out(plan: &LabelPlan<'_>, days: &[i64], found: &mut LabelsFound) {
    // A bucket of several days is one draw.
    let draw = plan.streams.step().as_secs_f64() / 86_400.0;
    let options = BootstrapOptions {
        months: plan.months,
        days_per_month: (MONTH_DAYS / draw.max(1.0)).round().max(1.0) as usize,
        seed: plan.seed,
        ..BootstrapOptions::default()
    };
    let mut trial = Bootstrap::new(days, Season::None, plan.streams.threshold(), options);
    for (i, stream) in found.streams.iter().enumerate() {
        let lived = stream.live(&trial);
        trial.set(i, lived);
    }
    let budget = plan.streams.alarms_per_month();
    let outcome = widen(&mut trial, budget, |trial, i, _| {
        let stream = found.streams.get_mut(i)?;
        stream.found.widen();
        Some(stream.live(trial))
    });
    found.trial = Some(outcome);
}

impl LabelStream {
    /// What the stream lives through in the months of a trial.
    fn live(&self, trial: &Bootstrap) -> Vec<f32> {
        let Found {
            indicators,
            chosen,
            options,
            weight,
            ..
        } = &self.found;
        let banks = chosen.banks(indicators, chosen.dispersion, options);
        trial.live(&self.panes, |_| banks.first(), *weight, &chosen.dropped)
    }
}
