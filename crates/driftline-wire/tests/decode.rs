//! The formats, the mapping, times, bounds and labels.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use driftline_event::{
    Catalog, Column, ColumnKind, ColumnRole, DropReason, Layout, Row, Timestamp, Value,
};
use driftline_wire::{
    Decoder, FeatureValue, Format, LABEL_SCHEMA, Label, LabelDecoder, LabelEncoder, LabelMapping,
    LabelValue, Limits, Mapping, PREDICTION_SCHEMA, Prediction, PredictionEncoder, Reject,
    SchemaError, SchemaId,
};

fn at() -> Timestamp {
    "2013-01-01T05:15:00Z".parse().unwrap()
}

fn catalog() -> Arc<Catalog> {
    let column = |name: &str, kind, role| Column {
        name: name.into(),
        kind,
        role,
    };
    let layout = Layout {
        model: "m".into(),
        version: "1".into(),
        columns: vec![
            column("value", ColumnKind::Numeric, ColumnRole::Output),
            column("age", ColumnKind::Numeric, ColumnRole::Feature),
            column("plan", ColumnKind::Categorical, ColumnRole::Feature),
            column("scores.yes", ColumnKind::Numeric, ColumnRole::Output),
            column("vip", ColumnKind::Categorical, ColumnRole::Feature),
        ],
        segments: vec!["country".into()],
    };
    let other = Layout {
        version: "*".into(),
        columns: vec![],
        segments: vec![],
        ..layout.clone()
    };
    Arc::new(Catalog::new(vec![layout, other]).unwrap())
}

fn prediction() -> Prediction<'static> {
    Prediction {
        id: "p1",
        model: "m",
        version: "1",
        predicted_at: Timestamp::from_micros(1_357_017_300_000_000),
        features: &[
            ("not monitored", FeatureValue::Text("x")),
            ("age", FeatureValue::Long(42)),
            ("plan", FeatureValue::Text("gold")),
            ("vip", FeatureValue::Bool(true)),
        ],
        label: Some("yes"),
        value: Some(0.25),
        scores: &[("yes", 0.25), ("no", 0.75)],
        segments: &[("country", "DE"), ("city", "Bonn")],
    }
}

fn decoder(format: Format, mapping: &str) -> Decoder {
    let mapping: Mapping = serde_json::from_str(mapping).unwrap();
    Decoder::new(format, mapping, catalog(), Limits::default()).unwrap()
}

/// What a row says, for comparing rows whose text buffers differ.
fn said(row: &Row) -> String {
    let value = |v: &Value| match *v {
        Value::Text(range) => format!("{:?}", row.text(range)),
        other => format!("{other:?}"),
    };
    let values: Vec<_> = row.values().iter().map(value).collect();
    let segments: Vec<_> = row.segments().collect();
    format!(
        "{} {} {} {segments:?}",
        row.id(),
        row.time(),
        values.join(" ")
    )
}

const SAID: &str =
    "p1 2013-01-01T05:15:00Z Double(0.25) Long(42) \"gold\" Double(0.25) Bool(true) [Some(\"DE\")]";

fn read(decoder: &mut Decoder, message: &[u8]) -> Result<String, Reject> {
    let mut row = Row::default();
    decoder
        .decode_prediction(Some(message), [], Some(at()), &mut row)
        .map(|()| said(&row))
}

