//! What the labels say about a model.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{SeriesState, Timestamp, WindowSpan};

/// What a model is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of two classes, with a score of the positive one.
    Binary,
    /// One of several classes.
    Multiclass,
    /// A number.
    Regression,
    /// Items in an order; the label is the item that was wanted.
    Ranking,
}

impl Task {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Multiclass => "multiclass",
            Self::Regression => "regression",
            Self::Ranking => "ranking",
        }
    }
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $variant:ident = $label:literal, $better:ident;)*) => {
        /// A measure of how good predictions are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Metric {
            $($(#[$doc])* #[serde(rename = $label)] $variant,)*
        }

        impl Metric {
            /// Every metric.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable name used in configuration, reports and metric labels.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }

            /// Which values are good.
            pub const fn better(self) -> Better {
                match self { $(Self::$variant => Better::$better),* }
            }
        }
    };
}

/// Which values of a metric are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Large ones.
    Higher,
    /// Small ones.
    Lower,
    /// Those near zero.
    Zero,
    /// Neither: it describes.
    Neither,
}

metrics! {
    /// Share of predictions that are right.
    Accuracy = "accuracy", Higher;
    /// Share of predicted positives that are positive; of several classes the mean over classes.
    Precision = "precision", Higher;
    /// Share of positives that were predicted; of several classes the mean over classes.
    Recall = "recall", Higher;
    /// Harmonic mean of precision and recall; of several classes the mean over classes.
    F1 = "f1", Higher;
    /// Weighted harmonic mean of precision and recall.
    FBeta = "f_beta", Higher;
    /// Share of negatives that were not predicted positive.
    Specificity = "specificity", Higher;
    /// Matthews correlation coefficient, -1 to 1.
    Mcc = "mcc", Higher;
    /// Area under the receiver operating characteristic.
    RocAuc = "roc_auc", Higher;
    /// Average precision: area under the precision-recall curve as a step function.
    AveragePrecision = "average_precision", Higher;
    /// Mean negative log likelihood, natural logarithm.
    LogLoss = "log_loss", Lower;
    /// Mean squared distance of the score from 0 or 1.
    Brier = "brier", Lower;
    /// Expected calibration error, less what sampling alone makes of it.
    CalibrationError = "calibration_error", Lower;
    /// Value of the predictions by the cost matrix, in its units for each prediction.
    BusinessValue = "business_value", Higher;
    /// Predicted positive and positive.
    TruePositives = "true_positives", Neither;
    /// Predicted positive but negative.
    FalsePositives = "false_positives", Neither;
    /// Predicted negative but positive.
    FalseNegatives = "false_negatives", Neither;
    /// Predicted negative and negative.
    TrueNegatives = "true_negatives", Neither;
    /// Precision, every class weighted by its labels.
    WeightedPrecision = "weighted_precision", Higher;
    /// Recall, every class weighted by its labels.
    WeightedRecall = "weighted_recall", Higher;
    /// F1, every class weighted by its labels.
    WeightedF1 = "weighted_f1", Higher;
    /// Share of predictions whose true class is among the k best scored.
    TopK = "top_k", Higher;
    /// Mean absolute error.
    Mae = "mae", Lower;
    /// Mean squared error.
    Mse = "mse", Lower;
    /// Root of the mean squared error.
    Rmse = "rmse", Lower;
    /// Mean absolute error relative to the label, over labels that are not zero.
    Mape = "mape", Lower;
    /// Mean squared difference of ln(1 + x), over pairs where both are defined.
    Msle = "msle", Lower;
    /// Share of the labels' variance that is explained.
    R2 = "r2", Higher;
    /// Mean error: prediction minus label.
    Bias = "bias", Zero;
    /// Mean pinball loss at a quantile.
    QuantileLoss = "quantile_loss", Lower;
    /// Normalised discounted cumulative gain of the first k items.
    Ndcg = "ndcg", Higher;
    /// Mean reciprocal rank.
    Mrr = "mrr", Higher;
    /// Share of predictions with the wanted item among the first k.
    HitRate = "hit_rate", Higher;
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One metric with its interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricValue {
    /// Which metric.
    pub metric: Metric,
    /// The class that it is of; absent for that of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Its value.
    pub value: f64,
    /// The lower end of its interval.
    pub lower: f64,
    /// The upper end of its interval.
    pub upper: f64,
    /// Predictions that it rests on.
    pub n: u64,
}

/// How far the labels of a window have come in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Maturity {
    /// Predictions of the window.
    pub predicted: u64,
    /// How many of them have a label.
    pub labelled: u64,
    /// labelled / predicted, 0 to 1; absent where nothing was predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// The coverage that the reference has at the same age, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_coverage: Option<f64>,
    /// The delay that half of the labels came within, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_p50_seconds: Option<f64>,
    /// The same for 95 of 100 labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_p95_seconds: Option<f64>,
    /// Whether labels have had the time that they are given before performance is judged.
    pub is_mature: bool,
    /// Whether no label can change the window any more.
    pub is_final: bool,
}

/// What the labels say about the predictions that were made in one window. A window is reported when it closes, and
/// again as its labels come in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerformanceReport {
    /// The model's id.
    pub model: String,
    /// The version's name.
    pub version: String,
    /// `field=value` of the segment; none for all events.
    pub segment: Option<String>,
    /// What the model does.
    pub task: Task,
    /// The reference's id.
    pub reference: String,
    /// The window, by the time of the prediction.
    pub window: WindowSpan,
    /// How often this window was reported before. A higher revision replaces a lower one.
    pub revision: u32,
    /// How event time stood, by labels and predictions, when this was said.
    pub evaluated_at: Timestamp,
    /// How complete the labels are.
    pub maturity: Maturity,
    /// From the labels that came.
    pub realised: Vec<MetricValue>,
    /// From the scores alone, of all predictions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub estimated: Vec<MetricValue>,
    /// The reference's own, where it has labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baseline: Vec<MetricValue>,
    /// Whether the bank's tolerances come from a calibration with labels; without one they are wide.
    #[serde(default)]
    pub calibrated: bool,
    /// What the bank and the rules say: warming up, stable, warning, drifted, labels late, not enough data.
    pub state: SeriesState,
}

impl PerformanceReport {
    /// The realised value of `metric` over all classes.
    pub fn realised(&self, metric: Metric) -> Option<&MetricValue> {
        find(&self.realised, metric)
    }

    /// The estimated value of `metric` over all classes.
    pub fn estimated(&self, metric: Metric) -> Option<&MetricValue> {
        find(&self.estimated, metric)
    }
}

fn find(values: &[MetricValue], metric: Metric) -> Option<&MetricValue> {
    values
        .iter()
        .find(|v| v.metric == metric && v.class.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_metrics_share_a_name() {
        let names: std::collections::BTreeSet<&str> =
            Metric::ALL.iter().map(|m| m.as_str()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
    }
}
