//! The labels of a replay: read beside the predictions, joined with them.

use std::collections::VecDeque;
use std::time::Duration;

use driftline_engine::{
    Evaluator, Joiner, JoinerOptions, LabelForwarder, LabelForwarderOptions, ModelSet, Output,
    SourceHandle,
};
use driftline_event::{SourcePartition, Timestamp};
use driftline_wire::LabelRow;

use super::{Counts, own_batch};
use crate::exit::Failure;
use crate::files::{LabelFile, LabelStep};
use crate::pipeline::labels;

/// What a replay needs to join labels.
#[derive(Debug)]
pub struct LabelOptions {
    /// The files, in the order of their labels.
    pub files: Vec<LabelFile>,
    /// The bounds of what takes labels in.
    pub forwarder: LabelForwarderOptions,
    /// The bounds of the join.
    pub joiner: JoinerOptions,
}

/// The label files, the forwarder and the joiner of a replay.
#[derive(Debug)]
pub(super) struct Labels {
    files: VecDeque<LabelFile>,
    /// The next label, read but not yet due.
    next: Option<LabelRow>,
    forwarder: LabelForwarder,
    source: SourceHandle,
    offset: i64,
    joiner: Joiner,
    outcomes_offset: i64,
    /// How much event time is joined at once: a replay that reads months of predictions before their labels would let
    /// them expire.
    every: Duration,
    flushed_at: Timestamp,
    pub(super) counts: Counts,
}

impl Labels {
    pub(super) fn new(models: &ModelSet, options: LabelOptions) -> Result<Self, Failure> {
        let partition = |topic: &str| SourcePartition {
            topic: topic.to_owned(),
            partition: 0,
        };
        let mut forwarder = LabelForwarder::new(models, options.forwarder);
        let source = forwarder.assign(partition("labels"), 0, None);
        let joiner = Joiner::new(models, options.joiner, None).map_err(Failure::internal)?;
        let steps = models.specs().iter().filter_map(|s| s.labels.as_ref());
        let steps = steps.map(|labels| labels.step);
        let mut labels = Self {
            files: options.files.into(),
            next: None,
            forwarder,
            source,
            offset: 0,
            joiner,
            outcomes_offset: 0,
            every: steps.min().unwrap_or_default(),
            flushed_at: Timestamp::MIN,
            counts: Counts::default(),
        };
        labels.joiner.assign(partition("outcomes"), 0, None);
        labels.advance()?;
        Ok(labels)
    }

    /// Whether what came before `at` is to be joined first.
    pub(super) fn is_due(&mut self, at: Timestamp) -> bool {
        let is_due = at >= self.flushed_at.saturating_add(self.every);
        if is_due {
            self.flushed_at = at;
        }
        is_due
    }

    /// Takes in the labels that were observed before `at`.
    pub(super) fn up_to(&mut self, at: Timestamp) -> Result<(), Failure> {
        while let Some(label) = self.next.take_if(|label| label.observed_at < at) {
            self.take(&label);
            self.advance()?;
        }
        Ok(())
    }

    /// Takes in all labels that are left.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        self.up_to(Timestamp::MAX)?;
        self.forwarder.finish(self.source);
        Ok(())
    }

    fn take(&mut self, label: &LabelRow) {
        let event = labels::event(label);
        match self
            .forwarder
            .observe(self.source, self.offset, None, &event)
        {
            Ok(()) => self.counts.counted += 1,
            Err(reason) => self.counts.drop_one(reason),
        }
        self.offset += 1;
    }

    /// Reads the next label that can be used.
    fn advance(&mut self) -> Result<(), Failure> {
        while let Some(file) = self.files.front_mut() {
            match file.read()? {
                Some(LabelStep::Label(label)) => {
                    self.next = Some(label);
                    return Ok(());
                }
                Some(LabelStep::Dropped(reason, detail)) => {
                    tracing::debug!(%reason, detail, "label dropped");
                    self.forwarder.skip(self.source, self.offset, reason);
                    self.offset += 1;
                    self.counts.drop_one(reason);
                }
                None => {
                    self.files.pop_front();
                }
            }
        }
        Ok(())
    }

    /// Joins what came since the last flush, and hands what follows from it to the evaluator. `predictions` are the
    /// observer's records for the outcomes topic.
    pub(super) fn flush(
        &mut self,
        predictions: Vec<(u32, Vec<u8>)>,
        evaluator: &mut Evaluator,
        out: &mut Vec<Output>,
    ) -> Result<(), Failure> {
        let flush = self.forwarder.flush();
        out.extend(flush.violations.into_iter().map(Output::Violation));
        for (_, batch) in predictions.into_iter().chain(flush.outcomes) {
            let joined = self.joiner.handle(self.outcomes_offset, &batch);
            joined.map_err(|e| {
                let failure = Failure::internal(&e);
                failure.hint("`join: {memory: …}` in the configuration gives it more memory")
            })?;
            self.outcomes_offset += 1;
        }
        let flush = self.joiner.flush();
        out.extend(flush.violations.into_iter().map(Output::Violation));
        for (_, batch) in flush.batches {
            evaluator.handle(&batch, out).map_err(own_batch)?;
        }
        Ok(())
    }
}
