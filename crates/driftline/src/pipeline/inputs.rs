//! The source partitions of a stage that reads events: which are ours, and which have nothing to read.

use std::time::{Duration, Instant};

use driftline_engine::SourceHandle;
use driftline_event::SourcePartition;

#[derive(Debug)]
struct Input {
    partition: SourcePartition,
    handle: SourceHandle,
    at_end_since: Option<Instant>,
    is_idle: bool,
}

/// The source partitions that a stage reads.
#[derive(Debug)]
pub(super) struct Inputs {
    all: Vec<Input>,
    /// Messages of one partition come in runs.
    last: usize,
    /// How long a partition has nothing to read before nobody waits for it.
    idle_after: Duration,
}

impl Inputs {
    pub(super) fn new(idle_after: Duration) -> Self {
        Self {
            all: Vec::new(),
            last: 0,
            idle_after,
        }
    }

    pub(super) fn assign(&mut self, partition: SourcePartition, handle: SourceHandle) {
        self.all.retain(|input| input.partition != partition);
        self.all.push(Input {
            partition,
            handle,
            at_end_since: None,
            is_idle: false,
        });
    }

    fn find(&mut self, partition: &SourcePartition) -> Option<&mut Input> {
        let same = |input: &Input| input.partition == *partition;
        if !self.all.get(self.last).is_some_and(same) {
            self.last = self.all.iter().position(same)?;
        }
        self.all.get_mut(self.last)
    }

    /// The handle of a partition that a message came from.
    pub(super) fn heard_of(&mut self, partition: &SourcePartition) -> Option<SourceHandle> {
        let input = self.find(partition)?;
        input.at_end_since = None;
        input.is_idle = false;
        Some(input.handle)
    }

    /// Notes that a partition has been read to its end.
    pub(super) fn is_at_end(&mut self, partition: &SourcePartition) {
        if let Some(input) = self.find(partition) {
            input.at_end_since.get_or_insert_with(Instant::now);
        }
    }

    /// The partitions that have become idle since the last call.
    pub(super) fn newly_idle(&mut self) -> Vec<SourceHandle> {
        let idle_after = self.idle_after;
        let is_over = |at: Instant| at.elapsed() >= idle_after;
        let mut idle = Vec::new();
        for input in &mut self.all {
            if !input.is_idle && input.at_end_since.is_some_and(is_over) {
                input.is_idle = true;
                idle.push(input.handle);
            }
        }
        idle
    }

    /// All that are ours.
    pub(super) fn handles(&self) -> impl Iterator<Item = SourceHandle> {
        self.all.iter().map(|input| input.handle)
    }

    /// Takes out those that are ours no more.
    pub(super) fn revoke(&mut self, gone: &[SourcePartition]) -> Vec<SourceHandle> {
        let gone = self
            .all
            .extract_if(.., |input| gone.contains(&input.partition));
        gone.map(|input| input.handle).collect()
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
    }
}

/// How far a worker is with saying that its input has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// More may come.
    Open,
    /// It was said in a flush.
    Flushed,
    /// That flush is in the log.
    Committed,
}
