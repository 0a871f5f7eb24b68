//! Nanoseconds to decode one event of 20 numbers and 5 texts: typed Avro record, canonical Avro map, JSON.
//!
//! `cargo run --release -p driftline-wire --example decode_ns`. The messages come from a fixed seed.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use driftline_event::{Catalog, Column, ColumnKind, ColumnRole, Layout, Row, Timestamp};
use driftline_wire::{
    Decoder, FeatureValue, Format, Limits, Mapping, PREDICTION_SCHEMA, Prediction,
    PredictionEncoder,
};

const NUMBERS: usize = 20;
const TEXTS: usize = 5;
const MESSAGES: usize = 256;
const ROUNDS: usize = 1_000;

struct Event {
    id: String,
    at: Timestamp,
    numbers: Vec<f64>,
    texts: Vec<String>,
    score: f64,
}

/// Steele and Vigna's splitmix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn events() -> Vec<Event> {
    let mut state = 42;
    let mut unit = move || (next(&mut state) >> 11) as f64 / (1_u64 << 53) as f64;
    (0..MESSAGES)
        .map(|i| Event {
            id: format!("{:032x}-{i:03}", (unit() * 1e18) as u64),
            at: Timestamp::from_micros(1_700_000_000_000_000 + i as i64),
            numbers: (0..NUMBERS).map(|_| (unit() * 1e6).round() / 1e4).collect(),
            texts: (0..TEXTS)
                .map(|_| format!("cat{}", (unit() * 11.0) as u32))
                .collect(),
            score: unit(),
        })
        .collect()
}

fn number(i: usize) -> String {
    format!("f{i:02}")
}

fn text(i: usize) -> String {
    format!("c{i}")
}

fn layout() -> Layout {
    let column = |name, kind, role| Column { name, kind, role };
    let numbers = (0..NUMBERS).map(|i| column(number(i), ColumnKind::Numeric, ColumnRole::Feature));
    let texts = (0..TEXTS).map(|i| column(text(i), ColumnKind::Categorical, ColumnRole::Feature));
    let mut columns: Vec<Column> = numbers.chain(texts).collect();
    columns.push(column(
        "value".into(),
        ColumnKind::Numeric,
        ColumnRole::Output,
    ));
    Layout {
        model: "bench".into(),
        version: "1".into(),
        columns,
        segments: vec![],
    }
}

fn typed_schema(nullable: bool) -> String {
    let wrap = |t: &str| {
        if nullable {
            format!("[\"null\",{t}]")
        } else {
            t.to_owned()
        }
    };
    let mut fields: Vec<String> = ["request_id", "model", "version"]
        .map(|name| format!(r#"{{"name":"{name}","type":"string"}}"#))
        .into();
    fields.push(
        r#"{"name":"ts","type":{"type":"long","logicalType":"timestamp-micros"}}"#.to_owned(),
    );
    let double = wrap("\"double\"");
    let string = wrap("\"string\"");
    fields.extend((0..NUMBERS).map(|i| format!(r#"{{"name":"{}","type":{double}}}"#, number(i))));
    fields.extend((0..TEXTS).map(|i| format!(r#"{{"name":"{}","type":{string}}}"#, text(i))));
    fields.push(r#"{"name":"score","type":"double"}"#.to_owned());
    format!(
        r#"{{"type":"record","name":"Typed","fields":[{}]}}"#,
        fields.join(",")
    )
}

fn put_long(n: i64, out: &mut Vec<u8>) {
    let mut rest = ((n << 1) ^ (n >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_long(text.len() as i64, out);
    out.extend_from_slice(text.as_bytes());
}

fn typed(event: &Event, nullable: bool) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 0, 1];
    put_text(&event.id, &mut out);
    put_text("bench", &mut out);
    put_text("1", &mut out);
    put_long(event.at.as_micros(), &mut out);
    for x in &event.numbers {
        out.extend(nullable.then_some(2));
        out.extend_from_slice(&x.to_le_bytes());
    }
    for t in &event.texts {
        out.extend(nullable.then_some(2));
        put_text(t, &mut out);
    }
    out.extend_from_slice(&event.score.to_le_bytes());
    out
}

fn canonical(event: &Event) -> Vec<u8> {
    let names: Vec<String> = (0..NUMBERS)
        .map(number)
        .chain((0..TEXTS).map(text))
        .collect();
    let numbers = event.numbers.iter().map(|&x| FeatureValue::Double(x));
    let texts = event.texts.iter().map(|t| FeatureValue::Text(t));
    let features: Vec<(&str, FeatureValue<'_>)> = names
        .iter()
        .map(String::as_str)
        .zip(numbers.chain(texts))
        .collect();
    let prediction = Prediction {
        id: &event.id,
        model: "bench",
        version: "1",
        predicted_at: event.at,
        features: &features,
        value: Some(event.score),
        ..Prediction::default()
    };
    let mut out = Vec::new();
    PredictionEncoder::registry(1).encode(&prediction, &mut out);
    out
}

fn json(event: &Event) -> Vec<u8> {
    let numbers = event
        .numbers
        .iter()
        .enumerate()
        .map(|(i, x)| format!("\"{}\":{x}", number(i)));
    let texts = event
        .texts
        .iter()
        .enumerate()
        .map(|(i, t)| format!("\"{}\":\"{t}\"", text(i)));
    let features: Vec<String> = numbers.chain(texts).collect();
    format!(
        r#"{{"prediction_id":"{}","model_id":"bench","model_version":"1","predicted_at":{},"features":{{{}}},"prediction":{{"value":{}}}}}"#,
        event.id,
        event.at.as_micros(),
        features.join(","),
        event.score
    )
    .into_bytes()
}

fn measure(name: &str, decoder: &mut Decoder, messages: &[Vec<u8>]) {
    let mut row = Row::default();
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for message in messages {
            decoder
                .decode_prediction(Some(black_box(message)), [], None, &mut row)
                .expect("the example writes what it reads");
            black_box(&row);
        }
        best = best.min(start.elapsed().as_nanos() as f64 / messages.len() as f64);
    }
    let bytes = messages.iter().map(Vec::len).sum::<usize>() / messages.len();
    println!("{name:<28} {bytes:>5} bytes {best:>7.0} ns/event");
}

fn main() {
    let events = events();
    let catalog = Arc::new(Catalog::new(vec![layout()]).expect("one layout"));
    let decoder = |format, mapping| {
        Decoder::new(format, mapping, catalog.clone(), Limits::default()).expect("a good mapping")
    };
    let mapping: Mapping = serde_json::from_str(
        r#"{"id": "request_id", "model": "model", "version": "version", "time": "ts",
            "features": "$", "outputs": {"value": "score"}}"#,
    )
    .expect("a good mapping");
    for nullable in [false, true] {
        let mut avro = decoder(Format::Avro, mapping.clone());
        avro.add_schema(1, &typed_schema(nullable))
            .expect("a good schema");
        let messages: Vec<_> = events.iter().map(|e| typed(e, nullable)).collect();
        let name = if nullable {
            "Avro record, nullable fields"
        } else {
            "Avro record"
        };
        measure(name, &mut avro, &messages);
    }
    let mut avro = decoder(Format::Avro, Mapping::default());
    avro.add_schema(1, PREDICTION_SCHEMA)
        .expect("a good schema");
    measure(
        "Avro map",
        &mut avro,
        &events.iter().map(canonical).collect::<Vec<_>>(),
    );
    let mut text = decoder(Format::Json, Mapping::default());
    measure(
        "JSON",
        &mut text,
        &events.iter().map(json).collect::<Vec<_>>(),
    );
}
