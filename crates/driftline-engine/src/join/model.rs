//! What the join needs to know of the models.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use driftline_sketch::OutcomeProfile;

use super::record::Pending;
use crate::counting::span_micros;
use crate::spec::{ModelSet, ModelSpec};

/// Into how many buckets the time to live is cut: an entry is kept for up to a sixteenth longer.
const BUCKETS: i64 = 16;
/// What a time to live counts as at most, in microseconds: about four years.
const TTL_MAX: i64 = Pending::AGE_MAX / (BUCKETS + 1) * BUCKETS;

/// Predictions of any model.
pub(crate) const ANY: u32 = 0;

/// A model version whose predictions are joined with labels.
#[derive(Clone, Debug)]
pub(crate) struct JoinedModel {
    pub(crate) spec: Arc<ModelSpec>,
    /// The number of the model, whatever the version.
    model: u32,
    pub(crate) step: i64,
    pub(crate) ttl: i64,
    sampled: Sampled,
}

impl JoinedModel {
    /// What its labels are compared with. There are no others.
    pub(crate) fn outcome(&self) -> Option<&OutcomeProfile> {
        self.spec.profile.outcome()
    }

    /// When an entry of this time expires.
    pub(crate) fn bucket(&self, at: i64) -> i64 {
        bucket(at, self.ttl)
    }

    pub(crate) fn samples(&self, id: u128) -> bool {
        self.sampled.has(id)
    }
}

/// Rounded up to a sixteenth of the time to live, beginning at the epoch.
fn bucket(at: i64, ttl: i64) -> i64 {
    let width = (ttl / BUCKETS).max(1);
    at.div_euclid(width)
        .saturating_add(1)
        .saturating_mul(width)
        .saturating_add(ttl)
}

/// Which ids are joined: those whose low 64 bits are below a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sampled(u128);

impl Sampled {
    pub(crate) fn new(rate: f64) -> Self {
        let one = 2.0_f64.powi(64);
        Self((rate.clamp(0.0, 1.0) * one) as u128)
    }

    pub(crate) fn has(self, id: u128) -> bool {
        u128::from(id as u64) < self.0
    }
}

/// Which predictions of its id a label is about.
#[derive(Clone, Debug)]
struct Scope {
    /// Lower ones give way to higher ones of the same revision.
    rank: u8,
    ttl: i64,
    sampled: Sampled,
    /// The model or the layout; nothing for any.
    of: usize,
}

/// The models that have labels, and the scopes that labels can have.
#[derive(Clone, Debug)]
pub(crate) struct JoinedModels {
    set: ModelSet,
    models: Vec<Option<JoinedModel>>,
    numbers: BTreeMap<String, u32>,
    /// Any, then the models, then the layouts.
    scopes: Vec<Option<Scope>>,
    /// How long predictions wait for the labels' watermark, the longest of all.
    pub(crate) wait: Duration,
}

impl JoinedModels {
    pub(crate) fn new(set: &ModelSet) -> Self {
        let mut numbers = BTreeMap::new();
        let mut models = Vec::with_capacity(set.specs().len());
        let mut wait = Duration::ZERO;
        for spec in set.specs() {
            let labels = spec
                .labels
                .as_ref()
                .filter(|_| spec.profile.outcome().is_some());
            models.push(labels.map(|labels| {
                let next = numbers.len() as u32;
                let model = *numbers.entry(spec.model.clone()).or_insert(next);
                wait = wait.max(labels.wait);
                JoinedModel {
                    spec: Arc::clone(spec),
                    model,
                    step: span_micros(labels.step),
                    ttl: span_micros(labels.ttl).min(TTL_MAX),
                    sampled: Sampled::new(labels.sampling_rate),
                }
            }));
        }
        let scope = |rank, of, models: &[&JoinedModel]| {
            Some(Scope {
                rank,
                ttl: models.iter().map(|m| m.ttl).max()?,
                sampled: models.iter().map(|m| m.sampled).max()?,
                of,
            })
        };
        let all: Vec<&JoinedModel> = models.iter().flatten().collect();
        let mut scopes = vec![scope(0, 0, &all)];
        for number in 0..numbers.len() {
            let of: Vec<&JoinedModel> = all
                .iter()
                .copied()
                .filter(|m| m.model as usize == number)
                .collect();
            scopes.push(scope(1, number, &of));
        }
        for (layout, model) in models.iter().enumerate() {
            scopes.push(model.as_ref().and_then(|m| scope(2, layout, &[m])));
        }
        Self {
            set: set.clone(),
            models,
            numbers,
            scopes,
            wait,
        }
    }

    pub(crate) fn any(&self) -> bool {
        !self.numbers.is_empty()
    }

    pub(crate) fn get(&self, layout: u32) -> Option<&JoinedModel> {
        self.models.get(layout as usize)?.as_ref()
    }

    /// The layout of a model and version that has labels, if the reference is the one that is compared with.
    pub(crate) fn find(&self, model: &str, version: &str) -> Option<(u32, &JoinedModel)> {
        let (id, _) = self.set.find(model, version)?;
        Some((id.0, self.get(id.0)?))
    }

    /// The scope that a label names; none if there is no such model, or it has no labels.
    pub(crate) fn scope(&self, named: Option<(&str, Option<&str>)>) -> Option<u32> {
        let number = match named {
            None => ANY,
            Some((model, None)) => 1 + *self.numbers.get(model)?,
            Some((model, Some(version))) => {
                let layout = self.set.catalog().resolve(model, version)?;
                1 + self.numbers.len() as u32 + layout.0
            }
        };
        self.scopes.get(number as usize)?.as_ref().map(|_| number)
    }

    /// Whether a label of this scope is about predictions of this layout.
    pub(crate) fn applies(&self, scope: u32, layout: u32) -> bool {
        let (Some(scope), Some(model)) = (self.scope_of(scope), self.get(layout)) else {
            return false;
        };
        match scope.rank {
            0 => true,
            1 => scope.of == model.model as usize,
            _ => scope.of == layout as usize,
        }
    }

    fn scope_of(&self, scope: u32) -> Option<&Scope> {
        self.scopes.get(scope as usize)?.as_ref()
    }

    pub(crate) fn rank(&self, scope: u32) -> u8 {
        self.scope_of(scope).map_or(0, |scope| scope.rank)
    }

    /// When a label of this scope and time expires, if no prediction needs it longer.
    pub(crate) fn label_bucket(&self, scope: u32, at: i64) -> i64 {
        bucket(at, self.scope_of(scope).map_or(1, |scope| scope.ttl))
    }

    pub(crate) fn samples_label(&self, scope: u32, id: u128) -> bool {
        self.scope_of(scope).is_some_and(|s| s.sampled.has(id))
    }
}
