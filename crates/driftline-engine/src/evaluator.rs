//! The second stage: partial batches in; reports, alerts and violations out.

use driftline_event::{LayoutId, SourcePartition, Timestamp};

use self::outcomes::Outcomes;
use crate::invariants::{Invariant, Violation};
use crate::ledger::{Ledger, Reached};
use crate::output::Output;
use crate::pane::PaneSummary;
use crate::panes::{Delta, ModelPanes};
use crate::partial::{Batch, BatchError, ModelRef, RawDelta};
use crate::spec::ModelSet;

mod outcomes;

/// The bounds and settings of an [`Evaluator`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluatorOptions {
    /// Whether every closed pane is put out with its bytes.
    pub emit_panes: bool,
    /// Whether the labels of every judged bucket are put out, also of models without a decision rule.
    pub emit_judged: bool,
    /// The most panes of one model that are open at a time; deltas for further ones are refused as a violation
    /// of [`Invariant::Bounded`].
    pub open_panes_max: usize,
}

impl Default for EvaluatorOptions {
    /// No panes or labels put out, at most 20,160 open (two weeks of minutes).
    fn default() -> Self {
        Self {
            emit_panes: false,
            emit_judged: false,
            open_panes_max: 20_160,
        }
    }
}

/// Merges the deltas of one partition of the partials topic, closes panes, slides windows, and judges them.
///
/// Its state is a function of the batches in their order. What it says about a model does not depend on how the
/// input was cut into batches, as long as no source partition was idle or unknown.
#[derive(Clone, Debug)]
pub struct Evaluator {
    set: ModelSet,
    models: Vec<ModelPanes>,
    /// By model: the number of the version that it is compared with.
    peers: Vec<Option<usize>>,
    /// Models whose panes close together: all versions that are compared with one, after that one.
    groups: Vec<Vec<usize>>,
    ledger: Ledger,
    /// What labels say, by a time of its own.
    outcomes: Outcomes,
    options: EvaluatorOptions,
}

impl Evaluator {
    /// An evaluator that may get deltas of any of these models.
    pub fn new(models: &ModelSet, options: EvaluatorOptions) -> Self {
        let mut panes: Vec<ModelPanes> = Vec::with_capacity(models.specs().len());
        for spec in models.specs() {
            panes.push(ModelPanes::new(spec.clone(), &panes));
        }
        let peer = |panes: &ModelPanes| {
            let (id, _) = models.find(&panes.spec().model, panes.peer_version()?)?;
            Some(id.index())
        };
        let peers: Vec<Option<usize>> = panes.iter().map(peer).collect();
        let mut groups: Vec<Vec<usize>> = (0..panes.len())
            .filter(|model| peers[*model].is_none())
            .map(|model| vec![model])
            .collect();
        for (model, peer) in peers.iter().enumerate() {
            let group = groups.iter_mut().find(|group| Some(group[0]) == *peer);
            group.into_iter().for_each(|group| group.push(model));
        }
        for group in &groups {
            // Who waits longest holds back the others, so that all see the same panes closed.
            let hold = group.iter().map(|model| panes[*model].hold).max();
            for model in group {
                panes[*model].hold = hold.unwrap_or_default();
            }
        }
        Self {
            set: models.clone(),
            models: panes,
            peers,
            groups,
            ledger: Ledger::default(),
            outcomes: Outcomes::new(models, options.emit_judged),
            options,
        }
    }

    /// Takes in one record of the partials topic and appends what follows from it to `out`.
    ///
    /// # Errors
    /// When the bytes are not a batch, or a delta does not fit its reference. Then nothing has changed.
    pub fn handle(&mut self, batch: &[u8], out: &mut Vec<Output>) -> Result<(), BatchError> {
        let batch = Batch::decode(batch)?;
        let mut violations = Vec::new();
        let models: Vec<Option<usize>> = batch
            .models
            .iter()
            .map(|m| self.resolve(m, &mut violations))
            .collect();
        let mut deltas = Vec::with_capacity(batch.deltas.len());
        for raw in &batch.deltas {
            if let Some(model) = models[raw.model] {
                deltas.push((model, self.read(model, raw)?));
            }
        }
        let outcomes = self.outcomes.read(&batch, &models, &mut violations)?;
        // From here on nothing fails, so a batch is taken in whole or not at all.
        for (model, delta) in deltas {
            violations.extend(self.unaccounted(model, &delta));
            self.models[model].merge(delta, self.options.open_panes_max, out, &mut violations);
        }
        self.outcomes.merge(outcomes, &mut violations);
        let (of_outcomes, of_predictions): (Vec<_>, Vec<_>) =
            batch.progress.iter().partition(|p| p.of_outcomes);
        for progress in &of_predictions {
            self.ledger.record(progress, &mut violations);
        }
        self.outcomes.record(&of_outcomes, &mut violations);
        out.extend(violations.into_iter().map(Output::Violation));
        if !of_predictions.is_empty() {
            let reached = self.ledger.reached();
            for group in 0..self.groups.len() {
                self.close(group, reached, out);
            }
        }
        if !of_outcomes.is_empty() {
            self.outcomes.close(out);
        }
        Ok(())
    }

