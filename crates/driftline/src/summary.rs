//! What happened to every series, in one row each: what drifted, since when, how much.

mod performance;

use std::collections::BTreeMap;

use driftline_engine::Output;
use driftline_event::{
    AlertEvent, AlertStatus, ColumnKind, SeriesKey, SeriesState, Statistic, Timestamp, WindowReport,
};
use serde::Serialize;

use performance::Performance;
pub use performance::{ConceptAlert, PerformanceSummary, concept_table};

/// The statistic whose course is summarised: numeric and categorical columns have it, and it has one scale.
const SHOWN: Statistic = Statistic::Psi;

/// A value and the end of the window that had it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Peak {
    /// The value.
    pub value: f64,
    /// The end of the window.
    pub at: Timestamp,
}

/// What happened to one series in one window size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeriesSummary {
    /// Which series.
    #[serde(flatten)]
    pub series: SeriesKey,
    /// Numeric or categorical.
    pub kind: ColumnKind,
    /// The window's name.
    pub window: String,
    /// Windows that closed.
    pub windows: u64,
    /// The state after the last of them.
    pub state: SeriesState,
    /// When the alert began that still fires.
    pub drifted_since: Option<Timestamp>,
    /// When the first alert began.
    pub first_drift: Option<Timestamp>,
    /// Alerts that fired.
    pub alerts: u64,
    /// PSI of the last window.
    pub psi: Option<f64>,
    /// The largest PSI of a full window, and when.
    pub psi_peak: Option<Peak>,
    /// The mean of the last window.
    pub mean: Option<f64>,
    /// The largest missing ratio.
    pub missing_ratio_max: f64,
}

/// The alerts about one series.
#[derive(Clone, Debug, Default)]
struct Alerts {
    /// When those began that fire now, by fingerprint.
    firing: BTreeMap<String, Timestamp>,
    first: Option<Timestamp>,
    fired: u64,
}

/// The course of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    series: BTreeMap<(SeriesKey, String), SeriesSummary>,
    /// By series and window; without a window those of the decision rule, which looks at none.
    about: BTreeMap<(SeriesKey, Option<String>), Alerts>,
    alerts: u64,
    performance: Performance,
}

impl Summary {
    /// Takes in one output of an evaluator.
    pub fn take(&mut self, output: &Output) {
        match output {
            Output::Report(report) => self.report(report),
            Output::Alert(alert) => self.alert(alert),
            Output::Performance(report) => self.performance.report(report),
            Output::Violation(_) | Output::Pane(_) | Output::Judged(_) | Output::Late(_) => {}
        }
    }

    fn report(&mut self, report: &WindowReport) {
        let key = (report.series.clone(), report.window.name.clone());
        let entry = self.series.entry(key).or_insert_with(|| SeriesSummary {
            series: report.series.clone(),
            kind: report.kind,
            window: report.window.name.clone(),
            windows: 0,
            state: report.state,
            drifted_since: None,
            first_drift: None,
            alerts: 0,
            psi: None,
            psi_peak: None,
            mean: None,
            missing_ratio_max: 0.0,
        });
        entry.windows += 1;
        entry.state = report.state;
        entry.mean = report.mean;
        entry.psi = report.value(SHOWN);
        let judged = !matches!(
            report.state,
            SeriesState::WarmingUp | SeriesState::NotEnoughData
        );
        if let Some(value) = entry.psi.filter(|_| judged)
            && entry.psi_peak.is_none_or(|peak| value > peak.value)
        {
            entry.psi_peak = Some(Peak {
                value,
                at: report.window.end,
            });
        }
        let missing = report.value(Statistic::MissingRatio).unwrap_or(0.0);
        entry.missing_ratio_max = entry.missing_ratio_max.max(missing);
    }

    fn alert(&mut self, alert: &AlertEvent) {
        self.performance.alert(alert);
        let window = alert.incident.is_none().then(|| alert.window.name.clone());
        let about = self
            .about
            .entry((alert.series.clone(), window))
            .or_default();
        let since = alert.onset.unwrap_or(alert.started_at);
        match alert.status {
            AlertStatus::Firing => {
                about.firing.insert(alert.fingerprint.clone(), since);
                about.first = about.first.into_iter().chain([since]).min();
                about.fired += 1;
                self.alerts += 1;
            }
            AlertStatus::Resolved => {
                about.firing.remove(&alert.fingerprint);
            }
            AlertStatus::Pending => {}
        }
    }

