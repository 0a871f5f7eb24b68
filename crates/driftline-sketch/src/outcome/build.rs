//! From the reference's predictions and labels to their profile.

use std::collections::BTreeMap;

use driftline_event::Task;

use super::bins::Bins;
use super::delay::DelayBucket;
use super::options::check;
use super::predicted::{PredictedShape, PredictedSummary};
use super::profile::{Classes, DecisionSource, OutcomeReference, ProbabilityBin, ValueBin};
use super::scored::{Scored, Truth, ranking_item};
use super::summary::OutcomeSummary;
use super::terms::{FOURTH_SHIFT, Shape};
use super::{OutcomeBuildError, OutcomeOptions, OutcomeProfile, OutcomeRow};
use crate::cuts;
use crate::moments::Grid;

/// Where scores are positive if nobody says otherwise.
const THRESHOLD: f64 = 0.5;
/// |error| is large above this quantile of the reference's.
const LARGE_QUANTILE: f64 = 0.9;
/// Fractional bits of the sums that mean probabilities come from.
const MEAN_BITS: u32 = 40;

impl OutcomeProfile {
    /// A profile without bins and reference, to read predictions and labels with before
    /// [`OutcomeProfile::build`] cuts them.
    ///
    /// # Errors
    /// When an option is out of bounds, or classes or columns do not fit the task.
    pub fn unfitted(options: &OutcomeOptions) -> Result<Self, OutcomeBuildError> {
        check(options)?;
        let shape = match options.task {
            Task::Binary => Shape::Binary { bins: 1 },
            Task::Multiclass => Shape::Multiclass {
                classes: options.classes.len(),
            },
            Task::Regression => Shape::Regression {
                bins: [1; 3],
                large: 1,
            },
            Task::Ranking => Shape::Ranking,
        };
        let class_bins = match options.task {
            Task::Multiclass => vec![Bins::default(); options.classes.len()],
            _ => Vec::new(),
        };
        let predicted_shape = predicted_shape(shape, 1, &class_bins);
        let items = match options.task {
            Task::Ranking => options.score_columns.iter().map(|c| item_of(c)).collect(),
            _ => Vec::new(),
        };
        let grid = Grid::around(0.0, 1.0);
        Ok(Self {
            task: options.task,
            classes: Classes::new(options.classes.clone()),
            threshold: options.threshold.unwrap_or(THRESHOLD),
            decision: options.decision.clone(),
            score_columns: options.score_columns.clone(),
            items,
            scores: Bins::default(),
            class_bins,
            absolute_errors: Bins::default(),
            errors: Bins::default(),
            labels: Bins::default(),
            error_grid: grid,
            label_grid: grid,
            probabilities: Vec::new(),
            values: Vec::new(),
            shape,
            predicted_shape,
            reference: OutcomeReference {
                predicted: PredictedSummary::with_shape(predicted_shape),
                shape,
                outcomes: Vec::new(),
            },
        })
    }

    /// Cuts the reference's predictions and counts them. The order of the rows makes no difference.
    ///
    /// # Errors
    /// When an option is out of bounds, classes or columns do not fit the task, a row is of another task, or no label
    /// can be judged.
    pub fn build(options: &OutcomeOptions, rows: &[OutcomeRow]) -> Result<Self, OutcomeBuildError> {
        let mut profile = Self::unfitted(options)?;
        match options.task {
            Task::Binary => profile.cut_scores(options, rows),
            Task::Multiclass => profile.cut_classes(options, rows),
            Task::Regression => profile.cut_values(options, rows),
            Task::Ranking => {}
        }
        profile.count(rows)?;
        match options.task {
            Task::Binary => profile.summarise_scores(rows),
            Task::Multiclass => profile.summarise_classes(rows),
            Task::Regression => profile.summarise_values(rows),
            Task::Ranking => {}
        }
        Ok(profile)
    }

