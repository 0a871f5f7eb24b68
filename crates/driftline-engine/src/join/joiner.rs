//! Predictions meet their labels.

use driftline_event::{OffsetRange, SourcePartition, Timestamp};

use super::api::{JoinError, JoinFlush, JoinTally, JoinerOptions};
use super::batch::{OutcomeBatch, Side};
use super::deltas::Deltas;
use super::front::JoinFront;
use super::model::JoinedModels;
use super::store::{PendingStore, StoreError};
use super::table::{FoundLabel, FoundPrediction, Table};
use crate::invariants::{Invariant, Violation};
use crate::partial::{BatchWriter, Progress};
use crate::spec::ModelSet;

/// Joins the predictions and labels of one partition of the outcomes topic.
///
/// Its state is a function of the records in their order. A prediction is known by its id and model version; the first
/// one counts. A label is about all predictions of its id, or those of the model and version that it names; it may come
/// before or after them. Of several labels for a prediction the highest revision counts, and of equal revisions the one
/// that names more; what was counted before is then taken back. A label that was observed longer after its prediction
/// than the model's time to live does not count.
///
/// Entries are kept until the join watermark has passed their time by the time to live and up to a sixteenth more. What
/// comes later still is refused.
///
/// After a restart the state is not there. [`Joiner::assign`] the partition with its committed position, and hand over the
/// topic from its beginning: up to the position nothing is put out. The topic must therefore keep records for the time to
/// live and some more.
#[derive(Debug)]
pub struct Joiner {
    pub(super) models: JoinedModels,
    pub(super) options: JoinerOptions,
    pub(super) table: Table,
    pub(super) front: JoinFront,
    pub(super) deltas: Deltas,
    source: Option<Source>,
    pub(super) tally: JoinTally,
    pub(super) violations: Vec<Violation>,
    has_changes: bool,
    /// Those of the id at hand.
    pub(super) predictions: Vec<FoundPrediction>,
    pub(super) labels: Vec<FoundLabel>,
}

/// The outcomes partition.
#[derive(Debug)]
struct Source {
    partition: SourcePartition,
    /// Where the last flush ended. What is before it only builds the table.
    flushed: i64,
    next: Option<i64>,
    received: u64,
    /// How the table was at `flushed`, until that was checked.
    committed: Option<String>,
}

impl Joiner {
    /// A joiner of these models, those that have labels, with nothing pending. A store is emptied.
    ///
    /// # Errors
    /// When the store cannot be emptied.
    pub fn new(
        models: &ModelSet,
        options: JoinerOptions,
        store: Option<Box<dyn PendingStore>>,
    ) -> Result<Self, StoreError> {
        let models = JoinedModels::new(models);
        Ok(Self {
            front: JoinFront::new(models.wait),
            table: Table::new(store)?,
            models,
            options,
            deltas: Deltas::default(),
            source: None,
            tally: JoinTally::default(),
            violations: Vec::new(),
            has_changes: false,
            predictions: Vec::new(),
            labels: Vec::new(),
        })
    }

    /// Takes over a partition of the outcomes topic whose records before `position` were joined by someone before, with
    /// the metadata that was committed then. Hand over the records from the beginning of the topic.
    ///
    /// One joiner is for one partition: assign a second one to another joiner.
    pub fn assign(&mut self, partition: SourcePartition, position: i64, metadata: Option<&str>) {
        self.source = Some(Source {
            partition,
            flushed: position,
            next: None,
            received: 0,
            committed: metadata.filter(|m| !m.is_empty()).map(str::to_owned),
        });
        self.has_changes = true;
    }

    /// Forgets everything: the partition, what is pending, and what was found since the last flush.
    ///
    /// # Errors
    /// When the store cannot be emptied.
    pub fn reset(&mut self) -> Result<(), StoreError> {
        self.table.clear()?;
        self.front = JoinFront::new(self.models.wait);
        self.deltas.clear();
        self.source = None;
        self.tally = JoinTally::default();
        self.violations.clear();
        self.has_changes = false;
        Ok(())
    }

