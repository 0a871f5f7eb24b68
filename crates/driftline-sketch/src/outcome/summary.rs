//! Predictions with their labels, counted.

use super::cells::Cells;
use super::delay::DelayHistogram;
use super::scored::{Scored, Truth};
use super::terms::{Shape, Terms, multiclass, regression};
use super::{OutcomeProfile, RANKS};
use crate::codec::DecodeError;
use crate::column::{Combine, ShapeMismatch};

/// Fractional bits of a weight.
const WEIGHT_BITS: u32 = 16;
/// A weight of one.
pub(crate) const WEIGHT_ONE: u64 = 1 << WEIGHT_BITS;
/// Weights count as at most this.
const WEIGHT_MAX: f64 = 65_536.0;

/// What the labelled predictions of some window, segment and range of delays amount to. See the
/// views ([`OutcomeSummary::binary`] and so on) for what it holds.
///
/// Summaries of one profile add up and are taken away exactly; equal counts have equal bytes. A summary of two
/// classes takes about 4 KiB of memory whatever it holds and some hundred bytes when encoded: keep many encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeSummary {
    pub(crate) shape: Shape,
    pub(crate) labelled: u64,
    /// Labels of a class that a model of two classes does not know.
    pub(crate) unknown: u64,
    pub(crate) delays: DelayHistogram,
    pub(crate) cells: Cells<u64>,
    pub(crate) sums: Vec<i128>,
    /// Only if some weight is not one.
    pub(crate) weighted: Option<Box<Weighted>>,
}

/// The same counts and sums, each outcome times its weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Weighted {
    pub(crate) weights: u128,
    pub(crate) squares: u128,
    pub(crate) cells: Cells<u128>,
    pub(crate) sums: Vec<i128>,
}

/// A weight on its grid. What is no number counts as one.
fn weight_of(weight: f64) -> u64 {
    if weight.is_nan() {
        return WEIGHT_ONE;
    }
    (weight.clamp(0.0, WEIGHT_MAX) * WEIGHT_ONE as f64).round_ties_even() as u64
}

impl OutcomeSummary {
    /// Of nothing.
    pub fn empty(profile: &OutcomeProfile) -> Self {
        Self::with_shape(profile.shape)
    }

    pub(crate) fn with_shape(shape: Shape) -> Self {
        Self {
            shape,
            labelled: 0,
            unknown: 0,
            delays: DelayHistogram::default(),
            cells: Cells::empty(shape.cells()),
            sums: vec![0; shape.sums()],
            weighted: None,
        }
    }

    /// Counts a prediction and its label, which came `delay_micros` later where that is known.
    ///
    /// A `weight` counts in units of 2^-16 and as at most 65,536; a negative one as 0, one that is no number as 1.
    ///
    /// # Errors
    /// When the prediction or the label is of another task than the profile; nothing is counted then.
    pub fn add(
        &mut self,
        profile: &OutcomeProfile,
        scored: &Scored,
        truth: Truth,
        weight: f64,
        delay_micros: Option<i64>,
    ) -> Result<(), ShapeMismatch> {
        if self.shape != profile.shape {
            return Err(ShapeMismatch::Kind);
        }
        let mut terms = Terms::new();
        let is_judged = terms.fill(profile, scored, truth)?;
        if let Some(micros) = delay_micros {
            self.delays.add(micros);
        }
        let weight = weight_of(weight);
        if weight != WEIGHT_ONE && self.weighted.is_none() {
            self.weighted = Some(Box::new(self.as_weighted()));
        }
        self.labelled += 1;
        if let Some(weighted) = &mut self.weighted {
            let weight = u128::from(weight);
            weighted.weights = weighted.weights.saturating_add(weight);
            weighted.squares = weighted.squares.saturating_add(weight * weight);
        }
        if !is_judged {
            self.unknown += 1;
            return Ok(());
        }
        let cells = &terms.cells[..terms.used];
        cells.iter().for_each(|cell| self.cells.add(*cell, 1));
        for (sum, term) in self.sums.iter_mut().zip(&terms.sums) {
            *sum = sum.saturating_add(*term);
        }
        if let Some(weighted) = &mut self.weighted {
            for cell in cells {
                weighted.cells.add(*cell, u128::from(weight));
            }
            for (sum, term) in weighted.sums.iter_mut().zip(&terms.sums) {
                *sum = sum.saturating_add(term.saturating_mul(i128::from(weight)));
            }
        }
        Ok(())
    }

