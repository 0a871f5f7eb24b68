//! Categorical columns: counts of the reference's categories.
//!
//! **What it measures.** The share of each of the reference's most frequent categories, exactly; the shares of the
//! reference's other categories together by hash; and the share of texts that the reference has never
//! seen, with the names of some of them.
//!
//! **Error.** Counts of named categories have none. A shared cell is the sum of its categories, so two of them that
//! trade places go unnoticed. "Never seen" is right up to a 64-bit hash: of 65,536 known texts, a new one is
//! taken for one of them with a probability of 2^-48.
//!
//! **Not for** identifiers: where the reference's texts hardly repeat, nearly everything is unseen, as the
//! reference's own [`CategoricalProfile::singletons`] then says.

use std::collections::BTreeMap;

use crate::ProfileOptions;
use crate::column::{Combine, ShapeMismatch};
use crate::dictionary::Dictionary;
use crate::distinct::{self, DistinctSample};

/// The cell of a category, or one of [`UNSEEN_CODE`], [`MISSING_CODE`] and [`WRONG_TYPE_CODE`].
pub type CategoryCode = u32;

/// Stands for a value that is not there.
pub const MISSING_CODE: CategoryCode = u32::MAX;

/// Stands for a value that is no text.
pub const WRONG_TYPE_CODE: CategoryCode = u32::MAX - 1;

/// Stands for a text that the reference has never seen.
pub const UNSEEN_CODE: CategoryCode = u32::MAX - 2;

/// Longer texts are known by their hash alone, so they are never among the named ones.
pub(crate) const NAMED_BYTES_MAX: usize = 256;

/// How many texts of the reference are known beside the named ones. Rarer ones are as unseen as
/// those that never came; the reference's own summary counts them so, and thus says how often to
/// expect it.
pub(crate) const REST_MAX: usize = 65_536;

/// The categories of the reference, and how often each stands in it.
///
/// The most frequent ones have a cell each. All others that the reference holds share a fixed
/// number of cells by hash. Everything else is unseen.
#[derive(Clone, Debug)]
pub struct CategoricalProfile {
    pub(crate) top: Vec<String>,
    /// Hashes of the reference's other texts, ascending.
    pub(crate) rest: Vec<u64>,
    /// Names of the shared cells; none when nothing shares.
    buckets: Vec<String>,
    pub(crate) sample_capacity: usize,
    pub(crate) distinct: u64,
    pub(crate) singletons: u64,
    pub(crate) reference: CategoricalSummary,
    dictionary: Dictionary,
}

impl PartialEq for CategoricalProfile {
    fn eq(&self, other: &Self) -> bool {
        self.top == other.top
            && self.rest == other.rest
            && self.buckets.len() == other.buckets.len()
            && self.sample_capacity == other.sample_capacity
            && (self.distinct, self.singletons) == (other.distinct, other.singletons)
            && self.reference == other.reference
    }
}

