//! A column's own section: what changed in words, in pictures and in numbers.

use super::badge;
use crate::commands::compare::Comparison;
use crate::commands::compare::column::{Categories, Feature, Outcome, cohens_h};
use crate::commands::compare::judge::Verdict;
use crate::commands::compare::numbers::{Numbers, moments, quantile};
use crate::commands::compare::{method, picture};
use crate::commands::reference::kind_name;
use crate::files::{TableColumn, Values};
use crate::page::html::Html;
use crate::page::number::{count, percent, probability, short};
use crate::page::svg::{self, Caption, Curves, Gap, Histogram};

/// New or gone categories that are named.
const NAMED_MAX: usize = 8;

pub(super) fn section(html: &mut Html, i: usize, feature: &Feature, comparison: &Comparison) {
    let files = &comparison.files;
    let id = format!("c{i}");
    let title = format!("{id}-h");
    let attributes = [
        ("class", "column"),
        ("id", &*id),
        ("aria-labelledby", &title),
    ];
    html.element("section", &attributes, |html| {
        html.element("div", &[("class", "top")], |html| {
            html.leaf("h3", &[("id", &title)], &feature.name);
            badge(html, feature.verdict);
            html.leaf("span", &[("class", "quiet")], kind_name(feature.kind));
        });
        let columns = files
            .reference
            .column(&feature.name)
            .zip(files.current.column(&feature.name));
        if let Some((reference, current)) = columns {
            contents(html, &id, feature, reference, current);
        }
    });
}

fn contents(
    html: &mut Html,
    id: &str,
    feature: &Feature,
    reference: &TableColumn,
    current: &TableColumn,
) {
    match (&reference.values, &current.values) {
        (Values::Numbers(a), Values::Numbers(b)) => {
            let numbers = Numbers::new(a, b);
            let gap = numbers.gap();
            let sentence = gap.map_or_else(String::new, gap_sentence);
            words(html, feature, &sentence);
            html.element("div", &[("class", "charts")], |html| {
                draw_numbers(html, id, feature, &numbers, gap, &sentence);
                summary(html, feature, &numbers);
            });
            tests(html, feature);
        }
        (a, b) => {
            let categories = Categories::new(a, b);
            let sentence = change_sentence(&categories);
            words(html, feature, &sentence);
            exclusive(html, &categories);
            html.element("div", &[("class", "charts")], |html| {
                draw_categories(html, id, feature, &categories, &sentence);
            });
            tests(html, feature);
        }
    }
}

/// What changed, in a sentence or two.
fn words(html: &mut Html, feature: &Feature, change: &str) {
    let (reference, current) = (feature.reference, feature.current);
    let mut text = match feature.verdict {
        Verdict::Empty => "A side has no values, so the shapes cannot be compared. ".into(),
        Verdict::TooFew => format!(
            "{} and {} values are too few to see even a large change. ",
            count(reference.n),
            count(current.n)
        ),
        Verdict::Stable => "No difference beyond chance. ".into(),
        Verdict::Drifted | Verdict::Slight => String::new(),
    };
    text.push_str(change);
    if feature.reasons.contains(&"missing") {
        text.push_str(&format!(
            " Missing: {} of the rows, after {} in the reference.",
            percent(current.missing_share()),
            percent(reference.missing_share())
        ));
    }
    if let Some(peer) = feature.peer {
        let word = if peer.drift { "drift" } else { "no drift" };
        let (score, threshold) = (short(peer.score), short(peer.threshold));
        text.push_str(&format!(
            " By {}, {score} at a threshold of {threshold}, the peer would say {word}.",
            peer.test
        ));
    }
    if !text.is_empty() {
        html.leaf("p", &[], text.trim());
    }
}

fn gap_sentence(gap: Gap) -> String {
    let Gap {
        at,
        reference,
        current,
    } = gap;
    if reference == current {
        return "Both have the same distribution.".into();
    }
    format!(
        "Largest gap at {}: {} of the reference and {} of the current values are at or below it.",
        short(at),
        percent(reference),
        percent(current)
    )
}

