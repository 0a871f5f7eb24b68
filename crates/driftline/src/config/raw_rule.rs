//! The rules outside the budget that look at many columns, as they stand in the file.

use std::borrow::Cow;

use driftline_event::Severity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::check::CORRECTIONS;
use super::raw_model::SeverityName;
use super::units::DurationText;

/// Raises an alert for a column while its p-value is rejected after correction for the number of columns or looks.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PValueRule")]
pub(super) struct RawPValueRule {
    /// What alerts call it; `ks_p_value` or `chi_square_p_value` when absent.
    pub(super) name: Option<String>,
    /// Whose p-value: `ks` or `chi_square`.
    #[schemars(required)]
    pub(super) test: Option<String>,
    /// The level of significance.
    pub(super) alpha: Option<f64>,
    /// What is corrected for, and how.
    #[schemars(with = "Option<CorrectionName>")]
    pub(super) correction: Option<String>,
    /// It tests only columns with at least so many values.
    pub(super) min_events: Option<u64>,
    /// Windows it looks at, by name; all when absent.
    pub(super) windows: Vec<String>,
    /// Columns it looks at, by name; all when absent.
    pub(super) columns: Vec<String>,
    /// How many closes a column must be rejected before its alert fires.
    pub(super) r#for: Option<u32>,
    /// Of how many of the last closes; in a row when absent.
    pub(super) of: Option<u32>,
    /// How many closes in a row it must not be rejected before it is resolved.
    pub(super) clear: Option<u32>,
    /// After it is resolved it does not fire again for so long, in event time.
    pub(super) cooldown: Option<DurationText>,
    /// How bad it is.
    #[schemars(with = "Option<SeverityName>")]
    pub(super) severity: Option<Severity>,
}

/// Raises one alert while another rule holds for enough columns at once.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Quorum")]
pub(super) struct RawQuorum {
    /// What alerts call it; `quorum` when absent.
    pub(super) name: Option<String>,
    /// The name of the rule that has to hold.
    #[schemars(required)]
    pub(super) rule: Option<String>,
    /// For at least so many columns.
    pub(super) at_least: Option<u32>,
    /// For at least this share of the columns that could be judged, 0 to 1.
    pub(super) share: Option<f64>,
    /// Windows it looks at, by name; all when absent.
    pub(super) windows: Vec<String>,
    /// The columns that count, by name; all when absent.
    pub(super) columns: Vec<String>,
    /// How many closes it must be met before it fires.
    pub(super) r#for: Option<u32>,
    /// Of how many of the last closes; in a row when absent.
    pub(super) of: Option<u32>,
    /// How many closes in a row it must not be met before it is resolved.
    pub(super) clear: Option<u32>,
    /// After it is resolved it does not fire again for so long, in event time.
    pub(super) cooldown: Option<DurationText>,
    /// How bad it is.
    #[schemars(with = "Option<SeverityName>")]
    pub(super) severity: Option<Severity>,
}

/// The JSON Schema of a correction's name.
struct CorrectionName;

impl JsonSchema for CorrectionName {
    fn schema_name() -> Cow<'static, str> {
        "Correction".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": CORRECTIONS })
    }
}
