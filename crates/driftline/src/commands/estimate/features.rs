//! The columns that a regression's losses are learned from.

use std::collections::{BTreeSet, HashMap};

use driftline_stat::estimate::Feature;

use super::read;
use crate::cli::{ColumnOptions, EstimateArgs};
use crate::config::suggest;
use crate::exit::Failure;
use crate::files::{Columns, Input, Role, Table, TableFilter, Values};

/// A column of texts with more different values than this share of the rows is an id, not a category.
const DISTINCT_SHARE_MAX: f64 = 0.1;
/// As long as it has more than this many.
const DISTINCT_FREE: usize = 100;

/// The features of both files, in one order and with one numbering of categories.
pub(super) struct Features {
    pub(super) names: Vec<String>,
    reference: Vec<Column>,
    current: Vec<Column>,
}

enum Column {
    Numbers(Vec<f64>),
    Codes(Vec<u32>),
}

impl Column {
    fn feature(&self) -> Feature<'_> {
        match self {
            Self::Numbers(values) => Feature::Numbers(values),
            Self::Codes(codes) => Feature::Categories(codes),
        }
    }

    fn pick(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(values) => Self::Numbers(rows.iter().map(|r| values[*r]).collect()),
            Self::Codes(codes) => Self::Codes(rows.iter().map(|r| codes[*r]).collect()),
        }
    }
}

/// Some rows of the features.
pub(super) struct Picked(Vec<Column>);

impl Picked {
    /// The features, and the predictions as one of them.
    pub(super) fn with<'a>(&'a self, predictions: &'a [f64]) -> Vec<Feature<'a>> {
        let predictions = std::iter::once(Feature::Numbers(predictions));
        predictions
            .chain(self.0.iter().map(Column::feature))
            .collect()
    }
}

impl Features {
    /// Reads the features of both files.
    pub(super) fn read(args: &EstimateArgs) -> Result<Self, Failure> {
        let (reference, current) = (
            Input::from(args.reference.as_path()),
            Input::from(args.current.as_path()),
        );
        let names = names(args, &reference, &current)?;
        let (reference, current) = (table(&reference, &names)?, table(&current, &names)?);
        let mut found = Self {
            names: Vec::new(),
            reference: Vec::new(),
            current: Vec::new(),
        };
        for name in &names {
            let (Some(a), Some(b)) = (reference.column(name), current.column(name)) else {
                continue;
            };
            if let Some((a, b)) = pair(&a.values, &b.values) {
                found.names.push(name.clone());
                found.reference.push(a);
                found.current.push(b);
            } else if args.features.contains(name) {
                let message = format!("the column `{name}` can be no feature");
                return Err(Failure::bad_data(message)
                    .hint("it is a number in one file and a text in the other, or an id"));
            } else {
                tracing::info!("left out as a feature, because its values do not compare: {name}");
            }
        }
        Ok(found)
    }

    pub(super) fn reference(&self, rows: &[usize]) -> Picked {
        Picked(self.reference.iter().map(|c| c.pick(rows)).collect())
    }

    pub(super) fn current(&self, rows: &[usize]) -> Picked {
        Picked(self.current.iter().map(|c| c.pick(rows)).collect())
    }

    /// Which rows of the current file have a value that the reference has not: beyond its range, or unseen.
    pub(super) fn outside(&self, rows: usize) -> Vec<bool> {
        let mut outside = vec![false; rows];
        for (reference, current) in self.reference.iter().zip(&self.current) {
            match (reference, current) {
                (Column::Numbers(a), Column::Numbers(b)) => {
                    let finite = a.iter().filter(|x| x.is_finite());
                    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |r, x| {
                        (r.0.min(*x), r.1.max(*x))
                    });
                    let beyond = outside
                        .iter_mut()
                        .zip(b)
                        .filter(|(_, x)| **x < low || **x > high);
                    beyond.for_each(|(flag, _)| *flag = true);
                }
                (Column::Codes(a), Column::Codes(b)) => {
                    let seen = a.iter().copied().filter(|c| *c != Values::NONE).max();
                    let unseen = |code: u32| code != Values::NONE && Some(code) > seen;
                    let beyond = outside.iter_mut().zip(b).filter(|(_, c)| unseen(**c));
                    beyond.for_each(|(flag, _)| *flag = true);
                }
                _ => {}
            }
        }
        outside
    }
}

/// The columns to use: those named, or all that both files have and that are neither labels nor keys.
fn names(args: &EstimateArgs, reference: &Input, current: &Input) -> Result<Vec<String>, Failure> {
    let (a, b) = (read::names(reference)?, read::names(current)?);
    if let Some(missing) = args
        .features
        .iter()
        .find(|f| !a.contains(f) || !b.contains(f))
    {
        let known: Vec<&str> = a
            .iter()
            .filter(|n| b.contains(n))
            .map(String::as_str)
            .collect();
        let message = format!("the column `{missing}` is not in both files");
        return Err(Failure::bad_data(message).hint(suggest::hint(missing, &known)));
    }
    if !args.features.is_empty() {
        return Ok(args.features.clone());
    }
    let columns = Columns::find(&reference.name(), &a, &ColumnOptions::default())?;
    let keys = [Role::Id, Role::Time, Role::Model, Role::Version];
    let taken: BTreeSet<&String> = args
        .prediction
        .iter()
        .chain([&args.label])
        .chain(&args.time)
        .collect();
    let free = a
        .iter()
        .zip(columns.roles())
        .filter(|(name, role)| b.contains(name) && !taken.contains(name) && !keys.contains(role));
    Ok(free.map(|(name, _)| name.clone()).collect())
}

fn table(input: &Input, wanted: &[String]) -> Result<Table, Failure> {
    let names = read::names(input)?;
    let filter = TableFilter {
        columns: ColumnOptions {
            ignore: names
                .into_iter()
                .filter(|name| !wanted.contains(name))
                .collect(),
            ..ColumnOptions::default()
        },
        all_columns: true,
        ..TableFilter::default()
    };
    Ok(Table::read(input, &filter)?)
}

/// Both files' values of a column, if they compare. Categories that the reference lacks get codes of their own.
fn pair(reference: &Values, current: &Values) -> Option<(Column, Column)> {
    match (reference, current) {
        (Values::Numbers(a), Values::Numbers(b)) => {
            Some((Column::Numbers(a.clone()), Column::Numbers(b.clone())))
        }
        (
            Values::Categories { codes: a, names },
            Values::Categories {
                codes: b,
                names: others,
            },
        ) => {
            let many = (a.len() as f64 * DISTINCT_SHARE_MAX).max(DISTINCT_FREE as f64);
            if names.len() as f64 > many {
                return None;
            }
            let known: HashMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
            let unseen = names.len() as u32;
            let code = |code: &u32| match others.get(*code as usize) {
                Some(name) => known.get(name.as_str()).copied().unwrap_or(unseen),
                None => Values::NONE,
            };
            Some((
                Column::Codes(a.clone()),
                Column::Codes(b.iter().map(code).collect()),
            ))
        }
        _ => None,
    }
}
