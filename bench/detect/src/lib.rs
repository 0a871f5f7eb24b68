//! What the two detection benchmarks share.
