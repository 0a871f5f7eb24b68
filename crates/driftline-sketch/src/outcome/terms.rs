//! What one prediction and its label add to a summary.

use super::scored::{Scored, Truth};
use super::{ClassScore, OutcomeProfile, RANKS, TOP_CLASSES};
use crate::column::ShapeMismatch;
use crate::moments::ROUNDER;

/// Fractional bits of a log loss and of a Brier score.
pub(crate) const LOSS_BITS: u32 = 24;
/// Fractional bits of relative and logarithmic errors.
pub(crate) const RATIO_BITS: u32 = 20;
/// Relative and squared logarithmic errors count as at most this.
const RATIO_MAX: f64 = 1_048_576.0;
/// Probabilities are at least this and at most one less this in a log loss: the machine epsilon, as in scikit-learn.
const PROBABILITY_MIN: f64 = f64::EPSILON;
/// Binary digits by which squared errors are shortened before they are squared again.
pub(crate) const FOURTH_SHIFT: u32 = 30;

/// The sums of two classes.
pub(crate) mod binary {
    pub(crate) const PROBABILITIES: usize = 0;
    pub(crate) const LOG_LOSS: usize = 1;
    pub(crate) const BRIER: usize = 3;
    pub(crate) const COUNT: usize = 5;
}

/// The cells before the confusion matrix, and the sums, of several classes.
pub(crate) mod multiclass {
    /// Ranks 1 to 5, below that, and without probabilities.
    pub(crate) const RANK_CELLS: usize = super::TOP_CLASSES + 2;
    pub(crate) const PROBABILITIES: usize = 0;
    pub(crate) const LOG_LOSS: usize = 1;
    pub(crate) const COUNT: usize = 3;
}

/// The sums of a regression.
pub(crate) mod regression {
    pub(crate) const POSITIVE: usize = 0;
    pub(crate) const NEGATIVE: usize = 1;
    pub(crate) const POSITIVE_SQUARES: usize = 2;
    pub(crate) const NEGATIVE_SQUARES: usize = 3;
    pub(crate) const FOURTH: usize = 4;
    pub(crate) const CLAMPED: usize = 5;
    pub(crate) const RELATIVE_COUNT: usize = 6;
    pub(crate) const RELATIVE: usize = 7;
    pub(crate) const LOG_COUNT: usize = 9;
    pub(crate) const LOG: usize = 10;
    pub(crate) const LABEL: usize = 12;
    pub(crate) const LABEL_SQUARES: usize = 13;
    pub(crate) const COUNT: usize = 14;
}

/// The sums of any task at most.
const SUMS_MAX: usize = regression::COUNT;
/// The cells that one outcome counts in at most.
const CELLS_MAX: usize = 3;

/// How the counts of a summary are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// By bin, truth and decision.
    Binary { bins: usize },
    /// Ranks, then the confusion matrix of all classes and those that the reference does not know.
    Multiclass { classes: usize },
    /// Bins of |error|, error and label; |error| is large from this bin on.
    Regression { bins: [usize; 3], large: usize },
    /// Ranks 1 to 10 and below.
    Ranking,
}

impl Shape {
    /// Cells that lie side by side, every judged outcome counting in one of them; 0 for none.
    pub(crate) fn groups(self) -> [usize; CELLS_MAX] {
        match self {
            Self::Binary { bins } => [4 * bins, 0, 0],
            Self::Multiclass { classes } => {
                [multiclass::RANK_CELLS, (classes + 1) * (classes + 1), 0]
            }
            Self::Regression { bins, .. } => bins,
            Self::Ranking => [RANKS + 1, 0, 0],
        }
    }

    pub(crate) fn cells(self) -> usize {
        self.groups().iter().sum()
    }

    pub(crate) fn sums(self) -> usize {
        match self {
            Self::Binary { .. } => binary::COUNT,
            Self::Multiclass { .. } => multiclass::COUNT,
            Self::Regression { .. } => regression::COUNT,
            Self::Ranking => 0,
        }
    }

