//! Rules that compare a version with another one.

use super::spec::{LabelProblem, PerformanceBaseline, PerformanceRule, PerformanceWindow};
use crate::spec::{ModelSpec, SpecReason};

/// What is wrong with the versions that the rules of `spec` compare with, given all specifications.
pub(crate) fn label_version_problems(spec: &ModelSpec, all: &[ModelSpec]) -> Vec<SpecReason> {
    let rules = spec.labels.iter().flat_map(|labels| &labels.rules);
    let problems = rules.filter_map(|rule| problem(spec, rule, all));
    problems.map(SpecReason::Labels).collect()
}

fn problem(spec: &ModelSpec, rule: &PerformanceRule, all: &[ModelSpec]) -> Option<LabelProblem> {
    let PerformanceBaseline::Version(version) = &rule.baseline else {
        return None;
    };
    let other = all
        .iter()
        .find(|s| s.model == spec.model && s.version == *version);
    let why = match other {
        _ if *version == spec.version => "it is this one",
        None => "it is not configured",
        Some(other) if other.labels.is_none() => "it has no labels",
        Some(other) if window(other, rule) != window(spec, rule) => "it has no such window",
        Some(other) if ages(other) != ages(spec) => "its labels are mature at another age",
        Some(_) => return None,
    };
    let (rule, version) = (rule.name.clone(), version.clone());
    Some(LabelProblem::RuleVersion(rule, version, why))
}

fn window<'a>(spec: &'a ModelSpec, rule: &PerformanceRule) -> Option<&'a PerformanceWindow> {
    let mut windows = spec.labels.iter().flat_map(|labels| &labels.windows);
    windows.find(|w| w.name == rule.window)
}

fn ages(spec: &ModelSpec) -> Option<&std::time::Duration> {
    spec.labels.as_ref()?.mature_after.last()
}
