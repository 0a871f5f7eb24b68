//! `reference` and its options.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{ColumnOptions, KindOptions, OutputFormat};

/// The commands about references.
#[derive(Debug, Subcommand)]
pub enum ReferenceCommand {
    /// Build a reference from a CSV, JSON-lines or Parquet file
    Build(Box<ReferenceBuildArgs>),
    /// Show what a reference holds
    Show(ReferenceShowArgs),
}

/// Options that say how columns are compared together.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Joint drift")]
pub struct TogetherOptions {
    /// Add a column `joint`: the leaf of a tree over all features that an event falls into
    #[arg(long)]
    pub joint: bool,
    /// Leaves of the tree, a power of two up to 256
    #[arg(long, value_name = "N", default_value_t = 64, requires = "joint")]
    pub leaves: u16,
    /// Numeric columns that are one vector: `place=lat,lon`, or `text=emb_*` by what their names begin with
    #[arg(long, value_name = "NAME=COLUMNS")]
    pub embedding: Vec<String>,
    /// Random features of a vector, a multiple of 16 up to 1024
    #[arg(long, value_name = "N", default_value_t = 64, requires = "embedding")]
    pub features: u16,
    /// Monitor the columns of vectors one by one too
    #[arg(long, requires = "embedding")]
    pub keep_coordinates: bool,
    /// Seed of the tree and of the random features
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// Options that say where labels are and what they are of.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Labels")]
pub struct LabelOptions {
    /// File of labels, joined to the predictions by id: id, label and, if there is one, the time at which it came
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Column of the label: of --labels, else of the input [default with --labels: label or the only one left]
    #[arg(long, value_name = "COLUMN", visible_alias = "label-column")]
    pub label: Option<String>,
    /// What the model does [default: by the labels and columns]
    #[arg(long, value_enum, value_name = "TASK")]
    pub task: Option<LabelTask>,
    /// The positive class of two [default: 1, true or yes]
    #[arg(long, value_name = "CLASS")]
    pub positive: Option<String>,
    /// Scores from here on are positive, whatever the predicted label says
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true)]
    pub threshold: Option<f64>,
}

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LabelTask {
    /// One of two classes.
    Binary,
    /// One of several classes.
    Multiclass,
    /// A number.
    Regression,
    /// Items in an order.
    Ranking,
}

/// Options of `reference build`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
A column is numeric when all its values are numbers, else categorical. A column of scores becomes the
model's output `value`, one of predicted labels its output `label`, columns `scores.<class>` the scores of
several classes; ids and times are left out.

With labels, the reference says how good the model was, and how late labels come: what performance, concept
drift and estimates without labels are compared with.

Examples:
  driftline reference build --input train.parquet --model churn --model-version 3 --out churn-3.json
  driftline reference build --input events.csv.gz --model flights-delay --model-version 1 \\
      --until 2013-03-01 --categorical sched_hour --joint --out flights.json
  driftline reference build --input events.csv --labels labels.csv --model flights-delay --out flights.json
  driftline reference build --input texts.parquet --model topic --embedding 'text=emb_*' --out topic.json")]
pub struct ReferenceBuildArgs {
    /// The file to read: .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet
    #[arg(long, short, value_name = "FILE")]
    pub input: PathBuf,
    /// The model's id, as it stands in the events
    #[arg(long, value_name = "ID")]
    pub model: String,
    /// The version's name, as it stands in the events; `*` for all
    #[arg(long, value_name = "NAME", default_value = "*")]
    pub model_version: String,
    /// Where to write the reference; `-` is standard output
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// Only rows at or after this time
    #[arg(long, value_name = "TIME")]
    pub since: Option<driftline_event::Timestamp>,
    /// Only rows before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<driftline_event::Timestamp>,
    /// Quantile bins per numeric column
    #[arg(long, default_value_t = 96, value_parser = clap::value_parser!(u16).range(2..=1024))]
    pub bins: u16,
    /// Where labels are and what they are of.
    #[command(flatten)]
    pub labels: LabelOptions,
    /// How columns are compared together.
    #[command(flatten)]
    pub together: TogetherOptions,
    /// Which columns are what.
    #[command(flatten)]
    pub columns: ColumnOptions,
    /// How columns are compared.
    #[command(flatten)]
    pub kinds: KindOptions,
}

/// Options of `reference show`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  driftline reference show churn-3.json")]
pub struct ReferenceShowArgs {
    /// The reference file
    #[arg(value_name = "FILE")]
    pub reference: PathBuf,
    /// How it looks
    #[arg(long, value_enum, default_value = "table")]
    pub format: OutputFormat,
}
