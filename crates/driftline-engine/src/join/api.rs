//! What goes into a joiner and what comes out, besides records.

use driftline_event::{SourcePartition, Timestamp};

use super::store::StoreError;
use crate::invariants::Violation;
use crate::partial::BatchError;

/// The bounds and settings of a [`Joiner`](super::Joiner).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinerOptions {
    /// How many partitions the partials topic has.
    pub partials_partitions: u32,
    /// How many partitions the outcomes topic has.
    pub outcomes_partitions: u32,
    /// The memory that pending predictions and labels may take; beyond that the oldest go to the store.
    pub bytes_max: usize,
    /// The size above which a batch is split.
    pub batch_bytes_max: usize,
}

impl Default for JoinerOptions {
    /// One partition of each topic, 256 MiB, batches up to 900 kB.
    fn default() -> Self {
        Self {
            partials_partitions: 1,
            outcomes_partitions: 1,
            bytes_max: 256 << 20,
            batch_bytes_max: 900_000,
        }
    }
}

/// Why a [`Joiner`](super::Joiner) cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// A record is not an outcome batch. Nothing has changed.
    #[error("offset {offset} of the outcomes: {error}")]
    Batch {
        /// The record's offset.
        offset: i64,
        /// What is wrong with it.
        #[source]
        error: BatchError,
    },
    /// The store failed. The joiner must be made anew.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no store, and no room in memory. The joiner must be made anew.
    #[error(
        "predictions that wait for labels take {bytes} bytes, the budget is {budget}; give the join a directory to spill \
         to, a larger budget, a shorter time to live or a lower sampling rate"
    )]
    Full {
        /// What they take.
        bytes: usize,
        /// What they may take.
        budget: usize,
    },
}

/// What a [`Joiner`](super::Joiner) did since the last flush, and how it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JoinTally {
    /// Predictions that came.
    pub predictions: u64,
    /// Labels that came.
    pub labels: u64,
    /// Predictions that got their first label.
    pub joined: u64,
    /// Predictions whose label was replaced.
    pub corrections: u64,
    /// Labels that a higher revision replaced before their prediction came.
    pub superseded: u64,
    /// Predictions that had come before, by id and model version.
    pub duplicate_predictions: u64,
    /// Labels of a revision that is not higher than what had come before.
    pub duplicate_labels: u64,
    /// Entries of models that are not joined here.
    pub unknown_model: u64,
    /// Labels that are nothing that their model can predict, for each of their predictions.
    pub unreadable: u64,
    /// Entries that came after their time to live.
    pub expired: u64,
    /// Labels that were observed longer after their prediction than its time to live, for each prediction.
    pub too_late: u64,
    /// Entries outside the deterministic sample.
    pub sampled_out: u64,
    /// Entries beyond the bound on buckets or names.
    pub out_of_bounds: u64,
    /// Predictions that expired without a label.
    pub unlabelled: u64,
    /// Labels that expired without a prediction.
    pub unmatched: u64,
    /// Predictions that wait for a label now.
    pub pending_predictions: u64,
    /// Labels that wait for a prediction now.
    pub pending_labels: u64,
    /// The memory of the pending table now, without the store's.
    pub bytes: usize,
    /// Buckets that are in the store now.
    pub stored_buckets: usize,
    /// The join watermark now: how far predictions and labels have come together.
    pub watermark: Option<Timestamp>,
}

/// Everything since the last flush, to be written in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinFlush {
    /// Records for the partials topic, with their partitions; every partition gets at least one.
    pub batches: Vec<(u32, Vec<u8>)>,
    /// The next offset to read of the outcomes partition, and the metadata to commit with it.
    pub position: Option<(SourcePartition, i64, String)>,
    /// What happened.
    pub tally: JoinTally,
    /// What should not have happened.
    pub violations: Vec<Violation>,
}
