//! A regression: its losses, learned from the features.

use driftline_stat::estimate::{
    BoostOptions, HealthOptions, HealthReference, Loss, LossModel, realised_loss, sampling_loss,
};

use super::Files;
use super::features::Features;
use super::read::{Asked, Columns, Label};
use super::series::{Estimation, Found, Series};
use crate::cli::{EstimateArgs, EstimateTask};
use crate::config::suggest;
use crate::exit::Failure;

/// Predictions and labels of some rows.
#[derive(Default)]
struct Pairs {
    rows: Vec<usize>,
    predictions: Vec<f64>,
    labels: Vec<f64>,
}

impl Pairs {
    /// The rows of `of` that have a prediction and, if they are asked for, a label.
    fn complete(columns: &Columns, of: &[usize], labelled: bool) -> Self {
        let mut found = Self::default();
        for &row in of {
            let label = match (columns.label_numbers(), labelled) {
                (Some(labels), true) => labels[row],
                (None, true) => f64::NAN,
                (_, false) => 0.0,
            };
            let prediction = columns.numbers(0)[row];
            if !prediction.is_nan() && !label.is_nan() {
                found.rows.push(row);
                found.predictions.push(prediction);
                found.labels.push(label);
            }
        }
        found
    }
}

/// Estimates a regression model.
pub(super) fn run(args: &EstimateArgs) -> Result<Estimation, Failure> {
    let losses = losses(&args.metrics)?;
    let asked = Asked {
        numbers: args.prediction.iter().cloned().collect(),
        label: Some(Label::Number(args.label.clone())),
        time: args.time.clone(),
        ..Asked::default()
    };
    let files = Files::read(args, &asked)?;
    let features = Features::read(args)?;
    tracing::info!(
        "losses are learned from the prediction and: {}",
        features.names.join(", ")
    );
    let known = Pairs::complete(&files.reference, files.reference_chunks.all(), true);
    if known.rows.is_empty() {
        let file = &files.reference.file;
        return Err(
            Failure::bad_data(format_args!("{file}: no row has a prediction and a label"))
                .hint("the reference must be labelled"),
        );
    }
    let of_reference = features.reference(&known.rows);
    let learned = of_reference.with(&known.predictions);
    let fit = |loss: &Loss| {
        let options = BoostOptions::default();
        LossModel::fit(*loss, &learned, &known.labels, &known.predictions, &options)
    };
    let models: Vec<Option<LossModel>> = losses.iter().map(fit).collect();
    let mut estimation = files.describe(EstimateTask::Regression, args.deviations);
    estimation.series = losses
        .iter()
        .map(|loss| series(*loss, &files, &known, args))
        .collect();
    let health = HealthReference::new(&known.predictions, HealthOptions::default());
    let outside = features.outside(files.current.rows);
    files.judge(&mut estimation, |rows| {
        let all = Pairs::complete(&files.current, rows, false);
        let picked = features.current(&all.rows);
        let now = picked.with(&all.predictions);
        let estimate = |model: &Option<LossModel>| {
            let model = model.as_ref()?;
            model.estimate(&model.expect(&now)?)
        };
        let labelled = Pairs::complete(&files.current, rows, true);
        let realised = |loss: &Loss| realised_loss(*loss, &labelled.labels, &labelled.predictions);
        let beyond = all.rows.iter().filter(|row| outside[**row]).count();
        let missing = rows.len() - all.rows.len();
        let health = health.as_ref();
        Found {
            used: all.rows.len(),
            estimates: models.iter().map(|m| (estimate(m), None)).collect(),
            realised: losses.iter().map(realised).collect(),
            health: health.map(|h| h.judge(&all.predictions, missing, beyond)),
        }
    });
    Ok(estimation)
}

/// What the reference says of a loss.
fn series(loss: Loss, files: &Files, known: &Pairs, args: &EstimateArgs) -> Series {
    let chunks = &files.reference_chunks;
    let realised: Vec<Option<f64>> = (0..chunks.len())
        .map(|chunk| {
            let pairs = Pairs::complete(&files.reference, chunks.rows(chunk), true);
            realised_loss(loss, &pairs.labels, &pairs.predictions)
        })
        .collect();
    let sampling = sampling_loss(loss, &known.labels, &known.predictions);
    let limits = (0.0, f64::INFINITY);
    Series::new(
        loss.to_string(),
        limits,
        sampling,
        &realised,
        args.deviations,
    )
}

fn losses(names: &[String]) -> Result<Vec<Loss>, Failure> {
    if names.is_empty() {
        return Ok(Loss::ALL.to_vec());
    }
    let mut found: Vec<Loss> = Vec::new();
    for name in names {
        let loss: Loss = name.parse().map_err(|_| {
            let known: Vec<&str> = Loss::ALL.iter().map(|l| l.as_str()).collect();
            let failure = Failure::usage(format_args!("a regression has no metric `{name}`"));
            failure.hint(suggest::hint(name, &known))
        })?;
        if !found.contains(&loss) {
            found.push(loss);
        }
    }
    Ok(found)
}
