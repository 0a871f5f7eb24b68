//! Names and limits of the estimated metrics.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A metric that can be estimated without labels. Its name is scikit-learn's and NannyML's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Area under the ROC curve; macro-averaged one-vs-rest with several classes.
    RocAuc,
    /// Area under the precision-recall curve, as a sum of steps.
    AveragePrecision,
    /// Share of right predictions.
    Accuracy,
    /// Harmonic mean of precision and recall; macro-averaged with several classes.
    F1,
    /// Share of positives among the predicted positives; macro-averaged with several classes.
    Precision,
    /// Share of the positives that are predicted; macro-averaged with several classes.
    Recall,
    /// Share of the negatives that are predicted negative; macro-averaged with several classes.
    Specificity,
    /// Sum over the rows of what a cell of the confusion matrix is worth.
    BusinessValue,
    /// Rows predicted positive that are.
    TruePositive,
    /// Rows predicted negative that are.
    TrueNegative,
    /// Rows predicted positive that are not.
    FalsePositive,
    /// Rows predicted negative that are not.
    FalseNegative,
}

/// There is no such metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is no such metric")]
pub struct UnknownMetric;

impl Metric {
    /// All metrics of two classes, in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::RocAuc,
        Self::AveragePrecision,
        Self::Accuracy,
        Self::F1,
        Self::Precision,
        Self::Recall,
        Self::Specificity,
        Self::BusinessValue,
        Self::TruePositive,
        Self::TrueNegative,
        Self::FalsePositive,
        Self::FalseNegative,
    ];

    /// The metrics that need several classes' scores, but no cell of a two-class confusion matrix.
    pub const MULTICLASS: [Self; 8] = [
        Self::RocAuc,
        Self::AveragePrecision,
        Self::Accuracy,
        Self::F1,
        Self::Precision,
        Self::Recall,
        Self::Specificity,
        Self::BusinessValue,
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RocAuc => "roc_auc",
            Self::AveragePrecision => "average_precision",
            Self::Accuracy => "accuracy",
            Self::F1 => "f1",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::Specificity => "specificity",
            Self::BusinessValue => "business_value",
            Self::TruePositive => "true_positive",
            Self::TrueNegative => "true_negative",
            Self::FalsePositive => "false_positive",
            Self::FalseNegative => "false_negative",
        }
    }

    /// What its values cannot go below.
    #[must_use]
    pub fn lower_limit(self) -> f64 {
        match self {
            Self::BusinessValue => f64::NEG_INFINITY,
            _ => 0.0,
        }
    }

    /// What its values cannot go above.
    #[must_use]
    pub fn upper_limit(self) -> f64 {
        match self {
            Self::BusinessValue
            | Self::TruePositive
            | Self::TrueNegative
            | Self::FalsePositive
            | Self::FalseNegative => f64::INFINITY,
            _ => 1.0,
        }
    }

    /// Whether it looks at the predicted class, and not only at the order of the scores.
    #[must_use]
    pub fn needs_prediction(self) -> bool {
        !matches!(self, Self::RocAuc | Self::AveragePrecision)
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|m| m.as_str() == text);
        found.ok_or(UnknownMetric)
    }
}

/// What each cell of a two-class confusion matrix is worth, a row each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostMatrix {
    /// Predicted negative, is negative.
    pub true_negative: f64,
    /// Predicted positive, is negative.
    pub false_positive: f64,
    /// Predicted negative, is positive.
    pub false_negative: f64,
    /// Predicted positive, is positive.
    pub true_positive: f64,
}

impl CostMatrix {
    /// From `[[true negative, false positive], [false negative, true positive]]`: true classes are rows.
    #[must_use]
    pub fn from_rows(rows: [[f64; 2]; 2]) -> Self {
        Self {
            true_negative: rows[0][0],
            false_positive: rows[0][1],
            false_negative: rows[1][0],
            true_positive: rows[1][1],
        }
    }
}
