//! How a model's false-alarm budget is set.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use driftline_event::Severity;

use crate::calibration::Calibration;
use crate::spec::{ModelSpec, SpecReason, is_multiple};

/// What the current data is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Baseline {
    /// The model's reference; with a calibration, that of the hours looked at.
    #[default]
    Reference,
    /// The model's own data of an earlier time, sliding along.
    Trailing {
        /// How much event time it covers.
        size: Duration,
        /// How long before the data that is judged it ends.
        lag: Duration,
    },
    /// What another version of the same model sees at the same time: in the same window, and for the bank in
    /// the longest one. The other version must have the same reference, panes and windows, and not follow a
    /// version itself.
    Version(String),
}

/// The default decision rule of one version of one model: how many false alarms are allowed, and what counts as
/// no drift.
#[derive(Clone, Debug)]
pub struct DecisionSpec {
    /// The most false alarms to expect in 30 days, over all columns and segments of this version. A budget for
    /// a model of several versions is to be split over them beforehand.
    pub alarms_per_month: f64,
    /// How much event time is judged at once: a whole number of panes.
    pub step: Duration,
    /// The importance of columns by name, positive; 1 for those not named. A column of twice the weight is
    /// detected as if the budget were twice as large.
    pub weights: BTreeMap<String, f64>,
    /// The |h| (Cohen) up to which a change of an indicator's share is no drift; 0 to π.
    pub tolerance: f64,
    /// The same for the rates of missing, invalid, out-of-range and unseen values.
    pub quality_tolerance: f64,
    /// The evidence for being back within tolerance at which a fired alert is resolved; above 1.
    pub clear_evidence: f64,
    /// How bad an alarm is.
    pub severity: Severity,
    /// What the current data is compared with.
    pub baseline: Baseline,
    /// What a replay of history found out about dispersion, wander and cycles.
    pub calibration: Option<Arc<Calibration>>,
}

impl DecisionSpec {
    /// The tolerance of the shape without a calibration.
    pub const TOLERANCE: f64 = 0.1;
    /// The tolerance with a calibration, and that of rates always.
    pub const TOLERANCE_CALIBRATED: f64 = 0.05;
    /// What [`DecisionSpec::clear_evidence`] is by default.
    pub const CLEAR_EVIDENCE: f64 = 1_000.0;

    /// A budget with the usual settings: all columns weigh alike, no calibration, compared with the reference.
    pub fn new(alarms_per_month: f64, step: Duration) -> Self {
        Self {
            alarms_per_month,
            step,
            weights: BTreeMap::new(),
            tolerance: Self::TOLERANCE,
            quality_tolerance: Self::TOLERANCE_CALIBRATED,
            clear_evidence: Self::CLEAR_EVIDENCE,
            severity: Severity::Warning,
            baseline: Baseline::Reference,
            calibration: None,
        }
    }

    /// The same with a calibration and the tolerance that goes with it.
    #[must_use]
    pub fn calibrated(self, calibration: Arc<Calibration>) -> Self {
        Self {
            tolerance: Self::TOLERANCE_CALIBRATED,
            calibration: Some(calibration),
            ..self
        }
    }

    /// Everything that is wrong with it as part of `spec`, but for what depends on other versions.
    pub(crate) fn problems(&self, spec: &ModelSpec) -> Vec<SpecReason> {
        let mut problems = Vec::new();
        let is_positive = |x: f64| x.is_finite() && x > 0.0;
        if !is_positive(self.alarms_per_month) {
            problems.push(SpecReason::Budget(self.alarms_per_month));
        }
        if !is_multiple(self.step, spec.pane) {
            problems.push(SpecReason::Step);
        }
        for (column, &weight) in &self.weights {
            if !spec
                .profile
                .columns
                .iter()
                .any(|c| c.column.name == *column)
            {
                problems.push(SpecReason::UnknownColumn(column.clone()));
            } else if !is_positive(weight) {
                problems.push(SpecReason::Weight(column.clone(), weight));
            }
        }
        for tolerance in [self.tolerance, self.quality_tolerance] {
            if !(tolerance > 0.0 && tolerance < std::f64::consts::PI) {
                problems.push(SpecReason::Tolerance(tolerance));
            }
        }
        if !(self.clear_evidence.is_finite() && self.clear_evidence > 1.0) {
            problems.push(SpecReason::ClearEvidence(self.clear_evidence));
        }
        if let Baseline::Trailing { size, lag } = self.baseline
            && !(is_multiple(size, spec.pane) && (lag.is_zero() || is_multiple(lag, spec.pane)))
        {
            problems.push(SpecReason::Trailing);
        }
        if let Some(calibration) = &self.calibration
            && let Err(problem) = calibration.check(&spec.profile)
        {
            problems.push(SpecReason::Calibration(problem));
        }
        problems
    }
}

