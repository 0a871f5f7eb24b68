//! Any of the detectors, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::options::names;
use super::{
    Adwin, AdwinOptions, Compat, Cusum, CusumOptions, Ddm, DdmOptions, Ecdd, EcddOptions, Eddm,
    EddmOptions, Fhddm, FhddmOptions, Gma, GmaOptions, HddmA, HddmAOptions, HddmW, HddmWOptions,
    Kswin, KswinOptions, OneSidedPageHinkley, OneSidedPageHinkleyOptions, Options, PageHinkley,
    PageHinkleyOptions, ParameterError, ParameterHelp, Rddm, RddmOptions, SequentialDetector,
    Signal, Stepd, StepdOptions,
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
            Self::Adwin => AdwinOptions::help(compat),
            Self::Ddm => DdmOptions::help(compat),
            Self::Eddm => EddmOptions::help(compat),
            Self::HddmA => HddmAOptions::help(compat),
            Self::HddmW => HddmWOptions::help(compat),
            Self::PageHinkley => match compat {
                Compat::Moa | Compat::Frouros => OneSidedPageHinkleyOptions::help(compat),
                Compat::River | Compat::Paper => PageHinkleyOptions::help(compat),
            },
            Self::Kswin => KswinOptions::help(compat),
            Self::Stepd => StepdOptions::help(compat),
            Self::Cusum => CusumOptions::help(compat),
            Self::Ecdd => EcddOptions::help(compat),
            Self::Rddm => RddmOptions::help(compat),
            Self::Gma => GmaOptions::help(compat),
            Self::Fhddm => FhddmOptions::help(compat),
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
    /// See [`Adwin`].
    Adwin(Adwin),
    /// See [`Ddm`].
    Ddm(Ddm),
    /// See [`Eddm`].
    Eddm(Eddm),
    /// See [`HddmA`].
    HddmA(HddmA),
    /// See [`HddmW`].
    HddmW(HddmW),
    /// See [`PageHinkley`].
    PageHinkley(PageHinkley),
    /// See [`Kswin`].
    Kswin(Kswin),
    /// See [`OneSidedPageHinkley`].
    OneSidedPageHinkley(OneSidedPageHinkley),
    /// See [`Stepd`].
    Stepd(Stepd),
    /// See [`Cusum`].
    Cusum(Cusum),
    /// See [`Ecdd`].
    Ecdd(Ecdd),
    /// See [`Rddm`].
    Rddm(Rddm),
    /// See [`Gma`].
    Gma(Gma),
    /// See [`Fhddm`].
    Fhddm(Fhddm),
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
            DetectorName::Adwin => Self::Adwin(Adwin::new(Options::parse(compat, params)?)?),
            DetectorName::Ddm => Self::Ddm(Ddm::new(Options::parse(compat, params)?)?),
            DetectorName::Eddm => Self::Eddm(Eddm::new(Options::parse(compat, params)?)?),
            DetectorName::HddmA => Self::HddmA(HddmA::new(Options::parse(compat, params)?)?),
            DetectorName::HddmW => Self::HddmW(HddmW::new(Options::parse(compat, params)?)?),
            DetectorName::PageHinkley if matches!(compat, Compat::Moa | Compat::Frouros) => {
                let options = Options::parse(compat, params)?;
                Self::OneSidedPageHinkley(OneSidedPageHinkley::new(options)?)
            }
            DetectorName::PageHinkley => {
                Self::PageHinkley(PageHinkley::new(Options::parse(compat, params)?)?)
            }
            DetectorName::Kswin => Self::Kswin(Kswin::new(Options::parse(compat, params)?)?),
            DetectorName::Fhddm => Self::Fhddm(Fhddm::new(Options::parse(compat, params)?)?),
            DetectorName::Stepd => Self::Stepd(Stepd::new(Options::parse(compat, params)?)?),
            DetectorName::Cusum => Self::Cusum(Cusum::new(Options::parse(compat, params)?)?),
            DetectorName::Ecdd => Self::Ecdd(Ecdd::new(Options::parse(compat, params)?)?),
            DetectorName::Rddm => Self::Rddm(Rddm::new(Options::parse(compat, params)?)?),
            DetectorName::Gma => Self::Gma(Gma::new(Options::parse(compat, params)?)?),
        })
    }

    /// Which detector it is.
    #[must_use]
    pub fn name(&self) -> DetectorName {
        match self {
            Self::Adwin(_) => DetectorName::Adwin,
            Self::Ddm(_) => DetectorName::Ddm,
            Self::Eddm(_) => DetectorName::Eddm,
            Self::HddmA(_) => DetectorName::HddmA,
            Self::HddmW(_) => DetectorName::HddmW,
            Self::PageHinkley(_) => DetectorName::PageHinkley,
            Self::Kswin(_) => DetectorName::Kswin,
            Self::OneSidedPageHinkley(_) => DetectorName::PageHinkley,
            Self::Stepd(_) => DetectorName::Stepd,
            Self::Cusum(_) => DetectorName::Cusum,
            Self::Ecdd(_) => DetectorName::Ecdd,
            Self::Rddm(_) => DetectorName::Rddm,
            Self::Gma(_) => DetectorName::Gma,
            Self::Fhddm(_) => DetectorName::Fhddm,
        }
    }

    /// What is inside.
    fn inner(&self) -> &dyn SequentialDetector {
        match self {
            Self::Adwin(detector) => detector,
            Self::Ddm(detector) => detector,
            Self::Eddm(detector) => detector,
            Self::HddmA(detector) => detector,
            Self::HddmW(detector) => detector,
            Self::PageHinkley(detector) => detector,
            Self::Kswin(detector) => detector,
            Self::OneSidedPageHinkley(detector) => detector,
            Self::Stepd(detector) => detector,
            Self::Cusum(detector) => detector,
            Self::Ecdd(detector) => detector,
            Self::Rddm(detector) => detector,
            Self::Gma(detector) => detector,
            Self::Fhddm(detector) => detector,
        }
    }

    /// What is inside.
    fn inner_mut(&mut self) -> &mut dyn SequentialDetector {
        match self {
            Self::Adwin(detector) => detector,
            Self::Ddm(detector) => detector,
            Self::Eddm(detector) => detector,
            Self::HddmA(detector) => detector,
            Self::HddmW(detector) => detector,
            Self::PageHinkley(detector) => detector,
            Self::Kswin(detector) => detector,
            Self::OneSidedPageHinkley(detector) => detector,
            Self::Stepd(detector) => detector,
            Self::Cusum(detector) => detector,
            Self::Ecdd(detector) => detector,
            Self::Rddm(detector) => detector,
            Self::Gma(detector) => detector,
            Self::Fhddm(detector) => detector,
        }
    }

    /// Every parameter with its value as text.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Adwin(detector) => detector.options().shown(),
            Self::Ddm(detector) => detector.options().shown(),
            Self::Eddm(detector) => detector.options().shown(),
            Self::HddmA(detector) => detector.options().shown(),
            Self::HddmW(detector) => detector.options().shown(),
            Self::PageHinkley(detector) => detector.options().shown(),
            Self::Kswin(detector) => detector.options().shown(),
            Self::OneSidedPageHinkley(detector) => detector.options().shown(),
            Self::Stepd(detector) => detector.options().shown(),
            Self::Cusum(detector) => detector.options().shown(),
            Self::Ecdd(detector) => detector.options().shown(),
            Self::Rddm(detector) => detector.options().shown(),
            Self::Gma(detector) => detector.options().shown(),
            Self::Fhddm(detector) => detector.options().shown(),
        }
    }
}

impl SequentialDetector for Detector {
    fn update(&mut self, value: f64) -> Signal {
        self.inner_mut().update(value)
    }

    fn reset(&mut self) {
        self.inner_mut().reset();
    }

    fn skipped(&self) -> u64 {
        self.inner().skipped()
    }

    fn update_counts(&mut self, errors: u64, trials: u64) -> Signal {
        self.inner_mut().update_counts(errors, trials)
    }
}
