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
            "few" => (unit(draw()) * 3.0).floor(),
            "rounded" => {
                let sum = unit(draw()) + unit(draw()) + unit(draw()) + unit(draw());
                ((sum - 2.0) * 8.0).floor() / 8.0
            }
            "cubed" => {
                let base = unit(draw()) + 2.0_f64.powi(-33);
                1.0 / (base * base * base)
            }
            "spiked" => match (unit(draw()), unit(draw())) {
                (first, _) if first < 0.3 => 0.25,
                (first, _) if first < 0.5 => 0.75,
                (_, second) => second,
            },
            "infinite" => match (unit(draw()), unit(draw())) {
                (first, _) if first < 0.1 => f64::INFINITY,
                (first, _) if first > 0.95 => f64::NEG_INFINITY,
                (_, second) => second,
            },
            "nan" => f64::NAN,
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

/// P-values agree to 1e-6 of themselves. Two have a rounding noise that is larger when they are tiny: scipy takes the
/// limiting Cramér–von Mises law's tail as one minus its (truncated) distribution function, and astropy's Kuiper
/// statistic of one is a rounding below one.
fn p_value_noise(test: &str) -> f64 {
    match test {
        "cramer_von_mises" => 1e-14,
        "kuiper" => 1e-100,
        _ => 0.0,
    }
}

fn differs(test: &str, expected: &Expected, actual: TestResult) -> bool {
    let Expected(statistic, p_value, method) = expected;
    let statistic_agrees = match statistic {
        Statistic::Number(value) => is_close(actual.statistic, *value, 1e-9, 1e-12),
        Statistic::Infinite(_) => actual.statistic == f64::INFINITY,
    };
    let p_agrees = match (p_value, actual.p_value) {
        (None, None) => true,
        (Some(expected), Some(actual)) => is_close(actual, *expected, 1e-6, p_value_noise(test)),
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
            (Some(expected), Ok(actual)) if !differs(name, expected, actual) => {}
            (None, Err(_)) => {}
            (expected, actual) => wrong.push(format!("{case} {name}: {expected:?} but {actual:?}")),
        }
    }
    wrong
}

/// Checks every other pair, so that two processors share the work.
fn check_numeric(skip: usize) {
    let mut wrong = Vec::new();
    for case in golden().numeric.iter().skip(skip).step_by(2) {
        let pair = NumericPair::new(&case.reference.values(), &case.current.values());
        let name = format!("{:?} {:?}", case.reference, case.current);
        let run = |test| pair.as_ref().map_err(|e| *e)?.run(test);
        wrong.extend(check(&name, &case.results, run));
    }
    let count = wrong.len();
    assert!(wrong.is_empty(), "{count} differ:\n{}", wrong.join("\n"));
}

#[test]
fn numeric_tests_agree_with_scipy_on_even_pairs() {
    check_numeric(0);
}

#[test]
fn numeric_tests_agree_with_scipy_on_odd_pairs() {
    check_numeric(1);
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
