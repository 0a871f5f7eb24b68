//! Rules and bank look at the columns of one closed window.

use driftline_detect::{AlertMachine, Observation, PValueSubject, Phase, Subject, Tested};
use driftline_event::{
    Comparison, Decision, SampleSize, SeriesKey, SeriesState, Statistic, StatisticValue,
    WindowReport, WindowSpan,
};

use crate::decision::{QUALITY, SeriesBank};
use crate::evaluate::Description;
use crate::model::Model;
use crate::output::Output;
use crate::rules::{Held, RuleStates};

/// Where a window stands when it closes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Close<'a> {
    pub(crate) span: &'a WindowSpan,
    /// The window's number in the specification.
    pub(crate) window: usize,
    /// Whether events were watched for at least one full window.
    pub(crate) covered: bool,
    /// Whether there is a baseline to compare it with.
    pub(crate) is_in_force: bool,
}

/// Lets rules and bank look at all columns of one closed window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) model: &'a Model,
    pub(crate) keys: &'a [SeriesKey],
    pub(crate) close: Close<'a>,
    /// What reports call the baseline.
    pub(crate) reference: &'a str,
    pub(crate) bank: Option<&'a SeriesBank>,
    /// What the bank says at this instant, by column; empty if there is none.
    pub(crate) decisions: &'a [Option<Decision>],
}

