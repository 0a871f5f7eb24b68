//! `driftline compare`.

use driftline_event::ColumnKind;
use driftline_stat::sample::{CategoricalPair, NumericPair, Test, TestError, TestResult};
use serde::Serialize;

use super::reference::{kind_name, short};
use crate::cli::{ColumnOptions, CompareArgs, FailOn, KindOptions, OutputFormat};
use crate::config::suggest;
use crate::exit::{Exit, Failure};
use crate::files::{Input, Role, Table, TableColumn, TableFilter, Values};
use crate::terminal;

/// The comparison, as `--format json` prints it.
#[derive(Debug, Serialize)]
struct Comparison {
    features: Vec<Feature>,
}

#[derive(Debug, Serialize)]
struct Feature {
    name: String,
    kind: &'static str,
    reference: Sample,
    current: Sample,
    results: Vec<Outcome>,
    #[serde(skip)]
    not_run: Vec<(Test, TestError)>,
}

#[derive(Debug, Serialize)]
struct Sample {
    n: usize,
    missing: usize,
}

#[derive(Debug, Serialize)]
struct Outcome {
    test: &'static str,
    statistic: f64,
    p_value: Option<f64>,
    method: &'static str,
    #[serde(skip)]
    rejects: bool,
}

/// Compares two files.
///
/// # Errors
/// When a file cannot be read, they have no column in common, or a test or column is unknown.
pub fn run(args: &CompareArgs) -> Result<Exit, Failure> {
    let tests = tests(&args.tests)?;
    let (reference, current) = read_both(args)?;
    let mut comparison = Comparison {
        features: Vec::new(),
    };
    for column in &reference.columns {
        let named = args.columns.is_empty() || args.columns.contains(&column.name);
        if let Some(other) = current.column(&column.name).filter(|_| named) {
            comparison.features.push(compare(column, other, &tests));
        }
    }
    let features = &mut comparison.features;
    if features.is_empty() {
        let message = format!(
            "{} and {} have no column in common",
            reference.file, current.file
        );
        return Err(
            Failure::bad_data(message).hint("the first line of a CSV file names its columns")
        );
    }
    mark_rejections(features, args.alpha);
    match args.format {
        OutputFormat::Json => terminal::print_json(&comparison)?,
        OutputFormat::Table => {
            terminal::print(&describe(&comparison, &reference, &current, args))?;
        }
    }
    let drifted = comparison
        .features
        .iter()
        .flat_map(|f| &f.results)
        .any(|r| r.rejects);
    Ok(if drifted && args.fail_on == Some(FailOn::Drift) {
        Exit::Drift
    } else {
        Exit::Fine
    })
}

fn tests(names: &[String]) -> Result<Vec<Test>, Failure> {
    if names.is_empty() {
        return Ok(Test::ALL.to_vec());
    }
    let known: Vec<&str> = Test::ALL.iter().map(|t| t.as_str()).collect();
    let parse = |name: &String| {
        let unknown = |_| {
            let failure = Failure::usage(format_args!("there is no test `{name}`"));
            failure.hint(suggest::hint(name, &known))
        };
        name.parse().map_err(unknown)
    };
    names.iter().map(parse).collect()
}

/// Reads both files so that a column has the same kind in both: numbers only where both have numbers.
fn read_both(args: &CompareArgs) -> Result<(Table, Table), Failure> {
    let read = |path: &std::path::Path, kinds: &KindOptions, columns: ColumnOptions| {
        let kinds = kinds.clone();
        let filter = TableFilter {
            columns,
            kinds,
            all_columns: true,
            ..TableFilter::default()
        };
        Table::read(&Input::from(path), &filter)
    };
    let options = || ColumnOptions {
        ignore: args.ignore.clone(),
        ..ColumnOptions::default()
    };
    let mut reference = read(&args.reference, &args.kinds, options())?;
    let mut current = read(&args.current, &args.kinds, options())?;
    for name in &args.columns {
        let found = [&reference, &current]
            .into_iter()
            .find(|t| t.column(name).is_none());
        if let Some(table) = found {
            let known: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
            let message = format!(
                "{}: column `{name}`: there is no such column to compare",
                table.file
            );
            return Err(Failure::bad_data(message).hint(suggest::hint(name, &known)));
        }
    }
    let mut kinds = args.kinds.clone();
    let differ = |column: &&TableColumn| {
        current
            .column(&column.name)
            .is_some_and(|c| c.values.kind() != column.values.kind())
    };
    let names: Vec<String> = reference
        .columns
        .iter()
        .filter(differ)
        .map(|c| c.name.clone())
        .collect();
    if !names.is_empty() {
        tracing::warn!(
            "compared as categories, because one file has texts there: {}",
            names.join(", ")
        );
        kinds.categorical.extend(names);
        reference = read(&args.reference, &kinds, options())?;
        current = read(&args.current, &kinds, options())?;
    }
    if args.columns.is_empty() {
        for table in [&mut reference, &mut current] {
            leave_out_keys(table);
        }
    }
    Ok((reference, current))
}

/// Ids and times differ between any two files.
fn leave_out_keys(table: &mut Table) {
    let is_key = |column: &TableColumn| match column.role {
        Role::Id => true,
        Role::Time => column.values.kind() == ColumnKind::Categorical,
        _ => false,
    };
    let keys = table
        .columns
        .iter()
        .filter(|c| is_key(c))
        .map(|c| c.name.clone());
    table.left_out.extend(keys);
    table.columns.retain(|c| !is_key(c));
}

