//! What label-free estimation costs, next to NannyML on the same rows in the same run.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: results on stdout, progress on stderr"
)]

mod rows;

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use driftline_stat::estimate::{
    EstimateBin, HealthOptions, HealthReference, IsotonicCalibration, LabelledRows, Metric,
    Thresholds, estimate_binary, estimate_binary_rows, needs_calibration, realised_binary,
    sampling_binary,
};
use serde::Deserialize;

use self::rows::Rows;

const BEGIN: &str = "<!-- estimate: written by `cargo xtask bench estimate` -->";
const END: &str = "<!-- end of estimate -->";
/// What both compute for each chunk.
const METRICS: [Metric; 7] = [
    Metric::RocAuc,
    Metric::AveragePrecision,
    Metric::Accuracy,
    Metric::F1,
    Metric::Precision,
    Metric::Recall,
    Metric::Specificity,
];
/// Bins of the engine's score histogram.
const BINS: usize = 128;

#[derive(Debug, Parser)]
struct Arguments {
    /// A Python with NannyML; without it only Driftline is measured
    #[arg(long)]
    python: Option<PathBuf>,
    /// The script that times NannyML
    #[arg(long, default_value = "bench/python/estimate.py")]
    script: PathBuf,
    /// Rows of the labelled reference
    #[arg(long, default_value_t = 200_000)]
    reference: usize,
    /// Rows to estimate on
    #[arg(long, default_value_t = 2_000_000)]
    rows: usize,
    /// Rows of a chunk
    #[arg(long, default_value_t = 10_000)]
    chunk: usize,
    /// The page whose marked section is replaced
    #[arg(long)]
    write: Option<PathBuf>,
}

/// Seconds of CPU time, and an estimate to compare by.
#[derive(Debug, Deserialize)]
struct Timed {
    name: String,
    fit: f64,
    estimate: f64,
    /// Estimated AUC of the first chunk.
    roc_auc: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        arguments.chunk > 0 && arguments.reference >= arguments.chunk,
        "too few rows"
    );
    let reference = Rows::draw(1, arguments.reference, 1.0);
    let current = Rows::draw(2, arguments.rows, 1.3);
    let mut timed = vec![ours(&reference, &current, arguments.chunk)?];
    if let Some(python) = &arguments.python {
        timed.push(theirs(python, &arguments, &reference, &current)?);
        let off = (timed[0].roc_auc - timed[1].roc_auc).abs();
        ensure!(off < 1e-3, "the estimates differ by {off}");
    }
    let text = table(&timed, &arguments) + &histogram(&current)?;
    print!("{text}");
    arguments
        .write
        .as_deref()
        .map_or(Ok(()), |page| write(page, &text))
}

/// Seconds of CPU time of this thread, which other processes cannot stretch.
fn cpu_seconds() -> Result<f64> {
    let ran = fs::read_to_string("/proc/thread-self/schedstat").context("this needs Linux")?;
    let nanos = ran
        .split_whitespace()
        .next()
        .and_then(|n| n.parse::<f64>().ok());
    Ok(nanos.context("the kernel does not count CPU time")? / 1e9)
}

/// Fits on the reference and estimates every chunk, as `driftline estimate` does once it has read its files.
fn ours(reference: &Rows, current: &Rows, chunk: usize) -> Result<Timed> {
    let started = cpu_seconds()?;
    let known = reference.labelled(0..reference.len());
    ensure!(
        needs_calibration(&reference.scores, &reference.labels),
        "nothing to calibrate"
    );
    let outcomes: Vec<f64> = reference
        .labels
        .iter()
        .map(|l| f64::from(u8::from(*l)))
        .collect();
    let calibration =
        IsotonicCalibration::fit(&reference.scores, &outcomes, None).context("rows")?;
    let sampling = sampling_binary(&known, None);
    let realised: Vec<_> = (0..reference.len())
        .step_by(chunk)
        .map(|start| {
            let rows: LabelledRows<'_> =
                reference.labelled(start..(start + chunk).min(reference.len()));
            realised_binary(&rows, None)
        })
        .collect();
    let thresholds: Vec<Option<Thresholds>> = METRICS
        .iter()
        .map(|metric| {
            let values: Vec<Option<f64>> =
                realised.iter().map(|found| found.get(*metric)).collect();
            Thresholds::of_chunks(&values, 3.0, (0.0, 1.0))
        })
        .collect();
    let health =
        HealthReference::new(&reference.scores, HealthOptions::default()).context("rows")?;
    let fit = cpu_seconds()? - started;
    let started = cpu_seconds()?;
    let (mut first, mut alerts) = (None, 0);
    for start in (0..current.len()).step_by(chunk) {
        let rows = start..(start + chunk).min(current.len());
        let scores = &current.scores[rows.clone()];
        let p: Vec<f64> = scores.iter().map(|s| calibration.calibrate(*s)).collect();
        let found = estimate_binary_rows(scores, &p, Some(&current.predicted[rows]), None);
        let found = found.context("a chunk has rows")?;
        for (metric, thresholds) in METRICS.iter().zip(&thresholds) {
            let value = found.metric(*metric).map_or(f64::NAN, |e| e.value);
            let reach = sampling
                .get(*metric)
                .map_or(0.0, |s| 3.0 * s.deviation(found.rows()));
            black_box((value - reach, value + reach));
            alerts += usize::from(thresholds.is_some_and(|t| t.alert(value)));
        }
        black_box(health.judge(scores, 0, 0));
        first = first.or(found.metric(Metric::RocAuc));
    }
    black_box(alerts);
    let estimate = cpu_seconds()? - started;
    let roc_auc = first.map_or(f64::NAN, |e| e.value);
    Ok(Timed {
        name: "Driftline".into(),
        fit,
        estimate,
        roc_auc,
    })
}

