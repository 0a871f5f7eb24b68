//! What a reference's labels say, as JSON. Summaries stand in it as the hexadecimal digits of their canonical bytes.

use driftline_event::{ColumnRole, Task};
use serde::{Deserialize, Serialize};

use super::CELLS_MAX;
use crate::codec::DecodeError;
use crate::moments::Grid;
use crate::outcome::{
    Bins, DecisionSource, DelayBucket, OutcomeOptions, OutcomeProfile, OutcomeSummary,
    PredictedSummary, ProbabilityBin, Shape, ValueBin,
};
use crate::{ProfileError, ProfiledColumn};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outcome {
    task: Task,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    classes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    /// The output column that says what was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scores: Vec<String>,
    /// Of the score or value. All bounds are without the last one, +∞.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    score_bounds: Vec<f64>,
    /// By bin: mean score and calibrated probability. Of two classes one list, of several one for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    probabilities: Vec<Vec<(f64, f64)>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    class_bounds: Vec<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    regression: Option<Regression>,
    predicted: String,
    outcomes: Vec<Delayed>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Regression {
    absolute_error_bounds: Vec<f64>,
    error_bounds: Vec<f64>,
    label_bounds: Vec<f64>,
    error_scale_exponent: i32,
    label_centre: f64,
    label_scale_exponent: i32,
    large_error_bin: usize,
    /// By bin of the value: how many, and the means of error, |error|, error² and error⁴.
    losses: Vec<(u64, f64, f64, f64, f64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delayed {
    /// The number of the delay bucket.
    delay: u8,
    summary: String,
}

impl From<&OutcomeProfile> for Outcome {
    fn from(profile: &OutcomeProfile) -> Self {
        let pair = |bin: &ProbabilityBin| (bin.score, bin.probability);
        let probabilities = profile.probabilities.iter();
        let encoded = |encode: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = Vec::new();
            encode(&mut bytes);
            to_hex(&bytes)
        };
        let reference = profile.reference();
        let outcomes = reference.outcomes().iter();
        let regression = || Regression {
            absolute_error_bounds: finite(&profile.absolute_errors),
            error_bounds: finite(&profile.errors),
            label_bounds: finite(&profile.labels),
            error_scale_exponent: profile.error_grid.exponent(),
            label_centre: profile.label_grid.centre(),
            label_scale_exponent: profile.label_grid.exponent(),
            large_error_bin: profile.large_error_bin().unwrap_or(0),
            losses: profile.values.iter().map(losses).collect(),
        };
        Self {
            task: profile.task(),
            classes: profile.classes().to_vec(),
            threshold: (profile.task() == Task::Binary).then(|| profile.threshold()),
            decision: match profile.decision() {
                DecisionSource::Score => None,
                DecisionSource::Column(name) => Some(name.clone()),
            },
            scores: profile.score_columns().to_vec(),
            score_bounds: finite(&profile.scores),
            probabilities: probabilities
                .map(|c| c.iter().map(pair).collect())
                .collect(),
            class_bounds: profile.class_bins.iter().map(finite).collect(),
            regression: (profile.task() == Task::Regression).then(regression),
            predicted: encoded(&|bytes| reference.predicted().encode(bytes)),
            outcomes: outcomes
                .map(|(bucket, summary)| Delayed {
                    delay: bucket.0,
                    summary: encoded(&|bytes| summary.encode(bytes)),
                })
                .collect(),
        }
    }
}

fn losses(bin: &ValueBin) -> (u64, f64, f64, f64, f64) {
    let ValueBin {
        n,
        error,
        absolute_error,
        squared_error,
        fourth_power,
    } = *bin;
    (n, error, absolute_error, squared_error, fourth_power)
}

impl Outcome {
    /// The profile, if it fits these columns of so many rows.
    pub(super) fn checked(
        self,
        rows: u64,
        columns: &[ProfiledColumn],
    ) -> Result<OutcomeProfile, ProfileError> {
        let decision = self.decision.iter();
        for name in self.scores.iter().chain(decision) {
            let is_it =
                |c: &&ProfiledColumn| c.column.role == ColumnRole::Output && c.column.name == *name;
            if !columns.iter().any(|c| is_it(&c)) {
                return Err(ProfileError::Column {
                    column: name.clone(),
                    what: "labels are compared by this output column, but it is not there",
                });
            }
        }
        let (predicted, outcomes) = (self.predicted.clone(), self.take_outcomes()?);
        let mut profile = self.unfilled()?;
        profile.reference.predicted = decoded(&predicted, |input| {
            PredictedSummary::decode(input, &profile)
        })?;
        let predicted = profile.reference.predicted.predicted();
        let mut labelled = 0_u64;
        for (bucket, bytes) in outcomes {
            let summary = decoded(&bytes, |input| OutcomeSummary::decode(input, &profile))?;
            if summary.is_empty() {
                return Err(fail("the outcomes of a delay are empty"));
            }
            labelled = labelled.saturating_add(summary.labelled());
            profile.reference.outcomes.push((bucket, summary));
        }
        if labelled > predicted || predicted > rows {
            return Err(fail(
                "there are more labels than predictions, or more of these than rows",
            ));
        }
        Ok(profile)
    }

    fn take_outcomes(&self) -> Result<Vec<(DelayBucket, String)>, ProfileError> {
        let ascending = |pair: &[Delayed]| pair[0].delay < pair[1].delay;
        if !self.outcomes.windows(2).all(ascending) {
            return Err(fail("the delays are not ascending"));
        }
        let each = self.outcomes.iter().map(|delayed| {
            let bucket = DelayBucket::new(delayed.delay).ok_or(fail("a delay is not known"))?;
            Ok((bucket, delayed.summary.clone()))
        });
        each.collect()
    }

    /// The profile without the reference's counts.
    fn unfilled(self) -> Result<OutcomeProfile, ProfileError> {
        let options = OutcomeOptions {
            classes: self.classes,
            threshold: self.threshold.map(|threshold| threshold + 0.0),
            decision: self
                .decision
                .map_or(DecisionSource::Score, DecisionSource::Column),
            score_columns: self.scores,
            ..OutcomeOptions::new(self.task)
        };
        let unfitted = OutcomeProfile::unfitted(&options);
        let mut profile =
            unfitted.map_err(|_| fail("classes, columns or threshold do not fit the task"))?;
        if (self.task == Task::Binary) != options.threshold.is_some()
            || (self.task == Task::Regression) != self.regression.is_some()
        {
            return Err(fail("it needs what belongs to its task and nothing else"));
        }
        let is_multiclass = self.task == Task::Multiclass;
        profile.scores = bins(self.score_bounds)?;
        if (is_multiclass || self.task == Task::Ranking) && profile.scores.count() > 1 {
            return Err(fail("it has bins of scores that its task has not"));
        }
        let class_bins: Result<Vec<Bins>, _> = self.class_bounds.into_iter().map(bins).collect();
        profile.class_bins = class_bins?;
        let classes = if is_multiclass {
            profile.classes().len()
        } else {
            0
        };
        if profile.class_bins.len() != classes {
            return Err(fail(
                "it has not the bins of one probability for each class",
            ));
        }
        let shape = match self.regression {
            Some(regression) => regression.apply(&mut profile)?,
            None if self.task == Task::Binary => Shape::Binary {
                bins: profile.scores.count(),
            },
            None => profile.shape,
        };
        profile.reshape(shape);
        profile.probabilities = probabilities(self.probabilities, &profile)?;
        Ok(profile)
    }
}

fn probabilities(
    given: Vec<Vec<(f64, f64)>>,
    profile: &OutcomeProfile,
) -> Result<Vec<Vec<ProbabilityBin>>, ProfileError> {
    let expected: Vec<usize> = match profile.task() {
        Task::Binary => vec![profile.scores.count()],
        Task::Multiclass => profile.class_bins.iter().map(|b| b.count() + 1).collect(),
        Task::Regression | Task::Ranking => Vec::new(),
    };
    let fits =
        |(score, probability): &(f64, f64)| score.is_finite() && (0.0..=1.0).contains(probability);
    if !given.iter().map(Vec::len).eq(expected) || !given.iter().flatten().all(fits) {
        return Err(fail("it has not one score and probability for each bin"));
    }
    let bin = |(score, probability): (f64, f64)| ProbabilityBin {
        score: score + 0.0,
        probability: probability + 0.0,
    };
    let classes = given.into_iter();
    Ok(classes.map(|c| c.into_iter().map(bin).collect()).collect())
}

impl Regression {
    fn apply(self, profile: &mut OutcomeProfile) -> Result<Shape, ProfileError> {
        profile.absolute_errors = bins(self.absolute_error_bounds)?;
        profile.errors = bins(self.error_bounds)?;
        profile.labels = bins(self.label_bounds)?;
        let grid =
            |centre, exponent| Grid::new(centre, exponent).ok_or(fail("a grid is out of range"));
        profile.error_grid = grid(0.0, self.error_scale_exponent)?;
        profile.label_grid = grid(self.label_centre, self.label_scale_exponent)?;
        let possible = |&(n, error, absolute, square, fourth): &(u64, f64, f64, f64, f64)| {
            n <= crate::column::COUNT_MAX
                && [error, absolute, square, fourth]
                    .iter()
                    .all(|x| x.is_finite())
                && [absolute, square, fourth].iter().all(|x| *x >= 0.0)
        };
        if self.losses.len() != profile.scores.count() || !self.losses.iter().all(possible) {
            return Err(fail("it has not one loss for each bin of the value"));
        }
        let losses = self.losses.into_iter();
        let bin = |(n, error, absolute_error, squared_error, fourth_power)| ValueBin {
            n,
            error: error + 0.0,
            absolute_error: absolute_error + 0.0,
            squared_error: squared_error + 0.0,
            fourth_power: fourth_power + 0.0,
        };
        profile.values = losses.map(bin).collect();
        let bins = [&profile.absolute_errors, &profile.errors, &profile.labels].map(Bins::count);
        if self.large_error_bin > bins[0] {
            return Err(fail("there is no such bin of large errors"));
        }
        Ok(Shape::Regression {
            bins,
            large: self.large_error_bin,
        })
    }
}

fn fail(what: &'static str) -> ProfileError {
    ProfileError::Outcome { what }
}

/// Without the last one, which is +∞.
fn finite(bins: &Bins) -> Vec<f64> {
    let (_, finite) = bins
        .upper_bounds()
        .split_last()
        .expect("the last bound is infinite");
    finite.to_vec()
}

fn bins(mut upper: Vec<f64>) -> Result<Bins, ProfileError> {
    let fits = |bound: &f64| (-f64::MAX..f64::MAX).contains(bound);
    if !upper.is_sorted_by(|a, b| a < b) || !upper.iter().all(fits) {
        return Err(fail("bounds are not finite and ascending"));
    }
    if upper.len() >= CELLS_MAX {
        return Err(fail("there are more bins than any profile has"));
    }
    upper.iter_mut().for_each(|bound| *bound += 0.0);
    upper.push(f64::INFINITY);
    Ok(Bins::assemble(upper))
}

fn decoded<T>(
    hex: &str,
    decode: impl Fn(&mut &[u8]) -> Result<T, DecodeError>,
) -> Result<T, ProfileError> {
    let bytes = from_hex(hex).ok_or(fail("a summary is not written in hexadecimal digits"))?;
    let mut rest = bytes.as_slice();
    match decode(&mut rest) {
        Ok(summary) if rest.is_empty() => Ok(summary),
        _ => Err(fail("a summary does not fit or contradicts itself")),
    }
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |c: &u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    pairs.map(byte).collect()
}
