//! What is said about a performance window.

use driftline_event::{Maturity, PerformanceReport, SeriesState, Timestamp, WindowSpan};
use driftline_stat::performance::{estimated, performance};

use super::model::LabelModel;
use super::windows::Due;

/// The window by name and time.
pub(crate) fn span(model: &LabelModel, due: &Due<'_>) -> WindowSpan {
    let name = model.labels.windows.get(due.number).map(|w| w.name.clone());
    WindowSpan {
        name: name.unwrap_or_default(),
        start: Timestamp::from_micros(due.window.start),
        end: Timestamp::from_micros(due.window.end),
        events: due.window.predicted.predicted(),
    }
}

/// How far the labels of a window have come in at `at`.
fn maturity(model: &LabelModel, due: &Due<'_>, at: i64) -> Maturity {
    let window = due.window;
    let (predicted, labelled) = (window.predicted.predicted(), window.outcome.labelled());
    let delays = window.outcome.delays();
    Maturity {
        predicted,
        labelled,
        coverage: (predicted > 0).then(|| labelled as f64 / predicted as f64),
        expected_coverage: model.expected_coverage((window.start, window.end), at),
        delay_p50_seconds: delays.quantile_seconds(0.5),
        delay_p95_seconds: delays.quantile_seconds(0.95),
        is_mature: due.is_mature,
        is_final: due.is_final,
    }
}

/// The report of a window at the end of a tick.
pub(crate) fn report(
    model: &LabelModel,
    segment: Option<&str>,
    due: &Due<'_>,
    (at, state): (i64, SeriesState),
) -> PerformanceReport {
    let (spec, window) = (&model.spec, due.window);
    let options = &model.labels.performance;
    let realised = match window.outcome.is_empty() {
        true => Vec::new(),
        false => performance(&model.profile, &window.outcome, options),
    };
    PerformanceReport {
        model: spec.model.clone(),
        version: spec.version.clone(),
        segment: segment.map(str::to_owned),
        task: model.profile.task(),
        reference: spec.profile.id().to_owned(),
        window: span(model, due),
        revision: window.reported,
        evaluated_at: Timestamp::from_micros(at),
        maturity: maturity(model, due, at),
        realised,
        estimated: estimated(&model.profile, &window.predicted, options),
        baseline: model.baseline.clone(),
        calibrated: model.is_calibrated(segment),
        state,
    }
}
