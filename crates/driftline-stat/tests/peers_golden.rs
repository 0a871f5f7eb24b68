//! Compatibility modes against the packages themselves; `tests/golden/{evidently,nannyml}/make.py` say how.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use driftline_stat::compat::Values;
use driftline_stat::compat::evidently;
use driftline_stat::compat::nannyml::{Method, Reference, standard_deviation_threshold};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Case<R> {
    kind: String,
    shape: String,
    n: usize,
    m: usize,
    seed: u64,
    shift: f64,
    #[serde(default)]
    chosen: String,
    results: BTreeMap<String, R>,
}

/// The same steps as `make` in make.py, each exact in IEEE doubles.
fn values(shape: &str, n: usize, seed: u64, shift: f64) -> Vec<f64> {
    let mut state = seed;
    let mut draw = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 32
    };
    let unit = |draw: u64| draw as f64 / 4_294_967_296.0;
    (0..n)
        .map(|_| {
            shift
                + match shape {
                    "bell" => unit(draw()) + unit(draw()) + unit(draw()) + unit(draw()) - 2.0,
                    "heavy" => {
                        let sign = if draw().is_multiple_of(2) { 1.0 } else { -1.0 };
                        sign / (unit(draw()) + 0.01)
                    }
                    "binary" => f64::from(u8::from(unit(draw()) < 0.3)),
                    "constant" => 1.0,
                    cells => (unit(draw()) * cells.parse::<f64>().unwrap()).floor(),
                }
        })
        .collect()
}

impl<R> Case<R> {
    fn samples(&self) -> (Vec<f64>, Vec<f64>) {
        (
            values(&self.shape, self.n, self.seed, 0.0),
            values(&self.shape, self.m, self.seed + 1, self.shift),
        )
    }

    fn name(&self) -> String {
        format!(
            "{} {} {} {} {}",
            self.kind, self.shape, self.n, self.m, self.seed
        )
    }
}

fn counts(values: &[f64]) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for v in values {
        *counts.entry(format!("c{v:02}")).or_default() += 1;
    }
    counts.into_iter().collect()
}

fn borrowed(counts: &[(String, u64)]) -> Vec<(&str, u64)> {
    counts.iter().map(|(name, n)| (name.as_str(), *n)).collect()
}

fn is_close(actual: f64, expected: f64) -> bool {
    (actual - expected).abs() <= 1e-9 * expected.abs() + 1e-12
}

/// The rounding error in the peer's own root of a difference: NannyML's leftover bin and Evidently's 1 − overlap.
const ROOT_NOISE: f64 = 1e-7;

/// Score and whether it counts as drift; none where the test raised, and no score where it is NaN.
type EvidentlyResult = Option<(Option<f64>, bool)>;

#[test]
fn evidently_agrees() {
    let text = include_str!("../../../tests/golden/evidently/golden.json");
    let cases: Vec<Case<EvidentlyResult>> = serde_json::from_str(text).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let (left, right) = case.samples();
        let (left_counts, right_counts) = (counts(&left), counts(&right));
        let (left_counts, right_counts) = (borrowed(&left_counts), borrowed(&right_counts));
        let (reference, current) = match case.kind.as_str() {
            "num" => (Values::Numbers(&left), Values::Numbers(&right)),
            _ => (
                Values::Categories(&left_counts),
                Values::Categories(&right_counts),
            ),
        };
        let chosen = evidently::choose(reference, current).as_str();
        if chosen != case.chosen {
            wrong.push(format!("{}: {} but {chosen}", case.name(), case.chosen));
        }
        for (name, expected) in &case.results {
            let test = *evidently::Test::ALL
                .iter()
                .find(|t| t.as_str() == name)
                .unwrap();
            let actual = evidently::run(test, reference, current);
            let agrees = match (expected, &actual) {
                (Some((Some(score), drifted)), Ok(actual)) => {
                    let rounding = (actual.score - score).abs() < ROOT_NOISE && *score < 1e-6;
                    (is_close(actual.score, *score) || rounding) && actual.drifted == *drifted
                }
                (Some((None, _)) | None, Err(_)) => true,
                _ => false,
            };
            if !agrees {
                wrong.push(format!(
                    "{} {name}: {expected:?} but {actual:?}",
                    case.name()
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[derive(Deserialize)]
struct NannyMl {
    cases: Vec<Case<serde_json::Value>>,
    thresholds: Vec<Threshold>,
}

#[derive(Deserialize)]
struct Threshold {
    chunks: Vec<f64>,
    upper: f64,
}

#[test]
fn nannyml_agrees() {
    let text = include_str!("../../../tests/golden/nannyml/golden.json");
    let golden: NannyMl = serde_json::from_str(text).unwrap();
    let mut wrong = Vec::new();
    for case in &golden.cases {
        let (left, right) = case.samples();
        let (left_counts, right_counts) = (counts(&left), counts(&right));
        let (left_counts, right_counts) = (borrowed(&left_counts), borrowed(&right_counts));
        let (reference, chunk) = match case.kind.as_str() {
            "continuous" => (Values::Numbers(&left), Values::Numbers(&right)),
            _ => (
                Values::Categories(&left_counts),
                Values::Categories(&right_counts),
            ),
        };
        let reference = Reference::new(reference).unwrap();
        for (name, expected) in &case.results {
            if name == "chi2_alert" {
                let alerts = reference.chi_square_alerts(chunk).unwrap();
                if expected.as_bool() != Some(alerts) {
                    wrong.push(format!("{} {name}: {expected} but {alerts}", case.name()));
                }
                continue;
            }
            let method = *Method::ALL.iter().find(|m| m.as_str() == name).unwrap();
            let actual = reference.compare(method, chunk).unwrap();
            let expected = expected.as_f64().unwrap();
            let rounding = (actual - expected).abs() < ROOT_NOISE && expected < 1e-6;
            if !is_close(actual, expected) && !rounding {
                wrong.push(format!("{} {name}: {expected} but {actual}", case.name()));
            }
        }
    }
    for Threshold { chunks, upper } in golden.thresholds {
        let actual = standard_deviation_threshold(&chunks, 3.0, Some(1.0)).unwrap();
        assert!(is_close(actual, upper), "{actual} {upper}");
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
