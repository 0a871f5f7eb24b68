//! Nanoseconds of an update of each sequential detector, beside river's on the same values.
//!
//! `cargo xtask bench detectors` runs it with a Python that has river, and writes the table into docs/performance.md.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is the output, and progress goes to standard error"
)]

mod page;

use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use driftline_bench_detect::{Xoshiro, cpu_nanos, machine, today};
use driftline_detect::sequential::{Compat, Detector, DetectorName, SequentialDetector, Signal};
use serde::{Deserialize, Serialize};

const RUNS: &str = "bench/runs/sequential";

#[derive(Debug, Parser)]
struct Arguments {
    /// Values that our detectors get in a round
    #[arg(long, default_value_t = 1_000_000)]
    values: usize,
    /// The first so many of them, which river's get in a round
    #[arg(long, default_value_t = 50_000)]
    river_values: usize,
    /// Rounds, of which the quickest counts
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// What the random numbers start from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these detectors, with commas between them
    #[arg(long, value_delimiter = ',', conflicts_with = "write")]
    only: Vec<DetectorName>,
    /// A Python interpreter with river; without it river's columns are empty
    #[arg(long)]
    python: Option<PathBuf>,
    /// The script that measures river
    #[arg(long, default_value = "bench/python/sequential.py")]
    script: PathBuf,
    /// Also write the record into bench/runs/sequential and the table into this page, between its marks
    #[arg(long)]
    write: Option<PathBuf>,
}

/// One measurement of one detector; a line of the table.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    detector: String,
    stream: Stream,
    /// River's defaults where there are such, else the paper's form.
    compat: Compat,
    nanos: f64,
    /// The most that is let pass, where the design names one.
    nanos_max: Option<f64>,
    drifts: usize,
    /// Drifts within the values that river got too.
    drifts_beside_river: usize,
    river: Option<River>,
}

/// What the script says of river's detector on the same values.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct River {
    nanos: f64,
    drifts: usize,
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stream {
    /// 0 and 1, one error in ten.
    Errors,
    /// Standard normal (the sum of twelve uniform numbers less six).
    Normal,
}

/// A run, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    date: String,
    machine: String,
    seed: u64,
    rounds: usize,
    values: usize,
    river_values: usize,
    river_version: Option<String>,
    measured: Vec<Measured>,
}

fn stream(stream: Stream, values: usize, seed: u64) -> Vec<f64> {
    let mut random = Xoshiro::new(seed);
    let mut uniform = || (random.bits() >> 11) as f64 / (1_u64 << 53) as f64;
    let mut value = || match stream {
        Stream::Errors => f64::from(u8::from(uniform() < 0.1)),
        Stream::Normal => (0..12).map(|_| uniform()).sum::<f64>() - 6.0,
    };
    (0..values).map(|_| value()).collect()
}

/// The most nanoseconds of an update.
fn nanos_max(name: DetectorName) -> Option<f64> {
    match name {
        DetectorName::Adwin => Some(100.0),
        DetectorName::Ddm
        | DetectorName::Eddm
        | DetectorName::PageHinkley
        | DetectorName::Cusum => Some(12.0),
        DetectorName::HddmA | DetectorName::HddmW => Some(60.0),
        _ => None,
    }
}

/// Every detector on errors, and those that read any number on normal values too.
fn lines() -> impl Iterator<Item = (DetectorName, Stream)> {
    DetectorName::ALL.into_iter().flat_map(|name| {
        let reads_any = [
            DetectorName::Adwin,
            DetectorName::PageHinkley,
            DetectorName::Kswin,
        ];
        let normal = reads_any.contains(&name).then_some((name, Stream::Normal));
        [Some((name, Stream::Errors)), normal].into_iter().flatten()
    })
}

fn drifts(detector: &mut Detector, values: &[f64]) -> usize {
    let mut count = 0;
    for value in values {
        count += usize::from(detector.update(*value) == Signal::Drift);
    }
    count
}

