//! Cohen's arcsine scale, in which a share's estimate varies alike wherever the share lies.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// φ(p) = 2·asin √p, from 0 at p = 0 to π at p = 1. Arguments outside 0 to 1, and NaN, count as the nearer end.
///
/// The estimate of a share from n events has a standard deviation of about 1/√n on this scale, whatever the share
/// (J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd edition 1988, section 6.2).
pub fn arcsine(p: f64) -> f64 {
    if p >= 1.0 {
        PI
    } else if p > 0.0 {
        // From both legs, so that shares next to one keep their digits.
        2.0 * libm::atan2(p.sqrt(), (1.0 - p).sqrt())
    } else {
        0.0
    }
}

/// The share whose arcsine is `phi`; the nearer end where there is none.
pub fn share(phi: f64) -> f64 {
    if phi >= PI {
        1.0
    } else if phi > 0.0 {
        let sine = libm::sin(phi / 2.0);
        sine * sine
    } else {
        0.0
    }
}

/// Cohen's h that a shift of a normal distribution's mean by `deviations` of its standard deviations reaches at the best
/// cut, which lies halfway between the two means.
///
/// An approximation for other distributions; for small shifts h ≈ 0.8 · shift.
///
/// ```
/// use driftline_detect::bank::normal_shift;
/// assert!((normal_shift(0.25) - 0.199).abs() < 5e-4);
/// assert!((normal_shift(-1.0) + normal_shift(1.0)).abs() < 1e-15);
/// ```
pub fn normal_shift(deviations: f64) -> f64 {
    if deviations.is_nan() {
        return 0.0;
    }
    let below = normal_lower_tail(-deviations / 2.0);
    let above = normal_lower_tail(deviations / 2.0);
    arcsine(above) - arcsine(below)
}

/// P(Z ≤ z) of the standard normal law.
pub(super) fn normal_lower_tail(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}
