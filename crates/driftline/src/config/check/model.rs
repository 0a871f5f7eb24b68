//! Models, windows and rules.

use std::path::PathBuf;
use std::time::Duration;

use driftline_detect::ThresholdRule;
use driftline_event::{Severity, Statistic};

use super::{Checker, item, key};
use crate::config::checked::{CompareWith, Model, Version, Window};
use crate::config::raw_model::{RawModel, RawRule, RawVersion, RawWindow};
use crate::config::suggest;
use crate::config::units::{DurationText, spell_duration};

/// By default a window is looked at about so many times while it passes.
const SLIDES_PER_WINDOW: u128 = 12;
/// A window of more panes than this is a mistake in one of the two.
const PANES_PER_WINDOW_MAX: u128 = 100_000;

/// Nobody waits for more closes than this.
pub(super) const CLOSES_MAX: u32 = 10_000;

const HOUR: Duration = Duration::from_secs(3_600);

/// The rules of a model that gives none and has no budget: statistic, threshold, values needed.
const DEFAULT_RULES: &[(Statistic, f64, u64)] = &[
    (Statistic::Psi, 0.2, 1_000),
    (Statistic::KolmogorovSmirnov, 0.15, 1_000),
    (Statistic::MissingRatio, 0.2, 200),
    (Statistic::InvalidRatio, 0.01, 200),
    (Statistic::OutOfRangeRatio, 0.05, 200),
    (Statistic::UnseenRatio, 0.02, 200),
];

