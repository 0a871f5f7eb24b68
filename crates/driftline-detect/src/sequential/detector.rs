//! Any of the detectors, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::options::names;
use super::{
    Compat, Ddm, DdmOptions, Options, ParameterError, ParameterHelp, SequentialDetector, Signal,
};

/// The names of the detectors, as the command line has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorName {
    /// `adwin`
    Adwin,
    /// `ddm`
    Ddm,
    /// `eddm`
    Eddm,
    /// `hddm_a`
    HddmA,
    /// `hddm_w`
    HddmW,
    /// `page_hinkley`
    PageHinkley,
    /// `kswin`
    Kswin,
    /// `stepd`
    Stepd,
    /// `cusum`
    Cusum,
    /// `ecdd`
    Ecdd,
    /// `rddm`
    Rddm,
    /// `gma`
    Gma,
    /// `fhddm`
    Fhddm,
}

impl DetectorName {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Adwin,
        Self::Ddm,
        Self::Eddm,
        Self::HddmA,
        Self::HddmW,
        Self::PageHinkley,
        Self::Kswin,
        Self::Stepd,
        Self::Cusum,
        Self::Ecdd,
        Self::Rddm,
        Self::Gma,
        Self::Fhddm,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Adwin => "adwin",
            Self::Ddm => "ddm",
            Self::Eddm => "eddm",
            Self::HddmA => "hddm_a",
            Self::HddmW => "hddm_w",
            Self::PageHinkley => "page_hinkley",
            Self::Kswin => "kswin",
            Self::Stepd => "stepd",
            Self::Cusum => "cusum",
            Self::Ecdd => "ecdd",
            Self::Rddm => "rddm",
            Self::Gma => "gma",
            Self::Fhddm => "fhddm",
        }
    }

    /// The parameters under an implementation's names, with defaults, ranges and meanings; empty if the detector has
    /// no such form.
    #[must_use]
    pub fn parameters(self, compat: Compat) -> Vec<ParameterHelp> {
        match self {
            Self::Ddm => DdmOptions::help(compat),
            _ => Vec::new(),
        }
    }

    /// The implementations that the detector can follow.
    pub fn compats(self) -> impl Iterator<Item = Compat> {
        let has = move |compat: &Compat| !self.parameters(*compat).is_empty();
        Compat::ALL.into_iter().filter(has)
    }
}

impl fmt::Display for DetectorName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for DetectorName {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|name| name.name() == text);
        found.ok_or_else(|| ParameterError::UnknownDetector {
            name: text.to_owned(),
            known: names(Self::ALL.map(Self::name)),
        })
    }
}

/// A detector of any kind; its serde form is its snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// See [`Ddm`].
    Ddm(Ddm),
}

impl Detector {
    /// Makes a detector from text: its name, whose behaviour, and the parameters that are not at their defaults.
    ///
    /// ```
    /// use driftline_detect::sequential::{Compat, Detector, DetectorName};
    ///
    /// let given = [("drift_threshold".to_owned(), "2.5".to_owned())];
    /// assert!(Detector::build(DetectorName::Ddm, Compat::River, &given).is_ok());
    /// let wrong = [("lambda".to_owned(), "1".to_owned())];
    /// let error = Detector::build(DetectorName::Ddm, Compat::River, &wrong).unwrap_err();
    /// assert!(error.to_string().contains("it has `warm_start`, `warning_threshold`"));
    /// ```
    ///
    /// # Errors
    ///
    /// If the detector has no such form or parameter, or a value is not what the parameter may be.
    pub fn build(
        name: DetectorName,
        compat: Compat,
        params: &[(String, String)],
    ) -> Result<Self, ParameterError> {
        Ok(match name {
            DetectorName::Ddm => Self::Ddm(Ddm::new(DdmOptions::parse(compat, params)?)?),
            other => {
                return Err(ParameterError::UnknownDetector {
                    name: other.name().to_owned(),
                    known: names(["ddm"]),
                });
            }
        })
    }

    /// Which detector it is.
    #[must_use]
    pub fn name(&self) -> DetectorName {
        match self {
            Self::Ddm(_) => DetectorName::Ddm,
        }
    }

    /// Every parameter with its value as text.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Ddm(detector) => detector.options().shown(),
        }
    }
}

impl SequentialDetector for Detector {
    fn update(&mut self, value: f64) -> Signal {
        match self {
            Self::Ddm(detector) => detector.update(value),
        }
    }

    fn reset(&mut self) {
        match self {
            Self::Ddm(detector) => detector.reset(),
        }
    }

    fn skipped(&self) -> u64 {
        match self {
            Self::Ddm(detector) => detector.skipped(),
        }
    }
}
