//! Tail probabilities of the distributions that test statistics follow.
//!
//! `statrs` serves where it is precise enough: the incomplete gamma function behind chi-square, good to about
//! 1e-13 relative. Everything else is written here or taken from `libm`; each function says why.

use std::f64::consts::PI;

use statrs::function::gamma::gamma_ur;

/// P(X ≥ x) of the chi-square law.
pub(crate) fn chi_square_upper_tail(x: f64, degrees_of_freedom: f64) -> f64 {
    if x <= 0.0 || degrees_of_freedom <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    gamma_ur(degrees_of_freedom / 2.0, x / 2.0).clamp(0.0, 1.0)
}

/// P(K ≥ x) of Kolmogorov's law, the limit of √n times the Kolmogorov–Smirnov distance.
///
/// The two classical series converge fast on either side of one, so a handful of terms gives full precision
/// (Marsaglia, Tsang and Wang, "Evaluating Kolmogorov's distribution", 2003, section 3). `statrs` has no
/// such function.
pub(crate) fn kolmogorov_upper_tail(x: f64) -> f64 {
    if x <= 0.04 {
        // The complement is below the smallest double.
        return 1.0;
    }
    if x < 1.18 {
        let exponent = -PI * PI / (8.0 * x * x);
        let sum: f64 = (0..4)
            .map(|k| (f64::from((2 * k + 1) * (2 * k + 1)) * exponent).exp())
            .sum();
        return 1.0 - (2.0 * PI).sqrt() / x * sum;
    }
    let mut sum = 0.0;
    let mut sign = 1.0;
    for k in 1..=6 {
        sum += sign * (-2.0 * f64::from(k * k) * x * x).exp();
        sign = -sign;
    }
    (2.0 * sum).clamp(0.0, 1.0)
}
