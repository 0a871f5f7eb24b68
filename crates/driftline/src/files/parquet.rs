//! Parquet, column by column in small batches, without arrow.

use bytes::Bytes;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::ColumnDescPtr;

use super::error::FileError;
use super::input::Input;
use super::record::{Cell, Record};

/// Rows decoded at once, of every column.
const BATCH_ROWS: usize = 4_096;

/// Reads a Parquet file of flat columns; fields of structs are named with dots, lists are not read.
pub(super) struct ParquetReader {
    file: String,
    reader: Box<dyn FileReader>,
    columns: Vec<String>,
    leaves: Vec<Leaf>,
    row_group: usize,
    readers: Vec<ColumnReader>,
    batch: Vec<Batch>,
    position: usize,
    rows: usize,
    row: u64,
}

/// One column of the file.
struct Leaf {
    index: usize,
    meaning: Meaning,
    descriptor: ColumnDescPtr,
}

/// How a column's stored values are read.
#[derive(Clone, Copy)]
enum Meaning {
    Plain,
    Unsigned,
    Text,
    Days,
    /// A time: multiply, then divide, to get microseconds.
    Time(i64, i64),
    /// A decimal: divide by this.
    Scaled(f64),
    Nothing,
}

/// The decoded values of one column of the current batch.
#[derive(Default)]
struct Batch {
    cells: Vec<Cell>,
    text: String,
}

impl std::fmt::Debug for ParquetReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetReader")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl ParquetReader {
    pub(super) fn open(input: &Input) -> Result<Self, FileError> {
        let file = input.name();
        let broken = |e: ParquetError| broken(&file, &e);
        let reader: Box<dyn FileReader> = match (input.open_file()?, input) {
            (Some(disk), _) => Box::new(SerializedFileReader::new(disk).map_err(broken)?),
            (None, Input::Bytes { bytes, .. }) => {
                Box::new(SerializedFileReader::new(Bytes::from_static(bytes)).map_err(broken)?)
            }
            (None, Input::Path(_) | Input::Stdin) => {
                return Err(FileError::new(&file, "cannot be read"));
            }
        };
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let flat = schema
            .columns()
            .iter()
            .enumerate()
            .filter(|(_, c)| c.max_rep_level() == 0);
        let (columns, leaves) = flat
            .map(|(index, descriptor)| {
                let meaning = meaning(descriptor);
                let leaf = Leaf {
                    index,
                    meaning,
                    descriptor: descriptor.clone(),
                };
                (descriptor.path().parts().join("."), leaf)
            })
            .unzip();
        Ok(Self {
            file,
            reader,
            columns,
            leaves,
            row_group: 0,
            readers: Vec::new(),
            batch: Vec::new(),
            position: 0,
            rows: 0,
            row: 0,
        })
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, FileError> {
        while self.position == self.rows {
            if !self.next_batch()? {
                return Ok(false);
            }
        }
        self.row += 1;
        record.restart(self.columns.len(), self.row);
        for (i, batch) in self.batch.iter().enumerate() {
            record.cells[i] = match batch.cells[self.position] {
                Cell::Text(start, end) => record.push_text(&batch.text[start..end]),
                cell => cell,
            };
        }
        self.position += 1;
        Ok(true)
    }

    /// Decodes the next rows of every column; false at the end of the file.
    fn next_batch(&mut self) -> Result<bool, FileError> {
        loop {
            if self.readers.is_empty() {
                if self.leaves.is_empty() || self.row_group == self.reader.num_row_groups() {
                    return Ok(false);
                }
                let group = self.reader.get_row_group(self.row_group);
                let group = group.map_err(|e| broken(&self.file, &e))?;
                self.readers = self.open_columns(group.as_ref())?;
                self.row_group += 1;
            }
            self.batch.resize_with(self.leaves.len(), Batch::default);
            let mut rows = None;
            let parts = self
                .readers
                .iter_mut()
                .zip(&self.leaves)
                .zip(&mut self.batch);
            for (((reader, leaf), batch), name) in parts.zip(&self.columns) {
                let read = batch.fill(reader, leaf);
                let read = read.map_err(|e| broken(&self.file, &e).in_column(name))?;
                if *rows.get_or_insert(read) != read {
                    let message = "the column has another number of rows than the first one";
                    return Err(FileError::new(&self.file, message).in_column(name));
                }
            }
            (self.position, self.rows) = (0, rows.unwrap_or(0));
            if self.rows > 0 {
                return Ok(true);
            }
            self.readers.clear();
        }
    }

    fn open_columns(&self, group: &dyn RowGroupReader) -> Result<Vec<ColumnReader>, FileError> {
        let open = |leaf: &Leaf| group.get_column_reader(leaf.index);
        let readers: Result<Vec<_>, _> = self.leaves.iter().map(open).collect();
        readers.map_err(|e| broken(&self.file, &e))
    }
}

