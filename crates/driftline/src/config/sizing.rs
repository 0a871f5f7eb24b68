//! What a configuration will cost: metric series and memory, predicted before it runs.

use std::time::Duration;

use driftline_engine::bank_bytes;
use driftline_event::ColumnKind;
use driftline_sketch::ReferenceProfile;

use super::checked::{Config, Model};
use super::reference::References;

/// Statistics of a numeric column: KS, Wasserstein, PSI, Jensen–Shannon, Hellinger, total variation,
/// chi-square; and the shares of missing, invalid and out-of-range values.
const NUMERIC_SERIES: u64 = 10;
/// Statistics of a categorical column: the same without KS and Wasserstein, with unseen values for
/// out-of-range ones.
const CATEGORICAL_SERIES: u64 = 8;
/// Statistics of an embedding: the maximum mean discrepancy and the share of missing vectors.
const EMBEDDING_SERIES: u64 = 2;
/// Counters of a column besides its cells, sums included, in bytes.
const COLUMN_OVERHEAD_BYTES: u64 = 256;

/// What one model will cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSize {
    /// The model's id.
    pub model: String,
    /// Metric series, without segments, at all times.
    pub series: u64,
    /// Memory of counts for one segment, in bytes.
    pub bytes: u64,
    /// Segments beside "all events", at most.
    pub segments_max: u64,
}

impl ModelSize {
    /// Memory with every segment that the limits allow, in bytes.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        self.bytes
            .saturating_mul(self.segments_max.saturating_add(1))
    }
}

/// Predicts what every model will cost.
#[must_use]
pub fn predict(config: &Config, references: &References) -> Vec<ModelSize> {
    let per_field = u64::from(config.limits.segments_per_field_max);
    let models = config.models.iter().enumerate();
    models
        .map(|(m, model)| {
            let loaded = references.versions.iter().filter(|l| l.model == m);
            let (mut series, mut bytes) = (0_u64, 0_u64);
            for version in loaded {
                series += columns_series(&version.profile) * model.windows.len() as u64;
                bytes += summary_bytes(&version.profile) * panes_kept(model);
                if model.decision.is_some() {
                    let banks = version.profile.columns.iter();
                    bytes += banks.map(|c| bank_bytes(&c.profile) as u64).sum::<u64>();
                }
            }
            let segments_max = per_field * model.segments.len() as u64;
            ModelSize {
                model: model.id.clone(),
                series,
                bytes,
                segments_max,
            }
        })
        .collect()
}

fn columns_series(profile: &ReferenceProfile) -> u64 {
    let of = |kind| match kind {
        ColumnKind::Numeric => NUMERIC_SERIES,
        ColumnKind::Categorical => CATEGORICAL_SERIES,
        ColumnKind::Embedding => EMBEDDING_SERIES,
    };
    profile.columns.iter().map(|c| of(c.column.kind)).sum()
}

/// Counts of one pane of all columns.
fn summary_bytes(profile: &ReferenceProfile) -> u64 {
    profile
        .columns
        .iter()
        .map(|c| 8 * c.profile.cells() as u64 + COLUMN_OVERHEAD_BYTES)
        .sum()
}

/// Panes, hours and days that the longest window keeps (the ladder of panes), and a sum per window.
fn panes_kept(model: &Model) -> u64 {
    let longest = model
        .windows
        .iter()
        .map(|w| w.size)
        .max()
        .unwrap_or_default();
    let spans = |of: Duration| (longest.as_secs() / of.as_secs().max(1)).max(1);
    let (hour, day) = (Duration::from_secs(3_600), Duration::from_secs(86_400));
    let panes_an_hour = (hour.as_secs() / model.pane.as_secs().max(1)).max(1);
    let ladder = panes_an_hour * 2 + spans(hour).min(48) + spans(day);
    spans(model.pane).min(ladder) + model.windows.len() as u64
}
