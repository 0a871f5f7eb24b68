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
//! | [`chi_square`] | no | 0–∞ | its degrees of freedom |
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
mod divergence;
mod ordered;

pub use cells::{merge_counts, merge_to_cells, total};
pub use chi_square::{ChiSquare, chi_square, chi_square_p_value};
pub use divergence::{
    ZERO_SHARE, hellinger, hellinger_floor, jensen_shannon, jensen_shannon_floor, psi, psi_floor,
    total_variation, total_variation_floor,
};
pub use ordered::{
    Outside, kolmogorov_smirnov, kolmogorov_smirnov_floor, kolmogorov_smirnov_p_value, wasserstein,
};

/// The totals of both rows as floats, if the rows fit each other and neither is empty.
fn totals(reference: &[u64], current: &[u64]) -> Option<(f64, f64)> {
    let (n_ref, n_cur) = (total(reference), total(current));
    (reference.len() == current.len() && n_ref > 0.0 && n_cur > 0.0).then_some((n_ref, n_cur))
}

/// `1/n + 1/m`, the variance of a difference of two shares up to a factor; `None` if a side is empty.
fn noise(n_ref: u64, n_cur: u64) -> Option<f64> {
    (n_ref > 0 && n_cur > 0).then(|| 1.0 / n_ref as f64 + 1.0 / n_cur as f64)
}
