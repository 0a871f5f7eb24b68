//! The JSON of the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use driftline_event::{AlertEvent, SeriesState, Timestamp, WindowReport};
use driftline_telemetry::{SeriesView, Telemetry};
use serde::{Serialize, Serializer};

use crate::routes::Filter;

/// Reports in one answer; a filter brings the others.
const REPORTS_MAX: usize = 5_000;

/// `/api/v1/status`.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    models: Vec<Model>,
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
            alerts_recent: telemetry.recent_alerts(),
            alerts_active,
        }
    }
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
        let wants = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|w| w == is);
        let matches = |view: &SeriesView| {
            let series = &view.report.series;
            wants(&filter.model, &series.model)
                && wants(&filter.version, &series.version)
                && wants(&filter.feature, &series.feature)
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
