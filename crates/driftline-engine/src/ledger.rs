//! Which offsets of each source partition the evaluator has been told about.
//!
//! Every flush of an observer covers a half-open range of offsets. In every partition of the partials topic
//! the ranges of one source partition must tile: the next begins where the last one ended. A gap is loss and
//! an overlap is a double count; either is a [`Violation`] with the exact range.

use std::collections::BTreeMap;

use driftline_event::{SourcePartition, Timestamp};

use crate::invariants::{Invariant, Violation, accounted};
use crate::partial::Progress;

/// What the evaluator knows of one source partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    next: i64,
    front: Option<Timestamp>,
    newest: Option<Timestamp>,
    idle: bool,
}

/// The positions and fronts of all source partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    entries: BTreeMap<SourcePartition, Entry>,
    /// How many partitions each topic has, as far as observers said.
    partitions: BTreeMap<String, u32>,
}

/// How far event time has come over all source partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Some partition has not shown enough yet.
    Nowhere,
    /// No partition that still moves is behind this front.
    Front(Timestamp),
    /// Nothing moves; this is the newest event time of all.
    Idle(Timestamp),
    /// All input has ended.
    End,
}

impl Ledger {
    /// Takes in one entry of a batch.
    pub(crate) fn record(&mut self, progress: &Progress, violations: &mut Vec<Violation>) {
        let Progress {
            source,
            range,
            received,
            counted,
            dropped,
            ..
        } = progress;
        if !accounted(*range, *received, *counted, *dropped) {
            let detail = format!(
                "{source}: {received} received in [{}, {}), but {counted} counted + {dropped} dropped",
                range.from, range.to
            );
            violations.push(Violation::new(Invariant::Accounted, detail));
        }
        let partitions = self.partitions.entry(source.topic.clone()).or_default();
        *partitions = progress.topic_partitions.max(*partitions);
        let entry = self.entries.entry(source.clone()).or_insert(Entry {
            next: range.from,
            front: None,
            newest: None,
            idle: false,
        });
        if range.from != entry.next {
            let (what, from, to) = if range.from > entry.next {
                ("gap, lost", entry.next, range.from)
            } else {
                (
                    "overlap, counted twice",
                    range.from,
                    entry.next.min(range.to),
                )
            };
            let detail = format!(
                "{source}: {what} [{from}, {to}), {} offsets",
                to.saturating_sub(from)
            );
            violations.push(Violation::new(Invariant::LedgerTiles, detail));
        }
        entry.next = entry.next.max(range.to);
        if progress.front < entry.front {
            let show =
                |t: Option<Timestamp>| t.map_or_else(|| "none".to_owned(), |t| t.to_string());
            let (was, is) = (show(entry.front), show(progress.front));
            let detail = format!("{source}: the front went back from {was} to {is}");
            violations.push(Violation::new(Invariant::WatermarkMonotone, detail));
        }
        entry.front = entry.front.max(progress.front);
        entry.newest = entry.newest.max(progress.newest);
        entry.idle = progress.idle;
    }

    /// How far event time has come.
    ///
    /// An idle partition is not waited for. If all are idle nothing is on its way, so the newest event time
    /// counts. A topic is waited for until every partition that it is said to have was heard of.
    pub(crate) fn reached(&self) -> Reached {
        let known = |topic: &str| self.entries.keys().filter(|s| s.topic == topic).count() as u64;
        let complete = self
            .partitions
            .iter()
            .all(|(topic, &n)| known(topic) >= u64::from(n));
        if self.entries.is_empty() || !complete {
            return Reached::Nowhere;
        }
        let moving = self
            .entries
            .values()
            .filter(|e| !e.idle)
            .map(|e| e.front)
            .min();
        match moving {
            Some(None) => Reached::Nowhere,
            Some(Some(Timestamp::MAX)) => Reached::End,
            Some(Some(front)) => Reached::Front(front),
            None => match self.entries.values().filter_map(|e| e.newest).max() {
                Some(newest) => Reached::Idle(newest),
                None => Reached::Nowhere,
            },
        }
    }

