//! The tree over the features: even leaves, and what they show that no column shows.

#![allow(clippy::unwrap_used)] // A test that fails is allowed to panic.

mod common;

use common::Random;
use driftline_event::{ColumnKind, ColumnRole};
use driftline_sketch::{
    BuildError, CategoricalSummary, ColumnProfile, JOINT_COLUMN, JointOptions, LEAF_ROWS_MIN,
    LeafValues, MISSING, NumericSummary, ProfileOptions, ReferenceBuilder, ReferenceProfile,
};
use proptest::prelude::*;

fn builder(leaves: usize) -> ReferenceBuilder {
    let joint = Some(JointOptions { leaves, seed: 3 });
    let options = ProfileOptions {
        joint,
        ..ProfileOptions::default()
    };
    ReferenceBuilder::new("m", "1", options)
}

fn reference(columns: &[Vec<f64>], leaves: usize) -> ReferenceProfile {
    let mut builder = builder(leaves);
    for (i, column) in columns.iter().enumerate() {
        let name = format!("x{i}");
        builder
            .numeric(&name, ColumnRole::Feature, column.clone())
            .unwrap();
    }
    builder.build().unwrap()
}

/// The last column is that of the leaves.
fn leaves_of(profile: &ReferenceProfile) -> &CategoricalSummary {
    let column = &profile.columns[profile.event_columns()];
    assert_eq!(column.column.name, JOINT_COLUMN);
    let ColumnProfile::Categorical(leaves) = &column.profile else {
        unreachable!("leaves are categories")
    };
    leaves.reference()
}

fn count(profile: &ReferenceProfile, columns: &[Vec<f64>]) -> Vec<u64> {
    let tree = profile.joint_tree().unwrap();
    let mut counts = vec![0; tree.leaves()];
    for row in 0..columns[0].len() {
        let row: Vec<f64> = columns.iter().map(|column| column[row]).collect();
        counts[tree.leaf(&row, &[]) as usize] += 1;
    }
    counts
}

/// Pearson's statistic against the reference's shares, both sides being samples.
fn chi_square(reference: &[u64], current: &[u64]) -> f64 {
    let (n, m): (u64, u64) = (reference.iter().sum(), current.iter().sum());
    let (n, m) = (n as f64, m as f64);
    let cell = |(a, b): (&u64, &u64)| {
        let (a, b) = (*a as f64, *b as f64);
        (a * (m / n).sqrt() - b * (n / m).sqrt()).powi(2) / (a + b).max(1.0)
    };
    reference.iter().zip(current).map(cell).sum()
}

/// Standard normal columns: the first two with this correlation, the others alone.
fn correlated(rows: usize, columns: usize, rho: f64, seed: u64) -> Vec<Vec<f64>> {
    let mut random = Random(seed);
    let mut all: Vec<Vec<f64>> = (0..columns)
        .map(|_| (0..rows).map(|_| random.normal()).collect())
        .collect();
    let (first, others) = all.split_at_mut(1);
    for (y, x) in others[0].iter_mut().zip(&first[0]) {
        *y = rho * x + (1.0 - rho * rho).sqrt() * *y;
    }
    all
}

#[test]
fn leaves_of_continuous_columns_have_equal_masses() {
    for (columns, leaves) in [(2, 64), (5, 64), (20, 64), (3, 4), (6, 256)] {
        let profile = reference(&correlated(10_240, columns, 0.5, 1), leaves);
        let counts = &leaves_of(&profile).counts;
        let even = 10_240 / leaves as u64;
        assert_eq!(counts.len(), leaves);
        assert!(
            counts.iter().all(|n| n.abs_diff(even) <= 2),
            "{columns} {leaves}: {counts:?}"
        );
        assert_eq!(counts.iter().sum::<u64>(), 10_240);
    }
}

