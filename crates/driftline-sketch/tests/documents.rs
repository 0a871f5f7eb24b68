//! Reference profiles as files: what is read back, and what is refused.

#![allow(clippy::unwrap_used)] // A test that fails is allowed to panic.

use driftline_event::{ColumnKind, ColumnRole};
use driftline_sketch::{
    BuildError, MISSING, ProfileError, ProfileOptions, ReferenceBuilder, ReferenceProfile,
};
use serde_json::{Value, json};

fn builder() -> ReferenceBuilder {
    let options = ProfileOptions {
        bins: 64,
        ..ProfileOptions::default()
    };
    let mut builder = ReferenceBuilder::new("fares", "7", options);
    builder.source("january.csv");
    let km = (0..1_000).map(|i| {
        if i % 10 == 0 {
            MISSING
        } else {
            f64::from(i).sqrt()
        }
    });
    builder
        .numeric("km", ColumnRole::Feature, km.collect())
        .unwrap();
    let zone = (0..1_000).map(|i| Some(["north", "south", "\u{0}\"quoted\""][i % 3]));
    builder
        .categorical("zone", ColumnRole::Feature, zone)
        .unwrap();
    builder
}

fn reference() -> ReferenceProfile {
    builder().build().unwrap()
}

/// The document with `change` applied at `pointer`, read.
fn read_with(pointer: &str, change: Value) -> Result<ReferenceProfile, ProfileError> {
    let mut document: Value = serde_json::from_str(&reference().to_json()).unwrap();
    *document.pointer_mut(pointer).unwrap() = change;
    ReferenceProfile::from_json(&document.to_string())
}

#[test]
fn the_layout_is_that_of_the_columns() {
    let layout = reference().layout(vec!["region".into()]);
    assert_eq!(
        (layout.model.as_str(), layout.version.as_str()),
        ("fares", "7")
    );
    assert_eq!(layout.column_index(ColumnRole::Feature, "zone"), Some(1));
    assert_eq!(layout.columns[1].kind, ColumnKind::Categorical);
    assert_eq!(layout.segments, ["region"]);
}

#[test]
fn the_id_is_of_the_content() {
    let profile = reference();
    assert_eq!(profile.id().len(), 32);
    let mut elsewhere = builder();
    elsewhere.source("copy-of-january.csv");
    assert_eq!(elsewhere.build().unwrap().id(), profile.id());
    let mut more = builder();
    more.numeric("score", ColumnRole::Output, vec![0.5; 1_000])
        .unwrap();
    assert_ne!(more.build().unwrap().id(), profile.id());
}

#[test]
fn the_id_stays_what_it_was() {
    // Reports and alerts carry the id, so it must not change from one release to the next.
    assert_eq!(reference().id(), "a8a380df9bb48a41771ca3716873e3a8");
}

#[test]
fn the_builder_refuses_what_does_not_fit() {
    let mut builder = builder();
    let again = builder
        .numeric("km", ColumnRole::Feature, vec![])
        .map(|_| ());
    assert_eq!(
        again,
        Err(BuildError::DuplicateColumn {
            column: "km".into()
        })
    );
    let short = builder
        .numeric("x", ColumnRole::Feature, vec![1.0])
        .map(|_| ());
    assert_eq!(
        short,
        Err(BuildError::Rows {
            column: "x".into(),
            rows: 1,
            expected: 1_000
        })
    );
    let options = ProfileOptions {
        tail_quantiles: [f64::NAN; 4],
        ..Default::default()
    };
    let error = ReferenceBuilder::new("m", "1", options).build().err();
    assert_eq!(
        error,
        Some(BuildError::Option {
            option: "tail_quantiles"
        })
    );
}

#[test]
fn documents_of_another_format_are_named_as_such() {
    let future = r#"{"format": 4, "shape": "unknown"}"#;
    assert!(matches!(
        ReferenceProfile::from_json(future),
        Err(ProfileError::Format { found: 4 })
    ));
}

