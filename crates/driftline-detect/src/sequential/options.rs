//! Named parameters: one list per detector that parses, checks, shows and explains them.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// Whose behaviour, and whose names of the parameters.
///
/// A value decides as that implementation does, on the same values, also where it is not what the paper says, flaws
/// included: the one-sided Page–Hinkley test of `moa` and `frouros` has no minimum, their GMA has a fixed limit, and their
/// STEPD calls a drift where there are no errors at all. Only what cannot be compared is set right in every form (what is
/// an error, numbers that are none, random draws). The page of each detector lists all of it. `paper` has none of these flaws;
/// where a detector has no such form, its page names the one to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compat {
    /// river 0.26.1 (Python).
    River,
    /// MOA (Java), as of 2026.
    Moa,
    /// Frouros 0.9.0 (Python).
    Frouros,
    /// The paper, or where that leaves something open, the form that this project holds to be right.
    #[default]
    Paper,
}

impl Compat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::River, Self::Moa, Self::Frouros, Self::Paper];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::River => "river",
            Self::Moa => "moa",
            Self::Frouros => "frouros",
            Self::Paper => "paper",
        }
    }
}

impl fmt::Display for Compat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Compat {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|compat| compat.name() == text);
        found.ok_or_else(|| ParameterError::UnknownCompat {
            name: text.to_owned(),
            known: names(Self::ALL.map(Self::name)),
        })
    }
}

/// What is wrong with the parameters of a detector.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ParameterError {
    /// No detector has that name.
    #[error("there is no detector `{name}`; there are {known}")]
    UnknownDetector {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// No reference implementation has that name.
    #[error("there is no compat `{name}`; there are {known}")]
    UnknownCompat {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The detector does not come in the form of that reference implementation.
    #[error("{detector} has no compat `{compat}`; it has {known}")]
    Compat {
        /// The detector.
        detector: &'static str,
        /// What was asked for.
        compat: &'static str,
        /// What there is.
        known: String,
    },
    /// The detector has no such parameter.
    #[error("{detector} has no parameter `{name}`; it has {known}")]
    Unknown {
        /// The detector.
        detector: &'static str,
        /// The name that was given.
        name: String,
        /// The names that it has.
        known: String,
    },
    /// A parameter is given twice.
    #[error("parameter `{name}` is given twice")]
    Twice {
        /// The parameter.
        name: String,
    },
    /// A value is not of the parameter's kind or outside its range.
    #[error("parameter `{name}` cannot be `{value}`: it is {expected}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// Two parameters do not fit each other.
    #[error("{problem}")]
    Together {
        /// What does not fit.
        problem: &'static str,
    },
}

/// A parameter that is one of a few words; see [`Slot::Choice`].
pub trait Choice {
    /// All words.
    fn words(&self) -> &'static [&'static str];
    /// The word that is chosen.
    fn word(&self) -> &'static str;
    /// Chooses; false if there is no such word.
    fn choose(&mut self, word: &str) -> bool;
}

/// Where the value of a parameter is, and what it may be.
pub enum Slot<'a> {
    /// A finite number from `min` to `max`, both included.
    Number {
        /// The value.
        value: &'a mut f64,
        /// The least.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// A whole number from `min` to `max`, both included.
    Count {
        /// The value.
        value: &'a mut u64,
        /// The least.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A whole number from `min` to `max`, or `none`.
    OptionalCount {
        /// The value.
        value: &'a mut Option<u64>,
        /// The least.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// `true` or `false`.
    Flag(&'a mut bool),
    /// One of a few words.
    Choice(&'a mut dyn Choice),
}

impl fmt::Debug for Slot<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Slot({} in {})", self.shown(), self.expected())
    }
}

impl Slot<'_> {
    /// The value as text that [`set`](Self::set) takes.
    fn shown(&self) -> String {
        match self {
            Self::Number { value, .. } => value.to_string(),
            Self::Count { value, .. } => value.to_string(),
            Self::OptionalCount { value, .. } => match value {
                Some(value) => value.to_string(),
                None => "none".to_owned(),
            },
            Self::Flag(value) => value.to_string(),
            Self::Choice(choice) => choice.word().to_owned(),
        }
    }

    /// What it may be, in words.
    fn expected(&self) -> String {
        match self {
            Self::Number { min, max, .. } => {
                format!("a number from {} to {}", plain(*min), plain(*max))
            }
            Self::Count { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::OptionalCount { min, max, .. } => {
                format!("a whole number from {min} to {max}, or `none`")
            }
            Self::Flag(_) => "`true` or `false`".to_owned(),
            Self::Choice(choice) => format!("one of {}", names(choice.words().iter().copied())),
        }
    }

    /// Whether the value is within its range.
    fn holds(&self) -> bool {
        match self {
            Self::Number { value, min, max } => (*min..=*max).contains(&**value),
            Self::Count { value, min, max } => (*min..=*max).contains(&**value),
            Self::OptionalCount { value, min, max } => {
                value.is_none_or(|value| (*min..=*max).contains(&value))
            }
            Self::Flag(_) | Self::Choice(_) => true,
        }
    }

    /// Reads a value; false if it is not one of this kind. Does not look at the range.
    fn set(&mut self, text: &str) -> bool {
        fn read<T: FromStr>(into: &mut T, text: &str) -> bool {
            text.parse().map(|value| *into = value).is_ok()
        }
        match self {
            Self::Number { value, .. } => read(*value, text),
            Self::Count { value, .. } => read(*value, text),
            Self::OptionalCount { value, .. } if text == "none" => {
                **value = None;
                true
            }
            Self::OptionalCount { value, .. } => {
                text.parse().map(|count| **value = Some(count)).is_ok()
            }
            // Python's spelling too, because the names are those of Python libraries.
            Self::Flag(value) => match text {
                "true" | "True" | "1" => (**value = true, true).1,
                "false" | "False" | "0" => (**value = false, true).1,
                _ => false,
            },
            Self::Choice(choice) => choice.choose(text),
        }
    }
}

/// A named parameter of a detector.
#[derive(Debug)]
pub struct Parameter<'a> {
    /// Its name in the implementation that the options follow.
    pub name: &'static str,
    /// What it does, one line.
    pub meaning: &'static str,
    /// Its value and range.
    pub slot: Slot<'a>,
}

impl<'a> Parameter<'a> {
    /// A number from `min` to `max`.
    pub fn number(
        name: &'static str,
        value: &'a mut f64,
        [min, max]: [f64; 2],
        meaning: &'static str,
    ) -> Self {
        let slot = Slot::Number { value, min, max };
        Self {
            name,
            meaning,
            slot,
        }
    }

    /// A whole number from `min` to `max`.
    pub fn count(
        name: &'static str,
        value: &'a mut u64,
        [min, max]: [u64; 2],
        meaning: &'static str,
    ) -> Self {
        let slot = Slot::Count { value, min, max };
        Self {
            name,
            meaning,
            slot,
        }
    }

    /// `true` or `false`.
    pub fn flag(name: &'static str, value: &'a mut bool, meaning: &'static str) -> Self {
        let slot = Slot::Flag(value);
        Self {
            name,
            meaning,
            slot,
        }
    }
}

/// A parameter as help texts show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterHelp {
    /// Its name.
    pub name: &'static str,
    /// Its default, as text.
    pub default: String,
    /// What it may be, such as "a number from 0 to 1".
    pub expected: String,
    /// What it does.
    pub meaning: &'static str,
}

