//! Drift injected into a shuffled stream, as in Cerqueira, Gomes, Heyden et al., "Evaluating concept drift
//! detectors on real-world data" (arXiv 2606.07789): the four changes and the linear transition, written anew from
//! its description.

use std::ops::Range;

use crate::random::Random;
use crate::stream::{Column, Role, Table, Values};

/// A change of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The numeric features exchange their values by a fixed random permutation.
    Permutations,
    /// Events with one random feature above its median do not arrive.
    ExceedSkip,
    /// Three quarters of the events of one random class do not arrive.
    Prior,
    /// One random class is labelled as another.
    Swaps,
}

impl Change {
    pub(crate) const ALL: [Self; 4] = [
        Self::Permutations,
        Self::ExceedSkip,
        Self::Prior,
        Self::Swaps,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Permutations => "x_permutations",
            Self::ExceedSkip => "x_exceed_skip",
            Self::Prior => "y_prior",
            Self::Swaps => "y_swaps",
        }
    }
}

/// Share of the chosen class that does not arrive under [`Change::Prior`].
const PRIOR_SKIP: f64 = 0.75;
/// A feature can be chosen for [`Change::ExceedSkip`] if at least this share of its values is above its median.
const ABOVE_MEDIAN_MIN: f64 = 0.25;

/// A changed stream, and where it changes.
#[derive(Debug)]
pub(crate) struct Injected {
    pub(crate) table: Table,
    pub(crate) start: usize,
    /// First event after which all are changed.
    pub(crate) end: usize,
}

/// Injects a change at a random place within `region`, over `width` events if it is gradual. `None` if the stream
/// has nothing that could change so.
pub(crate) fn inject(
    table: &Table,
    change: Change,
    region: Range<f64>,
    width: usize,
    random: &mut Random,
) -> Option<Injected> {
    let share = region.start + (region.end - region.start) * random.unit();
    let onset = (share * table.rows as f64) as usize;
    let plan = Plan::draw(table, change, random)?;
    let (mut kept, mut changed) = (Vec::new(), Vec::new());
    let mut end = None;
    for row in 0..table.rows {
        if row >= onset + width && end.is_none() {
            end = Some(kept.len());
        }
        let progress = if width == 0 {
            1.0
        } else {
            (row as f64 - onset as f64) / width as f64
        };
        let applies = row >= onset && (progress >= 1.0 || random.unit() < progress);
        if applies && plan.skips(row, random) {
            continue;
        }
        if applies {
            changed.push(kept.len());
        }
        kept.push(row);
    }
    let mut injected = table.pick(&kept);
    plan.change(&mut injected, &changed);
    let end = end.unwrap_or(injected.rows);
    Some(Injected {
        table: injected,
        start: onset,
        end,
    })
}

/// The change with its random choices made.
enum Plan<'a> {
    Permute(Vec<(usize, usize)>),
    Exceed { values: &'a [f64], median: f64 },
    Prior { labels: &'a [u32], class: u32 },
    Swap { class: u32, other: u32 },
}

impl<'a> Plan<'a> {
    fn draw(table: &'a Table, change: Change, random: &mut Random) -> Option<Self> {
        let numeric = |(place, column): (usize, &'a Column)| match &column.values {
            Values::Numeric(values) if column.role == Role::Feature => {
                Some((place, values.as_slice()))
            }
            _ => None,
        };
        let numeric: Vec<(usize, &[f64])> = table
            .columns
            .iter()
            .enumerate()
            .filter_map(numeric)
            .collect();
        match change {
            Change::Permutations => {
                let from: Vec<usize> = numeric.iter().map(|(place, _)| *place).collect();
                let mut to = from.clone();
                while from.len() > 1 && to == from {
                    random.shuffle(&mut to);
                }
                (to != from).then(|| Self::Permute(from.into_iter().zip(to).collect()))
            }
            Change::ExceedSkip => {
                let medians = numeric.into_iter().filter_map(|(_, values)| {
                    let median = median(values)?;
                    let above = values.iter().filter(|value| **value > median).count();
                    (above as f64 >= ABOVE_MEDIAN_MIN * values.len() as f64)
                        .then_some(Self::Exceed { values, median })
                });
                let mut candidates: Vec<Self> = medians.collect();
                let chosen = random.below(candidates.len().max(1));
                (chosen < candidates.len()).then(|| candidates.swap_remove(chosen))
            }
            Change::Prior | Change::Swaps => {
                let column = table.label()?;
                let classes = column.dictionary.len();
                let Values::Category(labels) = &column.values else {
                    return None;
                };
                if classes < 2 {
                    return None;
                }
                let class = random.below(classes) as u32;
                let other = (class + 1 + random.below(classes - 1) as u32) % classes as u32;
                Some(match change {
                    Change::Prior => Self::Prior { labels, class },
                    _ => Self::Swap { class, other },
                })
            }
        }
    }

    fn skips(&self, row: usize, random: &mut Random) -> bool {
        match self {
            Self::Exceed { values, median } => values[row] > *median,
            Self::Prior { labels, class } => labels[row] == *class && random.unit() < PRIOR_SKIP,
            Self::Permute(_) | Self::Swap { .. } => false,
        }
    }

    fn change(&self, table: &mut Table, rows: &[usize]) {
        match self {
            Self::Permute(moves) => permute(table, moves, rows),
            Self::Swap { class, other } => {
                let label = table
                    .columns
                    .iter_mut()
                    .find(|column| column.role == Role::Label);
                if let Some(Values::Category(labels)) = label.map(|column| &mut column.values) {
                    for row in rows {
                        if labels[*row] == *class {
                            labels[*row] = *other;
                        }
                    }
                }
            }
            Self::Exceed { .. } | Self::Prior { .. } => {}
        }
    }
}

fn permute(table: &mut Table, moves: &[(usize, usize)], rows: &[usize]) {
    let numbers = |table: &Table, place: usize| match &table.columns[place].values {
        Values::Numeric(values) => values.clone(),
        Values::Category(_) => Vec::new(),
    };
    let sources: Vec<Vec<f64>> = moves
        .iter()
        .map(|(from, _)| numbers(table, *from))
        .collect();
    for ((_, to), source) in moves.iter().zip(sources) {
        if let Values::Numeric(values) = &mut table.columns[*to].values {
            for row in rows {
                values[*row] = source[*row];
            }
        }
    }
}

/// The median of the values that are there.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
