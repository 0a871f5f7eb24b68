//! What each statistic is without drift at these sample sizes.

use driftline_stat::binned;
use driftline_stat::sample::contingency::Table;
use driftline_stat::sample::{CategoricalPair, NumericPair, Test, share};

/// The value of a statistic to expect without drift, and one that it seldom exceeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Floor {
    pub(super) mean: f64,
    pub(super) upper: f64,
}

pub(super) fn of_numbers(test: Test, pair: &NumericPair) -> Option<Floor> {
    let table = share::decile_table(pair);
    if test == Test::KolmogorovSmirnov {
        let (n, m) = (
            binned::total(table.reference()),
            binned::total(table.current()),
        );
        let noise = (1.0 / n + 1.0 / m).sqrt();
        return Some(Floor {
            mean: 0.87 * noise,
            upper: 1.63 * noise,
        });
    }
    of_table(test, &table)
}

pub(super) fn of_categories(test: Test, pair: &CategoricalPair) -> Option<Floor> {
    of_table(test, pair.table())
}

fn of_table(test: Test, table: &Table) -> Option<Floor> {
    let (n, m) = (
        binned::total(table.reference()) as u64,
        binned::total(table.current()) as u64,
    );
    let cells = table.reference().len();
    let mean = match test {
        Test::Psi => binned::psi_floor(cells, n, m),
        Test::JensenShannon => binned::jensen_shannon_floor(cells, n, m),
        Test::Hellinger => binned::hellinger_floor(cells, n, m),
        Test::TotalVariation => binned::total_variation_floor(cells, n, m),
        _ => None,
    }?;
    Some(Floor {
        mean,
        upper: mean * 2.0,
    })
}

/// Whether a larger statistic means more drift, so that one below its floor means none. Others, such as a t
/// statistic, are far out on either side.
pub(super) fn grows_with_drift(test: Test) -> bool {
    !matches!(
        test,
        Test::MannWhitney | Test::WelchT | Test::FisherExact | Test::ZTest
    )
}
