//! Sends predictions that count to where their labels will come.

use std::collections::BTreeMap;
use std::sync::Arc;

use driftline_event::{LayoutId, Row};
use driftline_sketch::OutcomeColumns;
use xxhash_rust::xxh3::xxh3_128;

use super::batch::{PredictionEntry, PredictionsWriter, Scorer};
use super::model::Sampled;
use crate::partial::Progress;
use crate::spec::{ModelSet, ModelSpec};

/// What stands for the id of a prediction: XXH3 of 128 bits. Of a billion ids, two are taken for one with a chance of
/// 2^-69.
pub fn prediction_id(id: &str) -> u128 {
    xxh3_128(id.as_bytes())
}

/// The partition of the outcomes topic to which a prediction and its labels go.
pub fn outcomes_partition(id: u128, partitions: u32) -> u32 {
    (id % u128::from(partitions.max(1))) as u32
}

/// What became of the counted rows of one model since the last flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardTally {
    /// Which model and version.
    pub layout: LayoutId,
    /// Rows that wait for a label now.
    pub forwarded: u64,
    /// Rows outside the deterministic sample.
    pub sampled_out: u64,
    /// Rows without an id.
    pub without_id: u64,
    /// Rows without a score or a decision.
    pub unscored: u64,
}

#[derive(Debug)]
struct ForwardedModel {
    spec: Arc<ModelSpec>,
    columns: OutcomeColumns,
    sampled: Sampled,
    tally: ForwardTally,
}

/// Writes predictions of models that have labels, by partition of the outcomes topic.
#[derive(Debug)]
pub(crate) struct PredictionForwarder {
    /// By layout.
    models: Vec<Option<ForwardedModel>>,
    writers: Vec<PredictionsWriter>,
    /// Numbers of layout and series, until the next flush.
    groups: BTreeMap<Box<[u32]>, usize>,
    key: Vec<u32>,
    last: usize,
    has_models: bool,
}

impl PredictionForwarder {
    pub(crate) fn new(set: &ModelSet, partitions: u32, batch_bytes_max: usize) -> Self {
        let model = |(layout, spec): (u32, &Arc<ModelSpec>)| {
            let labels = spec.labels.as_ref()?;
            let layout = LayoutId(layout);
            let outcome = spec.profile.outcome()?;
            let columns = OutcomeColumns::resolve(outcome, set.catalog().layout(layout)).ok()?;
            Some(ForwardedModel {
                spec: Arc::clone(spec),
                columns,
                sampled: Sampled::new(labels.sampling_rate),
                tally: ForwardTally {
                    layout,
                    forwarded: 0,
                    sampled_out: 0,
                    without_id: 0,
                    unscored: 0,
                },
            })
        };
        let models: Vec<_> = (0..).zip(set.specs()).map(model).collect();
        Self {
            has_models: models.iter().any(Option::is_some),
            models,
            writers: (0..partitions.max(1))
                .map(|_| PredictionsWriter::new(batch_bytes_max))
                .collect(),
            groups: BTreeMap::new(),
            key: Vec::new(),
            last: 0,
        }
    }

    /// Whether any model has labels.
    pub(crate) fn has_models(&self) -> bool {
        self.has_models
    }

    /// Forwards a row that counts, with the series that it was counted in besides that of all events, numbered by the
    /// caller until the next flush. Returns how much memory that took.
    ///
    /// Segments go as the observer names them, `__other__` included, so that labels are seen by the same segments as
    /// drift is.
    pub(crate) fn forward<'a>(
        &mut self,
        row: &Row,
        series: &[u32],
        segment: impl Fn(u32) -> &'a str,
    ) -> usize {
        let layout = row.layout();
        let Some(Some(model)) = self.models.get_mut(layout.index()) else {
            return 0;
        };
        if row.id().is_empty() {
            model.tally.without_id += 1;
            return 0;
        }
        let id = prediction_id(row.id());
        if !model.sampled.has(id) {
            model.tally.sampled_out += 1;
            return 0;
        }
        let profile = &model.spec.profile;
        let scored = profile
            .outcome()
            .and_then(|o| o.scored(&model.columns, row));
        let Some(scored) = scored else {
            model.tally.unscored += 1;
            return 0;
        };
        model.tally.forwarded += 1;
        let is_last = self.key.first() == Some(&layout.0) && self.key[1..] == *series;
        if !is_last {
            self.key.clear();
            self.key.push(layout.0);
            self.key.extend_from_slice(series);
            let next = self.groups.len();
            self.last = match self.groups.get(&self.key[..]) {
                Some(&group) => group,
                None => *self.groups.entry(self.key[..].into()).or_insert(next),
            };
        }
        let entry = PredictionEntry {
            group: 0,
            id,
            at: row.time().as_micros(),
            scored: scored.to_bytes(),
        };
        let scorer = Scorer {
            model: &model.spec.model,
            version: &model.spec.version,
            reference: profile.id(),
        };
        let partition = outcomes_partition(id, self.writers.len() as u32);
        self.writers[partition as usize].add(
            (layout.index(), scorer),
            (self.last, series.iter().map(|series| segment(*series))),
            &entry,
        )
    }

    /// The batches since the last flush, one or more for every partition.
    pub(crate) fn flush(&mut self, progress: &[Progress]) -> Vec<(u32, Vec<u8>)> {
        self.groups.clear();
        self.key.clear();
        let writers = (0..).zip(&mut self.writers);
        writers
            .flat_map(|(partition, writer)| {
                let batches = writer.finish(progress).into_iter();
                batches.map(move |batch| (partition, batch))
            })
            .collect()
    }

    /// What became of the rows since the last flush; only of models with any.
    pub(crate) fn take_tallies(&mut self) -> Vec<ForwardTally> {
        let models = self.models.iter_mut().flatten();
        models
            .filter_map(|model| {
                let layout = model.tally.layout;
                let none = ForwardTally {
                    layout,
                    forwarded: 0,
                    sampled_out: 0,
                    without_id: 0,
                    unscored: 0,
                };
                Some(std::mem::replace(&mut model.tally, none)).filter(|tally| *tally != none)
            })
            .collect()
    }

    /// Forgets everything since the last flush.
    pub(crate) fn clear(&mut self) {
        self.flush(&[]);
        self.take_tallies();
    }
}
