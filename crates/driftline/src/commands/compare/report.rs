//! The comparison as a self-contained page.

mod detail;

use driftline_stat::sample::Test;

use self::detail::numeral;
use super::column::{Feature, Sample};
use super::floor::Floor;
use super::judge::Verdict;
use super::{Comparison, method};
use crate::page::Page;
use crate::page::html::Html;
use crate::page::number::{count, percent, probability, short};
use crate::page::svg;

/// Columns that get pictures and numbers of their own. All are judged; the rest is only in the table.
const DETAILS_MAX: usize = 100;
/// Columns in the table.
const ROWS_MAX: usize = 1_000;
/// Names listed in a sentence.
const LISTED_MAX: usize = 20;
/// Tests that have columns in the table, besides the distance that leads.
const SHOWN: [Test; 2] = [Test::JensenShannon, Test::Psi];

/// What the figures of the table mean.
const NOTE: &str = "The bar is the share of the values that moved: the Kolmogorov–Smirnov distance of numbers, the \
    total variation of categories. The mark on it is the floor: what chance alone exceeds one time in twenty at these sizes. \
    Small figures under a distance are its floor too.";

/// The page.
pub(super) fn write(comparison: &Comparison) -> String {
    let files = &comparison.files;
    let sentence = comparison.sentence();
    let page = Page {
        title: &format!("{sentence} · Driftline"),
        description: &format!(
            "{} compared with {}",
            files.current.file, files.reference.file
        ),
    };
    page.render(|body| {
        body.element("header", &[], |html| {
            html.leaf("span", &[("class", "mark"), ("aria-hidden", "true")], "");
            html.leaf("b", &[], "Driftline");
            html.text("compare");
        });
        body.line();
        body.element("main", &[], |html| {
            top(html, comparison, &sentence);
            evidence(html, comparison);
            columns(html, comparison);
            methods(html, comparison);
        });
        body.line();
        body.element("footer", &[], |html| {
            html.text(&format!(
                "Written by driftline {}.",
                env!("CARGO_PKG_VERSION")
            ));
        });
    })
}

fn top(html: &mut Html, comparison: &Comparison, sentence: &str) {
    let files = &comparison.files;
    html.leaf("h1", &[], sentence);
    html.element("p", &[("class", "quiet")], |html| {
        html.leaf("b", &[], &files.current.file);
        html.text(" compared with the reference ");
        html.leaf("b", &[], &files.reference.file);
        html.text(".");
    });
    let number = |verdict| comparison.with_verdict(verdict).count();
    html.element("dl", &[("class", "cards")], |html| {
        let drifted = number(Verdict::Drifted);
        card(html, drifted > 0, "Drifted", &count(drifted), "");
        card(
            html,
            false,
            "Differ slightly",
            &count(number(Verdict::Slight)),
            "",
        );
        card(html, false, "Stable", &count(number(Verdict::Stable)), "");
        let unknown = number(Verdict::TooFew) + number(Verdict::Empty);
        if unknown > 0 {
            card(html, false, "Too few values to say", &count(unknown), "");
        }
        card(
            html,
            false,
            "Reference",
            &count(files.reference.rows),
            "rows",
        );
        card(html, false, "Current", &count(files.current.rows), "rows");
    });
    if let Some(dataset) = comparison.dataset {
        html.leaf("p", &[], &format!("{}.", dataset.sentence()));
    }
    let sides = [
        (
            &files.only_in_reference,
            "Only in the reference, so not compared: ",
        ),
        (
            &files.only_in_current,
            "Only in the current file, so not compared: ",
        ),
    ];
    for (names, what) in sides.into_iter().filter(|(names, _)| !names.is_empty()) {
        let names = super::table::listed(names, LISTED_MAX);
        html.leaf("p", &[("class", "notice")], &format!("{what}{names}."));
    }
    let left_out = [&files.reference.left_out, &files.current.left_out];
    let mut names: Vec<&String> = left_out.into_iter().flatten().collect();
    names.sort();
    names.dedup();
    if !names.is_empty() {
        let names = super::table::listed(&names, LISTED_MAX);
        let text = format!("Left out, because ids, times and lists are not compared: {names}.");
        html.leaf("p", &[("class", "quiet")], &text);
    }
}

