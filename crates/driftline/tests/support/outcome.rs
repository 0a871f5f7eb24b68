//! What a run of the engine says, to be compared with another run.

use std::collections::BTreeMap;
use std::path::Path;

use driftline::cli::ColumnOptions;
use driftline::commands::replay::{Replay, label_options};
use driftline::config::Config;
use driftline::files::{Input, PredictionDefaults, PredictionFile};
use driftline::pipeline::observer_options;
use driftline_engine::{EvaluatorOptions, ModelSet, Output};
use driftline_event::{PerformanceReport, Timestamp};
use indicatif::ProgressBar;

/// What came out, in an order that does not depend on who came first.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// By start, model, version and segment: rows and canonical bytes.
    pub panes: Vec<(Timestamp, String, u64, Vec<u8>)>,
    /// By the window's end: as JSON.
    pub reports: Vec<(Timestamp, String)>,
    /// By the window's end: as JSON.
    pub alerts: Vec<(Timestamp, String)>,
    /// The last revision by the window's end, its name and the segment.
    pub performance: BTreeMap<(Timestamp, String), PerformanceReport>,
    /// What should not be.
    pub others: Vec<String>,
}

impl Outcome {
    pub fn of(outputs: impl IntoIterator<Item = Output>) -> Self {
        let mut outcome = Self::default();
        for output in outputs {
            match output {
                Output::Pane(p) => {
                    let key = format!("{} {} {:?}", p.model, p.version, p.segment);
                    outcome.panes.push((p.start, key, p.rows, p.bytes));
                }
                Output::Report(r) => {
                    let text = serde_json::to_string(&r).unwrap();
                    outcome.reports.push((r.window.end, text));
                }
                Output::Alert(a) => {
                    let text = serde_json::to_string(&a).unwrap();
                    outcome.alerts.push((a.evaluated_at, text));
                }
                Output::Performance(r) => {
                    let key = (r.window.end, format!("{} {:?}", r.window.name, r.segment));
                    let last = outcome.performance.get(&key);
                    if last.is_none_or(|last| last.revision < r.revision) {
                        outcome.performance.insert(key, r);
                    }
                }
                other => outcome.others.push(format!("{other:?}")),
            }
        }
        outcome.panes.sort();
        outcome.reports.sort();
        outcome.alerts.sort();
        outcome
    }

    /// Forgets what happened after `end`, where one run may have seen more than another.
    pub fn keep_until(&mut self, end: Timestamp) {
        self.panes.retain(|pane| pane.0 <= end);
        self.reports.retain(|report| report.0 <= end);
        self.alerts.retain(|alert| alert.0 <= end);
        self.performance.retain(|(at, _), _| *at <= end);
    }

    /// Events in all panes, not by segment.
    pub fn rows(&self) -> u64 {
        let whole = self.panes.iter().filter(|pane| pane.1.ends_with("None"));
        whole.map(|pane| pane.2).sum()
    }

    pub fn sizes(&self) -> [usize; 3] {
        [self.panes.len(), self.reports.len(), self.alerts.len()]
    }
}

/// What `replay` makes of a file.
pub fn replayed(config: &Config, models: &ModelSet, file: &Path) -> Outcome {
    replayed_with(config, models, file, None)
}

/// The same with a file of labels.
pub fn replayed_with(
    config: &Config,
    models: &ModelSet,
    file: &Path,
    labels: Option<&Path>,
) -> Outcome {
    let options = observer_options(config, 1);
    let with_panes = EvaluatorOptions {
        emit_panes: true,
        ..EvaluatorOptions::default()
    };
    let mut replay = Replay::new(models, options, with_panes, &config.predictions.topic);
    if let Some(labels) = labels {
        let files = [labels.to_owned()];
        let options = label_options((&files, None), config, models).unwrap();
        replay.join(models, options).unwrap();
    }
    let mut outputs = Vec::new();
    let mut sink = |output| {
        outputs.push(output);
        Ok(())
    };
    let mut file = PredictionFile::open(
        &Input::from(file),
        &ColumnOptions::default(),
        models.catalog().clone(),
        PredictionDefaults::default(),
    )
    .unwrap();
    replay
        .file(&mut file, &mut sink, &ProgressBar::hidden())
        .unwrap();
    replay.finish(&mut sink).unwrap();
    assert!(replay.counts.dropped.is_empty(), "{:?}", replay.counts);
    let labels = replay.label_counts();
    assert!(labels.is_none_or(|counts| counts.dropped.is_empty()));
    Outcome::of(outputs)
}
