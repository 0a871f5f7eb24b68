//! What an observer knows of one source partition.

use driftline_event::{DropReason, SourcePartition};

use crate::invariants::{Invariant, Violation};
use crate::watermark::Front;

/// Position, front and tallies.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) partition: SourcePartition,
    /// Where the last flush ended.
    pub(crate) flushed: i64,
    /// The next offset to read.
    pub(crate) next: i64,
    pub(crate) front: Front,
    pub(crate) idle: bool,
    pub(crate) finished: bool,
    pub(crate) received: u64,
    pub(crate) counted: u64,
    /// By position in [`DropReason::ALL`].
    pub(crate) dropped: Vec<u64>,
    /// Counted and late rows by model.
    pub(crate) models: Vec<(u64, u64)>,
}

impl Source {
    /// A source that continues at `position`. Metadata that cannot be read is a violation.
    pub(crate) fn new(
        partition: SourcePartition,
        position: i64,
        metadata: Option<&str>,
        rank: usize,
        models: usize,
    ) -> (Self, Option<Violation>) {
        let mut violation = None;
        let front = match metadata.filter(|m| !m.is_empty()) {
            None => Front::new(rank),
            Some(metadata) => {
                Front::from_metadata(metadata, rank, position).unwrap_or_else(|what| {
                    let detail =
                        format!("{partition} at {position}: {what}; the watermark starts anew");
                    violation = Some(Violation::new(Invariant::StateRestored, detail));
                    Front::new(rank)
                })
            }
        };
        let source = Self {
            partition,
            flushed: position,
            next: position,
            front,
            idle: false,
            finished: false,
            received: 0,
            counted: 0,
            dropped: vec![0; DropReason::ALL.len()],
            models: vec![(0, 0); models],
        };
        (source, violation)
    }
}
