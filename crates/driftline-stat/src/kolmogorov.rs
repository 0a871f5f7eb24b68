//! The exact law of the one-sample Kolmogorov–Smirnov statistic.
//!
//! Simard and L'Ecuyer ("Computing the two-sided Kolmogorov–Smirnov distribution", 2011) choose the method by region:
//! closed forms at the ends, Durbin's matrix where the distance is small, the one-sided law doubled where it is large,
//! and the Pelz–Good expansion in between for large samples. The regions are the ones scipy uses.

use std::f64::consts::PI;

use crate::distribution::{binomial_probability, stirling_rest};

/// P(Dₙ ≥ d) for n values.
pub(crate) fn two_sided_upper_tail(n: u64, d: f64) -> f64 {
    let size = n as f64;
    let t = size * d;
    let square = t * d;
    let tail = if d >= 1.0 {
        0.0
    } else if t <= 0.5 {
        1.0
    } else if t <= 1.0 {
        // n!/nⁿ·(2t − 1)ⁿ
        let log = 0.5 * (2.0 * PI * size).ln() - size + stirling_rest(size);
        1.0 - (log + size * (2.0 * t - 1.0).ln()).exp()
    } else if t >= size - 1.0 {
        2.0 * (1.0 - d).powf(size)
    } else if d >= 0.5 {
        2.0 * one_sided_upper_tail(size, d)
    } else if n <= 140 {
        if square <= 4.0 {
            1.0 - durbin(n, d)
        } else {
            2.0 * one_sided_upper_tail(size, d)
        }
    } else if square >= 370.0 {
        0.0
    } else if square >= 2.2 {
        2.0 * one_sided_upper_tail(size, d)
    } else if n <= 100_000 && t * d.sqrt() <= 1.4 {
        1.0 - durbin(n, d)
    } else {
        1.0 - pelz_good(size, d)
    };
    tail.clamp(0.0, 1.0)
}

/// P(Dₙ⁺ ≥ d), Smirnov's sum d·Σⱼ C(n, j)·(d + j/n)^(j−1)·(1 − d − j/n)^(n−j), all of whose terms are positive.
fn one_sided_upper_tail(n: f64, d: f64) -> f64 {
    let mut sum = 0.0;
    let last = (n * (1.0 - d)).floor();
    let mut j = 0.0;
    while j <= last {
        let p = d + j / n;
        sum += binomial_probability(j, n, p, (1.0 - p).max(0.0)) / p;
        j += 1.0;
    }
    d * sum
}

/// P(Dₙ ≤ d) as n!/nⁿ times the middle element of the n-th power of Durbin's matrix (Marsaglia, Tsang and Wang, 2003).
fn durbin(n: u64, d: f64) -> f64 {
    let t = n as f64 * d;
    let k = t.ceil() as usize;
    let h = k as f64 - t;
    let m = 2 * k - 1;
    let mut inverse_factorial = vec![1.0; m + 1];
    for i in 1..=m {
        inverse_factorial[i] = inverse_factorial[i - 1] / i as f64;
    }
    let mut matrix = Square::zero(m);
    for i in 0..m {
        for j in 0..m.min(i + 2) {
            matrix.cells[i * m + j] = inverse_factorial[i + 1 - j];
        }
    }
    for i in 0..m {
        let edge = (1.0 - h.powi(i as i32 + 1)) * inverse_factorial[i + 1];
        matrix.cells[i * m] = edge;
        matrix.cells[(m - 1) * m + (m - 1 - i)] = edge;
    }
    let corner = (2.0 * h - 1.0).max(0.0).powi(m as i32) - 2.0 * h.powi(m as i32);
    matrix.cells[(m - 1) * m] = (1.0 + corner) * inverse_factorial[m];
    let (power, exponent) = matrix.power(n);
    // n!/nⁿ through Stirling's formula, together with the scale of the power.
    let size = n as f64;
    let log_factor = 0.5 * (2.0 * PI * size).ln() - size + stirling_rest(size);
    let middle = power.cells[(k - 1) * m + (k - 1)];
    (middle.ln() + exponent as f64 * std::f64::consts::LN_2 + log_factor).exp()
}

