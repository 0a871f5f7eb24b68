//! Runs a program over the bytes of a message.
//!
//! Every read is bounds-checked and every loop consumes bytes or counts against a bound, so any bytes end in
//! values or in a fault. Nothing is allocated except where the buffers of [`Scratch`] grow to their first
//! full size.

use driftline_event::Value;

use super::program::{Kind, Op, Program, Span};
use crate::mapping::TimeUnit;
use crate::reject::Fault;
use crate::sink::{Entry, Raw, Scalar, Scratch, To};

/// Reads `payload[from..]` by `program` into `scratch` and tells whether that was all of it.
pub(crate) fn run(
    program: &Program,
    payload: &[u8],
    from: usize,
    scratch: &mut Scratch,
) -> Result<bool, Fault> {
    let mut cursor = Cursor {
        program,
        end: payload.len(),
        rest: payload.get(from..).unwrap_or(&[]),
        key: Raw::default(),
        scratch,
    };
    cursor.span(program.root)?;
    Ok(cursor.rest.is_empty())
}

struct Cursor<'m> {
    program: &'m Program,
    /// The length of the whole message.
    end: usize,
    /// What is not read yet.
    rest: &'m [u8],
    /// The key of the map entry at hand.
    key: Raw,
    scratch: &'m mut Scratch,
}

