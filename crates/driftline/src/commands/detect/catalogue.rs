//! Which detectors there are, and what they want.

use std::fmt::{self, Write as _};

use driftline_detect::sequential::{
    Compat, DetectorName, Options as _, ParameterError, ParameterHelp,
};

use super::bank::{self, BankDetectorOptions};
use super::refused;
use crate::exit::Failure;
use crate::terminal;

/// What a detector reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// Errors.
    Errors,
    /// Losses.
    Losses,
    /// Numbers.
    Numbers,
}

impl Wants {
    /// Whether the detector is made for such a value.
    pub(super) fn takes(self, value: f64) -> bool {
        match self {
            Self::Errors => value == 0.0 || value == 1.0,
            Self::Losses => (0.0..=1.0).contains(&value),
            Self::Numbers => true,
        }
    }
}

impl fmt::Display for Wants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Errors => "1 for an error and 0 for none",
            Self::Losses => "losses from 0 to 1",
            Self::Numbers => "any numbers",
        })
    }
}

/// What the detector of this name reads.
pub(super) fn wants(name: &str) -> Wants {
    match name.parse() {
        Ok(
            DetectorName::Ddm
            | DetectorName::Eddm
            | DetectorName::Rddm
            | DetectorName::Fhddm
            | DetectorName::Stepd
            | DetectorName::Ecdd,
        ) => Wants::Errors,
        Ok(DetectorName::HddmA | DetectorName::HddmW) => Wants::Losses,
        _ => Wants::Numbers,
    }
}

/// The detectors, or the one of this name, with the parameters that they have in this form.
///
/// # Errors
/// When there is no such detector.
pub(super) fn list(only: Option<&str>, compat: Compat) -> Result<String, Failure> {
    let bank = || {
        let help = BankDetectorOptions::help;
        entry(bank::NAME, &[Compat::Paper], compat, help)
    };
    let known = |name| sequential(name, compat);
    Ok(match only {
        Some(bank::NAME) => bank(),
        Some(name) => known(name.parse().map_err(|e: ParameterError| refused(&e))?),
        None => {
            let all = DetectorName::ALL.into_iter().map(known);
            all.chain([bank()]).collect::<Vec<String>>().join("\n")
        }
    })
}

fn sequential(name: DetectorName, compat: Compat) -> String {
    let compats: Vec<Compat> = name.compats().collect();
    entry(name.name(), &compats, compat, |compat| {
        name.parameters(compat)
    })
}

/// One detector; where it does not have the form that was asked for, in its first.
fn entry(
    name: &str,
    compats: &[Compat],
    asked: Compat,
    parameters: impl Fn(Compat) -> Vec<ParameterHelp>,
) -> String {
    let names: Vec<&str> = compats.iter().map(|compat| compat.name()).collect();
    let mut text = format!(
        "{name}: reads {}; compat {}\n",
        wants(name),
        names.join(", ")
    );
    let has = compats.contains(&asked);
    let Some(shown) = (if has { Some(&asked) } else { compats.first() }) else {
        return text;
    };
    if !has {
        let _ = writeln!(text, "  as in {shown}:");
    }
    let row = |p: ParameterHelp| {
        let parameter = format!("  {}={}", p.name, p.default);
        vec![parameter, format!("{}; {}", p.meaning, p.expected)]
    };
    let rows: Vec<Vec<String>> = parameters(*shown).into_iter().map(row).collect();
    text.push_str(&terminal::table(&rows, &[]));
    text
}