/// What is wrong with the version that `spec` is to be compared with, given all specifications.
pub(crate) fn version_problem(spec: &ModelSpec, all: &[ModelSpec]) -> Option<SpecReason> {
    let Some(Baseline::Version(name)) = spec.decision.as_ref().map(|d| &d.baseline) else {
        return None;
    };
    let problem = |why| Some(SpecReason::Version(name.clone(), why));
    let Some(other) = all
        .iter()
        .find(|s| s.model == spec.model && s.version == *name)
    else {
        return problem("it is not configured");
    };
    let follows = |s: &ModelSpec| {
        s.decision
            .as_ref()
            .is_some_and(|d| matches!(d.baseline, Baseline::Version(_)))
    };
    if *name == spec.version {
        problem("it is this one")
    } else if follows(other) {
        problem("it is itself compared with a version")
    } else if other.profile.id() != spec.profile.id() {
        problem("it has another reference")
    } else if other.pane != spec.pane || other.windows != spec.windows {
        problem("it has other panes or windows")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use driftline_event::ColumnRole;
    use driftline_sketch::{ProfileOptions, ReferenceBuilder};

    use super::*;
    use crate::spec::{ModelSet, WindowSpec};

    fn spec(values: u32, version: &str, decision: DecisionSpec) -> ModelSpec {
        let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
        let values = (0..values).map(f64::from).collect();
        builder.numeric("x", ColumnRole::Feature, values).unwrap();
        ModelSpec {
            decision: Some(decision),
            ..ModelSpec::new(Arc::new(builder.build().unwrap()), "m", version)
        }
    }

    fn decision() -> DecisionSpec {
        DecisionSpec::new(1.0, Duration::from_secs(300))
    }

    fn follows(version: &str) -> DecisionSpec {
        DecisionSpec {
            baseline: Baseline::Version(version.to_owned()),
            ..decision()
        }
    }

    fn said(specs: Vec<ModelSpec>) -> String {
        ModelSet::new(specs)
            .err()
            .map_or_else(String::new, |e| e.to_string())
    }

    #[test]
    fn what_cannot_be_decided_by_is_refused() {
        type Spoil = fn(&mut DecisionSpec);
        let trailing = |size, lag| Baseline::Trailing {
            size: Duration::from_secs(size),
            lag: Duration::from_secs(lag),
        };
        let cases: [(Spoil, &str); 12] = [
            (|d| d.alarms_per_month = 0.0, "the budget must be"),
            (|d| d.alarms_per_month = f64::INFINITY, "the budget must be"),
            (
                |d| d.step = Duration::from_secs(90),
                "the decision step must",
            ),
            (|d| d.step = Duration::ZERO, "the decision step must"),
            (
                |d| d.weights = [("y".into(), 1.0)].into(),
                "the weight of `y`: the reference",
            ),
            (
                |d| d.weights = [("x".into(), -1.0)].into(),
                "the weight of `x` must",
            ),
            (|d| d.tolerance = 0.0, "a tolerance must"),
            (|d| d.tolerance = 3.2, "a tolerance must"),
            (|d| d.quality_tolerance = f64::NAN, "a tolerance must"),
            (|d| d.clear_evidence = 1.0, "clear_evidence must"),
            (|d| d.clear_evidence = f64::NAN, "clear_evidence must"),
            (
                |d| d.calibration = Some(Arc::default()),
                "the calibration cannot be used",
            ),
        ];
        for (spoil, message) in cases {
            let mut decision = decision();
            spoil(&mut decision);
            let said = said(vec![spec(100, "1", decision)]);
            assert!(said.contains(message), "{message}: {said}");
        }
        for (size, lag, is_fine) in [
            (90, 60, false),
            (120, 90, false),
            (0, 60, false),
            (120, 0, true),
        ] {
            let decision = DecisionSpec {
                baseline: trailing(size, lag),
                ..decision()
            };
            let said = said(vec![spec(100, "1", decision)]);
            assert_eq!(
                !said.contains("size and lag"),
                is_fine,
                "{size} {lag}: {said}"
            );
        }
    }

    #[test]
    fn only_a_version_that_is_alike_can_be_a_baseline() {
        let other = spec(100, "1", decision());
        let windows = vec![WindowSpec {
            name: "w".to_owned(),
            size: Duration::from_secs(3_600),
            slide: Duration::from_secs(60),
        }];
        let cut = ModelSpec {
            windows,
            ..other.clone()
        };
        let cases = [
            (vec![], "it is not configured"),
            (
                vec![spec(100, "1", follows("2"))],
                "it is itself compared with a version",
            ),
            (vec![spec(90, "1", decision())], "it has another reference"),
            (vec![cut], "it has other panes or windows"),
            (vec![other], ""),
        ];
        for (mut specs, message) in cases {
            specs.push(spec(100, "2", follows("1")));
            let said = said(specs);
            assert!(
                said.contains(message) && said.is_empty() == message.is_empty(),
                "{said}"
            );
        }
        let itself = said(vec![spec(100, "2", follows("2"))]);
        assert!(itself.contains("it is this one"), "{itself}");
    }
}
