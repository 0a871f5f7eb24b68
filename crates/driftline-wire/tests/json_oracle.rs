//! The JSON reader against serde_json: the same values, or both refuse.
//!
//! Documents and damage are drawn from one stream of bytes, so a failure shrinks to little.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use driftline_event::{Catalog, Column, ColumnKind, ColumnRole, Layout, Row, Timestamp, Value};
use driftline_wire::{Decoder, Format, Limits, Mapping};
use proptest::prelude::*;
use serde_json::Value as Json;

const FIELDS: [&str; 6] = ["a", "b", "longer name", "é", "", "exactly 16 bytes"];

/// Bytes that decide everything; zero when they run out, which ends every choice.
struct Entropy<'e>(&'e [u8]);

impl Entropy<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[usize::from(self.byte()) % of.len()]
    }

    fn digits(&mut self, most: u8) -> String {
        let count = 1 + self.byte() % most;
        (0..count)
            .map(|_| char::from(b'0' + self.byte() % 10))
            .collect()
    }
}

fn space(e: &mut Entropy<'_>, out: &mut String) {
    out.push_str(e.pick(&["", "", "", " ", "\n\t", "\r "]));
}

fn text(e: &mut Entropy<'_>, out: &mut String) {
    out.push('"');
    for _ in 0..e.byte() % 6 {
        out.push_str(e.pick(&[
            "a",
            "plain words of some length",
            "\\n",
            "\\\"",
            "\\\\",
            "\\/",
            "\\b\\f\\r\\t",
            "\\u00e9",
            "\\ud83d\\uDE00",
            "\\ud83d",
            "\\udE00",
            "\\u12g4",
            "é",
            "😀",
            "\u{7f}",
            "\u{1}",
            "NaN",
            "0123456",
            "\\x",
        ]));
    }
    out.push('"');
}

fn number(e: &mut Entropy<'_>, out: &mut String) {
    out.push_str(e.pick(&["", "", "-"]));
    out.push_str(&match e.byte() % 4 {
        0 => "0".to_owned(),
        1 => e.digits(3),
        _ => e.digits(24),
    });
    if e.byte() % 2 == 1 {
        out.push('.');
        out.push_str(&e.digits(24));
    }
    if e.byte() % 4 == 1 {
        out.push_str(e.pick(&["e", "E", "e+", "E-", "e-"]));
        out.push_str(&e.digits(3));
    }
}

fn value(e: &mut Entropy<'_>, depth: usize, out: &mut String) {
    match e.byte() % if depth > 4 { 6 } else { 8 } {
        0 | 1 => number(e, out),
        2 | 3 => text(e, out),
        4 => out.push_str(e.pick(&["null", "true", "false", "nul", "True", "-", "NaN"])),
        5 => out.push_str(e.pick(&[
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "9007199254740993.0",
            "1e400",
            "-0",
            "1e-400",
        ])),
        6 => {
            out.push('[');
            for i in 0..e.byte() % 3 {
                out.push_str(if i > 0 { "," } else { "" });
                space(e, out);
                value(e, depth + 1, out);
                space(e, out);
            }
            out.push(']');
        }
        _ => object(e, depth + 1, out),
    }
}

fn object(e: &mut Entropy<'_>, depth: usize, out: &mut String) {
    out.push('{');
    space(e, out);
    for i in 0..e.byte() % 7 {
        out.push_str(if i > 0 { "," } else { "" });
        space(e, out);
        match e.byte() % 8 {
            0 => text(e, out),
            1 => out.push_str("\"\\u0061\""),
            n => out.push_str(&format!("\"{}\"", FIELDS[usize::from(n) - 2])),
        }
        space(e, out);
        out.push(':');
        space(e, out);
        value(e, depth, out);
        space(e, out);
    }
    out.push('}');
}

