//! Against simulated truth.

use super::*;
use driftline_event::Timestamp;

/// xorshift64*: numbers for tests.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.next().max(1e-300).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.next()).cos()
    }
}

const CELLS: usize = 20;
const MONDAY: i64 = 1_704_067_200;

/// Normal values with a mean that moves, in 20 bins of equal mass at rest; each value comes `repeats` times.
struct Scene {
    days: i64,
    minutes: i64,
    events: usize,
    repeats: u64,
    mean: fn(i64) -> f64,
    seed: u64,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            days: 14,
            minutes: 5,
            events: 40,
            repeats: 1,
            mean: |_| 0.0,
            seed: 7,
        }
    }
}

impl Scene {
    fn indicators() -> (Indicators, Tally) {
        let reference = [5_000_u64; CELLS];
        let indicators = Indicators::ordered(&reference);
        let mut tally = Tally::default();
        indicators.read(&reference, &mut tally);
        (indicators, tally)
    }

    fn options(&self) -> CalibrationOptions {
        CalibrationOptions {
            pane: Duration::from_secs(60 * self.minutes as u64),
            ..CalibrationOptions::default()
        }
    }

    fn panes(&self) -> Vec<HistoryPane> {
        let (indicators, _) = Self::indicators();
        let mut random = Random(self.seed);
        let cell = |x: f64| {
            let share = 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
            ((share * CELLS as f64) as usize).min(CELLS - 1)
        };
        let pane = |minute: i64| {
            let mut counts = [0_u64; CELLS];
            let mean = (self.mean)(minute);
            for _ in 0..self.events {
                counts[cell(mean + random.normal())] += self.repeats;
            }
            let mut tally = Tally::default();
            indicators.read(&counts, &mut tally);
            HistoryPane {
                start: Timestamp::from_seconds(MONDAY + 60 * minute),
                tally,
            }
        };
        (0..self.days * 1_440)
            .step_by(self.minutes as usize)
            .map(pane)
            .collect()
    }

    fn fit(&self) -> StreamFit {
        let (indicators, reference) = Self::indicators();
        calibrate_stream(
            &self.panes(),
            &indicators,
            Some(&reference),
            &self.options(),
        )
    }
}

fn daily(minute: i64) -> f64 {
    (minute as f64 / 1_440.0 * std::f64::consts::TAU).sin()
}

fn plain(fit: &StreamFit) -> &SeasonFit {
    fit.season(Season::None).unwrap()
}

fn chosen(fit: &StreamFit) -> Season {
    choose_season([(fit, 1.0, 23.0)].into_iter())
}

#[test]
fn independent_events_at_rest_need_no_band() {
    let fit = Scene::default().fit();
    assert!((1.0..1.05).contains(&fit.dispersion), "{}", fit.dispersion);
    assert!(
        plain(&fit).band < 0.02 && plain(&fit).offset < 0.02,
        "{fit:?}"
    );
    assert_eq!((fit.days, plain(&fit).dropped.len()), (14, 0));
    assert_eq!(plain(&fit).block, Duration::from_secs(3 * 3_600));
    assert!((fit.events_per_day - 11_520.0).abs() < 1.0);
    assert_eq!(chosen(&fit), Season::None);
}

#[test]
fn values_that_come_three_at_a_time_have_a_dispersion_of_three() {
    let scene = Scene {
        repeats: 3,
        ..Scene::default()
    };
    let fit = scene.fit();
    assert!((2.9..3.4).contains(&fit.dispersion), "{}", fit.dispersion);
    assert!(plain(&fit).band < 0.02);
}

#[test]
fn a_daily_cycle_is_a_band_or_a_season() {
    let scene = Scene {
        mean: |minute| 0.3 * daily(minute),
        ..Scene::default()
    };
    let fit = scene.fit();
    // A shift of 0.3 standard deviations is 0.239 on Cohen's scale.
    assert!(
        (0.22..0.28).contains(&plain(&fit).band),
        "{}",
        plain(&fit).band
    );
    let hourly = fit.season(Season::HourOfDay).unwrap();
    assert!(
        hourly.band < 0.04 && hourly.baseline.len() == 24,
        "{}",
        hourly.band
    );
    assert!(
        fit.dispersion < 1.1,
        "the course of a day is no burst: {}",
        fit.dispersion
    );
    assert_eq!(chosen(&fit), Season::HourOfDay);
}

