//! The values, one after the other.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use driftline_detect::sequential::VALUE_MAX;

use crate::files::{Cell, FileError, Format, Input, Record, RecordReader};

/// A line with one number is shorter than this.
const LINE_BYTES_MAX: u64 = 1_024;
/// A value in a message is cut after so many characters.
const SHOWN_MAX: usize = 40;
/// Columns whose names are listed in a message.
const COLUMNS_SHOWN_MAX: usize = 12;

/// Reads values with bounded memory.
pub(super) enum Values {
    /// One a line.
    Lines(Lines),
    /// One a record.
    Column(Box<Column>),
}

impl Values {
    /// Opens the file `path`, or standard input for `-`.
    ///
    /// # Errors
    /// When it cannot be read, or it is not clear which column is meant.
    pub(super) fn open(path: &Path, column: Option<&str>) -> Result<Self, FileError> {
        let input = match path.to_str() {
            Some("-") => Input::Stdin,
            _ => Input::from(path),
        };
        match (input.format(), column) {
            (Ok((format, gzip)), column) => {
                let reader = RecordReader::open_as(&input, format, gzip)?;
                Column::of(reader, column)
            }
            (Err(_), Some(column)) => {
                let reader = RecordReader::open_as(&input, Format::Csv, input.is_gzip())?;
                Column::of(reader, Some(column))
            }
            (Err(_), None) => Ok(Self::Lines(Lines {
                file: input.name(),
                reader: BufReader::new(input.open(input.is_gzip())?),
                buffer: Vec::new(),
                line: 0,
                blank: None,
            })),
        }
    }

    /// The next value; none at the end.
    ///
    /// # Errors
    /// When the file cannot be read any further, or has something else than a number there.
    pub(super) fn next(&mut self) -> Result<Option<f64>, FileError> {
        match self {
            Self::Lines(lines) => lines.next(),
            Self::Column(column) => column.next(),
        }
    }
}

/// A value a line.
pub(super) struct Lines {
    file: String,
    reader: BufReader<Box<dyn Read + Send>>,
    buffer: Vec<u8>,
    line: u64,
    /// The first of the blank lines that were just read. At the end of a file they mean nothing.
    blank: Option<u64>,
}

impl Lines {
    fn next(&mut self) -> Result<Option<f64>, FileError> {
        loop {
            self.buffer.clear();
            self.line += 1;
            let read = (&mut self.reader)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut self.buffer)
                .map_err(|e| self.error(format_args!("cannot be read: {e}")))?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == LINE_BYTES_MAX {
                let message = format_args!("the line is longer than {LINE_BYTES_MAX} bytes");
                return Err(self
                    .error(message)
                    .with_hint("there is to be one number a line"));
            }
            let text = self.buffer.trim_ascii();
            if text.is_empty() {
                self.blank.get_or_insert(self.line);
                continue;
            }
            if let Some(line) = self.blank {
                let error = FileError::new(&self.file, "the line is blank").at_line(line);
                return Err(
                    error.with_hint("a missing value would shift all after it; leave the line out")
                );
            }
            let Ok(text) = std::str::from_utf8(text) else {
                return Err(self.error(format_args!("the text is not UTF-8")));
            };
            let text = text.trim_start_matches('\u{feff}');
            return match number(text) {
                Ok(value) => Ok(Some(value)),
                Err(message) => {
                    let error = self.error(format_args!("{message}"));
                    Err(if self.line == 1 {
                        error.with_hint(
                            "if the file has a header row, name the column with --column",
                        )
                    } else {
                        error
                    })
                }
            };
        }
    }

    fn error(&self, message: std::fmt::Arguments<'_>) -> FileError {
        FileError::new(&self.file, message).at_line(self.line)
    }
}

/// A column of records.
pub(super) struct Column {
    reader: RecordReader,
    place: usize,
    name: String,
    record: Record,
}

impl Column {
    fn of(reader: RecordReader, column: Option<&str>) -> Result<Values, FileError> {
        let columns = reader.columns();
        let found = match column {
            Some(name) => columns.iter().position(|column| column == name),
            None => (columns.len() == 1).then_some(0),
        };
        let Some(place) = found else {
            let message = match column {
                Some(name) => format!("there is no column `{}`", shortened(name)),
                None => format!("there are {} columns", columns.len()),
            };
            let mut known: Vec<String> = columns
                .iter()
                .take(COLUMNS_SHOWN_MAX)
                .map(|name| format!("`{}`", shortened(name)))
                .collect();
            if columns.len() > COLUMNS_SHOWN_MAX {
                known.push("…".to_owned());
            }
            let hint = format!("name one with --column: {}", known.join(", "));
            return Err(FileError::new(reader.file(), message).with_hint(hint));
        };
        let name = columns[place].clone();
        Ok(Values::Column(Box::new(Self {
            reader,
            place,
            name,
            record: Record::default(),
        })))
    }

    fn next(&mut self) -> Result<Option<f64>, FileError> {
        if !self.reader.read(&mut self.record)? {
            return Ok(None);
        }
        let cell = self.record.cells().get(self.place).copied();
        let value = match cell.unwrap_or_default() {
            Cell::Missing => Err("the value is missing".to_owned()),
            Cell::Bool(value) => Ok(f64::from(u8::from(value))),
            Cell::Long(value) => Ok(value as f64),
            Cell::Double(value) => usable(value, value),
            cell @ Cell::Text(..) => number(self.record.text(cell).unwrap_or("").trim()),
            Cell::Time(_) => Err("a time is not a number".to_owned()),
            Cell::Unsupported => Err("a list is not a number".to_owned()),
        };
        value.map(Some).map_err(|message| {
            FileError::new(self.reader.file(), message)
                .at_line(self.record.line())
                .in_column(&self.name)
        })
    }
}

/// A number, or a truth value as 1 or 0.
fn number(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) => usable(value, text),
        Err(_) if text.eq_ignore_ascii_case("true") => Ok(1.0),
        Err(_) if text.eq_ignore_ascii_case("false") => Ok(0.0),
        Err(_) => Err(format!("`{}` is not a number", shortened(text))),
    }
}

fn usable(value: f64, shown: impl ToString) -> Result<f64, String> {
    if value.abs() <= VALUE_MAX {
        return Ok(value);
    }
    let shown = shortened(&shown.to_string());
    Err(if value.is_finite() {
        format!("`{shown}` is larger than {VALUE_MAX:e}")
    } else {
        format!("`{shown}` is not a finite number")
    })
}

/// A text from the data as a message may show it.
fn shortened(text: &str) -> String {
    let mut shown: String = crate::terminal::clean(text)
        .chars()
        .take(SHOWN_MAX)
        .collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}
