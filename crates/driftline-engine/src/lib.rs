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
//! bytes. `docs` of the modules say how each part works; read them in the order in which they are
//! listed here.
#![deny(missing_docs)]

mod coerce;
mod counting;
mod delta;
mod evaluate;
mod evaluator;
pub mod invariants;
mod ladder;
mod ledger;
mod observer;
mod output;
mod pane;
mod panes;
mod partial;
mod segments;
mod series;
mod source;
mod spec;
mod tile;
mod varint;
mod watermark;

pub use evaluator::{Evaluator, EvaluatorOptions};
pub use invariants::{Invariant, Violation};
pub use observer::{
    Flush, ModelTally, Observer, ObserverOptions, SegmentOverflow, SourceHandle, Tally,
    partials_partition,
};
pub use output::{ClosedPane, LateDelta, Output};
pub use partial::BatchError;
pub use spec::{ModelSet, ModelSpec, SpecError, SpecErrors, SpecReason, WindowSpec};
