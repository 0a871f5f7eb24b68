//! A stream as `bench/python/streams.py` wrote it: columns of values and what is known about them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use driftline_sketch::MISSING;
use serde::Deserialize;

/// What a stream is good for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Use {
    /// Its drift points are known.
    Drifts,
    /// Shuffled, it is drift-free; drift is then injected.
    Base,
    /// Said to be without drift.
    Control,
    /// Real, and nobody knows when it drifts.
    Real,
}

/// From the first changed event to the first that is wholly changed; the same for an abrupt drift.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Drift {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) what: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Feature,
    /// Said by a model that comes with the data.
    Output,
    Label,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Numeric,
    Category,
}

#[derive(Clone, Debug, Deserialize)]
struct ColumnMeta {
    name: String,
    kind: Kind,
    role: Role,
}

/// What the exporter knows about a stream.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Meta {
    pub(crate) name: String,
    #[serde(rename = "use")]
    pub(crate) usage: Use,
    rows: usize,
    pub(crate) reference_rows: usize,
    columns: Vec<ColumnMeta>,
    pub(crate) drifts: Vec<Drift>,
    pub(crate) source: String,
    pub(crate) licence: String,
    pub(crate) package: String,
    pub(crate) version: String,
}

#[cfg(test)]
impl Meta {
    /// Of a stream that a test makes.
    pub(crate) fn of(name: &str, usage: Use, rows: usize, drifts: Vec<Drift>) -> Self {
        Self {
            name: name.to_owned(),
            usage,
            rows,
            reference_rows: rows / 4,
            columns: Vec::new(),
            drifts,
            source: String::new(),
            licence: String::new(),
            package: String::new(),
            version: String::new(),
        }
    }
}

/// Stands for a category that is not there.
pub(crate) const NO_CATEGORY: u32 = u32::MAX;

#[derive(Clone, Debug)]
pub(crate) enum Values {
    Numeric(Vec<f64>),
    /// Places in the column's dictionary.
    Category(Vec<u32>),
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) values: Values,
    /// The texts of a column of categories.
    pub(crate) dictionary: Vec<String>,
}

/// Events in their order.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) rows: usize,
    pub(crate) columns: Vec<Column>,
}

impl Table {
    /// The column of labels, if there is one.
    pub(crate) fn label(&self) -> Option<&Column> {
        self.columns
            .iter()
            .find(|column| column.role == Role::Label)
    }

    /// These rows in this order.
    pub(crate) fn pick(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|column| Column {
            values: match &column.values {
                Values::Numeric(v) => Values::Numeric(rows.iter().map(|row| v[*row]).collect()),
                Values::Category(v) => Values::Category(rows.iter().map(|row| v[*row]).collect()),
            },
            ..column.clone()
        });
        Self {
            rows: rows.len(),
            columns: columns.collect(),
        }
    }

    /// Without the columns of a model that was not asked again after drift was injected.
    pub(crate) fn without_outputs(mut self) -> Self {
        self.columns.retain(|column| column.role != Role::Output);
        self
    }
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) meta: Meta,
    pub(crate) table: Table,
}

/// All streams of a directory, by name.
pub(crate) fn load_all(directory: &Path, only: Option<&str>) -> Result<Vec<Stream>> {
    let mut paths = Vec::new();
    let listed = fs::read_dir(directory);
    for entry in listed.with_context(|| format!("cannot list {}", directory.display()))? {
        let path = entry?.path();
        let wanted = only.is_none_or(|only| path.to_string_lossy().contains(only));
        if wanted
            && path
                .extension()
                .is_some_and(|extension| extension == "json")
        {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        bail!("no stream in {}", directory.display());
    }
    let load = |path: &PathBuf| load(path).with_context(|| format!("cannot read {path:?}"));
    paths.iter().map(load).collect()
}

fn load(meta: &Path) -> Result<Stream> {
    let path = meta.with_extension("csv");
    let meta: Meta = serde_json::from_slice(&fs::read(meta)?)?;
    let mut reader = csv::Reader::from_path(path)?;
    let header = reader.headers()?.clone();
    if !header
        .iter()
        .eq(meta.columns.iter().map(|column| column.name.as_str()))
    {
        bail!("the header is not that of the description");
    }
    let mut builders: Vec<ColumnBuilder> = meta.columns.iter().map(ColumnBuilder::new).collect();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        for (builder, text) in builders.iter_mut().zip(&record) {
            builder.push(text)?;
        }
    }
    let columns: Vec<Column> = builders.into_iter().map(|builder| builder.column).collect();
    let table = Table {
        rows: meta.rows,
        columns,
    };
    let fits = table.columns.iter().all(|column| match &column.values {
        Values::Numeric(values) => values.len() == table.rows,
        Values::Category(values) => values.len() == table.rows,
    });
    if !fits || meta.reference_rows >= meta.rows {
        bail!("the description does not fit its rows");
    }
    Ok(Stream { meta, table })
}

struct ColumnBuilder {
    column: Column,
    places: BTreeMap<String, u32>,
}

impl ColumnBuilder {
    fn new(meta: &ColumnMeta) -> Self {
        Self {
            column: Column {
                name: meta.name.clone(),
                role: meta.role,
                values: match meta.kind {
                    Kind::Numeric => Values::Numeric(Vec::new()),
                    Kind::Category => Values::Category(Vec::new()),
                },
                dictionary: Vec::new(),
            },
            places: BTreeMap::new(),
        }
    }

    fn push(&mut self, text: &str) -> Result<()> {
        match &mut self.column.values {
            Values::Numeric(values) if text.is_empty() => values.push(MISSING),
            Values::Numeric(values) => {
                let number = text.parse();
                values.push(number.with_context(|| format!("`{text}` is no number"))?);
            }
            Values::Category(values) if text.is_empty() => values.push(NO_CATEGORY),
            Values::Category(values) => {
                let next = self.column.dictionary.len() as u32;
                let place = *self.places.entry(text.to_owned()).or_insert(next);
                if place == next {
                    self.column.dictionary.push(text.to_owned());
                }
                values.push(place);
            }
        }
        Ok(())
    }
}
