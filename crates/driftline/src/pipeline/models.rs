//! From the checked configuration and its reference files to what the engine monitors.

use std::sync::Arc;
use std::time::Duration;

use driftline_engine::{
    Baseline, Calibration, DecisionSpec, Invariant, LabelSpec, ModelSet, ModelSpec, WindowSpec,
};
use driftline_sketch::{DELAY_EDGES, OutcomeReference, ReferenceProfile};
use driftline_telemetry::{DecisionInfo, ModelInfo, Telemetry};

use crate::config::reference::{self, References};
use crate::config::{CompareWith, Config, Decision, Model, Version};
use crate::exit::Failure;

/// Reads every reference that `config` names and checks that the models can be monitored with them.
///
/// # Errors
/// Everything that is wrong with any reference or model, at once.
pub fn load(config: &Config, labels: Labelling) -> Result<ModelSet, Failure> {
    let references = reference::load(config)?;
    for warning in &references.warnings {
        tracing::warn!("{warning}");
    }
    set(config, &references, labels)
}

/// Whether there are labels to join with the predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labelling {
    /// There are, for models that know what to do with them.
    Joined,
    /// There are none.
    None,
}

impl Labelling {
    /// What the configuration's streams have.
    pub fn of(config: &Config) -> Self {
        if config.labels.is_some() {
            Self::Joined
        } else {
            Self::None
        }
    }
}

/// The models of a configuration whose references have been read.
///
/// # Errors
/// Everything that is wrong with any model.
pub fn set(
    config: &Config,
    references: &References,
    labels: Labelling,
) -> Result<ModelSet, Failure> {
    let specs = references.versions.iter().map(|loaded| {
        let model = &config.models[loaded.model];
        let version = &model.versions[loaded.version];
        let profile = Arc::clone(&loaded.profile);
        let mut spec = spec(config, model, version, profile, loaded.calibration.clone());
        if labels == Labelling::None {
            spec.labels = None;
        }
        spec
    });
    ModelSet::new(specs.collect()).map_err(|errors| Failure::config(errors.to_string()))
}

/// How one version of one model is monitored.
pub fn spec(
    config: &Config,
    model: &Model,
    version: &Version,
    profile: Arc<ReferenceProfile>,
    calibration: Option<Arc<Calibration>>,
) -> ModelSpec {
    let windows = model.windows.iter().map(|w| WindowSpec {
        name: w.name.clone(),
        size: w.size,
        slide: w.slide,
    });
    ModelSpec {
        segments: model.segments.clone(),
        pane: model.pane,
        windows: windows.collect(),
        rules: model.rules.clone(),
        p_value_rules: model.p_value_rules.clone(),
        quorum_rules: model.quorums.clone(),
        decision: model
            .decision
            .as_ref()
            .map(|decision| decide(decision, model, version, calibration)),
        labels: label(model, &profile),
        out_of_orderness: model.out_of_orderness,
        allowed_lateness: model.allowed_lateness,
        segments_max: config.limits.segments_per_field_max as usize,
        ..ModelSpec::new(profile, &model.id, &version.version)
    }
}

/// How a version's labels are judged. One whose reference knows no labels goes without, unless the file asks for them.
fn label(model: &Model, profile: &ReferenceProfile) -> Option<LabelSpec> {
    let labels = model.labels.as_ref()?;
    let outcome = profile.outcome();
    if outcome.is_none() && !labels.is_explicit {
        return None;
    }
    let mut spec = labels.spec.clone();
    let usual = outcome.map(|o| usual_ages(o.reference(), spec.ttl));
    if let Some(usual) = usual.filter(|u| labels.judges_when_usual && !u.is_empty()) {
        spec.mature_after = usual;
    }
    Some(spec)
}

/// The ages by which half and 95 of 100 of the reference's labels had come; none where their times are not known.
fn usual_ages(reference: &OutcomeReference, ttl: Duration) -> Vec<Duration> {
    let Some(all) = reference.coverage().filter(|_| reference.has_delays()) else {
        return Vec::new();
    };
    let age = |share: f64| {
        let mut edges = DELAY_EDGES.iter();
        let has_come = |edge: &&i64| {
            let coverage = reference.coverage_within(**edge);
            coverage.is_some_and(|c| c >= share * all)
        };
        let micros = edges.find(has_come)?;
        Some(Duration::from_micros(micros.unsigned_abs()))
    };
    let mut ages: Vec<Duration> = [0.5, 0.95].into_iter().filter_map(age).collect();
    ages.retain(|age| *age <= ttl);
    ages.dedup();
    ages
}

/// The share of a model's budget that one of its versions has, and how it decides.
fn decide(
    decision: &Decision,
    model: &Model,
    version: &Version,
    calibration: Option<Arc<Calibration>>,
) -> DecisionSpec {
    let alarms = decision.alarms_per_month / model.versions.len().max(1) as f64;
    let mut spec = DecisionSpec::new(alarms, decision.step);
    if let Some(calibration) = calibration {
        spec = spec.calibrated(calibration);
    }
    DecisionSpec {
        weights: decision.weights.clone(),
        tolerance: decision.tolerance.unwrap_or(spec.tolerance),
        quality_tolerance: decision.quality_tolerance,
        clear_evidence: decision.clear_evidence,
        severity: decision.severity,
        baseline: match &version.compare_with {
            CompareWith::Reference => Baseline::Reference,
            CompareWith::Trailing { size, lag } => Baseline::Trailing {
                size: *size,
                lag: *lag,
            },
            CompareWith::Version(other) => Baseline::Version(other.clone()),
        },
        ..spec
    }
}

/// Makes every model and invariant known to `telemetry`, so that their series exist before the first event.
pub fn register(models: &ModelSet, telemetry: &Telemetry) {
    let invariants: Vec<&str> = Invariant::ALL
        .iter()
        .map(|invariant| invariant.as_str())
        .collect();
    telemetry.register_invariants(&invariants);
    for spec in models.specs() {
        telemetry.register_model(ModelInfo {
            model: spec.model.clone(),
            version: spec.version.clone(),
            reference: spec.profile.id().to_owned(),
            source: spec.profile.source.clone(),
            reference_events: spec.profile.rows,
            task: spec
                .profile
                .outcome()
                .map_or_else(String::new, |o| o.task().as_str().to_owned()),
            decision: spec.decision.as_ref().map(|decision| DecisionInfo {
                alarms_per_month: decision.alarms_per_month,
                calibrated_days: decision.calibration.as_ref().map(|c| c.days),
            }),
        });
    }
}
