//! The one door to all telemetry.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use driftline_event::{
    AlertEvent, AlertStatus, DropReason, PerformanceReport, RejectKind, SourcePartition, Timestamp,
    WindowReport,
};
use prometheus::core::Collector;
use prometheus::proto::{self, MetricFamily};
use prometheus::{Registry, TextEncoder};

use crate::catalogue::{self as c, Metric};
use crate::collector::{DriftCollector, ProcessCollector};
use crate::families::{Families, integers, register};
use crate::info::{ModelInfo, Totals};
use crate::latency::Latencies;
use crate::view::ReadView;
use crate::{
    Counter, InternalEvent, Latency, LatencyKind, LatencyQuantiles, PerformanceView,
    ReasonCounters, SeriesView, Stage, Stream, TelemetryOptions, label_value,
};

/// The content type of [`Telemetry::render`].
pub const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Invariants are an enum of the engine; this bounds a defect there.
const INVARIANTS_MAX: usize = 64;

/// Counts, gauges, reports and alerts of one process. Clones share everything.
///
/// ```
/// use driftline_telemetry::{Stream, Telemetry, TelemetryOptions};
/// let telemetry = Telemetry::new(TelemetryOptions::default());
/// let events = telemetry.events(Stream::Prediction, "credit-risk");
/// events.add(64);
/// assert!(telemetry.render().contains("driftline_events_total{model=\"credit-risk\",stream=\"prediction\"} 64"));
/// ```
#[derive(Clone, Debug)]
pub struct Telemetry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    view: Arc<ReadView>,
    latencies: Latencies,
    families: Families,
    models: Mutex<Vec<ModelInfo>>,
    invariants: Mutex<std::collections::BTreeSet<String>>,
}

