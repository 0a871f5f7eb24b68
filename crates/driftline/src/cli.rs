//! Every command and option. Help texts live here and nowhere else.

mod calibrate;
mod detect;
mod estimate;
mod reference;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use calibrate::CalibrateArgs;
pub use detect::DetectArgs;
pub use estimate::{Calibrate, ChunkPeriod, EstimateArgs, EstimateTask};
pub use reference::{
    LabelOptions, LabelTask, ReferenceBuildArgs, ReferenceCommand, ReferenceShowArgs,
    TogetherOptions,
};

const EXIT_CODES: &str = "\
Exit codes: 0 fine, 1 drift found (only with --fail-on drift), 2 usage, 65 bad data,
69 broker or registry unavailable, 70 internal error, 78 wrong configuration.";

/// Watches machine-learning models in production: reads predictions from Kafka, compares every
/// feature with its reference in sliding windows, and reports drift as metrics and alerts.
#[derive(Debug, Parser)]
#[command(name = "driftline", version, after_help = EXIT_CODES, propagate_version = true)]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalOptions,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct GlobalOptions {
    /// How logs on standard error look
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
    /// Log more (-v debug, -vv everything); DRIFTLINE_LOG takes finer filters
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Log less (-q errors only, -qq nothing)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "verbose")]
    pub quiet: u8,
}

/// How logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// How results look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// A table for people.
    Table,
    /// JSON for programs.
    Json,
}

/// What makes a finished command exit with 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Drift was found.
    Drift,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a real model drift, with nothing but this binary
    Demo(DemoArgs),
    /// Monitor the models of a configuration from Kafka
    Run(RunArgs),
    /// Check a configuration and predict its metric series and memory
    Check(CheckArgs),
    /// List or create the Kafka topics that a configuration needs
    Topics(TopicsArgs),
    /// Build or show a reference: what a model's data looked like when all was well
    #[command(subcommand)]
    Reference(ReferenceCommand),
    /// Run the engine over files instead of Kafka
    Replay(ReplayArgs),
    /// Find out from history what is no drift, and how many alarms to expect
    Calibrate(Box<CalibrateArgs>),
    /// Compare two files column by column with two-sample tests
    Compare(CompareArgs),
    /// Run a sequential drift detector, such as ADWIN or DDM, over a stream of numbers
    Detect(DetectArgs),
    /// Estimate a model's performance on data that has no labels yet
    Estimate(Box<EstimateArgs>),
    /// Print the schema of the configuration or of an event
    Schema(SchemaArgs),
}

/// Options of `demo`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Replays a year of flight-delay predictions through an embedded broker and the whole pipeline.

Examples:
  driftline demo                     live view; metrics and page on http://127.0.0.1:9464
  driftline demo --once              end after the data, with a summary per feature
  driftline demo --once --format json --quiet")]
pub struct DemoArgs {
    /// Port of the page and of /metrics on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 9464)]
    pub port: u16,
    /// End after the data with a summary instead of serving until Ctrl-C
    #[arg(long)]
    pub once: bool,
    /// Event time replayed per second, as a multiple of real time (100000 is about a day a second)
    #[arg(long, value_name = "FACTOR", value_parser = positive)]
    pub speed: Option<f64>,
    /// How the summary looks
    #[arg(long, value_enum, default_value = "table")]
    pub format: OutputFormat,
    /// Exit with 1 when something drifted
    #[arg(long, value_enum, value_name = "WHAT")]
    pub fail_on: Option<FailOn>,
    /// Only send the demo's traffic, to the topics flights.predictions and flights.labels of these brokers
    #[arg(long, value_name = "HOST:PORT")]
    pub brokers: Option<String>,
    /// With --brokers: register the schemas here first; without it their ids are 1 and 2
    #[arg(long, value_name = "URL", requires = "brokers")]
    pub registry: Option<String>,
}

/// A stage of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StageName {
    /// Events to partial counts.
    Observe,
    /// Labels to their predictions.
    Join,
    /// Partial counts to windows, statistics and alerts.
    Evaluate,
}

/// Options of `run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  driftline run --config driftline.yaml
  driftline run --config driftline.yaml --stages observe     scale out reading on its own")]
