//! Why a record did not count.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What becomes of a record that does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectKind {
    /// The record cannot be used by anyone: it goes to the dead-letter topic with its reason.
    DeadLetter,
    /// The record is well-formed but outside what is monitored: it is only counted.
    CountOnly,
}

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $variant:ident = $label:literal, $kind:ident;)*) => {
        /// Why a record did not count. Received = counted + dropped, by reason, is an invariant.
        ///
        /// The labels are stable: they are metric labels and dead-letter headers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum DropReason {
            $($(#[$doc])* #[serde(rename = $label)] $variant,)*
        }

        impl DropReason {
            /// Every reason, in the order of the pipeline.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable label, safe as a metric label value.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }

            /// Whether the record goes to the dead-letter topic or is only counted.
            pub const fn kind(self) -> RejectKind {
                match self { $(Self::$variant => RejectKind::$kind),* }
            }
        }
    };
}

drop_reasons! {
    /// The message has no bytes (a tombstone or an empty value).
    Empty = "empty", DeadLetter;
    /// The message is larger than the configured bound.
    Oversize = "oversize", DeadLetter;
    /// The bytes are not what the configured format promises.
    Malformed = "malformed", DeadLetter;
    /// The registry does not know the schema id, or its schema cannot be read as this kind of event.
    UnknownSchema = "unknown_schema", DeadLetter;
    /// A field that routing or time needs is missing or has the wrong type.
    MissingField = "missing_field", DeadLetter;
    /// More features, longer strings or deeper nesting than the bounds allow.
    BoundExceeded = "bound_exceeded", DeadLetter;
    /// The event time is not plausible: zero, negative, in another unit, or decades away.
    InvalidTimestamp = "invalid_timestamp", DeadLetter;
    /// The event time is further ahead of the record's own timestamp than the allowed skew.
    Future = "future", DeadLetter;
    /// The configuration does not name this model or version.
    UnknownModel = "unknown_model", DeadLetter;
    /// The event came after its pane had closed.
    Late = "late", CountOnly;
    /// The event falls outside the deterministic sample.
    SampledOut = "sampled_out", CountOnly;
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
