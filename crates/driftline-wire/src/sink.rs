//! Where a decoder puts the values of one message before anyone knows whose they are.

use driftline_event::{Row, Value};

use crate::mapping::TimeUnit;
use crate::reject::Fault;
use crate::target::Head;

/// A text of the message that is still where it came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Raw {
    start: u32,
    len: u32,
    /// Whether it stands in the scratch text (it was escaped in the message) or in the message itself.
    unescaped: bool,
}

/// A scalar of the message, before its text is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Scalar {
    #[default]
    Missing,
    Bool(bool),
    Long(i64),
    Instant(i64, TimeUnit),
    Double(f64),
    Text(Raw),
    Unsupported,
}

/// A scalar as the reader meets it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token<'t> {
    Null,
    Bool(bool),
    Long(i64),
    Instant(i64, TimeUnit),
    Double(f64),
    /// Bytes of the message that promise to be text, and where they begin.
    Text(usize, &'t [u8]),
    /// A text that the message holds in another form, or not at all.
    Owned(&'t str),
    Unsupported,
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
    pub(crate) key: Raw,
    pub(crate) rest: u16,
    pub(crate) value: Value,
}

/// The buffers of one message, kept from message to message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) heads: [Scalar; Head::COUNT],
    pub(crate) slots: Vec<Value>,
    pub(crate) entries: Vec<Entry>,
    text: String,
    items: usize,
    pub(crate) items_max: usize,
    pub(crate) string_bytes_max: usize,
}

impl Scratch {
    pub(crate) fn new(features_max: usize, string_bytes_max: usize) -> Self {
        Self {
            items_max: features_max,
            string_bytes_max,
            ..Self::default()
        }
    }

    /// Forgets the last message and makes room for `slots` values.
    pub(crate) fn start(&mut self, slots: usize) {
        self.heads = [Scalar::Missing; Head::COUNT];
        self.slots.clear();
        self.slots.resize(slots, Value::Missing);
        self.entries.clear();
        self.text.clear();
        self.items = 0;
    }

    pub(crate) fn head(&self, head: Head) -> Scalar {
        self.heads[head as usize]
    }

    /// The bytes of a text, from `payload` or from the scratch text.
    pub(crate) fn bytes<'a>(&'a self, raw: Raw, payload: &'a [u8]) -> &'a [u8] {
        let from = if raw.unescaped {
            self.text.as_bytes()
        } else {
            payload
        };
        from.get(raw.start as usize..raw.start as usize + raw.len as usize)
            .unwrap_or(&[])
    }

    /// Counts one map entry or array item against the bound.
    pub(crate) fn count_item(&mut self) -> Result<(), Fault> {
        self.items += 1;
        if self.items > self.items_max {
            Err(Fault::TooManyItems)
        } else {
            Ok(())
        }
    }

    /// Remembers a text of the message by its place.
    pub(crate) fn place(&self, start: usize, len: usize) -> Result<Raw, Fault> {
        if len > self.string_bytes_max {
            return Err(Fault::TextTooLong);
        }
        Ok(Raw {
            start: start as u32,
            len: len as u32,
            unescaped: false,
        })
    }

    /// Keeps a text that does not stand in the message as it is.
    pub(crate) fn keep(&mut self, text: &str) -> Result<Raw, Fault> {
        if text.len() > self.string_bytes_max {
            return Err(Fault::TextTooLong);
        }
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Ok(Raw {
            start,
            len: text.len() as u32,
            unescaped: true,
        })
    }

    fn scalar(&mut self, token: Token<'_>) -> Result<Scalar, Fault> {
        Ok(match token {
            Token::Null => Scalar::Missing,
            Token::Bool(b) => Scalar::Bool(b),
            Token::Long(n) => Scalar::Long(n),
            Token::Instant(n, unit) => Scalar::Instant(n, unit),
            Token::Double(x) => Scalar::Double(x),
            Token::Text(start, bytes) => {
                text(bytes)?;
                Scalar::Text(self.place(start, bytes.len())?)
            }
            Token::Owned(text) => Scalar::Text(self.keep(text)?),
            Token::Unsupported => Scalar::Unsupported,
        })
    }

    fn value(&self, token: Token<'_>, row: &mut Row) -> Result<Value, Fault> {
        Ok(match token {
            Token::Null => Value::Missing,
            Token::Bool(b) => Value::Bool(b),
            Token::Long(n) | Token::Instant(n, _) => Value::Long(n),
            Token::Double(x) => Value::Double(x),
            Token::Text(_, bytes) => self.text_value(text(bytes)?, row)?,
            Token::Owned(text) => self.text_value(text, row)?,
            Token::Unsupported => Value::Unsupported,
        })
    }

    fn text_value(&self, text: &str, row: &mut Row) -> Result<Value, Fault> {
        if text.len() > self.string_bytes_max {
            return Err(Fault::TextTooLong);
        }
        Ok(Value::Text(row.push_text(text)))
    }

    /// Puts a value where it belongs. Text that goes nowhere must still be text.
    #[inline]
    pub(crate) fn put(
        &mut self,
        to: To,
        many: &[To],
        key: Raw,
        token: Token<'_>,
        row: &mut Row,
    ) -> Result<(), Fault> {
        match to {
            To::Nowhere => {
                if let Token::Text(_, bytes) = token {
                    text(bytes)?;
                }
            }
            To::Slot(slot) => {
                let value = self.value(token, row)?;
                if let Some(place) = self.slots.get_mut(slot as usize) {
                    *place = value;
                }
            }
            To::Entry(rest) => {
                let value = self.value(token, row)?;
                self.entries.push(Entry { key, rest, value });
            }
            To::Head(head) => self.heads[head as usize] = self.scalar(token)?,
            To::Many(first, count) => {
                let range = first as usize..first as usize + count as usize;
                for &to in many.get(range).unwrap_or(&[]) {
                    self.put(to, &[], key, token, row)?;
                }
            }
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::BadText)
}
