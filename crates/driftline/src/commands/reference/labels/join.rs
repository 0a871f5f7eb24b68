//! Labels beside the predictions that they are of.

use std::collections::HashMap;

use driftline_event::Timestamp;
use driftline_sketch::{OutcomeLabel, OutcomeProfile, TruthError};
use driftline_wire::{LabelRow, LabelValue};

use crate::cli::LabelOptions;
use crate::exit::Failure;
use crate::files::{
    Cell, Columns, FileError, Input, LabelFile, LabelStep, Record, RecordReader, Role, TableFilter,
    time_of,
};

/// What became of the labels of a reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelCounts {
    /// Predictions that have a score or a decision.
    pub predictions: u64,
    /// Predictions that have neither, so that no label says anything of them.
    pub unscored: u64,
    /// Predictions with a label.
    pub labelled: u64,
    /// Labels whose id no prediction of the reference has.
    pub other_ids: u64,
    /// Labels that another of the same id replaced, or that came a second time.
    pub replaced: u64,
    /// Labels that cannot be used.
    pub dropped: u64,
    /// Why the first of these cannot.
    pub first_problem: Option<String>,
    /// Predictions with the id of an earlier one, which get no label.
    pub same_ids: u64,
}

impl LabelCounts {
    pub(super) fn unusable(&mut self, problem: &dyn std::fmt::Display) {
        self.dropped += 1;
        self.first_problem
            .get_or_insert_with(|| problem.to_string());
    }

    /// What did not join, one sentence each.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let mut say = |n: u64, what: &str| {
            if n > 0 {
                remarks.push(format!("{n} {what}"));
            }
        };
        say(self.other_ids, "labels have an id that no prediction has");
        say(
            self.replaced,
            "labels are of an id that another label has too",
        );
        say(
            self.unscored,
            "predictions have neither score nor predicted label",
        );
        say(
            self.same_ids,
            "predictions have the id of an earlier one and get no label",
        );
        if let Some(problem) = &self.first_problem {
            remarks.push(format!(
                "{} labels cannot be used, the first: {problem}",
                self.dropped
            ));
        }
        remarks
    }

    pub(super) fn explain(&self, failure: Failure) -> Failure {
        let hints = self.remarks().into_iter();
        let failure = hints.fold(failure, Failure::hint);
        failure.hint("labels are joined to predictions by id")
    }
}

/// A label of one prediction.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Label {
    pub(super) value: LabelValue,
    pub(super) weight: f64,
    pub(super) revision: i64,
    delay_micros: Option<i64>,
}

impl Label {
    pub(super) fn outcome(&self, profile: &OutcomeProfile) -> Result<OutcomeLabel, TruthError> {
        let truth = match &self.value {
            LabelValue::Text(text) => profile.truth_of_text(text)?,
            LabelValue::Number(number) => profile.truth_of_number(*number)?,
        };
        Ok(OutcomeLabel {
            truth,
            weight: self.weight,
            delay_micros: self.delay_micros,
        })
    }
}

/// The labels by row of the predictions.
#[derive(Debug)]
pub(super) struct Joined {
    /// The file that the labels are in.
    pub(super) file: String,
    pub(super) labels: Vec<Option<Label>>,
    pub(super) counts: LabelCounts,
}

/// Reads the labels of the predictions in `input` that `filter` keeps.
pub(super) fn join(
    model: &str,
    (input, filter): (&Input, &TableFilter),
    labels: Option<&Input>,
    options: &LabelOptions,
) -> Result<Joined, Failure> {
    let column = options.label.as_deref();
    match labels {
        Some(labels) => join_file(model, (input, filter), (labels, column)),
        None => {
            let column =
                column.ok_or_else(|| Failure::usage("neither --labels nor --label is given"))?;
            let (mut joined, none) = (empty(input), || None);
            predictions((input, filter), Some(column), |prediction| {
                let label = prediction.label.map(|value| Label {
                    value,
                    weight: 1.0,
                    revision: 0,
                    delay_micros: none(),
                });
                joined.labels.push(label);
            })?;
            Ok(joined)
        }
    }
}

