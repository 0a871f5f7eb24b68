//! What labels say of predictions: mergeable counts of scores, decisions and errors by what turned out to be true.
//!
//! **What it measures.** An [`OutcomeProfile`] fixes, from the reference's predictions and labels, the classes and
//! the bins of scores, errors and labels. A prediction is reduced to a [`Scored`] of 30 bytes that waits for its
//! label, a label to a [`Truth`]. An [`OutcomeSummary`] counts both together and is enough for every metric of
//! its task with an interval; a [`PredictedSummary`] counts predictions alone, which is what estimates without
//! labels need.
//!
//! - Two classes: counts by bin of the score, truth and decision; log loss and Brier score of scores in [0, 1].
//! - Several classes: the confusion matrix, the rank of the true class among the five best scores, log loss.
//! - Numbers: bins of |error|, error and label; sums of error, |error|, error², error⁴, relative and logarithmic
//!   error, and label.
//! - Rankings: the rank of the wanted item among the first ten.
//!
//! **State.** Integers only: summaries merge by addition and are taken away again exactly, in whatever order and
//! cut the rows came. Real-valued terms are rounded to a fixed grid first. Weighted sums stand beside the unit
//! counts as soon as a weight differs from one.
//!
//! **Error.** Counts have none, so accuracy and the like are exact. The area under the ROC curve takes scores of
//! one of 128 quantile bins for tied: low by less than 3e-4 in practice. A log loss is rounded to 2^-24, a Brier
//! score likewise. An error of a regression is rounded to 2^-20 of the reference's spread of errors and counts as at
//! most 2,048 of those spreads ([`RegressionOutcomes::clamped`] says how often); a relative error as at most 2^20.
//! Of several classes only the five best probabilities are kept: the rest share what is left evenly.

mod bins;
mod build;
mod cells;
mod codec;
mod columns;
mod delay;
mod options;
mod predicted;
mod profile;
mod scored;
mod summary;
mod terms;
mod view;

pub use bins::Bins;
pub use columns::{MissingOutput, OutcomeColumns};
pub use delay::{DELAY_EDGES, DelayBucket, DelayHistogram};
pub use options::{OutcomeBuildError, OutcomeLabel, OutcomeOptions, OutcomeRow};
pub use predicted::{
    BinaryPredictions, MulticlassPredictions, PredictedSummary, RegressionPredictions,
};
pub use profile::{DecisionSource, OutcomeProfile, OutcomeReference, ProbabilityBin, ValueBin};
pub use scored::{ClassScore, Scored, Truth, TruthError, ranking_item};
pub use summary::OutcomeSummary;
pub(crate) use terms::Shape;
pub use view::{
    BinaryOutcomes, LossMoments, MulticlassOutcomes, RankingOutcomes, RegressionOutcomes,
};

/// Classes that a model can have.
pub(crate) const CLASSES_MAX: usize = 256;
/// Best classes of a prediction whose probabilities are kept.
pub(crate) const TOP_CLASSES: usize = 5;
/// Items of a ranking that are kept.
pub(crate) const RANKS: usize = 10;
