//! What a summary of outcomes holds, by task.

use super::summary::OutcomeSummary;
use super::terms::{FOURTH_SHIFT, LOSS_BITS, RATIO_BITS, Shape, binary, multiclass, regression};
use super::{OutcomeProfile, RANKS, TOP_CLASSES};

/// The mean and variance of a loss.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossMoments {
    /// Outcomes that have this loss.
    pub n: u64,
    /// The sum of their weights; n where all are one.
    pub weight: f64,
    /// The weighted mean.
    pub mean: f64,
    /// The weighted population variance; the error of the mean is about √(variance / effective n).
    pub variance: f64,
}

impl LossMoments {
    /// From Σw, Σwx and Σwx²; none where nothing weighs.
    fn new(n: u64, weight: f64, sum: f64, squares: f64) -> Option<Self> {
        if n == 0 || weight <= 0.0 {
            return None;
        }
        let mean = sum / weight;
        Some(Self {
            n,
            weight,
            mean,
            variance: (squares / weight - mean * mean).max(0.0),
        })
    }

    /// The variance of the sample (n − 1).
    pub fn sample_variance(&self) -> f64 {
        match self.n {
            0 | 1 => 0.0,
            n => self.variance * (n as f64 / (n - 1) as f64),
        }
    }

    fn scaled(self, by: f64) -> Self {
        Self {
            mean: self.mean * by,
            variance: self.variance * by * by,
            ..self
        }
    }
}

/// 2^-bits.
fn unit(bits: u32) -> f64 {
    1.0 / (1_u64 << bits) as f64
}

impl OutcomeSummary {
    /// The view of two classes, if these are.
    pub fn binary(&self) -> Option<BinaryOutcomes<'_>> {
        let Shape::Binary { bins } = self.shape else {
            return None;
        };
        Some(BinaryOutcomes {
            summary: self,
            bins,
        })
    }

    /// The view of several classes, if these are.
    pub fn multiclass(&self) -> Option<MulticlassOutcomes<'_>> {
        let Shape::Multiclass { classes } = self.shape else {
            return None;
        };
        Some(MulticlassOutcomes {
            summary: self,
            classes,
        })
    }

    /// The view of numbers, if these are. `profile` is that of the summary.
    pub fn regression<'a>(&'a self, profile: &'a OutcomeProfile) -> Option<RegressionOutcomes<'a>> {
        let Shape::Regression { bins, .. } = self.shape else {
            return None;
        };
        Some(RegressionOutcomes {
            summary: self,
            profile,
            bins,
        })
    }

    /// The view of rankings, if these are.
    pub fn ranking(&self) -> Option<RankingOutcomes<'_>> {
        matches!(self.shape, Shape::Ranking).then_some(RankingOutcomes { summary: self })
    }

    /// A loss whose count, sum and sum of squares stand at these places.
    fn loss(&self, count: usize, sum: usize, bits: u32) -> Option<LossMoments> {
        let moments = LossMoments::new(
            self.count_at(count),
            self.sum_at(count),
            self.sum_at(sum),
            self.sum_at(sum + 1),
        );
        moments.map(|m| m.scaled(unit(bits)))
    }

    /// The sum of the weights of those that are judged.
    fn judged_weight(&self, first_group: usize) -> f64 {
        match self.is_weighted() {
            true => (0..first_group).map(|cell| self.weight_at(cell)).sum(),
            false => self.judged() as f64,
        }
    }
}

/// Outcomes of two classes.
#[derive(Clone, Copy, Debug)]
pub struct BinaryOutcomes<'a> {
    summary: &'a OutcomeSummary,
    bins: usize,
}

impl BinaryOutcomes<'_> {
    /// Bins of the score, in ascending order.
    pub fn bins(&self) -> usize {
        self.bins
    }

    fn cell(&self, bin: usize, positive: bool, decided: bool) -> usize {
        if bin >= self.bins {
            return usize::MAX;
        }
        bin * 4 + usize::from(positive) * 2 + usize::from(decided)
    }

    /// Outcomes of a bin with this truth and this decision.
    pub fn count(&self, bin: usize, positive: bool, decided: bool) -> u64 {
        self.summary.cells.at(self.cell(bin, positive, decided))
    }

    /// The sum of their weights; their number where all weights are one.
    pub fn weight(&self, bin: usize, positive: bool, decided: bool) -> f64 {
        self.summary.weight_at(self.cell(bin, positive, decided))
    }

    /// The confusion matrix, `[truth][decision]`, 0 for negative and 1 for positive.
    pub fn confusion_counts(&self) -> [[u64; 2]; 2] {
        let mut matrix = [[0; 2]; 2];
        for (cell, count) in self.summary.cells.filled() {
            matrix[cell / 2 % 2][cell % 2] += count;
        }
        matrix
    }

    /// The weighted confusion matrix, as [`BinaryOutcomes::confusion_counts`].
    pub fn confusion(&self) -> [[f64; 2]; 2] {
        let mut matrix = [[0.0; 2]; 2];
        for (cell, _) in self.summary.cells.filled() {
            matrix[cell / 2 % 2][cell % 2] += self.summary.weight_at(cell);
        }
        matrix
    }

    /// The negative log likelihood, natural logarithm, of scores within [0, 1].
    pub fn log_loss(&self) -> Option<LossMoments> {
        self.summary
            .loss(binary::PROBABILITIES, binary::LOG_LOSS, LOSS_BITS)
    }

    /// The squared distance from 0 or 1 of scores within [0, 1].
    pub fn brier(&self) -> Option<LossMoments> {
        self.summary
            .loss(binary::PROBABILITIES, binary::BRIER, LOSS_BITS)
    }
}

