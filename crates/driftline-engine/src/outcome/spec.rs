//! How the labels of a model are joined and judged.

use std::collections::BTreeSet;
use std::time::Duration;

use driftline_detect::sequential::{Compat, Detector, DetectorName, ParameterError};
use driftline_event::{Better, Metric, Severity};
use driftline_sketch::{DELAY_EDGES, MissingOutput, OutcomeColumns};
use driftline_stat::performance::{OptionsProblem, PerformanceOptions};

use crate::decision::DecisionSpec;
use crate::spec::{ModelSpec, SpecReason, is_multiple};

/// The most steps that a label may come after its prediction, and that a window may cover.
const STEPS_MAX: u128 = 100_000;
/// The most windows that one prediction may be in.
const OVERLAP_MAX: u128 = 1_000;
/// The most windows that a rule may take the mean of, or a baseline be made from.
const RULE_WINDOWS_MAX: u32 = 1_000;

/// How long a performance window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowSpanSpec {
    /// It covers `size` of prediction time and ends at whole multiples of `slide` since the Unix epoch.
    Fixed {
        /// How much prediction time it covers.
        size: Duration,
        /// How often one ends.
        slide: Duration,
    },
    /// The months of the calendar, in UTC.
    Month,
}

/// Predictions over which performance is reported, by the time of the prediction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerformanceWindow {
    /// The name in reports and metrics, such as `1d`.
    pub name: String,
    /// How long it is.
    pub span: WindowSpanSpec,
}

/// What a [`PerformanceRule`] compares with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PerformanceBaseline {
    /// The reference's own performance; it needs labels. Segments are not compared with it.
    #[default]
    Reference,
    /// The mean of the first so many windows that count.
    FirstWindows(u32),
    /// The same segment of another version of the model: its last windows that count.
    Version(String),
}

/// Raises an alert while the mean of the last windows is worse than a baseline's by more than a part of it.
///
/// **What it measures.** The mean of a metric over the last `windows` mature windows against (1 − `drop`) times the
/// baseline; of a metric of which small values are good, against (1 + `drop`) times.
///
/// **When not to use it.** Like every fixed limit it has no false-alarm rate that anybody knows: one of a window of few
/// labels is high. The indicator bank watches the same labels on a budget.
#[derive(Clone, Debug, PartialEq)]
pub struct PerformanceRule {
    /// The rule's name, unique within its model; part of the alert's fingerprint.
    pub name: String,
    /// What is compared: a metric of which large or small values are good.
    pub metric: Metric,
    /// The window by its name.
    pub window: String,
    /// How many windows the mean is of.
    pub windows: u32,
    /// How much worse than the baseline it may be, as a part of that; above 0 and below 1.
    pub drop: f64,
    /// What it is compared with.
    pub baseline: PerformanceBaseline,
    /// Windows with fewer labels do not count.
    pub min_labels: u64,
    /// How bad it is when it fires.
    pub severity: Severity,
}

impl PerformanceRule {
    /// The mean of the last three windows may be worse than the reference by a tenth; 200 labels a window.
    pub fn new(name: &str, metric: Metric, window: &str) -> Self {
        Self {
            name: name.to_owned(),
            metric,
            window: window.to_owned(),
            windows: 3,
            drop: 0.1,
            baseline: PerformanceBaseline::Reference,
            min_labels: 200,
            severity: Severity::Warning,
        }
    }
}

/// Raises an alert when a classical detector says that the errors have drifted.
///
/// It steps once for each judged bucket of predictions, with how many of its labels showed an error. It has no budget of
/// false alarms.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorRule {
    /// The rule's name, unique within its model; part of the alert's fingerprint.
    pub name: String,
    /// Which detector.
    pub detector: DetectorName,
    /// Whose behaviour and parameter names.
    pub compat: Compat,
    /// Parameters that are not at their defaults.
    pub parameters: Vec<(String, String)>,
    /// Whether segments have one each, besides that of all events.
    pub segments: bool,
    /// How bad it is when it fires.
    pub severity: Severity,
}

