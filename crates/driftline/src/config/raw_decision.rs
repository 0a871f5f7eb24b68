//! The false-alarm budget and what versions are compared with, as they stand in the file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use driftline_event::Severity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::raw_model::SeverityName;
use super::units::DurationText;

/// The default decision rule: the indicator bank with a false-alarm budget.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "DecisionKeys")]
pub(super) struct RawDecisionKeys {
    /// The most false alarms to be expected in 30 days, of all columns, segments and versions of the model
    /// together.
    pub(super) alarms_per_month: Option<f64>,
    /// How often evidence is taken in: whole panes; the pane when absent. A day makes daily cycles cancel.
    pub(super) step: Option<DurationText>,
    /// The difference of a share that is no drift, as Cohen's h; from the calibration when absent, 0.1
    /// without one.
    pub(super) tolerance: Option<f64>,
    /// The same for missing, invalid, out-of-range and unseen values; 0.05 when absent.
    pub(super) quality_tolerance: Option<f64>,
    /// How much evidence that a column is as before resolves its alert: a likelihood ratio.
    pub(super) clear_evidence: Option<f64>,
    /// The importance of columns within the budget, by name; 1 when not named.
    pub(super) weights: BTreeMap<String, f64>,
    /// How bad an alarm is.
    #[schemars(with = "Option<SeverityName>")]
    pub(super) severity: Option<Severity>,
}

/// `off`, or the keys of the default decision rule.
#[derive(Clone, Debug)]
pub(super) enum RawDecision {
    /// Only the model's rules decide.
    Off,
    /// The indicator bank decides.
    On(RawDecisionKeys),
}

impl<'de> Deserialize<'de> for RawDecision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecisionVisitor)
    }
}

struct DecisionVisitor;

impl<'de> Visitor<'de> for DecisionVisitor {
    type Value = RawDecision;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`off`, or keys such as {alarms_per_month: 1}")
    }

    fn visit_unit<E>(self) -> Result<RawDecision, E> {
        Ok(RawDecision::On(RawDecisionKeys::default()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawDecision, E> {
        match text {
            "off" => Ok(RawDecision::Off),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<RawDecision, E> {
        Ok(if on {
            RawDecision::On(RawDecisionKeys::default())
        } else {
            RawDecision::Off
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<RawDecision, A::Error> {
        RawDecisionKeys::deserialize(MapAccessDeserializer::new(access)).map(RawDecision::On)
    }
}

impl JsonSchema for RawDecision {
    fn schema_name() -> Cow<'static, str> {
        "Decision".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let keys = generator.subschema_for::<RawDecisionKeys>();
        json_schema!({ "anyOf": [{ "enum": ["off", true, false] }, keys] })
    }
}

/// A trailing window, or another version.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "CompareWithKeys")]
pub(super) struct RawCompareWithKeys {
    /// The model's own values of so long a time, ending `lag` ago.
    pub(super) trailing: Option<DurationText>,
    /// How long before now the trailing window ends; as long as it is itself when absent.
    pub(super) lag: Option<DurationText>,
    /// The values of this other version, now; both versions need the same reference file.
    pub(super) version: Option<String>,
}

/// What a version's values are compared with: `reference`, or one of the others.
#[derive(Clone, Debug)]
pub(super) enum RawCompareWith {
    /// The reference file.
    Reference,
    /// Something that moves.
    Moving(RawCompareWithKeys),
}

impl<'de> Deserialize<'de> for RawCompareWith {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CompareWithVisitor)
    }
}

struct CompareWithVisitor;

impl<'de> Visitor<'de> for CompareWithVisitor {
    type Value = RawCompareWith;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`reference`, {trailing: 7d, lag: 1d} or {version: \"1\"}")
    }

    fn visit_unit<E>(self) -> Result<RawCompareWith, E> {
        Ok(RawCompareWith::Reference)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawCompareWith, E> {
        match text {
            "reference" => Ok(RawCompareWith::Reference),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<RawCompareWith, A::Error> {
        RawCompareWithKeys::deserialize(MapAccessDeserializer::new(access))
            .map(RawCompareWith::Moving)
    }
}

impl JsonSchema for RawCompareWith {
    fn schema_name() -> Cow<'static, str> {
        "CompareWith".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let keys = generator.subschema_for::<RawCompareWithKeys>();
        json_schema!({ "anyOf": [{ "const": "reference" }, keys] })
    }
}
