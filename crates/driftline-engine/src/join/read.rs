//! Reading what a joiner wrote, for tests and tools; the evaluator has its own way.

use driftline_event::{LayoutId, Timestamp};
use driftline_sketch::{DelayBucket, OutcomeSummary, PredictedSummary};

use crate::partial::{Batch, BatchError, OutcomeChange};
use crate::spec::ModelSet;

/// What a [`JoinedDelta`] says.
#[derive(Clone, Debug, PartialEq)]
pub enum JoinedChange {
    /// Predictions were made.
    Predicted(PredictedSummary),
    /// Predictions got labels of this delay.
    Add(DelayBucket, OutcomeSummary),
    /// Labels that were counted with this delay do not hold any more.
    Retract(DelayBucket, OutcomeSummary),
}

/// One outcome delta of a partial batch.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinedDelta {
    /// Which model and version.
    pub layout: LayoutId,
    /// `field=value` of the segment; none for all events.
    pub segment: Option<String>,
    /// The start of the tick in which it became known.
    pub arrival: Timestamp,
    /// The start of the bucket of the predictions' own time.
    pub bucket: Timestamp,
    /// What it says.
    pub change: JoinedChange,
}

/// Reads the outcome deltas of a partial batch; those of models that are not joined here are left out.
///
/// # Errors
/// When the bytes are not a batch, or a summary does not fit its reference.
pub fn joined_deltas(batch: &[u8], models: &ModelSet) -> Result<Vec<JoinedDelta>, BatchError> {
    let batch = Batch::decode(batch)?;
    let mut deltas = Vec::with_capacity(batch.outcomes.len());
    for raw in &batch.outcomes {
        let named = batch.models[raw.model];
        let Some((layout, spec)) = models.find(named.model, named.version) else {
            continue;
        };
        let Some(profile) = spec.profile.outcome() else {
            continue;
        };
        let unread = |reason: String| BatchError::Delta {
            model: named.model.to_owned(),
            version: named.version.to_owned(),
            reason,
        };
        let mut body = raw.body;
        let known = |delay| DelayBucket::new(delay).unwrap_or(DelayBucket::UNKNOWN);
        let mut outcomes = || {
            let read = OutcomeSummary::decode(&mut body, profile);
            read.map_err(|error| unread(error.to_string()))
        };
        let change = match raw.change {
            OutcomeChange::Add(delay) => JoinedChange::Add(known(delay), outcomes()?),
            OutcomeChange::Retract(delay) => JoinedChange::Retract(known(delay), outcomes()?),
            OutcomeChange::Predicted => {
                let read = PredictedSummary::decode(&mut body, profile);
                JoinedChange::Predicted(read.map_err(|error| unread(error.to_string()))?)
            }
        };
        deltas.push(JoinedDelta {
            layout,
            segment: raw.segment.map(str::to_owned),
            arrival: raw.arrival,
            bucket: raw.bucket,
            change,
        });
    }
    Ok(deltas)
}
