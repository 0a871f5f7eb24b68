//! Statistics of two rows of counts over the same cells.
//!
//! A cell is a bin of a numeric column or a category of a categorical one; `reference[i]` and `current[i]`
//! count the values of either side in cell `i`. Every statistic is `None` when the rows differ in length or
//! one of them is empty, and is otherwise finite.
//!
//! | Statistic | Order matters | Range | Value without drift |
//! | --- | --- | --- | --- |
//! | [`kolmogorov_smirnov`] | yes | 0–1 | [`kolmogorov_smirnov_floor`] |
//! | [`wasserstein`] | yes | the column's units | – |
//! | [`psi`] | no | 0–∞ | [`psi_floor`] |
//! | [`jensen_shannon`] | no | 0–1 | [`jensen_shannon_floor`] |
//! | [`hellinger`] | no | 0–1 | [`hellinger_floor`] |
//! | [`total_variation`] | no | 0–1 | [`total_variation_floor`] |
//! | [`chi_square`], [`g_test`] | no | 0–∞ | its degrees of freedom |
//! | [`kuiper`] | yes | 0–2 | 1.25·√(1/n + 1/m) |
//! | [`cramer_von_mises`] | yes | 0–∞ | 1/6 |
//! | [`anderson_darling`] | yes | −1.3–∞ | 0 |
//! | [`mann_whitney`] | yes | 0–nm | nm/2 |
//! | [`energy`] | yes | the root of the column's units | – |
//! | [`kl_divergence`] | no | 0–∞ | half of [`psi_floor`] |
//! | [`l_infinity`] | no | 0–1 | – |
//! | [`welch_t`], [`z_test`] | – | any number | 0 |
//!
//! Fisher's exact test needs no approximation: two cells are a table for [`sample`](crate::sample). Epps–Singleton's
//! waves cannot be had from counts.
//!
//! A *floor* is the value to expect when nothing has drifted, from sampling noise alone: a threshold below it
//! only measures how few events there were. The divergences grow with the number of cells, so compute them on
//! about ten cells: [`merge_to_cells`] groups fine bins into the reference's deciles.
//!
//! ```
//! use driftline_stat::binned;
//!
//! let reference = [100, 100, 100, 100];
//! let current = [10, 20, 30, 40];
//! assert_eq!(binned::kolmogorov_smirnov(&reference, &current), Some(0.2));
//! assert_eq!(binned::psi(&reference, &[0, 0, 0, 0]), None);
//! ```

mod cells;
mod chi_square;
mod cumulative;
mod divergence;
mod moment;
mod ordered;

pub use cells::{merge_counts, merge_to_cells, total};
pub use chi_square::{ChiSquare, chi_square, chi_square_p_value, g_test};
pub use cumulative::{anderson_darling, cramer_von_mises, kuiper, mann_whitney, z_test};
pub use divergence::{
    ZERO_SHARE, hellinger, hellinger_floor, jensen_shannon, jensen_shannon_floor, kl_divergence,
    l_infinity, psi, psi_floor, total_variation, total_variation_floor,
};
pub use moment::{Moments, welch_t};
pub use ordered::{
    Outside, energy, kolmogorov_smirnov, kolmogorov_smirnov_floor, kolmogorov_smirnov_p_value,
    wasserstein,
};

/// A statistic of counts and its p-value without drift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinnedTest {
    /// The statistic, as the test of the same name in [`sample`](crate::sample) defines it.
    pub statistic: f64,
    /// Probability of a statistic at least this extreme without drift.
    pub p_value: f64,
}

/// The totals of both rows as floats, if the rows fit each other and neither is empty.
fn totals(reference: &[u64], current: &[u64]) -> Option<(f64, f64)> {
    let (n_ref, n_cur) = (total(reference), total(current));
    (reference.len() == current.len() && n_ref > 0.0 && n_cur > 0.0).then_some((n_ref, n_cur))
}

/// `1/n + 1/m`, the variance of a difference of two shares up to a factor; `None` if a side is empty.
fn noise(n_ref: u64, n_cur: u64) -> Option<f64> {
    (n_ref > 0 && n_cur > 0).then(|| 1.0 / n_ref as f64 + 1.0 / n_cur as f64)
}