fn theirs(python: &Path, arguments: &Arguments, reference: &Rows, current: &Rows) -> Result<Timed> {
    let directory = std::env::temp_dir().join(format!("driftline-estimate-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    reference.write(&directory, "reference")?;
    current.write(&directory, "current")?;
    eprintln!("NannyML on the same rows");
    let output = Command::new(python)
        .arg(&arguments.script)
        .arg(&directory)
        .arg(arguments.chunk.to_string())
        .env("NML_DISABLE_USAGE_LOGGING", "1")
        .output()
        .with_context(|| format!("cannot run {}", python.display()));
    let _ = fs::remove_dir_all(&directory);
    let output = output?;
    if !output.status.success() {
        bail!(
            "NannyML failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("the script's answer")
}

/// The engine's side: one window of a histogram, whatever its number of events.
fn histogram(current: &Rows) -> Result<String> {
    let mut scores = current.scores.clone();
    scores.sort_unstable_by(f64::total_cmp);
    let bins: Vec<EstimateBin> = (0..BINS)
        .map(|b| {
            let part = &scores[b * scores.len() / BINS..(b + 1) * scores.len() / BINS];
            let count = part.len() as u64;
            EstimateBin {
                count,
                probability: part.iter().sum::<f64>() / part.len().max(1) as f64,
                predicted_positive: part.iter().filter(|s| **s >= 0.5).count() as u64,
            }
        })
        .collect();
    let rounds = 20_000;
    let started = cpu_seconds()?;
    for _ in 0..rounds {
        black_box(estimate_binary(black_box(&bins), None));
    }
    let micros = (cpu_seconds()? - started) * 1e6 / f64::from(rounds);
    Ok(format!(
        "\nFrom the engine's histogram of {BINS} bins a window takes {micros:.1} µs, however many events it holds.\n"
    ))
}

fn table(timed: &[Timed], arguments: &Arguments) -> String {
    let mut text = format!(
        "{} metrics, band, alert and thresholds of {} rows in chunks of {}; fitted on {} labelled rows; CPU time of one thread.\n\n\
         | | fit, s | estimate, s | rows/s | fit and estimate, rows/s |\n| --- | ---: | ---: | ---: | ---: |\n",
        METRICS.len(),
        arguments.rows,
        arguments.chunk,
        arguments.reference,
    );
    for one in timed {
        let per_second =
            |rows: usize, seconds: f64| format!("{:.2} M", rows as f64 / seconds / 1e6);
        text += &format!(
            "| {} | {:.3} | {:.3} | {} | {} |\n",
            one.name,
            one.fit,
            one.estimate,
            per_second(arguments.rows, one.estimate),
            per_second(arguments.rows + arguments.reference, one.fit + one.estimate),
        );
    }
    text
}

/// Replaces the section between the marks.
fn write(page: &Path, text: &str) -> Result<()> {
    let have =
        fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
    let (before, rest) = have
        .split_once(BEGIN)
        .context("the page has no mark of the section")?;
    let (_, after) = rest
        .split_once(END)
        .context("the page has no end of the section")?;
    fs::write(page, format!("{before}{BEGIN}\n\n{text}\n{END}{after}"))?;
    Ok(())
}
