//! The columns of a monitored model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the values of a column are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Ordered numbers: quantile bins.
    Numeric,
    /// Names: counts per category.
    Categorical,
    /// Vectors of several numbers of the event: random Fourier features. Never a column of a [`Layout`].
    Embedding,
}

/// What a column is to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnRole {
    /// An input of the model.
    Feature,
    /// Something the model said: its score, value or label.
    Output,
    /// What turned out to be true, and what follows from it: error, calibration. Never a column of a [`Layout`].
    Label,
}

impl ColumnRole {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Output => "output",
            Self::Label => "label",
        }
    }
}

/// One monitored column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The name as it stands in the events.
    pub name: String,
    /// How its values are compared.
    pub kind: ColumnKind,
    /// Feature or output.
    pub role: ColumnRole,
}

/// The columns of one version of one model, in a fixed order, and the fields that cut its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The model's id as it stands in the events.
    pub model: String,
    /// The version's name as it stands in the events.
    pub version: String,
    /// The columns; a column's index is its position here.
    pub columns: Vec<Column>,
    /// Names of the event's segment fields that this model is cut by.
    pub segments: Vec<String>,
}

impl Layout {
    /// The position of the column `name` with `role`, if it is monitored.
    pub fn column_index(&self, role: ColumnRole, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|c| c.role == role && c.name == name)
    }
}

/// A layout's number in its [`Catalog`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayoutId(pub u32);

impl LayoutId {
    /// The position in the catalogue.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Why a catalogue cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// The same model and version stand twice.
    #[error("model `{model}` version `{version}` is given twice")]
    Duplicate {
        /// The model's id.
        model: String,
        /// The version's name.
        version: String,
    },
    /// The same column stands twice in one layout.
    #[error("model `{model}` version `{version}` has the column `{column}` twice")]
    DuplicateColumn {
        /// The model's id.
        model: String,
        /// The version's name.
        version: String,
        /// The column's name.
        column: String,
    },
}

/// All layouts that this process monitors. Fixed for its lifetime.
///
/// A version named `*` stands for every version that has no layout of its own.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    layouts: Vec<Layout>,
    by_model: BTreeMap<String, Vec<(String, LayoutId)>>,
}

impl Catalog {
    /// The version name that stands for all others.
    pub const ANY_VERSION: &'static str = "*";

    /// Numbers the layouts in the order given.
    ///
    /// # Errors
    /// When a model and version, or a column within one layout, stand twice.
    pub fn new(layouts: Vec<Layout>) -> Result<Self, CatalogError> {
        let mut by_model: BTreeMap<String, Vec<(String, LayoutId)>> = BTreeMap::new();
        for (i, layout) in layouts.iter().enumerate() {
            let (model, version) = (layout.model.clone(), layout.version.clone());
            for (j, column) in layout.columns.iter().enumerate() {
                if layout.column_index(column.role, &column.name) != Some(j) {
                    let column = column.name.clone();
                    return Err(CatalogError::DuplicateColumn {
                        model,
                        version,
                        column,
                    });
                }
            }
            let versions = by_model.entry(model.clone()).or_default();
            if versions.iter().any(|(v, _)| *v == version) {
                return Err(CatalogError::Duplicate { model, version });
            }
            versions.push((version, LayoutId(i as u32)));
        }
        Ok(Self { layouts, by_model })
    }

    /// The layout for this model and version, if it is monitored.
    pub fn resolve(&self, model: &str, version: &str) -> Option<LayoutId> {
        let versions = self.by_model.get(model)?;
        let named = |wanted: &str| {
            versions
                .iter()
                .find(|(v, _)| v == wanted)
                .map(|(_, id)| *id)
        };
        named(version).or_else(|| named(Self::ANY_VERSION))
    }

    /// The layout with this number.
    pub fn layout(&self, id: LayoutId) -> &Layout {
        &self.layouts[id.index()]
    }

    /// All layouts with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (LayoutId, &Layout)> {
        self.layouts
            .iter()
            .enumerate()
            .map(|(i, l)| (LayoutId(i as u32), l))
    }

    /// How many layouts there are.
    pub fn len(&self) -> usize {
        self.layouts.len()
    }

    /// Whether nothing is monitored.
    pub fn is_empty(&self) -> bool {
        self.layouts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(model: &str, version: &str) -> Layout {
        let column = |name: &str, role| Column {
            name: name.into(),
            kind: ColumnKind::Numeric,
            role,
        };
        Layout {
            model: model.into(),
            version: version.into(),
            columns: vec![
                column("x", ColumnRole::Feature),
                column("x", ColumnRole::Output),
            ],
            segments: vec![],
        }
    }

    #[test]
    fn resolves_the_named_version_before_the_star() {
        let catalog = Catalog::new(vec![layout("m", "*"), layout("m", "2")]).unwrap();
        assert_eq!(catalog.resolve("m", "2"), Some(LayoutId(1)));
        assert_eq!(catalog.resolve("m", "3"), Some(LayoutId(0)));
        assert_eq!(catalog.resolve("n", "2"), None);
    }

    #[test]
    fn a_feature_and_an_output_may_share_a_name_but_not_two_features() {
        let mut twice = layout("m", "1");
        assert!(Catalog::new(vec![twice.clone()]).is_ok());
        twice.columns[1].role = ColumnRole::Feature;
        assert!(matches!(
            Catalog::new(vec![twice]),
            Err(CatalogError::DuplicateColumn { .. })
        ));
        let double = vec![layout("m", "1"), layout("m", "1")];
        assert!(matches!(
            Catalog::new(double),
            Err(CatalogError::Duplicate { .. })
        ));
    }
}
