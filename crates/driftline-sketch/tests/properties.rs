//! What holds for every column, however it is cut and merged.

#![allow(clippy::unwrap_used)] // A test that fails is allowed to panic.

use driftline_event::ColumnRole;
use driftline_sketch::{
    CategoricalProfile, ColumnProfile, ColumnSummary, MISSING, MISSING_CODE, NumericProfile,
    ProfileOptions, ReferenceBuilder, ReferenceProfile, ShapeMismatch, UNSEEN_CODE, WRONG_TYPE,
    WRONG_TYPE_CODE,
};
use proptest::prelude::*;

fn profile(numbers: &[f64], texts: &[String]) -> ReferenceProfile {
    let options = ProfileOptions {
        bins: 8,
        top_categories: 5,
        hash_buckets: 4,
        distinct_sample: 3,
        ..Default::default()
    };
    let rows = numbers.len().max(texts.len());
    let mut builder = ReferenceBuilder::new("m", "1", options);
    let numbers = (0..rows)
        .map(|i| numbers.get(i).copied().unwrap_or(MISSING))
        .collect();
    builder.numeric("x", ColumnRole::Feature, numbers).unwrap();
    let texts = (0..rows).map(|i| texts.get(i).map(String::as_str));
    builder.categorical("x", ColumnRole::Output, texts).unwrap();
    builder.build().unwrap()
}

fn parts(profile: &ReferenceProfile) -> (&NumericProfile, &CategoricalProfile) {
    match [&profile.columns[0].profile, &profile.columns[1].profile] {
        [
            ColumnProfile::Numeric(numeric),
            ColumnProfile::Categorical(categorical),
        ] => (numeric, categorical),
        _ => unreachable!("built in this order"),
    }
}

fn numeric_summary(profile: &NumericProfile, values: &[f64]) -> ColumnSummary {
    let mut summary = profile.empty_summary();
    profile.add_column(values, &mut summary);
    ColumnSummary::Numeric(summary)
}

fn categorical_summary(profile: &CategoricalProfile, texts: &[String]) -> ColumnSummary {
    let mut summary = profile.empty_summary();
    let code = |text: &String| match text.as_str() {
        "" => MISSING_CODE,
        "a" => WRONG_TYPE_CODE,
        text => profile.code(text),
    };
    let codes: Vec<u32> = texts.iter().map(code).collect();
    profile.add_codes(&codes, &mut summary);
    for (text, _) in texts
        .iter()
        .zip(&codes)
        .filter(|(_, code)| **code == UNSEEN_CODE)
    {
        profile.add_unseen(text, &mut summary);
    }
    ColumnSummary::Categorical(summary)
}

fn bytes(summary: &ColumnSummary) -> Vec<u8> {
    let mut out = Vec::new();
    summary.encode(&mut out);
    out
}

/// The two sums of three summaries, in two orders and both associations.
fn merges_alike(parts: [&ColumnSummary; 3]) -> Result<ColumnSummary, TestCaseError> {
    let [a, b, c] = parts;
    let sum = |a: &ColumnSummary, b: &ColumnSummary| {
        let mut sum = a.clone();
        sum.merge(b).map(|()| sum)
    };
    let left = sum(&sum(a, b).unwrap(), c).unwrap();
    prop_assert_eq!(&left, &sum(a, &sum(b, c).unwrap()).unwrap());
    prop_assert_eq!(&left, &sum(&sum(c, b).unwrap(), a).unwrap());
    Ok(left)
}