    /// The unit counts as sums of weights of one.
    fn as_weighted(&self) -> Weighted {
        let one = u128::from(WEIGHT_ONE);
        let labelled = u128::from(self.labelled);
        let scale = |sum: &i128| sum.saturating_mul(i128::from(WEIGHT_ONE));
        Weighted {
            weights: labelled * one,
            squares: labelled * one * one,
            cells: self.cells.scaled(one),
            sums: self.sums.iter().map(scale).collect(),
        }
    }

    /// Whether these sums of weights are of weights of one only. As Σ(w − 1)² = Σw² − 2Σw + n, two sums tell.
    pub(crate) fn are_ones(labelled: u64, weights: u128, squares: u128) -> bool {
        let (n, one) = (u128::from(labelled), u128::from(WEIGHT_ONE));
        weights == n * one && squares == n * one * one
    }

    /// Adds all that `other` counted.
    ///
    /// # Errors
    /// When the two are not of the same profile, as far as that can be seen, or a count would overflow; `self` is
    /// then unchanged.
    pub fn merge(&mut self, other: &Self) -> Result<(), ShapeMismatch> {
        self.combine(other, Combine::Add)
    }

    /// Takes away all that `other` counted: the exact inverse of [`OutcomeSummary::merge`].
    ///
    /// # Errors
    /// When the two are not of the same profile, as far as that can be seen, or `other` is not a part of `self`;
    /// `self` is then unchanged.
    pub fn subtract(&mut self, other: &Self) -> Result<(), ShapeMismatch> {
        self.combine(other, Combine::Subtract)
    }

    fn combine(&mut self, other: &Self, by: Combine) -> Result<(), ShapeMismatch> {
        if self.shape != other.shape {
            return Err(ShapeMismatch::Kind);
        }
        let labelled = by.count(self.labelled, other.labelled)?;
        let unknown = by.count(self.unknown, other.unknown)?;
        by.check(&self.delays.counts, &other.delays.counts)?;
        self.cells.check(&other.cells, by)?;
        let sums = combined_sums(&self.sums, &other.sums, by)?;
        let weighted = match (&self.weighted, &other.weighted) {
            (None, None) => None,
            (Some(left), Some(right)) => Some(left.combined(right, by)?),
            (Some(left), None) => Some(left.combined(&other.as_weighted(), by)?),
            (None, Some(right)) => Some(self.as_weighted().combined(right, by)?),
        };
        by.counts(&mut self.delays.counts, &other.delays.counts);
        self.cells.combine(&other.cells, by);
        (self.labelled, self.unknown, self.sums) = (labelled, unknown, sums);
        self.weighted = weighted
            .filter(|w| !Self::are_ones(labelled, w.weights, w.squares))
            .map(Box::new);
        Ok(())
    }

    /// Outcomes: predictions with a label.
    pub fn labelled(&self) -> u64 {
        self.labelled
    }

    /// Outcomes that cannot be judged: labels of a class that a model of two classes does not know. Of several
    /// classes, such labels count as errors instead.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Outcomes that every count is out of: labelled − unknown.
    pub fn judged(&self) -> u64 {
        self.labelled.saturating_sub(self.unknown)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.labelled == 0
    }

    /// Wrong predictions: decided for another class; an |error| in the top tenth of the reference's; the wanted item
    /// not among the first ten.
    pub fn errors(&self) -> u64 {
        let filled = self.cells.filled();
        let wrong: u64 = match self.shape {
            Shape::Binary { .. } => filled
                .filter(|(cell, _)| matches!(cell % 4, 1 | 2))
                .map(|(_, count)| count)
                .sum(),
            Shape::Multiclass { classes } => filled
                .filter_map(|(cell, count)| {
                    Some((cell.checked_sub(multiclass::RANK_CELLS)?, count))
                })
                .filter(|(cell, _)| {
                    let (truth, decided) = (cell / (classes + 1), cell % (classes + 1));
                    truth != decided || truth == classes
                })
                .map(|(_, count)| count)
                .sum(),
            Shape::Regression { bins, large } => filled
                .filter(|(cell, _)| (large..bins[0]).contains(cell))
                .map(|(_, count)| count)
                .sum(),
            Shape::Ranking => self.cells.at(RANKS),
        };
        wrong
    }

