//! From the reference's rows to the tree.

use super::dependence::Dependence;
use super::{JointOptions, JointTree, LEAF_ROWS_MIN, Split};
use crate::categorical::CategoryCode;
use crate::embedding::Random;

/// Halves are equal enough from this share of the smaller one on; what is farther apart is only taken when
/// nothing better is there.
const SHARE_FAIR: f64 = 0.45;
/// A node that cannot be split into halves of at least this share is a leaf.
const SHARE_MIN: f64 = 0.1;

/// The reference's values of one column, one for each row.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    Numbers(Vec<f64>),
    Codes(Vec<CategoryCode>),
}

/// A column that the tree may split on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// Its position in the profile.
    pub(crate) column: usize,
    /// Its position among the numbers, or the codes, of a row.
    pub(crate) slot: usize,
    /// How many cells it has.
    pub(crate) cells: usize,
    pub(crate) values: &'a Values,
}

/// A node that is not split yet: its rows, and the sources split on above it.
#[derive(Debug, Default)]
struct Node {
    rows: Vec<u32>,
    path: Vec<usize>,
}

/// A possible split and the share of the node's rows in its smaller half.
#[derive(Debug)]
struct Candidate {
    source: usize,
    split: Split,
    share: f64,
}

struct Builder<'a> {
    sources: &'a [Source<'a>],
    dependence: Dependence,
    /// The order in which sources are preferred, all else being equal.
    order: Vec<usize>,
    /// By source, the share of all rows that was split on it.
    covered: Vec<f64>,
    /// By source of categories, how many rows of the reference are in each cell.
    cells: Vec<Vec<u32>>,
    rows: usize,
}

impl JointTree {
    /// Cuts `rows` rows. The options are possible.
    pub(crate) fn build(sources: &[Source<'_>], rows: usize, options: JointOptions) -> Self {
        let mut order: Vec<(u64, usize)> = (0..sources.len())
            .map(|source| (Random::new(options.seed, source as u64).next(), source))
            .collect();
        order.sort_unstable();
        let mut builder = Builder {
            sources,
            dependence: Dependence::new(sources, rows),
            order: order.into_iter().map(|(_, source)| source).collect(),
            covered: vec![0.0; sources.len()],
            cells: Vec::new(),
            rows,
        };
        let all: Vec<u32> = (0..rows as u32).collect();
        builder.cells = sources.iter().map(|s| cell_counts(s, &all)).collect();
        let mut splits = Vec::with_capacity(options.leaves - 1);
        let mut level = vec![Node {
            rows: all,
            path: Vec::new(),
        }];
        while splits.len() + 1 < options.leaves {
            let mut next = Vec::with_capacity(2 * level.len());
            for node in level {
                let (split, left, right) = builder.split(node);
                splits.push(split);
                next.extend([left, right]);
            }
            level = next;
        }
        Self::assemble(options.seed, splits)
    }
}

impl Builder<'_> {
    /// The split of a node, and its two halves. Without a split, all rows are in the left half.
    fn split(&mut self, node: Node) -> (Split, Node, Node) {
        let Some(Candidate { source, split, .. }) = self.choose(&node) else {
            return (Split::Whole, node, Node::default());
        };
        self.covered[source] += node.rows.len() as f64 / self.rows as f64;
        let values = self.sources[source].values;
        let (left, right): (Vec<u32>, Vec<u32>) = node.rows.iter().partition(|row| {
            let row = **row as usize;
            match (&split, values) {
                (Split::Number { threshold, .. }, Values::Numbers(numbers)) => {
                    numbers[row] <= *threshold
                }
                (Split::Category { left, .. }, Values::Codes(codes)) => has(left, codes[row]),
                _ => true,
            }
        });
        let path = [node.path, vec![source]].concat();
        let half = |rows: Vec<u32>| Node {
            rows,
            path: path.clone(),
        };
        (split, half(left), half(right))
    }

    fn choose(&self, node: &Node) -> Option<Candidate> {
        if node.rows.len() < 2 * LEAF_ROWS_MIN {
            return None;
        }
        let uses = |source: usize| node.path.iter().filter(|s| **s == source).count();
        let mut ranked: Vec<(usize, f64, usize)> = self
            .order
            .iter()
            .map(|source| (uses(*source), self.score(*source, &node.path), *source))
            .collect();
        // The sort is stable, so the seed's order stays where there is nothing to choose.
        ranked.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let mut best: Option<Candidate> = None;
        for (_, _, source) in ranked {
            let Some(candidate) = self.candidate(source, &node.rows) else {
                continue;
            };
            if candidate.share >= SHARE_FAIR {
                return Some(candidate);
            }
            if best
                .as_ref()
                .is_none_or(|best| candidate.share > best.share)
            {
                best = Some(candidate);
            }
        }
        best
    }

    /// How much a split on this source would show, after those on the path.
    fn score(&self, source: usize, path: &[usize]) -> f64 {
        let (mut met, mut ahead) = (0.0_f64, 0.0_f64);
        for other in 0..self.sources.len() {
            let dependence = self.dependence.of(source, other);
            if path.contains(&other) {
                met = met.max(dependence);
            } else if other != source {
                ahead = ahead.max(dependence);
            }
        }
        // The constant lets sources that depend on nothing take turns too.
        (met.max(ahead / 2.0) + 1e-6) / (1.0 + self.covered[source])
    }

