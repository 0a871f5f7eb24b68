//! Embeddings: vectors of numbers, summarised by random Fourier features.
//!
//! **What it measures.** Of a vector x, standardised by the reference's mean and standard deviation of each
//! coordinate, D features z_j = (1 + cos(w_j·x + b_j)) / 2 with w_j normal and b_j uniform (Rahimi and Recht,
//! "Random features for large-scale kernel machines", 2007). Two sets of vectors differ in distribution when
//! the means of their features do: |Δ mean|² approximates the maximum mean discrepancy under the Gaussian kernel
//! whose bandwidth is the reference's median distance (Gretton et al., "A kernel two-sample test", 2012). It sees
//! what no coordinate shows alone: broken correlations, clusters that come or go.
//!
//! **State.** The sum of each feature in whole units of 2^-23, and how many vectors there were: summaries add up
//! and are taken away exactly, and are the same on every machine.
//!
//! **Error.** A feature is rounded to 2^-23, its cosine is right to 2^-20, and its phase is in single precision:
//! all far below the noise of any number of vectors. The approximation of the kernel by D features is about
//! 1/√D; the comparison is nevertheless exact, for both sides use the same features.
//!
//! **Limits.** A coordinate counts as at most 16 standard deviations from its mean. A coordinate that is constant
//! in the reference is not scaled. A vector with a coordinate that is missing or no finite number is missing as a
//! whole. A shift of a single coordinate among many is seen later than by that column itself.

mod fourier;
mod reference;

use fourier::{Fourier, UNIT_BITS};
pub(crate) use fourier::{GENERATOR, LANES, Random};

use crate::column::{Combine, ShapeMismatch};

/// Coordinates of a vector at most.
pub(crate) const DIMENSION_MAX: usize = 4_096;
/// Features of a vector at most.
pub(crate) const FEATURES_MAX: usize = 1_024;
/// Vectors in a summary at most, so that no sum of features leaves 63 bits.
pub(crate) const VECTORS_MAX: u64 = 1 << 40;
/// A standardised coordinate is at most so large.
const COORDINATE_MAX: f64 = 16.0;
/// Vectors that are turned into features at a time.
const TILE: usize = 64;

/// How to summarise a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddingOptions {
    /// How many random features, a multiple of 16 from 16 to 1,024. The cost of a vector is about
    /// coordinates × features multiplications.
    pub features: usize,
    /// From which number the features are drawn. Summaries of different seeds cannot be compared.
    pub seed: u64,
}

impl Default for EmbeddingOptions {
    fn default() -> Self {
        Self {
            features: 64,
            seed: 0,
        }
    }
}

/// How the reference's features vary: traces of powers of the covariance Σ of the vectors √(8/D) · z, whose
/// squared distance of means is the maximum mean discrepancy. They give its distribution without drift.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FeatureCovariance {
    /// tr Σ.
    pub trace: f64,
    /// tr Σ².
    pub trace_of_square: f64,
    /// tr Σ³.
    pub trace_of_cube: f64,
}

/// How a vector is turned into features, and what the reference's amount to.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingProfile {
    pub(crate) coordinates: Vec<String>,
    /// Where the coordinates stand among the numbers of a row.
    pub(crate) slots: Vec<usize>,
    pub(crate) centres: Vec<f64>,
    pub(crate) scales: Vec<f64>,
    pub(crate) bandwidth: f64,
    pub(crate) seed: u64,
    fourier: Fourier,
    pub(crate) covariance: FeatureCovariance,
    pub(crate) reference: EmbeddingSummary,
}

impl EmbeddingProfile {
    /// A profile without its reference's features. All slices have one entry for each coordinate, and
    /// `features` is a multiple of [`LANES`].
    pub(crate) fn assemble(
        coordinates: Vec<String>,
        (centres, scales): (Vec<f64>, Vec<f64>),
        bandwidth: f64,
        features: usize,
        seed: u64,
    ) -> Self {
        let dimension = coordinates.len();
        Self {
            slots: (0..dimension).collect(),
            fourier: Fourier::new(dimension, features, bandwidth, seed),
            coordinates,
            centres,
            scales,
            bandwidth,
            seed,
            covariance: FeatureCovariance::default(),
            reference: EmbeddingSummary::default(),
        }
    }

    /// The names of the coordinates, which are features of the event.
    pub fn coordinates(&self) -> &[String] {
        &self.coordinates
    }