    /// How long the labels took, of those whose delay is known.
    pub fn delays(&self) -> &DelayHistogram {
        &self.delays
    }

    /// Whether some weight is not one.
    pub fn is_weighted(&self) -> bool {
        self.weighted.is_some()
    }

    /// The sum of all weights; the number of outcomes where all are one.
    pub fn weight(&self) -> f64 {
        match &self.weighted {
            Some(weighted) => weighted.weights as f64 / WEIGHT_ONE as f64,
            None => self.labelled as f64,
        }
    }

    /// (Σw)² / Σw²: how many outcomes of equal weight say as much (Kish).
    pub fn effective_n(&self) -> f64 {
        match &self.weighted {
            Some(weighted) if weighted.squares > 0 => {
                let weights = weighted.weights as f64;
                weights * weights / weighted.squares as f64
            }
            Some(_) => 0.0,
            None => self.labelled as f64,
        }
    }

    /// Appends the canonical bytes: equal summaries of a profile give equal bytes, and only they do.
    pub fn encode(&self, out: &mut Vec<u8>) {
        super::codec::encode(self, out);
    }

    /// Takes a summary of this profile from the front of `input`.
    ///
    /// # Errors
    /// When the bytes are not exactly what [`OutcomeSummary::encode`] writes for a summary of this profile. `input`
    /// is then left somewhere inside the summary.
    pub fn decode(input: &mut &[u8], profile: &OutcomeProfile) -> Result<Self, DecodeError> {
        super::codec::decode(input, profile.shape)
    }

    /// The weight in a cell; its count where all weights are one.
    pub(crate) fn weight_at(&self, cell: usize) -> f64 {
        match &self.weighted {
            Some(weighted) => weighted.cells.at(cell) as f64 / WEIGHT_ONE as f64,
            None => self.cells.at(cell) as f64,
        }
    }

    /// A sum, weighted if the outcomes are.
    pub(crate) fn sum_at(&self, sum: usize) -> f64 {
        let at = |sums: &[i128]| sums.get(sum).copied().unwrap_or(0) as f64;
        match &self.weighted {
            Some(weighted) => at(&weighted.sums) / WEIGHT_ONE as f64,
            None => at(&self.sums),
        }
    }

    /// A sum that is a count of outcomes.
    pub(crate) fn count_at(&self, sum: usize) -> u64 {
        let count = self.sums.get(sum).copied().unwrap_or(0);
        u64::try_from(count).unwrap_or(0)
    }

    /// How many errors or labels were too far away to count in full.
    pub(crate) fn clamped(&self) -> u64 {
        self.count_at(regression::CLAMPED)
    }
}

impl Weighted {
    fn combined(&self, other: &Self, by: Combine) -> Result<Self, ShapeMismatch> {
        let weight = |a: u128, b: u128| {
            let result = match by {
                Combine::Add => a.checked_add(b),
                Combine::Subtract => a.checked_sub(b),
            };
            result.ok_or(ShapeMismatch::OutOfRange)
        };
        self.cells.check(&other.cells, by)?;
        let mut cells = self.cells.clone();
        cells.combine(&other.cells, by);
        Ok(Self {
            weights: weight(self.weights, other.weights)?,
            squares: weight(self.squares, other.squares)?,
            cells,
            sums: combined_sums(&self.sums, &other.sums, by)?,
        })
    }
}

fn combined_sums(a: &[i128], b: &[i128], by: Combine) -> Result<Vec<i128>, ShapeMismatch> {
    a.iter().zip(b).map(|(a, b)| by.sum(*a, *b)).collect()
}
