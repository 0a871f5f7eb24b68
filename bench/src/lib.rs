//! What Driftline costs: seeded traffic, clocks of CPU time, and what the benchmarks print about themselves.
//! `hot_path` measures decode and update in memory; `end_to_end` measures the observe stage against a bare
//! consumer on real brokers. Nothing here is linked into the product.
//!
//! Every number that a benchmark prints, it has measured in the same run.

pub mod clock;
pub mod encoding;
pub mod figures;
pub mod traffic;
