//! From a number to its bin.

/// Finds the bin of a number among ascending upper bounds.
#[derive(Clone, Debug)]
pub(crate) struct Binner {
    upper: Vec<f64>,
}

impl Binner {
    /// `upper` is strictly ascending and ends with +∞.
    pub(crate) fn new(upper: Vec<f64>) -> Self {
        Self { upper }
    }

    pub(crate) fn upper_bounds(&self) -> &[f64] {
        &self.upper
    }

    /// The number of bounds below `value`, which is finite.
    #[inline(always)]
    pub(crate) fn bin(&self, value: f64) -> usize {
        self.upper.partition_point(|bound| *bound < value)
    }
}
