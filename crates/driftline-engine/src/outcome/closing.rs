//! The outcomes of one model version: ticks wait until all partitions of the outcomes have passed them, and then close
//! in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use driftline_event::Timestamp;

use super::fold::{Change, OutcomeDelta, Refused, Waiting, words};
use super::judge;
use super::model::LabelModel;
use super::report;
use super::rules::MatureWindow;
use super::series::OutcomeSeries;
use crate::invariants::{Invariant, Violation};
use crate::ledger::Reached;
use crate::output::Output;
use crate::partial::RawOutcome;
use crate::segments::OTHER;
use crate::spec::ModelSpec;

/// All series of a model version's outcomes.
#[derive(Clone, Debug)]
pub(crate) struct ModelOutcomes {
    pub(crate) model: Arc<LabelModel>,
    waiting: Waiting,
    /// Ticks that start before this are closed.
    closed_until: i64,
    /// All events first, then by segment.
    series: BTreeMap<Option<String>, OutcomeSeries>,
    /// The windows that became mature at the tick that closed last.
    pub(crate) mature: Vec<MatureWindow>,
    /// Whether what is judged is put out.
    emit_judged: bool,
}

impl ModelOutcomes {
    /// None if labels are not asked for.
    pub(crate) fn new(spec: &Arc<ModelSpec>, emit_judged: bool) -> Option<Self> {
        Some(Self {
            emit_judged,
            model: Arc::new(LabelModel::new(spec)?),
            waiting: Waiting::default(),
            closed_until: i64::MIN,
            series: BTreeMap::new(),
            mature: Vec::new(),
        })
    }

    /// How far ticks have closed; none before the first one has.
    pub(crate) fn closed_until(&self) -> Option<Timestamp> {
        (self.closed_until > i64::MIN).then(|| Timestamp::from_micros(self.closed_until))
    }

    /// How many streams of how many series are judged.
    pub(crate) fn series(&self) -> usize {
        self.series.len() * self.model.streams.len()
    }