    /// Every series and window, those that drifted first, then by the size of the shift.
    pub fn rows(&self) -> Vec<SeriesSummary> {
        let mut rows: Vec<SeriesSummary> = self.series.values().map(|row| self.row(row)).collect();
        let size = |row: &SeriesSummary| row.psi_peak.map_or(0.0, |peak| peak.value);
        rows.sort_by(|a, b| {
            let drifted = b.first_drift.is_some().cmp(&a.first_drift.is_some());
            drifted.then_with(|| size(b).total_cmp(&size(a)))
        });
        rows
    }

    /// A row with what alerts say about it: those of its window and those of no window.
    fn row(&self, row: &SeriesSummary) -> SeriesSummary {
        let mut row = row.clone();
        for window in [Some(row.window.clone()), None] {
            if let Some(alerts) = self.about.get(&(row.series.clone(), window)) {
                let since = row.drifted_since.into_iter();
                row.drifted_since = since.chain(alerts.firing.values().copied()).min();
                row.first_drift = row.first_drift.into_iter().chain(alerts.first).min();
                row.alerts += alerts.fired;
            }
        }
        row
    }

    /// Every window of predictions with what its labels said, by version and time.
    pub fn performance(&self) -> Vec<PerformanceSummary> {
        self.performance.rows()
    }

    /// The alerts that labels raised, as they were called.
    pub fn concept_alerts(&self) -> &[ConceptAlert] {
        self.performance.alerts()
    }

    /// The performance of the windows of the longest size as a table for people; none where labels said nothing.
    pub fn longest_performance_table(&self) -> Option<String> {
        self.performance_table(self.performance.longest()?)
    }

    /// The performance of the windows of one name as a table for people; none where labels said nothing.
    pub fn performance_table(&self, window: &str) -> Option<String> {
        self.performance.table(window)
    }

    /// The same of one window size alone.
    pub fn only(&self, window: &str) -> Self {
        let mut only = self.clone();
        only.series.retain(|(_, name), _| name == window);
        only
    }

    /// How many alerts fired.
    pub fn alerts(&self) -> u64 {
        self.alerts
    }

    /// The summary as a table for people. `reference_mean` gives the mean of a numeric column's reference.
    pub fn table(&self, reference_mean: impl Fn(&SeriesKey) -> Option<f64>) -> String {
        let header = [
            "feature",
            "window",
            "state",
            "drifted since",
            "first drift",
            "alerts",
            "PSI now",
            "PSI peak",
            "at",
            "mean: reference → now",
        ];
        let rows = self.rows();
        let many_models = rows.iter().any(|row| {
            let first = &rows[0].series;
            (&row.series.model, &row.series.version) != (&first.model, &first.version)
        });
        let mut cells = vec![header.map(str::to_owned).to_vec()];
        for row in rows {
            let day = |t: Option<Timestamp>| t.map_or_else(|| "–".to_owned(), day);
            let number = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| format!("{x:.3}"));
            let mean = match (reference_mean(&row.series), row.mean) {
                (Some(then), Some(now)) => format!("{} → {}", significant(then), significant(now)),
                _ => "–".to_owned(),
            };
            cells.push(vec![
                name(&row.series, many_models),
                row.window.clone(),
                row.state.as_str().to_owned(),
                day(row.drifted_since),
                day(row.first_drift),
                row.alerts.to_string(),
                number(row.psi),
                number(row.psi_peak.map(|p| p.value)),
                day(row.psi_peak.map(|p| p.at)),
                mean,
            ]);
        }
        crate::terminal::table(&cells, &[5, 6, 7])
    }
}

/// The series' name in a table.
fn name(series: &SeriesKey, with_model: bool) -> String {
    let mut text = String::new();
    if with_model {
        text = format!("{}/{} ", series.model, series.version);
    }
    text.push_str(&series.feature);
    if series.role == driftline_event::ColumnRole::Output {
        text.push_str(" (output)");
    }
    if let Some(segment) = &series.segment {
        text = format!("{text} [{segment}]");
    }
    crate::terminal::clean(&text)
}

/// A date, and the time of day where there is one.
fn day(at: Timestamp) -> String {
    let text = at.to_string();
    match text.strip_suffix("T00:00:00Z") {
        Some(date) => date.to_owned(),
        None => text.chars().take(16).collect(),
    }
}

/// Four significant digits.
fn significant(x: f64) -> String {
    let digits = if x == 0.0 {
        0
    } else {
        x.abs().log10().floor() as i32
    };
    let places = usize::try_from(3 - digits).unwrap_or(0).min(6);
    format!("{x:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits() {
        for (x, text) in [
            (0.0, "0.000"),
            (1012.34, "1012"),
            (55.345, "55.34"),
            (0.012_34, "0.01234"),
            (-3.0, "-3.000"),
        ] {
            assert_eq!(significant(x), text);
        }
    }
}
