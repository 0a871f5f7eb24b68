//! The newest performance reports, and the series that are made of them.

use std::sync::Arc;
use std::time::Instant;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use driftline_event::{MetricValue, PerformanceReport, SeriesState};

use crate::catalogue::{self as c, Metric};
use crate::label_value;

/// The metrics that are built here; a sample's metric is an index into them.
pub(crate) const METRICS: [Metric; 5] = [
    c::PERFORMANCE,
    c::PERFORMANCE_BASELINE,
    c::LABEL_COVERAGE,
    c::LABEL_DELAY,
    c::LABELS_LATE,
];
const PERFORMANCE: usize = 0;
const BASELINE: usize = 1;
const COVERAGE: usize = 2;
const DELAY: usize = 3;
const LATE: usize = 4;

/// A series' metric, label values and value.
pub(crate) type PerformanceSample = (usize, Vec<String>, f64);

/// What is known about the performance of one version, segment and window size.
#[derive(Clone, Debug, PartialEq)]
pub struct PerformanceView {
    /// The window that ended last.
    pub latest: Arc<PerformanceReport>,
    /// The last window whose labels have had their time, if there was one.
    pub mature: Option<Arc<PerformanceReport>>,
}

impl PerformanceView {
    /// The report that realised performance is read from: mature if there is one.
    pub fn realised(&self) -> &PerformanceReport {
        self.mature.as_deref().unwrap_or(&self.latest)
    }
}

/// Model, version, segment and window name.
type Key = (String, String, Option<String>, String);

#[derive(Debug)]
struct Held {
    view: PerformanceView,
    since: Instant,
}

/// The newest reports by version, segment and window name.
#[derive(Debug, Default)]
pub(crate) struct PerformanceReports {
    reports: DashMap<Key, Held>,
}

impl PerformanceReports {
    /// Takes a report; false when there is no room for another series.
    pub(crate) fn record(&self, report: PerformanceReport, now: Instant, max: usize) -> bool {
        let key = (
            report.model.clone(),
            report.version.clone(),
            report.segment.clone(),
            report.window.name.clone(),
        );
        let is_full = self.reports.len() >= max;
        let report = Arc::new(report);
        let mature = report.maturity.is_mature.then(|| Arc::clone(&report));
        match self.reports.entry(key) {
            Entry::Occupied(mut held) => held.get_mut().advance(report, mature, now),
            Entry::Vacant(_) if is_full => return false,
            Entry::Vacant(vacant) => {
                let view = PerformanceView {
                    latest: report,
                    mature,
                };
                vacant.insert(Held { view, since: now });
            }
        }
        true
    }

    /// Forgets what was last heard of before `expire_after`.
    pub(crate) fn expire(&self, now: Instant, expire_after: std::time::Duration) {
        self.reports
            .retain(|_, held| now.saturating_duration_since(held.since) < expire_after);
    }

    /// Everything, in the order of model, version, segment and window name.
    pub(crate) fn views(&self) -> Vec<PerformanceView> {
        let mut all: Vec<(Key, PerformanceView)> = self
            .reports
            .iter()
            .map(|held| (held.key().clone(), held.value().view.clone()))
            .collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all.into_iter().map(|(_, view)| view).collect()
    }
}

impl Held {
    /// Takes a newer report. One of an older window counts only as the newest that is mature.
    fn advance(
        &mut self,
        report: Arc<PerformanceReport>,
        mature: Option<Arc<PerformanceReport>>,
        now: Instant,
    ) {
        let is_newer = |than: &PerformanceReport| {
            (report.window.end, report.revision) >= (than.window.end, than.revision)
        };
        if self.view.mature.as_deref().is_none_or(is_newer) && mature.is_some() {
            self.view.mature = mature;
        }
        if is_newer(&self.view.latest) {
            self.view.latest = report;
        }
        self.since = now;
    }
}

/// The series of all versions, over all events, at most `max` of each model.
pub(crate) fn samples(views: &[PerformanceView], max: usize) -> Vec<PerformanceSample> {
    let mut samples: Vec<PerformanceSample> = Vec::new();
    let mut of_model = (String::new(), 0);
    for view in views.iter().filter(|v| v.latest.segment.is_none()) {
        if of_model.0 != view.latest.model {
            of_model = (view.latest.model.clone(), 0);
        }
        let new = of_view(view);
        let room = max.saturating_sub(of_model.1);
        of_model.1 += new.len();
        samples.extend(new.into_iter().take(room));
    }
    samples.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    // The baseline is the same for all windows of a version.
    samples.dedup_by(|a, b| (a.0, &a.1) == (b.0, &b.1));
    samples
}