impl CategoricalProfile {
    /// Counts the column and names its categories.
    pub(crate) fn build<'a>(
        values: impl Iterator<Item = Option<&'a str>>,
        options: &ProfileOptions,
    ) -> Self {
        let mut missing = 0_u64;
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for value in values {
            match value {
                Some(text) => *counts.entry(text).or_default() += 1,
                None => missing += 1,
            }
        }
        // Most frequent first; equally frequent ones by their text.
        let mut ranked: Vec<(&str, u64)> = counts.into_iter().collect();
        ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut top = Vec::new();
        let mut rest = Vec::new();
        for (text, _) in &ranked {
            if top.len() < options.top_categories && text.len() <= NAMED_BYTES_MAX {
                top.push((*text).to_owned());
            } else if rest.len() < REST_MAX && options.hash_buckets > 0 {
                rest.push(distinct::hash(text));
            }
        }
        rest.sort_unstable();
        rest.dedup();
        let mut profile = Self::assemble(top, rest, options.hash_buckets, options.distinct_sample);
        profile.distinct = ranked.len() as u64;
        profile.singletons = ranked.iter().filter(|(_, count)| *count == 1).count() as u64;
        let mut reference = profile.empty_summary();
        reference.missing = missing;
        for (text, count) in ranked {
            match reference.counts.get_mut(profile.code(text) as usize) {
                Some(cell) => *cell += count,
                None => reference.unseen += count,
            }
        }
        profile.reference = reference;
        profile
    }

    /// A profile without its reference's counts. `rest` is ascending.
    pub(crate) fn assemble(
        top: Vec<String>,
        rest: Vec<u64>,
        hash_buckets: usize,
        sample_capacity: usize,
    ) -> Self {
        let shared = if rest.is_empty() { 0 } else { hash_buckets };
        let buckets = (0..shared).map(|i| format!("(other {i})")).collect();
        let dictionary = Dictionary::new(&top, &rest, shared);
        let reference = CategoricalSummary::default();
        Self {
            top,
            rest,
            buckets,
            sample_capacity,
            distinct: 0,
            singletons: 0,
            reference,
            dictionary,
        }
    }

    /// The code of a text.
    #[inline]
    pub fn code(&self, text: &str) -> CategoryCode {
        self.dictionary.cell(text).unwrap_or(UNSEEN_CODE)
    }

    /// Counts a column of codes.
    ///
    /// A summary with too few cells, such as the default one, is first widened to this profile's.
    pub fn add_codes(&self, codes: &[CategoryCode], into: &mut CategoricalSummary) {
        if into.counts.len() < self.cells() {
            into.counts.resize(self.cells(), 0);
        }
        for &code in codes {
            match into.counts.get_mut(code as usize) {
                Some(count) => *count += 1,
                None => into.add_other(code),
            }
        }
    }

    /// Puts the name of an unseen text on record. It is counted by its code, not here.
    pub fn add_unseen(&self, text: &str, into: &mut CategoricalSummary) {
        into.sample.widen(self.sample_capacity);
        into.sample.add(text);
    }

    /// How many cells there are: the named categories, then the shared cells.
    pub fn cells(&self) -> usize {
        self.top.len() + self.buckets.len()
    }

    /// How many cells hold a category of their own; they come first.
    pub fn named_cells(&self) -> usize {
        self.top.len()
    }

    /// The category of a cell; `(other 7)` for a shared one, and nothing for a cell that is not
    /// there.
    pub fn name(&self, cell: usize) -> &str {
        let shared = || self.buckets.get(cell.checked_sub(self.top.len())?);
        self.top
            .get(cell)
            .or_else(shared)
            .map_or("", String::as_str)
    }

    /// The reference's own summary. Its sample is empty.
    pub fn reference(&self) -> &CategoricalSummary {
        &self.reference
    }

    /// How many distinct texts the reference holds.
    pub fn distinct(&self) -> u64 {
        self.distinct
    }

    /// How many texts stand in the reference exactly once.
    ///
    /// By Good and Turing, `singletons / valid` estimates the share of values that are unseen
    /// even though nothing has changed.
    pub fn singletons(&self) -> u64 {
        self.singletons
    }

    /// A summary of nothing, in the shape of this profile.
    pub fn empty_summary(&self) -> CategoricalSummary {
        CategoricalSummary {
            counts: vec![0; self.cells()],
            sample: DistinctSample::new(self.sample_capacity),
            ..CategoricalSummary::default()
        }
    }
}

/// What a column of categories amounts to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CategoricalSummary {
    /// Values by cell: the named categories, then the shared cells.
    pub counts: Vec<u64>,
    /// Values that the reference has never seen.
    pub unseen: u64,
    /// Values that were not there.
    pub missing: u64,
    /// Values that were no text.
    pub wrong_type: u64,
    /// Some of the distinct texts that the reference has never seen.
    pub sample: DistinctSample,
}

impl CategoricalSummary {
    /// How many texts there were, seen before or not.
    pub fn valid(&self) -> u64 {
        self.counts
            .iter()
            .fold(self.unseen, |n, count| n.saturating_add(*count))
    }

    /// How many rows this is a summary of.
    pub fn rows(&self) -> u64 {
        self.valid()
            .saturating_add(self.missing)
            .saturating_add(self.wrong_type)
    }

    #[cold]
    fn add_other(&mut self, code: CategoryCode) {
        match code {
            MISSING_CODE => self.missing += 1,
            WRONG_TYPE_CODE => self.wrong_type += 1,
            _ => self.unseen += 1,
        }
    }

