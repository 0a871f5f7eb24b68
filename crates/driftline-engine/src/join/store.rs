//! Where pending entries go for which there is no room in memory.

use std::collections::BTreeMap;
use std::fmt;

/// What a [`PendingStore`] could not do, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store of pending predictions cannot {what}: {reason}")]
pub struct StoreError {
    /// What it was asked for, such as `write`.
    pub what: &'static str,
    /// Why it did not.
    pub reason: String,
}

/// Keeps bytes by bucket and key until the bucket is dropped.
///
/// It is a cache of what stands in the outcomes topic: nothing in it has to outlive the process, and a joiner begins with
/// an empty one. After an error the joiner is of no use: it must be made anew and read the topic again.
pub trait PendingStore: fmt::Debug + Send {
    /// Keeps `value` under a key, instead of what was there.
    ///
    /// # Errors
    /// When it cannot be written.
    fn put(&mut self, bucket: i64, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Appends what is under a key to `out`; false if there is nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    fn get(&mut self, bucket: i64, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError>;

    /// Forgets what is under a key.
    ///
    /// # Errors
    /// When it cannot be written.
    fn remove(&mut self, bucket: i64, key: &[u8]) -> Result<(), StoreError>;

    /// Forgets a bucket with all that is in it.
    ///
    /// # Errors
    /// When it cannot be dropped.
    fn drop_bucket(&mut self, bucket: i64) -> Result<(), StoreError>;

    /// Forgets everything.
    ///
    /// # Errors
    /// When it cannot be dropped.
    fn clear(&mut self) -> Result<(), StoreError>;
}

/// A [`PendingStore`] in memory, for tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStore {
    buckets: BTreeMap<i64, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl MemoryStore {
    /// How many buckets hold anything.
    pub fn buckets(&self) -> usize {
        self.buckets.len()
    }
}

impl PendingStore for MemoryStore {
    fn put(&mut self, bucket: i64, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let values = self.buckets.entry(bucket).or_default();
        values.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn get(&mut self, bucket: i64, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        let value = self.buckets.get(&bucket).and_then(|values| values.get(key));
        value.into_iter().for_each(|value| out.extend(value));
        Ok(value.is_some())
    }

    fn remove(&mut self, bucket: i64, key: &[u8]) -> Result<(), StoreError> {
        if let Some(values) = self.buckets.get_mut(&bucket) {
            values.remove(key);
        }
        Ok(())
    }

    fn drop_bucket(&mut self, bucket: i64) -> Result<(), StoreError> {
        self.buckets.remove(&bucket);
        Ok(())
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        self.buckets.clear();
        Ok(())
    }
}
