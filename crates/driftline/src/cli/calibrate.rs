//! Options of `calibrate`.

use std::path::PathBuf;

use clap::Args;

use super::{ColumnOptions, OutputFormat};

/// Options of `calibrate`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Counts at least 14 days of history that were fine, finds out for every column how bursty it is, how far it
harmlessly wanders and which cycle it follows, and tries the result on months made of the history's days. With
--labels the same is found out about errors, calibration and labels, as the configuration's `labels:` judges them.
Name the file it writes under models[].versions[].calibration.

Examples:
  driftline calibrate --config driftline.yaml --predictions october.parquet --out churn.calibration.yaml
  driftline calibrate --config driftline.yaml --predictions a.jsonl.gz b.jsonl.gz --days 28 --segments \\
      --out churn.calibration.yaml
  driftline calibrate --config driftline.yaml --predictions october.parquet --labels labels.parquet \\
      --out churn.calibration.yaml")]
pub struct CalibrateArgs {
    /// The configuration file; its Kafka sections and calibrations are not used
    #[arg(long, short, env = "DRIFTLINE_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Files of predictions, in the order of their events
    #[arg(long, short, required = true, num_args = 1.., value_name = "FILE")]
    pub predictions: Vec<PathBuf>,
    /// Files of their labels, in the order of the labels' times: these are calibrated too
    #[arg(long, short, num_args = 1.., value_name = "FILE")]
    pub labels: Vec<PathBuf>,
    /// The column that holds the labels [default: `label`, or the only one that is nothing else]
    #[arg(long, value_name = "COLUMN")]
    pub label_column: Option<String>,
    /// Only events at or after this time
    #[arg(long, value_name = "TIME")]
    pub since: Option<driftline_event::Timestamp>,
    /// Only events before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<driftline_event::Timestamp>,
    /// Use only the last so many days of these [default: all]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(2..=3_660))]
    pub days: Option<u32>,
    /// The model of rows that do not name one, and the only one to calibrate [default: all of the configuration]
    #[arg(long, value_name = "ID")]
    pub model: Option<String>,
    /// The version of rows that do not name one [default: the model's only version]
    #[arg(long, value_name = "NAME")]
    pub model_version: Option<String>,
    /// Calibrate the configured segments too; only then are they judged
    #[arg(long)]
    pub segments: bool,
    /// Make do with fewer than 14 days, and widen the bands for it
    #[arg(long)]
    pub allow_short: bool,
    /// Months to make of the history's days; 0 to leave the trial out
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub months: u32,
    /// Seed of the choice of days
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The calibration file to write; `-` is standard output
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// How the findings look
    #[arg(long, value_enum, default_value = "table")]
    pub format: OutputFormat,
    /// Which columns are what.
    #[command(flatten)]
    pub columns: ColumnOptions,
}
