//! What an observer knows of the source partitions that it reads.

use std::collections::BTreeMap;
use std::time::Duration;

use driftline_event::{DropReason, LayoutId, OffsetRange, SourcePartition, Timestamp};

use crate::invariants::{Invariant, Violation};
use crate::observer::{ModelTally, SourceHandle, Tally};
use crate::partial::Progress;
use crate::watermark::Front;

/// Which event times can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plausible {
    pub(crate) earliest: Timestamp,
    pub(crate) latest: Timestamp,
    /// How far an event time may be ahead of the record's own timestamp.
    pub(crate) future_skew: Duration,
}

impl Plausible {
    pub(crate) fn check(
        &self,
        record_time: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<(), DropReason> {
        if at < self.earliest || at > self.latest {
            return Err(DropReason::InvalidTimestamp);
        }
        match record_time {
            Some(record) if at > record.saturating_add(self.future_skew) => Err(DropReason::Future),
            _ => Ok(()),
        }
    }
}

/// Position, front and tallies.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) partition: SourcePartition,
    /// Where the last flush ended.
    pub(crate) flushed: i64,
    /// The next offset to read.
    pub(crate) next: i64,
    pub(crate) front: Front,
    pub(crate) idle: bool,
    pub(crate) finished: bool,
    pub(crate) received: u64,
    pub(crate) counted: u64,
    /// By position in [`DropReason::ALL`].
    pub(crate) dropped: Vec<u64>,
    /// Counted and late rows by model.
    pub(crate) models: Vec<(u64, u64)>,
}

impl Source {
    /// A source that continues at `position`. Metadata that cannot be read is a violation.
    pub(crate) fn new(
        partition: SourcePartition,
        position: i64,
        metadata: Option<&str>,
        rank: usize,
        models: usize,
    ) -> (Self, Option<Violation>) {
        let mut violation = None;
        let front = match metadata.filter(|m| !m.is_empty()) {
            None => Front::new(rank),
            Some(metadata) => {
                Front::from_metadata(metadata, rank, position).unwrap_or_else(|what| {
                    let detail =
                        format!("{partition} at {position}: {what}; the watermark starts anew");
                    violation = Some(Violation::new(Invariant::StateRestored, detail));
                    Front::new(rank)
                })
            }
        };
        let source = Self {
            partition,
            flushed: position,
            next: position,
            front,
            idle: false,
            finished: false,
            received: 0,
            counted: 0,
            dropped: vec![0; DropReason::ALL.len()],
            models: vec![(0, 0); models],
        };
        (source, violation)
    }
}

impl Source {
    /// What the source did since the last flush, for the ledger and for the tallies.
    fn take(&mut self, topic_partitions: u32) -> (Progress, Tally, Vec<ModelTally>) {
        let reasons = DropReason::ALL
            .iter()
            .copied()
            .zip(std::mem::take(&mut self.dropped));
        let tally = Tally {
            source: self.partition.clone(),
            received: std::mem::take(&mut self.received),
            counted: std::mem::take(&mut self.counted),
            dropped: reasons.filter(|(_, n)| *n > 0).collect(),
            front: self.front.time(),
        };
        self.dropped = vec![0; DropReason::ALL.len()];
        let end = self.finished.then_some(Timestamp::MAX);
        let entry = Progress {
            source: self.partition.clone(),
            of_outcomes: false,
            topic_partitions,
            range: OffsetRange {
                from: self.flushed,
                to: self.next,
            },
            front: end.or_else(|| self.front.time()),
            newest: self.front.newest(),
            idle: self.idle && !self.finished,
            received: tally.received,
            counted: tally.counted,
            dropped: tally.dropped.values().sum(),
        };
        self.flushed = self.next;
        let mut models = Vec::new();
        for (i, counts) in self.models.iter_mut().enumerate() {
            let (counted, late) = std::mem::take(counts);
            if counted + late > 0 {
                let (source, layout) = (self.partition.clone(), LayoutId(i as u32));
                models.push(ModelTally {
                    source,
                    layout,
                    counted,
                    late,
                });
            }
        }
        (entry, tally, models)
    }
}

impl Source {
    /// Accounts for the record that was received last.
    pub(crate) fn conclude(&mut self, outcome: Result<(), DropReason>) {
        match outcome {
            Ok(()) => self.counted += 1,
            Err(reason) => self.dropped[reason as usize] += 1,
        }
    }
}

/// What all sources did since the last flush.
#[derive(Debug, Default)]
pub(crate) struct SourcesFlush {
    pub(crate) positions: Vec<(SourcePartition, i64, String)>,
    pub(crate) progress: Vec<Progress>,
    pub(crate) tallies: Vec<Tally>,
    pub(crate) models: Vec<ModelTally>,
    pub(crate) violations: Vec<Violation>,
}

