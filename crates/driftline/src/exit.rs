//! How the process ends: exit codes, and errors as people read them.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// How the process ends. The numbers follow BSD's `sysexits.h` where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Fine = 0,
    /// Drift was found, and `--fail-on drift` asked to say so.
    Drift = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A data file cannot be read as what it should be.
    BadData = 65,
    /// A broker or registry does not answer, or lacks what is needed.
    Unavailable = 69,
    /// A defect of Driftline, or an operating-system error.
    Internal = 70,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not finish, with what to do about it.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    hints: Vec<String>,
}

impl Failure {
    fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            hints: Vec::new(),
        }
    }

    /// The command line asks for something that does not go together (2).
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A data file cannot be used (65).
    pub fn bad_data(message: impl fmt::Display) -> Self {
        Self::new(Exit::BadData, message)
    }

    /// A server cannot be reached or refuses (69).
    pub fn unavailable(message: impl fmt::Display) -> Self {
        Self::new(Exit::Unavailable, message)
    }

    /// A defect or an operating-system error (70).
    pub fn internal(message: impl fmt::Display) -> Self {
        Self::new(Exit::Internal, message)
    }

    /// The configuration is wrong (78).
    pub fn config(message: impl fmt::Display) -> Self {
        Self::new(Exit::Config, message)
    }

    /// Adds a line that says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Writes the message and the hints to standard error.
    pub fn print(&self) {
        // Nobody is left to tell when standard error is gone.
        let _ = write!(io::stderr().lock(), "{self}");
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        self.hints
            .iter()
            .try_for_each(|hint| writeln!(f, "hint: {hint}"))
    }
}

impl std::error::Error for Failure {}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::internal(format_args!("{error:#}"))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::internal(error)
    }
}

/// Ends a command whose arguments clap refused or answered by itself (`--help`, `--version`).
#[must_use]
pub fn usage(error: &clap::Error) -> ExitCode {
    let exit = if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Fine
    };
    let _ = error.print();
    exit.into()
}
