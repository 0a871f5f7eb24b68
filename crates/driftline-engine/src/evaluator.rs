//! The second stage: partial batches in; reports, alerts and violations out.

use driftline_event::{LayoutId, SourcePartition, Timestamp};

use crate::invariants::{Invariant, Violation};
use crate::ledger::Ledger;
use crate::output::Output;
use crate::pane::PaneSummary;
use crate::panes::{Delta, ModelPanes};
use crate::partial::{Batch, BatchError, ModelRef, RawDelta};
use crate::spec::ModelSet;

/// The bounds and settings of an [`Evaluator`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluatorOptions {
    /// Whether every closed pane is put out with its bytes.
    pub emit_panes: bool,
    /// The most panes of one model that are open at a time; deltas for further ones are refused as a violation
    /// of [`Invariant::Bounded`].
    pub open_panes_max: usize,
}

impl Default for EvaluatorOptions {
    /// No panes put out, at most 20,160 open (two weeks of minutes).
    fn default() -> Self {
        Self {
            emit_panes: false,
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
    ledger: Ledger,
    options: EvaluatorOptions,
}

impl Evaluator {
    /// An evaluator that may get deltas of any of these models.
    pub fn new(models: &ModelSet, options: EvaluatorOptions) -> Self {
        let panes = models
            .specs()
            .iter()
            .map(|spec| ModelPanes::new(spec.clone()))
            .collect();
        Self {
            set: models.clone(),
            models: panes,
            ledger: Ledger::default(),
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
        // From here on nothing fails, so a batch is taken in whole or not at all.
        for (model, delta) in deltas {
            violations.extend(self.unaccounted(model, &delta));
            self.models[model].merge(delta, self.options.open_panes_max, out, &mut violations);
        }
        for progress in &batch.progress {
            self.ledger.record(progress, &mut violations);
        }
        out.extend(violations.into_iter().map(Output::Violation));
        if !batch.progress.is_empty() {
            let reached = self.ledger.reached();
            for model in &mut self.models {
                model.close(reached, self.options.emit_panes, out);
            }
        }
        Ok(())
    }

    /// How far the panes of a model are closed; none before the first one is.
    pub fn closed_until(&self, model: LayoutId) -> Option<Timestamp> {
        self.models.get(model.index())?.closed_until()
    }

    /// The next offset that is expected from each source partition heard of.
    pub fn positions(&self) -> impl Iterator<Item = (&SourcePartition, i64)> {
        self.ledger.positions()
    }

    /// How many series are live: those with events in a window or an alert under way, times their columns.
    pub fn series(&self) -> usize {
        self.models.iter().map(ModelPanes::series).sum()
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
