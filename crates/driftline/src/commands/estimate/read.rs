//! Reading the columns that an estimate needs, and no others.

use std::collections::HashMap;

use driftline_event::Timestamp;

use crate::config::suggest;
use crate::exit::Failure;
use crate::files::{Cell, FileError, Input, Record, RecordReader};

/// What texts stand for a missing value.
const MISSING: &[&str] = &["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"];
/// More classes than this are taken for a mistake.
const CLASSES_MAX: usize = 10_000;

/// The columns to read.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Columns of numbers.
    pub(super) numbers: Vec<String>,
    /// Whether those must be probabilities.
    pub(super) probabilities: bool,
    /// Columns of class names.
    pub(super) classes: Vec<String>,
    /// The label, by what it is.
    pub(super) label: Option<Label>,
    /// The event time.
    pub(super) time: Option<String>,
}

/// The column of the label.
#[derive(Clone, Debug)]
pub(super) enum Label {
    /// A number.
    Number(String),
    /// A class.
    Class(String),
}

impl Label {
    fn column(&self) -> &str {
        match self {
            Self::Number(name) | Self::Class(name) => name,
        }
    }
}

/// A column of class names.
#[derive(Clone, Debug, Default)]
pub(super) struct Classes {
    /// A code per row; none where the class is missing.
    pub(super) codes: Vec<Option<u32>>,
    /// The names, in the order in which they first occur, each with the line of its first row.
    pub(super) names: Vec<(String, u64)>,
    known: HashMap<String, u32>,
}

/// What was read of a file.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) file: String,
    pub(super) rows: usize,
    numbers: Vec<Vec<f64>>,
    classes: Vec<Classes>,
    label_numbers: Option<Vec<f64>>,
    label_classes: Option<Classes>,
    pub(super) times: Option<Vec<Timestamp>>,
}

impl Columns {
    /// The numbers of the `i`th column asked for; not a number where missing.
    pub(super) fn numbers(&self, i: usize) -> &[f64] {
        &self.numbers[i]
    }

    /// The classes of the `i`th column asked for.
    pub(super) fn classes(&self, i: usize) -> &Classes {
        &self.classes[i]
    }

    /// The labels that are numbers, if the file has them.
    pub(super) fn label_numbers(&self) -> Option<&[f64]> {
        self.label_numbers.as_deref()
    }

    /// The labels that are classes, if the file has them.
    pub(super) fn label_classes(&self) -> Option<&Classes> {
        self.label_classes.as_ref()
    }

    /// Reads `input`. Without `label_needed`, a file without the label column is fine.
    pub(super) fn read(input: &Input, asked: &Asked, label_needed: bool) -> Result<Self, Failure> {
        let mut reader = RecordReader::open(input)?;
        let file = reader.file().to_owned();
        let names = reader.columns().to_vec();
        let place = |name: &String| position(&file, &names, name);
        let numbers: Vec<usize> = asked.numbers.iter().map(place).collect::<Result<_, _>>()?;
        let classes: Vec<usize> = asked.classes.iter().map(place).collect::<Result<_, _>>()?;
        let time = asked.time.as_ref().map(place).transpose()?;
        let label = asked
            .label
            .as_ref()
            .filter(|l| label_needed || names.iter().any(|name| name == l.column()));
        let label_at = label.map(|l| place(&l.column().to_owned())).transpose()?;
        let mut found = Self {
            file: file.clone(),
            rows: 0,
            numbers: vec![Vec::new(); numbers.len()],
            classes: vec![Classes::default(); classes.len()],
            label_numbers: matches!(label, Some(Label::Number(_))).then(Vec::new),
            label_classes: matches!(label, Some(Label::Class(_))).then(Classes::default),
            times: time.map(|_| Vec::new()),
        };
        let mut record = Record::default();
        while reader.read(&mut record)? {
            let at = |i: usize| Field {
                file: &file,
                name: &names[i],
                record: &record,
                cell: record.cells()[i],
            };
            for (values, i) in found.numbers.iter_mut().zip(&numbers) {
                values.push(at(*i).number(asked.probabilities)?);
            }
            for (values, i) in found.classes.iter_mut().zip(&classes) {
                values.push(&at(*i))?;
            }
            if let (Some(values), Some(i)) = (&mut found.label_numbers, label_at) {
                values.push(at(i).number(false)?);
            }
            if let (Some(values), Some(i)) = (&mut found.label_classes, label_at) {
                values.push(&at(i))?;
            }
            if let (Some(values), Some(i)) = (&mut found.times, time) {
                values.push(at(i).time()?);
            }
            found.rows += 1;
        }
        Ok(found)
    }
}

/// The columns of a file.
pub(super) fn names(input: &Input) -> Result<Vec<String>, Failure> {
    Ok(RecordReader::open(input)?.columns().to_vec())
}

