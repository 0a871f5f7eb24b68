//! The invariants that the engine checks while it runs, numbered.
//!
//! | Number | What holds |
//! | --- | --- |
//! | I1 | Counts are conserved: every column of a delta accounts for every row of it |
//! | I2 | Offsets ascend: a source partition never hands out a record twice or out of order |
//! | I3 | Both sides mean the same: model, version, reference and pane width of a delta are the evaluator's |
//! | I4 | The ledger tiles: the offset ranges of a source partition are contiguous |
//! | I5 | Received = counted + dropped, and no more than the range holds |
//! | I6 | Progress is monotone: the watermark of a source partition never goes back |
//! | I7 | Bounds hold: no more panes are open than the configuration allows |
//! | I8 | The state that comes back from a commit is the state that was committed |
//!
//! A violation is an output, never a panic: the stream goes on, the metric counts, and the detail names the
//! numbers that do not fit.

use std::fmt;

use driftline_event::OffsetRange;

/// What must always hold. The variants are in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// I1: every column of a delta accounts for every row of it.
    CountsConserved,
    /// I2: a source partition never hands out a record twice or out of order.
    OffsetsAscend,
    /// I3: model, version, reference and pane width of a delta are the evaluator's.
    SameReference,
    /// I4: the offset ranges of a source partition are contiguous.
    LedgerTiles,
    /// I5: received = counted + dropped, and no more than the range holds.
    Accounted,
    /// I6: the watermark of a source partition never goes back.
    WatermarkMonotone,
    /// I7: no more panes are open than the configuration allows.
    Bounded,
    /// I8: the state that comes back from a commit is the state that was committed.
    StateRestored,
}

impl Invariant {
    /// All of them, in the order of their numbers.
    pub const ALL: &[Self] = &[
        Self::CountsConserved,
        Self::OffsetsAscend,
        Self::SameReference,
        Self::LedgerTiles,
        Self::Accounted,
        Self::WatermarkMonotone,
        Self::Bounded,
        Self::StateRestored,
    ];

    /// The stable label, with the number in front.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CountsConserved => "i1_counts_conserved",
            Self::OffsetsAscend => "i2_offsets_ascend",
            Self::SameReference => "i3_same_reference",
            Self::LedgerTiles => "i4_ledger_tiles",
            Self::Accounted => "i5_accounted",
            Self::WatermarkMonotone => "i6_watermark_monotone",
            Self::Bounded => "i7_bounded",
            Self::StateRestored => "i8_state_restored",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An invariant that did not hold, with the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// What was found, for people.
    pub detail: String,
}

impl Violation {
    pub(crate) fn new(invariant: Invariant, detail: impl Into<String>) -> Self {
        Self {
            invariant,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.detail)
    }
}

/// I1 on one column: its tallies add up to the rows.
pub(crate) const fn counts_conserved(rows: u64, in_column: u64) -> bool {
    rows == in_column
}

/// I5 on one ledger entry. Compaction and control records leave offsets without records, so a range may
/// hold more positions than records.
pub(crate) fn accounted(range: OffsetRange, received: u64, counted: u64, dropped: u64) -> bool {
    let positions = u64::try_from(range.to.saturating_sub(range.from)).unwrap_or(0);
    counted.checked_add(dropped) == Some(received) && received <= positions
}
