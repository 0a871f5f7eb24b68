//! The documentation of the metrics, made from their catalogue.

use std::fmt::Write as _;

use driftline_telemetry::TelemetryOptions;
use driftline_telemetry::catalogue::{CATALOGUE, MetricType};

/// The text of `docs/metrics.md`.
pub(crate) fn metrics_page() -> String {
    let bounds = TelemetryOptions::default();
    let mut page = String::from(
        "# Metrics\n\n\
         Served at `/metrics` in the text format of Prometheus. This page is made from the catalogue in\n\
         `crates/driftline-telemetry/src/catalogue.rs`; a test keeps it true.\n\n\
         | Metric | Type | Labels | Meaning |\n| --- | --- | --- | --- |\n",
    );
    for metric in CATALOGUE {
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let kind = metric.metric_type.as_str();
        let _ = writeln!(
            page,
            "| `{}` | {kind} | {} | {}. |",
            metric.name,
            labels.join(" "),
            metric.help
        );
    }
    let histograms = CATALOGUE
        .iter()
        .filter(|m| m.metric_type == MetricType::Histogram)
        .count();
    let _ = write!(
        page,
        "\nThe {histograms} histograms have 15 buckets from 1 ms to 1 min.\n\n\
         ## Budget of series\n\n\
         - A model has at most {} drift series over all its versions, all models together {}; small models are\n  \
         served first. Of a model over its share, the features with the highest scores keep their series; the\n  \
         others are folded into `feature=\"__other__\"`, which carries the largest score, flag and ratio among\n  \
         them. `driftline_series_dropped_total` counts, at each scrape, what was folded or left out. All of it\n  \
         stays in `/api/v1/reports`.\n\
         - The series of a model version vanish {} hours (of the process's own clock) after its last window with\n  \
         events in it.\n\
         - Series by segment are off unless they are switched on.\n\
         - Only the statistics {} become scores by themselves; others do when a rule looks at them. Quality\n  \
         statistics have metrics of their own; the thresholds and flags of their rules are in\n  \
         `driftline_drift_threshold` and `driftline_drift_detected` under `detector=\"missing_ratio\"` and so on.\n\
         - The default decision rule is `detector=\"bank\"` (the distribution) and `detector=\"bank_quality\"` (missing,\n  \
         invalid, out-of-range and unseen values): natural logarithms of evidence, below zero while there is\n  \
         none. An alarm sets the flag; then evidence starts anew, so alert on the flag.\n\
         - A label value has at most 128 bytes; control characters in it are escaped; a longer one is cut and ends\n  \
         in `~` and a hash. Where two names become one label, the higher score is shown.\n\n\
         A score, a threshold and a flag of one rule carry the same labels, so `driftline_drift_score >=\n\
         driftline_drift_threshold` needs no `on`. `driftline_drift_detected` also asks for the rule's minimum\n\
         number of events; alert on that.\n",
        bounds.series_per_model_max,
        bounds.series_max,
        bounds.expire_after.as_secs() / 3_600,
        bounds
            .detectors
            .iter()
            .map(|d| format!("`{d}`"))
            .collect::<Vec<_>>()
            .join(", "),
    );
    page
}
