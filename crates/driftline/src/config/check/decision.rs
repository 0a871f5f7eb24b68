//! The false-alarm budget and what versions are compared with.

use std::f64::consts::PI;
use std::time::Duration;

use driftline_event::Severity;

use super::{Checker, key};
use crate::config::checked::{CompareWith, Decision};
use crate::config::raw_decision::{RawCompareWith, RawDecision};

/// False alarms in 30 days when the file does not say.
const ALARMS_PER_MONTH: f64 = 1.0;
/// Tolerance of data-quality rates, as Cohen's h: from never to once in 1,600.
const QUALITY_TOLERANCE: f64 = 0.05;
/// A likelihood ratio of 1,000 to 1 that a column is as before.
const CLEAR_EVIDENCE: f64 = 1_000.0;
/// A trailing window longer than this is a mistake.
const TRAILING_MAX: Duration = Duration::from_secs(400 * 86_400);

impl Checker<'_> {
    /// `None` is off. Absent is on.
    pub(super) fn decision(
        &mut self,
        raw: Option<RawDecision>,
        path: &str,
        pane: Duration,
    ) -> Option<Decision> {
        let raw = match raw {
            Some(RawDecision::Off) => return None,
            Some(RawDecision::On(keys)) => keys,
            None => Default::default(),
        };
        let alarms = raw.alarms_per_month.unwrap_or(ALARMS_PER_MONTH);
        let step_path = key(path, "step");
        let step = self.span(raw.step.as_ref(), &step_path, pane);
        self.whole_panes(step, pane, &step_path);
        let tolerance = raw
            .tolerance
            .map(|h| self.within(h, &key(path, "tolerance"), 0.001, PI / 2.0));
        let quality = raw.quality_tolerance.unwrap_or(QUALITY_TOLERANCE);
        let quality_path = key(path, "quality_tolerance");
        let clear = raw.clear_evidence.unwrap_or(CLEAR_EVIDENCE);
        for (column, weight) in &raw.weights {
            self.within(*weight, &key(&key(path, "weights"), column), 0.001, 1_000.0);
        }
        Some(Decision {
            alarms_per_month: self.within(alarms, &key(path, "alarms_per_month"), 1e-6, 1e4),
            step,
            tolerance,
            quality_tolerance: self.within(quality, &quality_path, 0.001, PI / 2.0),
            clear_evidence: self.within(clear, &key(path, "clear_evidence"), 2.0, 1e12),
            weights: raw.weights,
            severity: raw.severity.unwrap_or(Severity::Warning),
        })
    }

    pub(super) fn compare_with(
        &mut self,
        raw: Option<RawCompareWith>,
        path: &str,
        pane: Duration,
    ) -> CompareWith {
        let keys = match raw {
            None | Some(RawCompareWith::Reference) => return CompareWith::Reference,
            Some(RawCompareWith::Moving(keys)) => keys,
        };
        match (keys.trailing, keys.version) {
            (Some(trailing), None) => {
                let (size_path, lag_path) = (key(path, "trailing"), key(path, "lag"));
                let size = self.span(Some(&trailing), &size_path, pane);
                let lag = self.duration(keys.lag.as_ref(), &lag_path, size);
                self.whole_panes(size, pane, &size_path);
                self.whole_panes(lag, pane, &lag_path);
                if size > TRAILING_MAX {
                    self.error(&size_path, "the window is too long", "at most 400d");
                }
                CompareWith::Trailing { size, lag }
            }
            (None, Some(version)) if keys.lag.is_none() => CompareWith::Version(version),
            _ => {
                if !self.problems.covers(path) {
                    let hint = "give `reference`, {trailing: 7d, lag: 1d} or {version: \"1\"}";
                    self.error(path, "this does not say what to compare with", hint);
                }
                CompareWith::Reference
            }
        }
    }
}