    /// The split of these rows on a source into the most equal halves, if both are large enough.
    fn candidate(&self, source: usize, rows: &[u32]) -> Option<Candidate> {
        let Source {
            column,
            slot,
            cells,
            values,
        } = self.sources[source];
        let (split, left) = match values {
            Values::Numbers(numbers) => {
                let (threshold, left) = halve(numbers, rows)?;
                let split = Split::Number {
                    column,
                    slot,
                    threshold,
                };
                (split, left)
            }
            Values::Codes(_) => {
                let counts = cell_counts(&self.sources[source], rows);
                let (left, count) = halve_cells(&counts, &self.cells[source], rows.len());
                let split = Split::Category {
                    column,
                    slot,
                    cells,
                    left,
                };
                (split, count)
            }
        };
        let smaller = left.min(rows.len() - left);
        let share = smaller as f64 / rows.len() as f64;
        (smaller >= LEAF_ROWS_MIN && share >= SHARE_MIN).then_some(Candidate {
            source,
            split,
            share,
        })
    }
}

fn has(set: &[u64], code: CategoryCode) -> bool {
    let word = set.get(code as usize / 64).copied().unwrap_or(0);
    word >> (code % 64) & 1 == 1
}

/// How many of the rows are in each cell; none for numbers.
fn cell_counts(source: &Source<'_>, rows: &[u32]) -> Vec<u32> {
    let Values::Codes(codes) = source.values else {
        return Vec::new();
    };
    let mut counts = vec![0; source.cells];
    for row in rows {
        if let Some(count) = counts.get_mut(codes[*row as usize] as usize) {
            *count += 1;
        }
    }
    counts
}

/// The value of these rows up to which nearest to half of them are, and how many those are.
fn halve(numbers: &[f64], rows: &[u32]) -> Option<(f64, usize)> {
    let finite = |row: &u32| Some(numbers[*row as usize]).filter(|value| value.is_finite());
    let mut values: Vec<f64> = rows.iter().filter_map(finite).collect();
    // What is negatively infinite is left of everything; what is missing or no number, right of it.
    let below = rows
        .iter()
        .filter(|row| numbers[**row as usize] == f64::NEG_INFINITY)
        .count();
    let middle = (rows.len() / 2).saturating_sub(below + 1);
    let at = middle.min(values.len().checked_sub(1)?);
    let median = *values.select_nth_unstable_by(at, f64::total_cmp).1;
    // At the median, or at the value before it, or beyond all values, so that only what is missing is right.
    let before = values.iter().filter(|v| **v < median).copied();
    let before = before.max_by(f64::total_cmp);
    let up_to = |threshold: f64| values.iter().filter(|v| **v <= threshold).count() + below;
    [Some(median), before, Some(f64::MAX)]
        .into_iter()
        .flatten()
        .map(|threshold| (threshold + 0.0, up_to(threshold)))
        .min_by_key(|(_, left)| left.abs_diff(rows.len() - left))
}

/// The set of cells that holds nearest to half of `rows` rows, and how many those are. `counts` are of these
/// rows, `all` of the whole reference.
///
/// The cells that are over-represented among these rows go left, for they are what would change if the column
/// became independent of the splits above; where that is too uneven, the largest cells are dealt out evenly.
fn halve_cells(counts: &[u32], all: &[u32], rows: usize) -> (Vec<u64>, usize) {
    let share = |cell: usize| f64::from(counts[cell]) / f64::from(all[cell].max(1));
    let mut cells: Vec<usize> = (0..counts.len()).collect();
    cells.sort_by(|a, b| share(*b).total_cmp(&share(*a)));
    let mut best = (rows, 0, 0);
    let mut left = 0;
    for (taken, cell) in cells.iter().enumerate() {
        left += counts[*cell] as usize;
        best = best.min((left.abs_diff(rows - left), taken + 1, left));
    }
    let (_, taken, left) = best;
    cells.truncate(taken);
    let smaller = left.min(rows - left);
    if smaller as f64 >= SHARE_FAIR * rows as f64 {
        return (set_of(&cells, counts.len()), left);
    }
    let (dealt, dealt_left) = deal(counts, rows);
    if dealt_left.min(rows - dealt_left) > smaller {
        (set_of(&dealt, counts.len()), dealt_left)
    } else {
        (set_of(&cells, counts.len()), left)
    }
}

/// Gives the cells, largest first, to whichever half has fewer rows: those of the left half, and their rows.
fn deal(counts: &[u32], rows: usize) -> (Vec<usize>, usize) {
    let mut cells: Vec<usize> = (0..counts.len()).collect();
    cells.sort_by_key(|cell| (std::cmp::Reverse(counts[*cell]), *cell));
    // What is in no cell is right already.
    let (mut left, mut right) = (0, rows - counts.iter().map(|n| *n as usize).sum::<usize>());
    cells.retain(|cell| {
        let is_left = left <= right;
        *(if is_left { &mut left } else { &mut right }) += counts[*cell] as usize;
        is_left
    });
    (cells, left)
}

fn set_of(cells: &[usize], all: usize) -> Vec<u64> {
    let mut set = vec![0; all.div_ceil(64)];
    for cell in cells {
        set[cell / 64] |= 1 << (cell % 64);
    }
    set
}