    /// `self` and `other` combined by exact addition or subtraction; `self` is unchanged on error.
    pub(crate) fn combine(&mut self, other: &Self, by: Combine) -> Result<(), ShapeMismatch> {
        let (left, right) = (self.sample.capacity(), other.sample.capacity());
        if left != right {
            return Err(ShapeMismatch::Sample { left, right });
        }
        by.check(&self.counts, &other.counts)?;
        let unseen = by.count(self.unseen, other.unseen)?;
        let missing = by.count(self.missing, other.missing)?;
        let wrong_type = by.count(self.wrong_type, other.wrong_type)?;
        if let Combine::Add = by {
            self.sample.merge(&other.sample);
        }
        (self.unseen, self.missing, self.wrong_type) = (unseen, missing, wrong_type);
        by.counts(&mut self.counts, &other.counts);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(values: &[(&str, usize)], options: &ProfileOptions) -> CategoricalProfile {
        let values = values
            .iter()
            .flat_map(|(text, times)| vec![Some(*text); *times]);
        CategoricalProfile::build(values, options)
    }

    #[test]
    fn the_most_frequent_are_named_and_the_rest_shares() {
        let options = ProfileOptions {
            top_categories: 2,
            hash_buckets: 2,
            ..Default::default()
        };
        let profile = profile(
            &[("b", 3), ("a", 3), ("c", 9), ("d", 1), ("e", 1)],
            &options,
        );
        assert_eq!(
            (profile.name(0), profile.name(1), profile.cells()),
            ("c", "a", 4)
        );
        assert_eq!(
            (profile.name(2), profile.name(3), profile.name(4)),
            ("(other 0)", "(other 1)", "")
        );
        assert_eq!((profile.code("c"), profile.code("a")), (0, 1));
        assert!((2..4).contains(&profile.code("b")) && (2..4).contains(&profile.code("e")));
        assert_eq!(profile.code("f"), UNSEEN_CODE);
        assert_eq!((profile.distinct(), profile.singletons()), (5, 2));
        assert_eq!(profile.reference().counts[..2], [9, 3]);
        assert_eq!(
            (profile.reference().valid(), profile.reference().unseen),
            (17, 0)
        );
    }

    #[test]
    fn what_shares_no_cell_is_unseen() {
        let options = ProfileOptions {
            top_categories: 1,
            hash_buckets: 0,
            ..Default::default()
        };
        let profile = profile(&[("a", 2), ("b", 1)], &options);
        assert_eq!((profile.cells(), profile.code("b")), (1, UNSEEN_CODE));
        assert_eq!(
            (profile.reference().valid(), profile.reference().unseen),
            (3, 1)
        );
    }

    #[test]
    fn more_categories_than_are_kept_leave_a_share_of_unseen() {
        let texts: Vec<String> = (0..REST_MAX + 1_000).map(|i| format!("id-{i}")).collect();
        let values = texts.iter().map(|text| Some(text.as_str()));
        let profile = CategoricalProfile::build(values, &ProfileOptions::default());
        assert_eq!(profile.reference().unseen, 1_000 - 256);
        assert_eq!(profile.reference().valid(), texts.len() as u64);
    }

    #[test]
    fn a_long_text_is_never_named() {
        let long = "x".repeat(NAMED_BYTES_MAX + 1);
        let profile = profile(&[(&long, 5), ("", 1)], &ProfileOptions::default());
        assert_eq!((profile.named_cells(), profile.name(0)), (1, ""));
        assert_eq!((profile.cells(), profile.code("")), (65, 0));
        assert!((1..65).contains(&profile.code(&long)));
    }

    #[test]
    fn codes_are_counted_by_kind() {
        let profile = profile(&[("a", 2)], &ProfileOptions::default());
        let mut summary = CategoricalSummary::default();
        let codes = [0, 0, UNSEEN_CODE, MISSING_CODE, WRONG_TYPE_CODE, 77];
        profile.add_codes(&codes, &mut summary);
        profile.add_unseen("new", &mut summary);
        // A code that no text has is as unseen as a text that has no code.
        assert_eq!((&summary.counts[..], summary.unseen), (&[2][..], 2));
        assert_eq!(
            (summary.missing, summary.wrong_type, summary.rows()),
            (1, 1, 6)
        );
        assert_eq!(summary.sample.texts().collect::<Vec<_>>(), ["new"]);
    }

    #[test]
    fn an_empty_reference_has_seen_nothing() {
        let values = [None, None];
        let profile = CategoricalProfile::build(values.into_iter(), &ProfileOptions::default());
        assert_eq!((profile.cells(), profile.code("")), (0, UNSEEN_CODE));
        assert_eq!(
            (profile.reference().missing, profile.reference().valid()),
            (2, 0)
        );
    }
}
