//! `driftline reference build|show`.

mod joint;
pub mod labels;
mod vectors;

use std::path::Path;

use driftline_event::{ColumnKind, ColumnRole};
use driftline_sketch::{
    CategoricalProfile, ColumnProfile, EmbeddingProfile, JointOptions, NumericProfile,
    ProfileOptions, ReferenceBuilder, ReferenceProfile,
};
use serde_json::json;

use crate::cli::{LabelOptions, OutputFormat, ReferenceBuildArgs, ReferenceShowArgs};
use crate::config::reference::count_roles;
use crate::exit::{Exit, Failure};
use crate::files::{Input, Role, Table, TableFilter, Values, scores_column};
use crate::page::number::short;
use crate::terminal;

use self::vectors::Vectors;

/// Builds a reference from a file.
///
/// # Errors
/// When the file cannot be read or holds nothing to monitor, or the result cannot be written.
pub fn build(args: &ReferenceBuildArgs) -> Result<Exit, Failure> {
    check_labels(&args.labels)?;
    let mut columns = args.columns.clone();
    if let (None, Some(label)) = (&args.labels.labels, &args.labels.label) {
        // What turned out to be true is no feature.
        columns.ignore.push(label.clone());
    }
    let filter = TableFilter {
        columns,
        kinds: args.kinds.clone(),
        since: args.since,
        until: args.until,
        all_columns: false,
    };
    let input = Input::from(args.input.as_path());
    let table = Table::read(&input, &filter)?;
    for name in &table.left_out {
        tracing::warn!("`{name}` is left out: it holds times or lists");
    }
    let options = ProfileOptions {
        bins: usize::from(args.bins),
        joint: args.together.joint.then_some(JointOptions {
            leaves: usize::from(args.together.leaves),
            seed: args.together.seed,
        }),
        ..ProfileOptions::default()
    };
    let vectors = Vectors::new(&table, &args.together)?;
    let profile = profile_with(&table, &args.model, &args.model_version, options, &vectors)?;
    let profile = match (&args.labels.labels, &args.labels.label) {
        (None, None) => profile,
        (file, _) => {
            let file = file.as_deref().map(Input::from);
            let source = (&input, &filter);
            let (profile, counts) =
                labels::with_labels(profile, &table, source, file.as_ref(), &args.labels)?;
            for remark in counts.remarks() {
                tracing::warn!("{remark}");
            }
            tracing::info!(
                "{} of {} predictions have a label",
                counts.labelled,
                counts.predictions
            );
            profile
        }
    };
    write(&args.out, &profile.to_json())?;
    let (features, outputs) = count_roles(&profile);
    tracing::info!(
        "{}: {} rows, {features} features, {outputs} outputs, id {}",
        args.out.display(),
        profile.rows,
        profile.id()
    );
    Ok(Exit::Fine)
}

/// Options about labels need labels.
fn check_labels(options: &LabelOptions) -> Result<(), Failure> {
    let about = options.task.is_some() || options.positive.is_some() || options.threshold.is_some();
    if options.labels.is_none() && options.label.is_none() && about {
        let failure = Failure::usage(
            "--task, --positive and --threshold are about labels, but there are none",
        );
        return Err(
            failure.hint("give a file with --labels, or a column of the input with --label")
        );
    }
    Ok(())
}

/// Builds a reference from a table.
///
/// # Errors
/// When there are no rows or columns to monitor, or a column stands twice.
pub fn profile(
    table: &Table,
    model: &str,
    version: &str,
    options: ProfileOptions,
) -> Result<ReferenceProfile, Failure> {
    profile_with(table, model, version, options, &Vectors::default())
}

