//! `driftline calibrate`: what history says about burstiness, harmless wander and cycles.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use driftline_detect::bank;
use driftline_engine::{
    DecisionSpec, EvaluatorOptions, LabelStreams, ModelSet, ModelSpec, Output, StreamWeights,
};
use driftline_event::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::calibration::collect::History;
use crate::calibration::fit::{self, DAYS_MIN, Plan, VersionFound};
use crate::calibration::labels::{self, LabelHistory, LabelPlan, LabelsReport};
use crate::calibration::report::VersionReport;
use crate::calibration::{CalibrationFile, FORMAT, HistoryEntry, VersionEntry};
use crate::cli::{CalibrateArgs, OutputFormat};
use crate::commands::replay::{Replay, label_options};
use crate::config::{self, Config, Decision, Model, Window};
use crate::exit::{Exit, Failure};
use crate::files::{Input, PredictionDefaults, PredictionFile};
use crate::pipeline::models::{self, Labelling};
use crate::pipeline::observer_options;
use crate::terminal;

/// The histories of one version by segment.
type Histories = BTreeMap<Option<String>, History>;

/// What was counted of one version.
#[derive(Clone, Debug, Default)]
struct Counted {
    columns: Histories,
    labels: LabelHistory,
}

const DAYS_HINT: &str = "a calibration rests on at least 14 days, UTC";
const SHORT_HINT: &str = "--allow-short makes do with fewer, and widens the bands for it";

/// Runs the command.
///
/// # Errors
/// When the configuration, a reference or a file cannot be used, the history is too short, or the result
/// cannot be written.
pub fn run(args: &CalibrateArgs) -> Result<Exit, Failure> {
    let (config, warnings) = config::load(&args.config)?;
    if warnings.warnings() > 0 {
        tracing::warn!("{warnings}");
    }
    let (counting, judging) = match args.labels.as_slice() {
        [] => (Labelling::None, Labelling::of(&config)),
        _ => (Labelling::Joined, Labelling::Joined),
    };
    let models = models::load(&counting_only(&config, args.segments), counting)?;
    let judged = models::load(&uncalibrated(&config), judging)?;
    let progress = spinner();
    let mut histories = read(args, &config, &models, &progress)?;
    let mut reports = Vec::new();
    let mut entries = Vec::new();
    for spec in judged.specs() {
        let counted = histories.remove(&(spec.model.clone(), spec.version.clone()));
        let Some((model, decision)) = wanted(&config, spec, args)? else {
            continue;
        };
        let counted = enough(spec, counted.unwrap_or_default(), args)?;
        let histories = counted.columns;
        let plan = plan(&config, spec, model, decision, args);
        let found = fit::calibrate(&plan, &histories, &|what, done| {
            progress.set_message(format!(
                "{} {}: {what}, {:.0} %",
                spec.model,
                spec.version,
                100.0 * done
            ));
        });
        let labels = judge_labels(spec, &counted.labels, args)?;
        let (report, entry) = describe(&plan, spec, &histories, (&found, labels));
        reports.push(report);
        entries.push(entry);
    }
    progress.finish_and_clear();
    if entries.is_empty() {
        let message = "no model has a decision rule that could be calibrated";
        return Err(Failure::config(message).hint("see models[].decision, and --model"));
    }
    write(&args.out, entries)?;
    tell(&reports, args)?;
    Ok(Exit::Fine)
}

/// The configuration with nothing but what counting needs: one window, no rules, no decision, no calibration.
fn counting_only(config: &Config, segments: bool) -> Config {
    let mut config = uncalibrated(config);
    for model in &mut config.models {
        model.decision = None;
        model.rules.clear();
        model.p_value_rules.clear();
        model.quorums.clear();
        model.windows = vec![Window {
            name: "pane".to_owned(),
            size: model.pane,
            slide: model.pane,
        }];
        if !segments {
            model.segments.clear();
        }
    }
    config
}

/// The configuration as if no version had been calibrated.
fn uncalibrated(config: &Config) -> Config {
    let mut config = config.clone();
    let models = config.models.iter_mut();
    models
        .flat_map(|model| &mut model.versions)
        .for_each(|version| version.calibration = None);
    config
}

