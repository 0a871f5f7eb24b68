//! The bank from outside: its budget, its alerts' life, and that nothing breaks it.

use driftline_detect::bank::{
    Bank, BankOptions, BankState, Direction, INDICATORS_MAX, Indicator, Indicators, Latch,
    LatchEvent, RateBounds, Tally, decide, threshold,
};
use proptest::prelude::*;
use std::time::Duration;

/// splitmix64.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Hits in `n` trials, by the distance from each hit to the next (Devroye 1986, section X.4).
    fn binomial(&mut self, n: f64, p: f64) -> f64 {
        let (mut hits, mut at) = (0.0, 0.0);
        loop {
            at += (self.uniform().ln() / (-p).ln_1p()).floor() + 1.0;
            if at > n {
                return hits;
            }
            hits += 1.0;
        }
    }
}

fn tally(hits: f64, trials: f64) -> Tally {
    Tally {
        hits: vec![hits],
        trials: vec![trials],
    }
}

fn rate_bank(rate: f64) -> Bank {
    let reference = tally(rate * 1e5, 1e5);
    Bank::new(&Indicators::rates(1), &reference, &BankOptions::default())
}

/// All streams see the same events, one of them upside down, the others the nested part of them: the worst rates that the
/// tolerance allows, all at once, with 1 to 1,000,000 events a step.
#[test]
fn the_budget_holds_whatever_the_streams_have_in_common() {
    const SEED: u64 = 7;
    const STEPS: usize = 400;
    const RUNS: usize = 60;
    const THRESHOLD: f64 = 20.0;
    println!("seed {SEED}");
    let mut random = Random(SEED);
    let rates = [0.002, 0.001, 0.0005, 0.998];
    let banks = rates.map(rate_bank);
    let edge = |i: usize| banks[i].tolerated(0).1;
    let mut alarms = Vec::new();
    for _ in 0..RUNS {
        let mut states = [0, 1, 2, 3].map(|i: usize| BankState::new(&banks[i]));
        let mut count = 0.0;
        for step in 0..STEPS {
            // Few steps are large: they cost the test's time.
            let largest = if step % 100 == 0 { 6.0 } else { 3.5 };
            let n = 10_f64.powf(largest * random.uniform()).floor();
            let first = random.binomial(n, edge(0));
            let second = random.binomial(first, edge(1) / edge(0));
            let third = random.binomial(second, edge(2) / edge(1));
            for (i, hits) in [first, second, third, n - first].into_iter().enumerate() {
                states[i].step(&banks[i], &tally(hits, n));
            }
            let weighted = [0, 1, 2, 3].map(|i: usize| 0.25 * states[i].evidence());
            let named = decide(&weighted, THRESHOLD);
            count += f64::from(u32::from(!named.is_empty()));
            for stream in named {
                states[stream].reset();
            }
        }
        alarms.push(count);
    }
    let n = RUNS as f64;
    let mean = alarms.iter().sum::<f64>() / n;
    let variance = alarms.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let bound = STEPS as f64 / THRESHOLD;
    println!("{mean} alarms, bound {bound}");
    assert!(
        mean <= bound + 4.0 * (variance / n).sqrt(),
        "{mean} > {bound}"
    );
    assert!(
        mean > 0.02 * bound,
        "so few that nothing was tested: {mean}"
    );
}

#[test]
fn the_same_steps_give_the_same_state_also_through_a_snapshot() {
    let bank = rate_bank(0.2);
    let (mut once, mut again) = (BankState::new(&bank), BankState::new(&bank));
    for i in 0..200 {
        let step = tally(20.0 + f64::from(i % 9), 100.0);
        once.step(&bank, &step);
        again.step(&bank, &step);
        let text = serde_json::to_string(&again).unwrap();
        again = serde_json::from_str(&text).unwrap();
        assert_eq!(once, again);
    }
    assert!(once.evidence() > 0.0);
}

#[test]
fn an_alert_latches_refreshes_and_clears() {
    let bank = rate_bank(0.2);
    let (mut state, mut latch) = (BankState::new(&bank), Latch::default());
    let drifted = tally(50.0, 100.0);
    let threshold = 1e6;
    let step = |latch: &mut Latch, state: &mut BankState, of: &Tally| {
        latch.step(&bank, state, of, threshold, 1_000.0)
    };
    while decide(&[state.evidence()], threshold).is_empty() {
        assert_eq!(step(&mut latch, &mut state, &drifted), None);
    }
    latch.latch(&bank, &mut state);
    assert_eq!(state.evidence(), 0.0);
    assert_eq!(latch.component().unwrap().direction, Direction::Up);
    let events: Vec<_> = (0..10)
        .filter_map(|_| step(&mut latch, &mut state, &drifted))
        .collect();
    assert!(events.len() > 1 && events.iter().all(|e| *e == LatchEvent::Refreshed));
    let as_ever = tally(20.0, 100.0);
    let event = (0..100).find_map(|_| step(&mut latch, &mut state, &as_ever));
    assert_eq!(event, Some(LatchEvent::Cleared));
    assert!(latch.is_watching() && state.evidence() == 0.0);
}

