//! What labels said about every window of every version, in one row each.

use std::collections::BTreeMap;

use driftline_event::{
    AlertEvent, AlertKind, AlertStatus, Effect, Maturity, Metric, MetricValue, PerformanceReport,
    Task, Timestamp, seconds_in_words,
};
use serde::Serialize;

use super::{day, significant};

/// A window's performance, as its last revision had it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PerformanceSummary {
    /// The model's id.
    pub model: String,
    /// The version's name.
    pub version: String,
    /// The window's name.
    pub window: String,
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
    /// How complete its labels were in the end.
    pub maturity: Maturity,
    /// What the labels said.
    pub realised: Vec<MetricValue>,
    /// What the scores said before.
    pub estimated: Vec<MetricValue>,
    /// The reference's own.
    pub baseline: Vec<MetricValue>,
}

/// A change of what is true for the same predictions, or of the labels, that was called.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConceptAlert {
    /// Concept drift, label drift, performance or late labels.
    pub kind: AlertKind,
    /// What moved: `error`, `loss`, `calibration`, `label` or a metric.
    pub what: String,
    /// The rule that called it.
    pub rule: String,
    /// Since when it is different.
    pub since: Timestamp,
    /// When it was called.
    pub called: Timestamp,
    /// Which share moved, from what to what; absent where no share did.
    pub change: Option<String>,
    /// In words.
    pub summary: String,
}

/// Alerts as a table for people; none where there is none.
#[must_use]
pub fn concept_table(alerts: &[ConceptAlert]) -> Option<String> {
    let header = ["called", "since", "of the labels", "", "change"];
    let mut cells = vec![header.map(str::to_owned).to_vec()];
    for alert in alerts {
        let change = alert.change.as_ref().unwrap_or(&alert.summary);
        cells.push(vec![
            day(alert.called),
            day(alert.since),
            crate::terminal::clean(&alert.what),
            alert.kind.as_str().replace('_', " "),
            crate::terminal::clean(change),
        ]);
    }
    (!alerts.is_empty()).then(|| crate::terminal::table(&cells, &[]))
}

/// How the share of an indicator moved, in words.
fn change(effect: &Effect) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let (from, to) = (percent(effect.reference), percent(effect.current));
    format!("{}: {from} → {to}", effect.indicator)
}

/// The course of performance.
#[derive(Clone, Debug, Default)]
pub(super) struct Performance {
    /// By model, version, window name and start.
    windows: BTreeMap<(String, String, String, Timestamp), (Task, PerformanceSummary)>,
    alerts: Vec<ConceptAlert>,
}

impl Performance {
    pub(super) fn report(&mut self, report: &PerformanceReport) {
        if report.segment.is_some() {
            return;
        }
        let (model, version) = (report.model.clone(), report.version.clone());
        let window = report.window.name.clone();
        let key = (
            model.clone(),
            version.clone(),
            window.clone(),
            report.window.start,
        );
        let before = self.windows.remove(&key);
        // An estimate is made once, before the labels; later revisions may leave it out.
        let estimated = match (report.estimated.is_empty(), before) {
            (true, Some((_, before))) => before.estimated,
            _ => report.estimated.clone(),
        };
        let summary = PerformanceSummary {
            model,
            version,
            window,
            start: report.window.start,
            end: report.window.end,
            maturity: report.maturity.clone(),
            realised: report.realised.clone(),
            estimated,
            baseline: report.baseline.clone(),
        };
        self.windows.insert(key, (report.task, summary));
    }

    pub(super) fn alert(&mut self, alert: &AlertEvent) {
        let of_labels = matches!(
            alert.kind,
            AlertKind::ConceptDrift
                | AlertKind::LabelDrift
                | AlertKind::Performance
                | AlertKind::LabelsLate
        );
        if of_labels && alert.status == AlertStatus::Firing {
            self.alerts.push(ConceptAlert {
                kind: alert.kind,
                what: alert.series.feature.clone(),
                rule: alert.rule.clone(),
                since: alert.onset.unwrap_or(alert.started_at),
                called: alert.evaluated_at,
                change: alert.effect.as_ref().map(change),
                summary: alert.summary.clone(),
            });
        }
    }

