//! `driftline compare`.

mod column;
mod compat;
mod floor;
mod json;
mod judge;
mod method;
mod numbers;
mod picture;
mod read;
mod report;
mod table;

use std::path::Path;

use driftline_stat::sample::Test;

use self::column::Feature;
use self::judge::{Rule, Verdict};
use self::read::Files;
use crate::cli::{CompareArgs, CompareFormat, CompareSort, FailOn};
use crate::config::suggest;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Two files, compared.
#[derive(Debug)]
struct Comparison {
    files: Files,
    /// In the order to show them.
    features: Vec<Feature>,
    rule: Rule,
    /// What a peer would have said, if one was asked.
    dataset: Option<compat::Dataset>,
    /// Whether the tests were named on the command line.
    tests_named: bool,
}

impl Comparison {
    fn with_verdict(&self, verdict: Verdict) -> impl Iterator<Item = &Feature> {
        self.features.iter().filter(move |f| f.verdict == verdict)
    }

    /// The verdict on both files, as a sentence.
    fn sentence(&self) -> String {
        let (all, drifted) = (
            self.features.len(),
            self.with_verdict(Verdict::Drifted).count(),
        );
        let columns = if all == 1 { "column" } else { "columns" };
        match (drifted, self.with_verdict(Verdict::Slight).count()) {
            (0, 0) => format!("No drift in {all} {columns}."),
            (0, slight) => format!("No drift in {all} {columns}, but {slight} differ slightly."),
            (1, _) => format!("1 of {all} {columns} has drifted."),
            (drifted, _) => format!("{drifted} of {all} {columns} have drifted."),
        }
    }
}

/// Compares two files.
///
/// # Errors
/// When a file cannot be read, they have no column in common, or a test or column is unknown.
pub fn run(args: &CompareArgs) -> Result<Exit, Failure> {
    let rule = Rule {
        alpha: args.alpha,
        tolerance: args.tolerance,
        thresholds: thresholds(&args.thresholds)?,
    };
    let tests = tests(&args.tests, &rule.thresholds)?;
    let files = Files::read(args)?;
    let mut features: Vec<Feature> = files
        .pairs(&args.columns)
        .map(|(reference, current)| {
            let mut feature = column::compare(reference, current, &tests);
            feature.peer = args
                .compat
                .and_then(|peer| compat::judge(peer, reference, current));
            feature
        })
        .collect();
    if features.is_empty() {
        return Err(files.nothing_in_common());
    }
    judge::judge(&mut features, &rule);
    // Programs look columns up; people read from the top.
    let default = match args.format {
        CompareFormat::Json => CompareSort::File,
        CompareFormat::Table | CompareFormat::Html => CompareSort::Evidence,
    };
    sort(&mut features, args.sort.unwrap_or(default));
    let peers: Vec<_> = features.iter().map(|f| f.peer).collect();
    let comparison = Comparison {
        dataset: args.compat.map(|peer| compat::Dataset::new(peer, &peers)),
        files,
        features,
        rule,
        tests_named: !args.tests.is_empty(),
    };
    write(&comparison, args)?;
    let ours = comparison.with_verdict(Verdict::Drifted).next().is_some();
    let drifted = comparison.dataset.map_or(ours, |dataset| dataset.drift);
    Ok(if drifted && args.fail_on == Some(FailOn::Drift) {
        Exit::Drift
    } else {
        Exit::Fine
    })
}

fn write(comparison: &Comparison, args: &CompareArgs) -> Result<(), Failure> {
    let out = args.out.as_deref().filter(|path| *path != Path::new("-"));
    let text = match args.format {
        CompareFormat::Json => json::write(comparison)?,
        CompareFormat::Html => report::write(comparison),
        CompareFormat::Table => {
            let layout = match out {
                Some(_) => table::Layout::of_file(args),
                None => table::Layout::of_terminal(args),
            };
            table::write(comparison, &layout)
        }
    };
    let Some(path) = out else {
        return terminal::print(&text);
    };
    std::fs::write(path, text).map_err(|e| {
        Failure::usage(format_args!("{} cannot be written: {e}", path.display()))
            .hint("name another file with --out")
    })?;
    tracing::info!("{} Written to {}", comparison.sentence(), path.display());
    Ok(())
}

fn test(name: &str) -> Result<Test, Failure> {
    let known: Vec<&str> = Test::ALL.iter().map(|t| t.as_str()).collect();
    name.parse().map_err(|_| {
        let failure = Failure::usage(format_args!("there is no test `{name}`"));
        failure.hint(suggest::hint(name, &known))
    })
}

/// The tests to run: those that are named, or all, and those that have a threshold.
fn tests(names: &[String], thresholds: &[(Test, f64)]) -> Result<Vec<Test>, Failure> {
    if names.is_empty() {
        return Ok(Test::ALL.to_vec());
    }
    let mut tests: Vec<Test> = Vec::new();
    for name in names {
        let test = test(name)?;
        if !tests.contains(&test) {
            tests.push(test);
        }
    }
    for (test, _) in thresholds {
        if !tests.contains(test) {
            tests.push(*test);
        }
    }
    Ok(tests)
}

/// Thresholds as `TEST=VALUE`.
fn thresholds(texts: &[String]) -> Result<Vec<(Test, f64)>, Failure> {
    let parse = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Failure::usage(format_args!("`{text}` is not a threshold")).hint("write it as psi=0.2")
        })?;
        let test = test(name)?;
        match value.parse::<f64>() {
            Ok(value) if value.is_finite() && value > 0.0 && floor::grows_with_drift(test) => {
                Ok((test, value))
            }
            Ok(_) if !floor::grows_with_drift(test) => {
                let message =
                    format!("`{test}` can have no threshold: it is far out on either side");
                Err(Failure::usage(message).hint("its p-value is judged at --alpha"))
            }
            _ => Err(Failure::usage(format_args!(
                "the threshold `{text}` must be a number above 0"
            ))),
        }
    };
    texts.iter().map(parse).collect()
}

fn sort(features: &mut [Feature], order: CompareSort) {
    // All sorts are stable: what is equal stays in the order of the file.
    match order {
        CompareSort::File => {}
        CompareSort::Name => features.sort_by(|a, b| a.name.cmp(&b.name)),
        CompareSort::Effect => {
            let size = |f: &Feature| f.effect.max(f.missing.effect);
            features.sort_by(|a, b| size(b).total_cmp(&size(a)));
        }
        CompareSort::Evidence => features.sort_by(|a, b| {
            a.verdict
                .cmp(&b.verdict)
                .then_with(|| b.beyond().total_cmp(&a.beyond()))
        }),
    }
}
