//! Predictions from a file, as rows for the engine.

use std::sync::Arc;

use driftline_event::{
    Catalog, ColumnKind, ColumnRole, DropReason, Layout, LayoutId, Row, Timestamp, Value,
};

use crate::cli::ColumnOptions;

use super::columns::{Columns, Role};
use super::error::FileError;
use super::input::Input;
use super::record::{Cell, Record, RecordReader};
use super::table::MISSING_NUMBERS;

/// The model and version of records that do not name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PredictionDefaults {
    /// The model's id.
    pub model: Option<String>,
    /// The version's name.
    pub version: Option<String>,
}

/// What a record of the file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A prediction: it is in the row now.
    Row,
    /// A record that does not count, with the reason and the detail.
    Dropped(DropReason, String),
}

/// Reads predictions in the order of the file. Records that cannot be used are steps of their own, as
/// messages of a topic would be, so one bad line does not end a replay.
#[derive(Debug)]
pub struct PredictionFile {
    reader: RecordReader,
    record: Record,
    columns: Columns,
    time: usize,
    catalog: Arc<Catalog>,
    defaults: PredictionDefaults,
    plans: Vec<Option<Plan>>,
}

/// Where the columns and segments of one layout stand in the file.
#[derive(Clone, Debug, Default)]
struct Plan {
    values: Vec<(usize, usize, ColumnKind)>,
    segments: Vec<Option<usize>>,
    columns: usize,
}

impl PredictionFile {
    /// Opens `input` and finds which of its columns are what.
    ///
    /// # Errors
    /// When it cannot be read, has no column of the event time, or does not say its model and neither do
    /// `defaults` nor a catalogue of a single model and version.
    pub fn open(
        input: &Input,
        options: &ColumnOptions,
        catalog: Arc<Catalog>,
        mut defaults: PredictionDefaults,
    ) -> Result<Self, FileError> {
        let reader = RecordReader::open(input)?;
        let columns = Columns::find(reader.file(), reader.columns(), options)?;
        let Some(time) = columns.position(Role::Time) else {
            let error = FileError::new(reader.file(), "no column holds the event time");
            return Err(error.with_hint("name it with --time-column"));
        };
        only_choice(&catalog, &mut defaults);
        for (role, given, what, option) in [
            (Role::Model, &defaults.model, "model", "--model"),
            (
                Role::Version,
                &defaults.version,
                "version",
                "--model-version",
            ),
        ] {
            if columns.position(role).is_none() && given.is_none() {
                let message = format!("no column says which {what} the predictions are of");
                return Err(
                    FileError::new(reader.file(), message).with_hint(format!("give {option}"))
                );
            }
        }
        let plans = vec![None; catalog.len()];
        let record = Record::default();
        Ok(Self {
            reader,
            record,
            columns,
            time,
            catalog,
            defaults,
            plans,
        })
    }

    /// Reads the next record; none at the end of the file.
    ///
    /// # Errors
    /// When the file itself is broken there.
    pub fn next(&mut self, row: &mut Row) -> Result<Option<Step>, FileError> {
        if !self.reader.read(&mut self.record)? {
            return Ok(None);
        }
        Ok(Some(match self.fill(row) {
            Ok(()) => Step::Row,
            Err((reason, detail)) => {
                let place = format!("{}:{}", self.reader.file(), self.record.line());
                Step::Dropped(reason, format!("{place}: {detail}"))
            }
        }))
    }

