//! The two stages between decoded rows and decisions, without any IO.
//!
//! ```text
//!  rows ──► Observer ──► partial batches ──► Evaluator ──► reports, alerts
//!           tiles, pane deltas,              ledger, panes, windows,
//!           watermark, positions             statistics, rules
//! ```
//!
//! Both are state machines: inputs are arguments, outputs are return values, and time is in the data. Nothing
//! here reads a clock, starts a thread, or depends on the order of a hash map, so the same input gives the same
//! bytes. The modules stand in the order in which a newcomer should read them.
//!
//! ```
//! use std::sync::Arc;
//! use driftline_engine::{Evaluator, EvaluatorOptions, ModelSet, ModelSpec, Observer, ObserverOptions, Output};
//! use driftline_event::{ColumnRole, LayoutId, Row, SourcePartition, Timestamp, Value};
//! use driftline_sketch::{ProfileOptions, ReferenceBuilder};
//!
//! let mut builder = ReferenceBuilder::new("fares", "1", ProfileOptions::default());
//! builder.numeric("km", ColumnRole::Feature, (0..1_000).map(f64::from).collect())?;
//! let spec = ModelSpec::new(Arc::new(builder.build()?), "fares", "1");
//! let models = ModelSet::new(vec![spec])?;
//!
//! let mut observer = Observer::new(&models, ObserverOptions::default());
//! let source = observer.assign(SourcePartition { topic: "rides".into(), partition: 0 }, 0, None);
//! let mut row = Row::default();
//! for offset in 0..7_200 {
//!     row.start(LayoutId(0), 1, 0);
//!     row.set_time(Timestamp::from_seconds(1_700_000_000 + offset));
//!     row.set_value(0, Value::Long(offset % 1_000));
//!     observer.observe(source, offset, None, &row).expect("the row is plausible and on time");
//! }
//! observer.finish(source);
//!
//! let mut evaluator = Evaluator::new(&models, EvaluatorOptions::default());
//! let mut outputs = Vec::new();
//! for (_, batch) in observer.flush().batches {
//!     evaluator.handle(&batch, &mut outputs)?;
//! }
//! let Some(Output::Report(last)) = outputs.last() else { panic!("a window has closed") };
//! assert_eq!(last.window.events, 3_600);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

mod baseline;
mod calibration;
mod coerce;
mod counting;
mod decision;
mod delta;
mod evaluate;
mod evaluator;
pub mod invariants;
mod join;
mod judge;
mod ladder;
mod ledger;
mod model;
mod observer;
mod outcome;
mod output;
mod pane;
mod panes;
mod partial;
mod rules;
mod segments;
mod series;
mod source;
mod spec;
mod stream;
mod tile;
mod trailing;
mod varint;
mod watermark;

pub use calibration::{
    Calibration, CalibrationProblem, ColumnCalibration, LabelCalibration, LevelCalibration,
    SliceCalibration, Slot, StreamCalibration,
};
pub use decision::{Baseline, ColumnStreams, DecisionSpec, StreamWeights, bank_bytes};
pub use evaluator::{Evaluator, EvaluatorOptions};
pub use invariants::{Invariant, Violation};
pub use join::{
    ForwardTally, JoinError, JoinFlush, JoinTally, JoinedChange, JoinedDelta, Joiner,
    JoinerOptions, LabelEvent, LabelFlush, LabelForwarder, LabelForwarderOptions, LabelValue,
    MemoryStore, PendingStore, StoreError, joined_deltas, outcomes_partition, prediction_id,
};
pub use observer::{
    Flush, ModelTally, Observer, ObserverOptions, SegmentOverflow, SourceHandle, Tally,
    partials_partition,
};
pub use outcome::{
    DetectorRule, LabelProblem, LabelSpec, LabelStreams, PerformanceBaseline, PerformanceRule,
    PerformanceWindow, StreamKind, WindowSpanSpec,
};
pub use output::{ClosedPane, JudgedBucket, LateDelta, Output};
pub use partial::BatchError;
pub use spec::{ModelSet, ModelSpec, SpecError, SpecErrors, SpecReason, WindowSpec};