    /// How many features there are.
    pub fn features(&self) -> usize {
        self.fourier.features()
    }

    /// The bandwidth of the kernel, in standard deviations of a coordinate.
    pub fn bandwidth(&self) -> f64 {
        self.bandwidth
    }

    /// The seed of the features.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How the reference's features vary.
    pub fn covariance(&self) -> FeatureCovariance {
        self.covariance
    }

    /// The reference's own summary.
    pub fn reference(&self) -> &EmbeddingSummary {
        &self.reference
    }

    /// A summary of nothing, in the shape of this profile.
    pub fn empty_summary(&self) -> EmbeddingSummary {
        EmbeddingSummary {
            sums: vec![0; self.features()],
            ..EmbeddingSummary::default()
        }
    }

    /// Counts rows. Each is the numbers of an event as [`ReferenceProfile`](crate::ReferenceProfile) orders
    /// them: those of its numeric columns, then its further coordinates. `scratch` is any vector; keep it
    /// to save allocations. The order of the rows makes no difference to the summary.
    ///
    /// A summary with too few features, such as the default one, is first widened to this profile's.
    pub fn add_rows<'a>(
        &self,
        rows: impl IntoIterator<Item = &'a [f64]>,
        scratch: &mut Vec<f32>,
        into: &mut EmbeddingSummary,
    ) {
        if into.sums.len() < self.features() {
            into.sums.resize(self.features(), 0);
        }
        scratch.clear();
        for row in rows {
            let before = scratch.len();
            if self.standardise(row, scratch) {
                into.valid += 1;
            } else {
                scratch.truncate(before);
                into.missing += 1;
            }
            if scratch.len() >= TILE * self.coordinates.len() {
                self.fourier.add(scratch, &mut into.sums);
                scratch.clear();
            }
        }
        self.fourier.add(scratch, &mut into.sums);
    }

    /// Appends the standardised coordinates; false if one is no finite number.
    #[inline]
    fn standardise(&self, row: &[f64], into: &mut Vec<f32>) -> bool {
        let mut valid = true;
        let places = self.slots.iter().zip(&self.centres).zip(&self.scales);
        into.extend(places.map(|((slot, centre), scale)| {
            let value = row.get(*slot).copied().unwrap_or(f64::NAN);
            valid &= value.is_finite();
            let place = (value - centre) / scale;
            place.clamp(-COORDINATE_MAX, COORDINATE_MAX) as f32
        }));
        valid
    }
}

/// What a column of vectors amounts to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbeddingSummary {
    /// The sum of each feature over all valid vectors, in units of 2^-23.
    pub sums: Vec<u64>,
    /// Vectors with all their coordinates.
    pub valid: u64,
    /// Vectors with a coordinate that was missing or no finite number.
    pub missing: u64,
}

impl EmbeddingSummary {
    /// The sum of each feature over all valid vectors: fractional hits, of which every vector brings at least 0
    /// and at most 1, so [`EmbeddingSummary::valid`] is the number of trials. Exact below 2^53.
    pub fn hits(&self) -> impl Iterator<Item = f64> + '_ {
        let unit = 1.0 / (1_u64 << UNIT_BITS) as f64;
        self.sums.iter().map(move |sum| *sum as f64 * unit)
    }

    /// How many rows this is a summary of.
    pub fn rows(&self) -> u64 {
        self.valid.saturating_add(self.missing)
    }

    /// Whether vectors with these sums can exist.
    pub(crate) fn is_possible(&self) -> bool {
        self.valid <= VECTORS_MAX
            && self.missing <= VECTORS_MAX
            && self.sums.iter().all(|sum| *sum <= self.valid << UNIT_BITS)
    }

    /// `self` and `other` combined by exact addition or subtraction; `self` is unchanged on error.
    pub(crate) fn combine(&mut self, other: &Self, by: Combine) -> Result<(), ShapeMismatch> {
        by.check(&self.sums, &other.sums)?;
        let result = Self {
            sums: self.sums.clone(),
            valid: by.count(self.valid, other.valid)?,
            missing: by.count(self.missing, other.missing)?,
        };
        if result.valid > VECTORS_MAX || result.missing > VECTORS_MAX {
            return Err(ShapeMismatch::OutOfRange);
        }
        let mut result = result;
        by.counts(&mut result.sums, &other.sums);
        if !result.is_possible() {
            return Err(ShapeMismatch::OutOfRange);
        }
        *self = result;
        Ok(())
    }
}
