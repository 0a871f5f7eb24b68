//! A JSON object a line.

use std::io::{BufRead, BufReader, Read};

use serde_json::Value;

use super::error::FileError;
use super::input::Input;
use super::record::{COLUMNS_MAX, Cell, Record};

type Object = serde_json::Map<String, Value>;

/// Lines longer than this are taken for a file that is not lines of JSON.
const LINE_BYTES_MAX: u64 = 16 << 20;
/// Objects within objects; their keys are joined with dots.
const NESTING_MAX: usize = 16;

/// Reads JSON lines. The columns are all keys that occur anywhere, found by a first pass.
pub(super) struct JsonlReader {
    lines: Lines,
    columns: Vec<String>,
    by_name: std::collections::BTreeMap<String, usize>,
}

impl std::fmt::Debug for JsonlReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonlReader")
            .field("file", &self.lines.file)
            .finish_non_exhaustive()
    }
}

impl JsonlReader {
    pub(super) fn open(input: &Input, gzip: bool) -> Result<Self, FileError> {
        let mut columns = Vec::new();
        let mut by_name = std::collections::BTreeMap::new();
        let mut lines = Lines::open(input, gzip)?;
        while let Some((object, line)) = lines.next()? {
            each_leaf(&object, |name, _| {
                if !by_name.contains_key(name) && columns.len() <= COLUMNS_MAX {
                    by_name.insert(name.to_owned(), columns.len());
                    columns.push(name.to_owned());
                }
            });
            if columns.len() > COLUMNS_MAX {
                let message = format!("more than {COLUMNS_MAX} different keys");
                return Err(FileError::new(&lines.file, message).at_line(line));
            }
        }
        Ok(Self {
            lines: Lines::open(input, gzip)?,
            columns,
            by_name,
        })
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, FileError> {
        let Some((object, line)) = self.lines.next()? else {
            return Ok(false);
        };
        record.restart(self.columns.len(), line);
        each_leaf(&object, |name, value| {
            // A file that grew since the first pass may have new keys: they are not columns.
            if let Some(&i) = self.by_name.get(name) {
                record.cells[i] = match value {
                    Value::Null => Cell::Missing,
                    Value::Bool(b) => Cell::Bool(*b),
                    Value::Number(n) => match (n.as_i64(), n.as_f64()) {
                        (Some(i), _) => Cell::Long(i),
                        (None, Some(x)) => Cell::Double(x),
                        (None, None) => Cell::Unsupported,
                    },
                    Value::String(text) => record.push_text(text),
                    Value::Array(_) | Value::Object(_) => Cell::Unsupported,
                };
            }
        });
        Ok(true)
    }
}

struct Lines {
    file: String,
    reader: BufReader<Box<dyn Read + Send>>,
    buffer: Vec<u8>,
    line: u64,
}

impl Lines {
    fn open(input: &Input, gzip: bool) -> Result<Self, FileError> {
        let reader = BufReader::new(input.open(gzip)?);
        Ok(Self {
            file: input.name(),
            reader,
            buffer: Vec::new(),
            line: 0,
        })
    }

    /// The next object and its line; empty lines are passed over.
    fn next(&mut self) -> Result<Option<(Object, u64)>, FileError> {
        loop {
            self.buffer.clear();
            self.line += 1;
            let read = (&mut self.reader)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut self.buffer);
            let read = read.map_err(|e| self.error(format_args!("cannot be read: {e}")))?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == LINE_BYTES_MAX {
                return Err(self.error(format_args!(
                    "the line is longer than {LINE_BYTES_MAX} bytes"
                )));
            }
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            return match serde_json::from_slice(&self.buffer) {
                Ok(Value::Object(object)) => Ok(Some((object, self.line))),
                Ok(_) => Err(self.error(format_args!("the line is not a JSON object"))),
                Err(e) => Err(self.error(format_args!("the line is not JSON: {e}"))),
            };
        }
    }

    fn error(&self, message: std::fmt::Arguments<'_>) -> FileError {
        FileError::new(&self.file, message).at_line(self.line)
    }
}

/// Calls `visit` for every value that is not an object, with its keys joined by dots.
fn each_leaf(object: &Object, mut visit: impl FnMut(&str, &Value)) {
    fn walk(
        object: &Object,
        path: &mut String,
        depth: usize,
        visit: &mut impl FnMut(&str, &Value),
    ) {
        for (key, value) in object {
            let end = path.len();
            if end > 0 {
                path.push('.');
            }
            path.push_str(key);
            match value {
                Value::Object(inner) if depth < NESTING_MAX => walk(inner, path, depth + 1, visit),
                value => visit(path, value),
            }
            path.truncate(end);
        }
    }
    walk(object, &mut String::new(), 0, &mut visit);
}
