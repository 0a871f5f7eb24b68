//! From the tree to a raw type, gathering every problem on the way.
//!
//! Serde stops at the first error. This deserializer therefore reports it, cuts the offending value out of
//! the tree and tries again, until the rest fits. Cutting is sound because every field of a raw type may be absent.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer as _,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::problem::Problems;
use super::suggest;
use super::yaml::{Content, Entry, Node};

/// A bound on repeated tries, and so on how many problems one run reports.
const PROBLEMS_MAX: usize = 200;

/// Builds a `T` from what fits and adds the rest to `problems`.
pub(super) fn collect<T: DeserializeOwned + Default>(root: &Node, problems: &mut Problems) -> T {
    let mut cut = Cut::default();
    for _ in 0..PROBLEMS_MAX {
        let refusal = match T::deserialize(Tree {
            node: root,
            cut: &cut,
        }) {
            Ok(value) => return value,
            Err(refusal) => refusal,
        };
        let path = refusal.path.clone().unwrap_or_default();
        if !refusal.follows_from_cut {
            problems.error(&path, refusal.message, refusal.hint);
        }
        if path.is_empty() || !cut.insert(path) {
            break;
        }
    }
    T::default()
}

/// Paths of values that were reported and are no longer read.
#[derive(Default)]
struct Cut(BTreeSet<String>);

impl Cut {
    fn has(&self, node: &Node) -> bool {
        self.0.contains(&node.path)
    }

    /// Cuts `path`, or what is around it when it is cut already. False when nothing is left to cut.
    fn insert(&mut self, path: String) -> bool {
        let mut path = path;
        while !self.0.insert(path.clone()) {
            match path.rfind(['.', '[']) {
                Some(end) => path.truncate(end),
                None => return false,
            }
        }
        true
    }
}

/// Why a value does not fit.
#[derive(Debug)]
struct Refusal {
    path: Option<String>,
    message: String,
    hint: String,
    /// The value is absent because it was cut, which has been reported.
    follows_from_cut: bool,
}

impl Refusal {
    fn new(message: String, hint: String) -> Self {
        Self {
            path: None,
            message,
            hint,
            follows_from_cut: false,
        }
    }

    fn within(mut self, node: &Node, cut: &Cut) -> Self {
        if self.path.is_none() {
            self.path = Some(node.path.clone());
            self.follows_from_cut = cut.has(node);
        }
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        match message.split_once("\nhint: ") {
            Some((message, hint)) => Self::new(message.to_owned(), hint.to_owned()),
            None => Self::new(message, String::new()),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = plain_expectation(&expected.to_string());
        Self::new(
            format!("expected {expected}, found {}", plain_find(found)),
            String::new(),
        )
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(
            format!("unknown key `{field}`"),
            suggest::hint(field, expected),
        )
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let message = format!("`{variant}` is not one of {}", expected.join(", "));
        let hint = suggest::nearest(variant, expected.iter().copied())
            .map_or_else(String::new, |name| format!("did you mean `{name}`?"));
        Self::new(message, hint)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("the key `{field}` is missing"), String::new())
    }
}

/// Rust's words for types are not the reader's.
fn plain_expectation(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more".into(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a string" => "a text".into(),
        "a sequence" => "a list".into(),
        "a map" => "a mapping (`key: value` lines)".into(),
        text if text.starts_with("struct ") => "a mapping (`key: value` lines)".into(),
        text => text.into(),
    }
}

fn plain_find(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(b) => format!("`{b}`"),
        Unexpected::Unsigned(i) => format!("`{i}`"),
        Unexpected::Signed(i) => format!("`{i}`"),
        Unexpected::Float(x) => format!("`{x}`"),
        Unexpected::Str(text) => {
            let short: String = text.chars().take(60).collect();
            format!("the text `{short}`")
        }
        Unexpected::Unit | Unexpected::Option => "nothing".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a mapping".into(),
        other => other.to_string(),
    }
}

/// One value of the tree.
#[derive(Clone, Copy)]
struct Tree<'t> {
    node: &'t Node,
    cut: &'t Cut,
}

impl<'t> Tree<'t> {
    fn is_null(self) -> bool {
        self.cut.has(self.node) || matches!(self.node.content, Content::Null)
    }

