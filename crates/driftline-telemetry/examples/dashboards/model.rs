//! "Driftline · model": what drifts, how good the model is, whether the data is sound, and whether the service keeps up.

#[path = "performance.rs"]
mod performance;

use crate::builder::{Dashboard, Kind, Panel, Variable};

/// Matchers of every selector.
const SERVICE: &str = r#"job=~"$job",instance=~"$instance""#;
/// The chosen model.
const MODEL: &str = r#"job=~"$job",instance=~"$instance",model=~"$model""#;
/// The chosen version.
const VERSION: &str =
    r#"job=~"$job",instance=~"$instance",model=~"$model",model_version=~"$model_version""#;
/// The chosen features in the chosen window.
const FEATURE: &str = r#"job=~"$job",instance=~"$instance",model=~"$model",model_version=~"$model_version",feature=~"$feature",window=~"$window""#;
/// The outputs in the chosen window.
const OUTPUT: &str = r#"job=~"$job",instance=~"$instance",model=~"$model",model_version=~"$model_version",window=~"$window""#;
const DETECTOR: &str = r#"detector=~"$detector""#;

/// Every dashboard.
pub(crate) fn dashboards() -> Vec<Dashboard> {
    vec![Dashboard {
        uid: "driftline-model",
        title: "Driftline · model",
        description: "One model: what has drifted from its reference, how good it is, and whether its data is sound.",
        variables: variables(),
        annotation: (
            format!(
                "max by (model, model_version, monitor, severity) (driftline_alert_active{{{VERSION}}}) > 0 \
                 unless max by (model, model_version, monitor, severity) \
                 (driftline_alert_active{{{VERSION}}} offset 1m) > 0"
            ),
            "{{monitor}} ({{severity}})",
        ),
        rows: vec![
            ("At a glance", glance()),
            ("Drift", drift()),
            ("Performance", performance::panels()),
            ("Data quality", quality()),
            ("Data flow", flow()),
            ("Service", service()),
        ],
    }]
}

fn variables() -> Vec<Variable> {
    let variable = |name, label, series, multi| Variable {
        name,
        label,
        series,
        multi,
    };
    vec![
        variable("job", "Job", "driftline_build_info", true),
        variable(
            "instance",
            "Instance",
            r#"driftline_build_info{job=~"$job"}"#,
            true,
        ),
        variable(
            "model",
            "Model",
            r#"driftline_model_info{job=~"$job",instance=~"$instance"}"#,
            false,
        ),
        variable(
            "model_version",
            "Version",
            r#"driftline_model_info{job=~"$job",instance=~"$instance",model=~"$model"}"#,
            true,
        ),
        variable(
            "window",
            "Window",
            r#"driftline_window_events{job=~"$job",instance=~"$instance",model=~"$model"}"#,
            false,
        ),
        variable(
            "detector",
            "Statistic",
            r#"driftline_drift_score{job=~"$job",instance=~"$instance",model=~"$model"}"#,
            false,
        ),
        variable(
            "metric",
            "Metric",
            r#"driftline_performance{job=~"$job",instance=~"$instance",model=~"$model"}"#,
            false,
        ),
        variable(
            "feature",
            "Feature",
            r#"driftline_drift_score{job=~"$job",instance=~"$instance",model=~"$model"}"#,
            true,
        ),
    ]
}