    /// Whether any model has labels. Otherwise there is nothing to join.
    pub fn has_models(&self) -> bool {
        self.models.any()
    }

    /// Gives it another budget of memory; the next record makes it count.
    pub fn set_bytes_max(&mut self, bytes_max: usize) {
        self.options.bytes_max = bytes_max;
    }

    /// Whether the table is still being built from what was joined before. It is until a record at the committed position
    /// or beyond comes, or [`Joiner::advance`] says that there is none before it.
    pub fn is_restoring(&self) -> bool {
        let is_before = |s: &Source| s.next.unwrap_or(0) < s.flushed;
        self.source.as_ref().is_some_and(is_before)
    }

    /// The next offset that is expected; none before the first record.
    pub fn position(&self) -> Option<i64> {
        self.source.as_ref()?.next
    }

    /// Takes in one record of the outcomes topic.
    ///
    /// # Errors
    /// When the bytes are not a batch; nothing has changed then. When there is no room, or the store fails; then the
    /// joiner must be reset.
    pub fn handle(&mut self, offset: i64, record: &[u8]) -> Result<(), JoinError> {
        let batch =
            OutcomeBatch::decode(record).map_err(|error| JoinError::Batch { offset, error })?;
        let Some(is_restoring) = self.receive(offset) else {
            return Ok(());
        };
        // Of what was joined before, everything was said and counted then.
        let said = is_restoring.then_some((self.tally, self.violations.len()));
        let of_labels = matches!(batch.side, Side::Labels(_));
        match &batch.side {
            Side::Predictions(predictions) => self.take_predictions(predictions)?,
            Side::Labels(labels) => self.take_labels(labels)?,
        }
        self.front
            .record(of_labels, &batch.progress, &mut self.violations);
        if is_restoring {
            self.deltas.clear();
        }
        self.expire()?;
        self.table.spill(self.options.bytes_max)?;
        if let Some((tally, violations)) = said {
            self.tally = tally;
            self.violations.truncate(violations);
        }
        self.check_restored();
        Ok(())
    }

    /// Moves the position to `next_offset` over offsets that hold no record.
    pub fn advance(&mut self, next_offset: i64) {
        if let Some(source) = &mut self.source
            && source.next.is_none_or(|next| next < next_offset)
        {
            source.next = Some(next_offset);
            self.has_changes = true;
        }
        self.check_restored();
    }

    /// Notes that the record at `offset` was read; whether it was joined before, or none if that cannot be.
    fn receive(&mut self, offset: i64) -> Option<bool> {
        let violation = match &mut self.source {
            None => format!("offset {offset} of the outcomes came from no assigned partition"),
            Some(source) if source.next.is_some_and(|next| offset < next) => {
                format!("{}: offset {offset} came again", source.partition)
            }
            Some(_) => {
                // The offsets before it may hold no record: then the table is complete by now.
                self.advance(offset);
                let source = self.source.as_mut()?;
                source.next = Some(offset.saturating_add(1));
                source.received += u64::from(offset >= source.flushed);
                self.has_changes = true;
                return Some(offset < source.flushed);
            }
        };
        self.violations
            .push(Violation::new(Invariant::OffsetsAscend, violation));
        None
    }

    /// Whether a flush would say anything new.
    pub fn has_changes(&self) -> bool {
        self.has_changes && !self.is_restoring()
    }

    /// About how much memory what was found since the last flush takes.
    pub fn bytes(&self) -> usize {
        self.deltas.bytes()
    }

    /// The memory of what is pending, all included but the store's own.
    pub fn pending_bytes(&self) -> usize {
        self.table.bytes()
    }

    /// How far predictions and labels have come together.
    pub fn watermark(&self) -> Option<Timestamp> {
        self.front.reached()
    }

