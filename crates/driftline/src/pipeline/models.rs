//! From the checked configuration and its reference files to what the engine monitors.

use std::sync::Arc;

use driftline_engine::{Invariant, ModelSet, ModelSpec, WindowSpec};
use driftline_sketch::ReferenceProfile;
use driftline_telemetry::{ModelInfo, Telemetry};

use crate::config::{Config, Model, Version, reference};
use crate::exit::Failure;

/// Reads every reference that `config` names and checks that the models can be monitored with them.
///
/// # Errors
/// Everything that is wrong with any reference or model, at once.
pub fn load(config: &Config) -> Result<ModelSet, Failure> {
    let references = reference::load(config)?;
    for warning in &references.warnings {
        tracing::warn!("{warning}");
    }
    let specs = references.versions.iter().map(|loaded| {
        let model = &config.models[loaded.model];
        spec(
            config,
            model,
            &model.versions[loaded.version],
            Arc::clone(&loaded.profile),
        )
    });
    ModelSet::new(specs.collect()).map_err(|errors| Failure::config(errors.to_string()))
}

/// How one version of one model is monitored.
pub fn spec(
    config: &Config,
    model: &Model,
    version: &Version,
    profile: Arc<ReferenceProfile>,
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
        out_of_orderness: model.out_of_orderness,
        allowed_lateness: model.allowed_lateness,
        segments_max: config.limits.segments_per_field_max as usize,
        ..ModelSpec::new(profile, &model.id, &version.version)
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
            task: String::new(),
        });
    }
}
