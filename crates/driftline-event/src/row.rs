//! One decoded prediction, ready to be counted.

use crate::{LayoutId, Timestamp};

/// Where a text stands in a [`Row`]'s buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextRange {
    start: u32,
    len: u32,
}

impl TextRange {
    /// The `len` bytes from `start` on of a text given to [`Row::replace_text`].
    #[inline]
    pub const fn new(start: u32, len: u32) -> Self {
        Self { start, len }
    }
}

/// A value as it stands in the event, before anyone asks whether it fits its column.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Value {
    /// Null, or the field is not there.
    #[default]
    Missing,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Long(i64),
    /// A floating-point number, which may be NaN or infinite.
    Double(f64),
    /// A text, in the row's buffer.
    Text(TextRange),
    /// A value of a kind that no column takes (bytes, arrays, records).
    Unsupported,
}

/// One decoded prediction in the order of its model's columns.
///
/// A decoder keeps one `Row` and refills it message by message: texts are copied into the row's own
/// buffer, so nothing is allocated per event and nothing borrows from the message. A row is complete or it
/// is not handed on; a message that fails half-way leaves no trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    layout: LayoutId,
    at: Timestamp,
    id: TextRange,
    values: Vec<Value>,
    segments: Vec<Option<TextRange>>,
    text: String,
}

impl Row {
    /// Empties the row, keeping its buffers.
    #[inline]
    pub fn clear(&mut self) {
        self.layout = LayoutId::default();
        self.at = Timestamp::default();
        self.id = TextRange::default();
        self.values.clear();
        self.segments.clear();
        self.text.clear();
    }

    /// Fixes the layout: every one of its `columns` starts as missing, every one of its `segments` as none.
    #[inline]
    pub fn start(&mut self, layout: LayoutId, columns: usize, segments: usize) {
        self.layout = layout;
        self.values.clear();
        self.values.resize(columns, Value::Missing);
        self.segments.clear();
        self.segments.resize(segments, None);
    }

    /// Copies `text` into the row's buffer.
    #[inline]
    pub fn push_text(&mut self, text: &str) -> TextRange {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        TextRange {
            start,
            len: text.len() as u32,
        }
    }

    /// Makes `text` the row's buffer, for decoders that gather all texts of a message before they check
    /// them, and returns the buffer that it had, for the next message. Ranges into the old one lose their
    /// meaning.
    #[inline]
    pub fn replace_text(&mut self, text: String) -> String {
        std::mem::replace(&mut self.text, text)
    }

    /// Sets the event time.
    #[inline]
    pub fn set_time(&mut self, at: Timestamp) {
        self.at = at;
    }

    /// Sets the prediction's id.
    #[inline]
    pub fn set_id(&mut self, id: TextRange) {
        self.id = id;
    }

    /// Sets the value of a column. `column` is below the count given to [`Row::start`].
    #[inline]
    pub fn set_value(&mut self, column: usize, value: Value) {
        self.values[column] = value;
    }

    /// Sets the value of a segment field, or takes it back. `segment` is below the count given to
    /// [`Row::start`].
    #[inline]
    pub fn set_segment(&mut self, segment: usize, value: impl Into<Option<TextRange>>) {
        self.segments[segment] = value.into();
    }

    /// The layout that the values follow.
    #[inline]
    pub fn layout(&self) -> LayoutId {
        self.layout
    }

    /// The event time.
    #[inline]
    pub fn time(&self) -> Timestamp {
        self.at
    }

    /// The prediction's id.
    #[inline]
    pub fn id(&self) -> &str {
        self.text(self.id)
    }

    /// The values, by column.
    #[inline]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values, by column, to fill many at once.
    #[inline]
    pub fn values_mut(&mut self) -> &mut [Value] {
        &mut self.values
    }

    /// The values of the segment fields, by the order of the layout's segments.
    #[inline]
    pub fn segments(&self) -> impl Iterator<Item = Option<&str>> {
        self.segments
            .iter()
            .map(|s| s.map(|range| self.text(range)))
    }

    /// The text at `range`, which came from this row's [`Row::push_text`].
    #[inline]
    pub fn text(&self, range: TextRange) -> &str {
        let start = range.start as usize;
        self.text
            .get(start..start + range.len as usize)
            .unwrap_or("")
    }
}
