//! What history says about a stream: how bursty its counts are, how far its shares harmlessly wander, and which season
//! they follow.
//!
//! **What it measures.** A stream is judged by a [`Bank`] of indicators. For each stream:
//!
//! * the *dispersion* ϕ of its counts, see [`dispersion()`];
//! * the *band*: the 99 % quantile, over blocks of history, of max_i |φ(p_block,i) − φ(q_i)|, less sampling noise in
//!   quadrature. φ(p) = 2·asin √p is Cohen's scale, q what is usual: the reference, or what all *other* days say about the
//!   same hour of the day or of the week;
//! * the *tolerance* that follows from it, h0 = max(h_min, band) + z/√m_eff with m_eff = m/ϕ, averaged over traffic.
//!
//! **Blocks** are an hour, or the pane if that is longer, or as many hours as hold about 1,000 independent events, at most
//! a day. In an hour of a few events noise is larger than any wander worth a band, and no detector judges by so few.
//!
//! **The course of a day** is hidden in blocks that long: at two events a minute they are whole days, and each is as usual.
//! So the same hours of all days are added up as well, in blocks of every length below that in which they have as many
//! events together, and the band is at least the distance of the most deviant.
//!
//! **Noise.** A block of n events scatters by √(ϕ/n) on Cohen's scale, and the largest of I overlapping indicators by about
//! as much as the largest of I/3 independent ones; its 99 % quantile is subtracted. Where the usual share is itself an
//! average over m events, ϕ/m is added to the variance.
//!
//! **Days that drifted.** A day is held against what the other days say, with a tolerance of twice their usual largest
//! distance (the upper quartile of the days'). If its own evidence would be an alarm, it is dropped, and all is
//! estimated again without it. Where more than one day in twenty would go, or two in a row, none does: what happens more
//! than once a month, such as rain in a column of zeros, would alarm more often than any budget bears, so it is part of
//! the band. The quartile, and not the maximum, so that two drifted days cannot hide each other.
//!
//! **Seasons.** Hours of the day need days, hours of the week four weeks. [`choose_season`] takes the one that sees the
//! smallest shift within a day's events; a cycle has to gain 10 %, for it has fewer events per slot.
//!
//! **What it does not promise.** The bank's guarantee covers whatever stays inside the band. That the future does is an
//! extrapolation from history; [`Bootstrap`] says how the history itself, its days reshuffled into months, would fare. What
//! did not happen in these days, such as a holiday, is not in the band; nor is, where blocks are long, what comes and goes
//! within one of them at another hour each day.
//!
//! ```
//! use std::time::Duration;
//! use driftline_detect::bank::{Indicators, Tally};
//! use driftline_detect::calibration::{CalibrationOptions, HistoryPane, calibrate_stream};
//! use driftline_event::{Season, Timestamp};
//!
//! // A share of one half, each event counted three times over: 14 days of hours with 600 counts.
//! let pane = |hour: i64| HistoryPane {
//!     start: Timestamp::from_seconds(3_600 * hour),
//!     tally: Tally { hits: vec![300.0 + [30.0, -30.0, 0.0][(hour * hour % 7 % 3) as usize]], trials: vec![600.0] },
//! };
//! let history: Vec<HistoryPane> = (0..14 * 24).map(pane).collect();
//! let reference = Tally { hits: vec![50_000.0], trials: vec![100_000.0] };
//! let options = CalibrationOptions { pane: Duration::from_secs(3_600), ..Default::default() };
//! let fit = calibrate_stream(&history, &Indicators::rates(1), Some(&reference), &options);
//! assert!((2.0..6.0).contains(&fit.dispersion), "{}", fit.dispersion);
//! assert!(fit.season(Season::None).unwrap().band < 0.05);
//! ```

mod dispersion;
mod history;
mod poisson;
mod season;
mod verify;
mod wander;

use std::time::Duration;

use driftline_event::Season;

