//! Mergeable, integer-only summaries of columns.
//!
//! A [`ReferenceProfile`] fixes, once and for all, into which cell every value of a column falls:
//! numbers into bins cut from the reference's own quantiles, names into a dictionary of the
//! reference's most frequent ones. What follows is counting. A summary is a vector of integers, so
//! summaries of the same profile merge by addition and slide by subtraction, and the same rows give
//! the same bytes in whatever order and cut they came. The reference's own summary is made by the
//! same code as every other.
//!
//! ```
//! use driftline_event::ColumnRole;
//! use driftline_sketch::{ColumnProfile, NumericSummary, ProfileOptions, ReferenceBuilder};
//!
//! let mut builder = ReferenceBuilder::new("fares", "1", ProfileOptions::default());
//! builder.numeric("km", ColumnRole::Feature, (0..1_000).map(f64::from).collect())?;
//! let reference = builder.build()?;
//!
//! let ColumnProfile::Numeric(km) = &reference.columns[0].profile else { unreachable!() };
//! let mut window = NumericSummary::default();
//! km.add_column(&[500.0, 2_000.0, f64::NAN], &mut window);
//! assert_eq!((window.valid(), window.above_max, window.nan), (2, 1, 1));
//! assert_eq!(km.mean(&window), Some(1_250.0));
//! # Ok::<(), driftline_sketch::BuildError>(())
//! ```
#![deny(missing_docs)]

mod binner;
mod builder;
mod categorical;
mod codec;
mod column;
mod cuts;
mod dictionary;
mod distinct;
mod embedding;
mod json;
mod moments;
mod numeric;
mod outcome;
mod profile;
mod tree;

pub use builder::{BuildError, ReferenceBuilder};
pub use categorical::{
    CategoricalProfile, CategoricalSummary, CategoryCode, MISSING_CODE, UNSEEN_CODE,
    WRONG_TYPE_CODE,
};
pub use codec::DecodeError;
pub use column::{ColumnProfile, ColumnSummary, ShapeMismatch};
pub use distinct::DistinctSample;
pub use embedding::{EmbeddingOptions, EmbeddingProfile, EmbeddingSummary, FeatureCovariance};
pub use json::ProfileError;
pub use numeric::{
    MISSING, NumericProfile, NumericSummary, WRONG_TYPE, is_missing, is_wrong_type, number,
};
pub use outcome::{
    BinaryOutcomes, BinaryPredictions, Bins, ClassScore, DELAY_EDGES, DecisionSource, DelayBucket,
    DelayHistogram, LossMoments, MissingOutput, MulticlassOutcomes, MulticlassPredictions,
    OutcomeBuildError, OutcomeColumns, OutcomeLabel, OutcomeOptions, OutcomeProfile,
    OutcomeReference, OutcomeRow, OutcomeSummary, PredictedSummary, ProbabilityBin,
    RankingOutcomes, RegressionOutcomes, RegressionPredictions, Scored, Truth, TruthError,
    ValueBin, ranking_item,
};
pub use profile::{ProfileOptions, ProfiledColumn, ReferenceProfile};
pub use tree::{JOINT_COLUMN, JointOptions, JointTree, LEAF_ROWS_MIN, LeafCondition, LeafValues};
