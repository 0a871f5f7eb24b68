//! Canonical variable-length integers, and a reader that cannot run past its end.
//!
//! Unsigned numbers are LEB128, signed ones zigzag first. Only the shortest form of a number is read, so
//! equal values have equal bytes.

/// Why bytes cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// The input ends inside a value.
    Truncated,
    /// A number is not in its shortest form or does not fit.
    NotCanonical,
    /// A text is not UTF-8.
    NotUtf8,
    /// A length is above its bound.
    TooLong,
}

pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, ((value << 1) ^ (value >> 63)) as u64);
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_u64(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A cursor over bytes from elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ReadError> {
        let (&first, rest) = self.rest.split_first().ok_or(ReadError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ReadError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(ReadError::NotCanonical);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                return if shortest {
                    Ok(value)
                } else {
                    Err(ReadError::NotCanonical)
                };
            }
        }
        Err(ReadError::NotCanonical)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, ReadError> {
        let value = self.u64()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ReadError> {
        u32::try_from(self.u64()?).map_err(|_| ReadError::TooLong)
    }

    /// A number of things that each take at least one byte, so it cannot exceed what is left.
    pub(crate) fn count(&mut self, max: usize) -> Result<usize, ReadError> {
        let count = usize::try_from(self.u64()?).map_err(|_| ReadError::TooLong)?;
        if count > max {
            return Err(ReadError::TooLong);
        }
        if count > self.rest.len() {
            Err(ReadError::Truncated)
        } else {
            Ok(count)
        }
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], ReadError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(ReadError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self, max: usize) -> Result<&'a str, ReadError> {
        let len = self.count(max)?;
        std::str::from_utf8(self.bytes(len)?).map_err(|_| ReadError::NotUtf8)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_not_the_shortest_form() {
        assert_eq!(
            Reader::new(&[0x80, 0x00]).u64(),
            Err(ReadError::NotCanonical)
        );
        assert_eq!(Reader::new(&[0xff; 10]).u64(), Err(ReadError::NotCanonical));
        assert_eq!(Reader::new(&[0xff; 3]).u64(), Err(ReadError::Truncated));
        assert_eq!(Reader::new(&[5, b'a']).text(9), Err(ReadError::Truncated));
        assert_eq!(
            Reader::new(&[2, b'a', b'b']).text(1),
            Err(ReadError::TooLong)
        );
        assert_eq!(Reader::new(&[1, 0xff]).text(9), Err(ReadError::NotUtf8));
    }

    proptest! {
        #[test]
        fn reads_what_it_wrote(a: u64, b: i64, text in ".{0,20}") {
            let mut out = Vec::new();
            put_u64(&mut out, a);
            put_i64(&mut out, b);
            put_text(&mut out, &text);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.u64(), Ok(a));
            prop_assert_eq!(reader.i64(), Ok(b));
            prop_assert_eq!(reader.text(80), Ok(text.as_str()));
            prop_assert!(reader.rest.is_empty());
        }

        /// Whatever is read as a number is written back as the same bytes.
        #[test]
        fn has_one_form_for_each_number(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = reader.u64() {
                let mut out = Vec::new();
                put_u64(&mut out, value);
                prop_assert_eq!(&bytes[..bytes.len() - reader.rest.len()], &out[..]);
            }
        }
    }
}
