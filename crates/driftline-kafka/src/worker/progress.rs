//! What a worker tells about itself while it runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use driftline_event::SourcePartition;

/// How far a partition has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The next offset to read. Lag is the log's end (see
    /// [`TopicAdmin::log_end`](crate::TopicAdmin::log_end)) minus this, unless `is_at_end`: transaction
    /// markers at the end of a log are never delivered, so the difference alone may not reach zero.
    pub position: i64,
    /// Whether the end of the log was reached and nothing has come since.
    pub is_at_end: bool,
}

/// Counts since the worker started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerCounts {
    /// Messages handed to the stage and taken.
    pub messages: u64,
    /// Transactions (or flushes) committed.
    pub commits: u64,
    /// Transactions aborted, after which input is read again.
    pub aborts: u64,
    /// Producers replaced after a doubtful outcome.
    pub rotations: u64,
    /// Changes of the assignment.
    pub rebalances: u64,
    /// Times that partitions were lost without a chance to commit.
    pub losses: u64,
    /// Messages that the stage asked to have again later.
    pub retries: u64,
}

/// Shared, always current to about a quarter of a second.
#[derive(Debug, Default)]
pub struct Progress {
    messages: AtomicU64,
    commits: AtomicU64,
    aborts: AtomicU64,
    rotations: AtomicU64,
    rebalances: AtomicU64,
    losses: AtomicU64,
    retries: AtomicU64,
    partitions: Mutex<BTreeMap<SourcePartition, PartitionProgress>>,
}

pub(super) enum Count {
    Commit,
    Abort,
    Rotation,
    Rebalance,
    Loss,
    Retry,
}

impl Progress {
    /// The counters.
    pub fn counts(&self) -> WorkerCounts {
        WorkerCounts {
            messages: self.messages.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            aborts: self.aborts.load(Ordering::Relaxed),
            rotations: self.rotations.load(Ordering::Relaxed),
            rebalances: self.rebalances.load(Ordering::Relaxed),
            losses: self.losses.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }

    /// The partitions that are assigned now.
    pub fn partitions(&self) -> BTreeMap<SourcePartition, PartitionProgress> {
        self.partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn add_messages(&self, count: u64) {
        self.messages.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn count(&self, what: Count) {
        let counter = match what {
            Count::Commit => &self.commits,
            Count::Abort => &self.aborts,
            Count::Rotation => &self.rotations,
            Count::Rebalance => &self.rebalances,
            Count::Loss => &self.losses,
            Count::Retry => &self.retries,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_partitions(
        &self,
        partitions: impl Iterator<Item = (SourcePartition, PartitionProgress)>,
    ) {
        *self
            .partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = partitions.collect();
    }
}
