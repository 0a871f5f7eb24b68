//! Options of `detect`.

use std::path::PathBuf;

use clap::Args;

use super::{FailOn, OutputFormat};

/// Options of `detect`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Reads one value after another and says at which of them, counted from 0, the detector sees a drift or warns.
Detectors of errors want 1 for an error and 0 for a correct prediction, the others any number.

Detectors: adwin, page_hinkley, cusum, gma, kswin (numbers); ddm, eddm, rddm, hddm_a, hddm_w, fhddm, stepd,
ecdd (errors); bank (either), which is the only one that keeps a budget of false alarms.

Examples:
  driftline detect --list                                         every detector and its parameters
  driftline detect --detector adwin --param delta=0.05 --input errors.txt
  driftline detect --detector ddm --compat river --input joined.csv --column error --format json
  cut -f3 log.tsv | driftline detect --detector bank --param reference=5000 --input - --fail-on drift")]
pub struct DetectArgs {
    /// The detector; --list says which there are
    #[arg(long, short, value_name = "NAME", required_unless_present = "list")]
    pub detector: Option<String>,
    /// Whose behaviour and names of parameters: river (0.26.1), moa (of capymoa 0.15.1), frouros (0.9.0) or paper
    #[arg(long, value_name = "IMPLEMENTATION")]
    pub compat: Option<String>,
    /// A parameter that is not at its default; may be given several times
    #[arg(long = "param", short, value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// The file, - for standard input: a value a line, or .csv, .jsonl or .parquet with columns
    #[arg(long, short, value_name = "FILE", required_unless_present = "list")]
    pub input: Option<PathBuf>,
    /// The column of the values, if there are several; text that is no .csv is then read as CSV with a header
    #[arg(long, value_name = "COLUMN")]
    pub column: Option<String>,
    /// Values of which the table shows the mean before and after a drift
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub window: u32,
    /// Drifts that the table shows; 0 for all
    #[arg(long, default_value_t = 200, value_name = "COUNT")]
    pub limit: usize,
    /// How the result looks
    #[arg(long, value_enum, default_value = "table")]
    pub format: OutputFormat,
    /// Exit with 1 when there is a drift
    #[arg(long, value_enum, value_name = "WHAT")]
    pub fail_on: Option<FailOn>,
    /// Show the detectors, or the one that is named, with their parameters
    #[arg(long)]
    pub list: bool,
}
