//! The panes of one model and version: open until the watermark has passed them, then slid through the
//! windows of their series.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use driftline_event::Timestamp;

use crate::counting::span_micros;
use crate::decision;
use crate::invariants::{Invariant, Violation};
use crate::ledger::Reached;
use crate::model::{Model, Peer};
use crate::output::{ClosedPane, LateDelta, Output};
use crate::pane::PaneSummary;
use crate::segments::OTHER;
use crate::series::{Closing, Series};
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
    model: Arc<Model>,
    width: i64,
    /// How far the front must be past the end of a pane for the pane to close.
    pub(crate) hold: Duration,
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
    /// `before` are the panes of models that this one may share what is the same with.
    pub(crate) fn new(spec: Arc<ModelSpec>, before: &[Self]) -> Self {
        let mut model = Model::new(spec);
        let others = before.iter().map(|panes| &*panes.model);
        model.share_banks(others);
        let spec = &model.spec;
        Self {
            width: span_micros(spec.pane),
            hold: spec.out_of_orderness.saturating_add(spec.allowed_lateness),
            open: BTreeMap::new(),
            closed_until: i64::MIN,
            first_pane: None,
            series: BTreeMap::new(),
            model: Arc::new(model),
        }
    }

    pub(crate) fn spec(&self) -> &ModelSpec {
        &self.model.spec
    }

    /// The name of the version that this one is compared with.
    pub(crate) fn peer_version(&self) -> Option<&str> {
        self.model.peer_version()
    }

    pub(crate) fn closed_until(&self) -> Option<Timestamp> {
        (self.closed_until > i64::MIN).then(|| Timestamp::from_micros(self.closed_until))
    }

    pub(crate) fn series(&self) -> usize {
        self.series.len() * self.model.spec.profile.columns.len()
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
            let (model, version) = (
                self.model.spec.model.clone(),
                self.model.spec.version.clone(),
            );
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
        let spec = Arc::clone(&self.model.spec);
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
            self.model.spec.segments.iter().find(is_field)
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
            if values.count() < self.model.spec.segments_max {
                label
            } else {
                other
            }
        });
        self.series
            .entry(segment.clone())
            .or_insert_with(|| Series::new(&self.model, segment.clone()));
        segment
    }

    /// How far panes may close.
    pub(crate) fn bound(&self, reached: Reached) -> Option<i64> {
        match reached {
            Reached::Nowhere => None,
            Reached::Front(front) => Some(front.saturating_sub(self.hold).as_micros()),
            Reached::Idle(newest) => Some(newest.as_micros()),
            Reached::End => Some(i64::MAX),
        }
    }

    pub(crate) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The end of the pane that closes next, if one does. `goes_on` says whether there are open panes, here or in a
    /// version that closes together with this one.
    pub(crate) fn next_end(&self, bound: i64, goes_on: bool) -> Option<i64> {
        let first_open = self.open.first_key_value().map(|(start, _)| *start);
        let start = match first_open {
            // After the end of all input windows do not slide on into nothing.
            _ if bound == i64::MAX && !goes_on => return None,
            _ if !self.is_quiet() => self.closed_until,
            // Nothing is in any window: go straight to what comes next.
            first_open => first_open?,
        };
        let end = start.saturating_add(self.width);
        (end <= bound).then_some(end)
    }

    /// Closes the pane that ends at `end`, from [`ModelPanes::next_end`]. `peer` is the version that this one is
    /// compared with, closed as far.
    pub(crate) fn close(
        &mut self,
        end: i64,
        peer: Option<&Self>,
        emit_panes: bool,
        out: &mut Vec<Output>,
    ) {
        let start = end - self.width;
        let pane = self.open.remove(&start).unwrap_or_default();
        if !pane.is_empty() {
            self.first_pane.get_or_insert(start);
        }
        self.closed_until = end;
        self.close_pane(start, pane, peer, emit_panes, out);
    }

    /// Notes that everything up to `bound` has closed, if nothing says so yet.
    pub(crate) fn settle(&mut self, bound: i64) {
        if bound < i64::MAX && self.is_quiet() {
            let passed = Timestamp::from_micros(bound)
                .floor_to(self.spec().pane)
                .as_micros();
            self.closed_until = self.closed_until.max(passed);
        }
    }

    /// Whether sliding the windows further would change and say nothing.
    fn is_quiet(&self) -> bool {
        self.series.values().all(Series::is_quiet)
    }

    fn close_pane(
        &mut self,
        start: i64,
        mut pane: Pane,
        peer: Option<&Self>,
        emit_panes: bool,
        out: &mut Vec<Output>,
    ) {
        if emit_panes {
            self.emit(start, &pane, out);
        }
        let (model, end) = (Arc::clone(&self.model), self.closed_until);
        let peer_of = |segment: &Option<String>| {
            let panes = peer?;
            Some(Peer {
                series: panes.series.get(segment)?,
                covered_from: panes.first_pane?,
            })
        };
        let closing = |segment: &Option<String>| Closing {
            model: &model,
            peer: peer_of(segment),
            end,
        };
        for (segment, series) in &mut self.series {
            let summary = pane.remove(segment);
            series.take(closing(segment), summary.as_ref(), out);
        }
        decision::judge(&mut self.series, &model, peer_of, end, out);
        let covered_from = self.first_pane.unwrap_or(start);
        for (segment, series) in &mut self.series {
            series.report(closing(segment), covered_from, out);
        }
        let (open, end) = (&self.open, Timestamp::from_micros(end));
        self.series.retain(|segment, series| {
            segment.is_none()
                || !series.is_forgettable(&model.spec, end)
                || open.values().any(|pane| pane.contains_key(segment))
        });
    }

    fn emit(&self, start: i64, pane: &Pane, out: &mut Vec<Output>) {
        for (segment, summary) in pane {
            let mut bytes = Vec::new();
            summary.encode(&mut bytes);
            out.push(Output::Pane(ClosedPane {
                model: self.spec().model.clone(),
                version: self.spec().version.clone(),
                segment: segment.clone(),
                start: Timestamp::from_micros(start),
                rows: summary.rows,
                bytes,
            }));
        }
    }
}
