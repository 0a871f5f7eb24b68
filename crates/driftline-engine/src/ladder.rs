//! Panes into windows.
//!
//! Windows that slide by the same step share a *tier*: panes are merged into chunks as wide as the step, and
//! each window is a running sum over chunks. When a chunk is complete it is added to the sums, and what has
//! fallen out of a window is subtracted, which is exact because everything is an integer. So a window of a
//! week that slides by the hour keeps 168 chunks and not 10,080 one-minute panes, and a chunk without
//! events is not kept at all.

use std::collections::VecDeque;

use driftline_sketch::{ReferenceProfile, ShapeMismatch};

use crate::counting::span_micros;
use crate::pane::PaneSummary;
use crate::spec::WindowSpec;

#[derive(Clone, Debug)]
struct Tier {
    width: i64,
    /// The widest window that is made of this tier's chunks.
    keep: i64,
    current: Option<PaneSummary>,
    /// Where the chunk under way begins; only while it has events.
    current_start: i64,
    /// Starts and sums, ascending, without empty ones.
    chunks: VecDeque<(i64, PaneSummary)>,
}

#[derive(Clone, Debug)]
struct Window {
    tier: usize,
    size: i64,
    /// The first instant that is in the sum.
    low: i64,
    sum: PaneSummary,
}

/// The running windows of one series.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    tiers: Vec<Tier>,
    windows: Vec<Window>,
}

impl Ladder {
    pub(crate) fn new(specs: &[WindowSpec], profile: &ReferenceProfile) -> Self {
        let mut tiers: Vec<Tier> = Vec::new();
        let mut windows = Vec::with_capacity(specs.len());
        for spec in specs {
            let (size, width) = (span_micros(spec.size), span_micros(spec.slide));
            let tier = match tiers.iter().position(|t| t.width == width) {
                Some(tier) => tier,
                None => {
                    tiers.push(Tier {
                        width,
                        keep: 0,
                        current: None,
                        current_start: 0,
                        chunks: VecDeque::new(),
                    });
                    tiers.len() - 1
                }
            };
            tiers[tier].keep = tiers[tier].keep.max(size);
            windows.push(Window {
                tier,
                size,
                low: i64::MIN,
                sum: PaneSummary::empty(profile),
            });
        }
        Self { tiers, windows }
    }

    /// Takes in the pane that ends at `end`, if it has events, and slides the windows that close there.
    pub(crate) fn push(
        &mut self,
        end: i64,
        pane: Option<&PaneSummary>,
        profile: &ReferenceProfile,
    ) -> Result<(), ShapeMismatch> {
        let mut outcome = Ok(());
        for (i, tier) in self.tiers.iter_mut().enumerate() {
            if let Some(pane) = pane {
                match &mut tier.current {
                    Some(current) => outcome = outcome.and(current.merge(pane)),
                    None => {
                        tier.current = Some(pane.clone());
                        // A pane ends where its chunk does, or before.
                        tier.current_start = (end - 1).div_euclid(tier.width) * tier.width;
                    }
                }
            }
            if end % tier.width != 0 {
                continue;
            }
            let chunk = tier.current.take();
            for window in self.windows.iter_mut().filter(|w| w.tier == i) {
                outcome = outcome.and(window.slide(end, chunk.as_ref(), &tier.chunks, profile));
            }
            tier.chunks
                .extend(chunk.map(|chunk| (end - tier.width, chunk)));
            while tier
                .chunks
                .front()
                .is_some_and(|(start, _)| *start < end - tier.keep)
            {
                tier.chunks.pop_front();
            }
        }
        outcome
    }

    /// The window's sum, if it closes at `end`.
    pub(crate) fn closing(&self, window: usize, end: i64) -> Option<&PaneSummary> {
        let window = &self.windows[window];
        (end % self.tiers[window.tier].width == 0).then_some(&window.sum)
    }

    /// The window's sum as of its last close, with the instant of that; none before the first.
    pub(crate) fn last(&self, window: usize) -> Option<(i64, &PaneSummary)> {
        let window = self.windows.get(window).filter(|w| w.low > i64::MIN)?;
        Some((window.low.saturating_add(window.size), &window.sum))
    }

    /// The width of the finest tier's chunks, in microseconds.
    pub(crate) fn finest_width(&self) -> i64 {
        self.finest_tier().map_or(1, |tier| tier.width)
    }

