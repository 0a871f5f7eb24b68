//! Where records stand, by the hash of their id.
//!
//! Open addressing in groups of eight: a byte of each id's hash beside a 32-bit place. A group is looked through with
//! one comparison of eight bytes, and five bytes a record is all that finding it takes.

const EMPTY: u8 = 0;
const DELETED: u8 = 1;
const LANES: usize = 8;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

#[derive(Clone, Copy, Debug)]
struct Group {
    tags: [u8; LANES],
    places: [u32; LANES],
}

impl Group {
    const NEW: Self = Self {
        tags: [EMPTY; LANES],
        places: [0; LANES],
    };

    /// A bit in the byte of each lane that may have this tag: all that have it, and rarely one beside.
    fn matches(&self, tag: u8) -> u64 {
        let unlike = u64::from_le_bytes(self.tags) ^ (ONES * u64::from(tag));
        unlike.wrapping_sub(ONES) & !unlike & HIGHS
    }
}

/// Places by id. The same id may stand in it several times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    groups: Vec<Group>,
    live: usize,
    deleted: usize,
}

/// An unfinished look for an id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    tag: u8,
    group: usize,
    left: usize,
    lanes: u64,
}

fn tag(id: u128) -> u8 {
    // The low bits of the id choose its partition, the high ones its group.
    ((id >> 64) as u8).max(2)
}

impl Index {
    fn home(&self, id: u128) -> usize {
        (((id >> 64) * self.groups.len() as u128) >> 64) as usize
    }

    /// Whether one more has no room; then call [`Index::rebuild`].
    pub(crate) fn is_full(&self) -> bool {
        // At nine tenths a look for what is not there passes about two groups.
        (self.live + self.deleted + 1) * 10 > self.groups.len() * LANES * 9
    }

    /// Whether it has far more room than it needs.
    pub(crate) fn is_sparse(&self) -> bool {
        self.groups.len() > 16 && self.live * 2 < self.groups.len() * LANES
    }

    /// Makes room for what is there and a quarter more, and puts it in anew.
    pub(crate) fn rebuild(&mut self, records: impl Iterator<Item = (u128, u32)>) {
        let wanted = (self.live + 1) * 5 / 4;
        let groups = (wanted * 10).div_ceil(LANES * 9).max(4);
        // Give back the old one first: both at once would not fit the budget.
        self.groups = Vec::new();
        self.groups = vec![Group::NEW; groups];
        (self.live, self.deleted) = (0, 0);
        records.for_each(|(id, place)| self.insert(id, place));
    }

    /// Puts in a place. There is room: see [`Index::is_full`].
    pub(crate) fn insert(&mut self, id: u128, place: u32) {
        let mut at = self.home(id);
        for _ in 0..self.groups.len() {
            let group = &mut self.groups[at];
            if let Some(lane) = group.tags.iter().position(|tag| *tag <= DELETED) {
                self.deleted -= usize::from(group.tags[lane] == DELETED);
                group.tags[lane] = tag(id);
                group.places[lane] = place;
                self.live += 1;
                return;
            }
            at = if at + 1 == self.groups.len() {
                0
            } else {
                at + 1
            };
        }
        debug_assert!(false, "the index is full");
    }

    /// Begins to look for an id.
    pub(crate) fn probe(&self, id: u128) -> Probe {
        let (tag, group) = (tag(id), self.home(id));
        Probe {
            tag,
            group,
            left: self.groups.len(),
            lanes: self.groups.get(group).map_or(0, |g| g.matches(tag)),
        }
    }

    /// The next place that may hold the id.
    pub(crate) fn next(&self, probe: &mut Probe) -> Option<u32> {
        loop {
            if probe.lanes != 0 {
                let lane = probe.lanes.trailing_zeros() as usize / LANES;
                probe.lanes &= probe.lanes - 1;
                return Some(self.groups[probe.group].places[lane]);
            }
            if probe.left <= 1 || self.groups[probe.group].matches(EMPTY) != 0 {
                return None;
            }
            probe.left -= 1;
            probe.group += 1;
            if probe.group == self.groups.len() {
                probe.group = 0;
            }
            probe.lanes = self.groups[probe.group].matches(probe.tag);
        }
    }

    /// Takes out a place of an id.
    pub(crate) fn remove(&mut self, id: u128, place: u32) {
        let (tag, mut at) = (tag(id), self.home(id));
        for _ in 0..self.groups.len() {
            let group = &mut self.groups[at];
            let lane = (0..LANES).find(|&l| group.tags[l] == tag && group.places[l] == place);
            if let Some(lane) = lane {
                // Nobody looks beyond a group with an empty lane, so this one may become empty as well.
                let is_last = group.matches(EMPTY) != 0;
                group.tags[lane] = if is_last { EMPTY } else { DELETED };
                self.deleted += usize::from(!is_last);
                self.live -= 1;
                return;
            }
            if group.matches(EMPTY) != 0 {
                break;
            }
            at = if at + 1 == self.groups.len() {
                0
            } else {
                at + 1
            };
        }
        debug_assert!(false, "the place is not in the index");
    }

    /// How much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Group>()
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_128;

    use super::*;

    fn id(i: u32) -> u128 {
        xxh3_128(&i.to_le_bytes())
    }

    fn found(index: &Index, id: u128, of: &[u128]) -> Vec<u32> {
        let mut probe = index.probe(id);
        std::iter::from_fn(|| index.next(&mut probe))
            .filter(|place| of[*place as usize] == id)
            .collect()
    }

    #[test]
    fn finds_what_is_in_it_and_nothing_else() {
        let ids: Vec<u128> = (0..5_000).map(|i| id(i % 4_000)).collect();
        let mut index = Index::default();
        assert!(found(&index, ids[0], &ids).is_empty());
        let mut live: Vec<bool> = vec![false; ids.len()];
        for i in 0..ids.len() {
            if index.is_full() {
                let there = (0..i).filter(|j| live[*j]).map(|j| (ids[j], j as u32));
                index.rebuild(there);
            }
            index.insert(ids[i], i as u32);
            live[i] = true;
            if i % 3 == 0 {
                let out = i / 2;
                if std::mem::replace(&mut live[out], false) {
                    index.remove(ids[out], out as u32);
                }
            }
        }
        for (i, id) in ids.iter().enumerate().take(4_000) {
            let mut there = found(&index, *id, &ids);
            there.sort_unstable();
            let same = [i, i + 4_000];
            let wanted: Vec<u32> = same
                .into_iter()
                .filter(|j| live.get(*j) == Some(&true))
                .map(|j| j as u32)
                .collect();
            assert_eq!(there, wanted);
        }
        assert!(found(&index, id(9_999), &ids).is_empty());
    }
}
