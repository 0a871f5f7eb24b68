//! Records of fixed size that are found by their id and forgotten together.
//!
//! Every record says until when it is needed, rounded up, so that records expire in *buckets*: a bucket's records stand in
//! chunks of their own, which are given back whole, and no table is ever looked through for what has expired.

use std::collections::BTreeMap;

use super::index::Index;

/// A record of a [`Pool`].
pub(crate) trait Record: Copy {
    /// By which it is found.
    fn id(&self) -> u128;
}

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;
/// The smallest chunk: a bucket that few records fall into takes little.
const CHUNK_MIN: usize = 32;
/// A place is 32 bits.
const CHUNKS_MAX: usize = 1 << (32 - CHUNK_BITS);

#[derive(Clone, Debug)]
struct Chunk<R> {
    /// The bucket that it belongs to.
    bucket: i64,
    records: Vec<R>,
}

impl<R> Default for Chunk<R> {
    fn default() -> Self {
        Self {
            bucket: 0,
            records: Vec::new(),
        }
    }
}

/// Records by id, in buckets.
#[derive(Clone, Debug)]
pub(crate) struct Pool<R> {
    index: Index,
    chunks: Vec<Chunk<R>>,
    /// Chunks that belong to no bucket.
    free: Vec<u32>,
    /// The chunks of each bucket; the last one has room.
    buckets: BTreeMap<i64, Vec<u32>>,
    /// Of all chunks.
    bytes: usize,
}

impl<R> Default for Pool<R> {
    fn default() -> Self {
        Self {
            index: Index::default(),
            chunks: Vec::new(),
            free: Vec::new(),
            buckets: BTreeMap::new(),
            bytes: 0,
        }
    }
}

impl<R: Record> Pool<R> {
    /// Adds a record to a bucket; false if there are as many as a place can tell apart.
    pub(crate) fn insert(&mut self, bucket: i64, record: R) -> bool {
        let Some(chunk) = self.chunk_with_room(bucket) else {
            return false;
        };
        if self.index.is_full() {
            self.rebuild();
        }
        let records = &mut self.chunks[chunk as usize].records;
        if records.len() == records.capacity() {
            let more = records.len().clamp(CHUNK_MIN, CHUNK - records.len());
            records.reserve_exact(more);
            self.bytes += more * size_of::<R>();
        }
        let place = chunk << CHUNK_BITS | records.len() as u32;
        records.push(record);
        self.index.insert(record.id(), place);
        true
    }

    fn chunk_with_room(&mut self, bucket: i64) -> Option<u32> {
        let chunks = self.buckets.entry(bucket).or_default();
        let last = chunks.last().copied();
        let has_room = |chunk: &u32| self.chunks[*chunk as usize].records.len() < CHUNK;
        if let Some(chunk) = last.filter(has_room) {
            return Some(chunk);
        }
        let chunk = self.free.pop().or_else(|| {
            (self.chunks.len() < CHUNKS_MAX).then(|| {
                self.chunks.push(Chunk::default());
                self.chunks.len() as u32 - 1
            })
        })?;
        self.chunks[chunk as usize].bucket = bucket;
        chunks.push(chunk);
        Some(chunk)
    }

    fn rebuild(&mut self) {
        let chunks = self.chunks.iter().enumerate();
        self.index.rebuild(chunks.flat_map(|(c, chunk)| {
            let first = (c as u32) << CHUNK_BITS;
            (first..)
                .zip(&chunk.records)
                .map(|(place, record)| (record.id(), place))
        }));
    }

    /// The places of all records with this id, oldest chunk or not.
    pub(crate) fn find(&self, id: u128) -> impl Iterator<Item = u32> {
        let mut probe = self.index.probe(id);
        std::iter::from_fn(move || {
            loop {
                let place = self.index.next(&mut probe)?;
                if self.get(place).is_some_and(|(_, r)| r.id() == id) {
                    return Some(place);
                }
            }
        })
    }

    /// The record at a place, and its bucket.
    pub(crate) fn get(&self, place: u32) -> Option<(i64, &R)> {
        let chunk = self.chunks.get((place >> CHUNK_BITS) as usize)?;
        let record = chunk.records.get(place as usize & (CHUNK - 1))?;
        Some((chunk.bucket, record))
    }

    /// The record at a place, to be changed; its id stays.
    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut R> {
        let chunk = self.chunks.get_mut((place >> CHUNK_BITS) as usize)?;
        chunk.records.get_mut(place as usize & (CHUNK - 1))
    }

    /// The bucket that expires first.
    pub(crate) fn oldest(&self) -> Option<i64> {
        self.buckets.keys().next().copied()
    }

    /// How many buckets there are.
    pub(crate) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// Whether there is such a bucket.
    pub(crate) fn has(&self, bucket: i64) -> bool {
        self.buckets.contains_key(&bucket)
    }

    /// Hands every record of a bucket over and forgets it.
    pub(crate) fn drain(&mut self, bucket: i64, mut each: impl FnMut(R)) {
        for chunk in self.buckets.remove(&bucket).unwrap_or_default() {
            let records = std::mem::take(&mut self.chunks[chunk as usize].records);
            self.bytes -= records.capacity() * size_of::<R>();
            for (place, record) in (chunk << CHUNK_BITS..).zip(&records) {
                self.index.remove(record.id(), place);
                each(*record);
            }
            self.free.push(chunk);
        }
        if self.index.is_sparse() {
            self.rebuild();
        }
    }

    /// How much memory it takes, all included.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
            + self.index.bytes()
            + self.chunks.capacity() * size_of::<Chunk<R>>()
            + self.free.capacity() * size_of::<u32>()
            + self
                .buckets
                .values()
                .map(|chunks| 64 + chunks.capacity() * size_of::<u32>())
                .sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_128;

    use super::*;
    use crate::join::record::Pending;

    #[test]
    fn a_million_predictions_take_no_more_than_64_bytes_each() {
        const COUNT: u32 = 1_000_000;
        let mut pool = Pool::default();
        let allocated = allocation_counter::measure(|| {
            for i in 0..COUNT {
                let (id, bucket) = (xxh3_128(&i.to_le_bytes()), 1_000 * i64::from(i / 60_000));
                assert!(pool.insert(bucket, Pending::new(id, (bucket, 0), 0, [1; 30])));
            }
        });
        let each = pool.bytes() as f64 / f64::from(COUNT);
        assert!(each <= 64.0, "{each}");
        // What it says of itself is what it holds.
        let held = usize::try_from(allocated.bytes_current).unwrap();
        let says = pool.bytes();
        assert!(
            held.abs_diff(says) * 100 < says,
            "holds {held}, says {says}"
        );
        let mut gone = 0;
        for bucket in 0..16 {
            pool.drain(1_000 * bucket, |_| gone += 1);
        }
        assert_eq!(gone, 960_000);
        let last = xxh3_128(&(COUNT - 1).to_le_bytes());
        assert_eq!(pool.find(last).count(), 1);
        assert!(pool.bytes() < 64 * 60_000, "{}", pool.bytes());
    }
}
