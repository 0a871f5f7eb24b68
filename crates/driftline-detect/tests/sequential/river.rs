//! Against river; `tests/golden/sequential_river/make.py` says how the file came about.

use std::collections::BTreeMap;

use driftline_detect::sequential::{Compat, Detector, SequentialDetector, Signal};
use serde::Deserialize;

use crate::streams;

const GOLDEN: &str = include_str!("../../../../tests/golden/sequential_river/golden.json");

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    detector: String,
    params: BTreeMap<String, String>,
    runs: BTreeMap<String, Run>,
}

impl Case {
    fn detector(&self) -> Detector {
        let name = self.detector.parse().unwrap();
        let params: Vec<_> = self.params.clone().into_iter().collect();
        Detector::build(name, Compat::River, &params).unwrap()
    }
}

/// Where a detector gives a signal.
#[derive(Debug, Default, PartialEq, Deserialize)]
struct Run {
    drifts: Vec<usize>,
    /// First index and length of each stretch.
    warnings: Vec<[usize; 2]>,
}

impl Run {
    fn of(detector: &mut impl SequentialDetector, values: &[f64]) -> Self {
        let mut run = Self::default();
        for (i, value) in values.iter().enumerate() {
            match detector.update(*value) {
                Signal::Stable => {}
                Signal::Drift => run.drifts.push(i),
                Signal::Warning => match run.warnings.last_mut() {
                    Some([start, length]) if *start + *length == i => *length += 1,
                    _ => run.warnings.push([i, 1]),
                },
            }
        }
        run
    }
}

fn golden() -> Vec<Case> {
    serde_json::from_str::<Golden>(GOLDEN).unwrap().cases
}

#[test]
fn every_drift_and_warning_is_at_the_same_value_as_rivers() {
    let streams: BTreeMap<_, _> = streams::all()
        .into_iter()
        .map(|stream| (stream.name, stream.values))
        .collect();
    let mut sets = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in golden() {
        assert!(case.runs.len() >= 25, "{}", case.detector);
        *sets.entry(case.detector.clone()).or_insert(0) += 1;
        for (stream, expected) in &case.runs {
            let got = Run::of(&mut case.detector(), &streams[stream]);
            if got != *expected {
                wrong.push(format!(
                    "{} {:?} {stream}:\n {got:?}\n {expected:?}",
                    case.detector, case.params
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} runs differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(sets.len(), 8);
    assert!(sets.values().all(|&sets| sets == 3));
}
