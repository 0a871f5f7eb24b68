//! Comma-separated values.

use std::io::Read;

use csv::{ReaderBuilder, StringRecord};

use super::error::FileError;
use super::input::Input;
use super::record::{Cell, Record};

/// Reads a CSV file. Every cell is a text or missing (empty).
pub(super) struct CsvReader {
    file: String,
    reader: csv::Reader<Box<dyn Read + Send>>,
    columns: Vec<String>,
    row: StringRecord,
    /// A first line that turned out to be data.
    pending: bool,
}

impl std::fmt::Debug for CsvReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvReader")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl CsvReader {
    pub(super) fn open(input: &Input, gzip: bool) -> Result<Self, FileError> {
        let file = input.name();
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .from_reader(input.open(gzip)?);
        let mut row = StringRecord::new();
        if !reader
            .read_record(&mut row)
            .map_err(|e| broken(&file, &e))?
        {
            return Err(FileError::new(&file, "the file is empty")
                .with_hint("the first line names the columns"));
        }
        // A single column needs no header: then its first line is a number.
        let first = row
            .get(0)
            .unwrap_or("")
            .trim_start_matches('\u{feff}')
            .trim();
        let pending = row.len() == 1 && first.parse::<f64>().is_ok();
        let columns = if pending || (row.len() == 1 && first.is_empty()) {
            vec!["value".to_owned()]
        } else {
            let names = row.iter().enumerate();
            names
                .map(
                    |(i, name)| match name.trim_start_matches('\u{feff}').trim() {
                        "" => format!("column_{}", i + 1),
                        name => name.to_owned(),
                    },
                )
                .collect()
        };
        Ok(Self {
            file,
            reader,
            columns,
            row,
            pending,
        })
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, FileError> {
        if !std::mem::take(&mut self.pending)
            && !self
                .reader
                .read_record(&mut self.row)
                .map_err(|e| broken(&self.file, &e))?
        {
            return Ok(false);
        }
        let line = self.row.position().map_or(1, csv::Position::line);
        record.restart(self.columns.len(), line);
        for (i, text) in self.row.iter().enumerate() {
            record.cells[i] = if text.is_empty() {
                Cell::Missing
            } else {
                record.push_text(text)
            };
        }
        Ok(true)
    }
}

fn broken(file: &str, error: &csv::Error) -> FileError {
    let line = error.position().map(csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            format!("{len} cells, but the file has {expected_len} columns")
        }
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_owned(),
        csv::ErrorKind::Io(error) => format!("cannot be read: {error}"),
        _ => error.to_string(),
    };
    let error = FileError::new(file, message);
    match line {
        Some(line) => error.at_line(line),
        None => error,
    }
}