pub struct RunArgs {
    /// The configuration file
    #[arg(long, short, env = "DRIFTLINE_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// The stages that run in this process
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["observe", "join", "evaluate"], value_name = "STAGES")]
    pub stages: Vec<StageName>,
}

/// Options of `check`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  driftline check --config driftline.yaml                       also asks the brokers
  driftline check --config driftline.yaml --offline --deny-warnings      in continuous integration")]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, short, env = "DRIFTLINE_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Do not connect to brokers or the registry
    #[arg(long)]
    pub offline: bool,
    /// Treat warnings as errors
    #[arg(long)]
    pub deny_warnings: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value = "table")]
    pub format: OutputFormat,
}

/// Options of `topics`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  driftline topics --config driftline.yaml              what is needed, as commands for an administrator
  driftline topics --config driftline.yaml --create     create what is missing")]
pub struct TopicsArgs {
    /// The configuration file
    #[arg(long, short, env = "DRIFTLINE_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Create the topics that are missing; topics that exist are left as they are
    #[arg(long)]
    pub create: bool,
    /// How the list looks
    #[arg(long, value_enum, default_value = "table")]
    pub format: OutputFormat,
}

/// Options that say which columns of a file are what.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Columns")]
pub struct ColumnOptions {
    /// Column of the event time [default: ts, time, timestamp, event_time or predicted_at]
    #[arg(long, value_name = "COLUMN")]
    pub time_column: Option<String>,
    /// Column of the prediction id [default: id or prediction_id]
    #[arg(long, value_name = "COLUMN")]
    pub id_column: Option<String>,
    /// Column of the model's score or value [default: score]
    #[arg(long, value_name = "COLUMN")]
    pub score_column: Option<String>,
    /// Column of the predicted label [default: pred, prediction or label]
    #[arg(long, value_name = "COLUMN")]
    pub prediction_column: Option<String>,
    /// Columns to leave out
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub ignore: Vec<String>,
}

/// Options that say how columns are compared.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Columns")]
pub struct KindOptions {
    /// Columns to treat as categories although their values are numbers
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub categorical: Vec<String>,
    /// Columns to treat as numbers although some of their values are not
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub numeric: Vec<String>,
}

/// Options of `replay`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Writes reports.jsonl (a line per window, series and close), performance.jsonl (a line per window of
predictions and revision, with --labels), alerts.jsonl and summary.json to the directory.

Examples:
  driftline replay --config driftline.yaml --predictions events.parquet --out out/
  driftline replay --config driftline.yaml --predictions events.csv --labels labels.csv --out out/
  driftline replay --config driftline.yaml --predictions jan.csv feb.csv --out out/ --fail-on drift")]
pub struct ReplayArgs {
    /// The configuration file; its Kafka sections are not used
    #[arg(long, short, env = "DRIFTLINE_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Files of predictions, in the order of their events
    #[arg(long, short, required = true, num_args = 1.., value_name = "FILE")]
    pub predictions: Vec<PathBuf>,
    /// Files of labels, in the order of their times
    #[arg(long, short, num_args = 1.., value_name = "FILE")]
    pub labels: Vec<PathBuf>,
    /// The column that holds the labels [default: `label`, or the only one that is nothing else]
    #[arg(long, value_name = "COLUMN")]
    pub label_column: Option<String>,
    /// The model of rows that do not name one [default: the configuration's only model]
    #[arg(long, value_name = "ID")]
    pub model: Option<String>,
    /// The version of rows that do not name one [default: the model's only version]
    #[arg(long, value_name = "NAME")]
    pub model_version: Option<String>,
    /// The directory to write to; made if it is not there
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
    /// Exit with 1 when something drifted
    #[arg(long, value_enum, value_name = "WHAT")]
    pub fail_on: Option<FailOn>,
    /// Which columns are what.
    #[command(flatten)]
    pub columns: ColumnOptions,
}

/// Options of `compare`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Every column that both files have is compared by every test that fits its kind. A column has drifted
when its difference is certain (--alpha, over all columns and tests together) and large enough to
matter (--tolerance). Without a header row, a file of one column has the name `value`.

