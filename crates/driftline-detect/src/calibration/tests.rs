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

#[test]
fn drifted_days_are_dropped_and_named() {
    let scene = Scene {
        mean: |minute| if minute / 1_440 == 5 { 0.6 } else { 0.0 },
        ..Scene::default()
    };
    let fit = scene.fit();
    let first = day_of(Timestamp::from_seconds(MONDAY));
    for season in &fit.seasons {
        assert_eq!(season.dropped, [first + 5], "{:?}", season.season);
        assert!(season.band < 0.04, "{}", season.band);
    }
    let twice = Scene {
        mean: |minute| if minute / 1_440 % 7 == 5 { 0.6 } else { 0.0 },
        ..Scene::default()
    };
    assert_eq!(
        plain(&twice.fit()).dropped,
        [first + 5, first + 12],
        "they hide each other"
    );
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
