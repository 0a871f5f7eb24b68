//! The history of one version, or of one of its segments: the closed panes, column by column.

use std::time::Duration;

use driftline_detect::bank::Tally;
use driftline_detect::calibration::{HistoryPane, day_of};
use driftline_engine::{ClosedPane, ColumnStreams};
use driftline_event::Timestamp;
use driftline_sketch::{ColumnSummary, ReferenceProfile};

/// The panes of one slice of a version, in the order in which they closed.
///
/// Counts stay in their canonical bytes, about a hundred for a column of a pane, so that weeks of minutes fit.
#[derive(Clone, Debug)]
pub struct History {
    starts: Vec<Timestamp>,
    rows: Vec<u64>,
    columns: Vec<Encoded>,
}

/// The summaries of one column, one behind the other.
#[derive(Clone, Debug, Default)]
struct Encoded {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl History {
    /// No panes of this reference's columns.
    #[must_use]
    pub fn new(profile: &ReferenceProfile) -> Self {
        Self {
            starts: Vec::new(),
            rows: Vec::new(),
            columns: vec![Encoded::default(); profile.columns.len()],
        }
    }

    /// Adds a pane.
    ///
    /// # Errors
    /// When its bytes are not those of the reference's columns.
    pub fn push(&mut self, pane: &ClosedPane, profile: &ReferenceProfile) -> Result<(), String> {
        let mut rest = pane.bytes.as_slice();
        for (encoded, column) in self.columns.iter_mut().zip(&profile.columns) {
            let before = rest;
            ColumnSummary::decode(&mut rest, &column.profile)
                .map_err(|error| format!("column `{}`: {error}", column.column.name))?;
            encoded
                .bytes
                .extend_from_slice(&before[..before.len() - rest.len()]);
            encoded.ends.push(encoded.bytes.len());
        }
        self.starts.push(pane.start);
        self.rows.push(pane.rows);
        Ok(())
    }

    /// Forgets what was before a day, as [`day_of`] counts it.
    pub fn keep_from(&mut self, first: i64) {
        let keep = self.starts.partition_point(|at| day_of(*at) < first);
        self.starts.drain(..keep);
        self.rows.drain(..keep);
        for column in &mut self.columns {
            let from = keep.checked_sub(1).map_or(0, |last| column.ends[last]);
            column.bytes.drain(..from);
            column.ends.drain(..keep);
            column.ends.iter_mut().for_each(|end| *end -= from);
        }
    }

    /// The days that have events, ascending, as [`day_of`] counts them.
    #[must_use]
    pub fn days(&self) -> Vec<i64> {
        let mut days: Vec<i64> = self.starts.iter().map(|at| day_of(*at)).collect();
        days.dedup();
        days
    }

    /// Events in all panes.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.rows.iter().sum()
    }

    /// The starts of the first and the last pane.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((*self.starts.first()?, *self.starts.last()?))
    }

    /// The summaries of a column with the starts of their panes.
    pub fn summaries<'a>(
        &'a self,
        column: usize,
        profile: &'a ReferenceProfile,
    ) -> impl Iterator<Item = (Timestamp, ColumnSummary)> + 'a {
        let encoded = &self.columns[column];
        let shape = &profile.columns[column].profile;
        let mut from = 0;
        let panes = self.starts.iter().zip(&encoded.ends);
        panes.filter_map(move |(start, end)| {
            let mut bytes = &encoded.bytes[std::mem::replace(&mut from, *end)..*end];
            // It was decoded when it came.
            Some((*start, ColumnSummary::decode(&mut bytes, shape).ok()?))
        })
    }

    /// What both streams of a column counted in each decision step.
    #[must_use]
    pub fn panes(
        &self,
        column: usize,
        profile: &ReferenceProfile,
        streams: &ColumnStreams,
        step: Duration,
    ) -> [Vec<HistoryPane>; 2] {
        let mut sides: [Vec<HistoryPane>; 2] = Default::default();
        let mut tallies = <[Tally; 2]>::default();
        for (start, summary) in self.summaries(column, profile) {
            let start = start.floor_to(step);
            streams.read(&summary, &mut tallies);
            for (panes, tally) in sides.iter_mut().zip(&tallies) {
                match panes.last_mut() {
                    Some(last) if last.start == start => last.tally.add(tally),
                    _ => panes.push(HistoryPane {
                        start,
                        tally: tally.clone(),
                    }),
                }
            }
        }
        sides
    }
}
