//! Rules that look at many columns at once.

use driftline_detect::fdr::Correction;
use driftline_detect::{ColumnQuorum, Multiplicity, PValueRule, Persistence, Quorum};
use driftline_event::{Severity, Statistic};

use super::model::CLOSES_MAX;
use super::{Checker, item, key};
use crate::config::checked::Window;
use crate::config::raw_rule::{RawPValueRule, RawQuorum};
use crate::config::suggest;
use crate::config::units::DurationText;

/// The names of the corrections for the columns of a look, and of the online ones.
pub(in crate::config) const CORRECTIONS: [&str; 8] = [
    "none",
    "bonferroni",
    "holm",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "lord",
    "saffron",
    "e_lond",
];

/// The usual parameter of each online correction: initial wealth, candidate level and κ alike.
const HALF: f64 = 0.5;
/// The level of significance when the file gives none.
const ALPHA: f64 = 0.01;
/// Values that a column needs to be tested.
const P_VALUE_EVENTS_MIN: u64 = 200;

/// How long a rule must hold, as it stands in the file.
struct RawPersistence<'a> {
    r#for: Option<u32>,
    of: Option<u32>,
    clear: Option<u32>,
    cooldown: Option<&'a DurationText>,
}

impl Checker<'_> {
    pub(super) fn p_value_rules(
        &mut self,
        raw: Vec<RawPValueRule>,
        path: &str,
        windows: &[Window],
    ) -> Vec<PValueRule> {
        let mut rules: Vec<PValueRule> = Vec::new();
        for (i, raw) in raw.into_iter().enumerate() {
            let path = item(path, i);
            let rule = self.p_value_rule(raw, &path, windows);
            let seen: Vec<&str> = rules.iter().map(|r| r.name.as_str()).collect();
            self.fresh(&seen, &rule.name, &path, "p-value rule");
            rules.push(rule);
        }
        rules
    }

    fn p_value_rule(&mut self, raw: RawPValueRule, path: &str, windows: &[Window]) -> PValueRule {
        let tests = [Statistic::KolmogorovSmirnov, Statistic::ChiSquare];
        let test_path = key(path, "test");
        let name = self.text(raw.test, &test_path, "ks or chi_square");
        let test = tests.into_iter().find(|t| t.as_str() == name);
        if test.is_none() && !self.problems.covers(&test_path) {
            let known = tests.map(Statistic::as_str);
            let message = format!("`{name}` has no p-value here");
            self.error(&test_path, message, suggest::hint(&name, &known));
        }
        let test = test.unwrap_or(Statistic::KolmogorovSmirnov);
        self.known_windows(&raw.windows, path, windows);
        let persistence = RawPersistence {
            r#for: raw.r#for,
            of: raw.of,
            clear: raw.clear,
            cooldown: raw.cooldown.as_ref(),
        };
        let alpha = raw.alpha.unwrap_or(ALPHA);
        PValueRule {
            name: raw.name.unwrap_or_else(|| format!("{test}_p_value")),
            test,
            correction: self.correction(raw.correction, &key(path, "correction")),
            alpha: self.within(alpha, &key(path, "alpha"), 1e-12, 0.5),
            min_events: raw.min_events.unwrap_or(P_VALUE_EVENTS_MIN),
            persistence: self.persistence(&persistence, path),
            severity: raw.severity.unwrap_or(Severity::Warning),
            windows: raw.windows,
            columns: raw.columns,
        }
    }

    fn correction(&mut self, name: Option<String>, path: &str) -> Multiplicity {
        let Some(name) = name else {
            return Multiplicity::Columns(Correction::default());
        };
        match name.as_str() {
            "lord" => Multiplicity::Lord {
                initial_wealth: HALF,
            },
            "saffron" => Multiplicity::Saffron {
                initial_wealth: HALF,
                candidate: HALF,
            },
            "e_lond" => Multiplicity::ELond { kappa: HALF },
            _ => {
                let found = Correction::ALL.iter().find(|c| c.as_str() == name);
                if found.is_none() {
                    let message = format!("`{name}` is not a correction");
                    self.error(path, message, suggest::hint(&name, &CORRECTIONS));
                }
                Multiplicity::Columns(found.copied().unwrap_or_default())
            }
        }
    }

    /// `rules` are the names of the rules that a quorum can be of.
    pub(super) fn quorums(
        &mut self,
        raw: Vec<RawQuorum>,
        path: &str,
        windows: &[Window],
        rules: &[&str],
    ) -> Vec<ColumnQuorum> {
        let mut quorums: Vec<ColumnQuorum> = Vec::new();
        for (i, raw) in raw.into_iter().enumerate() {
            let path = item(path, i);
            let quorum = self.quorum(raw, &path, windows, rules);
            let mut seen: Vec<&str> = quorums.iter().map(|r| r.name.as_str()).collect();
            seen.extend(rules);
            self.fresh(&seen, &quorum.name, &path, "rule");
            quorums.push(quorum);
        }
        quorums
    }

    fn quorum(
        &mut self,
        raw: RawQuorum,
        path: &str,
        windows: &[Window],
        rules: &[&str],
    ) -> ColumnQuorum {
        let rule_path = key(path, "rule");
        let rule = self.text(raw.rule, &rule_path, "the name of a rule of the model");
        if !rules.contains(&rule.as_str()) && !self.problems.covers(&rule_path) {
            let message = format!("the model has no rule `{rule}`");
            let hint = match rules {
                [] => "give the model `rules` or `p_value_rules` first".to_owned(),
                _ => suggest::hint(&rule, rules),
            };
            self.error(&rule_path, message, hint);
        }
        let quorum = match (raw.at_least, raw.share) {
            (Some(columns), None) => {
                Quorum::Columns(self.within(columns, &key(path, "at_least"), 1, 100_000))
            }
            (None, Some(share)) => {
                Quorum::Share(self.within(share, &key(path, "share"), 1e-6, 1.0))
            }
            _ => {
                if !self.problems.covers(path) {
                    let hint = "give `at_least: 3` or `share: 0.5`";
                    self.error(path, "how many columns are a quorum?", hint);
                }
                Quorum::Columns(1)
            }
        };
        self.known_windows(&raw.windows, path, windows);
        let persistence = RawPersistence {
            r#for: raw.r#for,
            of: raw.of,
            clear: raw.clear,
            cooldown: raw.cooldown.as_ref(),
        };
        ColumnQuorum {
            name: raw.name.unwrap_or_else(|| "quorum".into()),
            rule,
            quorum,
            persistence: self.persistence(&persistence, path),
            severity: raw.severity.unwrap_or(Severity::Warning),
            windows: raw.windows,
            columns: raw.columns,
            ..ColumnQuorum::default()
        }
    }

    fn persistence(&mut self, raw: &RawPersistence<'_>, path: &str) -> Persistence {
        let default = Persistence::default();
        let for_closes = self.closes(raw.r#for, default.for_closes, &key(path, "for"));
        Persistence {
            for_closes,
            of_closes: self.of_closes(raw.of, for_closes, path),
            clear_closes: self.closes(raw.clear, default.clear_closes, &key(path, "clear")),
            cooldown: self.duration(raw.cooldown, &key(path, "cooldown"), default.cooldown),
        }
    }

    pub(super) fn of_closes(
        &mut self,
        of: Option<u32>,
        for_closes: u32,
        path: &str,
    ) -> Option<u32> {
        of.map(|of| self.within(of, &key(path, "of"), for_closes, CLOSES_MAX))
    }

    pub(super) fn known_windows(&mut self, names: &[String], path: &str, windows: &[Window]) {
        let known: Vec<&str> = windows.iter().map(|w| w.name.as_str()).collect();
        for (i, name) in names.iter().enumerate() {
            if !known.is_empty() && !known.contains(&name.as_str()) {
                let message = format!("the model has no window `{name}`");
                let path = item(&key(path, "windows"), i);
                self.error(&path, message, suggest::hint(name, &known));
            }
        }
    }
}
