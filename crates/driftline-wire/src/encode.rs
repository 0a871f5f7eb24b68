//! Predictions and labels in the canonical Avro schemas, for producers of our own.

use driftline_event::Timestamp;

use crate::framing;

/// A feature's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FeatureValue<'a> {
    /// A missing value.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Long(i64),
    /// A number.
    Double(f64),
    /// A category.
    Text(&'a str),
}

/// A prediction to be written. The fields are those of [`crate::PREDICTION_SCHEMA`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prediction<'a> {
    /// The prediction's id.
    pub id: &'a str,
    /// The model's name.
    pub model: &'a str,
    /// The model's version.
    pub version: &'a str,
    /// When the prediction was made.
    pub predicted_at: Timestamp,
    /// The model's inputs by name.
    pub features: &'a [(&'a str, FeatureValue<'a>)],
    /// The class that was decided for.
    pub label: Option<&'a str>,
    /// The score or value.
    pub value: Option<f64>,
    /// Scores by class.
    pub scores: &'a [(&'a str, f64)],
    /// Fields that events are cut by.
    pub segments: &'a [(&'a str, &'a str)],
}

/// A label to be written. The fields are those of [`crate::LABEL_SCHEMA`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Label<'a> {
    /// The id of the prediction that this is the truth of.
    pub id: &'a str,
    /// The model's name, where it is known.
    pub model: Option<&'a str>,
    /// The model's version, where it is known.
    pub version: Option<&'a str>,
    /// When the truth became known.
    pub observed_at: Timestamp,
    /// The true class.
    pub label: Option<&'a str>,
    /// The true value of a regression.
    pub value: Option<f64>,
    /// How much it counts.
    pub weight: f64,
    /// A higher revision replaces a lower one.
    pub revision: i64,
}

impl Default for Label<'_> {
    fn default() -> Self {
        Self {
            id: "",
            model: None,
            version: None,
            observed_at: Timestamp::default(),
            label: None,
            value: None,
            weight: 1.0,
            revision: 0,
        }
    }
}

/// Writes predictions in [`crate::PREDICTION_SCHEMA`].
#[derive(Clone, Copy, Debug, Default)]
pub struct PredictionEncoder {
    schema_id: Option<u32>,
}

impl PredictionEncoder {
    /// In the framing of the registry that gave the schema this id.
    pub fn registry(schema_id: u32) -> Self {
        Self {
            schema_id: Some(schema_id),
        }
    }

    /// Without framing.
    pub fn plain() -> Self {
        Self { schema_id: None }
    }

    /// Replaces what `into` holds with the message.
    pub fn encode(&self, prediction: &Prediction<'_>, into: &mut Vec<u8>) {
        into.clear();
        if let Some(id) = self.schema_id {
            framing::write_id(id, into);
        }
        let mut avro = Avro { into };
        avro.text(prediction.id);
        avro.text(prediction.model);
        avro.text(prediction.version);
        avro.long(prediction.predicted_at.as_micros());
        avro.map(prediction.features, |avro, value| match *value {
            FeatureValue::Null => avro.long(0),
            FeatureValue::Bool(b) => avro.branch(1).into.push(u8::from(b)),
            FeatureValue::Long(n) => avro.branch(2).long(n),
            FeatureValue::Double(x) => avro.branch(3).double(x),
            FeatureValue::Text(text) => avro.branch(4).text(text),
        });
        avro.optional(prediction.label, Avro::text);
        avro.optional(prediction.value, Avro::double);
        let scores = Some(prediction.scores).filter(|scores| !scores.is_empty());
        avro.optional(scores, |avro, scores| {
            avro.map(scores, |avro, score| avro.double(*score))
        });
        avro.map(prediction.segments, |avro, text| avro.text(text));
        // No embeddings; no entity, no deployment; sampling rate 1; no latency, no trace; no metadata.
        for _ in 0..3 {
            avro.long(0);
        }
        avro.double(1.0);
        for _ in 0..3 {
            avro.long(0);
        }
    }
}

/// Writes labels in [`crate::LABEL_SCHEMA`].
#[derive(Clone, Copy, Debug, Default)]
pub struct LabelEncoder {
    schema_id: Option<u32>,
}

impl LabelEncoder {
    /// In the framing of the registry that gave the schema this id.
    pub fn registry(schema_id: u32) -> Self {
        Self {
            schema_id: Some(schema_id),
        }
    }

    /// Without framing.
    pub fn plain() -> Self {
        Self { schema_id: None }
    }

    /// Replaces what `into` holds with the message.
    pub fn encode(&self, label: &Label<'_>, into: &mut Vec<u8>) {
        into.clear();
        if let Some(id) = self.schema_id {
            framing::write_id(id, into);
        }
        let mut avro = Avro { into };
        avro.text(label.id);
        avro.optional(label.model, Avro::text);
        avro.optional(label.version, Avro::text);
        avro.long(label.observed_at.as_micros());
        avro.optional(label.label, Avro::text);
        avro.optional(label.value, Avro::double);
        avro.double(label.weight);
        // No source.
        avro.long(0);
        avro.long(label.revision);
        // No metadata.
        avro.long(0);
    }
}

struct Avro<'v> {
    into: &'v mut Vec<u8>,
}

impl Avro<'_> {
    fn long(&mut self, n: i64) {
        let mut rest = ((n << 1) ^ (n >> 63)).cast_unsigned();
        while rest >= 0x80 {
            self.into.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.into.push(rest as u8);
    }

    fn double(&mut self, x: f64) {
        self.into.extend_from_slice(&x.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.long(text.len() as i64);
        self.into.extend_from_slice(text.as_bytes());
    }

    fn branch(&mut self, branch: i64) -> &mut Self {
        self.long(branch);
        self
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.long(0),
            Some(value) => write(self.branch(1), value),
        }
    }

    fn map<T>(&mut self, entries: &[(&str, T)], write: impl Fn(&mut Self, &T)) {
        if !entries.is_empty() {
            self.long(entries.len() as i64);
            for (key, value) in entries {
                self.text(key);
                write(self, value);
            }
        }
        self.long(0);
    }
}
