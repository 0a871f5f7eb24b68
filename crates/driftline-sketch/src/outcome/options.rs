//! How a profile of outcomes is built, from what, and why it cannot be.

use driftline_event::Task;

use super::CLASSES_MAX;
use super::profile::DecisionSource;
use super::scored::{Scored, Truth};

/// Columns of scores that a ranking can have.
const ITEMS_MAX: usize = 4_096;
/// The length of a class's name in bytes.
const CLASS_BYTES_MAX: usize = 256;

/// How to read predictions and to cut their scores and errors.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeOptions {
    /// What the model does.
    pub task: Task,
    /// Of two classes the negative and the positive one; of several all, 2 to 256; otherwise none.
    pub classes: Vec<String>,
    /// Of two classes: scores from here on are positive. If it is not given and a column says what was decided, it is
    /// the smallest score that was decided positive, where that is above all others; else 0.5.
    pub threshold: Option<f64>,
    /// Where the decided class comes from.
    pub decision: DecisionSource,
    /// The output columns of the scores, as [`OutcomeProfile::score_columns`](super::OutcomeProfile::score_columns).
    pub score_columns: Vec<String>,
    /// Quantile bins of the score of two classes, 2 to 1,024.
    pub score_bins: usize,
    /// Quantile bins of values, errors and labels of a regression, 2 to 1,024.
    pub value_bins: usize,
    /// Quantile bins of the probability of each of several classes, 2 to 1,024.
    pub class_bins: usize,
}

impl OutcomeOptions {
    /// The usual options for a task, without classes and columns: 128 bins of scores, 96 of values, 64 for each of
    /// several classes.
    pub fn new(task: Task) -> Self {
        Self {
            task,
            classes: Vec::new(),
            threshold: None,
            decision: DecisionSource::Score,
            score_columns: Vec::new(),
            score_bins: 128,
            value_bins: 96,
            class_bins: 64,
        }
    }
}

/// A prediction of the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutcomeRow {
    /// What was predicted.
    pub scored: Scored,
    /// Its label, if it has one.
    pub label: Option<OutcomeLabel>,
}

/// A label of the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutcomeLabel {
    /// What turned out to be true.
    pub truth: Truth,
    /// How much it counts; 1 is usual.
    pub weight: f64,
    /// How much later than the prediction it came, where that is known.
    pub delay_micros: Option<i64>,
}

/// Why a profile of outcomes cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeBuildError {
    /// The classes do not fit the task.
    #[error("{0}")]
    Classes(&'static str),
    /// The columns of scores do not fit the task.
    #[error("{0}")]
    Columns(&'static str),
    /// An option is outside its bounds.
    #[error("`{option}` is out of bounds")]
    Option {
        /// The option's name.
        option: &'static str,
    },
    /// A prediction or label is of another task.
    #[error("row {row} is of another task than the model")]
    Row {
        /// Counted from 0.
        row: usize,
    },
    /// No prediction has a label that can be judged.
    #[error("no prediction of the reference has a label that can be judged")]
    NoLabels,
}

/// Whether a profile can have these.
pub(super) fn check(options: &OutcomeOptions) -> Result<(), OutcomeBuildError> {
    let bins = [
        ("score_bins", options.score_bins),
        ("value_bins", options.value_bins),
        ("class_bins", options.class_bins),
    ];
    if let Some((option, _)) = bins.iter().find(|(_, n)| !(2..=1_024).contains(n)) {
        return Err(OutcomeBuildError::Option { option });
    }
    if options.threshold.is_some_and(|t| !t.is_finite()) {
        return Err(OutcomeBuildError::Option {
            option: "threshold",
        });
    }
    check_classes(options.task, &options.classes)?;
    let scores = options.score_columns.len();
    let has_column = options.decision != DecisionSource::Score;
    let problem = match options.task {
        Task::Binary if scores > 1 => "a model of two classes has one column of scores",
        Task::Multiclass if scores != 0 && scores != options.classes.len() => {
            "a model of several classes has one column of scores for each, or none"
        }
        Task::Regression if scores != 1 => "a model that predicts numbers has one output column",
        Task::Ranking if scores > ITEMS_MAX => "a ranking has at most 4,096 columns of scores",
        Task::Binary | Task::Multiclass | Task::Ranking if scores == 0 && !has_column => {
            "there is neither a column of scores nor one that says what was decided"
        }
        _ => return Ok(()),
    };
    Err(OutcomeBuildError::Columns(problem))
}

fn check_classes(task: Task, classes: &[String]) -> Result<(), OutcomeBuildError> {
    let mut names: Vec<&String> = classes.iter().collect();
    names.sort_unstable();
    let problem = match (task, classes.len()) {
        (Task::Binary, n) if n != 2 => "a model of two classes needs exactly two names of classes",
        (Task::Multiclass, n) if !(2..=CLASSES_MAX).contains(&n) => {
            "a model of several classes needs 2 to 256 names of classes"
        }
        (Task::Regression | Task::Ranking, n) if n > 0 => {
            "a model that predicts numbers or items has no classes"
        }
        _ if names.windows(2).any(|pair| pair[0] == pair[1]) => "two classes have the same name",
        _ if names.iter().any(|name| name.len() > CLASS_BYTES_MAX) => {
            "the name of a class has more than 256 bytes"
        }
        _ => return Ok(()),
    };
    Err(OutcomeBuildError::Classes(problem))
}
