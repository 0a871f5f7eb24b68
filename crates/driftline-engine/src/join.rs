//! The stage in between: predictions and labels in, by the hash of the prediction's id; outcome deltas out.
//!
//! ```text
//!  rows ──► Observer ────────► outcome batches ─┐
//!                                               ├──► Joiner ──► partial batches with outcome deltas
//!  labels ──► LabelForwarder ► outcome batches ─┘    pending table, join watermark
//! ```
//!
//! Both sides write to the partition that the id's hash names, so that a prediction and its label meet. The modules
//! stand in the order in which a newcomer should read them.

mod api;
mod batch;
mod deltas;
mod forward;
mod front;
mod index;
mod joiner;
mod labels;
mod meeting;
mod model;
mod names;
mod pool;
mod read;
mod record;
mod spill;
mod store;
mod table;

pub use api::{JoinError, JoinFlush, JoinTally, JoinerOptions};
pub(crate) use forward::PredictionForwarder;
pub use forward::{ForwardTally, outcomes_partition, prediction_id};
pub use joiner::Joiner;
pub use labels::{LabelEvent, LabelFlush, LabelForwarder, LabelForwarderOptions, LabelValue};
pub use read::{JoinedChange, JoinedDelta, joined_deltas};
pub use store::{MemoryStore, PendingStore, StoreError};