impl DetectorRule {
    /// The detector with its defaults, for all events.
    pub fn new(name: &str, detector: DetectorName) -> Self {
        Self {
            name: name.to_owned(),
            detector,
            compat: Compat::default(),
            parameters: Vec::new(),
            segments: false,
            severity: Severity::Warning,
        }
    }

    /// A new detector with the rule's parameters.
    ///
    /// # Errors
    /// If the detector has no such form or parameter, or a value is not what the parameter may be.
    pub fn build(&self) -> Result<Detector, ParameterError> {
        Detector::build(self.detector, self.compat, &self.parameters)
    }
}

/// How the labels of one version of one model are joined with its predictions and judged.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelSpec {
    /// The width of a bucket of predictions and of a tick of arrivals: a whole number of panes.
    pub step: Duration,
    /// How far labels that still come may be behind the predictions before the join goes on without them.
    pub wait: Duration,
    /// How long after its prediction a label still counts: a whole number of steps.
    pub ttl: Duration,
    /// The ages at which labels are judged, ascending, each an edge of the delay buckets: 1, 5 or 15 minutes; 1, 3, 6 or
    /// 12 hours; 1, 2, 3, 7, 14, 30, 60 or 90 days. Labels between one and the next are compared with the reference's of
    /// the same delay. At the last one the labels are mature.
    pub mature_after: Vec<Duration>,
    /// The part of a bucket's predictions that must have a label at the last of `mature_after`, above 0 and at most 1;
    /// with less, labels are late and are not judged. None: half of what the reference has, or
    /// [`LabelSpec::COVERAGE_MIN`] where that is not known.
    pub coverage_min: Option<f64>,
    /// The windows of which performance is reported.
    pub windows: Vec<PerformanceWindow>,
    /// The part of the predictions that is joined, by the hash of their id; above 0 and at most 1.
    pub sampling_rate: f64,
    /// The part of the model's budget of false alarms that labels have; above 0 and below 1.
    pub budget_share: f64,
    /// The parameters of the metrics.
    pub performance: PerformanceOptions,
    /// How bad an alarm of the budget is.
    pub severity: Severity,
    /// The rules on performance.
    pub rules: Vec<PerformanceRule>,
    /// The classical detectors.
    pub detectors: Vec<DetectorRule>,
}

impl Default for LabelSpec {
    /// Hours, labels good and awaited for 30 days, judged after a day and after a week, reported by day; a quarter of
    /// the budget, no rules.
    fn default() -> Self {
        let days = |n: u64| Duration::from_secs(86_400 * n);
        Self {
            step: Duration::from_secs(3_600),
            wait: days(30),
            ttl: days(30),
            mature_after: vec![days(1), days(7)],
            coverage_min: None,
            windows: vec![PerformanceWindow {
                name: "1d".to_owned(),
                span: WindowSpanSpec::Fixed {
                    size: days(1),
                    slide: days(1),
                },
            }],
            sampling_rate: 1.0,
            budget_share: 0.25,
            performance: PerformanceOptions::default(),
            severity: Severity::Warning,
            rules: Vec::new(),
            detectors: Vec::new(),
        }
    }
}

impl LabelSpec {
    /// The least coverage where the reference does not say what is usual.
    pub const COVERAGE_MIN: f64 = 0.5;
    /// The |h| (Cohen) up to which a change of what labels show is no drift: that of a column without a calibration.
    pub const TOLERANCE: f64 = DecisionSpec::TOLERANCE;
    /// The same with a calibration, beside the band that this finds.
    pub const TOLERANCE_CALIBRATED: f64 = DecisionSpec::TOLERANCE_CALIBRATED;

