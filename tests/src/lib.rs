//! What the checks of this repository read: its dependency graph and its files.
//!
//! The checks themselves are the integration tests of this package: `architecture` (who depends on
//! whom, what the pure crates are made of) and `tidy` (sizes, docs, words that do not belong).

mod graph;
mod source;

pub use graph::{DependencyKind, Graph, Package};
pub use source::{File, crate_directories, root, tracked_files};

/// The crates that hold the logic: no clock, no IO, no threads, no unseeded randomness.
pub const PURE_CRATES: [&str; 5] = [
    "driftline-event",
    "driftline-sketch",
    "driftline-stat",
    "driftline-detect",
    "driftline-engine",
];
