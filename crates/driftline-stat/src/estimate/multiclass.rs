//! Estimates for a model with several classes: one class against the rest, averaged.

use super::binary::{BinaryEstimate, Estimate, EstimateBin, estimate_binary, estimate_binary_rows};
use super::decision::needs_calibration;
use super::group;
use super::isotonic::IsotonicCalibration;
use super::metric::Metric;
use super::reference::{
    ByMetric, Cells, SamplingError, area_variance, average_precision_variance, share_variance,
};

/// NannyML widens the sampling error of the macro AUC, whose classes are not independent, by this.
const AREA_FACTOR: f64 = 1.2;

/// Rows of a model with several classes: classes are numbered, in the order of their names.
#[derive(Clone, Copy, Debug)]
pub struct ClassRows<'a> {
    /// The score of each class, a row of scores per class.
    pub scores: &'a [Vec<f64>],
    /// The predicted class of each row.
    pub predicted: &'a [usize],
}

/// The metrics of several classes: macro averages, and the cells of the confusion matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct ByClass<T> {
    metrics: ByMetric<T>,
    classes: usize,
    cells: Vec<Option<T>>,
}

impl<T: Copy> ByClass<T> {
    fn new(classes: usize) -> Self {
        Self {
            metrics: ByMetric::new(),
            classes,
            cells: vec![None; classes * classes],
        }
    }

    /// The value of `metric`; none of the cells of a two-class matrix has one.
    #[must_use]
    pub fn metric(&self, metric: Metric) -> Option<T> {
        self.metrics.get(metric)
    }

    /// The rows of class `truth` that are predicted to be of class `predicted`.
    #[must_use]
    pub fn cell(&self, truth: usize, predicted: usize) -> Option<T> {
        let inside = truth < self.classes && predicted < self.classes;
        inside.then(|| self.cells[truth * self.classes + predicted])?
    }
}

/// One calibration per class; each row's calibrated probabilities are divided by their sum.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ClassCalibration {
    classes: Vec<Option<IsotonicCalibration>>,
}

impl ClassCalibration {
    /// Fits each class against the rest: `fit(scores, is_class)` says whether a class is calibrated at all
    /// ([`needs_calibration`] for NannyML's choice).
    #[must_use]
    pub fn fit(
        scores: &[Vec<f64>],
        labels: &[usize],
        fit: impl Fn(&[f64], &[bool]) -> bool,
    ) -> Self {
        let of_class = |(class, scores): (usize, &Vec<f64>)| {
            let is: Vec<bool> = labels.iter().map(|label| *label == class).collect();
            if !fit(scores, &is) {
                return None;
            }
            let outcomes: Vec<f64> = is.iter().map(|is| f64::from(u8::from(*is))).collect();
            IsotonicCalibration::fit(scores, &outcomes, None)
        };
        Self {
            classes: scores.iter().enumerate().map(of_class).collect(),
        }
    }

    /// NannyML's choice: a class is calibrated when that makes its scores better.
    #[must_use]
    pub fn fit_where_needed(scores: &[Vec<f64>], labels: &[usize]) -> Self {
        Self::fit(scores, labels, needs_calibration)
    }

    /// Which classes are calibrated.
    pub fn calibrated(&self) -> impl Iterator<Item = bool> + '_ {
        self.classes.iter().map(Option::is_some)
    }

    /// The probabilities of each class, a row of probabilities per class. Rows whose probabilities are all 0
    /// are taken for undecided: every class gets the same.
    #[must_use]
    pub fn calibrate(&self, scores: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let of_class =
            |(calibration, scores): (&Option<IsotonicCalibration>, &Vec<f64>)| match calibration {
                Some(calibration) => scores.iter().map(|s| calibration.calibrate(*s)).collect(),
                None => scores.clone(),
            };
        let mut found: Vec<Vec<f64>> = self.classes.iter().zip(scores).map(of_class).collect();
        let share = 1.0 / found.len().max(1) as f64;
        for row in 0..found.first().map_or(0, Vec::len) {
            let sum: f64 = found.iter().map(|class| class[row]).sum();
            for class in &mut found {
                class[row] = if sum == 0.0 { share } else { class[row] / sum };
            }
        }
        found
    }
}