/// All source partitions that are assigned.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    sources: Vec<Option<Source>>,
    topics: BTreeMap<String, u32>,
    rank: usize,
    models: usize,
    has_changes: bool,
    violations: Vec<Violation>,
}

impl Sources {
    /// None yet; each will have a front of this rank and count so many models.
    pub(crate) fn new(rank: usize, models: usize) -> Self {
        Self {
            sources: Vec::new(),
            topics: BTreeMap::new(),
            rank,
            models,
            has_changes: false,
            violations: Vec::new(),
        }
    }

    pub(crate) fn announce_topic(&mut self, topic: &str, partitions: u32) {
        self.topics.insert(topic.to_owned(), partitions);
        self.has_changes = true;
    }

    pub(crate) fn assign(
        &mut self,
        partition: SourcePartition,
        position: i64,
        metadata: Option<&str>,
    ) -> SourceHandle {
        let (source, violation) =
            Source::new(partition, position, metadata, self.rank, self.models);
        self.violations.extend(violation);
        self.has_changes = true;
        let same = |s: &Option<Source>| s.as_ref().is_some_and(|s| s.partition == source.partition);
        let slot = self.sources.iter().position(same);
        let slot = slot.or_else(|| self.sources.iter().position(Option::is_none));
        match slot {
            Some(slot) => {
                self.sources[slot] = Some(source);
                SourceHandle(slot as u32)
            }
            None => {
                self.sources.push(Some(source));
                SourceHandle(self.sources.len() as u32 - 1)
            }
        }
    }

    pub(crate) fn revoke(&mut self, source: SourceHandle) {
        if let Some(slot) = self.sources.get_mut(source.0 as usize) {
            *slot = None;
        }
    }

    /// Forgets all source partitions and what was noticed.
    pub(crate) fn reset(&mut self) {
        self.sources.clear();
        self.has_changes = false;
        self.violations.clear();
    }

    fn get_mut(&mut self, source: SourceHandle) -> Option<&mut Source> {
        self.sources.get_mut(source.0 as usize)?.as_mut()
    }

    pub(crate) fn advance(&mut self, source: SourceHandle, next_offset: i64) {
        if let Some(state) = self.get_mut(source)
            && next_offset > state.next
        {
            state.next = next_offset;
            self.has_changes = true;
        }
    }

    pub(crate) fn idle(&mut self, source: SourceHandle) {
        if let Some(state) = self.get_mut(source)
            && !std::mem::replace(&mut state.idle, true)
        {
            self.has_changes = true;
        }
    }

    pub(crate) fn finish(&mut self, source: SourceHandle) {
        if let Some(state) = self.get_mut(source) {
            state.finished = true;
            self.has_changes = true;
        }
    }

    pub(crate) fn position(&self, source: SourceHandle) -> Option<i64> {
        let state = self.sources.get(source.0 as usize)?.as_ref();
        state.map(|s| s.next)
    }

    pub(crate) fn has_changes(&self) -> bool {
        self.has_changes
    }

    /// Notes that the record at `offset` was read; none if that cannot be.
    #[inline]
    pub(crate) fn receive(&mut self, source: SourceHandle, offset: i64) -> Option<&mut Source> {
        let Some(Some(state)) = self.sources.get_mut(source.0 as usize) else {
            let detail = format!("offset {offset} came from a source that is not assigned");
            self.violations
                .push(Violation::new(Invariant::OffsetsAscend, detail));
            return None;
        };
        if offset < state.next {
            let detail = format!(
                "{}: offset {offset} came after {}",
                state.partition,
                state.next - 1
            );
            self.violations
                .push(Violation::new(Invariant::OffsetsAscend, detail));
            return None;
        }
        state.next = offset.saturating_add(1);
        state.received += 1;
        state.idle = false;
        self.has_changes = true;
        Some(state)
    }

    /// Hands over what happened since the last flush, by source partition.
    pub(crate) fn flush(&mut self) -> SourcesFlush {
        let mut flush = SourcesFlush::default();
        let mut sources: Vec<&mut Source> = self.sources.iter_mut().flatten().collect();
        sources.sort_unstable_by(|a, b| a.partition.cmp(&b.partition));
        for source in sources {
            let metadata = source.front.to_metadata(source.next);
            let position = (source.partition.clone(), source.next, metadata);
            flush.positions.push(position);
            let partitions = self.topics.get(&source.partition.topic);
            let (entry, tally, models) = source.take(partitions.copied().unwrap_or(0));
            flush.progress.push(entry);
            flush.tallies.push(tally);
            flush.models.extend(models);
        }
        flush.violations = std::mem::take(&mut self.violations);
        self.has_changes = false;
        flush
    }
}
