//! JSON straight into the scratch, without a tree of the message.
//!
//! Of a name that stands twice in an object the last value counts; objects of the same name add up.
//! Numbers beyond 64-bit integers are read as doubles. `NaN` is not JSON: write `null`, or the texts
//! `"NaN"`, `"Infinity"`, `"-Infinity"`, which numeric columns understand.

use std::fmt;

use driftline_event::Value;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::place::Shape;
use crate::reject::{Fault, Reject};
use crate::sink::{Key as Raw, Scalar, Scratch, To};
use crate::target::{Node, Target};

/// A mapping compiled for JSON.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    root: Place,
    many: Vec<To>,
    pub(crate) shape: Shape,
}

/// What is taken at one place of a document.
#[derive(Clone, Debug)]
struct Place {
    /// Where the value itself goes, besides what the rests of its parent want.
    to: To,
    /// Where the fields go that are not named.
    rest: To,
    children: Vec<(Box<str>, Place)>,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            to: To::Nowhere,
            rest: To::Nowhere,
            children: Vec::new(),
        }
    }
}

/// Compiles a mapping. What no layout wants is left out.
pub(crate) fn compile(tree: &Node, wanted: &dyn Fn(&Target) -> bool) -> Program {
    let mut program = Program::default();
    program.root = place(tree, &[], wanted, &mut program);
    program
}

fn place(
    node: &Node,
    outer: &[To],
    wanted: &dyn Fn(&Target) -> bool,
    program: &mut Program,
) -> Place {
    let mut to = outer.to_vec();
    to.extend(node.heads.iter().map(|&head| To::Head(head)));
    for target in node.targets.iter().filter(|target| wanted(target)) {
        to.push(To::Slot(program.shape.slots.len() as u32));
        program.shape.slots.push(target.clone());
    }
    let first = program.shape.rests.len();
    program.shape.rests.extend(node.rests.iter().cloned());
    let rests: Vec<To> = (first..program.shape.rests.len())
        .map(|rest| To::Entry(rest as u16))
        .collect();
    let children = node
        .children
        .iter()
        .map(|(name, child)| {
            let child = place(child, &rests, wanted, program);
            (name.clone().into_boxed_str(), child)
        })
        .collect();
    Place {
        to: join(to, program),
        rest: join(rests, program),
        children,
    }
}

fn join(to: Vec<To>, program: &mut Program) -> To {
    match to[..] {
        [] => To::Nowhere,
        [one] => one,
        _ => {
            let first = program.many.len() as u32;
            let count = to.len() as u32;
            program.many.extend(to);
            To::Many(first, count)
        }
    }
}

/// Reads the document `payload[from..]` into `scratch`; texts of values go to `row`.
pub(crate) fn run(
    program: &Program,
    payload: &[u8],
    from: usize,
    nesting_max: usize,
    scratch: &mut Scratch,
) -> Result<(), Reject> {
    let mut reader = Reader {
        program,
        base: payload.as_ptr().addr(),
        end: payload.len(),
        nesting_left: nesting_max,
        fault: None,
        key: Raw::default(),
        scratch,
    };
    let text = std::str::from_utf8(payload.get(from..).unwrap_or(&[]))
        .map_err(|_| Fault::BadText.reject())?;
    let mut json = serde_json::Deserializer::from_str(text);
    let seed = Seed {
        reader: &mut reader,
        place: Some(&program.root),
        to: program.root.to,
    };
    let read = seed.deserialize(&mut json).and_then(|object| {
        json.end()?;
        Ok(object)
    });
    match (read, reader.fault) {
        (Ok(true), _) => Ok(()),
        (Ok(false), _) => Err(Reject::malformed("the document is not an object")),
        (Err(_), Some(fault)) => Err(fault.reject()),
        (Err(error), None) => Err(Reject::malformed(format!("not JSON: {error}"))),
    }
}

struct Reader<'m> {
    program: &'m Program,
    /// The address of the message, to tell where in it a borrowed text stands.
    base: usize,
    end: usize,
    nesting_left: usize,
    fault: Option<Fault>,
    key: Raw,
    scratch: &'m mut Scratch,
}