/// Confidence-based performance estimation with several classes, from rows.
///
/// `probabilities` are the calibrated ones ([`ClassCalibration::calibrate`]), a row per class. AUC, average
/// precision, F1, precision, recall and specificity are means over the classes of one class against the rest;
/// accuracy is the mean probability of the predicted class; `costs[truth][predicted]` is what a cell is worth.
/// The deviation of a mean over classes takes the classes for independent, as NannyML's bands do. None without
/// rows or when the slices do not fit together.
///
/// Source: NannyML 0.13.1, `performance_estimation.confidence_based.metrics`.
#[must_use]
pub fn estimate_multiclass_rows(
    rows: &ClassRows<'_>,
    probabilities: &[Vec<f64>],
    costs: Option<&[Vec<f64>]>,
) -> Option<ByClass<Estimate>> {
    let classes = fitting(rows, costs)?;
    let n = rows.predicted.len();
    if probabilities.len() != classes || probabilities.iter().any(|p| p.len() != n) {
        return None;
    }
    let mut against: Vec<BinaryEstimate> = Vec::with_capacity(classes);
    for (class, (scores, p)) in rows.scores.iter().zip(probabilities).enumerate() {
        let said: Vec<bool> = rows.predicted.iter().map(|said| *said == class).collect();
        against.push(estimate_binary_rows(scores, p, Some(&said), None)?);
    }
    let mut found = ByClass::new(classes);
    macro_averages(&against, &mut found);
    let mut cells = vec![(0.0, 0.0); classes * classes];
    let (mut right, mut worth_variance) = (0.0, 0.0);
    for (row, said) in rows.predicted.iter().enumerate() {
        let (mut worth, mut worth_squared) = (0.0, 0.0);
        for (truth, of_class) in probabilities.iter().enumerate() {
            let p = of_class[row].clamp(0.0, 1.0);
            let cell = &mut cells[truth * classes + said];
            *cell = (cell.0 + p, cell.1 + p * (1.0 - p));
            let value = costs.map_or(0.0, |costs| costs[truth][*said]);
            worth += p * value;
            worth_squared += p * value * value;
        }
        right += {
            let p = probabilities[*said][row].clamp(0.0, 1.0);
            p * (1.0 - p)
        };
        worth_variance += (worth_squared - worth * worth).max(0.0);
    }
    let rows = n as f64;
    let diagonal: f64 = (0..classes).map(|c| cells[c * classes + c].0).sum();
    let accuracy = Estimate::new(diagonal / rows, right / (rows * rows));
    found.metrics.set(Metric::Accuracy, Some(accuracy));
    let worth = costs.map(|costs| {
        let value = |(i, cell): (usize, &(f64, f64))| cell.0 * costs[i / classes][i % classes];
        Estimate::new(cells.iter().enumerate().map(value).sum(), worth_variance)
    });
    found.metrics.set(Metric::BusinessValue, worth);
    found.cells = cells
        .into_iter()
        .map(|(n, v)| Some(Estimate::new(n, v)))
        .collect();
    Some(found)
}

/// The same from a histogram per class: `classes[k]` are the bins of class k's score, ascending, with the mean
/// calibrated probability of class k and how many events of each bin are predicted to be k.
///
/// Only what one class against the rest can tell: no cells off the diagonal, no business value. The bounds of
/// [`estimate_binary`] hold class by class.
#[must_use]
pub fn estimate_multiclass(classes: &[Vec<EstimateBin>]) -> Option<ByClass<Estimate>> {
    let against: Option<Vec<BinaryEstimate>> = classes
        .iter()
        .map(|bins| estimate_binary(bins, None))
        .collect();
    let against = against.filter(|all| all.len() > 1)?;
    let mut found = ByClass::new(classes.len());
    macro_averages(&against, &mut found);
    let rows = against.iter().map(BinaryEstimate::rows).fold(0.0, f64::max);
    let (mut right, mut variance) = (0.0, 0.0);
    for (class, estimate) in against.iter().enumerate() {
        let hits = estimate.metric(Metric::TruePositive)?;
        found.cells[class * classes.len() + class] = Some(hits);
        right += hits.value;
        variance += hits.deviation * hits.deviation;
    }
    found.metrics.set(
        Metric::Accuracy,
        Some(Estimate::new(right / rows, variance / (rows * rows))),
    );
    Some(found)
}

