//! Writing results to standard output.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::exit::Failure;

/// Writes `text` to standard output. A reader that went away (`driftline … | head`) is not an error.
///
/// # Errors
/// When standard output cannot be written for any other reason.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::internal(format_args!(
            "cannot write to standard output: {e}"
        ))),
        _ => Ok(()),
    }
}

/// Writes `value` to standard output as indented JSON.
///
/// # Errors
/// When standard output cannot be written.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|e| Failure::internal(format_args!("cannot write the result as JSON: {e}")))?;
    text.push('\n');
    print(&text)
}

/// A name as a terminal may show it. Names come from data: a control character could rewrite the screen.
///
/// ```
/// assert_eq!(driftline::terminal::clean("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
/// ```
#[must_use]
pub fn clean(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(printable).collect()
}

/// Lays out rows as columns of equal width, two spaces apart. Columns in `right` (by position) are
/// flushed right. The first row is the header.
#[must_use]
pub fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| {
        rows.iter()
            .filter_map(|r| r.get(c))
            .map(|t| console::measure_text_width(t))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (c, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[c].saturating_sub(console::measure_text_width(cell)));
            let (before, after) = if right.contains(&c) {
                (pad.as_str(), "")
            } else {
                ("", pad.as_str())
            };
            line.push_str(if c == 0 { "" } else { "  " });
            line.push_str(before);
            line.push_str(cell);
            line.push_str(after);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
