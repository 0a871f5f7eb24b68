//! Pending predictions on disk, where they do not fit in memory.
//!
//! A [`DiskStore`] is a [`PendingStore`] in an embedded log-structured store (fjall): a keyspace for every bucket, so that a
//! bucket is dropped by removing its files. It is a cache of what stands in the outcomes topic, so nothing is ever synced
//! to the disk, and what a directory held before is removed when it is opened.
#![deny(missing_docs)]

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use driftline_engine::{PendingStore, StoreError};
use fjall::{Database, Keyspace, KeyspaceCreateOptions};

/// The directory inside the given one that is the store's alone, and is removed with all that is in it.
const DIRECTORY: &str = "driftline-pending";
/// After how many writes the write buffers are looked at.
const WRITES_PER_CHECK: u32 = 1_024;

/// The memory of a [`DiskStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskStoreOptions {
    /// Blocks that were read and may be read again, in bytes.
    pub cache_bytes: u64,
    /// What was written and is not on disk yet, in bytes, over all buckets.
    pub write_buffer_bytes: u64,
}

impl Default for DiskStoreOptions {
    /// 32 MiB of blocks, 32 MiB of writes.
    fn default() -> Self {
        Self {
            cache_bytes: 32 << 20,
            write_buffer_bytes: 32 << 20,
        }
    }
}

/// Keeps bytes by bucket and key on disk until the bucket is dropped.
pub struct DiskStore {
    database: Database,
    keyspaces: BTreeMap<i64, Keyspace>,
    options: DiskStoreOptions,
    path: PathBuf,
    /// Keyspaces are never named like one that is being removed.
    created: u64,
    writes: u32,
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore")
            .field("path", &self.path)
            .field("buckets", &self.keyspaces.len())
            .finish_non_exhaustive()
    }
}

fn failed(what: &'static str, path: &Path, error: &dyn fmt::Display) -> StoreError {
    StoreError {
        what,
        reason: format!("{}: {error}", path.display()),
    }
}

impl DiskStore {
    /// A store in a directory of its own inside `directory`, which is made if it is not there. What a store left there
    /// before is removed. Two stores cannot share a directory.
    ///
    /// # Errors
    /// When the directory cannot be made, emptied or locked.
    pub fn open(directory: &Path, options: DiskStoreOptions) -> Result<Self, StoreError> {
        let path = directory.join(DIRECTORY);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed("empty its directory", &path, &error));
            }
            _ => {}
        }
        std::fs::create_dir_all(&path)
            .map_err(|error| failed("make its directory", &path, &error))?;
        let builder = Database::builder(&path)
            .cache_size(options.cache_bytes)
            // Lost with the process, as it may be: no write has to reach the operating system at once.
            .manual_journal_persist(true)
            .worker_threads(1)
            .temporary(true);
        let database = builder
            .open()
            .map_err(|error| failed("open", &path, &error))?;
        Ok(Self {
            database,
            keyspaces: BTreeMap::new(),
            options,
            path,
            created: 0,
            writes: 0,
        })
    }

    /// How many buckets hold anything.
    pub fn buckets(&self) -> usize {
        self.keyspaces.len()
    }

    /// What it takes on disk, in bytes.
    ///
    /// # Errors
    /// When the files cannot be looked at.
    pub fn disk_bytes(&self) -> Result<u64, StoreError> {
        let bytes = self.database.disk_space();
        bytes.map_err(|error| failed("measure", &self.path, &error))
    }

    fn keyspace(&mut self, bucket: i64) -> Result<&Keyspace, StoreError> {
        if !self.keyspaces.contains_key(&bucket) {
            self.created += 1;
            let name = format!("bucket-{}", self.created);
            let limit = self.options.write_buffer_bytes;
            let keyspace = self
                .database
                .keyspace(&name, || {
                    KeyspaceCreateOptions::default().max_memtable_size(limit)
                })
                .map_err(|error| failed("make a bucket", &self.path, &error))?;
            self.keyspaces.insert(bucket, keyspace);
        }
        Ok(&self.keyspaces[&bucket])
    }

    /// Brings what was written to the disk if it takes too much memory.
    fn bound_memory(&mut self) -> Result<(), StoreError> {
        self.writes += 1;
        if !self.writes.is_multiple_of(WRITES_PER_CHECK)
            || self.database.write_buffer_size() <= self.options.write_buffer_bytes
        {
            return Ok(());
        }
        for keyspace in self.keyspaces.values() {
            keyspace
                .rotate_memtable_and_wait()
                .map_err(|error| failed("flush", &self.path, &error))?;
        }
        Ok(())
    }
}

impl PendingStore for DiskStore {
    fn put(&mut self, bucket: i64, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let written = self.keyspace(bucket)?.insert(key, value);
        written.map_err(|error| failed("write", &self.path, &error))?;
        self.bound_memory()
    }

    fn get(&mut self, bucket: i64, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        let Some(keyspace) = self.keyspaces.get(&bucket) else {
            return Ok(false);
        };
        let read = keyspace.get(key);
        let value = read.map_err(|error| failed("read", &self.path, &error))?;
        if let Some(value) = &value {
            out.extend_from_slice(value);
        }
        Ok(value.is_some())
    }

    fn remove(&mut self, bucket: i64, key: &[u8]) -> Result<(), StoreError> {
        let Some(keyspace) = self.keyspaces.get(&bucket) else {
            return Ok(());
        };
        let removed = keyspace.remove(key);
        removed.map_err(|error| failed("write", &self.path, &error))?;
        self.bound_memory()
    }

    fn drop_bucket(&mut self, bucket: i64) -> Result<(), StoreError> {
        let Some(keyspace) = self.keyspaces.remove(&bucket) else {
            return Ok(());
        };
        let dropped = self.database.delete_keyspace(keyspace);
        dropped.map_err(|error| failed("drop a bucket", &self.path, &error))
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        while let Some(bucket) = self.keyspaces.keys().next().copied() {
            self.drop_bucket(bucket)?;
        }
        Ok(())
    }
}