    /// The largest size of one term of each sum.
    pub(crate) fn term_max(self, sum: usize) -> u128 {
        // 2^29.2 and its square.
        const LOSS: [u128; 2] = [1 << 30, 1 << 60];
        const RATIO: [u128; 2] = [1 << (2 * RATIO_BITS), 1 << (4 * RATIO_BITS)];
        match (self, sum) {
            (Self::Binary { .. } | Self::Multiclass { .. }, 0) => 1,
            (Self::Binary { .. } | Self::Multiclass { .. }, odd) => LOSS[1 - odd % 2],
            (Self::Regression { .. }, sum) => match sum {
                regression::CLAMPED | regression::RELATIVE_COUNT | regression::LOG_COUNT => 1,
                regression::POSITIVE | regression::NEGATIVE | regression::LABEL => 1 << 31,
                regression::FOURTH => 1 << (124 - 2 * FOURTH_SHIFT),
                regression::RELATIVE | regression::LOG => RATIO[0],
                n if n == regression::RELATIVE + 1 || n == regression::LOG + 1 => RATIO[1],
                _ => 1 << 62,
            },
            (Self::Ranking, _) => 0,
        }
    }
}

/// One outcome's part of a summary. Filled in place: it is too large to be handed from function to function.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) cells: [usize; CELLS_MAX],
    /// How many of the cells count.
    pub(crate) used: usize,
    pub(crate) sums: [i128; SUMS_MAX],
}

