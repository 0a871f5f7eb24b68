//! A sample of distinct texts that merges exactly.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

/// Longer texts are cut here, at a character boundary.
const TEXT_BYTES_MAX: usize = 64;

/// The `capacity` distinct texts whose hashes are smallest (a bottom-k sample).
///
/// Whether a text is in the sample depends only on the set of texts seen, not on how often, in
/// which order or in how many parts: the sample of a union is the merge of the samples. Below its
/// capacity it is the whole set. Above it, the k-th smallest hash tells how many distinct texts
/// there were, with a relative standard error of about 1/√(k − 2) (Beyer et al., "On synopses for
/// distinct-value estimation under multiset operations", 2007). Texts with the same 64-bit hash are
/// taken for one.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(capacity: usize, texts: &[String]) -> DistinctSample {
        let mut sample = DistinctSample::new(capacity);
        texts.iter().for_each(|text| sample.add(text));
        sample
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let text = "ä".repeat(31) + "€€";
        let sample = sample(4, &[text]);
        assert_eq!(
            sample.texts().collect::<Vec<_>>(),
            ["ä".repeat(31).as_str()]
        );
        assert!(sample.entries().all(|(hash, text)| is_possible(hash, text)));
    }

    #[test]
    fn estimates_how_many_there_were() {
        let texts: Vec<String> = (0..10_000).map(|i| format!("user-{i}")).collect();
        assert_eq!(sample(64, &texts[..50]).distinct(), 50.0);
        let estimate = sample(1_024, &texts).distinct();
        assert!((estimate / 10_000.0 - 1.0).abs() < 0.1, "{estimate}");
    }

    #[test]
    fn without_capacity_nothing_is_kept() {
        assert!(sample(0, &["a".into()]).is_empty());
    }

    proptest! {
        #[test]
        fn the_sample_of_a_union_is_the_merge_of_the_samples(
            left in prop::collection::vec("[a-d]{0,3}", 0..40),
            right in prop::collection::vec("[a-d]{0,3}", 0..40),
            capacity in 0_usize..20,
        ) {
            let whole = sample(capacity, &[left.clone(), right.clone()].concat());
            let (left, right) = (sample(capacity, &left), sample(capacity, &right));
            for (mut a, b) in [(left.clone(), right.clone()), (right, left)] {
                a.merge(&b);
                prop_assert_eq!(&a, &whole);
            }
        }
    }
}
