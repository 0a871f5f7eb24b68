//! What the reference fixes about predictions and their labels.

use driftline_event::Task;

use super::bins::Bins;
use super::delay::DelayBucket;
use super::predicted::{PredictedShape, PredictedSummary};
use super::scored::{Truth, TruthError, ranking_item};
use super::summary::OutcomeSummary;
use super::terms::Shape;
use crate::codec::write_varint;
use crate::column::ShapeMismatch;
use crate::dictionary::Dictionary;
use crate::moments::Grid;
use crate::profile::text;

/// Where the decided class comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecisionSource {
    /// The score: positive from the threshold on; of several classes the best scored.
    Score,
    /// The output column of this name. Of a ranking, the one that holds the list of items.
    Column(String),
}

/// What the reference says of a bin of the score, or of a class's probability.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProbabilityBin {
    /// The mean score of the reference's predictions in the bin; between its neighbours where there are none.
    pub score: f64,
    /// The mean calibrated probability of the positive class, or of this class, in the bin.
    pub probability: f64,
}

/// What the reference says of a bin of the predicted value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ValueBin {
    /// Labelled predictions of the reference in the bin. Without any, the other fields are those of all bins.
    pub n: u64,
    /// The mean error, prediction minus label.
    pub error: f64,
    /// The mean of |error|.
    pub absolute_error: f64,
    /// The mean of error².
    pub squared_error: f64,
    /// The mean of error⁴, from which the spread of error² follows.
    pub fourth_power: f64,
}

/// The reference's own outcomes, by how long their labels took.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeReference {
    pub(crate) predicted: PredictedSummary,
    pub(crate) shape: Shape,
    /// Ascending, none empty.
    pub(crate) outcomes: Vec<(DelayBucket, OutcomeSummary)>,
}

impl OutcomeReference {
    /// All predictions, with or without a label.
    pub fn predicted(&self) -> &PredictedSummary {
        &self.predicted
    }

    /// The outcomes by delay, ascending; all in [`DelayBucket::UNKNOWN`] where the labels have no times.
    pub fn outcomes(&self) -> &[(DelayBucket, OutcomeSummary)] {
        &self.outcomes
    }

    /// Whether the labels have times.
    pub fn has_delays(&self) -> bool {
        let known = |(bucket, _): &(DelayBucket, _)| *bucket != DelayBucket::UNKNOWN;
        self.outcomes.iter().any(known)
    }

    /// The outcomes that `wanted` accepts the delay of, together.
    pub fn of(&self, wanted: impl Fn(DelayBucket) -> bool) -> OutcomeSummary {
        let mut all = OutcomeSummary::with_shape(self.shape);
        for (_, part) in self.outcomes.iter().filter(|(bucket, _)| wanted(*bucket)) {
            let merged: Result<(), ShapeMismatch> = all.merge(part);
            debug_assert!(merged.is_ok(), "the parts of one reference fit together");
        }
        all
    }

    /// All outcomes.
    pub fn all(&self) -> OutcomeSummary {
        self.of(|_| true)
    }

    /// Labelled / predicted; none without predictions.
    pub fn coverage(&self) -> Option<f64> {
        self.share(|_| true)
    }

    /// The share of predictions whose label came within `micros`, one of the
    /// [`DELAY_EDGES`](super::DELAY_EDGES); none where the labels have no times.
    pub fn coverage_within(&self, micros: i64) -> Option<f64> {
        self.has_delays()
            .then(|| self.share(|bucket| bucket.is_within(micros)))?
    }

    fn share(&self, wanted: impl Fn(DelayBucket) -> bool) -> Option<f64> {
        let parts = self.outcomes.iter().filter(|(bucket, _)| wanted(*bucket));
        let labelled: u64 = parts.map(|(_, part)| part.labelled()).sum();
        let predicted = self.predicted.predicted();
        (predicted > 0).then(|| labelled as f64 / predicted as f64)
    }
}

/// The classes of a model, and how to find one by its name.
#[derive(Clone, Debug)]
pub(crate) struct Classes {
    pub(crate) names: Vec<String>,
    by_name: Dictionary,
}

impl PartialEq for Classes {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

impl Classes {
    pub(crate) fn new(names: Vec<String>) -> Self {
        Self {
            by_name: Dictionary::new(&names, &[], 0),
            names,
        }
    }

