//! One decision step of a model version: its alarm, and whose it is.

use std::collections::BTreeMap;

use driftline_detect::{bank, incident};
use driftline_event::Timestamp;

use crate::model::{Model, Peer};
use crate::output::Output;
use crate::series::{Closing, Series};

use super::budget::WARNING_BUDGET;
use super::column::STREAMS;

/// A segment without events for so long loses its evidence, in microseconds: a day.
const EVIDENCE_IDLE_MAX_MICROS: i64 = 86_400 * 1_000_000;

/// Steps all series with the decision step that ends at `end`, and puts out the alerts that this begins and ends.
pub(crate) fn judge<'a>(
    all: &mut BTreeMap<Option<String>, Series>,
    model: &'a Model,
    peer: impl Fn(&Option<String>) -> Option<Peer<'a>>,
    end: i64,
    out: &mut Vec<Output>,
) {
    let Some(budget) = &model.budget else { return };
    if end % budget.step != 0 {
        return;
    }
    let closing = |segment: &Option<String>| Closing {
        model,
        peer: peer(segment),
        end,
    };
    let mut has_stepped = false;
    for (segment, series) in all.iter_mut() {
        series.rest(end.saturating_sub(EVIDENCE_IDLE_MAX_MICROS));
        has_stepped |= series.step(closing(segment), out);
    }
    if !has_stepped {
        return;
    }
    // Streams by series, and the evidence of each.
    let mut counts = Vec::with_capacity(all.len());
    let mut weighted = Vec::new();
    for (segment, series) in all.iter() {
        let before = weighted.len();
        let streams = series.bank().into_iter();
        weighted.extend(streams.flat_map(|b| b.weighted(budget, segment.is_some())));
        counts.push(weighted.len() - before);
    }
    let decide = |weighted: &[f64], threshold: f64| {
        let mut streams = bank::decide(weighted, threshold);
        streams.sort_unstable();
        streams
    };
    let fired = decide(&weighted, budget.threshold);
    for &stream in &fired {
        weighted[stream] = 0.0;
    }
    let warned = decide(&weighted, budget.threshold / WARNING_BUDGET);
    let (spec, at) = (&model.spec, Timestamp::from_micros(end));
    let incident = incident(&spec.model, &spec.version, at);
    let mut first = 0;
    for ((segment, series), count) in all.iter_mut().zip(counts) {
        // The streams of this series, of all in ascending order.
        let here = |streams: &[usize]| -> Vec<usize> {
            let from = streams.partition_point(|stream| *stream < first);
            let to = streams.partition_point(|stream| *stream < first + count);
            streams[from..to].iter().map(|s| s - first).collect()
        };
        for stream in here(&fired) {
            let place = (stream / STREAMS, stream % STREAMS);
            let event = series.fire(place, closing(segment), &incident);
            out.extend(event.map(Output::Alert));
        }
        let warned = here(&warned);
        if let Some(bank) = series.bank_mut() {
            bank.warn(|column, stream| warned.binary_search(&(STREAMS * column + stream)).is_ok());
        }
        first += count;
    }
}