#[test]
fn a_weekly_cycle_needs_weeks() {
    let weekend = |minute: i64| if minute / 1_440 % 7 > 4 { 0.6 } else { 0.0 };
    let scene = |days| Scene {
        days,
        mean: weekend,
        minutes: 60,
        events: 480,
        ..Scene::default()
    };
    let fit = scene(14).fit();
    assert!(fit.season(Season::HourOfWeek).is_none());
    // Four weekend days of fourteen are not a slip but how this history is.
    assert!(
        plain(&fit).dropped.is_empty() && plain(&fit).band > 0.4,
        "{fit:?}"
    );
    let fit = scene(35).fit();
    let weekly = fit.season(Season::HourOfWeek).unwrap();
    assert!(
        weekly.band < 0.06 && weekly.baseline.len() == 168,
        "{}",
        weekly.band
    );
    assert_eq!(chosen(&fit), Season::HourOfWeek);
}

/// Days of hours, for tests of many days.
fn long(days: i64, mean: fn(i64) -> f64) -> Scene {
    Scene {
        days,
        mean,
        minutes: 60,
        events: 480,
        ..Scene::default()
    }
}

#[test]
fn drifted_days_are_dropped_and_named() {
    let fit = long(42, |minute| if minute / 1_440 == 5 { 0.6 } else { 0.0 }).fit();
    let first = day_of(Timestamp::from_seconds(MONDAY));
    for season in &fit.seasons {
        assert_eq!(season.dropped, [first + 5], "{:?}", season.season);
        assert!(season.band < 0.06, "{}", season.band);
    }
    let twice = |minute: i64| {
        if minute / 1_440 % 20 == 5 { 0.6 } else { 0.0 }
    };
    assert_eq!(
        plain(&long(40, twice).fit()).dropped,
        [first + 5, first + 25],
        "they hide each other"
    );
}

#[test]
fn what_happens_now_and_then_is_no_slip() {
    let first = day_of(Timestamp::from_seconds(MONDAY));
    let rainy = |minute: i64| {
        if minute / 1_440 % 10 == 5 { 0.6 } else { 0.0 }
    };
    let storm = |minute: i64| {
        if (5..7).contains(&(minute / 1_440)) {
            0.6
        } else {
            0.0
        }
    };
    for (scene, days) in [
        (long(40, rainy), vec![5, 15, 25, 35]),
        (long(40, storm), vec![5, 6]),
    ] {
        let fit = scene.fit();
        assert_eq!(plain(&fit).dropped, [0_i64; 0]);
        let suspect: Vec<i64> = plain(&fit).suspect.iter().map(|day| day - first).collect();
        assert_eq!(suspect, days);
        assert!(plain(&fit).band > 0.4, "{}", plain(&fit).band);
    }
}

#[test]
fn events_of_a_day_are_told_of_steps_of_a_week() {
    let week = Scene {
        days: 42,
        minutes: 7 * 1_440,
        events: 7_000,
        ..Scene::default()
    };
    assert_eq!(week.fit().events_per_day, 1_000.0);
}

#[test]
fn a_history_that_never_rests_keeps_its_days() {
    let scene = Scene {
        mean: |minute| 0.2 * (minute / 1_440 % 4) as f64,
        ..Scene::default()
    };
    let fit = scene.fit();
    assert!(
        plain(&fit).dropped.is_empty() && plain(&fit).band > 0.4,
        "{fit:?}"
    );
}

#[test]
fn an_offset_from_the_reference_is_said() {
    let scene = Scene {
        mean: |_| 0.1,
        ..Scene::default()
    };
    let fit = scene.fit();
    assert!(
        (plain(&fit).offset - 0.08).abs() < 0.01,
        "{}",
        plain(&fit).offset
    );
    assert!(plain(&fit).band > 0.07);
    assert_eq!(fit.season(Season::HourOfDay).map(|s| s.offset), Some(0.0));
}

#[test]
fn few_events_make_long_blocks_and_no_season() {
    let scene = Scene {
        events: 2,
        ..Scene::default()
    };
    let fit = scene.fit();
    assert_eq!(plain(&fit).block, Duration::from_secs(86_400));
    assert!(plain(&fit).band < 0.05);
    assert_eq!(chosen(&fit), Season::None);
}

/// At two events a minute a day has about a thousand independent ones, and no hour of it says anything alone.
#[test]
fn the_course_of_a_day_is_seen_with_few_events() {
    let scene = |amplitude: fn(i64) -> f64, seed| Scene {
        events: 3,
        repeats: 3,
        mean: amplitude,
        seed,
        ..Scene::default()
    };
    for seed in 1..=5 {
        let still = scene(|_| 0.0, seed).fit();
        assert_eq!(plain(&still).block, Duration::from_secs(86_400));
        // What noise leaves of the most deviant of fourteen days.
        assert!(plain(&still).band < 0.13, "{}", plain(&still).band);
        // 0.3 standard deviations are 0.239 on Cohen's scale.
        let moving = scene(|minute| 0.3 * daily(minute), seed).fit();
        assert!(
            (0.19..0.30).contains(&plain(&moving).band),
            "{}",
            plain(&moving).band
        );
        // A course that is no sine: the night.
        let night = |minute: i64| if minute / 240 % 6 == 0 { 0.5 } else { 0.0 };
        let fit = scene(night, seed).fit();
        assert!(
            (0.3..0.5).contains(&plain(&fit).band),
            "{}",
            plain(&fit).band
        );
    }
}

