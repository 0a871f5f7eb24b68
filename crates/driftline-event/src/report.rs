//! What a closed window says about one column.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ColumnKind, ColumnRole, Timestamp};

macro_rules! statistics {
    ($($(#[$doc:meta])* $variant:ident = $label:literal;)*) => {
        /// A drift statistic that is computed from a window's counts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Statistic {
            $($(#[$doc])* #[serde(rename = $label)] $variant,)*
        }

        impl Statistic {
            /// Every statistic.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable name used in configuration, reports and metric labels.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }
        }
    };
}

statistics! {
    /// Kolmogorov–Smirnov distance, 0 to 1; numeric columns only.
    KolmogorovSmirnov = "ks";
    /// Wasserstein-1 distance in the column's own units; numeric columns only.
    Wasserstein = "wasserstein";
    /// Wasserstein-1 distance divided by the reference's standard deviation; numeric columns only.
    WassersteinNormalised = "wasserstein_normalised";
    /// Population stability index, natural logarithm, 0 upwards.
    Psi = "psi";
    /// Jensen–Shannon distance: square root of the base-2 divergence, 0 to 1.
    JensenShannon = "jensen_shannon";
    /// Hellinger distance, 0 to 1.
    Hellinger = "hellinger";
    /// Total variation distance, 0 to 1.
    TotalVariation = "total_variation";
    /// Pearson's chi-square statistic of homogeneity, 0 upwards.
    ChiSquare = "chi_square";
    /// Squared maximum mean discrepancy over random Fourier features, 0 to about 2; embeddings only.
    Mmd = "mmd";
    /// Share of events in which the column is missing, 0 to 1.
    MissingRatio = "missing_ratio";
    /// Share of events whose value cannot be used: NaN, infinite or of the wrong type, 0 to 1.
    InvalidRatio = "invalid_ratio";
    /// Share of valid numbers below the reference's minimum or above its maximum, 0 to 1.
    OutOfRangeRatio = "out_of_range_ratio";
    /// Share of valid values that the reference has never seen, 0 to 1; categorical columns only.
    UnseenRatio = "unseen_ratio";
    /// Natural logarithm of the indicator bank's weighted evidence that the distribution moved. Not a statistic
    /// of the window: it accumulates since the bank was last reset.
    Bank = "bank";
    /// The same for missing, invalid, out-of-range and unseen values.
    BankQuality = "bank_quality";
    /// A performance metric: [`AlertEvent::metric`](crate::AlertEvent::metric) says which.
    Performance = "performance";
    /// Share of predictions that have a label, 0 to 1.
    LabelCoverage = "label_coverage";
    /// What a sequential detector makes of the error rate: 0 stable, 1 warning, 2 drift.
    Detector = "detector";
}

impl Statistic {
    /// Whether the statistic measures the quality of the data rather than the shape of its distribution.
    pub const fn is_quality(self) -> bool {
        matches!(
            self,
            Self::MissingRatio
                | Self::InvalidRatio
                | Self::OutOfRangeRatio
                | Self::UnseenRatio
                | Self::BankQuality
        )
    }

    /// The statistics that a threshold rule can be put on.
    pub fn threshold_rules() -> impl Iterator<Item = Self> {
        Self::ALL
            .iter()
            .copied()
            .filter(|s| !s.is_evidence() && !s.is_of_labels())
    }

    /// Whether it is the evidence of the indicator bank, which no threshold rule can be put on: the
    /// false-alarm budget is its threshold.
    pub const fn is_evidence(self) -> bool {
        matches!(self, Self::Bank | Self::BankQuality)
    }

    /// Whether it comes from labels, not from the counts of a column.
    pub const fn is_of_labels(self) -> bool {
        matches!(
            self,
            Self::Performance | Self::LabelCoverage | Self::Detector
        )
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many values each side has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleSize {
    /// Valid values in the reference.
    pub reference: u64,
    /// Valid values in the window.
    pub current: u64,
}

/// One statistic of one window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatisticValue {
    /// Which statistic.
    pub statistic: Statistic,
    /// Its value.
    pub value: f64,
    /// The value to expect from sampling noise alone at this sample size, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// The p-value, where the statistic has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
}

/// Counts of what is wrong with a column's values in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quality {
    /// Null or absent.
    pub missing: u64,
    /// Not a number.
    pub nan: u64,
    /// Positive or negative infinity.
    pub infinite: u64,
    /// A value whose type does not fit the column.
    pub wrong_type: u64,
    /// Numbers below the reference's minimum.
    pub below_min: u64,
    /// Numbers above the reference's maximum.
    pub above_max: u64,
    /// Categories that the reference has never seen.
    pub unseen: u64,
}

/// What a series is: one column of one model, version and segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesKey {
    /// The model's id.
    pub model: String,
    /// The version's name.
    pub version: String,
    /// `field=value` of the segment; none for all events.
    pub segment: Option<String>,
    /// The column's name.
    pub feature: String,
    /// Feature or output.
    pub role: ColumnRole,
}

/// The state of a series that a user sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesState {
    /// The window is not full yet.
    WarmingUp,
    /// The window has fewer events than every rule needs.
    NotEnoughData,
    /// No rule holds.
    Stable,
    /// A rule holds but not for long enough.
    Warning,
    /// A rule holds.
    Drifted,
    /// No event came for longer than a window.
    Stale,
    /// Fewer labels came than should have by now.
    LabelsLate,
}

impl SeriesState {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WarmingUp => "warming_up",
            Self::NotEnoughData => "not_enough_data",
            Self::Stable => "stable",
            Self::Warning => "warning",
            Self::Drifted => "drifted",
            Self::Stale => "stale",
            Self::LabelsLate => "labels_late",
        }
    }
}

