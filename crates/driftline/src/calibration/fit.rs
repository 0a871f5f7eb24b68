//! From histories to a calibration: every stream on its own, then one season for all, then the trial.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use driftline_detect::bank::{Bank, BankOptions, Indicators, Tally};
use driftline_detect::calibration::{
    Bootstrap, BootstrapOptions, CalibrationOptions, HistoryPane, Outcome, SeasonFit, StreamFit,
    calibrate_stream, choose_season,
};
use driftline_engine::{ColumnStreams, StreamWeights};
use driftline_event::Season;
use driftline_sketch::ReferenceProfile;

use super::collect::History;

/// Days of history that a calibration should have.
pub const DAYS_MIN: usize = 14;
/// A band is widened by this until the trial stays within the budget.
const RAISE: f64 = 1.1;
/// More rounds would raise a band beyond every share's reach.
const ROUNDS_MAX: usize = 60;
/// A trial that would take longer is made of fewer months.
const TRIAL_SECONDS_MAX: f64 = 120.0;
/// But not of fewer than this.
const MONTHS_MIN: usize = 20;
/// The tolerance of shapes that a short history is not trusted to go below.
pub(super) const SHORT_TOLERANCE: f64 = 0.1;

/// The streams of a column, in the engine's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The distribution of valid values.
    Shape,
    /// Missing, invalid, out-of-range and unseen values.
    Quality,
}

/// How a version is going to be judged.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// Its reference.
    pub profile: &'a ReferenceProfile,
    /// How much event time is judged at once.
    pub step: Duration,
    /// What is tolerated of a shape and of a rate without a band.
    pub tolerances: [f64; 2],
    /// The evidence at which there is an alarm: c.
    pub threshold: f64,
    /// The budget, alarms in 30 days.
    pub budget: f64,
    /// How the budget is split.
    pub weights: StreamWeights,
    /// Months of the trial; none leaves it out.
    pub months: usize,
    /// Seeds the choice of days.
    pub seed: u64,
}

/// One stream.
#[derive(Clone, Debug)]
pub struct Found {
    /// What is watched.
    pub indicators: Indicators,
    /// What history says.
    pub fit: StreamFit,
    /// The same for the season that was chosen. Its band is the one to use.
    pub chosen: SeasonFit,
    /// The band as it was measured.
    pub measured: f64,
    /// How it was calibrated.
    pub options: CalibrationOptions,
    /// ω.
    pub weight: f64,
}

impl Found {
    /// What an alarm costs, in nats: the logarithms of the threshold and of the number of components.
    #[must_use]
    pub fn price(&self) -> f64 {
        let components = 12.0 * self.indicators.len().max(1) as f64;
        self.options.threshold.ln() + components.ln()
    }

    /// Gives the stream another band.
    pub(super) fn set_band(&mut self, band: f64) {
        let tolerated = |band: f64| self.options.bank.tolerance.max(band);
        self.chosen.tolerance += tolerated(band) - tolerated(self.chosen.band);
        self.chosen.band = band;
    }

    /// Gives the stream the next wider band.
    pub(super) fn widen(&mut self) {
        self.set_band(self.chosen.band.max(self.options.bank.tolerance) * RAISE);
    }
}

/// All events, or one segment.
#[derive(Clone, Debug)]
pub struct SliceFound {
    /// Both streams of every column.
    pub columns: Vec<[Found; 2]>,
    /// Days with events.
    pub days: usize,
    /// Events.
    pub events: u64,
}

/// Everything that was found for a version.
#[derive(Clone, Debug)]
pub struct VersionFound {
    /// The season of the baselines.
    pub season: Season,
    /// Whether the history is short.
    pub short: bool,
    /// By segment; all events under none.
    pub slices: BTreeMap<Option<String>, SliceFound>,
    /// Segments whose history is too short for a calibration.
    pub left_out: Vec<String>,
    /// What came of the trial, if there was one.
    pub trial: Option<Outcome>,
    /// Whether it had fewer months than asked for, to save time.
    pub fewer_months: bool,
}

