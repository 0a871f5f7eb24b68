//! The texts of one message, gathered first and checked together.

use driftline_event::{Row, TextRange};

use crate::reject::Fault;

/// Texts one after the other. They are known to be UTF-8 once [`Texts::finish`] has said so: the whole is
/// checked then, and no text begins within a character, so every one of them is text too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    bytes: Vec<u8>,
    names_number: bool,
}

/// Short texts are copied with what follows them, in one move of this many bytes.
const SHORT: usize = 16;

impl Texts {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.names_number = false;
    }

    /// Whether a text may be the name of a number, such as `NaN`.
    pub(crate) fn names_number(&self) -> bool {
        self.names_number
    }

    /// Adds the first `len` bytes of `from`, or all when there are fewer.
    #[inline]
    pub(crate) fn push(&mut self, from: &[u8], len: usize) -> Result<TextRange, Fault> {
        let start = self.bytes.len();
        match from.first_chunk::<SHORT>() {
            Some(short) if len <= SHORT => {
                self.bytes.extend_from_slice(short);
                self.bytes.truncate(start + len);
            }
            _ => self
                .bytes
                .extend_from_slice(from.get(..len).unwrap_or(from)),
        }
        match self.bytes.get(start) {
            Some(0x80..0xc0) => return Err(Fault::BadText),
            Some(b'N' | b'I' | b'-') => self.names_number = true,
            _ => {}
        }
        Ok(TextRange::new(start as u32, len as u32))
    }

    /// Adds a character to the text added last.
    pub(crate) fn push_char(&mut self, c: char) {
        self.bytes
            .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// The bytes at `range`.
    pub(crate) fn bytes(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or(&[])
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Hands the texts to the row, if they are texts.
    #[inline]
    pub(crate) fn finish(&mut self, row: &mut Row) -> Result<(), Fault> {
        match String::from_utf8(std::mem::take(&mut self.bytes)) {
            Ok(text) => {
                self.bytes = row.replace_text(text).into_bytes();
                Ok(())
            }
            Err(error) => {
                self.bytes = error.into_bytes();
                Err(Fault::BadText)
            }
        }
    }
}
