//! MOA and Frouros: `tests/golden/sequential_{moa,frouros}/make.py` say how the files came about.

use std::collections::BTreeMap;

use driftline_detect::sequential::{
    Compat, Detector, DetectorName, SequentialDetector as _, Signal,
};
use serde::Deserialize;
use serde_json::{Number, Value};

use crate::streams;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    detector: String,
    params: BTreeMap<String, Number>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    stream: String,
    drifts: Vec<usize>,
    warnings: usize,
    /// As `check()` of the scripts.
    check: String,
}

fn check(indices: &[usize]) -> String {
    let mix = |total: u64, i: &usize| {
        (total ^ *i as u64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(1)
    };
    format!("{:016x}", indices.iter().fold(0, mix))
}

/// What of a stream the detector calls drifts and warnings.
fn run(detector: &mut Detector, values: &[f64]) -> [Vec<usize>; 2] {
    let mut seen = [Vec::new(), Vec::new()];
    for (i, value) in values.iter().enumerate() {
        match detector.update(*value) {
            Signal::Drift => seen[0].push(i),
            Signal::Warning => seen[1].push(i),
            Signal::Stable => {}
        }
    }
    seen
}

fn parity(compat: Compat, golden: &str, least: &BTreeMap<&str, usize>) {
    let golden: Golden = serde_json::from_str(golden).expect("the golden file");

    let streams: BTreeMap<String, Vec<f64>> = streams::all()
        .into_iter()
        .map(|s| (s.name, s.values))
        .collect();
    let mut sets = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in golden.cases.iter().filter(|c| c.detector != "ddm") {
        *sets.entry(case.detector.as_str()).or_insert(0) += 1;
        assert!(case.runs.len() >= 25, "{}", case.detector);
        let name: DetectorName = case.detector.parse().expect("a detector");
        let text = |(name, value): (&String, &Number)| {
            (name.clone(), Value::from(value.clone()).to_string())
        };
        let params: Vec<(String, String)> = case.params.iter().map(text).collect();
        let fresh = Detector::build(name, compat, &params).expect("parameters of the reference");
        for expected in &case.runs {
            let [drifts, warnings] = run(&mut fresh.clone(), &streams[&expected.stream]);
            if drifts != expected.drifts
                || warnings.len() != expected.warnings
                || check(&warnings) != expected.check
            {
                let first = drifts
                    .iter()
                    .zip(&expected.drifts)
                    .position(|(a, b)| a != b);
                wrong.push(format!(
                    "{name} {params:?} on {}: {} drifts for {}, first other {first:?} ({:?} for {:?}), {} warnings for {}",
                    expected.stream, drifts.len(), expected.drifts.len(),
                    first.map(|i| drifts[i]), first.map(|i| expected.drifts[i]),
                    warnings.len(), expected.warnings,
                ));
            }
        }
    }
    assert_eq!(&sets, least);
    assert!(
        wrong.is_empty(),
        "{} runs differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn drifts_and_warnings_are_those_of_moa() {
    let golden = include_str!("../../../../tests/golden/sequential_moa/golden.json");
    let sets = ["rddm", "stepd", "ecdd", "cusum", "gma", "page_hinkley"].map(|name| (name, 3));
    parity(Compat::Moa, golden, &BTreeMap::from(sets));
}

#[test]
fn drifts_and_warnings_are_those_of_frouros() {
    let golden = include_str!("../../../../tests/golden/sequential_frouros/golden.json");
    let sets = ["stepd", "ecdd", "cusum", "gma", "page_hinkley"].map(|name| (name, 3));
    parity(Compat::Frouros, golden, &BTreeMap::from(sets));
}
