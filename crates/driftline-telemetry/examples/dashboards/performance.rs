//! What labels say: how good the model is, and how complete the labels are.

use super::{SERVICE, VERSION, panel};
use crate::builder::{Kind, Panel};

/// The chosen metric of the chosen versions.
const METRIC: &str = r#"job=~"$job",instance=~"$instance",model=~"$model",model_version=~"$model_version",metric=~"$metric""#;

pub(super) fn panels() -> Vec<Panel> {
    let mut performance = panel(
        "Performance: realised and estimated",
        "The chosen metric by the labels of the last window whose labels have had their time (solid), by the scores \
         alone of the newest window (fine dashes), and that of the reference (dashed).",
        (Kind::Lines, "none"),
        (24, 9),
        vec![
            (
                of_basis("realised"),
                "realised {{model_version}} {{window}}",
            ),
            (
                of_basis("estimated"),
                "estimated {{model_version}} {{window}}",
            ),
            (
                format!("max by (model_version) (driftline_performance_baseline{{{METRIC}}})"),
                "baseline {{model_version}}",
            ),
        ],
    );
    performance.from_zero = false;
    vec![
        performance,
        labels(
            "Label coverage",
            "Share of a window's predictions that have a label, once labels have had their time.",
            "percentunit",
            format!("min by (model_version, window) (driftline_label_coverage_ratio{{{VERSION}}})"),
            "{{model_version}} {{window}}",
        ),
        labels(
            "Label delay",
            "The time within which half and 95 of 100 of a window's labels came, after their predictions.",
            "s",
            format!(
                "max by (model_version, window, share) (driftline_label_delay_seconds{{{VERSION}}})"
            ),
            "{{share}} of {{model_version}} {{window}}",
        ),
        labels(
            "Labels by what became of them",
            "Labels of all models that the join looked at a second: joined, corrected, or why they do not count.",
            "cps",
            format!(
                "sum by (result) (rate(driftline_join_labels_total{{{SERVICE}}}[$__rate_interval])) > 0"
            ),
            "{{result}}",
        ),
        labels(
            "Waiting for labels",
            "Predictions of all models that wait for a label, and labels that wait for their prediction.",
            "short",
            format!("sum by (kind) (driftline_join_pending{{{SERVICE}}})"),
            "{{kind}}",
        ),
    ]
}

fn labels(
    title: &'static str,
    description: &'static str,
    unit: &'static str,
    expr: String,
    legend: &'static str,
) -> Panel {
    let targets = vec![(expr, legend)];
    panel(title, description, (Kind::Lines, unit), (12, 8), targets)
}

fn of_basis(basis: &str) -> String {
    format!("max by (model_version, window) (driftline_performance{{{METRIC},basis=\"{basis}\"}})")
}
