//! Why a message gave no row.

use std::fmt;

use driftline_event::DropReason;

/// How a message names its writer's schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SchemaId {
    /// The registry's number, as in the classic framing.
    Id(u32),
    /// The registry's GUID, as newer clients put it into a header.
    Guid([u8; 16]),
}

impl From<u32> for SchemaId {
    fn from(id: u32) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Guid(bytes) => {
                for (i, byte) in bytes.iter().enumerate() {
                    let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
                    write!(f, "{dash}{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

/// Why a message gave no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// The message does not count, for this reason; the text says more to a person.
    Drop(DropReason, String),
    /// The writer's schema is not known yet: fetch it, give it to the decoder, and decode again.
    NeedSchema(SchemaId),
}

impl Reject {
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::Drop(DropReason::Malformed, detail.into())
    }

    pub(crate) fn missing(detail: impl Into<String>) -> Self {
        Self::Drop(DropReason::MissingField, detail.into())
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop(reason, detail) => write!(f, "{reason}: {detail}"),
            Self::NeedSchema(id) => write!(f, "schema {id} is not known yet"),
        }
    }
}

impl std::error::Error for Reject {}

/// A fault met deep inside a decoder, where nothing may be allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Truncated,
    BadBoolean,
    BadLength,
    BadVarint,
    IntRange,
    NoSuchBranch,
    NoSuchSymbol,
    BadText,
    TooManyItems,
    TextTooLong,
    TooDeep,
    NotJson,
}

impl Fault {
    pub(crate) fn reject(self) -> Reject {
        let (reason, text) = match self {
            Self::Truncated => (DropReason::Malformed, "the message ends within a value"),
            Self::BadBoolean => (DropReason::Malformed, "a boolean is neither 0 nor 1"),
            Self::BadLength => (
                DropReason::Malformed,
                "a length or block count is negative or absurd",
            ),
            Self::BadVarint => (DropReason::Malformed, "an integer has more than ten bytes"),
            Self::IntRange => (DropReason::Malformed, "an int does not fit 32 bits"),
            Self::NoSuchBranch => (
                DropReason::Malformed,
                "a union names a branch it does not have",
            ),
            Self::NoSuchSymbol => (
                DropReason::Malformed,
                "an enum names a symbol it does not have",
            ),
            Self::BadText => (DropReason::Malformed, "a text is not UTF-8"),
            Self::TooManyItems => (
                DropReason::BoundExceeded,
                "more map entries or items than features_max allows",
            ),
            Self::TextTooLong => (
                DropReason::BoundExceeded,
                "a text or key is longer than string_bytes_max",
            ),
            Self::NotJson => (DropReason::Malformed, "not JSON"),
            Self::TooDeep => (
                DropReason::BoundExceeded,
                "values are nested deeper than nesting_max",
            ),
        };
        Reject::Drop(reason, text.to_owned())
    }
}
