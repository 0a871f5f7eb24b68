//! Runs a program over the bytes of a message.
//!
//! Every read is bounds-checked and every loop consumes bytes or counts against a bound, so any bytes end in
//! values or in a fault. Nothing is allocated except where the buffers of [`Scratch`] and [`Row`] grow to
//! their first full size.

use driftline_event::{Row, Value};

use super::program::{Kind, Op, Program, Span};
use crate::mapping::TimeUnit;
use crate::reject::Fault;
use crate::sink::{Raw, Scratch, To, Token};

/// Reads all of `payload[from..]` by `program` into `scratch`; texts of values go to `row`.
pub(crate) fn run(
    program: &Program,
    payload: &[u8],
    from: usize,
    scratch: &mut Scratch,
    row: &mut Row,
) -> Result<bool, Fault> {
    let mut cursor = Cursor {
        program,
        bytes: payload,
        at: from,
        key: Raw::default(),
        scratch,
        row,
    };
    cursor.span(program.root)?;
    Ok(cursor.at == payload.len())
}

struct Cursor<'m> {
    program: &'m Program,
    bytes: &'m [u8],
    at: usize,
    /// The key of the map entry at hand.
    key: Raw,
    scratch: &'m mut Scratch,
    row: &'m mut Row,
}

impl<'m> Cursor<'m> {
    fn take(&mut self, count: usize) -> Result<&'m [u8], Fault> {
        let end = self.at.checked_add(count).ok_or(Fault::BadLength)?;
        let taken = self.bytes.get(self.at..end).ok_or(Fault::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let taken = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<N>);
        self.at += N;
        taken.copied().ok_or(Fault::Truncated)
    }

    #[inline]
    fn long(&mut self) -> Result<i64, Fault> {
        let first = *self.bytes.get(self.at).ok_or(Fault::Truncated)?;
        if first < 0x80 {
            self.at += 1;
            return Ok(unzigzag(u64::from(first)));
        }
        self.long_of_many_bytes()
    }

    fn long_of_many_bytes(&mut self) -> Result<i64, Fault> {
        let mut n = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(Fault::Truncated)?;
            self.at += 1;
            // Of the tenth byte only the lowest bit fits; the others are dropped, as other readers do.
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(unzigzag(n));
            }
        }
        Err(Fault::BadVarint)
    }

    fn int(&mut self) -> Result<i64, Fault> {
        let n = self.long()?;
        i32::try_from(n).map(i64::from).map_err(|_| Fault::IntRange)
    }

    fn length(&mut self) -> Result<usize, Fault> {
        usize::try_from(self.long()?).map_err(|_| Fault::BadLength)
    }

    #[inline]
    fn branch(&mut self) -> Result<usize, Fault> {
        usize::try_from(self.long()?).map_err(|_| Fault::NoSuchBranch)
    }

    /// The items of the next block; a negative count is followed by the block's size in bytes, which is
    /// not needed because every item is read or measured.
    fn block(&mut self) -> Result<u64, Fault> {
        let count = self.long()?;
        if count < 0 {
            self.long()?;
            let count = count.checked_neg().ok_or(Fault::BadLength)?;
            return Ok(count.unsigned_abs());
        }
        Ok(count.unsigned_abs())
    }

    fn token(&mut self, kind: Kind) -> Result<Token<'m>, Fault> {
        Ok(match kind {
            Kind::Null => Token::Null,
            Kind::Boolean => match self.take(1)? {
                [0] => Token::Bool(false),
                [1] => Token::Bool(true),
                _ => return Err(Fault::BadBoolean),
            },
            Kind::Int => Token::Long(self.int()?),
            Kind::Long => Token::Long(self.long()?),
            Kind::Instant(unit) => Token::Instant(self.long()?, unit),
            Kind::Date => Token::Long(self.int()?),
            Kind::Float => Token::Double(f64::from(f32::from_le_bytes(self.array()?))),
            Kind::Double => Token::Double(f64::from_le_bytes(self.array()?)),
            Kind::Text => {
                let length = self.length()?;
                let start = self.at;
                Token::Text(start, self.take(length)?)
            }
            Kind::Bytes => {
                let length = self.length()?;
                self.take(length)?;
                Token::Unsupported
            }
            Kind::Fixed(size) => {
                self.take(size as usize)?;
                Token::Unsupported
            }
            Kind::Enum(table) => {
                let index = usize::try_from(self.int()?).map_err(|_| Fault::NoSuchSymbol)?;
                let symbols = self.program.symbols.get(table as usize);
                Token::Owned(
                    symbols
                        .and_then(|s| s.get(index))
                        .ok_or(Fault::NoSuchSymbol)?,
                )
            }
        })
    }

    #[inline]
    fn put(&mut self, to: To, token: Token<'_>) -> Result<(), Fault> {
        self.scratch
            .put(to, &self.program.many, self.key, token, self.row)
    }

    fn scalar(&mut self, kind: Kind, to: To) -> Result<(), Fault> {
        let token = self.token(kind)?;
        if let (Kind::Date, To::Head(_), Token::Long(days)) = (kind, to, token) {
            // Only an event time has a use for the day as an instant; a column takes its number.
            return self.put(
                to,
                Token::Instant(days.saturating_mul(86_400), TimeUnit::Seconds),
            );
        }
        self.put(to, token)
    }

    fn span(&mut self, span: Span) -> Result<(), Fault> {
        let program = self.program;
        for &op in program.ops.get(span.range()).unwrap_or(&[]) {
            match op {
                Op::Doubles { slot, count } => {
                    let count = count as usize;
                    let (values, _) = self.take(count * 8)?.as_chunks::<8>();
                    let slots = self.scratch.slots.iter_mut().skip(slot as usize);
                    for (place, bytes) in slots.zip(values) {
                        *place = Value::Double(f64::from_le_bytes(*bytes));
                    }
                }
                Op::NullableDouble { null_branch, slot } => self.nullable(null_branch, slot)?,
                Op::Scalar { kind, to } => self.scalar(kind, to)?,
                Op::Scalars { kinds, to } => {
                    let branch = self.branch()?;
                    let kinds = program.kinds.get(kinds.range()).unwrap_or(&[]);
                    self.scalar(*kinds.get(branch).ok_or(Fault::NoSuchBranch)?, to)?;
                }
                Op::Branches { spans } => {
                    let branch = self.branch()?;
                    let spans = program.spans.get(spans.range()).unwrap_or(&[]);
                    self.span(*spans.get(branch).ok_or(Fault::NoSuchBranch)?)?;
                }
                Op::Map {
                    keyed,
                    other,
                    keep_key,
                } => self.map(keyed, other, keep_key)?,
                Op::Array { item } => self.skip_array(item)?,
                Op::FixedArray { item_bytes } => self.skip_fixed_array(item_bytes)?,
                Op::Skip { bytes } => {
                    self.take(bytes as usize)?;
                }
                Op::Unsupported { to } => self.put(to, Token::Unsupported)?,
            }
        }
        Ok(())
    }

    #[inline]
    fn nullable(&mut self, null_branch: u8, slot: u32) -> Result<(), Fault> {
        let value = match self.branch()? {
            null if null == usize::from(null_branch) => Value::Missing,
            0 | 1 => Value::Double(f64::from_le_bytes(self.array()?)),
            _ => return Err(Fault::NoSuchBranch),
        };
        if let Some(place) = self.scratch.slots.get_mut(slot as usize) {
            *place = value;
        }
        Ok(())
    }

    fn map(&mut self, keyed: Span, other: Span, keep_key: bool) -> Result<(), Fault> {
        let program = self.program;
        let keyed = program.keyed.get(keyed.range()).unwrap_or(&[]);
        let outer = self.key;
        loop {
            let count = self.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let length = self.length()?;
                let start = self.at;
                let key = self.take(length)?;
                let span = keyed
                    .iter()
                    .find(|(k, _)| k.as_bytes() == key)
                    .map(|(_, span)| *span);
                if keep_key {
                    self.scratch.count_item()?;
                    // Whether it is text is asked when it is compared with the names that are known.
                    self.key = self.scratch.place(start, length)?;
                } else if span.is_none() && std::str::from_utf8(key).is_err() {
                    return Err(Fault::BadText);
                }
                self.span(span.unwrap_or(other))?;
            }
        }
        self.key = outer;
        Ok(())
    }

    fn skip_array(&mut self, item: Span) -> Result<(), Fault> {
        loop {
            let count = self.block()?;
            if count == 0 {
                return Ok(());
            }
            // Items without operations have no bytes: a hostile count must not be counted through.
            if !item.is_empty() {
                for _ in 0..count {
                    self.span(item)?;
                }
            }
        }
    }

    fn skip_fixed_array(&mut self, item_bytes: u32) -> Result<(), Fault> {
        loop {
            let count = self.block()?;
            if count == 0 {
                return Ok(());
            }
            let count = usize::try_from(count).map_err(|_| Fault::BadLength)?;
            self.take(
                count
                    .checked_mul(item_bytes as usize)
                    .ok_or(Fault::BadLength)?,
            )?;
        }
    }
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -((n & 1).cast_signed())
}
