//! Two classes.

use driftline_stat::estimate::{
    ByMetric, CostMatrix, HealthOptions, HealthReference, IsotonicCalibration, LabelledRows,
    Metric, estimate_binary_rows, needs_calibration, realised_binary, sampling_binary,
};

use super::Files;
use super::chunks::Chunking;
use super::read::{Asked, Classes, Columns, Label, class_name};
use super::series::{Estimation, Found, Series};
use crate::cli::{Calibrate, EstimateArgs, EstimateTask};
use crate::config::suggest;
use crate::exit::Failure;

/// The cells of the confusion matrix, which `--metrics confusion_matrix` asks for.
const CELLS: [Metric; 4] = [
    Metric::TruePositive,
    Metric::TrueNegative,
    Metric::FalsePositive,
    Metric::FalseNegative,
];

/// The names that stand for the positive class unless one is given.
const POSITIVE: [&str; 2] = ["1", "true"];
/// The names that stand for the other.
const NEGATIVE: [&str; 2] = ["0", "false"];

/// The rows of a file.
struct Rows {
    scores: Vec<f64>,
    /// None without predictions.
    predicted: Option<Vec<Option<bool>>>,
    /// None without labels.
    labels: Option<Vec<Option<bool>>>,
}

/// Rows that have all that is needed.
#[derive(Default)]
struct Complete {
    scores: Vec<f64>,
    predicted: Vec<bool>,
    labels: Vec<bool>,
}

impl Complete {
    fn predicted(&self, rows: &Rows) -> Option<&[bool]> {
        rows.predicted
            .is_some()
            .then_some(self.predicted.as_slice())
    }

    fn labelled<'a>(&'a self, rows: &Rows) -> LabelledRows<'a> {
        LabelledRows {
            scores: &self.scores,
            predicted: self.predicted(rows),
            labels: &self.labels,
        }
    }
}

impl Rows {
    fn new(columns: &Columns, args: &EstimateArgs) -> Result<Self, Failure> {
        let scores = columns.numbers(0).to_vec();
        let positive = |classes: &Classes, column: &str| truths(classes, columns, column, args);
        let predicted = match (&args.prediction, args.threshold) {
            (Some(column), _) => Some(positive(columns.classes(0), column)?),
            (None, Some(at)) => Some(
                scores
                    .iter()
                    .map(|s| (!s.is_nan()).then_some(*s >= at))
                    .collect(),
            ),
            (None, None) => None,
        };
        let labels = columns.label_classes();
        let labels = labels
            .map(|classes| positive(classes, &args.label))
            .transpose()?;
        Ok(Self {
            scores,
            predicted,
            labels,
        })
    }

    /// The rows of `of` that have a score and a prediction and, if they are asked for, a label.
    fn complete(&self, of: &[usize], labelled: bool) -> Complete {
        let mut found = Complete::default();
        for &row in of {
            let predicted = self.predicted.as_ref().map_or(Some(false), |p| p[row]);
            let label = match (&self.labels, labelled) {
                (Some(labels), true) => labels[row],
                (None, true) => None,
                (_, false) => Some(false),
            };
            let (Some(predicted), Some(label)) = (predicted, label) else {
                continue;
            };
            if self.scores[row].is_nan() {
                continue;
            }
            found.scores.push(self.scores[row]);
            found.predicted.push(predicted);
            found.labels.push(label);
        }
        found
    }
}

