//! The reference files that a configuration names.

use std::sync::Arc;

use driftline_engine::Calibration;
use driftline_event::{Catalog, ColumnRole, Statistic};
use driftline_sketch::{ColumnSummary, ReferenceProfile};

use super::checked::{CompareWith, Config, Model, Version};
use super::suggest;
use super::units::spell_duration;
use crate::calibration;
use crate::exit::Failure;

/// A version with its reference.
#[derive(Clone, Debug)]
pub struct LoadedVersion {
    /// The position of the model in [`Config::models`].
    pub model: usize,
    /// The position of the version in [`Model::versions`].
    pub version: usize,
    /// The reference.
    pub profile: Arc<ReferenceProfile>,
    /// What `driftline calibrate` found out about its history.
    pub calibration: Option<Arc<Calibration>>,
}

/// Every reference of a configuration.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// A version each, in the order of the configuration.
    pub versions: Vec<LoadedVersion>,
    /// What is probably not meant, one sentence each.
    pub warnings: Vec<String>,
}

impl References {
    /// The columns of every version, numbered in the order of [`References::versions`].
    ///
    /// # Errors
    /// When a model and version, or a column within one, stand twice.
    pub fn catalog(&self, config: &Config) -> Result<Catalog, Failure> {
        let layouts = self.versions.iter().map(|loaded| {
            let model = &config.models[loaded.model];
            let mut layout = loaded.profile.layout(model.segments.clone());
            layout.model.clone_from(&model.id);
            layout
                .version
                .clone_from(&model.versions[loaded.version].version);
            layout
        });
        Catalog::new(layouts.collect()).map_err(Failure::config)
    }
}

/// Reads every reference file and checks that it fits its model.
///
/// # Errors
/// Everything that is wrong with all of them.
pub fn load(config: &Config) -> Result<References, Failure> {
    let mut references = References::default();
    let mut errors = Vec::new();
    for (m, model) in config.models.iter().enumerate() {
        let before = references.versions.len();
        for (v, version) in model.versions.iter().enumerate() {
            match read(config, version) {
                Ok(profile) => {
                    fits(
                        model,
                        version,
                        &profile,
                        &mut references.warnings,
                        &mut errors,
                    );
                    let calibration = match calibrated(config, model, version, &profile) {
                        Ok(calibration) => calibration,
                        Err(error) => {
                            errors.push(error);
                            None
                        }
                    };
                    references.warnings.extend(uncalibrated(model, version));
                    let other = calibration.as_deref();
                    let other = other.and_then(|found| other_step(model, version, found));
                    references.warnings.extend(other);
                    references.versions.push(LoadedVersion {
                        model: m,
                        version: v,
                        profile: Arc::new(profile),
                        calibration,
                    });
                }
                Err(error) => errors.push(error),
            }
        }
        let loaded = &references.versions[before..];
        if loaded.len() == model.versions.len() {
            rules_fit(model, loaded, &mut errors);
        }
    }
    if errors.is_empty() {
        return Ok(references);
    }
    let hint = "`driftline reference build` makes a reference file";
    Err(Failure::config(errors.join("\n")).hint(hint))
}

fn read(config: &Config, version: &Version) -> Result<ReferenceProfile, String> {
    let path = config.directory.join(&version.reference);
    let name = path.display();
    let text = std::fs::read_to_string(&path)
        .map_err(|e| format!("the reference {name} cannot be read: {e}"))?;
    ReferenceProfile::from_json(&text).map_err(|e| format!("the reference {name}: {e}"))
}

fn calibrated(
    config: &Config,
    model: &Model,
    version: &Version,
    profile: &ReferenceProfile,
) -> Result<Option<Arc<Calibration>>, String> {
    let Some(file) = &version.calibration else {
        return Ok(None);
    };
    let path = config.directory.join(file);
    let calibration = calibration::read(&path, &model.id, &version.version, profile)?;
    Ok(Some(Arc::new(calibration)))
}

