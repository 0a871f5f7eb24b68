//! Deciding by the indicator bank, under the model's false-alarm budget.

mod spec;

pub(crate) use spec::version_problem;
pub use spec::{Baseline, DecisionSpec};
