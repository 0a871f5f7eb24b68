//! Where a decoder puts the values of one message before anyone knows whose they are.

use driftline_event::{TextRange, Value};

use crate::mapping::TimeUnit;
use crate::reject::Fault;
use crate::target::Head;
use crate::texts::Texts;

/// Where a key stands: in the message, or, as if it followed the message, in the keys kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// A value that every event has at most once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar {
    Plain(Value),
    /// An integer that is a time, in the unit that the writer's schema says.
    Instant(i64, TimeUnit),
}

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Nowhere,
    Head(Head),
    /// A value whose name is known beforehand.
    Slot(u32),
    /// A value named by the key at hand, under the rest of this number.
    Entry(u16),
    /// Several of the above: a range of a table.
    Many(u32, u32),
}

/// A value under the key that the message gave it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) rest: u16,
    pub(crate) value: Value,
}

/// The buffers of one message, kept from message to message.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    pub(crate) heads: [Scalar; Head::COUNT],
    pub(crate) slots: Vec<Value>,
    pub(crate) entries: Vec<Entry>,
    /// The texts of all values; empty once they are the row's.
    pub(crate) texts: Texts,
    /// Keys that do not stand in the message as they are.
    keys: String,
    /// For a text at hand that must be written out first.
    pub(crate) unescaped: String,
    items_left: usize,
    items_max: usize,
    pub(crate) string_bytes_max: usize,
}

impl Scratch {
    pub(crate) fn new(features_max: usize, string_bytes_max: usize) -> Self {
        Self {
            heads: [Scalar::Plain(Value::Missing); Head::COUNT],
            slots: Vec::new(),
            entries: Vec::new(),
            texts: Texts::default(),
            keys: String::new(),
            unescaped: String::new(),
            items_left: 0,
            items_max: features_max,
            string_bytes_max,
        }
    }

    /// Forgets the last message and makes room for `slots` values.
    #[inline]
    pub(crate) fn start(&mut self, slots: usize) {
        self.heads = [Scalar::Plain(Value::Missing); Head::COUNT];
        self.slots.clear();
        self.slots.resize(slots, Value::Missing);
        self.entries.clear();
        self.texts.clear();
        self.keys.clear();
        self.items_left = self.items_max;
    }

    #[inline]
    pub(crate) fn head(&self, head: Head) -> Scalar {
        self.heads[head as usize]
    }

    /// The bytes of a key, from `payload` or from the keys kept.
    pub(crate) fn key<'a>(&'a self, key: Key, payload: &'a [u8]) -> &'a [u8] {
        let start = key.start as usize;
        let (from, start) = match start.checked_sub(payload.len()) {
            Some(start) => (self.keys.as_bytes(), start),
            None => (payload, start),
        };
        from.get(start..start + key.len as usize).unwrap_or(&[])
    }

    /// Counts a key of the message against the bounds and remembers its place.
    #[inline(always)]
    pub(crate) fn place_key(&mut self, start: usize, len: usize) -> Result<Key, Fault> {
        self.count_key(len)?;
        Ok(Key {
            start: start as u32,
            len: len as u32,
        })
    }

    /// Counts a key against the bounds and keeps it, since it does not stand in the message, which ends at
    /// `end`, as it is.
    pub(crate) fn keep_key(&mut self, key: &str, end: usize) -> Result<Key, Fault> {
        self.count_key(key.len())?;
        let start = end + self.keys.len();
        self.keys.push_str(key);
        Ok(Key {
            start: start as u32,
            len: key.len() as u32,
        })
    }

    #[inline(always)]
    fn count_key(&mut self, len: usize) -> Result<(), Fault> {
        self.items_left = self.items_left.checked_sub(1).ok_or(Fault::TooManyItems)?;
        if len > self.string_bytes_max {
            return Err(Fault::TextTooLong);
        }
        Ok(())
    }

    /// Adds the text that is the first `len` bytes of `from`.
    #[inline(always)]
    pub(crate) fn text(&mut self, from: &[u8], len: usize) -> Result<TextRange, Fault> {
        if len > self.string_bytes_max {
            return Err(Fault::TextTooLong);
        }
        Ok(self.texts.push(from, len))
    }

    /// Puts a value where it belongs; where only one is taken it goes as `scalar`.
    #[inline]
    pub(crate) fn put(&mut self, to: To, many: &[To], key: Key, value: Value, scalar: Scalar) {
        match to {
            To::Nowhere => {}
            To::Slot(slot) => self.put_slot(slot, value),
            To::Entry(rest) => self.entries.push(Entry { key, rest, value }),
            To::Head(head) => self.heads[head as usize] = scalar,
            To::Many(first, count) => {
                let range = first as usize..first as usize + count as usize;
                self.put_many(many.get(range).unwrap_or(&[]), key, value, scalar);
            }
        }
    }

    #[inline(never)]
    fn put_many(&mut self, many: &[To], key: Key, value: Value, scalar: Scalar) {
        for &to in many {
            self.put(to, &[], key, value, scalar);
        }
    }

    /// Slots in a row.
    #[inline]
    pub(crate) fn slots(&mut self, first: u32, count: u32) -> &mut [Value] {
        let first = first as usize;
        let slots = self.slots.get_mut(first..first + count as usize);
        slots.unwrap_or_default()
    }

    #[inline]
    pub(crate) fn put_slot(&mut self, slot: u32, value: Value) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = value;
        }
    }
}
