//! From the reference's vectors to their profile.

use super::{
    DIMENSION_MAX, EmbeddingOptions, EmbeddingProfile, FEATURES_MAX, FeatureCovariance, LANES,
    TILE, UNIT_BITS,
};

/// Vectors of which all distances are taken for the bandwidth.
const BANDWIDTH_ROWS: usize = 512;
/// The bandwidth is at least so many standard deviations, should most vectors be the same.
const BANDWIDTH_MIN: f64 = 1e-3;
/// About so many products are taken for the covariance, and at least of so many vectors.
const COVARIANCE_PRODUCTS: usize = 100_000_000;
const COVARIANCE_ROWS_MIN: usize = 2_048;

impl EmbeddingOptions {
    /// Whether the options and the number of coordinates are within their bounds.
    pub(crate) fn are_possible(&self, dimension: usize) -> bool {
        (1..=DIMENSION_MAX).contains(&dimension)
            && (LANES..=FEATURES_MAX).contains(&self.features)
            && self.features.is_multiple_of(LANES)
    }
}

impl EmbeddingProfile {
    /// Fits a profile to the vectors whose coordinates are these columns, which are equally long. `None` if
    /// fewer than two vectors are complete. The options are possible.
    pub(crate) fn build(
        coordinates: Vec<String>,
        columns: &[Vec<f64>],
        options: EmbeddingOptions,
    ) -> Option<Self> {
        let rows = columns.first().map_or(0, Vec::len);
        let whole = |row: &usize| columns.iter().all(|column| column[*row].is_finite());
        let complete: Vec<usize> = (0..rows).filter(whole).collect();
        if complete.len() < 2 {
            return None;
        }
        let (centres, scales): (Vec<f64>, Vec<f64>) = columns
            .iter()
            .map(|c| centre_and_scale(c, &complete))
            .unzip();
        let row = |row: usize, into: &mut Vec<f64>| {
            into.clear();
            into.extend(columns.iter().map(|column| column[row]));
        };
        let standard = (centres, scales);
        // Only to standardise; the bandwidth is not known yet.
        let plain = Self::assemble(coordinates, standard, 1.0, LANES, options.seed);
        let (mut numbers, mut vectors) = (Vec::new(), Vec::new());
        for at in strided(&complete, BANDWIDTH_ROWS) {
            row(at, &mut numbers);
            plain.standardise(&numbers, &mut vectors);
        }
        let bandwidth = median_distance(&vectors, columns.len()).max(BANDWIDTH_MIN);
        let standard = (plain.centres, plain.scales);
        let (features, seed) = (options.features, options.seed);
        let mut profile = Self::assemble(plain.coordinates, standard, bandwidth, features, seed);
        let mut reference = profile.empty_summary();
        let mut scratch = Vec::new();
        let mut tile = Vec::new();
        for first in (0..rows).step_by(TILE) {
            tile.clear();
            for at in first..rows.min(first + TILE) {
                row(at, &mut numbers);
                tile.extend_from_slice(&numbers);
            }
            profile.add_rows(tile.chunks(columns.len()), &mut scratch, &mut reference);
        }
        let most = (COVARIANCE_PRODUCTS / (features * features)).max(COVARIANCE_ROWS_MIN);
        let mut waves = Vec::new();
        for at in strided(&complete, most) {
            row(at, &mut numbers);
            let mut one = profile.empty_summary();
            profile.add_rows([numbers.as_slice()], &mut scratch, &mut one);
            let unit = (8.0 / features as f64).sqrt() / f64::from(1 << UNIT_BITS);
            waves.extend(one.sums.iter().map(|sum| *sum as f64 * unit));
        }
        profile.covariance = covariance(&waves, features);
        profile.reference = reference;
        Some(profile)
    }
}

/// At most `most` of `rows`, evenly spread.
fn strided(rows: &[usize], most: usize) -> impl Iterator<Item = usize> {
    rows.iter()
        .step_by(rows.len().div_ceil(most).max(1))
        .copied()
}

/// Mean and standard deviation of `column` in these rows; a deviation of 0 becomes 1.
fn centre_and_scale(column: &[f64], rows: &[usize]) -> (f64, f64) {
    let n = rows.len() as f64;
    let centre: f64 = rows.iter().map(|row| column[*row] / n).sum();
    let away = |row: &usize| (column[*row] - centre).abs();
    let far = rows.iter().map(away).fold(0.0, f64::max);
    if far == 0.0 || !far.is_finite() {
        // Constant, or so wild that even differences overflow: those are clamped anyhow.
        return (centre, if far == 0.0 { 1.0 } else { f64::MAX / 32.0 });
    }
    let square: f64 = rows.iter().map(|row| (away(row) / far).powi(2) / n).sum();
    let scale = far * square.sqrt();
    (centre, if scale.is_normal() { scale } else { 1.0 })
}

/// The median distance between any two of the vectors; of all that differ, if most are the same.
fn median_distance(vectors: &[f32], dimension: usize) -> f64 {
    let vectors: Vec<&[f32]> = vectors.chunks_exact(dimension).collect();
    let mut squares = Vec::new();
    for (i, a) in vectors.iter().enumerate() {
        for b in &vectors[i + 1..] {
            let square = a.iter().zip(*b).map(|(a, b)| f64::from(a - b).powi(2));
            squares.push(square.sum::<f64>());
        }
    }
    let median = |squares: &mut [f64]| {
        let middle = squares.len() / 2;
        let at = |squares: &mut [f64]| *squares.select_nth_unstable_by(middle, f64::total_cmp).1;
        (!squares.is_empty()).then(|| at(squares).sqrt())
    };
    match median(&mut squares) {
        Some(distance) if distance > 0.0 => distance,
        _ => {
            squares.retain(|square| *square > 0.0);
            median(&mut squares).unwrap_or(1.0)
        }
    }
}

/// The traces of powers of the covariance of `waves`, which lie one vector after the other.
fn covariance(waves: &[f64], features: usize) -> FeatureCovariance {
    let n = waves.len() / features;
    if n < 2 {
        return FeatureCovariance::default();
    }
    let mut means = vec![0.0; features];
    for vector in waves.chunks_exact(features) {
        for (mean, wave) in means.iter_mut().zip(vector) {
            *mean += wave / n as f64;
        }
    }
    let mut products = vec![0.0; features * features];
    let mut centred = vec![0.0; features];
    for vector in waves.chunks_exact(features) {
        for ((to, wave), mean) in centred.iter_mut().zip(vector).zip(&means) {
            *to = wave - mean;
        }
        for (i, row) in products.chunks_exact_mut(features).enumerate() {
            let a = centred[i];
            for (product, b) in row.iter_mut().zip(&centred) {
                *product += a * b;
            }
        }
    }
    let degrees = (n - 1) as f64;
    products.iter_mut().for_each(|product| *product /= degrees);
    let row = |i: usize| &products[i * features..(i + 1) * features];
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let trace: f64 = (0..features).map(|i| row(i)[i]).sum();
    let (mut square, mut cube) = (0.0, 0.0);
    for i in 0..features {
        for j in 0..features {
            let product = dot(row(i), row(j));
            cube += row(i)[j] * product;
            square += if i == j { product } else { 0.0 };
        }
    }
    // A sample's covariance spreads its eigenvalues; to first order, by so much.
    let trace_of_square = (square - trace * trace / degrees).max(square / features as f64);
    let trace_of_cube = (cube - 3.0 * trace * square / degrees).max(0.0);
    FeatureCovariance {
        trace,
        trace_of_square,
        trace_of_cube,
    }
}
