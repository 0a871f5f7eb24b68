//! Random Fourier features: weights from a seed, and a cosine that is the same on every machine.
//!
//! Everything is single-precision additions and multiplications in a fixed order. IEEE 754 defines each of
//! them to the last bit and Rust neither reorders nor contracts them, so the same rows give the same integers
//! on every machine, whatever the width of its vector registers.

/// The version of everything below that decides which integers come out. A profile names it; a change of a
/// single bit needs another number.
pub(crate) const GENERATOR: u32 = 1;

/// A feature is a whole number of 2^-23, from 0 to 2^23.
pub(crate) const UNIT_BITS: u32 = 23;

/// Features that are computed side by side.
pub(crate) const LANES: usize = 16;

/// Rows whose features are added up in 32 bits: 256 · 2^23 < 2^32.
const ROWS_MAX: usize = 256;

/// 1.5 · 2^23: adding and subtracting it rounds to a whole number.
const ROUND: f32 = 12_582_912.0;

/// No phase is taken to be further from zero than this many turns, so that [`ROUND`] works.
const TURNS_MAX: f32 = 2_097_152.0;

/// One feature for every weight vector w and phase b: (1 + cos(2π(w·x + b))) / 2.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fourier {
    dimension: usize,
    /// By block of [`LANES`] features, by coordinate, by feature of the block; in turns.
    weights: Vec<f32>,
    /// By feature; in turns.
    phases: Vec<f32>,
}

impl Fourier {
    /// Features of the Gaussian kernel exp(−|x − y|² / (2 · bandwidth²)). `features` is a multiple of
    /// [`LANES`]. Each feature is drawn from its own part of the seed, so more features only follow.
    pub(crate) fn new(dimension: usize, features: usize, bandwidth: f64, seed: u64) -> Self {
        let per_turn = 1.0 / (std::f64::consts::TAU * bandwidth);
        let mut weights = vec![0.0; features * dimension];
        let mut phases = Vec::with_capacity(features);
        for feature in 0..features {
            let mut random = Random::new(seed, feature as u64);
            phases.push(random.uniform() as f32);
            let block = &mut weights[feature / LANES * LANES * dimension..];
            for coordinate in 0..dimension {
                let weight = random.normal() * per_turn;
                block[coordinate * LANES + feature % LANES] = weight as f32;
            }
        }
        Self {
            dimension,
            weights,
            phases,
        }
    }

    pub(crate) fn features(&self) -> usize {
        self.phases.len()
    }

    /// Adds the features of `rows`, which lie one after the other, to `sums`.
    pub(crate) fn add(&self, rows: &[f32], sums: &mut [u64]) {
        let width = self.dimension * LANES;
        for rows in rows.chunks(self.dimension * ROWS_MAX) {
            let blocks = self.weights.chunks_exact(width);
            let phases = self.phases.chunks_exact(LANES);
            for ((weights, phases), sums) in blocks.zip(phases).zip(sums.chunks_exact_mut(LANES)) {
                let Some(phases) = phases.first_chunk::<LANES>() else {
                    continue;
                };
                let mut totals = [0_u32; LANES];
                for row in rows.chunks_exact(self.dimension) {
                    let turns = turns(row, weights, *phases);
                    for (total, turns) in totals.iter_mut().zip(turns) {
                        *total += wave(turns);
                    }
                }
                for (sum, total) in sums.iter_mut().zip(totals) {
                    *sum += u64::from(total);
                }
            }
        }
    }
}

/// w·x + b of one block of features.
#[inline]
fn turns(row: &[f32], weights: &[f32], phases: [f32; LANES]) -> [f32; LANES] {
    let mut turns = phases;
    let (weights, _) = weights.as_chunks::<LANES>();
    for (x, weights) in row.iter().zip(weights) {
        for (turns, weight) in turns.iter_mut().zip(weights) {
            *turns += x * weight;
        }
    }
    turns
}

/// (1 + cos(2π · turns)) / 2 in units of 2^-23; `turns` is not NaN. Its absolute error is below 2^-20 for
/// the phase that it is given.
#[inline(always)]
fn wave(turns: f32) -> u32 {
    let turns = turns.clamp(-TURNS_MAX, TURNS_MAX);
    let rest = turns - ((turns + ROUND) - ROUND);
    // (1 + cos 2y) / 2 = cos² y, and the Taylor series of cos at y = π · rest, within ±π/2, ends early.
    let square = rest * rest;
    let cosine = COSINE
        .iter()
        .fold(0.0, |sum: f32, term| sum * square + term);
    // Between 1 and 2 the bits of a float count in steps of 2^-23.
    (cosine * cosine + 1.0).to_bits() - 1.0_f32.to_bits()
}

/// (−1)^k π^(2k) / (2k)!, from k = 6 down to 0.
const COSINE: [f32; 7] = [
    0.001_929_574_3,
    -0.025_806_89,
    0.235_330_63,
    -1.335_262_8,
    4.058_712,
    -4.934_802,
    1.0,
];

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
    spare: Option<f64>,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// The stream `stream` of `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let state = mix(mix(seed.wrapping_add(GOLDEN)) ^ stream.wrapping_mul(GOLDEN));
        Self { state, spare: None }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// At least 0, below 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A standard normal number, by Marsaglia's polar method.
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (u, v) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = u * u + v * v;
            if square > 0.0 && square < 1.0 {
                let factor = (-2.0 * logarithm(square) / square).sqrt();
                self.spare = Some(v * factor);
                return u * factor;
            }
        }
    }
}

