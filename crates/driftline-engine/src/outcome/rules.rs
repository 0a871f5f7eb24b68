//! The rules on performance and the classical detectors of one series.

use std::collections::VecDeque;

use driftline_detect::sequential::{Detector, SequentialDetector, Signal};
use driftline_detect::{
    AlertMachine, BaselineMachine, BaselineRule, Observation, Persistence, Phase, Reading,
    Transition,
};
use driftline_event::{
    AlertEvent, AlertKind, Better, Evidence, Metric, MetricValue, Statistic, Timestamp, WindowSpan,
};

use super::alert::LabelAlert;
use super::model::LabelModel;
use super::series::Matured;
use super::spec::{PerformanceBaseline, PerformanceRule};
use super::streams::StreamKind;

/// What a bucket of predictions is called where a window's name is due.
const BUCKET: &str = "bucket";
/// The alert of a detector is resolved after so many judged buckets in a row without a drift or a warning.
const DETECTOR_CLEAR_CLOSES: u32 = 24;
/// A firing rule on performance is resolved once the mean is worse than the baseline by at most this part of `drop`.
const CLEAR_RATIO: f64 = 0.8;

/// A window that has become mature.
#[derive(Clone, Debug)]
pub(crate) struct MatureWindow {
    pub(crate) segment: Option<String>,
    pub(crate) span: WindowSpan,
    pub(crate) labelled: u64,
    /// Whether it has as many labels as it should.
    pub(crate) is_covered: bool,
    pub(crate) realised: Vec<MetricValue>,
}

impl MatureWindow {
    /// The window's value for a rule; none if too few labels have come.
    fn observe(&self, rule: &PerformanceRule) -> Observation {
        let found = of_all(&self.realised, rule.metric);
        Observation {
            at: self.span.end,
            value: found.filter(|_| self.is_covered),
            n: self.labelled,
        }
    }
}

/// A metric over all classes.
fn of_all(values: &[MetricValue], metric: Metric) -> Option<f64> {
    let is_this = |v: &&MetricValue| v.metric == metric && v.class.is_none();
    values.iter().find(is_this).map(|v| v.value)
}

/// What a rule on performance has seen.
#[derive(Clone, Debug)]
struct RuleState {
    rule: BaselineRule,
    /// The last values of the version that it is compared with, the newest last.
    peer: VecDeque<f64>,
    machine: BaselineMachine,
}

#[derive(Clone, Debug)]
struct DetectorState {
    /// Its number in the specification.
    rule: usize,
    detector: Detector,
    machine: AlertMachine,
    signal: Signal,
}

/// All rules of one series.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    performance: Vec<RuleState>,
    detectors: Vec<DetectorState>,
}

impl Rules {
    pub(crate) fn new(model: &LabelModel, is_segment: bool) -> Self {
        let detectors = model.labels.detectors.iter().enumerate();
        let detectors = detectors.filter(|(_, rule)| rule.segments || !is_segment);
        Self {
            performance: model.labels.rules.iter().map(RuleState::new).collect(),
            detectors: detectors
                .filter_map(|(i, rule)| {
                    Some(DetectorState {
                        rule: i,
                        // The specification was checked.
                        detector: rule.build().ok()?,
                        machine: AlertMachine::default(),
                        signal: Signal::Stable,
                    })
                })
                .collect(),
        }
    }

    /// Whether any alert is on, and whether any rule is close to one.
    pub(crate) fn says(&self) -> (bool, bool) {
        let rules = self.performance.iter().map(|r| r.machine.phase());
        let mut phases = rules.chain(self.detectors.iter().map(|d| d.machine.phase()));
        let fires = phases.clone().any(|phase| phase == Phase::Firing);
        let pends = phases.any(|phase| phase == Phase::Pending);
        let warns = |d: &DetectorState| d.signal == Signal::Warning;
        (fires, pends || self.detectors.iter().any(warns))
    }

    /// Whether no alert is on. What the rules have learned would be lost with them.
    pub(crate) fn is_idle(&self, at: Timestamp) -> bool {
        let mut rules = self.performance.iter().map(|r| r.machine.phase());
        let mut detectors = self.detectors.iter().map(|d| &d.machine);
        rules.all(|phase| phase == Phase::Inactive) && detectors.all(|m| m.is_idle(at))
    }

    /// Steps the detectors with a bucket whose labels are mature.
    pub(crate) fn detect(
        &mut self,
        model: &LabelModel,
        segment: Option<&str>,
        (matured, at): (&Matured, i64),
    ) -> Vec<AlertEvent> {
        let persistence = Persistence {
            clear_closes: DETECTOR_CLEAR_CLOSES,
            ..Persistence::default()
        };
        let mut events = Vec::new();
        if matured.judged == 0 {
            return events;
        }
        for state in &mut self.detectors {
            let Some(rule) = model.labels.detectors.get(state.rule) else {
                continue;
            };
            state.signal = state.detector.update_counts(matured.errors, matured.judged);
            let reading = match state.signal {
                Signal::Drift => Reading::Holds,
                Signal::Warning => Reading::Between,
                Signal::Stable => Reading::Clear,
            };
            let end = Timestamp::from_micros(at);
            let Some(transition) = state.machine.advance(&persistence, end, reading) else {
                continue;
            };
            let span = bucket_span(model, matured);
            let share = 100.0 * matured.errors as f64 / matured.judged as f64;
            let says = match transition {
                Transition::Fired { .. } => "finds a drift of",
                Transition::Resolved { .. } => "no longer finds a drift of",
            };
            let sentence = format!(
                "{} {says} the errors: {share:.2} % of {} labels wrong in the predictions up to {}",
                rule.detector, matured.judged, span.end
            );
            let alert = LabelAlert {
                model,
                segment,
                feature: StreamKind::Error.name(),
                kind: AlertKind::ConceptDrift,
                rule: &rule.name,
                severity: rule.severity,
                statistic: Evidence {
                    name: Statistic::Detector,
                    value: f64::from(state.signal as u8),
                    threshold: f64::from(Signal::Drift as u8),
                    p_value: None,
                    n: matured.judged,
                },
                metric: None,
                window: span,
                reference: model.spec.profile.id().to_owned(),
                at,
                sentence,
            };
            events.push(alert.event(transition, None));
        }
        events
    }

