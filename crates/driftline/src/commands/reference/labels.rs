//! What the labels of a reference say: joined to its predictions by id, or a column of the same file.

mod calibrate;
mod classes;
mod join;
mod show;

use driftline_event::{ColumnRole, LayoutId, Row, Task, Value};
use driftline_sketch::{
    DecisionSource, OutcomeColumns, OutcomeOptions, OutcomeProfile, OutcomeRow, ReferenceProfile,
};

use crate::cli::{LabelOptions, LabelTask};
use crate::exit::Failure;
use crate::files::{Input, Role, Table, TableColumn, TableFilter, Values, scores_column};

use self::join::Joined;
pub use self::join::LabelCounts;
pub(super) use self::show::{describe, summary};

/// Adds to `profile`, which was built from `table`, what labels say of its predictions. `input` and `filter` are those
/// of the table; `labels` is the file with the labels, and without one they are a column of `input`.
///
/// # Errors
/// When a file cannot be read, no prediction has a label, or labels and predictions do not fit together.
pub fn with_labels(
    profile: ReferenceProfile,
    table: &Table,
    (input, filter): (&Input, &TableFilter),
    labels: Option<&Input>,
    options: &LabelOptions,
) -> Result<(ReferenceProfile, LabelCounts), Failure> {
    let joined = join::join(profile.model.as_str(), (input, filter), labels, options)?;
    if joined.labels.len() != table.rows {
        let message = format!("{}: the file changed while it was read", table.file);
        return Err(Failure::bad_data(message));
    }
    let sides = Sides::new(&profile, table);
    let outcome_options = sides.options(&joined, options, &table.file)?;
    let failure =
        |e: &dyn std::fmt::Display| Failure::bad_data(format_args!("{}: {e}", joined.file));
    let unfitted = OutcomeProfile::unfitted(&outcome_options).map_err(|e| failure(&e))?;
    let (rows, counts) = sides.rows(&profile, &unfitted, &joined)?;
    let mut outcome = OutcomeProfile::build(&outcome_options, &rows).map_err(|e| failure(&e))?;
    calibrate::calibrate(&mut outcome, &rows);
    Ok((profile.with_outcome(Some(outcome)), counts))
}

/// The outputs of a table: the columns that predictions and their labels are compared by.
struct Sides<'a> {
    /// By name: `value`, `label`, `scores.<class>`.
    outputs: Vec<(String, &'a Values)>,
}

impl<'a> Sides<'a> {
    fn new(profile: &ReferenceProfile, table: &'a Table) -> Self {
        let name = |column: &'a TableColumn| {
            let name = match column.role {
                Role::Score => "value".to_owned(),
                Role::Prediction => "label".to_owned(),
                _ => scores_column(&column.name)?,
            };
            let is_monitored = profile.column(ColumnRole::Output, &name).is_some();
            is_monitored.then_some((name, &column.values))
        };
        Self {
            outputs: table.columns.iter().filter_map(name).collect(),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.outputs.iter().any(|(n, _)| n == name)
    }

    /// The classes or items that have scores of their own.
    fn scored(&self) -> Vec<String> {
        let names = self.outputs.iter();
        let scored = names.filter_map(|(name, _)| name.strip_prefix("scores."));
        scored.map(str::to_owned).collect()
    }

    /// The names of the classes that were decided for.
    fn decided(&self) -> &[String] {
        let column = self.outputs.iter().find(|(name, _)| name == "label");
        match column {
            Some((_, Values::Categories { names, .. })) => names,
            _ => &[],
        }
    }

