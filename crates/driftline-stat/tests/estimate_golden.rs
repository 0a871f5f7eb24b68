//! Isotonic calibration against scikit-learn, and the decision to calibrate against NannyML.

use driftline_stat::estimate::{IsotonicCalibration, needs_calibration};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    weight: Vec<f64>,
    thresholds: Vec<f64>,
    values: Vec<f64>,
    at: Vec<f64>,
    predicted: Vec<f64>,
}

#[test]
fn isotonic_calibration_is_scikit_learns() {
    let text = include_str!("../../../tests/golden/estimate_nannyml/isotonic.json");
    let golden: Golden = serde_json::from_str(text).expect("the golden file is JSON");
    assert_eq!(golden.cases.len(), 10);
    for case in golden.cases {
        let fitted = IsotonicCalibration::fit(&case.x, &case.y, Some(&case.weight)).expect("rows");
        assert_eq!(fitted.thresholds(), case.thresholds, "{}", case.name);
        for (ours, theirs) in fitted.values().iter().zip(&case.values) {
            assert!(
                (ours - theirs).abs() < 1e-12,
                "{}: {ours} {theirs}",
                case.name
            );
        }
        for (at, theirs) in case.at.iter().zip(&case.predicted) {
            let ours = fitted.calibrate(*at);
            assert!(
                (ours - theirs).abs() < 1e-12,
                "{} at {at}: {ours} {theirs}",
                case.name
            );
        }
    }
}

#[derive(Deserialize)]
struct Decision {
    seed: u64,
    rows: usize,
    tilt: f64,
    calibrate: bool,
}

#[test]
fn scores_are_calibrated_when_nannyml_would() {
    let text = include_str!("../../../tests/golden/estimate_nannyml/decisions.json");
    let golden: Vec<Decision> = serde_json::from_str(text).expect("the golden file is JSON");
    for case in golden {
        let mut state = case.seed;
        let mut unit = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let (mut scores, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..case.rows {
            let score = unit();
            scores.push(score);
            labels.push(unit() < score + case.tilt * (0.5 - score));
        }
        let decided = needs_calibration(&scores, &labels);
        assert_eq!(
            decided, case.calibrate,
            "seed {} rows {}",
            case.seed, case.rows
        );
    }
}
