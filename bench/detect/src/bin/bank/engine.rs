//! What deciding costs in the pipeline: the evaluator, from batches to reports.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use driftline_bench_detect::cpu_nanos;
use driftline_engine::{
    DecisionSpec, Evaluator, EvaluatorOptions, ModelSet, ModelSpec, Observer, ObserverOptions,
    Output, WindowSpec,
};
use driftline_event::{ColumnRole, LayoutId, Row, SourcePartition, Timestamp, Value};
use driftline_sketch::{ProfileOptions, ReferenceBuilder};

use crate::random::Random;

const START: i64 = 1_704_067_200;
const MODELS: f64 = 1_000.0;
const FEATURES: f64 = 100.0;
/// What 1,000 models of 100 features may take of one core.
const SHARE_MAX: f64 = 0.5;
/// Minutes before the clock runs: until the window is full, and banks and chunks are made.
const WARM_UP: i64 = 70;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) models: usize,
    pub(crate) features: usize,
    /// Of one model, in a minute.
    pub(crate) events: usize,
    /// Minutes that are measured.
    pub(crate) minutes: i64,
    /// Of a standard deviation, from the first event on; 0 for no drift.
    pub(crate) shift: f64,
}

/// Prints the processor time of [`Evaluator::handle`] alone, with a budget and without one.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) fn run(load: Load, seed: u64) -> Result<()> {
    ensure!(
        load.models > 0 && load.features > 0 && load.events > 0,
        "there is nothing to measure"
    );
    ensure!(load.minutes >= 5, "a window slides every five minutes");
    println!(
        "{} models of {} numbers, {} events a model and minute, one-minute panes, a window of 1h that slides by 5m",
        load.models, load.features, load.events
    );
    println!(
        "shift {} standard deviations, {} minutes after {WARM_UP}, seed {seed}",
        load.shift, load.minutes
    );
    let all = measure(load, true, seed)?;
    let plain = measure(load, false, seed)?;
    let scale = MODELS * FEATURES / 60e6;
    for (name, cost) in [("decisions on", all), ("no decisions", plain)] {
        println!(
            "{name}   {:7.2} µs a feature and pane   {:5.1} % of a core at 1,000 x 100   ({} reports, {} alerts)",
            cost.micros,
            100.0 * cost.micros * scale,
            cost.reports,
            cost.alerts
        );
    }
    let measured = (load.models * load.features) as f64;
    println!(
        "scaled up by {:.1} from the {measured} features measured; bound {:.0} %",
        MODELS * FEATURES / measured,
        100.0 * SHARE_MAX
    );
    ensure!(all.micros * scale <= SHARE_MAX, "it takes more than that");
    Ok(())
}

#[derive(Clone, Copy, Debug)]
struct Cost {
    micros: f64,
    reports: usize,
    alerts: usize,
}

fn specs(load: Load, decides: bool, random: &mut Random) -> Result<Vec<ModelSpec>> {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let mut values = Vec::new();
    let mut specs = Vec::with_capacity(load.models);
    for model in 0..load.models {
        let id = format!("m{model}");
        let mut builder = ReferenceBuilder::new(&id, "1", ProfileOptions::default());
        for feature in 0..load.features {
            random.normals(&mut values, 10_000);
            builder.numeric(&format!("x{feature}"), ColumnRole::Feature, values.clone())?;
        }
        specs.push(ModelSpec {
            windows: vec![WindowSpec {
                name: "1h".to_owned(),
                size: minutes(60),
                slide: minutes(5),
            }],
            out_of_orderness: Duration::ZERO,
            decision: decides.then(|| DecisionSpec::new(1.0, minutes(1))),
            ..ModelSpec::new(Arc::new(builder.build()?), &id, "1")
        });
    }
    Ok(specs)
}

fn measure(load: Load, decides: bool, seed: u64) -> Result<Cost> {
    let mut random = Random::new(seed);
    let models = ModelSet::new(specs(load, decides, &mut random)?)?;
    let mut observer = Observer::new(
        &models,
        ObserverOptions {
            watermark_rank: 1,
            ..ObserverOptions::default()
        },
    );
    let mut evaluator = Evaluator::new(&models, EvaluatorOptions::default());
    let (topic, partition) = ("t".to_owned(), 0);
    let source = observer.assign(SourcePartition { topic, partition }, 0, None);
    let (mut row, mut values, mut out) = (Row::default(), Vec::new(), Vec::new());
    let (mut nanos, mut offset, mut reports, mut alerts) = (0.0, 0, 0, 0);
    for minute in 0..WARM_UP + load.minutes {
        for event in 0..load.events * load.models {
            let layout = LayoutId((event % load.models) as u32);
            random.normals(&mut values, load.features);
            row.clear();
            row.start(layout, load.features, 0);
            let micros = 60_000_000 * event as i64 / (load.events * load.models) as i64;
            row.set_time(Timestamp::from_micros(
                1_000_000 * (START + 60 * minute) + micros,
            ));
            for (column, value) in values.iter().enumerate() {
                row.set_value(column, Value::Double(value + load.shift));
            }
            let kept = observer.observe(source, offset, None, &row);
            ensure!(kept.is_ok(), "an event is dropped: {kept:?}");
            offset += 1;
        }
        let batches = observer.flush().batches;
        let start = cpu_nanos();
        for (_, batch) in &batches {
            evaluator.handle(batch, &mut out)?;
        }
        if minute >= WARM_UP {
            nanos += cpu_nanos() - start;
        }
        for output in out.drain(..) {
            reports += usize::from(matches!(output, Output::Report(_)));
            alerts += usize::from(matches!(output, Output::Alert(_)));
            ensure!(!matches!(output, Output::Violation(_)), "{output:?}");
        }
    }
    let panes = load.minutes as f64 * (load.models * load.features) as f64;
    Ok(Cost {
        micros: nanos / 1e3 / panes,
        reports,
        alerts,
    })
}
