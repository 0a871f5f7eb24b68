//! `cargo xtask bench`: builds a benchmark with optimisation and runs it, on a real Kafka where it needs one.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::cache;
use crate::check::cargo;
use crate::quiet_month::{self, QuietMonth};
use crate::run::shown;
use crate::servers::Cluster;
use crate::streams::exported;

/// Where the tables of `bench detectors` and `bench join` go, unless options make them others than the page says.
const PERFORMANCE: &str = "docs/performance.md";

/// Where the tables of `bench streams` go, unless options make them others than the page says.
const DETECTION: &str = "docs/detection.md";

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Decode and update in memory: nanoseconds of CPU time per event and per value
    HotPath {
        /// Options of the benchmark; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// The observe stage beside a bare consumer of the same topic; starts Kafka if none is up
    EndToEnd {
        /// Options of the benchmark; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// The join of predictions with labels: events per second and bytes per pending prediction, written to
    /// docs/performance.md
    Join {
        /// Options of the benchmark; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Nanoseconds of an update of each sequential detector beside river's, written to docs/performance.md
    Detectors {
        /// Options of the benchmark; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// False alarms in months without drift, and delays of shifts, written to docs/quiet_month.md
    QuietMonth(QuietMonth),
    /// Rows a second of label-free estimation beside NannyML's, written to docs/performance.md
    Estimate {
        /// Options of the benchmark; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// False alarms, delays and misses on the public streams that Python packages ship, written to docs/detection.md
    Streams {
        /// Options of the benchmark; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
}

/// `cargo xtask bench`.
pub(crate) fn run(root: &Path, bench: &Bench) -> Result<()> {
    match bench {
        Bench::HotPath { options } => {
            let mut command = benchmark(root, "run", "hot_path");
            command.arg("--").args(options);
            execute(command)
        }
        Bench::EndToEnd { options } => end_to_end(root, options),
        Bench::Join { options } => {
            let mut command = benchmark(root, "run", "join");
            command.arg("--");
            if options.is_empty() {
                command.arg("--write").arg(root.join(PERFORMANCE));
            }
            command.args(options);
            execute(command)
        }
        Bench::Detectors { options } => {
            let requirements = root.join("bench/python/requirements.txt");
            let mut command = detection(root, "sequential");
            command.arg("--python");
            command.arg(cache::python_environment("streams", &requirements)?);
            if options.is_empty() {
                command.arg("--write").arg(root.join(PERFORMANCE));
            }
            command.args(options);
            execute(command)
        }
        Bench::QuietMonth(arguments) => quiet_month::run(root, arguments),
        Bench::Estimate { options } => estimate(root, options),
        Bench::Streams { options } => {
            let mut command = detection(root, "streams");
            command.arg("--data").arg(exported(root)?);
            if options.is_empty() {
                command.arg("--write").arg(root.join(DETECTION));
            }
            command.args(options);
            execute(command)
        }
    }
}

/// Beside NannyML, in the environment that its golden files are made with.
fn estimate(root: &Path, options: &[String]) -> Result<()> {
    let requirements = root.join("tests/golden/estimate_nannyml/requirements.txt");
    let python = crate::cache::python_environment("golden-estimate_nannyml", &requirements)?;
    let mut command = cargo(root, &["run", "--release", "--locked"]);
    command.args(["--package", "driftline-bench-detect", "--bin", "estimate"]);
    command.arg("--").arg("--python").arg(python);
    let script = root.join("bench/python/estimate.py");
    command.arg("--script").arg(script);
    if options.is_empty() {
        command.arg("--write").arg(root.join("docs/performance.md"));
    }
    command.args(options);
    execute(command)
}

/// On the brokers of `DRIFTLINE_KAFKA` or `--brokers` if they are given, else on those of `kafka up`.
fn end_to_end(root: &Path, options: &[String]) -> Result<()> {
    let asks_nothing_of_us = |option: &String| {
        ["--brokers", "--help", "-h"].contains(&option.as_str()) || option.starts_with("--brokers=")
    };
    let mut command = benchmark(root, "run", "end_to_end");
    command.arg("--").args(options);
    if options.iter().any(asks_nothing_of_us) || std::env::var_os("DRIFTLINE_KAFKA").is_some() {
        return execute(command);
    }
    // First, so that no broker waits for minutes while the compiler has the processors.
    execute(benchmark(root, "build", "end_to_end"))?;
    let cluster = Cluster::up()?;
    command.env("DRIFTLINE_KAFKA", &cluster.handle.bootstrap);
    execute(command)
}

/// A benchmark of what is decided, up to its own options.
fn detection(root: &Path, binary: &str) -> Command {
    let mut command = cargo(root, &["run", "--release", "--locked"]);
    command.args(["--package", "driftline-bench-detect", "--bin", binary, "--"]);
    command
}

fn benchmark(root: &Path, what: &str, binary: &str) -> Command {
    let package = ["--release", "--locked", "--package", "driftline-bench"];
    let mut command = cargo(root, &[what]);
    command.args(package).args(["--bin", binary]);
    command
}

/// Runs a command on this terminal, for as long as it takes.
fn execute(mut command: Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run `{}`", shown(&command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(&command));
    }
    Ok(())
}