fn card(html: &mut Html, bad: bool, name: &str, value: &str, unit: &str) {
    html.element("div", if bad { &[("class", "bad")] } else { &[] }, |html| {
        html.leaf("dt", &[], name);
        html.element("dd", &[], |html| {
            html.text(value);
            if !unit.is_empty() {
                html.leaf("small", &[], unit);
            }
        });
    });
}

/// The table of all columns.
fn evidence(html: &mut Html, comparison: &Comparison) {
    html.line();
    html.leaf("h2", &[("id", "evidence")], "All columns, by evidence");
    let features = &comparison.features[..comparison.features.len().min(ROWS_MAX)];
    let shown: Vec<Test> = SHOWN
        .into_iter()
        .filter(|test| features.iter().any(|f| f.result(*test).is_some()))
        .collect();
    let widest = features
        .iter()
        .filter_map(|f| f.distance)
        .flat_map(|d| [d.value, d.floor.map_or(0.0, |floor| floor.upper)])
        .fold(0.0, f64::max);
    html.leaf("p", &[("class", "quiet")], NOTE);
    let scroll = [
        ("class", "scroll"),
        ("role", "region"),
        ("tabindex", "0"),
        ("aria-labelledby", "evidence"),
    ];
    html.element("div", &scroll, |html| {
        html.element("table", &[], |html| {
            html.element("thead", &[], |html| head(html, &shown));
            html.element("tbody", &[], |html| {
                for (i, feature) in features.iter().enumerate() {
                    html.line();
                    row(html, i, feature, &shown, widest);
                }
            });
        });
    });
    if features.len() < comparison.features.len() {
        let left = count(comparison.features.len() - features.len());
        html.leaf(
            "p",
            &[("class", "quiet")],
            &format!("{left} more columns are not listed."),
        );
    }
}

fn head(html: &mut Html, shown: &[Test]) {
    html.element("tr", &[], |html| {
        let texts = ["Column", "Verdict", "Beyond the floor"];
        for text in texts {
            html.leaf("th", &[("scope", "col")], text);
        }
        let numbers = ["Effect, h", "Moved"].into_iter();
        let tests = shown.iter().map(|test| short_name(*test));
        let rest = ["p, corrected", "Values", "Missing"];
        for text in numbers.chain(tests).chain(rest) {
            html.leaf("th", &[("scope", "col"), ("class", "num")], text);
        }
    });
}

fn short_name(test: Test) -> &'static str {
    match test {
        Test::JensenShannon => "JS distance",
        Test::Psi => "PSI",
        other => method::of(other).name,
    }
}

fn row(html: &mut Html, i: usize, feature: &Feature, shown: &[Test], widest: f64) {
    let verdict = [("data-verdict", feature.verdict.as_str())];
    html.element("tr", &verdict, |html| {
        html.element("th", &[("scope", "row")], |html| {
            if i < DETAILS_MAX {
                html.leaf("a", &[("href", &format!("#c{i}"))], &feature.name);
            } else {
                html.text(&feature.name);
            }
        });
        html.element("td", &[], |html| badge(html, feature.verdict));
        html.element("td", &[], |html| {
            if let Some(distance) = feature.distance {
                svg::gauge(
                    html,
                    distance.value,
                    distance.floor.map(|f| f.upper),
                    widest,
                );
                html.text(&distance.beyond().map_or_else(String::new, times));
            }
        });
        numeral(
            html,
            &format!("{:.2}", feature.effect.max(feature.missing.effect)),
            "",
        );
        measured(html, feature.distance.map(|d| (d.value, d.floor)));
        for &test in shown {
            let outcome = feature.result(test);
            measured(html, outcome.map(|o| (o.statistic, o.floor)));
        }
        let p = feature.adjusted_p.map_or_else(|| "–".into(), probability);
        numeral(html, &p, "");
        both(html, |sample| count(sample.n), feature);
        both(html, |sample| percent(sample.missing_share()), feature);
    });
}

/// A distance with its floor under it. One whose floor is zero has a single cell and says nothing.
fn measured(html: &mut Html, found: Option<(f64, Option<Floor>)>) {
    match found {
        Some((value, Some(floor))) if floor.upper > 0.0 => {
            numeral(html, &short(value), &format!("≤ {}", short(floor.upper)));
        }
        Some((value, None)) => numeral(html, &short(value), ""),
        _ => numeral(html, "–", ""),
    }
}