/// Whether each row is positive.
fn truths(
    classes: &Classes,
    columns: &Columns,
    column: &str,
    args: &EstimateArgs,
) -> Result<Vec<Option<bool>>, Failure> {
    let is: Vec<bool> = match &args.positive {
        Some(positive) => {
            let positive = class_name(positive);
            if classes.names.len() > 2 {
                let (file, found) = (&columns.file, classes.names.len());
                let message = format!("{file}: column `{column}`: {found} classes, not two");
                return Err(Failure::bad_data(message)
                    .hint("several classes need --task multiclass and a score of each"));
            }
            classes
                .names
                .iter()
                .map(|(name, _)| *name == positive)
                .collect()
        }
        None => {
            let known: Vec<String> = [POSITIVE, NEGATIVE]
                .concat()
                .iter()
                .map(|n| (*n).into())
                .collect();
            let places = classes
                .positions(&columns.file, column, &known)
                .map_err(|e| e.hint("name the positive class with --positive"))?;
            places
                .into_iter()
                .map(|place| place < POSITIVE.len())
                .collect()
        }
    };
    Ok(classes
        .codes
        .iter()
        .map(|code| code.map(|code| is[code as usize]))
        .collect())
}

/// Estimates a model with two classes.
pub(super) fn run(args: &EstimateArgs) -> Result<Estimation, Failure> {
    let metrics = metrics(args)?;
    let costs = args.cost_matrix.as_deref().map(costs).transpose()?;
    let asked = Asked {
        numbers: args.score.clone(),
        probabilities: args.calibrate == Calibrate::Never,
        classes: args.prediction.iter().cloned().collect(),
        label: Some(Label::Class(args.label.clone())),
        time: args.time.clone(),
    };
    let files = Files::read(args, &asked)?;
    let reference = Rows::new(&files.reference, args)?;
    let current = Rows::new(&files.current, args)?;
    let known = reference.complete(files.reference_chunks.all(), true);
    if known.labels.is_empty() {
        let file = &files.reference.file;
        return Err(Failure::bad_data(format_args!(
            "{file}: no row has a score, prediction and label"
        ))
        .hint("the reference must be labelled"));
    }
    let calibration = calibration(args.calibrate, &known);
    let mut estimation = files.describe(EstimateTask::Binary, args.deviations);
    estimation.calibrated = vec![(String::new(), calibration.is_some())];
    estimation.series = series(
        &files.reference_chunks,
        &reference,
        &known,
        &metrics,
        costs.as_ref(),
        args,
    );
    let health = HealthReference::new(&known.scores, HealthOptions::default());
    files.judge(&mut estimation, |rows| {
        let all = current.complete(rows, false);
        let p: Vec<f64> = match &calibration {
            Some(calibration) => {
                let scores = all.scores.iter();
                scores.map(|s| calibration.calibrate(*s)).collect()
            }
            None => all.scores.clone(),
        };
        let said = all.predicted(&current);
        let estimate = estimate_binary_rows(&all.scores, &p, said, costs.as_ref());
        let of = |metric: &Metric| {
            let found = estimate.as_ref().and_then(|e| e.metric(*metric));
            (found.map(|e| e.value), found.map(|e| e.deviation))
        };
        let labelled = current.complete(rows, true);
        let realised = realised_binary(&labelled.labelled(&current), costs.as_ref());
        let used = all.scores.len();
        let health = health.as_ref();
        Found {
            used,
            estimates: metrics.iter().map(of).collect(),
            realised: values(&realised, &metrics),
            health: health.map(|h| h.judge(&all.scores, rows.len() - used, 0)),
        }
    });
    Ok(estimation)
}

/// The metrics that are asked for, or all that can be had.
fn metrics(args: &EstimateArgs) -> Result<Vec<Metric>, Failure> {
    let predicts = args.prediction.is_some() || args.threshold.is_some();
    let can = |m: &Metric| {
        (predicts || !m.needs_prediction())
            && (args.cost_matrix.is_some() || *m != Metric::BusinessValue)
    };
    if args.metrics.is_empty() {
        return Ok(Metric::MULTICLASS.into_iter().filter(can).collect());
    }
    let mut found: Vec<Metric> = Vec::new();
    for name in &args.metrics {
        let named: Vec<Metric> = match name.as_str() {
            "confusion_matrix" => CELLS.to_vec(),
            name => vec![
                name.parse()
                    .map_err(|_| unknown_metric(name, &Metric::ALL))?,
            ],
        };
        for metric in named {
            if metric == Metric::BusinessValue && args.cost_matrix.is_none() {
                return Err(
                    Failure::usage("business_value needs what each cell is worth")
                        .hint("give it with --cost-matrix 'TN,FP;FN,TP'"),
                );
            }
            if !can(&metric) {
                return Err(Failure::usage(format_args!("{metric} needs predictions"))
                    .hint("name their column with --prediction, or a --threshold of the score"));
            }
            if !found.contains(&metric) {
                found.push(metric);
            }
        }
    }
    Ok(found)
}

