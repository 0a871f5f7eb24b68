//! Options of `estimate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{FailOn, OutputFormat, positive};

/// Options of `estimate`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Needs labels in the reference only. Scores are calibrated on it; what the calibrated scores say about a chunk of
the current file is its estimated performance. An estimate follows a change of the inputs. It cannot see that
labels now depend on the inputs in another way: `health` says what can be checked of that without labels.

Where the current file has the label column too, the realised values stand beside the estimates.

Examples:
  driftline estimate --reference train.parquet --current june.parquet --score p --prediction y_hat --label y
  driftline estimate --reference a.csv --current b.csv --score p --label y --threshold 0.5 --chunk-size 2000
  driftline estimate --reference a.csv --current b.csv --prediction y_hat --label y \\
      --score cat=p_cat,dog=p_dog,owl=p_owl
  driftline estimate --reference a.csv --current b.csv --prediction price_hat --label price --task regression
  driftline estimate --reference a.csv --current b.csv --score p --prediction y_hat --label y \\
      --metrics roc_auc,business_value --cost-matrix '1,-10;-20,5' --format json --fail-on drift")]
pub struct EstimateArgs {
    /// The file with labels, of a time when all was well
    #[arg(long, short, value_name = "FILE")]
    pub reference: PathBuf,
    /// The file to estimate performance on
    #[arg(long, short, value_name = "FILE")]
    pub current: PathBuf,
    /// Rows of a chunk [default: a tenth of the reference]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub chunk_size: Option<u64>,
    /// Chunks are the hours, days, weeks (from Monday) or months (UTC) of --time instead
    #[arg(
        long,
        value_enum,
        value_name = "PERIOD",
        requires = "time",
        conflicts_with = "chunk_size"
    )]
    pub chunk_period: Option<ChunkPeriod>,
    /// What the model predicts [default: multiclass when --score names classes, else binary]
    #[arg(long, value_enum, value_name = "TASK")]
    pub task: Option<EstimateTask>,
    /// Column of the score; with several classes CLASS=COLUMN for each
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub score: Vec<String>,
    /// Column of the predicted class or value
    #[arg(long, value_name = "COLUMN")]
    pub prediction: Option<String>,
    /// Column of the label
    #[arg(long, value_name = "COLUMN")]
    pub label: String,
    /// Column of the event time; rows are then taken in its order
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// The positive class [default: 1 or true]
    #[arg(long, value_name = "CLASS")]
    pub positive: Option<String>,
    /// Without --prediction: scores from here on are predicted positive
    #[arg(
        long,
        value_name = "SCORE",
        conflicts_with = "prediction",
        allow_hyphen_values = true
    )]
    pub threshold: Option<f64>,
    /// Whether scores are calibrated on the reference: auto tries whether that makes them better
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub calibrate: Calibrate,
    /// Metrics, by name; confusion_matrix for its cells [default: all but the cells]
    #[arg(long, value_delimiter = ',', value_name = "METRICS")]
    pub metrics: Vec<String>,
    /// What a row of each cell is worth, a line per true class, lines apart by `;`: TN,FP;FN,TP
    #[arg(long, value_name = "VALUES", allow_hyphen_values = true)]
    pub cost_matrix: Option<String>,
    /// Columns that a regression's losses are learned from [default: all other columns]
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub features: Vec<String>,
    /// How many standard deviations wide bands and alert thresholds are, to each side
    #[arg(long, default_value_t = 3.0, value_name = "N", value_parser = positive)]
    pub deviations: f64,
    /// Exit with 1 when an estimate is beyond its thresholds
    #[arg(long, value_enum, value_name = "WHAT")]
    pub fail_on: Option<FailOn>,
    /// How the result looks
    #[arg(long, value_enum, default_value = "table")]
    pub format: OutputFormat,
}

/// What a model predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EstimateTask {
    /// One of two classes.
    Binary,
    /// One of several classes.
    Multiclass,
    /// A number.
    Regression,
}

impl EstimateTask {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Multiclass => "multiclass",
            Self::Regression => "regression",
        }
    }
}

/// Whether scores are calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Calibrate {
    /// When that lowers their calibration error on rows that were not fitted.
    Auto,
    /// In any case.
    Always,
    /// They are taken for probabilities as they are.
    Never,
}

/// Chunks of calendar time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ChunkPeriod {
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Weeks, from Monday.
    Week,
    /// Months.
    Month,
}
