//! Reading Avro's primitives off a slice.
//!
//! An [`Input`] is two machine words, so that loops keep a copy of it in registers; that is also why the
//! reading of short forms is always inlined.

use crate::reject::Fault;

/// What is not read yet of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'m> {
    pub(super) rest: &'m [u8],
}

impl<'m> Input<'m> {
    #[inline(always)]
    pub(super) fn take(&mut self, count: usize) -> Result<&'m [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline(always)]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline(always)]
    pub(super) fn double(&mut self) -> Result<f64, Fault> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    #[inline(always)]
    pub(super) fn long(&mut self) -> Result<i64, Fault> {
        match self.rest {
            [first @ ..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(unzigzag(u64::from(*first)))
            }
            _ => {
                let (n, rest) = long_of_many_bytes(self.rest)?;
                self.rest = rest;
                Ok(n)
            }
        }
    }

    /// A long that is not negative; `fault` if it is.
    #[inline(always)]
    pub(super) fn natural(&mut self, fault: Fault) -> Result<usize, Fault> {
        match self.rest {
            // One byte, and of even zigzag code.
            [first, rest @ ..] if first & 0x81 == 0 => {
                self.rest = rest;
                Ok(usize::from(first >> 1))
            }
            _ => usize::try_from(self.long()?).map_err(|_| fault),
        }
    }

    #[inline(always)]
    pub(super) fn length(&mut self) -> Result<usize, Fault> {
        self.natural(Fault::BadLength)
    }

    #[inline(always)]
    pub(super) fn branch(&mut self) -> Result<usize, Fault> {
        self.natural(Fault::NoSuchBranch)
    }

    pub(super) fn int(&mut self) -> Result<i64, Fault> {
        let n = self.long()?;
        i32::try_from(n).map(i64::from).map_err(|_| Fault::IntRange)
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Fault> {
        match self.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Fault::BadBoolean),
        }
    }

    /// The items of the next block; a negative count is followed by the block's size in bytes, which is
    /// not needed because every item is read or measured.
    pub(super) fn block(&mut self) -> Result<u64, Fault> {
        let count = self.long()?;
        if count < 0 {
            self.long()?;
            let count = count.checked_neg().ok_or(Fault::BadLength)?;
            return Ok(count.unsigned_abs());
        }
        Ok(count.unsigned_abs())
    }
}

#[inline(never)]
fn long_of_many_bytes(bytes: &[u8]) -> Result<(i64, &[u8]), Fault> {
    let mut n = 0_u64;
    for (i, byte) in bytes.iter().take(10).enumerate() {
        // Of the tenth byte only the lowest bit fits; the others are dropped, as other readers do.
        n |= u64::from(byte & 0x7f) << (7 * i);
        if *byte < 0x80 {
            return Ok((unzigzag(n), &bytes[i + 1..]));
        }
    }
    Err(if bytes.len() < 10 {
        Fault::Truncated
    } else {
        Fault::BadVarint
    })
}

#[inline(always)]
fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -((n & 1).cast_signed())
}
