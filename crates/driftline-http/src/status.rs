//! The JSON of the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use driftline_event::{
    AlertEvent, Maturity, MetricValue, PerformanceReport, SeriesState, Task, Timestamp,
    WindowReport, WindowSpan,
};
use driftline_telemetry::{PerformanceView, SeriesView, Telemetry};
use serde::{Serialize, Serializer};

use crate::routes::Filter;

/// Reports in one answer; a filter brings the others.
const REPORTS_MAX: usize = 5_000;
/// Metrics in one answer of performance reports, which have some of each class.
const VALUES_MAX: usize = 50_000;

/// `/api/v1/status`.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    models: Vec<Model>,
    /// What labels say, over all events.
    performance: Vec<Performance>,
    alerts_active: Vec<AlertEvent>,
    alerts_recent: Vec<AlertEvent>,
}

#[derive(Debug, Serialize)]
struct Model {
    model: String,
    version: String,
    reference: String,
    /// The worst state of its series.
    state: SeriesState,
    /// Series without segments by state.
    series: BTreeMap<&'static str, u64>,
    /// End of the newest closed window.
    window_end: Option<Timestamp>,
    alerts_active: usize,
}

/// The higher, the more it asks for attention.
pub(crate) const fn urgency(state: SeriesState) -> u8 {
    match state {
        SeriesState::Drifted => 5,
        SeriesState::Warning => 4,
        SeriesState::Stale => 3,
        SeriesState::LabelsLate => 3,
        SeriesState::NotEnoughData => 2,
        SeriesState::WarmingUp => 1,
        SeriesState::Stable => 0,
    }
}

impl Status {
    pub(crate) fn of(telemetry: &Telemetry, reason: Option<String>) -> Self {
        let alerts_active = telemetry.active_alerts();
        let mut models: BTreeMap<(String, String), Model> = BTreeMap::new();
        let fresh = |key: &(String, String), reference: String, state| Model {
            model: key.0.clone(),
            version: key.1.clone(),
            reference,
            state,
            series: BTreeMap::new(),
            window_end: None,
            alerts_active: 0,
        };
        for view in telemetry.latest_reports() {
            let report = &view.report;
            if report.series.segment.is_some() {
                continue;
            }
            let key = (report.series.model.clone(), report.series.version.clone());
            let model = models
                .entry(key.clone())
                .or_insert_with(|| fresh(&key, report.reference.clone(), report.state));
            if urgency(report.state) > urgency(model.state) {
                model.state = report.state;
            }
            *model.series.entry(report.state.as_str()).or_default() += 1;
            model.window_end = model.window_end.max(Some(report.window.end));
        }
        for info in telemetry.models() {
            let key = (info.model, info.version);
            let silent = || fresh(&key, info.reference, SeriesState::WarmingUp);
            models.entry(key.clone()).or_insert_with(silent);
        }
        let performance = performance(telemetry);
        for report in &performance {
            let key = (report.model.clone(), report.version.clone());
            let silent = || fresh(&key, report.reference.clone(), report.state);
            let model = models.entry(key.clone()).or_insert_with(silent);
            if urgency(report.state) > urgency(model.state) && is_a_finding(report.state) {
                model.state = report.state;
            }
        }
        for alert in &alerts_active {
            let key = (alert.series.model.clone(), alert.series.version.clone());
            if let Some(model) = models.get_mut(&key) {
                model.alerts_active += 1;
            }
        }
        Self {
            ready: reason.is_none(),
            reason,
            models: models.into_values().collect(),
            performance: performance.iter().map(|r| Performance::of(r)).collect(),
            alerts_recent: telemetry.recent_alerts(),
            alerts_active,
        }
    }
}

/// Whether a window's state says something of the model, and not only that its labels are still to come.
pub(crate) const fn is_a_finding(state: SeriesState) -> bool {
    matches!(
        state,
        SeriesState::Drifted | SeriesState::Warning | SeriesState::LabelsLate
    )
}

/// The performance of all events: of each version and window size the newest window, and before it the newest whose
/// labels have had their time, where that is another.
pub(crate) fn performance(telemetry: &Telemetry) -> Vec<Arc<PerformanceReport>> {
    let views = telemetry.latest_performance();
    let views = views.into_iter().filter(|v| v.latest.segment.is_none());
    views.flat_map(windows).collect()
}

