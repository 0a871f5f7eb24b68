//! `driftline check`.

use std::path::Path;
use std::time::Duration;

use driftline_kafka::{KafkaError, TopicAdmin};
use serde_json::json;

use super::topics::{NeededTopic, needed};
use crate::cli::{CheckArgs, OutputFormat};
use crate::config::reference::{self, References};
use crate::config::sizing::{self, ModelSize};
use crate::config::units::spell_bytes;
use crate::config::{self, Config, Problems};
use crate::connect;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// How long the brokers may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Checks a configuration: the file, the references it names, and (unless offline) the brokers.
///
/// # Errors
/// Everything that is wrong.
pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let (config, problems) = config::load(&args.config)?;
    let references = reference::load(&config)?;
    references.catalog(&config)?;
    let sizes = sizing::predict(&config, &references);
    let warnings = warnings(&config, &problems, &references, &sizes);
    if args.deny_warnings && !warnings.is_empty() {
        let message = warnings.join("\n");
        return Err(
            Failure::config(message).hint("without --deny-warnings these would only be shown")
        );
    }
    if !args.offline {
        ask_brokers(&config, &args.config)?;
    }
    match args.format {
        OutputFormat::Json => {
            terminal::print_json(&report(&config, &references, &sizes, &warnings, args))?
        }
        OutputFormat::Table => {
            terminal::print(&describe(&config, &references, &sizes, args))?;
            warnings
                .iter()
                .for_each(|warning| tracing::warn!("{warning}"));
        }
    }
    Ok(Exit::Fine)
}

fn warnings(
    config: &Config,
    problems: &Problems,
    references: &References,
    sizes: &[ModelSize],
) -> Vec<String> {
    let mut warnings: Vec<String> = problems.to_string().lines().map(str::to_owned).collect();
    warnings.extend(references.warnings.iter().cloned());
    let limits = &config.limits;
    for size in sizes
        .iter()
        .filter(|s| s.series > u64::from(limits.series_per_model_max))
    {
        warnings.push(format!(
            "model `{}` needs {} metric series, but limits.series_per_model_max is {}: the quietest will be left out",
            size.model, size.series, limits.series_per_model_max
        ));
    }
    let total: u64 = sizes.iter().map(|s| s.series).sum();
    if total > u64::from(limits.series_max) {
        warnings.push(format!(
            "the models need {total} metric series, but limits.series_max is {}: the quietest will be left out",
            limits.series_max
        ));
    }
    warnings
}

/// Asks whether the brokers answer and the topics exist.
fn ask_brokers(config: &Config, path: &Path) -> Result<(), Failure> {
    let offline = "check only the file with --offline";
    let options = connect::kafka_options(config)?;
    let existing = TopicAdmin::new(&options)
        .and_then(|admin| admin.topics(PATIENCE))
        .map_err(|e: KafkaError| Failure::unavailable(e).hint(offline))?;
    let missing: Vec<NeededTopic> = needed(config)
        .into_iter()
        .filter(|t| !existing.contains_key(&t.name))
        .collect();
    if !missing.is_empty() {
        let names: Vec<String> = missing
            .iter()
            .map(|t| format!("`{}` ({})", t.name, t.purpose))
            .collect();
        let failure = Failure::unavailable(format_args!(
            "these topics do not exist: {}",
            names.join(", ")
        ));
        let own = missing.iter().any(|t| t.own);
        let create = format!("driftline topics --config {} --create", path.display());
        let own_hint = format!("`{create}` creates Driftline's own");
        let input_hint =
            "the topics of predictions and labels are their producers'; look at their names";
        return Err(failure.hint(if own { own_hint.as_str() } else { input_hint }));
    }
    for topic in needed(config) {
        let (Some(wanted), Some(found)) = (topic.partitions, existing.get(&topic.name)) else {
            continue;
        };
        if i64::from(*found) != i64::from(wanted) && topic.purpose == "partial counts" {
            let message = format!(
                "the topic `{}` has {found} partitions, not {wanted}",
                topic.name
            );
            let hint = format!("set topics.partials.partitions to {found}");
            return Err(Failure::config(message).hint(hint));
        }
    }
    Ok(())
}

fn describe(
    config: &Config,
    references: &References,
    sizes: &[ModelSize],
    args: &CheckArgs,
) -> String {
    let header = [
        "model",
        "versions",
        "columns",
        "windows",
        "rules",
        "series",
        "memory",
        "with all segments",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for (m, (model, size)) in config.models.iter().zip(sizes).enumerate() {
        let loaded = references.versions.iter().filter(|l| l.model == m);
        let columns = loaded.map(|l| l.profile.columns.len()).max().unwrap_or(0);
        let with_segments = if size.segments_max == 0 {
            "-".into()
        } else {
            spell_bytes(size.bytes_max())
        };
        rows.push(vec![
            model.id.clone(),
            model.versions.len().to_string(),
            columns.to_string(),
            model.windows.len().to_string(),
            model.rules.len().to_string(),
            size.series.to_string(),
            spell_bytes(size.bytes),
            with_segments,
        ]);
    }
    let series: u64 = sizes.iter().map(|s| s.series).sum();
    let bytes: u64 = sizes.iter().map(ModelSize::bytes_max).sum();
    let flush = config
        .flush
        .bytes
        .saturating_mul(u64::from(config.workers.observe));
    let brokers = if args.offline {
        "not asked (--offline)"
    } else {
        "answer, and every topic exists"
    };
    format!(
        "{}\npredicted: {series} metric series (limit {}), at most about {} for windows and {} for counts \
         between flushes\nbrokers: {brokers}\n{}: fine\n",
        terminal::table(&rows, &[1, 2, 3, 4, 5, 6, 7]),
        config.limits.series_max,
        spell_bytes(bytes),
        spell_bytes(flush),
        args.config.display(),
    )
}

fn report(
    config: &Config,
    references: &References,
    sizes: &[ModelSize],
    warnings: &[String],
    args: &CheckArgs,
) -> serde_json::Value {
    let models: Vec<serde_json::Value> = config
        .models
        .iter()
        .zip(sizes)
        .enumerate()
        .map(|(m, (model, size))| {
            let loaded = references.versions.iter().filter(|l| l.model == m);
            let versions: Vec<serde_json::Value> = loaded
                .map(|l| {
                    let version = &model.versions[l.version].version;
                    json!({"version": version, "reference": l.profile.id(), "columns": l.profile.columns.len()})
                })
                .collect();
            json!({
                "id": model.id, "versions": versions, "series": size.series,
                "memory_bytes": size.bytes, "memory_bytes_max": size.bytes_max(),
            })
        })
        .collect();
    json!({
        "config": args.config.display().to_string(),
        "app": config.app,
        "models": models,
        "series": sizes.iter().map(|s| s.series).sum::<u64>(),
        "series_max": config.limits.series_max,
        "memory_bytes_max": sizes.iter().map(ModelSize::bytes_max).sum::<u64>(),
        "brokers_asked": !args.offline,
        "warnings": warnings,
    })
}