fn of_view(view: &PerformanceView) -> Vec<PerformanceSample> {
    let (latest, realised) = (&*view.latest, view.realised());
    let version = [&latest.model, &latest.version].map(|l| label_value(l).into_owned());
    let window = label_value(&latest.window.name).into_owned();
    let labels = |more: &[&str]| {
        let more = more.iter().map(|l| (*l).to_owned());
        version.iter().cloned().chain(more).collect::<Vec<_>>()
    };
    // A class is a text of the data; those are in the reports.
    let overall = |values: &[MetricValue]| -> Vec<(&'static str, f64)> {
        let overall = values.iter().filter(|v| v.class.is_none());
        overall.map(|v| (v.metric.as_str(), v.value)).collect()
    };
    let mut samples = Vec::new();
    for (basis, values) in [
        ("realised", &realised.realised),
        ("estimated", &latest.estimated),
    ] {
        for (metric, value) in overall(values) {
            samples.push((PERFORMANCE, labels(&[metric, basis, &window]), value));
        }
    }
    for (metric, value) in overall(&latest.baseline) {
        samples.push((BASELINE, labels(&[metric]), value));
    }
    if let Some(coverage) = realised.maturity.coverage {
        samples.push((COVERAGE, labels(&[&window]), coverage));
    }
    let delays = [
        ("0.5", realised.maturity.delay_p50_seconds),
        ("0.95", realised.maturity.delay_p95_seconds),
    ];
    for (share, delay) in delays {
        if let Some(delay) = delay {
            samples.push((DELAY, labels(&[&window, share]), delay));
        }
    }
    let is_late = realised.state == SeriesState::LabelsLate;
    samples.push((LATE, labels(&[&window]), f64::from(u8::from(is_late))));
    samples
}

#[cfg(test)]
mod tests {
    use driftline_event::{Maturity, Task, Timestamp, WindowSpan};

    use super::*;

    fn report(day: i64, revision: u32, is_mature: bool) -> PerformanceReport {
        let day_at = |day: i64| Timestamp::from_seconds(day * 86_400);
        let value = |metric, value| MetricValue {
            metric,
            class: None,
            value,
            lower: 0.0,
            upper: 1.0,
            n: 10,
        };
        PerformanceReport {
            model: "m".into(),
            version: "1".into(),
            segment: None,
            task: Task::Binary,
            reference: "r".into(),
            window: WindowSpan {
                name: "1d".into(),
                start: day_at(day),
                end: day_at(day + 1),
                events: 10,
            },
            revision,
            evaluated_at: day_at(day + 2),
            maturity: Maturity {
                predicted: 10,
                labelled: 5,
                coverage: Some(0.5),
                is_mature,
                ..Maturity::default()
            },
            realised: vec![value(driftline_event::Metric::RocAuc, 0.1 * day as f64)],
            estimated: vec![value(driftline_event::Metric::RocAuc, 0.9)],
            baseline: vec![value(driftline_event::Metric::RocAuc, 0.8)],
            calibrated: false,
            state: SeriesState::LabelsLate,
        }
    }

    #[test]
    fn realised_performance_is_that_of_the_last_mature_window() {
        let reports = PerformanceReports::default();
        let now = Instant::now();
        for r in [
            report(1, 0, false),
            report(2, 0, false),
            report(1, 1, true),
            report(0, 1, true),
        ] {
            assert!(reports.record(r, now, 1));
        }
        let views = reports.views();
        assert_eq!(views.len(), 1);
        assert_eq!(
            views[0].latest.window.start,
            report(2, 0, false).window.start
        );
        assert_eq!(*views[0].realised(), report(1, 1, true));

        let samples = samples(&views, 100);
        let value = |metric: usize, label: &str| {
            let found = samples
                .iter()
                .find(|(m, labels, _)| *m == metric && labels.iter().any(|l| l == label));
            found.map(|(.., value)| *value)
        };
        assert_eq!(value(PERFORMANCE, "realised"), Some(0.1));
        assert_eq!(value(PERFORMANCE, "estimated"), Some(0.9));
        assert_eq!(value(BASELINE, "roc_auc"), Some(0.8));
        assert_eq!(value(COVERAGE, "1d"), Some(0.5));
        assert_eq!(value(LATE, "1d"), Some(1.0));
        assert_eq!(value(DELAY, "0.5"), None);
    }

    #[test]
    fn there_is_room_for_so_many_series_and_no_more() {
        let reports = PerformanceReports::default();
        let now = Instant::now();
        assert!(reports.record(report(1, 0, false), now, 1));
        let other = PerformanceReport {
            model: "other".into(),
            ..report(1, 0, false)
        };
        assert!(!reports.record(other, now, 1));
        assert_eq!(samples(&reports.views(), 2).len(), 2);
        reports.expire(now, std::time::Duration::ZERO);
        assert!(reports.views().is_empty());
    }
}
