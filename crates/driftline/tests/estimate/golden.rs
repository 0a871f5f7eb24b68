//! Parity with NannyML 0.13.1 on the data sets that it ships: see `tests/golden/estimate_nannyml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::estimate;

/// How far a share, or the total divided by the chunk's rows, may be off.
const TOLERANCE: f64 = 1e-3;
const CLASSES: [&str; 3] = ["highstreet_card", "prepaid_card", "upmarket_card"];
const METRICS: &str = "roc_auc,average_precision,accuracy,f1,precision,recall,specificity,business_value,\
                       confusion_matrix";

#[derive(Deserialize)]
struct Golden {
    costs: Vec<Vec<f64>>,
    class_costs: Vec<Vec<f64>>,
    sets: BTreeMap<String, Vec<Plan>>,
}

#[derive(Deserialize)]
struct Plan {
    chunk_size: usize,
    calibrate: String,
    calibrated: Value,
    chunks: Vec<Chunk>,
}

#[derive(Deserialize)]
struct Chunk {
    start: usize,
    end: usize,
    metrics: BTreeMap<String, BTreeMap<String, Value>>,
}

fn golden() -> (PathBuf, Golden) {
    let directory =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/estimate_nannyml");
    let text = std::fs::read_to_string(directory.join("golden.json")).expect("the golden file");
    (
        directory.join("data"),
        serde_json::from_str(&text).expect("it is JSON"),
    )
}

fn run(data: &Path, set: &str, plan: &Plan, golden: &Golden) -> Value {
    let several = set == "cards";
    let costs = if several {
        &golden.class_costs
    } else {
        &golden.costs
    };
    let line = |row: &Vec<f64>| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    let costs = costs.iter().map(line).collect::<Vec<_>>().join(";");
    let score = if several {
        CLASSES
            .map(|class| format!("{class}=score_{class}"))
            .join(",")
    } else {
        "score".to_owned()
    };
    let (reference, current) = (
        format!("{set}_reference.parquet"),
        format!("{set}_analysis.parquet"),
    );
    let size = plan.chunk_size.to_string();
    estimate(
        data,
        &[
            "--reference",
            &reference,
            "--current",
            &current,
            "--score",
            &score,
            "--prediction",
            "prediction",
            "--label",
            "label",
            "--chunk-size",
            &size,
            "--calibrate",
            &plan.calibrate,
            "--cost-matrix",
            &costs,
            "--metrics",
            METRICS,
            "--format",
            "json",
        ],
    )
    .json()
}

/// Compares one run with NannyML's.
fn compare(set: &str, plan: &Plan, found: &Value) {
    let calibrated = match &found["calibrated"] {
        Value::Object(classes) => classes.values().cloned().collect(),
        one => one.clone(),
    };
    assert_eq!(calibrated, plan.calibrated, "{set} {}", plan.calibrate);
    let chunks = found["chunks"].as_array().expect("chunks");
    assert_eq!(chunks.len(), plan.chunks.len(), "{set}");
    for (ours, theirs) in chunks.iter().zip(&plan.chunks) {
        assert_eq!(
            (&ours["start"], &ours["end"]),
            (&theirs.start.into(), &theirs.end.into())
        );
        assert_eq!(
            ours["metrics"].as_object().expect("metrics").len(),
            theirs.metrics.len()
        );
        for (metric, figures) in &theirs.metrics {
            let is_total = metric == "business_value"
                || metric.contains('_') && metric.starts_with(['t', 'f']);
            let scale = if is_total {
                (theirs.end - theirs.start + 1) as f64
            } else {
                1.0
            };
            let ours = &ours["metrics"][metric];
            for (name, expected) in figures {
                let found = ours.get(name).unwrap_or(&Value::Null);
                match (expected.as_f64(), found.as_f64()) {
                    (Some(a), Some(b)) => {
                        let off = (a - b).abs() / scale;
                        assert!(off <= TOLERANCE, "{set} {metric} {name}: {b}, NannyML {a}");
                    }
                    _ => assert_eq!(found, expected, "{set} {metric} {name}"),
                }
            }
        }
    }
}

fn check(set: &str) {
    let (data, golden) = golden();
    let plans = &golden.sets[set];
    assert!(!plans.is_empty());
    for plan in plans {
        compare(set, plan, &run(&data, set, plan, &golden));
    }
}

#[test]
fn car_loans() {
    check("car_loan");
}

#[test]
fn work_from_home() {
    check("work_home");
}

#[test]
fn california_housing() {
    check("california");
}

#[test]
fn employment_in_massachusetts() {
    check("employment");
}

#[test]
fn credit_cards_of_three_kinds() {
    check("cards");
}