impl Telemetry {
    /// Telemetry with nothing counted yet.
    pub fn new(options: TelemetryOptions) -> Self {
        let registry = Registry::new();
        let families = Families::new(&registry);
        let build = integers(&registry, &c::BUILD_INFO);
        build
            .with_label_values(&[options.version.as_str(), options.revision.as_str()])
            .set(1);
        let latencies = register(&registry, Latencies::new());
        let view = Arc::new(ReadView::new(options));
        let drift = DriftCollector::new(Arc::clone(&view), families.dropped.clone());
        for collector in [
            Box::new(drift) as Box<dyn Collector>,
            Box::new(ProcessCollector::new()),
        ] {
            registry
                .register(collector)
                .expect("the catalogue's names are distinct, which its tests check");
        }
        let (models, invariants) = (Mutex::default(), Mutex::default());
        let shared = Shared {
            registry,
            view,
            latencies,
            families,
            models,
            invariants,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Makes a model version known: its info series, and its counters from zero.
    pub fn register_model(&self, info: ModelInfo) {
        let f = &self.shared.families;
        let [model, version, reference, source, task] = [
            &info.model,
            &info.version,
            &info.reference,
            &info.source,
            &info.task,
        ]
        .map(|t| label_value(t));
        f.model_info
            .with_label_values(&[&model, &version, &reference, &task])
            .set(1);
        f.reference_info
            .with_label_values(&[&model, &version, &reference, &source])
            .set(1);
        let events = i64::try_from(info.reference_events).unwrap_or(i64::MAX);
        f.reference_events
            .with_label_values(&[&model, &version])
            .set(events);
        if let Some(decision) = &info.decision {
            let labels = [&*model, &*version];
            f.alarm_budget
                .with_label_values(&labels)
                .set(decision.alarms_per_month);
            f.calibrated
                .with_label_values(&labels)
                .set(decision.calibrated_days.is_some().into());
        }
        let _ = self.events(Stream::Prediction, &model);
        let _ = self.late_events(Stream::Prediction, &model);
        f.dropped.with_label_values(&[&model]);
        self.shared
            .models
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(info);
    }

    /// The versions given to [`Telemetry::register_model`].
    pub fn models(&self) -> Vec<ModelInfo> {
        self.shared
            .models
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Counts events that count. `model` is one that the configuration names.
    pub fn events(&self, stream: Stream, model: &str) -> Counter {
        let model = label_value(model);
        Counter(
            self.shared
                .families
                .events
                .with_label_values(&[stream.as_str(), &model]),
        )
    }

    /// Counts events that do not count, by reason.
    pub fn rejects(&self, stream: Stream) -> ReasonCounters {
        ReasonCounters::new(
            &self.shared.families.rejected,
            &[stream.as_str()],
            DropReason::ALL,
        )
    }

    /// Counts messages that were written to the dead-letter topic, by reason. Knows only the reasons of
    /// [`RejectKind::DeadLetter`].
    pub fn dead_letters(&self) -> ReasonCounters {
        let all = DropReason::ALL.iter().copied();
        let reasons: Vec<_> = all.filter(|r| r.kind() == RejectKind::DeadLetter).collect();
        ReasonCounters::new(&self.shared.families.dead_letters, &[], &reasons)
    }

    /// Counts late events. They are among the rejects too; this family names their model.
    pub fn late_events(&self, stream: Stream, model: &str) -> Counter {
        let model = label_value(model);
        Counter(
            self.shared
                .families
                .late
                .with_label_values(&[stream.as_str(), &model]),
        )
    }

    /// Counts rebalances of a stage's group; [`InternalEvent::Rebalanced`] is the log line.
    pub fn rebalances(&self, stage: Stage) -> Counter {
        Counter(
            self.shared
                .families
                .rebalances
                .with_label_values(&[stage.as_str()]),
        )
    }

    /// Counts aborted flushes; [`InternalEvent::FlushAborted`] is the log line.
    pub fn flushes_aborted(&self, stage: Stage) -> Counter {
        Counter(
            self.shared
                .families
                .aborted
                .with_label_values(&[stage.as_str()]),
        )
    }

    /// Records durations of `kind` in `stage`.
    pub fn latency(&self, kind: LatencyKind, stage: Stage) -> Latency {
        self.shared.latencies.handle(kind, stage)
    }

    /// Quantiles of all durations recorded so far.
    pub fn latency_quantiles(&self) -> Vec<LatencyQuantiles> {
        self.shared.latencies.quantiles()
    }

    /// Makes invariants known, so that their counters start at zero and a first violation is an increase.
    pub fn register_invariants(&self, names: &[&str]) {
        for name in names {
            self.violations(name);
        }
    }

    fn violations(&self, invariant: &str) -> Counter {
        let mut known = self
            .shared
            .invariants
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut name = label_value(invariant).into_owned();
        if !known.contains(&name) && known.len() >= INVARIANTS_MAX {
            "other".clone_into(&mut name);
        }
        known.insert(name.clone());
        Counter(self.shared.families.violations.with_label_values(&[&name]))
    }

    /// Counts and logs that an invariant did not hold.
    pub fn invariant_violated(&self, invariant: &str, detail: &str) {
        self.violations(invariant).add(1);
        InternalEvent::InvariantViolated { invariant, detail }.log();
    }

    /// Sets how many records lie between this process and the end of a partition.
    pub fn set_consumer_lag(&self, topic: &str, partition: i32, records: i64) {
        let labels = [label_value(topic), partition.to_string().into()];
        self.shared
            .families
            .lag
            .with_label_values(&labels)
            .set(records.max(0));
    }

    /// Sets a source partition's watermark. [`Timestamp::MIN`] and [`Timestamp::MAX`] are no times: the
    /// series stays as it was.
    pub fn set_watermark(&self, topic: &str, partition: i32, watermark: Timestamp) {
        if watermark > Timestamp::MIN && watermark < Timestamp::MAX {
            let labels = [label_value(topic), partition.to_string().into()];
            let seconds = watermark.as_seconds_f64();
            self.shared
                .families
                .watermark
                .with_label_values(&labels)
                .set(seconds);
        }
    }

    /// Drops the series of a partition that this process no longer reads.
    pub fn forget_partition(&self, topic: &str, partition: i32) {
        let (topic, partition) = (label_value(topic), partition.to_string());
        let labels = [topic.as_ref(), partition.as_str()];
        // An error says that there is no such series, which is what is wanted.
        let _ = self.shared.families.lag.remove_label_values(&labels);
        let _ = self.shared.families.watermark.remove_label_values(&labels);
    }

    /// Sets the latest event time of a model.
    pub fn set_last_event(&self, stream: Stream, model: &str, at: Timestamp) {
        let labels = [stream.as_str().into(), label_value(model)];
        self.shared
            .families
            .last_event
            .with_label_values(&labels)
            .set(at.as_seconds_f64());
    }

    /// Sets the memory that a stage holds.
    pub fn set_state_bytes(&self, stage: Stage, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.shared
            .families
            .state_bytes
            .with_label_values(&[stage.as_str()])
            .set(bytes);
    }

    /// Takes what a closed window says. Per window and column, never per event.
    pub fn record_report(&self, report: WindowReport) {
        self.record_report_at(report, Instant::now());
    }

    /// The same at a given processing time, from which [`TelemetryOptions::expire_after`] counts.
    pub fn record_report_at(&self, report: WindowReport, now: Instant) {
        let model = label_value(&report.series.model).into_owned();
        if !self.shared.view.record(report, now) {
            let dropped = self.shared.families.dropped.with_label_values(&[&model]);
            if dropped.get() == 0 {
                let reports_max = self.shared.view.options().reports_max;
                InternalEvent::ReportsFull { reports_max }.log();
            }
            dropped.inc();
        }
    }

    /// Takes what labels say about a window. Per window, never per event.
    pub fn record_performance(&self, report: PerformanceReport) {
        let model = label_value(&report.model).into_owned();
        let (view, now) = (&self.shared.view, Instant::now());
        if !view
            .performance()
            .record(report, now, view.options().reports_max)
        {
            let dropped = self.shared.families.dropped.with_label_values(&[&model]);
            dropped.inc();
        }
    }

    /// The newest performance of every version, segment and window size.
    pub fn latest_performance(&self) -> Vec<PerformanceView> {
        self.shared.view.performance().views()
    }

    /// Counts labels by what became of them; `result` is a word of the join's.
    pub fn labels_joined(&self, result: &'static str) -> Counter {
        Counter(self.shared.families.joined.with_label_values(&[result]))
    }

    /// Sets how many predictions and labels wait for each other in a partition of the outcomes topic.
    pub fn set_join_pending(&self, source: &SourcePartition, predictions: u64, labels: u64) {
        let (topic, partition) = (label_value(&source.topic), source.partition.to_string());
        for (kind, n) in [("predictions", predictions), ("labels", labels)] {
            self.shared
                .families
                .pending
                .with_label_values(&[topic.as_ref(), &partition, kind])
                .set(i64::try_from(n).unwrap_or(i64::MAX));
        }
    }

    /// Takes one step of an alert: counts it, logs it, and shows it until it is resolved.
    pub fn record_alert(&self, alert: &AlertEvent) {
        if alert.status != AlertStatus::Pending {
            let (severity, kind) = (alert.severity.as_str(), alert.kind.as_str());
            let model = label_value(&alert.series.model);
            let labels = [model.as_ref(), severity, kind, alert.status.as_str()];
            self.shared
                .families
                .alerts_emitted
                .with_label_values(&labels)
                .inc();
        }
        self.shared.view.record_alert(alert, Instant::now());
        InternalEvent::Alert(alert).log();
    }

    /// Shows an alert that an earlier process has sent: it is neither counted nor logged again.
    pub fn restore_alert(&self, alert: &AlertEvent) {
        self.shared.view.record_alert(alert, Instant::now());
    }

    /// The newest report of every series and window, ordered by series and window name.
    pub fn latest_reports(&self) -> Vec<SeriesView> {
        self.shared.view.series()
    }

    /// The alerts that are firing: the worst, then the newest first.
    pub fn active_alerts(&self) -> Vec<AlertEvent> {
        self.shared.view.active()
    }

    /// The last alert events, newest first, at most [`TelemetryOptions::alerts_recent_max`].
    pub fn recent_alerts(&self) -> Vec<AlertEvent> {
        self.shared.view.recent()
    }

    /// Drops the series of versions whose events stopped. Each [`Telemetry::gather`] does it.
    pub fn expire(&self, now: Instant) {
        self.shared.view.expire(now);
    }

    /// The sums that a view shows.
    pub fn totals(&self) -> Totals {
        let f = &self.shared.families;
        let predictions = sum(&f.events, |m| has(m, "stream", Stream::Prediction.as_str()));
        Totals {
            predictions,
            labels: sum(&f.events, |_| true).saturating_sub(predictions),
            rejected: sum(&f.rejected, |_| true),
            dead_letters: sum(&f.dead_letters, |_| true),
            late: sum(&f.late, |_| true),
            violations: sum(&f.violations, |_| true),
            lag_records: sum(&f.lag, |_| true),
        }
    }

    /// All metric families as they are now.
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.expire(Instant::now());
        self.shared.registry.gather()
    }

    /// All metrics in the text format of Prometheus, whose content type is [`TEXT_FORMAT`].
    pub fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.gather(), &mut text) {
            tracing::error!(%error, "the metrics could not be encoded in full");
        }
        text
    }

    /// The sum of a counter or gauge over the series that carry all of `labels`; for tests, since it gathers
    /// everything.
    pub fn value(&self, metric: &Metric, labels: &[(&str, &str)]) -> f64 {
        let families = self.gather();
        let series = families
            .iter()
            .filter(|f| f.name() == metric.name)
            .flat_map(|f| f.get_metric());
        let wanted = series.filter(|m| labels.iter().all(|(name, value)| has(m, name, value)));
        wanted
            .map(|m| m.get_gauge().get_value() + m.get_counter().get_value())
            .sum()
    }
}

fn has(metric: &proto::Metric, name: &str, value: &str) -> bool {
    metric
        .get_label()
        .iter()
        .any(|label| label.name() == name && label.value() == value)
}

fn sum(family: &impl Collector, wanted: impl Fn(&proto::Metric) -> bool) -> u64 {
    let families = family.collect();
    let metrics = families
        .iter()
        .flat_map(proto::MetricFamily::get_metric)
        .filter(|m| wanted(m));
    metrics
        .map(|m| (m.get_counter().get_value() + m.get_gauge().get_value()) as u64)
        .sum()
}
