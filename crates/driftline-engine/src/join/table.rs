//! Predictions and labels by id, in memory and past that in a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::batch::SCORED_BYTES;
use super::names::{Name, Names};
use super::pool::{Pool, Record};
use super::record::{Label, LabelRecord, LabelText, Pending};
use super::store::{PendingStore, StoreError};

/// The most buckets of predictions, and of labels: a bound for times that make no sense.
const BUCKETS_MAX: usize = 1_024;
/// The most groups and the most texts that are told apart.
const NAMES_MAX: usize = 1 << 24;

/// The scope of a record that stands for nothing: its label has moved to another bucket.
pub(super) const GONE: u32 = u32::MAX;

/// The series that a prediction belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    pub(crate) layout: u32,
    pub(crate) segments: Vec<Arc<str>>,
}

impl Name for Group {
    fn bytes(&self) -> usize {
        let texts: usize = self.segments.iter().map(|s| s.len() + 16).sum();
        texts + self.segments.capacity() * size_of::<Arc<str>>()
    }
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A place in the pool.
    Memory(u32),
    /// In this bucket of the store, the n-th of its id.
    Stored(i64, usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundPrediction {
    pub(crate) place: Place,
    pub(crate) bucket: i64,
    pub(crate) at: i64,
    pub(crate) pending: Pending,
}

#[derive(Clone, Debug)]
pub(crate) struct FoundLabel {
    pub(crate) place: Place,
    pub(crate) bucket: i64,
    pub(crate) label: Label,
}

/// What is known in memory of a bucket in the store.
#[derive(Clone, Debug, Default)]
pub(super) struct Spilled {
    /// How many of its predictions are of each group.
    pub(super) groups: BTreeMap<u32, u64>,
    /// Predictions without a label, or labels without a prediction.
    pub(super) waiting: u64,
}

/// What expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) unlabelled: u64,
    pub(crate) unmatched: u64,
}

/// The pending table. Its buckets have the instant as their name at which they expire.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(super) predictions: Pool<Pending>,
    pub(super) labels: Pool<LabelRecord>,
    pub(super) groups: Names<Group>,
    pub(super) texts: Names<String>,
    pub(super) stored_predictions: BTreeMap<i64, Spilled>,
    pub(super) stored_labels: BTreeMap<i64, Spilled>,
    pub(super) store: Option<Box<dyn PendingStore>>,
    pub(super) scratch: Vec<u8>,
    /// Labels that have met no prediction.
    pub(crate) waiting_labels: u64,
    /// Predictions that have met no label.
    pub(crate) unlabelled: u64,
}

/// The store's bucket of predictions that expire then, or of labels.
pub(super) fn store_bucket(bucket: i64, of_labels: bool) -> i64 {
    bucket << 1 | i64::from(of_labels)
}

pub(super) fn key(id: u128) -> [u8; 16] {
    id.to_be_bytes()
}

impl Table {
    pub(crate) fn new(store: Option<Box<dyn PendingStore>>) -> Result<Self, StoreError> {
        let mut table = Self {
            store,
            ..Self::default()
        };
        if let Some(store) = &mut table.store {
            store.clear()?;
        }
        Ok(table)
    }

    /// The number of a group; none if there are too many.
    pub(crate) fn group(&mut self, group: Group) -> Option<u32> {
        match self.groups.number(&group) {
            None if self.groups.len() >= NAMES_MAX => None,
            Some(number) => Some(number),
            None => Some(self.groups.add(group)),
        }
    }

    /// Forgets a group if no prediction is of it.
    pub(crate) fn settle_group(&mut self, number: u32) {
        self.groups.give_back(number, 0);
    }

    pub(crate) fn group_of(&self, number: u32) -> Option<&Arc<Group>> {
        self.groups.get(number)
    }

    /// Appends all predictions of an id.
    pub(crate) fn find_predictions(
        &mut self,
        id: u128,
        found: &mut Vec<FoundPrediction>,
    ) -> Result<(), StoreError> {
        for place in self.predictions.find(id) {
            if let Some((bucket, pending)) = self.predictions.get(place) {
                found.push(FoundPrediction {
                    place: Place::Memory(place),
                    bucket,
                    at: pending.at(bucket),
                    pending: *pending,
                });
            }
        }
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        for &bucket in self.stored_predictions.keys() {
            self.scratch.clear();
            store.get(store_bucket(bucket, false), &key(id), &mut self.scratch)?;
            for (nth, bytes) in self.scratch.as_chunks().0.iter().enumerate() {
                let pending = Pending::read(bytes);
                found.push(FoundPrediction {
                    place: Place::Stored(bucket, nth),
                    bucket,
                    at: pending.at(bucket),
                    pending,
                });
            }
        }
        Ok(())
    }

