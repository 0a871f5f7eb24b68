//! How far event time has come in one source partition.
//!
//! The *front* is the K-th largest event time that the partition has shown so far (K is the
//! `watermark_rank`), so fewer than K wrong clocks cannot push it. A model's watermark is the front minus its
//! `out_of_orderness`. The front is a function of the partition's own log prefix and of nothing else; it
//! travels in the offset-commit metadata, so whoever continues the partition decides the same.

use driftline_event::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use crate::varint::{Reader, put_i64, put_u64};

/// How a metadata string begins.
const TAG: &str = "w1";
/// The largest rank that is stored; 64 timestamps are under 1,300 characters, Kafka's limit is 4,096.
pub(crate) const RANK_MAX: usize = 64;

/// The K largest event times of one source partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Front {
    rank: usize,
    /// Ascending, at most `rank`.
    largest: Vec<i64>,
}

impl Front {
    pub(crate) fn new(rank: usize) -> Self {
        let rank = rank.clamp(1, RANK_MAX);
        Self {
            rank,
            largest: Vec::with_capacity(rank),
        }
    }

    /// Takes in one event time.
    pub(crate) fn record(&mut self, at: Timestamp) {
        let at = at.as_micros();
        if self.largest.len() < self.rank {
            let place = self.largest.partition_point(|&t| t <= at);
            self.largest.insert(place, at);
            return;
        }
        if self.largest.first().is_some_and(|&smallest| at <= smallest) {
            return;
        }
        // Streams are nearly ordered, so the place is nearly always at the end.
        let mut place = self.largest.len() - 1;
        while self.largest[place] > at {
            place -= 1;
        }
        self.largest.copy_within(1..=place, 0);
        self.largest[place] = at;
    }

    /// The K-th largest event time; none before there were K.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        let full = self.largest.len() == self.rank;
        self.largest
            .first()
            .filter(|_| full)
            .map(|&t| Timestamp::from_micros(t))
    }

    /// The largest event time.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.largest.last().map(|&t| Timestamp::from_micros(t))
    }

    /// The commit metadata for the position `next`: `w1.<hex of varints>.<hex checksum>`.
    pub(crate) fn to_metadata(&self, next: i64) -> String {
        let mut payload = Vec::with_capacity(4 * self.largest.len() + 16);
        put_i64(&mut payload, next);
        put_u64(&mut payload, self.largest.len() as u64);
        let mut before = 0;
        for (i, &t) in self.largest.iter().enumerate() {
            match i {
                0 => put_i64(&mut payload, t),
                // The times ascend, so the difference fits an unsigned number.
                _ => put_u64(&mut payload, t.wrapping_sub(before) as u64),
            }
            before = t;
        }
        let hex: String = payload.iter().map(|b| format!("{b:02x}")).collect();
        format!("{TAG}.{hex}.{:016x}", xxh3_64(&payload))
    }

    /// Reads what [`Front::to_metadata`] wrote for the position `next`.
    ///
    /// # Errors
    /// A sentence that says what does not fit. The caller then starts anew.
    pub(crate) fn from_metadata(text: &str, rank: usize, next: i64) -> Result<Self, &'static str> {
        let mut parts = text.split('.');
        let (tag, hex, sum) = (parts.next(), parts.next(), parts.next());
        if tag != Some(TAG) || parts.next().is_some() {
            return Err("the commit metadata is not Driftline's, or of another version");
        }
        let payload = hex
            .and_then(unhex)
            .ok_or("the commit metadata is not hexadecimal")?;
        if sum != Some(format!("{:016x}", xxh3_64(&payload)).as_str()) {
            return Err("the checksum of the commit metadata does not fit");
        }
        let mut reader = Reader::new(&payload);
        let (position, largest) =
            read_payload(&mut reader).ok_or("the commit metadata cannot be read")?;
        if position != next {
            return Err("the commit metadata belongs to another position");
        }
        let mut front = Self::new(rank);
        largest
            .into_iter()
            .for_each(|t| front.record(Timestamp::from_micros(t)));
        Ok(front)
    }
}

fn read_payload(reader: &mut Reader<'_>) -> Option<(i64, Vec<i64>)> {
    let position = reader.i64().ok()?;
    let count = reader.count(RANK_MAX).ok()?;
    let mut largest: Vec<i64> = Vec::with_capacity(count);
    for _ in 0..count {
        let t = match largest.last() {
            None => reader.i64().ok()?,
            Some(&before) => before.checked_add_unsigned(reader.u64().ok()?)?,
        };
        largest.push(t);
    }
    reader.rest.is_empty().then_some((position, largest))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .filter(|_| !b.is_ascii_uppercase())
    };
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes
        .chunks_exact(2)
        .map(|two| Some((digit(two[0])? << 4 | digit(two[1])?) as u8))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn front(rank: usize, times: &[i64]) -> Front {
        let mut front = Front::new(rank);
        times
            .iter()
            .for_each(|&t| front.record(Timestamp::from_micros(t)));
        front
    }

    #[test]
    fn three_wrong_clocks_do_not_push_the_front() {
        let mut times: Vec<i64> = (0..100).collect();
        times.extend([1_000_000, i64::MAX, 2_000_000]);
        assert_eq!(front(4, &times).time(), Some(Timestamp::from_micros(99)));
        assert_eq!(front(4, &times).newest(), Some(Timestamp::MAX));
        assert_eq!(front(4, &[1, 2, 3]).time(), None);
    }

    #[test]
    fn metadata_of_another_position_tag_or_checksum_is_refused() {
        let text = front(2, &[-5, 7]).to_metadata(42);
        assert!(Front::from_metadata(&text, 2, 42).is_ok());
        assert!(Front::from_metadata(&text, 2, 43).is_err());
        for hostile in [
            "",
            "w1",
            "w1..",
            "w2.00.00",
            "w1.zz.0",
            &text.replace("w1", "w9"),
            &text[1..],
        ] {
            assert!(Front::from_metadata(hostile, 2, 42).is_err(), "{hostile}");
        }
        assert!(Front::from_metadata(&format!("{text}.x"), 2, 42).is_err());
        assert!(
            front(RANK_MAX, &[i64::MIN, i64::MAX].repeat(RANK_MAX))
                .to_metadata(i64::MAX)
                .len()
                < 2_000
        );
    }

    proptest! {
        #[test]
        fn is_the_kth_largest(rank in 1_usize..20, times in prop::collection::vec(-50_i64..50, 0..60)) {
            let mut sorted = times.clone();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            let kth = sorted.get(rank - 1).map(|&t| Timestamp::from_micros(t));
            prop_assert_eq!(front(rank, &times).time(), kth);
        }

        /// Continuing from the metadata is the same as never having stopped.
        #[test]
        fn survives_a_commit(times in prop::collection::vec(any::<i64>(), 0..60), cut: prop::sample::Index, next: i64) {
            let cut = cut.index(times.len() + 1);
            let text = front(16, &times[..cut]).to_metadata(next);
            let mut restored = Front::from_metadata(&text, 16, next).unwrap();
            times[cut..].iter().for_each(|&t| restored.record(Timestamp::from_micros(t)));
            prop_assert_eq!(restored, front(16, &times));
        }

        #[test]
        fn hostile_metadata_never_panics(text in "(w1\\.)?[0-9a-f.]{0,60}", next: i64) {
            let _ = Front::from_metadata(&text, 16, next);
        }
    }
}
