//! The comparison as a table for people.

use std::io::IsTerminal as _;

use console::Style;
use driftline_stat::sample::{Test, TestError};
use driftline_telemetry::short_text;

use super::Comparison;
use super::column::{Feature, Outcome, Sample};
use super::judge::Verdict;
use crate::cli::CompareArgs;
use crate::page::number::{percent, probability, short};
use crate::terminal;

/// Names longer than this are cut in messages.
const NAME_BYTES_MAX: usize = 200;
/// The width of a column name in the table.
const NAME_WIDTH_MAX: usize = 32;
const NAME_WIDTH_MIN: usize = 12;
/// Columns whose names are listed in a sentence.
const LISTED_MAX: usize = 12;
/// What is shown when no tests are named, the most telling first.
const SHOWN: [Test; 6] = [
    Test::KolmogorovSmirnov,
    Test::JensenShannon,
    Test::Psi,
    Test::Wasserstein,
    Test::ChiSquare,
    Test::TotalVariation,
];
/// The tests in the overview when they are not named.
const SHOWN_MAX: usize = 3;

const LEGEND: [&str; 2] = [
    "effect: largest change of a share, as Cohen's h; p: smallest, corrected for all tests",
    "floor: what chance alone exceeds one time in twenty at these sizes; --detail shows every test",
];

/// How much room there is, and what is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    width: usize,
    colour: bool,
    detail: bool,
    rows_max: usize,
}

impl Layout {
    pub(super) fn of_file(args: &CompareArgs) -> Self {
        let rows_max = if args.limit == 0 {
            usize::MAX
        } else {
            args.limit
        };
        Self {
            width: 120,
            colour: false,
            detail: args.detail,
            rows_max,
        }
    }

    /// As wide as the terminal, or as `COLUMNS` says; coloured on a terminal unless `NO_COLOR` is set.
    pub(super) fn of_terminal(args: &CompareArgs) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let asked = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
        let seen = is_terminal.then(|| usize::from(console::Term::stdout().size().1));
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let plain = Self::of_file(args);
        Self {
            width: asked.or(seen).unwrap_or(plain.width).max(40),
            colour: is_terminal && !no_colour,
            ..plain
        }
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colour {
            style.force_styling(true).apply_to(text).to_string()
        } else {
            text.to_owned()
        }
    }

    fn verdict(self, verdict: Verdict, text: &str) -> String {
        let style = match verdict {
            Verdict::Drifted => Style::new().red().bold(),
            Verdict::Slight => Style::new().yellow(),
            Verdict::TooFew | Verdict::Empty => Style::new().magenta(),
            Verdict::Stable => Style::new().green(),
        };
        self.paint(style, text)
    }

    fn quiet(self, text: &str) -> String {
        self.paint(Style::new().dim(), text)
    }
}

/// A column of the table, and how much it is wanted when there is no room for all (0 is always there).
struct Column {
    header: String,
    cells: Vec<String>,
    right: bool,
    wanted: usize,
}

impl Column {
    fn width(&self) -> usize {
        let cells = self.cells.iter().chain([&self.header]);
        cells
            .map(|c| console::measure_text_width(c))
            .max()
            .unwrap_or(0)
    }
}

/// The whole text: files, table, remarks, verdict.
pub(super) fn write(comparison: &Comparison, layout: &Layout) -> String {
    let files = &comparison.files;
    let mut text = format!(
        "reference {} ({} rows), current {} ({} rows)\n\n",
        shown(&files.reference.file),
        files.reference.rows,
        shown(&files.current.file),
        files.current.rows
    );
    let rows = comparison.features.len().min(layout.rows_max);
    let features = &comparison.features[..rows];
    if layout.detail {
        text.push_str(&details(features, *layout));
    } else {
        text.push_str(&overview(comparison, features, *layout));
    }
    if rows < comparison.features.len() {
        let left = comparison.features.len() - rows;
        let line = format!("… and {left} more columns; --limit 0 shows all");
        text.push_str(&format!("{}\n", layout.quiet(&line)));
    }
    text.push('\n');
    remarks(&mut text, comparison);
    conclusion(&mut text, comparison, *layout);
    text
}

