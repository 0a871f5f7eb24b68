//! How a prediction or a label changes what is pending, and what follows from it.

use std::sync::Arc;

use driftline_event::Timestamp;
use driftline_sketch::{Scored, Truth};

use super::api::JoinError;
use super::batch::{LabelEntry, Labels, PredictionEntry, Predictions, Value};
use super::deltas::{Outcome, Row, What};
use super::joiner::Joiner;
use super::model::{JoinedModel, JoinedModels};
use super::record::{Label, LabelText};
use super::store::StoreError;
use super::table::{FoundLabel, FoundPrediction, Group};
use crate::invariants::{Invariant, Violation};

/// What labels say of one prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    /// There is none.
    Nothing,
    /// There is one that does not count: it came too late, or it is nothing that the model can predict.
    TooLate,
    Unreadable,
    Counts(Outcome),
}

impl Joiner {
    pub(super) fn take_predictions(&mut self, batch: &Predictions<'_>) -> Result<(), JoinError> {
        let mut layouts = Vec::with_capacity(batch.models.len());
        for wanted in &batch.models {
            let found = self.models.find(wanted.model, wanted.version);
            let same = found.filter(|(_, m)| m.spec.profile.id() == wanted.reference);
            layouts.push(same.map(|(layout, _)| layout));
            if same.is_none() {
                let detail = format!(
                    "model `{}` version `{}` reference {}: not joined here; its predictions are refused",
                    wanted.model, wanted.version, wanted.reference
                );
                self.violations
                    .push(Violation::new(Invariant::SameReference, detail));
            }
        }
        let mut groups = Vec::with_capacity(batch.groups.len());
        for group in &batch.groups {
            let segments = group.segments.iter().map(|s| Arc::from(*s)).collect();
            let layout = layouts[group.model];
            let number = layout.map(|layout| self.table.group(Group { layout, segments }));
            groups.push(layout.zip(number));
        }
        for entry in &batch.entries {
            self.tally.predictions += 1;
            match groups[entry.group] {
                None => self.tally.unknown_model += 1,
                Some((_, None)) => self.tally.out_of_bounds += 1,
                Some((layout, Some(group))) => self.prediction(layout, group, entry)?,
            }
        }
        for (_, group) in groups.into_iter().flatten() {
            group.into_iter().for_each(|g| self.table.settle_group(g));
        }
        Ok(())
    }

    fn watermark_micros(&self) -> i64 {
        self.front.reached().map_or(i64::MIN, Timestamp::as_micros)
    }

    fn prediction(
        &mut self,
        layout: u32,
        group: u32,
        entry: &PredictionEntry,
    ) -> Result<(), StoreError> {
        let &PredictionEntry { id, at, scored, .. } = entry;
        let Some(model) = self.models.get(layout) else {
            return Ok(());
        };
        let bucket = model.bucket(at);
        if !model.samples(id) {
            self.tally.sampled_out += 1;
            return Ok(());
        }
        if bucket <= self.watermark_micros() {
            self.tally.expired += 1;
            return Ok(());
        }
        let fits = |s: &Scored| model.outcome().is_some_and(|o| o.task() == s.task());
        let Some(read) = Scored::from_bytes(&scored).filter(fits) else {
            self.tally.unreadable += 1;
            return Ok(());
        };
        self.predictions.clear();
        self.table.find_predictions(id, &mut self.predictions)?;
        let table = &self.table;
        let layout_of = |p: &FoundPrediction| table.group_of(p.pending.group()).map(|g| g.layout);
        if self
            .predictions
            .iter()
            .any(|p| layout_of(p) == Some(layout))
        {
            self.tally.duplicate_predictions += 1;
            return Ok(());
        }
        self.labels.clear();
        self.table.find_labels(id, &mut self.labels)?;
        let models = &self.models;
        self.labels
            .retain(|found| models.applies(found.label.scope, layout));
        let has_label = !self.labels.is_empty();
        if !self
            .table
            .add_prediction(id, (bucket, at), group, scored, has_label)
        {
            self.tally.out_of_bounds += 1;
            return Ok(());
        }
        self.say(layout, group, at, read, i64::MIN, What::Predicted);
        if !has_label {
            return Ok(());
        }
        let verdict = verdict(&self.models, layout, at, &self.labels, None);
        let latest = self.labels.iter().map(|f| f.label.latest).max();
        self.tell(verdict);
        if let Verdict::Counts(outcome) = verdict {
            self.tally.joined += 1;
            let latest = latest.unwrap_or(i64::MIN);
            self.say(layout, group, at, read, latest, What::Add(outcome));
        }
        for found in std::mem::take(&mut self.labels) {
            self.keep_label(id, &found, found.label.clone(), bucket)?;
        }
        Ok(())
    }

