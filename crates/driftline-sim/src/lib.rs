//! Seeded streams, a simulated log, and an exact oracle, for tests of the engine.
//!
//! - [`stream()`] makes models and, partition by partition, the records of their topic: drift, late events, values
//!   of every wrong kind, unseen categories, undecodable records, holes in the offsets.
//! - [`run`] feeds a stream through observers and evaluators under a [`Plan`]: who reads which partition, how
//!   their records interleave, when they flush, when they crash, how many partitions the partials topic has.
//! - [`oracle()`] counts the same stream again in the plainest way there is.
//!
//! Everything follows from a seed. What the engine says about a stream may not depend on the plan.
#![deny(missing_docs)]

pub mod join;
mod log;
mod oracle;
mod rng;
mod stream;

pub use log::{Plan, Run, run};
pub use oracle::{Oracle, OracleColumn, OraclePane, PaneKey, oracle};
pub use rng::Rng;
pub use stream::{Event, Record, Sample, SampleValue, Stream, StreamOptions, stream};
