//! The windows and alerts of one series: all columns of one segment of one model.

use driftline_detect::{BANK, BankSubject};
use driftline_event::{
    AlertEvent, AlertStatus, Decision, SeriesKey, Severity, Statistic, Timestamp, WindowSpan,
};

use crate::baseline::Origin;
use crate::counting::span_micros;
use crate::decision::{Cleared, Moved, QUALITY, SeriesBank, View};
use crate::evaluate::{ColumnReference, Description};
use crate::invariants::{Invariant, Violation};
use crate::judge::{Close, Judge};
use crate::ladder::Ladder;
use crate::model::{Asker, Model, Peer};
use crate::output::Output;
use crate::pane::PaneSummary;
use crate::rules::RuleStates;
use crate::spec::ModelSpec;
use crate::trailing::Trailing;

/// Running windows, the state of every rule, and the bank.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    segment: Option<String>,
    keys: Vec<SeriesKey>,
    ladder: Ladder,
    /// The series' own past, where that is the baseline.
    trailing: Option<Trailing>,
    /// Only with a budget.
    bank: Option<SeriesBank>,
    rules: RuleStates,
    /// By window: whether its last close had events, so that the end of them is still to be said.
    had_events: Vec<bool>,
    /// By window: the references of a baseline that is not the reference itself, and what they were made of.
    references: Vec<Option<(Origin, Vec<ColumnReference>)>>,
}

/// The pane that closes, and what it closes in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closing<'a> {
    pub(crate) model: &'a Model,
    /// The same segment of the version that this one is compared with.
    pub(crate) peer: Option<Peer<'a>>,
    /// The end of the pane.
    pub(crate) end: i64,
}

impl Series {
    pub(crate) fn new(model: &Model, segment: Option<String>) -> Self {
        let spec = &model.spec;
        let key = |column: &driftline_sketch::ProfiledColumn| SeriesKey {
            model: spec.model.clone(),
            version: spec.version.clone(),
            segment: segment.clone(),
            feature: column.column.name.clone(),
            role: column.column.role,
        };
        Self {
            keys: spec.profile.columns.iter().map(key).collect(),
            ladder: Ladder::new(&spec.windows, &spec.profile),
            trailing: model.trailing(),
            bank: model.budget.as_ref().map(|_| SeriesBank::default()),
            rules: RuleStates::new(spec),
            had_events: vec![false; spec.windows.len()],
            references: vec![None; spec.windows.len()],
            segment,
        }
    }

    /// Whether further empty panes would change and say nothing.
    pub(crate) fn is_quiet(&self) -> bool {
        let gathers = self.bank.as_ref().is_some_and(SeriesBank::has_pending);
        self.ladder.is_empty() && !self.had_events.contains(&true) && !gathers
    }

    /// Whether nothing would be lost if the series were made anew when events come.
    pub(crate) fn is_forgettable(&self, spec: &ModelSpec, at: Timestamp) -> bool {
        let end = at.as_micros();
        self.is_quiet()
            && self.rules.is_idle(spec, at)
            && self.bank.as_ref().is_none_or(SeriesBank::is_idle)
            && self.trailing.as_ref().is_none_or(|t| t.is_empty(end))
    }

    /// A window's sum as of its last close, with the instant of that.
    pub(crate) fn window(&self, window: usize) -> Option<(i64, &PaneSummary)> {
        self.ladder.last(window)
    }

    /// Takes in a pane that has closed.
    pub(crate) fn take(
        &mut self,
        closing: Closing<'_>,
        pane: Option<&PaneSummary>,
        out: &mut Vec<Output>,
    ) {
        let Closing { model, end, .. } = closing;
        let (spec, profile) = (&model.spec, &model.spec.profile);
        let start = end - span_micros(spec.pane);
        let mut outcome = self.ladder.push(end, pane, profile);
        if let Some(trailing) = &mut self.trailing {
            outcome = outcome.and(trailing.push(start, end, pane, profile));
        }
        if let (Some(bank), Some(pane)) = (&mut self.bank, pane) {
            outcome = outcome.and(bank.gather(pane));
        }
        if let Err(error) = outcome {
            let at = Timestamp::from_micros(end);
            let detail = format!("model `{}` window at {at}: {error}", spec.model);
            out.push(Output::Violation(Violation::new(
                Invariant::CountsConserved,
                detail,
            )));
        }
    }

