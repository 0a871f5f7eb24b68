//! The whole way with a pool that takes a second.

use std::collections::BTreeMap;

use super::*;
use crate::record::ScenarioResult;
use crate::scenario::DAY;

const SHORT: Lengths = Lengths {
    reference_rows: 5_000,
    calibration_days: 14,
    month: 2 * DAY,
};
const SEED: u64 = 11;

#[test]
fn a_feature_month_is_the_same_again() {
    let scenario = Scenario {
        kind: Kind::StrongCycleBursts,
        rate: 2,
    };
    let poisson = Poisson::new();
    let simulation = Simulation {
        scenario,
        seed: SEED,
        lengths: SHORT,
        poisson: &poisson,
    };
    let season = simulation.season(1);
    let once = simulation.month(3, season);
    let again = simulation.month(3, season);
    assert_eq!(once.hours, again.hours);
    assert_eq!(once.hours.len(), 48);
    assert!(once.hours.iter().all(|hour| *hour > 0.0));
    assert!(once.alarms.is_empty());
    assert!(once.uncalibrated.is_some());
}

#[test]
fn a_record_becomes_a_table() {
    let scenario = Scenario {
        kind: Kind::Iid,
        rate: 2,
    };
    let poisson = Poisson::new();
    let simulation = Simulation {
        scenario,
        seed: SEED,
        lengths: SHORT,
        poisson: &poisson,
    };
    let mut month = simulation.month(0, Season::None);
    month.hours = month.hours.repeat(15);
    let pool = vec![month; FEATURES + 1];
    let flood = classical::flood(scenario, SEED, 3, DAY, &poisson);
    let result = ScenarioResult::new(scenario, &pool, 10, SEED, Some(flood)).expect("a month");
    assert_eq!(
        result.months_by_alarms,
        BTreeMap::from([(0, 10)]),
        "{result:?}"
    );
    let replicates = [shifts::replicate(6, 0, SEED, &poisson)];
    let record = Record {
        date: today(),
        commit: "abc".to_owned(),
        machine: machine(),
        seed: SEED,
        jobs: 1,
        pool_seconds: 0.0,
        alarms_per_month: ALARMS_PER_MONTH,
        scenarios: vec![result],
        shifts: vec![shifts::summarise(6, &replicates)],
    };
    let text = serde_json::to_string(&record).expect("a record is plain data");
    let table = table::markdown(&serde_json::from_str(&text).expect("it was just written"));
    assert!(table.contains("| iid | 2 |"), "{table}");
    assert!(table.contains("| mean 1 sd | 20 |"), "{table}");
}
