//! Two-sample tests and distances on the values themselves.
//!
//! [`numeric`] and [`categorical`] run one [`Test`] by name. To run several on the same column, sort it once:
//! build a [`NumericPair`] or a [`CategoricalPair`] and call its `run`, or the functions of the family modules,
//! whose pages say what each test measures and when not to use it.
//!
//! Conventions: the reference is the first sample, alternatives are two-sided, and defaults are scipy's, down to
//! when it chooses an exact law over an asymptotic one. No p-value is NaN and each is between 0 and 1.
//! Everything is O(n log n) except the exact laws, which stop at scipy's size limits.
//!
//! ```
//! use driftline_stat::sample::{self, Test};
//!
//! let reference = [1.0, 2.0, 3.0, 4.0];
//! let current = [3.0, 4.0, 5.0, 6.0];
//! let ks = sample::numeric(Test::KolmogorovSmirnov, &reference, &current)?;
//! assert_eq!((ks.statistic, ks.method), (0.5, "exact"));
//! # Ok::<(), sample::TestError>(())
//! ```

mod floor;
mod pair;
mod test;

pub mod contingency;
pub mod empirical;
pub mod moment;
pub mod rank;
pub mod share;
pub mod transport;

pub use floor::{NullExpectation, categorical_floor, floor};
pub use pair::{CategoricalPair, NumericPair};
pub use test::{Test, TestError, TestResult};

/// Runs one test on two numeric samples, in any order of their values.
///
/// # Errors
/// If a sample is empty or holds a NaN, or does not meet what the test asks for.
pub fn numeric(test: Test, reference: &[f64], current: &[f64]) -> Result<TestResult, TestError> {
    NumericPair::new(reference, current)?.run(test)
}

/// Runs one test on two tables of category counts, in any order of the names; equal names add up.
///
/// # Errors
/// If a table is empty, or does not meet what the test asks for.
pub fn categorical<S: AsRef<str>>(
    test: Test,
    reference: &[(S, u64)],
    current: &[(S, u64)],
) -> Result<TestResult, TestError> {
    CategoricalPair::new(reference, current)?.run(test)
}
