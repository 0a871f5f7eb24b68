//! The published schemas: compatible with what was published before, and true of what is written.
#![allow(clippy::unwrap_used)]

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use driftline_event::{
    AlertEvent, AlertKind, AlertStatus, ColumnRole, Effect, Evidence, SeriesKey, Severity,
    Statistic, Timestamp, WindowSpan,
};
use driftline_wire::cloudevents::{self, ALERT_SCHEMA, RETRAIN_REQUEST_SCHEMA};
use driftline_wire::{LABEL_SCHEMA, PREDICTION_SCHEMA};

const HISTORY: [(&str, &str); 2] = [
    (
        PREDICTION_SCHEMA,
        include_str!("../../../schemas/history/prediction.v1.avsc"),
    ),
    (
        LABEL_SCHEMA,
        include_str!("../../../schemas/history/label.v1.avsc"),
    ),
];

#[test]
fn todays_schemas_and_every_published_one_read_each_other() {
    for (now, before) in HISTORY {
        let (now, before) = (
            Schema::parse_str(now).unwrap(),
            Schema::parse_str(before).unwrap(),
        );
        SchemaCompatibility::can_read(&before, &now).expect("a new reader reads old records");
        SchemaCompatibility::can_read(&now, &before).expect("an old reader reads new records");
    }
}

#[test]
fn the_check_would_notice_a_field_without_a_default() {
    let before = Schema::parse_str(LABEL_SCHEMA).unwrap();
    let broken = LABEL_SCHEMA.replacen(
        "\"fields\": [",
        "\"fields\": [{\"name\": \"needed\", \"type\": \"string\"},",
        1,
    );
    let now = Schema::parse_str(&broken).unwrap();
    assert!(SchemaCompatibility::can_read(&before, &now).is_err());
}

fn event(status: AlertStatus) -> AlertEvent {
    let at = Timestamp::from_micros(1_357_017_300_000_001);
    AlertEvent {
        alert_id: "a1".into(),
        fingerprint: "f1".into(),
        status,
        severity: Severity::Warning,
        kind: AlertKind::FeatureDrift,
        series: SeriesKey {
            model: "flights".into(),
            version: "1".into(),
            segment: None,
            feature: "distance".into(),
            role: ColumnRole::Feature,
        },
        rule: "psi".into(),
        statistic: Evidence {
            name: Statistic::Psi,
            value: 0.31,
            threshold: 0.2,
            p_value: None,
            n: 1_000,
        },
        window: WindowSpan {
            name: "24h".into(),
            start: at,
            end: at,
            events: 1_001,
        },
        reference: "r1".into(),
        started_at: at,
        evaluated_at: at,
        ended_at: (status == AlertStatus::Resolved).then_some(at),
        onset: Some(at),
        effect: Some(Effect {
            indicator: "distance ≤ 500".into(),
            reference: 0.5,
            current: 0.6,
            lower: 0.55,
            upper: 0.65,
            h: 0.2,
            tolerance: 0.1,
        }),
        incident: Some("i1".into()),
        metric: Some(driftline_event::Metric::RocAuc),
        summary: "distance drifted".into(),
    }
}

#[test]
fn every_alert_conforms_to_its_schema() {
    let schema = serde_json::from_str(ALERT_SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for status in [
        AlertStatus::Pending,
        AlertStatus::Firing,
        AlertStatus::Resolved,
    ] {
        for &name in Statistic::ALL {
            for segment in [None, Some("country=DE".to_owned())] {
                let mut event = event(status);
                event.statistic.name = name;
                event.statistic.p_value = Some(0.01);
                event.series.segment = segment;
                event.series.role = ColumnRole::Output;
                let json = serde_json::to_value(&event).unwrap();
                let errors: Vec<_> = validator
                    .iter_errors(&json)
                    .map(|e| e.to_string())
                    .collect();
                assert!(errors.is_empty(), "{errors:?} in {json}");
            }
        }
    }
    let mut wrong = serde_json::to_value(event(AlertStatus::Resolved)).unwrap();
    wrong["ended_at"] = "yesterday".into();
    assert!(!validator.is_valid(&wrong));
}

/// A field that the schema does not name would go unnoticed by validation alone.
#[test]
fn the_alert_schema_names_every_field_that_is_written() {
    let schema: serde_json::Value = serde_json::from_str(ALERT_SCHEMA).unwrap();
    let json = serde_json::to_value(event(AlertStatus::Resolved)).unwrap();
    for (field, value) in json.as_object().unwrap() {
        let property = &schema["properties"][field];
        assert!(property.is_object(), "{field}");
        for inner in value.as_object().into_iter().flat_map(|o| o.keys()) {
            assert!(property["properties"][inner].is_object(), "{field}.{inner}");
        }
    }
}

#[test]
fn the_retrain_request_schema_takes_a_whole_request_and_refuses_half_of_one() {
    let schema = serde_json::from_str(RETRAIN_REQUEST_SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut request = serde_json::json!({
        "request_id": "0190", "dedupe_key": "flights:1:default:3", "model": "flights",
        "version": "1", "policy": "default", "reason": "distance drifted", "severity": "warning",
        "requested_at": "2013-02-01T00:00:00Z", "expires_at": "2013-02-08T00:00:00Z",
        "data_window": {"start": "2013-01-01T00:00:00Z", "end": "2013-02-01T00:00:00Z",
            "predictions": 27004, "labelled": 26483,
            "topic_offsets": [{"topic": "predictions", "partition": 0, "from": 0, "to": 9}]},
        "reference": {"id": "r1"},
        "alerts": [{"alert_id": "a1", "fingerprint": "f1", "kind": "feature_drift",
            "feature": "distance", "statistic": "psi", "value": 0.3, "threshold": 0.2}],
        "attempt": 1, "parameters": {"epochs": 3}
    });
    assert!(validator.is_valid(&request));
    request.as_object_mut().unwrap().remove("data_window");
    assert!(!validator.is_valid(&request));
}

#[test]
fn an_alert_is_a_cloud_event_in_binary_mode() {
    let envelope = cloudevents::alert(&event(AlertStatus::Firing), "driftline/test").unwrap();
    assert_eq!(envelope.key, b"f1");
    for (name, value) in [
        ("ce_specversion", "1.0"),
        ("ce_id", "a1"),
        ("ce_type", "io.driftline.drift.alert.v1"),
        ("ce_source", "driftline/test"),
        ("ce_time", "2013-01-01T05:15:00.000001Z"),
        ("ce_subject", "flights/1/distance"),
        ("ce_partitionkey", "f1"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(envelope.header(name), Some(value.as_bytes()), "{name}");
    }
    let body: AlertEvent = serde_json::from_slice(&envelope.body.unwrap()).unwrap();
    assert_eq!(body, event(AlertStatus::Firing));
}