    pub(super) fn fold(&mut self) {
        let misfits = self.deltas.fold(&self.table, &self.models);
        if misfits > 0 {
            let detail = format!("{misfits} joined rows do not fit their model");
            self.violations
                .push(Violation::new(Invariant::CountsConserved, detail));
        }
    }

    /// Forgets what nobody can ask for any more.
    fn expire(&mut self) -> Result<(), StoreError> {
        let Some(now) = self.front.reached().map(Timestamp::as_micros) else {
            return Ok(());
        };
        if !self.table.has_expired(now) {
            return Ok(());
        }
        // Rows name groups that may be forgotten now.
        self.fold();
        let expired = self.table.expire(now)?;
        self.tally.unlabelled += expired.unlabelled;
        self.tally.unmatched += expired.unmatched;
        Ok(())
    }

    /// Hands over everything since the last flush and forgets it. While the table is being built there is nothing.
    pub fn flush(&mut self) -> JoinFlush {
        let mut flush = JoinFlush::default();
        if self.source.is_none() || self.is_restoring() {
            return flush;
        }
        self.fold();
        let metadata = self.metadata();
        let front = self.front.reached();
        let Some(source) = &mut self.source else {
            return flush;
        };
        let next = source.next.unwrap_or(source.flushed).max(source.flushed);
        let received = std::mem::take(&mut source.received);
        let progress = [Progress {
            source: source.partition.clone(),
            of_outcomes: true,
            topic_partitions: self.options.outcomes_partitions,
            range: OffsetRange {
                from: source.flushed,
                to: next,
            },
            front,
            newest: front,
            idle: false,
            received,
            counted: received,
            dropped: 0,
        }];
        source.flushed = next;
        let partitions = self.options.partials_partitions.max(1);
        let mut writers: Vec<BatchWriter> = (0..partitions)
            .map(|_| BatchWriter::new(self.options.batch_bytes_max))
            .collect();
        self.deltas.flush(&self.models, &mut writers);
        flush.batches = (0..)
            .zip(writers)
            .flat_map(|(partition, writer)| {
                let batches = writer.finish(&progress).into_iter();
                batches.map(move |batch| (partition, batch))
            })
            .collect();
        flush.position = Some((
            source.partition.clone(),
            next,
            format!("{TAG}.{next}.{metadata}"),
        ));
        flush.tally = self.take_tally();
        flush.violations = std::mem::take(&mut self.violations);
        self.has_changes = false;
        flush
    }

    fn take_tally(&mut self) -> JoinTally {
        JoinTally {
            pending_predictions: self.table.unlabelled,
            pending_labels: self.table.waiting_labels,
            bytes: self.table.bytes(),
            stored_buckets: self.table.stored(),
            watermark: self.front.reached(),
            ..std::mem::take(&mut self.tally)
        }
    }

    /// What must be the same when the table is built again.
    fn metadata(&self) -> String {
        let front = self.front.reached().map_or(i64::MIN, Timestamp::as_micros);
        let (unlabelled, waiting) = (self.table.unlabelled, self.table.waiting_labels);
        format!("{front}.{unlabelled}.{waiting}")
    }

    /// Compares the table with what was committed, once it is built.
    fn check_restored(&mut self) {
        let is = self.metadata();
        let Some(source) = &mut self.source else {
            return;
        };
        if source.next.is_none_or(|next| next < source.flushed) {
            return;
        }
        let Some(committed) = source.committed.take() else {
            return;
        };
        let is = format!("{TAG}.{}.{is}", source.flushed);
        if is != committed {
            let detail = format!(
                "{}: the table was `{committed}` (position, watermark, predictions and labels that wait) and is `{is}`; \
                 the outcomes topic may keep its records for too short a time",
                source.partition
            );
            self.violations
                .push(Violation::new(Invariant::StateRestored, detail));
        }
    }
}

/// How the metadata of a commit begins.
const TAG: &str = "j1";
