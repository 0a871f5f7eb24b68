//! Vectors: what their features show, and that they add up exactly.

#![allow(clippy::unwrap_used)] // A test that fails is allowed to panic.

mod common;

use common::Random;
use driftline_event::{ColumnKind, ColumnRole};
use driftline_sketch::{
    BuildError, ColumnProfile, ColumnSummary, DecodeError, EmbeddingOptions, EmbeddingProfile,
    EmbeddingSummary, MISSING, ProfileError, ProfileOptions, ReferenceBuilder, ReferenceProfile,
    ShapeMismatch,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn vectors(rows: usize, dimension: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut random = Random(seed);
    (0..dimension)
        .map(|_| (0..rows).map(|_| 5.0 + 2.0 * random.normal()).collect())
        .collect()
}

fn named(columns: &[Vec<f64>]) -> Vec<(String, Vec<f64>)> {
    let name = |(i, column): (usize, &Vec<f64>)| (format!("e{i}"), column.clone());
    columns.iter().enumerate().map(name).collect()
}

fn builder(columns: &[Vec<f64>], features: usize) -> Result<ReferenceBuilder, BuildError> {
    let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
    let options = EmbeddingOptions { features, seed: 9 };
    builder.embedding("v", named(columns), options)?;
    Ok(builder)
}

fn reference(columns: &[Vec<f64>]) -> ReferenceProfile {
    builder(columns, 64).unwrap().build().unwrap()
}

fn embedding(profile: &ReferenceProfile) -> &EmbeddingProfile {
    match &profile.columns.last().unwrap().profile {
        ColumnProfile::Embedding(embedding) => embedding,
        _ => unreachable!("embeddings are last"),
    }
}

fn summary(profile: &EmbeddingProfile, columns: &[Vec<f64>]) -> EmbeddingSummary {
    let row = |i: usize| columns.iter().map(|c| c[i]).collect::<Vec<f64>>();
    let rows: Vec<Vec<f64>> = (0..columns[0].len()).map(row).collect();
    let mut summary = EmbeddingSummary::default();
    let rows = rows.iter().map(Vec::as_slice);
    profile.add_rows(rows, &mut Vec::new(), &mut summary);
    summary
}

/// The squared distance of mean features.
fn distance(a: &EmbeddingSummary, b: &EmbeddingSummary) -> f64 {
    let (n, m) = (a.valid as f64, b.valid as f64);
    let squares = a.hits().zip(b.hits()).map(|(x, y)| (x / n - y / m).powi(2));
    8.0 / a.sums.len() as f64 * squares.sum::<f64>()
}

fn bytes(summary: EmbeddingSummary) -> Vec<u8> {
    let mut out = Vec::new();
    ColumnSummary::Embedding(summary).encode(&mut out);
    out
}

#[test]
fn the_reference_is_counted_by_the_same_code() {
    let columns = vectors(1_000, 5, 1);
    let profile = reference(&columns);
    let found = summary(embedding(&profile), &columns);
    assert_eq!(&found, embedding(&profile).reference());
    assert_eq!(
        (found.valid, found.missing, found.rows()),
        (1_000, 0, 1_000)
    );
    // Five standard normal coordinates are about √(2·5) apart.
    let bandwidth = embedding(&profile).bandwidth();
    assert!((2.7..3.4).contains(&bandwidth), "{bandwidth}");
}

#[test]
fn a_broken_correlation_moves_the_mean_embedding() {
    let mut random = Random(3);
    let mut draw = |rho: f64| -> Vec<Vec<f64>> {
        let mut columns = vec![Vec::new(); 4];
        for _ in 0..4_000 {
            let common = random.normal();
            for column in &mut columns {
                column.push(rho * common + (1.0 - rho * rho).sqrt() * random.normal());
            }
        }
        columns
    };
    let profile = reference(&draw(0.8));
    let profile = embedding(&profile);
    let (same, broken) = (summary(profile, &draw(0.8)), summary(profile, &draw(0.0)));
    let floor = profile.covariance().trace * 2.0 / 4_000.0;
    assert!(distance(profile.reference(), &same) < 3.0 * floor);
    assert!(distance(profile.reference(), &broken) > 30.0 * floor);
}

#[test]
fn a_vector_is_whole_or_missing() {
    let profile = reference(&vectors(500, 3, 1));
    let profile = embedding(&profile);
    let mut columns = vectors(6, 3, 2);
    columns[0][1] = MISSING;
    columns[1][2] = f64::NAN;
    columns[2][3] = f64::INFINITY;
    let found = summary(profile, &columns);
    assert_eq!((found.valid, found.missing), (3, 3));
    // However far, a coordinate is a number.
    let far = summary(profile, &[vec![f64::MAX], vec![f64::MIN], vec![1e300]]);
    assert_eq!((far.valid, far.missing), (1, 0));
    assert!(far.hits().all(|z| (0.0..=1.0).contains(&z)));
}

#[test]
fn coordinates_are_in_the_layout_once() {
    let columns = vectors(300, 4, 1);
    let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
    let options = EmbeddingOptions::default();
    builder
        .embedding("v", named(&columns[..3]), options)
        .unwrap();
    builder
        .embedding("w", named(&columns[1..]), options)
        .unwrap();
    builder
        .numeric("n", ColumnRole::Feature, columns[3].clone())
        .unwrap();
    // One of the coordinates is a column of its own as well.
    builder
        .numeric("e1", ColumnRole::Feature, columns[1].clone())
        .unwrap();
    let profile = builder.build().unwrap();
    let layout = profile.layout(vec![]);
    let names: Vec<&str> = layout.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["n", "e1", "e0", "e2"]);
    assert!(layout.columns.iter().all(|c| c.kind == ColumnKind::Numeric));
    assert_eq!((profile.event_columns(), profile.columns.len()), (2, 4));
    // n, e1, e0, e2
    let row = [columns[3][0], columns[1][0], columns[0][0], columns[2][0]];
    for (column, from) in profile.columns[2..].iter().zip([0, 1]) {
        let ColumnProfile::Embedding(embedding) = &column.profile else {
            unreachable!("derived")
        };
        let mut found = embedding.empty_summary();
        embedding.add_rows([row.as_slice()], &mut Vec::new(), &mut found);
        let alone = reference(&columns[from..from + 3]);
        assert_eq!(found.valid, 1);
        assert_eq!(embedding.bandwidth(), {
            let options = (&alone.columns[0].profile, 0);
            let ColumnProfile::Embedding(alone) = options.0 else {
                unreachable!()
            };
            alone.bandwidth()
        });
    }
}