    /// Appends all labels of an id.
    pub(crate) fn find_labels(
        &mut self,
        id: u128,
        found: &mut Vec<FoundLabel>,
    ) -> Result<(), StoreError> {
        for place in self.labels.find(id) {
            if let Some((bucket, record)) = self.labels.get(place)
                && record.scope != GONE
            {
                found.push(FoundLabel {
                    place: Place::Memory(place),
                    bucket,
                    label: label(record, &self.texts),
                });
            }
        }
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        for &bucket in self.stored_labels.keys() {
            self.scratch.clear();
            store.get(store_bucket(bucket, true), &key(id), &mut self.scratch)?;
            let (mut rest, mut nth) = (&self.scratch[..], 0);
            while let Some(label) = Label::read(&mut rest) {
                let place = Place::Stored(bucket, nth);
                found.push(FoundLabel {
                    place,
                    bucket,
                    label,
                });
                nth += 1;
            }
        }
        Ok(())
    }

    /// Keeps a prediction of a group until `bucket`; false if there is no room for its bucket.
    pub(crate) fn add_prediction(
        &mut self,
        id: u128,
        (bucket, at): (i64, i64),
        group: u32,
        scored: [u8; SCORED_BYTES],
        is_labelled: bool,
    ) -> bool {
        let has_room = self.predictions.has(bucket) || self.predictions.buckets() < BUCKETS_MAX;
        let mut pending = Pending::new(id, (bucket, at), group, scored);
        if is_labelled {
            pending.set_labelled();
        }
        if !has_room || !self.predictions.insert(bucket, pending) {
            return false;
        }
        self.groups.take(group);
        self.unlabelled += u64::from(!is_labelled);
        true
    }

    /// Keeps a label until `bucket`; false if there is no room for its bucket.
    pub(crate) fn add_label(&mut self, id: u128, bucket: i64, label: &Label) -> bool {
        let has_room = self.labels.has(bucket) || self.labels.buckets() < BUCKETS_MAX;
        if !has_room || self.texts.len() >= NAMES_MAX {
            return false;
        }
        let record = record(id, label, &mut self.texts);
        if !self.labels.insert(bucket, record) {
            forget_text(&record, &mut self.texts);
            return false;
        }
        self.waiting_labels += u64::from(!label.is_joined);
        true
    }

    /// Notes that a prediction has been counted with a label.
    pub(crate) fn set_labelled(&mut self, found: &FoundPrediction) -> Result<(), StoreError> {
        if found.pending.is_labelled() {
            return Ok(());
        }
        self.unlabelled = self.unlabelled.saturating_sub(1);
        match found.place {
            Place::Memory(place) => {
                if let Some(pending) = self.predictions.get_mut(place) {
                    pending.set_labelled();
                }
                Ok(())
            }
            Place::Stored(bucket, nth) => {
                let Some(store) = &mut self.store else {
                    return Ok(());
                };
                let (name, key) = (store_bucket(bucket, false), key(found.pending.id()));
                self.scratch.clear();
                store.get(name, &key, &mut self.scratch)?;
                if let Some(bytes) = self
                    .scratch
                    .as_chunks_mut::<{ Pending::BYTES }>()
                    .0
                    .get_mut(nth)
                {
                    let mut pending = Pending::read(bytes);
                    pending.set_labelled();
                    let mut changed = Vec::with_capacity(Pending::BYTES);
                    pending.put(&mut changed);
                    bytes.copy_from_slice(&changed);
                }
                if let Some(spilled) = self.stored_predictions.get_mut(&bucket) {
                    spilled.waiting = spilled.waiting.saturating_sub(1);
                }
                store.put(name, &key, &self.scratch)
            }
        }
    }

    /// Puts a label in the place of one of the same id and scope.
    pub(crate) fn replace_label(
        &mut self,
        id: u128,
        old: &FoundLabel,
        new: &Label,
    ) -> Result<(), StoreError> {
        self.set_label(id, old, Some(new))
    }

    /// Forgets a label.
    pub(crate) fn remove_label(&mut self, id: u128, old: &FoundLabel) -> Result<(), StoreError> {
        self.set_label(id, old, None)
    }

    fn set_label(
        &mut self,
        id: u128,
        old: &FoundLabel,
        new: Option<&Label>,
    ) -> Result<(), StoreError> {
        let has_joined = new.is_none_or(|new| new.is_joined) && !old.label.is_joined;
        self.waiting_labels = self.waiting_labels.saturating_sub(u64::from(has_joined));
        match old.place {
            Place::Memory(place) => {
                let record = match new {
                    Some(new) => record(id, new, &mut self.texts),
                    None => LabelRecord {
                        id: [(id >> 64) as u64, id as u64],
                        scope: GONE,
                        is_joined: true,
                        ..LabelRecord::default()
                    },
                };
                if let Some(slot) = self.labels.get_mut(place) {
                    let was = std::mem::replace(slot, record);
                    forget_text(&was, &mut self.texts);
                }
                Ok(())
            }
            Place::Stored(bucket, nth) => {
                let Some(store) = &mut self.store else {
                    return Ok(());
                };
                self.scratch.clear();
                store.get(store_bucket(bucket, true), &key(id), &mut self.scratch)?;
                let (mut rest, mut out, mut i) = (&self.scratch[..], Vec::new(), 0);
                while let Some(label) = Label::read(&mut rest) {
                    let label = if i == nth { new } else { Some(&label) };
                    label.into_iter().for_each(|label| label.put(&mut out));
                    i += 1;
                }
                if let Some(spilled) = self.stored_labels.get_mut(&bucket) {
                    spilled.waiting = spilled.waiting.saturating_sub(u64::from(has_joined));
                }
                store.put(store_bucket(bucket, true), &key(id), &out)
            }
        }
    }

