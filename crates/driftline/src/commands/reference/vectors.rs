//! Which columns of a file are the coordinates of which vector.

use driftline_sketch::{BuildError, EmbeddingOptions, ReferenceBuilder};

use crate::cli::TogetherOptions;
use crate::exit::Failure;
use crate::files::{Role, Table, TableColumn, Values};

/// The vectors of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Vectors {
    vectors: Vec<Vector>,
    options: EmbeddingOptions,
    keep_coordinates: bool,
}

#[derive(Clone, Debug)]
struct Vector {
    name: String,
    coordinates: Vec<String>,
}

impl Vectors {
    /// Finds the columns of every vector that is asked for.
    ///
    /// # Errors
    /// When an option cannot be understood, or a coordinate is not a numeric feature of the table.
    pub(super) fn new(table: &Table, options: &TogetherOptions) -> Result<Self, Failure> {
        let vectors = options.embedding.iter().map(|text| vector(text, table));
        Ok(Self {
            vectors: vectors.collect::<Result<_, _>>()?,
            options: EmbeddingOptions {
                features: usize::from(options.features),
                seed: options.seed,
            },
            keep_coordinates: options.keep_coordinates,
        })
    }

    /// Whether the column is only a coordinate and not monitored by itself.
    pub(super) fn replace(&self, column: &str) -> bool {
        let has = |vector: &Vector| vector.coordinates.iter().any(|name| name == column);
        !self.keep_coordinates && self.vectors.iter().any(has)
    }

    pub(super) fn add(
        &self,
        table: &Table,
        builder: &mut ReferenceBuilder,
    ) -> Result<(), BuildError> {
        for Vector { name, coordinates } in &self.vectors {
            let values = coordinates.iter().map(|coordinate| {
                let values = match table.column(coordinate).map(|c| &c.values) {
                    Some(Values::Numbers(values)) => values.clone(),
                    _ => Vec::new(),
                };
                (coordinate.clone(), values)
            });
            builder.embedding(name, values.collect(), self.options)?;
        }
        Ok(())
    }
}

/// Reads `NAME=a,b` or `NAME=prefix*`.
fn vector(text: &str, table: &Table) -> Result<Vector, Failure> {
    let usage = |what: &str| {
        let hint = "such as --embedding 'text=emb_*' or --embedding place=lat,lon";
        Failure::usage(format_args!("--embedding {text}: {what}")).hint(hint)
    };
    let (name, patterns) = text
        .split_once('=')
        .filter(|(name, patterns)| !name.is_empty() && !patterns.is_empty())
        .ok_or_else(|| usage("it is not NAME=COLUMNS"))?;
    let mut coordinates: Vec<String> = Vec::new();
    for pattern in patterns.split(',') {
        let prefix = pattern.strip_suffix('*');
        let is_meant = |column: &&TableColumn| match prefix {
            Some(prefix) => column.name.starts_with(prefix),
            None => column.name == pattern,
        };
        let before = coordinates.len();
        for column in table.columns.iter().filter(is_meant) {
            if !matches!(column.values, Values::Numbers(_)) || column.role != Role::Feature {
                let what = format!("`{}` is not a numeric feature", column.name);
                return Err(usage(&what));
            }
            if !coordinates.contains(&column.name) {
                coordinates.push(column.name.clone());
            }
        }
        if coordinates.len() == before {
            let what = format!("{} has no further column `{pattern}`", table.file);
            return Err(usage(&what));
        }
    }
    Ok(Vector {
        name: name.to_owned(),
        coordinates,
    })
}
