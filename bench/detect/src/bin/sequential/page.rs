//! The table, and its place in the page.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use crate::{Measured, Record, Stream};

const BEGIN: &str = "<!-- detectors: written by `cargo xtask bench detectors` -->";
const END: &str = "<!-- end of detectors -->";

/// The measurements as markdown.
pub(crate) fn table(record: &Record) -> String {
    let mut text = format!(
        "{}, {}, seed {}: CPU time of the best of {} rounds, {} values each ({} for river{}).\n\n",
        record.date,
        record.machine,
        record.seed,
        record.rounds,
        thousands(record.values),
        thousands(record.river_values),
        record
            .river_version
            .as_ref()
            .map(|version| format!(" {version}"))
            .unwrap_or_default(),
    );
    text += "| Detector | Values | ns an update | Bound | river, ns an update | Ratio | Drifts a million values |\n";
    text += "| --- | --- | ---: | ---: | ---: | ---: | ---: |\n";
    for line in &record.measured {
        row(&mut text, line, record.values);
    }
    text
}

fn row(text: &mut String, line: &Measured, values: usize) {
    let stream = match line.stream {
        Stream::Errors => "errors, one in ten",
        Stream::Normal => "standard normal",
    };
    let bound = line
        .nanos_max
        .map(|most| format!("{most:.0}"))
        .unwrap_or_default();
    let (river, ratio) = match &line.river {
        Some(river) => (
            thousands(river.nanos.round() as usize),
            format!("{:.0} ×", river.nanos / line.nanos),
        ),
        None => Default::default(),
    };
    let drifts = line.drifts as f64 * 1e6 / values as f64;
    let _ = writeln!(
        text,
        "| `{}` | {stream} | {:.1} | {bound} | {river} | {ratio} | {} |",
        line.detector,
        line.nanos,
        thousands(drifts.round() as usize),
    );
}

/// A number with commas.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Puts the table between its marks.
pub(crate) fn splice(page: &str, table: &str) -> Result<String> {
    let parts = page
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) =
        parts.with_context(|| format!("the page has lost the marks `{BEGIN}` and `{END}`"))?;
    Ok(format!(
        "{before}{BEGIN}\n\n{}\n\n{END}{after}",
        table.trim_end()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_its_marks() {
        let page = include_str!("../../../../../docs/performance.md");
        let once = splice(page, "| a |\n").expect("the marks are there");
        assert!(once.contains("-->\n\n| a |\n\n<!--"));
        assert_eq!(splice(&once, "| a |\n").expect("still there"), once);
    }

    #[test]
    fn thousands_have_commas() {
        let all = [0, 12, 999, 1_000, 50_000, 1_234_567].map(thousands);
        assert_eq!(all, ["0", "12", "999", "1,000", "50,000", "1,234,567"]);
    }
}
