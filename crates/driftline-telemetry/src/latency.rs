//! Own latencies: recorded in an HDR histogram, read as quantiles or as a Prometheus histogram.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use prometheus::core::Desc;
use prometheus::proto;

use crate::Stage;
use crate::catalogue::{COMMIT_DURATION, FLUSH_DURATION, Metric};
use crate::collector::{desc, family, labelled};

/// The longest recorded duration; longer ones count as this long.
const DURATION_MAX: Duration = Duration::from_secs(600);
const SIGNIFICANT_DIGITS: u8 = 3;
/// Upper bounds of the exported buckets in microseconds: 1 ms to 1 min.
const BOUNDS_MICROS: [u64; 15] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LatencyKind {
    /// A whole flush, from its start to the end of its transaction.
    Flush,
    /// The broker's part in it.
    Commit,
}

impl LatencyKind {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Flush, Self::Commit];

    /// The metric it is exported as.
    pub const fn metric(self) -> Metric {
        match self {
            Self::Flush => FLUSH_DURATION,
            Self::Commit => COMMIT_DURATION,
        }
    }
}

#[derive(Debug)]
struct Recorded {
    histogram: Histogram<u64>,
    sum: Duration,
}

/// A handle to record durations of one kind in one stage.
#[derive(Clone, Debug)]
pub struct Latency(Arc<Mutex<Recorded>>);

impl Latency {
    fn new() -> Self {
        let most = u64::try_from(DURATION_MAX.as_micros()).unwrap_or(u64::MAX);
        let histogram = Histogram::new_with_max(most, SIGNIFICANT_DIGITS)
            .expect("the bound is above two and the digits are at most five");
        Self(Arc::new(Mutex::new(Recorded {
            histogram,
            sum: Duration::ZERO,
        })))
    }

    /// Records one duration.
    pub fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.histogram.saturating_record(micros);
        recorded.sum = recorded.sum.saturating_add(duration);
    }

    fn quantiles(&self, kind: LatencyKind, stage: Stage) -> LatencyQuantiles {
        let recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |q| Duration::from_micros(recorded.histogram.value_at_quantile(q));
        LatencyQuantiles {
            kind,
            stage,
            count: recorded.histogram.len(),
            p50: at(0.5),
            p99: at(0.99),
            max: Duration::from_micros(recorded.histogram.max()),
        }
    }

    fn proto(&self) -> proto::Histogram {
        let recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = [0_u64; BOUNDS_MICROS.len()];
        for step in recorded.histogram.iter_recorded() {
            let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < step.value_iterated_to());
            if let Some(count) = counts.get_mut(bucket) {
                *count += step.count_at_value();
            }
        }
        let mut below = 0;
        let buckets = BOUNDS_MICROS.iter().zip(counts).map(|(bound, count)| {
            below += count;
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound as f64 / 1e6);
            bucket.set_cumulative_count(below);
            bucket
        });
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(recorded.histogram.len());
        histogram.set_sample_sum(recorded.sum.as_secs_f64());
        histogram
    }
}

/// Quantiles of one kind of duration in one stage since the process started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyQuantiles {
    /// What was timed.
    pub kind: LatencyKind,
    /// Where.
    pub stage: Stage,
    /// How many were recorded.
    pub count: u64,
    /// The median.
    pub p50: Duration,
    /// The 99th percentile.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// All latencies of the process; collects them as Prometheus histograms.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    descs: Vec<Desc>,
    by_kind: Arc<Mutex<BTreeMap<(LatencyKind, Stage), Latency>>>,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        let descs = LatencyKind::ALL
            .iter()
            .map(|kind| desc(&kind.metric()))
            .collect();
        Self {
            descs,
            by_kind: Arc::default(),
        }
    }

    pub(crate) fn handle(&self, kind: LatencyKind, stage: Stage) -> Latency {
        let mut by_kind = self.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        by_kind
            .entry((kind, stage))
            .or_insert_with(Latency::new)
            .clone()
    }

    pub(crate) fn quantiles(&self) -> Vec<LatencyQuantiles> {
        let by_kind = self.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        by_kind
            .iter()
            .map(|((kind, stage), latency)| latency.quantiles(*kind, *stage))
            .collect()
    }
}

impl prometheus::core::Collector for Latencies {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let by_kind = self.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        let one = |kind: &LatencyKind| {
            let of_kind = by_kind.iter().filter(|((k, _), _)| k == kind);
            let metrics = of_kind.map(|((_, stage), latency)| {
                let mut metric = labelled(&kind.metric(), [stage.as_str()]);
                metric.set_histogram(latency.proto());
                metric
            });
            family(&kind.metric(), metrics.collect())
        };
        LatencyKind::ALL.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_what_is_at_or_below_their_bound() {
        let latencies = Latencies::new();
        let flush = latencies.handle(LatencyKind::Flush, Stage::Observe);
        for millis in [1, 1, 40, 700, 3_600_000] {
            flush.record(Duration::from_millis(millis));
        }
        let histogram = flush.proto();
        let cumulative: Vec<u64> = histogram
            .get_bucket()
            .iter()
            .map(proto::Bucket::cumulative_count)
            .collect();
        assert_eq!(cumulative, [2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4]);
        assert_eq!(histogram.get_sample_count(), 5);
        assert!((histogram.get_sample_sum() - 3_600.742).abs() < 1e-9);
        let quantiles = latencies.quantiles();
        assert_eq!(quantiles.len(), 1);
        assert_eq!((quantiles[0].count, quantiles[0].p50.as_millis()), (5, 40));
    }
}
