//! The read view: the newest report of every series and window, and the alerts.

use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use driftline_event::{
    AlertEvent, AlertKind, AlertStatus, SeriesKey, Severity, Statistic, Timestamp, WindowReport,
};

use crate::performance::PerformanceReports;
use crate::{InternalEvent, TelemetryOptions};

/// The newest report of one series and window, as readers see it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesView {
    /// The report.
    pub report: Arc<WindowReport>,
    /// The end of the first window of the unbroken run with the report's state.
    pub state_since: Timestamp,
    /// End and Jensen–Shannon distance of the last windows, oldest first.
    pub history: Vec<(Timestamp, f64)>,
}

/// What alerts are about: the labels of `driftline_alert_active`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Monitor {
    pub(crate) model: String,
    pub(crate) version: String,
    pub(crate) rule: String,
    pub(crate) kind: AlertKind,
    pub(crate) severity: Severity,
}

impl Monitor {
    pub(crate) fn of(alert: &AlertEvent) -> Self {
        Self {
            model: alert.series.model.clone(),
            version: alert.series.version.clone(),
            rule: alert.rule.clone(),
            kind: alert.kind,
            severity: alert.severity,
        }
    }
}

#[derive(Debug)]
struct Latest {
    report: Arc<WindowReport>,
    state_since: Timestamp,
    history: VecDeque<(Timestamp, f64)>,
}

/// Shared by writers and readers without a common lock: a scrape never stops the pipeline.
#[derive(Debug)]
pub(crate) struct ReadView {
    options: TelemetryOptions,
    reports: DashMap<(SeriesKey, String), Latest>,
    performance: PerformanceReports,
    /// When each version last had a window with events in it.
    versions: DashMap<(String, String), Instant>,
    active: DashMap<String, AlertEvent>,
    recent: Mutex<VecDeque<AlertEvent>>,
    monitors: Mutex<BTreeSet<Monitor>>,
}

impl ReadView {
    pub(crate) fn new(options: TelemetryOptions) -> Self {
        Self {
            options,
            reports: DashMap::new(),
            performance: PerformanceReports::default(),
            versions: DashMap::new(),
            active: DashMap::new(),
            recent: Mutex::default(),
            monitors: Mutex::default(),
        }
    }

    pub(crate) fn performance(&self) -> &PerformanceReports {
        &self.performance
    }

    pub(crate) fn options(&self) -> &TelemetryOptions {
        &self.options
    }

    /// Takes a report; false when the view is full.
    pub(crate) fn record(&self, report: WindowReport, now: Instant) -> bool {
        let version = (report.series.model.clone(), report.series.version.clone());
        let events = report.window.events;
        let full = self.reports.len() >= self.options.reports_max;
        match self
            .reports
            .entry((report.series.clone(), report.window.name.clone()))
        {
            Entry::Occupied(mut latest) => {
                latest.get_mut().advance(report, self.options.history_max)
            }
            Entry::Vacant(_) if full => return false,
            Entry::Vacant(vacant) => {
                vacant.insert(Latest::new(report, self.options.history_max));
            }
        }
        if events > 0 {
            self.versions.insert(version, now);
        } else {
            self.versions.entry(version).or_insert(now);
        }
        true
    }

    pub(crate) fn record_alert(&self, alert: &AlertEvent, now: Instant) {
        if alert.status == AlertStatus::Pending {
            return;
        }
        let known = self.active.contains_key(&alert.fingerprint);
        if alert.status == AlertStatus::Resolved {
            self.active.remove(&alert.fingerprint);
        } else if known || self.active.len() < self.options.alerts_active_max {
            self.active.insert(alert.fingerprint.clone(), alert.clone());
        }
        let mut monitors = lock(&self.monitors);
        if monitors.len() < self.options.alerts_active_max {
            monitors.insert(Monitor::of(alert));
            let version = (alert.series.model.clone(), alert.series.version.clone());
            self.versions.entry(version).or_insert(now);
        }
        drop(monitors);
        let mut recent = lock(&self.recent);
        recent.push_back(alert.clone());
        while recent.len() > self.options.alerts_recent_max {
            recent.pop_front();
        }
    }

