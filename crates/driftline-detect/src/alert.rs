//! The events that tell the world about an alert.

use driftline_event::{
    AlertEvent, AlertKind, AlertStatus, ColumnRole, Effect, Evidence, SeriesKey, Severity,
    Statistic, StatisticValue, Timestamp, WindowSpan,
};
use xxhash_rust::xxh3::Xxh3;

mod rules;

use crate::{ThresholdRule, Transition};
pub use rules::{ALL_COLUMNS, PValueSubject, QuorumSubject};

/// What an alert from this statistic, on a column with this role, is about.
pub const fn alert_kind(statistic: Statistic, role: ColumnRole) -> AlertKind {
    match role {
        _ if statistic.is_quality() => AlertKind::DataQuality,
        ColumnRole::Output => AlertKind::PredictionDrift,
        ColumnRole::Feature => AlertKind::FeatureDrift,
        ColumnRole::Label => AlertKind::ConceptDrift,
    }
}

/// The identity of everything that is ever said about one rule on one window of one series: 32 hex digits
/// of xxh3-128 over the model, version, segment, column, role, kind, rule and window.
pub fn fingerprint(series: &SeriesKey, kind: AlertKind, rule: &str, window: &str) -> String {
    let role = series.role.as_str();
    let segment = series.segment.as_deref();
    let mut hash = Xxh3::new();
    // No segment and an empty segment are not the same, so presence is hashed too.
    hash.update(&[u8::from(segment.is_some())]);
    for part in [
        &series.model,
        &series.version,
        segment.unwrap_or(""),
        &series.feature,
        role,
        kind.as_str(),
        rule,
        window,
    ] {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    format!("{:032x}", hash.digest128())
}

/// What an alert is about, in one closed window.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Which series.
    pub series: &'a SeriesKey,
    /// The rule that stepped.
    pub rule: &'a ThresholdRule,
    /// The window that closed.
    pub window: &'a WindowSpan,
    /// The reference's id.
    pub reference: &'a str,
    /// The statistic that the rule looked at.
    pub value: StatisticValue,
    /// How many values it rests on.
    pub n: u64,
}

impl Subject<'_> {
    /// The event for a transition of this subject's machine.
    ///
    /// The same step always gives the same event with the same id, so a consumer can drop repeats.
    pub fn event(&self, transition: Transition) -> AlertEvent {
        let (status, started_at, ended_at) = match transition {
            Transition::Fired { started_at } => (AlertStatus::Firing, started_at, None),
            Transition::Resolved {
                started_at,
                ended_at,
            } => (AlertStatus::Resolved, started_at, Some(ended_at)),
        };
        let kind = alert_kind(self.value.statistic, self.series.role);
        let fingerprint = fingerprint(self.series, kind, &self.rule.name, &self.window.name);
        AlertEvent {
            alert_id: format!(
                "{fingerprint}-{}-{}",
                self.window.end.as_micros(),
                status.as_str()
            ),
            fingerprint,
            status,
            severity: self.rule.severity,
            kind,
            series: self.series.clone(),
            rule: self.rule.name.clone(),
            statistic: Evidence {
                name: self.value.statistic,
                value: self.value.value,
                threshold: self.rule.threshold,
                p_value: self.value.p_value,
                n: self.n,
            },
            window: self.window.clone(),
            reference: self.reference.to_owned(),
            started_at,
            evaluated_at: self.window.end,
            ended_at,
            onset: None,
            effect: None,
            incident: None,
            metric: None,
            summary: self.summary(status),
        }
    }

    fn summary(&self, status: AlertStatus) -> String {
        let (column, SeriesKey { model, version, .. }) = (column_words(self.series), self.series);
        let (statistic, value, n) = (self.value.statistic, self.value.value, self.n);
        let judgement = match status {
            AlertStatus::Resolved => {
                format!("below {}", self.rule.threshold * self.rule.clear_ratio)
            }
            _ => format!("at or above {}", self.rule.threshold),
        };
        format!(
            "{statistic} of {column} is {value:.4}, {judgement}, in the {} window up to {} \
             ({n} values; model `{model}`, version `{version}`)",
            self.window.name, self.window.end,
        )
    }
}

/// A column of a segment in words, as sentences about it begin.
fn column_words(series: &SeriesKey) -> String {
    let role = series.role.as_str();
    let segment = series.segment.as_ref();
    let segment = segment.map_or_else(String::new, |s| format!(" where {s}"));
    format!("{role} `{}`{segment}", series.feature)
}

