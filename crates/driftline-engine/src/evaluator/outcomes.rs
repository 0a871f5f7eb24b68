//! The evaluator's second half: what the joiner says of labels, closed by the outcomes' own progress.

use std::collections::BTreeMap;

use driftline_event::{SourcePartition, Timestamp};

use crate::invariants::{Invariant, Violation};
use crate::ledger::{Ledger, Reached};
use crate::outcome::{MatureWindow, ModelOutcomes, OutcomeDelta};
use crate::output::Output;
use crate::partial::{Batch, BatchError, Progress};
use crate::spec::ModelSet;

/// The outcomes of all models that have labels.
#[derive(Clone, Debug)]
pub(super) struct Outcomes {
    /// By model.
    models: Vec<Option<ModelOutcomes>>,
    /// The versions of each model that has labels: they close tick by tick together, for one may be compared with another.
    groups: Vec<Vec<usize>>,
    ledger: Ledger,
}

impl Outcomes {
    pub(super) fn new(models: &ModelSet, emit_judged: bool) -> Self {
        let specs = models.specs();
        let outcomes = specs.iter().map(|s| ModelOutcomes::new(s, emit_judged));
        let outcomes: Vec<_> = outcomes.collect();
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, spec) in specs.iter().enumerate() {
            if outcomes.get(i).is_some_and(Option::is_some) {
                groups.entry(&spec.model).or_default().push(i);
            }
        }
        Self {
            groups: groups.into_values().collect(),
            models: outcomes,
            ledger: Ledger::default(),
        }
    }

    /// Reads the outcomes of a batch, whose models `resolved` are these, each with the number of its model.
    pub(super) fn read(
        &self,
        batch: &Batch<'_>,
        resolved: &[Option<usize>],
        violations: &mut Vec<Violation>,
    ) -> Result<Vec<(usize, OutcomeDelta)>, BatchError> {
        let mut deltas = Vec::with_capacity(batch.outcomes.len());
        let mut refused: Option<usize> = None;
        for raw in &batch.outcomes {
            let Some(model) = resolved.get(raw.model).copied().flatten() else {
                continue;
            };
            let name = batch.models.get(raw.model);
            let (id, version) = name.map_or(("", ""), |m| (m.model, m.version));
            let own = self.models.get(model).and_then(Option::as_ref);
            let problem = match own {
                None => Some("it has no labels here".to_owned()),
                Some(own) if own.model.step != raw.step_micros => Some(format!(
                    "the batch has steps of {} µs, not {}",
                    raw.step_micros, own.model.step
                )),
                Some(_) => None,
            };
            let (Some(own), None) = (own, &problem) else {
                // Once for all of its deltas: they follow each other.
                if refused.replace(raw.model) != Some(raw.model) {
                    let why = problem.unwrap_or_default();
                    let detail = format!(
                        "model `{id}` version `{version}`: {why}; its outcomes are refused"
                    );
                    violations.push(Violation::new(Invariant::SameReference, detail));
                }
                continue;
            };
            let delta = own.read(raw).map_err(|reason| BatchError::Delta {
                model: id.to_owned(),
                version: version.to_owned(),
                reason,
            })?;
            deltas.push((model, delta));
        }
        Ok(deltas)
    }

    pub(super) fn merge(
        &mut self,
        deltas: Vec<(usize, OutcomeDelta)>,
        violations: &mut Vec<Violation>,
    ) {
        for (model, delta) in deltas {
            if let Some(Some(model)) = self.models.get_mut(model) {
                model.merge(delta, violations);
            }
        }
    }

    pub(super) fn record(&mut self, progress: &[&Progress], violations: &mut Vec<Violation>) {
        for progress in progress {
            self.ledger.record(progress, violations);
        }
    }

    /// Closes every tick that the outcomes have passed.
    pub(super) fn close(&mut self, out: &mut Vec<Output>) {
        let reached = self.ledger.reached();
        for group in 0..self.groups.len() {
            self.close_group(group, reached, out);
        }
    }

    fn close_group(&mut self, group: usize, reached: Reached, out: &mut Vec<Output>) {
        let Some(group) = self.groups.get(group) else {
            return;
        };
        let bounds = group
            .iter()
            .filter_map(|&m| self.models[m].as_ref()?.bound(reached));
        let Some(bound) = bounds.max() else { return };
        loop {
            let ends = group
                .iter()
                .filter_map(|&m| self.models[m].as_ref()?.next_end(bound));
            let Some(end) = ends.min() else { break };
            let mut mature: Vec<(String, Vec<MatureWindow>)> = Vec::new();
            for &model in group {
                let Some(model) = &mut self.models[model] else {
                    continue;
                };
                if model.next_end(bound) == Some(end) {
                    model.close(end, out);
                }
                let version = model.model.spec.version.clone();
                mature.push((version, std::mem::take(&mut model.mature)));
            }
            // Only now is it known what all versions have in this tick.
            for (i, &model) in group.iter().enumerate() {
                if let (Some(model), Some((_, own))) = (&mut self.models[model], mature.get(i)) {
                    model.perform(own, &mature, out);
                }
            }
        }
        for &model in group {
            if let Some(model) = &mut self.models[model] {
                model.settle(reached, out);
            }
        }
    }

    pub(super) fn closed_until(&self, model: usize) -> Option<Timestamp> {
        self.models.get(model)?.as_ref()?.closed_until()
    }

    pub(super) fn series(&self) -> usize {
        let models = self.models.iter().flatten();
        models.map(ModelOutcomes::series).sum()
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = (&SourcePartition, i64)> {
        self.ledger.positions()
    }
}
