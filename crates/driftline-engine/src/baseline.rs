//! What a series is compared with at an instant.
//!
//! | Baseline | In force | In [`driftline_event::WindowReport::reference`] |
//! | --- | --- | --- |
//! | the reference | always | its id |
//! | the reference by season | the slots of the hours looked at, weighted by how much of them is | id, `@hour_of_day` or `@hour_of_week` |
//! | a segment's history without a season | where the calibration has it | id, `@history` |
//! | trailing | once events were seen for all of its size | id, `@trailing:7d` |
//! | another version | once that was seen for its longest window | id, `@version:2` |
//!
//! The id always says whose bins the counts are in. Where no baseline is in force, windows are described against the
//! reference itself, and neither rules nor the bank judge. A segment without a baseline of its own is described
//! against that of all events, and the bank does not judge it.

use std::time::Duration;

use driftline_event::{Season, Timestamp};
use driftline_sketch::ColumnSummary;

use crate::calibration::SliceCalibration;
use crate::pane::PaneSummary;

const HOUR_MICROS: i64 = 3_600_000_000;

/// Which counts a reference was made of: equal origins have equal counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The model's reference.
    Own,
    /// Slots of a season with their weights.
    Slots(Vec<(usize, u64)>),
    /// A sliding sum that ends here.
    Until(i64),
}

/// Where a series' references come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// The model's reference.
    Own(&'a [ColumnSummary]),
    /// Slots of a season.
    Slots(Season, &'a SliceCalibration),
    /// A sliding sum that ends at this instant.
    Sum(i64, &'a PaneSummary),
}

impl Source<'_> {
    /// The reference for the data from `start` to `end`; none where there is nothing to compare it with.
    pub(crate) fn origin(&self, start: i64, end: i64) -> Option<Origin> {
        match self {
            Self::Own(_) => Some(Origin::Own),
            Self::Sum(until, _) => Some(Origin::Until(*until)),
            Self::Slots(season, slice) => {
                let mut weights = slot_weights(*season, start, end);
                weights.retain(|(slot, _)| matches!(slice.slots.get(*slot), Some(Some(_))));
                let divisor = weights.iter().fold(0, |a, (_, b)| greatest_divisor(a, *b));
                weights.iter_mut().for_each(|(_, w)| *w /= divisor.max(1));
                (!weights.is_empty()).then_some(Origin::Slots(weights))
            }
        }
    }

    /// The counts of one column.
    pub(crate) fn column(&self, origin: &Origin, column: usize) -> Option<ColumnSummary> {
        match (self, origin) {
            (Self::Own(columns), _) => columns.get(column).cloned(),
            (Self::Sum(_, sum), _) => sum.columns.get(column).cloned(),
            (Self::Slots(_, slice), Origin::Slots(weights)) => mixture(slice, weights, column),
            (Self::Slots(..), _) => None,
        }
    }
}

/// The slots that a step is judged by: the one of its start, unless it is longer than an hour.
pub(crate) fn step_span(start: i64, end: i64) -> (i64, i64) {
    if end - start <= HOUR_MICROS {
        (start, start.saturating_add(1))
    } else {
        (start, end)
    }
}

/// How much of each slot lies between two instants, in microseconds, by slot.
fn slot_weights(season: Season, start: i64, end: i64) -> Vec<(usize, u64)> {
    let mut weights = vec![0_u64; season.slots()];
    if season == Season::None {
        return vec![(0, 1)];
    }
    let cycle = HOUR_MICROS * season.slots() as i64;
    let whole = (end - start).div_euclid(cycle);
    weights.fill((whole * HOUR_MICROS) as u64);
    let mut at = start + whole * cycle;
    while at < end {
        let next = ((at.div_euclid(HOUR_MICROS) + 1) * HOUR_MICROS).min(end);
        weights[season.slot(Timestamp::from_micros(at))] += (next - at) as u64;
        at = next;
    }
    weights
        .into_iter()
        .enumerate()
        .filter(|(_, weight)| *weight > 0)
        .collect()
}

fn greatest_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_divisor(b, a % b)
    }
}

/// Slots added up by weight, the heaviest counting in full: slots with much traffic weigh more, as they do in the data.
fn mixture(
    slice: &SliceCalibration,
    weights: &[(usize, u64)],
    column: usize,
) -> Option<ColumnSummary> {
    let heaviest = weights.iter().map(|(_, weight)| *weight).max()?;
    let of = |slot: usize| slice.slots.get(slot)?.as_ref()?.get(column);
    let mut sum: Option<ColumnSummary> = None;
    for &(slot, weight) in weights {
        let Some(counts) = of(slot) else { continue };
        let mut part = counts.clone();
        if weight < heaviest {
            scale(&mut part, weight, heaviest);
        }
        match &mut sum {
            // The calibration was checked against the profile, so its summaries fit each other.
            Some(sum) => drop(sum.merge(&part)),
            None => sum = Some(part),
        }
    }
    sum
}

/// Every count times `weight / of`, rounded.
fn scale(summary: &mut ColumnSummary, weight: u64, of: u64) {
    let scaled = |count: u64| {
        let exact = u128::from(count) * u128::from(weight) + u128::from(of / 2);
        u64::try_from(exact / u128::from(of)).unwrap_or(u64::MAX)
    };
    match summary {
        ColumnSummary::Numeric(s) => {
            s.counts.iter_mut().for_each(|n| *n = scaled(*n));
            for n in [
                &mut s.missing,
                &mut s.nan,
                &mut s.positive_infinity,
                &mut s.negative_infinity,
                &mut s.wrong_type,
                &mut s.below_min,
                &mut s.above_max,
            ] {
                *n = scaled(*n);
            }
        }
        ColumnSummary::Categorical(s) => {
            s.counts.iter_mut().for_each(|n| *n = scaled(*n));
            for n in [&mut s.unseen, &mut s.missing, &mut s.wrong_type] {
                *n = scaled(*n);
            }
        }
        ColumnSummary::Embedding(s) => {
            s.sums.iter_mut().for_each(|n| *n = scaled(*n));
            for n in [&mut s.valid, &mut s.missing] {
                *n = scaled(*n);
            }
        }
    }
}

/// A span in the largest unit that divides it: `7d`, `90m`.
pub(crate) fn short(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let found = units
        .iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    match found {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{}s", span.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_weighs_the_hours_that_it_covers() {
        let hour = HOUR_MICROS;
        let weights = |start, end| slot_weights(Season::HourOfDay, start, end);
        assert_eq!(weights(0, hour), [(0, hour as u64)]);
        assert_eq!(
            weights(hour / 2, hour + hour / 4),
            [(0, hour as u64 / 2), (1, hour as u64 / 4)]
        );
        let two_days: Vec<u64> = weights(hour / 2, 48 * hour + hour / 2)
            .into_iter()
            .map(|(_, weight)| weight)
            .collect();
        assert_eq!(two_days, vec![2 * hour as u64; 24]);
        assert_eq!(slot_weights(Season::None, 5, 50), [(0, 1)]);
        assert_eq!(step_span(0, 60), (0, 1));
        assert_eq!(step_span(0, 2 * hour), (0, 2 * hour));
    }

    #[test]
    fn spans_are_short() {
        let of = |seconds| short(Duration::from_secs(seconds));
        assert_eq!([of(7 * 86_400), of(5_400), of(90)], ["7d", "90m", "90s"]);
    }
}
