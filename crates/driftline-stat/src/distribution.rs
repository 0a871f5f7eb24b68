//! Tail probabilities of the distributions that test statistics follow.
//!
//! `statrs` serves where it is precise enough: the incomplete gamma function behind chi-square, good to about
//! 1e-13 relative. Everything else is written here or taken from `libm`; each function says why.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use statrs::function::gamma::gamma_ur;

/// P(Z ≥ z) of the standard normal law.
///
/// `libm`'s complementary error function is a port of FreeBSD's, within one unit in the last place.
pub(crate) fn normal_upper_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

/// P(|Z| ≥ |z|) of the standard normal law.
pub(crate) fn normal_two_tails(z: f64) -> f64 {
    libm::erfc(z.abs() * FRAC_1_SQRT_2)
}

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

/// P(|T| ≥ |t|) of Student's law: the regularised incomplete beta function Iₓ(df/2, 1/2) at x = df/(df + t²).
///
/// `statrs` stops its continued fraction after 140 steps and forms 1 − x and the beta function by subtraction, which
/// costs up to seven digits for large samples. Here x and 1 − x come from t itself.
pub(crate) fn student_two_tails(t: f64, df: f64) -> f64 {
    let square = t * t;
    if square == 0.0 {
        return 1.0;
    }
    if square.is_infinite() {
        return 0.0;
    }
    let (a, b) = (df / 2.0, 0.5);
    let (x, y) = (df / (df + square), square / (df + square));
    // x^a·y^b/B(a, b)
    let front =
        (-a * (square / df).ln_1p() + b * y.ln() + ln_gamma_half_step(a) - 0.5 * PI.ln()).exp();
    let tail = if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, y) / b
    };
    tail.clamp(0.0, 1.0)
}

/// ln Γ(a + ½) − ln Γ(a), without the cancellation of two large logarithms.
fn ln_gamma_half_step(a: f64) -> f64 {
    if a < 20.0 {
        return libm::lgamma(a + 0.5) - libm::lgamma(a);
    }
    // Stirling's series of both, subtracted term by term.
    a * (0.5 / a).ln_1p() + 0.5 * a.ln() - 0.5 + stirling_rest(a + 0.5) - stirling_rest(a)
}

