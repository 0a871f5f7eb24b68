//! The events that tell the world about an alert.

use driftline_event::{
    AlertEvent, AlertKind, AlertStatus, ColumnRole, Evidence, SeriesKey, Statistic, StatisticValue,
    WindowSpan,
};
use xxhash_rust::xxh3::Xxh3;

use crate::{ThresholdRule, Transition};

/// What an alert from this statistic, on a column with this role, is about.
pub const fn alert_kind(statistic: Statistic, role: ColumnRole) -> AlertKind {
    match role {
        _ if statistic.is_quality() => AlertKind::DataQuality,
        ColumnRole::Output => AlertKind::PredictionDrift,
        ColumnRole::Feature => AlertKind::FeatureDrift,
    }
}

/// The identity of everything that is ever said about one rule on one window of one series: 32 hex digits
/// of xxh3-128 over the model, version, segment, column, role, kind, rule and window.
pub fn fingerprint(series: &SeriesKey, kind: AlertKind, rule: &str, window: &str) -> String {
    let role = match series.role {
        ColumnRole::Feature => "feature",
        ColumnRole::Output => "output",
    };
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
            summary: self.summary(status),
        }
    }

    fn summary(&self, status: AlertStatus) -> String {
        let SeriesKey {
            model,
            version,
            segment,
            feature,
            role,
        } = self.series;
        let role = match role {
            ColumnRole::Feature => "feature",
            ColumnRole::Output => "output",
        };
        let segment = segment
            .as_ref()
            .map_or_else(String::new, |s| format!(" where {s}"));
        let (statistic, value, n) = (self.value.statistic, self.value.value, self.n);
        let judgement = match status {
            AlertStatus::Resolved => {
                format!("below {}", self.rule.threshold * self.rule.clear_ratio)
            }
            _ => format!("at or above {}", self.rule.threshold),
        };
        format!(
            "{statistic} of {role} `{feature}`{segment} is {value:.4}, {judgement}, in the {} window up to {} \
             ({n} values; model `{model}`, version `{version}`)",
            self.window.name, self.window.end,
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
}
