//! The store on a real disk.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use driftline_engine::{Joiner, JoinerOptions, MemoryStore, PendingStore};
use driftline_event::SourcePartition;
use driftline_sim::join::{JoinLog, join_models, land, schedule};
use driftline_store::{DiskStore, DiskStoreOptions};

/// A directory that is removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("driftline-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn open(directory: &Directory) -> DiskStore {
    let options = DiskStoreOptions {
        cache_bytes: 1 << 20,
        write_buffer_bytes: 1 << 18,
    };
    DiskStore::open(directory.path(), options).unwrap()
}

fn get(store: &mut DiskStore, bucket: i64, key: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    store.get(bucket, key, &mut out).unwrap().then_some(out)
}

#[test]
fn a_bucket_is_dropped_whole_and_others_stay() {
    let directory = Directory::new("buckets");
    let mut store = open(&directory);
    for i in 0..20_000_u32 {
        let key = i.to_be_bytes();
        store
            .put(i64::from(i % 3) - 1, &key, &[i as u8; 40])
            .unwrap();
    }
    assert_eq!(get(&mut store, 0, &1_u32.to_be_bytes()), Some(vec![1; 40]));
    assert_eq!(get(&mut store, 1, &1_u32.to_be_bytes()), None);
    store.remove(0, &1_u32.to_be_bytes()).unwrap();
    assert_eq!(get(&mut store, 0, &1_u32.to_be_bytes()), None);
    store.drop_bucket(0).unwrap();
    assert_eq!(get(&mut store, 0, &4_u32.to_be_bytes()), None);
    assert_eq!(get(&mut store, -1, &3_u32.to_be_bytes()), Some(vec![3; 40]));
    assert_eq!(store.buckets(), 2);
    store.put(0, b"new", b"life").unwrap();
    assert_eq!(get(&mut store, 0, b"new"), Some(b"life".to_vec()));
    assert_eq!(get(&mut store, 0, &4_u32.to_be_bytes()), None);
    store.clear().unwrap();
    assert_eq!((store.buckets(), get(&mut store, 0, b"new")), (0, None));
}

#[test]
fn begins_empty_and_leaves_other_files_alone() {
    let directory = Directory::new("empty");
    std::fs::write(directory.path().join("mine"), "text").unwrap();
    let mut store = open(&directory);
    store.put(1, b"a", b"b").unwrap();
    drop(store);
    let mut store = open(&directory);
    assert_eq!(get(&mut store, 1, b"a"), None);
    assert!(directory.path().join("mine").exists());
}

#[test]
fn says_where_it_failed() {
    let directory = Directory::new("file");
    let file = directory.path().join("file");
    std::fs::write(&file, "text").unwrap();
    let error = DiskStore::open(&file, DiskStoreOptions::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("cannot") && text.contains("file"), "{text}");
}

/// Everything that a joiner puts out over a log, with a table that spills.
fn joined(log: &JoinLog, store: Box<dyn PendingStore>) -> (Vec<(u32, Vec<u8>)>, bool) {
    let models = join_models(std::time::Duration::from_secs(14_400), 1.0);
    let options = JoinerOptions {
        bytes_max: 20_000,
        ..JoinerOptions::default()
    };
    let mut joiner = Joiner::new(&models, options, Some(store)).unwrap();
    let source = SourcePartition {
        topic: "outcomes".to_owned(),
        partition: 0,
    };
    joiner.assign(source, 0, None);
    let (mut out, mut has_spilled) = (Vec::new(), false);
    for (offset, record) in (0..).zip(log.iter().flat_map(|landed| &landed.batches)) {
        joiner.handle(offset, record).unwrap();
        if offset % 50 == 0 {
            let flush = joiner.flush();
            has_spilled |= flush.tally.stored_buckets > 0;
            out.extend(flush.batches);
        }
    }
    out.extend(joiner.flush().batches);
    (out, has_spilled)
}

#[test]
fn a_join_that_spills_to_disk_says_what_one_in_memory_says() {
    let directory = Directory::new("join");
    let models = join_models(std::time::Duration::from_secs(14_400), 1.0);
    let schedule = schedule(5, 300, 100, false);
    let logs = land(&schedule, &models, 1, 0.0, 5);
    let (on_disk, has_spilled) = joined(&logs[0], Box::new(open(&directory)));
    assert!(has_spilled);
    assert!(on_disk == joined(&logs[0], Box::new(MemoryStore::default())).0);
}
