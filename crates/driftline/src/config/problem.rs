//! What is wrong with a configuration, as people read it.

use std::collections::BTreeMap;
use std::fmt;

use super::yaml::Position;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but is probably not what was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub gravity: Gravity,
    /// The path of the value, such as `models[0].pane`; empty for the whole file.
    pub path: String,
    /// Where it stands.
    pub at: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// All that is wrong with one file, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// The file's name as it was given.
    pub file: String,
    /// The problems.
    pub list: Vec<Problem>,
    places: BTreeMap<String, Position>,
}

impl Problems {
    pub(super) fn new(file: &str, places: BTreeMap<String, Position>) -> Self {
        Self {
            file: file.to_owned(),
            list: Vec::new(),
            places,
        }
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.list
            .iter()
            .filter(|p| p.gravity == Gravity::Error)
            .count()
    }

    /// How many warnings there are.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.list.len() - self.errors()
    }

    pub(super) fn error(
        &mut self,
        path: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Gravity::Error, path, message.into(), hint.into());
    }

    pub(super) fn warning(
        &mut self,
        path: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Gravity::Warning, path, message.into(), hint.into());
    }

    fn push(&mut self, gravity: Gravity, path: &str, message: String, hint: String) {
        let hint = Some(hint).filter(|h| !h.is_empty());
        let at = self.place(path);
        self.list.push(Problem {
            gravity,
            path: path.to_owned(),
            at,
            message,
            hint,
        });
    }

    /// Whether something at `path` or inside it has been reported.
    pub(super) fn covers(&self, path: &str) -> bool {
        self.list.iter().any(|p| {
            p.path
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|p| (p.gravity, p.at));
    }

    /// Where `path` stands, or else the nearest thing around it.
    fn place(&self, path: &str) -> Option<Position> {
        let mut path = path;
        loop {
            if let Some(at) = self.places.get(path) {
                return Some(*at).filter(|at| at.line > 0);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            write!(f, "{}:", self.file)?;
            if let Some(at) = problem.at {
                write!(f, "{}:{}:", at.line, at.column)?;
            }
            let gravity = match problem.gravity {
                Gravity::Error => "error",
                Gravity::Warning => "warning",
            };
            write!(f, " {gravity}: ")?;
            if !problem.path.is_empty() {
                write!(f, "{}: ", problem.path)?;
            }
            writeln!(f, "{}", problem.message)?;
            if let Some(hint) = &problem.hint {
                writeln!(f, "  hint: {hint}")?;
            }
        }
        Ok(())
    }
}
