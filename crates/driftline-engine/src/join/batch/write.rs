//! Writing batches.

use std::collections::BTreeMap;

use super::{
    HAS_WEIGHT, IS_TEXT, LABELS, LabelEntry, MAGIC, PREDICTIONS, PredictionEntry, ScopeEntry,
    Scorer, VERSION, Value,
};
use crate::partial::{BatchWriter, Progress};
use crate::varint::{put_i64, put_text, put_u64};

/// The parts of a batch that is being written: tables and entries.
#[derive(Clone, Debug, Default)]
struct Part {
    models: Vec<u8>,
    models_count: u64,
    groups: Vec<u8>,
    groups_count: u64,
    entries: Vec<u8>,
    entries_count: u64,
    last_at: i64,
}

impl Part {
    fn len(&self) -> usize {
        self.models.len() + self.groups.len() + self.entries.len()
    }

    fn seal(&mut self, side: u8, progress: &[Progress]) -> Vec<u8> {
        let progress = BatchWriter::new(usize::MAX).finish(progress).concat();
        let mut out = Vec::with_capacity(32 + self.len() + progress.len());
        out.extend_from_slice(MAGIC);
        out.extend([VERSION, side]);
        put_u64(&mut out, self.models_count);
        out.append(&mut self.models);
        if side == PREDICTIONS {
            put_u64(&mut out, self.groups_count);
            out.append(&mut self.groups);
        }
        put_u64(&mut out, self.entries_count);
        out.append(&mut self.entries);
        put_u64(&mut out, progress.len() as u64);
        out.extend(progress);
        (self.models_count, self.groups_count, self.entries_count) = (0, 0, 0);
        self.last_at = 0;
        out
    }

    fn time(&mut self, at: i64) {
        put_i64(&mut self.entries, at.wrapping_sub(self.last_at));
        self.last_at = at;
    }
}

/// Writes the predictions of one partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct PredictionsWriter {
    bytes_max: usize,
    done: Vec<Vec<u8>>,
    part: Part,
    /// 1 + the place in the part of each model and group, by their numbers at the caller's; 0 if not there.
    models: Vec<u32>,
    groups: Vec<u32>,
}

impl PredictionsWriter {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            ..Self::default()
        }
    }

    /// Adds a prediction of the group that the caller calls `group`, of a model that it calls `model`. Returns how much
    /// memory that took.
    pub(crate) fn add<'a>(
        &mut self,
        (model, scorer): (usize, Scorer<'_>),
        (group, segments): (usize, impl ExactSizeIterator<Item = &'a str>),
        entry: &PredictionEntry,
    ) -> usize {
        let before = self.part.len();
        if before > self.bytes_max {
            self.split();
        }
        let part = &mut self.part;
        let place = place(&mut self.groups, group);
        if *place == 0 {
            let model = self::place(&mut self.models, model);
            if *model == 0 {
                put_text(&mut part.models, scorer.model);
                put_text(&mut part.models, scorer.version);
                put_text(&mut part.models, scorer.reference);
                part.models_count += 1;
                *model = part.models_count as u32;
            }
            put_u64(&mut part.groups, u64::from(*model - 1));
            put_u64(&mut part.groups, segments.len() as u64);
            segments.for_each(|segment| put_text(&mut part.groups, segment));
            part.groups_count += 1;
            *place = part.groups_count as u32;
        }
        put_u64(&mut part.entries, u64::from(*place - 1));
        part.entries.extend_from_slice(&entry.id.to_le_bytes());
        part.time(entry.at);
        let len = entry
            .scored
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        part.entries.push(len as u8);
        part.entries.extend_from_slice(&entry.scored[..len]);
        part.entries_count += 1;
        part.len().saturating_sub(before)
    }

    fn split(&mut self) {
        let part = self.part.seal(PREDICTIONS, &[]);
        self.done.push(part);
        self.models.clear();
        self.groups.clear();
    }

    /// The batches since the last time; the last one carries the progress.
    pub(crate) fn finish(&mut self, progress: &[Progress]) -> Vec<Vec<u8>> {
        let last = self.part.seal(PREDICTIONS, progress);
        self.models.clear();
        self.groups.clear();
        self.done.push(last);
        std::mem::take(&mut self.done)
    }
}

fn place(places: &mut Vec<u32>, number: usize) -> &mut u32 {
    if places.len() <= number {
        places.resize(number + 1, 0);
    }
    &mut places[number]
}

/// Writes the labels of one partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelsWriter {
    bytes_max: usize,
    done: Vec<Vec<u8>>,
    part: Part,
    scopes: BTreeMap<(String, Option<String>), u64>,
}

impl LabelsWriter {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            ..Self::default()
        }
    }

    /// Adds a label; its `scope` is given apart. Returns how much memory that took.
    pub(crate) fn add(&mut self, scope: Option<ScopeEntry<'_>>, entry: &LabelEntry<'_>) -> usize {
        let before = self.part.len();
        if before > self.bytes_max {
            let part = self.part.seal(LABELS, &[]);
            self.done.push(part);
            self.scopes.clear();
        }
        let scope = scope.map_or(0, |scope| self.scope(scope));
        let part = &mut self.part;
        put_u64(&mut part.entries, scope);
        part.entries.extend_from_slice(&entry.id.to_le_bytes());
        part.time(entry.at);
        let has_weight = entry.weight.to_bits() != 1.0_f64.to_bits();
        let weight = if has_weight { HAS_WEIGHT } else { 0 };
        match entry.value {
            Value::Number(number) => {
                part.entries.push(weight);
                part.entries.extend(number.to_le_bytes());
            }
            Value::Text(text) => {
                part.entries.push(weight | IS_TEXT);
                put_text(&mut part.entries, text);
            }
        }
        if has_weight {
            part.entries.extend(entry.weight.to_le_bytes());
        }
        put_i64(&mut part.entries, entry.revision);
        part.entries_count += 1;
        part.len().saturating_sub(before)
    }

    /// 1 + the place of a scope in the part.
    fn scope(&mut self, scope: ScopeEntry<'_>) -> u64 {
        let key = (scope.model.to_owned(), scope.version.map(str::to_owned));
        let part = &mut self.part;
        *self.scopes.entry(key).or_insert_with(|| {
            put_text(&mut part.models, scope.model);
            match scope.version {
                None => part.models.push(0),
                Some(version) => {
                    part.models.push(1);
                    put_text(&mut part.models, version);
                }
            }
            part.models_count += 1;
            part.models_count
        })
    }

    /// The batches since the last time; the last one carries the progress.
    pub(crate) fn finish(&mut self, progress: &[Progress]) -> Vec<Vec<u8>> {
        let last = self.part.seal(LABELS, progress);
        self.scopes.clear();
        self.done.push(last);
        std::mem::take(&mut self.done)
    }
}
