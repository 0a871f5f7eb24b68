//! One column of both files, compared.

use std::collections::BTreeMap;

use driftline_event::ColumnKind;
use driftline_stat::binned;
use driftline_stat::sample::contingency::Table as Counts;
use driftline_stat::sample::{
    CategoricalPair, NumericPair, Test, TestError, TestResult, categorical, share,
};

use super::compat::Peer;
use super::floor::{self, Floor};
use super::judge::Verdict;
use super::numbers::Numbers;
use crate::files::{TableColumn, Values};

/// What comparing a column found.
#[derive(Debug)]
pub(super) struct Feature {
    pub(super) name: String,
    pub(super) kind: ColumnKind,
    pub(super) reference: Sample,
    pub(super) current: Sample,
    pub(super) results: Vec<Outcome>,
    pub(super) not_run: Vec<(Test, TestError)>,
    /// The distance by which columns are sorted: [`lead`] of the column's kind.
    pub(super) distance: Option<Distance>,
    /// Size of the largest change of the shape as Cohen's h; 0 where a side is empty.
    pub(super) effect: f64,
    pub(super) missing: Missing,
    /// P-value of a chi-square test with its rare cells merged, where no other p-value can be relied on.
    pub(super) merged: Option<f64>,
    /// Categories that only one of the files has.
    pub(super) exclusive: Exclusive,
    pub(super) verdict: Verdict,
    /// The smallest p-value after Holm's correction.
    pub(super) adjusted_p: Option<f64>,
    /// What the peer says that was asked.
    pub(super) peer: Option<Peer>,
    /// Why the verdict is not `stable`.
    pub(super) reasons: Vec<&'static str>,
}

/// How many values a side has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) n: usize,
    pub(super) missing: usize,
}

impl Sample {
    pub(super) fn missing_share(self) -> f64 {
        self.missing as f64 / (self.n + self.missing).max(1) as f64
    }
}

/// What one test found.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) test: Test,
    pub(super) statistic: f64,
    pub(super) p_value: Option<f64>,
    pub(super) method: &'static str,
    pub(super) floor: Option<Floor>,
    /// Why the p-value is shown but not judged: the law behind it does not hold for these values.
    pub(super) unsound: Option<&'static str>,
    /// Whether it says that the column drifted; none where it is not judged.
    pub(super) drift: Option<bool>,
}

impl Outcome {
    /// Whether the statistic is no larger than sampling alone makes it.
    pub(super) fn within_floor(&self) -> bool {
        floor::grows_with_drift(self.test)
            && self
                .floor
                .is_some_and(|floor| self.statistic <= floor.upper)
    }
}

/// The distance by which columns of a kind are sorted. Both are shares of the values, so that columns of both kinds
/// can be compared.
pub(super) const fn lead(kind: ColumnKind) -> Test {
    match kind {
        ColumnKind::Numeric => Test::KolmogorovSmirnov,
        ColumnKind::Categorical | ColumnKind::Embedding => Test::TotalVariation,
    }
}

const TOO_EMPTY: &str = "cells too empty";
const TOO_MANY_TIES: &str = "too many ties";
const TOO_FEW: &str = "law too rough at this size";

/// Values a side from which the law of Epps and Singleton is relied on. With 500 and 200 values of the flights data
/// and no drift, p-values below 0.001 came seven times as often as they should.
const EPPS_SINGLETON_MIN: usize = 1_000;

/// How much ties may add to the Cramér–von Mises statistic, whose mean without drift is a sixth.
const EXCESS_MAX: f64 = 0.01;

/// A distance and its floor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distance {
    pub(super) value: f64,
    pub(super) floor: Option<Floor>,
}

impl Distance {
    /// How many times its floor it is.
    pub(super) fn beyond(self) -> Option<f64> {
        let upper = self.floor?.upper;
        (upper > 0.0).then(|| self.value / upper)
    }
}

/// How the share of missing values changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Missing {
    /// Fisher's exact test; none when nothing is missing, or everything.
    pub(super) p_value: Option<f64>,
    /// Cohen's h.
    pub(super) effect: f64,
}

