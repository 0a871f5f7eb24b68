//! What becomes of a model's labels.

use std::time::Duration;

use driftline_detect::sequential::{Compat, DetectorName};
use driftline_engine::{
    DetectorRule, LabelSpec, PerformanceBaseline, PerformanceRule, PerformanceWindow,
    WindowSpanSpec,
};
use driftline_event::{Better, Metric, Severity};
use driftline_sketch::DELAY_EDGES;
use driftline_stat::estimate::CostMatrix;
use driftline_stat::performance::{OptionsProblem, PerformanceOptions};

use super::{Checker, item, key};
use crate::config::checked::{Config, Labels};
use crate::config::raw_labels::{
    RawDetector, RawMetrics, RawModelLabels, RawModelLabelsKeys, RawPerformanceRule,
};
use crate::config::raw_model::RawWindow;
use crate::config::suggest;
use crate::config::units::{DurationText, spell_duration};

const HOUR: Duration = Duration::from_secs(3_600);
/// What stands for the months of the calendar where a window's size is due.
const MONTH: &str = "month";
/// A window of more steps than this is a mistake in one of the two.
const STEPS_PER_WINDOW_MAX: u128 = 100_000;

impl Checker<'_> {
    /// `None` is off. Absent is on wherever there are labels and the reference knows what to do with them.
    pub(super) fn labels(
        &mut self,
        raw: Option<RawModelLabels>,
        path: &str,
        pane: Duration,
    ) -> Option<Labels> {
        let is_explicit = raw.is_some();
        let raw = match raw {
            Some(RawModelLabels::Off) => return None,
            Some(RawModelLabels::On(keys)) => *keys,
            None => RawModelLabelsKeys::default(),
        };
        let default = LabelSpec::default();
        let step_path = key(path, "step");
        let step = self.span(raw.step.as_ref(), &step_path, default_step(pane));
        self.whole_panes(step, pane, &step_path);
        let ttl_path = key(path, "ttl");
        let ttl = self.span(
            raw.ttl.as_ref(),
            &ttl_path,
            up_to_multiple(default.ttl, step),
        );
        self.whole_steps(ttl, step, &ttl_path);
        let wait_path = key(path, "wait");
        let wait = self.duration(raw.wait.as_ref(), &wait_path, ttl);
        if wait > ttl {
            let hint = "give a ttl at least as long as wait";
            self.error(&wait_path, "predictions expire before this", hint);
        }
        let mature_after = self.mature_after(&raw.mature_after, &key(path, "mature_after"), ttl);
        let windows = self.performance_windows(raw.windows, &key(path, "windows"), step);
        let rules = self.performance_rules(raw.rules, &key(path, "rules"), &windows);
        let detectors = self.detectors(raw.detectors, &key(path, "detectors"), &rules);
        let spec = LabelSpec {
            step,
            wait,
            ttl,
            coverage_min: raw
                .coverage_min
                .map(|c| self.within(c, &key(path, "coverage_min"), 0.001, 1.0)),
            windows,
            sampling_rate: self.within(
                raw.sampling_rate.unwrap_or(default.sampling_rate),
                &key(path, "sampling_rate"),
                1e-6,
                1.0,
            ),
            budget_share: self.within(
                raw.budget_share.unwrap_or(default.budget_share),
                &key(path, "budget_share"),
                0.01,
                0.99,
            ),
            performance: self.metrics(&raw.metrics, &key(path, "metrics")),
            severity: raw.severity.unwrap_or(Severity::Warning),
            rules,
            detectors,
            mature_after: mature_after.clone().unwrap_or(default.mature_after),
        };
        Some(Labels {
            spec,
            is_explicit,
            judges_when_usual: mature_after.is_none(),
        })
    }

    /// Says of models whose labels the file is about that no labels will come.
    pub(super) fn labels_come(&mut self, config: &Config) {
        if config.labels.is_some() {
            return;
        }
        for (i, model) in config.models.iter().enumerate() {
            if model.labels.as_ref().is_some_and(|l| l.is_explicit) {
                let path = key(&item("models", i), "labels");
                let hint =
                    "give `streams.labels`; without it only `driftline replay --labels` uses this";
                self.problems
                    .warning(&path, "no stream brings labels", hint);
            }
        }
    }

    /// None where the file leaves it to the reference.
    fn mature_after(
        &mut self,
        given: &[DurationText],
        path: &str,
        ttl: Duration,
    ) -> Option<Vec<Duration>> {
        let edges: Vec<Duration> = DELAY_EDGES
            .iter()
            .map(|micros| Duration::from_micros(micros.unsigned_abs()))
            .collect();
        let mut ages: Vec<Duration> = Vec::new();
        for (i, text) in given.iter().enumerate() {
            let path = item(path, i);
            let before = self.problems.errors();
            let age = self.span(Some(text), &path, HOUR);
            if self.problems.errors() > before {
                continue;
            }
            if !edges.contains(&age) {
                let known: Vec<String> = edges.iter().map(|e| spell_duration(*e)).collect();
                let message = format!("{} is not an age that is kept apart", spell_duration(age));
                self.error(&path, message, format!("one of {}", known.join(", ")));
            } else if ages.last().is_some_and(|last| *last >= age) {
                let hint = "put the youngest first, and each once";
                self.error(&path, "the ages do not ascend", hint);
            } else if age > ttl {
                let hint = "labels must count at least that long: give a longer ttl";
                self.error(&path, "this is longer than the ttl", hint);
            }
            ages.push(age);
        }
        (!given.is_empty()).then_some(ages)
    }

    fn whole_steps(&mut self, duration: Duration, step: Duration, path: &str) {
        if !duration.as_millis().is_multiple_of(step.as_millis().max(1)) {
            let (duration, step) = (spell_duration(duration), spell_duration(step));
            let message =
                format!("{duration} is not a whole number of the labels' steps of {step}");
            self.error(path, message, "change this or `step`");
        }
    }

    fn performance_windows(
        &mut self,
        raw: Option<Vec<RawWindow>>,
        path: &str,
        step: Duration,
    ) -> Vec<PerformanceWindow> {
        let Some(raw) = raw else {
            return LabelSpec::default().windows;
        };
        let mut windows: Vec<PerformanceWindow> = Vec::new();
        for (i, raw) in raw.into_iter().enumerate() {
            let path = item(path, i);
            if let Some(window) = self.performance_window(raw, &path, step) {
                let seen: Vec<&str> = windows.iter().map(|w| w.name.as_str()).collect();
                self.fresh(&seen, &window.name, &path, "window");
                windows.push(window);
            }
        }
        windows
    }

    fn performance_window(
        &mut self,
        raw: RawWindow,
        path: &str,
        step: Duration,
    ) -> Option<PerformanceWindow> {
        let before = self.problems.errors();
        let (size_text, slide, name) = match raw {
            RawWindow::Size(text) => (text, None, None),
            RawWindow::Parts(parts) => {
                let what = "a duration such as 1d, or month";
                let size = parts.size.map(|text| text.0);
                let size = self.required(size, &key(path, "size"), what);
                (DurationText(size), parts.slide, parts.name)
            }
        };
        let name = name.unwrap_or_else(|| size_text.0.clone());
        if size_text.0 == MONTH && slide.is_none() {
            self.whole_steps(24 * HOUR, step, path);
            let span = WindowSpanSpec::Month;
            return Some(PerformanceWindow { name, span });
        }
        let size = self.span(Some(&size_text), path, HOUR);
        let slide = self.span(slide.as_ref(), &key(path, "slide"), size);
        if self.problems.errors() > before {
            return None;
        }
        self.whole_steps(slide, step, path);
        if !size.as_millis().is_multiple_of(slide.as_millis().max(1)) {
            let (size, slide) = (spell_duration(size), spell_duration(slide));
            let message = format!("{size} is not a whole number of slides of {slide}");
            self.error(path, message, "choose a slide that divides the size");
        }
        if size.as_millis() / step.as_millis().max(1) > STEPS_PER_WINDOW_MAX {
            let hint = format!("at most {STEPS_PER_WINDOW_MAX}; use a longer `step`");
            self.error(path, "the window has too many steps", hint);
        }
        let span = WindowSpanSpec::Fixed { size, slide };
        Some(PerformanceWindow { name, span })
    }

    fn metrics(&mut self, raw: &RawMetrics, path: &str) -> PerformanceOptions {
        let default = PerformanceOptions::default();
        let count = |given: Option<u32>, default: usize| given.map_or(default, |n| n as usize);
        let options = PerformanceOptions {
            beta: raw.beta.unwrap_or(default.beta),
            cost_matrix: raw.value.map(|v| CostMatrix {
                true_positive: v.true_positive,
                false_positive: v.false_positive,
                false_negative: v.false_negative,
                true_negative: v.true_negative,
            }),
            top_k: count(raw.top_k, default.top_k),
            quantile: raw.quantile.unwrap_or(default.quantile),
            ndcg_k: count(raw.ranking_k, default.ndcg_k),
            confidence: raw.confidence.unwrap_or(default.confidence),
        };
        if let Err(problem) = options.check() {
            let name = match problem {
                OptionsProblem::Beta => "beta",
                OptionsProblem::Costs => "value",
                OptionsProblem::TopK => "top_k",
                OptionsProblem::Quantile => "quantile",
                OptionsProblem::NdcgK => "ranking_k",
                OptionsProblem::Confidence => "confidence",
            };
            let hint = "without the key it is the default";
            self.error(&key(path, name), problem.to_string(), hint);
            return default;
        }
        options
    }

    fn performance_rules(
        &mut self,
        raw: Vec<RawPerformanceRule>,
        path: &str,
        windows: &[PerformanceWindow],
    ) -> Vec<PerformanceRule> {
        let mut rules: Vec<PerformanceRule> = Vec::new();
        for (i, raw) in raw.into_iter().enumerate() {
            let path = item(path, i);
            if let Some(rule) = self.performance_rule(raw, &path, windows) {
                let seen: Vec<&str> = rules.iter().map(|r| r.name.as_str()).collect();
                self.fresh(&seen, &rule.name, &path, "performance rule");
                rules.push(rule);
            }
        }
        rules
    }

    fn performance_rule(
        &mut self,
        raw: RawPerformanceRule,
        path: &str,
        windows: &[PerformanceWindow],
    ) -> Option<PerformanceRule> {
        let metric_path = key(path, "metric");
        let name = self.text(raw.metric, &metric_path, "a metric such as roc_auc");
        let judged = |m: &&Metric| matches!(m.better(), Better::Higher | Better::Lower);
        let metric = Metric::ALL
            .iter()
            .filter(judged)
            .find(|m| m.as_str() == name);
        if metric.is_none() && !self.problems.covers(&metric_path) {
            let known = Metric::ALL.iter().filter(judged).map(|m| m.as_str());
            let known: Vec<&str> = known.collect();
            let message = format!("`{name}` is not a metric that is good when large or small");
            self.error(&metric_path, message, suggest::hint(&name, &known));
        }
        let known: Vec<&str> = windows.iter().map(|w| w.name.as_str()).collect();
        let window = raw
            .window
            .or_else(|| known.first().map(|w| (*w).to_owned()))?;
        if !known.contains(&window.as_str()) {
            let message = format!("there is no performance window `{window}`");
            self.error(
                &key(path, "window"),
                message,
                suggest::hint(&window, &known),
            );
        }
        let tolerance_path = key(path, "tolerance");
        let drop = self.required(raw.tolerance, &tolerance_path, "a share such as 0.05");
        let default = PerformanceRule::new(&name, *metric?, &window);
        Some(PerformanceRule {
            name: raw.name.unwrap_or(name),
            drop: if self.problems.covers(&tolerance_path) {
                default.drop
            } else {
                self.within(drop, &tolerance_path, 1e-6, 0.999_999)
            },
            windows: self.within(
                raw.last.unwrap_or(default.windows),
                &key(path, "last"),
                1,
                1_000,
            ),
            baseline: raw.baseline_windows.map_or(default.baseline, |n| {
                let n = self.within(n, &key(path, "baseline_windows"), 1, 1_000);
                PerformanceBaseline::FirstWindows(n)
            }),
            min_labels: raw.min_labels.unwrap_or(default.min_labels),
            severity: raw.severity.unwrap_or(default.severity),
            metric: default.metric,
            window: default.window,
        })
    }

    fn detectors(
        &mut self,
        raw: Vec<RawDetector>,
        path: &str,
        rules: &[PerformanceRule],
    ) -> Vec<DetectorRule> {
        let mut detectors: Vec<DetectorRule> = Vec::new();
        for (i, raw) in raw.into_iter().enumerate() {
            let path = item(path, i);
            let Some(rule) = self.detector(raw, &path) else {
                continue;
            };
            let rules = rules.iter().map(|r| r.name.as_str());
            let seen: Vec<&str> = rules
                .chain(detectors.iter().map(|r| r.name.as_str()))
                .collect();
            self.fresh(&seen, &rule.name, &path, "detector");
            detectors.push(rule);
        }
        detectors
    }

    fn detector(&mut self, raw: RawDetector, path: &str) -> Option<DetectorRule> {
        let name_path = key(path, "name");
        let name = self.text(raw.name, &name_path, "a detector such as ddm");
        let detector = DetectorName::ALL.iter().find(|d| d.name() == name);
        if detector.is_none() && !self.problems.covers(&name_path) {
            let known: Vec<&str> = DetectorName::ALL.iter().map(|d| d.name()).collect();
            let message = format!("`{name}` is not a detector");
            self.error(&name_path, message, suggest::hint(&name, &known));
        }
        let mut rule = DetectorRule::new(&name, *detector?);
        if let Some(compat) = raw.compat {
            let found = Compat::ALL.iter().find(|c| c.name() == compat);
            if found.is_none() {
                let known: Vec<&str> = Compat::ALL.iter().map(|c| c.name()).collect();
                let message = format!("`{compat}` is not an implementation that is followed");
                let hint = suggest::hint(&compat, &known);
                self.error(&key(path, "compat"), message, hint);
            }
            rule.compat = *found?;
        }
        let params = raw.params.into_iter();
        rule.parameters = params.map(|(k, v)| (k, v.to_string())).collect();
        rule.severity = raw.severity.unwrap_or(rule.severity);
        if let Err(error) = rule.build() {
            let hint = "`driftline detect --list` shows each detector with its parameters";
            self.error(&key(path, "params"), error.to_string(), hint);
            return None;
        }
        Some(rule)
    }
}

/// An hour, or the pane where that is longer or does not divide one.
fn default_step(pane: Duration) -> Duration {
    if HOUR.as_millis().is_multiple_of(pane.as_millis().max(1)) {
        HOUR
    } else {
        pane
    }
}

fn up_to_multiple(of: Duration, step: Duration) -> Duration {
    let steps = of.as_millis().div_ceil(step.as_millis().max(1));
    step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}
