//! Bounds on what one message may hold.

use driftline_event::Timestamp;
use serde::{Deserialize, Serialize};

/// Bounds on one message. A message beyond one of them is dropped with its reason, before it costs memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of the whole message.
    pub message_bytes_max: usize,
    /// Entries of the maps and objects that are read, over the whole message.
    pub features_max: usize,
    /// Bytes of one text or key that is read.
    pub string_bytes_max: usize,
    /// Levels of records, maps, arrays and objects within one another.
    pub nesting_max: usize,
    /// The earliest event time that is believed.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub earliest: Timestamp,
    /// The latest event time that is believed.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub latest: Timestamp,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 1_000_000,
            features_max: 4_096,
            string_bytes_max: 1_024,
            nesting_max: 16,
            // 2000-01-01 and 2100-01-01: any mistaken unit falls outside.
            earliest: Timestamp::from_seconds(946_684_800),
            latest: Timestamp::from_seconds(4_102_444_800),
        }
    }
}