/// The natural logarithm of a normal positive number, to about 1e-15. The library's own is not the same
/// everywhere.
fn logarithm(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) as i64 - 1_023) as f64;
    let fraction = f64::from_bits(bits & ((1 << 52) - 1) | 1.0_f64.to_bits());
    // ln f = 2 artanh((f − 1) / (f + 1)); the argument is at most 1/3.
    let s = (fraction - 1.0) / (fraction + 1.0);
    let square = s * s;
    let series = (0..20)
        .rev()
        .fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    exponent * std::f64::consts::LN_2 + 2.0 * s * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cosine_is_as_near_as_it_says() {
        let mut worst = 0.0_f64;
        for i in -40_000..=40_000 {
            let turns = i as f32 / 9_973.0;
            let exact = 0.5 + 0.5 * (std::f64::consts::TAU * f64::from(turns)).cos();
            let ours = f64::from(wave(turns)) / f64::from(1 << UNIT_BITS);
            assert!((0.0..=1.0).contains(&ours), "{turns}: {ours}");
            worst = worst.max((ours - exact).abs());
        }
        assert!(worst < 2.0_f64.powi(-20), "{worst:e}");
        assert_eq!((wave(0.0), wave(-3.0), wave(0.5)), (1 << 23, 1 << 23, 0));
        // Whatever comes in, what comes out is a share.
        for wild in [f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, 1e7] {
            assert!(wave(wild) <= 1 << 23, "{wild}");
        }
    }

    #[test]
    fn the_logarithm_is_the_logarithm() {
        for i in 1..20_000 {
            let x = f64::from(i) / 20_000.0;
            assert!((logarithm(x) - x.ln()).abs() < 1e-15 * x.ln().abs().max(1.0));
        }
        for x in [f64::MIN_POSITIVE, 1e-300, 1.0, 2.0, 1e300] {
            assert!((logarithm(x) - x.ln()).abs() <= 1e-15 * x.ln().abs());
        }
    }

    #[test]
    fn normal_numbers_are_normal() {
        let mut random = Random::new(1, 0);
        let sample: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
        let moment = |p| sample.iter().map(|x| x.powi(p)).sum::<f64>() / 1e5;
        assert!(moment(1).abs() < 0.01 && moment(3).abs() < 0.04);
        assert!((moment(2) - 1.0).abs() < 0.015 && (moment(4) - 3.0).abs() < 0.1);
        let beyond = sample.iter().filter(|x| x.abs() > 1.959_964).count();
        assert!((4_800..5_200).contains(&beyond), "{beyond}");
    }

    #[test]
    fn the_kernel_is_the_gaussian_one() {
        // Of many features, the mean product of centred waves is a quarter of half the kernel.
        let fourier = Fourier::new(3, 4_096, 2.0, 7);
        let at = |x: [f32; 3]| {
            let mut sums = vec![0; 4_096];
            fourier.add(&x, &mut sums);
            let centred = |s: &u64| 2.0 * *s as f64 / f64::from(1 << UNIT_BITS) - 1.0;
            sums.iter().map(centred).collect::<Vec<f64>>()
        };
        let origin = at([0.0; 3]);
        for (x, square) in [
            ([0.0; 3], 0.0),
            ([1.0, 1.0, 0.0], 2.0),
            ([2.0, -2.0, 1.0], 9.0),
        ] {
            let product: f64 = at(x).iter().zip(&origin).map(|(a, b)| a * b).sum();
            let (kernel, wanted) = (2.0 * product / 4_096.0, (-square / 8.0_f64).exp());
            assert!((kernel - wanted).abs() < 0.06, "{x:?}: {kernel} {wanted}");
        }
    }

    #[test]
    fn the_bits_stay_what_they_were() {
        // Counts of different releases are added up, so no bit of this may change under the same number.
        let fourier = Fourier::new(5, 32, 1.5, 42);
        let rows: Vec<f32> = (0..5 * 600)
            .map(|i| (i * i % 977) as f32 / 100.0 - 5.0)
            .collect();
        let mut sums = vec![0; 32];
        fourier.add(&rows, &mut sums);
        let weights: Vec<u8> = fourier
            .weights
            .iter()
            .flat_map(|w| w.to_bits().to_le_bytes())
            .collect();
        let phases: Vec<u8> = fourier
            .phases
            .iter()
            .flat_map(|w| w.to_bits().to_le_bytes())
            .collect();
        let sums: Vec<u8> = sums.iter().flat_map(|s: &u64| s.to_le_bytes()).collect();
        let hash = |bytes: &[u8]| xxhash_rust::xxh3::xxh3_64(bytes);
        assert_eq!(GENERATOR, 1);
        assert_eq!(
            [hash(&weights), hash(&phases), hash(&sums)],
            [
                3_306_808_516_086_005_993,
                6_697_345_479_868_848_733,
                5_644_852_231_769_968_327
            ]
        );
    }
}
