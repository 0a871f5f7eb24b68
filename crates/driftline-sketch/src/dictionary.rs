//! From a text to its cell: flat open-addressing tables, built once.

use crate::distinct::hash;

/// The cells of the texts that the reference knows.
///
/// The most frequent texts are compared in full, so their cells are exact. The rest is known by hash alone: a
/// text that the reference has never seen is taken for one of the rest with a probability of 2^-64 for each of them.
#[derive(Clone, Debug)]
pub(crate) struct Dictionary {
    named: Vec<Named>,
    texts: String,
    rest: Vec<u64>,
    top: usize,
    buckets: usize,
}

/// A slot of the table of named texts; empty if `cell` is [`EMPTY`].
#[derive(Clone, Copy, Debug)]
struct Named {
    hash: u64,
    start: u32,
    length: u16,
    cell: u16,
}

const EMPTY: u16 = u16::MAX;

/// Half of the slots stay empty, so a search is short and always ends.
fn slots(entries: usize) -> usize {
    (entries * 2 + 1).next_power_of_two()
}

impl Dictionary {
    /// `top` are distinct texts in the order of their cells; `rest` are the hashes of further texts, which
    /// share `buckets` cells after those.
    pub(crate) fn new<'a>(
        top: impl ExactSizeIterator<Item = &'a str>,
        rest: &[u64],
        buckets: usize,
    ) -> Self {
        let cells = top.len();
        let mut dictionary = Self {
            named: vec![
                Named {
                    hash: 0,
                    start: 0,
                    length: 0,
                    cell: EMPTY
                };
                slots(cells)
            ],
            texts: String::new(),
            rest: vec![0; slots(rest.len())],
            top: cells,
            buckets,
        };
        let mask = dictionary.named.len() - 1;
        for (cell, text) in top.enumerate() {
            let hash = hash(text);
            let mut slot = hash as usize & mask;
            while dictionary.named[slot].cell != EMPTY {
                slot = (slot + 1) & mask;
            }
            let start = dictionary.texts.len() as u32;
            dictionary.named[slot] = Named {
                hash,
                start,
                length: text.len() as u16,
                cell: cell as u16,
            };
            dictionary.texts.push_str(text);
        }
        let mask = dictionary.rest.len() - 1;
        for &hash in rest {
            let mut slot = hash as usize & mask;
            while dictionary.rest[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            dictionary.rest[slot] = never_zero(hash);
        }
        dictionary
    }

    /// The cell of a text that the reference knows.
    #[inline]
    pub(crate) fn cell(&self, text: &str) -> Option<u32> {
        let hash = hash(text);
        let mask = self.named.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let named = self.named[slot];
            if named.cell == EMPTY {
                return self.bucket(hash);
            }
            if named.hash == hash && self.named_text(named) == text.as_bytes() {
                return Some(u32::from(named.cell));
            }
            slot = (slot + 1) & mask;
        }
    }

    fn named_text(&self, named: Named) -> &[u8] {
        let start = named.start as usize;
        self.texts
            .as_bytes()
            .get(start..start + usize::from(named.length))
            .unwrap_or_default()
    }

    /// The cell of a text of the rest.
    fn bucket(&self, hash: u64) -> Option<u32> {
        let mask = self.rest.len() - 1;
        let wanted = never_zero(hash);
        let mut slot = hash as usize & mask;
        loop {
            match self.rest[slot] {
                0 => return None,
                found if found == wanted => return Some(self.bucket_cell(hash)),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// The cell that the rest's texts with this hash share.
    pub(crate) fn bucket_cell(&self, hash: u64) -> u32 {
        // The high bits: the low ones choose the slot.
        let bucket = (u128::from(hash) * self.buckets as u128) >> 64;
        self.top as u32 + bucket as u32
    }
}

/// Zero marks an empty slot.
fn never_zero(hash: u64) -> u64 {
    hash.max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn finds_what_it_was_given_and_nothing_else() {
        for (named, rest) in [(0, 0), (1, 0), (0, 1), (256, 5_000), (300, 3)] {
            let texts: Vec<String> = (0..named + rest).map(|i| format!("text {i}")).collect();
            let (top, others) = texts.split_at(named);
            let hashes: Vec<u64> = others.iter().map(|text| hash(text)).collect();
            let dictionary = Dictionary::new(top.iter().map(String::as_str), &hashes, 64);
            for (cell, text) in top.iter().enumerate() {
                assert_eq!(dictionary.cell(text), Some(cell as u32));
            }
            let mut used: BTreeMap<u32, u32> = BTreeMap::new();
            for text in others {
                let cell = dictionary.cell(text).unwrap();
                assert!((named..named + 64).contains(&(cell as usize)));
                *used.entry(cell).or_default() += 1;
            }
            // The shared cells share evenly: 78 expected in each.
            assert!(rest < 5_000 || (used.len() == 64 && used.values().all(|n| *n < 130)));
            assert_eq!(dictionary.cell("text"), None);
            assert_eq!(dictionary.cell(""), None);
        }
    }
}