/// A line a column.
fn overview(comparison: &Comparison, features: &[Feature], layout: Layout) -> String {
    let column = |header: &str, right, wanted, cell: &dyn Fn(&Feature) -> String| Column {
        header: header.into(),
        cells: features.iter().map(cell).collect(),
        right,
        wanted,
    };
    let mut columns = vec![
        column("feature", false, 0, &|f| shown(&f.name)),
        column("verdict", false, 0, &|f| {
            layout.verdict(f.verdict, f.verdict.word())
        }),
        column("effect", true, 0, &|f| effect(f)),
    ];
    if let Some(dataset) = comparison.dataset {
        let says = |f: &Feature| match f.peer {
            Some(p) => format!(
                "{} {}{}",
                p.test,
                short(p.score),
                if p.drift { " drift" } else { "" }
            ),
            None => "-".into(),
        };
        columns.push(column(dataset.peer.name(), false, 0, &says));
    }
    let tests = shown_tests(comparison, features);
    for (i, &test) in tests.iter().enumerate() {
        let statistic = |f: &Feature| {
            f.result(test)
                .map_or_else(|| "-".into(), |o| short(o.statistic))
        };
        // The first pair is always there; a test that was asked for goes before what was not.
        let wanted = if comparison.tests_named { i } else { i * 2 };
        columns.push(column(short_name(test), true, wanted, &statistic));
        if features
            .iter()
            .any(|f| f.result(test).is_some_and(|o| o.floor.is_some()))
        {
            let floor = |f: &Feature| layout.quiet(&floor_text(f.result(test)));
            columns.push(column("floor", true, wanted, &floor));
        }
    }
    let after = if comparison.tests_named {
        tests.len()
    } else {
        0
    };
    let p = |f: &Feature| f.adjusted_p.map_or_else(|| "-".into(), probability);
    columns.push(column("p", true, after + 3, &p));
    let sizes = |f: &Feature| arrow(&f.reference.n.to_string(), &f.current.n.to_string());
    columns.push(column("values", true, after + 5, &sizes));
    if features
        .iter()
        .any(|f| f.reference.missing + f.current.missing > 0)
    {
        let share = |s: Sample| percent(s.missing_share());
        let missing = |f: &Feature| arrow(&share(f.reference), &share(f.current));
        columns.push(column("missing", true, after + 1, &missing));
    }
    if features.iter().any(|f| f.exclusive.new > 0) {
        let new = |f: &Feature| match f.exclusive.new {
            0 => "-".into(),
            n => format!("{n} ({})", percent(f.exclusive.new_share)),
        };
        columns.push(column("new categories", true, after + 7, &new));
    }
    lay_out(fit(columns, layout.width))
}

/// What heads a test's column.
fn short_name(test: Test) -> &'static str {
    match test {
        Test::JensenShannon => "js",
        Test::TotalVariation => "tv",
        other => other.as_str(),
    }
}

/// Drops the least wanted columns until the rest fits, then cuts the names.
fn fit(mut columns: Vec<Column>, width: usize) -> Vec<Column> {
    let cut = |columns: &mut [Column], most: usize| {
        for name in &mut columns[0].cells {
            *name = console::truncate_str(name, most, "…").into_owned();
        }
    };
    let total = |columns: &[Column]| -> usize {
        columns
            .iter()
            .map(|c| c.width() + 2)
            .sum::<usize>()
            .saturating_sub(2)
    };
    cut(&mut columns, NAME_WIDTH_MAX);
    while total(&columns) > width {
        let least = columns.iter().map(|c| c.wanted).max().unwrap_or(0);
        if least == 0 {
            break;
        }
        columns.retain(|c| c.wanted < least);
    }
    let over = total(&columns).saturating_sub(width);
    if over > 0 {
        let most = columns[0].width().saturating_sub(over).max(NAME_WIDTH_MIN);
        cut(&mut columns, most);
    }
    columns
}

fn lay_out(columns: Vec<Column>) -> String {
    let right: Vec<usize> = (0..columns.len()).filter(|i| columns[*i].right).collect();
    let count = columns.first().map_or(0, |c| c.cells.len());
    let mut rows = vec![columns.iter().map(|c| c.header.clone()).collect::<Vec<_>>()];
    for i in 0..count {
        rows.push(columns.iter().map(|c| c.cells[i].clone()).collect());
    }
    terminal::table(&rows, &right)
}

/// The tests to show: those named, or the most telling ones that have a result.
fn shown_tests(comparison: &Comparison, features: &[Feature]) -> Vec<Test> {
    let has = |test: &Test| features.iter().any(|f| f.result(*test).is_some());
    if !comparison.tests_named {
        return SHOWN.into_iter().filter(has).take(SHOWN_MAX).collect();
    }
    // A column's results are in the order of the command line, but some tests fit one kind only.
    let mut tests: Vec<Test> = Vec::new();
    for outcome in features.iter().flat_map(|f| &f.results) {
        if !tests.contains(&outcome.test) {
            tests.push(outcome.test);
        }
    }
    tests
}

/// A line a column and test.
fn details(features: &[Feature], layout: Layout) -> String {
    let header = [
        "feature",
        "test",
        "statistic",
        "no drift",
        "floor",
        "p-value",
        "method",
        "",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for feature in features {
        for (i, outcome) in feature.results.iter().enumerate() {
            let name = if i == 0 {
                shown(&feature.name)
            } else {
                String::new()
            };
            let mean = outcome.floor.map_or_else(|| "-".into(), |f| short(f.mean));
            rows.push(vec![
                console::truncate_str(&name, NAME_WIDTH_MAX, "…").into_owned(),
                outcome.test.to_string(),
                short(outcome.statistic),
                layout.quiet(&mean),
                layout.quiet(&floor_text(Some(outcome))),
                outcome.p_value.map_or_else(|| "-".into(), probability),
                method(outcome).into(),
                remark(feature, outcome, layout),
            ]);
        }
    }
    terminal::table(&rows, &[2, 3, 4, 5])
}

fn method(outcome: &Outcome) -> &'static str {
    match outcome.p_value {
        Some(_) => outcome.method,
        None => "distance",
    }
}

