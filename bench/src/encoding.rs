//! The same event as a typed Avro record, a canonical Avro map and JSON, and what a decoder needs to read it.

use driftline_wire::{
    FeatureValue, Format, Mapping, PREDICTION_SCHEMA, Prediction, PredictionEncoder,
};

use crate::traffic::{Event, NUMBERS, Names, TEXTS, VERSION};

/// The schema id in the framing of Avro messages.
pub const SCHEMA_ID: u32 = 1;

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// An Avro record with a field of its own for every feature, read through a [`Mapping`].
    AvroRecord,
    /// Driftline's own Avro schema: the features are a map.
    AvroMap,
    /// The canonical schema as JSON.
    Json,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AvroRecord, Self::AvroMap, Self::Json];

    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AvroRecord => "Avro record",
            Self::AvroMap => "Avro map",
            Self::Json => "JSON",
        }
    }

    /// The decoder's format.
    #[must_use]
    pub fn format(self) -> Format {
        match self {
            Self::AvroRecord | Self::AvroMap => Format::Avro,
            Self::Json => Format::Json,
        }
    }

    /// The decoder's mapping.
    ///
    /// # Panics
    /// Never: the mapping is a constant.
    #[must_use]
    pub fn mapping(self) -> Mapping {
        match self {
            Self::AvroRecord => serde_json::from_str(RECORD_MAPPING).expect("a good mapping"),
            Self::AvroMap | Self::Json => Mapping::default(),
        }
    }

    /// The writer's schema, if the format has one.
    #[must_use]
    pub fn schema(self, names: &Names) -> Option<String> {
        match self {
            Self::AvroRecord => Some(record_schema(names)),
            Self::AvroMap => Some(PREDICTION_SCHEMA.to_owned()),
            Self::Json => None,
        }
    }

    /// Replaces what `out` holds with `event`.
    pub fn encode(self, names: &Names, event: &Event, out: &mut Vec<u8>) {
        out.clear();
        match self {
            Self::AvroRecord => record(names, event, out),
            Self::AvroMap => map(names, event, out),
            Self::Json => json(names, event, out),
        }
    }
}

/// The mapping of [`Encoding::AvroRecord`]. It is YAML as well.
pub const RECORD_MAPPING: &str = r#"{"id": "request_id", "model": "model", "version": "version",
  "time": "at", "features": "$", "outputs": {"value": "score"}}"#;

fn record_schema(names: &Names) -> String {
    let field = |name: &str, kind: &str| format!(r#"{{"name":"{name}","type":{kind}}}"#);
    let mut fields: Vec<String> = ["request_id", "model", "version"]
        .iter()
        .map(|name| field(name, r#""string""#))
        .collect();
    fields.push(field(
        "at",
        r#"{"type":"long","logicalType":"timestamp-micros"}"#,
    ));
    fields.extend(names.numbers.iter().map(|name| field(name, r#""double""#)));
    fields.extend(names.texts.iter().map(|name| field(name, r#""string""#)));
    fields.push(field("score", r#""double""#));
    let fields = fields.join(",");
    format!(r#"{{"type":"record","name":"Scored","fields":[{fields}]}}"#)
}

fn record(names: &Names, event: &Event, out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&SCHEMA_ID.to_be_bytes());
    put_text(&event.id, out);
    put_text(&names.models[event.model], out);
    put_text(VERSION, out);
    put_long(event.at.as_micros(), out);
    for x in event.numbers {
        out.extend_from_slice(&x.to_le_bytes());
    }
    for category in event.texts {
        put_text(&names.categories[category], out);
    }
    out.extend_from_slice(&event.score.to_le_bytes());
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

fn map(names: &Names, event: &Event, out: &mut Vec<u8>) {
    let mut features = [("", FeatureValue::Double(0.0)); NUMBERS + TEXTS];
    let (numbers, texts) = features.split_at_mut(NUMBERS);
    for ((slot, name), x) in numbers.iter_mut().zip(&names.numbers).zip(event.numbers) {
        *slot = (name, FeatureValue::Double(x));
    }
    for ((slot, name), category) in texts.iter_mut().zip(&names.texts).zip(event.texts) {
        *slot = (name, FeatureValue::Text(&names.categories[category]));
    }
    let prediction = Prediction {
        id: &event.id,
        model: &names.models[event.model],
        version: VERSION,
        predicted_at: event.at,
        features: &features,
        value: Some(event.score),
        ..Prediction::default()
    };
    PredictionEncoder::registry(SCHEMA_ID).encode(&prediction, out);
}

fn json(names: &Names, event: &Event, out: &mut Vec<u8>) {
    use std::fmt::Write as _;
    let mut text = format!(
        r#"{{"prediction_id":"{}","model_id":"{}","model_version":"{VERSION}","predicted_at":{},"features":{{"#,
        event.id,
        names.models[event.model],
        event.at.as_micros(),
    );
    // A String takes everything.
    for (name, x) in names.numbers.iter().zip(event.numbers) {
        let _ = write!(text, r#""{name}":{x:?},"#);
    }
    for (name, category) in names.texts.iter().zip(event.texts) {
        let _ = write!(text, r#""{name}":"{}","#, names.categories[category]);
    }
    text.pop();
    let _ = write!(text, r#"}},"prediction":{{"value":{}}}}}"#, event.score);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use driftline_engine::{ModelSet, ModelSpec};
    use driftline_event::{Row, Value};
    use driftline_wire::{Decoder, Limits};

    use super::*;
    use crate::traffic::{Traffic, reference};

    #[test]
    fn all_encodings_say_the_same() {
        let names = Names::new(2);
        let specs = (0..2).map(|i| ModelSpec::new(reference(&names, i, 1), &names.models[i], "1"));
        let models = ModelSet::new(specs.collect()).unwrap();
        let mut traffic = Traffic::new(5, 2, 1e3);
        let mut event = Event::default();
        let mut decoders = Encoding::ALL.map(|encoding| {
            let catalog = models.catalog().clone();
            let limits = Limits::default();
            let mut decoder =
                Decoder::new(encoding.format(), encoding.mapping(), catalog, limits).unwrap();
            if let Some(schema) = encoding.schema(&names) {
                decoder.add_schema(SCHEMA_ID, &schema).unwrap();
            }
            decoder
        });
        for _ in 0..20 {
            traffic.next_into(&mut event);
            let rows: Vec<String> = Encoding::ALL
                .iter()
                .zip(&mut decoders)
                .map(|(encoding, decoder)| {
                    let (mut bytes, mut row) = (Vec::new(), Row::default());
                    encoding.encode(&names, &event, &mut bytes);
                    decoder
                        .decode_prediction(Some(&bytes), [], None, &mut row)
                        .unwrap();
                    assert_eq!(row.time(), event.at);
                    let values = row.values().iter().map(|value| match value {
                        Value::Text(range) => format!("{:?} ", row.text(*range)),
                        other => format!("{other:?} "),
                    });
                    values.collect()
                })
                .collect();
            let numbers = rows[0].matches("Double").count();
            let texts = rows[0].matches("category-").count();
            assert_eq!((numbers, texts), (NUMBERS + 1, TEXTS), "{}", rows[0]);
            assert!(rows.iter().all(|row| *row == rows[0]), "{rows:#?}");
        }
    }
}
