//! Sequential detectors against their reference implementations.

mod every;
mod peers;
mod river;
mod streams;