fn decoder() -> Decoder {
    let column = |&name: &&str| Column {
        name: name.to_owned(),
        kind: ColumnKind::Categorical,
        role: ColumnRole::Feature,
    };
    let mut columns: Vec<Column> = FIELDS.iter().map(column).collect();
    columns.push(Column {
        name: "inner".to_owned(),
        kind: ColumnKind::Categorical,
        role: ColumnRole::Output,
    });
    let layout = Layout {
        model: "m".into(),
        version: "1".into(),
        columns,
        segments: vec!["a".into()],
    };
    let mapping = serde_json::from_str::<Mapping>(
        r#"{"id": "nowhere", "model": {"constant": "m"}, "version": {"constant": "1"},
            "time": {"record_timestamp": true}, "features": "$", "outputs": {"inner": "b.a"},
            "segments": ["a"]}"#,
    );
    let catalog = Arc::new(Catalog::new(vec![layout]).unwrap());
    Decoder::new(Format::Json, mapping.unwrap(), catalog, Limits::default()).unwrap()
}

fn seen(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => "missing".to_owned(),
        Some(Json::Number(n)) => match n.as_i64() {
            Some(n) => format!("long {n}"),
            None => format!("double {:x}", n.as_f64().unwrap().to_bits()),
        },
        Some(Json::Bool(b)) => format!("bool {b}"),
        Some(Json::String(text)) => format!("text {text:?}"),
        Some(Json::Array(_) | Json::Object(_)) => "unsupported".to_owned(),
    }
}

fn said(row: &Row, value: &Value) -> String {
    match *value {
        Value::Missing => "missing".to_owned(),
        Value::Long(n) => format!("long {n}"),
        Value::Double(x) => format!("double {:x}", x.to_bits()),
        Value::Bool(b) => format!("bool {b}"),
        Value::Text(range) => format!("text {:?}", row.text(range)),
        Value::Unsupported => "unsupported".to_owned(),
    }
}

fn compare(entropy: &[u8]) -> Result<(), TestCaseError> {
    let mut e = Entropy(entropy);
    let mut decoder = decoder();
    let mut row = Row::default();
    for round in 0..6 {
        let mut text = String::new();
        space(&mut e, &mut text);
        object(&mut e, 0, &mut text);
        space(&mut e, &mut text);
        let mut bytes = text.into_bytes();
        if round % 2 == 1 {
            let at = usize::from(e.byte()) * 251 % bytes.len();
            match e.byte() % 5 {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << (e.byte() % 8),
                2 => bytes.insert(at, e.byte()),
                3 => bytes.push(e.byte()),
                _ => drop(bytes.remove(at)),
            }
        }
        // These are the registry's framing and a missing value, which other tests try.
        if matches!(bytes.first(), None | Some(0 | 1)) {
            continue;
        }
        let wanted = serde_json::from_slice::<Json>(&bytes).ok();
        let wanted = wanted.filter(Json::is_object);
        let at = Timestamp::from_seconds(1_600_000_000);
        let got = decoder.decode_prediction(Some(&bytes), [], Some(at), &mut row);
        let shown = String::from_utf8_lossy(&bytes);
        prop_assert_eq!(wanted.is_some(), got.is_ok(), "{} {:?}", shown, got);
        let Some(wanted) = wanted else { continue };
        for (i, field) in FIELDS.iter().enumerate() {
            let (wanted, got) = (seen(wanted.get(*field)), said(&row, &row.values()[i]));
            prop_assert_eq!(wanted, got, "{} {}", field, shown);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_reader_and_serde_json_agree(entropy in prop::collection::vec(any::<u8>(), 0..400)) {
        compare(&entropy)?;
    }

    #[test]
    fn any_double_is_read_as_it_was_written(x in any::<f64>(), y in -1e9..1e9, places in 0..20_usize) {
        let mut decoder = decoder();
        let mut row = Row::default();
        let at = Timestamp::from_seconds(1_600_000_000);
        let x = if x.is_finite() { x } else { 0.5 };
        let short = format!("{y:.places$}");
        let message = format!(r#"{{"a": {x:?}, "b": {short}.0}}"#).replace(".0.0", ".0");
        let message = if short.contains('.') { message.replace(&format!("{short}.0"), &short) } else { message };
        decoder.decode_prediction(Some(message.as_bytes()), [], Some(at), &mut row).unwrap();
        prop_assert_eq!(row.values()[0], Value::Double(x));
        prop_assert_eq!(row.values()[1], Value::Double(short.parse().unwrap()));
    }
}
