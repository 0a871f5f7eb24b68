//! What happens inside, as a closed set of events, and how each is logged.
//!
//! Everything that comes from data is logged with its `Debug` form, so a hostile text cannot forge a line.

use driftline_event::{AlertEvent, AlertStatus, DropReason, SourcePartition};

use crate::Stage;

/// Something an operator may want to read about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum InternalEvent<'a> {
    /// The process does its work from here on.
    Ready,
    /// The group gave this process a set of partitions.
    Rebalanced {
        /// The stage whose group it is.
        stage: Stage,
        /// The partitions it now has.
        partitions: usize,
    },
    /// A transaction was aborted; its input is read again.
    FlushAborted {
        /// The stage.
        stage: Stage,
        /// What the broker said.
        error: &'a str,
    },
    /// The broker reported a problem that the client goes on from.
    BrokerError {
        /// The stage.
        stage: Stage,
        /// What it said.
        error: &'a str,
    },
    /// A record did not count. One line a record: logged at debug level only, the counters have the rest.
    RecordRejected {
        /// Where it was read.
        source: &'a SourcePartition,
        /// Its offset.
        offset: i64,
        /// Why.
        reason: DropReason,
        /// More words about why.
        detail: &'a str,
    },
    /// An invariant did not hold.
    InvariantViolated {
        /// Which.
        invariant: &'a str,
        /// What was seen.
        detail: &'a str,
    },
    /// An alert began or ended.
    Alert(&'a AlertEvent),
    /// The read view is full; a series is not shown.
    ReportsFull {
        /// The bound that was reached.
        reports_max: usize,
    },
    /// The series of a version were dropped since its events stopped.
    VersionExpired {
        /// The model.
        model: &'a str,
        /// The version.
        version: &'a str,
    },
}

impl InternalEvent<'_> {
    /// Writes the event to the log.
    pub fn log(&self) {
        match self {
            Self::Ready => tracing::info!("ready"),
            Self::Rebalanced { stage, partitions } => {
                tracing::info!(stage = stage.as_str(), partitions, "partitions assigned");
            }
            Self::FlushAborted { stage, error } => {
                tracing::warn!(
                    stage = stage.as_str(),
                    ?error,
                    "flush aborted, its input is read again"
                );
            }
            Self::BrokerError { stage, error } => {
                tracing::warn!(
                    stage = stage.as_str(),
                    ?error,
                    "the broker reported a problem"
                );
            }
            Self::RecordRejected {
                source,
                offset,
                reason,
                detail,
            } => {
                let reason = reason.as_str();
                tracing::debug!(%source, offset, reason, ?detail, "record rejected");
            }
            Self::InvariantViolated { invariant, detail } => {
                tracing::error!(
                    ?invariant,
                    ?detail,
                    "invariant violated: please report this defect"
                );
            }
            Self::Alert(alert) => log_alert(alert),
            Self::ReportsFull { reports_max } => {
                tracing::warn!(reports_max, "the read view is full, a series is not shown");
            }
            Self::VersionExpired { model, version } => {
                tracing::info!(
                    ?model,
                    ?version,
                    "no events any more, its series are dropped"
                );
            }
        }
    }
}

fn log_alert(alert: &AlertEvent) {
    let (model, version) = (&alert.series.model, &alert.series.version);
    let (feature, kind, rule) = (&alert.series.feature, alert.kind.as_str(), &alert.rule);
    let (value, threshold) = (alert.statistic.value, alert.statistic.threshold);
    let at = alert.evaluated_at;
    match alert.status {
        AlertStatus::Pending => {
            tracing::debug!(?model, ?version, ?feature, kind, ?rule, value, threshold, %at, "alert pending");
        }
        AlertStatus::Firing => {
            tracing::warn!(?model, ?version, ?feature, kind, ?rule, value, threshold, %at, "alert firing");
        }
        AlertStatus::Resolved => {
            tracing::info!(?model, ?version, ?feature, kind, ?rule, value, threshold, %at, "alert resolved");
        }
    }
}