/// How many times its floor something is, to one or two digits.
fn times(beyond: f64) -> String {
    match beyond {
        x if x >= 9.95 => format!(" {} ×", count(x.round().min(1e9) as usize)),
        x => format!(" {x:.1} ×"),
    }
}

fn both(html: &mut Html, text: impl Fn(Sample) -> String, feature: &Feature) {
    let (reference, current) = (text(feature.reference), text(feature.current));
    if reference == current {
        numeral(html, &current, "");
    } else {
        numeral(html, &current, &format!("was {reference}"));
    }
}

fn badge(html: &mut Html, verdict: Verdict) {
    let mark = match verdict {
        Verdict::Drifted => "▲ ",
        Verdict::Slight => "△ ",
        Verdict::Stable => "● ",
        Verdict::TooFew | Verdict::Empty => "○ ",
    };
    html.element(
        "span",
        &[("class", &format!("badge {}", verdict.as_str()))],
        |html| {
            html.leaf("span", &[("aria-hidden", "true")], mark);
            html.text(verdict.word());
        },
    );
}

fn columns(html: &mut Html, comparison: &Comparison) {
    html.line();
    html.leaf("h2", &[], "Column by column");
    html.element("ul", &[("class", "legend")], |html| {
        legend(html, "r area", "reference: area, upper bar, dashed curve");
        legend(html, "c line", "current: line, lower bar, solid curve");
    });
    for (i, feature) in comparison.features.iter().enumerate().take(DETAILS_MAX) {
        html.line();
        detail::section(html, i, feature, comparison);
    }
    if comparison.features.len() > DETAILS_MAX {
        let text = format!(
            "The first {DETAILS_MAX} columns of the table are drawn; --columns draws others."
        );
        html.leaf("p", &[("class", "quiet")], &text);
    }
}

fn legend(html: &mut Html, class: &'static str, text: &str) {
    html.element("li", &[], |html| {
        let svg = [("viewBox", "0 0 22 10"), ("aria-hidden", "true")];
        html.element("svg", &svg, |html| {
            let path = if class.starts_with('r') {
                "M0 0H22V10H0Z"
            } else {
                "M0 8H8V2H22"
            };
            html.void("path", &[("class", class), ("d", path)]);
        });
        html.text(text);
    });
}

fn methods(html: &mut Html, comparison: &Comparison) {
    let rule = &comparison.rule;
    html.line();
    html.leaf("h2", &[], "How this was judged");
    let percent_of = |share: f64| short(share * 100.0);
    html.leaf("p", &[], &format!(
        "A column has drifted when its difference is certain and large enough to matter. Certain: all p-values \
         of all columns, together with an exact test of each column's missing share, pass through Holm's \
         correction, so that the chance of any false alarm on this page is at most {} %, provided that rows are \
         independent. Large enough: the largest change of a share, below some value or in some category, is at \
         least {} as Cohen's h, a scale on which 45 % to 50 % is 0.1 and so is 0 to 0.25 %. What is certain but \
         smaller is called slight.",
        percent_of(rule.alpha),
        short(rule.tolerance),
    ));
    html.leaf("p", &[], "Every distance between two samples is above zero even when nothing has drifted, the more \
         so the smaller they are. The value to expect then, and one that chance alone exceeds one time in twenty, the floor, \
         stand beside it. What is within its floor is never called drift. Missing values are counted apart and \
         take no part in the other tests.");
    for (test, threshold) in &rule.thresholds {
        let text = format!(
            "As asked, {test} of {} or more is large enough too.",
            short(*threshold)
        );
        html.leaf("p", &[], &text);
    }
    let mut tests: Vec<Test> = comparison
        .features
        .iter()
        .flat_map(|f| &f.results)
        .map(|r| r.test)
        .collect();
    tests.sort();
    tests.dedup();
    html.element("dl", &[("class", "methods")], |html| {
        for test in tests {
            let method = method::of(test);
            html.leaf("dt", &[], &format!("{} ({test})", method.name));
            html.leaf("dd", &[], method.measures);
        }
    });
}
