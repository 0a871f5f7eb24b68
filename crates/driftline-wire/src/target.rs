//! A mapping as a tree over field names: what Avro schemas and JSON objects are walked along.

use std::collections::BTreeSet;

use crate::FieldPath;
use crate::mapping::{
    FieldGroup, Fields, LabelMapping, Mapping, MappingError, RecordTimestamp, Source, TimeField,
};

/// A part of an event that every event has at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    Id,
    Model,
    Version,
    Time,
    Label,
    Value,
    Weight,
    Revision,
}

impl Head {
    pub(crate) const COUNT: usize = 8;
}

/// What a named value is to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    Feature,
    Output,
    /// A score of one class: the output column `scores.<class>`.
    Score,
    Segment,
}

impl Role {
    pub(crate) const COUNT: usize = 4;
}

/// A named value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    pub(crate) role: Role,
    pub(crate) name: String,
}

/// All fields below a node that no one named one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    pub(crate) role: Role,
    pub(crate) prefix: String,
    pub(crate) keep_prefix: bool,
}

impl Rest {
    /// The value's name when the field called `key` belongs here.
    pub(crate) fn name<'k>(&self, key: &'k str) -> Option<&'k str> {
        let after = key.strip_prefix(self.prefix.as_str())?;
        Some(if self.keep_prefix { key } else { after })
    }
}

/// A place in a record: what is taken there and what lies below.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) heads: Vec<Head>,
    pub(crate) targets: Vec<Target>,
    pub(crate) rests: Vec<Rest>,
    pub(crate) children: Vec<(String, Node)>,
}

impl Node {
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, node)| node)
    }

    fn at(&mut self, path: &FieldPath) -> &mut Self {
        let mut node = self;
        for step in path.steps() {
            let i = node
                .children
                .iter()
                .position(|(n, _)| n == step)
                .unwrap_or_else(|| {
                    node.children.push((step.clone(), Self::default()));
                    node.children.len() - 1
                });
            node = &mut node.children[i].1;
        }
        node
    }

    fn head(
        &mut self,
        path: &FieldPath,
        head: Head,
        group: &'static str,
    ) -> Result<(), MappingError> {
        if path.steps().is_empty() {
            return Err(MappingError::NotAField { group });
        }
        self.at(path).heads.push(head);
        Ok(())
    }

    fn source(
        &mut self,
        source: &Source,
        head: Head,
        group: &'static str,
    ) -> Result<(), MappingError> {
        match source {
            Source::Path(path) => self.head(path, head, group),
            Source::Constant(c) if c.constant.is_empty() => {
                Err(MappingError::EmptyConstant { group })
            }
            Source::Constant(_) => Ok(()),
        }
    }

    fn time(&mut self, time: &TimeField) -> Result<(), MappingError> {
        match (time, time.parts()) {
            (
                TimeField::Record(RecordTimestamp {
                    record_timestamp: false,
                }),
                _,
            ) => Err(MappingError::NoTime),
            (_, Some((path, _))) => self.head(path, Head::Time, "time"),
            (_, None) => Ok(()),
        }
    }

    fn fields(
        &mut self,
        fields: &Fields,
        role: Role,
        group: &'static str,
    ) -> Result<(), MappingError> {
        match fields {
            Fields::Path(path) => {
                let rest = Rest {
                    role,
                    prefix: String::new(),
                    keep_prefix: true,
                };
                self.at(path).rests.push(rest);
            }
            Fields::Group(FieldGroup {
                path,
                prefix,
                keep_prefix,
            }) => {
                let rest = Rest {
                    role,
                    prefix: prefix.clone(),
                    keep_prefix: *keep_prefix,
                };
                self.at(path).rests.push(rest);
            }
            Fields::List(list) => {
                let mut names = BTreeSet::new();
                for field in list {
                    let (name, path) = field.parts();
                    let Some(name) = name.filter(|_| !path.steps().is_empty()) else {
                        return Err(MappingError::NotAField { group });
                    };
                    if !names.insert(name) {
                        return Err(MappingError::Duplicate {
                            group,
                            name: name.to_owned(),
                        });
                    }
                    self.at(path).targets.push(Target {
                        role,
                        name: name.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The tree of a mapping of predictions.
    pub(crate) fn prediction(mapping: &Mapping) -> Result<Self, MappingError> {
        let mut root = Self::default();
        root.head(&mapping.id, Head::Id, "id")?;
        root.source(&mapping.model, Head::Model, "model")?;
        root.source(&mapping.version, Head::Version, "version")?;
        root.time(&mapping.time)?;
        root.fields(&mapping.features, Role::Feature, "features")?;
        for (name, path) in &mapping.outputs {
            if path.steps().is_empty() {
                return Err(MappingError::NotAField { group: "outputs" });
            }
            root.at(path).targets.push(Target {
                role: Role::Output,
                name: name.clone(),
            });
        }
        if let Some(path) = &mapping.scores {
            root.fields(&Fields::Path(path.clone()), Role::Score, "scores")?;
        }
        root.fields(&mapping.segments, Role::Segment, "segments")?;
        Ok(root)
    }

    /// The tree of a mapping of labels.
    pub(crate) fn label(mapping: &LabelMapping) -> Result<Self, MappingError> {
        let mut root = Self::default();
        root.head(&mapping.id, Head::Id, "id")?;
        root.source(&mapping.model, Head::Model, "model")?;
        root.source(&mapping.version, Head::Version, "version")?;
        root.time(&mapping.time)?;
        root.head(&mapping.label, Head::Label, "label")?;
        root.head(&mapping.value, Head::Value, "value")?;
        root.head(&mapping.weight, Head::Weight, "weight")?;
        root.head(&mapping.revision, Head::Revision, "revision")?;
        Ok(root)
    }
}

/// The constant of a source, if it is one.
pub(crate) fn constant(source: &Source) -> Option<String> {
    match source {
        Source::Constant(c) => Some(c.constant.clone()),
        Source::Path(_) => None,
    }
}
