//! The models as they stand in the file.

use std::borrow::Cow;
use std::fmt;

use driftline_event::{Severity, Statistic};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::raw_decision::{RawCompareWith, RawDecision};
use super::raw_labels::RawModelLabels;
use super::raw_rule::{RawPValueRule, RawQuorum};
use super::units::DurationText;

/// One monitored model.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Model")]
pub(super) struct RawModel {
    /// The model's id, as it stands in the events.
    #[schemars(required)]
    pub(super) id: Option<String>,
    /// The versions, each with its own reference.
    #[schemars(required)]
    pub(super) versions: Vec<RawVersion>,
    /// Fields whose every value is monitored on its own as well.
    pub(super) segments: Vec<String>,
    /// The smallest step of event time; windows are made of whole panes.
    pub(super) pane: Option<DurationText>,
    /// The windows in which data is compared with the reference.
    pub(super) windows: Option<Vec<RawWindow>>,
    /// How much disorder is waited for.
    pub(super) lateness: RawLateness,
    /// The default decision rule, with its false-alarm budget; `off` leaves alerts to `rules`.
    pub(super) decision: Option<RawDecision>,
    /// How labels are joined and judged; `off` leaves them alone. With the defaults when absent, for versions whose
    /// reference knows labels.
    pub(super) labels: Option<RawModelLabels>,
    /// What raises alerts besides, outside the budget. None when absent, unless `decision` is off: then those
    /// in docs/config.md.
    pub(super) rules: Option<Vec<RawRule>>,
    /// Tests whose p-values are corrected for the number of columns or of looks, outside the budget.
    pub(super) p_value_rules: Vec<RawPValueRule>,
    /// Alerts for a rule that holds for many columns at once, outside the budget.
    pub(super) quorums: Vec<RawQuorum>,
}

/// One version of a model.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Version")]
pub(super) struct RawVersion {
    /// The version's name, as it stands in the events; `*` for all that are not named.
    #[schemars(required)]
    pub(super) version: Option<String>,
    /// The reference file, from `driftline reference build`; relative to the configuration.
    #[schemars(required)]
    pub(super) reference: Option<String>,
    /// The calibration file, from `driftline calibrate`; relative to the configuration.
    pub(super) calibration: Option<String>,
    /// What its values are compared with; the reference when absent.
    pub(super) compare_with: Option<RawCompareWith>,
}

/// How much disorder is waited for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Lateness")]
pub(super) struct RawLateness {
    /// How much older than the newest events an event usually may be. Windows close so much later.
    pub(super) out_of_orderness: Option<DurationText>,
    /// How much longer a window stays open for stragglers.
    pub(super) allowed: Option<DurationText>,
}

/// A window: `24h`, or its size and how often it is looked at.
#[derive(Clone, Debug)]
pub(super) enum RawWindow {
    /// The size alone.
    Size(DurationText),
    /// Size and slide.
    Parts(RawWindowParts),
}

/// A window's size and how often it is looked at.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "WindowParts")]
pub(super) struct RawWindowParts {
    /// How much event time it covers.
    #[schemars(required)]
    pub(super) size: Option<DurationText>,
    /// How often it is looked at; the size is a multiple of it. A twelfth of the size, or the next longer
    /// step that fits, when absent.
    pub(super) slide: Option<DurationText>,
    /// What reports and rules call it; its size as written when absent.
    pub(super) name: Option<String>,
}

impl<'de> Deserialize<'de> for RawWindow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WindowVisitor)
    }
}

struct WindowVisitor;

impl<'de> Visitor<'de> for WindowVisitor {
    type Value = RawWindow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as 24h, or {size: 24h, slide: 1h}")
    }

    fn visit_unit<E>(self) -> Result<RawWindow, E> {
        Ok(RawWindow::Parts(RawWindowParts::default()))
    }

    fn visit_str<E>(self, text: &str) -> Result<RawWindow, E> {
        Ok(RawWindow::Size(DurationText(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<RawWindow, A::Error> {
        RawWindowParts::deserialize(MapAccessDeserializer::new(access)).map(RawWindow::Parts)
    }
}

impl JsonSchema for RawWindow {
    fn schema_name() -> Cow<'static, str> {
        "Window".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let size = generator.subschema_for::<DurationText>();
        let parts = generator.subschema_for::<RawWindowParts>();
        json_schema!({ "anyOf": [size, parts] })
    }
}

/// Raises an alert while a statistic is at or above a threshold.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Rule")]
pub(super) struct RawRule {
    /// What alerts call it; the statistic's name when absent.
    pub(super) name: Option<String>,
    /// What is compared.
    #[schemars(required, with = "StatisticName")]
    pub(super) statistic: Option<String>,
    /// The rule holds at or above this.
    #[schemars(required)]
    pub(super) threshold: Option<f64>,
    /// It looks only at windows with at least so many values of the column.
    pub(super) min_events: Option<u64>,
    /// Windows it looks at, by name; all when absent.
    pub(super) windows: Vec<String>,
    /// Columns it looks at, by name; all when absent.
    pub(super) columns: Vec<String>,
    /// How many closes it must hold before it fires.
    pub(super) r#for: Option<u32>,
    /// Of how many of the last closes; in a row when absent.
    pub(super) of: Option<u32>,
    /// How many closes in a row it must be clear before it is resolved.
    pub(super) clear: Option<u32>,
    /// A close is clear below `threshold` times this.
    pub(super) clear_ratio: Option<f64>,
    /// After it is resolved it does not fire again for so long, in event time.
    pub(super) cooldown: Option<DurationText>,
    /// How bad it is.
    #[schemars(with = "Option<SeverityName>")]
    pub(super) severity: Option<Severity>,
}

/// The JSON Schema of a statistic's name.
struct StatisticName;

impl JsonSchema for StatisticName {
    fn schema_name() -> Cow<'static, str> {
        "Statistic".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Statistic::threshold_rules()
            .map(Statistic::as_str)
            .collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

/// The JSON Schema of a severity.
pub(super) struct SeverityName;

impl JsonSchema for SeverityName {
    fn schema_name() -> Cow<'static, str> {
        "Severity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": ["info", "warning", "critical"] })
    }
}
