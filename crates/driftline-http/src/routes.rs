//! What each path answers, and what every answer carries.

use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use driftline_telemetry::{TEXT_FORMAT, Telemetry};
use serde::{Deserialize, Serialize};

use crate::status::{PerformanceReports, Report, Status};
use crate::{HttpOptions, Readiness, page};

/// The longest path and query.
const URI_BYTES_MAX: usize = 4_096;

/// Nothing but our own style sheet; the page has no script.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Clone, Debug)]
struct App {
    telemetry: Telemetry,
    readiness: Readiness,
    handler_timeout: Duration,
    request_body_bytes_max: u64,
}

/// The router with its bounds and headers.
pub(crate) fn router(options: &HttpOptions, telemetry: Telemetry, readiness: Readiness) -> Router {
    let app = App {
        telemetry,
        readiness,
        handler_timeout: options.handler_timeout,
        request_body_bytes_max: options.request_body_bytes_max,
    };
    Router::new()
        .route("/", get(overview))
        .route("/style.css", get(style))
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/api/v1/status", get(status))
        .route("/api/v1/reports", get(reports))
        .route("/api/v1/performance", get(performance))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), bounds))
        .with_state(app)
}

#[derive(Serialize)]
struct Problem {
    error: &'static str,
}

fn problem(status: StatusCode, error: &'static str) -> Response {
    (status, Json(Problem { error })).into_response()
}

async fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "there is nothing at this path")
}

async fn method_not_allowed() -> Response {
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "only GET and HEAD are answered",
    )
}

/// Refuses what is too large, cuts off what takes too long, and adds the headers of every answer.
async fn bounds(State(app): State<App>, request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.map_or(Some(0), |v| v.to_str().ok()?.parse::<u64>().ok());
    let too_long = length.is_none_or(|bytes| bytes > app.request_body_bytes_max);
    let mut response = if request
        .uri()
        .path_and_query()
        .map_or(0, |p| p.as_str().len())
        > URI_BYTES_MAX
    {
        problem(StatusCode::URI_TOO_LONG, "the path and query are too long")
    } else if too_long {
        problem(StatusCode::PAYLOAD_TOO_LARGE, "no path takes a body")
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        method_not_allowed().await
    } else {
        let answer = tokio::time::timeout(app.handler_timeout, next.run(request)).await;
        answer.unwrap_or_else(|_| {
            problem(StatusCode::SERVICE_UNAVAILABLE, "the answer took too long")
        })
    };
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    let unset = !response.headers().contains_key(header::CACHE_CONTROL);
    if unset {
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Runs what needs the processor for a while away from the threads that serve connections.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Response> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a request failed");
        problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the answer could not be made",
        )
    })
}

async fn metrics(State(app): State<App>) -> Result<Response, Response> {
    let text = blocking(move || app.telemetry.render()).await?;
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response())
}

async fn health() -> &'static str {
    "ok\n"
}

async fn ready(State(app): State<App>) -> Response {
    match app.readiness.reason() {
        None => "ready\n".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn status(State(app): State<App>) -> Result<Response, Response> {
    let status = blocking(move || Status::of(&app.telemetry, app.readiness.reason())).await?;
    Ok(Json(status).into_response())
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Filter {
    pub(crate) model: Option<String>,
    pub(crate) version: Option<String>,
    /// `field=value`; empty for all events together.
    pub(crate) segment: Option<String>,
    pub(crate) feature: Option<String>,
    pub(crate) window: Option<String>,
}

async fn reports(
    State(app): State<App>,
    Query(filter): Query<Filter>,
) -> Result<Response, Response> {
    let reports = blocking(move || Report::matching(&app.telemetry, &filter)).await?;
    Ok(Json(reports).into_response())
}

async fn performance(
    State(app): State<App>,
    Query(filter): Query<Filter>,
) -> Result<Response, Response> {
    let matching = move || PerformanceReports::matching(&app.telemetry, &filter);
    Ok(Json(blocking(matching).await?).into_response())
}

async fn overview(State(app): State<App>) -> Result<Response, Response> {
    let html = blocking(move || page::overview(&app.telemetry, app.readiness.reason())).await?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
}

async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    (headers, page::STYLE).into_response()
}
