//! Two samples of one column, prepared once for all tests.

use std::collections::BTreeMap;

use super::contingency::Table;
use super::{Test, TestError, TestResult, contingency, empirical, moment, rank, share, transport};

/// Two numeric samples in ascending order. Infinities are values beyond all others.
#[derive(Clone, Debug)]
pub struct NumericPair {
    pub(super) reference: Vec<f64>,
    pub(super) current: Vec<f64>,
}

/// A distinct value of both samples together, and how often each has it.
pub(crate) struct Step {
    pub(crate) value: f64,
    pub(crate) in_reference: usize,
    pub(crate) in_current: usize,
}

impl NumericPair {
    /// Sorts both samples.
    ///
    /// # Errors
    /// [`TestError::Empty`] or [`TestError::NotANumber`].
    pub fn new(reference: &[f64], current: &[f64]) -> Result<Self, TestError> {
        Ok(Self {
            reference: sorted(reference)?,
            current: sorted(current)?,
        })
    }

    /// Runs one test.
    ///
    /// # Errors
    /// If the samples do not meet what the test asks for.
    pub fn run(&self, test: Test) -> Result<TestResult, TestError> {
        match test {
            Test::KolmogorovSmirnov => Ok(empirical::kolmogorov_smirnov(self)),
            Test::Kuiper => Ok(empirical::kuiper(self)),
            Test::CramerVonMises => empirical::cramer_von_mises(self),
            Test::AndersonDarling => empirical::anderson_darling(self),
            Test::MannWhitney => Ok(rank::mann_whitney(self)),
            Test::WelchT => moment::welch_t(self),
            Test::EppsSingleton => moment::epps_singleton(self),
            Test::Wasserstein => transport::wasserstein(self),
            Test::Energy => transport::energy(self),
            Test::FisherExact | Test::ZTest => run_on_table(test, &self.distinct_values()?),
            _ => run_on_table(test, &share::decile_table(self)),
        }
    }

    /// The smallest and the largest value of the reference.
    pub fn reference_range(&self) -> (f64, f64) {
        (self.reference[0], self.reference[self.reference.len() - 1])
    }

    /// The sizes of reference and current.
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.reference.len(), self.current.len())
    }

    /// Turns a pair with an infinity into an error, for what averages values or takes their differences.
    pub(crate) fn require_finite(&self) -> Result<(), TestError> {
        // Both are sorted, so an infinity is at an end.
        let ends = [&self.reference, &self.current].map(|side| [side[0], side[side.len() - 1]]);
        match ends.as_flattened().iter().all(|v| v.is_finite()) {
            true => Ok(()),
            false => Err(TestError::NotFinite),
        }
    }

    /// The distinct values of both samples in ascending order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let (mut reference, mut current) = (self.reference.as_slice(), self.current.as_slice());
        std::iter::from_fn(move || {
            let value = match (reference.first(), current.first()) {
                (Some(&r), Some(&c)) => r.min(c),
                (Some(&only), None) | (None, Some(&only)) => only,
                (None, None) => return None,
            };
            let in_reference = take_equal(&mut reference, value);
            let in_current = take_equal(&mut current, value);
            Some(Step {
                value,
                in_reference,
                in_current,
            })
        })
    }

    /// Both samples as counts of their two distinct values.
    pub(super) fn distinct_values(&self) -> Result<Table, TestError> {
        let steps: Vec<Step> = self.steps().take(3).collect();
        if steps.len() != 2 {
            return Err(TestError::NotBinary);
        }
        Ok(Table::new(
            steps
                .iter()
                .map(|s| (s.in_reference as u64, s.in_current as u64)),
        ))
    }
}

/// Two tables of category counts over the same names.
#[derive(Clone, Debug)]
pub struct CategoricalPair {
    table: Table,
}

impl CategoricalPair {
    /// Joins both tables by name; equal names add up, and names without a count on either side are left out.
    ///
    /// # Errors
    /// [`TestError::Empty`].
    pub fn new<S: AsRef<str>>(
        reference: &[(S, u64)],
        current: &[(S, u64)],
    ) -> Result<Self, TestError> {
        let mut cells: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (name, count) in reference {
            let cell = cells.entry(name.as_ref()).or_default();
            cell.0 = cell.0.saturating_add(*count);
        }
        for (name, count) in current {
            let cell = cells.entry(name.as_ref()).or_default();
            cell.1 = cell.1.saturating_add(*count);
        }
        let table = Table::new(cells.into_values());
        if table.is_one_sided() {
            return Err(TestError::Empty);
        }
        Ok(Self { table })
    }

    /// Runs one test.
    ///
    /// # Errors
    /// [`TestError::NotNumeric`], or if the tables do not meet what the test asks for.
    pub fn run(&self, test: Test) -> Result<TestResult, TestError> {
        run_on_table(test, &self.table)
    }

    /// The counts of both sides, in the order of the names.
    pub fn table(&self) -> &Table {
        &self.table
    }
}

fn run_on_table(test: Test, table: &Table) -> Result<TestResult, TestError> {
    match test {
        Test::Psi => Ok(share::psi(table)),
        Test::KlDivergence => Ok(share::kl_divergence(table)),
        Test::JensenShannon => Ok(share::jensen_shannon(table)),
        Test::Hellinger => Ok(share::hellinger(table)),
        Test::TotalVariation => Ok(share::total_variation(table)),
        Test::LInfinity => Ok(share::l_infinity(table)),
        Test::ChiSquare => Ok(contingency::chi_square(table)),
        Test::GTest => Ok(contingency::g_test(table)),
        Test::FisherExact => contingency::fisher_exact(table),
        Test::ZTest => contingency::z_test(table),
        _ => Err(TestError::NotNumeric),
    }
}

fn sorted(values: &[f64]) -> Result<Vec<f64>, TestError> {
    if values.is_empty() {
        return Err(TestError::Empty);
    }
    if values.iter().any(|v| v.is_nan()) {
        return Err(TestError::NotANumber);
    }
    // Adding zero makes negative zero positive, so that bits and values order alike.
    let mut values: Vec<f64> = values.iter().map(|v| v + 0.0).collect();
    values.sort_unstable_by(f64::total_cmp);
    Ok(values)
}

/// Takes the values equal to `value` off the front and returns how many there were.
fn take_equal(values: &mut &[f64], value: f64) -> usize {
    let equal = values.iter().take_while(|&&v| v == value).count();
    *values = &values[equal..];
    equal
}
