//! Summaries of outcomes add up exactly, and have one form in bytes.

use driftline_sketch::{OutcomeProfile, OutcomeRow, OutcomeSummary, PredictedSummary};
use proptest::prelude::*;

use super::rows::{add, all_tasks};

fn profiles() -> &'static [(OutcomeProfile, Vec<OutcomeRow>)] {
    static PROFILES: std::sync::OnceLock<Vec<(OutcomeProfile, Vec<OutcomeRow>)>> =
        std::sync::OnceLock::new();
    PROFILES.get_or_init(|| all_tasks(300))
}

fn summary(profile: &OutcomeProfile, rows: &[(&OutcomeRow, f64)]) -> OutcomeSummary {
    let mut summary = OutcomeSummary::empty(profile);
    for (row, weight) in rows {
        add(profile, &mut summary, row, *weight);
    }
    summary
}

fn predicted(profile: &OutcomeProfile, rows: &[(&OutcomeRow, f64)]) -> PredictedSummary {
    let mut summary = PredictedSummary::empty(profile);
    for (row, _) in rows {
        summary.add(profile, &row.scored).unwrap();
    }
    summary
}

fn bytes(summary: &OutcomeSummary) -> Vec<u8> {
    let mut bytes = Vec::new();
    summary.encode(&mut bytes);
    bytes
}

fn predicted_bytes(summary: &PredictedSummary) -> Vec<u8> {
    let mut bytes = Vec::new();
    summary.encode(&mut bytes);
    bytes
}

fn a_weight() -> impl Strategy<Value = f64> {
    prop_oneof![4 => Just(1.0), 1 => 0.0..3.0_f64, 1 => Just(0.0), 1 => Just(65_536.0)]
}

