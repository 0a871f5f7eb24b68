//! Alerts as CloudEvents 1.0 in Kafka's binary mode: attributes in `ce_` headers, plain JSON as the value.

use driftline_event::AlertEvent;

use crate::envelope::Envelope;

/// The CloudEvents type of an alert.
pub const ALERT_TYPE: &str = "io.driftline.drift.alert.v1";

/// The CloudEvents type of a retrain request.
pub const RETRAIN_REQUEST_TYPE: &str = "io.driftline.retrain.requested.v1";

/// The JSON Schema of an alert.
pub const ALERT_SCHEMA: &str = include_str!("../../../schemas/alert.schema.json");

/// The JSON Schema of a retrain request.
pub const RETRAIN_REQUEST_SCHEMA: &str =
    include_str!("../../../schemas/retrain-request.schema.json");

/// The record of one step of an alert. `source` says who sends it, such as `driftline/flights`.
///
/// The key is the fingerprint, so a compacted topic keeps the last step of each alert. The same step always
/// gives the same bytes.
///
/// # Errors
/// Never for an alert that the engine made; JSON could only fail on a map whose keys are not texts.
pub fn alert(event: &AlertEvent, source: &str) -> Result<Envelope, serde_json::Error> {
    let body = serde_json::to_vec(event)?;
    let series = &event.series;
    let subject = format!("{}/{}/{}", series.model, series.version, series.feature);
    let headers = [
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", event.alert_id.clone()),
        ("ce_type", ALERT_TYPE.to_owned()),
        ("ce_source", source.to_owned()),
        ("ce_time", event.evaluated_at.to_string()),
        ("ce_subject", subject),
        ("ce_partitionkey", event.fingerprint.clone()),
        ("content-type", "application/json".to_owned()),
    ];
    Ok(Envelope {
        key: event.fingerprint.clone().into_bytes(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.into_bytes()))
            .into(),
        body: Some(body),
    })
}
