//! Several classes.

use driftline_stat::estimate::{
    ByClass, ClassCalibration, ClassRows, Health, HealthOptions, HealthReference, Metric,
    estimate_multiclass_rows, realised_multiclass, sampling_multiclass,
};

use super::Files;
use super::binary::{matrix, unknown_metric};
use super::read::{Asked, Columns, Label, class_name};
use super::series::{Estimation, Found, Series};
use crate::cli::{Calibrate, EstimateArgs, EstimateTask};
use crate::exit::Failure;

/// More classes than this are taken for a mistake: the cells grow with the square.
const CLASSES_MAX: usize = 100;

/// A metric, or a cell of the confusion matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Metric(Metric),
    Cell { truth: usize, predicted: usize },
}

impl Wanted {
    fn name(self, classes: &[(String, String)]) -> String {
        match self {
            Self::Metric(metric) => metric.to_string(),
            Self::Cell { truth, predicted } => {
                format!("true_{}_pred_{}", classes[truth].0, classes[predicted].0)
            }
        }
    }

    fn limits(self) -> (f64, f64) {
        match self {
            Self::Metric(metric) => (metric.lower_limit(), metric.upper_limit()),
            Self::Cell { .. } => (0.0, f64::INFINITY),
        }
    }

    fn of<T: Copy>(self, found: Option<&ByClass<T>>) -> Option<T> {
        match self {
            Self::Metric(metric) => found?.metric(metric),
            Self::Cell { truth, predicted } => found?.cell(truth, predicted),
        }
    }
}

/// The rows of a file, with classes numbered in the order of their names.
struct Rows {
    /// By class.
    scores: Vec<Vec<f64>>,
    predicted: Vec<Option<usize>>,
    labels: Option<Vec<Option<usize>>>,
}

/// Rows that have all that is needed.
struct Complete {
    scores: Vec<Vec<f64>>,
    predicted: Vec<usize>,
    labels: Vec<usize>,
}

impl Complete {
    fn rows(&self) -> ClassRows<'_> {
        ClassRows {
            scores: &self.scores,
            predicted: &self.predicted,
        }
    }
}

impl Rows {
    fn new(columns: &Columns, names: &[String], args: &EstimateArgs) -> Result<Self, Failure> {
        let scores = (0..names.len())
            .map(|i| columns.numbers(i).to_vec())
            .collect();
        let column = args.prediction.as_deref().unwrap_or_default();
        let said = columns.classes(0);
        let places = said.positions(&columns.file, column, names)?;
        let predicted = said
            .codes
            .iter()
            .map(|code| code.map(|c| places[c as usize]))
            .collect();
        let labels = match columns.label_classes() {
            Some(classes) => {
                let places = classes.positions(&columns.file, &args.label, names)?;
                Some(
                    classes
                        .codes
                        .iter()
                        .map(|code| code.map(|c| places[c as usize]))
                        .collect(),
                )
            }
            None => None,
        };
        Ok(Self {
            scores,
            predicted,
            labels,
        })
    }

    /// The rows of `of` that have all scores and a prediction and, if they are asked for, a label.
    fn complete(&self, of: &[usize], labelled: bool) -> Complete {
        let mut found = Complete {
            scores: vec![Vec::new(); self.scores.len()],
            predicted: Vec::new(),
            labels: Vec::new(),
        };
        for &row in of {
            let label = match (&self.labels, labelled) {
                (Some(labels), true) => labels[row],
                (None, true) => None,
                (_, false) => Some(0),
            };
            let (Some(predicted), Some(label)) = (self.predicted[row], label) else {
                continue;
            };
            if self.scores.iter().any(|scores| scores[row].is_nan()) {
                continue;
            }
            for (into, scores) in found.scores.iter_mut().zip(&self.scores) {
                into.push(scores[row]);
            }
            found.predicted.push(predicted);
            found.labels.push(label);
        }
        found
    }
}

/// Estimates a model with several classes.
pub(super) fn run(args: &EstimateArgs) -> Result<Estimation, Failure> {
    let classes = classes(args)?;
    let names: Vec<String> = classes.iter().map(|(name, _)| name.clone()).collect();
    let wanted = wanted(args, names.len())?;
    let costs = args
        .cost_matrix
        .as_deref()
        .map(|text| matrix(text, names.len()))
        .transpose()?;
    let costs = costs.as_deref();
    let asked = Asked {
        numbers: classes.iter().map(|(_, column)| column.clone()).collect(),
        probabilities: args.calibrate == Calibrate::Never,
        classes: args.prediction.iter().cloned().collect(),
        label: Some(Label::Class(args.label.clone())),
        time: args.time.clone(),
    };
    let files = Files::read(args, &asked)?;
    let reference = Rows::new(&files.reference, &names, args)?;
    let current = Rows::new(&files.current, &names, args)?;
    let known = reference.complete(files.reference_chunks.all(), true);
    check(&known, &names, &files.reference.file)?;
    let calibration = match args.calibrate {
        Calibrate::Auto => ClassCalibration::fit_where_needed(&known.scores, &known.labels),
        when => ClassCalibration::fit(&known.scores, &known.labels, |_, _| {
            when == Calibrate::Always
        }),
    };
    let mut estimation = files.describe(EstimateTask::Multiclass, args.deviations);
    estimation.calibrated = names
        .iter()
        .cloned()
        .zip(calibration.calibrated())
        .collect();
    estimation.series = series(&wanted, &classes, &files, &reference, &known, costs, args);
    let options = HealthOptions::default();
    let health: Vec<HealthReference> = known
        .scores
        .iter()
        .filter_map(|scores| HealthReference::new(scores, options))
        .collect();
    files.judge(&mut estimation, |rows| {
        let all = current.complete(rows, false);
        let p = calibration.calibrate(&all.scores);
        let estimate = estimate_multiclass_rows(&all.rows(), &p, costs);
        let labelled = current.complete(rows, true);
        let realised = realised_multiclass(&labelled.rows(), &labelled.labels, costs);
        let of = |wanted: &Wanted| {
            let found = wanted.of(estimate.as_ref());
            (found.map(|e| e.value), found.map(|e| e.deviation))
        };
        let used = all.predicted.len();
        let realised = wanted.iter().map(|wanted| wanted.of(realised.as_ref()));
        Found {
            used,
            estimates: wanted.iter().map(of).collect(),
            realised: realised.collect(),
            health: worst(&health, &all, rows.len() - used),
        }
    });
    Ok(estimation)
}