    /// The record's place in the file: the line, or the row of a Parquet file.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.record.line()
    }

    /// Columns of the layouts that the file does not have: the engine will count them as missing.
    #[must_use]
    pub fn absent_columns(&self) -> Vec<String> {
        let mut absent = Vec::new();
        for (_, layout) in self.catalog.iter() {
            let plan = self.plan(layout);
            for (i, column) in layout.columns.iter().enumerate() {
                if !plan.values.iter().any(|(_, c, _)| *c == i) && !absent.contains(&column.name) {
                    absent.push(column.name.clone());
                }
            }
        }
        absent
    }

    fn fill(&mut self, row: &mut Row) -> Result<(), (DropReason, String)> {
        let layout = self.layout()?;
        let at = self.event_time()?;
        if self.plans[layout.index()].is_none() {
            self.plans[layout.index()] = Some(self.plan(self.catalog.layout(layout)));
        }
        let Some(plan) = &self.plans[layout.index()] else {
            return Ok(());
        };
        row.clear();
        row.start(layout, plan.columns, plan.segments.len());
        row.set_time(at);
        if let Some(i) = self.columns.position(Role::Id)
            && let Some(id) = self.record.category(self.record.cells()[i])
        {
            let id = row.push_text(&id);
            row.set_id(id);
        }
        let untyped = self.reader.is_untyped();
        for (from, to, kind) in &plan.values {
            let value = value(
                &self.record,
                self.record.cells()[*from],
                *kind,
                untyped,
                row,
            );
            row.set_value(*to, value);
        }
        for (i, from) in plan.segments.iter().enumerate() {
            if let Some(text) =
                from.and_then(|from| self.record.category(self.record.cells()[from]))
            {
                let text = row.push_text(&text);
                row.set_segment(i, text);
            }
        }
        Ok(())
    }

    fn layout(&self) -> Result<LayoutId, (DropReason, String)> {
        let named = |role, default: &Option<String>, what| {
            let cell = self.columns.position(role).map(|i| self.record.cells()[i]);
            let text = cell
                .and_then(|cell| self.record.category(cell))
                .map(|t| t.into_owned());
            let missing = || (DropReason::MissingField, format!("the {what} is missing"));
            text.or_else(|| default.clone()).ok_or_else(missing)
        };
        let model = named(Role::Model, &self.defaults.model, "model")?;
        let version = named(Role::Version, &self.defaults.version, "version")?;
        self.catalog.resolve(&model, &version).ok_or_else(|| {
            let detail = format!("the configuration has no version `{version}` of model `{model}`");
            (DropReason::UnknownModel, detail)
        })
    }

    fn event_time(&self) -> Result<Timestamp, (DropReason, String)> {
        let cell = self.record.cells()[self.time];
        time_of(&self.record, cell).ok_or_else(|| match self.record.category(cell) {
            None => (
                DropReason::MissingField,
                "the event time is missing".to_owned(),
            ),
            Some(text) => {
                let text: String = text.chars().take(64).collect();
                (
                    DropReason::InvalidTimestamp,
                    format!("`{text}` is not a time"),
                )
            }
        })
    }

    fn plan(&self, layout: &Layout) -> Plan {
        let mut plan = Plan {
            columns: layout.columns.len(),
            ..Plan::default()
        };
        for (from, role) in self.columns.roles().iter().enumerate() {
            let to = match role {
                Role::Score => layout.column_index(ColumnRole::Output, "value"),
                Role::Prediction => layout.column_index(ColumnRole::Output, "label"),
                Role::Feature => {
                    let name = self.columns.feature_name(from);
                    let scores = scores_column(name);
                    let output = |name: &str| layout.column_index(ColumnRole::Output, name);
                    let output = scores.as_deref().and_then(output);
                    output.or_else(|| layout.column_index(ColumnRole::Feature, name))
                }
                _ => None,
            };
            plan.values
                .extend(to.map(|to| (from, to, layout.columns[to].kind)));
        }
        plan.segments = layout
            .segments
            .iter()
            .map(|name| self.columns.segment(name))
            .collect();
        plan
    }
}

/// The output column `scores.<class>` that a file's column of this name is.
pub(crate) fn scores_column(name: &str) -> Option<String> {
    let prefixes = ["prediction.scores.", "scores."];
    let class = prefixes
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))?;
    Some(format!("scores.{class}"))
}

/// With one model, or one version of the model, there is nothing to choose.
fn only_choice(catalog: &Catalog, defaults: &mut PredictionDefaults) {
    let mut models: Vec<&str> = catalog.iter().map(|(_, l)| l.model.as_str()).collect();
    models.dedup();
    if let (None, [model]) = (&defaults.model, models.as_slice()) {
        defaults.model = Some((*model).to_owned());
    }
    let of_model = |l: &&Layout| {
        defaults
            .model
            .as_ref()
            .is_none_or(|model| *model == l.model)
    };
    let versions: Vec<&Layout> = catalog.iter().map(|(_, l)| l).filter(of_model).collect();
    if let (None, [layout]) = (&defaults.version, versions.as_slice()) {
        defaults.version = Some(layout.version.clone());
    }
}

/// The value of a cell for a column of `kind`. CSV writes everything as text, so there a text is a number
/// where the column wants one and can be read so.
fn value(record: &Record, cell: Cell, kind: ColumnKind, untyped: bool, row: &mut Row) -> Value {
    match cell {
        Cell::Missing => Value::Missing,
        Cell::Bool(b) => Value::Bool(b),
        Cell::Long(i) => Value::Long(i),
        Cell::Double(x) => Value::Double(x),
        Cell::Time(micros) => Value::Double(micros as f64 / 1e6),
        Cell::Unsupported => Value::Unsupported,
        Cell::Text(..) => {
            let text = record.text(cell).unwrap_or("");
            match (kind, text.trim().parse()) {
                (ColumnKind::Numeric, Ok(x)) if untyped => Value::Double(x),
                (ColumnKind::Numeric, _) if untyped && MISSING_NUMBERS.contains(&text.trim()) => {
                    Value::Missing
                }
                _ => Value::Text(row.push_text(text)),
            }
        }
    }
}

/// `cell` as a time: RFC 3339, or a number since 1970 in seconds, milli-, micro- or nanoseconds, whichever
/// puts it between 1973 and 5138.
pub(crate) fn time_of(record: &Record, cell: Cell) -> Option<Timestamp> {
    match cell {
        Cell::Time(micros) => Some(Timestamp::from_micros(micros)),
        Cell::Long(i) => since_1970(i as f64, i),
        Cell::Double(x) => since_1970(x, x as i64),
        Cell::Text(..) => {
            let text = record.text(cell)?.trim();
            let number = || text.parse().ok().and_then(|x: f64| since_1970(x, x as i64));
            text.parse().ok().or_else(number)
        }
        _ => None,
    }
}

fn since_1970(number: f64, whole: i64) -> Option<Timestamp> {
    match number {
        x if (1e8..1e11).contains(&x) => Some(Timestamp::from_micros((x * 1e6) as i64)),
        x if (1e11..1e14).contains(&x) => Some(Timestamp::from_micros((x * 1e3) as i64)),
        x if (1e14..1e17).contains(&x) => Some(Timestamp::from_micros(whole)),
        x if (1e17..9e18).contains(&x) => Some(Timestamp::from_micros(whole / 1_000)),
        _ => None,
    }
}
