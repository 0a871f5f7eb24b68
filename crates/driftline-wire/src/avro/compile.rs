//! A writer's schema and a mapping become a program.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema::{
    DecimalSchema, FixedSchema, InnerDecimalSchema, MapSchema, RecordSchema, UnionSchema,
    UuidSchema,
};

use super::program::{Kind, Op, Program, Span};
use crate::mapping::TimeUnit;
use crate::sink::To;
use crate::target::{Node, Rest, Target};

/// Why a writer's schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The text is not an Avro schema.
    #[error("not an Avro schema: {0}")]
    Parse(String),
    /// The text is too long.
    #[error("the schema has {0} bytes, more than the {max} that are read", max = SchemaError::BYTES_MAX)]
    TooLong(usize),
    /// A record holds itself.
    #[error(
        "`{0}` holds itself; recursive schemas are not read, because no bound could be put on a message"
    )]
    Recursive(String),
    /// Records stand within records too deeply.
    #[error("the schema is nested deeper than {0} levels (nesting_max)")]
    TooDeep(usize),
    /// The schema unfolds into too many fields.
    #[error("the schema unfolds into more than {max} steps", max = SchemaError::STEPS_MAX)]
    TooWide,
    /// More fields are read than a message may have features.
    #[error("the schema has more than {0} fields that are read (features_max)")]
    TooManyFields(usize),
    /// The schema names a type that it does not define.
    #[error("`{0}` is not defined in the schema; give the registry's references inlined")]
    UnknownName(String),
    /// Too many schemas are known already.
    #[error("more than {0} schemas on one topic")]
    TooMany(usize),
    /// The decoder does not read Avro.
    #[error("the topic's format is not Avro")]
    NotAvro,
}

impl SchemaError {
    /// The longest schema text that is read, in bytes.
    pub const BYTES_MAX: usize = 1_000_000;
    /// The most operations that a schema may unfold into.
    pub const STEPS_MAX: usize = 65_536;
}

/// Bounds of a compilation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) nesting_max: usize,
    pub(crate) fields_max: usize,
}

/// Compiles `json` for the fields that `tree` names and `wanted` asks for.
pub(crate) fn compile(
    json: &str,
    tree: &Node,
    wanted: &dyn Fn(&Target) -> bool,
    bounds: Bounds,
) -> Result<Program, SchemaError> {
    if json.len() > SchemaError::BYTES_MAX {
        return Err(SchemaError::TooLong(json.len()));
    }
    let schema = Schema::parse_str(json).map_err(|e| SchemaError::Parse(e.to_string()))?;
    let mut compiler = Compiler {
        program: Program::default(),
        wanted,
        bounds,
        names: BTreeMap::new(),
        open: Vec::new(),
    };
    let mut ops = Vec::new();
    compiler.value(&schema, Some(tree), To::Nowhere, 0, &mut ops)?;
    compiler.program.root = compiler.seal(ops)?;
    Ok(compiler.program)
}

struct Compiler<'s> {
    program: Program,
    wanted: &'s dyn Fn(&Target) -> bool,
    bounds: Bounds,
    names: BTreeMap<String, &'s Schema>,
    /// Records that the walk is within.
    open: Vec<String>,
}

impl<'s> Compiler<'s> {
    /// Makes a list of operations part of the program.
    fn seal(&mut self, ops: Vec<Op>) -> Result<Span, SchemaError> {
        let start = self.program.ops.len();
        if start + ops.len() > SchemaError::STEPS_MAX {
            return Err(SchemaError::TooWide);
        }
        self.program.ops.extend(ops);
        Ok(Span {
            start: start as u32,
            end: self.program.ops.len() as u32,
        })
    }

    fn slot(&mut self, target: Target, into: &mut Vec<To>) -> Result<(), SchemaError> {
        if (self.wanted)(&target) {
            let slots = &mut self.program.shape.slots;
            if slots.len() >= self.bounds.fields_max {
                return Err(SchemaError::TooManyFields(self.bounds.fields_max));
            }
            into.push(To::Slot(slots.len() as u32));
            slots.push(target);
        }
        Ok(())
    }