#[test]
fn attribution_pays_for_the_alarm_and_leaves_less_than_another() {
    assert_eq!(decide(&[3.0, 4.0], 7.5), [] as [usize; 0]);
    assert_eq!(decide(&[3.0, 50.0, 4.0], 10.0), [1]);
    assert_eq!(decide(&[6.0, 5.0, 4.0, f64::NAN], 10.0), [0, 1]);
    assert_eq!(decide(&[40.0, 50.0, 4.0], 10.0), [1, 0]);
    assert_eq!(decide(&[1.0; 30], 10.0).len(), 21);
    assert_eq!(decide(&[1e30, 1e30], f64::NAN), [] as [usize; 0]);
    assert_eq!(decide(&[], 0.0), [] as [usize; 0]);
}

#[test]
fn years_of_extreme_steps_stay_bounded() {
    let bank = rate_bank(0.01);
    let mut state = BankState::new(&bank);
    let steps = if cfg!(debug_assertions) {
        300_000
    } else {
        10_000_000
    };
    for i in 0..steps {
        let all = tally(if i % 3 == 0 { 1e19 } else { 1e6 }, 1e19);
        state.step(&bank, &all);
        assert!(state.evidence() >= 0.0 && state.evidence() < 1e33);
    }
    state.step(&bank, &tally(1e19, 1e19));
    assert!(state.evidence() > 1e20, "certain, and still a number");
    for step in [
        tally(f64::NAN, 1.0),
        tally(1.0, f64::INFINITY),
        Tally::default(),
    ] {
        let before = state.evidence();
        state.step(&bank, &step);
        assert_eq!(state.evidence(), before);
    }
}

#[test]
fn a_columns_state_fits_its_memory() {
    for indicators in [
        Indicators::ordered(&[500; 110]),
        Indicators::categories(&(1..=320).collect::<Vec<u64>>()),
        // Values and gaps in turn.
        Indicators::ordered(&[0, 500].repeat(55)),
    ] {
        let bank = Bank::new(&indicators, &Tally::default(), &BankOptions::default());
        assert!(indicators.len() <= INDICATORS_MAX && indicators.len() > 90);
        assert!(BankState::new(&bank).bytes() <= 6 * 1_024);
        assert_eq!(
            bank.components(),
            0,
            "without a reference nothing is judged"
        );
    }
}

#[test]
fn a_rare_category_that_grows_is_seen() {
    let reference: Vec<u64> = (0..320).map(|i| 100_000 / (1 + i)).collect();
    let indicators = Indicators::categories(&reference);
    let mut counted = Tally::default();
    indicators.read(&reference, &mut counted);
    let bank = Bank::new(&indicators, &counted, &BankOptions::default());
    let mut state = BankState::new(&bank);
    // A 500th as many as the reference holds, and another 3 % of one rare category.
    let mut pane: Vec<u64> = reference.iter().map(|count| count / 500).collect();
    pane[300] += 38;
    indicators.read(&pane, &mut counted);
    let steps = (1..50).find(|_| {
        state.step(&bank, &counted);
        state.evidence() > 4.3e6
    });
    assert!(steps.is_some(), "{}", state.evidence());
    let about = indicators.indicator(state.best(&bank).indicator);
    assert!(matches!(about, Indicator::Cells { cells } if cells.contains(&300) && cells.len() < 9));
}

/// All cuts of such a reference have the whole mass on one side, which once made every weight NaN.
#[test]
fn a_reference_that_is_all_one_value_is_judged() {
    for reference in [[0, 1_000, 0], [1_000, 0, 0], [0, 0, 1_000]] {
        let indicators = Indicators::ordered(&reference);
        let mut tally = Tally::default();
        indicators.read(&reference, &mut tally);
        let bank = Bank::new(&indicators, &tally, &BankOptions::default());
        let mut state = BankState::new(&bank);
        indicators.read(&reference.map(|count| count / 100), &mut tally);
        (0..100).for_each(|_| state.step(&bank, &tally));
        assert!(decide(&[state.evidence()], 1e6).is_empty());
        let mut moved = reference.map(|count| count / 200);
        moved[usize::from(reference[0] > 0)] += 1;
        moved[2 * usize::from(reference[2] == 0)] += 1;
        indicators.read(&moved, &mut tally);
        (0..100).for_each(|_| state.step(&bank, &tally));
        assert!(
            !decide(&[state.evidence()], 1e6).is_empty(),
            "{reference:?}"
        );
    }
}