/// Calibrates a version. `progress` hears what is being done, with the share of it that is done.
pub fn calibrate(
    plan: &Plan<'_>,
    histories: &BTreeMap<Option<String>, History>,
    progress: &(dyn Fn(&str, f64) + Sync),
) -> VersionFound {
    let days = histories.get(&None).map_or(0, |h| h.days().len());
    let short = days < DAYS_MIN;
    let enough = |history: &History| short || history.days().len() >= DAYS_MIN;
    let (mut fits, mut left_out) = (BTreeMap::new(), Vec::new());
    for (i, (segment, history)) in histories.iter().enumerate() {
        if !enough(history) {
            left_out.extend(segment.clone());
            continue;
        }
        let done = i as f64 / histories.len() as f64;
        let name = segment.as_deref().unwrap_or("all events");
        progress(&format!("measuring {name}"), done);
        fits.insert(segment.clone(), fit_slice(plan, segment.is_some(), history));
    }
    let season = fits
        .get(&None)
        .map_or(Season::None, |columns| season(plan, columns));
    let widening = if short {
        (DAYS_MIN as f64 / days.max(1) as f64).sqrt()
    } else {
        1.0
    };
    let mut slices = BTreeMap::new();
    for (segment, columns) in fits {
        let history = &histories[&segment];
        match choose(columns, season, widening) {
            Some(columns) => {
                let (days, events) = (history.days().len(), history.events());
                slices.insert(
                    segment,
                    SliceFound {
                        columns,
                        days,
                        events,
                    },
                );
            }
            None => left_out.extend(segment),
        }
    }
    let mut found = VersionFound {
        season,
        short,
        slices,
        left_out,
        trial: None,
        fewer_months: false,
    };
    if plan.months > 0 {
        try_out(plan, histories, &mut found, progress);
    }
    found
}

type Fitted = (Indicators, StreamFit, CalibrationOptions, f64);

/// Works on every column of a reference, on as many threads as there are cores.
fn by_column<T: Send>(columns: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(columns.max(1));
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(columns)));
    let lock = || done.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let column = next.fetch_add(1, Ordering::Relaxed);
                    if column >= columns {
                        break;
                    }
                    let result = work(column);
                    lock().push((column, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(column, _)| *column);
    done.into_iter().map(|(_, result)| result).collect()
}

fn fit_slice(plan: &Plan<'_>, is_segment: bool, history: &History) -> Vec<[Fitted; 2]> {
    by_column(plan.profile.columns.len(), |column| {
        let profile = &plan.profile.columns[column].profile;
        let streams = ColumnStreams::new(profile);
        let panes = history.panes(column, plan.profile, &streams, plan.step);
        let mut reference = <[Tally; 2]>::default();
        streams.read(&profile.reference(), &mut reference);
        let mut shape_dispersion = 1.0;
        [0, 1].map(|side| {
            let weight = plan.weights.of(is_segment, column, side);
            let bounds = if side == 1 && !is_segment {
                streams.bounds(Some(profile))
            } else {
                Vec::new()
            };
            let options = CalibrationOptions {
                pane: plan.step,
                bank: BankOptions {
                    tolerance: plan.tolerances[side],
                    horizon: plan.threshold,
                    ..BankOptions::default()
                },
                threshold: plan.threshold / weight.max(1e-12),
                bounds,
                dispersion_when_rare: shape_dispersion,
                ..CalibrationOptions::default()
            };
            let reference = (!is_segment).then_some(&reference[side]);
            let indicators = streams.indicators()[side].clone();
            let fit = calibrate_stream(&panes[side], &indicators, reference, &options);
            shape_dispersion = fit.dispersion;
            (indicators, fit, options, weight)
        })
    })
}

/// The season that suits the shapes of all events best.
fn season(plan: &Plan<'_>, columns: &[[Fitted; 2]]) -> Season {
    let shapes = columns
        .iter()
        .map(|[(indicators, fit, options, weight), _]| {
            let components = 12.0 * indicators.len().max(1) as f64;
            (fit, *weight, options.threshold.ln() + components.ln())
        });
    // A slot is an hour: a longer step would mix several.
    if plan.step > Duration::from_secs(3_600) {
        return Season::None;
    }
    choose_season(shapes)
}

/// The streams under this season, unless one of them has too little history for it.
fn choose(columns: Vec<[Fitted; 2]>, season: Season, widening: f64) -> Option<Vec<[Found; 2]>> {
    let found = |(indicators, fit, options, weight): Fitted, side: Side| {
        let chosen = fit.season(season)?.clone();
        let measured = chosen.band;
        let mut found = Found {
            indicators,
            fit,
            chosen,
            measured,
            options,
            weight,
        };
        if widening > 1.0 {
            let least = if side == Side::Shape {
                SHORT_TOLERANCE
            } else {
                0.0
            };
            found.set_band((measured * widening).max(least));
        }
        Some(found)
    };
    let both = |[shape, quality]: [Fitted; 2]| {
        Some([found(shape, Side::Shape)?, found(quality, Side::Quality)?])
    };
    columns.into_iter().map(both).collect()
}

