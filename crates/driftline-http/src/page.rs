//! The page: one server-rendered overview without a script.
//!
//! It reloads by itself every few seconds. Colour is never the only sign: a state is a shape and a word.

mod performance;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use driftline_event::{
    AlertEvent, ColumnRole, PerformanceReport, SeriesState, Statistic, Timestamp, WindowReport,
};
use driftline_telemetry::{SeriesView, Telemetry, Totals};

use crate::html::Text;
use crate::status::{self, urgency};

/// The style sheet.
pub(crate) const STYLE: &str = include_str!("style.css");

/// Seconds between reloads.
const RELOAD_SECONDS: u32 = 5;
/// Rows of one model's table; the API has the rest.
const ROWS_MAX: usize = 300;
/// Alerts in the list.
const ALERTS_MAX: usize = 20;
/// The columns of statistics.
const SHOWN: [(Statistic, &str); 3] = [
    (Statistic::JensenShannon, "JS distance"),
    (Statistic::KolmogorovSmirnov, "KS"),
    (Statistic::Psi, "PSI"),
];

/// What is known of one version of a model.
#[derive(Debug, Default)]
struct Known {
    columns: Vec<SeriesView>,
    /// What labels say, by window.
    performance: Vec<Arc<PerformanceReport>>,
}

/// By model and version.
type Versions = BTreeMap<(String, String), Known>;

fn versions(telemetry: &Telemetry) -> Versions {
    let mut versions = Versions::new();
    for info in telemetry.models() {
        versions.entry((info.model, info.version)).or_default();
    }
    for view in telemetry.latest_reports() {
        let series = &view.report.series;
        if series.segment.is_none() {
            let key = (series.model.clone(), series.version.clone());
            versions.entry(key).or_default().columns.push(view);
        }
    }
    for report in status::performance(telemetry) {
        let key = (report.model.clone(), report.version.clone());
        versions.entry(key).or_default().performance.push(report);
    }
    versions
}

/// The whole page.
pub(crate) fn overview(telemetry: &Telemetry, reason: Option<String>) -> String {
    let mut versions = versions(telemetry);
    let alerts = telemetry.active_alerts();
    let mut page = String::with_capacity(64 * 1_024);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <title>Driftline</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"refresh\" content=\"{RELOAD_SECONDS}\">\n\
         <link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n\
         <header><h1><span class=\"mark\" aria-hidden=\"true\"></span>Driftline</h1>\n\
         <nav><a href=\"/metrics\">metrics</a> <a href=\"/api/v1/status\">status</a> \
         <a href=\"/api/v1/reports\">reports</a> <a href=\"/api/v1/performance\">performance</a></nav></header>\n<main data-ready=\"true\">\n"
    );
    if let Some(reason) = reason {
        let _ = writeln!(
            page,
            "<p class=\"notice\" role=\"status\">Not ready: {}</p>",
            Text(&reason)
        );
    }
    let _ = writeln!(
        page,
        "<p class=\"verdict\" data-testid=\"verdict\">{}</p>",
        verdict(&versions)
    );
    cards(&mut page, &telemetry.totals(), alerts.len());
    alert_list(&mut page, &alerts);
    for ((model, version), known) in &mut versions {
        model_section(&mut page, model, version, known);
    }
    let _ = write!(
        page,
        "</main>\n<footer>Times are event time in UTC. This page reloads every {RELOAD_SECONDS} s.</footer>\n\
         </body>\n</html>\n"
    );
    page
}