/// Continued fraction of the incomplete beta function by Lentz's method (DLMF 8.17.22; Numerical Recipes 6.4). It needs
/// about the square root of the larger parameter steps.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..50_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        let factor = d * c;
        fraction *= factor;
        if (factor - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

/// The rest of Stirling's formula: ln Γ(x) − (x − ½)·ln x + x − ½·ln 2π.
pub(crate) fn stirling_rest(x: f64) -> f64 {
    if x < 16.0 {
        return libm::lgamma(x) - (x - 0.5) * x.ln() + x - 0.5 * (2.0 * PI).ln();
    }
    let inverse_square = 1.0 / (x * x);
    let mut sum = 1.0 / 1_188.0;
    for coefficient in [-1.0 / 1_680.0, 1.0 / 1_260.0, -1.0 / 360.0, 1.0 / 12.0] {
        sum = sum * inverse_square + coefficient;
    }
    sum / x
}

/// P(X = k) of the binomial law with `n` trials, probability `p` and `q` = 1 − p.
///
/// Loader's saddle-point form ("Fast and accurate computation of binomial probabilities", 2000): the large logarithms
/// cancel on paper instead of in floating point, so it keeps about 14 digits at any n, where `exp` of `ln_gamma`
/// differences (as in `statrs`) keeps nine at a million.
pub(crate) fn binomial_probability(k: f64, n: f64, p: f64, q: f64) -> f64 {
    if k < 0.0 || k > n {
        return 0.0;
    }
    if k == 0.0 {
        return power(q, p, n);
    }
    if k == n {
        return power(p, q, n);
    }
    if p <= 0.0 || q <= 0.0 {
        return 0.0;
    }
    let rest = n - k;
    // The series of `stirling_rest` belongs to Γ(x); the factorial's is the same one.
    let log = stirling_rest(n)
        - stirling_rest(k)
        - stirling_rest(rest)
        - deviance(k, n * p)
        - deviance(rest, n * q);
    (n / (2.0 * PI * k * rest)).sqrt() * log.exp()
}

/// base^n, with the logarithm taken from the complement where that is the smaller one.
fn power(base: f64, complement: f64, n: f64) -> f64 {
    if n == 0.0 {
        1.0
    } else if complement < 0.5 {
        (n * (-complement).ln_1p()).exp()
    } else {
        (n * base.ln()).exp()
    }
}

/// x·ln(x/mean) + mean − x without cancellation near the mean.
fn deviance(x: f64, mean: f64) -> f64 {
    let gap = x - mean;
    if gap.abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() - gap;
    }
    let v = gap / (x + mean);
    let mut sum = gap * v;
    let mut power = 2.0 * x * v;
    for j in 1..1_000 {
        power *= v * v;
        let next = sum + power / f64::from(2 * j + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// P(V ≥ v) of Kuiper's statistic at effective size n, by the four formulas of Paltani 2004 (after Stephens 1965).
///
/// The size may be fractional, as astropy allows it. The result is kept between 0 and 1, which the formulas leave for
/// the smallest sizes, and is 1 up to 1/n, which the statistic cannot be below.
pub(crate) fn kuiper_upper_tail(v: f64, n: f64) -> f64 {
    let tail = if v <= 2.0 / n {
        if v * n <= 1.0 {
            return 1.0;
        }
        1.0 - (libm::lgamma(n + 1.0) + (n - 1.0) * (v - 1.0 / n).ln()).exp()
    } else if v <= 3.0 / n {
        let k = -(n * v - 1.0) / 2.0;
        let r = (k * k - (n * v - 2.0) * (n * v - 2.0) / 2.0)
            .max(0.0)
            .sqrt();
        let (a, b) = (-k + r, -k - r);
        let scale = libm::lgamma(n) - (n - 2.0) * n.ln();
        let grown = |base: f64| (scale + (n - 1.0) * base.ln()).exp();
        1.0 - (grown(b) * (1.0 - a) - grown(a) * (1.0 - b)) / (b - a)
    } else if (v > 0.5 && n % 2.0 == 0.0) || (v > (n - 1.0) / (2.0 * n) && n % 2.0 == 1.0) {
        kuiper_large(v, n)
    } else {
        let z = v * n.sqrt();
        let (mut first, mut second) = (0.0, 0.0);
        // Beyond m·z = 18.82 the exponential is below the smallest double.
        let mut m = 1.0;
        while m < 18.82 / z {
            let square = (m * z) * (m * z);
            let decay = (-2.0 * square).exp();
            first += 2.0 * (4.0 * square - 1.0) * decay;
            second += m * m * (4.0 * square - 3.0) * decay;
            m += 1.0;
        }
        first - 8.0 * v / 3.0 * second
    };
    if tail.is_nan() {
        1.0
    } else {
        tail.clamp(0.0, 1.0)
    }
}

/// Stephens' finite sum for large values of Kuiper's statistic at whole sizes.
fn kuiper_large(v: f64, n: f64) -> f64 {
    let last = (n * (1.0 - v)).floor();
    let mut sum = 0.0;
    let mut t = 0.0;
    while t <= last {
        let y = v + t / n;
        let polynomial = y * y * y * n - y * y * t * (3.0 - 2.0 / n)
            + y * t * (t - 1.0) * (3.0 - 2.0 / n) / n
            - t * (t - 1.0) * (t - 2.0) / (n * n);
        let base = (1.0 - v - t / n).max(0.0);
        let exponent = n - t - 1.0;
        let last_factor = if exponent == 0.0 {
            0.0
        } else {
            exponent * base.ln()
        };
        let choose = libm::lgamma(n + 1.0) - libm::lgamma(t + 1.0) - libm::lgamma(n - t + 1.0);
        sum += polynomial * (choose + (t - 3.0) * y.ln() + last_factor).exp();
        t += 1.0;
    }
    sum
}

/// P(W ≥ x) of the limiting Cramér–von Mises law (Csörgő and Faraway 1996, equation 1.2).
///
/// The series stops after the first term below 1e-7, as scipy's does; its tail is therefore good to about 1e-7 absolute.
pub(crate) fn cramer_von_mises_upper_tail(x: f64) -> f64 {
    const TERM_MIN: f64 = 1e-7;
    if x.is_nan() || x < 0.003 {
        return 1.0;
    }
    // Γ(k + ½)/Γ(k + 1), by its ratio.
    let mut gamma_ratio = PI.sqrt();
    let mut sum = 0.0;
    let mut k = 0.0;
    loop {
        let y = 4.0 * k + 1.0;
        let q = y * y / (16.0 * x);
        let term = gamma_ratio / (PI.powf(1.5) * x.sqrt()) * y.sqrt() * decayed_bessel_quarter(q);
        sum += term;
        if term < TERM_MIN {
            break;
        }
        k += 1.0;
        gamma_ratio *= (k - 0.5) / k;
    }
    (1.0 - sum).clamp(0.0, 1.0)
}

/// e^−q·K(q), K being the modified Bessel function of the second kind of order ¼.
///
/// From K(q) = ∫₀^∞ exp(−q·cosh t)·cosh(t/4) dt (DLMF 10.32.9) by the trapezoidal rule, which converges exponentially on
/// an integrand that decays doubly exponentially. `statrs` has no Bessel functions.
fn decayed_bessel_quarter(q: f64) -> f64 {
    const STEP: f64 = 1.0 / 16.0;
    let at = |t: f64| (-q * (1.0 + t.cosh())).exp() * (t / 4.0).cosh();
    let mut sum = 0.5 * at(0.0);
    let mut t = STEP;
    loop {
        let value = at(t);
        sum += value;
        if value <= sum * 1e-18 {
            return sum * STEP;
        }
        t += STEP;
    }
}