#[test]
fn changed_content_is_noticed_by_its_id() {
    let renamed = read_with("/columns/0/column/name", json!("miles"));
    assert!(matches!(renamed, Err(ProfileError::Id { .. })));
    assert!(read_with("/source", json!("elsewhere")).is_ok());
}

#[test]
fn contradictions_are_refused() {
    for (pointer, change) in [
        ("/rows", json!(999)),
        ("/columns/0/numeric", Value::Null),
        ("/columns/0/column/kind", json!("categorical")),
        (
            "/columns/1/column",
            json!({"name": "km", "kind": "categorical", "role": "feature"}),
        ),
        ("/columns/0/numeric/upper_bounds/0", json!(1e300)),
        ("/columns/0/numeric/upper_bounds", json!([])),
        ("/columns/0/numeric/range", Value::Null),
        ("/columns/0/numeric/range", json!([2.0, 1.0])),
        ("/columns/0/numeric/scale_exponent", json!(5_000)),
        ("/columns/0/numeric/counts/0", json!(u64::MAX)),
        ("/columns/0/numeric/counts/0", json!(-1)),
        ("/columns/0/numeric/clamped", json!(1_001)),
        ("/columns/0/numeric/sum", json!("1e9")),
        ("/columns/0/numeric/sum", json!(i128::MIN.to_string())),
        (
            "/columns/0/numeric/sum_of_squares",
            json!(u128::MAX.to_string()),
        ),
        ("/columns/1/categorical/top/0", json!("south")),
        ("/columns/1/categorical/top/0", json!("x".repeat(300))),
        ("/columns/1/categorical/rest", json!(["00000000000000ff"])),
        ("/columns/1/categorical/counts", json!([])),
        ("/columns/1/categorical/counts", json!([1, 1, 1, 1])),
        ("/columns/1/categorical/distinct", json!(2_000)),
        (
            "/columns/1/categorical/distinct_sample",
            json!(1_000_000_000_u64),
        ),
    ] {
        let error = read_with(pointer, change).err();
        let noticed = matches!(
            error,
            Some(ProfileError::Column { .. } | ProfileError::Json(_))
        );
        assert!(noticed, "{pointer}: {error:?}");
    }
}

#[test]
fn hostile_documents_do_not_panic() {
    let text = reference().to_json();
    for hostile in [
        "",
        "{",
        "null",
        "[]",
        "{\"format\":1}",
        "{\"format\":-1}",
        "\u{feff}{}",
    ] {
        assert!(ReferenceProfile::from_json(hostile).is_err());
    }
    assert!(ReferenceProfile::from_json(&"[".repeat(100_000)).is_err());
    for cut in (0..text.len()).step_by(7) {
        assert!(ReferenceProfile::from_json(&text[..cut]).is_err());
    }
    let mut document: Value = serde_json::from_str(&text).unwrap();
    let mut pointers = Vec::new();
    collect("", &document, &mut pointers);
    let values = [
        json!(null),
        json!(0),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!(""),
        json!([]),
        json!({}),
    ];
    for pointer in pointers {
        for value in &values {
            let Some(place) = document.pointer_mut(&pointer) else {
                continue;
            };
            let before = std::mem::replace(place, value.clone());
            let _ = ReferenceProfile::from_json(&document.to_string());
            *document.pointer_mut(&pointer).unwrap() = before;
        }
    }
}

/// Pointers to all values of the document, of long arrays only to the first.
fn collect(pointer: &str, value: &Value, into: &mut Vec<String>) {
    into.push(pointer.to_owned());
    match value {
        Value::Array(values) => {
            for (i, value) in values.iter().take(2).enumerate() {
                collect(&format!("{pointer}/{i}"), value, into);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                collect(&format!("{pointer}/{name}"), value, into);
            }
        }
        _ => {}
    }
}