    /// The position of a class, the number of classes if it is not known. `true` and `1`, and `false` and `0`, stand
    /// for each other where only one of them is a class, and `1.0` for `1`.
    #[inline]
    pub(crate) fn position(&self, name: &str) -> u16 {
        let found = self.by_name.cell(name).or_else(|| self.same_as(name));
        found.map_or(self.names.len() as u16, |cell| cell as u16)
    }

    #[cold]
    fn same_as(&self, name: &str) -> Option<u32> {
        let mut digits = [0; 20];
        let short = || {
            let number = name.contains('.').then(|| name.trim().parse::<f64>());
            number?.ok()
        };
        let name = match short().and_then(|n| super::columns::whole(n, &mut digits)) {
            Some(digits) => digits,
            None => name,
        };
        self.by_name.cell(name).or_else(|| {
            let other = match name {
                "true" | "True" => "1",
                "false" | "False" => "0",
                "1" => "true",
                "0" => "false",
                _ => return None,
            };
            self.by_name.cell(other)
        })
    }
}

/// What the reference fixes about predictions and their labels: the task, the classes, where scores and decisions
/// stand, the bins, and what the reference's own labels amount to.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeProfile {
    pub(crate) task: Task,
    pub(crate) classes: Classes,
    pub(crate) threshold: f64,
    pub(crate) decision: DecisionSource,
    pub(crate) score_columns: Vec<String>,
    /// The items of `score_columns`, for rankings.
    pub(crate) items: Vec<u32>,
    /// Of the score of two classes, of the value of a regression.
    pub(crate) scores: Bins,
    pub(crate) class_bins: Vec<Bins>,
    pub(crate) absolute_errors: Bins,
    pub(crate) errors: Bins,
    pub(crate) labels: Bins,
    pub(crate) error_grid: Grid,
    pub(crate) label_grid: Grid,
    /// By class (of two, one for the positive), by bin.
    pub(crate) probabilities: Vec<Vec<ProbabilityBin>>,
    pub(crate) values: Vec<ValueBin>,
    pub(crate) shape: Shape,
    pub(crate) predicted_shape: PredictedShape,
    pub(crate) reference: OutcomeReference,
}

impl OutcomeProfile {
    /// What the model does.
    pub fn task(&self) -> Task {
        self.task
    }

    /// The classes by position: of two the negative and the positive one, in a regression or ranking none.
    pub fn classes(&self) -> &[String] {
        &self.classes.names
    }

    /// The name of the positive class of two.
    pub fn positive(&self) -> Option<&str> {
        match self.task {
            Task::Binary => self.classes.names.get(1).map(String::as_str),
            _ => None,
        }
    }

    /// Scores of two classes from here on are positive, unless a column says what was decided.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Where the decided class comes from.
    pub fn decision(&self) -> &DecisionSource {
        &self.decision
    }

    /// The output columns of the scores: of two classes one or none, of several one for each class or none, of a
    /// regression the value, of a ranking one for each item or none.
    pub fn score_columns(&self) -> &[String] {
        &self.score_columns
    }

    /// Whether predictions have scores, and not only decisions. Metrics of scores say nothing otherwise.
    pub fn has_scores(&self) -> bool {
        !self.score_columns.is_empty()
    }

    /// The bins of the score of two classes.
    pub fn score_bins(&self) -> &Bins {
        &self.scores
    }

    /// The bins of the value of a regression.
    pub fn value_bins(&self) -> &Bins {
        &self.scores
    }

    /// The bins of the probability of one of several classes.
    pub fn class_bins(&self, class: usize) -> Option<&Bins> {
        self.class_bins.get(class)
    }

    /// The bins of |error| of a regression.
    pub fn absolute_error_bins(&self) -> &Bins {
        &self.absolute_errors
    }

    /// The bins of the error of a regression.
    pub fn error_bins(&self) -> &Bins {
        &self.errors
    }

    /// The bins of the label of a regression.
    pub fn label_bins(&self) -> &Bins {
        &self.labels
    }

    /// The first bin of |error| that is wholly in the top tenth of the reference's: what
    /// [`OutcomeSummary::errors`] of a regression counts.
    pub fn large_error_bin(&self) -> Option<usize> {
        match self.shape {
            Shape::Regression { large, .. } => Some(large),
            _ => None,
        }
    }

    /// What the reference says of each bin of the score (of two classes; `class` is 0) or of a class's probability (of
    /// several; one bin more, for predictions without the class among their best).
    pub fn probability_bins(&self, class: usize) -> &[ProbabilityBin] {
        self.probabilities.get(class).map_or(&[], Vec::as_slice)
    }