pub use dispersion::dispersion;
pub use history::{HistoryPane, day_of};
pub use poisson::{poisson_lower, poisson_upper};
pub use season::{choose_season, events_to_see, smallest_shift};
pub use verify::{Bootstrap, BootstrapOptions, Outcome};

use crate::bank::{Bank, BankOptions, BankState, Indicators, RateBounds, Tally};
use history::{Cell, Usual};
use wander::BlockDistance;

/// From this width on, windows hold too few panes of each hour to tell bursts from a season.
const LONG_PANE: Duration = Duration::from_secs(900);

/// How a stream is calibrated.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationOptions {
    /// The decision step: how much event time a [`HistoryPane`] covers.
    pub pane: Duration,
    /// How the stream will be judged; `band` and `dispersion` are what is sought and are not looked at.
    pub bank: BankOptions,
    /// The seasons to try. Those that history is too short for, or panes too long, are left out.
    pub seasons: Vec<Season>,
    /// The evidence at which the stream alone is an alarm: c/ω.
    pub threshold: f64,
    /// The share of blocks that the band covers.
    pub quantile: f64,
    /// Independent events that a block has on average at least, if a day has them.
    pub block_events: f64,
    /// Days of history that the hour of the day needs.
    pub days_for_hour_of_day: usize,
    /// Days of history that the hour of the week needs.
    pub days_for_hour_of_week: usize,
    /// A day may be dropped if its distance is more than so many times what the other days' largest distances usually are.
    pub drop_ratio: f64,
    /// What the dispersion is at least where history has too few hits to measure it, such as of out-of-range values that
    /// never came: that of the column's shape, for what makes values come in clumps makes bad ones too.
    pub dispersion_when_rare: f64,
    /// The share of days that may be dropped; with more suspects, or any two of them in a row, all days are kept.
    pub drop_share_max: f64,
    /// Limits of the reference's rates by indicator, for [`Bank::new_with_bounds`]; for the plain season only.
    pub bounds: Vec<Option<RateBounds>>,
}

impl Default for CalibrationOptions {
    /// One-minute panes, the tolerance that goes with a calibration (0.05), every season, a threshold of one alarm a month
    /// with 200 streams of equal weight.
    fn default() -> Self {
        Self {
            pane: Duration::from_secs(60),
            bank: BankOptions {
                tolerance: 0.05,
                ..BankOptions::default()
            },
            seasons: Season::ALL.to_vec(),
            threshold: 43_200.0 * 200.0,
            quantile: 0.99,
            block_events: 1_000.0,
            days_for_hour_of_day: 7,
            days_for_hour_of_week: 28,
            dispersion_when_rare: 1.0,
            drop_ratio: 2.0,
            drop_share_max: 0.05,
            bounds: Vec::new(),
        }
    }
}

/// What history says about one stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamFit {
    /// Pearson dispersion of the counts, at least 1.
    pub dispersion: f64,
    /// Days with events, dropped or not; panes with events where those are longer than a day.
    pub days: usize,
    /// Events of a day: the mean over days with events of the most trials that any indicator has.
    pub events_per_day: f64,
    /// What was found for each season that could be tried; never empty, the plain one first.
    pub seasons: Vec<SeasonFit>,
}

/// What history says about one stream under one season.
#[derive(Clone, Debug, PartialEq)]
pub struct SeasonFit {
    /// The season.
    pub season: Season,
    /// Pearson dispersion of the counts around this season, at least 1. Differs from that of the stream only where panes
    /// are so long that a few of them span several slots.
    pub dispersion: f64,
    /// How far shares harmlessly wander from what is usual, Cohen's h.
    pub band: f64,
    /// h0 on average over traffic: what is tolerated, with the reference's own error. Cohen's h.
    pub tolerance: f64,
    /// How far all of history is from the baseline, Cohen's h of the most deviant indicator; 0 where history is the
    /// baseline.
    pub offset: f64,
    /// The width of the blocks that single days were measured in.
    pub block: Duration,
    /// What is usual, by slot of the season; one for the plain season, which is the reference if there is one.
    pub baseline: Vec<Tally>,
    /// Days that were left out because they drifted, counted from the epoch in UTC; see [`day_of`].
    pub dropped: Vec<i64>,
    /// Days that would have been left out, had they not been too many or too close together.
    pub suspect: Vec<i64>,
}

