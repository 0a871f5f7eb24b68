//! Where events come from: topic partitions and offsets.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A partition of an input topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourcePartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
}

impl fmt::Display for SourcePartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A half-open range of offsets, `[from, to)`, in positions of the log rather than records: compaction,
/// aborted records and control records leave gaps in offsets but not in positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetRange {
    /// The first offset covered.
    pub from: i64,
    /// The offset after the last one covered.
    pub to: i64,
}
