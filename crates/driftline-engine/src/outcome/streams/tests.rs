//! Each task's streams see what they are about, and say it.

use driftline_sketch::{
    ClassScore, OutcomeLabel, OutcomeOptions, OutcomeRow, Scored, Truth, ranking_item,
};

use super::*;

fn profile(options: OutcomeOptions, rows: &[(Scored, Truth)]) -> OutcomeProfile {
    let rows: Vec<OutcomeRow> = rows
        .iter()
        .map(|&(scored, truth)| OutcomeRow {
            scored,
            label: Some(OutcomeLabel {
                truth,
                weight: 1.0,
                delay_micros: Some(0),
            }),
        })
        .collect();
    OutcomeProfile::build(&options, &rows).unwrap()
}

fn summary(profile: &OutcomeProfile, rows: &[(Scored, Truth)]) -> OutcomeSummary {
    let mut summary = OutcomeSummary::empty(profile);
    for (scored, truth) in rows {
        summary.add(profile, scored, *truth, 1.0, Some(0)).unwrap();
    }
    summary
}

/// What each indicator counts in the reference, by its words; and that the weights add up to one.
fn said(profile: &OutcomeProfile, of: &OutcomeSummary) -> Vec<(&'static str, String, f64, f64)> {
    let streams = Streams::new(profile, 10);
    let all = 0..streams.kinds().count();
    let weights: f64 = all.map(|s| streams.weight(s)).sum();
    assert!((weights - 1.0).abs() < 1e-12);
    let tallies = streams.read(profile, of);
    assert_eq!(tallies.len(), streams.len());
    let banks = streams.banks(profile, of, (None, 720.0));
    assert_eq!(banks.len(), streams.len());
    let mut said = Vec::new();
    for (stream, tally) in tallies.iter().enumerate() {
        for indicator in 0..tally.hits.len() {
            let words = streams.words(profile, (stream, indicator));
            let (hits, trials) = tally.of(indicator);
            said.push((streams.kind(stream).name(), words, hits, trials));
        }
    }
    said
}

#[test]
fn two_classes() {
    let rows: Vec<(Scored, Truth)> = (0..1_000)
        .map(|i| {
            let score = f64::from(i) / 1_000.0;
            let positive = score >= 0.5;
            // Every tenth is wrong.
            let truth = u16::from(positive != (i % 10 == 0));
            (Scored::Binary { score, positive }, Truth::Class(truth))
        })
        .collect();
    let options = OutcomeOptions {
        classes: vec!["no".to_owned(), "yes".to_owned()],
        score_columns: vec!["p".to_owned()],
        ..OutcomeOptions::new(Task::Binary)
    };
    let profile = profile(options, &rows);
    let said = said(&profile, &summary(&profile, &rows));
    let of = |i: usize| (said[i].0, said[i].1.as_str(), said[i].2, said[i].3);
    assert_eq!(of(0), ("error", "wrong", 100.0, 1_000.0));
    assert_eq!(of(1), ("error", "wrong where predicted yes", 50.0, 500.0));
    assert_eq!(of(2), ("error", "wrong where predicted no", 50.0, 500.0));
    assert_eq!(of(13), ("label", "label = yes", 500.0, 1_000.0));
    let groups: Vec<_> = said.iter().filter(|s| s.0 == "calibration").collect();
    assert_eq!(groups.len(), 10);
    assert!(
        groups.iter().all(|g| (80.0..120.0).contains(&g.3)),
        "{groups:?}"
    );
    assert!(
        groups[0].1.starts_with("truly yes where the score ≤ 0.1"),
        "{groups:?}"
    );
    assert!(
        groups[9].1.starts_with("truly yes where the score > 0.9"),
        "{groups:?}"
    );
}

#[test]
fn several_classes() {
    let rows: Vec<(Scored, Truth)> = (0..900_u16)
        .map(|i| {
            let mut top = [ClassScore::NONE; 5];
            top[0] = ClassScore {
                class: i % 3,
                probability: 0.8,
            };
            let scored = Scored::Multiclass {
                decided: i % 3,
                top,
            };
            // Every tenth label is of a class that nobody knows.
            (scored, Truth::Class(if i % 10 == 0 { 3 } else { i % 3 }))
        })
        .collect();
    let names = ["a", "b", "c"];
    let options = OutcomeOptions {
        classes: names.map(str::to_owned).to_vec(),
        score_columns: names.map(str::to_owned).to_vec(),
        ..OutcomeOptions::new(Task::Multiclass)
    };
    let profile = profile(options, &rows);
    let said = said(&profile, &summary(&profile, &rows));
    let of = |i: usize| (said[i].0, said[i].1.as_str(), said[i].2, said[i].3);
    assert_eq!(of(0), ("error", "wrong", 90.0, 900.0));
    assert_eq!(of(3), ("error", "wrong where predicted c", 30.0, 300.0));
    let known = said.iter().find(|s| s.1 == "label = a or b or c");
    let known = known.unwrap_or_else(|| panic!("{said:?}"));
    assert_eq!((known.0, known.2, known.3), ("label", 810.0, 900.0));
}