fn change_sentence(categories: &Categories) -> String {
    let largest = categories
        .shares()
        .max_by(|a, b| cohens_h(a.1, a.2).total_cmp(&cohens_h(b.1, b.2)));
    match largest {
        Some((name, p, q)) if p != q => {
            format!(
                "Largest change: {name}, from {} to {}.",
                percent(p),
                percent(q)
            )
        }
        _ => "All categories have the same shares.".into(),
    }
}

fn draw_numbers(
    html: &mut Html,
    id: &str,
    feature: &Feature,
    numbers: &Numbers,
    gap: Option<Gap>,
    sentence: &str,
) {
    let Some(shape) = picture::shape(numbers) else {
        return;
    };
    let gap = gap.filter(|g| g.reference != g.current);
    html.element("figure", &[], |html| {
        html.leaf("h4", &[], "Share of values");
        let caption = Caption {
            id: &format!("{id}-hist"),
            title: &format!("Histograms of {}", feature.name),
            description: sentence,
        };
        let chart = Histogram {
            edges: &shape.edges,
            reference: &shape.reference,
            current: &shape.current,
        };
        svg::histogram(html, caption, chart);
        if shape.outside.0 + shape.outside.1 > 0.0 {
            let text = format!(
                "Outside the picture: {} of the reference, {} of the current values.",
                percent(shape.outside.0),
                percent(shape.outside.1)
            );
            html.leaf("figcaption", &[], &text);
        }
    });
    html.element("figure", &[], |html| {
        html.leaf("h4", &[], "Share of values up to");
        let caption = Caption {
            id: &format!("{id}-ecdf"),
            title: &format!("Cumulative distributions of {}", feature.name),
            description: sentence,
        };
        let chart = Curves {
            at: &shape.points,
            reference: &shape.reference_below,
            current: &shape.current_below,
            gap,
        };
        svg::curves(html, caption, chart);
    });
}

fn draw_categories(
    html: &mut Html,
    id: &str,
    feature: &Feature,
    categories: &Categories,
    sentence: &str,
) {
    let bars = picture::category_bars(categories);
    if bars.is_empty() {
        return;
    }
    html.element("figure", &[], |html| {
        html.leaf("h4", &[], "Share of values");
        let caption = Caption {
            id: &format!("{id}-bars"),
            title: &format!("Shares of the categories of {}", feature.name),
            description: sentence,
        };
        svg::bars(html, caption, &bars);
    });
}

/// Categories that only one side has, by name.
fn exclusive(html: &mut Html, categories: &Categories) {
    let sides = [
        (
            "New",
            categories
                .shares()
                .filter(|s| s.1 == 0.0)
                .map(|s| (s.0, s.2))
                .collect::<Vec<_>>(),
        ),
        (
            "Gone",
            categories
                .shares()
                .filter(|s| s.2 == 0.0)
                .map(|s| (s.0, s.1))
                .collect(),
        ),
    ];
    for (what, mut found) in sides {
        if found.is_empty() {
            continue;
        }
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        let share: f64 = found.iter().map(|f| f.1).sum();
        html.element("p", &[], |html| {
            html.leaf("b", &[], what);
            html.text(&format!(" ({} in all): ", percent(share)));
            for (i, (name, share)) in found.iter().take(NAMED_MAX).enumerate() {
                html.text(if i == 0 { "" } else { ", " });
                html.leaf("code", &[], &shortened(name));
                html.text(&format!(" {}", percent(*share)));
            }
            if found.len() > NAMED_MAX {
                html.text(&format!(" and {} more", count(found.len() - NAMED_MAX)));
            }
            html.text(".");
        });
    }
}

fn shortened(name: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    if name.chars().count() <= CHARACTERS_MAX {
        return name.to_owned();
    }
    name.chars().take(CHARACTERS_MAX - 1).chain(['…']).collect()
}

