//! Where a file's bytes come from.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::error::FileError;

/// A file on disk, one compiled into the binary, or standard input.
#[derive(Clone, Debug)]
pub enum Input {
    /// On disk.
    Path(PathBuf),
    /// Standard input, which can be read once.
    Stdin,
    /// In memory.
    Bytes {
        /// Its name, for messages; the ending says the format.
        name: &'static str,
        /// Its content.
        bytes: &'static [u8],
    },
}

/// What a file's name says about its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header row.
    Csv,
    /// A JSON object a line.
    Jsonl,
    /// Parquet.
    Parquet,
}

impl From<&Path> for Input {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl Input {
    /// The name for messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
            Self::Bytes { name, .. } => (*name).to_owned(),
        }
    }

    /// The format by the name's ending, and whether the bytes are gzip.
    ///
    /// # Errors
    /// When the ending says nothing.
    pub fn format(&self) -> Result<(Format, bool), FileError> {
        let name = self.name().to_ascii_lowercase();
        let (stem, gzip) = name
            .strip_suffix(".gz")
            .map_or((name.as_str(), false), |s| (s, true));
        let format = match stem.rsplit_once('.').map(|(_, ending)| ending) {
            Some("csv") => Format::Csv,
            Some("jsonl" | "ndjson") => Format::Jsonl,
            Some("parquet" | "pq") if !gzip => Format::Parquet,
            _ => {
                let message = "the name's ending does not say what is in the file";
                let hint = "use .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet";
                return Err(FileError::new(&self.name(), message).with_hint(hint));
            }
        };
        Ok((format, gzip))
    }

    /// Whether the name says that the bytes are gzip.
    #[must_use]
    pub fn is_gzip(&self) -> bool {
        self.name().to_ascii_lowercase().ends_with(".gz")
    }

    pub(super) fn open_file(&self) -> Result<Option<File>, FileError> {
        let Self::Path(path) = self else {
            return Ok(None);
        };
        let opened = File::open(path).and_then(|file| {
            let directory = file.metadata()?.is_dir();
            if directory {
                Err(std::io::ErrorKind::IsADirectory.into())
            } else {
                Ok(file)
            }
        });
        opened
            .map(Some)
            .map_err(|e| FileError::new(&self.name(), format_args!("cannot be read: {e}")))
    }

    /// The content as a stream, unpacked.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, gzip: bool) -> Result<Box<dyn Read + Send>, FileError> {
        let raw: Box<dyn Read + Send> = match (self.open_file()?, self) {
            (Some(file), _) => Box::new(file),
            (None, Self::Stdin) => Box::new(std::io::stdin()),
            (None, Self::Bytes { bytes, .. }) => Box::new(*bytes),
            (None, Self::Path(_)) => Box::new(std::io::empty()),
        };
        let buffered = BufReader::with_capacity(1 << 16, raw);
        Ok(if gzip {
            Box::new(flate2::bufread::MultiGzDecoder::new(buffered))
        } else {
            Box::new(buffered)
        })
    }
}