/// The whole in one sentence.
fn verdict(versions: &Versions) -> String {
    let views: Vec<&SeriesView> = versions.values().flat_map(|k| &k.columns).collect();
    let by_labels = versions.values().filter(|known| {
        let mut windows = known.performance.iter();
        windows.any(|report| report.state == SeriesState::Drifted)
    });
    let by_labels = by_labels.count();
    let labels = match by_labels {
        0 => String::new(),
        1 => " 1 model drifts by its labels.".to_owned(),
        n => format!(" {n} models drift by their labels."),
    };
    if views.is_empty() {
        return format!("No window has closed yet: waiting for the first events.{labels}");
    }
    let columns = |wanted: &dyn Fn(&SeriesView) -> bool| {
        let kept = views.iter().filter(|v| wanted(v)).map(|v| &v.report.series);
        kept.collect::<std::collections::BTreeSet<_>>().len()
    };
    let drifted = columns(&|v| v.report.state == SeriesState::Drifted);
    let all = columns(&|_| true);
    match drifted {
        0 if by_labels > 0 => format!("None of {all} watched columns drifts.{labels}"),
        0 => format!("Nothing drifts: {all} columns are watched."),
        1 => format!("1 of {all} watched columns has drifted.{labels}"),
        n => format!("{n} of {all} watched columns have drifted.{labels}"),
    }
}

fn cards(page: &mut String, totals: &Totals, alerts: usize) {
    let cards = [
        ("Alerts firing", alerts as u64),
        ("Predictions counted", totals.predictions),
        ("Labels counted", totals.labels),
        ("Rejected", totals.rejected),
        ("Dead letters", totals.dead_letters),
        ("Lag, records", totals.lag_records),
    ];
    page.push_str("<dl class=\"cards\">\n");
    for (name, value) in cards {
        let _ = writeln!(
            page,
            "<div><dt>{name}</dt><dd data-v=\"{value}\">{}</dd></div>",
            grouped(value)
        );
    }
    if totals.violations > 0 {
        let _ = writeln!(
            page,
            "<div class=\"bad\"><dt>Invariants violated</dt><dd>{}</dd></div>",
            grouped(totals.violations)
        );
    }
    page.push_str("</dl>\n");
}

fn alert_list(page: &mut String, alerts: &[AlertEvent]) {
    if alerts.is_empty() {
        return;
    }
    page.push_str("<section><h2>Alerts firing</h2>\n<ul class=\"alerts\">\n");
    for alert in alerts.iter().take(ALERTS_MAX) {
        let _ = writeln!(
            page,
            "<li class=\"{severity}\"><span class=\"badge drifted\">{severity}</span> {summary}\
             <span class=\"about\">{model} {version}, since {since}</span></li>",
            severity = alert.severity.as_str(),
            summary = Text(&alert.summary),
            model = Text(&alert.series.model),
            version = Text(&alert.series.version),
            since = time(alert.started_at),
        );
    }
    page.push_str("</ul>\n");
    if alerts.len() > ALERTS_MAX {
        let _ = writeln!(
            page,
            "<p class=\"more\">and {} more in <a href=\"/api/v1/status\">status</a></p>",
            alerts.len() - ALERTS_MAX
        );
    }
    page.push_str("</section>\n");
}

fn model_section(page: &mut String, model: &str, version: &str, known: &mut Known) {
    let columns = known.columns.iter().map(|v| v.report.state);
    let labels = known.performance.iter().map(|r| r.state);
    let worst = columns
        .chain(labels.filter(|s| status::is_a_finding(*s)))
        .max_by_key(|s| urgency(*s));
    let _ = writeln!(
        page,
        "<section data-testid=\"model\"><h2>{} <span class=\"version\">{}</span> {}</h2>",
        Text(model),
        Text(version),
        badge(worst.unwrap_or(SeriesState::WarmingUp))
    );
    if known
        .columns
        .iter()
        .any(|v| v.report.decision.as_ref().is_some_and(|d| !d.calibrated))
    {
        page.push_str(
            "<p class=\"more\">Not calibrated: tolerances are wide. <code>driftline calibrate</code> \
             makes them fit the model's history.</p>\n",
        );
    }
    if known.columns.is_empty() {
        page.push_str("<p class=\"more\">No window of it has closed yet.</p>\n");
    } else {
        column_table(page, &mut known.columns);
    }
    performance::table(page, &known.performance);
    page.push_str("</section>\n");
}