/// One stream in [`Bootstrap`]: slice, column, side.
type Place = (Option<String>, usize, usize);

/// Months made of the history's days; bands that are too narrow are widened until the budget holds.
fn try_out(
    plan: &Plan<'_>,
    histories: &BTreeMap<Option<String>, History>,
    found: &mut VersionFound,
    progress: &(dyn Fn(&str, f64) + Sync),
) {
    let Some(all) = histories.get(&None) else {
        return;
    };
    let bootstrap = |months| {
        let options = BootstrapOptions {
            months,
            seed: plan.seed,
            ..BootstrapOptions::default()
        };
        Bootstrap::new(&all.days(), found.season, plan.threshold, options)
    };
    let mut trial = bootstrap(plan.months);
    let columns = plan.profile.columns.len();
    if let Some(slice) = found.slices.get(&None) {
        let start = Instant::now();
        live(plan, &trial, all, slice, 0);
        let cores = std::thread::available_parallelism().map_or(1.0, |n| usize::from(n) as f64);
        let seconds = start.elapsed().as_secs_f64() * (columns * found.slices.len()) as f64 / cores;
        if seconds > TRIAL_SECONDS_MAX && plan.months > MONTHS_MIN {
            let months = (plan.months as f64 * TRIAL_SECONDS_MAX / seconds) as usize;
            trial = bootstrap(months.max(MONTHS_MIN));
            found.fewer_months = true;
        }
    }
    let mut places: Vec<Place> = Vec::new();
    for (i, (segment, slice)) in found.slices.iter().enumerate() {
        progress("trying months", i as f64 / found.slices.len() as f64);
        let history = &histories[segment];
        let lived = by_column(columns, |column| live(plan, &trial, history, slice, column));
        for (column, sides) in lived.into_iter().enumerate() {
            for (side, lived) in sides.into_iter().enumerate() {
                trial.set(places.len(), lived);
                places.push((segment.clone(), column, side));
            }
        }
    }
    let outcome = widen(&mut trial, plan.budget, |trial, stream, done| {
        progress("widening bands", done);
        let (segment, column, side) = &places[stream];
        let slice = found.slices.get_mut(segment)?;
        slice.columns[*column][*side].widen();
        let lived = live(plan, trial, &histories[segment], slice, *column);
        lived.into_iter().nth(*side)
    });
    found.trial = Some(outcome);
}

/// Has the bands of those streams widened that have the most evidence in an alarm, until the budget holds. `relive` widens
/// the band of a stream and says what it lives through then; it hears which part of the rounds has gone by.
pub(super) fn widen(
    trial: &mut Bootstrap,
    budget: f64,
    mut relive: impl FnMut(&Bootstrap, usize, f64) -> Option<Vec<f32>>,
) -> Outcome {
    let mut outcome = trial.outcome();
    for round in 0..ROUNDS_MAX {
        if outcome.alarms == 0 || outcome.at_most() <= budget {
            break;
        }
        for stream in std::mem::take(&mut outcome.blamed) {
            let lived = relive(trial, stream, round as f64 / ROUNDS_MAX as f64);
            if let Some(lived) = lived {
                trial.set(stream, lived);
            }
        }
        outcome = trial.outcome();
    }
    outcome
}

/// What both streams of a column live through.
fn live(
    plan: &Plan<'_>,
    trial: &Bootstrap,
    history: &History,
    slice: &SliceFound,
    column: usize,
) -> [Vec<f32>; 2] {
    let [shape, quality] = &slice.columns[column];
    let streams = ColumnStreams::new(&plan.profile.columns[column].profile);
    let [shapes, qualities] = history.panes(column, plan.profile, &streams, plan.step);
    let of = |found: &Found, panes: &[HistoryPane]| {
        let chosen = &found.chosen;
        let banks: Vec<Bank> = chosen.banks(&found.indicators, chosen.dispersion, &found.options);
        let bank = |pane: &HistoryPane| banks.get(chosen.season.slot(pane.start));
        trial.live(panes, bank, found.weight, &chosen.dropped)
    };
    [of(shape, &shapes), of(quality, &qualities)]
}
