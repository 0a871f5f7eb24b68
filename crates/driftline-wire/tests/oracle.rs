//! The cursor against apache-avro: the same values, or both refuse; and never a panic.
//!
//! Schemas, messages and damage are drawn from one stream of bytes, so a failure shrinks to little. What
//! a row should be is worked out from apache-avro's value tree, by code that shares nothing with the
//! compiler.
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use driftline_event::{Catalog, Column, ColumnKind, ColumnRole, Layout, Row, Timestamp, Value};
use driftline_wire::{Decoder, Format, Limits, Mapping, Reject};
use proptest::prelude::*;

/// Bytes that decide everything; zero when they run out, which ends every choice.
struct Entropy<'e> {
    bytes: &'e [u8],
    names: usize,
}

impl Entropy<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.bytes.split_first().unwrap_or((&0, &[]));
        self.bytes = rest;
        *first
    }

    fn below(&mut self, n: u8) -> usize {
        usize::from(self.byte() % n)
    }

    fn long(&mut self) -> i64 {
        let shift = self.below(64);
        let bytes = std::array::from_fn(|_| self.byte());
        i64::from_le_bytes(bytes) >> shift
    }
}

#[derive(Clone, Debug)]
enum Shape {
    Plain(&'static str),
    Fixed(String, usize),
    Enum(String),
    Array(Box<Self>),
    Map(Box<Self>),
    Union(Vec<Self>),
    Record(String, Vec<(&'static str, Self)>),
    Again(String),
}

const PLAIN: [&str; 13] = [
    "\"null\"",
    "\"boolean\"",
    "\"int\"",
    "\"long\"",
    "\"float\"",
    "\"double\"",
    "\"string\"",
    "\"bytes\"",
    "{\"type\": \"int\", \"logicalType\": \"date\"}",
    "{\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}",
    "{\"type\": \"long\", \"logicalType\": \"timestamp-micros\"}",
    "{\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 9, \"scale\": 2}",
    "{\"type\": \"long\", \"logicalType\": \"local-timestamp-nanos\"}",
];
const FIELDS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn shape(e: &mut Entropy<'_>, depth: usize) -> Shape {
    let named = |e: &mut Entropy<'_>| {
        e.names += 1;
        format!("N{}", e.names)
    };
    match e.below(if depth > 3 { 15 } else { 22 }) {
        n @ 0..=12 => Shape::Plain(PLAIN[n]),
        13 => Shape::Fixed(named(e), e.below(5)),
        14 => Shape::Enum(named(e)),
        15 => match shape(e, depth + 1) {
            // Items without bytes are bounded differently on the two sides.
            Shape::Plain("\"null\"") => Shape::Array(Box::new(Shape::Plain("\"double\""))),
            Shape::Fixed(_, 0) => Shape::Array(Box::new(Shape::Plain("\"long\""))),
            Shape::Record(..) | Shape::Array(_) => {
                Shape::Array(Box::new(Shape::Plain("\"float\"")))
            }
            item => Shape::Array(Box::new(item)),
        },
        16 | 17 => Shape::Map(Box::new(match shape(e, depth + 1) {
            Shape::Union(u) if u.is_empty() => Shape::Plain("\"string\""),
            value => value,
        })),
        18 => Shape::Union(vec![Shape::Plain("\"null\""), Shape::Plain("\"double\"")]),
        19 => Shape::Union(vec![
            Shape::Plain("\"double\""),
            Shape::Plain("\"null\""),
            Shape::Plain("\"string\""),
        ]),
        20 => match shape(e, depth + 1) {
            branch @ (Shape::Map(_) | Shape::Record(..) | Shape::Enum(_) | Shape::Fixed(..)) => {
                Shape::Union(vec![Shape::Plain("\"null\""), branch])
            }
            _ => Shape::Union(vec![
                Shape::Plain("\"null\""),
                Shape::Map(Box::new(Shape::Plain("\"long\""))),
            ]),
        },
        _ => {
            let name = named(e);
            let count = 1 + e.below(4);
            let mut fields: Vec<_> = FIELDS[..count]
                .iter()
                .map(|&f| (f, shape(e, depth + 1)))
                .collect();
            if let Some(Shape::Enum(n) | Shape::Fixed(n, _) | Shape::Record(n, _)) =
                fields.first().map(|f| f.1.clone())
            {
                fields.push(("e", Shape::Again(n)));
            }
            Shape::Record(name, fields)
        }
    }
}

fn json(shape: &Shape) -> String {
    match shape {
        Shape::Plain(p) => (*p).to_owned(),
        Shape::Fixed(n, size) => format!(r#"{{"type":"fixed","name":"{n}","size":{size}}}"#),
        Shape::Enum(n) => format!(r#"{{"type":"enum","name":"{n}","symbols":["X","Y","Z"]}}"#),
        Shape::Array(item) => format!(r#"{{"type":"array","items":{}}}"#, json(item)),
        Shape::Map(value) => format!(r#"{{"type":"map","values":{}}}"#, json(value)),
        Shape::Union(branches) => {
            format!(
                "[{}]",
                branches.iter().map(json).collect::<Vec<_>>().join(",")
            )
        }
        Shape::Record(n, fields) => {
            let field = |(f, s): &(&str, Shape)| format!(r#"{{"name":"{f}","type":{}}}"#, json(s));
            let fields: Vec<_> = fields.iter().map(field).collect();
            format!(
                r#"{{"type":"record","name":"{n}","namespace":"x.{n}","fields":[{}]}}"#,
                fields.join(",")
            )
        }
        Shape::Again(n) => format!("\"{n}\""),
    }
}

fn put_long(n: i64, out: &mut Vec<u8>) {
    let mut rest = ((n << 1) ^ (n >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn put_text(e: &mut Entropy<'_>, out: &mut Vec<u8>) {
    let text = [
        "a",
        "b",
        "",
        "c",
        "f0",
        "äöü",
        "long enough to be several words",
        "e",
    ][e.below(8)];
    put_long(text.len() as i64, out);
    out.extend_from_slice(text.as_bytes());
}

fn put_blocks(
    e: &mut Entropy<'_>,
    out: &mut Vec<u8>,
    item: &mut dyn FnMut(&mut Entropy<'_>, &mut Vec<u8>),
) {
    for _ in 0..e.below(3) {
        let count = 1 + e.below(3);
        let mut block = Vec::new();
        for _ in 0..count {
            item(e, &mut block);
        }
        if e.below(2) == 0 {
            put_long(count as i64, out);
        } else {
            put_long(-(count as i64), out);
            put_long(block.len() as i64, out);
        }
        out.extend(block);
    }
    put_long(0, out);
}

/// Writes some value of `shape`. `all` are the named shapes met so far.
fn message(shape: &Shape, e: &mut Entropy<'_>, all: &mut Vec<Shape>, out: &mut Vec<u8>) {
    if matches!(shape, Shape::Fixed(..) | Shape::Enum(_) | Shape::Record(..)) {
        all.push(shape.clone());
    }
    match shape {
        Shape::Plain(p) => match *p {
            "\"null\"" => {}
            "\"boolean\"" => out.push(e.byte() & 1),
            "\"int\"" => put_long(i64::from(e.long() as i32), out),
            "\"float\"" => out.extend_from_slice(&(e.long() as f32).to_le_bytes()),
            "\"double\"" => out.extend_from_slice(&e.long().to_le_bytes()),
            "\"string\"" | "\"bytes\"" => put_text(e, out),
            p if p.contains("bytes") => put_text(e, out),
            p if p.contains("date") => put_long(i64::from(e.long() as i32), out),
            _ => put_long(e.long(), out),
        },
        Shape::Fixed(_, size) => out.extend((0..*size).map(|_| e.byte())),
        Shape::Enum(_) => put_long(e.below(3) as i64, out),
        Shape::Array(item) => put_blocks(e, out, &mut |e, out| message(item, e, all, out)),
        Shape::Map(value) => put_blocks(e, out, &mut |e, out| {
            put_text(e, out);
            message(value, e, all, out);
        }),
        Shape::Union(branches) => {
            // Every named branch counts as met, chosen or not.
            for branch in branches {
                meet(branch, all);
            }
            let branch = e.below(branches.len() as u8);
            put_long(branch as i64, out);
            message(&branches[branch], e, all, out);
        }
        Shape::Record(_, fields) => {
            for (_, field) in fields {
                message(field, e, all, out);
            }
        }
        Shape::Again(name) => {
            let named = |s: &&Shape| matches!(s, Shape::Fixed(n, _) | Shape::Enum(n) | Shape::Record(n, _) if n == name);
            let shape = all.iter().find(named).expect("it was met before").clone();
            message(&shape, e, all, out);
        }
    }
}

fn meet(shape: &Shape, all: &mut Vec<Shape>) {
    if matches!(shape, Shape::Fixed(..) | Shape::Enum(_) | Shape::Record(..)) {
        all.push(shape.clone());
    }
}

/// Notices when a reader asks for more than there is: apache-avro then makes up a null.
struct Watched<'b> {
    bytes: &'b [u8],
    ran_out: bool,
}

impl Read for Watched<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.bytes.read(into)?;
        self.ran_out |= n == 0 && !into.is_empty();
        Ok(n)
    }
}

fn oracle(schema: &Schema, bytes: &[u8]) -> Option<Avro> {
    let mut watched = Watched {
        bytes,
        ran_out: false,
    };
    let value = GenericDatumReader::builder(schema)
        .build()
        .unwrap()
        .read_value(&mut watched)
        .ok()?;
    (!watched.ran_out && watched.bytes.is_empty()).then_some(value)
}

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Missing,
    Bool(bool),
    Long(i64),
    Double(u64),
    Text(String),
    Unsupported,
}

fn inner(value: &Avro) -> &Avro {
    match value {
        Avro::Union(_, value) => inner(value),
        value => value,
    }
}

fn child<'v>(value: &'v Avro, name: &str) -> Option<&'v Avro> {
    match inner(value) {
        Avro::Record(fields) => fields.iter().find(|(n, _)| n == name).map(|(_, v)| v),
        Avro::Map(entries) => entries.get(name),
        _ => None,
    }
}

fn seen(value: Option<&Avro>) -> Seen {
    match value.map(inner) {
        None | Some(Avro::Null) => Seen::Missing,
        Some(Avro::Boolean(b)) => Seen::Bool(*b),
        Some(Avro::Int(n) | Avro::Date(n)) => Seen::Long(i64::from(*n)),
        Some(
            Avro::Long(n)
            | Avro::TimestampMillis(n)
            | Avro::TimestampMicros(n)
            | Avro::LocalTimestampNanos(n),
        ) => Seen::Long(*n),
        Some(Avro::Float(x)) => Seen::Double(f64::from(*x).to_bits()),
        Some(Avro::Double(x)) => Seen::Double(x.to_bits()),
        Some(Avro::String(s) | Avro::Enum(_, s)) => Seen::Text(s.clone()),
        Some(_) => Seen::Unsupported,
    }
}

/// Features are all fields of the record; `out.x` is the field `x` of the field `b`; scores are all fields
/// of `c`; segments are all fields of `d`.
fn expected(value: &Avro) -> (Vec<Seen>, Vec<Option<String>>) {
    let mut columns: Vec<Seen> = FIELDS.iter().map(|f| seen(child(value, f))).collect();
    for (from, names) in [("b", &FIELDS[..3]), ("c", &FIELDS[..3])] {
        let under = child(value, from);
        columns.extend(names.iter().map(|f| seen(under.and_then(|v| child(v, f)))));
    }
    let under = child(value, "d");
    let segment = |f: &&str| match seen(under.and_then(|v| child(v, f))) {
        Seen::Text(text) => Some(text),
        Seen::Bool(b) => Some(b.to_string()),
        Seen::Long(n) => Some(n.to_string()),
        _ => None,
    };
    (columns, FIELDS[..3].iter().map(segment).collect())
}

fn decoder(schema: &str) -> Decoder {
    let column = |role, name: String| Column {
        name,
        kind: ColumnKind::Categorical,
        role,
    };
    let mut columns: Vec<Column> = FIELDS
        .iter()
        .map(|f| column(ColumnRole::Feature, (*f).to_owned()))
        .collect();
    columns.extend(
        FIELDS[..3]
            .iter()
            .map(|f| column(ColumnRole::Output, format!("out.{f}"))),
    );
    columns.extend(
        FIELDS[..3]
            .iter()
            .map(|f| column(ColumnRole::Output, format!("scores.{f}"))),
    );
    let layout = Layout {
        model: "m".into(),
        version: "1".into(),
        columns,
        segments: FIELDS[..3].iter().map(|f| (*f).to_owned()).collect(),
    };
    let mapping: Mapping = serde_json::from_str(
        r#"{"id": "nowhere", "model": {"constant": "m"}, "version": {"constant": "1"},
            "time": {"record_timestamp": true}, "features": "$",
            "outputs": {"out.a": "b.a", "out.b": "b.b", "out.c": "b.c"},
            "scores": "c", "segments": "d"}"#,
    )
    .unwrap();
    let limits = Limits {
        features_max: 1 << 20,
        string_bytes_max: 1 << 20,
        ..Limits::default()
    };
    let catalog = Arc::new(Catalog::new(vec![layout]).unwrap());
    let mut decoder = Decoder::new(Format::AvroPlain, mapping, catalog, limits).unwrap();
    decoder.set_schema(schema).unwrap();
    decoder
}

fn of_row(row: &Row) -> (Vec<Seen>, Vec<Option<String>>) {
    let seen = |value: &Value| match *value {
        Value::Missing => Seen::Missing,
        Value::Bool(b) => Seen::Bool(b),
        Value::Long(n) => Seen::Long(n),
        Value::Double(x) => Seen::Double(x.to_bits()),
        Value::Text(range) => Seen::Text(row.text(range).to_owned()),
        Value::Unsupported => Seen::Unsupported,
    };
    let segments = row.segments().map(|s| s.map(str::to_owned)).collect();
    (row.values().iter().map(seen).collect(), segments)
}

/// The messages of one schema: some whole, some damaged.
fn compare(entropy: &[u8]) -> Result<(), TestCaseError> {
    apache_avro::util::max_allocation_bytes(1 << 20);
    let mut e = Entropy {
        bytes: entropy,
        names: 0,
    };
    let fields = FIELDS.iter().map(|&f| (f, shape(&mut e, 1))).collect();
    let shape = Shape::Record("Top".into(), fields);
    let text = json(&shape).replace("\"namespace\":", "\"doc\":");
    let schema = Schema::parse_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let mut decoder = decoder(&text);
    let mut row = Row::default();
    for round in 0..8 {
        let mut bytes = Vec::new();
        message(&shape, &mut e, &mut Vec::new(), &mut bytes);
        if round % 2 == 1 && !bytes.is_empty() {
            let at = usize::from(e.byte()) * 251 % bytes.len();
            match e.below(5) {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << e.below(8),
                2 => bytes.insert(at, e.byte()),
                3 => bytes[at] = 0xff,
                _ => bytes.push(e.byte()),
            }
        }
        if bytes.is_empty() {
            continue;
        }
        let wanted = oracle(&schema, &bytes);
        let got = decoder.decode_prediction(
            Some(&bytes),
            [],
            Some(Timestamp::from_seconds(1_600_000_000)),
            &mut row,
        );
        match (wanted, got) {
            (Some(value), Ok(())) => {
                prop_assert_eq!(of_row(&row), expected(&value), "{} {:?}", text, bytes);
            }
            (None, Err(Reject::Drop(..))) => prop_assert_eq!(&row, &Row::default()),
            (wanted, got) => {
                prop_assert!(false, "{:?} but {:?}: {} {:?}", wanted, got, text, bytes)
            }
        }
        if round % 2 == 0 {
            prop_assert!(
                oracle(&schema, &bytes).is_some(),
                "the test writes what it means"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_cursor_and_apache_avro_agree(entropy in prop::collection::vec(any::<u8>(), 0..900)) {
        compare(&entropy)?;
    }

    #[test]
    fn any_bytes_end_in_a_row_or_a_reject(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut row = Row::default();
        for format in [Format::Avro, Format::AvroPlain, Format::Json] {
            let catalog = Arc::new(Catalog::default());
            let mut decoder =
                Decoder::new(format, Mapping::default(), catalog, Limits::default()).unwrap();
            let _ = decoder.add_schema(0, driftline_wire::PREDICTION_SCHEMA);
            let _ = decoder.set_schema(driftline_wire::PREDICTION_SCHEMA);
            prop_assert!(decoder.decode_prediction(Some(&bytes), [], None, &mut row).is_err());
            let mut framed = vec![0; 5];
            framed.extend(&bytes);
            prop_assert!(decoder.decode_prediction(Some(&framed), [], None, &mut row).is_err());
        }
    }
}
