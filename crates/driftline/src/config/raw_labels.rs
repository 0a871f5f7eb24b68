//! What becomes of a model's labels, as it stands in the file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use driftline_event::{Metric, Severity};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::raw_model::{RawWindow, SeverityName};
use super::units::DurationText;

/// What becomes of a model's labels. All spans are event time.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ModelLabelsKeys")]
pub(super) struct RawModelLabelsKeys {
    /// The smallest step in which performance is kept: predictions of one step mature together. Whole panes.
    pub(super) step: Option<DurationText>,
    /// How far the labels that are still being read may be behind the predictions before nobody waits for them; as long
    /// as `ttl` when absent. Once all labels of the topic have been read nobody waits.
    pub(super) wait: Option<DurationText>,
    /// How long a prediction waits for its label. Later labels do not count.
    pub(super) ttl: Option<DurationText>,
    /// The ages at which performance is judged, ascending: labels that took no longer are compared with the reference's
    /// of the same delay. One of 1m 5m 15m 1h 3h 6h 12h 1d 2d 3d 7d 14d 30d 60d 90d each.
    pub(super) mature_after: Vec<DurationText>,
    /// The share of predictions that must have a label at the last of these ages; fewer are `labels_late` and not
    /// judged. Half of the reference's share when absent, or 0.5.
    pub(super) coverage_min: Option<f64>,
    /// The windows of predictions whose performance is reported: durations, or `month`, the calendar's in UTC.
    pub(super) windows: Option<Vec<RawWindow>>,
    /// The share of predictions that are followed, chosen by a hash of their ids.
    pub(super) sampling_rate: Option<f64>,
    /// The part of the model's false-alarm budget that what labels say has; the features have the rest.
    pub(super) budget_share: Option<f64>,
    /// Parameters of the metrics.
    pub(super) metrics: RawMetrics,
    /// Alerts on performance metrics, outside the budget.
    pub(super) rules: Vec<RawPerformanceRule>,
    /// Sequential detectors on the errors, outside the budget.
    pub(super) detectors: Vec<RawDetector>,
    /// How bad an alarm of the budget is.
    #[schemars(with = "Option<SeverityName>")]
    pub(super) severity: Option<Severity>,
}

/// Parameters of the performance metrics.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Metrics")]
pub(super) struct RawMetrics {
    /// β of `f_beta`: recall weighs β times as much as precision.
    pub(super) beta: Option<f64>,
    /// k of `top_k`, 1 to 5.
    pub(super) top_k: Option<u32>,
    /// The quantile of `quantile_loss`, 0 to 1.
    pub(super) quantile: Option<f64>,
    /// k of `ndcg` and `hit_rate`, 1 to 10.
    pub(super) ranking_k: Option<u32>,
    /// The confidence of intervals, 0 to 1.
    pub(super) confidence: Option<f64>,
    /// What a prediction of each kind is worth; makes `business_value`.
    pub(super) value: Option<RawValues>,
}

/// What a prediction is worth, by what was predicted and what was true.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Values")]
pub(super) struct RawValues {
    /// Predicted positive, and positive.
    pub(super) true_positive: f64,
    /// Predicted positive, but negative.
    pub(super) false_positive: f64,
    /// Predicted negative, but positive.
    pub(super) false_negative: f64,
    /// Predicted negative, and negative.
    pub(super) true_negative: f64,
}

/// Raises an alert while the mean of a metric over the last mature windows is worse than a baseline allows.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PerformanceRule")]
pub(super) struct RawPerformanceRule {
    /// What alerts call it; the metric's name when absent.
    pub(super) name: Option<String>,
    /// Which metric.
    #[schemars(required, with = "MetricName")]
    pub(super) metric: Option<String>,
    /// How much worse than the baseline, as a share of it: 0.05 is 5 %.
    #[schemars(required)]
    pub(super) tolerance: Option<f64>,
    /// The mean of so many windows.
    pub(super) last: Option<u32>,
    /// The window, by name; the first when absent.
    pub(super) window: Option<String>,
    /// The first so many mature windows are the baseline; the reference is when absent.
    pub(super) baseline_windows: Option<u32>,
    /// It looks only at windows with at least so many labels.
    pub(super) min_labels: Option<u64>,
    /// How bad it is.
    #[schemars(with = "Option<SeverityName>")]
    pub(super) severity: Option<Severity>,
}

/// A sequential detector that looks at the errors of each step once they are mature.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Detector")]
pub(super) struct RawDetector {
    /// Which, as `driftline detect` calls it.
    #[schemars(required)]
    pub(super) name: Option<String>,
    /// Whose behaviour: river, moa, frouros or paper.
    pub(super) compat: Option<String>,
    /// Its parameters by name.
    pub(super) params: BTreeMap<String, f64>,
    /// How bad it is.
    #[schemars(with = "Option<SeverityName>")]
    pub(super) severity: Option<Severity>,
}

/// The JSON Schema of a metric's name.
struct MetricName;

impl JsonSchema for MetricName {
    fn schema_name() -> Cow<'static, str> {
        "PerformanceMetric".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Metric::ALL.iter().map(|m| m.as_str()).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

/// `off`, or what becomes of the labels.
#[derive(Clone, Debug)]
pub(super) enum RawModelLabels {
    /// Labels are not joined.
    Off,
    /// They are.
    On(Box<RawModelLabelsKeys>),
}

impl<'de> Deserialize<'de> for RawModelLabels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LabelsVisitor)
    }
}

struct LabelsVisitor;

impl<'de> Visitor<'de> for LabelsVisitor {
    type Value = RawModelLabels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`off`, or keys such as {mature_after: [1d]}")
    }

    fn visit_unit<E>(self) -> Result<RawModelLabels, E> {
        Ok(RawModelLabels::On(Box::default()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawModelLabels, E> {
        match text {
            "off" => Ok(RawModelLabels::Off),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<RawModelLabels, E> {
        Ok(if on {
            RawModelLabels::On(Box::default())
        } else {
            RawModelLabels::Off
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<RawModelLabels, A::Error> {
        let keys = RawModelLabelsKeys::deserialize(MapAccessDeserializer::new(access))?;
        Ok(RawModelLabels::On(Box::new(keys)))
    }
}

impl JsonSchema for RawModelLabels {
    fn schema_name() -> Cow<'static, str> {
        "ModelLabels".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let keys = generator.subschema_for::<RawModelLabelsKeys>();
        json_schema!({ "anyOf": [{ "enum": ["off", true, false] }, keys] })
    }
}
