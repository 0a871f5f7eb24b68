//! What is monitored, and how.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use driftline_detect::{ColumnQuorum, PValueRule, RuleError, ThresholdRule};
use driftline_event::{Catalog, CatalogError, LayoutId};
use driftline_sketch::ReferenceProfile;

use crate::calibration::CalibrationProblem;
use crate::decision::{self, DecisionSpec};
use crate::outcome::{LabelProblem, LabelSpec, label_version_problems};
use crate::rules::rule_named;

/// A sliding window of event time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowSpec {
    /// The name in reports and metrics, such as `24h`.
    pub name: String,
    /// How much event time it covers.
    pub size: Duration,
    /// How often it closes; windows end at whole multiples of this since the Unix epoch.
    pub slide: Duration,
}

/// How one version of one model is monitored.
#[derive(Clone, Debug)]
pub struct ModelSpec {
    /// The model's id as it stands in the events.
    pub model: String,
    /// The version's name as it stands in the events, or [`Catalog::ANY_VERSION`].
    pub version: String,
    /// What the model's values are compared with; it fixes the columns and their bins.
    pub profile: Arc<ReferenceProfile>,
    /// Names of the event's segment fields that the model is cut by.
    pub segments: Vec<String>,
    /// The width of the smallest interval that is counted on its own.
    pub pane: Duration,
    /// The windows; each has its own reports and alerts.
    pub windows: Vec<WindowSpec>,
    /// The rules that look at every closed window.
    pub rules: Vec<ThresholdRule>,
    /// The rules on p-values that look at every closed window.
    pub p_value_rules: Vec<PValueRule>,
    /// The rules that look at how many columns another rule holds for.
    pub quorum_rules: Vec<ColumnQuorum>,
    /// How far an event may be behind the newest ones of its source partition without being late.
    pub out_of_orderness: Duration,
    /// How long a pane stays open after the watermark has passed its end.
    pub allowed_lateness: Duration,
    /// The most values of one segment field that are told apart; the rest is counted as `__other__`.
    pub segments_max: usize,
    /// Whether rules look at a window before it has been covered in full once.
    pub allow_partial_windows: bool,
    /// The false-alarm budget of the indicator bank; without one it does not judge.
    pub decision: Option<DecisionSpec>,
    /// How labels are joined and judged; without it they are not.
    pub labels: Option<LabelSpec>,
}

impl ModelSpec {
    /// A specification with the usual settings: one-minute panes, a window of an hour that slides by five
    /// minutes, no rules, one minute of out-of-orderness, no further lateness, 50 segments per field.
    pub fn new(profile: Arc<ReferenceProfile>, model: &str, version: &str) -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            model: model.to_owned(),
            version: version.to_owned(),
            profile,
            segments: Vec::new(),
            pane: minutes(1),
            windows: vec![WindowSpec {
                name: "1h".to_owned(),
                size: minutes(60),
                slide: minutes(5),
            }],
            rules: Vec::new(),
            p_value_rules: Vec::new(),
            quorum_rules: Vec::new(),
            out_of_orderness: minutes(1),
            allowed_lateness: Duration::ZERO,
            segments_max: 50,
            allow_partial_windows: false,
            decision: None,
            labels: None,
        }
    }

    /// Everything that is wrong with the specification by itself.
    pub fn problems(&self) -> Vec<SpecError> {
        let mut problems = Vec::new();
        let mut problem = |reason: SpecReason| {
            let (model, version) = (self.model.clone(), self.version.clone());
            problems.push(SpecError {
                model,
                version,
                reason,
            });
        };
        if !is_span(self.pane) {
            problem(SpecReason::Pane);
        }
        if self.windows.is_empty() {
            problem(SpecReason::NoWindow);
        }
        let mut names = BTreeSet::new();
        for window in &self.windows {
            if !names.insert(&window.name) {
                problem(SpecReason::DuplicateWindow(window.name.clone()));
            }
            if !is_multiple(window.slide, self.pane) {
                problem(SpecReason::Slide(window.name.clone()));
            }
            if !is_multiple(window.size, window.slide) {
                problem(SpecReason::Size(window.name.clone()));
            }
        }
        self.rule_problems().into_iter().for_each(&mut problem);
        if self.segments_max == 0 && !self.segments.is_empty() {
            problem(SpecReason::SegmentsMax);
        }
        if let Some(decision) = &self.decision {
            decision.problems(self).into_iter().for_each(&mut problem);
        }
        if let Some(labels) = &self.labels {
            labels.problems(self).into_iter().for_each(problem);
        }
        problems
    }

    /// The false alarms a month that columns may have, out of those of `decision`: all that labels leave.
    pub fn column_alarms(&self, decision: &DecisionSpec) -> f64 {
        let of_labels = self.labels.as_ref().map_or(0.0, |l| l.budget_share);
        decision.alarms_per_month * (1.0 - of_labels)
    }

    fn rule_problems(&self) -> Vec<SpecReason> {
        let thresholds = self
            .rules
            .iter()
            .map(|r| (&r.name, &r.windows, r.problems()));
        let p_values = self
            .p_value_rules
            .iter()
            .map(|r| (&r.name, &r.windows, r.problems()));
        let quorums = self
            .quorum_rules
            .iter()
            .map(|r| (&r.name, &r.windows, r.problems()));
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        for (name, windows, of_rule) in thresholds.chain(p_values).chain(quorums) {
            if !names.insert(name) {
                problems.push(SpecReason::DuplicateRule(name.clone()));
            }
            problems.extend(of_rule.into_iter().map(SpecReason::Rule));
            for window in windows {
                if !self.windows.iter().any(|w| w.name == *window) {
                    problems.push(SpecReason::UnknownWindow(name.clone(), window.clone()));
                }
            }
        }
        for quorum in &self.quorum_rules {
            if rule_named(self, &quorum.rule).is_none() {
                let (of, rule) = (quorum.name.clone(), quorum.rule.clone());
                problems.push(SpecReason::UnknownRule(of, rule));
            }
        }
        problems
    }
}

