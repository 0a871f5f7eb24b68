//! What each statistic is without drift at these sizes.

use driftline_stat::sample::{
    self, CategoricalPair, NullExpectation, NumericPair, Test, categorical_floor,
};

/// The value of a statistic to expect without drift, and one that chance alone exceeds one time in twenty.
pub(super) type Floor = NullExpectation;

pub(super) fn of_numbers(test: Test, pair: &NumericPair) -> Option<Floor> {
    sample::floor(test, pair).and_then(plain)
}

pub(super) fn of_categories(test: Test, pair: &CategoricalPair) -> Option<Floor> {
    categorical_floor(test, pair).and_then(plain)
}

/// JSON has no infinities.
fn plain(floor: Floor) -> Option<Floor> {
    (floor.mean.is_finite() && floor.upper.is_finite()).then_some(floor)
}

/// Whether a larger statistic means more drift, so that one below its floor means none. Others, such as a t
/// statistic, are far out on either side.
pub(super) fn grows_with_drift(test: Test) -> bool {
    !matches!(
        test,
        Test::MannWhitney | Test::WelchT | Test::FisherExact | Test::ZTest
    )
}