    /// Steps the rules on performance with windows that have become mature. `peers` are those of other versions, which
    /// they may be compared with, that became mature at the same time.
    pub(crate) fn perform(
        &mut self,
        model: &LabelModel,
        segment: Option<&str>,
        (own, peers): (&[&MatureWindow], &[(&str, &MatureWindow)]),
        at: i64,
    ) -> Vec<AlertEvent> {
        let mut events = Vec::new();
        for (rule, state) in model.labels.rules.iter().zip(&mut self.performance) {
            if let PerformanceBaseline::Version(version) = &rule.baseline {
                let same = |(of, window): &&(&str, &MatureWindow)| {
                    of == version && window.span.name == rule.window
                };
                for (_, window) in peers.iter().filter(same) {
                    state.see_peer(window.observe(rule));
                }
            }
            for window in own.iter().filter(|own| own.span.name == rule.window) {
                events.extend(state.step(model, rule, segment, (window, at)));
            }
        }
        events
    }
}

pub(crate) fn bucket_span(model: &LabelModel, matured: &Matured) -> WindowSpan {
    WindowSpan {
        name: BUCKET.to_owned(),
        start: Timestamp::from_micros(matured.bucket),
        end: Timestamp::from_micros(matured.bucket.saturating_add(model.step)),
        events: matured.predicted,
    }
}

impl RuleState {
    fn new(rule: &PerformanceRule) -> Self {
        let first = match rule.baseline {
            PerformanceBaseline::FirstWindows(first) => first,
            _ => 1,
        };
        Self {
            rule: BaselineRule {
                better: rule.metric.better(),
                windows: rule.windows,
                drop: rule.drop,
                events_min: rule.min_labels,
                baseline_windows: first,
                clear_ratio: CLEAR_RATIO,
                ..BaselineRule::default()
            },
            peer: VecDeque::new(),
            machine: BaselineMachine::default(),
        }
    }

    /// Takes in a window of the version that the rule compares with.
    fn see_peer(&mut self, observation: Observation) {
        let enough = observation.n >= self.rule.events_min;
        let Some(value) = observation.value.filter(|_| enough) else {
            return;
        };
        while self.peer.len() >= self.rule.windows.max(1) as usize {
            self.peer.pop_front();
        }
        self.peer.push_back(value);
    }

    fn step(
        &mut self,
        model: &LabelModel,
        rule: &PerformanceRule,
        segment: Option<&str>,
        (window, at): (&MatureWindow, i64),
    ) -> Option<AlertEvent> {
        let (baseline, reference) = self.baseline(model, rule, segment.is_some())?;
        let observation = window.observe(rule);
        let transition = self.machine.step(&self.rule, baseline, observation)?;
        let standing = self.machine.standing(&self.rule, baseline)?;
        let is_lower = rule.metric.better() == Better::Lower;
        let limit = match is_lower {
            true => standing.baseline + standing.margin,
            false => standing.baseline - standing.margin,
        };
        let side = match (is_lower, transition) {
            (true, Transition::Fired { .. }) => "above",
            (true, _) => "back below",
            (false, Transition::Fired { .. }) => "below",
            _ => "back above",
        };
        let sentence = format!(
            "mean {} of the last {} windows of {} up to {} is {:.4}, {side} {limit:.4}, which is {} % off the baseline of \
             {:.4}",
            rule.metric,
            rule.windows,
            rule.window,
            window.span.end,
            standing.mean,
            100.0 * rule.drop,
            standing.baseline,
        );
        let alert = LabelAlert {
            model,
            segment,
            feature: "performance",
            kind: AlertKind::Performance,
            rule: &rule.name,
            severity: rule.severity,
            statistic: Evidence {
                name: Statistic::Performance,
                value: standing.mean,
                threshold: limit,
                p_value: None,
                n: window.labelled,
            },
            metric: Some(rule.metric),
            window: window.span.clone(),
            reference,
            at,
            sentence,
        };
        Some(alert.event(transition, None))
    }

    /// What the rule compares with, none for its own first windows, and what that is called; nothing while there is
    /// nothing to compare with.
    fn baseline(
        &self,
        model: &LabelModel,
        rule: &PerformanceRule,
        is_segment: bool,
    ) -> Option<(Option<f64>, String)> {
        let id = model.spec.profile.id();
        match &rule.baseline {
            // A segment is not compared with what the reference says of all events.
            PerformanceBaseline::Reference if is_segment => None,
            PerformanceBaseline::Reference => {
                let own = of_all(&model.baseline, rule.metric)?;
                Some((Some(own), id.to_owned()))
            }
            PerformanceBaseline::FirstWindows(n) => Some((None, format!("{id}@first:{n}"))),
            PerformanceBaseline::Version(version) => {
                let is_full = self.peer.len() >= rule.windows as usize;
                let mean = self.peer.iter().sum::<f64>() / self.peer.len().max(1) as f64;
                is_full.then(|| (Some(mean), format!("{id}@version:{version}")))
            }
        }
    }
}
