//! Performance with labels: metrics and their intervals.

mod options;

pub use options::{OptionsProblem, PerformanceOptions};
