//! A sample of distinct texts that merges exactly.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

/// Longer texts are cut here, at a character boundary.
const TEXT_BYTES_MAX: usize = 64;

/// The `capacity` distinct texts whose hashes are smallest (a bottom-k sample).
///
/// Whether a text is in the sample depends only on the set of texts seen, not on how often, in which order or in
/// how many parts: the sample of a union is the merge of the samples. Below its capacity it is the whole set.
/// Above it, the k-th smallest hash tells how many distinct texts there were, with a relative standard error of
/// about 1/√(k − 2) (Beyer et al., "On synopses for distinct-value estimation under multiset operations", 2007).
/// Texts with the same 64-bit hash are taken for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistinctSample {
    capacity: usize,
    texts: BTreeMap<u64, Box<str>>,
}

impl DistinctSample {
    /// A sample of at most `capacity` texts.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            texts: BTreeMap::new(),
        }
    }

    /// How many texts are kept at most.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many texts are kept.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether no text is kept.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Adds a text.
    pub fn add(&mut self, text: &str) {
        self.insert(hash(text), cut(text));
    }

    /// The texts kept, in the order of their hashes; cut at 64 bytes.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.values().map(AsRef::as_ref)
    }

    /// How many distinct texts there were: exact below the capacity, an estimate from there on.
    pub fn distinct(&self) -> f64 {
        match self.texts.last_key_value() {
            Some((largest, _)) if self.len() == self.capacity && self.capacity > 1 => {
                (self.capacity - 1) as f64 / ((*largest as f64 + 1.0) / 2.0_f64.powi(64))
            }
            _ => self.len() as f64,
        }
    }

    /// Adds all texts of another sample. The capacity stays.
    pub fn merge(&mut self, other: &Self) {
        for (hash, text) in &other.texts {
            self.insert(*hash, text);
        }
    }

    /// Raises the capacity. Only an empty sample stays exact by that.
    pub(crate) fn widen(&mut self, capacity: usize) {
        self.capacity = self.capacity.max(capacity);
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (u64, &str)> {
        self.texts.iter().map(|(hash, text)| (*hash, text.as_ref()))
    }

    pub(crate) fn insert(&mut self, hash: u64, text: &str) {
        if let Some(kept) = self.texts.get_mut(&hash) {
            // Two texts of one hash: keep the same one whichever came first.
            if text < kept.as_ref() {
                *kept = text.into();
            }
            return;
        }
        if self.len() >= self.capacity {
            match self.texts.last_key_value() {
                Some((largest, _)) if hash < *largest => self.texts.pop_last(),
                _ => return,
            };
        }
        self.texts.insert(hash, text.into());
    }
}

/// The hash by which texts are sampled and recognised.
pub(crate) fn hash(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

/// `text` up to the last character that ends within the bound.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// Whether a sample can hold this pair.
pub(crate) fn is_possible(hash_of_whole: u64, text: &str) -> bool {
    // Cutting leaves at least 61 bytes, so shorter texts are whole and must have this hash.
    text.len() <= TEXT_BYTES_MAX
        && (text.len() + 3 >= TEXT_BYTES_MAX || hash(text) == hash_of_whole)
}
