//! The bounds of telemetry.

use std::time::Duration;

use driftline_event::Statistic;

/// What is exported, and how much of it at most.
#[derive(Clone, Debug, PartialEq)]
pub struct TelemetryOptions {
    /// The version in `driftline_build_info`.
    pub version: String,
    /// The source revision in `driftline_build_info`.
    pub revision: String,
    /// Drift series of one model, over all its versions. What is over goes to `feature="__other__"`.
    pub series_per_model_max: usize,
    /// Drift series of all models together.
    pub series_max: usize,
    /// Reports in the read view; reports of further series are counted as dropped and forgotten.
    pub reports_max: usize,
    /// Alerts that are shown as active at once; further ones are only counted.
    pub alerts_active_max: usize,
    /// Alert events in the ring of recent ones.
    pub alerts_recent_max: usize,
    /// Values in a series' short history, one a closed window.
    pub history_max: usize,
    /// How long the series of a model version outlive its last non-empty window. **Processing time**:
    /// measured with the process's monotonic clock, since event time stands still when events stop.
    pub expire_after: Duration,
    /// Whether scores within segments become series.
    pub segments: bool,
    /// The statistics that become scores even when no rule looks at them.
    pub detectors: Vec<Statistic>,
}

impl Default for TelemetryOptions {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: "unknown".to_owned(),
            series_per_model_max: 2_000,
            series_max: 20_000,
            reports_max: 200_000,
            alerts_active_max: 10_000,
            alerts_recent_max: 256,
            history_max: 48,
            expire_after: Duration::from_secs(24 * 3_600),
            segments: false,
            detectors: vec![
                Statistic::KolmogorovSmirnov,
                Statistic::Wasserstein,
                Statistic::Psi,
                Statistic::JensenShannon,
            ],
        }
    }
}