fn position(file: &str, names: &[String], name: &str) -> Result<usize, FileError> {
    names.iter().position(|n| n == name).ok_or_else(|| {
        let known: Vec<&str> = names.iter().take(50).map(String::as_str).collect();
        let error = FileError::new(file, "there is no such column").in_column(name);
        error.with_hint(suggest::hint(name, &known))
    })
}

impl Classes {
    fn push(&mut self, field: &Field<'_>) -> Result<(), FileError> {
        let Some(name) = field.class()? else {
            self.codes.push(None);
            return Ok(());
        };
        let code = match self.known.get(&name) {
            Some(code) => *code,
            None if self.names.len() >= CLASSES_MAX => {
                let message = format!("more than {CLASSES_MAX} classes");
                return Err(field.wrong(&message).with_hint("is this the right column?"));
            }
            None => {
                let code = self.names.len() as u32;
                self.names.push((name.clone(), field.record.line()));
                self.known.insert(name, code);
                code
            }
        };
        self.codes.push(Some(code));
        Ok(())
    }

    /// For each of this column's codes, its position in `classes`; an error names the first row of another class.
    pub(super) fn positions(
        &self,
        file: &str,
        column: &str,
        classes: &[String],
    ) -> Result<Vec<usize>, Failure> {
        let position = |(name, line): &(String, u64)| {
            classes
                .iter()
                .position(|class| class == name)
                .ok_or_else(|| {
                    let known: Vec<&str> = classes.iter().map(String::as_str).collect();
                    let message = format!("the class `{name}` is not known here");
                    let error = FileError::new(file, message)
                        .at_line(*line)
                        .in_column(column);
                    Failure::from(error.with_hint(suggest::hint(name, &known)))
                })
        };
        self.names.iter().map(position).collect()
    }
}

/// One cell and where it stands.
struct Field<'a> {
    file: &'a str,
    name: &'a str,
    record: &'a Record,
    cell: Cell,
}

impl Field<'_> {
    fn wrong(&self, message: &str) -> FileError {
        FileError::new(self.file, message)
            .at_line(self.record.line())
            .in_column(self.name)
    }

    fn is_missing(&self) -> bool {
        match self.cell {
            Cell::Missing => true,
            Cell::Double(x) => x.is_nan(),
            Cell::Text(..) => self
                .record
                .text(self.cell)
                .is_some_and(|text| MISSING.contains(&text.trim())),
            _ => false,
        }
    }

    /// The number; not a number where it is missing.
    fn number(&self, probability: bool) -> Result<f64, FileError> {
        if self.is_missing() {
            return Ok(f64::NAN);
        }
        let number = match self.cell {
            Cell::Long(i) => Some(i as f64),
            Cell::Double(x) => Some(x),
            Cell::Bool(b) => Some(f64::from(u8::from(b))),
            Cell::Text(..) => self
                .record
                .text(self.cell)
                .and_then(|t| t.trim().parse().ok()),
            _ => None,
        };
        let Some(x) = number.filter(|x: &f64| x.is_finite()) else {
            let error = self.wrong("this is not a finite number");
            return Err(error.with_hint("leave the cell empty where the value is missing"));
        };
        if probability && !(0.0..=1.0).contains(&x) {
            let error = self.wrong(&format!("the score {x} is not between 0 and 1"));
            return Err(
                error.with_hint("use --calibrate always to make probabilities of the scores")
            );
        }
        Ok(x)
    }

    /// The class's name: numbers without needless digits, truth values in small letters, however they are written.
    fn class(&self) -> Result<Option<String>, FileError> {
        if self.is_missing() {
            return Ok(None);
        }
        let Some(name) = self.record.category(self.cell) else {
            return Err(self.wrong("this is not the name of a class"));
        };
        let name = name.trim();
        if let Ok(x) = name.parse::<f64>()
            && x.is_finite()
        {
            return Ok(Some((x + 0.0).to_string()));
        }
        if name.eq_ignore_ascii_case("true") || name.eq_ignore_ascii_case("false") {
            return Ok(Some(name.to_ascii_lowercase()));
        }
        Ok(Some(name.to_owned()))
    }

    fn time(&self) -> Result<Timestamp, FileError> {
        self.record
            .time(self.cell)
            .ok_or_else(|| self.wrong("this is not a time such as 2013-01-01T05:15:00Z"))
    }
}

/// A class's name as [`Field::class`] writes it.
pub(super) fn class_name(text: &str) -> String {
    match text.trim().parse::<f64>() {
        Ok(x) if x.is_finite() => (x + 0.0).to_string(),
        _ if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => {
            text.to_ascii_lowercase()
        }
        _ => text.trim().to_owned(),
    }
}