    fn cut_scores(&mut self, options: &OutcomeOptions, rows: &[OutcomeRow]) {
        let scores = || rows.iter().filter_map(|row| binary(&row.scored));
        let decided = |wanted: bool| scores().filter(move |(_, positive)| *positive == wanted);
        let mut edge = options.threshold;
        if options.decision == DecisionSource::Score {
            edge = Some(self.threshold);
        } else if edge.is_none() {
            let lowest = decided(true).map(|(score, _)| score).reduce(f64::min);
            let highest = decided(false).map(|(score, _)| score).reduce(f64::max);
            edge = lowest.filter(|lowest| highest.is_none_or(|highest| highest < *lowest));
        }
        // Two signs of zero are one score.
        let edge = edge.map(|edge| edge + 0.0);
        self.threshold = edge.unwrap_or(self.threshold);
        let below = edge.map(|edge| edge.next_down() + 0.0);
        let values = scores().map(|(score, _)| score);
        self.scores = Bins::cut(values, options.score_bins, below.as_slice());
        self.reshape(Shape::Binary {
            bins: self.scores.count(),
        });
    }

    fn cut_classes(&mut self, options: &OutcomeOptions, rows: &[OutcomeRow]) {
        let mut by_class = vec![Vec::new(); options.classes.len()];
        for best in rows.iter().flat_map(|row| top(&row.scored)) {
            if let Some(probabilities) = by_class.get_mut(usize::from(best.class)) {
                probabilities.push(f64::from(best.probability));
            }
        }
        let cut = |values: Vec<f64>| Bins::cut(values.into_iter(), options.class_bins, &[]);
        self.class_bins = by_class.into_iter().map(cut).collect();
        self.reshape(self.shape);
    }

    fn cut_values(&mut self, options: &OutcomeOptions, rows: &[OutcomeRow]) {
        let bins = options.value_bins;
        let values = rows.iter().filter_map(|row| value(&row.scored));
        self.scores = Bins::cut(values, bins, &[]);
        let pairs: Vec<(f64, f64)> = rows.iter().filter_map(value_and_label).collect();
        let errors = || pairs.iter().map(|(value, label)| error(*value, *label));
        let labels = || pairs.iter().map(|(_, label)| *label);
        self.absolute_errors = Bins::cut(errors().map(f64::abs), bins, &[]);
        self.errors = Bins::cut(errors(), bins, &[]);
        self.labels = Bins::cut(labels(), bins, &[]);
        let sizes = sorted(errors().map(f64::abs));
        let labels = sorted(labels());
        let at = |sorted: &[f64], q| {
            let rank = cuts::rank(q, sorted.len());
            sorted.get(rank).copied().unwrap_or(0.0)
        };
        let spread = [(0.25, 0.75), (0.05, 0.95), (0.0, 1.0)]
            .map(|(low, high)| (at(&labels, high) - at(&labels, low)).min(f64::MAX))
            .into_iter()
            .find(|spread| *spread > 0.0);
        let spread = spread.unwrap_or(0.0);
        self.label_grid = Grid::around(at(&labels, 0.5), spread);
        // Most errors first: a few wild ones must not coarsen the grid for all others.
        let size = [0.75, 0.95, 1.0].map(|q| at(&sizes, q));
        let size = size.into_iter().find(|size| *size > 0.0);
        self.error_grid = Grid::around(0.0, size.unwrap_or(spread));
        let large = self.absolute_errors.bin(at(&sizes, LARGE_QUANTILE)) + 1;
        self.reshape(Shape::Regression {
            bins: [&self.absolute_errors, &self.errors, &self.labels].map(Bins::count),
            large,
        });
    }

    pub(crate) fn reshape(&mut self, shape: Shape) {
        self.shape = shape;
        self.predicted_shape = predicted_shape(shape, self.scores.count(), &self.class_bins);
        self.reference = OutcomeReference {
            predicted: PredictedSummary::with_shape(self.predicted_shape),
            shape,
            outcomes: Vec::new(),
        };
    }

