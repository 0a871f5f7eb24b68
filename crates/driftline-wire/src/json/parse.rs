//! Walks over a document along a program.

use driftline_event::Value;

use super::compile::{Place, Program};
use super::scan::{number, plain, space, unescape};
use crate::reject::{Fault, Reject};
use crate::sink::{Entry, Key, Scalar, Scratch, To};

/// The most levels whatever `nesting_max` says, since every level takes of the thread's stack.
const LEVELS_MAX: usize = 128;

/// Reads the document `payload[from..]` into `scratch`.
pub(crate) fn run(
    program: &Program,
    payload: &[u8],
    from: usize,
    nesting_max: usize,
    scratch: &mut Scratch,
) -> Result<(), Reject> {
    let document = payload.get(from..).unwrap_or(&[]);
    // All texts are slices between ASCII characters of this, so they are text too.
    if std::str::from_utf8(document).is_err() {
        return Err(Fault::BadText.reject());
    }
    let mut parser = Parser {
        program,
        end: payload.len(),
        levels_left: nesting_max.min(LEVELS_MAX),
        key: Key::default(),
        scratch,
    };
    let [b'{', rest @ ..] = space(document) else {
        return Err(Reject::malformed("the document is not an object"));
    };
    match parser.object(rest, Some(&program.root)) {
        Ok(rest) if space(rest).is_empty() => Ok(()),
        Ok(_) | Err(Fault::NotJson) => Err(not_json(document)),
        Err(fault) => Err(fault.reject()),
    }
}

/// Another reader says better what is wrong.
#[cold]
fn not_json(document: &[u8]) -> Reject {
    match serde_json::from_slice::<serde_json::Value>(document) {
        Err(error) => Reject::malformed(format!("not JSON: {error}")),
        Ok(_) => Fault::NotJson.reject(),
    }
}

struct Parser<'m> {
    program: &'m Program,
    /// The length of the whole message.
    end: usize,
    levels_left: usize,
    /// The key of the innermost object's field at hand.
    key: Key,
    scratch: &'m mut Scratch,
}