    /// The next offset that is expected from each source partition.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (&SourcePartition, i64)> {
        self.entries
            .iter()
            .map(|(source, entry)| (source, entry.next))
    }
}

#[cfg(test)]
mod tests {
    use driftline_event::OffsetRange;

    use super::*;

    fn progress(partition: i32, from: i64, to: i64, front: Option<i64>) -> Progress {
        Progress {
            source: SourcePartition {
                topic: "p".to_owned(),
                partition,
            },
            of_outcomes: false,
            topic_partitions: 0,
            range: OffsetRange { from, to },
            front: front.map(Timestamp::from_seconds),
            newest: front.map(|f| Timestamp::from_seconds(f + 10)),
            idle: false,
            received: to.abs_diff(from),
            counted: to.abs_diff(from),
            dropped: 0,
        }
    }

    fn details(ledger: &mut Ledger, progress: &Progress) -> Vec<String> {
        let mut violations = Vec::new();
        ledger.record(progress, &mut violations);
        violations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_the_gap_and_the_overlap() {
        let mut ledger = Ledger::default();
        assert!(details(&mut ledger, &progress(0, 100, 200, Some(1))).is_empty());
        assert!(details(&mut ledger, &progress(0, 200, 200, Some(1))).is_empty());
        assert_eq!(
            details(&mut ledger, &progress(0, 250, 300, Some(1))),
            ["i4_ledger_tiles: p-0: gap, lost [200, 250), 50 offsets"]
        );
        assert_eq!(
            details(&mut ledger, &progress(0, 270, 350, Some(1))),
            ["i4_ledger_tiles: p-0: overlap, counted twice [270, 300), 30 offsets"]
        );
        assert_eq!(
            ledger.positions().map(|(_, next)| next).collect::<Vec<_>>(),
            [350]
        );
    }

    #[test]
    fn notices_lost_tallies_and_a_front_that_goes_back() {
        let mut ledger = Ledger::default();
        let mut wrong = progress(0, 0, 10, Some(5));
        wrong.counted = 8;
        assert_eq!(
            details(&mut ledger, &wrong),
            ["i5_accounted: p-0: 10 received in [0, 10), but 8 counted + 0 dropped"]
        );
        assert_eq!(details(&mut ledger, &progress(0, 10, 20, Some(4))).len(), 1);
        assert_eq!(ledger.reached(), Reached::Front(Timestamp::from_seconds(5)));
    }

    #[test]
    fn waits_for_the_slowest_that_moves() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.reached(), Reached::Nowhere);
        details(&mut ledger, &progress(0, 0, 10, Some(50)));
        assert_eq!(
            ledger.reached(),
            Reached::Front(Timestamp::from_seconds(50))
        );
        details(&mut ledger, &progress(1, 0, 10, None));
        assert_eq!(ledger.reached(), Reached::Nowhere);
        details(
            &mut ledger,
            &Progress {
                idle: true,
                ..progress(1, 10, 10, None)
            },
        );
        assert_eq!(
            ledger.reached(),
            Reached::Front(Timestamp::from_seconds(50))
        );
        details(
            &mut ledger,
            &Progress {
                idle: true,
                ..progress(0, 10, 10, Some(50))
            },
        );
        assert_eq!(ledger.reached(), Reached::Idle(Timestamp::from_seconds(60)));
    }

    #[test]
    fn waits_until_every_partition_of_a_topic_was_heard_of() {
        let mut ledger = Ledger::default();
        details(
            &mut ledger,
            &Progress {
                topic_partitions: 2,
                ..progress(0, 0, 10, Some(50))
            },
        );
        assert_eq!(ledger.reached(), Reached::Nowhere);
        details(
            &mut ledger,
            &Progress {
                topic_partitions: 2,
                ..progress(1, 0, 10, Some(70))
            },
        );
        assert_eq!(
            ledger.reached(),
            Reached::Front(Timestamp::from_seconds(50))
        );
    }
}
