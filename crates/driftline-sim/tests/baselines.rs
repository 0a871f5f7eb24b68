//! What the current data is compared with: the past, another version, the hours of a season.

#![allow(clippy::unwrap_used)]

mod pipeline;

use std::sync::Arc;

use driftline_engine::{
    Baseline, Calibration, ColumnCalibration, DecisionSpec, ModelSpec, SliceCalibration,
};
use driftline_event::{AlertEvent, Season, SeriesState, Statistic};
use driftline_sim::Rng;
use driftline_sketch::{ColumnProfile, ReferenceProfile};
use pipeline::{
    Event, START, alerts, decision, events, minute, minutes, of_shape, profile, read, reports, run,
    spec,
};

#[test]
fn a_trailing_baseline_warms_up_and_follows_a_level_that_the_reference_does_not_have() {
    let decision = DecisionSpec {
        baseline: Baseline::Trailing {
            size: minutes(120),
            lag: minutes(60),
        },
        ..decision()
    };
    let events = events(1, 420, 5, |_, m, _| Some(if m < 330 { 1.0 } else { 2.5 }));
    let out = run(vec![spec(decision, "1")], &events, 1_000);
    let reports = reports(&out, "x");
    let warm: Vec<i64> = reports
        .iter()
        .filter(|r| r.state == SeriesState::WarmingUp)
        .map(|r| minute(r.window.end))
        .collect();
    // Two hours that end an hour and a step ago.
    assert_eq!((warm.first(), warm.last()), (Some(&10), Some(&180)));
    let (first, last) = (reports[0], reports[reports.len() - 1]);
    assert!(first.decision.is_none() && !first.reference.contains('@'));
    assert!(
        last.reference.ends_with("@trailing:2h"),
        "{}",
        last.reference
    );
    let fired = of_shape(&alerts(&out));
    assert_eq!(fired.len(), 1, "{fired:#?}");
    assert!(
        (331..345).contains(&minute(fired[0].evaluated_at)),
        "{:?}",
        fired[0]
    );
    assert!(fired[0].reference.ends_with("@trailing:2h"));
}

#[test]
fn a_version_is_compared_with_what_the_other_one_sees() {
    let follower = DecisionSpec {
        baseline: Baseline::Version("1".to_owned()),
        ..decision()
    };
    let first = DecisionSpec::new(1e-9, minutes(1));
    // The follower stands first, so the order of the specifications must not matter.
    let specs = || vec![spec(follower.clone(), "2"), spec(first.clone(), "1")];
    // Both are elsewhere than the reference from the beginning; the follower alone leaves later.
    let events = events(2, 240, 6, |layout, m, _| {
        Some(if layout == 0 && m >= 180 { 2.5 } else { 1.0 })
    });
    let out = run(specs(), &events, 1_000);
    let mut fired = of_shape(&alerts(&out));
    fired.retain(|a| a.series.version == "2");
    assert_eq!(fired.len(), 1, "{fired:#?}");
    assert!(
        (181..195).contains(&minute(fired[0].evaluated_at)),
        "{:?}",
        fired[0]
    );
    assert!(fired[0].reference.ends_with("@version:1"));
    for flush_every in [97, usize::MAX] {
        assert_eq!(out, run(specs(), &events, flush_every));
    }
}

/// Slots around their own centres, as a calibration would have them; without history where there is none.
fn calibration(
    profile: &ReferenceProfile,
    season: Season,
    centre: impl Fn(usize) -> Option<f64>,
) -> Calibration {
    let mut rng = Rng::new(8);
    let slot = |slot: usize, rng: &mut Rng| {
        let centre = centre(slot)?;
        let mut columns: Vec<_> = profile
            .columns
            .iter()
            .map(|c| c.profile.reference())
            .collect();
        if let ColumnProfile::Numeric(p) = &profile.columns[0].profile {
            let mut summary = p.empty_summary();
            let values: Vec<f64> = (0..20_000).map(|_| rng.bell() + centre).collect();
            p.add_column(&values, &mut summary);
            columns[0] = driftline_sketch::ColumnSummary::Numeric(summary);
        }
        Some(columns.into())
    };
    Calibration {
        reference: profile.id().to_owned(),
        days: 14,
        season,
        all: SliceCalibration {
            columns: vec![ColumnCalibration::default(); 2],
            slots: (0..season.slots()).map(|i| slot(i, &mut rng)).collect(),
        },
        ..Calibration::default()
    }
}

