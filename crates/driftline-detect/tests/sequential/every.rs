//! What holds of every detector in every form.

use driftline_detect::sequential::{
    Compat, Detector, DetectorName, PANE_OUTCOMES_MAX, ParameterError, SequentialDetector, Signal,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::streams;

/// Every detector in every form that it has, at its defaults.
fn every() -> impl Iterator<Item = (DetectorName, Compat, Detector)> {
    let forms = |name: DetectorName| name.compats().map(move |compat| (name, compat));
    let detectors = DetectorName::ALL.into_iter().flat_map(forms);
    detectors.map(|(name, compat)| (name, compat, Detector::build(name, compat, &[]).unwrap()))
}

/// With small windows and low thresholds, so that a short stream gives signals.
fn keen() -> Vec<Detector> {
    let keen = [
        (DetectorName::Adwin, "delta=0.1 clock=1"),
        (DetectorName::Ddm, "warm_start=10 drift_threshold=2"),
        (DetectorName::Eddm, "warm_start=5"),
        (
            DetectorName::HddmA,
            "drift_confidence=0.1 two_sided_test=true",
        ),
        (
            DetectorName::HddmW,
            "drift_confidence=0.1 two_sided_test=true",
        ),
        (DetectorName::PageHinkley, "min_instances=5 threshold=3"),
        (
            DetectorName::Kswin,
            "window_size=30 stat_size=10 alpha=0.05",
        ),
        (
            DetectorName::Fhddm,
            "sliding_window_size=20 confidence_level=0.1 short_window_size=7",
        ),
    ];
    let keen = keen
        .into_iter()
        .map(|(name, params)| build(name, Compat::River, params).unwrap());
    keen.chain(every().map(|(_, _, detector)| detector))
        .collect()
}

fn build(name: DetectorName, compat: Compat, params: &str) -> Result<Detector, ParameterError> {
    let params = params.split_whitespace().map(|param| {
        let (name, value) = param.split_once('=').expect("name=value");
        (name.to_owned(), value.to_owned())
    });
    Detector::build(name, compat, &params.collect::<Vec<_>>())
}

fn signals(detector: &mut Detector, values: &[f64]) -> Vec<Signal> {
    values.iter().map(|value| detector.update(*value)).collect()
}

/// Errors with a few changes, 2,300 of them.
fn errors() -> Vec<f64> {
    let mut errors = streams::named("recurring_short");
    errors.truncate(1_500);
    errors.extend(&streams::named("step_20_80")[200..1_000]);
    errors
}

#[test]
fn a_snapshot_goes_on_with_the_same_signals() {
    let errors = errors();
    for mut detector in keen() {
        for cut in [0, 1, 40, 333, 1_000] {
            detector.reset();
            signals(&mut detector, &errors[..cut]);
            let bytes = serde_json::to_vec(&detector).unwrap();
            let mut restored: Detector = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(restored, detector);
            let mut original = detector.clone();
            let [left, right] = [&mut original, &mut restored].map(|d| signals(d, &errors[cut..]));
            assert_eq!(left, right);
            assert_eq!(original, restored);
        }
    }
}

#[test]
fn keen_detectors_do_give_signals() {
    let errors = errors();
    for mut detector in keen().into_iter().take(8) {
        assert!(
            signals(&mut detector, &errors).contains(&Signal::Drift),
            "{}",
            detector.name()
        );
    }
}

#[test]
fn values_that_do_not_count_change_nothing_but_their_count() {
    let errors = errors();
    for mut detector in keen() {
        let mut spoilt = detector.clone();
        for (i, error) in errors.iter().enumerate() {
            if i % 7 == 0 {
                let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e200][i / 7 % 4];
                assert_eq!(spoilt.update(bad), Signal::Stable);
            }
            assert_eq!(spoilt.update(*error), detector.update(*error));
        }
        assert_eq!(spoilt.skipped(), errors.len().div_ceil(7) as u64);
        assert_eq!(detector.skipped(), 0);
    }
}

#[test]
fn a_reset_forgets_everything_but_the_skipped() {
    let errors = errors();
    for new in keen() {
        let mut detector = new.clone();
        signals(&mut detector, &errors[..777]);
        detector.update(f64::NAN);
        detector.reset();
        assert_eq!(detector.skipped(), 1);
        let [left, right] = [&mut detector, &mut new.clone()].map(|d| signals(d, &errors));
        assert_eq!(left, right);
    }
}