fn column_table(page: &mut String, views: &mut [SeriesView]) {
    // Worst first; within a state the largest distance first; then by name, so rows do not jump.
    views.sort_by(|a, b| {
        let rank = |v: &SeriesView| (Reverse(urgency(v.report.state)), role_rank(&v.report));
        let distance = |v: &SeriesView| v.report.value(Statistic::JensenShannon).unwrap_or(0.0);
        rank(a)
            .cmp(&rank(b))
            .then_with(|| distance(b).total_cmp(&distance(a)))
            .then_with(|| {
                let name = |v: &SeriesView| {
                    (
                        v.report.series.feature.clone(),
                        v.report.window.name.clone(),
                    )
                };
                name(a).cmp(&name(b))
            })
    });
    page.push_str(
        "<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Column</th>\
         <th scope=\"col\">Window</th><th scope=\"col\">State</th><th scope=\"col\">Since</th>",
    );
    page.push_str("<th scope=\"col\">Evidence</th>");
    for (_, name) in SHOWN {
        let _ = write!(page, "<th scope=\"col\" class=\"num\">{name}</th>");
    }
    page.push_str(
        "<th scope=\"col\">Recent JS</th><th scope=\"col\" class=\"num\">Missing</th>\
         <th scope=\"col\" class=\"num\">Events</th></tr></thead>\n<tbody>\n",
    );
    for view in views.iter().take(ROWS_MAX) {
        row(page, view);
    }
    page.push_str("</tbody></table></div>\n");
    if views.len() > ROWS_MAX {
        let _ = writeln!(
            page,
            "<p class=\"more\">and {} more rows in <a href=\"/api/v1/reports\">reports</a></p>",
            views.len() - ROWS_MAX
        );
    }
}

fn role_rank(report: &WindowReport) -> u8 {
    u8::from(report.series.role == ColumnRole::Feature)
}

fn row(page: &mut String, view: &SeriesView) {
    let report = &view.report;
    let output = if report.series.role == ColumnRole::Output {
        " <span class=\"role\">output</span>"
    } else {
        ""
    };
    let _ = write!(
        page,
        "<tr data-state=\"{state}\"><th scope=\"row\">{feature}{output}</th><td>{window}</td>\
         <td>{badge}</td><td class=\"time\">{since}</td>",
        state = report.state.as_str(),
        feature = Text(&report.series.feature),
        window = Text(&report.window.name),
        badge = badge(report.state),
        since = time(view.state_since),
    );
    evidence_cell(page, report);
    for (statistic, _) in SHOWN {
        statistic_cell(page, report, statistic);
    }
    page.push_str("<td>");
    sparkline(page, &view.history);
    page.push_str("</td>");
    match report.value(Statistic::MissingRatio) {
        Some(share) => {
            let _ = write!(
                page,
                "<td class=\"num\" data-v=\"{share}\">{:.1} %</td>",
                share * 100.0
            );
        }
        None => page.push_str("<td class=\"num none\">–</td>"),
    }
    let events = report.window.events;
    let _ = writeln!(
        page,
        "<td class=\"num\" data-v=\"{events}\">{}</td></tr>",
        grouped(events)
    );
}

/// The bank's evidence on the way to an alarm: logarithms, so that half the bar is the square root of the odds.
fn evidence_cell(page: &mut String, report: &WindowReport) {
    let Some(decision) = &report.decision else {
        page.push_str("<td class=\"none\">–</td>");
        return;
    };
    let evidence = decision.shape.evidence.max(decision.quality.evidence);
    let share = match report.state {
        SeriesState::Drifted => 1.0,
        _ => (evidence / decision.threshold).clamp(0.0, 1.0),
    };
    let percent = (share * 100.0).round();
    let _ = write!(
        page,
        "<td data-v=\"{percent}\"><meter min=\"0\" max=\"100\" low=\"50\" high=\"99\" optimum=\"0\" value=\"{percent}\" \
         aria-label=\"evidence\">{percent} %</meter> <small>{percent} %</small></td>"
    );
}

