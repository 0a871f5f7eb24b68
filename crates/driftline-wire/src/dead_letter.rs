//! Records that no one could use, with their reason and origin in headers.

use driftline_event::{DropReason, SourcePartition, Timestamp};

use crate::envelope::Envelope;

/// The step of the pipeline that could not use the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailedStage {
    /// Bytes to rows.
    Decode,
    /// Rows to counts.
    Observe,
    /// Labels to their predictions.
    Join,
}

impl FailedStage {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Observe => "observe",
            Self::Join => "join",
        }
    }
}

/// Where a record came from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The topic and partition.
    pub source: &'a SourcePartition,
    /// The record's offset.
    pub offset: i64,
    /// The record's own timestamp.
    pub timestamp: Option<Timestamp>,
}

/// The record as it was read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Original<'a> {
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// The longest message text in a header, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1_024;

/// The most headers of the original record that are kept.
pub const HEADERS_MAX: usize = 64;

/// The longest header value of the original record that is kept, in bytes.
pub const HEADER_BYTES_MAX: usize = 4_096;

/// The headers that say why and where: `driftline.error.{topic,partition,offset,timestamp,stage,code,message,app}`.
pub fn headers(
    origin: &Origin<'_>,
    reason: DropReason,
    detail: &str,
    stage: FailedStage,
    app: &str,
) -> Vec<(String, Vec<u8>)> {
    let timestamp = origin.timestamp.map(|t| t.to_string());
    let named = [
        ("topic", Some(origin.source.topic.clone())),
        ("partition", Some(origin.source.partition.to_string())),
        ("offset", Some(origin.offset.to_string())),
        ("timestamp", timestamp),
        ("stage", Some(stage.as_str().to_owned())),
        ("code", Some(reason.as_str().to_owned())),
        ("message", Some(cut(detail, MESSAGE_BYTES_MAX).to_owned())),
        ("app", Some(app.to_owned())),
    ];
    let header = |(name, value): (&str, Option<String>)| {
        Some((format!("driftline.error.{name}"), value?.into_bytes()))
    };
    named.into_iter().filter_map(header).collect()
}

/// The key of a dead letter: the same record always has the same key, so a replay writes no second letter.
pub fn key(origin: &Origin<'_>) -> Vec<u8> {
    format!("{}-{}", origin.source, origin.offset).into_bytes()
}

/// The whole record for the dead-letter topic: the value as it was, cut at `value_bytes_max`.
///
/// The record's own headers stand first; its key is in `driftline.error.key`. A value that was cut says so in
/// `driftline.error.value_truncated` and has its full length in `driftline.error.value_bytes`; headers that
/// were cut or left out are counted in `driftline.error.headers_truncated`.
pub fn record(
    original: &Original<'_>,
    origin: &Origin<'_>,
    reason: DropReason,
    detail: &str,
    stage: FailedStage,
    app: &str,
    value_bytes_max: usize,
) -> Envelope {
    let mut all: Vec<(String, Vec<u8>)> = original
        .headers
        .iter()
        .filter(|(_, value)| value.len() <= HEADER_BYTES_MAX)
        .take(HEADERS_MAX)
        .map(|(name, value)| ((*name).to_owned(), value.to_vec()))
        .collect();
    let lost = original.headers.len() - all.len();
    all.extend(headers(origin, reason, detail, stage, app));
    let mut extra =
        |name: &str, value: Vec<u8>| all.push((format!("driftline.error.{name}"), value));
    if let Some(key) = original.key {
        extra("key", key.get(..HEADER_BYTES_MAX).unwrap_or(key).to_vec());
    }
    if lost > 0 {
        extra("headers_truncated", lost.to_string().into_bytes());
    }
    let body = original.value.map(|value| {
        value
            .get(..value_bytes_max)
            .filter(|cut| cut.len() < value.len())
            .map_or_else(
                || value.to_vec(),
                |cut| {
                    extra("value_truncated", b"true".to_vec());
                    extra("value_bytes", value.len().to_string().into_bytes());
                    cut.to_vec()
                },
            )
    });
    Envelope {
        key: key(origin),
        headers: all,
        body,
    }
}

/// The longest beginning of `text` of at most `bytes_max` bytes that is still text.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_record_and_says_why_and_where_from() {
        let source = SourcePartition {
            topic: "predictions".into(),
            partition: 3,
        };
        let origin = Origin {
            source: &source,
            offset: 42,
            timestamp: Some(Timestamp::from_seconds(0)),
        };
        let original = Original {
            key: Some(b"k"),
            value: Some(b"0123456789"),
            headers: &[("trace", b"t"), ("big", &[0; HEADER_BYTES_MAX + 1])],
        };
        let detail = "ä".repeat(MESSAGE_BYTES_MAX);
        let stage = FailedStage::Decode;
        let letter = record(
            &original,
            &origin,
            DropReason::Malformed,
            &detail,
            stage,
            "app",
            4,
        );
        assert_eq!(letter.key, b"predictions-3-42");
        assert_eq!(letter.body.as_deref(), Some(&b"0123"[..]));
        for (name, value) in [
            ("trace", "t"),
            ("driftline.error.topic", "predictions"),
            ("driftline.error.partition", "3"),
            ("driftline.error.offset", "42"),
            ("driftline.error.timestamp", "1970-01-01T00:00:00Z"),
            ("driftline.error.stage", "decode"),
            ("driftline.error.code", "malformed"),
            ("driftline.error.message", &detail[..MESSAGE_BYTES_MAX]),
            ("driftline.error.app", "app"),
            ("driftline.error.key", "k"),
            ("driftline.error.value_truncated", "true"),
            ("driftline.error.value_bytes", "10"),
            ("driftline.error.headers_truncated", "1"),
        ] {
            assert_eq!(letter.header(name), Some(value.as_bytes()), "{name}");
        }
        assert_eq!(letter.header("big"), None);
    }

    #[test]
    fn a_tombstone_stays_one_and_a_short_value_is_whole() {
        let source = SourcePartition {
            topic: "t".into(),
            partition: 0,
        };
        let origin = Origin {
            source: &source,
            offset: 0,
            timestamp: None,
        };
        let letter = |original: &Original<'_>| {
            record(
                original,
                &origin,
                DropReason::Empty,
                "",
                FailedStage::Decode,
                "a",
                3,
            )
        };
        assert_eq!(letter(&Original::default()).body, None);
        let whole = letter(&Original {
            value: Some(b"abc"),
            ..Original::default()
        });
        assert_eq!(whole.body.as_deref(), Some(&b"abc"[..]));
        assert_eq!(whole.header("driftline.error.value_truncated"), None);
        assert_eq!(whole.header("driftline.error.timestamp"), None);
    }
}
