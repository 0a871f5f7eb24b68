//! History cut into days and hours.

use std::collections::BTreeMap;
use std::time::Duration;

use driftline_event::{Season, Timestamp};

use crate::bank::Tally;

pub(super) const HOUR_MICROS: i64 = 3_600_000_000;
pub(super) const DAY_MICROS: i64 = 24 * HOUR_MICROS;

/// What one stream's indicators counted in one decision step.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryPane {
    /// The first instant of the step.
    pub start: Timestamp,
    /// Hits and trials by indicator.
    pub tally: Tally,
}

/// The UTC day of an instant, counted from the epoch.
pub fn day_of(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(DAY_MICROS)
}

/// All panes of one hour, or one pane where those are longer.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) day: i64,
    pub(super) start: Timestamp,
    pub(super) tally: Tally,
}

/// Adds the panes up by hour, and leaves out what is empty.
pub(super) fn cells(panes: &[HistoryPane]) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let hour = |at: Timestamp| at.as_micros().div_euclid(HOUR_MICROS);
    for pane in panes.iter().filter(|p| !p.tally.is_empty()) {
        match cells.last_mut() {
            Some(cell) if hour(cell.start) == hour(pane.start) => cell.tally.add(&pane.tally),
            _ => cells.push(Cell {
                day: day_of(pane.start),
                start: pane.start,
                tally: pane.tally.clone(),
            }),
        }
    }
    cells
}

/// The days that have events, ascending.
pub(super) fn days(cells: &[Cell]) -> Vec<i64> {
    let mut days: Vec<i64> = cells.iter().map(|c| c.day).collect();
    days.dedup();
    days
}

/// The most trials that any indicator has.
pub(super) fn events(tally: &Tally) -> f64 {
    tally.trials.iter().copied().fold(0.0, f64::max)
}

/// Fewer hits, or misses, than this say nothing about how they clump.
const CLUMP_HITS_MIN: f64 = 50.0;

/// Whether no indicator came, and failed to come, often enough in all of history to measure a dispersion by.
pub(super) fn is_rare(cells: &[Cell]) -> bool {
    let mut all = Tally::default();
    cells.iter().for_each(|cell| all.add(&cell.tally));
    let mut counts = all.hits.iter().zip(&all.trials);
    counts.all(|(hits, trials)| hits.min(trials - hits) < CLUMP_HITS_MIN)
}

/// What is usual in each slot of a season: fixed, or the sum of history's days.
#[derive(Clone, Debug)]
pub(super) enum Usual<'a> {
    /// The version's reference.
    Reference(&'a Tally),
    /// History itself. The day that is looked at is taken out of it first.
    History {
        season: Season,
        slots: Vec<Tally>,
        by_day: BTreeMap<(i64, usize), Tally>,
    },
}

impl<'a> Usual<'a> {
    pub(super) fn history(season: Season, cells: &[Cell], dropped: &[i64]) -> Self {
        let indicators = cells.first().map_or(0, |c| c.tally.hits.len());
        let mut slots = vec![Tally::new(indicators); season.slots()];
        let mut by_day: BTreeMap<(i64, usize), Tally> = BTreeMap::new();
        for cell in cells.iter().filter(|c| !dropped.contains(&c.day)) {
            let slot = season.slot(cell.start);
            slots[slot].add(&cell.tally);
            by_day.entry((cell.day, slot)).or_default().add(&cell.tally);
        }
        Self::History {
            season,
            slots,
            by_day,
        }
    }

    /// The slot that an instant falls into.
    pub(super) fn slot(&self, at: Timestamp) -> usize {
        match self {
            Self::Reference(_) => 0,
            Self::History { season, .. } => season.slot(at),
        }
    }

    /// What all other days say about a slot.
    pub(super) fn without(&self, day: i64, slot: usize) -> Tally {
        match self {
            Self::Reference(reference) => (*reference).clone(),
            Self::History { slots, by_day, .. } => {
                let mut rest = slots[slot].clone();
                if let Some(own) = by_day.get(&(day, slot)) {
                    let take = |from: &mut [f64], what: &[f64]| {
                        let pairs = from.iter_mut().zip(what);
                        pairs.for_each(|(sum, term)| *sum = (*sum - term).max(0.0));
                    };
                    take(&mut rest.hits, &own.hits);
                    take(&mut rest.trials, &own.trials);
                }
                rest
            }
        }
    }

    /// The slots, without taking anything out.
    pub(super) fn slots(&self) -> &[Tally] {
        match self {
            Self::Reference(reference) => std::slice::from_ref(*reference),
            Self::History { slots, .. } => slots,
        }
    }
}

/// Hours that divide a day.
const HOURS: [i64; 8] = [1, 2, 3, 4, 6, 8, 12, 24];

/// Independent events of an hour that has any.
fn hourly(cells: &[Cell], dispersion: f64) -> f64 {
    let total: f64 = cells.iter().map(|c| events(&c.tally)).sum();
    total / cells.len().max(1) as f64 / dispersion
}

/// How long blocks are in which wander is measured: whole hours that divide a day, or the pane where that is longer.
///
/// A block is at least an hour and the pane. It holds on average at least `events` independent ones, if a day does: in
/// fewer, noise would hide the wander.
pub(super) fn block(cells: &[Cell], pane: Duration, dispersion: f64, events_wanted: f64) -> i64 {
    let pane = i64::try_from(pane.as_micros()).unwrap_or(i64::MAX);
    if pane >= DAY_MICROS {
        return pane;
    }
    let hourly = hourly(cells, dispersion);
    let fits = |hours: &i64| {
        hours * HOUR_MICROS >= pane && (*hours as f64 * hourly >= events_wanted || *hours == 24)
    };
    HOURS.into_iter().find(fits).unwrap_or(24) * HOUR_MICROS
}

/// The blocks shorter than `block` that hold so many independent events as well once all `days` are added up.
pub(super) fn shorter_blocks(
    cells: &[Cell],
    pane: Duration,
    dispersion: f64,
    events_wanted: f64,
    days: usize,
    block: i64,
) -> impl Iterator<Item = i64> {
    let pane = i64::try_from(pane.as_micros()).unwrap_or(i64::MAX);
    let hourly = hourly(cells, dispersion) * days as f64;
    let fits = move |hours: &i64| {
        let micros = hours * HOUR_MICROS;
        micros >= pane && micros < block && *hours as f64 * hourly >= events_wanted
    };
    HOURS
        .into_iter()
        .filter(fits)
        .map(|hours| hours * HOUR_MICROS)
}
