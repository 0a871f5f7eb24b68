//! The texts of one message, gathered first and checked together.

use driftline_event::{Row, TextRange};

use crate::reject::Fault;

/// Texts one after the other. They are known to be UTF-8 once [`Texts::finish`] has said so: the whole is
/// checked then, and no text begins within a character, so every one of them is text too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    bytes: Vec<u8>,
    /// How the texts begin, all together.
    begins: u8,
}

/// Short texts are copied with what follows them, in one move of this many bytes.
const SHORT: usize = 16;

/// The first byte is not the first of a character.
const WITHIN: u8 = 1;
/// The first byte is that of a number's name.
const NUMBER: u8 = 2;

/// What a first byte says of its text.
const BEGINS: [u8; 256] = {
    let mut begins = [0; 256];
    let mut byte = 0x80;
    while byte < 0xc0 {
        begins[byte] = WITHIN;
        byte += 1;
    }
    begins[b'N' as usize] = NUMBER;
    begins[b'I' as usize] = NUMBER;
    begins[b'-' as usize] = NUMBER;
    begins
};

impl Texts {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.begins = 0;
    }

    /// Whether a text may be the name of a number, such as `NaN`.
    pub(crate) fn names_number(&self) -> bool {
        self.begins & NUMBER != 0
    }

    /// Adds the first `len` bytes of `from`, or all when there are fewer.
    #[inline(always)]
    pub(crate) fn push(&mut self, from: &[u8], len: usize) -> TextRange {
        let start = self.bytes.len();
        match from.first_chunk::<SHORT>() {
            Some(short) if len <= SHORT => {
                self.bytes.extend_from_slice(short);
                self.bytes.truncate(start + len);
            }
            _ => {
                let text = from.get(..len).unwrap_or(from);
                self.bytes.extend_from_slice(text);
            }
        }
        if let (Some(&first), 1..) = (from.first(), len) {
            self.begins |= BEGINS[usize::from(first)];
        }
        TextRange::new(start as u32, len as u32)
    }

    /// Hands the texts to the row, if they are texts.
    #[inline]
    pub(crate) fn finish(&mut self, row: &mut Row) -> Result<(), Fault> {
        if self.begins & WITHIN != 0 {
            return Err(Fault::BadText);
        }
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