/// The event-time extent of a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSpan {
    /// The window's name in the configuration, such as `24h`.
    pub name: String,
    /// The first instant covered.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
    /// Events of the segment in the window, valid or not.
    pub events: u64,
}

/// How a rule compares a statistic with its threshold, and what it found. For a rule on p-values both numbers are
/// p-values, and it holds at or below its threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Which statistic.
    pub statistic: Statistic,
    /// Its value.
    pub value: f64,
    /// The value at or above which the rule holds.
    pub threshold: f64,
    /// Whether the window has the events that the rule asks for.
    pub enough_data: bool,
    /// Whether the rule holds.
    pub exceeded: bool,
}

/// How far one indicator moved: a share of values, in the reference and since the onset. Of the labels' stream `loss` it is a mean
/// loss, 0 to 1, instead of a share, and h is in standard deviations of the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Which values, in words: `temp ≤ 41.0`, `carrier = UA`, `missing`.
    pub indicator: String,
    /// Their share in the reference, 0 to 1.
    pub reference: f64,
    /// Their share since the onset, 0 to 1.
    pub current: f64,
    /// The lower end of the interval of `current`, valid at any time and for any onset.
    pub lower: f64,
    /// The upper end of the same.
    pub upper: f64,
    /// Cohen's h between the two shares; positive when the share grew. 0.2 is called small, 0.5 medium.
    pub h: f64,
    /// The |h| that is tolerated without evidence accumulating.
    pub tolerance: f64,
}

/// What the indicator bank holds about one side of a series: its shape or its data quality.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Stable, warning or drifted; what the bank says without regard to other rules.
    pub state: SeriesState,
    /// Natural logarithm of the weighted evidence.
    pub evidence: f64,
    /// Since when the values are different; only while in warning or drifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onset: Option<Timestamp>,
    /// The indicator with most evidence; only while in warning or drifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

/// What the default decision rule says about one series at a window's close.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Natural logarithm of the evidence at which the model's alarm is raised.
    pub threshold: f64,
    /// Whether tolerances come from a calibration; without one they are wider.
    pub calibrated: bool,
    /// About the distribution of valid values.
    pub shape: Verdict,
    /// About missing, invalid, out-of-range and unseen values.
    pub quality: Verdict,
}

/// What one closed window says about one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowReport {
    /// Which series.
    #[serde(flatten)]
    pub series: SeriesKey,
    /// Numeric or categorical.
    pub kind: ColumnKind,
    /// The reference's id.
    pub reference: String,
    /// Which window.
    pub window: WindowSpan,
    /// Valid values on both sides.
    pub sample_size: SampleSize,
    /// The statistics, in the order of [`Statistic::ALL`].
    pub statistics: Vec<StatisticValue>,
    /// What is wrong with the values.
    pub quality: Quality,
    /// The mean of the valid values, winsorised; numeric columns only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// The standard deviation of the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_deviation: Option<f64>,
    /// The state after this window.
    pub state: SeriesState,
    /// Every rule that looked at this window.
    pub evidence: Vec<Comparison>,
    /// What the indicator bank says; absent where it does not judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

impl WindowReport {
    /// The value of `statistic`, if this window has it.
    pub fn value(&self, statistic: Statistic) -> Option<f64> {
        self.statistics
            .iter()
            .find(|s| s.statistic == statistic)
            .map(|s| s.value)
    }
}