/// The name of the indicator bank where a rule's or a window's name is due.
pub const BANK: &str = "bank";

/// The identity of one alarm of a model version's budget, which all alerts that it raises share: 32 hex digits of
/// xxh3-128 over model, version and the end of the decision step.
pub fn incident(model: &str, version: &str, at: Timestamp) -> String {
    let mut hash = Xxh3::new();
    for part in [model, version] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(&at.as_micros().to_le_bytes());
    format!("{:032x}", hash.digest128())
}

/// What an alert of the indicator bank is about, at the end of one decision step.
#[derive(Clone, Copy, Debug)]
pub struct BankSubject<'a> {
    /// Which series.
    pub series: &'a SeriesKey,
    /// [`Statistic::Bank`] or [`Statistic::BankQuality`].
    pub statistic: Statistic,
    /// From the onset to the end of the step.
    pub window: &'a WindowSpan,
    /// What it was compared with.
    pub reference: &'a str,
    /// Natural logarithm of the weighted evidence.
    pub evidence: f64,
    /// Natural logarithm of the evidence at which the model's alarm is raised.
    pub threshold: f64,
    /// Values that the indicator rests on since the onset.
    pub n: u64,
    /// The end of the step in which the alert fired.
    pub started_at: Timestamp,
    /// How far what moved has moved.
    pub effect: &'a Effect,
    /// The alarm that raised it, from [`incident`].
    pub incident: &'a str,
    /// How bad it is.
    pub severity: Severity,
}

impl BankSubject<'_> {
    /// The event that says that the alert fires, or that it is resolved. The same step always gives the same event.
    pub fn event(&self, status: AlertStatus) -> AlertEvent {
        let kind = alert_kind(self.statistic, self.series.role);
        let fingerprint = fingerprint(self.series, kind, BANK, BANK);
        let end = self.window.end;
        AlertEvent {
            alert_id: format!("{fingerprint}-{}-{}", end.as_micros(), status.as_str()),
            fingerprint,
            status,
            severity: self.severity,
            kind,
            series: self.series.clone(),
            rule: BANK.to_owned(),
            statistic: Evidence {
                name: self.statistic,
                value: self.evidence,
                threshold: self.threshold,
                p_value: None,
                n: self.n,
            },
            window: self.window.clone(),
            reference: self.reference.to_owned(),
            started_at: self.started_at,
            evaluated_at: end,
            ended_at: (status == AlertStatus::Resolved).then_some(end),
            onset: Some(self.window.start),
            effect: Some(self.effect.clone()),
            incident: Some(self.incident.to_owned()),
            metric: None,
            summary: self.summary(status),
        }
    }

    fn summary(&self, status: AlertStatus) -> String {
        let (column, SeriesKey { model, version, .. }) = (column_words(self.series), self.series);
        let Effect {
            indicator,
            reference,
            current,
            h,
            tolerance,
            ..
        } = self.effect;
        let judgement = match status {
            AlertStatus::Resolved => "is back within tolerance after",
            _ => "has drifted:",
        };
        format!(
            "{column} {judgement} {indicator} in {:.2} % of {} values since {}, {:.2} % in the \
             reference (h {h:.3}, tolerated {tolerance:.3}; model `{model}`, version `{version}`)",
            100.0 * current,
            self.n,
            self.window.start,
            100.0 * reference,
        )
    }
}

#[cfg(test)]
mod tests {
    use driftline_event::Timestamp;

    use super::*;

    fn series(segment: Option<&str>) -> SeriesKey {
        SeriesKey {
            model: "flights".to_owned(),
            version: "2".to_owned(),
            segment: segment.map(str::to_owned),
            feature: "distance".to_owned(),
            role: ColumnRole::Feature,
        }
    }

    fn event(segment: Option<&str>, transition: Transition) -> AlertEvent {
        let series = series(segment);
        let window = WindowSpan {
            name: "24h".to_owned(),
            start: Timestamp::from_seconds(0),
            end: Timestamp::from_seconds(86_400),
            events: 2_000,
        };
        let value = StatisticValue {
            statistic: Statistic::Psi,
            value: 0.25,
            floor: None,
            p_value: None,
        };
        let rule = &ThresholdRule::default();
        let subject = Subject {
            series: &series,
            rule,
            window: &window,
            reference: "ref",
            value,
            n: 1_999,
        };
        subject.event(transition)
    }

