//! The drift series, built from the read view at each scrape, so that what is gone vanishes.

use std::sync::Arc;

use prometheus::IntCounterVec;
use prometheus::core::{Collector, Desc};
use prometheus::proto;

use crate::budget::{self, Sample};
use crate::catalogue::{self, ALERT_ACTIVE, Metric, MetricType};
use crate::view::ReadView;
use crate::{label_value, performance, process};

/// The description that the registry checks names and labels with.
pub(crate) fn desc(metric: &Metric) -> Desc {
    let labels = metric
        .labels
        .iter()
        .map(|label| (*label).to_owned())
        .collect();
    Desc::new(
        metric.name.to_owned(),
        metric.help.to_owned(),
        labels,
        Default::default(),
    )
    .expect("the catalogue's names are valid, which its tests check")
}

pub(crate) fn family(metric: &Metric, metrics: Vec<proto::Metric>) -> proto::MetricFamily {
    let mut family = proto::MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(match metric.metric_type {
        MetricType::Counter => proto::MetricType::COUNTER,
        MetricType::Gauge => proto::MetricType::GAUGE,
        MetricType::Histogram => proto::MetricType::HISTOGRAM,
    });
    family.set_metric(metrics);
    family
}

pub(crate) fn labelled<'a>(
    metric: &Metric,
    values: impl IntoIterator<Item = &'a str>,
) -> proto::Metric {
    let pair = |(name, value): (&&str, &str)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    proto::Metric::from_label(metric.labels.iter().zip(values).map(pair).collect())
}

fn gauge<'a>(
    metric: &Metric,
    values: impl IntoIterator<Item = &'a str>,
    value: f64,
) -> proto::Metric {
    let mut gauge = proto::Gauge::default();
    gauge.set_value(value);
    let mut labelled = labelled(metric, values);
    labelled.set_gauge(gauge);
    labelled
}

/// Collects the drift series and the active alerts from the read view.
#[derive(Debug)]
pub(crate) struct DriftCollector {
    view: Arc<ReadView>,
    dropped: IntCounterVec,
    descs: Vec<Desc>,
}

impl DriftCollector {
    pub(crate) fn new(view: Arc<ReadView>, dropped: IntCounterVec) -> Self {
        let metrics = budget::METRICS
            .iter()
            .chain(&performance::METRICS)
            .chain([&ALERT_ACTIVE]);
        Self {
            view,
            dropped,
            descs: metrics.map(desc).collect(),
        }
    }
}

impl Collector for DriftCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let exposition = budget::expose(&self.view.reports(), self.view.options());
        for (model, dropped) in &exposition.dropped {
            self.dropped
                .with_label_values(&[label_value(model).as_ref()])
                .inc_by(*dropped);
        }
        let mut families: Vec<Vec<proto::Metric>> = vec![Vec::new(); budget::METRICS.len()];
        for Sample {
            metric,
            labels,
            value,
        } in exposition.samples
        {
            let labels = labels.iter().map(String::as_str);
            families[metric].push(gauge(&budget::METRICS[metric], labels, value));
        }
        let of_metric = |(metric, metrics)| family(metric, metrics);
        let mut families: Vec<_> = budget::METRICS
            .iter()
            .zip(families)
            .map(of_metric)
            .collect();
        families.extend(self.performance());
        families.push(family(&ALERT_ACTIVE, self.alerts()));
        families
    }
}

impl DriftCollector {
    fn performance(&self) -> impl Iterator<Item = proto::MetricFamily> {
        let views = self.view.performance().views();
        let mut families: Vec<Vec<proto::Metric>> = vec![Vec::new(); performance::METRICS.len()];
        for (metric, labels, value) in
            performance::samples(&views, self.view.options().series_per_model_max)
        {
            let labels = labels.iter().map(String::as_str);
            families[metric].push(gauge(&performance::METRICS[metric], labels, value));
        }
        let all = performance::METRICS.iter().zip(families);
        all.map(|(metric, metrics)| family(metric, metrics))
    }

    fn alerts(&self) -> Vec<proto::Metric> {
        let mut seen = std::collections::BTreeMap::new();
        for (monitor, firing) in self.view.monitors() {
            let labels = [monitor.model, monitor.version, monitor.rule]
                .map(|l| label_value(&l).into_owned());
            *seen
                .entry((labels, monitor.kind.as_str(), monitor.severity.as_str()))
                .or_insert(false) |= firing;
        }
        let series = seen
            .into_iter()
            .take(self.view.options().series_per_model_max);
        let metric =
            |(([model, version, rule], kind, severity), firing): (([String; 3], _, _), bool)| {
                let labels = [
                    model.as_str(),
                    version.as_str(),
                    rule.as_str(),
                    kind,
                    severity,
                ];
                gauge(&ALERT_ACTIVE, labels, f64::from(u8::from(firing)))
            };
        series.map(metric).collect()
    }
}

/// The process's own figures, under the names that every Prometheus client uses.
#[derive(Debug)]
pub(crate) struct ProcessCollector {
    started_seconds: f64,
    descs: Vec<Desc>,
}

impl ProcessCollector {
    const METRICS: [Metric; 3] = [
        catalogue::PROCESS_START,
        catalogue::PROCESS_CPU,
        catalogue::PROCESS_MEMORY,
    ];

    pub(crate) fn new() -> Self {
        let descs = Self::METRICS.iter().map(desc).collect();
        Self {
            started_seconds: process::unix_seconds(),
            descs,
        }
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let [start, cpu, memory] = &Self::METRICS;
        let started = vec![gauge(start, [], self.started_seconds)];
        let used = process::cpu_time().map(|time| {
            let mut counter = proto::Counter::default();
            counter.set_value(time.as_secs_f64());
            let mut metric = labelled(cpu, []);
            metric.set_counter(counter);
            metric
        });
        let resident = process::resident_bytes().map(|bytes| gauge(memory, [], bytes as f64));
        vec![
            family(start, started),
            family(cpu, used.into_iter().collect()),
            family(memory, resident.into_iter().collect()),
        ]
    }
}