Examples:
  driftline compare --reference train.parquet --current today.csv
  driftline compare --reference a.csv --current b.csv --format html --out report.html
  driftline compare --reference a.csv --current b.csv --tests ks,psi --format json
  driftline compare --reference a.csv --current b.csv --fail-on drift --threshold psi=0.2")]
pub struct CompareArgs {
    /// The file of what is expected
    #[arg(long, short, value_name = "FILE")]
    pub reference: PathBuf,
    /// The file to compare with it
    #[arg(long, short, value_name = "FILE")]
    pub current: PathBuf,
    /// Tests to run, by name [default: all that fit the column]
    #[arg(long, value_delimiter = ',', value_name = "TESTS")]
    pub tests: Vec<String>,
    /// Only these columns
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub columns: Vec<String>,
    /// Columns to leave out
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub ignore: Vec<String>,
    /// How columns are compared.
    #[command(flatten)]
    pub kinds: KindOptions,
    /// The chance of a false alarm over all columns and tests together (Holm's correction)
    #[arg(long, default_value_t = 0.05, value_parser = share)]
    pub alpha: f64,
    /// The smallest change of a share that matters, as Cohen's h (0.1 is 45 % to 50 %, or 0 to 0.25 %)
    #[arg(long, default_value_t = 0.1, value_parser = not_negative, value_name = "H")]
    pub tolerance: f64,
    /// Distances that matter whatever --tolerance says, such as psi=0.2; never below the floor
    #[arg(long = "threshold", value_delimiter = ',', value_name = "TEST=VALUE")]
    pub thresholds: Vec<String>,
    /// Exit with 1 when a column has drifted
    #[arg(long, value_enum, value_name = "WHAT")]
    pub fail_on: Option<FailOn>,
    /// How the result looks
    #[arg(long, value_enum, default_value = "table")]
    pub format: CompareFormat,
    /// Where to write the result [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The order of the columns [default: evidence; json: file]
    #[arg(long, value_enum, value_name = "ORDER")]
    pub sort: Option<CompareSort>,
    /// Say also what a peer would have said, by its own definitions; --fail-on drift then follows the peer
    #[arg(long, value_enum, value_name = "PEER")]
    pub compat: Option<ComparePeer>,
    /// A line for every column and test in the table
    #[arg(long)]
    pub detail: bool,
    /// Columns that the table shows; 0 for all
    #[arg(long, default_value_t = 200, value_name = "COUNT")]
    pub limit: usize,
}

/// How a comparison looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// A table for people.
    Table,
    /// JSON for programs.
    Json,
    /// A self-contained page with pictures.
    Html,
}

/// A peer whose definitions are repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ComparePeer {
    /// Evidently 0.7.21: its automatic choice of a test for each column, and half of the columns for the dataset.
    Evidently,
    /// NannyML 0.13.1: Jensen–Shannon distance over three standard deviations of the reference's ten chunks.
    Nannyml,
}

impl ComparePeer {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Evidently => "Evidently",
            Self::Nannyml => "NannyML",
        }
    }
}

/// The order of a comparison's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompareSort {
    /// By verdict, then by how far the distance is beyond its floor.
    Evidence,
    /// By the size of the largest change.
    Effect,
    /// By name.
    Name,
    /// As in the reference file.
    File,
}

/// Options of `schema`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  driftline schema config > driftline.schema.json     for editors that check YAML
  driftline schema prediction                         the Avro schema of a prediction")]
pub struct SchemaArgs {
    /// Which schema: JSON Schema for config, alert and retrain-request, Avro for prediction and label
    #[arg(value_enum)]
    pub name: SchemaName,
}

/// The schemas that can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaName {
    /// The configuration file.
    Config,
    /// An alert, as it stands in the alerts topic.
    Alert,
    /// A retrain request.
    RetrainRequest,
    /// A prediction.
    Prediction,
    /// A label.
    Label,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && x > 0.0 => Ok(x),
        _ => Err("must be a number above 0".into()),
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && x >= 0.0 => Ok(x),
        _ => Err("must be a number of at least 0".into()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x > 0.0 && x < 1.0 => Ok(x),
        _ => Err("must be between 0 and 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