#[test]
fn what_is_no_vector_is_refused() {
    let two = vectors(10, 2, 1);
    let error = |columns: &[Vec<f64>], features| builder(columns, features).unwrap_err();
    let column = || "v".to_owned();
    assert_eq!(error(&[], 64), BuildError::Coordinates { column: column() });
    let uneven = [two[0].clone(), vec![1.0]];
    assert_eq!(
        error(&uneven, 64),
        BuildError::Coordinates { column: column() }
    );
    for features in [0, 8, 65, 2_048] {
        assert_eq!(
            error(&two, features),
            BuildError::Option { option: "features" }
        );
    }
    let missing = [vec![1.0, 2.0, MISSING], vec![MISSING, 1.0, 2.0]];
    assert_eq!(
        error(&missing, 64),
        BuildError::TooFewVectors { column: column() }
    );
    let mut mixed = builder(&two, 64).unwrap();
    mixed
        .categorical("e0", ColumnRole::Feature, vec![Some("a"); 10])
        .unwrap();
    let coordinate = "e0".to_owned();
    let wanted = BuildError::CoordinateKind {
        column: column(),
        coordinate,
    };
    assert_eq!(mixed.build(), Err(wanted));
}

#[test]
fn constant_and_wild_vectors_have_profiles() {
    let wild = vec![f64::MAX, f64::MIN, 0.0, f64::MAX, 1.0];
    for columns in [
        vec![vec![1.0; 5]; 2],
        vec![wild, vec![0.0; 5]],
        vec![vec![5e-324, 0.0, 0.0]],
    ] {
        let profile = reference(&columns);
        let found = embedding(&profile);
        assert!(found.bandwidth().is_finite() && found.bandwidth() > 0.0);
        assert!(found.covariance().trace.is_finite());
        assert_eq!(
            ReferenceProfile::from_json(&profile.to_json()).unwrap(),
            profile
        );
    }
}

#[test]
fn the_bytes_are_these() {
    let profile = reference(&vectors(10, 2, 1));
    let empty = embedding(&profile).empty_summary();
    assert_eq!(bytes(empty.clone()), [2, 0, 0]);
    let column = &profile.columns[0].profile;
    let read = |bytes: &[u8]| ColumnSummary::decode(&mut &bytes[..], column);
    let missing = EmbeddingSummary {
        missing: 300,
        ..empty
    };
    assert_eq!(
        read(&[2, 0, 0xac, 2]),
        Ok(ColumnSummary::Embedding(missing))
    );
    assert_eq!(read(&[2, 1]), Err(DecodeError::Truncated));
    assert_eq!(read(&[0, 0, 0]), Err(DecodeError::Kind));
    // More than each vector can bring.
    let mut wrong = [vec![2, 1, 0], vec![0; 63]].concat();
    wrong.extend([0x81, 0x80, 0x80, 4]);
    assert_eq!(read(&wrong), Err(DecodeError::Impossible));
    assert_eq!(
        read(&[[2].as_slice(), &[0xff; 40]].concat()),
        Err(DecodeError::Impossible)
    );
}