    /// Closes every pane of a group that event time has passed, in the order of their ends; of those that end together,
    /// first that of the version that the others are compared with.
    fn close(&mut self, group: usize, reached: Reached, out: &mut Vec<Output>) {
        let group = &self.groups[group];
        let Some(bound) = self.models[group[0]].bound(reached) else {
            return;
        };
        loop {
            let goes_on = group.iter().any(|model| self.models[*model].has_open());
            let ends = group.iter().filter_map(|&model| {
                let end = self.models[model].next_end(bound, goes_on)?;
                Some((end, model))
            });
            let Some((end, model)) = ends.min_by_key(|(end, _)| *end) else {
                break;
            };
            let emit_panes = self.options.emit_panes;
            match self.peers[model] {
                None => self.models[model].close(end, None, emit_panes, out),
                Some(peer) => {
                    if let Ok([this, peer]) = self.models.get_disjoint_mut([model, peer]) {
                        this.close(end, Some(peer), emit_panes, out);
                    }
                }
            }
        }
        for model in group {
            self.models[*model].settle(bound);
        }
    }

    /// How far the panes of a model are closed; none before the first one is.
    pub fn closed_until(&self, model: LayoutId) -> Option<Timestamp> {
        self.models.get(model.index())?.closed_until()
    }

    /// How far the labels' ticks of a model are closed; none before the first one is, or without labels.
    pub fn outcomes_closed_until(&self, model: LayoutId) -> Option<Timestamp> {
        self.outcomes.closed_until(model.index())
    }

    /// The next offset that is expected from each source partition heard of, those of the outcomes last.
    pub fn positions(&self) -> impl Iterator<Item = (&SourcePartition, i64)> {
        self.ledger.positions().chain(self.outcomes.positions())
    }

    /// How many series are live, times their columns: those with events in a window, an alert under way, or evidence
    /// not older than a day.
    pub fn series(&self) -> usize {
        self.models.iter().map(ModelPanes::series).sum()
    }

    /// How many series of outcomes are live, times what is watched in each: those with labels that may still come, or an
    /// alert under way.
    pub fn outcome_series(&self) -> usize {
        self.outcomes.series()
    }

    /// The model that a batch means, if it means the same as this evaluator does.
    fn resolve(&self, wanted: &ModelRef<'_>, violations: &mut Vec<Violation>) -> Option<usize> {
        let ModelRef {
            model,
            version,
            reference,
            pane_micros,
        } = *wanted;
        let mut refuse = |what: String| {
            let detail =
                format!("model `{model}` version `{version}`: {what}; its deltas are refused");
            violations.push(Violation::new(Invariant::SameReference, detail));
            None
        };
        let Some((id, spec)) = self.set.find(model, version) else {
            return refuse("it is not configured here".to_owned());
        };
        if spec.profile.id() != reference {
            let ours = spec.profile.id();
            return refuse(format!("the batch has reference {reference}, not {ours}"));
        }
        if spec.pane.as_micros() != pane_micros as u128 {
            let ours = spec.pane.as_micros();
            return refuse(format!(
                "the batch has panes of {pane_micros} µs, not {ours}"
            ));
        }
        Some(id.index())
    }

    fn read(&self, model: usize, raw: &RawDelta<'_>) -> Result<Delta, BatchError> {
        let spec = self.models[model].spec();
        let summary = PaneSummary::decode(raw.body, raw.rows, &spec.profile).map_err(|reason| {
            let (model, version) = (spec.model.clone(), spec.version.clone());
            BatchError::Delta {
                model,
                version,
                reason,
            }
        })?;
        let segment = raw.segment.map(str::to_owned);
        Ok(Delta {
            segment,
            pane: raw.pane.as_micros(),
            summary,
        })
    }

    fn unaccounted(&self, model: usize, delta: &Delta) -> Option<Violation> {
        let (column, accounted) = delta.summary.unaccounted()?;
        let spec = self.models[model].spec();
        let name = &spec.profile.columns[column].column.name;
        let detail = format!(
            "model `{}` version `{}`: column `{name}` accounts for {accounted} of {} rows",
            spec.model, spec.version, delta.summary.rows
        );
        Some(Violation::new(Invariant::CountsConserved, detail))
    }
}