    /// Whether a bucket expires at `now` or before.
    pub(crate) fn has_expired(&self, now: i64) -> bool {
        let stored = [&self.stored_predictions, &self.stored_labels];
        let stored = stored.into_iter().filter_map(|s| s.keys().next().copied());
        let oldest = [self.predictions.oldest(), self.labels.oldest()];
        let mut oldest = stored.chain(oldest.into_iter().flatten());
        oldest.any(|bucket| bucket <= now)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) -> Result<(), StoreError> {
        *self = Self::new(self.store.take())?;
        Ok(())
    }

    /// Forgets all buckets that expire at `now` or before.
    pub(crate) fn expire(&mut self, now: i64) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
        while let Some(bucket) = self.predictions.oldest().filter(|b| *b <= now) {
            let (groups, unlabelled) = (&mut self.groups, &mut expired.unlabelled);
            self.predictions.drain(bucket, |pending| {
                groups.give_back(pending.group(), 1);
                *unlabelled += u64::from(!pending.is_labelled());
            });
        }
        while let Some(bucket) = self.labels.oldest().filter(|b| *b <= now) {
            let (texts, unmatched) = (&mut self.texts, &mut expired.unmatched);
            self.labels.drain(bucket, |record| {
                forget_text(&record, texts);
                *unmatched += u64::from(!record.is_joined);
            });
        }
        for of_labels in [false, true] {
            let stored = if of_labels {
                &mut self.stored_labels
            } else {
                &mut self.stored_predictions
            };
            while let Some(first) = stored.first_entry().filter(|first| *first.key() <= now) {
                let (bucket, spilled) = first.remove_entry();
                if let Some(store) = &mut self.store {
                    store.drop_bucket(store_bucket(bucket, of_labels))?;
                }
                for (group, count) in spilled.groups {
                    self.groups.give_back(group, count);
                }
                *(if of_labels {
                    &mut expired.unmatched
                } else {
                    &mut expired.unlabelled
                }) += spilled.waiting;
            }
        }
        self.unlabelled = self.unlabelled.saturating_sub(expired.unlabelled);
        self.waiting_labels = self.waiting_labels.saturating_sub(expired.unmatched);
        Ok(expired)
    }

    /// How much memory it takes, all included but the store's own.
    pub(crate) fn bytes(&self) -> usize {
        let spilled = self.stored_predictions.values();
        let groups: usize = spilled.map(|s| 64 + 24 * s.groups.len()).sum();
        let pools = self.predictions.bytes() + self.labels.bytes();
        pools + self.groups.bytes() + self.texts.bytes() + groups + 64 * self.stored_labels.len()
    }

    /// Buckets in the store.
    pub(crate) fn stored(&self) -> usize {
        self.stored_predictions.len() + self.stored_labels.len()
    }
}

fn record(id: u128, label: &Label, texts: &mut Names<String>) -> LabelRecord {
    let (value, is_text) = match &label.value {
        LabelText::Number(number) => (number.to_bits(), false),
        LabelText::Text(text) => {
            let number = texts.number(&**text);
            let number = number.unwrap_or_else(|| texts.add(String::clone(text)));
            texts.take(number);
            (u64::from(number), true)
        }
    };
    LabelRecord {
        id: [(id >> 64) as u64, id as u64],
        observed: label.observed,
        latest: label.latest,
        value,
        weight: label.weight,
        revision: label.revision,
        scope: label.scope,
        is_text,
        is_joined: label.is_joined,
    }
}

pub(super) fn label(record: &LabelRecord, texts: &Names<String>) -> Label {
    let value = if record.is_text {
        let text = texts.get(record.value as u32);
        LabelText::Text(text.map(Arc::clone).unwrap_or_default())
    } else {
        LabelText::Number(f64::from_bits(record.value))
    };
    Label {
        scope: record.scope,
        revision: record.revision,
        observed: record.observed,
        latest: record.latest,
        weight: record.weight,
        value,
        is_joined: record.is_joined,
    }
}

pub(super) fn forget_text(record: &LabelRecord, texts: &mut Names<String>) {
    if record.is_text {
        texts.give_back(record.value as u32, 1);
    }
}
