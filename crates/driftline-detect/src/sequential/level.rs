//! What the charts of a running mean share.

use serde::{Deserialize, Serialize};

use super::{Compat, Parameter};

/// The most values a chart may be asked to wait for.
pub(super) const WAIT_MAX: u64 = 1_000_000_000;

/// The mean of all values since the start, formed value by value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunningMean {
    pub(super) n: u64,
    pub(super) mean: f64,
}

impl RunningMean {
    pub(super) fn add(&mut self, value: f64) {
        self.n += 1;
        self.mean += (value - self.mean) / self.n as f64;
    }
}

/// Whether `n` values are enough to look: MOA compares a counter that is one ahead.
pub(super) fn looks(compat: Compat, n: u64, min_num_instances: u64) -> bool {
    n + u64::from(compat == Compat::Moa) >= min_num_instances
}

/// The name of the shared first parameter, and its place.
pub(super) fn min_num_instances(compat: Compat, value: &mut u64) -> Parameter<'_> {
    let name = named(compat, "minNumInstances", "min_num_instances");
    Parameter::count(name, value, [0, WAIT_MAX], "values before the first test")
}

/// MOA's spelling of a parameter, or the one of Python.
pub(super) fn named(compat: Compat, moa: &'static str, python: &'static str) -> &'static str {
    if compat == Compat::Moa { moa } else { python }
}