fn reason(result: Result<String, Reject>) -> DropReason {
    match result {
        Err(Reject::Drop(reason, _)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_registry_message_asks_for_its_schema_once_and_then_decodes() {
    let mut message = Vec::new();
    PredictionEncoder::registry(7).encode(&prediction(), &mut message);
    let mut decoder = decoder(Format::Avro, "{}");
    assert_eq!(
        read(&mut decoder, &message),
        Err(Reject::NeedSchema(SchemaId::Id(7)))
    );
    decoder.add_schema(7, PREDICTION_SCHEMA).unwrap();
    for _ in 0..3 {
        assert_eq!(read(&mut decoder, &message).as_deref(), Ok(SAID));
    }
    for end in 5..message.len() {
        assert_eq!(
            reason(read(&mut decoder, &message[..end])),
            DropReason::Malformed,
            "{end}"
        );
    }
    message.push(0);
    assert_eq!(reason(read(&mut decoder, &message)), DropReason::Malformed);
}

#[test]
fn a_schema_guid_in_the_header_counts_before_the_framing() {
    let mut message = Vec::new();
    PredictionEncoder::plain().encode(&prediction(), &mut message);
    let mut decoder = decoder(Format::Avro, "{}");
    let mut header = vec![1];
    header.extend([9; 16]);
    let headers = [("__value_schema_id", header.as_slice())];
    let mut row = Row::default();
    let id = SchemaId::Guid([9; 16]);
    let first = decoder.decode_prediction(Some(&message), headers, None, &mut row);
    assert_eq!(first, Err(Reject::NeedSchema(id)));
    decoder.add_schema(id, PREDICTION_SCHEMA).unwrap();
    decoder
        .decode_prediction(Some(&message), headers, None, &mut row)
        .unwrap();
    assert_eq!(said(&row), SAID);
}

#[test]
fn apache_avro_reads_what_the_encoders_write() {
    let mut message = Vec::new();
    PredictionEncoder::plain().encode(&prediction(), &mut message);
    let schema = Schema::parse_str(PREDICTION_SCHEMA).unwrap();
    let mut rest = message.as_slice();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    reader.read_value(&mut rest).unwrap();
    assert!(rest.is_empty());
    LabelEncoder::plain().encode(
        &Label {
            id: "p",
            ..Label::default()
        },
        &mut message,
    );
    let schema = Schema::parse_str(LABEL_SCHEMA).unwrap();
    let mut rest = message.as_slice();
    GenericDatumReader::builder(&schema)
        .build()
        .unwrap()
        .read_value(&mut rest)
        .unwrap();
    assert!(rest.is_empty());
}

const JSON: &str = r#"{"segments": {"country": "DE"}, "prediction": {"scores": {"no": 0.75, "yes": 0.25},
    "value": 0.25, "label": "yes"}, "features": {"vip": true, "plan": "g\u006fld", "age": 41, "age": 42,
    "nested": {"deep": [1, {"x": null}]}}, "predicted_at": "2013-01-01T06:15:00+01:00",
    "model_version": 1, "model_id": "m", "prediction_id": "p1", "metadata": {"k": "v"}}"#;

#[test]
fn json_gives_the_same_row_as_avro_in_any_order() {
    let mut json = decoder(Format::Json, "{}");
    assert_eq!(read(&mut json, JSON.as_bytes()).as_deref(), Ok(SAID));
    let mut framed = vec![0, 0, 0, 0, 3];
    framed.extend_from_slice(JSON.as_bytes());
    assert_eq!(read(&mut json, &framed).as_deref(), Ok(SAID));
    for end in 1..JSON.len() {
        assert_eq!(
            reason(read(&mut json, &JSON.as_bytes()[..end])),
            DropReason::Malformed
        );
    }
    for text in ["[]", "3", "{} {}", "{\"a\": NaN}", "\u{0}"] {
        assert_eq!(
            reason(read(&mut json, text.as_bytes())),
            DropReason::Malformed,
            "{text}"
        );
    }
}

#[test]
fn numbers_that_json_cannot_write_come_as_texts() {
    let mut json = decoder(Format::Json, "{}");
    let message = JSON.replace("\"age\": 42", "\"age\": \"NaN\"");
    assert!(
        read(&mut json, message.as_bytes())
            .unwrap()
            .contains("Double(NaN)")
    );
    let message = JSON.replace("\"age\": 42", "\"age\": \"Infinity\"");
    assert!(
        read(&mut json, message.as_bytes())
            .unwrap()
            .contains("Double(inf)")
    );
}

#[test]
fn a_mapping_reads_records_of_another_shape_the_same_in_both_formats() {
    let mapping = r#"{"id": "$.request.id", "model": {"constant": "m"}, "version": "v",
        "time": {"path": "ts", "unit": "millis"}, "features": {"prefix": "f_"},
        "outputs": {"value": "result"}, "scores": null,
        "segments": [{"name": "country", "path": "request.where"}]}"#;
    let json = r#"{"f_vip": true, "request": {"where": "DE", "id": "p1"}, "v": "1",
        "ts": 1357017300000, "f_age": 42, "age": 1, "f_plan": "gold", "result": 0.25}"#;
    let wanted = SAID.replace("Double(0.25) Bool", "Missing Bool");
    let mut decoder_json = decoder(Format::Json, mapping);
    assert_eq!(read(&mut decoder_json, json.as_bytes()), Ok(wanted.clone()));
    let schema = r#"{"type": "record", "name": "R", "fields": [
        {"name": "f_vip", "type": "boolean"},
        {"name": "request", "type": {"type": "record", "name": "Q", "fields": [
            {"name": "where", "type": {"type": "enum", "name": "C", "symbols": ["FR", "DE"]}},
            {"name": "id", "type": ["null", "string"]}]}},
        {"name": "v", "type": "long"}, {"name": "ts", "type": "long"},
        {"name": "f_age", "type": "int"}, {"name": "age", "type": "double"},
        {"name": "f_plan", "type": "string"}, {"name": "result", "type": "float"}]}"#;
    let mut message = vec![1, 2, 2, 4];
    message.extend(b"p1\x02");
    let mut time = (1_357_017_300_000_u64) << 1;
    while time >= 0x80 {
        message.push((time & 0x7f) as u8 | 0x80);
        time >>= 7;
    }
    message.push(time as u8);
    message.extend([84, 0, 0, 0, 0, 0, 0, 0, 0, 8]);
    message.extend(b"gold");
    message.extend(0.25_f32.to_le_bytes());
    let mut plain = decoder(Format::AvroPlain, mapping);
    assert_eq!(
        reason(read(&mut plain, &message)),
        DropReason::UnknownSchema
    );
    plain.set_schema(schema).unwrap();
    assert_eq!(read(&mut plain, &message), Ok(wanted));
}

