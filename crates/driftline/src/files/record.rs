//! Records of any format, one after the other.

use super::csv::CsvReader;
use super::error::FileError;
use super::input::{Format, Input};
use super::jsonl::JsonlReader;
use super::parquet::ParquetReader;

/// Files with more columns than this are taken for a mistake.
pub(super) const COLUMNS_MAX: usize = 10_000;

/// A value of a record. Texts are in the record's buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Cell {
    /// Nothing, or null.
    #[default]
    Missing,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Long(i64),
    /// A floating-point number.
    Double(f64),
    /// A date or time, in microseconds since 1970.
    Time(i64),
    /// A text: start and end in the record's buffer.
    Text(usize, usize),
    /// A list or another value that no column takes.
    Unsupported,
}

/// One record. Refilled record by record, so nothing is allocated per record.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub(super) cells: Vec<Cell>,
    pub(super) text: String,
    pub(super) line: u64,
}

impl Record {
    /// The cells, in the order of the reader's columns.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The line in the file, counted from 1; the row in a Parquet file.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The text of `cell`, if it is one.
    #[must_use]
    pub fn text(&self, cell: Cell) -> Option<&str> {
        match cell {
            Cell::Text(start, end) => self.text.get(start..end),
            _ => None,
        }
    }

    /// `cell` as a category's name; none when it is missing.
    #[must_use]
    pub fn category(&self, cell: Cell) -> Option<std::borrow::Cow<'_, str>> {
        Some(match cell {
            Cell::Missing | Cell::Unsupported => return None,
            Cell::Bool(b) => (if b { "true" } else { "false" }).into(),
            Cell::Long(i) => i.to_string().into(),
            Cell::Double(x) => x.to_string().into(),
            Cell::Time(micros) => driftline_event::Timestamp::from_micros(micros)
                .to_string()
                .into(),
            Cell::Text(..) => self.text(cell).unwrap_or("").into(),
        })
    }

    /// `cell` as a time: RFC 3339, or a number since 1970 in seconds, milli-, micro- or nanoseconds.
    #[must_use]
    pub fn time(&self, cell: Cell) -> Option<driftline_event::Timestamp> {
        super::prediction::time_of(self, cell)
    }

    pub(super) fn restart(&mut self, columns: usize, line: u64) {
        self.cells.clear();
        self.cells.resize(columns, Cell::Missing);
        self.text.clear();
        self.line = line;
    }

    pub(super) fn push_text(&mut self, text: &str) -> Cell {
        let start = self.text.len();
        self.text.push_str(text);
        Cell::Text(start, self.text.len())
    }
}

/// Reads the records of a file, one after the other.
#[derive(Debug)]
pub struct RecordReader {
    file: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Csv(Box<CsvReader>),
    Jsonl(Box<JsonlReader>),
    Parquet(Box<ParquetReader>),
}

impl RecordReader {
    /// Opens `input` and finds its columns.
    ///
    /// # Errors
    /// When it cannot be read or is not what its name's ending says.
    pub fn open(input: &Input) -> Result<Self, FileError> {
        let (format, gzip) = input.format()?;
        Self::open_as(input, format, gzip)
    }

    /// Opens `input` as what it is known to be, whatever its name says.
    ///
    /// # Errors
    /// When it cannot be read or is not that.
    pub fn open_as(input: &Input, format: Format, gzip: bool) -> Result<Self, FileError> {
        let kind = match format {
            Format::Csv => Kind::Csv(Box::new(CsvReader::open(input, gzip)?)),
            Format::Jsonl => Kind::Jsonl(Box::new(JsonlReader::open(input, gzip)?)),
            Format::Parquet => Kind::Parquet(Box::new(ParquetReader::open(input)?)),
        };
        let reader = Self {
            file: input.name(),
            kind,
        };
        check_columns(&reader.file, reader.columns())?;
        Ok(reader)
    }

    /// The columns' names, in the order of the records' cells.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        match &self.kind {
            Kind::Csv(reader) => reader.columns(),
            Kind::Jsonl(reader) => reader.columns(),
            Kind::Parquet(reader) => reader.columns(),
        }
    }

    /// Whether texts are only how the format writes everything (CSV), so that numbers look like texts.
    #[must_use]
    pub fn is_untyped(&self) -> bool {
        matches!(self.kind, Kind::Csv(_))
    }

    /// The file's name, for messages.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Reads the next record into `record`; false at the end.
    ///
    /// # Errors
    /// When the file is broken there.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, FileError> {
        match &mut self.kind {
            Kind::Csv(reader) => reader.read(record),
            Kind::Jsonl(reader) => reader.read(record),
            Kind::Parquet(reader) => reader.read(record),
        }
    }
}

fn check_columns(file: &str, columns: &[String]) -> Result<(), FileError> {
    if columns.len() > COLUMNS_MAX {
        let message = format!(
            "{} columns are more than the {COLUMNS_MAX} that are read",
            columns.len()
        );
        return Err(FileError::new(file, message));
    }
    let mut seen = std::collections::BTreeSet::new();
    match columns.iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) => Err(FileError::new(file, "the name is there twice").in_column(name)),
        None => Ok(()),
    }
}