/// Categories that only one of the files has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Exclusive {
    pub(super) new: usize,
    /// Share of the current values that are in a new category.
    pub(super) new_share: f64,
    pub(super) gone: usize,
    /// Share of the reference's values that are in a category which is gone.
    pub(super) gone_share: f64,
}

/// Runs `tests` on a column of both files.
pub(super) fn compare(reference: &TableColumn, current: &TableColumn, tests: &[Test]) -> Feature {
    let mut feature = Feature {
        name: reference.name.clone(),
        kind: reference.values.kind(),
        reference: sample(&reference.values),
        current: sample(&current.values),
        results: Vec::new(),
        not_run: Vec::new(),
        distance: None,
        effect: 0.0,
        missing: Missing::default(),
        merged: None,
        exclusive: Exclusive::default(),
        verdict: Verdict::Stable,
        adjusted_p: None,
        peer: None,
        reasons: Vec::new(),
    };
    feature.missing = missing(feature.reference, feature.current);
    match (&reference.values, &current.values) {
        (Values::Numbers(a), Values::Numbers(b)) => feature.compare_numbers(a, b, tests),
        (a, b) => feature.compare_categories(&Categories::new(a, b), tests),
    }
    feature
}

impl Feature {
    fn compare_numbers(&mut self, reference: &[f64], current: &[f64], tests: &[Test]) {
        let numbers = Numbers::new(reference, current);
        self.effect = numbers.effect();
        let pair = NumericPair::new(&numbers.reference, &numbers.current);
        let deciles = pair.as_ref().ok().map(share::decile_table);
        let two_values = numbers.two_values();
        let smaller = self.reference.n.min(self.current.n);
        let excess = numbers.cramer_von_mises_excess();
        self.run(tests, |test| {
            let pair = pair.as_ref().map_err(|e| *e)?;
            let unsound = match test {
                Test::ChiSquare | Test::GTest => {
                    (!deciles.as_ref().is_some_and(cells_are_full)).then_some(TOO_EMPTY)
                }
                Test::ZTest => {
                    let full = two_values.is_some_and(|cells| are_full(cells.into_iter()));
                    (!full).then_some(TOO_EMPTY)
                }
                Test::EppsSingleton => (smaller < EPPS_SINGLETON_MIN).then_some(TOO_FEW),
                Test::CramerVonMises => (excess > EXCESS_MAX).then_some(TOO_MANY_TIES),
                _ => None,
            };
            Ok((pair.run(test)?, floor::of_numbers(test, pair), unsound))
        });
        if let Ok(pair) = &pair {
            self.distance = distance(pair.run(lead(self.kind)), || {
                floor::of_numbers(lead(self.kind), pair)
            });
        }
        self.merged = self.merged_p_value(deciles.as_ref());
    }

    fn compare_categories(&mut self, categories: &Categories, tests: &[Test]) {
        let pair = categories.pair();
        self.effect = categories.effect();
        self.exclusive = categories.exclusive();
        self.run(tests, |test| {
            let pair = pair.as_ref().map_err(|e| *e)?;
            let unsound = match test {
                Test::ChiSquare | Test::GTest | Test::ZTest => {
                    (!cells_are_full(pair.table())).then_some(TOO_EMPTY)
                }
                _ => None,
            };
            Ok((pair.run(test)?, floor::of_categories(test, pair), unsound))
        });
        if let Ok(pair) = &pair {
            self.distance = distance(pair.run(lead(self.kind)), || {
                floor::of_categories(lead(self.kind), pair)
            });
        }
        let (reference, current) = categories.rows();
        let test = binned::chi_square(&reference, &current);
        self.merged = test
            .filter(|_| !self.has_sound_p_value())
            .map(|t| t.p_value);
    }