/// Outcomes of several classes.
#[derive(Clone, Copy, Debug)]
pub struct MulticlassOutcomes<'a> {
    summary: &'a OutcomeSummary,
    classes: usize,
}

impl MulticlassOutcomes<'_> {
    /// Classes of the reference; those it does not know are one more, the last.
    pub fn classes(&self) -> usize {
        self.classes
    }

    fn cell(&self, truth: usize, decided: usize) -> usize {
        if truth > self.classes || decided > self.classes {
            return usize::MAX;
        }
        multiclass::RANK_CELLS + truth * (self.classes + 1) + decided
    }

    /// Outcomes with this truth and this decision, each 0 to [`MulticlassOutcomes::classes`].
    pub fn count(&self, truth: usize, decided: usize) -> u64 {
        self.summary.cells.at(self.cell(truth, decided))
    }

    /// The sum of their weights; their number where all weights are one.
    pub fn weight(&self, truth: usize, decided: usize) -> f64 {
        self.summary.weight_at(self.cell(truth, decided))
    }

    /// The cells of the confusion matrix that are not empty: truth, decision, count and weight.
    pub fn confusion(&self) -> impl Iterator<Item = (usize, usize, u64, f64)> {
        let side = self.classes + 1;
        let filled = self.summary.cells.filled();
        filled.filter_map(move |(cell, count)| {
            let place = cell.checked_sub(multiclass::RANK_CELLS)?;
            Some((
                place / side,
                place % side,
                count,
                self.summary.weight_at(cell),
            ))
        })
    }

    /// Outcomes whose true class is the `rank`th best scored, 0 for the best, up to 4.
    pub fn rank_count(&self, rank: usize) -> u64 {
        if rank < TOP_CLASSES {
            self.summary.cells.at(rank)
        } else {
            0
        }
    }

    /// The sum of their weights.
    pub fn rank_weight(&self, rank: usize) -> f64 {
        if rank < TOP_CLASSES {
            self.summary.weight_at(rank)
        } else {
            0.0
        }
    }

    /// Outcomes whose prediction has probabilities, whatever the rank: their number and the sum of their weights.
    pub fn ranked(&self) -> (u64, f64) {
        let ranks = 0..=TOP_CLASSES;
        let count = ranks.clone().map(|cell| self.summary.cells.at(cell)).sum();
        (count, ranks.map(|cell| self.summary.weight_at(cell)).sum())
    }

    /// The negative log likelihood of those with probabilities and a class that is known. A class that is not among
    /// the five best has an even share of what they leave.
    pub fn log_loss(&self) -> Option<LossMoments> {
        self.summary
            .loss(multiclass::PROBABILITIES, multiclass::LOG_LOSS, LOSS_BITS)
    }
}

/// Outcomes of a model that predicts numbers. An error is prediction minus label.
#[derive(Clone, Copy, Debug)]
pub struct RegressionOutcomes<'a> {
    summary: &'a OutcomeSummary,
    profile: &'a OutcomeProfile,
    bins: [usize; 3],
}

