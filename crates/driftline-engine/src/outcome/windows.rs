//! The performance windows of one series: what was predicted in each, what labels have said so far, and when to
//! report it.

use std::collections::BTreeMap;

use driftline_event::Timestamp;
use driftline_sketch::{OutcomeSummary, PredictedSummary, ShapeMismatch};

use super::fold::{Change, OutcomeDelta};
use super::model::{LabelModel, ceil_to};
use super::spec::WindowSpanSpec;
use crate::counting::span_micros;

/// A window whose labels may still change.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) predicted: PredictedSummary,
    pub(crate) outcome: OutcomeSummary,
    /// How often it was reported.
    pub(crate) reported: u32,
    /// How many of its [`stages`] have passed.
    stage: usize,
    /// Whether it changed since it was reported.
    has_changed: bool,
}

/// A window that is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due<'a> {
    /// Its number in the specification.
    pub(crate) number: usize,
    pub(crate) window: &'a Window,
    /// Its labels have had the time that they are given.
    pub(crate) is_mature: bool,
    /// It has just become mature.
    pub(crate) matures: bool,
    /// Nothing can change it any more.
    pub(crate) is_final: bool,
    /// Whether something is to be said: it is new, has changed, is mature or final now.
    pub(crate) is_news: bool,
}

/// The open windows of one series: for each of the specification those of one start, by start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Windows(Vec<BTreeMap<i64, Window>>);

/// How long after its end a window is looked at: at once, at each age of maturity, and when nothing can change it.
fn stages(model: &LabelModel) -> impl Iterator<Item = i64> {
    let ages = model
        .labels
        .mature_after
        .iter()
        .map(|age| span_micros(*age));
    std::iter::once(0)
        .chain(ages)
        .chain(std::iter::once(model.keep))
}

/// The windows that the bucket starting at `bucket` is in: their starts and ends.
fn windows_of(span: WindowSpanSpec, bucket: i64) -> Vec<(i64, i64)> {
    match span {
        WindowSpanSpec::Month => {
            let at = Timestamp::from_micros(bucket);
            vec![(at.floor_to_month().as_micros(), at.next_month().as_micros())]
        }
        WindowSpanSpec::Fixed { size, slide } => {
            let (size, slide) = (span_micros(size), span_micros(slide));
            let last = bucket.div_euclid(slide) * slide;
            let starts = (0..).map(|i| last - i * slide);
            let covers = |start: &i64| *start > bucket - size;
            let spans = starts.take_while(covers).map(|start| (start, start + size));
            let mut spans: Vec<_> = spans.collect();
            spans.reverse();
            spans
        }
    }
}

impl Windows {
    pub(crate) fn new(model: &LabelModel) -> Self {
        Self(vec![BTreeMap::new(); model.labels.windows.len()])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(BTreeMap::is_empty)
    }

    /// How many are open.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(BTreeMap::len).sum()
    }

    /// Adds a delta to the windows that it is in, but for those that nothing can change any more at `until`.
    ///
    /// # Errors
    /// When something is taken away that was not there.
    pub(crate) fn fold(
        &mut self,
        model: &LabelModel,
        delta: &OutcomeDelta,
        until: i64,
    ) -> Result<(), ShapeMismatch> {
        let mut outcome = Ok(());
        for (spec, open) in model.labels.windows.iter().zip(&mut self.0) {
            for (start, end) in windows_of(spec.span, delta.bucket) {
                if end.saturating_add(model.keep) <= until {
                    continue;
                }
                let window = open.entry(start).or_insert_with(|| Window {
                    start,
                    end,
                    predicted: PredictedSummary::empty(&model.profile),
                    outcome: OutcomeSummary::empty(&model.profile),
                    reported: 0,
                    stage: 0,
                    has_changed: false,
                });
                window.has_changed = true;
                let folded = match &delta.change {
                    Change::Predicted(summary) => window.predicted.merge(summary),
                    Change::Add(_, summary) => window.outcome.merge(summary),
                    Change::Retract(_, summary) => window.outcome.subtract(summary),
                };
                outcome = outcome.and(folded);
            }
        }
        outcome
    }

    /// When the next window is due, at the end of a tick after `until`.
    pub(crate) fn next_due(&self, model: &LabelModel, until: i64) -> Option<i64> {
        let due = |window: &Window| {
            let at = window.end.saturating_add(stages(model).nth(window.stage)?);
            Some(ceil_to(at, model.step).max(until.saturating_add(model.step)))
        };
        self.0
            .iter()
            .flat_map(|open| open.values().filter_map(due))
            .min()
    }

    /// Passes the stages that end by `end`, or all of them if the input `has_ended`, and hands what is due to `say`;
    /// windows that nothing can change any more are dropped.
    pub(crate) fn pass(
        &mut self,
        model: &LabelModel,
        (end, has_ended): (i64, bool),
        mut say: impl FnMut(Due<'_>),
    ) {
        let last = stages(model).count();
        for (number, open) in self.0.iter_mut().enumerate() {
            for window in open.values_mut() {
                let until = end.saturating_sub(window.end);
                let passed = stages(model).take_while(|age| *age <= until).count();
                let before = window.stage;
                window.stage = before.max(passed);
                if !has_ended && before == window.stage {
                    continue;
                }
                let is_final = has_ended || window.stage == last;
                let (is_mature, was_mature) = (window.stage + 1 >= last, before + 1 >= last);
                let matures = is_mature && !was_mature;
                let is_news = window.reported == 0 || window.has_changed || matures || is_final;
                say(Due {
                    number,
                    window,
                    is_mature,
                    matures,
                    is_final,
                    is_news,
                });
                if is_news {
                    window.reported = window.reported.saturating_add(1);
                    window.has_changed = false;
                }
            }
            open.retain(|_, window| !has_ended && window.stage < last);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_is_in_every_window_that_covers_it() {
        let hours = |n: u64| Duration::from_secs(3_600 * n);
        let fixed = |size, slide| WindowSpanSpec::Fixed {
            size: hours(size),
            slide: hours(slide),
        };
        let hour = 3_600_000_000;
        let of = |span, bucket: i64| -> Vec<(i64, i64)> {
            let spans = windows_of(span, bucket * hour).into_iter();
            spans.map(|(a, b)| (a / hour, b / hour)).collect()
        };
        assert_eq!(of(fixed(24, 24), 25), [(24, 48)]);
        assert_eq!(of(fixed(24, 24), 24), [(24, 48)]);
        assert_eq!(of(fixed(3, 1), 5), [(3, 6), (4, 7), (5, 8)]);
        assert_eq!(of(fixed(4, 2), -1), [(-4, 0), (-2, 2)]);
        assert_eq!(of(WindowSpanSpec::Month, 0), [(0, 31 * 24)]);
        assert_eq!(of(WindowSpanSpec::Month, 31 * 24), [(744, 744 + 28 * 24)]);
    }
}