/// Counts the files, pane by pane, and their labels, bucket by bucket.
fn read(
    args: &CalibrateArgs,
    config: &Config,
    models: &ModelSet,
    progress: &ProgressBar,
) -> Result<BTreeMap<(String, String), Counted>, Failure> {
    let options = EvaluatorOptions {
        emit_panes: true,
        emit_judged: true,
        ..EvaluatorOptions::default()
    };
    let topic = &config.predictions.topic;
    let mut replay = Replay::new(models, observer_options(config, 1), options, topic);
    if !args.labels.is_empty() {
        let files = (args.labels.as_slice(), args.label_column.as_deref());
        replay.join(models, label_options(files, config, models)?)?;
    }
    let mut histories = BTreeMap::new();
    let mut take = |output: Output| keep(output, models, args, &mut histories);
    for path in &args.predictions {
        let input = Input::from(path.as_path());
        progress.set_message(format!("reading {}", input.name()));
        let defaults = PredictionDefaults {
            model: args.model.clone(),
            version: args.model_version.clone(),
        };
        let catalog = models.catalog().clone();
        let mut file = PredictionFile::open(&input, &args.columns, catalog, defaults)?;
        for absent in file.absent_columns() {
            tracing::warn!(
                file = input.name(),
                column = absent,
                "no such column: all its values count as missing"
            );
        }
        replay.file(&mut file, &mut take, progress)?;
    }
    replay.finish(&mut take)?;
    let dropped: u64 = replay.counts.dropped.iter().map(|(_, n)| n).sum();
    if dropped > 0 {
        tracing::warn!(
            dropped,
            counted = replay.counts.counted,
            "some records do not count"
        );
    }
    Ok(histories)
}

/// Keeps what closed, if it is of the time that is asked for.
fn keep(
    output: Output,
    models: &ModelSet,
    args: &CalibrateArgs,
    histories: &mut BTreeMap<(String, String), Counted>,
) -> Result<(), Failure> {
    let outside = |start: Timestamp| {
        args.since.is_some_and(|since| start < since)
            || args.until.is_some_and(|until| start >= until)
    };
    match output {
        Output::Judged(bucket) if !outside(bucket.start) => {
            let version = (bucket.model.clone(), bucket.version.clone());
            histories.entry(version).or_default().labels.push(bucket);
            Ok(())
        }
        Output::Pane(pane) if !outside(pane.start) => {
            let Some((_, spec)) = models.find(&pane.model, &pane.version) else {
                return Ok(());
            };
            let version = (pane.model.clone(), pane.version.clone());
            let slices = &mut histories.entry(version).or_default().columns;
            let history = slices.entry(pane.segment.clone());
            let history = history.or_insert_with(|| History::new(&spec.profile));
            history.push(&pane, &spec.profile).map_err(|problem| {
                Failure::internal(format_args!("a pane of our own cannot be read: {problem}"))
            })
        }
        _ => Ok(()),
    }
}

/// The model that a specification came from and its decision rule, if it is to be calibrated.
fn wanted<'a>(
    config: &'a Config,
    spec: &ModelSpec,
    args: &CalibrateArgs,
) -> Result<Option<(&'a Model, &'a Decision)>, Failure> {
    if args.model.as_ref().is_some_and(|id| *id != spec.model) {
        return Ok(None);
    }
    let model = config.models.iter().find(|m| m.id == spec.model);
    let model = model.ok_or_else(|| Failure::internal("a model is not in its configuration"))?;
    if model.decision.is_none() {
        tracing::warn!(
            model = model.id,
            "its decision rule is off, so there is nothing to calibrate"
        );
    }
    Ok(model.decision.as_ref().map(|decision| (model, decision)))
}

/// The part of the history that is asked for, if it is long enough.
fn enough(
    spec: &ModelSpec,
    mut counted: Counted,
    args: &CalibrateArgs,
) -> Result<Counted, Failure> {
    let histories = &mut counted.columns;
    let days = histories.get(&None).map(History::days).unwrap_or_default();
    if let Some(wanted) = args.days
        && let Some(first) = days
            .len()
            .checked_sub(wanted as usize)
            .and_then(|i| days.get(i))
    {
        histories
            .values_mut()
            .for_each(|history| history.keep_from(*first));
        histories.retain(|_, history| history.span().is_some());
        counted.labels.keep_from(*first);
    }
    let days = histories.get(&None).map_or(0, |h| h.days().len());
    let (model, version) = (&spec.model, &spec.version);
    if is_enough(days, args) {
        return Ok(counted);
    }
    let message =
        format!("model `{model}` version `{version}`: {days} days of history are too few");
    let failure = Failure::bad_data(message);
    Err(if days >= 2 {
        failure.hint(DAYS_HINT).hint(SHORT_HINT)
    } else {
        failure.hint("the files name the models and versions in --model and --model-version or a column each")
    })
}