#[test]
fn mappings_that_cannot_be_followed_say_why() {
    for (mapping, part) in [
        (r#"{"features": ["a.x", "b.x"]}"#, "`x` is given twice"),
        (r#"{"model": {"constant": ""}}"#, "constant is empty"),
        (r#"{"time": {"record_timestamp": false}}"#, "no event time"),
        (r#"{"id": "$"}"#, "not a field"),
    ] {
        let parsed: Mapping = serde_json::from_str(mapping).unwrap();
        let error = Decoder::new(Format::Json, parsed, catalog(), Limits::default()).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    for (mapping, part) in [
        (r#"{"model": {"const": "x"}}"#, "constant: NAME"),
        (
            r#"{"time": {"path": "t", "unit": "days"}}"#,
            "seconds, millis, micros or nanos",
        ),
        (r#"{"features": 3}"#, "path of a record or map"),
        (r#"{"id": "a[0]"}"#, "array items cannot be named"),
        (r#"{"feature": "x"}"#, "features"),
    ] {
        let error = serde_json::from_str::<Mapping>(mapping)
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn times_that_cannot_be_true_are_dropped_with_a_hint() {
    let mut json = decoder(Format::Json, "{}");
    let mut with = |time: &str| {
        let message = JSON.replace("\"2013-01-01T06:15:00+01:00\"", time);
        read(&mut json, message.as_bytes())
    };
    assert_eq!(with("1357017300000000").as_deref(), Ok(SAID));
    assert_eq!(with("1357017300000000.0").as_deref(), Ok(SAID));
    for (time, hint) in [
        ("0", "zero"),
        ("-5", "negative"),
        ("1357017300", "in seconds: set `time.unit: seconds`"),
        ("1357017300000", "2013-01-01T05:15:00Z in millis"),
        ("1357017300000000000", "in nanos"),
        ("9223372036854775807", "294247-01-10"),
        ("1e300", "outside"),
        ("\"2999-01-01\"", "2999-01-01T00:00:00Z is outside"),
        ("\"yesterday\"", "not a date and time"),
    ] {
        let Err(Reject::Drop(DropReason::InvalidTimestamp, detail)) = with(time) else {
            panic!("{time} was believed");
        };
        assert!(detail.contains(hint), "{time}: {detail}");
    }
    assert_eq!(reason(with("null")), DropReason::MissingField);
    assert_eq!(reason(with("{}")), DropReason::MissingField);
}

#[test]
fn what_routing_needs_is_missed_by_name() {
    let mut json = decoder(Format::Json, "{}");
    let mut with = |from: &str, to: &str| read(&mut json, JSON.replace(from, to).as_bytes());
    assert_eq!(
        reason(with("\"model_id\": \"m\"", "\"x\": 1")),
        DropReason::MissingField
    );
    assert_eq!(
        reason(with("\"model_id\": \"m\"", "\"model_id\": 1.5")),
        DropReason::MissingField
    );
    assert_eq!(
        reason(with("\"model_id\": \"m\"", "\"model_id\": \"n\"")),
        DropReason::UnknownModel
    );
    assert_eq!(
        with("\"model_version\": 1", "\"model_version\": 9").unwrap(),
        "p1 2013-01-01T05:15:00Z  []"
    );
    assert!(
        with("\"prediction_id\": \"p1\"", "\"x\": 1")
            .unwrap()
            .starts_with(" 2013")
    );
    let mut row = Row::default();
    let mut json = decoder(Format::Json, "{}");
    for empty in [None, Some(&b""[..])] {
        let result = json.decode_prediction(empty, [], None, &mut row);
        assert!(matches!(result, Err(Reject::Drop(DropReason::Empty, _))));
    }
}

#[test]
fn every_bound_is_a_counted_drop() {
    let limits = Limits {
        message_bytes_max: 600,
        features_max: 8,
        string_bytes_max: 32,
        nesting_max: 4,
        ..Limits::default()
    };
    let mut json =
        Decoder::new(Format::Json, Mapping::default(), catalog(), limits.clone()).unwrap();
    let flat = JSON.replace("[1, {\"x\": null}]", "1");
    assert_eq!(read(&mut json, flat.as_bytes()).as_deref(), Ok(SAID));
    let long = format!("\"{}\"", "x".repeat(33));
    for (to, want) in [
        ("[[[[1]]]]", DropReason::BoundExceeded),
        (&" ".repeat(400), DropReason::Oversize),
    ] {
        let message = flat.replace("\"deep\": 1", &format!("\"deep\": {to}"));
        assert_eq!(reason(read(&mut json, message.as_bytes())), want, "{to}");
    }
    let many = flat.replace("\"age\": 41", "\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1");
    assert_eq!(
        reason(read(&mut json, many.as_bytes())),
        DropReason::BoundExceeded
    );
    let text = flat.replace("\"g\\u006fld\"", &long);
    assert_eq!(
        reason(read(&mut json, text.as_bytes())),
        DropReason::BoundExceeded
    );
    let mut avro = Decoder::new(Format::Avro, Mapping::default(), catalog(), limits).unwrap();
    let recursive =
        r#"{"type": "record", "name": "L", "fields": [{"name": "n", "type": ["null", "L"]}]}"#;
    assert_eq!(
        avro.add_schema(1, recursive),
        Err(SchemaError::Recursive("L".into()))
    );
    let deep = r#"{"type":"array","items":"#.repeat(9) + "\"long\"" + &"}".repeat(9);
    assert_eq!(avro.add_schema(2, &deep), Err(SchemaError::TooDeep(4)));
    assert!(matches!(
        avro.add_schema(3, "{"),
        Err(SchemaError::Parse(_))
    ));
    for id in 1..4 {
        assert_eq!(
            reason(read(&mut avro, &[0, 0, 0, 0, id, 1])),
            DropReason::UnknownSchema
        );
    }
    avro.refuse_schema(4, "the registry has no schema 4")
        .unwrap();
    assert_eq!(
        reason(read(&mut avro, &[0, 0, 0, 0, 4])),
        DropReason::UnknownSchema
    );
    avro.forget_schema(4);
    assert_eq!(
        read(&mut avro, &[0, 0, 0, 0, 4]),
        Err(Reject::NeedSchema(SchemaId::Id(4)))
    );
}

#[test]
fn labels_decode_in_every_format() {
    let label = Label {
        id: "p1",
        model: Some("m"),
        observed_at: at(),
        label: Some("yes"),
        weight: 2.0,
        revision: 3,
        ..Label::default()
    };
    let decoder = |format| LabelDecoder::new(format, LabelMapping::default(), Limits::default());
    let mut avro = decoder(Format::Avro).unwrap();
    avro.add_schema(1, LABEL_SCHEMA).unwrap();
    let mut message = Vec::new();
    LabelEncoder::registry(1).encode(&label, &mut message);
    let from_avro = avro.decode_label(Some(&message), [], None).unwrap();
    assert_eq!(from_avro.label, LabelValue::Text("yes".into()));
    assert_eq!((from_avro.weight, from_avro.revision), (2.0, 3));
    let mut json = decoder(Format::Json).unwrap();
    let text = r#"{"prediction_id": "p1", "model_id": "m", "observed_at": "2013-01-01T05:15:00Z",
        "label": "yes", "weight": 2, "revision": 3}"#;
    assert_eq!(
        json.decode_label(Some(text.as_bytes()), [], None).as_ref(),
        Ok(&from_avro)
    );
    let mut with = |to: &str| {
        let message = text.replace("\"label\": \"yes\"", to);
        json.decode_label(Some(message.as_bytes()), [], None)
            .map(|l| l.label)
    };
    assert_eq!(with("\"value\": 1.5"), Ok(LabelValue::Number(1.5)));
    assert_eq!(with("\"label\": 1"), Ok(LabelValue::Text("1".into())));
    assert_eq!(
        with("\"label\": false"),
        Ok(LabelValue::Text("false".into()))
    );
    assert!(matches!(
        with("\"x\": 1"),
        Err(Reject::Drop(DropReason::MissingField, _))
    ));
    LabelEncoder::registry(1).encode(
        &Label {
            label: None,
            value: Some(4.0),
            ..label
        },
        &mut message,
    );
    let number = avro.decode_label(Some(&message), [], None).unwrap();
    assert_eq!(number.label, LabelValue::Number(4.0));
}