impl<'m> Parser<'m> {
    /// Reads an object from behind its brace. Gives what follows it.
    fn object(&mut self, from: &'m [u8], place: Option<&'m Place>) -> Result<&'m [u8], Fault> {
        self.levels_left = self.levels_left.checked_sub(1).ok_or(Fault::TooDeep)?;
        let outer = self.key;
        let (children, other) = place.map_or((&[][..], To::Nowhere), |p| (&p.children, p.rest));
        let mut next = 0;
        let mut rest = space(from);
        if let [b'}', after @ ..] = rest {
            self.levels_left += 1;
            return Ok(after);
        }
        loop {
            let [b'"', key @ ..] = rest else {
                return Err(Fault::NotJson);
            };
            let length = plain(key);
            let child;
            (child, rest) = match key.split_at(length) {
                (name, [b'"', after @ ..]) => {
                    if other != To::Nowhere {
                        self.key = self.scratch.place_key(self.end - key.len(), length)?;
                    }
                    (find(children, name, next), after)
                }
                _ => self.escaped_key(key, children, other)?,
            };
            let (inner, to) = match child {
                Some(i) => {
                    next = i + 1;
                    (Some(&children[i].1), children[i].1.to)
                }
                None => (None, other),
            };
            let [b':', after @ ..] = space(rest) else {
                return Err(Fault::NotJson);
            };
            rest = space(self.value(space(after), inner, to)?);
            match rest {
                [b',', after @ ..] => rest = space(after),
                [b'}', after @ ..] => {
                    self.key = outer;
                    self.levels_left += 1;
                    return Ok(after);
                }
                _ => return Err(Fault::NotJson),
            }
        }
    }

    #[inline(never)]
    fn escaped_key(
        &mut self,
        from: &'m [u8],
        children: &[(Box<str>, Place)],
        other: To,
    ) -> Result<(Option<usize>, &'m [u8]), Fault> {
        let mut key = std::mem::take(&mut self.scratch.unescaped);
        let rest = unescape(from, &mut key)?;
        if other != To::Nowhere {
            self.key = self.scratch.keep_key(&key, self.end)?;
        }
        let child = find(children, key.as_bytes(), 0);
        self.scratch.unescaped = key;
        Ok((child, rest))
    }

    /// Reads an array, of which nothing is kept, from behind its bracket. Gives what follows it.
    fn array(&mut self, from: &'m [u8]) -> Result<&'m [u8], Fault> {
        self.levels_left = self.levels_left.checked_sub(1).ok_or(Fault::TooDeep)?;
        let mut rest = space(from);
        if let [b']', after @ ..] = rest {
            self.levels_left += 1;
            return Ok(after);
        }
        loop {
            rest = space(self.value(rest, None, To::Nowhere)?);
            match rest {
                [b',', after @ ..] => rest = space(after),
                [b']', after @ ..] => {
                    self.levels_left += 1;
                    return Ok(after);
                }
                _ => return Err(Fault::NotJson),
            }
        }
    }

    #[inline(always)]
    fn put(&mut self, to: To, value: Value) {
        match to {
            To::Entry(rest) => {
                let key = self.key;
                self.scratch.entries.push(Entry { key, rest, value });
            }
            to => self.put_named(to, value),
        }
    }

    #[inline(never)]
    fn put_named(&mut self, to: To, value: Value) {
        let many = &self.program.many;
        self.scratch
            .put(to, many, self.key, value, Scalar::Plain(value));
    }

    /// Reads a value that goes `to`; the fields of an object go where `place` says. Gives what follows it.
    #[inline(always)]
    fn value(
        &mut self,
        from: &'m [u8],
        place: Option<&'m Place>,
        to: To,
    ) -> Result<&'m [u8], Fault> {
        match from {
            [b'"', text @ ..] => {
                let length = plain(text);
                match text.get(length..) {
                    Some([b'"', after @ ..]) => {
                        if to != To::Nowhere {
                            let range = self.scratch.text(text, length)?;
                            self.put(to, Value::Text(range));
                        }
                        Ok(after)
                    }
                    _ => self.escaped_text(text, to),
                }
            }
            [b'-' | b'0'..=b'9', ..] => {
                let (number, rest) = number(from)?;
                // Each kind is put by its own step: a value of either kind would go through memory.
                match number.get() {
                    Ok(n) => self.put(to, Value::Long(n)),
                    Err(x) => self.put(to, Value::Double(x)),
                }
                Ok(rest)
            }
            _ => self.other_value(from, place, to),
        }
    }

    #[inline(never)]
    fn escaped_text(&mut self, from: &'m [u8], to: To) -> Result<&'m [u8], Fault> {
        let mut text = std::mem::take(&mut self.scratch.unescaped);
        let rest = unescape(from, &mut text)?;
        if to != To::Nowhere {
            let range = self.scratch.text(text.as_bytes(), text.len())?;
            self.put(to, Value::Text(range));
        }
        self.scratch.unescaped = text;
        Ok(rest)
    }

    #[inline(never)]
    fn other_value(
        &mut self,
        from: &'m [u8],
        place: Option<&'m Place>,
        to: To,
    ) -> Result<&'m [u8], Fault> {
        let (value, rest) = match from {
            [b'{', after @ ..] => {
                self.put(to, Value::Unsupported);
                return self.object(after, place);
            }
            [b'[', after @ ..] => {
                self.put(to, Value::Unsupported);
                return self.array(after);
            }
            [b'n', b'u', b'l', b'l', after @ ..] => (Value::Missing, after),
            [b't', b'r', b'u', b'e', after @ ..] => (Value::Bool(true), after),
            [b'f', b'a', b'l', b's', b'e', after @ ..] => (Value::Bool(false), after),
            _ => return Err(Fault::NotJson),
        };
        self.put(to, value);
        Ok(rest)
    }
}

/// The child called `name`; the one at `next` is looked at first.
#[inline(always)]
fn find(children: &[(Box<str>, Place)], name: &[u8], next: usize) -> Option<usize> {
    match children.get(next) {
        Some((child, _)) if child.as_bytes() == name => Some(next),
        _ => children
            .iter()
            .position(|(child, _)| child.as_bytes() == name),
    }
}
