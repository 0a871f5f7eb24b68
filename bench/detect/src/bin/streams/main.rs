//! How soon drift is found on public streams, and how often there is an alarm without any.
//!
//! ```text
//! cargo xtask bench streams
//! ```
//!
//! The command first exports the streams that Python packages ship (`bench/python/streams.py`). Then the bank and
//! the classical rules look at each stream once per pane of 50 events, in three experiments:
//!
//! - **shuffled**: real streams in random order, which makes them drift-free, and the same with drift injected;
//! - **known drift**: generators and data sets whose drift points are documented;
//! - **as it came**: real streams, of which nobody knows when they drift.
//!
//! Beside each rule stands a dummy that raises as many alarms, at regular intervals and without looking.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: results on stdout, progress on stderr"
)]

mod bank_rule;
mod experiments;
mod inject;
mod model;
mod random;
mod report;
mod rules;
mod score;
mod stream;
#[cfg(test)]
mod tests;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;

use experiments::{Injected, Passage, Plan, RELEARN, SCOPES, injected, passages};
use rules::{BUDGET, PANE, Rule, WINDOW_PANES};
use stream::{Stream, Use, load_all};
use watch::Scope;

/// Detection of drift on public streams: false alarms, delays and misses of the bank and of classical rules.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the exported streams are
    #[arg(long)]
    data: PathBuf,
    /// Only streams with this in their name
    #[arg(long)]
    only: Option<String>,
    /// Shuffled trials of each base stream and drift
    #[arg(long, default_value_t = 20)]
    trials: usize,
    /// Longest shuffled stream; longer ones are sampled anew in each trial
    #[arg(long, default_value_t = 30_000)]
    rows_max: usize,
    /// Seed of all shuffles and injections
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the tables between the markers of this file too
    #[arg(long)]
    write: Option<PathBuf>,
    /// Write every score to this file too, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let plan = Plan {
        seed: arguments.seed,
        trials: arguments.trials,
        rows_max: arguments.rows_max,
    };
    eprintln!("seed {}", plan.seed);
    let streams = load_all(&arguments.data, arguments.only.as_deref())?;
    let mut scores = Injected::new();
    let bases = streams
        .iter()
        .filter(|stream| stream.meta.usage == Use::Base);
    for (number, stream) in bases.enumerate() {
        eprintln!("{}: {} shuffled trials", stream.meta.name, plan.trials);
        scores.extend(injected(stream, number as u64, &plan)?);
    }
    let (mut known, mut real) = (Vec::new(), Vec::new());
    for stream in &streams {
        let place = match stream.meta.usage {
            Use::Drifts => &mut known,
            Use::Control | Use::Real => &mut real,
            // In its own order Rainfall is real too; the others are sorted or have no order.
            Use::Base if stream.meta.name == "rainfall" => &mut real,
            Use::Base => continue,
        };
        eprintln!("{}: as it came", stream.meta.name);
        place.push((stream, passages(stream, plan.seed)?));
    }
    let text = tables(&plan, &streams, &scores, &known, &real);
    println!("{text}");
    if let Some(path) = &arguments.json {
        write_json(path, &scores, &[known, real].concat())?;
    }
    match &arguments.write {
        Some(path) => write_between_markers(path, &text),
        None => Ok(()),
    }
}

fn tables(
    plan: &Plan,
    streams: &[Stream],
    scores: &Injected,
    known: &[(&Stream, Vec<Passage>)],
    real: &[(&Stream, Vec<Passage>)],
) -> String {
    let mut text = format!(
        "Seed {}; {} trials of each shuffled stream and drift, of at most {} events; panes of {PANE} events; windows of \
         {} events for the classical rules; budget of the bank: {BUDGET} false alarms in a pass over a stream; new \
         references of at most {RELEARN} events.\n",
        plan.seed,
        plan.trials,
        plan.rows_max,
        PANE * WINDOW_PANES,
    );
    let mut add = |title: &str, table: String| {
        text.push_str(&format!("\n### {title}\n\n{table}"));
    };
    add(
        "Shuffled streams: false alarms in a trial",
        report::null(scores, plan.trials),
    );
    for scope in SCOPES {
        let (labels, words) = match scope {
            Scope::All => (true, "features, joint tree, labels and errors"),
            Scope::Inputs => (false, "features only"),
        };
        add(
            &format!("Injected drift: {words}"),
            report::summary(scores, labels),
        );
        let title = format!("Injected drift by kind: {words} (first-alarm F1, median delay)");
        add(&title, report::by_drift(scores, labels));
    }
    let title = "Injected drift by stream: bank, uncalibrated, all columns";
    add(title, report::by_base(scores, true, Rule::Bank));
    add("Known drift: all streams", report::known_summary(known));
    add(
        "Known drift by stream: found, mean delay, false alarms",
        report::known(known),
    );
    add("Real streams as they came: alarms", report::real(real));
    add("Streams", report::sources(streams));
    text
}

fn write_json(path: &Path, scores: &Injected, passed: &[(&Stream, Vec<Passage>)]) -> Result<()> {
    let cells = scores.iter().map(|((stream, cell), score)| {
        serde_json::json!({"stream": stream, "cell": cell, "score": score, "f1": score.f1()})
    });
    let passages = passed.iter().map(
        |(stream, passages)| serde_json::json!({"stream": stream.meta.name, "passages": passages}),
    );
    let all = serde_json::json!({
        "injected": cells.collect::<Vec<_>>(),
        "as_it_came": passages.collect::<Vec<_>>(),
    });
    fs::write(path, format!("{all}\n")).with_context(|| format!("cannot write {}", path.display()))
}

/// Replaces what stands between the two markers.
fn write_between_markers(path: &Path, text: &str) -> Result<()> {
    const BEGIN: &str = "<!-- written by `cargo xtask bench streams`: begin -->\n";
    const END: &str = "<!-- written by `cargo xtask bench streams`: end -->";
    let old =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parts = old
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.with_context(|| format!("{} has no markers", path.display()))?;
    fs::write(path, format!("{before}{BEGIN}\n{text}\n{END}{after}"))?;
    Ok(())
}
