//! Runs a program over the bytes of a message.
//!
//! Every read is bounds-checked and every loop consumes bytes or counts against a bound, so any bytes end in
//! values or in a fault. Nothing is allocated except where the buffers of [`Scratch`] grow to their first
//! full size.

use driftline_event::{TextRange, Value};

use super::input::Input;
use super::program::{Kind, Op, Program, Span};
use crate::mapping::TimeUnit;
use crate::reject::Fault;
use crate::sink::{Entry, Key, Scalar, Scratch, To};

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
        input: Input {
            rest: payload.get(from..).unwrap_or(&[]),
        },
        key: Key::default(),
        scratch,
    };
    cursor.span(program.root)?;
    Ok(cursor.input.rest.is_empty())
}

struct Cursor<'m> {
    program: &'m Program,
    /// The length of the whole message.
    end: usize,
    input: Input<'m>,
    /// The key of the map entry at hand.
    key: Key,
    scratch: &'m mut Scratch,
}

impl<'m> Cursor<'m> {
    fn span(&mut self, span: Span) -> Result<(), Fault> {
        let program = self.program;
        for &op in program.ops.get(span.range()).unwrap_or(&[]) {
            match op {
                Op::Doubles { slot, count } => self.doubles(slot, count)?,
                Op::Texts { slot, count } => self.texts(slot, count)?,
                Op::NullableDoubles { null, slot, count } => {
                    self.nullable_doubles(null, slot, count)?;
                }
                Op::NullableTexts { null, slot, count } => {
                    self.nullable_texts(null, slot, count)?;
                }
                Op::Head { head } => {
                    let mut input = self.input;
                    let text = text(&mut input, self.scratch)?;
                    self.scratch.heads[head as usize] = Scalar::Plain(Value::Text(text));
                    self.input = input;
                }
                Op::Scalar { kind, to } => self.scalar(kind, to)?,
                Op::Scalars { kinds, to } => {
                    let branch = self.input.branch()?;
                    let kinds = program.kinds.get(kinds.range()).unwrap_or(&[]);
                    match (kinds.get(branch), to) {
                        // What an optional field that no one asks for mostly is.
                        (Some(Kind::Null), To::Nowhere) => {}
                        (Some(&kind), to) => self.scalar(kind, to)?,
                        (None, _) => return Err(Fault::NoSuchBranch),
                    }
                }
                Op::Branches { spans } => {
                    let branch = self.input.branch()?;
                    let spans = program.spans.get(spans.range()).unwrap_or(&[]);
                    self.span(*spans.get(branch).ok_or(Fault::NoSuchBranch)?)?;
                }
                Op::Entries { kinds, union, rest } => self.entries(kinds, union, rest)?,
                Op::Map {
                    keyed,
                    other,
                    keep_key,
                } => self.map(keyed, other, keep_key)?,
                Op::Array { item } => self.skip_array(item)?,
                Op::FixedArray { item_bytes } => self.skip_fixed_array(item_bytes)?,
                Op::Skip { bytes } => {
                    self.input.take(bytes as usize)?;
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
        let (values, _) = self.input.take(count as usize * 8)?.as_chunks::<8>();
        for (place, bytes) in self.scratch.slots(slot, count).iter_mut().zip(values) {
            *place = Value::Double(f64::from_le_bytes(*bytes));
        }
        Ok(())
    }

    #[inline(never)]
    fn nullable_doubles(&mut self, null: u8, slot: u32, count: u32) -> Result<(), Fault> {
        // The branch of the double as it stands in the bytes.
        let double = if null == 0 { 2 } else { 0 };
        let mut input = self.input;
        for place in self.scratch.slots(slot, count) {
            *place = match input.rest.split_first_chunk::<9>() {
                Some(([branch, value @ ..], rest)) if *branch == double => {
                    input.rest = rest;
                    Value::Double(f64::from_le_bytes(*value))
                }
                _ if is_null(&mut input, null)? => Value::Missing,
                _ => Value::Double(input.double()?),
            };
        }
        self.input = input;
        Ok(())
    }

    fn texts(&mut self, slot: u32, count: u32) -> Result<(), Fault> {
        let mut input = self.input;
        for slot in slot..slot.saturating_add(count) {
            let text = text(&mut input, self.scratch)?;
            self.scratch.put_slot(slot, Value::Text(text));
        }
        self.input = input;
        Ok(())
    }

    #[inline(never)]
    fn nullable_texts(&mut self, null: u8, slot: u32, count: u32) -> Result<(), Fault> {
        let mut input = self.input;
        for slot in slot..slot.saturating_add(count) {
            let value = if is_null(&mut input, null)? {
                Value::Missing
            } else {
                Value::Text(text(&mut input, self.scratch)?)
            };
            self.scratch.put_slot(slot, value);
        }
        self.input = input;
        Ok(())
    }

    #[inline]
    fn scalar(&mut self, kind: Kind, to: To) -> Result<(), Fault> {
        if to == To::Nowhere {
            return self.skip(kind);
        }
        let mut input = self.input;
        let (many, key) = (&self.program.many, self.key);
        self.read(&mut input, kind, |scratch, value| {
            let scalar = match (kind, value) {
                (Kind::Instant(unit), Value::Long(n)) => Scalar::Instant(n, unit),
                // Only an event time has a use for the day as an instant; a column takes its number.
                (Kind::Date, Value::Long(days)) => {
                    Scalar::Instant(days.saturating_mul(86_400), TimeUnit::Seconds)
                }
                _ => Scalar::Plain(value),
            };
            scratch.put(to, many, key, value, scalar);
        })?;
        self.input = input;
        Ok(())
    }

    /// Reads one value and puts it where `put` says. The common kinds are put one by one, each by its own
    /// copy of `put`, because a value that may be of any kind would go through memory, and slowly.
    #[inline(always)]
    fn read(
        &mut self,
        input: &mut Input<'m>,
        kind: Kind,
        put: impl Fn(&mut Scratch, Value),
    ) -> Result<(), Fault> {
        match kind {
            Kind::Double => {
                let x = input.double()?;
                put(self.scratch, Value::Double(x));
            }
            Kind::Text => {
                let range = text(input, self.scratch)?;
                put(self.scratch, Value::Text(range));
            }
            Kind::Null => put(self.scratch, Value::Missing),
            Kind::Long | Kind::Instant(_) => {
                let n = input.long()?;
                put(self.scratch, Value::Long(n));
            }
            kind => {
                let (value, rest) = self.rare_value(*input, kind)?;
                *input = rest;
                put(self.scratch, value);
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn rare_value(
        &mut self,
        mut input: Input<'m>,
        kind: Kind,
    ) -> Result<(Value, Input<'m>), Fault> {
        let value = match kind {
            Kind::Boolean => Value::Bool(input.boolean()?),
            Kind::Int | Kind::Date => Value::Long(input.int()?),
            Kind::Float => Value::Double(f64::from(f32::from_le_bytes(input.array()?))),
            Kind::Enum(table) => {
                let symbol = self.symbol(&mut input, table)?;
                Value::Text(self.scratch.text(symbol.as_bytes(), symbol.len())?)
            }
            Kind::Bytes => {
                let length = input.length()?;
                input.take(length)?;
                Value::Unsupported
            }
            Kind::Fixed(size) => {
                input.take(size as usize)?;
                Value::Unsupported
            }
            Kind::Double => Value::Double(input.double()?),
            Kind::Text => Value::Text(text(&mut input, self.scratch)?),
            Kind::Null => Value::Missing,
            Kind::Long | Kind::Instant(_) => Value::Long(input.long()?),
        };
        Ok((value, input))
    }

    fn symbol(&self, input: &mut Input<'m>, table: u32) -> Result<&'m str, Fault> {
        let index = usize::try_from(input.int()?).map_err(|_| Fault::NoSuchSymbol)?;
        let symbols = self.program.symbols.get(table as usize);
        let symbol = symbols.and_then(|s| s.get(index));
        symbol.map(|s| &**s).ok_or(Fault::NoSuchSymbol)
    }

    /// Reads a value that goes nowhere. Its text must still be text.
    fn skip(&mut self, kind: Kind) -> Result<(), Fault> {
        let mut input = self.input;
        match kind {
            Kind::Text => {
                let length = input.length()?;
                let bytes = input.take(length)?;
                std::str::from_utf8(bytes).map_err(|_| Fault::BadText)?;
            }
            Kind::Enum(table) => {
                self.symbol(&mut input, table)?;
            }
            kind => input = self.rare_value(input, kind)?.1,
        }
        self.input = input;
        Ok(())
    }

    #[inline(never)]
    fn entries(&mut self, kinds: Span, union: bool, rest: u16) -> Result<(), Fault> {
        let kinds = self.program.kinds.get(kinds.range()).unwrap_or(&[]);
        let mut input = self.input;
        loop {
            let count = input.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                // Whether it is text is asked when it is compared with the names that are known.
                let (key, start) = key(&mut input, self.end)?;
                let key = self.scratch.place_key(start, key.len())?;
                let kind = match kinds {
                    [kind] if !union => *kind,
                    kinds => match kinds.get(input.branch()?) {
                        Some(kind) => *kind,
                        None => return Err(Fault::NoSuchBranch),
                    },
                };
                self.read(&mut input, kind, |scratch, value| {
                    scratch.entries.push(Entry { key, rest, value });
                })?;
            }
        }
        self.input = input;
        Ok(())
    }

    #[inline(never)]
    fn map(&mut self, keyed: Span, other: Span, keep_key: bool) -> Result<(), Fault> {
        let program = self.program;
        let keyed = program.keyed.get(keyed.range()).unwrap_or(&[]);
        let outer = self.key;
        loop {
            let count = self.input.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let (key, start) = key(&mut self.input, self.end)?;
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
            let count = self.input.block()?;
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
            let count = self.input.block()?;
            if count == 0 {
                return Ok(());
            }
            let count = usize::try_from(count).map_err(|_| Fault::BadLength)?;
            let bytes = count.checked_mul(item_bytes as usize);
            self.input.take(bytes.ok_or(Fault::BadLength)?)?;
        }
    }
}

#[inline(always)]
fn text(input: &mut Input<'_>, scratch: &mut Scratch) -> Result<TextRange, Fault> {
    let length = input.length()?;
    let from = input.rest;
    input.take(length)?;
    scratch.text(from, length)
}

/// Whether the branch of a union of null and something is null, where null stands at `null`.
#[inline(always)]
fn is_null(input: &mut Input<'_>, null: u8) -> Result<bool, Fault> {
    match input.branch()? {
        branch @ (0 | 1) => Ok(branch == usize::from(null)),
        _ => Err(Fault::NoSuchBranch),
    }
}

/// A key of a map, and where it stands in a message of `end` bytes.
#[inline(always)]
fn key<'m>(input: &mut Input<'m>, end: usize) -> Result<(&'m [u8], usize), Fault> {
    let length = input.length()?;
    let start = end - input.rest.len();
    Ok((input.take(length)?, start))
}
