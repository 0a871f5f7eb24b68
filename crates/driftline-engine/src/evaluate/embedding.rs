//! What the features of a window say about a column of vectors.

use driftline_event::{Quality, Statistic, StatisticValue};
use driftline_sketch::{EmbeddingProfile, EmbeddingSummary};
use driftline_stat::mmd::{Side, Traces, mmd};

use super::Description;

/// Describes `summary`, which holds `rows` rows, against the reference.
pub(super) fn describe(
    profile: &EmbeddingProfile,
    reference: &EmbeddingSummary,
    summary: &EmbeddingSummary,
    rows: u64,
) -> Description {
    let covariance = profile.covariance();
    let traces = Traces {
        first: covariance.trace,
        second: covariance.trace_of_square,
        third: covariance.trace_of_cube,
    };
    let hits = |summary: &EmbeddingSummary| summary.hits().collect::<Vec<f64>>();
    let (theirs, ours) = (hits(reference), hits(summary));
    let found = mmd(
        Side {
            hits: &theirs,
            trials: reference.valid,
        },
        Side {
            hits: &ours,
            trials: summary.valid,
        },
        &traces,
    );
    let mut statistics = Vec::new();
    if let Some(found) = found {
        statistics.push(StatisticValue {
            statistic: Statistic::Mmd,
            value: found.statistic,
            floor: Some(found.floor),
            p_value: Some(found.p_value),
        });
    }
    if rows > 0 {
        statistics.push(StatisticValue {
            statistic: Statistic::MissingRatio,
            value: summary.missing as f64 / rows as f64,
            floor: None,
            p_value: None,
        });
    }
    Description {
        valid: summary.valid,
        statistics,
        quality: Quality {
            missing: summary.missing,
            ..Quality::default()
        },
        mean: None,
        standard_deviation: None,
    }
}
