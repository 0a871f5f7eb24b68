//! Seeded random numbers.

use driftline_bench_detect::Xoshiro;

pub(crate) struct Random(Xoshiro);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro::new(seed))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// Above 0 and below 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Standard normal values, by Marsaglia's polar method.
    pub(crate) fn normals(&mut self, into: &mut Vec<f64>, n: usize) {
        into.clear();
        while into.len() < n {
            let (u, v) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let s = u * u + v * v;
            if s < 1.0 {
                let scale = (-2.0 * s.ln() / s).sqrt();
                into.extend([u * scale, v * scale]);
            }
        }
        into.truncate(n);
    }

    /// How many of `n` trials of probability `p` hit: by inversion where few do, else by Hörmann's transformed rejection
    /// ("The generation of binomial random variates", 1993, algorithm BTRS).
    pub(crate) fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        let (trials, odds) = (n as f64, p / (1.0 - p));
        if trials * p < 10.0 {
            let mut u = self.uniform();
            let mut term = (trials * (-p).ln_1p()).exp();
            let mut k = 0;
            while u > term && k < n {
                u -= term;
                term *= (n - k) as f64 / (k + 1) as f64 * odds;
                k += 1;
            }
            return k;
        }
        let deviation = (trials * p * (1.0 - p)).sqrt();
        let b = 1.15 + 2.53 * deviation;
        let a = -0.0873 + 0.0248 * b + 0.01 * p;
        let c = trials * p + 0.5;
        let alpha = (2.83 + 5.1 / b) * deviation;
        let mode = ((trials + 1.0) * p).floor();
        let log_factorial = |k: f64| libm::lgamma(k + 1.0);
        let peak = log_factorial(mode) + log_factorial(trials - mode);
        loop {
            let (v, u) = (self.uniform(), self.uniform() - 0.5);
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + c).floor();
            if k < 0.0 || k > trials {
                continue;
            }
            let bound = (v * alpha / (a / (us * us) + b)).ln();
            let term = peak - log_factorial(k) - log_factorial(trials - k) + (k - mode) * odds.ln();
            if bound <= term {
                return k as u64;
            }
        }
    }
}