    /// Puts a joined label where it was, or in a later bucket if a prediction needs it longer.
    fn keep_label(
        &mut self,
        id: u128,
        found: &FoundLabel,
        label: Label,
        until: i64,
    ) -> Result<(), StoreError> {
        let label = Label {
            is_joined: true,
            ..label
        };
        if found.bucket < until {
            self.table.remove_label(id, found)?;
            if !self.table.add_label(id, until, &label) {
                self.tally.out_of_bounds += 1;
            }
            Ok(())
        } else if found.label == label {
            Ok(())
        } else {
            self.table.replace_label(id, found, &label)
        }
    }

    pub(super) fn take_labels(&mut self, batch: &Labels<'_>) -> Result<(), JoinError> {
        let scopes: Vec<Option<u32>> = batch
            .scopes
            .iter()
            .map(|s| self.models.scope(Some((s.model, s.version))))
            .collect();
        let any = self.models.scope(None);
        for entry in &batch.entries {
            self.tally.labels += 1;
            match entry.scope.map_or(any, |scope| scopes[scope]) {
                None => self.tally.unknown_model += 1,
                Some(scope) => self.label(scope, entry)?,
            }
        }
        Ok(())
    }

    fn label(&mut self, scope: u32, entry: &LabelEntry<'_>) -> Result<(), StoreError> {
        let &LabelEntry { id, at, .. } = entry;
        if !self.models.samples_label(scope, id) {
            self.tally.sampled_out += 1;
            return Ok(());
        }
        let own_bucket = self.models.label_bucket(scope, at);
        if own_bucket <= self.watermark_micros() {
            self.tally.expired += 1;
            return Ok(());
        }
        self.labels.clear();
        self.table.find_labels(id, &mut self.labels)?;
        let same = self.labels.iter().position(|f| f.label.scope == scope);
        let old = same.map(|i| &self.labels[i].label);
        if old.is_some_and(|old| old.revision >= entry.revision) {
            self.tally.duplicate_labels += 1;
            return Ok(());
        }
        let label = Label {
            scope,
            revision: entry.revision,
            observed: at,
            latest: old.map_or(at, |old| old.latest.max(at)),
            weight: entry.weight,
            value: match entry.value {
                Value::Number(number) => LabelText::Number(number),
                Value::Text(text) => LabelText::Text(Arc::new(text.to_owned())),
            },
            is_joined: old.is_some_and(|old| old.is_joined),
        };
        let needed = self.judge(id, &label)?;
        let bucket = needed.map_or(own_bucket, |needed| needed.max(own_bucket));
        match same.map(|i| self.labels.swap_remove(i)) {
            Some(old) if needed.is_some() => self.keep_label(id, &old, label, needed.unwrap_or(0)),
            Some(old) => {
                self.tally.superseded += 1;
                self.table.replace_label(id, &old, &label)
            }
            None => {
                let is_joined = needed.is_some();
                let label = Label { is_joined, ..label };
                if !self.table.add_label(id, bucket, &label) {
                    self.tally.out_of_bounds += 1;
                }
                Ok(())
            }
        }
    }