    /// Everything that is wrong with it as part of `spec`, but for what depends on other versions.
    pub(crate) fn problems(&self, spec: &ModelSpec) -> Vec<SpecReason> {
        let mut problems = self.time_problems(spec);
        let layout = spec.profile.layout(Vec::new());
        match spec.profile.outcome() {
            None => problems.push(LabelProblem::NoOutcome),
            Some(outcome) => problems.extend(
                OutcomeColumns::resolve(outcome, &layout)
                    .err()
                    .map(LabelProblem::Output),
            ),
        }
        let share = |x: f64| x > 0.0 && x <= 1.0;
        let shares = [
            ("coverage_min", self.coverage_min.unwrap_or(1.0)),
            ("sampling_rate", self.sampling_rate),
        ];
        for (name, value) in shares.into_iter().filter(|(_, value)| !share(*value)) {
            problems.push(LabelProblem::Share(name, value));
        }
        if !(self.budget_share > 0.0 && self.budget_share < 1.0) {
            problems.push(LabelProblem::BudgetShare(self.budget_share));
        }
        if let Err(problem) = self.performance.check() {
            problems.push(LabelProblem::Metrics(problem));
        }
        problems.extend(self.window_problems());
        problems.extend(self.rule_problems());
        problems.into_iter().map(SpecReason::Labels).collect()
    }

    fn time_problems(&self, spec: &ModelSpec) -> Vec<LabelProblem> {
        let mut problems = Vec::new();
        if !is_multiple(self.step, spec.pane) {
            problems.push(LabelProblem::Step);
        }
        let steps = self.ttl.as_micros() / self.step.as_micros().max(1);
        if !is_multiple(self.ttl, self.step) || steps > STEPS_MAX {
            problems.push(LabelProblem::Ttl);
        }
        if self.wait > self.ttl || !self.wait.subsec_nanos().is_multiple_of(1_000) {
            problems.push(LabelProblem::Wait);
        }
        let is_edge = |age: &Duration| {
            let is_this = |edge: &i64| Duration::from_micros(edge.unsigned_abs()) == *age;
            DELAY_EDGES.iter().any(is_this)
        };
        let ascends = self.mature_after.is_sorted_by(|a, b| a < b);
        if self.mature_after.is_empty() || !ascends || !self.mature_after.iter().all(is_edge) {
            problems.push(LabelProblem::MatureAfter);
        }
        if self
            .mature_after
            .last()
            .is_some_and(|last| *last > self.ttl)
        {
            problems.push(LabelProblem::MatureAfterTtl);
        }
        problems
    }

    fn window_problems(&self) -> Vec<LabelProblem> {
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        for window in &self.windows {
            if window.name.is_empty() || !names.insert(&window.name) {
                problems.push(LabelProblem::WindowName(window.name.clone()));
            }
            let fits = match window.span {
                // A month is a whole number of days.
                WindowSpanSpec::Month => is_multiple(Duration::from_secs(86_400), self.step),
                WindowSpanSpec::Fixed { size, slide } => {
                    is_multiple(slide, self.step)
                        && is_multiple(size, slide)
                        && size.as_micros() / slide.as_micros() <= OVERLAP_MAX
                        && size.as_micros() / self.step.as_micros() <= STEPS_MAX
                }
            };
            if !fits {
                problems.push(LabelProblem::Window(window.name.clone()));
            }
        }
        problems
    }