fn remark(feature: &Feature, outcome: &Outcome, layout: Layout) -> String {
    match outcome.drift {
        Some(true) => layout.verdict(Verdict::Drifted, "differs"),
        _ if outcome.unsound.is_some() => layout.quiet(&format!(
            "{}: not judged",
            outcome.unsound.unwrap_or_default()
        )),
        Some(false) if feature.verdict == Verdict::Slight => layout.quiet("at most slightly"),
        _ => String::new(),
    }
}

fn floor_text(outcome: Option<&Outcome>) -> String {
    let floor = outcome.and_then(|o| o.floor);
    floor.map_or_else(|| "-".into(), |f| short(f.upper))
}

fn effect(feature: &Feature) -> String {
    format!("{:.2}", feature.effect.max(feature.missing.effect))
}

/// Both sides, or one when they are the same.
fn arrow(reference: &str, current: &str) -> String {
    if reference == current {
        reference.into()
    } else {
        format!("{reference} → {current}")
    }
}

fn remarks(text: &mut String, comparison: &Comparison) {
    let files = &comparison.files;
    for feature in comparison.features.iter().take(LISTED_MAX) {
        for (test, error) in &feature.not_run {
            // That a side is empty, the verdict says.
            if comparison.tests_named && *error != TestError::Empty {
                text.push_str(&format!("{}: no {test}: {error}\n", shown(&feature.name)));
            }
        }
    }
    for table in [&files.reference, &files.current] {
        if !table.left_out.is_empty() {
            let names = listed(&table.left_out, LISTED_MAX);
            text.push_str(&format!("{}: left out {names}\n", shown(&table.file)));
        }
    }
    let sides = [
        (&files.only_in_reference, "the reference", &files.current),
        (&files.only_in_current, "the current file", &files.reference),
    ];
    for (names, side, other) in sides {
        if !names.is_empty() {
            let names = listed(names, LISTED_MAX);
            let other = shown(&other.file);
            text.push_str(&format!(
                "only in {side}, {other} does not have it: {names}\n"
            ));
        }
    }
}

fn conclusion(text: &mut String, comparison: &Comparison, layout: Layout) {
    let share = comparison.rule.alpha * 100.0;
    let chance = format!("at most {} % chance of any false alarm", short(share));
    let names = |verdict: Verdict| -> Vec<&str> {
        let features = comparison.with_verdict(verdict);
        features.map(|f| f.name.as_str()).collect()
    };
    let (drifted, slight) = (names(Verdict::Drifted), names(Verdict::Slight));
    let all = comparison.features.len();
    let line = match (drifted.len(), slight.len()) {
        (0, 0) => format!("no feature differs beyond chance ({chance})"),
        (0, n) => format!("no drift; {n} of {all} features differ by little ({chance})"),
        (n, _) => format!(
            "{n} of {all} features drifted ({chance}): {}",
            listed(&drifted, LISTED_MAX)
        ),
    };
    let verdict = match (drifted.is_empty(), slight.is_empty()) {
        (false, _) => Verdict::Drifted,
        (true, false) => Verdict::Slight,
        (true, true) => Verdict::Stable,
    };
    text.push_str(&format!("{}\n", layout.verdict(verdict, &line)));
    if let Some(dataset) = comparison.dataset {
        text.push_str(&format!("{}\n", dataset.sentence()));
    }
    if !slight.is_empty() && !drifted.is_empty() {
        let tolerance = short(comparison.rule.tolerance);
        let names = listed(&slight, LISTED_MAX);
        text.push_str(&format!(
            "by less than the tolerance of {tolerance}: {names}\n"
        ));
    }
    let too_few = names(Verdict::TooFew);
    if !too_few.is_empty() {
        let names = listed(&too_few, LISTED_MAX);
        text.push_str(&format!(
            "too few values to see even a large change: {names}\n"
        ));
    }
    if !layout.detail {
        text.push('\n');
        for line in LEGEND {
            text.push_str(&format!("{}\n", layout.quiet(line)));
        }
    }
}

/// A name that cannot move the cursor or change colours.
fn shown(name: &str) -> String {
    short_text(name, NAME_BYTES_MAX).into_owned()
}

/// The first names, and how many more there are.
pub(super) fn listed<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let first: Vec<String> = names.iter().take(most).map(|n| shown(n.as_ref())).collect();
    let mut text = first.join(", ");
    if names.len() > most {
        text.push_str(&format!(" and {} more", names.len() - most));
    }
    text
}
