//! The counts of one series in one pane, or in any union of panes.

use driftline_sketch::{ColumnProfile, ColumnSummary, ReferenceProfile, ShapeMismatch};

/// More rows than any pane can hold; what claims more is not ours.
const ROWS_MAX: u64 = 1 << 48;

/// Rows and, column by column, what was in them. Integers only: it merges by addition, slides by subtraction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PaneSummary {
    pub(crate) rows: u64,
    pub(crate) columns: Vec<ColumnSummary>,
}

impl PaneSummary {
    pub(crate) fn empty(profile: &ReferenceProfile) -> Self {
        let columns = profile
            .columns
            .iter()
            .map(|c| c.profile.empty_summary())
            .collect();
        Self { rows: 0, columns }
    }

    pub(crate) fn merge(&mut self, other: &Self) -> Result<(), ShapeMismatch> {
        self.rows = self.rows.saturating_add(other.rows);
        self.columns
            .iter_mut()
            .zip(&other.columns)
            .try_for_each(|(a, b)| a.merge(b))
    }

    pub(crate) fn subtract(&mut self, other: &Self) -> Result<(), ShapeMismatch> {
        self.rows = self.rows.saturating_sub(other.rows);
        self.columns
            .iter_mut()
            .zip(&other.columns)
            .try_for_each(|(a, b)| a.subtract(b))
    }

    /// The canonical bytes: the columns one after the other.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.columns.iter().for_each(|column| column.encode(out));
    }

    /// Reads what [`PaneSummary::encode`] wrote; everything, or a sentence that says why not.
    pub(crate) fn decode(
        mut body: &[u8],
        rows: u64,
        profile: &ReferenceProfile,
    ) -> Result<Self, String> {
        if rows > ROWS_MAX {
            return Err(format!("{rows} rows are more than a pane can hold"));
        }
        let mut columns = Vec::with_capacity(profile.columns.len());
        for column in &profile.columns {
            let summary = ColumnSummary::decode(&mut body, &column.profile)
                .map_err(|error| format!("column `{}`: {error}", column.column.name))?;
            columns.push(summary);
        }
        if !body.is_empty() {
            return Err(format!("{} bytes follow the last column", body.len()));
        }
        Ok(Self { rows, columns })
    }

    /// The first column that does not account for every row, with what it accounts for.
    pub(crate) fn unaccounted(&self) -> Option<(usize, u64)> {
        self.columns
            .iter()
            .map(ColumnSummary::rows)
            .enumerate()
            .find(|&(_, n)| !crate::invariants::counts_conserved(self.rows, n))
    }

    /// About how much memory a summary of this profile takes.
    pub(crate) fn bytes(profile: &ReferenceProfile) -> usize {
        let column = |profile: &ColumnProfile| match profile {
            ColumnProfile::Numeric(p) => 8 * p.bins() + 160,
            ColumnProfile::Categorical(p) => 8 * p.cells() + 160,
            ColumnProfile::Embedding(p) => 8 * p.features() + 64,
        };
        64 + profile
            .columns
            .iter()
            .map(|c| column(&c.profile))
            .sum::<usize>()
    }
}
