//! From a text to its cell: flat open-addressing tables, built once.

use crate::distinct::hash;

/// Texts up to this length are compared as two words.
const SHORT_BYTES_MAX: usize = 16;

/// The cells of the texts that the reference knows.
///
/// The most frequent texts are compared in full, so their cells are exact. The rest is known by
/// hash alone: a text that the reference has never seen is taken for one of the rest with a
/// probability of 2^-64 for each of them.
#[derive(Clone, Debug)]
pub(crate) struct Dictionary {
    short: Vec<Short>,
    long: Vec<Long>,
    texts: String,
    rest: Vec<u64>,
    top: usize,
    buckets: usize,
}

/// A slot of the table of short texts; free if `cell` is [`FREE`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Short {
    key: [u64; 2],
    length: u16,
    /// One more than the cell.
    cell: u16,
}

/// A slot of the table of longer texts; free if `cell` is [`FREE`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Long {
    hash: u64,
    start: u32,
    length: u16,
    /// One more than the cell.
    cell: u16,
}

const FREE: u16 = 0;

/// Half of the slots stay free, so a search is short and always ends.
fn slots(entries: usize) -> usize {
    (entries * 2 + 1).next_power_of_two()
}

/// The first place from `hash` on, round the table, that `wanted` accepts. At least one place is
/// free.
#[inline(always)]
fn probe<T: Copy>(table: &[T], hash: u64, wanted: impl Fn(T) -> bool) -> (usize, T) {
    let mask = table.len() - 1;
    let mut slot = hash as usize & mask;
    loop {
        let found = table[slot & mask];
        if wanted(found) {
            return (slot, found);
        }
        slot = (slot + 1) & mask;
    }
}

/// Two words that, with the length, are the text. `bytes` are at most [`SHORT_BYTES_MAX`].
#[inline(always)]
fn short_key(bytes: &[u8]) -> [u64; 2] {
    // First and last words overlap, so no length needs a loop.
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return [
            u64::from(u32::from_le_bytes(*first)),
            u64::from(u32::from_le_bytes(*last)),
        ];
    }
    let at = |i: usize| bytes.get(i).copied().map_or(0, u64::from);
    [at(0) | at(1) << 8 | at(2) << 16, 0]
}

/// Spreads a short text's key over the table. Not for the rest or for samples: those need a real
/// hash.
#[inline(always)]
fn mix(key: [u64; 2], length: usize) -> u64 {
    let product = u128::from(key[0] ^ 0x9e37_79b9_7f4a_7c15)
        * u128::from(key[1].rotate_left(32) ^ (length as u64).wrapping_add(0xbf58_476d_1ce4_e5b9));
    product as u64 ^ (product >> 64) as u64
}

impl Dictionary {
    /// `top` are distinct texts in the order of their cells, fewer than 65,535 and each shorter
    /// than 65,536 bytes; `rest` are the hashes of further texts, which share `buckets` cells after
    /// those.
    pub(crate) fn new(top: &[String], rest: &[u64], buckets: usize) -> Self {
        let shorts = top
            .iter()
            .filter(|text| text.len() <= SHORT_BYTES_MAX)
            .count();
        let mut dictionary = Self {
            short: vec![Short::default(); slots(shorts)],
            long: vec![Long::default(); slots(top.len() - shorts)],
            texts: String::new(),
            rest: vec![0; slots(rest.len())],
            top: top.len(),
            buckets,
        };
        for (cell, text) in top.iter().enumerate() {
            dictionary.name(text, cell as u16 + 1);
        }
        for &hash in rest {
            let (slot, _) = probe(&dictionary.rest, hash, |found| found == 0);
            dictionary.rest[slot] = never_zero(hash);
        }
        dictionary
    }

    fn name(&mut self, text: &str, cell: u16) {
        let length = text.len() as u16;
        if text.len() <= SHORT_BYTES_MAX {
            let key = short_key(text.as_bytes());
            let (slot, _) = probe(&self.short, mix(key, text.len()), |found| {
                found.cell == FREE
            });
            self.short[slot] = Short { key, length, cell };
        } else {
            let hash = hash(text);
            let (slot, _) = probe(&self.long, hash, |found| found.cell == FREE);
            self.long[slot] = Long {
                hash,
                start: self.texts.len() as u32,
                length,
                cell,
            };
            self.texts.push_str(text);
        }
    }

    /// The cell of a text that the reference knows.
    #[inline]
    pub(crate) fn cell(&self, text: &str) -> Option<u32> {
        if text.len() > SHORT_BYTES_MAX {
            return self.long_cell(text);
        }
        let key = short_key(text.as_bytes());
        let wanted = |found: Short| {
            found.cell == FREE || (found.key == key && usize::from(found.length) == text.len())
        };
        match probe(&self.short, mix(key, text.len()), wanted).1.cell {
            FREE => self.bucket(hash(text)),
            cell => Some(u32::from(cell - 1)),
        }
    }

    fn long_cell(&self, text: &str) -> Option<u32> {
        let hash = hash(text);
        let is_same = |found: Long| {
            let start = found.start as usize;
            let bytes = self
                .texts
                .as_bytes()
                .get(start..start + usize::from(found.length));
            found.hash == hash && bytes == Some(text.as_bytes())
        };
        match probe(&self.long, hash, |found| {
            found.cell == FREE || is_same(found)
        })
        .1
        .cell
        {
            FREE => self.bucket(hash),
            cell => Some(u32::from(cell - 1)),
        }
    }

    /// The cell of a text of the rest.
    fn bucket(&self, hash: u64) -> Option<u32> {
        let wanted = never_zero(hash);
        let (_, found) = probe(&self.rest, hash, |found| found == 0 || found == wanted);
        (found == wanted).then(|| self.shared_cell(hash))
    }

    /// The cell that the rest's texts with this hash share.
    fn shared_cell(&self, hash: u64) -> u32 {
        // The high bits: the low ones choose the slot.
        let bucket = (u128::from(hash) * self.buckets as u128) >> 64;
        self.top as u32 + bucket as u32
    }
}

/// Zero marks a free slot.
fn never_zero(hash: u64) -> u64 {
    hash.max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A different text for each number, of all lengths up to 40 bytes.
    fn a_text(i: usize) -> String {
        format!("{i}{}", "-".repeat(i % 36))
    }

    #[test]
    fn a_short_text_is_its_key_and_its_length() {
        let mut keys = BTreeMap::new();
        let alphabet = ["", "a", "b", "\0", "aa", "ab\0", "\0\0", "ä", "aaaaaaa"];
        for text in alphabet
            .iter()
            .flat_map(|a| alphabet.map(|b| [a, b, a].concat()))
        {
            if text.len() <= SHORT_BYTES_MAX {
                let other = keys.insert((short_key(text.as_bytes()), text.len()), text.clone());
                assert!(other.is_none_or(|other| other == text), "{text:?}");
            }
        }
    }

    #[test]
    fn finds_what_it_was_given_and_nothing_else() {
        for (named, rest) in [(0, 0), (1, 0), (0, 1), (256, 5_000), (300, 3)] {
            let texts: Vec<String> = (0..named + rest).map(a_text).collect();
            let (top, others) = texts.split_at(named);
            let hashes: Vec<u64> = others.iter().map(|text| hash(text)).collect();
            let dictionary = Dictionary::new(top, &hashes, 64);
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
            assert_eq!(dictionary.cell(&"-".repeat(1_000)), None);
            assert_eq!(dictionary.cell(""), None);
        }
    }
}