impl Terms {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            cells: [0; CELLS_MAX],
            used: 0,
            sums: [0; SUMS_MAX],
        }
    }

    #[inline]
    fn count<const N: usize>(&mut self, cells: [usize; N]) {
        self.used = N;
        for (to, from) in self.cells.iter_mut().zip(cells) {
            *to = from;
        }
    }

    /// A term and its square.
    #[inline]
    fn put_squares(&mut self, sum: usize, term: i64) {
        let term = i128::from(term);
        self.sums[sum] = term;
        self.sums[sum + 1] = term * term;
    }

    /// Fills empty terms. `false` if the label cannot be judged: it is of a class that a model of two classes does not
    /// know.
    #[inline]
    pub(crate) fn fill(
        &mut self,
        profile: &OutcomeProfile,
        scored: &Scored,
        truth: Truth,
    ) -> Result<bool, ShapeMismatch> {
        match (profile.shape, scored, truth) {
            (Shape::Binary { .. }, Scored::Binary { score, positive }, Truth::Class(class)) => {
                let bin = profile.scores.bin(*score);
                if class < 2 {
                    self.fill_binary(bin, *score, *positive, class == 1);
                }
                Ok(class < 2)
            }
            (
                Shape::Multiclass { classes },
                Scored::Multiclass { decided, top },
                Truth::Class(class),
            ) => {
                let known = |class: u16| usize::from(class).min(classes);
                self.fill_multiclass(classes, known(*decided), known(class), top);
                Ok(true)
            }
            (
                Shape::Regression { bins, .. },
                Scored::Regression { value },
                Truth::Number(label),
            ) => {
                if label.is_finite() {
                    self.fill_regression(profile, bins, *value, label);
                }
                Ok(label.is_finite())
            }
            (Shape::Ranking, Scored::Ranking { items }, Truth::Item(wanted)) => {
                let rank = items.iter().position(|item| *item == wanted && wanted != 0);
                self.count([rank.unwrap_or(RANKS)]);
                Ok(true)
            }
            _ => Err(ShapeMismatch::Kind),
        }
    }

    #[inline]
    fn fill_binary(&mut self, bin: usize, score: f64, decided: bool, positive: bool) {
        self.count([bin * 4 + usize::from(positive) * 2 + usize::from(decided)]);
        if !(0.0..=1.0).contains(&score) {
            return;
        }
        let likelihood = if positive { score } else { 1.0 - score };
        let miss = 1.0 - likelihood;
        self.sums[binary::PROBABILITIES] = 1;
        self.put_squares(binary::LOG_LOSS, log_loss(likelihood));
        self.put_squares(binary::BRIER, fixed(miss * miss, LOSS_BITS));
    }

    fn fill_multiclass(
        &mut self,
        classes: usize,
        decided: usize,
        truth: usize,
        top: &[ClassScore; TOP_CLASSES],
    ) {
        let confusion = multiclass::RANK_CELLS + truth * (classes + 1) + decided;
        let scored = top.iter().filter(|best| !best.is_none()).count();
        if scored == 0 {
            return self.count([multiclass::RANK_CELLS - 1, confusion]);
        }
        let is_truth = |best: &ClassScore| !best.is_none() && usize::from(best.class) == truth;
        let rank = top.iter().position(is_truth);
        self.count([rank.unwrap_or(TOP_CLASSES), confusion]);
        if truth == classes {
            // No probability was given for a class that is not known.
            return;
        }
        let likelihood = match rank {
            Some(rank) => f64::from(top[rank].probability),
            None => {
                let held: f64 = top.iter().map(|best| f64::from(best.probability)).sum();
                (1.0 - held).max(0.0) / classes.saturating_sub(scored).max(1) as f64
            }
        };
        self.sums[multiclass::PROBABILITIES] = 1;
        self.put_squares(multiclass::LOG_LOSS, log_loss(likelihood));
    }

    fn fill_regression(
        &mut self,
        profile: &OutcomeProfile,
        bins: [usize; 3],
        value: f64,
        label: f64,
    ) {
        // Two finite numbers may be further apart than any is large.
        let error = (value - label).clamp(f64::MIN, f64::MAX);
        self.count([
            profile.absolute_errors.bin(error.abs()),
            bins[0] + profile.errors.bin(error),
            bins[0] + bins[1] + profile.labels.bin(label),
        ]);
        let place = profile.error_grid.sums(&[error]);
        let square = place.squares as i128;
        let short = (square + (1 << (FOURTH_SHIFT - 1))) >> FOURTH_SHIFT;
        let (of_size, of_square) = if place.sum < 0 {
            (regression::NEGATIVE, regression::NEGATIVE_SQUARES)
        } else {
            (regression::POSITIVE, regression::POSITIVE_SQUARES)
        };
        let label_place = profile.label_grid.sums(&[label]);
        self.sums[of_size] = i128::from(place.sum.abs());
        self.sums[of_square] = square;
        self.sums[regression::FOURTH] = short * short;
        self.sums[regression::CLAMPED] = i128::from(place.clamped | label_place.clamped);
        self.sums[regression::LABEL] = i128::from(label_place.sum);
        self.sums[regression::LABEL_SQUARES] = label_place.squares as i128;
        if label != 0.0 {
            let ratio = (error / label).abs().min(RATIO_MAX);
            self.sums[regression::RELATIVE_COUNT] = 1;
            self.put_squares(regression::RELATIVE, fixed(ratio, RATIO_BITS));
        }
        if value > -1.0 && label > -1.0 {
            let difference = libm::log1p(value) - libm::log1p(label);
            let square = (difference * difference).min(RATIO_MAX);
            self.sums[regression::LOG_COUNT] = 1;
            self.put_squares(regression::LOG, fixed(square, RATIO_BITS));
        }
    }
}

/// The nearest integer of 2^-`bits`; below 2^51 of them.
#[inline]
fn fixed(value: f64, bits: u32) -> i64 {
    let steps = value * (1_u64 << bits) as f64;
    (steps + ROUNDER).to_bits().wrapping_sub(ROUNDER.to_bits()) as i64
}

#[inline]
fn log_loss(likelihood: f64) -> i64 {
    let likelihood = likelihood.clamp(PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
    fixed(-libm::log(likelihood), LOSS_BITS)
}