#[test]
fn the_id_and_the_sums_stay_what_they_were() {
    // Reports carry the id, and sums of different releases are added up.
    let columns: Vec<Vec<f64>> = (0..3)
        .map(|i| {
            (0..200)
                .map(|row| f64::from((row * (row + i)) % 101))
                .collect()
        })
        .collect();
    let profile = reference(&columns);
    assert_eq!(profile.id(), "00fb54cc9671984fbac276d2a9eb226c");
    assert_eq!(
        embedding(&profile).reference().sums[..4],
        [989_649_911, 462_690_815, 1_146_271_647, 1_329_704_399]
    );
}

fn read_with(pointer: &str, change: Value) -> Result<ReferenceProfile, ProfileError> {
    let columns = vectors(100, 3, 1);
    let mut builder = builder(&columns, 16).unwrap();
    builder
        .numeric("n", ColumnRole::Feature, columns[0].clone())
        .unwrap();
    let profile = builder.build().unwrap();
    let mut document: Value = serde_json::from_str(&profile.to_json()).unwrap();
    assert_eq!(document["format"], 2);
    *document.pointer_mut(pointer).unwrap() = change;
    ReferenceProfile::from_json(&document.to_string())
}

#[test]
fn contradictions_are_refused() {
    for (pointer, change) in [
        ("/columns/1/embedding", Value::Null),
        ("/columns/1/column/kind", json!("numeric")),
        ("/columns/1/column/role", json!("output")),
        ("/columns/1/embedding/coordinates/0", json!("e1")),
        ("/columns/1/embedding/coordinates", json!([])),
        ("/columns/1/embedding/centres", json!([1.0])),
        ("/columns/1/embedding/scales/0", json!(0.0)),
        ("/columns/1/embedding/bandwidth", json!(-1.0)),
        ("/columns/1/embedding/generator", json!(2)),
        ("/columns/1/embedding/valid", json!(99)),
        ("/columns/1/embedding/missing", json!(u64::MAX)),
        ("/columns/1/embedding/sums/0", json!(u64::MAX)),
        ("/columns/1/embedding/sums", json!([1, 2])),
        ("/columns/1/embedding/trace", json!(-1.0)),
        ("/columns/1/embedding/seed", json!(1)),
        ("/columns/0/column/name", json!("n2")),
    ] {
        let error = read_with(pointer, change).err();
        assert!(error.is_some(), "{pointer}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sums_do_not_know_order_or_cut(
        values in prop::collection::vec(prop_oneof![9 => -9.0..9.0_f64, 1 => Just(MISSING), 1 => any::<f64>()], 2..400),
        cut in any::<prop::sample::Index>(),
    ) {
        let profile = reference(&vectors(50, 2, 4));
        let profile = embedding(&profile);
        let half = values.len() / 2;
        let columns = [values[..half].to_vec(), values[half..2 * half].to_vec()];
        let cut = cut.index(half + 1);
        let part = |from: usize, to: usize| {
            let columns: Vec<Vec<f64>> = columns.iter().map(|c| c[from..to].to_vec()).collect();
            summary(profile, &columns)
        };
        let whole = ColumnSummary::Embedding(part(0, half));
        let (first, last) = (part(0, cut), part(cut, half));
        let mut sum = ColumnSummary::Embedding(last.clone());
        sum.merge(&ColumnSummary::Embedding(first.clone())).unwrap();
        prop_assert_eq!(&sum, &whole);
        sum.subtract(&ColumnSummary::Embedding(first.clone())).unwrap();
        prop_assert_eq!(&sum, &ColumnSummary::Embedding(last.clone()));
        let mut reversed = columns.clone();
        reversed.iter_mut().for_each(|column| column.reverse());
        prop_assert_eq!(ColumnSummary::Embedding(summary(profile, &reversed)), whole);
        // What is no part cannot be taken away, and nothing changes then.
        let mut less = ColumnSummary::Embedding(first);
        let before = less.clone();
        if let Err(error) = less.subtract(&ColumnSummary::Embedding(last)) {
            prop_assert_eq!(error, ShapeMismatch::OutOfRange);
            prop_assert_eq!(less, before);
        }
    }

    #[test]
    fn bytes_come_back_and_none_panic(rows in 1_usize..90, noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let profile = reference(&vectors(60, 3, 4));
        let column = &profile.columns[0].profile;
        let found = summary(embedding(&profile), &vectors(rows, 3, 5));
        let encoded = bytes(found.clone());
        let read = ColumnSummary::decode(&mut &encoded[..], column);
        prop_assert_eq!(read, Ok(ColumnSummary::Embedding(found)));
        for end in 0..encoded.len() {
            prop_assert!(ColumnSummary::decode(&mut &encoded[..end], column).is_err());
        }
        let noise = [&[2], noise.as_slice()].concat();
        let mut rest = noise.as_slice();
        if let Ok(summary) = ColumnSummary::decode(&mut rest, column) {
            let mut out = Vec::new();
            summary.encode(&mut out);
            prop_assert_eq!(&out[..], &noise[..noise.len() - rest.len()]);
        }
    }
}