pub(super) fn unknown_metric(name: &str, known: &[Metric]) -> Failure {
    let mut known: Vec<&str> = known.iter().map(|m| m.as_str()).collect();
    known.push("confusion_matrix");
    Failure::usage(format_args!("there is no metric `{name}`")).hint(suggest::hint(name, &known))
}

fn costs(text: &str) -> Result<CostMatrix, Failure> {
    let rows = matrix(text, 2)?;
    Ok(CostMatrix::from_rows([
        [rows[0][0], rows[0][1]],
        [rows[1][0], rows[1][1]],
    ]))
}

/// A square matrix of numbers: cells apart by commas, rows by semicolons.
pub(super) fn matrix(text: &str, size: usize) -> Result<Vec<Vec<f64>>, Failure> {
    let row = |row: &str| -> Option<Vec<f64>> {
        let cell = |cell: &str| cell.trim().parse().ok().filter(|x: &f64| x.is_finite());
        row.split(',').map(cell).collect()
    };
    let rows: Option<Vec<Vec<f64>>> = text.split(';').map(row).collect();
    rows.filter(|rows| rows.len() == size && rows.iter().all(|r| r.len() == size))
        .ok_or_else(|| {
            let message = format!("the cost matrix `{text}` is not {size} rows of {size} numbers");
            Failure::usage(message)
                .hint("write it as 'TN,FP;FN,TP': true classes are rows, predicted ones columns")
        })
}

/// The calibration of the scores, unless they are left as they are.
fn calibration(when: Calibrate, known: &Complete) -> Option<IsotonicCalibration> {
    // What is no probability cannot be used as one.
    let outside = known.scores.iter().any(|s| !(0.0..=1.0).contains(s));
    let wanted = match when {
        Calibrate::Never => false,
        Calibrate::Always => true,
        Calibrate::Auto => outside || needs_calibration(&known.scores, &known.labels),
    };
    let outcomes: Vec<f64> = known
        .labels
        .iter()
        .map(|is| f64::from(u8::from(*is)))
        .collect();
    wanted.then(|| IsotonicCalibration::fit(&known.scores, &outcomes, None))?
}

/// What the reference says of each metric.
fn series(
    chunks: &Chunking,
    rows: &Rows,
    known: &Complete,
    metrics: &[Metric],
    costs: Option<&CostMatrix>,
    args: &EstimateArgs,
) -> Vec<Series> {
    let sampling = sampling_binary(&known.labelled(rows), costs);
    let of_chunk = |chunk: usize| {
        let complete = rows.complete(chunks.rows(chunk), true);
        values(&realised_binary(&complete.labelled(rows), costs), metrics)
    };
    let realised: Vec<Vec<Option<f64>>> = (0..chunks.len()).map(of_chunk).collect();
    let of_metric = |(i, metric): (usize, &Metric)| {
        let realised: Vec<Option<f64>> = realised.iter().map(|chunk| chunk[i]).collect();
        let limits = (metric.lower_limit(), metric.upper_limit());
        Series::new(
            metric.to_string(),
            limits,
            sampling.get(*metric),
            &realised,
            args.deviations,
        )
    };
    metrics.iter().enumerate().map(of_metric).collect()
}

fn values(found: &ByMetric<f64>, metrics: &[Metric]) -> Vec<Option<f64>> {
    metrics.iter().map(|metric| found.get(*metric)).collect()
}
