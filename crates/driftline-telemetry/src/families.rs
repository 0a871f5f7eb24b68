//! The families that are counted and set as things happen.

use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::catalogue::{self as c, Metric};

/// Every family that is not built at each scrape.
#[derive(Debug)]
pub(crate) struct Families {
    pub(crate) model_info: IntGaugeVec,
    pub(crate) reference_info: IntGaugeVec,
    pub(crate) reference_events: IntGaugeVec,
    pub(crate) alarm_budget: GaugeVec,
    pub(crate) calibrated: IntGaugeVec,
    pub(crate) events: IntCounterVec,
    pub(crate) rejected: IntCounterVec,
    pub(crate) dead_letters: IntCounterVec,
    pub(crate) late: IntCounterVec,
    pub(crate) last_event: GaugeVec,
    pub(crate) watermark: GaugeVec,
    pub(crate) dropped: IntCounterVec,
    pub(crate) alerts_emitted: IntCounterVec,
    pub(crate) violations: IntCounterVec,
    pub(crate) lag: IntGaugeVec,
    pub(crate) rebalances: IntCounterVec,
    pub(crate) aborted: IntCounterVec,
    pub(crate) state_bytes: IntGaugeVec,
    pub(crate) joined: IntCounterVec,
    pub(crate) pending: IntGaugeVec,
}

pub(crate) fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> C {
    registry
        .register(Box::new(collector.clone()))
        .expect("the catalogue's names are distinct, which its tests check");
    collector
}

fn counters(registry: &Registry, metric: &Metric) -> IntCounterVec {
    let family = IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels);
    register(
        registry,
        family.expect("the catalogue's names are valid, which its tests check"),
    )
}

pub(crate) fn integers(registry: &Registry, metric: &Metric) -> IntGaugeVec {
    let family = IntGaugeVec::new(Opts::new(metric.name, metric.help), metric.labels);
    register(
        registry,
        family.expect("the catalogue's names are valid, which its tests check"),
    )
}

fn gauges(registry: &Registry, metric: &Metric) -> GaugeVec {
    let family = GaugeVec::new(Opts::new(metric.name, metric.help), metric.labels);
    register(
        registry,
        family.expect("the catalogue's names are valid, which its tests check"),
    )
}

impl Families {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            model_info: integers(registry, &c::MODEL_INFO),
            reference_info: integers(registry, &c::REFERENCE_INFO),
            reference_events: integers(registry, &c::REFERENCE_EVENTS),
            alarm_budget: gauges(registry, &c::ALARM_BUDGET),
            calibrated: integers(registry, &c::CALIBRATED),
            events: counters(registry, &c::EVENTS),
            rejected: counters(registry, &c::EVENTS_REJECTED),
            dead_letters: counters(registry, &c::DEAD_LETTERS),
            late: counters(registry, &c::LATE_EVENTS),
            last_event: gauges(registry, &c::LAST_EVENT),
            watermark: gauges(registry, &c::WATERMARK),
            dropped: counters(registry, &c::SERIES_DROPPED),
            alerts_emitted: counters(registry, &c::ALERTS_EMITTED),
            violations: counters(registry, &c::INVARIANT_VIOLATIONS),
            lag: integers(registry, &c::CONSUMER_LAG),
            rebalances: counters(registry, &c::REBALANCES),
            aborted: counters(registry, &c::FLUSHES_ABORTED),
            state_bytes: integers(registry, &c::STATE_BYTES),
            joined: counters(registry, &c::LABELS_JOINED),
            pending: integers(registry, &c::JOIN_PENDING),
        }
    }
}
