//! The seam between a worker and what it works for.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use driftline_event::{SourcePartition, Timestamp};
use rdkafka::message::{BorrowedHeaders, Headers as _};

use crate::error::StageError;

/// A partition that is now ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Which.
    pub source: SourcePartition,
    /// The next offset to read: the committed one, or what the start policy gave.
    pub position: i64,
    /// Whether the group had committed a position.
    pub is_committed: bool,
    /// The text that was committed with the position.
    pub metadata: Option<String>,
}

/// Where a stage wants to read an assigned partition from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// At [`Assignment::position`].
    #[default]
    Committed,
    /// At the first offset there is; the stage knows by the position what it has already counted.
    Beginning,
    /// At an offset of its own.
    Offset(i64),
}

/// What a stage says to a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Taken; the next one, please.
    #[default]
    Continue,
    /// Not taken: deliver it again after this time, and nothing of its partition before it. For what a
    /// message needs and what is away for a while, such as a schema registry.
    RetryAfter(Duration),
}

/// One message, borrowed from the client's buffer.
#[derive(Debug)]
pub struct Message<'a> {
    /// The partition it was read from.
    pub source: &'a SourcePartition,
    /// Its offset there.
    pub offset: i64,
    /// The record's own time (set by the producer or the broker).
    pub timestamp: Option<Timestamp>,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub payload: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

/// The headers of a message, read when asked for.
#[derive(Clone, Copy)]
pub struct Headers<'a>(pub(crate) Option<&'a BorrowedHeaders>);

impl<'a> Headers<'a> {
    /// No headers.
    pub const fn none() -> Self {
        Self(None)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.map_or(0, BorrowedHeaders::count)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names and values in order. A header whose name is not UTF-8 is left out.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> + use<'a> {
        let headers = self.0;
        let count = self.len();
        (0..count).filter_map(move |index| {
            // rust-rdkafka unwraps the name's UTF-8; a foreign producer must not be able to end us.
            let read = AssertUnwindSafe(|| headers.and_then(|headers| headers.try_get(index)));
            catch_unwind(read)
                .ok()
                .flatten()
                .map(|header| (header.key, header.value))
        })
    }

    /// The last value of a name, as Kafka's own convention has it.
    pub fn last(&self, name: &str) -> Option<&'a [u8]> {
        self.iter()
            .filter(|(key, _)| *key == name)
            .last()
            .and_then(|(_, value)| value)
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Headers({})", self.len())
    }
}

/// A record to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutRecord {
    /// Where to.
    pub topic: String,
    /// The partition, or `None` for the hash of the key.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The record's time in milliseconds; `None` is now.
    pub timestamp_millis: Option<i64>,
}

/// What one transaction writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageFlush {
    /// The records, in order.
    pub records: Vec<OutRecord>,
    /// For each partition the next offset to read and the text to commit with it.
    pub positions: Vec<(SourcePartition, i64, String)>,
}

impl StageFlush {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.positions.is_empty()
    }
}

/// What a [`Worker`](crate::Worker) drives. All calls come from the worker's one thread.
///
/// A stage holds *deltas* since its last [`committed`](Stage::committed): after
/// [`aborted`](Stage::aborted) it must be as if nothing since then, and no assignment, had happened;
/// `assigned` follows for every partition that is still ours.
pub trait Stage {
    /// Partitions are ours from now on. The answer says where to read each from; missing answers are
    /// [`StartAt::Committed`].
    fn assigned(&mut self, assignments: &[Assignment]) -> Vec<StartAt>;

    /// The next message of a partition. Bad data is the stage's to count: it is no error here.
    fn message(&mut self, message: &Message<'_>) -> Flow;

    /// Everything of this partition that was in the log a moment ago has been delivered.
    fn end_of_partition(&mut self, source: &SourcePartition);

    /// Whether to flush before the interval is over, because of bytes held for example, or although nothing
    /// came in. It must become false by a flush.
    fn flush_due(&self) -> bool;

    /// Called now and then, also when nothing comes in: for schemas that have arrived and the like.
    fn tick(&mut self) {}

    /// Hands over everything since the last commit.
    ///
    /// # Errors
    /// Ends the worker; nothing is committed.
    fn flush(&mut self) -> Result<StageFlush, StageError>;

    /// What the last `flush` handed over is in the log.
    fn committed(&mut self);

    /// What the last `flush` handed over, and everything since, does not count.
    fn aborted(&mut self);

    /// Partitions are not ours any more. What they had has been flushed, or does not count.
    fn revoked(&mut self, sources: &[SourcePartition]);
}
