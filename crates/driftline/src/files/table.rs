//! Whole columns of a file.

use std::collections::HashMap;

use driftline_event::{ColumnKind, Timestamp};
use driftline_sketch::{MISSING, WRONG_TYPE, number};

use crate::cli::{ColumnOptions, KindOptions};

use super::columns::{Columns, Role, position};
use super::error::FileError;
use super::input::Input;
use super::prediction::time_of;
use super::record::{Cell, Record, RecordReader};

/// What in a text column stands for a missing number.
pub(super) const MISSING_NUMBERS: &[&str] = &["NA", "N/A", "null", "NULL", "None"];

/// The columns of a file that can be compared.
#[derive(Clone, Debug)]
pub struct Table {
    /// The file's name.
    pub file: String,
    /// How many rows were kept.
    pub rows: usize,
    /// The columns, in the order of the file.
    pub columns: Vec<TableColumn>,
    /// Columns of times or lists, which are not compared.
    pub left_out: Vec<String>,
}

/// One column.
#[derive(Clone, Debug)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its values.
    pub values: Values,
}

/// The values of a column.
#[derive(Clone, Debug)]
pub enum Values {
    /// Numbers, with driftline-sketch's sentinels for what is missing or no number.
    Numbers(Vec<f64>),
    /// Categories: positions in `names`, or [`Values::NONE`] for what is missing.
    Categories {
        /// A code per row.
        codes: Vec<u32>,
        /// The categories, in the order in which they first occur.
        names: Vec<String>,
    },
}

impl Values {
    /// The code of a missing category.
    pub const NONE: u32 = u32::MAX;

    /// How the values are compared.
    #[must_use]
    pub fn kind(&self) -> ColumnKind {
        match self {
            Self::Numbers(_) => ColumnKind::Numeric,
            Self::Categories { .. } => ColumnKind::Categorical,
        }
    }

    /// How many values are missing or cannot be used.
    #[must_use]
    pub fn missing(&self) -> usize {
        match self {
            Self::Numbers(values) => values.iter().filter(|x| x.is_nan()).count(),
            Self::Categories { codes, .. } => codes.iter().filter(|c| **c == Self::NONE).count(),
        }
    }
}

/// Which rows and columns are kept, and how columns are compared.
#[derive(Clone, Debug, Default)]
pub struct TableFilter {
    /// Which columns are what.
    pub columns: ColumnOptions,
    /// How columns are compared.
    pub kinds: KindOptions,
    /// Only rows at or after this.
    pub since: Option<Timestamp>,
    /// Only rows before this.
    pub until: Option<Timestamp>,
    /// Whether ids, times, models, versions and outputs are columns like any other.
    pub all_columns: bool,
}

impl Table {
    /// Reads a file twice: once for the kinds of its columns, once for their values.
    ///
    /// # Errors
    /// When the file is broken, or the filter names columns or times that it does not have.
    pub fn read(input: &Input, filter: &TableFilter) -> Result<Self, FileError> {
        let reader = RecordReader::open(input)?;
        let columns = Columns::find(reader.file(), reader.columns(), &filter.columns)?;
        let kept = Kept::new(&reader, &columns, filter)?;
        let seen = survey(reader, &kept)?;
        let mut left_out = Vec::new();
        let mut building = Vec::new();
        for (i, role) in kept.columns.iter().copied() {
            let name = &kept.names[i];
            let role_matters = !filter.all_columns;
            match kind(name, role_matters.then_some(role), seen[i], &filter.kinds) {
                Some(kind) => building.push(Building::new(i, role, kind)),
                None => left_out.push(name.clone()),
            }
        }
        let mut reader = RecordReader::open(input)?;
        let mut record = Record::default();
        let mut rows = 0;
        while reader.read(&mut record)? {
            if kept.keeps(&record)? {
                rows += 1;
                building.iter_mut().for_each(|column| column.push(&record));
            }
        }
        let finish = |b: Building| {
            let name = columns.feature_name(b.index).to_owned();
            TableColumn {
                name,
                role: b.role,
                values: b.values,
            }
        };
        let columns = building.into_iter().map(finish).collect();
        Ok(Self {
            file: input.name(),
            rows,
            columns,
            left_out,
        })
    }

    /// The column `name`.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&TableColumn> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// The rows and columns that a filter keeps.
struct Kept {
    file: String,
    names: Vec<String>,
    columns: Vec<(usize, Role)>,
    time: Option<usize>,
    since: Timestamp,
    until: Timestamp,
}

impl Kept {
    fn new(
        reader: &RecordReader,
        columns: &Columns,
        filter: &TableFilter,
    ) -> Result<Self, FileError> {
        let (file, names) = (reader.file().to_owned(), reader.columns().to_vec());
        for name in filter.kinds.categorical.iter().chain(&filter.kinds.numeric) {
            position(&file, &names, name)?;
        }
        if let Some(name) = filter
            .kinds
            .categorical
            .iter()
            .find(|n| filter.kinds.numeric.contains(n))
        {
            let message = "it cannot be both numeric and categorical";
            return Err(FileError::new(&file, message).in_column(name));
        }
        let filtered = filter.since.is_some() || filter.until.is_some();
        let time = columns.position(Role::Time).filter(|_| filtered);
        if filtered && time.is_none() {
            let error = FileError::new(&file, "no column holds the event time");
            return Err(error.with_hint("name it with --time-column"));
        }
        let wanted = |role: Role| match role {
            Role::Score | Role::Prediction | Role::Feature => true,
            Role::Ignored => false,
            Role::Id | Role::Time | Role::Model | Role::Version => filter.all_columns,
        };
        let roles = columns.roles().iter().copied().enumerate();
        let columns = roles.filter(|(_, role)| wanted(*role)).collect();
        let since = filter.since.unwrap_or(Timestamp::MIN);
        let until = filter.until.unwrap_or(Timestamp::MAX);
        Ok(Self {
            file,
            names,
            columns,
            time,
            since,
            until,
        })
    }