/// Counts, moments and quantiles of both sides.
fn summary(html: &mut Html, feature: &Feature, numbers: &Numbers) {
    let sides = [&numbers.reference, &numbers.current];
    let moments = sides.map(|side| moments(side));
    let at = |q: f64| sides.map(|side| quantile(side, q).map_or_else(|| "–".into(), short));
    let moment = |pick: fn((f64, f64)) -> f64| {
        moments.map(|m| m.map_or_else(|| "–".into(), |m| short(pick(m))))
    };
    let rows = [
        (
            "Values",
            [count(feature.reference.n), count(feature.current.n)],
        ),
        (
            "Missing",
            [feature.reference, feature.current].map(|s| percent(s.missing_share())),
        ),
        ("Mean", moment(|m| m.0)),
        ("Standard deviation", moment(|m| m.1)),
        ("Smallest", at(0.0)),
        ("5 %", at(0.05)),
        ("Median", at(0.5)),
        ("95 %", at(0.95)),
        ("Largest", at(1.0)),
    ];
    html.element("div", &[("class", "scroll numbers")], |html| {
        html.element("table", &[], |html| {
            html.element("thead", &[], |html| {
                html.element("tr", &[], |html| {
                    html.leaf("td", &[], "");
                    for side in ["Reference", "Current"] {
                        html.leaf("th", &[("scope", "col"), ("class", "num")], side);
                    }
                });
            });
            html.element("tbody", &[], |html| {
                for (name, values) in rows {
                    html.element("tr", &[], |html| {
                        html.leaf("th", &[("scope", "row")], name);
                        values.iter().for_each(|value| numeral(html, value, ""));
                    });
                }
            });
        });
    });
}

/// Every test that ran.
fn tests(html: &mut Html, feature: &Feature) {
    if feature.results.is_empty() {
        return;
    }
    html.element("details", &[], |html| {
        let number = feature.results.len();
        let text = if number == 1 {
            "1 test".into()
        } else {
            format!("{number} tests")
        };
        html.leaf("summary", &[], &text);
        table_of_tests(html, feature);
    });
}

fn table_of_tests(html: &mut Html, feature: &Feature) {
    html.element("div", &[("class", "scroll tests")], |html| {
        html.element("table", &[], |html| {
            html.element("thead", &[], |html| {
                html.element("tr", &[], |html| {
                    html.leaf("th", &[("scope", "col")], "Test");
                    for text in ["Statistic", "No drift", "Floor", "p"] {
                        html.leaf("th", &[("scope", "col"), ("class", "num")], text);
                    }
                    html.leaf("th", &[("scope", "col")], "Method");
                });
            });
            html.element("tbody", &[], |html| {
                feature
                    .results
                    .iter()
                    .for_each(|outcome| test(html, outcome));
            });
        });
    });
}

fn test(html: &mut Html, outcome: &Outcome) {
    html.element("tr", &[], |html| {
        html.leaf("th", &[("scope", "row")], method::of(outcome.test).name);
        let statistic = short(outcome.statistic);
        if outcome.drift == Some(true) {
            html.element("td", &[("class", "num over")], |html| {
                html.text(&format!("▲ {statistic}"));
            });
        } else {
            numeral(html, &statistic, "");
        }
        let floor = outcome.floor;
        numeral(html, &floor.map_or_else(String::new, |f| short(f.mean)), "");
        numeral(
            html,
            &floor.map_or_else(String::new, |f| short(f.upper)),
            "",
        );
        let p = outcome.p_value.map_or_else(String::new, probability);
        numeral(html, &p, "");
        let how = match (outcome.p_value, outcome.unsound) {
            (None, _) => "distance".into(),
            (Some(_), None) => outcome.method.to_owned(),
            (Some(_), Some(why)) => format!("{}, not judged: {why}", outcome.method),
        };
        html.leaf("td", &[], &how);
    });
}

/// A number in a table, with something small under it.
pub(super) fn numeral(html: &mut Html, text: &str, small: &str) {
    html.element("td", &[("class", "num")], |html| {
        html.text(text);
        if !small.is_empty() {
            html.leaf("small", &[], small);
        }
    });
}
