//! Random numbers: a small generator, and the laws that a month of traffic needs.

use driftline_bench_detect::Xoshiro;

#[derive(Clone, Debug)]
pub(crate) struct Rng(Xoshiro);

impl Rng {
    /// An own sequence for each pair of a seed and a stream.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mixed = stream.wrapping_mul(0xd134_2543_de82_ef95).rotate_left(17);
        Self(Xoshiro::new(seed ^ mixed))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// Uniform on the open interval from 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) * (1.0 / 9_007_199_254_740_992.0)
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Standard normal, by Box and Muller; the second of each pair is thrown away.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// The sum of `n` geometric numbers (1, 2, 3, … with probabilities ½, ¼, ⅛, …): the tosses of a fair coin
    /// up to its n-th head.
    pub(crate) fn geometric_sum(&mut self, n: u64) -> u64 {
        let (mut heads, mut tosses) = (n, 0);
        while heads > 0 {
            let mut word = self.bits();
            let in_word = u64::from(word.count_ones());
            if in_word < heads {
                heads -= in_word;
                tosses += 64;
                continue;
            }
            for _ in 1..heads {
                word &= word - 1;
            }
            tosses += u64::from(word.trailing_zeros()) + 1;
            heads = 0;
        }
        tosses
    }
}

/// The largest whole mean that has a table.
const MEAN_MAX: usize = 64;

/// Poisson numbers of small means: by an alias table (Walker 1977) for the whole part of the mean, by inversion
/// for the rest.
#[derive(Debug)]
pub(crate) struct Poisson {
    /// For each whole mean, the table: the share that keeps its own place, and the alias.
    tables: Vec<Vec<(f64, u32)>>,
}

/// A mean, prepared for drawing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    whole: usize,
    rest: f64,
    /// exp(−rest).
    zero: f64,
}

impl Mean {
    pub(crate) fn new(mean: f64) -> Self {
        let whole = mean.floor();
        Self {
            whole: whole as usize,
            rest: mean - whole,
            zero: (whole - mean).exp(),
        }
    }
}

impl Poisson {
    pub(crate) fn new() -> Self {
        Self {
            tables: (0..=MEAN_MAX).map(alias_table).collect(),
        }
    }

    pub(crate) fn draw(&self, rng: &mut Rng, mean: Mean) -> u64 {
        let mut left = mean.whole;
        let mut count = 0;
        while left > 0 {
            let part = left.min(MEAN_MAX);
            left -= part;
            let table = &self.tables[part];
            let place = rng.unit() * table.len() as f64;
            let slot = place as usize;
            let (keep, alias) = table[slot];
            count += if place.fract() < keep {
                slot as u64
            } else {
                u64::from(alias)
            };
        }
        if mean.rest > 0.0 {
            let u = rng.unit();
            let (mut term, mut sum, mut k) = (mean.zero, mean.zero, 0_u64);
            // The terms vanish long before 60 for a mean below one.
            while u > sum && k < 60 {
                k += 1;
                term *= mean.rest / k as f64;
                sum += term;
            }
            count += k;
        }
        count
    }
}

fn alias_table(mean: usize) -> Vec<(f64, u32)> {
    let size = mean + 12 * (mean as f64).sqrt() as usize + 24;
    let mut term = (-(mean as f64)).exp();
    let mut shares: Vec<f64> = (0..size)
        .map(|k| {
            let share = term;
            term *= mean as f64 / (k + 1) as f64;
            share * size as f64
        })
        .collect();
    let mut table: Vec<(f64, u32)> = (0..size as u32).map(|k| (1.0, k)).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) =
        (0..size).partition(|k| shares[*k] < 1.0);
    while let (Some(&poor), Some(&rich)) = (small.last(), large.last()) {
        small.pop();
        table[poor] = (shares[poor], rich as u32);
        shares[rich] -= 1.0 - shares[poor];
        if shares[rich] < 1.0 {
            large.pop();
            small.push(rich);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: impl Iterator<Item = f64>) -> (f64, f64) {
        let values: Vec<f64> = values.collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (
            mean,
            values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n,
        )
    }

    #[test]
    fn the_laws_have_their_moments() {
        let mut rng = Rng::new(7, 1);
        let poisson = Poisson::new();
        for mean in [0.02, 0.9, 2.0, 19.7, 64.0, 150.3] {
            let (m, v) =
                moments((0..40_000).map(|_| poisson.draw(&mut rng, Mean::new(mean)) as f64));
            let error = 5.0 * (mean / 40_000.0_f64).sqrt();
            assert!((m - mean).abs() < error, "mean {mean}: {m}");
            assert!(
                (v / mean - 1.0).abs() < 0.05 + error / mean,
                "variance {mean}: {v}"
            );
        }
        let (m, v) = moments((0..40_000).map(|_| rng.geometric_sum(40) as f64));
        assert!((m - 80.0).abs() < 0.3 && (v - 80.0).abs() < 4.0, "{m} {v}");
        let (m, v) = moments((0..40_000).map(|_| rng.normal()));
        assert!(m.abs() < 0.03 && (v - 1.0).abs() < 0.03, "{m} {v}");
    }
}