impl Reader<'_> {
    fn put<E: de::Error>(&mut self, to: To, value: Value) -> Result<bool, E> {
        self.scratch.put(
            to,
            &self.program.many,
            self.key,
            value,
            Scalar::Plain(value),
        );
        Ok(false)
    }

    fn text<E: de::Error>(&mut self, to: To, text: &str) -> Result<bool, E> {
        if to != To::Nowhere {
            let text = self.scratch.text(text.as_bytes(), text.len());
            let text = self.check(text)?;
            self.put::<E>(to, Value::Text(text))?;
        }
        Ok(false)
    }

    fn check<T, E: de::Error>(&mut self, result: Result<T, Fault>) -> Result<T, E> {
        result.map_err(|fault| {
            self.fault = Some(fault);
            E::custom("fault")
        })
    }

    /// Where a text borrowed from the message stands in it.
    fn position(&self, text: &str) -> usize {
        text.as_ptr().addr().saturating_sub(self.base).min(self.end)
    }

    fn descend<E: de::Error>(&mut self) -> Result<(), E> {
        let left = self.nesting_left.checked_sub(1).ok_or(Fault::TooDeep);
        self.nesting_left = self.check(left)?;
        Ok(())
    }
}

/// Reads one value at a place. Gives whether it was an object.
struct Seed<'r, 'm> {
    reader: &'r mut Reader<'m>,
    place: Option<&'m Place>,
    to: To,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<bool, E> {
        self.reader.put(self.to, Value::Missing)
    }

    fn visit_bool<E: de::Error>(self, b: bool) -> Result<bool, E> {
        self.reader.put(self.to, Value::Bool(b))
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<bool, E> {
        self.reader.put(self.to, Value::Long(n))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<bool, E> {
        let token = i64::try_from(n).map_or(Value::Double(n as f64), Value::Long);
        self.reader.put(self.to, token)
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<bool, E> {
        self.reader.put(self.to, Value::Double(x))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<bool, E> {
        self.reader.text(self.to, text)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
        self.reader.text(self.to, text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        let reader = self.reader;
        reader.put(self.to, Value::Unsupported)?;
        reader.descend()?;
        while items
            .next_element_seed(Seed {
                reader: &mut *reader,
                place: None,
                to: To::Nowhere,
            })?
            .is_some()
        {}
        reader.nesting_left += 1;
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<bool, A::Error> {
        let reader = self.reader;
        reader.put(self.to, Value::Unsupported)?;
        reader.descend()?;
        let outer = reader.key;
        let (children, rest) = self
            .place
            .map_or((&[][..], To::Nowhere), |p| (&p.children, p.rest));
        let mut next = 0;
        while let Some(key) = fields.next_key_seed(KeySeed {
            reader: &mut *reader,
            children,
            keep: rest != To::Nowhere,
            next,
        })? {
            let (place, to) = match key.child {
                Some(i) => {
                    next = i + 1;
                    (Some(&children[i].1), children[i].1.to)
                }
                None => (None, rest),
            };
            reader.key = key.raw;
            fields.next_value_seed(Seed {
                reader: &mut *reader,
                place,
                to,
            })?;
        }
        reader.key = outer;
        reader.nesting_left += 1;
        Ok(true)
    }
}

/// Reads a key: which child it names, and where it stands if the value is to go under it.
struct KeySeed<'r, 'm> {
    reader: &'r mut Reader<'m>,
    children: &'m [(Box<str>, Place)],
    keep: bool,
    /// The child to look at first.
    next: usize,
}

struct Key {
    child: Option<usize>,
    raw: Raw,
}

impl KeySeed<'_, '_> {
    fn child(&self, key: &str) -> Option<usize> {
        match self.children.get(self.next) {
            Some((name, _)) if **name == *key => Some(self.next),
            _ => self.children.iter().position(|(name, _)| **name == *key),
        }
    }

    fn key<E: de::Error>(self, key: &str, start: Option<usize>) -> Result<Key, E> {
        let child = self.child(key);
        if !self.keep {
            return Ok(Key {
                child,
                raw: Raw::default(),
            });
        }
        let raw = match start {
            Some(start) => self.reader.scratch.place_key(start, key.len()),
            None => self.reader.scratch.keep_key(key, self.reader.end),
        };
        Ok(Key {
            child,
            raw: self.reader.check(raw)?,
        })
    }
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_, '_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<Key, E> {
        let start = self.reader.position(key);
        self.key(key, Some(start))
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Key, E> {
        self.key(key, None)
    }
}
