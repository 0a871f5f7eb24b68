//! The demo's traffic: the flights' predictions and late labels as a serving service would send them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use driftline_event::Timestamp;
use driftline_kafka::{OutRecord, Producer};
use driftline_wire::{FeatureValue, Label, LabelEncoder, Prediction, PredictionEncoder};

use super::{MODEL, VERSION};
use crate::data::{FLIGHTS_LABELS, FLIGHTS_PREDICTIONS};
use crate::exit::Failure;
use crate::files::{Cell, FileError, Input, Record, RecordReader};
use crate::pipeline::kafka_failure;

/// How many predictions may be on their way. The embedded broker keeps about 5 MB a partition and then forgets
/// the oldest records without a word, so the producer must not run ahead.
const IN_FLIGHT_MAX: u64 = 20_000;
/// How long a full queue is waited for.
const SEND_WITHIN: Duration = Duration::from_secs(30);
/// How often a waiting producer looks again.
const NAP: Duration = Duration::from_millis(2);

/// Where traffic goes and how fast.
#[derive(Clone, Debug)]
pub(super) struct TrafficOptions {
    /// The topic of predictions.
    pub(super) predictions_topic: String,
    /// The topic of labels.
    pub(super) labels_topic: String,
    /// The registry's ids of the two schemas.
    pub(super) schema_ids: (u32, u32),
    /// Events before this are left out.
    pub(super) since: Timestamp,
    /// Event time replayed per second of real time; infinite is as fast as it goes.
    pub(super) speed: f64,
}

/// What has been sent so far.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Predictions.
    pub(super) predictions: AtomicU64,
    /// Labels.
    pub(super) labels: AtomicU64,
    /// Event time of the newest, in microseconds.
    pub(super) event_time: std::sync::atomic::AtomicI64,
}

/// Reads one of the embedded files, one record ahead.
struct Stream {
    reader: RecordReader,
    record: Record,
    time: usize,
    next: Option<Timestamp>,
}

impl Stream {
    fn open(name: &'static str, bytes: &'static [u8], time: &str) -> Result<Self, FileError> {
        let reader = RecordReader::open(&Input::Bytes { name, bytes })?;
        let time = reader.columns().iter().position(|c| c == time).unwrap_or(0);
        let mut stream = Self {
            reader,
            record: Record::default(),
            time,
            next: None,
        };
        stream.advance()?;
        Ok(stream)
    }

    fn advance(&mut self) -> Result<(), FileError> {
        self.next = match self.reader.read(&mut self.record)? {
            true => match self.record.cells().get(self.time) {
                Some(Cell::Time(micros)) => Some(Timestamp::from_micros(*micros)),
                _ => Some(Timestamp::MIN),
            },
            false => None,
        };
        Ok(())
    }

    fn cell(&self, name: &str) -> Cell {
        let index = self.reader.columns().iter().position(|c| c == name);
        index
            .and_then(|i| self.record.cells().get(i).copied())
            .unwrap_or_default()
    }

    fn value(&self, cell: Cell) -> FeatureValue<'_> {
        match cell {
            Cell::Bool(b) => FeatureValue::Bool(b),
            Cell::Long(n) => FeatureValue::Long(n),
            Cell::Double(x) => FeatureValue::Double(x),
            Cell::Text(..) => self
                .record
                .text(cell)
                .map_or(FeatureValue::Null, FeatureValue::Text),
            Cell::Missing | Cell::Time(_) | Cell::Unsupported => FeatureValue::Null,
        }
    }

    fn text(&self, name: &str) -> String {
        self.record
            .category(self.cell(name))
            .unwrap_or_default()
            .into_owned()
    }
}

/// Sends the year, label by label when it became known, until it is over or `stop` is set.
///
/// `taken` tells how many predictions the pipeline has taken; the producer never runs far ahead of it.
///
/// # Errors
/// When the broker does not take the records.
pub(super) fn send(
    producer: &Producer,
    options: &TrafficOptions,
    sent: &Arc<Sent>,
    taken: impl Fn() -> u64,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    let mut predictions = Stream::open("predictions.parquet", FLIGHTS_PREDICTIONS, "ts")?;
    let mut labels = Stream::open("labels.parquet", FLIGHTS_LABELS, "label_ts")?;
    let encoders = (
        PredictionEncoder::registry(options.schema_ids.0),
        LabelEncoder::registry(options.schema_ids.1),
    );
    let started = Instant::now();
    let mut buffer = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let is_label = match (predictions.next, labels.next) {
            (None, None) => break,
            (Some(p), Some(l)) => l < p,
            (p, _) => p.is_none(),
        };
        let stream = if is_label {
            &mut labels
        } else {
            &mut predictions
        };
        let at = stream.next.unwrap_or(Timestamp::MIN);
        if at >= options.since {
            wait_for(started, at.since(options.since), options.speed, stop);
            while sent
                .predictions
                .load(Ordering::Relaxed)
                .saturating_sub(taken())
                >= IN_FLIGHT_MAX
                && !stop.load(Ordering::Acquire)
            {
                thread::sleep(NAP);
            }
            let (topic, key, counter) = if is_label {
                let key = encode_label(stream, at, encoders.1, &mut buffer);
                (&options.labels_topic, key, &sent.labels)
            } else {
                let key = encode_prediction(stream, at, encoders.0, &mut buffer);
                (&options.predictions_topic, key, &sent.predictions)
            };
            let record = OutRecord {
                topic: topic.clone(),
                key: Some(key.into_bytes()),
                value: Some(buffer.clone()),
                ..OutRecord::default()
            };
            producer
                .send(&record, SEND_WITHIN)
                .map_err(|e| kafka_failure(&e))?;
            counter.fetch_add(1, Ordering::Relaxed);
            sent.event_time.store(at.as_micros(), Ordering::Relaxed);
        }
        stream.advance()?;
    }
    producer.flush(SEND_WITHIN).map_err(|e| kafka_failure(&e))
}

/// Waits until `passed` of event time may have gone by.
fn wait_for(started: Instant, passed: Duration, speed: f64, stop: &AtomicBool) {
    let due = Duration::try_from_secs_f64(passed.as_secs_f64() / speed).unwrap_or(Duration::ZERO);
    while let Some(rest) = due
        .checked_sub(started.elapsed())
        .filter(|rest| !rest.is_zero())
    {
        if stop.load(Ordering::Acquire) {
            return;
        }
        thread::sleep(rest.min(Duration::from_millis(50)));
    }
}

fn encode_prediction(
    stream: &Stream,
    at: Timestamp,
    encoder: PredictionEncoder,
    into: &mut Vec<u8>,
) -> String {
    let id = stream.text("id");
    let label = stream.text("pred");
    let feature = |name: &&'static str| (*name, stream.value(stream.cell(name)));
    let features: Vec<(&str, FeatureValue<'_>)> = super::FEATURES.iter().map(feature).collect();
    let score = match stream.cell("score") {
        Cell::Double(x) => Some(x),
        _ => None,
    };
    let prediction = Prediction {
        id: &id,
        model: MODEL,
        version: VERSION,
        predicted_at: at,
        features: &features,
        label: Some(&label),
        value: score,
        ..Prediction::default()
    };
    encoder.encode(&prediction, into);
    id
}

fn encode_label(
    stream: &Stream,
    at: Timestamp,
    encoder: LabelEncoder,
    into: &mut Vec<u8>,
) -> String {
    let id = stream.text("id");
    let late = stream.text("late");
    let label = Label {
        id: &id,
        model: Some(MODEL),
        observed_at: at,
        label: Some(&late),
        ..Label::default()
    };
    encoder.encode(&label, into);
    id
}
