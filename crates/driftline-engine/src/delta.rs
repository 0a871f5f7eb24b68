//! What one series gained since the last flush, pane by pane.

use driftline_sketch::{ColumnProfile, ColumnSummary, ReferenceProfile};

use crate::pane::PaneSummary;

/// A pane's start in microseconds, and what is in it.
pub(crate) type StartedPane = (i64, PaneSummary);

/// The deltas of one series, ascending by pane start in microseconds.
///
/// Almost every row falls into the pane of the row before it, so the last hit is remembered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deltas {
    panes: Vec<StartedPane>,
    last: usize,
}

impl Deltas {
    /// The delta of `pane`; adds to `bytes` when it has to be made.
    pub(crate) fn at(
        &mut self,
        pane: i64,
        profile: &ReferenceProfile,
        bytes: &mut usize,
    ) -> &mut PaneSummary {
        let hit = self
            .panes
            .get(self.last)
            .is_some_and(|(start, _)| *start == pane);
        if !hit {
            self.last = match self.panes.binary_search_by_key(&pane, |(start, _)| *start) {
                Ok(at) => at,
                Err(at) => {
                    *bytes += PaneSummary::bytes(profile);
                    self.panes.insert(at, (pane, PaneSummary::empty(profile)));
                    at
                }
            };
        }
        &mut self.panes[self.last].1
    }

    /// Names a text that the reference of a categorical column has never seen.
    pub(crate) fn add_unseen(
        &mut self,
        pane: i64,
        (column, text): (usize, &str),
        profile: &ReferenceProfile,
        bytes: &mut usize,
    ) {
        let delta = self.at(pane, profile, bytes);
        if let (Some(ColumnSummary::Categorical(summary)), ColumnProfile::Categorical(names)) = (
            delta.columns.get_mut(column),
            &profile.columns[column].profile,
        ) {
            names.add_unseen(text, summary);
        }
    }

    /// Hands over everything.
    pub(crate) fn take(&mut self) -> Vec<StartedPane> {
        self.last = 0;
        std::mem::take(&mut self.panes)
    }
}