/// A square matrix of positive numbers.
#[derive(Clone)]
struct Square {
    size: usize,
    cells: Vec<f64>,
}

impl Square {
    fn zero(size: usize) -> Self {
        Self {
            size,
            cells: vec![0.0; size * size],
        }
    }

    fn times(&self, other: &Self) -> Self {
        let m = self.size;
        let mut product = Self::zero(m);
        for (row, into) in self
            .cells
            .chunks_exact(m)
            .zip(product.cells.chunks_exact_mut(m))
        {
            for (&factor, line) in row.iter().zip(other.cells.chunks_exact(m)) {
                for (cell, &value) in into.iter_mut().zip(line) {
                    *cell += factor * value;
                }
            }
        }
        product
    }

    /// The n-th power, divided by the returned power of two to stay in range.
    fn power(&self, n: u64) -> (Self, i64) {
        let mut base = self.clone();
        let mut base_exponent = 0_i64;
        let mut result = Self::zero(self.size);
        for i in 0..self.size {
            result.cells[i * self.size + i] = 1.0;
        }
        let mut exponent = 0_i64;
        let mut left = n;
        while left > 0 {
            if left % 2 == 1 {
                result = result.times(&base);
                exponent += base_exponent + result.rescale();
            }
            base = base.times(&base);
            base_exponent = 2 * base_exponent + base.rescale();
            left /= 2;
        }
        (result, exponent)
    }

    /// Divides by a power of two that brings the largest cell to about one, and returns its exponent.
    fn rescale(&mut self) -> i64 {
        let largest = self.cells.iter().fold(0.0_f64, |max, &cell| max.max(cell));
        if largest == 0.0 {
            return 0;
        }
        let exponent = largest.log2().floor();
        let scale = (-exponent).exp2();
        for cell in &mut self.cells {
            *cell *= scale;
        }
        exponent as i64
    }
}

/// P(Dₙ ≤ d) by the expansion K₀ + K₁/√n + K₂/n + K₃/n^1.5 of Pelz and Good (1976), as restated by Simard and L'Ecuyer.
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = n.sqrt() * d;
    let (z2, pi2) = (z * z, PI * PI);
    let (z4, z6, z8) = (z2 * z2, z2 * z2 * z2, z2 * z2 * z2 * z2);
    let (pi4, pi6) = (pi2 * pi2, pi2 * pi2 * pi2);
    let (mut k0, mut k1, mut k2, mut k3) = (0.0, 0.0, 0.0, 0.0);
    let (mut k2_whole, mut k3_whole) = (0.0, 0.0);
    // Terms decay like exp(−π²m²/8z²); this many reach below the smallest double's share.
    let last = (16.0 * z / PI).ceil() as u32;
    for k in (1..=last).rev() {
        let odd = f64::from(2 * k - 1);
        let (m2, m4, m6) = (odd.powi(2), odd.powi(4), odd.powi(6));
        let decay = (-pi2 * m2 / (8.0 * z2)).exp();
        k0 += decay;
        k1 += (-z2 + pi2 / 4.0 * m2) * decay;
        k2 += (6.0 * z6
            + 2.0 * z4
            + (2.0 * z4 - 5.0 * z2) * pi2 / 4.0 * m2
            + pi4 * (1.0 - 2.0 * z2) / 16.0 * m4)
            * decay;
        k3 += (-30.0 * z6 - 90.0 * z8
            + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
            + pi4 * (-60.0 * z2 + 212.0 * z4) / 16.0 * m4
            + pi6 * (5.0 - 30.0 * z2) / 64.0 * m6)
            * decay;
        let whole = f64::from(k) * f64::from(k);
        let decay = (-pi2 * whole / (2.0 * z2)).exp();
        k2_whole += whole * decay;
        k3_whole += (3.0 * z2 - pi2 * whole) * whole * decay;
    }
    let root = (2.0 * PI).sqrt();
    let k2 = k2 / (72.0 * z.powi(7)) - pi2 * k2_whole / (36.0 * z.powi(3));
    let k3 = k3 / (6_480.0 * z.powi(10)) + pi2 * k3_whole / (216.0 * z6);
    root * (k0 / z + k1 / (6.0 * z4) / n.sqrt() + k2 / n + k3 / n.powf(1.5))
}