fn macro_averages(against: &[BinaryEstimate], found: &mut ByClass<Estimate>) {
    let classes = against.len() as f64;
    for metric in Metric::MULTICLASS {
        if matches!(metric, Metric::Accuracy | Metric::BusinessValue) {
            continue;
        }
        let all: Option<Vec<Estimate>> = against.iter().map(|e| e.metric(metric)).collect();
        let mean = all.map(|all| {
            let value: f64 = all.iter().map(|e| e.value).sum();
            let variance: f64 = all.iter().map(|e| e.deviation * e.deviation).sum();
            Estimate::new(value / classes, variance / (classes * classes))
        });
        found.metrics.set(metric, mean);
    }
}

/// How many classes there are, if everything fits together.
fn fitting(rows: &ClassRows<'_>, costs: Option<&[Vec<f64>]>) -> Option<usize> {
    let (classes, n) = (rows.scores.len(), rows.predicted.len());
    let square =
        |costs: &[Vec<f64>]| costs.len() == classes && costs.iter().all(|row| row.len() == classes);
    let fits = classes > 1
        && n > 0
        && rows.scores.iter().all(|scores| scores.len() == n)
        && rows.predicted.iter().all(|p| *p < classes)
        && costs.is_none_or(square);
    fits.then_some(classes)
}

/// The metrics of rows whose class is known, as scikit-learn computes them. None where a chunk cannot tell, as
/// with NannyML: when labels or predictions are all of one class, and for AUC when a class has no label.
#[must_use]
pub fn realised_multiclass(
    rows: &ClassRows<'_>,
    labels: &[usize],
    costs: Option<&[Vec<f64>]>,
) -> Option<ByClass<f64>> {
    let classes = fitting(rows, costs)?;
    let counts = counts(rows, labels, classes)?;
    let mut found = ByClass::new(classes);
    let n = labels.len() as f64;
    let (truths, said) = margins(&counts, classes);
    let several = |margin: &[f64]| margin.iter().filter(|n| **n > 0.0).count() > 1;
    let (labels_vary, both_vary) = (several(&truths), several(&truths) && several(&said));
    let means = |value: &dyn Fn(usize) -> Option<f64>| -> Option<f64> {
        let all: Option<Vec<f64>> = (0..classes).map(value).collect();
        all.map(|all| all.iter().sum::<f64>() / classes as f64)
    };
    let groups = |class| one_against_rest(rows, labels, class);
    found
        .metrics
        .set(Metric::RocAuc, means(&|class| group::area(&groups(class))));
    let precision = means(&|class| group::tied_average_precision(&groups(class)).or(Some(0.0)));
    found
        .metrics
        .set(Metric::AveragePrecision, precision.filter(|_| labels_vary));
    let ratio = |a: f64, b: f64| Some(if b > 0.0 { a / b } else { 0.0 });
    let hit = |class: usize| counts[class * classes + class];
    let of_specificity = |class: usize| {
        let (tn, of) = (
            n - truths[class] - said[class] + hit(class),
            n - truths[class],
        );
        (of > 0.0).then(|| tn / of)
    };
    let ratios: [(Metric, Option<f64>); 5] = [
        (Metric::Precision, means(&|c| ratio(hit(c), said[c]))),
        (Metric::Recall, means(&|c| ratio(hit(c), truths[c]))),
        (
            Metric::F1,
            means(&|c| ratio(2.0 * hit(c), truths[c] + said[c])),
        ),
        (Metric::Specificity, means(&of_specificity)),
        (
            Metric::Accuracy,
            Some((0..classes).map(hit).sum::<f64>() / n),
        ),
    ];
    for (metric, value) in ratios {
        found.metrics.set(metric, value.filter(|_| both_vary));
    }
    found.metrics.set(
        Metric::BusinessValue,
        costs.map(|costs| worth(&counts, costs).map(|(n, value)| n * value).sum()),
    );
    found.cells = counts
        .iter()
        .map(|n| Some(*n).filter(|_| both_vary))
        .collect();
    Some(found)
}

