//! From memory to the store.

use super::api::JoinError;
use super::pool::Record;
use super::store::StoreError;
use super::table::{GONE, Table, forget_text, key, label, store_bucket};

impl Table {
    /// Moves the oldest buckets to the store until no more than `budget` bytes are taken.
    pub(crate) fn spill(&mut self, budget: usize) -> Result<(), JoinError> {
        while self.bytes() > budget {
            let (bytes, store) = (self.bytes(), self.store.is_some());
            let oldest = match (self.predictions.oldest(), self.labels.oldest()) {
                (Some(p), Some(l)) => Some((p.min(l), l < p)),
                (Some(p), None) => Some((p, false)),
                (None, Some(l)) => Some((l, true)),
                (None, None) => None,
            };
            match oldest.filter(|_| store) {
                Some((bucket, false)) => self.spill_predictions(bucket)?,
                Some((bucket, true)) => self.spill_labels(bucket)?,
                None => return Err(JoinError::Full { bytes, budget }),
            }
        }
        Ok(())
    }

    fn spill_predictions(&mut self, bucket: i64) -> Result<(), StoreError> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        let mut all = Vec::new();
        self.predictions.drain(bucket, |pending| all.push(pending));
        all.sort_by_key(Record::id);
        let is_new = !self.stored_predictions.contains_key(&bucket);
        let spilled = self.stored_predictions.entry(bucket).or_default();
        for same in all.chunk_by(|a, b| a.id() == b.id()) {
            let (name, key) = (store_bucket(bucket, false), key(same[0].id()));
            self.scratch.clear();
            if !is_new {
                store.get(name, &key, &mut self.scratch)?;
            }
            for pending in same {
                pending.put(&mut self.scratch);
                *spilled.groups.entry(pending.group()).or_default() += 1;
                spilled.waiting += u64::from(!pending.is_labelled());
            }
            store.put(name, &key, &self.scratch)?;
        }
        Ok(())
    }

    fn spill_labels(&mut self, bucket: i64) -> Result<(), StoreError> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        let mut all = Vec::new();
        self.labels.drain(bucket, |record| all.push(record));
        all.sort_by_key(Record::id);
        let is_new = !self.stored_labels.contains_key(&bucket);
        let spilled = self.stored_labels.entry(bucket).or_default();
        for same in all.chunk_by(|a, b| a.id() == b.id()) {
            let (name, key) = (store_bucket(bucket, true), key(same[0].id()));
            self.scratch.clear();
            if !is_new {
                store.get(name, &key, &mut self.scratch)?;
            }
            for record in same.iter().filter(|r| r.scope != GONE) {
                label(record, &self.texts).put(&mut self.scratch);
                forget_text(record, &mut self.texts);
                spilled.waiting += u64::from(!record.is_joined);
            }
            store.put(name, &key, &self.scratch)?;
        }
        Ok(())
    }
}