    fn rule_problems(&self) -> Vec<LabelProblem> {
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        let all = self.rules.iter().map(|r| &r.name);
        for name in all.chain(self.detectors.iter().map(|r| &r.name)) {
            if name.is_empty() || !names.insert(name) {
                problems.push(LabelProblem::RuleName(name.clone()));
            }
        }
        for rule in &self.rules {
            if !self.windows.iter().any(|w| w.name == rule.window) {
                problems.push(LabelProblem::RuleWindow(
                    rule.name.clone(),
                    rule.window.clone(),
                ));
            }
            if !matches!(rule.metric.better(), Better::Higher | Better::Lower) {
                problems.push(LabelProblem::RuleMetric(rule.name.clone(), rule.metric));
            }
            if !(rule.drop > 0.0 && rule.drop < 1.0) {
                problems.push(LabelProblem::RuleDrop(rule.name.clone(), rule.drop));
            }
            let counts = match rule.baseline {
                PerformanceBaseline::FirstWindows(n) => [rule.windows, n],
                _ => [rule.windows, 1],
            };
            if counts.iter().any(|n| !(1..=RULE_WINDOWS_MAX).contains(n)) {
                problems.push(LabelProblem::RuleWindows(rule.name.clone()));
            }
        }
        for rule in &self.detectors {
            if let Err(error) = rule.build() {
                problems.push(LabelProblem::Detector(rule.name.clone(), error));
            }
        }
        problems
    }
}

/// What is wrong with the labels of a specification.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelProblem {
    /// The reference does not say what the model's task is.
    #[error(
        "the reference says nothing about labels; build it again with the columns of prediction and label named"
    )]
    NoOutcome,
    /// The reference knows labels, but not all of the outputs that they are compared by.
    #[error(transparent)]
    Output(MissingOutput),
    /// The step does not consist of panes.
    #[error("the labels' step must be a whole multiple of the pane")]
    Step,
    /// The time to live is not a whole number of steps.
    #[error(
        "the labels' ttl must be a whole multiple of their step, and at most {STEPS_MAX} steps"
    )]
    Ttl,
    /// Predictions would expire before the join goes on.
    #[error("the labels' wait must be at most their ttl")]
    Wait,
    /// The ages are not edges of the delay buckets in ascending order.
    #[error(
        "mature_after must ascend and be made of 1m, 5m, 15m, 1h, 3h, 6h, 12h, 1d, 2d, 3d, 7d, 14d, 30d, 60d and 90d"
    )]
    MatureAfter,
    /// Labels would have to come after they stop to count.
    #[error("mature_after must not be longer than ttl")]
    MatureAfterTtl,
    /// A share is outside (0, 1].
    #[error("{0} must be above 0 and at most 1, not {1}")]
    Share(&'static str, f64),
    /// The labels' part of the budget is outside (0, 1).
    #[error("budget_share must be above 0 and below 1, not {0}")]
    BudgetShare(f64),
    /// A parameter of the metrics is outside its range.
    #[error("metrics: {0}")]
    Metrics(OptionsProblem),
    /// Two performance windows have the same name, or one has none.
    #[error("the performance window `{0}` must have a name of its own")]
    WindowName(String),
    /// A performance window does not fit the steps.
    #[error(
        "performance window `{0}`: size must be a whole multiple of slide (at most {OVERLAP_MAX} times) and slide of the \
         labels' step, and a month of days that are whole multiples of it"
    )]
    Window(String),
    /// Two rules or detectors have the same name, or one has none.
    #[error("the labels' rule `{0}` must have a name of its own")]
    RuleName(String),
    /// A rule names a window that does not exist.
    #[error("rule `{0}`: there is no performance window `{1}`")]
    RuleWindow(String, String),
    /// A rule's metric has no good and bad side.
    #[error("rule `{0}`: {1} is neither good when large nor when small")]
    RuleMetric(String, Metric),
    /// A rule's drop is outside (0, 1).
    #[error("rule `{0}`: drop must be above 0 and below 1, not {1}")]
    RuleDrop(String, f64),
    /// A rule takes the mean of no windows, or of too many.
    #[error("rule `{0}`: it must look at 1 to {RULE_WINDOWS_MAX} windows")]
    RuleWindows(String),
    /// A rule is compared with a version that does not do.
    #[error("rule `{0}`: version `{1}` cannot be the baseline: {2}")]
    RuleVersion(String, String, &'static str),
    /// A detector cannot be built.
    #[error("detector `{0}`: {1}")]
    Detector(String, ParameterError),
}