    /// How to read the predictions, from what is asked for and what is there.
    fn options(
        &self,
        joined: &Joined,
        asked: &LabelOptions,
        file: &str,
    ) -> Result<OutcomeOptions, Failure> {
        let task = match asked.task {
            Some(task) => task.into(),
            None => classes::task(joined, self.decided(), &self.scored(), self.has("value")),
        };
        let mut options = OutcomeOptions::new(task);
        let has_label = self.has("label");
        let value = || vec!["value".to_owned()];
        match task {
            Task::Binary => {
                options.classes = classes::of_two(joined, self.decided(), asked)?;
                options.threshold = asked.threshold;
                if self.has("value") {
                    options.score_columns = value();
                }
            }
            Task::Multiclass => {
                options.classes = classes::of_several(joined, self.decided(), self.scored());
                if !self.scored().is_empty() {
                    let column = |class: &String| format!("scores.{class}");
                    options.score_columns = options.classes.iter().map(column).collect();
                }
            }
            Task::Regression => options.score_columns = value(),
            Task::Ranking => {
                let column = |item: String| format!("scores.{item}");
                options.score_columns = self.scored().into_iter().map(column).collect();
            }
        }
        // A threshold that is asked for decides, whatever was decided.
        let by_column = match task {
            Task::Binary => has_label && asked.threshold.is_none(),
            Task::Multiclass => has_label,
            Task::Ranking => has_label && options.score_columns.is_empty(),
            Task::Regression => false,
        };
        if by_column {
            options.decision = DecisionSource::Column("label".to_owned());
        }
        let missing = match task {
            Task::Regression if !self.has("value") => "no column holds the predicted value",
            _ if options.score_columns.is_empty() && !by_column => {
                "no column holds what the model said: neither scores nor predicted labels"
            }
            _ => return Ok(options),
        };
        let hint = "name it with --score-column or --prediction-column; scores of several classes or items stand in \
                    columns `scores.<class>`";
        Err(Failure::bad_data(format_args!("{file}: {missing}")).hint(hint))
    }

    /// Every prediction with its label, read as an event would be.
    fn rows(
        &self,
        profile: &ReferenceProfile,
        unfitted: &OutcomeProfile,
        joined: &Joined,
    ) -> Result<(Vec<OutcomeRow>, LabelCounts), Failure> {
        let layout = profile.layout(Vec::new());
        let columns = OutcomeColumns::resolve(unfitted, &layout).map_err(Failure::bad_data)?;
        let places: Vec<(usize, &Values)> = self
            .outputs
            .iter()
            .filter_map(|(name, values)| {
                let role = ColumnRole::Output;
                Some((layout.column_index(role, name)?, *values))
            })
            .collect();
        let mut counts = joined.counts.clone();
        let mut rows = Vec::new();
        let mut row = Row::default();
        for (i, label) in joined.labels.iter().enumerate() {
            row.clear();
            row.start(LayoutId::default(), layout.columns.len(), 0);
            for (place, values) in &places {
                let value = value(values, i, &mut row);
                row.set_value(*place, value);
            }
            let Some(scored) = unfitted.scored(&columns, &row) else {
                counts.unscored += 1;
                continue;
            };
            let label = match label {
                Some(label) => match label.outcome(unfitted) {
                    Ok(label) => Some(label),
                    Err(problem) => {
                        counts.unusable(&problem);
                        None
                    }
                },
                None => None,
            };
            counts.predictions += 1;
            counts.labelled += u64::from(label.is_some());
            rows.push(OutcomeRow { scored, label });
        }
        if counts.labelled == 0 {
            let message = format!("{}: no prediction has a label", joined.file);
            return Err(counts.explain(Failure::bad_data(message)));
        }
        Ok((rows, counts))
    }
}

/// The value of a table's row `i`, as an event has it.
fn value(values: &Values, i: usize, row: &mut Row) -> Value {
    match values {
        // What is missing or no number is not finite, and then there is no score.
        Values::Numbers(numbers) => numbers.get(i).map_or(Value::Missing, |x| Value::Double(*x)),
        Values::Categories { codes, names } => {
            let name = codes.get(i).and_then(|code| names.get(*code as usize));
            name.map_or(Value::Missing, |name| Value::Text(row.push_text(name)))
        }
    }
}

impl From<LabelTask> for Task {
    fn from(task: LabelTask) -> Self {
        match task {
            LabelTask::Binary => Self::Binary,
            LabelTask::Multiclass => Self::Multiclass,
            LabelTask::Regression => Self::Regression,
            LabelTask::Ranking => Self::Ranking,
        }
    }
}

#[cfg(test)]
mod tests;
