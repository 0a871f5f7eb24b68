//! The events of rules on p-values and of quorums.

use driftline_event::{
    AlertEvent, AlertKind, AlertStatus, ColumnRole, Evidence, SeriesKey, Severity, Statistic,
    StatisticValue, Timestamp, WindowSpan,
};

use super::{alert_kind, fingerprint};
use crate::{Ballot, ColumnQuorum, PValueRule, Transition};

/// Where the name of a column is due in what is about all of them.
pub const ALL_COLUMNS: &str = "*";

/// What an alert of a rule on p-values is about, in one closed window.
#[derive(Clone, Copy, Debug)]
pub struct PValueSubject<'a> {
    /// Which series.
    pub series: &'a SeriesKey,
    /// The rule that stepped.
    pub rule: &'a PValueRule,
    /// The window that closed.
    pub window: &'a WindowSpan,
    /// The reference's id.
    pub reference: &'a str,
    /// The statistic of the test.
    pub value: StatisticValue,
    /// The p-value up to which the correction rejected.
    pub level: f64,
    /// How many values it rests on.
    pub n: u64,
}

impl PValueSubject<'_> {
    /// The event for a transition of this subject's machine. The threshold of its evidence is the level for the p-value,
    /// not one for the statistic.
    pub fn event(&self, transition: Transition) -> AlertEvent {
        let p_value = self.value.p_value.unwrap_or(1.0);
        let judgement = match transition {
            Transition::Fired { .. } => "rejected",
            Transition::Resolved { .. } => "no longer rejected",
        };
        let summary = format!(
            "p-value {p_value:.3e} of {} of `{}` is {judgement} at {:.3e} in the {} window up to {} ({} values; model \
             `{}`, version `{}`)",
            self.value.statistic,
            self.series.feature,
            self.level,
            self.window.name,
            self.window.end,
            self.n,
            self.series.model,
            self.series.version,
        );
        let evidence = Evidence {
            name: self.value.statistic,
            value: self.value.value,
            threshold: self.level,
            p_value: self.value.p_value,
            n: self.n,
        };
        let kind = alert_kind(self.value.statistic, self.series.role);
        let (rule, severity) = (self.rule.name.as_str(), self.rule.severity);
        let about = About {
            series: self.series,
            window: self.window,
            reference: self.reference,
        };
        about.event((rule, severity, kind), transition, evidence, summary)
    }
}

/// What an alert of a quorum is about, in one closed window.
#[derive(Clone, Copy, Debug)]
pub struct QuorumSubject<'a> {
    /// The model, version and segment; the column is [`ALL_COLUMNS`].
    pub series: &'a SeriesKey,
    /// The quorum that stepped.
    pub rule: &'a ColumnQuorum,
    /// The window that closed.
    pub window: &'a WindowSpan,
    /// The reference's id.
    pub reference: &'a str,
    /// The statistic of the rule that has to hold.
    pub statistic: Statistic,
    /// The columns of the window.
    pub ballot: &'a Ballot,
}

impl QuorumSubject<'_> {
    /// The event for a transition of this subject's machine: its evidence counts columns.
    pub fn event(&self, transition: Transition) -> AlertEvent {
        let (holding, judged) = (self.ballot.holding.len(), self.ballot.judged);
        let required = self.rule.quorum.required(judged);
        let summary = format!(
            "`{}` holds for {holding} of {judged} columns, {required} make a quorum, in the {} window up to {}: {} (model \
             `{}`, version `{}`)",
            self.rule.rule,
            self.window.name,
            self.window.end,
            self.ballot.holding.join(", "),
            self.series.model,
            self.series.version,
        );
        let evidence = Evidence {
            name: self.statistic,
            value: holding as f64,
            threshold: required as f64,
            p_value: None,
            n: judged as u64,
        };
        let kind = alert_kind(self.statistic, ColumnRole::Feature);
        let (rule, severity) = (self.rule.name.as_str(), self.rule.severity);
        let about = About {
            series: self.series,
            window: self.window,
            reference: self.reference,
        };
        about.event((rule, severity, kind), transition, evidence, summary)
    }
}

struct About<'a> {
    series: &'a SeriesKey,
    window: &'a WindowSpan,
    reference: &'a str,
}

impl About<'_> {
    fn event(
        &self,
        (rule, severity, kind): (&str, Severity, AlertKind),
        transition: Transition,
        statistic: Evidence,
        summary: String,
    ) -> AlertEvent {
        let (status, started_at, ended_at): (_, Timestamp, _) = match transition {
            Transition::Fired { started_at } => (AlertStatus::Firing, started_at, None),
            Transition::Resolved {
                started_at,
                ended_at,
            } => (AlertStatus::Resolved, started_at, Some(ended_at)),
        };
        let fingerprint = fingerprint(self.series, kind, rule, &self.window.name);
        let end = self.window.end;
        AlertEvent {
            alert_id: format!("{fingerprint}-{}-{}", end.as_micros(), status.as_str()),
            fingerprint,
            status,
            severity,
            kind,
            series: self.series.clone(),
            rule: rule.to_owned(),
            statistic,
            window: self.window.clone(),
            reference: self.reference.to_owned(),
            started_at,
            evaluated_at: end,
            ended_at,
            onset: None,
            effect: None,
            incident: None,
            metric: None,
            summary,
        }
    }
}