impl Batch {
    fn fill(&mut self, reader: &mut ColumnReader, leaf: &Leaf) -> Result<usize, ParquetError> {
        self.cells.clear();
        self.text.clear();
        let meaning = leaf.meaning;
        match reader {
            ColumnReader::BoolColumnReader(r) => self.take(r, leaf, |_, b| Cell::Bool(b)),
            ColumnReader::Int32ColumnReader(r) => self.take(r, leaf, |_, i| {
                integer(i.into(), u64::from(i as u32), meaning)
            }),
            ColumnReader::Int64ColumnReader(r) => {
                self.take(r, leaf, |_, i| integer(i, i as u64, meaning))
            }
            ColumnReader::Int96ColumnReader(r) => {
                self.take(r, leaf, |_, i| Cell::Time(i.to_nanos().div_euclid(1_000)))
            }
            ColumnReader::FloatColumnReader(r) => self.take(r, leaf, |_, x| Cell::Double(x.into())),
            ColumnReader::DoubleColumnReader(r) => self.take(r, leaf, |_, x| Cell::Double(x)),
            ColumnReader::ByteArrayColumnReader(r) => {
                self.take(r, leaf, |text, b: ByteArray| bytes(text, b.data(), meaning))
            }
            ColumnReader::FixedLenByteArrayColumnReader(r) => {
                self.take(r, leaf, |text, b: FixedLenByteArray| {
                    bytes(text, b.data(), meaning)
                })
            }
        }
    }

    fn take<T: DataType>(
        &mut self,
        reader: &mut ColumnReaderImpl<T>,
        leaf: &Leaf,
        mut cell: impl FnMut(&mut String, T::T) -> Cell,
    ) -> Result<usize, ParquetError> {
        let most = leaf.descriptor.max_def_level();
        let mut levels = Vec::new();
        let mut values = Vec::new();
        let mut rows = 0;
        // A call ends at a page; a batch must not, or the columns would drift apart.
        while rows < BATCH_ROWS {
            let levels = (most > 0).then_some(&mut levels);
            let (read, _, _) = reader.read_records(BATCH_ROWS - rows, levels, None, &mut values)?;
            if read == 0 {
                break;
            }
            rows += read;
        }
        let mut values = values.into_iter();
        for row in 0..rows {
            let present = most == 0 || levels.get(row) == Some(&most);
            let value = if present { values.next() } else { None };
            self.cells
                .push(value.map_or(Cell::Missing, |value| cell(&mut self.text, value)));
        }
        Ok(rows)
    }
}

fn integer(signed: i64, unsigned: u64, meaning: Meaning) -> Cell {
    match meaning {
        Meaning::Unsigned => match i64::try_from(unsigned) {
            Ok(i) => Cell::Long(i),
            Err(_) => Cell::Double(unsigned as f64),
        },
        Meaning::Days => Cell::Time(signed.saturating_mul(86_400_000_000)),
        Meaning::Time(times, over) => Cell::Time(signed.saturating_mul(times).div_euclid(over)),
        Meaning::Scaled(over) => Cell::Double(signed as f64 / over),
        Meaning::Plain | Meaning::Text | Meaning::Nothing => Cell::Long(signed),
    }
}

fn bytes(text: &mut String, bytes: &[u8], meaning: Meaning) -> Cell {
    match (meaning, std::str::from_utf8(bytes)) {
        (Meaning::Text | Meaning::Plain, Ok(value)) => {
            let start = text.len();
            text.push_str(value);
            Cell::Text(start, text.len())
        }
        (Meaning::Scaled(over), _) if (1..=16).contains(&bytes.len()) => {
            // Big-endian two's complement.
            let first = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
            let value = bytes
                .iter()
                .fold(first, |n: i128, b| (n << 8) | i128::from(*b));
            Cell::Double(value as f64 / over)
        }
        _ => Cell::Unsupported,
    }
}

fn meaning(column: &ColumnDescPtr) -> Meaning {
    let scaled = |scale: i32| Meaning::Scaled(10_f64.powi(scale));
    if let Some(logical) = column.logical_type_ref() {
        return match logical {
            LogicalType::String | LogicalType::Enum | LogicalType::Json => Meaning::Text,
            LogicalType::Date => Meaning::Days,
            LogicalType::Timestamp(time) => match time.unit {
                TimeUnit::MILLIS => Meaning::Time(1_000, 1),
                TimeUnit::MICROS => Meaning::Time(1, 1),
                TimeUnit::NANOS => Meaning::Time(1, 1_000),
            },
            LogicalType::Integer(int) if !int.is_signed => Meaning::Unsigned,
            LogicalType::Decimal(decimal) => scaled(decimal.scale),
            LogicalType::Integer(_) | LogicalType::Time(_) => Meaning::Plain,
            _ => Meaning::Nothing,
        };
    }
    match column.converted_type() {
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => Meaning::Text,
        ConvertedType::DATE => Meaning::Days,
        ConvertedType::TIMESTAMP_MILLIS => Meaning::Time(1_000, 1),
        ConvertedType::TIMESTAMP_MICROS => Meaning::Time(1, 1),
        ConvertedType::DECIMAL => scaled(column.type_scale()),
        ConvertedType::UINT_8
        | ConvertedType::UINT_16
        | ConvertedType::UINT_32
        | ConvertedType::UINT_64 => Meaning::Unsigned,
        _ if column.physical_type() == PhysicalType::FIXED_LEN_BYTE_ARRAY => Meaning::Nothing,
        _ => Meaning::Plain,
    }
}

fn broken(file: &str, error: &ParquetError) -> FileError {
    let message = error.to_string();
    let failure = FileError::new(file, format_args!("cannot be read as Parquet: {message}"));
    if message.contains("Disabled feature") || message.contains("not supported") {
        return failure.with_hint("write the file uncompressed, or with snappy or zstd");
    }
    failure
}