    fn run(
        &mut self,
        tests: &[Test],
        run: impl Fn(Test) -> Result<(TestResult, Option<Floor>, Option<&'static str>), TestError>,
    ) {
        let kind = self.kind;
        for &test in tests.iter().filter(|test| test.applies_to(kind)) {
            match run(test) {
                Ok((result, floor, unsound)) => self.results.push(Outcome {
                    test,
                    statistic: result.statistic,
                    p_value: result.p_value,
                    method: result.method,
                    floor,
                    unsound,
                    drift: None,
                }),
                Err(error) => self.not_run.push((test, error)),
            }
        }
    }

    fn has_sound_p_value(&self) -> bool {
        self.results
            .iter()
            .any(|r| r.unsound.is_none() && r.p_value.is_some())
    }

    fn merged_p_value(&self, table: Option<&Counts>) -> Option<f64> {
        let table = table.filter(|_| !self.has_sound_p_value())?;
        binned::chi_square(table.reference(), table.current()).map(|test| test.p_value)
    }

    /// How many times its floor the distance, or the change of the missing share, is.
    pub(super) fn beyond(&self) -> f64 {
        let rows = |s: Sample| (s.n + s.missing).max(1) as f64;
        let noise = 3.0 * (1.0 / rows(self.reference) + 1.0 / rows(self.current)).sqrt();
        let distance = self.distance.and_then(Distance::beyond);
        distance.unwrap_or(0.0).max(self.missing.effect / noise)
    }

    /// The outcome of `test`.
    pub(super) fn result(&self, test: Test) -> Option<&Outcome> {
        self.results.iter().find(|r| r.test == test)
    }
}

fn distance(
    result: Result<TestResult, TestError>,
    floor: impl FnOnce() -> Option<Floor>,
) -> Option<Distance> {
    let value = result.ok()?.statistic;
    Some(Distance {
        value,
        floor: floor(),
    })
}

fn sample(values: &Values) -> Sample {
    let rows = match values {
        Values::Numbers(values) => values.len(),
        Values::Categories { codes, .. } => codes.len(),
    };
    let missing = values.missing();
    Sample {
        n: rows - missing,
        missing,
    }
}

fn missing(reference: Sample, current: Sample) -> Missing {
    let side = |s: Sample| [("missing", s.missing as u64), ("valid", s.n as u64)];
    let test = categorical(Test::FisherExact, &side(reference), &side(current));
    Missing {
        p_value: test.ok().and_then(|t| t.p_value),
        effect: cohens_h(reference.missing_share(), current.missing_share()),
    }
}

/// Cohen's h, the distance of two shares on a scale on which sampling noise is the same everywhere:
/// |2·asin√p − 2·asin√q|, 0 to π (Cohen 1988).
pub(super) fn cohens_h(p: f64, q: f64) -> f64 {
    let angle = |share: f64| 2.0 * share.clamp(0.0, 1.0).sqrt().asin();
    (angle(p) - angle(q)).abs()
}

fn cells_are_full(table: &Counts) -> bool {
    let cells = table.reference().iter().zip(table.current());
    are_full(cells.map(|(&r, &c)| (r, c)).collect::<Vec<_>>().into_iter())
}

/// Cochran's rule: no cell expects less than one value, and at most a fifth of them less than five.
fn are_full(cells: impl Iterator<Item = (u64, u64)> + Clone) -> bool {
    let (n, m) = cells.clone().fold((0, 0), |(n, m), (r, c)| (n + r, m + c));
    let smaller = n.min(m) as f64 / (n + m).max(1) as f64;
    let (mut all, mut few) = (0, 0);
    for (r, c) in cells {
        let expected = (r + c) as f64 * smaller;
        if expected < 1.0 {
            return false;
        }
        all += 1;
        few += usize::from(expected < 5.0);
    }
    few * 5 <= all
}

/// The counts of a categorical column, the reference's most frequent category first.
#[derive(Debug)]
pub(super) struct Categories {
    pub(super) cells: Vec<(String, u64, u64)>,
}

impl Categories {
    pub(super) fn new(reference: &Values, current: &Values) -> Self {
        let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (side, values) in [reference, current].into_iter().enumerate() {
            let Values::Categories { codes, names } = values else {
                continue;
            };
            let mut of_code = vec![0_u64; names.len()];
            for code in codes {
                if let Some(count) = of_code.get_mut(*code as usize) {
                    *count += 1;
                }
            }
            for (name, count) in names.iter().zip(of_code) {
                let cell = counts.entry(name).or_default();
                let count_of_side = if side == 0 { &mut cell.0 } else { &mut cell.1 };
                *count_of_side += count;
            }
        }
        let mut cells: Vec<(String, u64, u64)> = counts
            .into_iter()
            .map(|(name, (r, c))| (name.to_owned(), r, c))
            .collect();
        // By name where the counts are equal: the sort is stable.
        cells.sort_by_key(|&(_, r, c)| std::cmp::Reverse((r, c)));
        Self { cells }
    }

