//! The evidence that one series has gathered from the labels of one level of maturity.

use std::collections::VecDeque;
use std::sync::Arc;

use driftline_detect::bank::ComponentId;
use driftline_event::Effect;
use driftline_sketch::OutcomeSummary;

use crate::stream::{Alarm, Chunk, EFFECT_ALPHA, Scale, Since, Stream, effect};

use super::loss::{LossStream, What};
use super::model::{LabelModel, LevelBanks};
use super::packed::Packed;

/// Judged buckets that are kept to say since when outcomes are different; of a drift older than these, the onset is the
/// oldest of them.
const HISTORY_MAX: usize = 336;
/// A series without a reference of its own takes its first labels for one; at least so many of a level.
const LEARNED_LABELS: u64 = 2_000;

/// An alert that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Cleared {
    pub(crate) stream: usize,
    pub(crate) alarm: Alarm<What>,
    /// ln of the weighted evidence at the step before: this one has reset it.
    pub(crate) evidence: f64,
}

/// What one indicator has done since outcomes became different.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moved {
    /// The start of the first bucket that is different, in microseconds.
    pub(crate) onset: i64,
    /// Labels since then, as far as they are stored.
    pub(crate) labels: u64,
    /// The trials of the indicator among them.
    pub(crate) trials: f64,
    pub(crate) effect: Effect,
}

/// The streams of one level of one series.
#[derive(Clone, Debug)]
pub(crate) struct LevelState {
    /// The number of the level.
    level: usize,
    segment: Option<String>,
    banks: Option<LevelBanks>,
    /// Of a series without a reference: its labels so far.
    learning: Option<OutcomeSummary>,
    streams: Vec<Stream>,
    /// The mean loss of a regression: the stream after all of these.
    loss: Option<LossStream>,
    /// The start of each judged bucket, and what was in it.
    history: VecDeque<(i64, Packed)>,
}

impl LevelState {
    /// All events are compared with the reference, segments with their own first labels.
    pub(crate) fn new(model: &LabelModel, level: usize, segment: Option<&str>) -> Self {
        let banks = model.levels.get(level).and_then(|l| l.banks.clone());
        let mut built = Self {
            level,
            segment: segment.map(str::to_owned),
            banks: None,
            learning: None,
            streams: Vec::new(),
            loss: None,
            history: VecDeque::new(),
        };
        match banks.filter(|_| segment.is_none()) {
            Some(banks) => {
                built.begin(banks);
                let loss = model.levels.get(level).and_then(|l| l.loss.clone());
                built.loss = loss.map(LossStream::new);
            }
            None => built.learning = Some(OutcomeSummary::empty(&model.profile)),
        }
        built
    }

    fn begin(&mut self, banks: LevelBanks) {
        self.streams = banks.iter().map(Stream::new).collect();
        self.banks = Some(banks);
    }

    /// Whether nothing would be lost with it but what it has learned.
    pub(crate) fn is_idle(&self) -> bool {
        let mut losses = self.loss.iter();
        self.streams.iter().all(|s| s.latch.is_watching())
            && losses.all(|l| l.stream.latch.is_watching())
    }

    /// Whether any stream is at the warning level or its alert is on, and whether any has stepped.
    pub(crate) fn says(&self) -> (bool, bool, bool) {
        let banks = self.streams.iter().map(Stream::says);
        let all = banks.chain(self.loss.iter().map(|loss| loss.stream.says()));
        all.fold((false, false, false), |a, b| {
            (a.0 | b.0, a.1 | b.1, a.2 | b.2)
        })
    }

    /// Takes in the labels of the bucket that starts at `bucket`; returns the alerts that it ends. None if they are not
    /// judged.
    pub(crate) fn step(
        &mut self,
        model: &LabelModel,
        bucket: i64,
        outcomes: &OutcomeSummary,
    ) -> Option<Vec<Cleared>> {
        let budget = model.budget.as_ref()?;
        if outcomes.is_empty() {
            return None;
        }
        let Some(banks) = self.banks.clone() else {
            self.learn(model, outcomes);
            return None;
        };
        if self.history.len() >= HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back((bucket, Packed::of(outcomes)));
        let tallies = model.streams.read(&model.profile, outcomes);
        let is_segment = self.segment.is_some();
        let scale = |stream: usize| Scale {
            weight: model.weight(is_segment, stream),
            threshold: budget.threshold,
            clear_evidence: budget.clear_evidence,
        };
        let mut cleared = Vec::new();
        let mut end = |stream: usize, ended: Option<(Alarm<What>, f64)>| {
            cleared.extend(ended.map(|(alarm, evidence)| Cleared {
                stream,
                alarm,
                evidence,
            }));
        };
        for (stream, (bank, tally)) in banks.iter().zip(&tallies).enumerate() {
            let Some(this) = self.streams.get_mut(stream) else {
                continue;
            };
            let ended = this.step(bank, tally, scale(stream));
            end(stream, ended.map(|(a, e)| (a.map(What::Indicator), e)));
        }
        let stream = self.streams.len();
        if let (Some(this), Some(loss)) = (&mut self.loss, model.streams.loss()) {
            let tally = loss.read(&model.profile, outcomes);
            end(stream, this.step(&tally, scale(stream)));
        }
        Some(cleared)
    }