fn profile_with(
    table: &Table,
    model: &str,
    version: &str,
    options: ProfileOptions,
    vectors: &Vectors,
) -> Result<ReferenceProfile, Failure> {
    if table.rows == 0 {
        let failure = Failure::bad_data(format_args!("{}: no rows are left", table.file));
        return Err(failure.hint("see --since and --until, if you gave them"));
    }
    if table.columns.is_empty() {
        let message = format!("{}: no column is left to monitor", table.file);
        return Err(Failure::bad_data(message).hint("ids, times and ignored columns are left out"));
    }
    let mut builder = ReferenceBuilder::new(model, version, options);
    builder.source(
        Path::new(&table.file)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy(),
    );
    let failure = |e| Failure::bad_data(format_args!("{}: {e}", table.file));
    vectors.add(table, &mut builder).map_err(failure)?;
    for column in &table.columns {
        if vectors.replace(&column.name) {
            continue;
        }
        let scores = scores_column(&column.name);
        let (name, role) = match (column.role, &scores) {
            (Role::Score, _) => ("value", ColumnRole::Output),
            (Role::Prediction, _) => ("label", ColumnRole::Output),
            (_, Some(scores)) => (scores.as_str(), ColumnRole::Output),
            (_, None) => (column.name.as_str(), ColumnRole::Feature),
        };
        let added = match &column.values {
            Values::Numbers(values) => builder.numeric(name, role, values.clone()),
            Values::Categories { codes, names } => {
                let text = |code: &u32| names.get(*code as usize).map(String::as_str);
                builder.categorical(name, role, codes.iter().map(text))
            }
        };
        added.map_err(failure)?;
    }
    builder.build().map_err(failure)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if path == Path::new("-") {
        return terminal::print(text).and_then(|()| terminal::print("\n"));
    }
    std::fs::write(path, text)
        .map_err(|e| Failure::internal(format_args!("{} cannot be written: {e}", path.display())))
}

/// Shows a reference.
///
/// # Errors
/// When the file is not a reference.
pub fn show(args: &ReferenceShowArgs) -> Result<Exit, Failure> {
    let name = args.reference.display();
    let text = std::fs::read_to_string(&args.reference)
        .map_err(|e| Failure::bad_data(format_args!("{name} cannot be read: {e}")))?;
    let profile = ReferenceProfile::from_json(&text).map_err(|e| {
        let hint = "`driftline reference build` makes reference files";
        Failure::bad_data(format_args!("{name}: {e}")).hint(hint)
    })?;
    match args.format {
        OutputFormat::Table => terminal::print(&describe(&profile))?,
        OutputFormat::Json => terminal::print_json(&summary(&profile))?,
    }
    Ok(Exit::Fine)
}

