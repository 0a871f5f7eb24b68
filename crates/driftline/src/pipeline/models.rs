//! From the checked configuration and its reference files to what the engine monitors.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use driftline_engine::{ModelSet, ModelSpec, WindowSpec};
use driftline_sketch::ReferenceProfile;
use driftline_telemetry::{ModelInfo, Telemetry};

use crate::config::{Config, Model, Version};
use crate::exit::Failure;

/// A reference file larger than this is not one: 4,096 columns of 1,024 bins stay below it.
const REFERENCE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Reads every reference that `config` names and checks that the models can be monitored with them.
///
/// # Errors
/// Everything that is wrong with any reference or model, at once.
pub fn load(config: &Config) -> Result<ModelSet, Failure> {
    let mut specs = Vec::new();
    let mut problems = Vec::new();
    for model in &config.models {
        for version in &model.versions {
            match read_reference(&config.directory.join(&version.reference)) {
                Ok(profile) => specs.push(spec(config, model, version, profile)),
                Err(problem) => problems.push(problem),
            }
        }
    }
    if !problems.is_empty() {
        return Err(Failure::config(problems.join("\n")));
    }
    ModelSet::new(specs).map_err(|errors| Failure::config(errors.to_string()))
}

/// How one version of one model is monitored.
pub fn spec(config: &Config, model: &Model, version: &Version, profile: ReferenceProfile) -> ModelSpec {
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
        segments_max: config.limits.segments_per_model_max as usize,
        ..ModelSpec::new(Arc::new(profile), &model.id, &version.version)
    }
}

fn read_reference(path: &Path) -> Result<ReferenceProfile, String> {
    let in_file = |problem: String| format!("reference {}: {problem}", path.display());
    let size = std::fs::metadata(path).map_err(|e| in_file(e.to_string()))?.len();
    if size > REFERENCE_BYTES_MAX {
        return Err(in_file(format!("{size} bytes are more than a reference can have ({REFERENCE_BYTES_MAX})")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| in_file(e.to_string()))?;
    ReferenceProfile::from_json(&text).map_err(|e| {
        in_file(format!("{e}; build it again with `driftline reference build`"))
    })
}

/// The path of a version's reference.
pub fn reference_path(config: &Config, version: &Version) -> PathBuf {
    config.directory.join(&version.reference)
}

/// Makes every model known to `telemetry`, so that its series exist before its first event.
pub fn register(models: &ModelSet, telemetry: &Telemetry) {
    for spec in models.specs() {
        telemetry.register_model(ModelInfo {
            model: spec.model.clone(),
            version: spec.version.clone(),
            reference: spec.profile.id().to_owned(),
            source: spec.profile.source().to_owned(),
            reference_events: spec.profile.rows(),
            task: String::new(),
        });
    }
}