    /// How many buckets and windows all series hold.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.series.values().map(OutcomeSeries::held).sum()
    }

    /// Reads a delta of a batch.
    pub(crate) fn read(&self, raw: &RawOutcome<'_>) -> Result<OutcomeDelta, String> {
        OutcomeDelta::read(raw, &self.model)
    }

    /// Adds a delta to its tick; to the one that closes next if that has closed.
    pub(crate) fn merge(&mut self, delta: OutcomeDelta, violations: &mut Vec<Violation>) {
        let said = words(&delta);
        let refused = match self.waiting.add(delta, self.closed_until, &self.model) {
            Ok(()) => return,
            Err(refused) => refused,
        };
        let (invariant, why) = match refused {
            Refused::Full => (
                Invariant::Bounded,
                "too many outcomes wait for their tick".to_owned(),
            ),
            Refused::Mismatch(error) => (Invariant::CountsConserved, error.to_string()),
        };
        violations.push(self.violation(invariant, &format!("{said} are refused: {why}")));
    }

    fn violation(&self, invariant: Invariant, detail: &str) -> Violation {
        let (model, version) = (&self.model.spec.model, &self.model.spec.version);
        let detail = format!("model `{model}` version `{version}`: {detail}");
        Violation::new(invariant, detail)
    }

    /// How far ticks may close.
    pub(crate) fn bound(&self, reached: Reached) -> Option<i64> {
        match reached {
            Reached::Nowhere => None,
            Reached::Front(at) | Reached::Idle(at) => Some(at.as_micros()),
            // Time ends with the last thing that is known.
            Reached::End => Some(self.waiting.last().map_or(i64::MIN, |tick| {
                tick.max(self.closed_until).saturating_add(self.model.step)
            })),
        }
    }

    /// The end of the tick that closes next, if one does.
    pub(crate) fn next_end(&self, bound: i64) -> Option<i64> {
        let step = self.model.step;
        let waits = self.waiting.first();
        let waits = waits.map(|tick| tick.max(self.closed_until).saturating_add(step));
        let due = self.series.values();
        let due = due.filter_map(|series| series.next_due(&self.model, self.closed_until));
        let end = due.chain(waits).min()?;
        (end <= bound).then_some(end)
    }

    /// Closes the tick that ends at `end`, from [`ModelOutcomes::next_end`], and those before it.
    pub(crate) fn close(&mut self, end: i64, out: &mut Vec<Output>) {
        let start = end.saturating_sub(self.model.step);
        self.fold(start, out);
        let model = Arc::clone(&self.model);
        judge::judge(&mut self.series, &model, (end, self.emit_judged), out);
        self.closed_until = end;
        self.report((end, false), out);
        self.forget(end);
    }

    /// Lets rules look at the windows that became mature. `peers` are those of the other versions of the model, at the
    /// same tick, by version.
    pub(crate) fn perform(
        &mut self,
        own: &[MatureWindow],
        peers: &[(String, Vec<MatureWindow>)],
        out: &mut Vec<Output>,
    ) {
        let model = Arc::clone(&self.model);
        for (segment, series) in &mut self.series {
            let here = |window: &&MatureWindow| window.segment == *segment;
            let own: Vec<&MatureWindow> = own.iter().filter(here).collect();
            let peers: Vec<(&str, &MatureWindow)> = peers
                .iter()
                .flat_map(|(version, windows)| windows.iter().map(move |w| (version.as_str(), w)))
                .filter(|(_, window)| here(window))
                .collect();
            if own.is_empty() && peers.is_empty() {
                continue;
            }
            let at = self.closed_until;
            let looked = (own.as_slice(), peers.as_slice());
            let events = series.rules.perform(&model, segment.as_deref(), looked, at);
            out.extend(events.into_iter().map(Output::Alert));
        }
    }

    /// Takes in the deltas up to the tick that starts at `start`.
    fn fold(&mut self, start: i64, out: &mut Vec<Output>) {
        let model = Arc::clone(&self.model);
        let mut waiting = std::mem::take(&mut self.waiting);
        for delta in waiting.take(start, &model) {
            let expired = delta
                .bucket
                .saturating_add(model.step)
                .saturating_add(model.keep);
            if expired <= start && !matches!(delta.change, Change::Predicted(_)) {
                let detail = format!("{} came after their time to live", words(&delta));
                let violation = self.violation(Invariant::Bounded, &detail);
                out.push(Output::Violation(violation));
                continue;
            }
            let segment = self.admit(delta.segment.clone());
            let Some(series) = self.series.get_mut(&segment) else {
                continue;
            };
            if let Err(error) = series.fold(&model, &delta, start) {
                let detail = format!("{} cannot be counted: {error}", words(&delta));
                let violation = self.violation(Invariant::CountsConserved, &detail);
                out.push(Output::Violation(violation));
            }
        }
        self.waiting = waiting;
    }

    /// The series for a segment: its own if it has one or there is room, else that of the rest of its field.
    fn admit(&mut self, segment: Option<String>) -> Option<String> {
        if self.series.contains_key(&segment) {
            return segment;
        }
        let segment = segment.map(|label| {
            let is_field = |f: &&String| {
                let rest = label.strip_prefix(f.as_str());
                rest.is_some_and(|rest| rest.starts_with('='))
            };
            let Some(field) = self.model.spec.segments.iter().find(is_field) else {
                return label;
            };
            let prefix = format!("{field}=");
            let other = format!("{prefix}{OTHER}");
            let values = self
                .series
                .range(Some(prefix.clone())..)
                .take_while(|(s, _)| s.as_ref().is_some_and(|s| s.starts_with(&prefix)))
                .filter(|(s, _)| s.as_ref() != Some(&other));
            if values.count() < self.model.spec.segments_max {
                label
            } else {
                other
            }
        });
        self.series
            .entry(segment.clone())
            .or_insert_with(|| OutcomeSeries::new(&self.model, segment.clone()));
        segment
    }

    /// Reports the windows that are due.
    fn report(&mut self, (end, has_ended): (i64, bool), out: &mut Vec<Output>) {
        let model = Arc::clone(&self.model);
        let least = model.levels.last().and_then(|l| l.coverage_min);
        for (segment, series) in &mut self.series {
            let mut windows = std::mem::take(&mut series.windows);
            windows.pass(&model, (end, has_ended), |due| {
                let labelled = due.window.outcome.labelled();
                if !due.is_news && !due.matures {
                    return;
                }
                let state = series.state(&model, labelled);
                let report = report::report(&model, segment.as_deref(), &due, (end, state));
                if due.matures {
                    let coverage = report.maturity.coverage.unwrap_or(0.0);
                    self.mature.push(MatureWindow {
                        segment: segment.clone(),
                        span: report.window.clone(),
                        labelled,
                        is_covered: least.is_none_or(|least| coverage >= least),
                        realised: report.realised.clone(),
                    });
                }
                out.push(Output::Performance(report));
            });
            series.windows = windows;
        }
    }

    fn forget(&mut self, end: i64) {
        self.series
            .retain(|segment, series| segment.is_none() || !series.is_forgettable(end));
    }

    /// Notes that everything up to `bound` has closed, if nothing says so yet.
    pub(crate) fn settle(&mut self, reached: Reached, out: &mut Vec<Output>) {
        match reached {
            Reached::Nowhere => {}
            Reached::Front(at) | Reached::Idle(at) => {
                let passed = at.as_micros().div_euclid(self.model.step) * self.model.step;
                self.closed_until = self.closed_until.max(passed);
            }
            Reached::End => {
                let end = self.closed_until;
                self.report((end, true), out);
                self.mature.clear();
            }
        }
    }
}
