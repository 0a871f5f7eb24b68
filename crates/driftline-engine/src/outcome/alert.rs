//! The alerts that labels raise.

use driftline_detect::{Transition, fingerprint};
use driftline_event::{
    AlertEvent, AlertKind, AlertStatus, ColumnRole, Effect, Evidence, Metric, SeriesKey, Severity,
    Timestamp, WindowSpan,
};

use super::model::LabelModel;

/// What an alert is about.
#[derive(Clone, Debug)]
pub(crate) struct LabelAlert<'a> {
    pub(crate) model: &'a LabelModel,
    pub(crate) segment: Option<&'a str>,
    /// What stands where a column's name is due.
    pub(crate) feature: &'a str,
    pub(crate) kind: AlertKind,
    pub(crate) rule: &'a str,
    pub(crate) severity: Severity,
    pub(crate) statistic: Evidence,
    pub(crate) metric: Option<Metric>,
    /// By the time of the predictions.
    pub(crate) window: WindowSpan,
    /// What it was compared with.
    pub(crate) reference: String,
    /// The end of the tick, in microseconds.
    pub(crate) at: i64,
    /// What the sentence says, up to the name of the model.
    pub(crate) sentence: String,
}

/// What only alerts of the bank have.
#[derive(Clone, Debug)]
pub(crate) struct OfBank<'a> {
    pub(crate) onset: i64,
    pub(crate) effect: Effect,
    pub(crate) incident: &'a str,
}

impl LabelAlert<'_> {
    /// The event of a step in the alert's life. The same step always gives the same event with the same id.
    pub(crate) fn event(self, transition: Transition, of_bank: Option<OfBank<'_>>) -> AlertEvent {
        let (status, started_at, ended_at) = match transition {
            Transition::Fired { started_at } => (AlertStatus::Firing, started_at, None),
            Transition::Resolved {
                started_at,
                ended_at,
            } => (AlertStatus::Resolved, started_at, Some(ended_at)),
        };
        let spec = &self.model.spec;
        let series = SeriesKey {
            model: spec.model.clone(),
            version: spec.version.clone(),
            segment: self.segment.map(str::to_owned),
            feature: self.feature.to_owned(),
            role: ColumnRole::Label,
        };
        let fingerprint = fingerprint(&series, self.kind, self.rule, &self.window.name);
        let place = self
            .segment
            .map_or_else(String::new, |s| format!(" where {s}"));
        let (model, version) = (&spec.model, &spec.version);
        let (onset, effect, incident) = of_bank.map_or((None, None, None), |b| {
            let onset = Timestamp::from_micros(b.onset);
            (Some(onset), Some(b.effect), Some(b.incident.to_owned()))
        });
        AlertEvent {
            alert_id: format!("{fingerprint}-{}-{}", self.at, status.as_str()),
            fingerprint,
            status,
            severity: self.severity,
            kind: self.kind,
            summary: format!(
                "{}{place} (model `{model}`, version `{version}`)",
                self.sentence
            ),
            series,
            rule: self.rule.to_owned(),
            statistic: self.statistic,
            metric: self.metric,
            window: self.window,
            reference: self.reference,
            started_at,
            evaluated_at: Timestamp::from_micros(self.at),
            ended_at,
            onset,
            effect,
            incident,
        }
    }
}
