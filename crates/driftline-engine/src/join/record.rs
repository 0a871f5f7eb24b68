//! What is kept of a prediction and of a label until nobody can ask for them any more.

use std::sync::Arc;

use super::batch::SCORED_BYTES;
use super::pool::Record;

/// A label has been counted for the prediction.
const LABELLED: u64 = 1 << 47;

/// A prediction that is waiting for its label, or has it: 56 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    id: [u8; 16],
    scored: [u8; SCORED_BYTES],
    /// How long before the end of its bucket the prediction was made, in microseconds; and a bit for [`LABELLED`].
    age: [u8; 6],
    group: [u8; 4],
}

impl Pending {
    pub(crate) const BYTES: usize = 56;
    /// What a bucket may lie ahead of its predictions, in microseconds.
    pub(crate) const AGE_MAX: i64 = LABELLED as i64 - 1;

    pub(crate) fn new(
        id: u128,
        (bucket, at): (i64, i64),
        group: u32,
        scored: [u8; SCORED_BYTES],
    ) -> Self {
        let mut pending = Self {
            id: id.to_le_bytes(),
            scored,
            age: [0; 6],
            group: group.to_le_bytes(),
        };
        pending.set(bucket.saturating_sub(at).clamp(0, Self::AGE_MAX) as u64);
        pending
    }

    fn set(&mut self, age: u64) {
        self.age.copy_from_slice(&age.to_le_bytes()[..6]);
    }

    fn age(&self) -> u64 {
        let mut age = [0; 8];
        age[..6].copy_from_slice(&self.age);
        u64::from_le_bytes(age)
    }

    /// When the prediction was made, given its bucket.
    pub(crate) fn at(&self, bucket: i64) -> i64 {
        bucket.saturating_sub((self.age() & !LABELLED) as i64)
    }

    pub(crate) fn group(&self) -> u32 {
        u32::from_le_bytes(self.group)
    }

    pub(crate) fn scored(&self) -> &[u8; SCORED_BYTES] {
        &self.scored
    }

    pub(crate) fn is_labelled(&self) -> bool {
        self.age() & LABELLED != 0
    }

    pub(crate) fn set_labelled(&mut self) {
        self.set(self.age() | LABELLED);
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.id);
        out.extend(self.scored);
        out.extend(self.age);
        out.extend(self.group);
    }

    /// Reads what [`Pending::put`] wrote.
    pub(crate) fn read(bytes: &[u8; Self::BYTES]) -> Self {
        let mut pending = Self {
            id: [0; 16],
            scored: [0; SCORED_BYTES],
            age: [0; 6],
            group: [0; 4],
        };
        let (id, rest) = bytes.split_at(16);
        let (scored, rest) = rest.split_at(SCORED_BYTES);
        let (age, group) = rest.split_at(6);
        pending.id.copy_from_slice(id);
        pending.scored.copy_from_slice(scored);
        pending.age.copy_from_slice(age);
        pending.group.copy_from_slice(group);
        pending
    }
}

impl Record for Pending {
    fn id(&self) -> u128 {
        u128::from_le_bytes(self.id)
    }
}

/// A label in memory: 64 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LabelRecord {
    pub(crate) id: [u64; 2],
    pub(crate) observed: i64,
    pub(crate) latest: i64,
    /// The bits of a number, or the number of a text.
    pub(crate) value: u64,
    pub(crate) weight: f64,
    pub(crate) revision: i64,
    pub(crate) scope: u32,
    pub(crate) is_text: bool,
    pub(crate) is_joined: bool,
}

impl Record for LabelRecord {
    fn id(&self) -> u128 {
        u128::from(self.id[0]) << 64 | u128::from(self.id[1])
    }
}

/// A label's value as it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LabelText {
    Number(f64),
    Text(Arc<String>),
}

/// A label, wherever it is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    pub(crate) scope: u32,
    pub(crate) revision: i64,
    pub(crate) observed: i64,
    /// The latest that it or one that it replaced was observed.
    pub(crate) latest: i64,
    pub(crate) weight: f64,
    pub(crate) value: LabelText,
    /// Whether a prediction has been there for it.
    pub(crate) is_joined: bool,
}

impl Label {
    /// Appends it with its length, for the store.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.scope.to_le_bytes());
        for number in [self.revision, self.observed, self.latest] {
            out.extend(number.to_le_bytes());
        }
        out.extend(self.weight.to_le_bytes());
        out.push(u8::from(self.is_joined));
        match &self.value {
            LabelText::Number(number) => {
                out.extend(u32::MAX.to_le_bytes());
                out.extend(number.to_le_bytes());
            }
            LabelText::Text(text) => {
                out.extend((text.len() as u32).to_le_bytes());
                out.extend(text.as_bytes());
            }
        }
    }

    /// Reads what [`Label::put`] wrote and moves on; none if that is not what it finds.
    pub(crate) fn read(from: &mut &[u8]) -> Option<Self> {
        let scope = u32::from_le_bytes(take(from)?);
        let revision = i64::from_le_bytes(take(from)?);
        let observed = i64::from_le_bytes(take(from)?);
        let latest = i64::from_le_bytes(take(from)?);
        let weight = f64::from_le_bytes(take(from)?);
        let [is_joined] = take(from)?;
        let value = match u32::from_le_bytes(take(from)?) {
            u32::MAX => LabelText::Number(f64::from_le_bytes(take(from)?)),
            len => {
                let (text, rest) = from.split_at_checked(len as usize)?;
                *from = rest;
                LabelText::Text(Arc::new(std::str::from_utf8(text).ok()?.to_owned()))
            }
        };
        Some(Self {
            scope,
            revision,
            observed,
            latest,
            weight,
            value,
            is_joined: is_joined != 0,
        })
    }
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_takes_56_bytes_and_a_label_64() {
        assert_eq!(size_of::<Pending>(), Pending::BYTES);
        assert_eq!(size_of::<LabelRecord>(), 64);
        let mut pending = Pending::new(u128::MAX - 5, (1_000_000, -77), 9, [3; SCORED_BYTES]);
        let mut bytes = Vec::new();
        pending.put(&mut bytes);
        assert_eq!(Pending::read(bytes[..].try_into().unwrap()), pending);
        assert_eq!((pending.at(1_000_000), pending.is_labelled()), (-77, false));
        pending.set_labelled();
        assert_eq!((pending.at(1_000_000), pending.is_labelled()), (-77, true));
        assert_eq!((pending.id(), pending.group()), (u128::MAX - 5, 9));
    }

    #[test]
    fn labels_follow_each_other_in_the_store() {
        let label = |value| Label {
            scope: 7,
            revision: -1,
            observed: 5,
            latest: 6,
            weight: 0.5,
            value,
            is_joined: true,
        };
        let labels = [
            label(LabelText::Number(1.5)),
            label(LabelText::Text(Arc::new("yes".to_owned()))),
        ];
        let mut bytes = Vec::new();
        labels.iter().for_each(|label| label.put(&mut bytes));
        let mut rest = &bytes[..];
        assert_eq!(Label::read(&mut rest).as_ref(), Some(&labels[0]));
        assert_eq!(Label::read(&mut rest).as_ref(), Some(&labels[1]));
        assert_eq!(Label::read(&mut rest), None);
    }
}
