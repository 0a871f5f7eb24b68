//! YAML as a tree that remembers where everything stands.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A place in the file, both counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl From<serde_saphyr::Location> for Position {
    fn from(location: serde_saphyr::Location) -> Self {
        Self {
            line: location.line(),
            column: location.column(),
        }
    }
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) path: String,
    pub(super) content: Content,
}

/// What a value is. Scalars keep their spelling, so that the version `1.10` does not become `1.1`.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Null,
    Bool(bool, String),
    Integer(i128, String),
    Float(f64, String),
    Text(String),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key with its place, and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) at: Position,
    pub(super) key: String,
    pub(super) value: Node,
}

impl Node {
    /// Reads `text`.
    pub(super) fn parse(text: &str) -> Result<Self, serde_saphyr::Error> {
        let root: Option<Spanned<Parsed>> = serde_saphyr::from_str(text)?;
        Ok(match root {
            Some(root) => build(root, String::new(), text),
            None => Self {
                at: Position::default(),
                path: String::new(),
                content: Content::Null,
            },
        })
    }

    /// Every path in the tree with its place; keys stand at the key, not the value.
    pub(super) fn places(&self) -> std::collections::BTreeMap<String, Position> {
        let mut places = std::collections::BTreeMap::from([(self.path.clone(), self.at)]);
        let mut open = vec![self];
        while let Some(node) = open.pop() {
            match &node.content {
                Content::Sequence(items) => open.extend(items),
                Content::Mapping(entries) => {
                    for entry in entries {
                        places.insert(entry.value.path.clone(), entry.at);
                    }
                    open.extend(entries.iter().map(|e| &e.value));
                }
                _ => {}
            }
            places.entry(node.path.clone()).or_insert(node.at);
        }
        places
    }
}

/// The path of `key` inside `path`.
pub(super) fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}

/// What serde-saphyr hands over; positions are in the `Spanned` around each child.
enum Parsed {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    Sequence(Vec<Spanned<Parsed>>),
    Mapping(Vec<(Spanned<String>, Spanned<Parsed>)>),
}

fn build(parsed: Spanned<Parsed>, path: String, source: &str) -> Node {
    let spelling = || {
        let span = parsed.defined.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
        source.get(start..end).map(|text| text.trim().to_owned())
    };
    let content = match parsed.value {
        Parsed::Null => Content::Null,
        Parsed::Bool(b) => Content::Bool(b, spelling().unwrap_or_else(|| b.to_string())),
        Parsed::Integer(i) => Content::Integer(i, spelling().unwrap_or_else(|| i.to_string())),
        Parsed::Float(x) => Content::Float(x, spelling().unwrap_or_else(|| x.to_string())),
        Parsed::Text(text) => Content::Text(text),
        Parsed::Sequence(items) => {
            let indexed = items.into_iter().enumerate();
            let items = indexed.map(|(i, item)| build(item, format!("{path}[{i}]"), source));
            Content::Sequence(items.collect())
        }
        Parsed::Mapping(entries) => {
            let entries = entries.into_iter().map(|(key, value)| Entry {
                at: key.referenced.into(),
                value: build(value, join(&path, &key.value), source),
                key: key.value,
            });
            Content::Mapping(entries.collect())
        }
    };
    Node {
        at: parsed.referenced.into(),
        path,
        content,
    }
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParsedVisitor)
    }
}

struct ParsedVisitor;

impl<'de> Visitor<'de> for ParsedVisitor {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Null)
    }

    fn visit_none<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Parsed, D::Error> {
        Parsed::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Parsed, E> {
        Ok(Parsed::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Parsed, E> {
        Ok(Parsed::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Parsed, E> {
        Ok(Parsed::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Parsed, E> {
        Ok(Parsed::Integer(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Parsed, E> {
        Ok(Parsed::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Parsed, E> {
        Ok(Parsed::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Parsed, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Parsed::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Parsed, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Parsed::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_places_and_spellings() {
        let node = Node::parse("a: 1.10\nb:\n  - x\n  - {c: no, d: 007}\n").unwrap();
        let places = node.places();
        let at = |path: &str| places.get(path).map(|p| (p.line, p.column));
        assert_eq!(at("a"), Some((1, 1)));
        assert_eq!(at("b[0]"), Some((3, 5)));
        assert_eq!(at("b[1].d"), Some((4, 13)));
        let Content::Mapping(entries) = &node.content else {
            panic!("not a mapping")
        };
        assert!(matches!(&entries[0].value.content, Content::Float(_, text) if text == "1.10"));
    }

    #[test]
    fn an_empty_file_is_null_and_a_broken_one_has_a_place() {
        assert!(matches!(
            Node::parse("# nothing\n").unwrap().content,
            Content::Null
        ));
        let error = Node::parse("a: [1, 2\nb: 3\n").unwrap_err();
        assert!(error.location().is_some(), "{error}");
    }
}
