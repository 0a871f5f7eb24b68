//! What the join has found since the last flush.
//!
//! Rows are gathered as they come and folded into summaries many at a time, series by series; between that, summaries are
//! kept as the bytes that they will be written as, for those are far smaller.

use std::collections::BTreeMap;
use std::sync::Arc;

use driftline_event::Timestamp;
use driftline_sketch::{
    DelayBucket, OutcomeProfile, OutcomeSummary, PredictedSummary, Scored, ShapeMismatch, Truth,
};

use super::model::JoinedModels;
use super::table::Table;
use crate::counting::span_micros;
use crate::observer::partials_partition;
use crate::partial::{BatchWriter, ModelRef, OutcomeChange, RawOutcome};

/// How many rows are folded at a time.
const ROWS_MAX: usize = 1 << 16;

/// What happened to a prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    Predicted,
    Add(Outcome),
    Retract(Outcome),
}

/// A prediction's label, as it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) truth: Truth,
    pub(crate) weight: f64,
    pub(crate) delay: i64,
}

impl What {
    fn change(&self) -> OutcomeChange {
        match self {
            Self::Predicted => OutcomeChange::Predicted,
            Self::Add(outcome) => OutcomeChange::Add(DelayBucket::of(outcome.delay).0),
            Self::Retract(outcome) => OutcomeChange::Retract(DelayBucket::of(outcome.delay).0),
        }
    }
}

/// One prediction that was made, or was joined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) group: u32,
    /// The start of the tick in which it became known.
    pub(crate) arrival: i64,
    /// The start of the bucket of its time.
    pub(crate) bucket: i64,
    pub(crate) scored: Scored,
    pub(crate) what: What,
}

/// Of one series: arrival, bucket, change.
type Cell = (i64, i64, OutcomeChange);
/// Layout and segment.
type SeriesKey = (u32, Option<Arc<str>>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Deltas {
    rows: Vec<Row>,
    folded: BTreeMap<(SeriesKey, Cell), Vec<u8>>,
    folded_bytes: usize,
}

enum Summary {
    Predicted(PredictedSummary),
    Outcomes(Box<OutcomeSummary>),
}

impl Summary {
    /// The summary that `bytes` are of, or an empty one.
    fn read(mut bytes: &[u8], change: OutcomeChange, profile: &OutcomeProfile) -> Self {
        let bytes = &mut bytes;
        if change == OutcomeChange::Predicted {
            let read = PredictedSummary::decode(bytes, profile);
            Self::Predicted(read.unwrap_or_else(|_| PredictedSummary::empty(profile)))
        } else {
            let read = OutcomeSummary::decode(bytes, profile);
            let read = read.unwrap_or_else(|_| OutcomeSummary::empty(profile));
            Self::Outcomes(Box::new(read))
        }
    }

    fn add(&mut self, row: &Row, profile: &OutcomeProfile) -> Result<(), ShapeMismatch> {
        match (self, row.what) {
            (Self::Predicted(summary), _) => summary.add(profile, &row.scored),
            (Self::Outcomes(summary), What::Add(o) | What::Retract(o)) => {
                summary.add(profile, &row.scored, o.truth, o.weight, Some(o.delay))
            }
            (Self::Outcomes(_), What::Predicted) => Ok(()),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Predicted(summary) => summary.encode(&mut out),
            Self::Outcomes(summary) => summary.encode(&mut out),
        }
        out.shrink_to_fit();
        out
    }
}

impl Deltas {
    /// Adds a row; true if there are so many that they are to be folded.
    pub(crate) fn add(&mut self, row: Row) -> bool {
        self.rows.push(row);
        self.rows.len() >= ROWS_MAX
    }

    /// Folds all rows. Their groups are still known: call it before they expire. Returns how many rows do not fit their
    /// model, which none should.
    pub(crate) fn fold(&mut self, table: &Table, models: &JoinedModels) -> u64 {
        let mut numbers: BTreeMap<SeriesKey, u32> = BTreeMap::new();
        let mut groups: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let mut refs: Vec<(u32, Cell, u32)> = Vec::with_capacity(2 * self.rows.len());
        let mut misfits = 0;
        for (i, row) in self.rows.iter().enumerate() {
            let series = groups
                .entry(row.group)
                .or_insert_with(|| number_series(row.group, table, &mut numbers));
            misfits += u64::from(series.is_empty());
            let cell = (row.arrival, row.bucket, row.what.change());
            refs.extend(series.iter().map(|series| (*series, cell, i as u32)));
        }
        refs.sort_unstable();
        let by_number: BTreeMap<u32, &SeriesKey> = numbers.iter().map(|(k, n)| (*n, k)).collect();
        for run in refs.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (number, cell, _) = run[0];
            let Some(key) = by_number.get(&number) else {
                continue;
            };
            let Some(profile) = models.get(key.0).and_then(|model| model.outcome()) else {
                misfits += run.len() as u64;
                continue;
            };
            let bytes = self.folded.entry(((*key).clone(), cell)).or_default();
            let mut summary = Summary::read(bytes, cell.2, profile);
            for (_, _, row) in run {
                let added = summary.add(&self.rows[*row as usize], profile);
                misfits += u64::from(added.is_err());
            }
            self.folded_bytes -= bytes.len();
            *bytes = summary.encode();
            self.folded_bytes += bytes.len();
        }
        self.rows.clear();
        misfits
    }

    /// Writes everything and forgets it. Fold first.
    pub(crate) fn flush(&mut self, models: &JoinedModels, writers: &mut [BatchWriter]) {
        for (((layout, segment), (arrival, bucket, change)), body) in
            std::mem::take(&mut self.folded)
        {
            let Some(model) = models.get(layout) else {
                continue;
            };
            let spec = &model.spec;
            let partition = partials_partition(&spec.model, writers.len() as u32);
            let model_ref = ModelRef {
                model: &spec.model,
                version: &spec.version,
                reference: spec.profile.id(),
                pane_micros: span_micros(spec.pane),
            };
            let outcome = RawOutcome {
                model: 0,
                step_micros: model.step,
                segment: segment.as_deref(),
                arrival: Timestamp::from_micros(arrival),
                bucket: Timestamp::from_micros(bucket),
                change,
                body: &body,
            };
            writers[partition as usize].outcome(layout, model_ref, &outcome);
        }
        self.folded_bytes = 0;
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.folded_bytes + 160 * self.folded.len()
    }
}

/// The numbers of the series of a group: that of all events, and its segments'.
fn number_series(group: u32, table: &Table, numbers: &mut BTreeMap<SeriesKey, u32>) -> Vec<u32> {
    let Some(group) = table.group_of(group) else {
        return Vec::new();
    };
    let segments = group.segments.iter().map(|s| Some(Arc::clone(s)));
    std::iter::once(None)
        .chain(segments)
        .map(|segment| {
            let next = numbers.len() as u32;
            *numbers.entry((group.layout, segment)).or_insert(next)
        })
        .collect()
}
