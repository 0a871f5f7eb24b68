//! Labels keep their part of the budget of false alarms, and columns keep theirs.

use std::time::Duration;

use super::stream::{DAY, HOUR, Rng, START, World, alerts, profile, run, spec, violations};
use crate::decision::{Budget, DecisionSpec};
use crate::outcome::model::LabelModel;
use crate::{LabelSpec, ModelSet, ModelSpec};

#[test]
fn the_whole_budget_is_given_out_once() {
    let labels = LabelSpec {
        budget_share: 0.2,
        ..LabelSpec::default()
    };
    let plain = spec(profile(World::default(), true), "1", labels);
    for (fields, segments_max, slots) in [(0, 1, 0.0), (2, 7, 16.0)] {
        let spec = std::sync::Arc::new(ModelSpec {
            segments: (0..fields).map(|i| format!("s{i}")).collect(),
            segments_max,
            ..plain.clone()
        });
        let model = LabelModel::new(&spec).unwrap();
        assert_eq!((model.levels.len(), model.streams.len()), (2, 3));
        let sum = |is_segment| -> f64 {
            let streams = (0..model.streams.len()).map(|s| model.weight(is_segment, s));
            streams.sum::<f64>() * model.levels.len() as f64
        };
        assert!((sum(false) + slots * sum(true) - 1.0).abs() < 1e-12);
        // 720 hours for a fifth of an alarm; 8,640 steps of five minutes for the rest.
        let of_labels = model.budget.as_ref().unwrap().threshold;
        assert!((of_labels - 720.0 / 0.2).abs() < 1e-9, "{of_labels}");
        let decision = DecisionSpec::new(1.0, Duration::from_secs(300));
        let of_columns = Budget::new(&spec, &decision).threshold;
        assert!((of_columns - 8_640.0 / 0.8).abs() < 1e-9, "{of_columns}");
    }
}

#[test]
fn a_reference_without_delays_has_one_level() {
    let labels = LabelSpec::default();
    let spec = std::sync::Arc::new(spec(profile(World::default(), false), "1", labels));
    let model = LabelModel::new(&spec).unwrap();
    let levels: Vec<&str> = model.levels.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(levels, ["bank_7d"]);
    assert_eq!(model.expected_coverage((0, DAY), 8 * DAY), None);
    let least = model.levels[0].coverage_min.unwrap();
    assert!(
        (least - 0.45).abs() < 0.01,
        "half of the reference's {least}"
    );
}

#[test]
fn the_expected_coverage_grows_with_age() {
    let labels = LabelSpec::default();
    let spec = std::sync::Arc::new(spec(profile(World::default(), true), "1", labels));
    let model = LabelModel::new(&spec).unwrap();
    let at = |age: i64| model.expected_coverage((0, DAY), DAY + age).unwrap();
    let ages = [-DAY, -12 * HOUR, 0, DAY, 3 * DAY, 7 * DAY, 90 * DAY];
    let coverage: Vec<f64> = ages.iter().map(|age| at(*age)).collect();
    assert!(coverage.is_sorted() && coverage[0] == 0.0, "{coverage:?}");
    assert!((coverage[6] - 0.9).abs() < 0.01, "{coverage:?}");
    let least = model.levels[0].coverage_min.unwrap();
    assert!((0.1..0.2).contains(&least), "half of a third: {least}");
}

/// How many alarms quiet months raise. Positives are confirmed early and their absence late, so that the labels of a young
/// window are nothing like those of an old one.
fn quiet(months: u64, alarms_per_month: f64) -> u64 {
    let labels = LabelSpec {
        step: Duration::from_secs(6 * 3_600),
        budget_share: 0.25,
        windows: Vec::new(),
        ..LabelSpec::default()
    };
    let spec = ModelSpec {
        decision: Some(DecisionSpec::new(
            alarms_per_month,
            Duration::from_secs(300),
        )),
        ..spec(profile(World::default(), true), "1", labels)
    };
    let models = ModelSet::new(vec![spec]).unwrap();
    let mut alarms = 0;
    for seed in 0..months {
        let mut rng = Rng(1_000 + seed);
        let events = World::default().events((START, 24 * 30, 20), &mut rng);
        let out = run(&models, &events, (6 * HOUR, START + 38 * DAY));
        assert!(violations(&out).is_empty());
        let incidents = alerts(&out);
        let incidents = incidents.iter().filter_map(|a| a.incident.as_ref());
        alarms += incidents.collect::<std::collections::BTreeSet<_>>().len() as u64;
    }
    alarms
}

fn assert_quiet(months: u64) {
    let alarms = quiet(months, 8.0);
    println!("{alarms} alarms in {months} months, 2 a month are allowed");
    assert!(alarms <= 2 * months);
}

#[test]
fn quiet_months_keep_the_budget() {
    assert_quiet(4);
}

#[test]
#[ignore = "takes minutes"]
fn two_hundred_quiet_months_keep_the_budget() {
    assert_quiet(200);
}