#[test]
fn a_broken_correlation_changes_leaves_and_no_column() {
    for columns in [2, 8, 20] {
        let profile = reference(&correlated(20_000, columns, 0.8, 5), 64);
        let broken = correlated(10_000, columns, 0.0, 6);
        let same = correlated(10_000, columns, 0.8, 7);
        let counts = &leaves_of(&profile).counts;
        let (moved, stayed) = (
            chi_square(counts, &count(&profile, &broken)),
            chi_square(counts, &count(&profile, &same)),
        );
        // 63 degrees of freedom: 99.9 % of what has not moved is below 104.
        assert!(
            moved > 1_000.0 && stayed < 104.0,
            "{columns}: {moved} {stayed}"
        );
        for (column, values) in profile.columns.iter().zip(&broken) {
            let ColumnProfile::Numeric(numeric) = &column.profile else {
                continue;
            };
            let mut summary = NumericSummary::default();
            numeric.add_column(values, &mut summary);
            // 99 degrees: 99.9 % are below 149.
            let marginal = chi_square(&numeric.reference().counts, &summary.counts);
            assert!(marginal < 149.0, "{columns}: {marginal}");
        }
    }
}

#[test]
fn ten_pairs_are_all_looked_at() {
    // Ten pairs in twenty columns: six levels cannot hold them all, so branches share them.
    let rows = 20_000;
    let pairs = |broken: Option<usize>, seed: u64| -> Vec<Vec<f64>> {
        let pair = |i: usize| {
            let rho = if broken == Some(i) { 0.0 } else { 0.9 };
            correlated(rows, 2, rho, seed + i as u64)
        };
        (0..10).flat_map(pair).collect()
    };
    let profile = reference(&pairs(None, 100), 64);
    let counts = &leaves_of(&profile).counts;
    let seen = (0..10).filter(|pair| {
        let broken = count(&profile, &pairs(Some(*pair), 200));
        chi_square(counts, &broken) > 200.0
    });
    assert!(seen.count() >= 8);
}

#[test]
fn categories_missing_values_and_ties_are_split_too() {
    let rows = 20_000;
    let mut random = Random(11);
    let mut kind = Vec::new();
    let (mut zeros, mut hour) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let k = (random.uniform() * random.uniform() * 12.0) as usize;
        kind.push(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"][k]);
        // Inflated zeros and missing values, which go with the category.
        zeros.push(match random.uniform() {
            u if u < 0.3 => MISSING,
            u if u < 0.6 || k > 5 => 0.0,
            _ => random.normal(),
        });
        hour.push((random.uniform() * 24.0).floor());
    }
    let mut builder = builder(64);
    let texts = kind.iter().map(|k| Some(*k));
    builder
        .numeric("zeros", ColumnRole::Feature, zeros.clone())
        .unwrap();
    builder
        .categorical("kind", ColumnRole::Feature, texts)
        .unwrap();
    builder
        .numeric("hour", ColumnRole::Feature, hour.clone())
        .unwrap();
    builder
        .numeric("value", ColumnRole::Output, hour.clone())
        .unwrap();
    let profile = builder.build().unwrap();
    let tree = profile.joint_tree().unwrap();
    let counts = &leaves_of(&profile).counts;
    assert!(tree.leaves() > 40, "{counts:?}");
    assert!(
        counts.iter().all(|n| *n >= LEAF_ROWS_MIN as u64),
        "{counts:?}"
    );
    let largest = counts.iter().max().unwrap();
    assert!(*largest < rows / 20, "{counts:?}");
    // Outputs are not features.
    assert_eq!(tree.columns(), [0, 1, 2]);
    // What a leaf says about its rows holds for its rows and for no others.
    let ColumnProfile::Categorical(kinds) = &profile.columns[1].profile else {
        unreachable!("texts")
    };
    for row in 0..2_000 {
        let numbers = [zeros[row], hour[row], hour[row]];
        let code = kinds.code(kind[row]);
        let leaf = tree.leaf(&numbers, &[code]) as usize;
        for other in 0..tree.leaves() {
            let conditions = tree.conditions(other);
            let holds = conditions.iter().all(|c| match &c.values {
                LeafValues::Interval { above, at_most } => {
                    let value = numbers[[0, 9, 1][c.column]];
                    at_most.is_none_or(|to| value <= to)
                        && above.is_none_or(|from| value.is_nan() || value > from)
                }
                LeafValues::Categories { cells, .. } => cells.contains(&(code as usize)),
            });
            assert_eq!(holds, leaf == other, "{row}: {conditions:?}");
        }
        assert!(!profile.leaf_description(leaf).is_empty());
    }
    assert_eq!(profile.leaf_description(999), "");
}