impl Checker<'_> {
    pub(super) fn models(&mut self, raw: Vec<RawModel>) -> Vec<Model> {
        if raw.is_empty() && !self.problems.covers("models") {
            self.error(
                "models",
                "there is no model to monitor",
                "give at least one, with id and versions",
            );
        }
        let mut models: Vec<Model> = Vec::new();
        for (i, raw) in raw.into_iter().enumerate() {
            let path = item("models", i);
            let model = self.model(raw, &path);
            let seen: Vec<&str> = models.iter().map(|m| m.id.as_str()).collect();
            self.fresh(&seen, &model.id, &key(&path, "id"), "model");
            models.push(model);
        }
        models
    }

    fn model(&mut self, raw: RawModel, path: &str) -> Model {
        let id = self.text(
            raw.id,
            &key(path, "id"),
            "the model's id as it stands in the events",
        );
        let pane = Duration::from_secs(60);
        let pane = self.span(raw.pane.as_ref(), &key(path, "pane"), pane);
        if pane < Duration::from_secs(1) {
            self.error(
                &key(path, "pane"),
                "a pane is at least one second long",
                "1m is the default",
            );
        }
        let windows = self.windows(raw.windows, &key(path, "windows"), pane);
        let decision = self.decision(raw.decision, &key(path, "decision"), pane);
        let rules = match (raw.rules, &decision) {
            (None, Some(_)) => Vec::new(),
            (rules, _) => self.rules(rules, &key(path, "rules"), &windows),
        };
        let p_value_path = key(path, "p_value_rules");
        let p_value_rules = self.p_value_rules(raw.p_value_rules, &p_value_path, &windows);
        let mut names: Vec<&str> = rules.iter().map(|r| r.name.as_str()).collect();
        for (i, rule) in p_value_rules.iter().enumerate() {
            self.fresh(&names, &rule.name, &item(&p_value_path, i), "rule");
        }
        names.extend(p_value_rules.iter().map(|r| r.name.as_str()));
        let quorums = self.quorums(raw.quorums, &key(path, "quorums"), &windows, &names);
        let labels = self.labels(raw.labels, &key(path, "labels"), pane);
        let lateness = key(path, "lateness");
        let disorder = raw.lateness.out_of_orderness.as_ref();
        let allowed = raw.lateness.allowed.as_ref();
        let segments = raw.segments;
        for (i, segment) in segments.iter().enumerate() {
            let seen: Vec<&str> = segments[..i].iter().map(String::as_str).collect();
            self.fresh(
                &seen,
                segment,
                &item(&key(path, "segments"), i),
                "segment field",
            );
        }
        Model {
            id,
            versions: self.versions(raw.versions, &key(path, "versions"), pane),
            segments,
            pane,
            windows,
            out_of_orderness: self.duration(disorder, &key(&lateness, "out_of_orderness"), pane),
            allowed_lateness: self.duration(allowed, &key(&lateness, "allowed"), Duration::ZERO),
            decision,
            labels,
            rules,
            p_value_rules,
            quorums,
        }
    }

    fn versions(&mut self, raw: Vec<RawVersion>, path: &str, pane: Duration) -> Vec<Version> {
        if raw.is_empty() && !self.problems.covers(path) {
            let hint = "give [{version: \"1\", reference: file.json}]; `driftline reference build` makes the file";
            self.error(path, "the model has no version", hint);
        }
        let mut versions: Vec<Version> = Vec::new();
        for (i, raw) in raw.into_iter().enumerate() {
            let path = item(path, i);
            let version = self.text(
                raw.version,
                &key(&path, "version"),
                "the version's name, or \"*\"",
            );
            let hint = "a file made by `driftline reference build`";
            let reference = self.text(raw.reference, &key(&path, "reference"), hint);
            let seen: Vec<&str> = versions.iter().map(|v| v.version.as_str()).collect();
            self.fresh(&seen, &version, &key(&path, "version"), "version");
            versions.push(Version {
                version,
                reference: PathBuf::from(reference),
                calibration: raw.calibration.map(PathBuf::from),
                compare_with: self.compare_with(
                    raw.compare_with,
                    &key(&path, "compare_with"),
                    pane,
                ),
            });
        }
        for (i, version) in versions.iter().enumerate() {
            let CompareWith::Version(other) = &version.compare_with else {
                continue;
            };
            let known = versions.iter().any(|v| v.version == *other);
            if !known || version.version == *other {
                let names: Vec<&str> = versions.iter().map(|v| v.version.as_str()).collect();
                let message = format!("`{other}` is not another version of the model");
                let path = key(&key(&item(path, i), "compare_with"), "version");
                self.error(&path, message, suggest::hint(other, &names));
            }
        }
        versions
    }

    fn windows(&mut self, raw: Option<Vec<RawWindow>>, path: &str, pane: Duration) -> Vec<Window> {
        let default = || {
            ["1h", "24h"]
                .map(|w| RawWindow::Size(DurationText(w.into())))
                .into()
        };
        let given = raw.is_some();
        let mut windows: Vec<Window> = Vec::new();
        for (i, raw) in raw.unwrap_or_else(default).into_iter().enumerate() {
            // The default windows do not stand in the file; what is wrong with them is the pane.
            let path = if given {
                item(path, i)
            } else {
                path.to_owned()
            };
            if let Some(window) = self.window(raw, &path, pane) {
                let seen: Vec<&str> = windows.iter().map(|w| w.name.as_str()).collect();
                self.fresh(&seen, &window.name, &path, "window");
                windows.push(window);
            }
        }
        if windows.is_empty() && !self.problems.covers(path) {
            self.error(
                path,
                "the model has no window",
                "leave the key out for 1h and 24h",
            );
        }
        windows
    }

    fn window(&mut self, raw: RawWindow, path: &str, pane: Duration) -> Option<Window> {
        let before = self.problems.errors();
        let (size_text, slide, name, size_path) = match raw {
            RawWindow::Size(text) => (text, None, None, path.to_owned()),
            RawWindow::Parts(parts) => {
                let size_path = key(path, "size");
                if parts.size.is_none() && !self.problems.covers(path) {
                    self.error(
                        &size_path,
                        "this key is missing",
                        "give a duration such as 24h",
                    );
                }
                (parts.size?, parts.slide, parts.name, size_path)
            }
        };
        let size = self.span(Some(&size_text), &size_path, HOUR);
        let panes = (size.as_millis() / pane.as_millis().max(1)).max(1);
        let step = default_step(panes);
        let slide_path = key(path, "slide");
        let slide = self.span(slide.as_ref(), &slide_path, pane * step);
        if self.problems.errors() > before {
            return None;
        }
        self.whole_panes(size, pane, &size_path);
        self.whole_panes(slide, pane, &slide_path);
        if slide > size {
            let hint = "events between two windows would never be looked at";
            self.error(&slide_path, "the slide is longer than the window", hint);
        } else if !size.as_millis().is_multiple_of(slide.as_millis().max(1)) {
            let (size, slide) = (spell_duration(size), spell_duration(slide));
            let message = format!("{size} is not a whole number of slides of {slide}");
            self.error(&slide_path, message, "choose a slide that divides the size");
        }
        if panes > PANES_PER_WINDOW_MAX {
            let message = format!("the window has {panes} panes");
            self.error(
                &size_path,
                message,
                format!("at most {PANES_PER_WINDOW_MAX}; use a longer pane"),
            );
        }
        Some(Window {
            name: name.unwrap_or(size_text.0),
            size,
            slide,
        })
    }

    pub(super) fn whole_panes(&mut self, duration: Duration, pane: Duration, path: &str) {
        if !duration.as_millis().is_multiple_of(pane.as_millis().max(1)) {
            let (duration, pane) = (spell_duration(duration), spell_duration(pane));
            let message = format!("{duration} is not a whole number of panes of {pane}");
            self.error(path, message, "change this or the model's pane");
        }
    }

    fn rules(
        &mut self,
        raw: Option<Vec<RawRule>>,
        path: &str,
        windows: &[Window],
    ) -> Vec<ThresholdRule> {
        let Some(raw) = raw else {
            return default_rules();
        };
        let mut rules: Vec<ThresholdRule> = Vec::new();
        for (i, raw) in raw.into_iter().enumerate() {
            let path = item(path, i);
            let named = raw.name.is_some();
            let rule = self.rule(raw, &path, windows);
            if rules.iter().any(|r| r.name == rule.name) && !self.problems.covers(&path) {
                let message = format!("there are two rules with the name `{}`", rule.name);
                let hint = if named {
                    ""
                } else {
                    "give each a `name`; the statistic's is the default"
                };
                self.error(&path, message, hint);
            }
            rules.push(rule);
        }
        rules
    }

    fn rule(&mut self, raw: RawRule, path: &str, windows: &[Window]) -> ThresholdRule {
        let statistic = self.statistic(raw.statistic, &key(path, "statistic"));
        let threshold_path = key(path, "threshold");
        let threshold = self.required(raw.threshold, &threshold_path, "a number such as 0.2");
        if !self.problems.covers(&threshold_path) {
            self.threshold(threshold, statistic, &threshold_path);
        }
        self.known_windows(&raw.windows, path, windows);
        let default = default_rule(statistic, threshold, 1_000);
        let clear_ratio = raw.clear_ratio.unwrap_or(default.clear_ratio);
        let cooldown = raw.cooldown.as_ref();
        let for_closes = self.closes(raw.r#for, default.for_closes, &key(path, "for"));
        ThresholdRule {
            name: raw.name.unwrap_or_else(|| statistic.as_str().to_owned()),
            min_events: raw
                .min_events
                .unwrap_or(if statistic.is_quality() { 200 } else { 1_000 }),
            for_closes,
            of_closes: self.of_closes(raw.of, for_closes, path),
            clear_closes: self.closes(raw.clear, default.clear_closes, &key(path, "clear")),
            clear_ratio: self.within(clear_ratio, &key(path, "clear_ratio"), 0.01, 1.0),
            cooldown: self.duration(cooldown, &key(path, "cooldown"), default.cooldown),
            severity: raw.severity.unwrap_or(default.severity),
            windows: raw.windows,
            columns: raw.columns,
            ..default
        }
    }

    pub(super) fn closes(&mut self, given: Option<u32>, default: u32, path: &str) -> u32 {
        self.within(given.unwrap_or(default), path, 1, CLOSES_MAX)
    }

    fn statistic(&mut self, name: Option<String>, path: &str) -> Statistic {
        let known: Vec<&str> = Statistic::threshold_rules()
            .map(Statistic::as_str)
            .collect();
        let Some(name) = name else {
            self.required::<String>(None, path, &format!("one of {}", known.join(", ")));
            return Statistic::Psi;
        };
        let found = Statistic::threshold_rules().find(|s| s.as_str() == name);
        found.unwrap_or_else(|| {
            self.error(
                path,
                format!("`{name}` is not a statistic"),
                suggest::hint(&name, &known),
            );
            Statistic::Psi
        })
    }

    fn threshold(&mut self, threshold: f64, statistic: Statistic, path: &str) {
        // Distances and shares end at 1; at exactly 1 they hold only when nothing overlaps.
        let unbounded = matches!(
            statistic,
            Statistic::Psi | Statistic::Wasserstein | Statistic::ChiSquare
        );
        let most = if unbounded { f64::MAX } else { 1.0 };
        if !(threshold > 0.0 && threshold <= most) {
            let hint = if unbounded {
                "above 0"
            } else {
                "above 0 and at most 1"
            };
            let message = format!("{threshold} cannot be a threshold of {statistic}");
            self.error(path, message, format!("give a number {hint}"));
        }
    }
}

/// The panes of the default slide: a twelfth of the window's, or the next larger number that divides them.
fn default_step(panes: u128) -> u32 {
    let panes = panes.min(PANES_PER_WINDOW_MAX);
    let least = panes.div_ceil(SLIDES_PER_WINDOW).max(1);
    let step = (least..=panes)
        .find(|step| panes.is_multiple_of(*step))
        .unwrap_or(1);
    u32::try_from(step).unwrap_or(1)
}

fn default_rule(statistic: Statistic, threshold: f64, min_events: u64) -> ThresholdRule {
    ThresholdRule {
        name: statistic.as_str().to_owned(),
        statistic,
        threshold,
        min_events,
        for_closes: 2,
        of_closes: None,
        clear_closes: 3,
        clear_ratio: 0.8,
        cooldown: HOUR,
        severity: Severity::Warning,
        windows: Vec::new(),
        columns: Vec::new(),
    }
}

fn default_rules() -> Vec<ThresholdRule> {
    DEFAULT_RULES
        .iter()
        .map(|&(statistic, threshold, n)| default_rule(statistic, threshold, n))
        .collect()
}