#[test]
fn a_pane_gives_the_strongest_signal_of_its_outcomes() {
    for mut whole in keen() {
        let mut single = whole.clone();
        for (errors, trials) in [(10, 100), (0, 0), (9, 100), (60, 100), (1, 1), (70, 90)] {
            let mut strongest = Signal::Stable;
            let mut fed = 0;
            for i in 1..=trials {
                let due = (i * errors + trials / 2) / trials;
                strongest = strongest.max(single.update((due - fed) as f64));
                fed = due;
            }
            assert_eq!(whole.update_counts(errors, trials), strongest);
            assert_eq!(whole, single);
        }
        whole.update_counts(u64::MAX / 3, u64::MAX);
        whole.update_counts(u64::MAX, PANE_OUTCOMES_MAX + 1);
    }
}

#[test]
fn the_catalogue_is_what_can_be_built() {
    for name in DetectorName::ALL {
        assert_eq!(name.name().parse(), Ok(name));
        assert!(
            name.compats().any(|compat| compat == Compat::default()),
            "{name}"
        );
    }
    for (name, compat, detector) in every() {
        assert_eq!(detector.name(), name);
        let shown = detector.parameters();
        for (help, (parameter, value)) in name.parameters(compat).iter().zip(&shown) {
            assert_eq!((help.name, &help.default), (*parameter, value));
            assert!(!help.meaning.is_empty() && help.expected.len() > 5);
        }
        let given: Vec<_> = shown
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect();
        assert_eq!(Detector::build(name, compat, &given), Ok(detector));
    }
}

#[test]
fn what_is_wrong_with_parameters_is_said() {
    let error = |name, compat, params| build(name, compat, params).unwrap_err().to_string();
    for (compat, params, expected) in [
        (
            Compat::River,
            "x=1",
            "adwin has no parameter `x`; it has `delta`, `clock`, `max_buckets`, `min_window_length`, `grace_period`",
        ),
        (
            Compat::River,
            "delta=nan",
            "parameter `delta` cannot be `nan`: it is a number from 1e-100 to 1",
        ),
        (
            Compat::River,
            "delta=2",
            "parameter `delta` cannot be `2`: it is a number from 1e-100 to 1",
        ),
        (
            Compat::River,
            "clock=0.5",
            "parameter `clock` cannot be `0.5`: it is a whole number from 1 to 1000000000",
        ),
        (
            Compat::River,
            "clock=1 clock=1",
            "parameter `clock` is given twice",
        ),
    ] {
        assert_eq!(error(DetectorName::Adwin, compat, params), expected);
    }
    let side = error(DetectorName::PageHinkley, Compat::River, "mode=sideways");
    assert_eq!(
        side,
        "parameter `mode` cannot be `sideways`: it is one of `up`, `down`, `both`"
    );
    let together = error(DetectorName::Kswin, Compat::River, "stat_size=60");
    assert_eq!(
        together,
        "`stat_size` must be at most half of `window_size`"
    );
    let together = error(DetectorName::Eddm, Compat::River, "alpha=0.5");
    assert_eq!(together, "`alpha` must be at least `beta`");
    assert!(
        "nosuch"
            .parse::<DetectorName>()
            .unwrap_err()
            .to_string()
            .contains("`adwin`, `ddm`")
    );
    assert!(
        "River"
            .parse::<Compat>()
            .unwrap_err()
            .to_string()
            .contains("`river`, `moa`")
    );
}

/// Values as an attacker would have them.
fn hostile() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => Just(0.0),
        4 => Just(1.0),
        2 => -2.0..2.0,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![1e100, -1e100, -0.0, 5e-324, f64::MAX, f64::NAN]),
    ]
}

/// Every number of a JSON value.
fn numbers(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Number(_) => vec![value],
        Value::Array(values) => values.iter_mut().flat_map(numbers).collect(),
        Value::Object(fields) => fields.values_mut().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_value_panics_or_spoils_the_snapshot(values in prop::collection::vec(hostile(), 1..400)) {
        for mut detector in keen() {
            signals(&mut detector, &values);
            let bytes = serde_json::to_vec(&detector).unwrap();
            let restored: Detector = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(restored, detector);
        }
    }

    #[test]
    fn a_spoilt_snapshot_is_refused_or_harmless(
        length in 0_usize..200,
        at in any::<prop::sample::Index>(),
        bad in prop::sample::select(vec!["0", "-1", "1", "1e308", "-1e308", "1e-308", "18446744073709551615", "0.5", "256", "7"]),
    ) {
        let errors = errors();
        for mut detector in keen() {
            signals(&mut detector, &errors[..length]);
            let mut snapshot = serde_json::to_value(&detector).unwrap();
            let mut numbers = numbers(&mut snapshot);
            let which = at.index(numbers.len());
            *numbers[which] = serde_json::from_str(bad).unwrap();
            if let Ok(mut restored) = serde_json::from_value::<Detector>(snapshot) {
                signals(&mut restored, &errors[..300]);
            }
        }
    }
}