fn a_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-20_i32..20).prop_map(|i| f64::from(i) / 4.0),
        4 => -10.0..10.0_f64,
        2 => any::<f64>(),
        1 => Just(MISSING),
        1 => Just(WRONG_TYPE),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(-0.0),
    ]
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(a_number(), 0..150)
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-c]{0,3}|ä{30,40}", 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn numeric_summaries_do_not_know_order_or_cut(
        reference in numbers(), a in numbers(), b in numbers(), c in numbers(),
    ) {
        let profile = profile(&reference, &[]);
        let (numeric, _) = parts(&profile);
        let summaries = [&a, &b, &c].map(|values| numeric_summary(numeric, values));
        let merged = merges_alike([&summaries[0], &summaries[1], &summaries[2]])?;
        let mut whole = [c, a, b].concat();
        whole.reverse();
        prop_assert_eq!(bytes(&numeric_summary(numeric, &whole)), bytes(&merged));
        prop_assert_eq!(merged.rows(), whole.len() as u64);
        let mut left = merged;
        left.subtract(&summaries[1]).unwrap();
        left.subtract(&summaries[0]).unwrap();
        prop_assert_eq!(left, summaries[2].clone());
    }

    #[test]
    fn categorical_summaries_do_not_know_order_or_cut(
        reference in texts(), a in texts(), b in texts(), c in texts(),
    ) {
        let profile = profile(&[], &reference);
        let (_, categorical) = parts(&profile);
        let summaries = [&a, &b, &c].map(|values| categorical_summary(categorical, values));
        let merged = merges_alike([&summaries[0], &summaries[1], &summaries[2]])?;
        let mut whole = [c, a, b].concat();
        whole.reverse();
        prop_assert_eq!(bytes(&categorical_summary(categorical, &whole)), bytes(&merged));
        let mut left = merged.clone();
        left.subtract(&summaries[1]).unwrap();
        left.subtract(&summaries[0]).unwrap();
        let (ColumnSummary::Categorical(left), ColumnSummary::Categorical(third)) = (left, &summaries[2])
        else { unreachable!() };
        prop_assert_eq!((&left.counts, left.unseen), (&third.counts, third.unseen));
        prop_assert_eq!((left.missing, left.wrong_type), (third.missing, third.wrong_type));
    }

    #[test]
    fn what_was_not_added_cannot_be_subtracted(reference in numbers(), a in numbers(), b in numbers()) {
        let profile = profile(&reference, &[]);
        let (numeric, _) = parts(&profile);
        let (a, b) = (numeric_summary(numeric, &a), numeric_summary(numeric, &b));
        let mut left = a.clone();
        match left.subtract(&b) {
            Ok(()) => { left.merge(&b).unwrap(); }
            Err(error) => prop_assert_eq!(error, ShapeMismatch::OutOfRange),
        }
        prop_assert_eq!(left, a);
    }

    #[test]
    fn bytes_come_back(reference in numbers(), names in texts(), values in numbers(), seen in texts()) {
        let profile = profile(&reference, &names);
        let (numeric, categorical) = parts(&profile);
        let summaries = [numeric_summary(numeric, &values), categorical_summary(categorical, &seen)];
        for (summary, column) in summaries.iter().zip(&profile.columns) {
            let encoded = bytes(summary);
            let mut input = [encoded.as_slice(), b"rest"].concat();
            let mut rest = input.as_slice();
            prop_assert_eq!(&ColumnSummary::decode(&mut rest, &column.profile).unwrap(), summary);
            prop_assert_eq!(rest, b"rest");
            for cut in 0..encoded.len() {
                prop_assert!(ColumnSummary::decode(&mut &encoded[..cut], &column.profile).is_err());
            }
            // Whatever else these bytes are turned into either fails or is canonical itself.
            for i in 0..encoded.len() {
                for flip in [1, 0x80, 0xff] {
                    input[i] ^= flip;
                    decodes_canonically(&input, &column.profile)?;
                    input[i] ^= flip;
                }
            }
        }
    }

    #[test]
    fn no_bytes_panic(reference in numbers(), names in texts(), noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let profile = profile(&reference, &names);
        for column in &profile.columns {
            for kind in [0, 1] {
                decodes_canonically(&[&[kind], noise.as_slice()].concat(), &column.profile)?;
            }
        }
    }

    #[test]
    fn profiles_come_back_from_json(reference in numbers(), names in texts(), values in numbers()) {
        let before = profile(&reference, &names);
        let json = before.to_json();
        let after = ReferenceProfile::from_json(&json).unwrap();
        prop_assert_eq!(&after, &before);
        prop_assert_eq!(after.to_json(), json);
        prop_assert_eq!(after.id(), before.id());
        let (before, after) = (parts(&before).0, parts(&after).0);
        prop_assert_eq!(numeric_summary(after, &values), numeric_summary(before, &values));
    }

    #[test]
    fn figures_are_finite_and_near(reference in numbers(), values in numbers(), q in 0.0..=1.0_f64) {
        let profile = profile(&reference, &[]);
        let (numeric, _) = parts(&profile);
        let ColumnSummary::Numeric(summary) = numeric_summary(numeric, &values) else { unreachable!() };
        for figure in [numeric.mean(&summary), numeric.standard_deviation_of(&summary), numeric.quantile(&summary, q)] {
            prop_assert!(figure.is_none_or(|f| f.is_finite()), "{:?}", figure);
        }
        if let Some(quantile) = numeric.quantile(&summary, q) {
            prop_assert!((numeric.minimum()..=numeric.maximum()).contains(&quantile));
        }
        let n = summary.valid();
        prop_assert_eq!(numeric.mean(&summary).is_some(), n > 0);
        prop_assert!(summary.below_min + summary.above_max <= n);
    }
}

fn decodes_canonically(input: &[u8], profile: &ColumnProfile) -> Result<(), TestCaseError> {
    let mut rest = input;
    if let Ok(summary) = ColumnSummary::decode(&mut rest, profile) {
        prop_assert_eq!(bytes(&summary), &input[..input.len() - rest.len()]);
        prop_assert_eq!(summary.rows() == 0, summary.is_empty());
    }
    Ok(())
}