fn windows(view: PerformanceView) -> impl Iterator<Item = Arc<PerformanceReport>> {
    let start = view.latest.window.start;
    let is_other = |mature: &Arc<PerformanceReport>| mature.window.start != start;
    let mature = view.mature.filter(is_other);
    mature.into_iter().chain([view.latest])
}

/// One line of the status: a performance report without what it says of single classes.
#[derive(Debug, Serialize)]
struct Performance {
    model: String,
    version: String,
    task: Task,
    window: WindowSpan,
    revision: u32,
    evaluated_at: Timestamp,
    maturity: Maturity,
    realised: Vec<MetricValue>,
    estimated: Vec<MetricValue>,
    baseline: Vec<MetricValue>,
    state: SeriesState,
}

impl Performance {
    fn of(report: &PerformanceReport) -> Self {
        let overall = |values: &[MetricValue]| {
            let overall = values.iter().filter(|v| v.class.is_none());
            overall.cloned().collect()
        };
        Self {
            model: report.model.clone(),
            version: report.version.clone(),
            task: report.task,
            window: report.window.clone(),
            revision: report.revision,
            evaluated_at: report.evaluated_at,
            maturity: report.maturity.clone(),
            realised: overall(&report.realised),
            estimated: overall(&report.estimated),
            baseline: overall(&report.baseline),
            state: report.state,
        }
    }
}

/// `/api/v1/performance`.
#[derive(Debug, Serialize)]
pub(crate) struct PerformanceReports {
    /// How many match; `reports` holds the first of them.
    matching: usize,
    #[serde(serialize_with = "all_shared")]
    reports: Vec<Arc<PerformanceReport>>,
}

impl PerformanceReports {
    pub(crate) fn matching(telemetry: &Telemetry, filter: &Filter) -> Self {
        let views = telemetry.latest_performance().into_iter();
        let mut reports: Vec<Arc<PerformanceReport>> = views.flat_map(windows).collect();
        reports.retain(|r| {
            wants(&filter.model, &r.model)
                && wants(&filter.version, &r.version)
                && wants(&filter.segment, r.segment.as_deref().unwrap_or_default())
                && wants(&filter.window, &r.window.name)
        });
        let matching = reports.len();
        let mut values = 0;
        let mut fits = |report: &Arc<PerformanceReport>| {
            values += report.realised.len() + report.estimated.len() + report.baseline.len();
            values <= VALUES_MAX
        };
        let fitting = reports.iter().take_while(|r| fits(r)).count();
        reports.truncate(fitting.min(REPORTS_MAX));
        Self { matching, reports }
    }
}

fn all_shared<S: Serializer>(
    reports: &[Arc<PerformanceReport>],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(reports.iter().map(Arc::as_ref))
}

/// Whether a filter lets `is` through.
fn wants(wanted: &Option<String>, is: &str) -> bool {
    wanted.as_deref().is_none_or(|w| w == is)
}

/// One line of `/api/v1/reports`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten, serialize_with = "shared")]
    report: Arc<WindowReport>,
    state_since: Timestamp,
}

fn shared<S: Serializer>(report: &Arc<WindowReport>, serializer: S) -> Result<S::Ok, S::Error> {
    report.as_ref().serialize(serializer)
}

/// `/api/v1/reports`.
#[derive(Debug, Serialize)]
pub(crate) struct Reports {
    /// How many match; `reports` holds the first of them.
    matching: usize,
    reports: Vec<Report>,
}

impl Report {
    pub(crate) fn matching(telemetry: &Telemetry, filter: &Filter) -> Reports {
        let matches = |view: &SeriesView| {
            let series = &view.report.series;
            wants(&filter.model, &series.model)
                && wants(&filter.version, &series.version)
                && wants(&filter.feature, &series.feature)
                && wants(
                    &filter.segment,
                    series.segment.as_deref().unwrap_or_default(),
                )
                && wants(&filter.window, &view.report.window.name)
        };
        let mut views = telemetry.latest_reports();
        views.retain(matches);
        let matching = views.len();
        let line = |v: SeriesView| Report {
            report: v.report,
            state_since: v.state_since,
        };
        Reports {
            matching,
            reports: views.into_iter().take(REPORTS_MAX).map(line).collect(),
        }
    }
}