/// The sampling error of each metric, learned on the labelled reference, by NannyML 0.13.1's formulas. See
/// [`sampling_binary`](super::sampling_binary).
#[must_use]
pub fn sampling_multiclass(
    rows: &ClassRows<'_>,
    labels: &[usize],
    costs: Option<&[Vec<f64>]>,
) -> Option<ByClass<SamplingError>> {
    let classes = fitting(rows, costs)?;
    let counts = counts(rows, labels, classes)?;
    let mut found = ByClass::new(classes);
    let n = labels.len() as f64;
    let (truths, said) = margins(&counts, classes);
    let (mut area, mut precision) = (Some(0.0), Some(0.0));
    let mut sums = [0.0; 4];
    for class in 0..classes {
        let groups = one_against_rest(rows, labels, class);
        let of_area = area_variance(&groups).map(|(variance, share)| variance / share);
        area = area.zip(of_area).map(|(sum, x)| sum + x);
        precision = precision
            .zip(average_precision_variance(&groups))
            .map(|(sum, x)| sum + x);
        let tp = counts[class * classes + class];
        let (fp, fneg) = (said[class] - tp, truths[class] - tp);
        let cells = Cells {
            tp,
            fp,
            fneg,
            tn: n - tp - fp - fneg,
        };
        for (sum, (of, among)) in sums.iter_mut().zip(cells.looked_at()) {
            let (variance, share) = share_variance(of, among, n);
            *sum += variance / share;
        }
    }
    let mean = |sum: f64| SamplingError::of_mean(libm::sqrt(sum) / classes as f64);
    let area = area.and_then(|sum| mean(sum * AREA_FACTOR * AREA_FACTOR));
    found.metrics.set(Metric::RocAuc, area);
    let precision =
        precision.and_then(|sum| SamplingError::of_mean(libm::sqrt(sum / classes as f64)));
    found.metrics.set(Metric::AveragePrecision, precision);
    let [of_precision, recall, specificity, f1] = sums.map(mean);
    found.metrics.set(Metric::Precision, of_precision);
    found.metrics.set(Metric::Recall, recall);
    found.metrics.set(Metric::Specificity, specificity);
    found.metrics.set(Metric::F1, f1);
    let hits: f64 = (0..classes).map(|c| counts[c * classes + c]).sum();
    let of_share = |of: f64| libm::sqrt(share_variance(of, n, n).0);
    found
        .metrics
        .set(Metric::Accuracy, SamplingError::of_mean(of_share(hits)));
    found.metrics.set(
        Metric::BusinessValue,
        costs.and_then(|costs| SamplingError::of_total(worth_deviation(&counts, costs, n))),
    );
    found.cells = counts
        .iter()
        .map(|n| SamplingError::of_total(of_share(*n)))
        .collect();
    Some(found)
}

/// Standard deviation of a row's worth, with n − 1 as pandas has it.
fn worth_deviation(counts: &[f64], costs: &[Vec<f64>], n: f64) -> f64 {
    let mean = worth(counts, costs)
        .map(|(count, value)| count * value)
        .sum::<f64>()
        / n;
    let squares =
        worth(counts, costs).map(|(count, value)| count * (value - mean) * (value - mean));
    libm::sqrt(squares.sum::<f64>() / (n - 1.0))
}

fn worth<'a>(counts: &'a [f64], costs: &'a [Vec<f64>]) -> impl Iterator<Item = (f64, f64)> + 'a {
    counts.iter().copied().zip(costs.iter().flatten().copied())
}

/// The confusion matrix, truth by truth.
fn counts(rows: &ClassRows<'_>, labels: &[usize], classes: usize) -> Option<Vec<f64>> {
    let fits = labels.len() == rows.predicted.len() && labels.iter().all(|l| *l < classes);
    let mut counts = vec![0.0; classes * classes];
    for (truth, said) in labels.iter().zip(rows.predicted).filter(|_| fits) {
        counts[truth * classes + said] += 1.0;
    }
    fits.then_some(counts)
}

/// How many rows are, and how many are predicted to be, of each class.
fn margins(counts: &[f64], classes: usize) -> (Vec<f64>, Vec<f64>) {
    let truths = (0..classes).map(|t| counts[t * classes..(t + 1) * classes].iter().sum());
    let said = (0..classes).map(|s| (0..classes).map(|t| counts[t * classes + s]).sum());
    (truths.collect(), said.collect())
}

fn one_against_rest(rows: &ClassRows<'_>, labels: &[usize], class: usize) -> Vec<group::Group> {
    let pairs = rows.scores[class].iter().zip(labels);
    group::of_outcomes(pairs.map(|(score, label)| (*score, *label == class)))
}
