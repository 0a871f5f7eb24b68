//! Joiners that are killed and built again.

use std::collections::BTreeMap;

use driftline_engine::{
    JoinFlush, JoinTally, JoinedChange, JoinedDelta, Joiner, JoinerOptions, MemoryStore, ModelSet,
    PendingStore, Violation, joined_deltas,
};
use driftline_event::{SourcePartition, Timestamp};
use driftline_sketch::{OutcomeProfile, OutcomeSummary, PredictedSummary};

use super::land::JoinLog;
use crate::Rng;

/// How logs are joined. None of it may matter to the outcome.
#[derive(Clone, Copy, Debug)]
pub struct JoinPlan {
    /// What the ends of flushes follow from.
    pub cuts: u64,
    /// What the crashes follow from.
    pub seed: u64,
    /// The probability that a flush does not commit and its joiner is lost.
    pub crash: f64,
    /// Partitions of the partials topic.
    pub partials_partitions: u32,
    /// The memory of the pending table; beyond that it spills.
    pub bytes_max: usize,
}

/// Layout, segment, bucket, and the delay bucket's number.
pub type OutcomeKey = (u32, Option<String>, Timestamp, u8);
/// Layout, segment, bucket.
pub type PredictedKey = (u32, Option<String>, Timestamp);

/// What all deltas of all logs add up to; nothing that is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JoinSums {
    /// Predictions with their labels.
    pub outcomes: BTreeMap<OutcomeKey, OutcomeSummary>,
    /// All predictions.
    pub predicted: BTreeMap<PredictedKey, PredictedSummary>,
}

/// What came out of the joiners.
#[derive(Clone, Debug, Default)]
pub struct JoinRun {
    /// The committed records of the partials topic, by log, in order.
    pub batches: Vec<Vec<(u32, Vec<u8>)>>,
    /// What was noticed in committed flushes.
    pub violations: Vec<Violation>,
    /// What happened, over all committed flushes and logs.
    pub tally: JoinTally,
    /// Joiners that were lost.
    pub crashes: u64,
    /// Whether anything was ever in a store.
    pub has_spilled: bool,
}

fn joiner(models: &ModelSet, plan: &JoinPlan, partitions: usize) -> Joiner {
    let options = JoinerOptions {
        partials_partitions: plan.partials_partitions,
        outcomes_partitions: partitions as u32,
        bytes_max: plan.bytes_max,
        batch_bytes_max: 2_000,
    };
    let store: Box<dyn PendingStore> = Box::new(MemoryStore::default());
    Joiner::new(models, options, Some(store)).expect("a store in memory does not fail")
}

/// Joins every log under `plan`.
///
/// # Panics
/// When a joiner refuses a record that a forwarder has made.
pub fn join(models: &ModelSet, logs: &[JoinLog], plan: JoinPlan) -> JoinRun {
    let mut run = JoinRun::default();
    for (partition, log) in logs.iter().enumerate() {
        let records: Vec<&Vec<u8>> = log.iter().flat_map(|landed| &landed.batches).collect();
        let mut rng = Rng::new(plan.cuts ^ partition as u64);
        let mut cuts: Vec<bool> = records.iter().map(|_| rng.below(6) == 0).collect();
        cuts.last_mut().into_iter().for_each(|last| *last = true);
        let mut rng = Rng::new(plan.seed ^ partition as u64);
        let source = SourcePartition {
            topic: "outcomes".to_owned(),
            partition: partition as i32,
        };
        let mut committed: (i64, String) = (0, String::new());
        let mut out = Vec::new();
        'alive: loop {
            let mut joiner = joiner(models, &plan, logs.len());
            joiner.assign(source.clone(), committed.0, Some(&committed.1));
            for (offset, record) in records.iter().enumerate() {
                let handled = joiner.handle(offset as i64, record);
                handled.expect("the record is a forwarder's own");
                if (offset as i64) < committed.0 || !cuts[offset] {
                    continue;
                }
                if rng.chance(plan.crash) {
                    run.crashes += 1;
                    continue 'alive;
                }
                let flush = joiner.flush();
                let position = flush.position.clone().expect("a partition is assigned");
                committed = (position.1, position.2);
                run.take(flush, &mut out);
            }
            break;
        }
        run.batches.push(out);
    }
    run
}

impl JoinRun {
    fn take(&mut self, flush: JoinFlush, out: &mut Vec<(u32, Vec<u8>)>) {
        out.extend(flush.batches);
        self.violations.extend(flush.violations);
        self.has_spilled |= flush.tally.stored_buckets > 0;
        let (sum, new) = (&mut self.tally, flush.tally);
        sum.joined += new.joined;
        sum.corrections += new.corrections;
        sum.duplicate_predictions += new.duplicate_predictions;
        sum.duplicate_labels += new.duplicate_labels;
        sum.unreadable += new.unreadable;
        sum.expired += new.expired;
        sum.too_late += new.too_late;
        sum.unlabelled += new.unlabelled;
        sum.unmatched += new.unmatched;
    }

    /// Adds up all deltas in the order in which an evaluator folds them: by arrival, additions before retractions.
    ///
    /// # Panics
    /// When a batch cannot be read, or something is taken back that was not there by then.
    pub fn sums(&self, models: &ModelSet) -> JoinSums {
        let mut deltas: Vec<JoinedDelta> = Vec::new();
        for (_, batch) in self.batches.iter().flatten() {
            deltas.extend(joined_deltas(batch, models).expect("a joiner's own"));
        }
        let is_retraction = |d: &JoinedDelta| matches!(d.change, JoinedChange::Retract(..));
        deltas.sort_by_key(|delta| (delta.arrival, is_retraction(delta)));
        let mut sums = JoinSums::default();
        for delta in deltas {
            let profile = profile(models, delta.layout.0);
            let (layout, bucket) = (delta.layout.0, delta.bucket);
            let fits = match delta.change {
                JoinedChange::Predicted(summary) => {
                    let key = (layout, delta.segment, bucket);
                    let sum = sums.predicted.entry(key);
                    let sum = sum.or_insert_with(|| PredictedSummary::empty(profile));
                    sum.merge(&summary)
                }
                JoinedChange::Add(delay, summary) => {
                    let key = (layout, delta.segment, bucket, delay.0);
                    let sum = sums.outcomes.entry(key);
                    let sum = sum.or_insert_with(|| OutcomeSummary::empty(profile));
                    sum.merge(&summary)
                }
                JoinedChange::Retract(delay, summary) => {
                    let key = (layout, delta.segment, bucket, delay.0);
                    let sum = sums.outcomes.get_mut(&key).expect("it was added before");
                    sum.subtract(&summary)
                }
            };
            fits.expect("what is taken back was there");
        }
        sums.outcomes.retain(|_, sum| !sum.is_empty());
        sums
    }
}

pub(super) fn profile(models: &ModelSet, layout: u32) -> &OutcomeProfile {
    let profile = models.specs()[layout as usize].profile.outcome();
    profile.expect("every model of a schedule has labels")
}
