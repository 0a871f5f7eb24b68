//! Messages that nobody can use, on their way to the dead-letter topic.

use driftline_event::DropReason;
use driftline_kafka::{Message, OutRecord};
use driftline_wire::dead_letter::{self, FailedStage, Origin, Original};

/// The largest value that a dead letter carries; a longer one is cut and says so. It leaves room for the
/// headers in a record of Kafka's default size.
const VALUE_BYTES_MAX: usize = 900_000;

/// Dead letters since the last flush.
#[derive(Debug)]
pub(super) struct Letters {
    app: String,
    topic: String,
    records: Vec<OutRecord>,
    reasons: Vec<DropReason>,
    bytes: usize,
}

impl Letters {
    pub(super) fn new(app: &str, topic: &str) -> Self {
        Self {
            app: app.to_owned(),
            topic: topic.to_owned(),
            records: Vec::new(),
            reasons: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds a message as it was read, with the reason and where it came from.
    pub(super) fn push(
        &mut self,
        message: &Message<'_>,
        reason: DropReason,
        detail: &str,
        stage: FailedStage,
    ) {
        let headers: Vec<(&str, &[u8])> = headers(message).collect();
        let original = Original {
            key: message.key,
            value: message.payload,
            headers: &headers,
        };
        let origin = Origin {
            source: message.source,
            offset: message.offset,
            timestamp: message.timestamp,
        };
        let letter = dead_letter::record(
            &original,
            &origin,
            reason,
            detail,
            stage,
            &self.app,
            VALUE_BYTES_MAX,
        );
        self.bytes += letter.body.as_ref().map_or(0, Vec::len) + 1_024;
        self.reasons.push(reason);
        self.records.push(OutRecord {
            topic: self.topic.clone(),
            partition: None,
            key: Some(letter.key),
            value: letter.body,
            headers: letter.headers,
            timestamp_millis: None,
        });
    }

    /// About how much memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Hands them over, with their reasons.
    pub(super) fn take(&mut self) -> (Vec<OutRecord>, Vec<DropReason>) {
        self.bytes = 0;
        (
            std::mem::take(&mut self.records),
            std::mem::take(&mut self.reasons),
        )
    }
}

/// The headers of a message that have a value.
pub(super) fn headers<'a>(
    message: &Message<'a>,
) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
    message
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name, value?)))
}