#[test]
fn a_small_reference_has_few_leaves() {
    for (rows, most) in [(0, 1), (39, 1), (41, 2), (200, 10)] {
        let profile = reference(&correlated(rows, 2, 0.5, 2), 64);
        let leaves = profile.joint_tree().unwrap().leaves();
        assert!(leaves <= most && leaves >= most / 2, "{rows}: {leaves}");
        assert_eq!(leaves_of(&profile).valid(), rows as u64);
    }
    let constant = reference(&[vec![1.0; 1_000], vec![2.0; 1_000]], 64);
    assert_eq!(constant.joint_tree().unwrap().leaves(), 1);
}

#[test]
fn the_column_is_derived_and_no_event_has_it() {
    let profile = reference(&correlated(1_000, 2, 0.5, 2), 8);
    let layout = profile.layout(vec![]);
    assert_eq!((layout.columns.len(), profile.columns.len()), (2, 3));
    assert_eq!(profile.event_columns(), 2);
    assert_eq!(profile.columns[2].column.kind, ColumnKind::Categorical);
    let again = reference(&correlated(1_000, 2, 0.5, 2), 8);
    assert_eq!((again.id(), &again), (profile.id(), &profile));
}

#[test]
fn a_reference_without_rows_has_one_empty_leaf() {
    let mut builder = builder(8);
    for name in ["a", "b"] {
        builder.numeric(name, ColumnRole::Feature, vec![]).unwrap();
    }
    let profile = builder.build().unwrap();
    assert_eq!(leaves_of(&profile).counts, [0]);
    let read = ReferenceProfile::from_json(&profile.to_json()).unwrap();
    assert_eq!(read, profile);
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let mut taken = builder(64);
    taken
        .numeric(JOINT_COLUMN, ColumnRole::Feature, vec![1.0])
        .unwrap();
    taken.numeric("x", ColumnRole::Feature, vec![1.0]).unwrap();
    let column = JOINT_COLUMN.to_owned();
    assert_eq!(taken.build(), Err(BuildError::DuplicateColumn { column }));
    let mut single = builder(64);
    single.numeric("x", ColumnRole::Feature, vec![1.0]).unwrap();
    single.numeric("y", ColumnRole::Output, vec![1.0]).unwrap();
    assert_eq!(single.build(), Err(BuildError::TooFewFeatures));
    for leaves in [0, 1, 3, 48, 512] {
        let error = builder(leaves).build().unwrap_err();
        assert_eq!(error, BuildError::Option { option: "leaves" });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_columns_can_be_cut_and_read_back(
        rows in prop::collection::vec((any::<f64>(), -3_i32..3, "[a-c]{0,2}"), 0..300),
        leaves in prop::sample::select(vec![2_usize, 8, 64]),
    ) {
        let mut builder = builder(leaves);
        let first = rows.iter().map(|row| row.0).collect();
        let second = rows.iter().map(|row| if row.1 == 2 { MISSING } else { f64::from(row.1) });
        builder.numeric("a", ColumnRole::Feature, first).unwrap();
        builder.numeric("b", ColumnRole::Feature, second.collect()).unwrap();
        let texts = rows.iter().map(|row| Some(row.2.as_str()).filter(|text| !text.is_empty()));
        builder.categorical("c", ColumnRole::Feature, texts).unwrap();
        let profile = builder.build().unwrap();
        let counts = &leaves_of(&profile).counts;
        prop_assert!(!counts.is_empty() && counts.len() <= leaves);
        prop_assert_eq!(counts.iter().sum::<u64>(), rows.len() as u64);
        if counts.len() > 1 {
            prop_assert!(counts.iter().all(|n| *n >= LEAF_ROWS_MIN as u64));
        }
        let json = profile.to_json();
        let read = ReferenceProfile::from_json(&json).unwrap();
        prop_assert_eq!(&read, &profile);
        prop_assert_eq!(read.to_json(), json);
        for leaf in 0..counts.len() {
            profile.leaf_description(leaf);
        }
    }
}