/// A task, and rows of it with weights.
fn some_rows() -> impl Strategy<Value = (usize, Vec<(usize, f64)>)> {
    let rows = prop::collection::vec((0_usize..300, a_weight()), 0..40);
    (0_usize..5, rows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_cut_and_order_gives_the_same_bytes((task, chosen) in some_rows(), cut in 0_usize..40) {
        let (profile, all) = &profiles()[task];
        let rows: Vec<(&OutcomeRow, f64)> = chosen.iter().map(|(i, w)| (&all[*i], *w)).collect();
        let (left, right) = rows.split_at(cut.min(rows.len()));
        let whole = summary(profile, &rows);
        let (a, b) = (summary(profile, left), summary(profile, right));
        for (first, second) in [(&a, &b), (&b, &a)] {
            let mut merged = first.clone();
            merged.merge(second).unwrap();
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(bytes(&merged), bytes(&whole));
            merged.subtract(second).unwrap();
            prop_assert_eq!(&merged, first);
        }
        if !b.is_empty() && b.labelled() > a.labelled() {
            let mut less = a.clone();
            prop_assert!(less.subtract(&b).is_err());
            prop_assert_eq!(&less, &a);
        }
        let whole = predicted(profile, &rows);
        let (a, b) = (predicted(profile, left), predicted(profile, right));
        let mut merged = b.clone();
        merged.merge(&a).unwrap();
        prop_assert_eq!(&merged, &whole);
        merged.subtract(&a).unwrap();
        prop_assert_eq!(merged, b);
    }

    #[test]
    fn what_is_encoded_comes_back((task, chosen) in some_rows()) {
        let (profile, all) = &profiles()[task];
        let rows: Vec<(&OutcomeRow, f64)> = chosen.iter().map(|(i, w)| (&all[*i], *w)).collect();
        let whole = summary(profile, &rows);
        let mut encoded = bytes(&whole);
        encoded.push(7);
        let mut rest = encoded.as_slice();
        prop_assert_eq!(OutcomeSummary::decode(&mut rest, profile), Ok(whole));
        prop_assert_eq!(rest, [7]);
        let whole = predicted(profile, &rows);
        let encoded = predicted_bytes(&whole);
        prop_assert_eq!(PredictedSummary::decode(&mut &encoded[..], profile), Ok(whole));
    }

    /// Whatever is read has the bytes that it was read from, and can be counted on with.
    #[test]
    fn damaged_bytes_are_refused_or_are_another_summary(
        (task, chosen) in some_rows(),
        place in any::<prop::sample::Index>(),
        byte: u8,
        cut in any::<prop::sample::Index>(),
    ) {
        let (profile, all) = &profiles()[task];
        let rows: Vec<(&OutcomeRow, f64)> = chosen.iter().map(|(i, w)| (&all[*i], *w)).collect();
        let encoded = bytes(&summary(profile, &rows));
        let shorter = &encoded[..cut.index(encoded.len())];
        prop_assert!(OutcomeSummary::decode(&mut &shorter[..], profile).is_err());
        let mut damaged = encoded;
        let place = place.index(damaged.len());
        damaged[place] = byte;
        let mut rest = damaged.as_slice();
        if let Ok(mut read) = OutcomeSummary::decode(&mut rest, profile) {
            let length = damaged.len() - rest.len();
            prop_assert_eq!(&bytes(&read)[..], &damaged[..length]);
            let twice = read.clone();
            let _ = read.merge(&twice);
            add(profile, &mut read, &all[1], 2.0);
            let _ = (read.errors(), read.effective_n(), read.delays().quantile_seconds(0.5));
        }
        let mut damaged = predicted_bytes(&predicted(profile, &rows));
        let place = place % damaged.len();
        damaged[place] = byte;
        let mut rest = damaged.as_slice();
        if let Ok(read) = PredictedSummary::decode(&mut rest, profile) {
            let length = damaged.len() - rest.len();
            prop_assert_eq!(&predicted_bytes(&read)[..], &damaged[..length]);
            let all = read.multiclass(profile).map(|view| view.count(0, view.bins(0) - 1, false));
            prop_assert!(all.is_none_or(|left| left <= read.predicted()));
        }
    }

    #[test]
    fn noise_is_refused_without_a_panic(
        task in 0_usize..5,
        noise in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let (profile, _) = &profiles()[task];
        let mut rest = noise.as_slice();
        if let Ok(read) = OutcomeSummary::decode(&mut rest, profile) {
            prop_assert_eq!(&bytes(&read)[..], &noise[..noise.len() - rest.len()]);
        }
        let _ = PredictedSummary::decode(&mut noise.as_slice(), profile);
    }
}

#[test]
fn weights_of_one_leave_no_trace() {
    let (profile, rows) = &profiles()[0];
    let of = |weight| summary(profile, &[(&rows[1], weight), (&rows[2], 1.0)]);
    let mut odd = of(0.25);
    assert!(odd.is_weighted());
    odd.subtract(&summary(profile, &[(&rows[1], 0.25)]))
        .unwrap();
    assert!(!odd.is_weighted());
    assert_eq!(odd, summary(profile, &[(&rows[2], 1.0)]));
    // One weight above and one below: their sum is that of two ones, their squares are not.
    assert!(summary(profile, &[(&rows[1], 0.5), (&rows[1], 1.5)]).is_weighted());
}

#[test]
fn summaries_of_different_profiles_are_kept_apart() {
    let summaries: Vec<OutcomeSummary> = profiles()
        .iter()
        .map(|(p, _)| OutcomeSummary::empty(p))
        .collect();
    for (i, a) in summaries.iter().enumerate() {
        for (j, b) in summaries.iter().enumerate() {
            assert_eq!(a.clone().merge(b).is_ok(), i == j);
        }
    }
}

#[test]
fn the_order_of_the_rows_makes_no_difference_to_the_profile() {
    for (profile, rows) in profiles().iter().take(1) {
        let mut reversed = rows.clone();
        reversed.reverse();
        let options = super::rows::binary_options();
        assert_eq!(
            OutcomeProfile::build(&options, &reversed).as_ref(),
            Ok(profile)
        );
    }
}