    fn keeps(&self, record: &Record) -> Result<bool, FileError> {
        let Some(i) = self.time else { return Ok(true) };
        let at = time_of(record, record.cells()[i]).ok_or_else(|| {
            let error = FileError::new(
                &self.file,
                "this is not a time such as 2013-01-01T05:15:00Z",
            );
            error.at_line(record.line()).in_column(&self.names[i])
        })?;
        Ok(self.since <= at && at < self.until)
    }
}

/// What kinds of values a column has.
#[derive(Clone, Copy, Default)]
struct Seen {
    numbers: bool,
    others: bool,
    times: bool,
    unsupported: bool,
}

fn survey(mut reader: RecordReader, kept: &Kept) -> Result<Vec<Seen>, FileError> {
    let untyped = reader.is_untyped();
    let mut seen = vec![Seen::default(); kept.names.len()];
    let mut record = Record::default();
    while reader.read(&mut record)? {
        for (i, _) in &kept.columns {
            let column = &mut seen[*i];
            match record.cells()[*i] {
                Cell::Missing => {}
                Cell::Long(_) | Cell::Double(_) => column.numbers = true,
                Cell::Time(_) => column.times = true,
                Cell::Unsupported => column.unsupported = true,
                Cell::Bool(_) => column.others = true,
                // Once a text is no number, the rest need not be tried.
                cell @ Cell::Text(..) if untyped && !column.others => {
                    match as_number(&record, cell) {
                        Some(_) => column.numbers = true,
                        None => column.others = true,
                    }
                }
                Cell::Text(..) => column.others = true,
            }
        }
    }
    Ok(seen)
}

fn kind(name: &str, role: Option<Role>, seen: Seen, kinds: &KindOptions) -> Option<ColumnKind> {
    let named = |list: &[String]| list.iter().any(|n| n == name);
    if named(&kinds.numeric) {
        return Some(ColumnKind::Numeric);
    }
    if named(&kinds.categorical) {
        return Some(ColumnKind::Categorical);
    }
    match seen {
        Seen { others: true, .. } => Some(ColumnKind::Categorical),
        Seen {
            numbers: false,
            times: false,
            unsupported: true,
            ..
        }
        | Seen {
            times: true,
            numbers: false,
            ..
        } => None,
        // A predicted class is a name, even where classes are numbered.
        _ if role == Some(Role::Prediction) => Some(ColumnKind::Categorical),
        _ => Some(ColumnKind::Numeric),
    }
}

/// A column being read.
struct Building {
    index: usize,
    role: Role,
    values: Values,
    codes: HashMap<String, u32>,
}

impl Building {
    fn new(index: usize, role: Role, kind: ColumnKind) -> Self {
        let values = match kind {
            ColumnKind::Numeric => Values::Numbers(Vec::new()),
            // No column of a file is a vector.
            ColumnKind::Categorical | ColumnKind::Embedding => Values::Categories {
                codes: Vec::new(),
                names: Vec::new(),
            },
        };
        Self {
            index,
            role,
            values,
            codes: HashMap::new(),
        }
    }

    fn push(&mut self, record: &Record) {
        let cell = record.cells()[self.index];
        match &mut self.values {
            Values::Numbers(values) => values.push(match (cell, as_number(record, cell)) {
                (Cell::Missing, _) => MISSING,
                (_, Some(x)) => x,
                (_, None) => WRONG_TYPE,
            }),
            Values::Categories { codes, names } => {
                let Some(name) = record.category(cell) else {
                    codes.push(Values::NONE);
                    return;
                };
                let code = match self.codes.get(name.as_ref()) {
                    Some(code) => *code,
                    None => {
                        let code = u32::try_from(names.len()).unwrap_or(Values::NONE);
                        names.push(name.clone().into_owned());
                        self.codes.insert(name.into_owned(), code);
                        code
                    }
                };
                codes.push(code);
            }
        }
    }
}

/// `cell` as a number; the sentinel for missing where a text says so; none when it is no number.
fn as_number(record: &Record, cell: Cell) -> Option<f64> {
    match cell {
        Cell::Long(i) => Some(i as f64),
        Cell::Double(x) => Some(number(x)),
        Cell::Bool(b) => Some(f64::from(u8::from(b))),
        Cell::Time(micros) => Some(micros as f64 / 1e6),
        Cell::Text(..) => {
            let text = record.text(cell)?.trim();
            match text.parse() {
                Ok(x) => Some(number(x)),
                Err(_) if MISSING_NUMBERS.contains(&text) => Some(MISSING),
                Err(_) => None,
            }
        }
        Cell::Missing | Cell::Unsupported => None,
    }
}