impl RegressionOutcomes<'_> {
    fn group(&self, group: usize, bin: usize) -> usize {
        if bin >= self.bins[group] {
            return usize::MAX;
        }
        self.bins[..group].iter().sum::<usize>() + bin
    }

    /// Outcomes by bin of |error| ([`OutcomeProfile::absolute_error_bins`]).
    pub fn absolute_error_count(&self, bin: usize) -> u64 {
        self.summary.cells.at(self.group(0, bin))
    }

    /// Outcomes by bin of the error ([`OutcomeProfile::error_bins`]).
    pub fn error_count(&self, bin: usize) -> u64 {
        self.summary.cells.at(self.group(1, bin))
    }

    /// Outcomes by bin of the label ([`OutcomeProfile::label_bins`]).
    pub fn label_count(&self, bin: usize) -> u64 {
        self.summary.cells.at(self.group(2, bin))
    }

    fn weight(&self) -> f64 {
        self.summary.judged_weight(self.bins[0])
    }

    fn moments(&self, sum: f64, squares: f64) -> Option<LossMoments> {
        LossMoments::new(self.summary.judged(), self.weight(), sum, squares)
    }

    /// Sums of positive and of negative errors, and of their squares, in steps of the grid.
    fn sides(&self) -> [f64; 4] {
        let at = |sum| self.summary.sum_at(sum);
        [
            at(regression::POSITIVE),
            at(regression::NEGATIVE),
            at(regression::POSITIVE_SQUARES),
            at(regression::NEGATIVE_SQUARES),
        ]
    }

    /// The error: its mean is the bias.
    pub fn error(&self) -> Option<LossMoments> {
        let [positive, negative, above, below] = self.sides();
        let step = self.profile.error_grid.step();
        let moments = self.moments(positive - negative, above + below);
        moments.map(|m| m.scaled(step))
    }

    /// |error|.
    pub fn absolute_error(&self) -> Option<LossMoments> {
        let [positive, negative, above, below] = self.sides();
        let step = self.profile.error_grid.step();
        let moments = self.moments(positive + negative, above + below);
        moments.map(|m| m.scaled(step))
    }

    /// error².
    pub fn squared_error(&self) -> Option<LossMoments> {
        let [_, _, above, below] = self.sides();
        let short = (1_u64 << FOURTH_SHIFT) as f64;
        let fourth = self.summary.sum_at(regression::FOURTH) * short * short;
        let step = self.profile.error_grid.step();
        let moments = self.moments(above + below, fourth);
        moments.map(|m| m.scaled(step * step))
    }

    /// The pinball loss of a model that predicts the `quantile`, 0 to 1: `quantile` times what a label is above its
    /// prediction, 1 − `quantile` times what it is below.
    pub fn quantile_loss(&self, quantile: f64) -> Option<LossMoments> {
        let [positive, negative, above, below] = self.sides();
        let (over, under) = (1.0 - quantile, quantile);
        let sum = over * positive + under * negative;
        let squares = over * over * above + under * under * below;
        let step = self.profile.error_grid.step();
        self.moments(sum, squares).map(|m| m.scaled(step))
    }

    /// |error / label| of labels that are not zero.
    pub fn relative_error(&self) -> Option<LossMoments> {
        self.summary
            .loss(regression::RELATIVE_COUNT, regression::RELATIVE, RATIO_BITS)
    }

    /// (ln(1 + prediction) − ln(1 + label))² where both are defined.
    pub fn squared_log_error(&self) -> Option<LossMoments> {
        self.summary
            .loss(regression::LOG_COUNT, regression::LOG, RATIO_BITS)
    }

    /// The label.
    pub fn label(&self) -> Option<LossMoments> {
        let grid = &self.profile.label_grid;
        let sum = self.summary.sum_at(regression::LABEL);
        let squares = self.summary.sum_at(regression::LABEL_SQUARES);
        let moments = self.moments(sum, squares)?.scaled(grid.step());
        Some(LossMoments {
            mean: (grid.centre() + moments.mean).clamp(f64::MIN, f64::MAX),
            ..moments
        })
    }

    /// Outcomes whose error or label is more than 2,048 of the reference's spreads away and counts as if it were
    /// just that far.
    pub fn clamped(&self) -> u64 {
        self.summary.clamped()
    }
}

/// Outcomes of rankings.
#[derive(Clone, Copy, Debug)]
pub struct RankingOutcomes<'a> {
    summary: &'a OutcomeSummary,
}

impl RankingOutcomes<'_> {
    /// How many ranks are kept.
    pub const RANKS: usize = RANKS;

    /// Outcomes whose wanted item is at `rank`, 0 for the first.
    pub fn rank_count(&self, rank: usize) -> u64 {
        if rank < RANKS {
            self.summary.cells.at(rank)
        } else {
            0
        }
    }

    /// The sum of their weights.
    pub fn rank_weight(&self, rank: usize) -> f64 {
        if rank < RANKS {
            self.summary.weight_at(rank)
        } else {
            0.0
        }
    }

    /// Outcomes whose wanted item is not among the first ten.
    pub fn misses(&self) -> u64 {
        self.summary.cells.at(RANKS)
    }

    /// The sum of their weights.
    pub fn miss_weight(&self) -> f64 {
        self.summary.weight_at(RANKS)
    }
}