impl Judge<'_> {
    /// Reports every column; `references` says how many valid values the baseline of each has.
    pub(crate) fn report(
        &self,
        described: Vec<Description>,
        references: &[u64],
        rules: &mut RuleStates,
        out: &mut Vec<Output>,
    ) {
        let spec = &self.model.spec;
        let mut held = Held::new(spec);
        let tested = rules.test(self, &described);
        for (column, description) in described.into_iter().enumerate() {
            let Description {
                valid,
                mut statistics,
                quality,
                mean,
                standard_deviation,
            } = description;
            let mut alerts = Vec::new();
            let machines = rules.machines(spec, column, self.close.window);
            let looked = Looked {
                column,
                statistics: &statistics,
                valid,
            };
            let mut evidence = self.step(&looked, machines, &mut held, &mut alerts);
            let mut phases: Vec<Phase> = machines.iter().map(|m| m.phase()).collect();
            self.p_values(&looked, &tested, &mut evidence, &mut held, &mut alerts);
            phases.extend(rules.p_value_phases(spec, column, self.close.window));
            let decision = self.decisions.get(column).cloned().flatten();
            statistics.extend(self.bank_statistics(column, decision.as_ref()));
            out.push(Output::Report(WindowReport {
                series: self.keys[column].clone(),
                kind: spec.profile.columns[column].column.kind,
                reference: self.reference.to_owned(),
                window: self.close.span.clone(),
                sample_size: SampleSize {
                    reference: references[column],
                    current: valid,
                },
                state: self.state(&phases, &evidence, decision.as_ref()),
                statistics,
                quality,
                mean,
                standard_deviation,
                evidence,
                decision,
            }));
            out.append(&mut alerts);
        }
        rules.count(self, &held, out);
    }

    /// Whether rules may look at the window.
    pub(crate) fn may_look(&self) -> bool {
        let covered = self.close.covered || self.model.spec.allow_partial_windows;
        covered && self.close.is_in_force
    }

    /// Steps the machine of every threshold rule that applies; returns what the rules saw.
    fn step(
        &self,
        looked: &Looked<'_>,
        machines: &mut [AlertMachine],
        held: &mut Held,
        alerts: &mut Vec<Output>,
    ) -> Vec<Comparison> {
        let &Looked {
            column,
            statistics,
            valid,
        } = looked;
        let (span, key) = (self.close.span, &self.keys[column]);
        let rules = &self.model.spec.rules;
        let mut evidence = Vec::with_capacity(rules.len());
        for ((i, rule), machine) in rules.iter().enumerate().zip(machines) {
            if !rule.applies_to(&span.name, &key.feature) {
                continue;
            }
            let found = statistics.iter().find(|s| s.statistic == rule.statistic);
            let Some(&value) = found else { continue };
            let n = rests_on(rule.statistic, span.events, valid);
            let enough_data = self.may_look() && n >= rule.min_events;
            // What a statistic has without drift at this sample size is nothing, whatever the threshold.
            let beyond_chance = value.floor.is_none_or(|floor| value.value > floor);
            let counted = if beyond_chance { value.value } else { 0.0 };
            let observation = Observation {
                at: span.end,
                value: enough_data.then_some(counted),
                n,
            };
            if let Some(transition) = machine.step(rule, observation) {
                let subject = Subject {
                    series: key,
                    rule,
                    window: span,
                    reference: self.reference,
                    value,
                    n,
                };
                alerts.push(Output::Alert(subject.event(transition)));
            }
            let exceeded = rule.holds(counted);
            held.say(i, column, enough_data.then_some(exceeded));
            evidence.push(Comparison {
                statistic: value.statistic,
                value: value.value,
                threshold: rule.threshold,
                enough_data,
                exceeded,
            });
        }
        evidence
    }

    /// Puts out what rules on p-values found about a column.
    fn p_values(
        &self,
        looked: &Looked<'_>,
        tested: &[Vec<Tested>],
        evidence: &mut Vec<Comparison>,
        held: &mut Held,
        alerts: &mut Vec<Output>,
    ) {
        let spec = &self.model.spec;
        for ((i, rule), tested) in spec.p_value_rules.iter().enumerate().zip(tested) {
            let found = looked.statistics.iter().find(|s| s.statistic == rule.test);
            let (Some(&value), Some(said)) = (found, tested.get(looked.column)) else {
                continue;
            };
            held.say(spec.rules.len() + i, looked.column, said.rejected);
            let (Some(level), Some(rejected), Some(p_value)) =
                (said.level, said.rejected, value.p_value)
            else {
                continue;
            };
            if let Some(transition) = said.transition {
                let subject = PValueSubject {
                    series: &self.keys[looked.column],
                    rule,
                    window: self.close.span,
                    reference: self.reference,
                    value,
                    level,
                    n: looked.valid,
                };
                alerts.push(Output::Alert(subject.event(transition)));
            }
            evidence.push(Comparison {
                statistic: value.statistic,
                value: p_value,
                threshold: level,
                enough_data: true,
                exceeded: rejected,
            });
        }
    }

    /// The evidence of the streams that have taken in anything.
    fn bank_statistics(&self, column: usize, decision: Option<&Decision>) -> Vec<StatisticValue> {
        let (Some(bank), Some(decision)) = (self.bank, decision) else {
            return Vec::new();
        };
        let stepped = bank.has_stepped(column);
        [
            (Statistic::Bank, stepped[0], &decision.shape),
            (Statistic::BankQuality, stepped[QUALITY], &decision.quality),
        ]
        .into_iter()
        .filter(|(_, stepped, _)| *stepped)
        .map(|(statistic, _, verdict)| StatisticValue {
            statistic,
            value: verdict.evidence,
            floor: None,
            p_value: None,
        })
        .collect()
    }

    /// The state that a user sees, after rules and bank have stepped.
    fn state(
        &self,
        phases: &[Phase],
        evidence: &[Comparison],
        decision: Option<&Decision>,
    ) -> SeriesState {
        let any = |phase| phases.contains(&phase);
        let says =
            |state| decision.is_some_and(|d| d.shape.state == state || d.quality.state == state);
        let is_full = self.close.covered || self.model.spec.allow_partial_windows;
        let has_enough = evidence.iter().any(|c| c.enough_data);
        if self.close.span.events == 0 {
            SeriesState::Stale
        } else if any(Phase::Firing) || says(SeriesState::Drifted) {
            SeriesState::Drifted
        } else if !self.close.is_in_force && self.model.warms_up() {
            SeriesState::WarmingUp
        } else if says(SeriesState::Warning) {
            SeriesState::Warning
        } else if !is_full {
            SeriesState::WarmingUp
        } else if any(Phase::Pending) {
            SeriesState::Warning
        } else if !self.close.covered && !has_enough && decision.is_none() {
            SeriesState::WarmingUp
        } else if !self.close.is_in_force
            || (!evidence.is_empty() && !has_enough && decision.is_none())
        {
            SeriesState::NotEnoughData
        } else {
            SeriesState::Stable
        }
    }
}

/// What rules look at in one column.
#[derive(Clone, Copy, Debug)]
struct Looked<'a> {
    column: usize,
    statistics: &'a [StatisticValue],
    valid: u64,
}

/// Ratios of all events rest on all events; everything else rests on the valid values.
fn rests_on(statistic: Statistic, events: u64, valid: u64) -> u64 {
    match statistic {
        Statistic::MissingRatio | Statistic::InvalidRatio => events,
        _ => valid,
    }
}