impl SeasonFit {
    /// How the stream is judged after the calibration.
    pub fn bank_options(&self, dispersion: f64, options: &BankOptions) -> BankOptions {
        BankOptions {
            band: self.band,
            dispersion,
            ..options.clone()
        }
    }

    /// A bank for each slot of the season. `bounds` apply to the plain season alone.
    pub fn banks(
        &self,
        indicators: &Indicators,
        dispersion: f64,
        options: &CalibrationOptions,
    ) -> Vec<Bank> {
        let bounds: &[_] = match self.season {
            Season::None => &options.bounds,
            _ => &[],
        };
        let bank = self.bank_options(dispersion, &options.bank);
        let slots = self.baseline.iter();
        slots
            .map(|slot| Bank::new_with_bounds(indicators, slot, bounds, &bank))
            .collect()
    }
}

impl StreamFit {
    /// What was found for `season`, if it could be tried.
    pub fn season(&self, season: Season) -> Option<&SeasonFit> {
        self.seasons.iter().find(|fit| fit.season == season)
    }
}

/// Calibrates one stream from its history.
///
/// `panes` ascend in time; empty ones may be left out. All tallies are of `indicators`, and so is `reference`: what the plain
/// season compares with. Without one it compares with history itself, day by day with the others.
pub fn calibrate_stream(
    panes: &[HistoryPane],
    indicators: &Indicators,
    reference: Option<&Tally>,
    options: &CalibrationOptions,
) -> StreamFit {
    let cells = history::cells(panes);
    let days = history::days(&cells);
    let least = if history::is_rare(&cells) {
        options.dispersion_when_rare.max(1.0)
    } else {
        1.0
    };
    let dispersion = dispersion(panes, options.pane).max(least);
    let events: f64 = cells.iter().map(|c| history::events(&c.tally)).sum();
    let days_of_a_pane = options.pane.as_micros() as f64 / history::DAY_MICROS as f64;
    let stream = Stream {
        panes,
        cells,
        days,
        indicators,
        reference,
        dispersion,
        least_dispersion: least,
        options,
    };
    let mut seasons: Vec<Season> = options.seasons.clone();
    seasons.retain(|season| stream.can_follow(*season));
    if !seasons.contains(&Season::None) {
        seasons.insert(0, Season::None);
    }
    StreamFit {
        dispersion,
        days: stream.days.len(),
        events_per_day: events / (stream.days.len().max(1) as f64 * days_of_a_pane.max(1.0)),
        seasons: seasons.into_iter().map(|s| stream.fit(s)).collect(),
    }
}

/// The `share`-quantile of ascending values, the next larger one where it falls between two; 0 of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    let at = rank.clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).copied().unwrap_or(0.0)
}

/// A stream being calibrated.
struct Stream<'a> {
    panes: &'a [HistoryPane],
    cells: Vec<Cell>,
    days: Vec<i64>,
    indicators: &'a Indicators,
    reference: Option<&'a Tally>,
    dispersion: f64,
    least_dispersion: f64,
    options: &'a CalibrationOptions,
}