    /// Forgets versions whose last events are longer ago than the options allow.
    pub(crate) fn expire(&self, now: Instant) {
        self.performance.expire(now, self.options.expire_after);
        let mut expired = BTreeSet::new();
        self.versions.retain(|version, last| {
            let keep = now.saturating_duration_since(*last) < self.options.expire_after;
            if !keep {
                expired.insert(version.clone());
            }
            keep
        });
        if expired.is_empty() {
            return;
        }
        let gone = |s: &SeriesKey| expired.contains(&(s.model.clone(), s.version.clone()));
        self.reports.retain(|(series, _), _| !gone(series));
        self.active.retain(|_, alert| !gone(&alert.series));
        lock(&self.monitors).retain(|m| !expired.contains(&(m.model.clone(), m.version.clone())));
        for (model, version) in &expired {
            InternalEvent::VersionExpired { model, version }.log();
        }
    }

    /// The newest reports in the order of series and window name.
    pub(crate) fn series(&self) -> Vec<SeriesView> {
        let mut all: Vec<SeriesView> = self.reports.iter().map(|e| e.value().view()).collect();
        all.sort_by(|a, b| order(&a.report).cmp(&order(&b.report)));
        all
    }

    /// The newest reports without their histories, in no order.
    pub(crate) fn reports(&self) -> Vec<Arc<WindowReport>> {
        self.reports
            .iter()
            .map(|e| Arc::clone(&e.value().report))
            .collect()
    }

    /// Alerts that fire now: the worst and then the newest first.
    pub(crate) fn active(&self) -> Vec<AlertEvent> {
        let mut all: Vec<AlertEvent> = self.active.iter().map(|e| e.value().clone()).collect();
        all.sort_by(|a, b| {
            b.severity
                .cmp(&a.severity)
                .then(b.started_at.cmp(&a.started_at))
                .then_with(|| {
                    let by_series = a.series.cmp(&b.series);
                    if by_series == Ordering::Equal {
                        a.fingerprint.cmp(&b.fingerprint)
                    } else {
                        by_series
                    }
                })
        });
        all
    }

    /// The last alert events, newest first.
    pub(crate) fn recent(&self) -> Vec<AlertEvent> {
        lock(&self.recent).iter().rev().cloned().collect()
    }

    /// Every monitor that ever fired and whose version is alive, and whether it fires.
    pub(crate) fn monitors(&self) -> Vec<(Monitor, bool)> {
        let firing: BTreeSet<Monitor> =
            self.active.iter().map(|e| Monitor::of(e.value())).collect();
        lock(&self.monitors)
            .iter()
            .map(|m| (m.clone(), firing.contains(m)))
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn order(report: &WindowReport) -> (&SeriesKey, &str) {
    (&report.series, &report.window.name)
}

impl Latest {
    fn new(report: WindowReport, history_max: usize) -> Self {
        let state_since = report.window.end;
        let mut latest = Self {
            report: Arc::new(report),
            state_since,
            history: VecDeque::new(),
        };
        latest.remember(history_max);
        latest
    }

    /// Takes a newer report. An older window is ignored: after a restart the past is evaluated again.
    fn advance(&mut self, report: WindowReport, history_max: usize) {
        let old = &self.report;
        if old.reference == report.reference && report.window.end < old.window.end {
            return;
        }
        if old.state != report.state {
            self.state_since = report.window.end;
        }
        self.report = Arc::new(report);
        self.history
            .pop_back_if(|(end, _)| *end >= self.report.window.end);
        self.remember(history_max);
    }

    fn remember(&mut self, history_max: usize) {
        if let Some(value) = self.report.value(Statistic::JensenShannon) {
            self.history.push_back((self.report.window.end, value));
        }
        while self.history.len() > history_max {
            self.history.pop_front();
        }
    }

    fn view(&self) -> SeriesView {
        SeriesView {
            report: Arc::clone(&self.report),
            state_since: self.state_since,
            history: self.history.iter().copied().collect(),
        }
    }
}