    pub(super) fn rows(&self) -> Vec<PerformanceSummary> {
        self.windows.values().map(|(_, row)| row.clone()).collect()
    }

    pub(super) fn alerts(&self) -> &[ConceptAlert] {
        &self.alerts
    }

    /// The name of the window size that there are fewest windows of: the one that fits a page.
    pub(super) fn longest(&self) -> Option<&str> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, row) in self.windows.values() {
            *counts.entry(&row.window).or_default() += 1;
        }
        let fewest = counts.into_iter().min_by_key(|(_, n)| *n);
        fewest.map(|(name, _)| name)
    }

    /// The windows of one name as a table for people; none where there is none.
    pub(super) fn table(&self, window: &str) -> Option<String> {
        let rows: Vec<&(Task, PerformanceSummary)> = self
            .windows
            .values()
            .filter(|(_, row)| row.window == window)
            .collect();
        let (task, _) = rows.first()?;
        let [first, second, third] = shown(*task);
        let mut cells = vec![
            [
                "window of predictions",
                "predictions",
                "labelled",
                "delay p50 / p95",
                &format!("{first} estimated"),
                &format!("{first} realised"),
                second.as_str(),
                third.as_str(),
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        for (_, row) in rows {
            let maturity = &row.maturity;
            let coverage = maturity.coverage.map(|c| format!("{:.1} %", 100.0 * c));
            let delay = |seconds: Option<f64>| seconds.map_or_else(dash, seconds_in_words);
            cells.push(vec![
                span(row),
                maturity.predicted.to_string(),
                coverage.unwrap_or_else(dash),
                format!(
                    "{} / {}",
                    delay(maturity.delay_p50_seconds),
                    delay(maturity.delay_p95_seconds)
                ),
                value(&row.estimated, first),
                value(&row.realised, first),
                value(&row.realised, second),
                value(&row.realised, third),
            ]);
        }
        Some(crate::terminal::table(&cells, &[1, 2, 3, 4, 5, 6, 7]))
    }
}

/// The metrics that a table has room for.
fn shown(task: Task) -> [Metric; 3] {
    match task {
        Task::Binary => [Metric::RocAuc, Metric::Accuracy, Metric::F1],
        Task::Multiclass => [Metric::Accuracy, Metric::F1, Metric::LogLoss],
        Task::Regression => [Metric::Mae, Metric::Rmse, Metric::Bias],
        Task::Ranking => [Metric::Ndcg, Metric::Mrr, Metric::HitRate],
    }
}

fn dash() -> String {
    "–".to_owned()
}

/// The overall value of a metric with half the width of its interval.
fn value(values: &[MetricValue], metric: Metric) -> String {
    let found = values
        .iter()
        .find(|v| v.metric == metric && v.class.is_none());
    found.map_or_else(dash, |v| {
        let half = (v.upper - v.lower) / 2.0;
        format!("{} ±{}", significant(v.value), short(half))
    })
}

/// Two significant digits of a small number.
fn short(x: f64) -> String {
    if x <= 0.0 {
        return "0".to_owned();
    }
    let places = (1.0 - x.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{x:.places$}")
}

/// The month of the calendar, or both ends.
fn span(row: &PerformanceSummary) -> String {
    let (start, end) = (day(row.start), day(row.end));
    match (start.strip_suffix("-01"), end.strip_suffix("-01")) {
        (Some(month), Some(_)) if row.window == "month" => month.to_owned(),
        _ => format!("{start} to {end}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_from_where_to_where() {
        let effect = Effect {
            indicator: "wrong".to_owned(),
            reference: 0.2,
            current: 0.384_6,
            lower: 0.3,
            upper: 0.4,
            h: 0.4,
            tolerance: 0.1,
        };
        assert_eq!(change(&effect), "wrong: 20.0 % → 38.5 %");
        assert_eq!(concept_table(&[]), None);
    }

    #[test]
    fn widths_are_short() {
        assert_eq!(short(0.012_34), "0.012");
        assert_eq!(short(0.3), "0.30");
        assert_eq!(short(12.0), "12");
        assert_eq!(short(0.0), "0");
    }
}
