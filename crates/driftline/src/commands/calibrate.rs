//! `driftline calibrate`: what history says about burstiness, harmless wander and cycles.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use driftline_detect::bank;
use driftline_engine::{
    DecisionSpec, EvaluatorOptions, ModelSet, ModelSpec, Output, StreamWeights,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::calibration::collect::History;
use crate::calibration::fit::{self, DAYS_MIN, Plan, VersionFound};
use crate::calibration::report::VersionReport;
use crate::calibration::{CalibrationFile, FORMAT, HistoryEntry, VersionEntry};
use crate::cli::{CalibrateArgs, OutputFormat};
use crate::commands::replay::Replay;
use crate::config::{self, Config, Decision, Model, Window};
use crate::exit::{Exit, Failure};
use crate::files::{Input, PredictionDefaults, PredictionFile};
use crate::pipeline::{models, observer_options};
use crate::terminal;

/// The histories of one version by segment.
type Histories = BTreeMap<Option<String>, History>;

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
    let models = models::load(&counting_only(&config, args.segments), models::Labelling::None)?;
    let progress = spinner();
    let mut histories = read(args, &config, &models, &progress)?;
    let mut reports = Vec::new();
    let mut entries = Vec::new();
    for spec in models.specs() {
        let histories = histories.remove(&(spec.model.clone(), spec.version.clone()));
        let Some((model, decision)) = wanted(&config, spec, args)? else {
            continue;
        };
        let histories = enough(spec, histories.unwrap_or_default(), args)?;
        let plan = plan(&config, spec, model, decision, args);
        let found = fit::calibrate(&plan, &histories, &|what, done| {
            progress.set_message(format!(
                "{} {}: {what}, {:.0} %",
                spec.model,
                spec.version,
                100.0 * done
            ));
        });
        let (report, entry) = describe(&plan, spec, &histories, &found);
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
    let mut config = config.clone();
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
        for version in &mut model.versions {
            version.calibration = None;
        }
    }
    config
}

/// Counts the files, pane by pane.
fn read(
    args: &CalibrateArgs,
    config: &Config,
    models: &ModelSet,
    progress: &ProgressBar,
) -> Result<BTreeMap<(String, String), Histories>, Failure> {
    let options = EvaluatorOptions {
        emit_panes: true,
        ..EvaluatorOptions::default()
    };
    let topic = &config.predictions.topic;
    let mut replay = Replay::new(models, observer_options(config, 1), options, topic);
    let mut histories: BTreeMap<(String, String), Histories> = BTreeMap::new();
    let mut take = |output: Output| {
        let Output::Pane(pane) = output else {
            return Ok(());
        };
        let Some((_, spec)) = models.find(&pane.model, &pane.version) else {
            return Ok(());
        };
        let outside = args.since.is_some_and(|since| pane.start < since)
            || args.until.is_some_and(|until| pane.start >= until);
        if outside {
            return Ok(());
        }
        let version = (pane.model.clone(), pane.version.clone());
        let slices = histories.entry(version).or_default();
        let history = slices.entry(pane.segment.clone());
        let history = history.or_insert_with(|| History::new(&spec.profile));
        history.push(&pane, &spec.profile).map_err(|problem| {
            Failure::internal(format_args!("a pane of our own cannot be read: {problem}"))
        })
    };
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
    mut histories: Histories,
    args: &CalibrateArgs,
) -> Result<Histories, Failure> {
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
    }
    let days = histories.get(&None).map_or(0, |h| h.days().len());
    let (model, version) = (&spec.model, &spec.version);
    if days >= DAYS_MIN || (args.allow_short && days >= 2) {
        return Ok(histories);
    }
    let message =
        format!("model `{model}` version `{version}`: {days} days of history are too few");
    let failure = Failure::bad_data(message);
    Err(if days >= 2 {
        failure
            .hint(format_args!(
                "a calibration rests on at least {DAYS_MIN} days, UTC"
            ))
            .hint("--allow-short makes do with fewer, and widens the bands for it")
    } else {
        failure.hint("the files name the models and versions in --model and --model-version or a column each")
    })
}

/// How a version is going to be judged, by its configuration.
fn plan<'a>(
    config: &Config,
    spec: &'a ModelSpec,
    model: &Model,
    decision: &Decision,
    args: &CalibrateArgs,
) -> Plan<'a> {
    let budget = decision.alarms_per_month / model.versions.len().max(1) as f64;
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
    found: &VersionFound,
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
    let report = VersionReport::new(&spec.profile, name, history, plan.budget, found);
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