fn panel(
    title: &'static str,
    description: &'static str,
    (kind, unit): (Kind, &'static str),
    (width, height): (u32, u32),
    targets: Vec<(String, &'static str)>,
) -> Panel {
    Panel {
        title,
        description,
        kind,
        unit,
        width,
        height,
        targets,
        words: None,
        from_zero: true,
    }
}

fn glance() -> Vec<Panel> {
    let stat = |title, description, unit, width, expr: String, legend| {
        panel(
            title,
            description,
            (Kind::Stat, unit),
            (width, 4),
            vec![(expr, legend)],
        )
    };
    vec![
        stat(
            "Features that drift",
            "Features for which any rule held in the latest closed window of any length.",
            "short",
            4,
            format!(
                "sum(max by (model, model_version, feature) (driftline_drift_detected{{{VERSION}}})) or vector(0)"
            ),
            "features",
        ),
        stat(
            "Alerts firing",
            "Monitors of the model with a firing alert.",
            "short",
            4,
            format!(
                "sum(max by (model, model_version, monitor, kind, severity) (driftline_alert_active{{{VERSION}}})) or vector(0)"
            ),
            "alerts",
        ),
        stat(
            "Predictions",
            "Predictions of the model counted a second.",
            "cps",
            4,
            format!(
                "sum(rate(driftline_events_total{{{MODEL},stream=\"prediction\"}}[$__rate_interval]))"
            ),
            "predictions",
        ),
        stat(
            "Events in the latest window",
            "Events in the latest closed window, by window length. Few events make noisy scores.",
            "short",
            6,
            format!("max by (window) (driftline_window_events{{{VERSION}}})"),
            "{{window}}",
        ),
        stat(
            "Latest window ends at",
            "The event time at which the latest closed window ends. In a replay of history this is not now.",
            "dateTimeAsIso",
            6,
            format!("1000 * max by (window) (driftline_window_end_timestamp_seconds{{{VERSION}}})"),
            "{{window}}",
        ),
    ]
}

fn drift() -> Vec<Panel> {
    let mut states = panel(
        "Drift detected",
        "For each feature, whether any rule held in its latest closed window.",
        (Kind::States, "none"),
        (24, 9),
        vec![(
            format!("max by (feature) (driftline_drift_detected{{{FEATURE}}})"),
            "{{feature}}",
        )],
    );
    states.words = Some(["stable", "drifted"]);
    vec![
        panel(
            "Score of each feature",
            "The chosen statistic of the chosen window against the reference, and the lowest threshold of its rules.",
            (Kind::Lines, "none"),
            (24, 9),
            vec![
                (
                    format!("max by (feature) (driftline_drift_score{{{FEATURE},{DETECTOR}}})"),
                    "{{feature}}",
                ),
                (
                    format!(
                        "min by (detector) (driftline_drift_threshold{{{FEATURE},{DETECTOR}}})"
                    ),
                    "threshold of {{detector}}",
                ),
            ],
        ),
        states,
        panel(
            "Worst features now",
            "Score relative to the threshold of its rule; 100 % and more means drifted.",
            (Kind::Table, "percentunit"),
            (12, 9),
            vec![(
                format!(
                    "topk(20, max by (feature, detector, window) \
                     (driftline_drift_score{{{VERSION}}} / driftline_drift_threshold{{{VERSION}}}))"
                ),
                "{{feature}}",
            )],
        ),
        panel(
            "Score of the outputs",
            "The chosen statistic of what the model says, and the lowest threshold of its rules.",
            (Kind::Lines, "none"),
            (12, 9),
            vec![
                (
                    format!(
                        "max by (output) (driftline_prediction_drift_score{{{OUTPUT},{DETECTOR}}})"
                    ),
                    "{{output}}",
                ),
                (
                    format!(
                        "min by (detector) (driftline_prediction_drift_threshold{{{OUTPUT},{DETECTOR}}})"
                    ),
                    "threshold of {{detector}}",
                ),
            ],
        ),
    ]
}

fn quality() -> Vec<Panel> {
    let ratio = |title, description, metric: &str| {
        let expr = format!("max by (feature) ({metric}{{{FEATURE}}})");
        panel(
            title,
            description,
            (Kind::Lines, "percentunit"),
            (12, 8),
            vec![(expr, "{{feature}}")],
        )
    };
    vec![
        ratio(
            "Missing",
            "Share of the window's events in which the feature is null or absent.",
            "driftline_feature_missing_ratio",
        ),
        ratio(
            "Invalid",
            "Share of the window's events whose value is NaN, infinite or of the wrong type.",
            "driftline_feature_invalid_ratio",
        ),
        ratio(
            "Out of range",
            "Share of the window's valid numbers outside the reference's range.",
            "driftline_feature_out_of_range_ratio",
        ),
        ratio(
            "Unseen categories",
            "Share of the window's valid values that the reference has never seen.",
            "driftline_feature_unseen_category_ratio",
        ),
    ]
}

fn flow() -> Vec<Panel> {
    let rate = |title, description, kind, expr: String, legend| {
        panel(
            title,
            description,
            (kind, "cps"),
            (12, 8),
            vec![(expr, legend)],
        )
    };
    vec![
        rate(
            "Events counted",
            "Events of the model counted a second, by stream.",
            Kind::Lines,
            format!("sum by (stream) (rate(driftline_events_total{{{MODEL}}}[$__rate_interval]))"),
            "{{stream}}",
        ),
        rate(
            "Events rejected",
            "Events of all models that did not count, by reason.",
            Kind::Areas,
            format!(
                "sum by (stream, reason) (rate(driftline_events_rejected_total{{{SERVICE}}}[$__rate_interval])) > 0"
            ),
            "{{stream}} {{reason}}",
        ),
        rate(
            "Late events",
            "Events of the model that came after their pane had closed.",
            Kind::Lines,
            format!(
                "sum by (stream) (rate(driftline_late_events_total{{{MODEL}}}[$__rate_interval]))"
            ),
            "{{stream}}",
        ),
        rate(
            "Dead letters",
            "Messages written to the dead-letter topic, by reason.",
            Kind::Areas,
            format!(
                "sum by (reason) (rate(driftline_dead_letters_total{{{SERVICE}}}[$__rate_interval])) > 0"
            ),
            "{{reason}}",
        ),
        panel(
            "Consumer lag",
            "Records between driftline and the end of each topic.",
            (Kind::Lines, "short"),
            (12, 8),
            vec![(
                format!("sum by (topic) (driftline_kafka_consumer_lag_records{{{SERVICE}}})"),
                "{{topic}}",
            )],
        ),
        panel(
            "Alert events written",
            "Steps in the life of alerts written to the alerts topic.",
            (Kind::Areas, "short"),
            (12, 8),
            vec![(
                format!(
                    "sum by (kind, status) (increase(driftline_alerts_emitted_total{{{MODEL}}}[$__rate_interval]))"
                ),
                "{{kind}} {{status}}",
            )],
        ),
    ]
}

fn service() -> Vec<Panel> {
    let mut alerts = panel(
        "Alerts active",
        "For each monitor of the model, whether an alert is firing.",
        (Kind::States, "none"),
        (12, 8),
        vec![(
            format!("max by (monitor, kind, severity) (driftline_alert_active{{{VERSION}}})"),
            "{{monitor}}: {{kind}} ({{severity}})",
        )],
    );
    alerts.words = Some(["quiet", "firing"]);
    let troubles = panel(
        "Troubles",
        "Violated invariants, aborted flushes, rebalances and series over the budget.",
        (Kind::Lines, "short"),
        (12, 8),
        vec![
            (
                increase("invariant", "driftline_invariant_violations_total"),
                "violated: {{invariant}}",
            ),
            (
                increase("stage", "driftline_flushes_aborted_total"),
                "aborted flushes of {{stage}}",
            ),
            (
                increase("stage", "driftline_kafka_rebalances_total"),
                "rebalances of {{stage}}",
            ),
            (
                increase("model", "driftline_series_dropped_total"),
                "series over budget: {{model}}",
            ),
        ],
    );
    let mut panels = vec![alerts, troubles];
    panels.extend(latencies());
    panels.extend(resources());
    panels
}

fn increase(by: &str, metric: &str) -> String {
    format!("sum by ({by}) (increase({metric}{{{SERVICE}}}[$__rate_interval]))")
}

fn latencies() -> [Panel; 2] {
    let p99 = |title, description, metric: &str| {
        let buckets =
            format!("sum by (le, stage) (rate({metric}_bucket{{{SERVICE}}}[$__rate_interval]))");
        let expr = format!("histogram_quantile(0.99, {buckets})");
        panel(
            title,
            description,
            (Kind::Lines, "s"),
            (12, 8),
            vec![(expr, "{{stage}}")],
        )
    };
    [
        p99(
            "Flush, 99th percentile",
            "Time from the start of a flush to the end of its transaction.",
            "driftline_flush_duration_seconds",
        ),
        p99(
            "Commit, 99th percentile",
            "Time that the broker takes to commit a transaction.",
            "driftline_commit_duration_seconds",
        ),
    ]
}

fn resources() -> [Panel; 2] {
    let cpu = format!("rate(process_cpu_seconds_total{{{SERVICE}}}[$__rate_interval])");
    let memory = format!("process_resident_memory_bytes{{{SERVICE}}}");
    let state = format!("sum by (stage) (driftline_state_bytes{{{SERVICE}}})");
    [
        panel(
            "Processor",
            "Processor cores in use by the process.",
            (Kind::Lines, "short"),
            (12, 8),
            vec![(cpu, "{{instance}}")],
        ),
        panel(
            "Memory",
            "Resident memory of the process, and what the stages hold for open windows.",
            (Kind::Lines, "bytes"),
            (12, 8),
            vec![(memory, "{{instance}}"), (state, "state of {{stage}}")],
        ),
    ]
}
