//! What each test is, for the page's readers.

use driftline_stat::sample::Test;

/// A test's usual name and what it measures.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) measures: &'static str,
}

/// Describes `test`.
pub(super) fn of(test: Test) -> Method {
    let (name, measures) = match test {
        Test::KolmogorovSmirnov => (
            "Kolmogorov–Smirnov",
            "The largest gap between the two cumulative distributions. P-value exact up to 10 000 values \
             a side, asymptotic beyond; conservative where values repeat.",
        ),
        Test::Kuiper => (
            "Kuiper",
            "The largest gap above plus the largest gap below; sees changes in the tails as well as in \
             the middle.",
        ),
        Test::CramerVonMises => (
            "Cramér–von Mises",
            "The squared gap between the cumulative distributions, summed over all values. Its law is that of \
             values that do not repeat: where many do, the p-value is shown but not judged.",
        ),
        Test::AndersonDarling => (
            "Anderson–Darling",
            "As Cramér–von Mises with more weight on the tails. Its p-value is interpolated in a table \
             from 0.001 to 0.25 and stops there.",
        ),
        Test::MannWhitney => (
            "Mann–Whitney U",
            "Whether values of one side tend to be larger. Blind to a change of spread around the same \
             middle.",
        ),
        Test::WelchT => (
            "Welch's t",
            "Difference of the means in standard errors, without assuming equal variances.",
        ),
        Test::EppsSingleton => (
            "Epps–Singleton",
            "Difference of the empirical characteristic functions; also valid for whole numbers.",
        ),
        Test::Wasserstein => (
            "Wasserstein distance",
            "How far values must move, on average, to turn one distribution into the other, in the \
             column's own units.",
        ),
        Test::Energy => (
            "Energy distance",
            "The area of the squared gap between the cumulative distributions, doubled, as a square root.",
        ),
        _ => return of_cells(test),
    };
    Method { name, measures }
}

/// Describes a test of shares.
fn of_cells(test: Test) -> Method {
    let (name, measures) = match test {
        Test::Psi => (
            "Population stability index",
            "Σ (q − p)·ln(q/p) over the reference's tenths, or the categories; an empty cell counts as \
             0.0001. Common thresholds ignore the sample size; the floor does not.",
        ),
        Test::KlDivergence => (
            "Kullback–Leibler divergence",
            "What is lost when the reference is described by the current shares, in nats.",
        ),
        Test::JensenShannon => (
            "Jensen–Shannon distance",
            "Distance of both from their average, 0 (the same) to 1 (nothing in common), over the \
             reference's tenths or the categories.",
        ),
        Test::Hellinger => ("Hellinger distance", "√(1 − Σ√(p·q)), 0 to 1."),
        Test::TotalVariation => (
            "Total variation",
            "The share of values that would have to change cells, 0 to 1.",
        ),
        Test::LInfinity => ("L∞", "The largest change of the share of one cell."),
        Test::ChiSquare => (
            "Chi-square",
            "Pearson's test that the shares of the cells are the same. Its law is asymptotic: where more \
             than a fifth of the cells expect fewer than five values, the p-value is shown but not judged.",
        ),
        Test::GTest => (
            "G-test",
            "The likelihood-ratio form of the chi-square test, with the same limits.",
        ),
        Test::FisherExact => (
            "Fisher's exact test",
            "Odds ratio of two values or categories, with an exact p-value.",
        ),
        Test::ZTest => (
            "Two-proportion z",
            "Difference of two shares in standard errors, for two values or categories.",
        ),
        other => (other.as_str(), ""),
    };
    Method { name, measures }
}
