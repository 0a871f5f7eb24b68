//! The experiments in small, on generated streams: no Python, no files.

use crate::experiments::{Plan, injected, passages};
use crate::inject::{Change, inject};
use crate::random::Random;
use crate::report;
use crate::rules::Rule;
use crate::score::Score;
use crate::stream::{Column, Drift, Meta, Role, Stream, Table, Use, Values};

/// Two features, uniform on 0 to 1 and 0 to 2, and whether their sum is above a threshold, as in SEA.
fn sea(rows: usize, threshold: impl Fn(usize) -> f64, usage: Use, drifts: Vec<Drift>) -> Stream {
    let mut random = Random::new(7, 0);
    let first: Vec<f64> = (0..rows).map(|_| random.unit()).collect();
    let second: Vec<f64> = (0..rows).map(|_| 2.0 * random.unit()).collect();
    let above = |row: usize| u32::from(first[row] + second[row] > threshold(row));
    let labels = (0..rows).map(above).collect();
    let column = |name: &str, role, values, dictionary: &[&str]| Column {
        name: name.to_owned(),
        role,
        values,
        dictionary: dictionary.iter().map(|text| (*text).to_owned()).collect(),
    };
    let columns = vec![
        column("x0", Role::Feature, Values::Numeric(first), &[]),
        column("x1", Role::Feature, Values::Numeric(second), &[]),
        column("label", Role::Label, Values::Category(labels), &["0", "1"]),
    ];
    Stream {
        meta: Meta::of("sea", usage, rows, drifts),
        table: Table { rows, columns },
    }
}

#[test]
fn injected_drift_is_found_and_a_shuffled_stream_is_quiet() {
    let stream = sea(4_000, |_| 1.5, Use::Base, Vec::new());
    let plan = Plan {
        seed: 1,
        trials: 1,
        rows_max: 4_000,
    };
    let scores = injected(&stream, 0, &plan).unwrap();
    let of = |rule: Rule, dummy: bool| {
        let mut sum = Score::default();
        for ((_, cell), score) in &scores {
            if cell.labels && (cell.rule, cell.dummy) == (rule, dummy) {
                sum.merge(score);
            }
        }
        sum
    };
    let bank = of(Rule::Bank, false);
    assert_eq!((bank.drifts, bank.false_alarms), (8, 0), "{bank:?}");
    assert!(bank.found >= 7, "{bank:?}");
    assert!(bank.ratio() > 3.0 * of(Rule::Bank, true).ratio());
    assert!(of(Rule::Test, false).false_alarms > 0);
    assert!(report::summary(&scores, true).contains("| bank, uncalibrated |"));
}

#[test]
fn a_changed_concept_is_found_and_a_new_reference_learnt() {
    let drift = Drift {
        start: 4_000,
        end: 4_000,
        what: "threshold".to_owned(),
    };
    let threshold = |row| if row < 4_000 { 1.5 } else { 1.0 };
    let stream = sea(8_000, threshold, Use::Drifts, vec![drift]);
    let passages = passages(&stream, 1).unwrap();
    let bank = &passages[0];
    assert_eq!(
        (bank.score.found, bank.score.false_alarms),
        (1, 0),
        "{bank:?}"
    );
    assert!(bank.score.delays[0] <= 200, "{bank:?}");
    assert!(
        bank.columns[0]
            .iter()
            .any(|name| name == "label" || name == "error")
    );
}

#[test]
fn a_change_does_what_its_name_says() {
    let stream = sea(2_000, |_| 1.5, Use::Base, Vec::new());
    let mut random = Random::new(3, 0);
    let share = |table: &Table, from: usize| {
        let Values::Category(labels) = &table.columns[2].values else {
            unreachable!("labels are categories")
        };
        let ones = labels[from..].iter().filter(|label| **label == 1).count();
        ones as f64 / (table.rows - from) as f64
    };
    for change in Change::ALL {
        let injected = inject(&stream.table, change, 0.5..0.6, 0, &mut random).unwrap();
        let (table, start) = (&injected.table, injected.start);
        assert!((1_000..1_200).contains(&start));
        let (before, after) = (share(&stream.table, 0), share(table, start));
        match change {
            Change::Permutations => {
                let Values::Numeric(first) = &table.columns[0].values else {
                    unreachable!("features are numbers")
                };
                assert!(first[..start].iter().all(|x| *x <= 1.0));
                assert!(first[start..].iter().any(|x| *x > 1.0));
            }
            Change::ExceedSkip => assert!(after < before && table.rows < 1_800),
            Change::Prior => assert!((after - before).abs() > 0.2 && table.rows < 1_800),
            Change::Swaps => assert!(after == 0.0 || after == 1.0),
        }
    }
}
