//! What labels say about one version of a model, as a table: a window of predictions in each row.

use std::fmt::Write as _;
use std::sync::Arc;

use driftline_event::{Metric, MetricValue, PerformanceReport, Task, WindowSpan, seconds_in_words};

use super::{badge, grouped, time};
use crate::html::Text;

/// Windows in the table; the API has the rest.
const ROWS_MAX: usize = 40;
/// What stands where there is nothing.
const NONE: &str = "<td class=\"num none\">–</td>";

/// The table with its heading; nothing where labels have said nothing.
pub(super) fn table(page: &mut String, reports: &[Arc<PerformanceReport>]) {
    let Some(first) = reports.first() else {
        return;
    };
    let metric = shown(first.task, reports);
    let _ = write!(
        page,
        "<h3>Performance</h3>\n<div class=\"scroll\" data-testid=\"performance\"><table>\n<thead><tr>\
         <th scope=\"col\">Window</th><th scope=\"col\">State</th>\
         <th scope=\"col\" class=\"num\">Predictions</th><th scope=\"col\" class=\"num\">Labelled</th>\
         <th scope=\"col\" class=\"num\">Delay p50</th>"
    );
    let name = name(metric);
    let _ = write!(
        page,
        "<th scope=\"col\" class=\"num\">{name} estimated</th><th scope=\"col\" class=\"num\">realised</th>\
         <th scope=\"col\" class=\"num\">reference</th>"
    );
    page.push_str("</tr></thead>\n<tbody>\n");
    for report in reports.iter().take(ROWS_MAX) {
        row(page, report, metric);
    }
    page.push_str("</tbody></table></div>\n");
    if reports.len() > ROWS_MAX {
        let _ = writeln!(
            page,
            "<p class=\"more\">and {} more windows in <a href=\"/api/v1/performance\">performance</a></p>",
            reports.len() - ROWS_MAX
        );
    }
}

fn row(page: &mut String, report: &PerformanceReport, metric: Metric) {
    let maturity = &report.maturity;
    let note = if maturity.is_mature {
        ""
    } else {
        ", labels still come"
    };
    let _ = write!(
        page,
        "<tr data-state=\"{state}\"><th scope=\"row\">{window}<small>{span}{note}</small></th><td>{badge}</td>\
         <td class=\"num\" data-v=\"{predicted}\">{}</td>",
        grouped(maturity.predicted),
        state = report.state.as_str(),
        window = Text(&report.window.name),
        span = span(&report.window),
        badge = badge(report.state),
        predicted = maturity.predicted,
    );
    coverage_cell(page, report);
    match (maturity.delay_p50_seconds, maturity.delay_p95_seconds) {
        (Some(half), Some(most)) => {
            let _ = write!(
                page,
                "<td class=\"num\" data-v=\"{half}\">{}<small>p95 {}</small></td>",
                seconds_in_words(half),
                seconds_in_words(most)
            );
        }
        _ => page.push_str(NONE),
    }
    value_cell(page, report.estimated(metric));
    value_cell(page, report.realised(metric));
    match find(&report.baseline, metric) {
        Some(v) => {
            let value = v.value;
            let _ = write!(
                page,
                "<td class=\"num\" data-v=\"{value}\">{}</td>",
                short(value)
            );
        }
        None => page.push_str(NONE),
    }
    page.push_str("</tr>\n");
}

/// The share of predictions with a label, and below it the reference's at the same age.
fn coverage_cell(page: &mut String, report: &PerformanceReport) {
    let Some(coverage) = report.maturity.coverage else {
        page.push_str(NONE);
        return;
    };
    let percent = 100.0 * coverage;
    let _ = write!(
        page,
        "<td class=\"num\" data-v=\"{coverage}\">{percent:.1} %"
    );
    if let Some(expected) = report.maturity.expected_coverage {
        let _ = write!(page, "<small>usual {:.1} %</small>", 100.0 * expected);
    }
    page.push_str("</td>");
}

/// A metric with its interval.
fn value_cell(page: &mut String, found: Option<&MetricValue>) {
    let Some(MetricValue {
        value,
        lower,
        upper,
        ..
    }) = found
    else {
        page.push_str(NONE);
        return;
    };
    let _ = write!(
        page,
        "<td class=\"num\" data-v=\"{value}\">{}<small>{} to {}</small></td>",
        short(*value),
        short(*lower),
        short(*upper)
    );
}

fn find(values: &[MetricValue], metric: Metric) -> Option<&MetricValue> {
    let mut overall = values.iter().filter(|v| v.class.is_none());
    overall.find(|v| v.metric == metric)
}

/// The metric that there is room for: a model of two classes without scores has no AUC.
fn shown(task: Task, reports: &[Arc<PerformanceReport>]) -> Metric {
    let has_auc = |r: &Arc<PerformanceReport>| {
        let mut all = r.realised.iter().chain(&r.estimated).chain(&r.baseline);
        all.any(|v| v.metric == Metric::RocAuc)
    };
    match task {
        Task::Binary if reports.iter().any(has_auc) => Metric::RocAuc,
        Task::Binary | Task::Multiclass => Metric::Accuracy,
        Task::Regression => Metric::Mae,
        Task::Ranking => Metric::Ndcg,
    }
}

/// What people call it.
const fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::RocAuc => "AUC",
        Metric::Accuracy => "Accuracy",
        Metric::Mae => "MAE",
        Metric::Ndcg => "NDCG",
        other => other.as_str(),
    }
}

/// `2026-02-28 to 2026-03-01`; with times where a window does not begin and end at midnight.
fn span(window: &WindowSpan) -> String {
    let (start, end) = (time(window.start), time(window.end));
    match (start.strip_suffix(" 00:00"), end.strip_suffix(" 00:00")) {
        (Some(start), Some(end)) => format!("{start} to {end}"),
        _ => format!("{start} to {end}"),
    }
}

/// Four significant digits.
fn short(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 {
        "0".to_owned()
    } else if (1e-4..1e7).contains(&size) {
        let places = (3.0 - size.log10().floor()).clamp(0.0, 6.0) as usize;
        format!("{x:.places$}")
    } else {
        format!("{x:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use driftline_event::Timestamp;

    use super::*;

    #[test]
    fn numbers_of_any_size_are_short() {
        for (x, text) in [
            (0.0, "0"),
            (0.712_34, "0.7123"),
            (-12.345, "-12.35"),
            (123_456.0, "123456"),
            (1e300, "1.00e300"),
            (1e-9, "1.00e-9"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(short(x), text);
        }
    }

    #[test]
    fn a_window_of_whole_days_is_shown_as_days() {
        let window = |end| WindowSpan {
            name: "w".into(),
            start: Timestamp::from_seconds(0),
            end: Timestamp::from_seconds(end),
            events: 0,
        };
        assert_eq!(span(&window(86_400)), "1970-01-01 to 1970-01-02");
        assert_eq!(span(&window(3_600)), "1970-01-01 00:00 to 1970-01-01 01:00");
    }

    #[test]
    fn without_labels_there_is_nothing() {
        let mut page = String::new();
        table(&mut page, &[]);
        assert!(page.is_empty());
    }
}