fn compare(reference: &TableColumn, current: &TableColumn, tests: &[Test]) -> Feature {
    let kind = reference.values.kind();
    let mut feature = Feature {
        name: reference.name.clone(),
        kind: kind_name(kind),
        reference: sample(&reference.values),
        current: sample(&current.values),
        results: Vec::new(),
        not_run: Vec::new(),
    };
    let run: Box<dyn Fn(Test) -> Result<TestResult, TestError>> =
        match (&reference.values, &current.values) {
            (Values::Numbers(a), Values::Numbers(b)) => {
                let pair = NumericPair::new(&finite(a), &finite(b));
                Box::new(move |test| pair.as_ref().map_err(|e| *e)?.run(test))
            }
            (a, b) => {
                let pair = CategoricalPair::new(&counts(a), &counts(b));
                Box::new(move |test| pair.as_ref().map_err(|e| *e)?.run(test))
            }
        };
    for &test in tests.iter().filter(|test| test.applies_to(kind)) {
        match run(test) {
            Ok(TestResult {
                statistic,
                p_value,
                method,
            }) => feature.results.push(Outcome {
                test: test.as_str(),
                statistic,
                p_value,
                method,
                rejects: false,
            }),
            Err(error) => feature.not_run.push((test, error)),
        }
    }
    feature
}

fn finite(values: &[f64]) -> Vec<f64> {
    values.iter().copied().filter(|x| x.is_finite()).collect()
}

fn counts(values: &Values) -> Vec<(String, u64)> {
    let Values::Categories { codes, names } = values else {
        return Vec::new();
    };
    let mut counts: Vec<(String, u64)> = names.iter().map(|name| (name.clone(), 0)).collect();
    for code in codes {
        if let Some((_, count)) = counts.get_mut(*code as usize) {
            *count += 1;
        }
    }
    counts
}

fn sample(values: &Values) -> Sample {
    let (rows, n) = match values {
        Values::Numbers(values) => (
            values.len(),
            values.iter().filter(|x| x.is_finite()).count(),
        ),
        Values::Categories { codes, .. } => (codes.len(), codes.len() - values.missing()),
    };
    Sample {
        n,
        missing: rows - n,
    }
}

/// Marks what Holm's step-down procedure rejects at `alpha` over all p-values: valid whatever the tests'
/// dependence on each other (Holm 1979).
fn mark_rejections(features: &mut [Feature], alpha: f64) {
    let mut outcomes: Vec<(f64, &mut Outcome)> = features
        .iter_mut()
        .flat_map(|f| &mut f.results)
        .filter_map(|outcome| outcome.p_value.map(|p| (p, outcome)))
        .collect();
    outcomes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total = outcomes.len();
    for (i, (p, outcome)) in outcomes.into_iter().enumerate() {
        if p > alpha / (total - i) as f64 {
            break;
        }
        outcome.rejects = true;
    }
}

fn describe(
    comparison: &Comparison,
    reference: &Table,
    current: &Table,
    args: &CompareArgs,
) -> String {
    let mut text = format!(
        "reference {} ({} rows), current {} ({} rows)\n\n",
        reference.file, reference.rows, current.file, current.rows
    );
    let mut rows = vec![
        ["feature", "test", "statistic", "p-value", "method", ""]
            .map(str::to_owned)
            .to_vec(),
    ];
    for feature in &comparison.features {
        for (i, outcome) in feature.results.iter().enumerate() {
            rows.push(vec![
                if i == 0 {
                    feature.name.clone()
                } else {
                    String::new()
                },
                outcome.test.to_owned(),
                short(outcome.statistic),
                outcome.p_value.map_or_else(|| "-".into(), probability),
                if outcome.p_value.is_some() {
                    outcome.method.to_owned()
                } else {
                    "distance".into()
                },
                if outcome.rejects {
                    "differs".to_owned()
                } else {
                    String::new()
                },
            ]);
        }
    }
    text.push_str(&terminal::table(&rows, &[2, 3]));
    text.push('\n');
    for feature in &comparison.features {
        for (test, error) in &feature.not_run {
            // Most columns are not binary; saying so of each helps nobody who did not ask for the test.
            if !args.tests.is_empty() || !matches!(error, TestError::NotBinary) {
                text.push_str(&format!("{}: no {test}: {error}\n", feature.name));
            }
        }
    }
    for table in [reference, current] {
        if !table.left_out.is_empty() {
            text.push_str(&format!(
                "{}: left out {}\n",
                table.file,
                table.left_out.join(", ")
            ));
        }
    }
    let differ = comparison
        .features
        .iter()
        .filter(|f| f.results.iter().any(|r| r.rejects));
    let names: Vec<&str> = differ.map(|f| f.name.as_str()).collect();
    let share = args.alpha * 100.0;
    text.push_str(&match names.as_slice() {
        [] => format!("no feature differs (at most {share} % chance of any false alarm)\n"),
        names => format!(
            "{} of {} features differ (at most {share} % chance of any false alarm): {}\n",
            names.len(),
            comparison.features.len(),
            names.join(", ")
        ),
    });
    text
}

fn probability(p: f64) -> String {
    if p < 1e-300 {
        "<1e-300".into()
    } else if p < 1e-3 {
        format!("{p:.1e}")
    } else {
        format!("{p:.3}")
    }
}
