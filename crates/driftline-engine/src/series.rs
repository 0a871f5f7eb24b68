//! The windows and alerts of one series: all columns of one segment of one model.

use std::sync::Arc;

use driftline_detect::{AlertMachine, Observation, Phase, Subject};
use driftline_event::{
    Comparison, SampleSize, SeriesKey, SeriesState, StatisticValue, Timestamp, WindowReport,
    WindowSpan,
};

use crate::counting::span_micros;
use crate::evaluate::{ColumnReference, Description};
use crate::invariants::{Invariant, Violation};
use crate::ladder::Ladder;
use crate::output::Output;
use crate::pane::PaneSummary;
use crate::spec::ModelSpec;

/// Running windows, and an alert machine for every column, window and rule.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    spec: Arc<ModelSpec>,
    keys: Vec<SeriesKey>,
    ladder: Ladder,
    /// By column, window, rule.
    machines: Vec<AlertMachine>,
    /// By window: whether its last close had events, so that the end of them is still to be said.
    had_events: Vec<bool>,
}

/// Where a window stands when it closes.
#[derive(Clone, Copy, Debug)]
struct Close<'a> {
    span: &'a WindowSpan,
    /// Whether events were watched for at least one full window.
    covered: bool,
}

impl Series {
    pub(crate) fn new(spec: &Arc<ModelSpec>, segment: Option<String>) -> Self {
        let columns = &spec.profile.columns;
        let key = |column: &driftline_sketch::ProfiledColumn| SeriesKey {
            model: spec.model.clone(),
            version: spec.version.clone(),
            segment: segment.clone(),
            feature: column.column.name.clone(),
            role: column.column.role,
        };
        let machines = columns.len() * spec.windows.len() * spec.rules.len();
        Self {
            keys: columns.iter().map(key).collect(),
            ladder: Ladder::new(&spec.windows, &spec.profile),
            machines: vec![AlertMachine::default(); machines],
            had_events: vec![false; spec.windows.len()],
            spec: Arc::clone(spec),
        }
    }

    /// Whether further empty panes would change and say nothing.
    pub(crate) fn is_quiet(&self) -> bool {
        self.ladder.is_empty() && !self.had_events.contains(&true)
    }

    /// Whether nothing would be lost if the series were made anew when events come.
    pub(crate) fn is_forgettable(&self, at: Timestamp) -> bool {
        self.is_quiet() && self.machines.iter().all(|machine| machine.is_idle(at))
    }

    /// Takes in the pane that ends at `end` and reports every window that closes there.
    ///
    /// A window without events is reported once, as stale, and then no more until events come.
    pub(crate) fn close(
        &mut self,
        end: i64,
        covered_from: i64,
        pane: Option<&PaneSummary>,
        references: &[ColumnReference],
        out: &mut Vec<Output>,
    ) {
        let spec = Arc::clone(&self.spec);
        if let Err(error) = self.ladder.push(end, pane, &spec.profile) {
            let at = Timestamp::from_micros(end);
            let detail = format!("model `{}` window at {at}: {error}", spec.model);
            out.push(Output::Violation(Violation::new(
                Invariant::CountsConserved,
                detail,
            )));
        }
        for (window, window_spec) in spec.windows.iter().enumerate() {
            let Some(sum) = self.ladder.closing(window, end) else {
                continue;
            };
            let had_events = std::mem::replace(&mut self.had_events[window], sum.rows > 0);
            if sum.rows == 0 && !had_events {
                continue;
            }
            let start = end - span_micros(window_spec.size);
            let span = WindowSpan {
                name: window_spec.name.clone(),
                start: Timestamp::from_micros(start),
                end: Timestamp::from_micros(end),
                events: sum.rows,
            };
            let close = Close {
                span: &span,
                covered: start >= covered_from,
            };
            for (column, reference) in references.iter().enumerate() {
                let profile = &spec.profile.columns[column].profile;
                let described = reference.describe(profile, &sum.columns[column], sum.rows);
                let per_column = spec.windows.len() * spec.rules.len();
                let first = column * per_column + window * spec.rules.len();
                let machines = &mut self.machines[first..first + spec.rules.len()];
                let judge = Judge {
                    spec: &spec,
                    key: &self.keys[column],
                    close,
                    machines,
                };
                judge.report(described, column, reference.valid, out);
            }
        }
    }
}

