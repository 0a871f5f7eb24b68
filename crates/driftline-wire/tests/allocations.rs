//! Decoding allocates nothing in the steady state, whatever the format.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use driftline_event::{Catalog, Column, ColumnKind, ColumnRole, Layout, Row, Timestamp};
use driftline_wire::{
    Decoder, FeatureValue, Format, Limits, Mapping, PREDICTION_SCHEMA, Prediction,
    PredictionEncoder,
};

fn catalog() -> Arc<Catalog> {
    let column = |name: &str, kind, role| Column {
        name: name.into(),
        kind,
        role,
    };
    let layout = |version: &str| Layout {
        model: "m".into(),
        version: version.into(),
        columns: vec![
            column("value", ColumnKind::Numeric, ColumnRole::Output),
            column("age", ColumnKind::Numeric, ColumnRole::Feature),
            column("plan", ColumnKind::Categorical, ColumnRole::Feature),
        ],
        segments: vec!["country".into()],
    };
    Arc::new(Catalog::new(vec![layout("1"), layout("2")]).unwrap())
}

fn avro(i: i64) -> Vec<u8> {
    let mut out = Vec::new();
    let prediction = Prediction {
        id: &format!("prediction {i}"),
        model: "m",
        version: ["1", "2"][i as usize % 2],
        predicted_at: Timestamp::from_seconds(1_700_000_000 + i),
        features: &[
            ("age", FeatureValue::Double(i as f64)),
            (
                "plan",
                FeatureValue::Text(["gold", "ünïcode"][i as usize / 2 % 2]),
            ),
            ("a key of more than sixteen bytes", FeatureValue::Null),
        ],
        value: Some(0.5),
        segments: &[("country", "DE")],
        ..Prediction::default()
    };
    PredictionEncoder::registry(1).encode(&prediction, &mut out);
    out
}

/// With escapes in a key and a text, and fields in either of two orders.
fn json(i: i64) -> Vec<u8> {
    let head = format!(
        r#""prediction_id": "p{i}", "model_id": "m", "model_version": {}"#,
        1 + i % 2
    );
    let rest = format!(
        r#""predicted_at": {}, "features": {{"\u0061ge": {i}.25, "plan": "g\u006fld", "x": [1e3, {{}}]}},
        "prediction": {{"value": 0.12345678901234567}}, "segments": {{"country": 7}}"#,
        1_700_000_000_000_000 + i
    );
    let (first, second) = if i % 3 == 0 {
        (rest, head)
    } else {
        (head, rest)
    };
    format!("{{{first}, {second}}}").into_bytes()
}

#[test]
fn decoding_allocates_nothing_in_the_steady_state() {
    let messages: [fn(i64) -> Vec<u8>; 2] = [avro, json];
    for (format, message) in [Format::Avro, Format::Json].into_iter().zip(messages) {
        let messages: Vec<Vec<u8>> = (0..100).map(message).collect();
        let limits = Limits::default();
        let mut decoder = Decoder::new(format, Mapping::default(), catalog(), limits).unwrap();
        let _ = decoder.add_schema(1, PREDICTION_SCHEMA);
        let mut row = Row::default();
        let mut decode = |rounds| {
            for message in messages.iter().cycle().take(rounds * messages.len()) {
                decoder
                    .decode_prediction(Some(message), [], None, &mut row)
                    .unwrap();
            }
        };
        let warm_up = allocation_counter::measure(|| decode(2));
        assert!(warm_up.count_total > 0, "the counter counts");
        let steady = allocation_counter::measure(|| decode(10));
        assert_eq!(steady.count_total, 0, "{format:?}");
    }
}
