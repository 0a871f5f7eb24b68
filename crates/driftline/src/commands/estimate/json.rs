//! The estimates as JSON.

use driftline_stat::estimate::Health;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::series::{Chunk, Estimation, Series, Value};
use crate::cli::EstimateTask;

#[derive(Serialize)]
pub(super) struct Document {
    task: &'static str,
    /// Whether scores were calibrated; by class with several.
    #[serde(skip_serializing_if = "Option::is_none")]
    calibrated: Option<Json>,
    deviations: f64,
    reference: File,
    current: File,
    chunks: Vec<Part>,
}

#[derive(Serialize)]
struct File {
    file: String,
    rows: usize,
}

#[derive(Serialize)]
struct Part {
    /// The first row, counted from 0.
    start: usize,
    /// The last row.
    end: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    rows: usize,
    used: usize,
    metrics: Map<String, Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Json>,
}

pub(super) fn document(estimation: &Estimation) -> Document {
    let file = |(file, rows): &(String, usize)| File {
        file: file.clone(),
        rows: *rows,
    };
    let calibrated = match estimation.task {
        EstimateTask::Binary => estimation
            .calibrated
            .first()
            .map(|(_, done)| Json::from(*done)),
        EstimateTask::Multiclass => {
            let by_class = estimation
                .calibrated
                .iter()
                .map(|(name, done)| (name.clone(), Json::from(*done)));
            Some(Json::Object(by_class.collect()))
        }
        EstimateTask::Regression => None,
    };
    Document {
        task: estimation.task.name(),
        calibrated,
        deviations: estimation.deviations,
        reference: file(&estimation.reference),
        current: file(&estimation.current),
        chunks: estimation
            .chunks
            .iter()
            .map(|chunk| part(chunk, &estimation.series))
            .collect(),
    }
}

fn part(chunk: &Chunk, series: &[Series]) -> Part {
    let metrics = series.iter().zip(&chunk.values);
    Part {
        start: chunk.place.start,
        end: chunk.place.end.saturating_sub(1),
        start_time: chunk.span.map(|span| span.0.to_string()),
        end_time: chunk.span.map(|span| span.1.to_string()),
        rows: chunk.place.len(),
        used: chunk.used,
        metrics: metrics
            .map(|(series, value)| (series.name.clone(), metric(series, value)))
            .collect(),
        health: chunk.health.as_ref().map(health),
    }
}

fn metric(series: &Series, value: &Value) -> Json {
    let mut found = json!({
        "estimate": value.estimate,
        "lower": value.band.map(|band| band.0),
        "upper": value.band.map(|band| band.1),
        "alert": value.alert,
        "lower_threshold": series.thresholds.map(|t| t.lower),
        "upper_threshold": series.thresholds.map(|t| t.upper),
    });
    if let Some(object) = found.as_object_mut() {
        let extra = [("deviation", value.deviation), ("realised", value.realised)];
        for (name, x) in extra.into_iter().filter_map(|(name, x)| Some((name, x?))) {
            object.insert(name.to_owned(), Json::from(x));
        }
    }
    found
}

fn health(health: &Health) -> Json {
    let reasons: Vec<&str> = health
        .reasons
        .iter()
        .map(|reason| reason.as_str())
        .collect();
    json!({
        "state": health.state.as_str(),
        "reasons": reasons,
        "score_distance": health.distance,
        "score_distance_floor": health.floor,
        "outside_share": health.outside,
        "thin_share": health.thin,
        "missing_share": health.missing,
    })
}