    /// What a node takes for itself, whatever the name it is reached by.
    fn own(&mut self, node: Option<&Node>, into: &mut Vec<To>) -> Result<(), SchemaError> {
        if let Some(node) = node {
            into.extend(node.heads.iter().map(|&head| To::Head(head)));
            for target in &node.targets {
                self.slot(target.clone(), into)?;
            }
        }
        Ok(())
    }

    fn join(&mut self, to: Vec<To>) -> To {
        match to[..] {
            [] => To::Nowhere,
            [one] => one,
            _ => {
                let first = self.program.many.len() as u32;
                let count = to.len() as u32;
                self.program.many.extend(to);
                To::Many(first, count)
            }
        }
    }

    /// Reads a value of `schema`: as a scalar it goes `to`, its fields go where `node` says.
    fn value(
        &mut self,
        schema: &'s Schema,
        node: Option<&Node>,
        to: To,
        depth: usize,
        out: &mut Vec<Op>,
    ) -> Result<(), SchemaError> {
        if depth > self.bounds.nesting_max {
            return Err(SchemaError::TooDeep(self.bounds.nesting_max));
        }
        if out.len() > SchemaError::STEPS_MAX {
            return Err(SchemaError::TooWide);
        }
        if let Some(name) = name(schema) {
            self.names.insert(name, schema);
        }
        if let Some(kind) = self.scalar(schema) {
            emit_scalar(kind, to, out);
            return Ok(());
        }
        match schema {
            Schema::Ref { name } => {
                let name = name.fullname(None);
                if self.open.contains(&name) {
                    return Err(SchemaError::Recursive(name));
                }
                match self.names.get(&name) {
                    Some(&schema) => self.value(schema, node, to, depth, out),
                    None => Err(SchemaError::UnknownName(name)),
                }
            }
            Schema::Record(record) => self.record(record, node, to, depth, out),
            Schema::Map(map) => self.map(map, node, to, depth, out),
            Schema::Array(array) => {
                emit_unsupported(to, out);
                let mut item = Vec::new();
                self.value(&array.items, None, To::Nowhere, depth + 1, &mut item)?;
                out.push(match item[..] {
                    [Op::Skip { bytes }] => Op::FixedArray { item_bytes: bytes },
                    _ => Op::Array {
                        item: self.seal(item)?,
                    },
                });
                Ok(())
            }
            Schema::Union(union) => self.union(union, node, to, depth, out),
            _ => unreachable!("every other schema is a scalar"),
        }
    }

    fn record(
        &mut self,
        record: &'s RecordSchema,
        node: Option<&Node>,
        to: To,
        depth: usize,
        out: &mut Vec<Op>,
    ) -> Result<(), SchemaError> {
        emit_unsupported(to, out);
        self.open.push(record.name.fullname(None));
        for field in &record.fields {
            let child = node.and_then(|node| node.child(&field.name));
            let mut places = Vec::new();
            for rest in node.map_or(&[][..], |node| &node.rests) {
                if let Some(name) = rest.name(&field.name) {
                    self.slot(
                        Target {
                            role: rest.role,
                            name: name.to_owned(),
                        },
                        &mut places,
                    )?;
                }
            }
            self.own(child, &mut places)?;
            let to = self.join(places);
            self.value(&field.schema, child, to, depth + 1, out)?;
        }
        self.open.pop();
        Ok(())
    }

    fn rest(&mut self, rest: &Rest) -> To {
        let rests = &mut self.program.shape.rests;
        let i = rests.iter().position(|r| r == rest).unwrap_or_else(|| {
            rests.push(rest.clone());
            rests.len() - 1
        });
        To::Entry(i as u16)
    }