fn describe(profile: &ReferenceProfile) -> String {
    let mut rows = vec![
        [
            "column",
            "role",
            "kind",
            "missing",
            "min",
            "median",
            "max",
            "mean",
            "categories",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for column in &profile.columns {
        let mut row = vec![
            column.column.name.clone(),
            column.column.role.as_str().to_owned(),
            kind_name(column.column.kind).to_owned(),
        ];
        match &column.profile {
            ColumnProfile::Numeric(numeric) => {
                let reference = numeric.reference();
                let number = |x: Option<f64>| x.map_or_else(|| "-".into(), short);
                row.push(percent(reference.missing, reference.rows()));
                row.push(number(Some(numeric.minimum())));
                row.push(number(numeric.quantile(reference, 0.5)));
                row.push(number(Some(numeric.maximum())));
                row.push(number(numeric.mean(reference)));
                row.push(String::new());
            }
            ColumnProfile::Categorical(categorical) => {
                let reference = categorical.reference();
                row.push(percent(reference.missing, reference.rows()));
                row.extend(["", "", "", ""].map(str::to_owned));
                row.push(match joint::tree_of(profile, column) {
                    Some(tree) => joint::overview(profile, tree, reference),
                    None => most_common(categorical, 3),
                });
            }
            ColumnProfile::Embedding(embedding) => {
                let reference = embedding.reference();
                row.push(percent(reference.missing, reference.rows()));
                row.extend(["", "", "", ""].map(str::to_owned));
                row.push(coordinates(embedding));
            }
        }
        rows.push(row);
    }
    let labels = profile.outcome().map(labels::describe).unwrap_or_default();
    format!(
        "model {}, version {}, {} rows from {}\nid {}\n{labels}\n{}",
        profile.model,
        profile.version,
        profile.rows,
        profile.source,
        profile.id(),
        terminal::table(&rows, &[3, 4, 5, 6, 7])
    )
}

fn most_common(categorical: &CategoricalProfile, shown: usize) -> String {
    let reference = categorical.reference();
    let mut cells: Vec<usize> = (0..categorical.named_cells()).collect();
    cells.sort_by_key(|c| (std::cmp::Reverse(reference.counts.get(*c).copied()), *c));
    let valid = reference.valid();
    let shares = cells.iter().take(shown).map(|c| {
        let count = reference.counts.get(*c).copied().unwrap_or(0);
        format!("{} {}", categorical.name(*c), percent(count, valid))
    });
    let shares: Vec<String> = shares.collect();
    let distinct = categorical.distinct();
    let more = if distinct > shown as u64 { ", …" } else { "" };
    format!("{distinct}: {}{more}", shares.join(", "))
}

/// `128 coordinates, emb_0 … emb_127; 64 features`.
fn coordinates(embedding: &EmbeddingProfile) -> String {
    let (names, features) = (embedding.coordinates(), embedding.features());
    let first = names.first().map_or("", String::as_str);
    let last = names.last().map_or("", String::as_str);
    let n = names.len();
    format!("{n} coordinates, {first} … {last}; {features} features")
}

fn summary(profile: &ReferenceProfile) -> serde_json::Value {
    let columns: Vec<serde_json::Value> = profile
        .columns
        .iter()
        .map(|column| {
            let (name, role) = (&column.column.name, column.column.role.as_str());
            let kind = kind_name(column.column.kind);
            match &column.profile {
                ColumnProfile::Numeric(numeric) => {
                    json!({"name": name, "role": role, "kind": kind, "values": numbers(numeric)})
                }
                ColumnProfile::Categorical(categorical)
                    if joint::tree_of(profile, column).is_some() =>
                {
                    let values = joint::leaves(profile, categorical.reference());
                    json!({"name": name, "role": role, "kind": kind, "values": values})
                }
                ColumnProfile::Categorical(categorical) => {
                    let reference = categorical.reference();
                    json!({"name": name, "role": role, "kind": kind, "values": {
                        "n": reference.valid(), "missing": reference.missing,
                        "distinct": categorical.distinct(), "cells": categorical.cells(),
                    }})
                }
                ColumnProfile::Embedding(embedding) => {
                    let reference = embedding.reference();
                    json!({"name": name, "role": role, "kind": kind, "values": {
                        "n": reference.valid, "missing": reference.missing,
                        "coordinates": embedding.coordinates(), "features": embedding.features(),
                        "bandwidth": embedding.bandwidth(), "seed": embedding.seed(),
                    }})
                }
            }
        })
        .collect();
    json!({
        "id": profile.id(), "model": profile.model, "version": profile.version,
        "rows": profile.rows, "source": profile.source, "columns": columns,
        "labels": profile.outcome().map(labels::summary),
    })
}

fn numbers(numeric: &NumericProfile) -> serde_json::Value {
    let reference = numeric.reference();
    let quantile = |q| numeric.quantile(reference, q);
    json!({
        "n": reference.valid(), "missing": reference.missing, "invalid": reference.invalid(),
        "minimum": numeric.minimum(), "maximum": numeric.maximum(),
        "mean": numeric.mean(reference),
        "standard_deviation": numeric.standard_deviation_of(reference),
        "quartiles": [quantile(0.25), quantile(0.5), quantile(0.75)],
        "bins": numeric.bins(),
    })
}

pub(super) fn kind_name(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Numeric => "numeric",
        ColumnKind::Categorical => "categorical",
        ColumnKind::Embedding => "embedding",
    }
}

fn percent(part: u64, whole: u64) -> String {
    match (part, whole) {
        (_, 0) => "-".into(),
        (0, _) => "0 %".into(),
        _ => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    }
}
