//! What the stages say in the cases that a well-behaved stream never shows.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use driftline_detect::ThresholdRule;
use driftline_engine::{
    Evaluator, EvaluatorOptions, Flush, Invariant, LateDelta, ModelSet, ModelSpec, Observer,
    ObserverOptions, Output, SourceHandle, WindowSpec,
};
use driftline_event::{
    AlertStatus, ColumnRole, DropReason, LayoutId, Row, SeriesState, SourcePartition, Statistic,
    Timestamp, Value, WindowReport,
};
use driftline_sketch::{ProfileOptions, ReferenceBuilder};

const MINUTE: i64 = 60;

fn spec(reference_max: u32) -> ModelSpec {
    let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
    let values = (0..1_000).map(|i| f64::from(i % reference_max)).collect();
    builder.numeric("x", ColumnRole::Feature, values).unwrap();
    let minutes = |n: u64| Duration::from_secs(60 * n);
    ModelSpec {
        segments: vec!["s".to_owned()],
        segments_max: 2,
        windows: vec![WindowSpec {
            name: "3m".to_owned(),
            size: minutes(3),
            slide: minutes(1),
        }],
        rules: vec![ThresholdRule {
            name: "ks".to_owned(),
            statistic: Statistic::KolmogorovSmirnov,
            threshold: 0.5,
            min_events: 5,
            ..ThresholdRule::default()
        }],
        out_of_orderness: Duration::ZERO,
        ..ModelSpec::new(Arc::new(builder.build().unwrap()), "m", "1")
    }
}

fn models() -> ModelSet {
    ModelSet::new(vec![spec(100)]).unwrap()
}

fn options() -> ObserverOptions {
    ObserverOptions {
        watermark_rank: 1,
        ..ObserverOptions::default()
    }
}

fn partition(partition: i32) -> SourcePartition {
    SourcePartition {
        topic: "t".to_owned(),
        partition,
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_040 + MINUTE * minute)
}

/// Both stages, with one source partition unless more are assigned.
struct Pipeline {
    observer: Observer,
    evaluator: Evaluator,
    source: SourceHandle,
    row: Row,
    out: Vec<Output>,
}

impl Pipeline {
    fn new() -> Self {
        let mut observer = Observer::new(&models(), options());
        let source = observer.assign(partition(0), 0, None);
        let evaluator = Evaluator::new(&models(), EvaluatorOptions::default());
        Self {
            observer,
            evaluator,
            source,
            row: Row::default(),
            out: Vec::new(),
        }
    }

    fn observe(
        &mut self,
        source: SourceHandle,
        time: Timestamp,
        x: f64,
        segment: &str,
    ) -> Result<(), DropReason> {
        let offset = self.observer.position(source).unwrap();
        self.row.clear();
        self.row.start(LayoutId(0), 1, 1);
        self.row.set_time(time);
        self.row.set_value(0, Value::Double(x));
        let range = self.row.push_text(segment);
        self.row.set_segment(0, range);
        self.observer.observe(source, offset, None, &self.row)
    }

    /// Ten rows in a minute, all `x`.
    fn minute(&mut self, minute: i64, x: f64) {
        for _ in 0..10 {
            self.observe(self.source, at(minute), x, "a").unwrap();
        }
    }

    fn flush(&mut self) -> Flush {
        let flush = self.observer.flush();
        for (_, batch) in &flush.batches {
            self.evaluator.handle(batch, &mut self.out).unwrap();
        }
        flush
    }

    fn reports(&self) -> Vec<&WindowReport> {
        let report = |o: &'_ Output| matches!(o, Output::Report(r) if r.series.segment.is_none());
        let all = self.out.iter().filter(|o| report(o));
        all.filter_map(|o| {
            if let Output::Report(r) = o {
                Some(r)
            } else {
                None
            }
        })
        .collect()
    }

    fn violations(&self) -> Vec<Invariant> {
        let of = |o: &Output| {
            if let Output::Violation(v) = o {
                Some(v.invariant)
            } else {
                None
            }
        };
        self.out.iter().filter_map(of).collect()
    }
}

#[test]
fn windows_warm_up_fill_slide_through_a_gap_and_go_stale_once() {
    let mut pipeline = Pipeline::new();
    for minute in [0, 1, 2, 3, 60, 61] {
        pipeline.minute(minute, 50.0);
    }
    pipeline.flush();
    let seen: Vec<(i64, u64, SeriesState)> = pipeline
        .reports()
        .iter()
        .map(|r| {
            let minute = (r.window.end.as_micros() - at(0).as_micros()) / 60_000_000;
            (minute, r.window.events, r.state)
        })
        .collect();
    use SeriesState::{Drifted, Stale, WarmingUp};
    assert_eq!(
        seen,
        [
            (1, 10, WarmingUp),
            (2, 20, WarmingUp),
            (3, 30, Drifted),
            (4, 30, Drifted),
            (5, 20, Drifted),
            (6, 10, Drifted),
            (7, 0, Stale),
            (61, 10, Drifted),
        ]
    );
    assert_eq!(pipeline.violations(), []);
}

