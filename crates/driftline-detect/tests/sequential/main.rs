//! Sequential detectors against their reference implementations.

mod streams;
