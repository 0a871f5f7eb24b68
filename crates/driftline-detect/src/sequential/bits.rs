//! The last outcomes, a bit each.

use serde::{Deserialize, Serialize};

/// The most outcomes that are kept.
pub(super) const BITS_MAX: u64 = 1 << 20;

/// A queue of at most `capacity` bits; a full one drops its oldest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawBits", into = "RawBits")]
pub(super) struct Bits {
    words: Vec<u64>,
    capacity: usize,
    first: usize,
    len: usize,
}

/// As it is written: the words are those of a ring.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBits {
    words: Vec<u64>,
    capacity: u64,
    first: u64,
    len: u64,
}

impl From<Bits> for RawBits {
    fn from(bits: Bits) -> Self {
        Self {
            words: bits.words,
            capacity: bits.capacity as u64,
            first: bits.first as u64,
            len: bits.len as u64,
        }
    }
}

impl TryFrom<RawBits> for Bits {
    type Error = &'static str;

    fn try_from(raw: RawBits) -> Result<Self, Self::Error> {
        let fits = (1..=BITS_MAX).contains(&raw.capacity)
            && raw.first < raw.capacity
            && raw.len <= raw.capacity
            && raw.words.len() as u64 == raw.capacity.div_ceil(64);
        if !fits {
            return Err("a queue of bits does not hold together");
        }
        Ok(Self {
            words: raw.words,
            capacity: raw.capacity as usize,
            first: raw.first as usize,
            len: raw.len as usize,
        })
    }
}

impl Bits {
    /// An empty one for `capacity` bits, which is taken to be at least 1 and at most [`BITS_MAX`].
    pub(super) fn new(capacity: u64) -> Self {
        let capacity = capacity.clamp(1, BITS_MAX) as usize;
        Self {
            words: vec![0; capacity.div_ceil(64)],
            capacity,
            first: 0,
            len: 0,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a bit; the oldest, if that had to go.
    pub(super) fn push(&mut self, bit: bool) -> Option<bool> {
        let dropped = (self.len == self.capacity).then(|| self.at(self.first));
        if dropped.is_some() {
            self.first = (self.first + 1) % self.capacity;
            self.len -= 1;
        }
        let place = (self.first + self.len) % self.capacity;
        let mask = 1 << (place % 64);
        if bit {
            self.words[place / 64] |= mask;
        } else {
            self.words[place / 64] &= !mask;
        }
        self.len += 1;
        dropped
    }

    /// Keeps only the newest `len` bits.
    pub(super) fn keep_newest(&mut self, len: usize) {
        let dropped = self.len.saturating_sub(len);
        self.first = (self.first + dropped) % self.capacity;
        self.len -= dropped;
    }

    /// From the oldest to the newest.
    pub(super) fn iter(&self) -> impl Iterator<Item = bool> {
        (0..self.len).map(|i| self.at((self.first + i) % self.capacity))
    }

    pub(super) fn clear(&mut self) {
        (self.first, self.len) = (0, 0);
    }

    fn at(&self, place: usize) -> bool {
        self.words[place / 64] >> (place % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_bounded_queue(capacity in 1..200_u64, steps in prop::collection::vec((any::<bool>(), 0..300_usize), 0..500)) {
            let mut bits = Bits::new(capacity);
            let mut queue = VecDeque::new();
            for (bit, keep) in steps {
                let dropped = if queue.len() as u64 == capacity { queue.pop_front() } else { None };
                prop_assert_eq!(bits.push(bit), dropped);
                queue.push_back(bit);
                if keep % 7 == 0 {
                    bits.keep_newest(keep);
                    queue.drain(..queue.len().saturating_sub(keep));
                }
                prop_assert!(bits.iter().eq(queue.iter().copied()));
                prop_assert_eq!(bits.len(), queue.len());
            }
            let text = serde_json::to_string(&bits).unwrap();
            prop_assert_eq!(serde_json::from_str::<Bits>(&text).unwrap(), bits);
        }
    }

    #[test]
    fn a_queue_that_does_not_hold_together_is_refused() {
        for text in [
            r#"{"words":[0],"capacity":65,"first":0,"len":0}"#,
            r#"{"words":[0],"capacity":64,"first":64,"len":0}"#,
            r#"{"words":[0],"capacity":64,"first":0,"len":65}"#,
            r#"{"words":[],"capacity":0,"first":0,"len":0}"#,
            r#"{"words":[],"capacity":18446744073709551615,"first":0,"len":0}"#,
        ] {
            assert!(serde_json::from_str::<Bits>(text).is_err(), "{text}");
        }
    }
}
