//! The tests' names and what they return.

use std::fmt;
use std::str::FromStr;

use driftline_event::ColumnKind;

macro_rules! tests {
    ($($(#[$doc:meta])* $variant:ident = $label:literal;)*) => {
        /// A two-sample test or distance.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Test {
            $($(#[$doc])* $variant,)*
        }

        impl Test {
            /// Every test, in the order of their documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable name used on the command line and in reports.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }
        }
    };
}

tests! {
    /// [`empirical::kolmogorov_smirnov`](super::empirical::kolmogorov_smirnov)
    KolmogorovSmirnov = "ks";
    /// [`empirical::kuiper`](super::empirical::kuiper)
    Kuiper = "kuiper";
    /// [`empirical::cramer_von_mises`](super::empirical::cramer_von_mises)
    CramerVonMises = "cramer_von_mises";
    /// [`empirical::anderson_darling`](super::empirical::anderson_darling)
    AndersonDarling = "anderson_darling";
    /// [`rank::mann_whitney`](super::rank::mann_whitney)
    MannWhitney = "mann_whitney";
    /// [`moment::welch_t`](super::moment::welch_t)
    WelchT = "welch_t";
    /// [`moment::epps_singleton`](super::moment::epps_singleton)
    EppsSingleton = "epps_singleton";
    /// [`transport::wasserstein`](super::transport::wasserstein)
    Wasserstein = "wasserstein";
    /// [`transport::energy`](super::transport::energy)
    Energy = "energy";
    /// [`share::psi`](super::share::psi)
    Psi = "psi";
    /// [`share::kl_divergence`](super::share::kl_divergence)
    KlDivergence = "kl_divergence";
    /// [`share::jensen_shannon`](super::share::jensen_shannon)
    JensenShannon = "jensen_shannon";
    /// [`share::hellinger`](super::share::hellinger)
    Hellinger = "hellinger";
    /// [`share::total_variation`](super::share::total_variation)
    TotalVariation = "total_variation";
    /// [`share::l_infinity`](super::share::l_infinity)
    LInfinity = "l_infinity";
    /// [`contingency::chi_square`](super::contingency::chi_square)
    ChiSquare = "chi_square";
    /// [`contingency::g_test`](super::contingency::g_test)
    GTest = "g_test";
    /// [`contingency::fisher_exact`](super::contingency::fisher_exact)
    FisherExact = "fisher_exact";
    /// [`contingency::z_test`](super::contingency::z_test)
    ZTest = "z_test";
}

impl Test {
    /// Whether the test can compare columns of this kind.
    ///
    /// Tests of order and size need numbers. Tests of shares take both: a numeric column is cut at the reference's
    /// deciles first. Fisher's and the z-test take both but need exactly two distinct values.
    pub const fn applies_to(self, kind: ColumnKind) -> bool {
        match kind {
            ColumnKind::Numeric => true,
            // Vectors are compared by their mean embedding, not value by value.
            ColumnKind::Embedding => false,
            ColumnKind::Categorical => !matches!(
                self,
                Self::KolmogorovSmirnov
                    | Self::Kuiper
                    | Self::CramerVonMises
                    | Self::AndersonDarling
                    | Self::MannWhitney
                    | Self::WelchT
                    | Self::EppsSingleton
                    | Self::Wasserstein
                    | Self::Energy
            ),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Test {
    type Err = TestError;

    fn from_str(name: &str) -> Result<Self, TestError> {
        Self::ALL
            .iter()
            .copied()
            .find(|test| test.as_str() == name)
            .ok_or(TestError::Unknown)
    }
}

/// What a test found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestResult {
    /// The test's statistic or the distance. Infinite only for the odds ratio of
    /// [`fisher_exact`](super::contingency::fisher_exact).
    pub statistic: f64,
    /// Probability of a statistic at least this extreme if both samples come from one distribution; `None` for a
    /// distance.
    pub p_value: Option<f64>,
    /// Where the p-value comes from: `exact`, `asymptotic` or `none`.
    pub method: &'static str,
}

impl TestResult {
    pub(super) fn distance(statistic: f64) -> Self {
        // A distance beyond the range of a double is reported as its end.
        Self {
            statistic: statistic.min(f64::MAX),
            p_value: None,
            method: "none",
        }
    }

    pub(super) fn exact(statistic: f64, p_value: f64) -> Self {
        Self {
            statistic,
            p_value: Some(p_value.clamp(0.0, 1.0)),
            method: "exact",
        }
    }

    pub(super) fn asymptotic(statistic: f64, p_value: f64) -> Self {
        Self {
            statistic,
            p_value: Some(p_value.clamp(0.0, 1.0)),
            method: "asymptotic",
        }
    }
}

/// Why a test has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TestError {
    /// A sample has no values.
    #[error("a sample is empty")]
    Empty,
    /// A sample holds a NaN, which has no place in any order; count those separately.
    #[error("a sample holds a value that is not a number")]
    NotANumber,
    /// A sample holds an infinity. Tests of order take those; averages and distances are not defined.
    #[error("the test needs finite values, and a sample holds an infinity")]
    NotFinite,
    /// A sample has too few values.
    #[error("the test needs at least {0} values a side")]
    TooFew(usize),
    /// The values do not vary, so the statistic is not defined.
    #[error("the values do not vary enough for this test")]
    Constant,
    /// The values are so large that the statistic is beyond the range of a double.
    #[error("the statistic is beyond the range of a double")]
    Overflow,
    /// The test needs exactly two distinct values.
    #[error("the test needs exactly two distinct values")]
    NotBinary,
    /// The test does not compare categories.
    #[error("the test compares numbers, not categories")]
    NotNumeric,
    /// No test has this name.
    #[error("no such test")]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for &test in Test::ALL {
            assert_eq!(test.as_str().parse(), Ok(test));
            assert!(test.applies_to(ColumnKind::Numeric));
        }
        assert_eq!("ks2".parse::<Test>(), Err(TestError::Unknown));
        assert_eq!(Test::ALL.len(), 19);
    }
}