#[test]
fn unseen_values_are_expected_as_often_as_good_and_turing_say() {
    let bounds = RateBounds::unseen(20, 1_000, 4.0);
    assert!(bounds.lower < 0.02 && bounds.rate == 0.02 && bounds.upper > 0.04);
    let none = RateBounds::unseen(0, 1_000, 4.0);
    // Clopper and Pearson: 1 - level^(1/m).
    assert!(
        (none.upper - (1.0 - 3.167e-5_f64.powf(1e-3))).abs() < 1e-5,
        "{none:?}"
    );
    let bank = Bank::new_with_bounds(
        &Indicators::rates(1),
        &Tally::new(1),
        &[Some(none)],
        &BankOptions::default(),
    );
    assert!(bank.components() > 0 && bank.tolerated(0).1 > none.upper);
}

#[test]
fn the_effects_interval_holds_at_all_times_together() {
    const SEED: u64 = 3;
    println!("seed {SEED}");
    let (mut random, bank, mut missed) = (Random(SEED), rate_bank(0.2), 0);
    for _ in 0..200 {
        let mut hits = 0.0;
        let held = (1..200).all(|step| {
            hits += random.binomial(20.0, 0.3);
            let effect = bank.effect(0, hits, f64::from(20 * step), 1, 0.1);
            effect.lower <= 0.3 && effect.upper >= 0.3
        });
        missed += u32::from(!held);
    }
    assert!(missed <= 32, "{missed} of 200 at 10 %");
    let effect = bank.effect(0, 600.0, 2_000.0, 1_000, 0.05);
    assert!(effect.lower > 0.24 && effect.upper < 0.36 && effect.h > effect.tolerance);
    let floor = bank.detection_floor(0, effect.h, 4.3e6);
    assert!(floor > 100.0 && floor < 5_000.0, "{floor}");
    assert_eq!(bank.detection_floor(0, 0.05, 4.3e6), f64::INFINITY);
}

proptest! {
    /// Indicators count what they say, and any reference and pane give finite evidence.
    #[test]
    fn nothing_breaks_it(
        reference in prop::collection::vec(prop_oneof![Just(0), 0..50_u64, any::<u64>()], 0..130),
        pane in prop::collection::vec(prop_oneof![Just(0), 0..50_u64], 0..130),
        options in (0.0..4.0_f64, 0.0..1.0_f64, 0.0..50.0_f64, 0.0..9.0_f64),
    ) {
        let options = BankOptions {
            tolerance: options.0,
            band: options.1,
            dispersion: options.2,
            reference_sigmas: options.3,
            ..BankOptions::default()
        };
        for indicators in [Indicators::ordered(&reference), Indicators::categories(&reference)] {
            prop_assert!(indicators.len() <= INDICATORS_MAX);
            let (mut counted, mut current) = (Tally::default(), Tally::default());
            indicators.read(&reference, &mut counted);
            indicators.read(&pane, &mut current);
            for i in 0..indicators.len() {
                let cells = match indicators.indicator(i) {
                    Indicator::Below { bin } => (0..=bin).collect(),
                    Indicator::Between { first, last } => (first..=last).collect(),
                    Indicator::Cells { cells } => cells,
                    Indicator::Rate(_) => vec![],
                };
                let at = |cell: &usize| pane.get(*cell).copied().unwrap_or(0);
                let hits: u64 = cells.iter().map(at).sum();
                prop_assert_eq!(current.hits[i], hits as f64);
            }
            let bank = Bank::new(&indicators, &counted, &options);
            let mut state = BankState::new(&bank);
            for _ in 0..3 {
                state.step(&bank, &current);
                prop_assert!(state.evidence().is_finite());
            }
            let effect = bank.effect(0, 1.0, 2.0, 9, 0.05);
            prop_assert!(effect.lower <= effect.upper && effect.h.is_finite());
        }
    }
}

#[test]
fn starts_alone_are_no_evidence_where_a_step_teaches_nothing() {
    let indicators = Indicators::rates(1);
    let reference = Tally {
        hits: vec![10_000_000.0],
        trials: vec![20_000_000.0],
    };
    let mut step = Tally {
        hits: vec![200.0],
        trials: vec![400.0],
    };
    // Days as steps, and counts that say as little as one event would.
    let c = threshold(1.0, Duration::from_secs(86_400));
    let quiet = |horizon: f64, step: &Tally| {
        let options = BankOptions {
            dispersion: 400.0,
            horizon,
            ..BankOptions::default()
        };
        let bank = Bank::new(&indicators, &reference, &options);
        let mut state = BankState::new(&bank);
        (0..365).for_each(|_| state.step(&bank, step));
        state.evidence()
    };
    assert!(
        quiet(f64::MAX, &step) > c,
        "the textbook's alarms by itself"
    );
    assert!(quiet(c, &step) < c / 5.0, "{}", quiet(c, &step));
    step.hits[0] = 300.0;
    assert!(
        quiet(c, &step) > c,
        "a change from 50 % to 75 % is still seen"
    );
}
