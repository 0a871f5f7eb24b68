//! Whether a number or a text is a believable event time.

use driftline_event::{DropReason, Row, Timestamp, Value};

use crate::limits::Limits;
use crate::mapping::{TimeField, TimeUnit};
use crate::reject::Reject;
use crate::sink::{Scalar, Scratch};
use crate::target::Head;

/// Reads event times.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    unit: TimeUnit,
    /// Whether the Kafka record's own timestamp is meant.
    record: bool,
    earliest: Timestamp,
    latest: Timestamp,
}

impl Clock {
    pub(crate) fn new(time: &TimeField, limits: &Limits) -> Self {
        let unit = time.parts().map(|(_, unit)| unit);
        Self {
            unit: unit.unwrap_or_default(),
            record: unit.is_none(),
            earliest: limits.earliest,
            latest: limits.latest,
        }
    }

    /// The event time of the message at hand; `row` has its texts.
    pub(crate) fn time(
        &self,
        scratch: &Scratch,
        row: &Row,
        record_time: Option<Timestamp>,
    ) -> Result<Timestamp, Reject> {
        if self.record {
            let at = record_time.ok_or_else(|| {
                Reject::missing("the Kafka record has no timestamp; map `time` to a field")
            })?;
            return self.check(at.as_micros(), TimeUnit::Micros, at);
        }
        match scratch.head(Head::Time) {
            Scalar::Instant(n, unit) => self.number(n, unit),
            Scalar::Plain(Value::Long(n)) => self.number(n, self.unit),
            Scalar::Plain(Value::Double(x)) => self.fraction(x),
            Scalar::Plain(Value::Text(range)) => {
                let at: Timestamp = row
                    .text(range)
                    .parse()
                    .map_err(|e| Reject::Drop(DropReason::InvalidTimestamp, format!("{e}")))?;
                self.check(at.as_micros(), TimeUnit::Micros, at)
            }
            Scalar::Plain(Value::Missing) => Err(Reject::missing(
                "the record has no event time; map `time` to a path, or to `record_timestamp: true`",
            )),
            Scalar::Plain(Value::Bool(_) | Value::Unsupported) => {
                Err(Reject::missing("`time` is neither a number nor a text"))
            }
        }
    }

    #[inline]
    fn number(&self, n: i64, unit: TimeUnit) -> Result<Timestamp, Reject> {
        self.check(n, unit, in_unit(n, unit))
    }

    fn fraction(&self, x: f64) -> Result<Timestamp, Reject> {
        let micros = match self.unit {
            TimeUnit::Seconds => x * 1e6,
            TimeUnit::Millis => x * 1e3,
            TimeUnit::Micros => x,
            TimeUnit::Nanos => x / 1e3,
        };
        // The cast saturates, and turns NaN to zero, which is never plausible.
        self.check(
            x as i64,
            self.unit,
            Timestamp::from_micros(micros.round() as i64),
        )
    }

    #[inline]
    fn check(&self, n: i64, unit: TimeUnit, at: Timestamp) -> Result<Timestamp, Reject> {
        if (self.earliest..=self.latest).contains(&at) {
            return Ok(at);
        }
        Err(Reject::Drop(
            DropReason::InvalidTimestamp,
            self.hint(n, unit, at),
        ))
    }

    #[cold]
    fn hint(&self, n: i64, unit: TimeUnit, at: Timestamp) -> String {
        let bounds = format!("{} to {}", self.earliest, self.latest);
        if n == 0 {
            return format!("the event time is zero, outside {bounds}");
        }
        let plausible = |&other: &TimeUnit| {
            other != unit && (self.earliest..=self.latest).contains(&in_unit(n, other))
        };
        match TimeUnit::ALL.iter().find(|other| plausible(other)) {
            Some(&other) => format!(
                "the event time {n} would be {} in {} but is {} in {}: set `time.unit: {}` or correct the producer",
                shown(at),
                unit.as_str(),
                in_unit(n, other),
                other.as_str(),
                other.as_str(),
            ),
            None if n < 0 => format!("the event time {n} is negative, outside {bounds}"),
            None => format!("the event time {} is outside {bounds}", shown(at)),
        }
    }
}

fn in_unit(n: i64, unit: TimeUnit) -> Timestamp {
    match unit {
        TimeUnit::Seconds => Timestamp::from_seconds(n),
        TimeUnit::Millis => Timestamp::from_millis(n),
        TimeUnit::Micros => Timestamp::from_micros(n),
        TimeUnit::Nanos => Timestamp::from_micros(n.div_euclid(1_000)),
    }
}

/// The date, or that there is none worth printing.
fn shown(at: Timestamp) -> String {
    let text = at.to_string();
    if text.len() > 40 || text.starts_with('-') {
        "absurd".to_owned()
    } else {
        text
    }
}
