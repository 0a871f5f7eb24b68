//! What the detectors that follow MOA and Frouros share: the mean, the wait for the first test, names.

use serde::{Deserialize, Serialize};

use super::{Compat, Parameter};

/// The longest wait for the first test that may be asked for.
pub(super) const WAIT_MAX: u64 = 1_000_000_000;

/// The mean of all values since the start, in the order of operations that MOA and Frouros have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Level {
    pub(super) n: u64,
    pub(super) mean: f64,
}

impl Level {
    pub(super) fn add(&mut self, value: f64) {
        // Saturating, because a snapshot may say anything.
        self.n = self.n.saturating_add(1);
        self.mean += (value - self.mean) / self.n as f64;
    }

    /// Whether there were enough values to test. MOA compares a counter that is one ahead.
    pub(super) fn is_tested(self, compat: Compat, min_num_instances: u64) -> bool {
        let ahead = u64::from(compat == Compat::Moa);
        self.n.saturating_add(ahead) >= min_num_instances
    }
}

/// The parameter that most of them have first.
pub(super) fn min_num_instances(compat: Compat, value: &mut u64) -> Parameter<'_> {
    let meaning = "values before the first test";
    let name = spelled(compat, "minNumInstances", "min_num_instances");
    Parameter::count(name, value, [0, WAIT_MAX], meaning)
}

/// The name of the parameter λ; Python reserves the word.
pub(super) fn lambda(compat: Compat) -> &'static str {
    match compat {
        Compat::Frouros => "lambda_",
        _ => "lambda",
    }
}

/// A parameter's name in MOA or in Python.
pub(super) fn spelled(compat: Compat, moa: &'static str, python: &'static str) -> &'static str {
    match compat {
        Compat::Moa => moa,
        _ => python,
    }
}

/// Whether a value is an error, for the detectors that only know two kinds.
pub(super) fn is_error(value: f64) -> bool {
    value >= 0.5
}
