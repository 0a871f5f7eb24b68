//! What labels say about a model's performance, and when that is a change.

mod spec;

pub use spec::{
    DetectorRule, LabelProblem, LabelSpec, PerformanceBaseline, PerformanceRule, PerformanceWindow,
    WindowSpanSpec,
};