    /// Adds to the labels that will be the reference, until they are enough.
    fn learn(&mut self, model: &LabelModel, outcomes: &OutcomeSummary) {
        let Some(learning) = &mut self.learning else {
            return;
        };
        // Both are of one profile; an overflow leaves what was learned so far.
        let merged = learning.merge(outcomes);
        if merged.is_err() || learning.judged() < LEARNED_LABELS {
            return;
        }
        let segment = self.segment.as_deref();
        if let Some(banks) = model.banks_of(self.level, segment, learning) {
            let loss = model.loss_of(self.level, segment, learning);
            self.loss = loss.map(LossStream::new);
            self.learning = None;
            self.begin(banks);
        }
    }

    /// ωM of every stream; zero while its alert is on.
    pub(crate) fn weighted(&self, model: &LabelModel, into: &mut Vec<f64>) {
        let weight = |stream: usize| model.weight(self.segment.is_some(), stream);
        for (stream, this) in self.streams.iter().enumerate() {
            into.push(this.weighted(weight(stream)));
        }
        let loss = self.loss.iter();
        into.extend(loss.map(|loss| loss.stream.weighted(weight(self.streams.len()))));
    }

    pub(crate) fn warn(&mut self, stream: usize, is_warning: bool) {
        if let Some(loss) = self.loss.as_mut().filter(|_| stream == self.streams.len()) {
            loss.stream.is_warning = is_warning;
        }
        if let Some(this) = self.streams.get_mut(stream) {
            this.is_warning = is_warning;
        }
    }

    /// Begins the alert of a stream; says what moved, and ln of the evidence that speaks for it.
    pub(crate) fn fire(
        &mut self,
        model: &LabelModel,
        stream: usize,
        (end, incident): (i64, &str),
    ) -> Option<(Moved, f64)> {
        let weight = model.weight(self.segment.is_some(), stream);
        if stream == self.streams.len() {
            let loss = self.loss.as_mut()?;
            let evidence = loss.stream.log_weighted(weight);
            let component = loss.stream.state.best();
            let found = loss.moved(model, &self.history, component, (None, end))?;
            loss.fire(component, (end, found.onset, incident));
            return Some((found, evidence));
        }
        let banks = self.banks.clone()?;
        let bank = banks.get(stream)?;
        let this = self.streams.get(stream)?;
        let evidence = this.log_weighted(weight);
        let component = this.state.best(bank);
        let found = self.moved(model, (stream, component), (None, end))?;
        let alarm = Alarm {
            started_at: end,
            onset: found.onset,
            incident: incident.to_owned(),
            component,
        };
        self.streams.get_mut(stream)?.fire(bank, alarm);
        Some((found, evidence))
    }

    /// What has moved since an alarm that is on, or was until now.
    pub(crate) fn moved_since(
        &self,
        model: &LabelModel,
        stream: usize,
        alarm: &Alarm<What>,
        end: i64,
    ) -> Option<Moved> {
        let times = (Some(alarm.onset), end);
        match alarm.component {
            What::Indicator(component) => self.moved(model, (stream, component), times),
            What::Loss(component) => {
                let loss = self.loss.as_ref()?;
                loss.moved(model, &self.history, component, times)
            }
        }
    }

    /// Where the evidence of a component comes from: the bucket from which on its likelihood ratio is largest, unless
    /// `onset` is known, and the share of its indicator since then.
    fn moved(
        &self,
        model: &LabelModel,
        (stream, component): (usize, ComponentId),
        (onset, end): (Option<i64>, i64),
    ) -> Option<Moved> {
        let banks = Arc::clone(self.banks.as_ref()?);
        let bank = banks.get(stream)?;
        let chunks: Vec<Chunk> = self
            .history
            .iter()
            .filter_map(|(start, packed)| {
                let outcomes: OutcomeSummary = packed.unpack(&model.profile);
                let tallies = model.streams.read(&model.profile, &outcomes);
                let (hits, trials) = tallies.get(stream)?.of(component.indicator);
                Some(Chunk {
                    start: *start,
                    events: outcomes.labelled(),
                    hits,
                    trials,
                    log_ratio: bank.log_ratio(component, hits, trials),
                })
            })
            .collect();
        let since = Since::of(&chunks, (onset, end));
        let size = bank.effect(
            component.indicator,
            since.hits,
            since.trials,
            chunks.len(),
            EFFECT_ALPHA,
        );
        let words = model
            .streams
            .words(&model.profile, (stream, component.indicator));
        Some(Moved {
            onset: since.onset,
            labels: since.events,
            trials: since.trials,
            effect: effect(size, words),
        })
    }
}
