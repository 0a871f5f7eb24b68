//! The comparison as JSON.

use serde::Serialize;

use super::Comparison;
use super::column::{Feature, Outcome, Sample};
use crate::commands::reference::kind_name;
use crate::exit::Failure;

#[derive(Serialize)]
struct Document<'a> {
    features: Vec<Column<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compat: Option<Dataset>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    only_in_reference: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    only_in_current: &'a [String],
}

#[derive(Serialize)]
struct Dataset {
    peer: &'static str,
    columns: usize,
    drifted: usize,
    drift: bool,
}

#[derive(Serialize)]
struct Peer {
    test: &'static str,
    score: f64,
    threshold: f64,
    drift: bool,
}

#[derive(Serialize)]
struct Column<'a> {
    name: &'a str,
    kind: &'static str,
    verdict: &'static str,
    drift: bool,
    reasons: &'a [&'static str],
    effect: f64,
    missing_effect: f64,
    adjusted_p_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compat: Option<Peer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    categories: Option<Categories>,
    reference: Side,
    current: Side,
    results: Vec<Found>,
}

#[derive(Serialize)]
struct Categories {
    new: usize,
    new_share: f64,
    gone: usize,
    gone_share: f64,
}

#[derive(Serialize)]
struct Side {
    n: usize,
    missing: usize,
}

#[derive(Serialize)]
struct Found {
    test: &'static str,
    statistic: f64,
    p_value: Option<f64>,
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<Floor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<bool>,
}

#[derive(Serialize)]
struct Floor {
    mean: f64,
    upper: f64,
}

/// The comparison as indented JSON.
///
/// # Errors
/// When a value cannot be written, which would be a defect.
pub(super) fn write(comparison: &Comparison) -> Result<String, Failure> {
    let document = Document {
        compat: comparison.dataset.map(|d| Dataset {
            peer: d.peer.name(),
            columns: d.columns,
            drifted: d.drifted,
            drift: d.drift,
        }),
        features: comparison.features.iter().map(column).collect(),
        only_in_reference: &comparison.files.only_in_reference,
        only_in_current: &comparison.files.only_in_current,
    };
    let mut text = serde_json::to_string_pretty(&document)
        .map_err(|e| Failure::internal(format_args!("cannot write the result as JSON: {e}")))?;
    text.push('\n');
    Ok(text)
}

fn column(feature: &Feature) -> Column<'_> {
    let exclusive = feature.exclusive;
    let any = exclusive.new + exclusive.gone > 0;
    Column {
        name: &feature.name,
        kind: kind_name(feature.kind),
        verdict: feature.verdict.as_str(),
        drift: feature.verdict == super::Verdict::Drifted,
        reasons: &feature.reasons,
        effect: feature.effect,
        missing_effect: feature.missing.effect,
        adjusted_p_value: feature.adjusted_p,
        compat: feature.peer.map(|p| Peer {
            test: p.test,
            score: p.score,
            threshold: p.threshold,
            drift: p.drift,
        }),
        categories: any.then_some(Categories {
            new: exclusive.new,
            new_share: exclusive.new_share,
            gone: exclusive.gone,
            gone_share: exclusive.gone_share,
        }),
        reference: side(feature.reference),
        current: side(feature.current),
        results: feature.results.iter().map(found).collect(),
    }
}

fn side(sample: Sample) -> Side {
    Side {
        n: sample.n,
        missing: sample.missing,
    }
}

fn found(outcome: &Outcome) -> Found {
    Found {
        test: outcome.test.as_str(),
        statistic: outcome.statistic,
        p_value: outcome.p_value,
        method: outcome.method,
        floor: outcome.floor.map(|f| Floor {
            mean: f.mean,
            upper: f.upper,
        }),
        drift: outcome.drift,
    }
}
