//! The table, and its place in the page.

use std::path::Path;

use anyhow::{Context as _, Result};
use driftline_bench::figures::{Machine, thousands};

use crate::{Measured, Report};

const BEGIN: &str = "<!-- join: written by `cargo xtask bench join` -->";
const END: &str = "<!-- end of join -->";
/// The bounds that the join has to keep.
const EVENTS_PER_SECOND_MIN: u64 = 500_000;
const BYTES_MAX: u64 = 64;

/// The measurements as markdown.
pub(crate) fn table(report: &Report) -> String {
    let Report { arguments, .. } = report;
    let machine = Machine::here();
    let debug = if machine.optimised {
        ""
    } else {
        " **Not optimised: these figures mean nothing.**"
    };
    let mut text = format!(
        "{} × {}, load {:.1}, seed {}: CPU time of the process, {} rounds of {} predictions and {} labels, {} of which \
         were joined.{debug}\n\n",
        machine.processors,
        machine.processor,
        machine.load_average,
        arguments.seed,
        arguments.rounds,
        thousands(arguments.predictions),
        thousands(report.in_memory.events - arguments.predictions),
        thousands(report.in_memory.joined),
    );
    text += "| What | Best | Median | Bound |\n| --- | ---: | ---: | ---: |\n";
    let bound = thousands(EVENTS_PER_SECOND_MIN);
    text += &row("events/s/core, all in memory", &report.in_memory, &bound);
    let quarter = format!(
        "events/s/core, {} MB in memory, the rest on disk ({} MB, {} buckets)",
        report.budget / 1_000_000,
        report.spilling.disk_bytes / 1_000_000,
        report.spilling.stored_buckets,
    );
    text += &row(&quarter, &report.spilling, "");
    text += &format!(
        "| bytes a pending prediction, index and all | {0:.1} | {0:.1} | {BYTES_MAX} |\n",
        report.bytes_per_pending
    );
    text
}

fn row(what: &str, measured: &Measured, bound: &str) -> String {
    let rate = |nanos: f64| thousands((1e9 / nanos) as u64);
    let nanos = measured.nanos_per_event;
    format!(
        "| {what} | {} | {} | {bound} |\n",
        rate(nanos.min),
        rate(nanos.median)
    )
}

/// Puts the table between its marks in a page; other parts of the page stay as they are.
pub(crate) fn write(path: &Path, table: &str) -> Result<()> {
    let page =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parts = page
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts
        .with_context(|| format!("{} has no `{BEGIN}` with `{END}` behind it", path.display()))?;
    let page = format!("{before}{BEGIN}\n\n{table}\n{END}{after}");
    std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))
}
