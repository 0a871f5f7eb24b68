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
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    len: usize,
    /// Whether all rows are of the pane of the first one: the fast path.
    one_pane: bool,
    panes: [i64; TILE_ROWS],
    /// Column by column, [`TILE_ROWS`] places each.
    numbers: Vec<f64>,
    codes: Vec<CategoryCode>,
}

impl Tile {
    pub(crate) fn new(profile: &ReferenceProfile) -> Self {
        let is_numeric = |p: &ColumnProfile| matches!(p, ColumnProfile::Numeric(_));
        let numeric = profile
            .columns
            .iter()
            .filter(|c| is_numeric(&c.profile))
            .count();
        let categorical = profile.columns.len() - numeric;
        Self {
            len: 0,
            one_pane: true,
            panes: [0; TILE_ROWS],
            numbers: vec![0.0; numeric * TILE_ROWS],
            codes: vec![0; categorical * TILE_ROWS],
        }
    }

    /// Copies a row in; true if the tile is full now and has to be counted.
    pub(crate) fn push(&mut self, pane: i64, cells: &Cells) -> bool {
        let row = self.len;
        self.panes[row] = pane;
        self.one_pane &= pane == self.panes[0];
        for (column, &value) in self.numbers.chunks_exact_mut(TILE_ROWS).zip(&cells.numbers) {
            column[row] = value;
        }
        for (column, &code) in self.codes.chunks_exact_mut(TILE_ROWS).zip(&cells.codes) {
            column[row] = code;
        }
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
        if self.len == 0 {
            return;
        }
        if !self.one_pane {
            self.sort_by_pane();
        }
        let len = std::mem::take(&mut self.len);
        self.one_pane = true;
        let mut start = 0;
        for run in self.panes[..len].chunk_by(|a, b| a == b) {
            let rows = start..start + run.len();
            start = rows.end;
            let delta = deltas.at(run[0], profile, bytes);
            delta.rows += run.len() as u64;
            let mut numbers = self.numbers.chunks_exact(TILE_ROWS);
            let mut codes = self.codes.chunks_exact(TILE_ROWS);
            for (column, summary) in profile.columns.iter().zip(&mut delta.columns) {
                match (&column.profile, summary) {
                    (ColumnProfile::Numeric(bins), ColumnSummary::Numeric(summary)) => {
                        let values = numbers.next().unwrap_or(&[]);
                        bins.add_column(&values[rows.clone()], summary);
                    }
                    (ColumnProfile::Categorical(names), ColumnSummary::Categorical(summary)) => {
                        let values = codes.next().unwrap_or(&[]);
                        names.add_codes(&values[rows.clone()], summary);
                    }
                    // Summaries are made from the profile they are counted with.
                    _ => debug_assert!(false, "the kinds of profile and summary differ"),
                }
            }
        }
    }

    /// Reorders the rows so that those of one pane are next to each other. The order within a pane does
    /// not matter to counts.
    #[cold]
    fn sort_by_pane(&mut self) {
        let mut order: [u8; TILE_ROWS] = std::array::from_fn(|i| i as u8);
        let order = &mut order[..self.len];
        order.sort_unstable_by_key(|&i| (self.panes[usize::from(i)], i));
        permute(&mut self.panes, order);
        self.numbers
            .chunks_exact_mut(TILE_ROWS)
            .for_each(|column| permute(column, order));
        self.codes
            .chunks_exact_mut(TILE_ROWS)
            .for_each(|column| permute(column, order));
    }
}

fn permute<T: Copy + Default>(column: &mut [T], order: &[u8]) {
    let mut sorted = [T::default(); TILE_ROWS];
    for (to, &from) in sorted.iter_mut().zip(order) {
        *to = column[usize::from(from)];
    }
    column[..order.len()].copy_from_slice(&sorted[..order.len()]);
}