impl Stream<'_> {
    fn can_follow(&self, season: Season) -> bool {
        let hourly = self.options.pane <= Duration::from_secs(3_600);
        match season {
            Season::None => true,
            Season::HourOfDay => hourly && self.days.len() >= self.options.days_for_hour_of_day,
            Season::HourOfWeek => hourly && self.days.len() >= self.options.days_for_hour_of_week,
        }
    }

    fn usual(&self, season: Season, dropped: &[i64]) -> Usual<'_> {
        match (season, self.reference) {
            (Season::None, Some(reference)) => Usual::Reference(reference),
            _ => Usual::history(season, &self.cells, dropped),
        }
    }

    /// A season's slots are hours, so panes of a few minutes see the same one throughout a window.
    fn dispersion_around(&self, season: Season, usual: &Usual<'_>) -> f64 {
        if season == Season::None || self.options.pane < LONG_PANE {
            return self.dispersion;
        }
        let slots = usual.slots();
        let around = dispersion::around(self.panes, self.options.pane, |at| {
            slots.get(usual.slot(at))
        });
        // Each day is a part of what it is compared with.
        let days = self.days.len() as f64;
        (around * days / (days - 1.0).max(1.0)).max(self.least_dispersion)
    }

    /// The squared number of standard deviations that noise moves the most deviant indicator of so many blocks, times the
    /// dispersion.
    fn noise(&self, dispersion: f64, blocks: f64) -> f64 {
        let indicators = self.indicators.len() as f64;
        let independent = if indicators > 6.0 {
            indicators / 3.0
        } else {
            indicators
        };
        let z = wander::largest_of_normals(independent * blocks, self.options.quantile);
        dispersion * z * z
    }

    /// How far the course of a day takes shares where a single day's hours have too few events to see it: the same hours
    /// of all days together, on each scale on which these have enough.
    fn course(&self, usual: &Usual<'_>, block: i64, dispersion: f64, dropped: &[i64]) -> f64 {
        let (events, pane) = (self.options.block_events, self.options.pane);
        let days = self.days.len() - dropped.len();
        let shorter = history::shorter_blocks(&self.cells, pane, dispersion, events, days, block);
        let distance = |block: i64| {
            let blocks = history::DAY_MICROS as f64 / block as f64;
            let noise = self.noise(dispersion, blocks);
            wander::course(&self.cells, usual, dropped, block, noise)
        };
        shorter.map(distance).fold(0.0, f64::max)
    }

    fn fit(&self, season: Season) -> SeasonFit {
        let (events, pane) = (self.options.block_events, self.options.pane);
        let usual = self.usual(season, &[]);
        let dispersion = self.dispersion_around(season, &usual);
        let block = history::block(&self.cells, pane, dispersion, events);
        let noise = self.noise(dispersion, 1.0);
        let distances = wander::distances(&self.cells, &usual, block, noise);
        let course = self.course(&usual, block, dispersion, &[]);
        let suspect = self.suspect_days(&usual, &distances, course, dispersion);
        let (dropped, suspect) = if self.are_exceptions(&suspect) {
            (suspect, Vec::new())
        } else {
            (Vec::new(), suspect)
        };
        let (usual, distances) = if dropped.is_empty() {
            (usual, distances)
        } else {
            let usual = self.usual(season, &dropped);
            let distances = wander::distances(&self.cells, &usual, block, noise);
            (usual, distances)
        };
        let kept = distances.iter().filter(|d| !dropped.contains(&d.day));
        let mut kept: Vec<f64> = kept.map(|d| d.distance).collect();
        kept.sort_unstable_by(f64::total_cmp);
        let course = self.course(&usual, block, dispersion, &dropped);
        let band = quantile(&kept, self.options.quantile).max(course);
        SeasonFit {
            season,
            dispersion,
            band,
            tolerance: self.tolerance(&usual, band, dispersion),
            offset: self.offset(season, &dropped),
            block: Duration::from_micros(block.unsigned_abs()),
            baseline: usual.slots().to_vec(),
            dropped,
            suspect,
        }
    }

    /// Whether days are few and apart, so that what happened on them is nothing that this stream does now and then.
    fn are_exceptions(&self, suspect: &[i64]) -> bool {
        let few = suspect.len() as f64 <= self.options.drop_share_max * self.days.len() as f64;
        let both = |pair: &[i64]| pair.iter().all(|day| suspect.contains(day));
        few && !self.days.windows(2).any(both)
    }

    /// Days whose own evidence is an alarm in the eyes of the others, ascending.
    fn suspect_days(
        &self,
        usual: &Usual<'_>,
        distances: &[BlockDistance],
        course: f64,
        dispersion: f64,
    ) -> Vec<i64> {
        let largest = |day: i64| {
            let own = distances.iter().filter(|d| d.day == day);
            own.map(|d| d.distance).fold(0.0, f64::max)
        };
        let largest: Vec<(i64, f64)> = self.days.iter().map(|d| (*d, largest(*d))).collect();
        let is_suspect = |&(day, distance): &(i64, f64)| {
            let others = largest.iter().filter(|(other, _)| *other != day);
            let mut others: Vec<f64> = others.map(|(_, d)| *d).collect();
            others.sort_unstable_by(f64::total_cmp);
            let band = self.options.drop_ratio * quantile(&others, 0.75);
            let band = band.max(self.options.bank.tolerance).max(course);
            !others.is_empty() && distance > band && self.alarms_on(day, usual, band, dispersion)
        };
        let suspects = largest.iter().filter(|d| is_suspect(d));
        suspects.map(|(day, _)| *day).collect()
    }

    /// Whether the evidence of a day alone reaches the threshold with this band.
    fn alarms_on(&self, day: i64, usual: &Usual<'_>, band: f64, dispersion: f64) -> bool {
        let bank = BankOptions {
            band,
            dispersion,
            ..self.options.bank.clone()
        };
        let mut banks: Vec<Option<Bank>> = vec![None; usual.slots().len()];
        let mut state: Option<BankState> = None;
        let of_day = self.panes.iter().filter(|p| day_of(p.start) == day);
        for pane in of_day.filter(|p| !p.tally.is_empty()) {
            let slot = usual.slot(pane.start);
            let bank = banks[slot].get_or_insert_with(|| {
                Bank::new(self.indicators, &usual.without(day, slot), &bank)
            });
            let state = state.get_or_insert_with(|| BankState::new(bank));
            state.step(bank, &pane.tally);
            if state.evidence() >= self.options.threshold {
                return true;
            }
        }
        false
    }

    /// h0 of the slots, weighted by their traffic.
    fn tolerance(&self, usual: &Usual<'_>, band: f64, dispersion: f64) -> f64 {
        let error = |slot: &Tally| {
            let independent = history::events(slot) / dispersion;
            (self.options.bank.reference_sigmas / independent.sqrt()).min(std::f64::consts::PI)
        };
        let errors: Vec<f64> = usual.slots().iter().map(error).collect();
        let (mut sum, mut weight) = (0.0, 0.0);
        for cell in &self.cells {
            let events = history::events(&cell.tally);
            sum += events * errors[usual.slot(cell.start)];
            weight += events;
        }
        let error = if weight > 0.0 {
            sum / weight
        } else {
            std::f64::consts::PI
        };
        self.options.bank.tolerance.max(band) + error
    }

    /// The distance of all kept days together from the reference.
    fn offset(&self, season: Season, dropped: &[i64]) -> f64 {
        let (Season::None, Some(reference)) = (season, self.reference) else {
            return 0.0;
        };
        let mut all = Tally::new(self.indicators.len());
        let kept = self.cells.iter().filter(|c| !dropped.contains(&c.day));
        kept.for_each(|cell| all.add(&cell.tally));
        let h = |i: usize| {
            let ((x, n), (y, m)) = (all.of(i), reference.of(i));
            if n > 0.0 && m > 0.0 {
                (crate::bank::arcsine(x / n) - crate::bank::arcsine(y / m)).abs()
            } else {
                0.0
            }
        };
        (0..self.indicators.len()).map(h).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests;