#[test]
fn a_cycle_that_the_calibration_knows_is_no_drift() {
    let centre = |hour: usize| [0.0, 0.5, 1.0, 1.5, 1.0, 0.5][hour.min(5)];
    let shift = |m: i64| if m >= 300 { 0.7 } else { 0.0 };
    let events = events(1, 360, 9, |_, m, _| {
        Some(centre(m as usize / 60) + shift(m))
    });
    let plain = run(vec![spec(decision(), "1")], &events, 1_000);
    assert!(alerts(&plain).iter().any(|a| minute(a.evaluated_at) < 300));
    let known = decision().calibrated(Arc::new(calibration(
        &profile(),
        Season::HourOfDay,
        |hour| (hour < 6).then(|| centre(hour)),
    )));
    let out = run(vec![spec(known, "1")], &events, 1_000);
    let fired = alerts(&out);
    assert_eq!(fired.len(), 1, "{fired:#?}");
    assert!(
        (301..320).contains(&minute(fired[0].evaluated_at)),
        "{:?}",
        fired[0]
    );
    assert!(
        (290..=300).contains(&minute(fired[0].onset.unwrap())),
        "{:?}",
        fired[0]
    );
    assert!(fired[0].reference.ends_with("@hour_of_day"));
    // A window of two half hours is described against the mixture of both.
    let report = reports(&out, "x")
        .into_iter()
        .find(|r| minute(r.window.end) == 150)
        .unwrap();
    assert!(report.decision.as_ref().unwrap().calibrated);
    assert!(
        report.value(Statistic::KolmogorovSmirnov).unwrap() < 0.06,
        "{report:?}"
    );
}

#[test]
fn a_segment_is_judged_by_its_own_past() {
    let trailing = DecisionSpec {
        baseline: Baseline::Trailing {
            size: minutes(60),
            lag: minutes(60),
        },
        ..decision()
    };
    let events = events(1, 240, 10, |_, m, half| {
        Some(if half == 1 && m >= 180 { 1.5 } else { 0.0 })
    });
    let cut = |decision| ModelSpec {
        segments: vec!["region".to_owned()],
        segments_max: 3,
        ..spec(decision, "1")
    };
    let out = run(vec![cut(trailing)], &events, 1_000);
    let fired = alerts(&out);
    let segments: Vec<_> = fired.iter().map(|a| a.series.segment.as_deref()).collect();
    assert!(segments.contains(&Some("region=south")), "{fired:#?}");
    assert!(!segments.contains(&Some("region=north")), "{fired:#?}");
    // Without a baseline of its own a segment is only described.
    let out = run(vec![cut(decision())], &events, 1_000);
    let (own, all): (Vec<_>, Vec<_>) = reports(&out, "x")
        .into_iter()
        .partition(|r| r.series.segment.is_some());
    assert!(!own.is_empty() && own.iter().all(|r| r.decision.is_none()));
    assert!(all.iter().any(|r| r.decision.is_some()));
}

#[test]
fn monday_is_not_tuesday() {
    // The stream begins with a Monday; its hours and those of the day after have their own level.
    let centre = |slot: usize| match slot {
        0..6 => Some(0.0),
        24..30 => Some(1.0),
        _ => None,
    };
    let season = Season::HourOfWeek;
    let known = || decision().calibrated(Arc::new(calibration(&profile(), season, centre)));
    let on_tuesday = |level: f64| {
        let mut events = events(1, 240, 12, |_, m, _| {
            Some(if m < 120 { 0.0 } else { level })
        });
        let tuesday = START + 2 * 3_600;
        for event in events.iter_mut().filter(|e| e.seconds >= tuesday) {
            event.seconds += 22 * 3_600;
        }
        run(vec![spec(known(), "1")], &events, 1_000)
    };
    let usual = on_tuesday(1.0);
    assert_eq!(alerts(&usual), Vec::<&AlertEvent>::new());
    let last = reports(&usual, "x")
        .into_iter()
        .rfind(|r| r.window.events > 0)
        .unwrap();
    assert!(last.reference.ends_with("@hour_of_week"), "{last:?}");
    assert!(
        last.value(Statistic::KolmogorovSmirnov).unwrap() < 0.06,
        "{last:?}"
    );
    let as_on_monday = on_tuesday(0.0);
    let fired = of_shape(&alerts(&as_on_monday));
    assert_eq!(fired.len(), 1, "{fired:#?}");
    assert!(
        (1_440..1_460).contains(&minute(fired[0].evaluated_at)),
        "{:?}",
        fired[0]
    );
}