/// Lets the rules look at one column of one closed window.
#[derive(Debug)]
struct Judge<'a> {
    spec: &'a ModelSpec,
    key: &'a SeriesKey,
    close: Close<'a>,
    machines: &'a mut [AlertMachine],
}

impl Judge<'_> {
    fn report(
        mut self,
        described: Description,
        column: usize,
        reference: u64,
        out: &mut Vec<Output>,
    ) {
        let Description {
            valid,
            statistics,
            quality,
            mean,
            standard_deviation,
        } = described;
        let mut alerts = Vec::new();
        let evidence = self.step(&statistics, valid, &mut alerts);
        out.push(Output::Report(WindowReport {
            series: self.key.clone(),
            kind: self.spec.profile.columns[column].column.kind,
            reference: self.spec.profile.id().to_owned(),
            window: self.close.span.clone(),
            sample_size: SampleSize {
                reference,
                current: valid,
            },
            state: self.state(&evidence),
            statistics,
            quality,
            mean,
            standard_deviation,
            evidence,
            decision: None,
        }));
        out.append(&mut alerts);
    }

    /// Steps the machine of every rule that applies; returns what the rules saw.
    fn step(
        &mut self,
        statistics: &[StatisticValue],
        valid: u64,
        alerts: &mut Vec<Output>,
    ) -> Vec<Comparison> {
        let Close { span, covered } = self.close;
        let may_look = covered || self.spec.allow_partial_windows;
        let mut evidence = Vec::with_capacity(self.spec.rules.len());
        for (rule, machine) in self.spec.rules.iter().zip(&mut *self.machines) {
            if !rule.applies_to(&span.name, &self.key.feature) {
                continue;
            }
            let found = statistics.iter().find(|s| s.statistic == rule.statistic);
            let Some(&value) = found else { continue };
            // Ratios of all events rest on all events; everything else rests on the valid values.
            let n = match rule.statistic {
                driftline_event::Statistic::MissingRatio
                | driftline_event::Statistic::InvalidRatio => span.events,
                _ => valid,
            };
            let enough_data = may_look && n >= rule.min_events;
            let observation = Observation {
                at: span.end,
                value: enough_data.then_some(value.value),
                n,
            };
            if let Some(transition) = machine.step(rule, observation) {
                let (series, window) = (self.key, span);
                let reference = self.spec.profile.id();
                let subject = Subject {
                    series,
                    rule,
                    window,
                    reference,
                    value,
                    n,
                };
                alerts.push(Output::Alert(subject.event(transition)));
            }
            evidence.push(Comparison {
                statistic: value.statistic,
                value: value.value,
                threshold: rule.threshold,
                enough_data,
                exceeded: rule.holds(value.value),
            });
        }
        evidence
    }

    /// The state that a user sees, after the machines have stepped.
    fn state(&self, evidence: &[Comparison]) -> SeriesState {
        let any = |phase| self.machines.iter().any(|m| m.phase() == phase);
        if self.close.span.events == 0 {
            SeriesState::Stale
        } else if any(Phase::Firing) {
            SeriesState::Drifted
        } else if !self.close.covered && !self.spec.allow_partial_windows {
            SeriesState::WarmingUp
        } else if any(Phase::Pending) {
            SeriesState::Warning
        } else if !self.close.covered && !evidence.iter().any(|c| c.enough_data) {
            SeriesState::WarmingUp
        } else if !evidence.is_empty() && !evidence.iter().any(|c| c.enough_data) {
            SeriesState::NotEnoughData
        } else {
            SeriesState::Stable
        }
    }
}
