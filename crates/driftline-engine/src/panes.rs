//! The panes of one model and version: open until the watermark has passed them, then slid through the
//! windows of their series.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use driftline_event::Timestamp;

use crate::counting::span_micros;
use crate::evaluate::ColumnReference;
use crate::invariants::{Invariant, Violation};
use crate::ledger::Reached;
use crate::output::{ClosedPane, LateDelta, Output};
use crate::pane::PaneSummary;
use crate::segments::OTHER;
use crate::series::Series;
use crate::spec::ModelSpec;

/// What one observer counted for one series in one pane.
#[derive(Clone, Debug)]
pub(crate) struct Delta {
    pub(crate) segment: Option<String>,
    pub(crate) pane: i64,
    pub(crate) summary: PaneSummary,
}

type Pane = BTreeMap<Option<String>, PaneSummary>;

/// All series of a model with their open panes and windows.
#[derive(Clone, Debug)]
pub(crate) struct ModelPanes {
    spec: Arc<ModelSpec>,
    references: Arc<[ColumnReference]>,
    width: i64,
    hold: Duration,
    /// By start, in microseconds.
    open: BTreeMap<i64, Pane>,
    /// Panes that start before this are closed.
    closed_until: i64,
    /// The start of the first pane that was closed with events in it.
    first_pane: Option<i64>,
    /// All events first, then by segment.
    series: BTreeMap<Option<String>, Series>,
}

impl ModelPanes {
    pub(crate) fn new(spec: Arc<ModelSpec>) -> Self {
        let columns = spec.profile.columns.iter();
        Self {
            references: columns.map(|c| ColumnReference::new(&c.profile)).collect(),
            width: span_micros(spec.pane),
            hold: spec.out_of_orderness.saturating_add(spec.allowed_lateness),
            open: BTreeMap::new(),
            closed_until: i64::MIN,
            first_pane: None,
            series: BTreeMap::new(),
            spec,
        }
    }

    pub(crate) fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    pub(crate) fn closed_until(&self) -> Option<Timestamp> {
        (self.closed_until > i64::MIN).then(|| Timestamp::from_micros(self.closed_until))
    }

    pub(crate) fn series(&self) -> usize {
        self.series.len() * self.spec.profile.columns.len()
    }

    /// Adds a delta to its pane, unless that has closed or there are too many.
    pub(crate) fn merge(
        &mut self,
        delta: Delta,
        open_panes_max: usize,
        out: &mut Vec<Output>,
        violations: &mut Vec<Violation>,
    ) {
        let Delta {
            segment,
            pane,
            summary,
        } = delta;
        let at = Timestamp::from_micros(pane);
        if pane < self.closed_until {
            let (model, version) = (self.spec.model.clone(), self.spec.version.clone());
            let rows = summary.rows;
            out.push(Output::Late(LateDelta {
                model,
                version,
                segment,
                pane: at,
                rows,
            }));
            return;
        }
        let spec = Arc::clone(&self.spec);
        let name = || format!("model `{}` version `{}`", spec.model, spec.version);
        if self.open.len() >= open_panes_max && !self.open.contains_key(&pane) {
            let (rows, open) = (summary.rows, self.open.len());
            let detail = format!(
                "{}: {open} panes are open; {rows} rows at {at} are refused",
                name()
            );
            violations.push(Violation::new(Invariant::Bounded, detail));
            return;
        }
        let segment = self.admit(segment);
        let merged = match self.open.entry(pane).or_default().entry(segment) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(summary);
                Ok(())
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                entry.get_mut().merge(&summary)
            }
        };
        if let Err(error) = merged {
            let detail = format!("{}: a delta at {at} cannot be added: {error}", name());
            violations.push(Violation::new(Invariant::CountsConserved, detail));
        }
    }

    /// The series for a segment: its own if it has one or there is room, else that of the rest of its field.
    fn admit(&mut self, segment: Option<String>) -> Option<String> {
        if self.series.contains_key(&segment) {
            return segment;
        }
        let field = |label: &str| {
            let is_field = |f: &&String| {
                label
                    .strip_prefix(f.as_str())
                    .is_some_and(|rest| rest.starts_with('='))
            };
            self.spec.segments.iter().find(is_field)
        };
        let segment = segment.map(|label| {
            let Some(field) = field(&label) else {
                return label;
            };
            let prefix = format!("{field}=");
            let other = format!("{prefix}{OTHER}");
            let first = Some(prefix.clone());
            let values = self
                .series
                .range(first..)
                .take_while(|(s, _)| s.as_ref().is_some_and(|s| s.starts_with(&prefix)))
                .filter(|(s, _)| s.as_ref() != Some(&other));
            if values.count() < self.spec.segments_max {
                label
            } else {
                other
            }
        });
        self.series
            .entry(segment.clone())
            .or_insert_with(|| Series::new(&self.spec, segment.clone()));
        segment
    }

    /// Closes every pane that event time has passed, in order.
    pub(crate) fn close(&mut self, reached: Reached, emit_panes: bool, out: &mut Vec<Output>) {
        let bound = match reached {
            Reached::Nowhere => return,
            Reached::Front(front) => front.saturating_sub(self.hold).as_micros(),
            Reached::Idle(newest) => newest.as_micros(),
            Reached::End => i64::MAX,
        };
        loop {
            let first_open = self.open.first_key_value().map(|(start, _)| *start);
            let start = match first_open {
                // After the end of all input windows do not slide on into nothing.
                None if bound == i64::MAX => break,
                _ if !self.is_quiet() => self.closed_until,
                // Nothing is in any window: go straight to what comes next.
                Some(start) => start,
                None => break,
            };
            let end = start.saturating_add(self.width);
            if end > bound {
                break;
            }
            let pane = self.open.remove(&start).unwrap_or_default();
            if !pane.is_empty() {
                self.first_pane.get_or_insert(start);
            }
            self.closed_until = end;
            self.close_pane(start, pane, emit_panes, out);
        }
        if bound < i64::MAX && self.is_quiet() {
            let passed = Timestamp::from_micros(bound)
                .floor_to(self.spec.pane)
                .as_micros();
            self.closed_until = self.closed_until.max(passed);
        }
    }

    /// Whether sliding the windows further would change and say nothing.
    fn is_quiet(&self) -> bool {
        self.series.values().all(Series::is_quiet)
    }

    fn close_pane(&mut self, start: i64, mut pane: Pane, emit_panes: bool, out: &mut Vec<Output>) {
        if emit_panes {
            for (segment, summary) in &pane {
                let mut bytes = Vec::new();
                summary.encode(&mut bytes);
                out.push(Output::Pane(ClosedPane {
                    model: self.spec.model.clone(),
                    version: self.spec.version.clone(),
                    segment: segment.clone(),
                    start: Timestamp::from_micros(start),
                    rows: summary.rows,
                    bytes,
                }));
            }
        }
        let covered_from = self.first_pane.unwrap_or(start);
        for (segment, series) in &mut self.series {
            let summary = pane.remove(segment);
            series.close(
                self.closed_until,
                covered_from,
                summary.as_ref(),
                &self.references,
                out,
            );
        }
        let (open, end) = (&self.open, Timestamp::from_micros(self.closed_until));
        self.series.retain(|segment, series| {
            segment.is_none()
                || !series.is_forgettable(end)
                || open.values().any(|pane| pane.contains_key(segment))
        });
    }
}