impl<'m> Cursor<'m> {
    #[inline]
    fn take(&mut self, count: usize) -> Result<&'m [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    fn long(&mut self) -> Result<i64, Fault> {
        match self.rest {
            [first @ ..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(unzigzag(u64::from(*first)))
            }
            _ => self.long_of_many_bytes(),
        }
    }

    #[inline(never)]
    fn long_of_many_bytes(&mut self) -> Result<i64, Fault> {
        let mut n = 0_u64;
        for (i, byte) in self.rest.iter().take(10).enumerate() {
            // Of the tenth byte only the lowest bit fits; the others are dropped, as other readers do.
            n |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(unzigzag(n));
            }
        }
        Err(if self.rest.len() < 10 {
            Fault::Truncated
        } else {
            Fault::BadVarint
        })
    }

    fn int(&mut self) -> Result<i64, Fault> {
        let n = self.long()?;
        i32::try_from(n).map(i64::from).map_err(|_| Fault::IntRange)
    }

    #[inline]
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

    #[inline]
    fn text(&mut self) -> Result<Value, Fault> {
        let len = self.length()?;
        let from = self.rest;
        self.take(len)?;
        self.scratch.text(from, len)
    }

    fn boolean(&mut self) -> Result<Value, Fault> {
        match self.take(1)? {
            [0] => Ok(Value::Bool(false)),
            [1] => Ok(Value::Bool(true)),
            _ => Err(Fault::BadBoolean),
        }
    }

    fn symbol(&mut self, table: u32) -> Result<&'m str, Fault> {
        let index = usize::try_from(self.int()?).map_err(|_| Fault::NoSuchSymbol)?;
        let symbols = self.program.symbols.get(table as usize);
        let symbol = symbols.and_then(|s| s.get(index));
        symbol.map(|s| &**s).ok_or(Fault::NoSuchSymbol)
    }

    #[inline]
    fn value(&mut self, kind: Kind) -> Result<Value, Fault> {
        Ok(match kind {
            Kind::Null => Value::Missing,
            Kind::Double => Value::Double(f64::from_le_bytes(self.array()?)),
            Kind::Text => self.text()?,
            Kind::Long | Kind::Instant(_) => Value::Long(self.long()?),
            Kind::Boolean => self.boolean()?,
            Kind::Int | Kind::Date => Value::Long(self.int()?),
            Kind::Float => Value::Double(f64::from(f32::from_le_bytes(self.array()?))),
            Kind::Enum(table) => {
                let symbol = self.symbol(table)?;
                self.scratch.text(symbol.as_bytes(), symbol.len())?
            }
            Kind::Bytes => {
                let length = self.length()?;
                self.take(length)?;
                Value::Unsupported
            }
            Kind::Fixed(size) => {
                self.take(size as usize)?;
                Value::Unsupported
            }
        })
    }

    #[inline]
    fn scalar(&mut self, kind: Kind, to: To) -> Result<(), Fault> {
        match to {
            To::Slot(slot) => {
                let value = self.value(kind)?;
                self.scratch.put_slot(slot, value);
                Ok(())
            }
            To::Entry(rest) => {
                let value = self.value(kind)?;
                let key = self.key;
                self.scratch.entries.push(Entry { key, rest, value });
                Ok(())
            }
            To::Nowhere => self.skip(kind),
            To::Head(_) | To::Many(..) => self.head(kind, to),
        }
    }

    #[inline(never)]
    fn head(&mut self, kind: Kind, to: To) -> Result<(), Fault> {
        let value = self.value(kind)?;
        let scalar = match (kind, value) {
            (Kind::Instant(unit), Value::Long(n)) => Scalar::Instant(n, unit),
            // Only an event time has a use for the day as an instant; a column takes its number.
            (Kind::Date, Value::Long(days)) => {
                Scalar::Instant(days.saturating_mul(86_400), TimeUnit::Seconds)
            }
            _ => Scalar::Plain(value),
        };
        self.scratch
            .put(to, &self.program.many, self.key, value, scalar);
        Ok(())
    }

    /// Reads a value that goes nowhere. Its text must still be text.
    #[inline(never)]
    fn skip(&mut self, kind: Kind) -> Result<(), Fault> {
        match kind {
            Kind::Text => {
                let length = self.length()?;
                let bytes = self.take(length)?;
                std::str::from_utf8(bytes).map_err(|_| Fault::BadText)?;
            }
            Kind::Enum(table) => {
                self.symbol(table)?;
            }
            kind => {
                self.value(kind)?;
            }
        }
        Ok(())
    }

    fn slots(&mut self, first: u32, count: u32) -> std::ops::Range<u32> {
        first..first.saturating_add(count)
    }

    fn span(&mut self, span: Span) -> Result<(), Fault> {
        let program = self.program;
        for &op in program.ops.get(span.range()).unwrap_or(&[]) {
            match op {
                Op::Doubles { slot, count } => self.doubles(slot, count)?,
                Op::Texts { slot, count } => {
                    for slot in self.slots(slot, count) {
                        let text = self.text()?;
                        self.scratch.put_slot(slot, text);
                    }
                }
                Op::NullableDoubles { null, slot, count } => {
                    self.nullable_doubles(null, slot, count)?;
                }
                Op::NullableTexts { null, slot, count } => {
                    for slot in self.slots(slot, count) {
                        let value = match self.is_null(null)? {
                            true => Value::Missing,
                            false => self.text()?,
                        };
                        self.scratch.put_slot(slot, value);
                    }
                }
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
                Op::Entries { kinds, union, to } => self.entries(kinds, union, to)?,
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
                Op::Unsupported { to } => {
                    let value = Value::Unsupported;
                    let many = &program.many;
                    self.scratch
                        .put(to, many, self.key, value, Scalar::Plain(value));
                }
            }
        }
        Ok(())
    }

    fn doubles(&mut self, slot: u32, count: u32) -> Result<(), Fault> {
        let (slot, count) = (slot as usize, count as usize);
        let (values, _) = self.take(count * 8)?.as_chunks::<8>();
        let slots = self.scratch.slots.get_mut(slot..slot + count);
        for (place, bytes) in slots.unwrap_or_default().iter_mut().zip(values) {
            *place = Value::Double(f64::from_le_bytes(*bytes));
        }
        Ok(())
    }

    /// Whether the branch of a union of null and something is null, where null stands at `null`.
    #[inline]
    fn is_null(&mut self, null: u8) -> Result<bool, Fault> {
        match self.branch()? {
            branch @ (0 | 1) => Ok(branch == usize::from(null)),
            _ => Err(Fault::NoSuchBranch),
        }
    }

    fn nullable_doubles(&mut self, null: u8, slot: u32, count: u32) -> Result<(), Fault> {
        // The branch of the double as it stands in the bytes.
        let double = if null == 0 { 2 } else { 0 };
        for slot in self.slots(slot, count) {
            let value = match self.rest.split_first_chunk::<9>() {
                Some(([branch, value @ ..], rest)) if *branch == double => {
                    self.rest = rest;
                    Value::Double(f64::from_le_bytes(*value))
                }
                _ => match self.is_null(null)? {
                    true => Value::Missing,
                    false => Value::Double(f64::from_le_bytes(self.array()?)),
                },
            };
            self.scratch.put_slot(slot, value);
        }
        Ok(())
    }

    /// A key of a map, and where it stands.
    #[inline]
    fn key(&mut self) -> Result<(&'m [u8], usize), Fault> {
        let length = self.length()?;
        let start = self.end - self.rest.len();
        Ok((self.take(length)?, start))
    }

    fn entries(&mut self, kinds: Span, union: bool, to: To) -> Result<(), Fault> {
        let kinds = self.program.kinds.get(kinds.range()).unwrap_or(&[]);
        let outer = self.key;
        loop {
            let count = self.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                // Whether it is text is asked when it is compared with the names that are known.
                let (key, start) = self.key()?;
                self.key = self.scratch.place_key(start, key.len())?;
                let branch = if union { self.branch()? } else { 0 };
                self.scalar(*kinds.get(branch).ok_or(Fault::NoSuchBranch)?, to)?;
            }
        }
        self.key = outer;
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
                let (key, start) = self.key()?;
                let span = keyed
                    .iter()
                    .find(|(k, _)| k.as_bytes() == key)
                    .map(|(_, span)| *span);
                if keep_key {
                    self.key = self.scratch.place_key(start, key.len())?;
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