fn measure(name: DetectorName, on: Stream, arguments: &Arguments) -> Result<Measured> {
    let has_river = name.compats().any(|compat| compat == Compat::River);
    let compat = if has_river {
        Compat::River
    } else {
        Compat::Paper
    };
    let new = Detector::build(name, compat, &[])?;
    let values = stream(on, arguments.values, arguments.seed);
    let mut nanos = f64::INFINITY;
    let mut count = 0;
    for _ in 0..arguments.rounds {
        let mut detector = new.clone();
        let start = cpu_nanos();
        count = black_box(drifts(&mut detector, black_box(&values)));
        nanos = nanos.min((cpu_nanos() - start) / values.len() as f64);
    }
    let beside = &values[..arguments.river_values.min(values.len())];
    Ok(Measured {
        detector: name.to_string(),
        stream: on,
        compat,
        nanos,
        nanos_max: nanos_max(name),
        drifts: count,
        drifts_beside_river: drifts(&mut new.clone(), beside),
        river: None,
    })
}

/// Has the script measure river's detectors on the same values, which it reads as bytes.
fn ask_river(python: &Path, arguments: &Arguments, measured: &mut [Measured]) -> Result<String> {
    #[derive(Deserialize)]
    struct Answer {
        version: String,
        results: Vec<Option<River>>,
    }
    let mut command = Command::new(python);
    command.arg(&arguments.script).arg("--rounds");
    command.arg(arguments.rounds.min(3).to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {}", python.display()))?;
    let mut stdin = child.stdin.take().context("the script has no input")?;
    for line in measured.iter() {
        let values = stream(line.stream, arguments.river_values, arguments.seed);
        writeln!(stdin, "{} {}", line.detector, values.len())?;
        for value in &values {
            stdin.write_all(&value.to_le_bytes())?;
        }
    }
    drop(stdin);
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{} failed",
        arguments.script.display()
    );
    let answer: Answer = serde_json::from_slice(&output.stdout)?;
    ensure!(
        answer.results.len() == measured.len(),
        "the script left lines out"
    );
    for (line, result) in measured.iter_mut().zip(answer.results) {
        line.river = result;
    }
    Ok(answer.version)
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut measured = Vec::new();
    let wanted = |name: DetectorName| arguments.only.is_empty() || arguments.only.contains(&name);
    for (name, on) in lines().filter(|(name, _)| wanted(*name)) {
        eprintln!("{name} on {on:?}");
        measured.push(measure(name, on, &arguments)?);
    }
    let river_version = match &arguments.python {
        Some(python) => Some(ask_river(python, &arguments, &mut measured)?),
        None => None,
    };
    let record = Record {
        date: today(),
        machine: machine(),
        seed: arguments.seed,
        rounds: arguments.rounds,
        values: arguments.values,
        river_values: arguments.river_values,
        river_version,
        measured,
    };
    let table = page::table(&record);
    println!("{table}");
    if let Some(path) = &arguments.write {
        let kept = Path::new(RUNS).join(format!("{}.json", record.date));
        fs::create_dir_all(RUNS)?;
        fs::write(&kept, serde_json::to_string_pretty(&record)? + "\n")?;
        let page =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(path, page::splice(&page, &table)?)?;
        eprintln!("wrote {} and {}", kept.display(), path.display());
    }
    let slow = |line: &&Measured| line.nanos_max.is_some_and(|most| line.nanos > most);
    if let Some(line) = record.measured.iter().find(slow) {
        bail!(
            "{} takes {:.1} ns, more than its bound",
            line.detector,
            line.nanos
        );
    }
    let other = |line: &&Measured| {
        line.river
            .as_ref()
            .is_some_and(|river| river.drifts != line.drifts_beside_river)
    };
    // KSWIN draws other samples than river's, because the benchmark leaves river as it is.
    let drawn = |line: &&Measured| line.detector != "kswin";
    if let Some(line) = record.measured.iter().filter(drawn).find(other) {
        bail!("{} does not have river's drifts: {line:?}", line.detector);
    }
    Ok(())
}