/// A span that event time can be divided by: whole microseconds, at least one, at most about 100 years.
fn is_span(span: Duration) -> bool {
    let nanos = span.as_nanos();
    nanos > 0 && nanos.is_multiple_of(1_000) && span.as_secs() <= 100 * 366 * 86_400
}

pub(crate) fn is_multiple(of: Duration, unit: Duration) -> bool {
    is_span(of) && is_span(unit) && of.as_micros().is_multiple_of(unit.as_micros())
}

/// What is wrong with a specification.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecReason {
    /// The pane has no usable width.
    #[error("the pane must be at least a microsecond and at most a hundred years")]
    Pane,
    /// There is no window.
    #[error("there must be at least one window")]
    NoWindow,
    /// Two windows have the same name.
    #[error("the window `{0}` is given twice")]
    DuplicateWindow(String),
    /// A window does not close at pane ends.
    #[error("window `{0}`: the slide must be a whole multiple of the pane")]
    Slide(String),
    /// A window does not begin where it once ended.
    #[error("window `{0}`: the size must be a whole multiple of the slide")]
    Size(String),
    /// Two rules have the same name.
    #[error("the rule `{0}` is given twice")]
    DuplicateRule(String),
    /// A rule cannot be used.
    #[error(transparent)]
    Rule(RuleError),
    /// A rule names a window that does not exist.
    #[error("rule `{0}`: there is no window `{1}`")]
    UnknownWindow(String, String),
    /// A quorum counts a rule that does not exist.
    #[error("rule `{0}`: there is no rule `{1}`")]
    UnknownRule(String, String),
    /// Segments are asked for but none may exist.
    #[error("segments_max must be at least 1")]
    SegmentsMax,
    /// The budget is not a positive number.
    #[error("the budget must be a positive number of false alarms a month, not {0}")]
    Budget(f64),
    /// The decision step does not consist of panes.
    #[error("the decision step must be a whole multiple of the pane")]
    Step,
    /// A weight is given to a column that the reference does not have.
    #[error("the weight of `{0}`: the reference has no such column")]
    UnknownColumn(String),
    /// A weight is not a positive number.
    #[error("the weight of `{0}` must be a positive number, not {1}")]
    Weight(String, f64),
    /// A tolerance is not a Cohen's h.
    #[error("a tolerance must be above 0 and below pi, not {0}")]
    Tolerance(f64),
    /// The evidence for clearing an alert is no evidence.
    #[error("clear_evidence must be a number above 1, not {0}")]
    ClearEvidence(f64),
    /// A trailing reference does not consist of panes.
    #[error("size and lag of a trailing reference must be whole multiples of the pane")]
    Trailing,
    /// The version that this one is compared with does not do.
    #[error("version `{0}` cannot be the baseline: {1}")]
    Version(String, &'static str),
    /// The calibration is not one for the reference.
    #[error("the calibration cannot be used: {0}")]
    Calibration(CalibrationProblem),
    /// Labels cannot be joined or judged as asked.
    #[error(transparent)]
    Labels(LabelProblem),
    /// The model stands twice, or a column does.
    #[error(transparent)]
    Catalog(CatalogError),
}

/// Something wrong with one model's specification.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("model `{model}` version `{version}`: {reason}")]
pub struct SpecError {
    /// The model's id.
    pub model: String,
    /// The version's name.
    pub version: String,
    /// What is wrong.
    #[source]
    pub reason: SpecReason,
}

/// Everything that is wrong, at once.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecErrors(pub Vec<SpecError>);

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecErrors {}

/// All models that are monitored, checked. A model's position is its [`LayoutId`].
#[derive(Clone, Debug)]
pub struct ModelSet {
    specs: Vec<Arc<ModelSpec>>,
    catalog: Arc<Catalog>,
}

