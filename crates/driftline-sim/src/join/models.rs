//! The models of the schedules.

use std::sync::Arc;
use std::time::Duration;

use driftline_engine::{LabelSpec, ModelSet, ModelSpec};
use driftline_event::{ColumnRole, Task};
use driftline_sketch::{
    OutcomeOptions, OutcomeProfile, OutcomeRow, ProfileOptions, ReferenceBuilder, Scored,
};

use crate::Rng;

fn outcome(task: Task) -> OutcomeProfile {
    let mut options = OutcomeOptions::new(task);
    options.score_columns = vec!["score".to_owned()];
    (options.score_bins, options.value_bins) = (8, 8);
    if task == Task::Binary {
        options.classes = vec!["no".to_owned(), "yes".to_owned()];
    }
    let mut rng = Rng::new(7);
    let rows: Vec<OutcomeRow> = (0..400)
        .map(|_| {
            let score = rng.unit();
            let scored = match task {
                Task::Binary => Scored::Binary {
                    score,
                    positive: score >= 0.5,
                },
                _ => Scored::Regression { value: score },
            };
            let truth = match task {
                Task::Binary => driftline_sketch::Truth::Class(u16::from(rng.unit() < score)),
                _ => driftline_sketch::Truth::Number(score + 0.1 * rng.bell()),
            };
            let label = driftline_sketch::OutcomeLabel {
                truth,
                weight: 1.0,
                delay_micros: None,
            };
            OutcomeRow {
                scored,
                label: Some(label),
            }
        })
        .collect();
    OutcomeProfile::build(&options, &rows).expect("the generated outcomes are valid")
}

fn spec(model: &str, version: &str, task: Task, ttl: Duration, rate: f64) -> ModelSpec {
    let mut rng = Rng::new(3);
    let mut builder = ReferenceBuilder::new(model, version, ProfileOptions::default());
    let scores = (0..400).map(|_| rng.unit()).collect();
    builder
        .numeric("score", ColumnRole::Output, scores)
        .expect("the generated reference is valid");
    let profile = builder.build().expect("the generated reference is valid");
    let minutes = |n: u64| Duration::from_secs(60 * n);
    ModelSpec {
        segments: vec!["region".to_owned()],
        // No prediction is late: which ones are is not the join's matter.
        out_of_orderness: minutes(60 * 24 * 400),
        labels: Some(LabelSpec {
            step: minutes(2),
            wait: minutes(6),
            ttl,
            mature_after: vec![minutes(5)],
            sampling_rate: rate,
            windows: Vec::new(),
            ..LabelSpec::default()
        }),
        ..ModelSpec::new(
            Arc::new(profile.with_outcome(Some(outcome(task)))),
            model,
            version,
        )
    }
}

/// Two versions of a model that decides, and one of a model that predicts numbers; labels live for about `ttl`.
///
/// # Panics
/// When a generated reference or specification is refused, which is a bug.
pub fn join_models(ttl: Duration, sampling_rate: f64) -> ModelSet {
    let specs = vec![
        spec("fraud", "1", Task::Binary, ttl, sampling_rate),
        spec("fraud", "2", Task::Binary, ttl / 2, sampling_rate),
        spec("fares", "*", Task::Regression, ttl, sampling_rate),
    ];
    ModelSet::new(specs).expect("generated specifications are valid")
}