    /// What the bank of the series is judged by, if there is a budget.
    fn view<'a>(&'a self, closing: Closing<'a>) -> Option<View<'a>> {
        view(closing, self.segment.as_deref(), self.trailing.as_ref())
    }

    /// Steps the bank with the decision step that ends here, if it has events. Whether it did; and what it ends.
    pub(crate) fn step(&mut self, closing: Closing<'_>, out: &mut Vec<Output>) -> bool {
        let view = view(closing, self.segment.as_deref(), self.trailing.as_ref());
        let (Some(bank), Some(view)) = (&mut self.bank, view) else {
            return false;
        };
        let Some(cleared) = bank.step(closing.end, &view) else {
            return false;
        };
        for cleared in cleared {
            let Cleared {
                column,
                stream,
                alarm,
                evidence,
            } = cleared;
            let place = (column, stream);
            let (Some(bank), Some(view)) = (&self.bank, self.view(closing)) else {
                continue;
            };
            let Some(moved) = bank.moved_since(place, &alarm, closing.end, &self.ladder, &view)
            else {
                continue;
            };
            let told = Told {
                status: AlertStatus::Resolved,
                evidence,
                started_at: alarm.started_at,
                incident: &alarm.incident,
            };
            out.push(Output::Alert(self.event(place, closing, &moved, told)));
        }
        true
    }

    /// Drops the evidence of a segment that has had no events since `before`.
    pub(crate) fn rest(&mut self, before: i64) {
        if let (Some(_), Some(bank)) = (&self.segment, &mut self.bank) {
            bank.rest(before);
        }
    }

    pub(crate) fn bank(&self) -> Option<&SeriesBank> {
        self.bank.as_ref()
    }

    pub(crate) fn bank_mut(&mut self) -> Option<&mut SeriesBank> {
        self.bank.as_mut()
    }

    /// Begins the alert of a stream to which an alarm was attributed.
    pub(crate) fn fire(
        &mut self,
        place: (usize, usize),
        closing: Closing<'_>,
        incident: &str,
    ) -> Option<AlertEvent> {
        let view = view(closing, self.segment.as_deref(), self.trailing.as_ref())?;
        let bank = self.bank.as_mut()?;
        let (moved, evidence) = bank.fire(place, (closing.end, incident), &self.ladder, &view)?;
        let told = Told {
            status: AlertStatus::Firing,
            evidence,
            started_at: closing.end,
            incident,
        };
        Some(self.event(place, closing, &moved, told))
    }

    fn event(
        &self,
        (column, stream): (usize, usize),
        closing: Closing<'_>,
        moved: &Moved,
        told: Told<'_>,
    ) -> AlertEvent {
        let Closing { model, end, .. } = closing;
        let view = self.view(closing);
        let reference = model.label(view.as_ref().and_then(|v| v.source.as_ref()));
        let window = WindowSpan {
            name: BANK.to_owned(),
            start: Timestamp::from_micros(moved.onset),
            end: Timestamp::from_micros(end),
            events: moved.rows,
        };
        let statistic = match stream {
            QUALITY => Statistic::BankQuality,
            _ => Statistic::Bank,
        };
        BankSubject {
            series: &self.keys[column],
            statistic,
            window: &window,
            reference: &reference,
            evidence: told.evidence,
            threshold: view.map_or(f64::MAX, |v| v.budget.threshold.ln()),
            n: moved.trials as u64,
            started_at: Timestamp::from_micros(told.started_at),
            effect: &moved.effect,
            incident: told.incident,
            severity: model
                .spec
                .decision
                .as_ref()
                .map_or(Severity::Warning, |decision| decision.severity),
        }
        .event(told.status)
    }

    /// What the bank says about every column now.
    fn decisions(&self, closing: Closing<'_>) -> Vec<Option<Decision>> {
        let (Some(bank), Some(view)) = (&self.bank, self.view(closing)) else {
            return Vec::new();
        };
        let columns = 0..self.keys.len();
        let of = |column| bank.decision(column, closing.end, &self.ladder, &view);
        columns.map(of).collect()
    }