#[test]
fn a_step_of_two_hours_is_judged_by_the_mixture_of_both() {
    let centre = |hour: usize| [0.0, 1.5][hour % 2];
    let known = DecisionSpec {
        step: minutes(120),
        ..decision().calibrated(Arc::new(calibration(
            &profile(),
            Season::HourOfDay,
            |hour| Some(centre(hour)),
        )))
    };
    let events = events(1, 600, 13, |_, m, _| {
        Some(centre(m as usize / 60) + if m >= 480 { 0.8 } else { 0.0 })
    });
    let out = run(vec![spec(known, "1")], &events, 1_000);
    let fired = of_shape(&alerts(&out));
    assert_eq!(fired.len(), 1, "{fired:#?}");
    assert_eq!(minute(fired[0].evaluated_at), 600);
    // The component that stands out over both hours may begin to only in the second one.
    assert!(
        (470..=540).contains(&minute(fired[0].onset.unwrap())),
        "{:?}",
        fired[0]
    );
    let before = reports(&out, "x")
        .into_iter()
        .find(|r| minute(r.window.end) == 470);
    let before = before.unwrap().decision.clone().unwrap();
    assert!(
        before.calibrated && before.shape.state == SeriesState::Stable,
        "{before:?}"
    );
}

/// South has a history of its own, a standard deviation above the reference; north has none.
fn with_history(events_max: usize) -> ModelSpec {
    let history = calibration(&profile(), Season::None, |_| Some(1.0));
    let known = Calibration {
        all: SliceCalibration {
            slots: Vec::new(),
            ..history.all.clone()
        },
        segments: [("region=south".to_owned(), history.all.clone())].into(),
        ..history
    };
    ModelSpec {
        segments: vec!["region".to_owned()],
        segments_max: events_max,
        ..spec(decision().calibrated(Arc::new(known)), "1")
    }
}

#[test]
fn a_segment_is_judged_by_its_history_in_the_calibration() {
    let events = events(1, 240, 14, |_, m, half| {
        let south = if m >= 180 { 2.5 } else { 1.0 };
        Some(if half == 1 { south } else { 0.0 })
    });
    let out = run(vec![with_history(3)], &events, 1_000);
    let fired: Vec<&AlertEvent> = of_shape(&alerts(&out))
        .into_iter()
        .filter(|a| a.series.segment.is_some())
        .collect();
    assert_eq!(fired.len(), 1, "{fired:#?}");
    assert_eq!(fired[0].series.segment.as_deref(), Some("region=south"));
    assert!(
        (181..195).contains(&minute(fired[0].evaluated_at)),
        "{:?}",
        fired[0]
    );
    assert!(fired[0].reference.ends_with("@history"), "{:?}", fired[0]);
    let decided = |segment: &str| {
        let mut of = reports(&out, "x").into_iter();
        of.any(|r| r.series.segment.as_deref() == Some(segment) && r.decision.is_some())
    };
    assert!(decided("region=south") && !decided("region=north"));
}

#[test]
fn a_segment_is_forgotten_a_day_after_its_last_event() {
    let both = events(1, 30, 15, |_, _, half| Some(half as f64));
    let north = *both.iter().find(|e| e.segment == "north").unwrap();
    let columns = 2;
    // All events and north go on, an event a minute.
    for (hours, series) in [(20, 3), (26, 2)] {
        let later = (30..60 * hours).map(|m| Event {
            seconds: START + 60 * m,
            ..north
        });
        let events: Vec<Event> = both.iter().copied().chain(later).collect();
        let (_, evaluator) = read(vec![with_history(3)], &events, 1_000);
        assert_eq!(evaluator.series(), columns * series, "after {hours} hours");
    }
}