/// What a version does without for want of a calibration.
fn uncalibrated(model: &Model, version: &Version) -> Option<String> {
    let judged = model.decision.is_some() && version.calibration.is_none();
    let own = matches!(version.compare_with, CompareWith::Trailing { .. });
    (judged && !own && !model.segments.is_empty()).then(|| {
        format!(
            "model `{}` version `{}` has no calibration, so its segments have no reference of their own: they are \
             described, and no alarm is raised for them",
            model.id, version.version
        )
    })
}

/// That a version's labels are judged as if there were no calibration, although there is one of them.
fn other_step(model: &Model, version: &Version, calibration: &Calibration) -> Option<String> {
    let (labels, found) = (model.labels.as_ref()?, calibration.labels.as_ref()?);
    (found.step != labels.spec.step).then(|| {
        format!(
            "model `{}` version `{}` has `labels.step: {}`, and its labels were calibrated in steps of {}: they are judged \
             as if nobody had calibrated them; calibrate again with `driftline calibrate --labels`, or take that step",
            model.id,
            version.version,
            spell_duration(labels.spec.step),
            spell_duration(found.step)
        )
    })
}

fn fits(
    model: &Model,
    version: &Version,
    profile: &ReferenceProfile,
    warnings: &mut Vec<String>,
    errors: &mut Vec<String>,
) {
    let name = version.reference.display();
    if profile.model != model.id {
        let (found, wanted) = (&profile.model, &model.id);
        errors.push(format!(
            "the reference {name} is of model `{found}`, not `{wanted}`"
        ));
    }
    if !["*", version.version.as_str()].contains(&profile.version.as_str())
        && version.version != "*"
    {
        let (found, wanted) = (&profile.version, &version.version);
        warnings.push(format!(
            "the reference {name} is of version `{found}`, not `{wanted}`"
        ));
    }
    if profile.columns.is_empty() {
        errors.push(format!("the reference {name} has no columns"));
    }
    for rule in model
        .rules
        .iter()
        .filter(|r| r.statistic == Statistic::MissingRatio)
    {
        for column in &profile.columns {
            let name = &column.column.name;
            if !rule.columns.is_empty() && !rule.columns.contains(name) {
                continue;
            }
            let (missing, rows) = match column.profile.reference() {
                ColumnSummary::Numeric(s) => (s.missing, s.rows()),
                ColumnSummary::Categorical(s) => (s.missing, s.rows()),
                ColumnSummary::Embedding(s) => (s.missing, s.rows()),
            };
            let share = missing as f64 / rows.max(1) as f64;
            if rule.holds(share) {
                let (id, rule) = (&model.id, &rule.name);
                warnings.push(format!(
                    "model `{id}`: {:.0} % of `{name}` is missing in the reference itself, so rule `{rule}` always holds",
                    share * 100.0
                ));
            }
        }
    }
}

/// Rules name columns that some version has.
fn rules_fit(model: &Model, loaded: &[LoadedVersion], errors: &mut Vec<String>) {
    let columns = loaded.iter().flat_map(|l| &l.profile.columns);
    let known: Vec<&str> = columns.map(|c| c.column.name.as_str()).collect();
    for rule in &model.rules {
        for name in rule
            .columns
            .iter()
            .filter(|name| !known.contains(&name.as_str()))
        {
            let (id, rule) = (&model.id, &rule.name);
            let nearest = suggest::nearest(name, known.iter().copied());
            let hint = nearest.map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
            errors.push(format!("model `{id}`: rule `{rule}` names the column `{name}`, which no reference has{hint}"));
        }
    }
}

/// How many columns of a profile are features and how many outputs.
#[must_use]
pub fn count_roles(profile: &ReferenceProfile) -> (usize, usize) {
    let outputs = profile
        .columns
        .iter()
        .filter(|c| c.column.role == ColumnRole::Output)
        .count();
    (profile.columns.len() - outputs, outputs)
}
