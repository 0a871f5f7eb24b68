//! The operations that read one message of one writer's schema.

use crate::mapping::TimeUnit;
use crate::place::Shape;
use crate::sink::To;
use crate::target::Head;

/// A range of a table of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// How a scalar stands in the bytes and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Instant(TimeUnit),
    Date,
    Float,
    Double,
    Text,
    Bytes,
    Fixed(u32),
    /// The number of its symbol table.
    Enum(u32),
}

/// One step through a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// `count` plain doubles in a row into as many slots in a row.
    Doubles { slot: u32, count: u32 },
    /// `count` plain texts in a row into as many slots in a row.
    Texts { slot: u32, count: u32 },
    /// As many doubles or nulls; `null` is the branch of null.
    NullableDoubles { null: u8, slot: u32, count: u32 },
    /// As many texts or nulls; `null` is the branch of null.
    NullableTexts { null: u8, slot: u32, count: u32 },
    /// A text that every event has at most once.
    Head { head: Head },
    /// One scalar.
    Scalar { kind: Kind, to: To },
    /// A union of scalars: a range of the kinds.
    Scalars { kinds: Span, to: To },
    /// A union with branches that are not scalars: a range of the spans, each a range of operations.
    Branches { spans: Span },
    /// A map whose values are scalars that go under their keys to one rest. The kinds are the branches of
    /// a union, or one.
    Entries { kinds: Span, union: bool, rest: u16 },
    /// Any other map: the operations of a value by key for some keys, and for all others.
    Map {
        keyed: Span,
        other: Span,
        keep_key: bool,
    },
    /// An array whose items are not read.
    Array { item: Span },
    /// An array of items of the same size that are not read.
    FixedArray { item_bytes: u32 },
    /// Bytes that are not read.
    Skip { bytes: u32 },
    /// Something stands here that no column takes; its own operations follow.
    Unsupported { to: To },
}

/// The program of one writer's schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) ops: Vec<Op>,
    pub(crate) root: Span,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) spans: Vec<Span>,
    /// Keys of maps that have operations of their own.
    pub(crate) keyed: Vec<(Box<str>, Span)>,
    pub(crate) many: Vec<To>,
    pub(crate) symbols: Vec<Vec<Box<str>>>,
    pub(crate) shape: Shape,
}