    fn map(
        &mut self,
        map: &'s MapSchema,
        node: Option<&Node>,
        to: To,
        depth: usize,
        out: &mut Vec<Op>,
    ) -> Result<(), SchemaError> {
        emit_unsupported(to, out);
        let entries: Vec<To> = node
            .map_or(&[][..], |node| &node.rests)
            .iter()
            .map(|rest| self.rest(rest))
            .collect();
        let keep_key = !entries.is_empty();
        let mut keyed = Vec::new();
        for (key, child) in node.map_or(&[][..], |node| &node.children) {
            let mut places = entries.clone();
            self.own(Some(child), &mut places)?;
            let to = self.join(places);
            let mut ops = Vec::new();
            self.value(&map.types, Some(child), to, depth + 1, &mut ops)?;
            keyed.push((key.clone().into_boxed_str(), self.seal(ops)?));
        }
        let to = self.join(entries);
        let mut ops = Vec::new();
        self.value(&map.types, None, to, depth + 1, &mut ops)?;
        if keyed.is_empty()
            && let Some(entries) = self.entries(&ops)
        {
            out.push(entries);
            return Ok(());
        }
        let other = self.seal(ops)?;
        let start = self.program.keyed.len() as u32;
        self.program.keyed.extend(keyed);
        let keyed = Span {
            start,
            end: self.program.keyed.len() as u32,
        };
        out.push(Op::Map {
            keyed,
            other,
            keep_key,
        });
        Ok(())
    }

    /// The step that reads a whole map, where each value is read by these and they allow it.
    fn entries(&mut self, ops: &[Op]) -> Option<Op> {
        let (kinds, union, to) = match *ops {
            [Op::Scalars { kinds, to }] => (kinds, true, to),
            [Op::Scalar { kind, to }] => (self.kinds(vec![kind]), false, to),
            _ => return None,
        };
        match to {
            To::Entry(rest) => Some(Op::Entries { kinds, union, rest }),
            _ => None,
        }
    }

    fn union(
        &mut self,
        union: &'s UnionSchema,
        node: Option<&Node>,
        to: To,
        depth: usize,
        out: &mut Vec<Op>,
    ) -> Result<(), SchemaError> {
        for variant in union.variants() {
            if let Some(name) = name(variant) {
                self.names.insert(name, variant);
            }
        }
        let kinds: Option<Vec<Kind>> = union.variants().iter().map(|v| self.scalar(v)).collect();
        if let Some(kinds) = kinds {
            let kinds = self.kinds(kinds);
            self.emit_union(kinds, to, out);
            return Ok(());
        }
        let mut spans = Vec::new();
        for variant in union.variants() {
            let mut ops = Vec::new();
            self.value(variant, node, to, depth, &mut ops)?;
            spans.push(self.seal(ops)?);
        }
        let start = self.program.spans.len() as u32;
        self.program.spans.extend(spans);
        out.push(Op::Branches {
            spans: Span {
                start,
                end: self.program.spans.len() as u32,
            },
        });
        Ok(())
    }

    fn kinds(&mut self, kinds: Vec<Kind>) -> Span {
        let start = self.program.kinds.len() as u32;
        self.program.kinds.extend(kinds);
        Span {
            start,
            end: self.program.kinds.len() as u32,
        }
    }

    /// Adds a union of scalars, joining it with its neighbour where one step can read both.
    fn emit_union(&self, kinds: Span, to: To, out: &mut Vec<Op>) {
        let (null, other) = match (&self.program.kinds[kinds.range()], to) {
            ([Kind::Null, other], To::Slot(_)) => (0, *other),
            ([other, Kind::Null], To::Slot(_)) => (1, *other),
            _ => (0, Kind::Null),
        };
        match (other, to, out.last_mut()) {
            (
                Kind::Double,
                To::Slot(next),
                Some(Op::NullableDoubles {
                    null: n,
                    slot,
                    count,
                }),
            )
            | (
                Kind::Text,
                To::Slot(next),
                Some(Op::NullableTexts {
                    null: n,
                    slot,
                    count,
                }),
            ) if *n == null && *slot + *count == next => *count += 1,
            (Kind::Double, To::Slot(slot), _) => out.push(Op::NullableDoubles {
                null,
                slot,
                count: 1,
            }),
            (Kind::Text, To::Slot(slot), _) => out.push(Op::NullableTexts {
                null,
                slot,
                count: 1,
            }),
            _ => out.push(Op::Scalars { kinds, to }),
        }
    }