/// The parameters of one detector.
pub trait Options: Clone + Default {
    /// The detector's name.
    const DETECTOR: &'static str;

    /// The defaults of an implementation, and its behaviour where it is another; none if this detector has no such form.
    fn defaults(compat: Compat) -> Option<Self>;

    /// Every parameter with its place, range and meaning.
    fn parameters(&mut self) -> Vec<Parameter<'_>>;

    /// What two parameters that are within their ranges may still do wrong together.
    fn conflict(&self) -> Option<&'static str> {
        None
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// The first parameter that is outside its range, or what does not fit together.
    fn check(&self) -> Result<(), ParameterError> {
        for Parameter { name, slot, .. } in self.clone().parameters() {
            if !slot.holds() {
                let (value, expected) = (slot.shown(), slot.expected());
                return Err(ParameterError::Value {
                    name,
                    value,
                    expected,
                });
            }
        }
        match self.conflict() {
            Some(problem) => Err(ParameterError::Together { problem }),
            None => Ok(()),
        }
    }

    /// The defaults of an implementation with some values replaced.
    ///
    /// # Errors
    ///
    /// If there is no such form of the detector, a name is unknown or given twice, or a value is not what the parameter may be.
    fn parse(compat: Compat, given: &[(String, String)]) -> Result<Self, ParameterError> {
        let mut options = Self::defaults(compat).ok_or_else(|| ParameterError::Compat {
            detector: Self::DETECTOR,
            compat: compat.name(),
            known: names(
                Compat::ALL
                    .into_iter()
                    .filter(|&compat| Self::defaults(compat).is_some())
                    .map(Compat::name),
            ),
        })?;
        for (i, (name, value)) in given.iter().enumerate() {
            if given[..i].iter().any(|(before, _)| before == name) {
                return Err(ParameterError::Twice { name: name.clone() });
            }
            let mut parameters = options.parameters();
            let Some(parameter) = parameters.iter_mut().find(|known| known.name == name) else {
                return Err(ParameterError::Unknown {
                    detector: Self::DETECTOR,
                    name: name.clone(),
                    known: names(parameters.iter().map(|parameter| parameter.name)),
                });
            };
            let read = parameter.slot.set(value.trim());
            if !(read && parameter.slot.holds()) {
                return Err(ParameterError::Value {
                    name: parameter.name,
                    value: value.clone(),
                    expected: parameter.slot.expected(),
                });
            }
        }
        options.check()?;
        Ok(options)
    }

    /// Every parameter with its value as text.
    fn shown(&self) -> Vec<(&'static str, String)> {
        let mut options = self.clone();
        let parameters = options.parameters();
        parameters
            .iter()
            .map(|parameter| (parameter.name, parameter.slot.shown()))
            .collect()
    }

    /// The catalogue of an implementation's parameters; empty if this detector has no such form.
    fn help(compat: Compat) -> Vec<ParameterHelp> {
        let Some(mut options) = Self::defaults(compat) else {
            return Vec::new();
        };
        let parameters = options.parameters();
        parameters
            .iter()
            .map(|parameter| ParameterHelp {
                name: parameter.name,
                default: parameter.slot.shown(),
                expected: parameter.slot.expected(),
                meaning: parameter.meaning,
            })
            .collect()
    }
}

/// Names for a sentence, with commas.
pub(crate) fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut list = String::new();
    for name in names {
        let comma = if list.is_empty() { "" } else { ", " };
        let _ = write!(list, "{comma}`{name}`");
    }
    list
}

/// A number without a row of noughts.
fn plain(number: f64) -> String {
    if number != 0.0 && !(1e-4..1e7).contains(&number.abs()) {
        return format!("{number:e}");
    }
    number.to_string()
}

/// Reads options and checks them, for the snapshot of a detector.
pub(crate) fn checked<'de, O, D>(deserializer: D) -> Result<O, D::Error>
where
    O: Options + Deserialize<'de>,
    D: Deserializer<'de>,
{
    let options = O::deserialize(deserializer)?;
    options.check().map_err(D::Error::custom)?;
    Ok(options)
}