#[test]
fn an_alert_fires_when_values_concentrate_and_ends_when_they_spread() {
    let mut pipeline = Pipeline::new();
    for minute in 0..20 {
        for i in 0..100 {
            let x = if (6..10).contains(&minute) {
                99.0
            } else {
                f64::from(i)
            };
            pipeline
                .observe(pipeline.source, at(minute), x, "a")
                .unwrap();
        }
    }
    pipeline.observer.finish(pipeline.source);
    pipeline.flush();
    let alerts: Vec<_> = pipeline
        .out
        .iter()
        .filter_map(|o| {
            if let Output::Alert(a) = o {
                Some(a)
            } else {
                None
            }
        })
        .filter(|a| a.series.segment.is_none())
        .map(|a| (a.status, a.window.end))
        .collect();
    // Two minutes of three are needed to push the distance above a half, and to bring it back below 0.4.
    assert_eq!(
        alerts,
        [
            (AlertStatus::Firing, at(8)),
            (AlertStatus::Resolved, at(12))
        ]
    );
    assert_eq!(
        pipeline.reports().len(),
        20,
        "no window slides on after the end"
    );
}

#[test]
fn a_row_is_late_by_its_own_partitions_prefix_and_counted_so() {
    let mut pipeline = Pipeline::new();
    let other = pipeline.observer.assign(partition(1), 0, None);
    pipeline.minute(5, 1.0);
    let late = pipeline.observe(pipeline.source, at(3), 1.0, "a");
    assert_eq!(late, Err(DropReason::Late));
    assert_eq!(pipeline.observe(other, at(3), 1.0, "a"), Ok(()));
    let flush = pipeline.flush();
    assert_eq!(
        (flush.tallies[0].received, flush.tallies[0].counted),
        (11, 10)
    );
    assert_eq!(flush.tallies[0].dropped.get(&DropReason::Late), Some(&1));
    assert_eq!((flush.models[0].late, flush.models[1].late), (1, 0));
    assert_eq!(pipeline.violations(), []);
}

#[test]
fn what_an_idle_partition_brings_too_late_is_put_out_and_not_merged() {
    let mut pipeline = Pipeline::new();
    let idle = pipeline.observer.assign(partition(1), 0, None);
    pipeline.minute(0, 1.0);
    pipeline.minute(5, 1.0);
    pipeline.flush();
    assert_eq!(
        pipeline.reports().len(),
        0,
        "the second partition is waited for"
    );
    pipeline.observer.idle(idle);
    pipeline.flush();
    assert!(!pipeline.reports().is_empty());
    pipeline.out.clear();
    pipeline.observe(idle, at(1), 1.0, "a").unwrap();
    pipeline.flush();
    let late = |segment: Option<&str>| {
        let (model, version) = ("m".to_owned(), "1".to_owned());
        let segment = segment.map(str::to_owned);
        Output::Late(LateDelta {
            model,
            version,
            segment,
            pane: at(1),
            rows: 1,
        })
    };
    assert_eq!(pipeline.out, [late(None), late(Some("s=a"))]);
}

#[test]
fn when_all_are_idle_the_newest_event_is_how_far_time_has_come() {
    let mut pipeline = Pipeline::new();
    pipeline.observer = Observer::new(&models(), ObserverOptions::default());
    pipeline.source = pipeline.observer.assign(partition(0), 0, None);
    for minute in 0..5 {
        pipeline
            .observe(pipeline.source, at(minute), 1.0, "a")
            .unwrap();
    }
    pipeline.flush();
    assert_eq!(
        pipeline.reports().len(),
        0,
        "five events make no front of rank 16"
    );
    pipeline.observer.idle(pipeline.source);
    assert!(pipeline.observer.has_changes());
    pipeline.flush();
    assert_eq!(pipeline.evaluator.closed_until(LayoutId(0)), Some(at(4)));
    assert!(!pipeline.observer.has_changes());
}

#[test]
fn deltas_of_another_reference_are_refused_by_name() {
    let mut pipeline = Pipeline::new();
    let other = ModelSet::new(vec![spec(77)]).unwrap();
    pipeline.evaluator = Evaluator::new(&other, EvaluatorOptions::default());
    pipeline.minute(0, 1.0);
    pipeline.minute(9, 1.0);
    pipeline.flush();
    assert_eq!(pipeline.violations(), [Invariant::SameReference]);
    assert_eq!(pipeline.out.len(), 1);
}

