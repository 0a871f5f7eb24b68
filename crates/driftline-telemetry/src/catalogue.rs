//! Every metric that Driftline exports: its name, help, type and labels, in one place.
//!
//! Dashboards, alert rules and `docs/metrics.md` are checked against [`CATALOGUE`], so a name that is
//! not here cannot be used, and a name that is here is documented.

/// The Prometheus type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// Only goes up; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets, a sum and a count.
    Histogram,
}

impl MetricType {
    /// The word of the text format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One exported metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The full name.
    pub name: &'static str,
    /// What it says, in a sentence without a final stop.
    pub help: &'static str,
    /// Counter, gauge or histogram.
    pub metric_type: MetricType,
    /// The names of its labels, in the order in which values are given.
    pub labels: &'static [&'static str],
}

macro_rules! catalogue {
    ($($constant:ident = $name:literal, $type:ident, [$($label:literal),*], $help:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`: ", $help, ".")]
            pub const $constant: Metric = Metric {
                name: $name,
                help: $help,
                metric_type: MetricType::$type,
                labels: &[$($label),*],
            };
        )*

        /// Every metric, in the order in which the documentation lists them.
        pub const CATALOGUE: &[Metric] = &[$($constant),*];
    };
}

catalogue! {
    BUILD_INFO = "driftline_build_info", Gauge, ["version", "revision"],
        "The running build, always 1";
    MODEL_INFO = "driftline_model_info", Gauge, ["model", "model_version", "reference_id", "task"],
        "A monitored model version and the reference it is compared with, always 1";
    REFERENCE_INFO = "driftline_reference_info", Gauge, ["model", "model_version", "reference_id", "source"],
        "Where the reference of a model version came from, always 1";
    REFERENCE_EVENTS = "driftline_reference_events", Gauge, ["model", "model_version"],
        "Events from which the reference of a model version was built";
    ALARM_BUDGET = "driftline_alarm_budget", Gauge, ["model", "model_version"],
        "The most false alarms to be expected of a model version in 30 days";
    CALIBRATED = "driftline_calibrated", Gauge, ["model", "model_version"],
        "Whether tolerances come from a calibration, 1, or are the wide ones, 0";

    EVENTS = "driftline_events_total", Counter, ["stream", "model"],
        "Events that were read, understood and counted";
    EVENTS_REJECTED = "driftline_events_rejected_total", Counter, ["stream", "reason"],
        "Events that did not count, by reason";
    DEAD_LETTERS = "driftline_dead_letters_total", Counter, ["reason"],
        "Messages written to the dead-letter topic, by reason";
    LATE_EVENTS = "driftline_late_events_total", Counter, ["stream", "model"],
        "Events that came after the watermark had closed their pane";
    LAST_EVENT = "driftline_last_event_timestamp_seconds", Gauge, ["stream", "model"],
        "The latest event time seen, in seconds since the epoch";
    WATERMARK = "driftline_watermark_timestamp_seconds", Gauge, ["topic", "partition"],
        "The event time up to which a source partition is complete, in seconds since the epoch";

    DRIFT_SCORE = "driftline_drift_score", Gauge, ["model", "model_version", "feature", "detector", "window"],
        "How far the latest window of a feature is from the reference, in the detector's own unit";
    DRIFT_THRESHOLD = "driftline_drift_threshold", Gauge, ["model", "model_version", "feature", "detector", "window"],
        "The value at or above which a rule holds for a feature, in the detector's own unit";
    DRIFT_DETECTED = "driftline_drift_detected", Gauge, ["model", "model_version", "feature", "detector", "window"],
        "Whether a rule held in the latest window of a feature, 1 or 0";
    DRIFT_P_VALUE = "driftline_drift_p_value", Gauge, ["model", "model_version", "feature", "detector", "window"],
        "The probability of a score as large without drift, for the detectors that have one";
    FEATURE_MISSING = "driftline_feature_missing_ratio", Gauge, ["model", "model_version", "feature", "window"],
        "Share of the latest window's events in which the feature is missing";
    FEATURE_INVALID = "driftline_feature_invalid_ratio", Gauge, ["model", "model_version", "feature", "window"],
        "Share of the latest window's events in which the feature is NaN, infinite or of the wrong type";
    FEATURE_OUT_OF_RANGE = "driftline_feature_out_of_range_ratio", Gauge, ["model", "model_version", "feature", "window"],
        "Share of the latest window's valid values outside the reference's range";
    FEATURE_UNSEEN = "driftline_feature_unseen_category_ratio", Gauge, ["model", "model_version", "feature", "window"],
        "Share of the latest window's valid values that the reference has never seen";
    PREDICTION_SCORE = "driftline_prediction_drift_score", Gauge, ["model", "model_version", "output", "detector", "window"],
        "How far the latest window of an output is from the reference, in the detector's own unit";
    PREDICTION_THRESHOLD = "driftline_prediction_drift_threshold", Gauge, ["model", "model_version", "output", "detector", "window"],
        "The value at or above which a rule holds for an output, in the detector's own unit";
    PREDICTION_DETECTED = "driftline_prediction_drift_detected", Gauge, ["model", "model_version", "output", "detector", "window"],
        "Whether a rule held in the latest window of an output, 1 or 0";
    PREDICTION_P_VALUE = "driftline_prediction_drift_p_value", Gauge, ["model", "model_version", "output", "detector", "window"],
        "The probability of a score as large without drift, for the detectors that have one";
    PREDICTION_MISSING = "driftline_prediction_missing_ratio", Gauge, ["model", "model_version", "output", "window"],
        "Share of the latest window's events in which the output is missing";
    PREDICTION_INVALID = "driftline_prediction_invalid_ratio", Gauge, ["model", "model_version", "output", "window"],
        "Share of the latest window's events in which the output is NaN, infinite or of the wrong type";
    PREDICTION_OUT_OF_RANGE = "driftline_prediction_out_of_range_ratio", Gauge, ["model", "model_version", "output", "window"],
        "Share of the latest window's valid outputs outside the reference's range";
    PREDICTION_UNSEEN = "driftline_prediction_unseen_category_ratio", Gauge, ["model", "model_version", "output", "window"],
        "Share of the latest window's valid outputs that the reference has never seen";
    SEGMENT_SCORE = "driftline_segment_drift_score", Gauge, ["model", "model_version", "segment", "feature", "detector", "window"],
        "How far the latest window of a feature is from the reference within one segment, only when segments are switched on";
    WINDOW_EVENTS = "driftline_window_events", Gauge, ["model", "model_version", "window"],
        "Events in the latest closed window";
    WINDOW_END = "driftline_window_end_timestamp_seconds", Gauge, ["model", "model_version", "window"],
        "The event time at which the latest closed window ends, in seconds since the epoch";
    SERIES_DROPPED = "driftline_series_dropped_total", Counter, ["model"],
        "Drift series that an exposition left out or folded into __other__ to keep within the budget";

    PERFORMANCE = "driftline_performance", Gauge, ["model", "model_version", "metric", "basis", "window"],
        "How good the predictions of a window are: realised by the labels of the last mature window, or estimated from the scores of the latest";
    PERFORMANCE_BASELINE = "driftline_performance_baseline", Gauge, ["model", "model_version", "metric"],
        "How good the predictions of the reference are";
    LABEL_COVERAGE = "driftline_label_coverage_ratio", Gauge, ["model", "model_version", "window"],
        "Share of a window's predictions that have a label";
    LABEL_DELAY = "driftline_label_delay_seconds", Gauge, ["model", "model_version", "window", "share"],
        "Time within which this share of a window's labels came, after their predictions";
    LABELS_LATE = "driftline_labels_late", Gauge, ["model", "model_version", "window"],
        "Whether a window has fewer labels than it should have by now, 1 or 0";
    LABELS_JOINED = "driftline_join_labels_total", Counter, ["result"],
        "Labels that the join has looked at, by what became of them";
    JOIN_PENDING = "driftline_join_pending", Gauge, ["topic", "partition", "kind"],
        "Predictions that wait for a label, and labels that wait for a prediction";

    ALERT_ACTIVE = "driftline_alert_active", Gauge, ["model", "model_version", "monitor", "kind", "severity"],
        "Whether an alert of this monitor is firing, 1 or 0";
    ALERTS_EMITTED = "driftline_alerts_emitted_total", Counter, ["model", "severity", "kind", "status"],
        "Alert events written to the alerts topic";

    INVARIANT_VIOLATIONS = "driftline_invariant_violations_total", Counter, ["invariant"],
        "Times an invariant did not hold, such as the tiling of source offsets; any is a defect";
    CONSUMER_LAG = "driftline_kafka_consumer_lag_records", Gauge, ["topic", "partition"],
        "Records between the position of this process and the end of the partition";
    REBALANCES = "driftline_kafka_rebalances_total", Counter, ["stage"],
        "Times the group gave this process other partitions";
    FLUSH_DURATION = "driftline_flush_duration_seconds", Histogram, ["stage"],
        "Time from the start of a flush to the end of its transaction";
    COMMIT_DURATION = "driftline_commit_duration_seconds", Histogram, ["stage"],
        "Time that the broker took to commit a transaction";
    FLUSHES_ABORTED = "driftline_flushes_aborted_total", Counter, ["stage"],
        "Flushes whose transaction was aborted and whose input was read again";
    STATE_BYTES = "driftline_state_bytes", Gauge, ["stage"],
        "Memory that a stage holds for open panes and windows, as it estimates it";

    PROCESS_START = "process_start_time_seconds", Gauge, [],
        "Start time of the process since the epoch in seconds";
    PROCESS_CPU = "process_cpu_seconds_total", Counter, [],
        "Total user and system CPU time spent in seconds";
    PROCESS_MEMORY = "process_resident_memory_bytes", Gauge, [],
        "Resident memory size in bytes";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        let mut seen = BTreeSet::new();
        for metric in CATALOGUE {
            let name = metric.name;
            assert!(seen.insert(name), "{name} stands twice");
            assert!(
                name.starts_with("driftline_") || name.starts_with("process_"),
                "{name}"
            );
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{name}"
            );
            assert_eq!(
                name.ends_with("_total"),
                metric.metric_type == MetricType::Counter,
                "{name}"
            );
            assert!(
                !metric.help.ends_with('.') && !metric.help.is_empty(),
                "{name}"
            );
            for label in metric.labels {
                assert!(
                    !["job", "instance", "le", "quantile"].contains(label),
                    "{name}"
                );
            }
        }
    }
}