    #[test]
    fn the_fingerprint_is_stable_and_tells_everything_apart() {
        let of = |s: &SeriesKey, kind, rule, window| fingerprint(s, kind, rule, window);
        let base = of(&series(None), AlertKind::FeatureDrift, "psi", "24h");
        assert_eq!(
            base,
            of(&series(None), AlertKind::FeatureDrift, "psi", "24h")
        );
        assert_eq!(base.len(), 32);
        let others = [
            of(&series(Some("")), AlertKind::FeatureDrift, "psi", "24h"),
            of(
                &series(Some("origin=JFK")),
                AlertKind::FeatureDrift,
                "psi",
                "24h",
            ),
            of(&series(None), AlertKind::DataQuality, "psi", "24h"),
            of(&series(None), AlertKind::FeatureDrift, "psi2", "4h"),
            of(&series(None), AlertKind::FeatureDrift, "psi", "1h"),
        ];
        assert!(others.iter().all(|o| *o != base), "{base} {others:?}");
    }

    #[test]
    fn firing_and_resolved_share_a_fingerprint_but_not_an_id() {
        let at = Timestamp::from_seconds(86_400);
        let fired = event(Some("origin=JFK"), Transition::Fired { started_at: at });
        let resolved = event(
            Some("origin=JFK"),
            Transition::Resolved {
                started_at: at,
                ended_at: at,
            },
        );
        assert_eq!(fired.fingerprint, resolved.fingerprint);
        assert_ne!(fired.alert_id, resolved.alert_id);
        assert_eq!(resolved.ended_at, Some(at));
        assert_eq!(
            fired.summary,
            "psi of feature `distance` where origin=JFK is 0.2500, at or above 0.2, in the 24h window up to \
             1970-01-02T00:00:00Z (1999 values; model `flights`, version `2`)"
        );
    }

    #[test]
    fn the_kind_follows_the_statistic_first() {
        use driftline_event::ColumnRole::{Feature, Output};
        assert_eq!(
            alert_kind(Statistic::MissingRatio, Output),
            AlertKind::DataQuality
        );
        assert_eq!(
            alert_kind(Statistic::Psi, Output),
            AlertKind::PredictionDrift
        );
        assert_eq!(alert_kind(Statistic::Psi, Feature), AlertKind::FeatureDrift);
    }

    #[test]
    fn an_alarm_of_the_bank_says_what_moved_since_when() {
        let series = series(Some("origin=JFK"));
        let at = Timestamp::from_seconds;
        let (start, end) = (at(0), at(86_400));
        let window = WindowSpan {
            name: BANK.to_owned(),
            start,
            end,
            events: 2_000,
        };
        let effect = Effect {
            indicator: "distance ≤ 41.0".to_owned(),
            reference: 0.5,
            current: 0.625,
            lower: 0.6,
            upper: 0.65,
            h: 0.2527,
            tolerance: 0.1,
        };
        let incident = incident("flights", "2", end);
        let subject = BankSubject {
            series: &series,
            statistic: Statistic::BankQuality,
            window: &window,
            reference: "ref",
            evidence: 12.0,
            threshold: 10.7,
            n: 1_990,
            started_at: end,
            effect: &effect,
            incident: &incident,
            severity: Severity::Warning,
        };
        let (fired, resolved) = (
            subject.event(AlertStatus::Firing),
            subject.event(AlertStatus::Resolved),
        );
        assert_eq!(fired.fingerprint, resolved.fingerprint);
        assert_ne!(fired.alert_id, resolved.alert_id);
        assert_eq!(
            (fired.kind, fired.onset),
            (AlertKind::DataQuality, Some(start))
        );
        assert_eq!((fired.ended_at, resolved.ended_at), (None, Some(end)));
        assert_eq!(fired.incident.as_deref(), Some(&incident[..]));
        assert_eq!(
            fired.summary,
            "feature `distance` where origin=JFK has drifted: distance ≤ 41.0 in 62.50 % of 1990 values since \
             1970-01-01T00:00:00Z, 50.00 % in the reference (h 0.253, tolerated 0.100; model `flights`, version `2`)"
        );
        assert_ne!(incident, super::incident("flights", "2", start));
    }
}