#[test]
fn numbers() {
    let row = |i: i32, shift: f64| {
        let label = f64::from(i % 97);
        let value = label + f64::from(i % 41 - 20) + shift;
        (Scored::Regression { value }, Truth::Number(label))
    };
    let rows: Vec<_> = (0..5_000).map(|i| row(i, 0.0)).collect();
    let options = OutcomeOptions {
        score_columns: vec!["value".to_owned()],
        ..OutcomeOptions::new(Task::Regression)
    };
    let profile = profile(options, &rows);
    let usual = said(&profile, &summary(&profile, &rows));
    for kind in ["error", "calibration", "label"] {
        assert!(usual.iter().filter(|s| s.0 == kind).count() > 20, "{kind}");
    }
    assert!(usual.iter().any(|s| s.1.starts_with("|error| ≤ ")));
    assert!(usual.iter().any(|s| s.1.contains(" < label ≤ ")));
    let high: Vec<_> = (0..5_000).map(|i| row(i, 10.0)).collect();
    let shifted = said(&profile, &summary(&profile, &high));
    let moved = |kind: &str| -> f64 {
        let both = usual.iter().zip(&shifted).filter(|(u, _)| u.0 == kind);
        both.map(|(u, s)| (u.2 / u.3 - s.2 / s.3).abs())
            .fold(0.0, f64::max)
    };
    assert!(moved("calibration") > 0.2 && moved("error") > 0.1 && moved("label") == 0.0);
    // One stream more than the bank's: the mean of |error| up to a cap. What errors had is shared.
    let streams = Streams::new(&profile, 10);
    assert_eq!((streams.len(), streams.kinds().count()), (3, 4));
    assert_eq!(streams.kind(3), StreamKind::Loss);
    assert!((0..4).all(|s| streams.weight(s) == 0.25));
    let loss = streams.loss().unwrap();
    let mean = |rows: &[(Scored, Truth)]| {
        let tally = loss.read(&profile, &summary(&profile, rows));
        assert_eq!(tally.n(), 5_000.0);
        loss.cap() * tally.mean().unwrap()
    };
    // |error| is any of 0 to 20, each with a bin of its own, so that the means are exact but for how often each occurs.
    let (usual, high) = (mean(&rows), mean(&high));
    assert_eq!(loss.cap(), 20.0);
    assert!((usual - 420.0 / 41.0).abs() < 0.02, "{usual}");
    assert!((high - 465.0 / 41.0).abs() < 0.02, "{high}");
}

#[test]
fn a_loss_needs_a_size_of_errors() {
    let row = |error: f64| {
        (
            Scored::Regression { value: 1.0 + error },
            Truth::Number(1.0),
        )
    };
    let options = || OutcomeOptions {
        score_columns: vec!["value".to_owned()],
        ..OutcomeOptions::new(Task::Regression)
    };
    // Always right: nothing to measure errors by, and the bank's streams have all of the budget.
    let rows = vec![row(0.0); 500];
    let right = profile(options(), &rows);
    assert!(Streams::new(&right, 10).loss().is_none());
    said(&right, &summary(&right, &rows));
    // Errors of 0 to 99, and a thousand times that in one of 200: far beyond the cap.
    let mut rows: Vec<_> = (0..2_000).map(|i| row(f64::from(i % 100))).collect();
    rows.extend((0..10).map(|_| row(100_000.0)));
    let wild = profile(options(), &rows);
    let streams = Streams::new(&wild, 10);
    let loss = streams.loss().unwrap();
    assert!((97.0..=99.0).contains(&loss.cap()), "{loss:?}");
    let tally = loss.read(&wild, &summary(&wild, &rows[2_000..]));
    assert_eq!(
        (tally.n(), tally.sum(), tally.squares()),
        (10.0, 10.0, 10.0)
    );
    let zero = loss.read(&wild, &summary(&wild, &[row(0.0)]));
    assert!(zero.sum() < 0.02, "{zero:?}");
}

#[test]
fn rankings() {
    let row = |rank: usize| {
        let item = |i: usize| ranking_item(&i.to_string());
        let mut items = [0; 10];
        (0..10).for_each(|i| items[i] = item(i));
        (Scored::Ranking { items }, Truth::Item(item(rank)))
    };
    let rows: Vec<_> = (0..100).map(|i| row(i % 20)).collect();
    let options = OutcomeOptions {
        score_columns: Vec::new(),
        decision: driftline_sketch::DecisionSource::Column("items".to_owned()),
        ..OutcomeOptions::new(Task::Ranking)
    };
    let profile = profile(options, &rows);
    let said = said(&profile, &summary(&profile, &rows));
    assert_eq!(said.len(), 2);
    let gain: f64 = (0..10).map(|rank| 1.0 / f64::from(rank + 2).log2()).sum();
    assert!((said[0].2 - (100.0 - 5.0 * gain)).abs() < 1e-9, "{said:?}");
    assert_eq!(
        (said[1].1.as_str(), said[1].2, said[1].3),
        ("not among the first 10", 50.0, 100.0)
    );
}
