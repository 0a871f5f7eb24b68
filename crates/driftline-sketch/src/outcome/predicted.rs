//! All predictions, with or without a label.

use super::cells::Cells;
use super::scored::Scored;
use super::{ClassScore, OutcomeProfile};
use crate::codec::{DecodeError, take_u64, total, write_varint};
use crate::column::{Combine, ShapeMismatch};

/// How the counts are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PredictedShape {
    /// By bin and decision.
    Binary {
        bins: usize,
    },
    /// By class, bin and whether it was decided for. The last bin is of predictions that do not have the class among
    /// their best; those that do not decide for it either are not counted, for they are what is left.
    Multiclass {
        classes: usize,
        stride: usize,
    },
    /// By bin.
    Regression {
        bins: usize,
    },
    Ranking,
}

impl PredictedShape {
    fn cells(self) -> usize {
        match self {
            Self::Binary { bins } => 2 * bins,
            Self::Multiclass { classes, stride } => 2 * classes * stride,
            Self::Regression { bins } => bins,
            Self::Ranking => 0,
        }
    }
}

/// What all predictions of some window and segment amount to: what estimates without labels are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictedSummary {
    pub(crate) shape: PredictedShape,
    pub(crate) predicted: u64,
    pub(crate) cells: Cells<u64>,
}

impl PredictedSummary {
    /// Of nothing.
    pub fn empty(profile: &OutcomeProfile) -> Self {
        Self::with_shape(profile.predicted_shape)
    }

    pub(crate) fn with_shape(shape: PredictedShape) -> Self {
        Self {
            shape,
            predicted: 0,
            cells: Cells::empty(shape.cells()),
        }
    }

    /// Counts a prediction.
    ///
    /// # Errors
    /// When it is of another task than the profile; nothing is counted then.
    pub fn add(&mut self, profile: &OutcomeProfile, scored: &Scored) -> Result<(), ShapeMismatch> {
        if self.shape != profile.predicted_shape {
            return Err(ShapeMismatch::Kind);
        }
        match (self.shape, scored) {
            (PredictedShape::Binary { .. }, Scored::Binary { score, positive }) => {
                let bin = profile.scores.bin(*score);
                self.cells.add(2 * bin + usize::from(*positive), 1);
            }
            (
                PredictedShape::Multiclass { classes, stride },
                Scored::Multiclass { decided, top },
            ) => {
                self.add_classes(profile, (classes, stride), usize::from(*decided), top);
            }
            (PredictedShape::Regression { .. }, Scored::Regression { value }) => {
                self.cells.add(profile.scores.bin(*value), 1);
            }
            (PredictedShape::Ranking, Scored::Ranking { .. }) => {}
            _ => return Err(ShapeMismatch::Kind),
        }
        self.predicted += 1;
        Ok(())
    }

    fn add_classes(
        &mut self,
        profile: &OutcomeProfile,
        (classes, stride): (usize, usize),
        decided: usize,
        top: &[ClassScore],
    ) {
        let mut is_counted = false;
        for best in top.iter().filter(|best| usize::from(best.class) < classes) {
            let class = usize::from(best.class);
            let Some(bins) = profile.class_bins.get(class) else {
                continue;
            };
            let bin = bins.bin(f64::from(best.probability));
            let is_decided = class == decided;
            is_counted |= is_decided;
            self.cells
                .add(2 * (class * stride + bin) + usize::from(is_decided), 1);
        }
        if !is_counted && decided < classes {
            self.cells.add(2 * (decided * stride + stride - 1) + 1, 1);
        }
    }

    /// Adds all that `other` counted.
    ///
    /// # Errors
    /// When the two are not of the same profile, as far as that can be seen, or a count would overflow; `self` is
    /// then unchanged.
    pub fn merge(&mut self, other: &Self) -> Result<(), ShapeMismatch> {
        self.combine(other, Combine::Add)
    }