    /// How a scalar is read; none for what holds other values.
    fn scalar(&mut self, schema: &'s Schema) -> Option<Kind> {
        let fixed = |f: &FixedSchema| Kind::Fixed(u32::try_from(f.size).unwrap_or(u32::MAX));
        Some(match schema {
            Schema::Null => Kind::Null,
            Schema::Boolean => Kind::Boolean,
            Schema::Int | Schema::TimeMillis => Kind::Int,
            Schema::Date => Kind::Date,
            Schema::Long | Schema::TimeMicros => Kind::Long,
            Schema::TimestampMillis | Schema::LocalTimestampMillis => {
                Kind::Instant(TimeUnit::Millis)
            }
            Schema::TimestampMicros | Schema::LocalTimestampMicros => {
                Kind::Instant(TimeUnit::Micros)
            }
            Schema::TimestampNanos | Schema::LocalTimestampNanos => Kind::Instant(TimeUnit::Nanos),
            Schema::Float => Kind::Float,
            Schema::Double => Kind::Double,
            Schema::String | Schema::Uuid(UuidSchema::String) => Kind::Text,
            Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => Kind::Bytes,
            Schema::Fixed(f) | Schema::Duration(f) | Schema::Uuid(UuidSchema::Fixed(f)) => fixed(f),
            Schema::Decimal(DecimalSchema { inner, .. }) => match inner {
                InnerDecimalSchema::Bytes => Kind::Bytes,
                InnerDecimalSchema::Fixed(f) => fixed(f),
            },
            Schema::Enum(e) => {
                let symbols = e
                    .symbols
                    .iter()
                    .map(|s| s.clone().into_boxed_str())
                    .collect();
                let tables = &mut self.program.symbols;
                let i = tables
                    .iter()
                    .position(|t| *t == symbols)
                    .unwrap_or_else(|| {
                        tables.push(symbols);
                        tables.len() - 1
                    });
                Kind::Enum(i as u32)
            }
            Schema::Ref { name } => {
                let named = *self.names.get(&name.fullname(None))?;
                return match named {
                    Schema::Ref { .. } => None,
                    named => self.scalar(named),
                };
            }
            Schema::Array(_) | Schema::Map(_) | Schema::Union(_) | Schema::Record(_) => {
                return None;
            }
        })
    }
}

/// The name that a schema defines.
fn name(schema: &Schema) -> Option<String> {
    let name = match schema {
        Schema::Record(r) => &r.name,
        Schema::Enum(e) => &e.name,
        Schema::Fixed(f)
        | Schema::Duration(f)
        | Schema::Uuid(UuidSchema::Fixed(f))
        | Schema::Decimal(DecimalSchema {
            inner: InnerDecimalSchema::Fixed(f),
            ..
        }) => &f.name,
        _ => return None,
    };
    Some(name.fullname(None))
}

fn emit_unsupported(to: To, out: &mut Vec<Op>) {
    if to != To::Nowhere {
        out.push(Op::Unsupported { to });
    }
}

/// Adds a scalar, joining it with its neighbour where one step can read both.
fn emit_scalar(kind: Kind, to: To, out: &mut Vec<Op>) {
    let skipped = match (kind, to) {
        (Kind::Null, To::Nowhere) => return,
        (Kind::Float, To::Nowhere) => Some(4),
        (Kind::Double, To::Nowhere) => Some(8),
        (Kind::Fixed(bytes), To::Nowhere) => Some(bytes),
        _ => None,
    };
    if let Some(more) = skipped {
        if let Some(Op::Skip { bytes }) = out.last_mut()
            && let Some(sum) = bytes.checked_add(more)
        {
            *bytes = sum;
        } else {
            out.push(Op::Skip { bytes: more });
        }
        return;
    }
    match (kind, to, out.last_mut()) {
        (Kind::Double, To::Slot(next), Some(Op::Doubles { slot, count }))
        | (Kind::Text, To::Slot(next), Some(Op::Texts { slot, count }))
            if *slot + *count == next =>
        {
            *count += 1;
        }
        (Kind::Double, To::Slot(slot), _) => out.push(Op::Doubles { slot, count: 1 }),
        (Kind::Text, To::Slot(slot), _) => out.push(Op::Texts { slot, count: 1 }),
        (Kind::Text, To::Head(head), _) => out.push(Op::Head { head }),
        _ => out.push(Op::Scalar { kind, to }),
    }
}