    /// What the reference says of each bin of the predicted value.
    pub fn value_losses(&self) -> &[ValueBin] {
        &self.values
    }

    /// Replaces the calibrated probabilities by bin; `class` as in [`OutcomeProfile::probability_bins`]. Until then
    /// they are the shares of labels in each bin. Call it before the profile becomes part of a reference.
    ///
    /// Returns whether they are as many as the bins and all within 0 to 1; nothing changes otherwise.
    pub fn set_calibration(&mut self, class: usize, probabilities: &[f64]) -> bool {
        let Some(bins) = self.probabilities.get_mut(class) else {
            return false;
        };
        let fits = bins.len() == probabilities.len()
            && probabilities.iter().all(|p| (0.0..=1.0).contains(p));
        if fits {
            for (bin, probability) in bins.iter_mut().zip(probabilities) {
                bin.probability = probability + 0.0;
            }
        }
        fits
    }

    /// The reference's own outcomes.
    pub fn reference(&self) -> &OutcomeReference {
        &self.reference
    }

    /// A label that is a text.
    ///
    /// # Errors
    /// When the model predicts numbers and the text is none.
    pub fn truth_of_text(&self, text: &str) -> Result<Truth, TruthError> {
        match self.task {
            Task::Binary | Task::Multiclass => Ok(Truth::Class(self.classes.position(text))),
            Task::Ranking => Ok(Truth::Item(ranking_item(text))),
            Task::Regression => {
                let number: Option<f64> = text.trim().parse().ok();
                number
                    .filter(|number| number.is_finite())
                    .map(Truth::Number)
                    .ok_or(TruthError::NotANumber)
            }
        }
    }

    /// A label that is a number.
    ///
    /// # Errors
    /// When it is not finite, or not whole although the model predicts classes or items.
    pub fn truth_of_number(&self, number: f64) -> Result<Truth, TruthError> {
        if self.task == Task::Regression {
            return match number.is_finite() {
                true => Ok(Truth::Number(number + 0.0)),
                false => Err(TruthError::NotANumber),
            };
        }
        let mut digits = [0; 20];
        let text = super::columns::whole(number, &mut digits).ok_or(TruthError::NotAClass)?;
        self.truth_of_text(text)
    }
}

impl OutcomeProfile {
    /// Everything that decides how outcomes are counted and compared, for the reference's id.
    pub(crate) fn write_content(&self, bytes: &mut Vec<u8>) {
        text(self.task.as_str(), bytes);
        let texts = |texts: &[String], bytes: &mut Vec<u8>| {
            write_varint(texts.len() as u128, bytes);
            texts.iter().for_each(|name| text(name, bytes));
        };
        texts(&self.classes.names, bytes);
        texts(&self.score_columns, bytes);
        let decision = match &self.decision {
            DecisionSource::Score => &[],
            DecisionSource::Column(name) => std::slice::from_ref(name),
        };
        texts(decision, bytes);
        let numbers = |numbers: &[f64], bytes: &mut Vec<u8>| {
            write_varint(numbers.len() as u128, bytes);
            let each = numbers.iter().flat_map(|number| number.to_le_bytes());
            bytes.extend(each);
        };
        let bins = [
            &self.scores,
            &self.absolute_errors,
            &self.errors,
            &self.labels,
        ];
        for bins in bins.into_iter().chain(&self.class_bins) {
            numbers(bins.upper_bounds(), bytes);
        }
        for grid in [&self.error_grid, &self.label_grid] {
            numbers(&[grid.centre(), f64::from(grid.exponent())], bytes);
        }
        let large = self.large_error_bin().map_or(-1.0, |bin| bin as f64);
        numbers(&[self.threshold, large], bytes);
        for class in &self.probabilities {
            let pairs = class.iter().flat_map(|bin| [bin.score, bin.probability]);
            numbers(&pairs.collect::<Vec<f64>>(), bytes);
        }
        for bin in &self.values {
            write_varint(u128::from(bin.n), bytes);
            let means = [
                bin.error,
                bin.absolute_error,
                bin.squared_error,
                bin.fourth_power,
            ];
            numbers(&means, bytes);
        }
        self.reference.predicted.encode(bytes);
        write_varint(self.reference.outcomes.len() as u128, bytes);
        for (bucket, summary) in &self.reference.outcomes {
            bytes.push(bucket.0);
            summary.encode(bytes);
        }
    }
}
