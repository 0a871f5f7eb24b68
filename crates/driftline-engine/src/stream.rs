//! One stream of evidence with its alert, and since when it is different: what streams of panes and of labels have in
//! common.

use driftline_detect::bank::{
    BankState, ComponentId, EffectSize, Latch, LatchEvent, StreamEvidence,
};
use driftline_event::Effect;

/// How often an interval of an effect may miss its share.
pub(crate) const EFFECT_ALPHA: f64 = 0.05;

/// An alert that is on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alarm<C = ComponentId> {
    pub(crate) started_at: i64,
    pub(crate) onset: i64,
    pub(crate) incident: String,
    /// What it is about now.
    pub(crate) component: C,
}

impl<C> Alarm<C> {
    /// The same with other words for what it is about.
    pub(crate) fn map<D>(self, of: impl FnOnce(C) -> D) -> Alarm<D> {
        Alarm {
            started_at: self.started_at,
            onset: self.onset,
            incident: self.incident,
            component: of(self.component),
        }
    }
}

/// The evidence of one stream: of the bank, unless said otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream<S: StreamEvidence = BankState> {
    pub(crate) state: S,
    pub(crate) latch: Latch<S::Component>,
    pub(crate) has_stepped: bool,
    pub(crate) is_warning: bool,
    pub(crate) alarm: Option<Alarm<S::Component>>,
}

/// What the evidence of a stream is weighed and compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// ω, the stream's part of the budget.
    pub(crate) weight: f64,
    /// Of the weighted evidence.
    pub(crate) threshold: f64,
    /// Evidence for "no longer" that ends an alert.
    pub(crate) clear_evidence: f64,
}

impl<S: StreamEvidence> Stream<S> {
    pub(crate) fn new(test: &S::Test) -> Self {
        Self {
            state: S::new(test),
            latch: Latch::default(),
            has_stepped: false,
            is_warning: false,
            alarm: None,
        }
    }

    /// Whether its alert is on, it is at the warning level, and it has stepped.
    pub(crate) fn says(&self) -> (bool, bool, bool) {
        (self.alarm.is_some(), self.is_warning, self.has_stepped)
    }

    /// ωM; zero while the alert is on.
    pub(crate) fn weighted(&self, weight: f64) -> f64 {
        match self.latch.is_watching() {
            true => weight * self.state.evidence(),
            false => 0.0,
        }
    }

    /// ln ωM; finite, also where there is no evidence.
    pub(crate) fn log_weighted(&self, weight: f64) -> f64 {
        let weighted = weight * self.state.evidence();
        weighted.max(f64::MIN_POSITIVE).ln()
    }

    /// Takes in the counts of a step. Returns the alert that it ends, with ln of the weighted evidence at the step
    /// before: this one has reset it.
    pub(crate) fn step(
        &mut self,
        test: &S::Test,
        tally: &S::Tally,
        scale: Scale,
    ) -> Option<(Alarm<S::Component>, f64)> {
        if S::is_empty(tally) {
            return None;
        }
        self.has_stepped = true;
        let evidence = self.log_weighted(scale.weight);
        let refresh = scale.threshold / scale.weight;
        let clear = scale.clear_evidence;
        match self
            .latch
            .step(test, &mut self.state, tally, refresh, clear)?
        {
            LatchEvent::Refreshed => {
                if let (Some(alarm), Some(is)) = (&mut self.alarm, self.latch.component()) {
                    alarm.component = is;
                }
                None
            }
            LatchEvent::Cleared => Some((self.alarm.take()?, evidence)),
        }
    }

    /// Begins the alert.
    pub(crate) fn fire(&mut self, test: &S::Test, alarm: Alarm<S::Component>) {
        self.latch.latch(test, &mut self.state);
        self.is_warning = false;
        self.alarm = Some(alarm);
    }
}

/// A stretch of time, as one indicator sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    pub(crate) start: i64,
    /// Events or labels in it.
    pub(crate) events: u64,
    pub(crate) hits: f64,
    pub(crate) trials: f64,
    pub(crate) log_ratio: f64,
}

/// The sums over the chunks since a stream became different.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Since {
    pub(crate) onset: i64,
    pub(crate) events: u64,
    pub(crate) hits: f64,
    pub(crate) trials: f64,
}

impl Since {
    /// From the chunk on from which the likelihood ratio is largest, unless `onset` is known. Where nothing is stored
    /// any more, all that is known is that it was before `end`.
    pub(crate) fn of(chunks: &[Chunk], (onset, end): (Option<i64>, i64)) -> Self {
        let first = match onset {
            Some(onset) => chunks.partition_point(|chunk| chunk.start < onset),
            None => best_start(chunks).unwrap_or(0),
        };
        let since = chunks.get(first..).unwrap_or_default();
        let first = since.first().map(|chunk| chunk.start);
        let sum = |of: fn(&Chunk) -> f64| since.iter().map(of).sum::<f64>();
        Self {
            onset: onset.or(first).unwrap_or(end),
            events: since.iter().map(|chunk| chunk.events).sum(),
            hits: sum(|chunk| chunk.hits),
            trials: sum(|chunk| chunk.trials),
        }
    }
}

/// The index from which on the log likelihood ratios add up to most; the earliest of several.
fn best_start(chunks: &[Chunk]) -> Option<usize> {
    let (mut sum, mut best) = (0.0, None);
    for (i, chunk) in chunks.iter().enumerate().rev() {
        sum += chunk.log_ratio;
        if best.is_none_or(|(_, most)| sum >= most) {
            best = Some((i, sum));
        }
    }
    best.map(|(i, _)| i)
}

/// An effect in the words of its indicator.
pub(crate) fn effect(size: EffectSize, indicator: String) -> Effect {
    Effect {
        indicator,
        reference: size.reference,
        current: size.current,
        lower: size.lower,
        upper: size.upper,
        h: size.h,
        tolerance: size.tolerance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_onset_is_where_the_evidence_begins() {
        let chunk = |log_ratio| Chunk {
            start: 0,
            events: 0,
            hits: 0.0,
            trials: 0.0,
            log_ratio,
        };
        let of = |ratios: &[f64]| {
            let chunks: Vec<Chunk> = ratios.iter().map(|r| chunk(*r)).collect();
            best_start(&chunks)
        };
        assert_eq!(of(&[1.0, -3.0, 2.0, -1.0, 4.0]), Some(2));
        assert_eq!(of(&[-1.0, -2.0]), Some(1));
        assert_eq!(of(&[0.0, 2.0]), Some(0));
        assert_eq!(of(&[]), None);
    }
}
