//! Rows of a model with two classes, drawn with a fixed seed.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::Result;
use driftline_stat::estimate::LabelledRows;

/// Scores with all their digits, predictions at one half, and labels that are less certain than the scores.
pub(crate) struct Rows {
    pub(crate) scores: Vec<f64>,
    pub(crate) predicted: Vec<bool>,
    pub(crate) labels: Vec<bool>,
}

impl Rows {
    /// Scores are uniform numbers to the power of `power`: the higher, the more of them are low.
    pub(crate) fn draw(seed: u64, rows: usize, power: f64) -> Self {
        let mut state = seed;
        let mut unit = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut drawn = Self {
            scores: Vec::new(),
            predicted: Vec::new(),
            labels: Vec::new(),
        };
        for _ in 0..rows {
            let score = libm::pow(unit(), power);
            drawn.scores.push(score);
            drawn.predicted.push(score >= 0.5);
            drawn.labels.push(unit() < 0.1 + 0.8 * score);
        }
        drawn
    }

    pub(crate) fn len(&self) -> usize {
        self.scores.len()
    }

    pub(crate) fn labelled(&self, rows: Range<usize>) -> LabelledRows<'_> {
        LabelledRows {
            scores: &self.scores[rows.clone()],
            predicted: Some(&self.predicted[rows.clone()]),
            labels: &self.labels[rows],
        }
    }

    /// Writes each column as little-endian doubles or bytes.
    pub(crate) fn write(&self, directory: &Path, name: &str) -> Result<()> {
        let scores: Vec<u8> = self.scores.iter().flat_map(|s| s.to_le_bytes()).collect();
        fs::write(directory.join(format!("{name}.score")), scores)?;
        let bytes = |flags: &[bool]| -> Vec<u8> { flags.iter().map(|f| u8::from(*f)).collect() };
        fs::write(
            directory.join(format!("{name}.prediction")),
            bytes(&self.predicted),
        )?;
        fs::write(directory.join(format!("{name}.label")), bytes(&self.labels))?;
        Ok(())
    }
}
