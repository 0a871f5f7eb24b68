//! The rules on performance and the classical detectors of one series.

use std::collections::VecDeque;

use driftline_detect::sequential::{Detector, SequentialDetector, Signal};
use driftline_detect::{AlertMachine, Persistence, Phase, Reading, Transition};
use driftline_event::{
    AlertEvent, AlertKind, Better, Evidence, MetricValue, Statistic, Timestamp, WindowSpan,
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
/// A firing rule on performance is resolved once the mean is worse than the baseline by less than this part of `drop`.
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
    fn value(&self, rule: &PerformanceRule) -> Option<f64> {
        let of_all = |v: &&MetricValue| v.metric == rule.metric && v.class.is_none();
        let found = self.realised.iter().find(of_all)?;
        let counts = self.is_covered && self.labelled >= rule.min_labels;
        counts.then_some(found.value)
    }
}

/// What a rule on performance has seen.
#[derive(Clone, Debug)]
struct RuleState {
    /// The values of the last windows, the newest last.
    recent: VecDeque<f64>,
    /// The first values, or the last ones of the version that it is compared with.
    baseline: VecDeque<f64>,
    machine: AlertMachine,
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
            performance: vec![
                RuleState {
                    recent: VecDeque::new(),
                    baseline: VecDeque::new(),
                    machine: AlertMachine::default(),
                };
                model.labels.rules.len()
            ],
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
        let rules = self.performance.iter().map(|r| &r.machine);
        let machines = rules.chain(self.detectors.iter().map(|d| &d.machine));
        let fires = machines.clone().any(|m| m.phase() == Phase::Firing);
        let pends = machines.clone().any(|m| m.phase() == Phase::Pending);
        let warns = |d: &DetectorState| d.signal == Signal::Warning;
        (fires, pends || self.detectors.iter().any(warns))
    }

    /// Whether no alert is on. What the rules have learned would be lost with them.
    pub(crate) fn is_idle(&self, at: Timestamp) -> bool {
        let mut rules = self.performance.iter().map(|r| &r.machine);
        let mut detectors = self.detectors.iter().map(|d| &d.machine);
        rules.all(|m| m.is_idle(at)) && detectors.all(|m| m.is_idle(at))
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
                    if let Some(value) = window.value(rule) {
                        push(&mut state.baseline, value, rule.windows);
                    }
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

fn push(values: &mut VecDeque<f64>, value: f64, most: u32) {
    while values.len() >= most.max(1) as usize {
        values.pop_front();
    }
    values.push_back(value);
}

fn mean(values: &VecDeque<f64>) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

impl RuleState {
    fn step(
        &mut self,
        model: &LabelModel,
        rule: &PerformanceRule,
        segment: Option<&str>,
        (window, at): (&MatureWindow, i64),
    ) -> Option<AlertEvent> {
        let value = window.value(rule)?;
        if let PerformanceBaseline::FirstWindows(first) = rule.baseline
            && self.baseline.len() < first as usize
        {
            self.baseline.push_back(value);
            return None;
        }
        push(&mut self.recent, value, rule.windows);
        let (baseline, reference) = self.baseline(model, rule, segment.is_some())?;
        if self.recent.len() < rule.windows as usize {
            return None;
        }
        let now = mean(&self.recent);
        // What is good when small must not grow, and of a negative baseline the part counts in size.
        let margin = baseline.abs() * rule.drop;
        let (limit, worse) = match rule.metric.better() {
            Better::Lower => (baseline + margin, now - baseline),
            _ => (baseline - margin, baseline - now),
        };
        let reading = if worse > margin {
            Reading::Holds
        } else if worse <= margin * CLEAR_RATIO {
            Reading::Clear
        } else {
            Reading::Between
        };
        let end = Timestamp::from_micros(at);
        let step = self.machine.advance(&Persistence::default(), end, reading);
        let transition = step?;
        let side = match (rule.metric.better(), transition) {
            (Better::Lower, Transition::Fired { .. }) => "above",
            (Better::Lower, _) => "back below",
            (_, Transition::Fired { .. }) => "below",
            _ => "back above",
        };
        let sentence = format!(
            "{} of the last {} {} windows is {now:.4}, {side} {limit:.4}: the baseline of {baseline:.4} and {} % for \
             {reference}",
            rule.metric,
            rule.windows,
            rule.window,
            100.0 * rule.drop,
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
                value: now,
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

    /// What the rule compares with, and what that is called.
    fn baseline(
        &self,
        model: &LabelModel,
        rule: &PerformanceRule,
        is_segment: bool,
    ) -> Option<(f64, String)> {
        let id = model.spec.profile.id();
        match &rule.baseline {
            // A segment is not compared with what the reference says of all events.
            PerformanceBaseline::Reference if is_segment => None,
            PerformanceBaseline::Reference => {
                let of_all = |v: &&MetricValue| v.metric == rule.metric && v.class.is_none();
                let own = model.baseline.iter().find(of_all)?;
                Some((own.value, id.to_owned()))
            }
            PerformanceBaseline::FirstWindows(n) => {
                let is_full = self.baseline.len() >= *n as usize;
                is_full.then(|| (mean(&self.baseline), format!("{id}@first:{n}")))
            }
            PerformanceBaseline::Version(version) => {
                let is_full = self.baseline.len() >= rule.windows as usize;
                is_full.then(|| (mean(&self.baseline), format!("{id}@version:{version}")))
            }
        }
    }
}
