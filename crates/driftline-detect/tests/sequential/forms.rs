//! Where the forms of a detector differ on purpose.

use driftline_detect::sequential::{
    Compat, Detector, DetectorName, SequentialDetector as _, Signal,
};

fn drifts(name: DetectorName, compat: Compat, params: &str, values: &[f64]) -> Vec<usize> {
    let params = params.split_whitespace().map(|param| {
        let (name, value) = param.split_once('=').expect("name=value");
        (name.to_owned(), value.to_owned())
    });
    let params: Vec<_> = params.collect();
    let mut detector = Detector::build(name, compat, &params).expect("it can be built");
    let signals = values.iter().map(|value| detector.update(*value));
    let drifts = signals
        .enumerate()
        .filter(|(_, signal)| *signal == Signal::Drift);
    drifts.map(|(i, _)| i).collect()
}

/// One error in every `every` values.
fn errors(every: usize, n: usize) -> impl Iterator<Item = f64> {
    (1..=n).map(move |i| f64::from(u8::from(i % every == 0)))
}

#[test]
fn stepd_of_the_references_alarms_without_errors_and_the_paper_does_not() {
    let correct = vec![0.0; 300];
    for compat in [Compat::Moa, Compat::Frouros] {
        let every_sixtieth = [59, 119, 179, 239, 299];
        assert_eq!(
            drifts(DetectorName::Stepd, compat, "", &correct),
            every_sixtieth
        );
    }
    assert!(drifts(DetectorName::Stepd, Compat::Paper, "", &correct).is_empty());
}

#[test]
fn stepd_of_the_paper_looks_for_a_fall_only() {
    let better: Vec<f64> = errors(2, 300).chain(errors(1_000, 300)).collect();
    assert!(!drifts(DetectorName::Stepd, Compat::Moa, "", &better).is_empty());
    assert!(drifts(DetectorName::Stepd, Compat::Paper, "", &better).is_empty());
    let worse: Vec<f64> = errors(10, 300).chain(errors(2, 300)).collect();
    let first = drifts(DetectorName::Stepd, Compat::Paper, "", &worse)[0];
    assert!((300..340).contains(&first), "{first}");
}

#[test]
fn gma_of_the_references_never_fires_on_errors() {
    let worse: Vec<f64> = errors(10, 2_000).chain(errors(1, 2_000)).collect();
    for compat in [Compat::Moa, Compat::Frouros] {
        assert!(drifts(DetectorName::Gma, compat, "", &worse).is_empty());
    }
    let seen = drifts(DetectorName::Gma, Compat::Paper, "", &worse);
    assert!(
        seen.first().is_some_and(|at| (2_000..2_050).contains(at)),
        "{seen:?}"
    );
}

#[test]
fn page_hinkley_without_its_minimum_is_late_after_a_quiet_time() {
    let worse: Vec<f64> = errors(10, 20_000).chain(errors(2, 3_000)).collect();
    let first = |compat| drifts(DetectorName::PageHinkley, compat, "", &worse)[0];
    let (with, without) = (first(Compat::Paper), first(Compat::Moa));
    assert!(with >= 20_000 && without > with + 50, "{with} {without}");
}

#[test]
fn moa_tests_one_value_sooner() {
    let wrong: Vec<f64> = (0..40).map(|i| f64::from(u8::from(i > 5))).collect();
    let first = |compat, params| drifts(DetectorName::Cusum, compat, params, &wrong)[0];
    assert_eq!(first(Compat::Moa, "minNumInstances=30 lambda=1"), 28);
    assert_eq!(first(Compat::Frouros, "min_num_instances=30 lambda_=1"), 29);
}

#[test]
fn rddm_forgets_old_values_of_a_long_concept() {
    let long: Vec<f64> = errors(10, 60_000).chain(errors(6, 10_000)).collect();
    let forgets = "max_concept_size=2000 min_concept_size=500";
    let never = "max_concept_size=1000000000";
    let first = |params| {
        let seen = drifts(DetectorName::Rddm, Compat::Paper, params, &long);
        seen.into_iter()
            .find(|at| *at >= 60_000)
            .unwrap_or(usize::MAX)
    };
    assert!(
        first(forgets) < first(never),
        "{} {}",
        first(forgets),
        first(never)
    );
}