#[test]
fn a_lost_and_a_repeated_flush_break_the_ledger() {
    let mut pipeline = Pipeline::new();
    pipeline.minute(0, 1.0);
    let first = pipeline.flush();
    pipeline.minute(0, 1.0);
    pipeline.observer.flush();
    pipeline.minute(0, 1.0);
    pipeline.flush();
    pipeline
        .evaluator
        .handle(&first.batches[0].1, &mut pipeline.out)
        .unwrap();
    let details: Vec<String> = pipeline
        .out
        .iter()
        .filter_map(|o| {
            if let Output::Violation(v) = o {
                Some(v.to_string())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(
        details,
        [
            "i4_ledger_tiles: t-0: gap, lost [10, 20), 10 offsets",
            "i4_ledger_tiles: t-0: overlap, counted twice [0, 10), 10 offsets",
        ]
    );
}

#[test]
fn a_record_that_comes_twice_is_not_counted_twice() {
    let mut pipeline = Pipeline::new();
    pipeline.minute(0, 1.0);
    let row = pipeline.row.clone();
    pipeline
        .observer
        .observe(pipeline.source, 4, None, &row)
        .unwrap();
    pipeline
        .observer
        .skip(pipeline.source, 9, DropReason::Malformed);
    let flush = pipeline.flush();
    assert_eq!(flush.tallies[0].received, 10);
    let found: Vec<Invariant> = flush.violations.iter().map(|v| v.invariant).collect();
    assert_eq!(found, [Invariant::OffsetsAscend, Invariant::OffsetsAscend]);
}

#[test]
fn hostile_metadata_starts_the_watermark_anew_and_says_so() {
    let mut observer = Observer::new(&models(), options());
    observer.assign(partition(0), 7, Some("w1.00.00"));
    observer.assign(partition(1), 7, Some(""));
    let violations = observer.flush().violations;
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].invariant, Invariant::StateRestored);
    assert!(
        violations[0].detail.starts_with("t-0 at 7: "),
        "{}",
        violations[0]
    );
}

#[test]
fn segments_beyond_the_bound_share_one_series_and_no_row_is_lost() {
    let mut pipeline = Pipeline::new();
    for i in 0..100 {
        let segment = format!("value {}", i % 5);
        pipeline
            .observe(pipeline.source, at(0), 1.0, &segment)
            .unwrap();
    }
    let flush = pipeline.flush();
    assert_eq!(
        (flush.overflows[0].field.as_str(), flush.overflows[0].rows),
        ("s", 60)
    );
    // New values are let in after the flush, but the evaluator holds the bound.
    for i in 0..100 {
        let segment = format!("another {}", i % 5);
        pipeline
            .observe(pipeline.source, at(0), 1.0, &segment)
            .unwrap();
    }
    pipeline.observer.finish(pipeline.source);
    pipeline.flush();
    let events: Vec<(Option<&str>, u64)> = pipeline
        .out
        .iter()
        .filter_map(|o| {
            if let Output::Report(r) = o {
                Some(r)
            } else {
                None
            }
        })
        .map(|r| (r.series.segment.as_deref(), r.window.events))
        .collect();
    assert_eq!(
        events,
        [
            (None, 200),
            (Some("s=__other__"), 160),
            (Some("s=value 0"), 20),
            (Some("s=value 1"), 20),
        ]
    );
}

#[test]
fn more_open_panes_than_allowed_are_refused() {
    let mut pipeline = Pipeline::new();
    let options = EvaluatorOptions {
        open_panes_max: 3,
        ..EvaluatorOptions::default()
    };
    pipeline.evaluator = Evaluator::new(&models(), options);
    let slow = pipeline.observer.assign(partition(1), 0, None);
    pipeline.observe(slow, at(0), 1.0, "a").unwrap();
    for minute in 0..5 {
        pipeline.minute(minute, 1.0);
    }
    pipeline.flush();
    // Two panes too many, each for all events and for one segment.
    assert_eq!(pipeline.violations(), [Invariant::Bounded; 4]);
}

#[test]
fn broken_batches_change_nothing_and_never_panic() {
    let mut pipeline = Pipeline::new();
    for minute in 0..3 {
        pipeline.minute(minute, 1.0);
    }
    let batch = pipeline.observer.flush().batches.remove(0).1;
    let fresh = format!("{:?}", pipeline.evaluator);
    for end in 0..batch.len() {
        assert!(
            pipeline
                .evaluator
                .handle(&batch[..end], &mut pipeline.out)
                .is_err(),
            "{end}"
        );
    }
    assert_eq!(format!("{:?}", pipeline.evaluator), fresh);
    let models = models();
    for i in 0..batch.len() {
        for bit in 0..8 {
            let mut broken = batch.clone();
            broken[i] ^= 1 << bit;
            let mut evaluator = Evaluator::new(&models, EvaluatorOptions::default());
            if evaluator.handle(&broken, &mut Vec::new()).is_err() {
                let untouched = evaluator.series() == 0 && evaluator.positions().count() == 0;
                assert!(untouched, "byte {i}, bit {bit}");
            }
        }
    }
}
