//! `driftline estimate`.

mod binary;
mod chunks;
mod features;
mod json;
mod multiclass;
mod read;
mod regression;
mod series;
mod table;

use driftline_event::Timestamp;

use self::chunks::Chunking;
use self::read::{Asked, Columns};
use self::series::{Estimation, Found};
use crate::cli::{EstimateArgs, EstimateTask, FailOn, OutputFormat};
use crate::exit::{Exit, Failure};
use crate::files::Input;
use crate::terminal;

/// Fewer chunks of the reference than this make thresholds of their scatter a guess.
const CHUNKS_MIN: usize = 6;

/// Both files, cut into chunks.
#[derive(Debug)]
struct Files {
    reference: Columns,
    current: Columns,
    reference_chunks: Chunking,
    current_chunks: Chunking,
}

/// Estimates performance without labels.
///
/// # Errors
/// When the options do not go together, a file cannot be read, or the reference has no labels.
pub fn run(args: &EstimateArgs) -> Result<Exit, Failure> {
    let task = task(args)?;
    let estimation = match task {
        EstimateTask::Binary => binary::run(args)?,
        EstimateTask::Multiclass => multiclass::run(args)?,
        EstimateTask::Regression => regression::run(args)?,
    };
    match args.format {
        OutputFormat::Json => terminal::print_json(&json::document(&estimation))?,
        OutputFormat::Table => {
            terminal::print(&table::write(&estimation, &table::Layout::of_terminal()))?;
        }
    }
    let alert = estimation.chunks.iter().any(series::Chunk::alert);
    Ok(if alert && args.fail_on == Some(FailOn::Drift) {
        Exit::Drift
    } else {
        Exit::Fine
    })
}

/// The task, and whether the options that it needs are there.
fn task(args: &EstimateArgs) -> Result<EstimateTask, Failure> {
    let named = args.score.iter().any(|score| score.contains('='));
    let task = args.task.unwrap_or(if named {
        EstimateTask::Multiclass
    } else {
        EstimateTask::Binary
    });
    let wrong = |message: &str, hint: &str| Err(Failure::usage(message).hint(hint));
    match task {
        EstimateTask::Binary if args.score.len() != 1 || named => wrong(
            "two classes need one column of scores",
            "name it with --score COLUMN",
        ),
        EstimateTask::Multiclass if args.score.len() < 2 || args.prediction.is_none() => wrong(
            "several classes need a score of each and the predicted class",
            "name them with --score CLASS=COLUMN,CLASS=COLUMN,… and --prediction COLUMN",
        ),
        EstimateTask::Regression if args.prediction.is_none() => wrong(
            "a regression needs the predicted value",
            "name it with --prediction COLUMN",
        ),
        EstimateTask::Regression if !args.score.is_empty() || args.cost_matrix.is_some() => wrong(
            "a regression has no scores of classes and no cost matrix",
            "leave them out",
        ),
        _ => Ok(task),
    }
}

impl Files {
    /// Reads both files. The label is asked of the reference, and read from the current file if it is there.
    fn read(args: &EstimateArgs, asked: &Asked) -> Result<Self, Failure> {
        let reference = Columns::read(&Input::from(args.reference.as_path()), asked, true)?;
        let current = Columns::read(&Input::from(args.current.as_path()), asked, false)?;
        for columns in [&reference, &current] {
            if columns.rows == 0 {
                let message = format!("{}: there are no rows", columns.file);
                return Err(Failure::bad_data(message).hint("both files need at least one"));
            }
        }
        let cut = |columns: &Columns| match (args.chunk_period, &columns.times) {
            (Some(period), Some(times)) => Chunking::by_period(times, period),
            (_, times) => {
                let size = args.chunk_size.and_then(|n| usize::try_from(n).ok());
                let tenth = (reference.rows / 10).max(1);
                Chunking::by_size(columns.rows, size.unwrap_or(tenth), times.as_deref())
            }
        };
        let (reference_chunks, current_chunks) = (cut(&reference), cut(&current));
        if reference_chunks.len() < CHUNKS_MIN {
            tracing::warn!(
                "the reference has {} chunks: with fewer than {CHUNKS_MIN} the alert thresholds are a guess",
                reference_chunks.len()
            );
        }
        Ok(Self {
            reference,
            current,
            reference_chunks,
            current_chunks,
        })
    }

    /// What is said of the files beside the chunks.
    fn describe(&self, task: EstimateTask, deviations: f64) -> Estimation {
        Estimation {
            task,
            deviations,
            calibrated: Vec::new(),
            reference: (self.reference.file.clone(), self.reference.rows),
            current: (self.current.file.clone(), self.current.rows),
            series: Vec::new(),
            chunks: Vec::new(),
        }
    }

    /// Judges every chunk of the current file by what `find` finds in its rows.
    fn judge(&self, estimation: &mut Estimation, find: impl Fn(&[usize]) -> Found) {
        for chunk in 0..self.current_chunks.len() {
            let found = find(self.current_chunks.rows(chunk));
            let (place, span) = (self.current_chunks.place(chunk), self.span(chunk));
            let (series, deviations) = (&estimation.series, estimation.deviations);
            let judged = series::judged(series, found, place, span, deviations);
            estimation.chunks.push(judged);
        }
    }

    /// The first and last event time of a chunk of the current file.
    fn span(&self, chunk: usize) -> Option<(Timestamp, Timestamp)> {
        let times = self.current.times.as_ref()?;
        let rows = self.current_chunks.rows(chunk);
        Some((times[*rows.first()?], times[*rows.last()?]))
    }
}