fn empty(input: &Input) -> Joined {
    Joined {
        file: input.name(),
        labels: Vec::new(),
        counts: LabelCounts::default(),
    }
}

fn join_file(
    model: &str,
    (input, filter): (&Input, &TableFilter),
    (labels, column): (&Input, Option<&str>),
) -> Result<Joined, Failure> {
    let mut joined = empty(labels);
    let mut places: HashMap<String, (u32, Option<Timestamp>)> = HashMap::new();
    let mut rows = 0_u32;
    predictions((input, filter), None, |prediction| {
        let at = prediction.at;
        if let Some(id) = prediction.id {
            match places.entry(id) {
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert((rows, at));
                }
                std::collections::hash_map::Entry::Occupied(_) => joined.counts.same_ids += 1,
            }
        }
        rows += 1;
    })?;
    if places.is_empty() && rows > 0 {
        let message = format!(
            "{}: no prediction has an id, so no label finds one",
            input.name()
        );
        return Err(Failure::bad_data(message).hint("name the column of ids with --id-column"));
    }
    joined.labels.resize(rows as usize, None);
    let mut file = LabelFile::open(labels, column)?;
    let has_times = file.has_times();
    while let Some(step) = file.read()? {
        match step {
            LabelStep::Label(label) => joined.put(model, &places, label, has_times),
            LabelStep::Dropped(_, problem) => joined.counts.unusable(&problem),
        }
    }
    Ok(joined)
}

impl Joined {
    fn put(
        &mut self,
        model: &str,
        places: &HashMap<String, (u32, Option<Timestamp>)>,
        label: LabelRow,
        has_times: bool,
    ) {
        let of_other = label.model.is_some_and(|named| named != model);
        let place = places.get(&label.id).filter(|_| !of_other);
        let Some((row, at)) = place else {
            self.counts.other_ids += 1;
            return;
        };
        let held = &mut self.labels[*row as usize];
        self.counts.replaced += u64::from(held.is_some());
        if held
            .as_ref()
            .is_some_and(|held| held.revision >= label.revision)
        {
            return;
        }
        let delay = |at: Timestamp| label.observed_at.as_micros().saturating_sub(at.as_micros());
        *held = Some(Label {
            value: label.label,
            weight: label.weight,
            revision: label.revision,
            delay_micros: at.filter(|_| has_times).map(delay),
        });
    }
}

/// One prediction's key.
struct Prediction {
    id: Option<String>,
    at: Option<Timestamp>,
    label: Option<LabelValue>,
}

/// Goes through the records that the filter keeps, in their order.
fn predictions(
    (input, filter): (&Input, &TableFilter),
    label: Option<&str>,
    mut take: impl FnMut(Prediction),
) -> Result<(), Failure> {
    let mut reader = RecordReader::open(input)?;
    let columns = Columns::find(reader.file(), reader.columns(), &filter.columns)?;
    let place = |name: &str| {
        let found = reader.columns().iter().position(|n| n == name);
        found
            .ok_or_else(|| FileError::new(reader.file(), "there is no such column").in_column(name))
    };
    let label = label.map(place).transpose()?;
    let (id, time) = (columns.position(Role::Id), columns.position(Role::Time));
    let (since, until) = (filter.since, filter.until);
    let mut record = Record::default();
    while reader.read(&mut record)? {
        let cell = |place: Option<usize>| place.map(|i| record.cells()[i]);
        let at = cell(time).and_then(|cell| time_of(&record, cell));
        let is_before = since.is_some_and(|since| at.is_none_or(|at| at < since));
        let is_after = until.is_some_and(|until| at.is_none_or(|at| at >= until));
        if is_before || is_after {
            continue;
        }
        let text = |cell: Cell| record.category(cell).map(std::borrow::Cow::into_owned);
        take(Prediction {
            id: cell(id).and_then(text),
            at,
            label: cell(label).and_then(|cell| match cell {
                Cell::Double(number) => number.is_finite().then_some(LabelValue::Number(number)),
                other => text(other).map(LabelValue::Text),
            }),
        });
    }
    Ok(())
}