    /// The chunks of the finest tier with their starts, ascending; the last one may not be complete.
    pub(crate) fn finest(&self) -> impl Iterator<Item = (i64, &PaneSummary)> {
        let tier = self.finest_tier();
        let chunks = tier.into_iter().flat_map(|tier| &tier.chunks);
        let current = tier.and_then(|tier| Some((tier.current_start, tier.current.as_ref()?)));
        chunks.map(|(start, sum)| (*start, sum)).chain(current)
    }

    fn finest_tier(&self) -> Option<&Tier> {
        self.tiers.iter().min_by_key(|tier| tier.width)
    }

    /// Whether no window has, or is going to have, any events unless new ones come.
    pub(crate) fn is_empty(&self) -> bool {
        self.tiers.iter().all(|t| t.current.is_none())
            && self.windows.iter().all(|w| w.sum.rows == 0)
    }
}

impl Window {
    /// Adds the newest chunk, subtracts what begins before the window now but did not before.
    fn slide(
        &mut self,
        end: i64,
        newest: Option<&PaneSummary>,
        chunks: &VecDeque<(i64, PaneSummary)>,
        profile: &ReferenceProfile,
    ) -> Result<(), ShapeMismatch> {
        let mut outcome = newest.map_or(Ok(()), |chunk| self.sum.merge(chunk));
        let low = end - self.size;
        for (start, chunk) in chunks {
            if (self.low..low).contains(start) {
                outcome = outcome.and(self.sum.subtract(chunk));
            }
        }
        self.low = low;
        if self.sum.rows == 0 {
            // A sample of distinct texts cannot be subtracted from; nothing is left, so nothing is known.
            self.sum = PaneSummary::empty(profile);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use driftline_event::ColumnRole;
    use driftline_sketch::{ProfileOptions, ReferenceBuilder};
    use proptest::prelude::*;

    use super::*;
    use crate::coerce::Cells;
    use crate::delta::Deltas;
    use crate::tile::Tile;

    fn profile() -> ReferenceProfile {
        let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
        builder
            .numeric("x", ColumnRole::Feature, (0..100).map(f64::from).collect())
            .unwrap();
        builder.build().unwrap()
    }

    /// A pane of one-second width with these values, counted through a tile.
    fn pane(values: &[f64], profile: &ReferenceProfile) -> Option<PaneSummary> {
        let (mut tile, mut deltas) = (Tile::new(profile), Deltas::default());
        for &value in values {
            let mut cells = Cells::default();
            cells.numbers.push(value);
            tile.push(0, &cells);
        }
        tile.count(profile, &mut deltas, &mut 0);
        deltas.take().pop().map(|(_, summary)| summary)
    }

    proptest! {
        /// Every window is, at every close, the sum of the panes that it covers.
        #[test]
        fn windows_are_the_sums_of_their_panes(
            panes in prop::collection::vec(prop::collection::vec(-10.0..110.0, 0..3), 1..60),
            specs in prop::collection::vec((1_u64..6, 1_u64..5), 1..4),
        ) {
            let profile = profile();
            let specs: Vec<WindowSpec> = specs
                .iter()
                .map(|&(slide, slides)| WindowSpec {
                    name: String::new(),
                    size: Duration::from_secs(slide * slides),
                    slide: Duration::from_secs(slide),
                })
                .collect();
            let mut ladder = Ladder::new(&specs, &profile);
            let panes: Vec<_> = panes.iter().map(|values| pane(values, &profile)).collect();
            for i in 0..panes.len() {
                let end = 1_000_000 * (i as i64 + 1);
                ladder.push(end, panes[i].as_ref(), &profile).unwrap();
                for (w, spec) in specs.iter().enumerate() {
                    let closing = ladder.closing(w, end);
                    prop_assert_eq!(closing.is_some(), (i as u64 + 1).is_multiple_of(spec.slide.as_secs()));
                    let Some(sum) = closing else { continue };
                    let first = (i + 1).saturating_sub(spec.size.as_secs() as usize);
                    let mut expected = PaneSummary::empty(&profile);
                    for pane in panes[first..=i].iter().flatten() {
                        expected.merge(pane).unwrap();
                    }
                    prop_assert_eq!(sum, &expected);
                }
            }
            let widest = specs.iter().map(|s| s.size.as_secs() + s.slide.as_secs()).max().unwrap_or(0);
            for i in panes.len()..panes.len() + widest as usize {
                ladder.push(1_000_000 * (i as i64 + 1), None, &profile).unwrap();
            }
            prop_assert!(ladder.is_empty());
            prop_assert!(ladder.tiers.iter().all(|tier| tier.chunks.is_empty()));
        }
    }
}