fn statistic_cell(page: &mut String, report: &WindowReport, statistic: Statistic) {
    let Some(value) = report.value(statistic) else {
        page.push_str("<td class=\"num none\">–</td>");
        return;
    };
    let rules = report
        .evidence
        .iter()
        .filter(|c| c.statistic == statistic && c.enough_data);
    let lowest = rules.map(|c| c.threshold).min_by(f64::total_cmp);
    let _ = match lowest {
        Some(limit) if value >= limit => write!(
            page,
            "<td class=\"num over\" data-v=\"{value}\">{value:.3}<small>≥ {limit}</small></td>"
        ),
        Some(limit) => write!(
            page,
            "<td class=\"num\" data-v=\"{value}\">{value:.3}<small>&lt; {limit}</small></td>"
        ),
        None => write!(page, "<td class=\"num\" data-v=\"{value}\">{value:.3}</td>"),
    };
}

/// A state as a shape and a word.
fn badge(state: SeriesState) -> String {
    let (shape, word) = match state {
        SeriesState::Drifted => ("▲", "drifted"),
        SeriesState::Warning => ("◆", "warning"),
        SeriesState::Stable => ("●", "stable"),
        SeriesState::WarmingUp => ("○", "warming up"),
        SeriesState::NotEnoughData => ("○", "not enough data"),
        SeriesState::Stale => ("◌", "stale"),
        SeriesState::LabelsLate => ("◌", "labels late"),
    };
    let class = state.as_str();
    format!("<span class=\"badge {class}\"><span aria-hidden=\"true\">{shape}</span> {word}</span>")
}

/// The last distances as a line from 0 to the larger of 0.5 and their maximum.
fn sparkline(page: &mut String, history: &[(Timestamp, f64)]) {
    const WIDTH: f64 = 112.0;
    const HEIGHT: f64 = 22.0;
    if history.len() < 2 {
        page.push_str("<span class=\"none\">–</span>");
        return;
    }
    let top = history
        .iter()
        .map(|(_, v)| *v)
        .filter(|v| v.is_finite())
        .fold(0.5, f64::max);
    let step = WIDTH / (history.len() - 1) as f64;
    let _ = write!(
        page,
        "<svg class=\"spark\" viewBox=\"-1 -1 {} {}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" \
         aria-label=\"the last {} windows\"><polyline points=\"",
        WIDTH + 2.0,
        HEIGHT + 2.0,
        history.len()
    );
    for (i, (_, value)) in history.iter().enumerate() {
        let y = HEIGHT - (value / top).clamp(0.0, 1.0) * HEIGHT;
        let _ = write!(page, "{:.1},{y:.1} ", step * i as f64);
    }
    page.push_str("\"/></svg>");
}

/// `2013-01-01 05:15`; seconds only where they are not zero.
fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let text = text.trim_end_matches('Z').replacen('T', " ", 1);
    text.strip_suffix(":00").unwrap_or(&text).to_owned()
}

/// Digits in groups of three with thin spaces.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_read_easily() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(
            time(Timestamp::from_seconds(1_357_017_300)),
            "2013-01-01 05:15"
        );
        assert_eq!(
            time(Timestamp::from_seconds(1_357_017_301)),
            "2013-01-01 05:15:01"
        );
    }

    #[test]
    fn a_sparkline_of_anything_stays_in_its_box() {
        let at = Timestamp::from_seconds(0);
        let mut page = String::new();
        sparkline(
            &mut page,
            &[(at, f64::NAN), (at, -1.0), (at, f64::INFINITY), (at, 0.5)],
        );
        assert!(page.contains("points=\"0.0,"), "{page}");
    }
}