    /// Says what a new label changes for the predictions of its id. Returns until when they are kept, if there are any.
    fn judge(&mut self, id: u128, label: &Label) -> Result<Option<i64>, StoreError> {
        let mut predictions = std::mem::take(&mut self.predictions);
        predictions.clear();
        self.table.find_predictions(id, &mut predictions)?;
        let mut until = None;
        for found in &predictions {
            let group = found.pending.group();
            let Some(layout) = self.table.group_of(group).map(|g| g.layout) else {
                continue;
            };
            if !self.models.applies(label.scope, layout) {
                continue;
            }
            until = until.max(Some(found.bucket));
            let before = verdict(&self.models, layout, found.at, &self.labels, None);
            let after = verdict(&self.models, layout, found.at, &self.labels, Some(label));
            self.table.set_labelled(found)?;
            let Some(scored) = Scored::from_bytes(found.pending.scored()) else {
                continue;
            };
            if before == after {
                continue;
            }
            self.tell(after);
            let models = &self.models;
            let known = self.labels.iter().map(|f| &f.label).chain([label]);
            let latest = known
                .filter(|l| models.applies(l.scope, layout))
                .map(|l| l.latest)
                .max();
            let latest = latest.unwrap_or(label.latest);
            let mut say = |what| self.say(layout, group, found.at, scored, latest, what);
            match (before, after) {
                (Verdict::Counts(old), Verdict::Counts(new)) => {
                    say(What::Retract(old));
                    say(What::Add(new));
                    self.tally.corrections += 1;
                }
                (Verdict::Counts(old), _) => {
                    say(What::Retract(old));
                    self.tally.corrections += 1;
                }
                (_, Verdict::Counts(new)) => {
                    say(What::Add(new));
                    self.tally.joined += 1;
                }
                _ => {}
            }
        }
        self.predictions = predictions;
        Ok(until)
    }

    fn tell(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::TooLate => self.tally.too_late += 1,
            Verdict::Unreadable => self.tally.unreadable += 1,
            Verdict::Nothing | Verdict::Counts(_) => {}
        }
    }

    /// Notes a row that became known at its own time or at `latest`, but no earlier than the watermark.
    fn say(&mut self, layout: u32, group: u32, at: i64, scored: Scored, latest: i64, what: What) {
        let Some(model) = self.models.get(layout) else {
            return;
        };
        let floor = |t: i64| t.div_euclid(model.step).saturating_mul(model.step);
        // After the end of all input nothing is later than what it brought.
        let reached = self.watermark_micros();
        let reached = if reached == i64::MAX {
            i64::MIN
        } else {
            reached
        };
        let row = Row {
            group,
            arrival: floor(at.max(latest).max(reached)),
            bucket: floor(at),
            scored,
            what,
        };
        if self.deltas.add(row) {
            self.fold();
        }
    }
}

/// What the labels of its id, and perhaps a new one instead of that of its scope, say of a prediction.
fn verdict(
    models: &JoinedModels,
    layout: u32,
    at: i64,
    labels: &[FoundLabel],
    new: Option<&Label>,
) -> Verdict {
    let kept = labels
        .iter()
        .map(|found| &found.label)
        .filter(|l| new.is_none_or(|new| new.scope != l.scope));
    let best = kept
        .chain(new)
        .filter(|l| models.applies(l.scope, layout))
        .max_by_key(|l| (l.revision, models.rank(l.scope)));
    let (Some(label), Some(model)) = (best, models.get(layout)) else {
        return Verdict::Nothing;
    };
    let delay = label.observed.saturating_sub(at).max(0);
    if delay > model.ttl {
        return Verdict::TooLate;
    }
    match truth(model, &label.value) {
        None => Verdict::Unreadable,
        Some(truth) => Verdict::Counts(Outcome {
            truth,
            weight: label.weight,
            delay,
        }),
    }
}

fn truth(model: &JoinedModel, value: &LabelText) -> Option<Truth> {
    let outcome = model.outcome()?;
    match value {
        LabelText::Number(number) => outcome.truth_of_number(*number).ok(),
        LabelText::Text(text) => outcome.truth_of_text(text).ok(),
    }
}