/// What the reference says of each metric.
fn series(
    wanted: &[Wanted],
    classes: &[(String, String)],
    files: &Files,
    reference: &Rows,
    known: &Complete,
    costs: Option<&[Vec<f64>]>,
    args: &EstimateArgs,
) -> Vec<Series> {
    let sampling = sampling_multiclass(&known.rows(), &known.labels, costs);
    let chunks = &files.reference_chunks;
    let of_chunk = |chunk: usize| {
        let complete = reference.complete(chunks.rows(chunk), true);
        realised_multiclass(&complete.rows(), &complete.labels, costs)
    };
    let realised: Vec<Option<ByClass<f64>>> = (0..chunks.len()).map(of_chunk).collect();
    let of_wanted = |wanted: &Wanted| {
        let realised: Vec<Option<f64>> = realised.iter().map(|r| wanted.of(r.as_ref())).collect();
        let (name, limits) = (wanted.name(classes), wanted.limits());
        let sampling = wanted.of(sampling.as_ref());
        Series::new(name, limits, sampling, &realised, args.deviations)
    };
    wanted.iter().map(of_wanted).collect()
}

/// The health of the class that fares worst.
fn worst(health: &[HealthReference], all: &Complete, missing: usize) -> Option<Health> {
    let each = health
        .iter()
        .zip(&all.scores)
        .map(|(health, scores)| health.judge(scores, missing, 0));
    each.max_by(|a, b| {
        a.state
            .cmp(&b.state)
            .then(a.distance.total_cmp(&b.distance))
    })
}

/// The classes and the columns of their scores, in the order of the classes' names.
fn classes(args: &EstimateArgs) -> Result<Vec<(String, String)>, Failure> {
    let pair = |text: &String| {
        let (class, column) = text.split_once('=').ok_or_else(|| {
            Failure::usage(format_args!("`{text}` does not say whose score it is"))
                .hint("write CLASS=COLUMN for every class")
        })?;
        Ok((class_name(class), column.to_owned()))
    };
    let mut classes: Vec<(String, String)> = args
        .score
        .iter()
        .map(pair)
        .collect::<Result<_, Failure>>()?;
    classes.sort();
    if classes.len() > CLASSES_MAX {
        let found = classes.len();
        return Err(Failure::usage(format_args!(
            "{found} classes are more than {CLASSES_MAX}"
        )));
    }
    match classes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(Failure::usage(format_args!(
            "the class `{}` has two columns",
            pair[0].0
        ))),
        None => Ok(classes),
    }
}

/// The metrics that are asked for, or all that can be had.
fn wanted(args: &EstimateArgs, classes: usize) -> Result<Vec<Wanted>, Failure> {
    let has_costs = args.cost_matrix.is_some();
    let mut found: Vec<Wanted> = Vec::new();
    if args.metrics.is_empty() {
        let can = |m: &Metric| has_costs || *m != Metric::BusinessValue;
        found.extend(
            Metric::MULTICLASS
                .into_iter()
                .filter(can)
                .map(Wanted::Metric),
        );
    }
    for name in &args.metrics {
        if name == "confusion_matrix" {
            let cells = (0..classes * classes).map(|i| Wanted::Cell {
                truth: i / classes,
                predicted: i % classes,
            });
            found.extend(cells);
            continue;
        }
        let metric = name.parse().ok().filter(|m| Metric::MULTICLASS.contains(m));
        let metric = metric.ok_or_else(|| unknown_metric(name, &Metric::MULTICLASS))?;
        if metric == Metric::BusinessValue && !has_costs {
            return Err(Failure::usage("business_value needs what each cell is worth").hint(
                "give it with --cost-matrix: a line per true class, in the order of the classes' names",
            ));
        }
        if !found.contains(&Wanted::Metric(metric)) {
            found.push(Wanted::Metric(metric));
        }
    }
    Ok(found)
}

/// Every class needs rows in the reference.
fn check(known: &Complete, names: &[String], file: &str) -> Result<(), Failure> {
    match (0..names.len()).find(|class| !known.labels.contains(class)) {
        Some(class) => {
            let message = format!("{file}: no complete row has the label `{}`", names[class]);
            Err(Failure::bad_data(message).hint("the reference must have labels of every class"))
        }
        None => Ok(()),
    }
}