    /// Takes away all that `other` counted: the exact inverse of [`PredictedSummary::merge`].
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
        let predicted = by.count(self.predicted, other.predicted)?;
        self.cells.check(&other.cells, by)?;
        self.cells.combine(&other.cells, by);
        self.predicted = predicted;
        Ok(())
    }

    /// How many predictions there are.
    pub fn predicted(&self) -> u64 {
        self.predicted
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.predicted == 0
    }

    /// Appends the canonical bytes: equal summaries of a profile give equal bytes, and only they do.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_varint(u128::from(self.predicted), out);
        if self.predicted > 0 {
            self.cells.encode(out);
        }
    }

    /// Takes a summary of this profile from the front of `input`.
    ///
    /// # Errors
    /// When the bytes are not exactly what [`PredictedSummary::encode`] writes for a summary of this profile. `input`
    /// is then left somewhere inside the summary.
    pub fn decode(input: &mut &[u8], profile: &OutcomeProfile) -> Result<Self, DecodeError> {
        let mut summary = Self::with_shape(profile.predicted_shape);
        summary.predicted = take_u64(input)?;
        if summary.predicted > 0 {
            summary.cells = Cells::decode(input, summary.shape.cells())?;
        }
        match summary.is_possible()? {
            true => Ok(summary),
            false => Err(DecodeError::Impossible),
        }
    }

    /// Whether predictions with these counts can exist.
    fn is_possible(&self) -> Result<bool, DecodeError> {
        total([self.predicted])?;
        let all = |cells: &mut dyn Iterator<Item = (usize, u64)>| total(cells.map(|(_, n)| n));
        Ok(match self.shape {
            PredictedShape::Binary { .. } | PredictedShape::Regression { .. } => {
                all(&mut self.cells.filled())? == self.predicted
            }
            PredictedShape::Multiclass { classes, stride } => {
                let mut by_class = vec![0_u64; classes];
                for (cell, count) in self.cells.filled() {
                    // A prediction without the class and not for it is not counted at all.
                    if cell % (2 * stride) == 2 * (stride - 1) {
                        return Ok(false);
                    }
                    let sum = &mut by_class[cell / (2 * stride)];
                    *sum = total([*sum, count])?;
                }
                let decided = all(&mut self.cells.filled().filter(|(cell, _)| cell % 2 == 1))?;
                decided <= self.predicted && by_class.iter().all(|n| *n <= self.predicted)
            }
            PredictedShape::Ranking => true,
        })
    }

    /// The view of two classes, if these are.
    pub fn binary(&self) -> Option<BinaryPredictions<'_>> {
        let PredictedShape::Binary { bins } = self.shape else {
            return None;
        };
        Some(BinaryPredictions {
            summary: self,
            bins,
        })
    }

    /// The view of several classes, if these are. `profile` is that of the summary.
    pub fn multiclass<'a>(
        &'a self,
        profile: &'a OutcomeProfile,
    ) -> Option<MulticlassPredictions<'a>> {
        let PredictedShape::Multiclass { classes, stride } = self.shape else {
            return None;
        };
        Some(MulticlassPredictions {
            summary: self,
            profile,
            classes,
            stride,
        })
    }

    /// The view of numbers, if these are.
    pub fn regression(&self) -> Option<RegressionPredictions<'_>> {
        let PredictedShape::Regression { bins } = self.shape else {
            return None;
        };
        Some(RegressionPredictions {
            summary: self,
            bins,
        })
    }
}

/// Predictions of two classes.
#[derive(Clone, Copy, Debug)]
pub struct BinaryPredictions<'a> {
    summary: &'a PredictedSummary,
    bins: usize,
}

impl BinaryPredictions<'_> {
    /// Bins of the score, in ascending order.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Predictions of a bin with this decision.
    pub fn count(&self, bin: usize, decided: bool) -> u64 {
        if bin >= self.bins {
            return 0;
        }
        self.summary.cells.at(2 * bin + usize::from(decided))
    }
}

/// Predictions of several classes.
#[derive(Clone, Copy, Debug)]
pub struct MulticlassPredictions<'a> {
    summary: &'a PredictedSummary,
    profile: &'a OutcomeProfile,
    classes: usize,
    stride: usize,
}

impl MulticlassPredictions<'_> {
    /// Classes of the reference.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Bins of the probability of `class`, in ascending order, and after them one for predictions that do not have
    /// it among their five best. As many as [`OutcomeProfile::probability_bins`].
    pub fn bins(&self, class: usize) -> usize {
        self.profile
            .class_bins
            .get(class)
            .map_or(0, |bins| bins.count() + 1)
    }

    /// Predictions with the probability of `class` in this bin, decided for it or not.
    pub fn count(&self, class: usize, bin: usize, decided: bool) -> u64 {
        let bins = self.bins(class);
        if bin >= bins {
            return 0;
        }
        let at = |bin: usize, decided: bool| {
            let cell = 2 * (class * self.stride + bin) + usize::from(decided);
            self.summary.cells.at(cell)
        };
        if bin + 1 < bins {
            return at(bin, decided);
        }
        let outside = at(self.stride - 1, true);
        if decided {
            return outside;
        }
        let inside = (0..bins - 1).map(|bin| at(bin, false) + at(bin, true));
        let inside: u64 = inside.sum();
        self.summary.predicted.saturating_sub(inside + outside)
    }
}

/// Predictions of numbers.
#[derive(Clone, Copy, Debug)]
pub struct RegressionPredictions<'a> {
    summary: &'a PredictedSummary,
    bins: usize,
}

impl RegressionPredictions<'_> {
    /// Bins of the value, in ascending order.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Predictions of a bin.
    pub fn count(&self, bin: usize) -> u64 {
        self.summary.cells.at(bin)
    }
}
