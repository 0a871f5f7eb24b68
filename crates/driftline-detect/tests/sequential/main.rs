//! Sequential detectors against their reference implementations.

#![allow(clippy::unwrap_used)]

mod every;
mod forms;
mod peers;
mod river;
mod streams;