    fn pair(&self) -> Result<CategoricalPair, TestError> {
        let side = |count: fn(&(String, u64, u64)) -> u64| -> Vec<(&str, u64)> {
            let cells = self.cells.iter();
            cells.map(|cell| (cell.0.as_str(), count(cell))).collect()
        };
        CategoricalPair::new(&side(|cell| cell.1), &side(|cell| cell.2))
    }

    pub(super) fn rows(&self) -> (Vec<u64>, Vec<u64>) {
        self.cells.iter().map(|&(_, r, c)| (r, c)).unzip()
    }

    /// Each category's share in both files.
    pub(super) fn shares(&self) -> impl Iterator<Item = (&str, f64, f64)> {
        let (reference, current) = self.rows();
        let (n, m) = (binned::total(&reference), binned::total(&current));
        let share = |count: u64, all: f64| if all > 0.0 { count as f64 / all } else { 0.0 };
        let cells = self.cells.iter();
        cells.map(move |(name, r, c)| (name.as_str(), share(*r, n), share(*c, m)))
    }

    /// The largest Cohen's h of one category, or of all that grew together. The latter is chosen by the data, so
    /// what sampling alone makes of it is taken off.
    fn effect(&self) -> f64 {
        let (reference, current) = self.rows();
        let (n, m) = (binned::total(&reference), binned::total(&current));
        if n == 0.0 || m == 0.0 {
            return 0.0;
        }
        let (mut largest, mut before, mut after) = (0.0_f64, 0.0, 0.0);
        for (_, p, q) in self.shares() {
            largest = largest.max(cohens_h(p, q));
            if q > p {
                before += p;
                after += q;
            }
        }
        let noise = binned::total_variation_floor(self.cells.len(), n as u64, m as u64);
        let together = cohens_h(before, (after - noise.unwrap_or(0.0)).max(before));
        largest.max(together)
    }

    fn exclusive(&self) -> Exclusive {
        let mut found = Exclusive::default();
        for (_, p, q) in self.shares() {
            if p == 0.0 {
                found.new += 1;
                found.new_share += q;
            } else if q == 0.0 {
                found.gone += 1;
                found.gone_share += p;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_cells_are_not_relied_on() {
        assert!(are_full([(50, 50), (50, 50)].into_iter()));
        assert!(!are_full([(50, 50), (50, 50), (1, 0)].into_iter()));
        assert!(are_full(
            [(9, 9), (9, 9), (9, 9), (9, 9), (3, 3)].into_iter()
        ));
        assert!(!are_full([(9, 9), (9, 9), (3, 3)].into_iter()));
    }

    #[test]
    fn a_whole_new_set_of_categories_is_a_large_effect() {
        let values = |from: u32| Values::Categories {
            codes: (0..1000).collect(),
            names: (from..from + 1000).map(|i| format!("{i:05}")).collect(),
        };
        let apart = Categories::new(&values(0), &values(1000));
        assert!(apart.effect() > 0.8, "{}", apart.effect());
        assert_eq!(
            (apart.exclusive().new, apart.exclusive().gone),
            (1000, 1000)
        );
        assert!((apart.exclusive().new_share - 1.0).abs() < 1e-9);
        let same = Categories::new(&values(0), &values(0));
        assert_eq!((same.effect(), same.exclusive().new), (0.0, 0));
    }

    #[test]
    fn cohens_h_is_the_difference_of_angles() {
        assert!((cohens_h(0.5, 0.25) - std::f64::consts::FRAC_PI_6).abs() < 1e-12);
        assert_eq!(cohens_h(0.0, 1.0), std::f64::consts::PI);
    }
}