impl ModelSet {
    /// Checks the specifications and numbers them in the order given.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn new(specs: Vec<ModelSpec>) -> Result<Self, SpecErrors> {
        let mut errors: Vec<SpecError> = specs.iter().flat_map(ModelSpec::problems).collect();
        for spec in &specs {
            let of_labels = label_version_problems(spec, &specs);
            let of_decision = decision::version_problem(spec, &specs);
            errors.extend(
                of_decision
                    .into_iter()
                    .chain(of_labels)
                    .map(|reason| SpecError {
                        model: spec.model.clone(),
                        version: spec.version.clone(),
                        reason,
                    }),
            );
        }
        let layouts = specs.iter().map(|spec| {
            let mut layout = spec.profile.layout(spec.segments.clone());
            // The reference may have been built under another name; the specification decides.
            layout.model.clone_from(&spec.model);
            layout.version.clone_from(&spec.version);
            layout
        });
        let catalog = Catalog::new(layouts.collect());
        match catalog {
            Ok(catalog) if errors.is_empty() => Ok(Self {
                specs: specs.into_iter().map(Arc::new).collect(),
                catalog: Arc::new(catalog),
            }),
            Ok(_) => Err(SpecErrors(errors)),
            Err(error) => {
                let (CatalogError::Duplicate { model, version }
                | CatalogError::DuplicateColumn { model, version, .. }) = error.clone();
                errors.push(SpecError {
                    model,
                    version,
                    reason: SpecReason::Catalog(error),
                });
                Err(SpecErrors(errors))
            }
        }
    }

    /// The layouts, for a decoder.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The specifications in the order of their layouts.
    pub fn specs(&self) -> &[Arc<ModelSpec>] {
        &self.specs
    }

    /// The specification of a layout.
    pub fn spec(&self, id: LayoutId) -> Option<&Arc<ModelSpec>> {
        self.specs.get(id.index())
    }

    /// The specification of exactly this model and version name, with its number.
    pub fn find(&self, model: &str, version: &str) -> Option<(LayoutId, &Arc<ModelSpec>)> {
        let at = self
            .specs
            .iter()
            .position(|s| s.model == model && s.version == version)?;
        Some((LayoutId(at as u32), &self.specs[at]))
    }
}

#[cfg(test)]
mod tests {
    use driftline_event::ColumnRole;
    use driftline_sketch::{ProfileOptions, ReferenceBuilder};

    use super::*;

    fn spec() -> ModelSpec {
        let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
        builder
            .numeric("x", ColumnRole::Feature, vec![1.0, 2.0, 3.0])
            .unwrap();
        ModelSpec::new(Arc::new(builder.build().unwrap()), "m", "1")
    }

    #[test]
    fn the_usual_settings_are_fine() {
        let set = ModelSet::new(vec![spec()]).unwrap();
        assert_eq!(set.catalog().resolve("m", "1"), Some(LayoutId(0)));
        assert!(set.find("m", "1").is_some() && set.find("m", "2").is_none());
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let seconds = Duration::from_secs;
        let window = |name: &str, size, slide| WindowSpec {
            name: name.to_owned(),
            size: seconds(size),
            slide: seconds(slide),
        };
        let wrong = ModelSpec {
            windows: vec![
                window("a", 90, 60),
                window("a", 3_600, 90),
                window("b", 0, 0),
            ],
            rules: vec![
                ThresholdRule {
                    windows: vec!["z".to_owned()],
                    ..ThresholdRule::default()
                },
                ThresholdRule {
                    threshold: f64::NAN,
                    ..ThresholdRule::default()
                },
            ],
            segments: vec!["s".to_owned()],
            segments_max: 0,
            ..spec()
        };
        let SpecErrors(errors) = ModelSet::new(vec![wrong, spec()]).unwrap_err();
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        for part in [
            "the window `a` is given twice",
            "window `a`: the size must",
            "window `a`: the slide must",
            "window `b`: the slide must",
            "there is no window `z`",
            "the rule `psi` is given twice",
            "the threshold must be",
            "segments_max",
            "given twice",
        ] {
            assert!(
                errors.iter().any(|e| e.contains(part)),
                "{part}: {errors:#?}"
            );
        }
        assert!(
            errors
                .iter()
                .all(|e| e.starts_with("model `m` version `1`: "))
        );
    }

    #[test]
    fn there_must_be_a_pane_and_a_window() {
        let none = ModelSpec {
            pane: Duration::ZERO,
            windows: Vec::new(),
            ..spec()
        };
        assert_eq!(none.problems().len(), 2);
        let fine_print = ModelSpec {
            pane: Duration::from_nanos(1_500),
            ..spec()
        };
        assert!(
            fine_print
                .problems()
                .iter()
                .any(|e| e.reason == SpecReason::Pane)
        );
    }
}