    /// Reports every window that closes here.
    ///
    /// A window without events is reported once, as stale, and then no more until events come.
    pub(crate) fn report(
        &mut self,
        closing: Closing<'_>,
        covered_from: i64,
        out: &mut Vec<Output>,
    ) {
        let Closing { model, end, .. } = closing;
        // The same for all windows that close here.
        let mut decisions: Option<Vec<_>> = None;
        for (window, window_spec) in model.spec.windows.iter().enumerate() {
            let Some(sum) = self.ladder.closing(window, end) else {
                continue;
            };
            let had_events = std::mem::replace(&mut self.had_events[window], sum.rows > 0);
            if sum.rows == 0 && !had_events {
                continue;
            }
            let decisions = decisions.get_or_insert_with(|| self.decisions(closing));
            let start = end - span_micros(window_spec.size);
            let span = WindowSpan {
                name: window_spec.name.clone(),
                start: Timestamp::from_micros(start),
                end: Timestamp::from_micros(end),
                events: sum.rows,
            };
            let asker = asker(closing, self.segment.as_deref(), self.trailing.as_ref());
            let source = model.window_source(window, asker);
            let origin = source.and_then(|source| source.origin(start, end));
            let is_in_force = origin.is_some();
            let label = model.label(source.as_ref().filter(|_| is_in_force));
            let references = references(&mut self.references[window], model, source, origin);
            let columns = &model.spec.profile.columns;
            let described: Vec<Description> = references
                .iter()
                .zip(columns)
                .zip(&sum.columns)
                .map(|((reference, column), counts)| {
                    reference.describe(&column.profile, counts, sum.rows)
                })
                .collect();
            let judge = Judge {
                model,
                keys: &self.keys,
                close: Close {
                    span: &span,
                    window,
                    covered: start >= covered_from,
                    is_in_force,
                },
                reference: &label,
                bank: self.bank.as_ref(),
                decisions,
            };
            let sizes: Vec<u64> = references.iter().map(|r| r.valid).collect();
            judge.report(described, &sizes, &mut self.rules, out);
        }
    }
}

/// What is said about an alert of the bank besides what moved.
#[derive(Clone, Copy, Debug)]
struct Told<'a> {
    status: AlertStatus,
    evidence: f64,
    started_at: i64,
    incident: &'a str,
}

fn asker<'a>(
    closing: Closing<'a>,
    segment: Option<&'a str>,
    trailing: Option<&'a Trailing>,
) -> Asker<'a> {
    Asker {
        segment,
        trailing,
        peer: closing.peer,
    }
}

/// See [`Series::view`]; of the fields that it needs, so that the others can change meanwhile.
fn view<'a>(
    closing: Closing<'a>,
    segment: Option<&'a str>,
    trailing: Option<&'a Trailing>,
) -> Option<View<'a>> {
    let model = closing.model;
    Some(View {
        budget: model.budget.as_ref()?,
        profile: &model.spec.profile,
        own_banks: &model.own_banks,
        source: model.bank_source(asker(closing, segment, trailing)),
        slice: model.slice(segment),
        is_segment: segment.is_some(),
    })
}

/// The references of the baseline in force; those of the model's own reference if there is none.
fn references<'a>(
    cache: &'a mut Option<(Origin, Vec<ColumnReference>)>,
    model: &'a Model,
    source: Option<crate::baseline::Source<'_>>,
    origin: Option<Origin>,
) -> &'a [ColumnReference] {
    let (Some(source), Some(origin)) = (source, origin) else {
        return &model.references;
    };
    if origin == Origin::Own {
        return &model.references;
    }
    if cache.as_ref().is_none_or(|(of, _)| *of != origin) {
        let columns = model.spec.profile.columns.iter().enumerate();
        let made = columns.map(|(i, column)| match source.column(&origin, i) {
            Some(counts) => ColumnReference::of(&column.profile, &counts),
            None => model.references[i].clone(),
        });
        let made = made.collect();
        *cache = Some((origin, made));
    }
    cache.as_ref().map_or(&model.references, |(_, made)| made)
}