    fn count(&mut self, rows: &[OutcomeRow]) -> Result<(), OutcomeBuildError> {
        let mut predicted = PredictedSummary::empty(self);
        let mut outcomes: BTreeMap<DelayBucket, OutcomeSummary> = BTreeMap::new();
        for (i, row) in rows.iter().enumerate() {
            let failure = |_| OutcomeBuildError::Row { row: i };
            predicted.add(self, &row.scored).map_err(failure)?;
            let Some(label) = row.label else {
                continue;
            };
            let bucket = label
                .delay_micros
                .map_or(DelayBucket::UNKNOWN, DelayBucket::of);
            let summary = outcomes
                .entry(bucket)
                .or_insert_with(|| OutcomeSummary::empty(self));
            let (weight, delay) = (label.weight, label.delay_micros);
            let added = summary.add(self, &row.scored, label.truth, weight, delay);
            added.map_err(failure)?;
        }
        if outcomes.values().all(|summary| summary.judged() == 0) {
            return Err(OutcomeBuildError::NoLabels);
        }
        self.reference.predicted = predicted;
        self.reference.outcomes = outcomes.into_iter().collect();
        Ok(())
    }

    fn summarise_scores(&mut self, rows: &[OutcomeRow]) {
        let mut bins = vec![Mean::default(); self.scores.count()];
        // Scores need not be probabilities: their sums are taken on a grid of their own.
        let sizes = sorted(
            rows.iter()
                .filter_map(|row| binary(&row.scored))
                .map(|(s, _)| s.abs()),
        );
        let grid = Grid::around(0.0, sizes.get(sizes.len() / 2).copied().unwrap_or(1.0));
        for row in rows {
            let Some((score, _)) = binary(&row.scored) else {
                continue;
            };
            let place = i128::from(grid.sums(&[score]).sum);
            let truth = row.label.and_then(|label| match label.truth {
                Truth::Class(class @ (0 | 1)) => Some(class == 1),
                _ => None,
            });
            bins[self.scores.bin(score)].add(place, truth);
        }
        self.probabilities = vec![probability_bins(&bins, grid.step())];
    }

    fn summarise_classes(&mut self, rows: &[OutcomeRow]) {
        let empty = |bins: &Bins| vec![Mean::default(); bins.count() + 1];
        let mut by_class: Vec<Vec<Mean>> = self.class_bins.iter().map(empty).collect();
        for row in rows {
            let truth = match row.label.map(|label| label.truth) {
                Some(Truth::Class(class)) => Some(usize::from(class)),
                _ => None,
            };
            for (class, bins) in by_class.iter_mut().enumerate() {
                let best = top(&row.scored).find(|best| usize::from(best.class) == class);
                let (bin, place) = match best {
                    Some(best) => {
                        let probability = f64::from(best.probability);
                        let place = (probability * (1_u64 << MEAN_BITS) as f64).round() as i64;
                        (self.class_bins[class].bin(probability), i128::from(place))
                    }
                    None => (bins.len() - 1, 0),
                };
                bins[bin].add(place, truth.map(|truth| truth == class));
            }
        }
        let step = 1.0 / (1_u64 << MEAN_BITS) as f64;
        let bins = by_class.iter().map(|bins| probability_bins(bins, step));
        self.probabilities = bins.collect();
    }

