//! A small model, so that every stream with labels has errors to watch: naive Bayes over the profiles' cells.

use std::ops::Range;

use driftline_sketch::{ColumnProfile, is_missing};
use driftline_stat::binned;

use crate::stream::{Column, NO_CATEGORY, Role, Table, Values};

/// Coarse cells of a numeric feature.
const CELLS: usize = 16;

/// Maps a column's values to coarse cells.
#[derive(Debug)]
struct Cells {
    upper: Vec<f64>,
    merged: Vec<usize>,
    count: usize,
}

impl Cells {
    fn new(profile: &ColumnProfile, column: &Column) -> Self {
        match profile {
            ColumnProfile::Numeric(numeric) => {
                let merged = binned::merge_to_cells(&numeric.reference().counts, CELLS);
                Self {
                    upper: numeric.upper_bounds().to_vec(),
                    count: merged.last().map_or(1, |last| last + 1),
                    merged,
                }
            }
            _ => Self {
                upper: Vec::new(),
                merged: Vec::new(),
                count: column.dictionary.len().max(1),
            },
        }
    }

    fn of(&self, column: &Column, row: usize) -> Option<usize> {
        match &column.values {
            Values::Numeric(values) if is_missing(values[row]) => None,
            Values::Numeric(values) => {
                let bin = self.upper.partition_point(|upper| *upper < values[row]);
                self.merged.get(bin).copied()
            }
            Values::Category(values) if values[row] == NO_CATEGORY => None,
            Values::Category(values) => Some(values[row] as usize),
        }
    }
}

/// A frozen classifier: counts of cells by class, smoothed by one.
#[derive(Debug)]
pub(crate) struct NaiveBayes {
    features: Vec<(usize, Cells, Vec<Vec<f64>>)>,
    prior: Vec<f64>,
}

impl NaiveBayes {
    /// Fits the features' cells to the labels of these rows; `None` without labels.
    pub(crate) fn fit(
        table: &Table,
        profiles: &[ColumnProfile],
        rows: Range<usize>,
    ) -> Option<Self> {
        let Values::Category(labels) = &table.label()?.values else {
            return None;
        };
        let classes = table.label()?.dictionary.len();
        let mut prior = vec![1.0; classes];
        for row in rows.clone() {
            if let Some(count) = prior.get_mut(labels[row] as usize) {
                *count += 1.0;
            }
        }
        let features = table.columns.iter().zip(profiles).enumerate();
        let features = features.filter(|(_, (column, _))| column.role == Role::Feature);
        let features = features.map(|(place, (column, profile))| {
            let cells = Cells::new(profile, column);
            let mut counts = vec![vec![1.0; cells.count]; classes];
            for row in rows.clone() {
                let cell = cells.of(column, row);
                let by_class = counts.get_mut(labels[row] as usize);
                if let (Some(cell), Some(by_class)) = (cell, by_class) {
                    by_class[cell] += 1.0;
                }
            }
            (place, cells, counts.into_iter().map(log_shares).collect())
        });
        let features = features.collect();
        Some(Self {
            features,
            prior: log_shares(prior),
        })
    }

    /// Whether the label is not the most probable class; `None` if there is no label.
    pub(crate) fn errs(&self, table: &Table, row: usize) -> Option<bool> {
        let Values::Category(labels) = &table.label()?.values else {
            return None;
        };
        let label = labels[row];
        if label == NO_CATEGORY {
            return None;
        }
        let mut scores = self.prior.clone();
        for (place, cells, by_class) in &self.features {
            if let Some(cell) = cells.of(&table.columns[*place], row) {
                for (score, shares) in scores.iter_mut().zip(by_class) {
                    *score += shares.get(cell).copied().unwrap_or(0.0);
                }
            }
        }
        let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        Some(best != Some(label as usize))
    }
}

fn log_shares(counts: Vec<f64>) -> Vec<f64> {
    let total: f64 = counts.iter().sum();
    counts
        .into_iter()
        .map(|count| (count / total).ln())
        .collect()
}
