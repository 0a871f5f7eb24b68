//! Since when a stream is different, and by how much.

use driftline_detect::bank::{Bank, ComponentId, Tally};
use driftline_event::Effect;

use crate::baseline::Origin;
use crate::ladder::Ladder;
use crate::stream::{Chunk, EFFECT_ALPHA, Since, effect};

use super::column::{STREAMS, options};
use super::series::View;

/// What one indicator has done since a stream became different.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moved {
    /// The start of the first chunk that is different, in microseconds.
    pub(crate) onset: i64,
    /// Events since then, as far as they are stored.
    pub(crate) rows: u64,
    /// The trials of the indicator among them.
    pub(crate) trials: f64,
    pub(crate) effect: Effect,
}

/// Which component of which stream of which column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suspect {
    pub(crate) column: usize,
    pub(crate) stream: usize,
    pub(crate) component: ComponentId,
}

/// Where the suspect's evidence comes from: the chunk from which on its likelihood ratio is largest, unless `onset` is
/// known, and the share of its indicator since then.
///
/// As far as the chunks are stored: of a drift that is older than the widest window of the finest tier, the onset is the
/// beginning of that window. `bank` is the one in force, made from `origin`.
pub(crate) fn moved(
    view: &View<'_>,
    ladder: &Ladder,
    suspect: Suspect,
    (bank, origin): (&Bank, Option<&Origin>),
    (onset, end): (Option<i64>, i64),
) -> Option<Moved> {
    let Suspect {
        column,
        stream,
        component,
    } = suspect;
    let chunks = chunks(view, ladder, suspect, (bank, origin), end);
    let starts = chunks.len();
    let since = Since::of(&chunks, (onset, end));
    let (from, hits, trials) = (since.onset, since.hits, since.trials);
    let mixed = view.season_bank(suspect, (from, end), origin);
    let size = match &mixed {
        Some(bank) => bank.effect(0, hits, trials, starts, EFFECT_ALPHA),
        None => bank.effect(component.indicator, hits, trials, starts, EFFECT_ALPHA),
    };
    let place = (stream, component.indicator);
    let words = view.budget.columns[column].words(view.profile, column, place);
    Some(Moved {
        onset: from,
        rows: since.events,
        trials,
        effect: effect(size, words),
    })
}

/// The chunks of the ladder's finest tier.
fn chunks(
    view: &View<'_>,
    ladder: &Ladder,
    suspect: Suspect,
    (bank, origin): (&Bank, Option<&Origin>),
    end: i64,
) -> Vec<Chunk> {
    let streams = &view.budget.columns[suspect.column];
    let mut tallies = <[Tally; STREAMS]>::default();
    let mut season: Option<(Origin, Bank)> = None;
    let width = ladder.finest_width();
    ladder
        .finest()
        .filter_map(|(start, summary)| {
            streams.read(summary.columns.get(suspect.column)?, &mut tallies);
            let (hits, trials) = tallies[suspect.stream].of(suspect.component.indicator);
            let until = start.saturating_add(width).min(end);
            let own = view.season_origin(start, until);
            let log_ratio = match own {
                Some(own) if Some(&own) != origin => {
                    if season.as_ref().is_none_or(|(of, _)| *of != own) {
                        season = view.single(suspect, &own).map(|bank| (own, bank));
                    }
                    let component = ComponentId {
                        indicator: 0,
                        ..suspect.component
                    };
                    let bank = season.as_ref().map(|(_, bank)| bank);
                    bank.map_or(0.0, |bank| bank.log_ratio(component, hits, trials))
                }
                _ => bank.log_ratio(suspect.component, hits, trials),
            };
            Some(Chunk {
                start,
                events: summary.rows,
                hits,
                trials,
                log_ratio,
            })
        })
        .collect()
}

impl View<'_> {
    /// The reference of a span, where that depends on the season.
    fn season_origin(&self, start: i64, end: i64) -> Option<Origin> {
        let source = self.source?;
        let origin = source.origin(start, end)?;
        matches!(origin, Origin::Slots(_)).then_some(origin)
    }

    /// The bank of the suspect's indicator over a span, unless it is the one that was made from `than`.
    fn season_bank(
        &self,
        suspect: Suspect,
        (start, end): (i64, i64),
        than: Option<&Origin>,
    ) -> Option<Bank> {
        let origin = self.season_origin(start, end)?;
        (Some(&origin) != than).then(|| self.single(suspect, &origin))?
    }

    fn single(&self, suspect: Suspect, origin: &Origin) -> Option<Bank> {
        let reference = self.source?.column(origin, suspect.column)?;
        let options = options(&self.budget.spec, self.calibration(suspect.column));
        let indicator = (suspect.stream, suspect.component.indicator);
        Some(self.budget.columns[suspect.column].single(indicator, &reference, &options))
    }
}