#[test]
fn nothing_gives_nothing() {
    let (indicators, reference) = Scene::indicators();
    let fit = calibrate_stream(
        &[],
        &indicators,
        Some(&reference),
        &CalibrationOptions::default(),
    );
    assert_eq!((fit.dispersion, fit.days, plain(&fit).band), (1.0, 0, 0.0));
}

#[test]
fn long_panes_do_not_take_a_season_for_bursts() {
    let scene = Scene {
        mean: |minute| 1.5 * daily(minute),
        minutes: 60,
        events: 480,
        ..Scene::default()
    };
    let fit = scene.fit();
    let hourly = fit.season(Season::HourOfDay).unwrap();
    assert!(
        fit.dispersion > 5.0,
        "a course of six hours is no line: {}",
        fit.dispersion
    );
    assert!(
        hourly.dispersion < 1.3 && hourly.band < 0.06,
        "{}",
        hourly.dispersion
    );
    assert_eq!(chosen(&fit), Season::HourOfDay);
}

#[test]
fn a_change_takes_more_events_the_closer_it_is_to_the_tolerance() {
    let shifts = BankOptions::default().shifts;
    let events = |h| events_to_see(h, 0.07, 2.0, 23.0, &shifts);
    assert_eq!(events(0.05), f64::INFINITY);
    assert!(events(0.1) > 10.0 * events(0.3) && events(0.3) > events(1.0));
    // 2ϕ·price/(h − h0)², where the mixture has the very shift.
    assert!((events(0.07 + 0.175) / (2.0 * 2.0 * 23.0 / 0.175_f64.powi(2)) - 1.0).abs() < 1e-9);
}

#[test]
fn months_of_a_quiet_history_are_quiet_and_a_band_too_narrow_is_blamed() {
    let scene = Scene {
        mean: |minute| 0.3 * daily(minute),
        ..Scene::default()
    };
    let (panes, options) = (scene.panes(), scene.options());
    let (indicators, reference) = Scene::indicators();
    let fit = calibrate_stream(&panes, &indicators, Some(&reference), &options);
    let mut days: Vec<i64> = panes.iter().map(|p| day_of(p.start)).collect();
    days.dedup();
    let threshold = 8_640.0;
    let months = BootstrapOptions {
        months: 20,
        ..BootstrapOptions::default()
    };
    let outcome = |chosen: &SeasonFit| {
        let mut trial = Bootstrap::new(&days, chosen.season, threshold, months);
        let banks = chosen.banks(&indicators, chosen.dispersion, &options);
        let bank = |pane: &HistoryPane| banks.get(chosen.season.slot(pane.start));
        let lived = trial.live(&panes, bank, 0.5, &[]);
        assert_eq!(lived.len(), 20 * 30 * 4);
        trial.set(0, vec![0.0; lived.len()]);
        trial.set(1, lived);
        trial.outcome()
    };
    for chosen in &fit.seasons {
        let outcome = outcome(chosen);
        assert_eq!(
            (outcome.alarms, outcome.quiet_months),
            (0, 20),
            "{outcome:?}"
        );
        assert!(outcome.at_most() < 0.16 && outcome.interval().0 == 0.0);
    }
    let narrow = SeasonFit {
        band: 0.0,
        ..plain(&fit).clone()
    };
    let outcome = outcome(&narrow);
    assert!(outcome.alarms >= 20 && outcome.blamed == [1], "{outcome:?}");
    assert!(outcome.interval().0 > 1.0 && outcome.per_month() <= outcome.at_most());
}

#[test]
fn an_hour_of_the_week_is_only_replaced_by_its_like() {
    let days: Vec<i64> = (0..28).collect();
    let panes: Vec<HistoryPane> = days
        .iter()
        .map(|day| HistoryPane {
            start: Timestamp::from_seconds(86_400 * day),
            tally: Tally {
                hits: vec![if day % 7 == 0 { 90.0 } else { 10.0 }],
                trials: vec![100.0],
            },
        })
        .collect();
    let indicators = Indicators::rates(1);
    let bank = Bank::new(
        &indicators,
        &Tally {
            hits: vec![1_000.0],
            trials: vec![10_000.0],
        },
        &BankOptions::default(),
    );
    let trial = Bootstrap::new(&days, Season::HourOfWeek, 1e4, BootstrapOptions::default());
    for month in trial.live(&panes, |_| Some(&bank), 1.0, &[]).chunks(30 * 4) {
        let loud = month.iter().filter(|evidence| **evidence >= 1e4).count();
        assert!(
            (4..=5).contains(&loud),
            "a day of seven is loud, {loud} of 30 were"
        );
    }
}
