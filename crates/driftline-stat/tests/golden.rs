//! Every test against scipy, numpy and astropy; `tests/golden/two_sample/make.py` says how the file came about.

#![allow(clippy::unwrap_used)]

use driftline_stat::sample::{CategoricalPair, NumericPair, Test, TestError, TestResult};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Golden {
    numeric: Vec<NumericCase>,
    categorical: Vec<CategoricalCase>,
}

#[derive(Deserialize)]
struct NumericCase {
    reference: Spec,
    current: Spec,
    results: BTreeMap<String, Option<Expected>>,
}

#[derive(Deserialize)]
struct CategoricalCase {
    reference: Vec<(String, u64)>,
    current: Vec<(String, u64)>,
    results: BTreeMap<String, Option<Expected>>,
}

#[derive(Debug, Deserialize)]
struct Expected(Statistic, Option<f64>, String);

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Statistic {
    Number(f64),
    /// JSON has no infinity: the odds ratio of a table with a zero.
    Infinite(#[allow(dead_code)] String),
}

#[derive(Debug, Deserialize)]
struct Spec {
    shape: String,
    n: usize,
    seed: u64,
    scale: f64,
    shift: f64,
}

impl Spec {
    /// The same steps as `make` in make.py, each exact in IEEE doubles.
    fn values(&self) -> Vec<f64> {
        let mut state = self.seed;
        let mut draw = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state >> 32
        };
        let unit = |draw: u64| draw as f64 / 4_294_967_296.0;
        let base = |draw: &mut dyn FnMut() -> u64| match self.shape.as_str() {
            "uniform" => unit(draw()),
            "bell" => unit(draw()) + unit(draw()) + unit(draw()) + unit(draw()) - 2.0,
            "heavy" => {
                let sign = if draw().is_multiple_of(2) { 1.0 } else { -1.0 };
                sign / (unit(draw()) + 2.0_f64.powi(-33))
            }
            "integers" => (unit(draw()) * 12.0).floor(),
            "binary" => f64::from(u8::from(unit(draw()) < 0.3)),
            "zero_inflated" => {
                let (first, second) = (unit(draw()), unit(draw()));
                if first < 0.45 { 0.0 } else { second }
            }
            "constant" => 1.0,
            other => panic!("unknown shape {other}"),
        };
        (0..self.n)
            .map(|_| base(&mut draw) * self.scale + self.shift)
            .collect()
    }
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../tests/golden/two_sample/golden.json")).unwrap()
}

fn is_close(actual: f64, expected: f64, relative: f64, absolute: f64) -> bool {
    (actual - expected).abs() <= relative * expected.abs() + absolute
}

fn differs(expected: &Expected, actual: TestResult) -> bool {
    let Expected(statistic, p_value, method) = expected;
    let statistic_agrees = match statistic {
        Statistic::Number(value) => is_close(actual.statistic, *value, 1e-9, 1e-12),
        Statistic::Infinite(_) => actual.statistic == f64::INFINITY,
    };
    let p_agrees = match (p_value, actual.p_value) {
        (None, None) => true,
        (Some(expected), Some(actual)) => is_close(actual, *expected, 1e-9, 1e-13),
        _ => false,
    };
    !(statistic_agrees && p_agrees && actual.method == method)
}

fn check(
    case: &str,
    results: &BTreeMap<String, Option<Expected>>,
    run: impl Fn(Test) -> Result<TestResult, TestError>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, expected) in results {
        let actual = run(name.parse().unwrap());
        match (expected, actual) {
            (Some(expected), Ok(actual)) if !differs(expected, actual) => {}
            (None, Err(_)) => {}
            (expected, actual) => wrong.push(format!("{case} {name}: {expected:?} but {actual:?}")),
        }
    }
    wrong
}

#[test]
fn numeric_tests_agree_with_scipy() {
    let mut wrong = Vec::new();
    for case in &golden().numeric {
        let pair = NumericPair::new(&case.reference.values(), &case.current.values()).unwrap();
        let name = format!("{:?} {:?}", case.reference, case.current);
        wrong.extend(check(&name, &case.results, |test| pair.run(test)));
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn categorical_tests_agree_with_scipy() {
    let mut wrong = Vec::new();
    for case in &golden().categorical {
        let pair = CategoricalPair::new(&case.reference, &case.current).unwrap();
        let name = format!("{:?} {:?}", case.reference, case.current);
        wrong.extend(check(&name, &case.results, |test| pair.run(test)));
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
