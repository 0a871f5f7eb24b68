//! Sixty-four rows of one series, column by column.
//!
//! Rows arrive one at a time from any model; counting a value takes the bins and counters of its column,
//! which no cache holds for many models at once. So a row is only copied here, and a full tile is counted
//! column by column: the column's bins are loaded once for 64 values.

use driftline_sketch::{CategoryCode, ColumnProfile, ColumnSummary, ReferenceProfile};

use crate::coerce::Cells;
use crate::delta::Deltas;

/// Rows in a tile.
pub(crate) const TILE_ROWS: usize = 64;

/// Up to [`TILE_ROWS`] rows that are not counted yet.
///
/// They lie row by row, so that taking in a row touches few cache lines even if its model was not seen for a
/// while; counting gathers each column first, when all of the tile is close at hand.
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    len: usize,
    /// Whether all rows are of the pane of the first one: the fast path.
    one_pane: bool,
    panes: [i64; TILE_ROWS],
    numeric: usize,
    categorical: usize,
    numbers: Vec<f64>,
    codes: Vec<CategoryCode>,
    /// For embeddings.
    scratch: Vec<f32>,
}

impl Tile {
    pub(crate) fn new(profile: &ReferenceProfile) -> Self {
        let is_numeric = |p: &ColumnProfile| matches!(p, ColumnProfile::Numeric(_));
        let events = &profile.columns[..profile.event_columns()];
        let numbers = events.iter().filter(|c| is_numeric(&c.profile)).count();
        let categorical = events.len() - numbers;
        let numeric = numbers + profile.coordinates().len();
        Self {
            len: 0,
            one_pane: true,
            panes: [0; TILE_ROWS],
            numeric,
            categorical,
            numbers: vec![0.0; numeric * TILE_ROWS],
            codes: vec![0; categorical * TILE_ROWS],
            scratch: Vec::new(),
        }
    }

    /// Copies a row in, which was read with this tile's profile; true if the tile is full now and has to be
    /// counted.
    pub(crate) fn push(&mut self, pane: i64, cells: &Cells) -> bool {
        let row = self.len;
        self.panes[row] = pane;
        self.one_pane &= pane == self.panes[0];
        let numbers = row * self.numeric..(row + 1) * self.numeric;
        self.numbers[numbers].copy_from_slice(&cells.numbers);
        let codes = row * self.categorical..(row + 1) * self.categorical;
        self.codes[codes].copy_from_slice(&cells.codes);
        self.len += 1;
        self.len == TILE_ROWS
    }

    /// Counts all rows into their panes and empties the tile.
    pub(crate) fn count(
        &mut self,
        profile: &ReferenceProfile,
        deltas: &mut Deltas,
        bytes: &mut usize,
    ) {
        let mut order: [u8; TILE_ROWS] = std::array::from_fn(|i| i as u8);
        let order = &mut order[..std::mem::take(&mut self.len)];
        if !std::mem::replace(&mut self.one_pane, true) {
            // The order of rows within a pane does not matter to counts.
            order.sort_unstable_by_key(|&row| self.panes[usize::from(row)]);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let pane = |row: u8| self.panes[usize::from(row)];
        for rows in order.chunk_by(|a, b| pane(*a) == pane(*b)) {
            let delta = deltas.at(pane(rows[0]), profile, bytes);
            delta.rows += rows.len() as u64;
            self.count_rows(rows, profile, &mut delta.columns);
            if profile.event_columns() < profile.columns.len() {
                self.count_derived(rows, profile, &mut scratch, &mut delta.columns);
            }
        }
        self.scratch = scratch;
    }

    fn count_rows(&self, rows: &[u8], profile: &ReferenceProfile, into: &mut [ColumnSummary]) {
        let (mut number, mut code) = (0, 0);
        let mut numbers = [0.0; TILE_ROWS];
        let mut codes = [0; TILE_ROWS];
        for (column, summary) in profile.columns[..profile.event_columns()].iter().zip(into) {
            match (&column.profile, summary) {
                (ColumnProfile::Numeric(bins), ColumnSummary::Numeric(summary)) => {
                    let column = gather(&self.numbers, self.numeric, number, rows, &mut numbers);
                    bins.add_column(column, summary);
                    number += 1;
                }
                (ColumnProfile::Categorical(names), ColumnSummary::Categorical(summary)) => {
                    let column = gather(&self.codes, self.categorical, code, rows, &mut codes);
                    names.add_codes(column, summary);
                    code += 1;
                }
                // Summaries are made from the profile they are counted with.
                _ => debug_assert!(false, "the kinds of profile and summary differ"),
            }
        }
    }

    /// Counts the columns that are made from others: of whole rows, for they lie row by row.
    fn count_derived(
        &self,
        rows: &[u8],
        profile: &ReferenceProfile,
        scratch: &mut Vec<f32>,
        into: &mut [ColumnSummary],
    ) {
        let (numeric, categorical) = (self.numeric, self.categorical);
        let numbers = |row: u8| &self.numbers[usize::from(row) * numeric..][..numeric];
        let codes = |row: u8| &self.codes[usize::from(row) * categorical..][..categorical];
        let events = profile.event_columns();
        for (column, summary) in profile.columns.iter().zip(into).skip(events) {
            match (&column.profile, summary) {
                (ColumnProfile::Categorical(leaves), ColumnSummary::Categorical(summary)) => {
                    let Some(tree) = profile.joint_tree() else {
                        continue;
                    };
                    let mut found = [0; TILE_ROWS];
                    for (to, &row) in found.iter_mut().zip(rows) {
                        *to = tree.leaf(numbers(row), codes(row));
                    }
                    leaves.add_codes(&found[..rows.len()], summary);
                }
                (ColumnProfile::Embedding(features), ColumnSummary::Embedding(summary)) => {
                    let rows = rows.iter().map(|&row| numbers(row));
                    features.add_rows(rows, scratch, summary);
                }
                _ => debug_assert!(false, "the kinds of profile and summary differ"),
            }
        }
    }
}

/// Column `column` of `rows`, out of `values` that lie row by row, `width` to a row.
fn gather<'a, T: Copy>(
    values: &[T],
    width: usize,
    column: usize,
    rows: &[u8],
    into: &'a mut [T; TILE_ROWS],
) -> &'a [T] {
    for (to, &row) in into.iter_mut().zip(rows) {
        *to = values[usize::from(row) * width + column];
    }
    &into[..rows.len()]
}