    fn summarise_values(&mut self, rows: &[OutcomeRow]) {
        let (mut counts, mut sums) = (vec![0; self.scores.count()], Vec::new());
        sums.resize(self.scores.count(), [0_i128; 4]);
        let (mut all, mut all_sums) = (0, [0_i128; 4]);
        for (value, label) in rows.iter().filter_map(value_and_label) {
            let place = self.error_grid.sums(&[error(value, label)]);
            let (sum, square) = (i128::from(place.sum), place.squares as i128);
            let short = square >> FOURTH_SHIFT;
            let terms = [sum, sum.abs(), square, short * short];
            let bin = self.scores.bin(value);
            counts[bin] += 1;
            all += 1;
            for (i, term) in terms.into_iter().enumerate() {
                sums[bin][i] += term;
                all_sums[i] += term;
            }
        }
        let step = self.error_grid.step();
        let short = (1_u64 << FOURTH_SHIFT) as f64;
        let scales = [step, step, step * step, (step * step * short).powi(2)];
        let losses = counts.iter().zip(&sums).map(|(n, sums)| {
            let (of, sums) = if *n > 0 { (*n, sums) } else { (all, &all_sums) };
            let mean = |i: usize| sums[i] as f64 / of.max(1) as f64 * scales[i];
            ValueBin {
                n: *n,
                error: mean(0),
                absolute_error: mean(1),
                squared_error: mean(2).min(f64::MAX),
                fourth_power: mean(3).min(f64::MAX),
            }
        });
        self.values = losses.collect();
    }
}

/// Scores and labels of one bin.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    rows: u64,
    sum: i128,
    labelled: u64,
    positive: u64,
}

impl Mean {
    fn add(&mut self, place: i128, truth: Option<bool>) {
        self.rows += 1;
        self.sum += place;
        self.labelled += u64::from(truth.is_some());
        self.positive += u64::from(truth == Some(true));
    }
}

/// The mean score and the share of positives in each bin; that of the nearest bin below, else above, where there is
/// nothing.
fn probability_bins(bins: &[Mean], step: f64) -> Vec<ProbabilityBin> {
    let score = |mean: &Mean| (mean.rows > 0).then(|| mean.sum as f64 / mean.rows as f64 * step);
    let share = |mean: &Mean| {
        let share = || mean.positive as f64 / mean.labelled as f64;
        (mean.labelled > 0).then(share)
    };
    let filled = |of: &dyn Fn(&Mean) -> Option<f64>| -> Vec<f64> {
        let mut last = bins.iter().find_map(of).unwrap_or(0.0);
        let next = |mean| {
            last = of(mean).unwrap_or(last);
            last + 0.0
        };
        bins.iter().map(next).collect()
    };
    let (scores, shares) = (filled(&score), filled(&share));
    let pair = |(score, probability)| ProbabilityBin { score, probability };
    scores.into_iter().zip(shares).map(pair).collect()
}

fn predicted_shape(shape: Shape, bins: usize, class_bins: &[Bins]) -> PredictedShape {
    match shape {
        Shape::Binary { .. } => PredictedShape::Binary { bins },
        Shape::Multiclass { classes } => PredictedShape::Multiclass {
            classes,
            stride: class_bins.iter().map(Bins::count).max().unwrap_or(1) + 1,
        },
        Shape::Regression { .. } => PredictedShape::Regression { bins },
        Shape::Ranking => PredictedShape::Ranking,
    }
}

/// The item of the output column `scores.<item>`.
fn item_of(column: &str) -> u32 {
    ranking_item(column.strip_prefix("scores.").unwrap_or(column))
}

fn binary(scored: &Scored) -> Option<(f64, bool)> {
    match scored {
        Scored::Binary { score, positive } => Some((*score, *positive)),
        _ => None,
    }
}

fn top(scored: &Scored) -> impl Iterator<Item = super::ClassScore> {
    let top = match scored {
        Scored::Multiclass { top, .. } => Some(*top),
        _ => None,
    };
    top.into_iter().flatten().filter(|best| !best.is_none())
}

fn value(scored: &Scored) -> Option<f64> {
    match scored {
        Scored::Regression { value } => Some(*value),
        _ => None,
    }
}

fn value_and_label(row: &OutcomeRow) -> Option<(f64, f64)> {
    let label = match row.label?.truth {
        Truth::Number(label) if label.is_finite() => label,
        _ => return None,
    };
    Some((value(&row.scored)?, label))
}

/// Prediction minus label.
fn error(value: f64, label: f64) -> f64 {
    (value - label).clamp(f64::MIN, f64::MAX)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}
