//! Things that many records share, numbered, and forgotten with the last record that has them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Numbers for values, with how many records have each.
#[derive(Clone, Debug)]
pub(crate) struct Names<T> {
    numbers: BTreeMap<Arc<T>, u32>,
    values: Vec<Option<(Arc<T>, u64)>>,
    free: Vec<u32>,
    bytes: usize,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            numbers: BTreeMap::new(),
            values: Vec::new(),
            free: Vec::new(),
            bytes: 0,
        }
    }
}

/// A value of [`Names`].
pub(crate) trait Name: Ord {
    /// How much memory it takes on the heap.
    fn bytes(&self) -> usize;
}

impl Name for String {
    fn bytes(&self) -> usize {
        self.capacity()
    }
}

/// What a value takes besides itself: two counters, its places in map and list, half of them unused.
const OVERHEAD: usize = 96;

impl<T: Name> Names<T> {
    /// The number of a value, if it has one.
    pub(crate) fn number<Q>(&self, value: &Q) -> Option<u32>
    where
        Arc<T>: std::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.numbers.get(value).copied()
    }

    /// Gives a value a number; nobody has it yet.
    pub(crate) fn add(&mut self, value: T) -> u32 {
        let value = Arc::new(value);
        if let Some(&number) = self.numbers.get(&value) {
            return number;
        }
        self.bytes += value.bytes() + size_of::<T>() + OVERHEAD;
        let number = self.free.pop().unwrap_or(self.values.len() as u32);
        if number as usize == self.values.len() {
            self.values.push(None);
        }
        self.values[number as usize] = Some((Arc::clone(&value), 0));
        self.numbers.insert(value, number);
        number
    }

    /// One more record has the value.
    pub(crate) fn take(&mut self, number: u32) {
        if let Some(Some((_, users))) = self.values.get_mut(number as usize) {
            *users += 1;
        }
    }

    /// `count` records that had the value are gone.
    pub(crate) fn give_back(&mut self, number: u32, count: u64) {
        let Some(slot) = self.values.get_mut(number as usize) else {
            return;
        };
        let Some((_, users)) = slot else { return };
        *users = users.saturating_sub(count);
        if *users == 0
            && let Some((value, _)) = slot.take()
        {
            self.bytes -= value.bytes() + size_of::<T>() + OVERHEAD;
            self.numbers.remove(&value);
            self.free.push(number);
        }
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Arc<T>> {
        let (value, _) = self.values.get(number as usize)?.as_ref()?;
        Some(value)
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_free_again_when_nobody_has_the_value() {
        let mut names = Names::default();
        let a = names.add("a".to_owned());
        let b = names.add("b".to_owned());
        assert_eq!(names.add("a".to_owned()), a);
        names.take(a);
        names.take(a);
        names.take(b);
        names.give_back(a, 1);
        assert_eq!(names.get(a).map(|s| s.as_str()), Some("a"));
        names.give_back(a, 1);
        assert_eq!(names.get(a), None);
        assert_eq!((names.add("c".to_owned()), names.len()), (a, 2));
        names.take(a);
        names.give_back(a, 1);
        names.give_back(b, 1);
        assert_eq!((names.len(), names.bytes()), (0, 0));
    }
}