    fn entries(self, entries: &'t [Entry]) -> Entries<'t> {
        Entries {
            rest: entries.iter(),
            value: None,
            cut: self.cut,
        }
    }
}

impl<'de> Deserializer<'de> for Tree<'_> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let result = match &self.node.content {
            _ if self.is_null() => visitor.visit_unit(),
            Content::Null => visitor.visit_unit(),
            Content::Bool(b, _) => visitor.visit_bool(*b),
            Content::Integer(i, _) => match (u64::try_from(*i), i64::try_from(*i)) {
                (Ok(i), _) => visitor.visit_u64(i),
                (_, Ok(i)) => visitor.visit_i64(i),
                _ => visitor.visit_f64(*i as f64),
            },
            Content::Float(x, _) => visitor.visit_f64(*x),
            Content::Text(text) => visitor.visit_str(text),
            Content::Sequence(items) => visitor.visit_seq(Items {
                rest: items.iter(),
                cut: self.cut,
            }),
            Content::Mapping(entries) => visitor.visit_map(self.entries(entries)),
        };
        result.map_err(|e| e.within(self.node, self.cut))
    }

    /// A number or truth value where a text is wanted is the text as it was written.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match &self.node.content {
            _ if self.is_null() => self.deserialize_any(visitor),
            Content::Bool(_, spelling)
            | Content::Integer(_, spelling)
            | Content::Float(_, spelling) => visitor
                .visit_str(spelling)
                .map_err(|e: Refusal| e.within(self.node, self.cut)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if self.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    /// `section:` with nothing below it is the section with its defaults.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if self.is_null() {
            return visitor
                .visit_map(self.entries(&[]))
                .map_err(|e| e.within(self.node, self.cut));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let access = match &self.node.content {
            Content::Text(name) if !self.is_null() => Variant { name, value: None },
            Content::Mapping(entries) if entries.len() == 1 && !self.is_null() => {
                let value = Tree {
                    node: &entries[0].value,
                    cut: self.cut,
                };
                Variant {
                    name: &entries[0].key,
                    value: Some(value),
                }
            }
            _ => return self.deserialize_any(visitor),
        };
        visitor
            .visit_enum(access)
            .map_err(|e| e.within(self.node, self.cut))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'t> {
    rest: std::slice::Iter<'t, Node>,
    cut: &'t Cut,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Refusal;

    /// A cut item is read as nothing rather than left out, so that the others keep their positions.
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refusal> {
        let Some(node) = self.rest.next() else {
            return Ok(None);
        };
        let read = seed.deserialize(Tree {
            node,
            cut: self.cut,
        });
        read.map(Some).map_err(|e| e.within(node, self.cut))
    }
}

struct Entries<'t> {
    rest: std::slice::Iter<'t, Entry>,
    value: Option<&'t Node>,
    cut: &'t Cut,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Refusal;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refusal> {
        let Some(entry) = self.rest.by_ref().find(|e| !self.cut.has(&e.value)) else {
            return Ok(None);
        };
        self.value = Some(&entry.value);
        let key: StrDeserializer<'_, Refusal> = entry.key.as_str().into_deserializer();
        seed.deserialize(key)
            .map(Some)
            .map_err(|e| e.within(&entry.value, self.cut))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refusal> {
        let node = self
            .value
            .take()
            .expect("serde asks for a value only after its key");
        seed.deserialize(Tree {
            node,
            cut: self.cut,
        })
        .map_err(|e| e.within(node, self.cut))
    }
}

struct Variant<'t> {
    name: &'t str,
    value: Option<Tree<'t>>,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Refusal;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Refusal> {
        let name: StrDeserializer<'_, Refusal> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Refusal;

    fn unit_variant(self) -> Result<(), Refusal> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refusal> {
        seed.deserialize(self.value()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Refusal> {
        self.value()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.value()?.deserialize_struct("", fields, visitor)
    }
}

impl<'t> Variant<'t> {
    fn value(&self) -> Result<Tree<'t>, Refusal> {
        let missing = || Refusal::new(format!("`{}` needs a value", self.name), String::new());
        self.value.ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        name: String,
        count: u64,
        inner: Vec<Inner>,
        mode: Mode,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        x: f64,
        list: Vec<u8>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        #[default]
        Fast,
        Slow,
    }

    fn read(text: &str) -> (Outer, Vec<(String, String)>) {
        let root = Node::parse(text).unwrap();
        let mut problems = Problems::new("f", root.places());
        let value = collect(&root, &mut problems);
        let problems = problems.list.into_iter();
        (value, problems.map(|p| (p.path, p.message)).collect())
    }

    #[test]
    fn reads_what_fits() {
        let (value, problems) = read("name: 1.10\ncount: 3\ninner: [{x: 2}, {}]\nmode: slow\n");
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            (value.name.as_str(), value.count, value.mode),
            ("1.10", 3, Mode::Slow)
        );
        assert_eq!(value.inner[0].x, 2.0);
    }

    #[test]
    fn reports_every_problem_and_keeps_positions() {
        let text = "nam: a\ncount: many\ninner:\n  - 7\n  - {x: oops, y: 1}\n  - {x: 3, list: [1, 300]}\nmode: slo\n";
        let (value, problems) = read(text);
        let paths: Vec<&str> = problems.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "nam",
                "count",
                "inner[0]",
                "inner[1].x",
                "inner[1].y",
                "inner[2].list[1]",
                "mode"
            ]
        );
        assert_eq!(
            problems[1].1,
            "expected a whole number, 0 or more, found the text `many`"
        );
        assert_eq!(value.inner.len(), 3);
        assert_eq!(value.inner[2].x, 3.0);
    }

    #[test]
    fn a_file_of_another_shape_ends_with_one_problem() {
        let (value, problems) = read("- a\n- b\n");
        assert_eq!(value, Outer::default());
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
}