fn is_enough(days: usize, args: &CalibrateArgs) -> bool {
    days >= DAYS_MIN || (args.allow_short && days >= 2)
}

/// What history says about the labels of a version; none without labels, or if the version has no use for them.
fn judge_labels(
    spec: &Arc<ModelSpec>,
    history: &LabelHistory,
    args: &CalibrateArgs,
) -> Result<Option<LabelsReport>, Failure> {
    let Some(streams) = LabelStreams::new(spec).filter(|_| !args.labels.is_empty()) else {
        return Ok(None);
    };
    let days = history.days(None).len();
    if !is_enough(days, args) {
        let (model, version) = (&spec.model, &spec.version);
        let message = format!(
            "model `{model}` version `{version}`: {days} days with labels that could be judged are too few"
        );
        let failure = Failure::bad_data(message).hint(DAYS_HINT);
        return Err(if days >= 2 {
            failure.hint(SHORT_HINT)
        } else {
            failure.hint("labels are judged at labels.mature_after; the files must go on for as long after the days")
        });
    }
    let plan = LabelPlan {
        streams: &streams,
        months: args.months as usize,
        seed: args.seed,
    };
    let found = labels::calibrate(&plan, history);
    Ok(Some(LabelsReport::new(&streams, history, &found)))
}

/// How a version is going to be judged, by its configuration.
fn plan<'a>(
    config: &Config,
    spec: &'a ModelSpec,
    model: &Model,
    decision: &Decision,
    args: &CalibrateArgs,
) -> Plan<'a> {
    // What labels leave of the version's budget.
    let judged = spec.decision.as_ref();
    let budget = judged.map_or(decision.alarms_per_month, |d| spec.column_alarms(d));
    let tolerance = decision
        .tolerance
        .unwrap_or(DecisionSpec::TOLERANCE_CALIBRATED);
    // The specification counts segments only if they are asked for; the budget is split by the configured ones.
    let weights = StreamWeights::new(
        &spec.profile,
        &decision.weights,
        model.segments.len(),
        config.limits.segments_per_field_max as usize,
    );
    Plan {
        profile: &spec.profile,
        step: decision.step,
        tolerances: [tolerance, decision.quality_tolerance],
        threshold: bank::threshold(budget, decision.step),
        budget,
        weights,
        months: args.months as usize,
        seed: args.seed,
    }
}

fn describe(
    plan: &Plan<'_>,
    spec: &ModelSpec,
    histories: &Histories,
    (found, labels): (&VersionFound, Option<LabelsReport>),
) -> (VersionReport, VersionEntry) {
    let all = histories.get(&None);
    let (from, last) = all.and_then(History::span).unwrap_or_default();
    let history = HistoryEntry {
        from,
        until: last.saturating_add(spec.pane),
        days: all.map_or(0, |h| h.days().len() as u32),
        events: all.map_or(0, History::events),
    };
    let name = (spec.model.as_str(), spec.version.as_str());
    let report = VersionReport {
        labels,
        ..VersionReport::new(&spec.profile, name, history, plan.budget, found)
    };
    let entry = report.entry(&spec.profile, histories, found);
    (report, entry)
}

fn write(path: &Path, versions: Vec<VersionEntry>) -> Result<(), Failure> {
    let file = CalibrationFile {
        driftline_calibration: FORMAT,
        versions,
    };
    let text = file.to_yaml().map_err(|e| {
        Failure::internal(format_args!("cannot write the calibration as YAML: {e}"))
    })?;
    if path == Path::new("-") {
        return terminal::print(&text);
    }
    std::fs::write(path, text)
        .map_err(|e| Failure::internal(format_args!("{} cannot be written: {e}", path.display())))
}

#[derive(Serialize)]
struct Findings<'a> {
    versions: &'a [VersionReport],
}

fn tell(reports: &[VersionReport], args: &CalibrateArgs) -> Result<(), Failure> {
    if args.format == OutputFormat::Json {
        return terminal::print_json(&Findings { versions: reports });
    }
    if args.out == Path::new("-") {
        return Ok(());
    }
    let texts: Vec<String> = reports.iter().map(VersionReport::text).collect();
    terminal::print(&texts.join("\n"))?;
    let out = args.out.display();
    terminal::print(&format!(
        "\nWritten to {out}; name it under models[].versions[].calibration.\n"
    ))
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
