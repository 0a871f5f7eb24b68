//! The server as a client sees it, over a real socket.

#[path = "../../driftline-telemetry/tests/common/mod.rs"]
mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use driftline_event::{Maturity, PerformanceReport, SeriesState, Timestamp};
use driftline_http::{HttpOptions, Readiness, ServeError, Server, serve};
use driftline_telemetry::{Telemetry, TelemetryOptions};
use serde_json::Value;

fn options() -> HttpOptions {
    HttpOptions {
        bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..HttpOptions::default()
    }
}

fn start() -> (Server, Readiness, Telemetry) {
    let telemetry = common::busy(TelemetryOptions::default());
    let readiness = Readiness::new("waiting for partitions");
    let server = serve(options(), telemetry.clone(), readiness.clone()).expect("a free port");
    (server, readiness, telemetry)
}

/// Sends `request` and returns the status, the head and the body.
fn exchange(server: &Server, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(server.local_addr()).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("it answers in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .expect("a status");
    (status, head.to_lowercase(), body.to_owned())
}

fn get(server: &Server, path: &str) -> (u16, String, String) {
    exchange(
        server,
        &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
    )
}

fn json(server: &Server, path: &str) -> Value {
    let (status, head, body) = get(server, path);
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("content-type: application/json"));
    serde_json::from_str(&body).expect("JSON")
}

#[test]
fn metrics_are_served_in_the_text_format() {
    let (server, ..) = start();
    let (status, head, body) = get(&server, "/metrics");
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(common::parse(&body).len() > 50);
}

#[test]
fn readiness_says_why_not() {
    let (server, readiness, _) = start();
    assert_eq!(get(&server, "/healthz").0, 200);
    let (status, _, body) = get(&server, "/readyz");
    assert_eq!((status, body.as_str()), (503, "waiting for partitions\n"));
    readiness.ready();
    assert_eq!(get(&server, "/readyz").0, 200);
    readiness.not_ready("the broker is down");
    assert_eq!(get(&server, "/readyz").0, 503);
}

#[test]
fn the_api_has_models_states_alerts_and_filtered_reports() {
    let (server, ..) = start();
    let status = json(&server, "/api/v1/status");
    assert_eq!(
        (&status["ready"], &status["reason"]),
        (&false.into(), &"waiting for partitions".into())
    );
    assert_eq!(status["models"][0]["model"], "credit");
    assert_eq!(status["models"][0]["state"], "drifted");
    assert_eq!(status["models"][0]["alerts_active"], 1);
    assert_eq!(status["alerts_active"][0]["rule"], "psi-24h");

    let all = json(&server, "/api/v1/reports");
    assert_eq!(all["matching"], 10);
    let some = json(
        &server,
        "/api/v1/reports?model=credit&feature=age&window=1h",
    );
    assert_eq!(some["matching"], 1);
    assert_eq!(some["reports"][0]["state"], "drifted");
    assert!(some["reports"][0]["statistics"].is_array());
    let hostile = json(
        &server,
        "/api/v1/reports?feature=%3Cscript%3Ealert(1)%3C/script%3E",
    );
    assert_eq!(hostile["matching"], 2);
    assert_eq!(json(&server, "/api/v1/reports?model=nobody")["matching"], 0);
}

/// A newer window of the model, whose labels are still to come, and hostile ones.
fn record_performance(telemetry: &Telemetry) {
    let known = common::performance();
    let mut newer = PerformanceReport {
        revision: 0,
        realised: Vec::new(),
        ..known.clone()
    };
    newer.window.start = known.window.end;
    newer.window.end = Timestamp::from_seconds(1_772_409_600);
    newer.maturity = Maturity {
        predicted: 17_000,
        coverage: Some(0.0),
        ..Maturity::default()
    };
    newer.state = SeriesState::NotEnoughData;
    telemetry.record_performance(newer);
    let mut hostile = PerformanceReport {
        version: "<i>4".to_owned(),
        state: SeriesState::Drifted,
        ..known.clone()
    };
    hostile.window.name = "<script>alert(2)</script>".to_owned();
    hostile.realised[0].class = Some("<b>".to_owned());
    hostile.baseline[0].value = f64::MAX;
    telemetry.record_performance(hostile);
    telemetry.record_performance(PerformanceReport {
        segment: Some("region=eu".to_owned()),
        ..known
    });
}

#[test]
fn the_api_has_what_labels_say() {
    let (server, _, telemetry) = start();
    record_performance(&telemetry);
    let status = json(&server, "/api/v1/status");
    let lines = status["performance"].as_array().expect("a list");
    assert_eq!(lines.len(), 3);
    let (mature, newest, hostile) = (&lines[0], &lines[1], &lines[2]);
    assert_eq!(mature["model"], "credit");
    assert_eq!(mature["maturity"]["coverage"], 0.5);
    assert_eq!(mature["realised"][0]["metric"], "roc_auc");
    assert_eq!(newest["maturity"]["is_mature"], false);
    assert_eq!(newest["realised"], serde_json::json!([]));
    assert_eq!(newest["estimated"][0]["value"], 0.74);
    assert_eq!(
        hostile["realised"],
        serde_json::json!([]),
        "only those over all classes"
    );
    let version = &status["models"].as_array().expect("models")[0];
    assert_eq!(version["version"], "3", "it has no part in {version}");
    assert_eq!(status["models"][1]["state"], "drifted");

    let of = |query: &str| json(&server, &format!("/api/v1/performance{query}"));
    assert_eq!(of("")["matching"], 4);
    assert_eq!(of("?model=credit&version=3")["matching"], 3);
    assert_eq!(of("?version=3&segment=")["matching"], 2);
    let segment = of("?segment=region%3Deu&window=1d");
    assert_eq!(segment["matching"], 1);
    assert_eq!(segment["reports"][0]["realised"][0]["value"], 0.71);
    assert_eq!(of("?window=7d")["matching"], 0);
}

#[test]
fn the_page_has_a_table_of_performance() {
    let telemetry = Telemetry::new(TelemetryOptions::default());
    let server = serve(options(), telemetry.clone(), Readiness::new("")).expect("a free port");
    telemetry.record_report(common::report(common::series("credit", "age"), "24h", 0.01));
    let (.., body) = get(&server, "/");
    assert!(!body.contains("data-testid=\"performance\""), "{body}");
    telemetry.record_performance(common::performance());
    record_performance(&telemetry);
    let (.., body) = get(&server, "/");
    assert_eq!(body.matches("data-testid=\"performance\"").count(), 2);
    assert!(body.contains("AUC estimated"), "{body}");
    assert!(
        body.contains("<td class=\"num\" data-v=\"0.71\">0.7100<small>0.6900 to 0.7300</small>")
    );
    assert!(body.contains("50.0 %<small>usual 60.0 %</small>"));
    assert!(body.contains("60 min<small>p95 10.0 h</small>"));
    assert_eq!(body.matches("labels still come").count(), 1);
    assert!(body.contains("None of 1 watched columns drifts. 1 model drifts by its labels."));
    assert!(!body.contains("<script") && !body.contains("<i>") && !body.contains("<b>"));
    assert!(body.contains("&lt;script&gt;alert(2)&lt;/script&gt;"));
}

#[test]
fn hostile_names_are_only_text_on_the_page() {
    let (server, ..) = start();
    let (status, head, body) = get(&server, "/");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/html; charset=utf-8"));
    assert!(!body.contains("<script"), "{body}");
    assert!(body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(body.contains("1 of 5 watched columns has drifted."));
    assert!(!body.contains("style=") && !body.contains("http://") && !body.contains("https://"));
    assert_eq!(get(&server, "/style.css").0, 200);
}

#[test]
fn every_answer_forbids_scripts_and_frames() {
    let (server, ..) = start();
    for path in ["/", "/metrics", "/nowhere", "/api/v1/status"] {
        let head = get(&server, path).1;
        assert!(
            head.contains("content-security-policy: default-src 'none'"),
            "{path}: {head}"
        );
        assert!(head.contains("x-content-type-options: nosniff"), "{path}");
    }
}

#[test]
fn what_is_not_there_or_too_large_is_refused_in_json() {
    let (server, ..) = start();
    let (status, head, body) = get(&server, "/admin");
    assert_eq!(status, 404);
    assert!(head.contains("application/json") && body.contains("\"error\""));
    let post =
        "POST /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(exchange(&server, post).0, 405);
    let large =
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 99999999\r\n\r\n";
    assert_eq!(exchange(&server, large).0, 413);
    assert_eq!(get(&server, &format!("/{}", "a".repeat(5_000))).0, 414);
    assert_eq!(get(&server, "/api/v1/reports?model=%ff").0, 200);
    let head = exchange(
        &server,
        "HEAD /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    );
    assert_eq!((head.0, head.2.as_str()), (200, ""));
}

#[test]
fn a_head_that_is_too_large_or_too_slow_ends_the_connection() {
    let telemetry = Telemetry::new(TelemetryOptions::default());
    let options = HttpOptions {
        head_timeout: Duration::from_millis(200),
        ..options()
    };
    let server = serve(options, telemetry, Readiness::new("")).expect("a free port");
    let huge = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(64 * 1_024));
    let mut stream = TcpStream::connect(server.local_addr()).expect("it listens");
    let _ = stream.write_all(huge.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));

    let mut slow = TcpStream::connect(server.local_addr()).expect("it listens");
    slow.set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    slow.write_all(b"GET / HT").expect("it reads");
    let started = Instant::now();
    let _ = slow
        .read_to_end(&mut Vec::new())
        .expect("the server closes, not the timeout");
    assert!(started.elapsed() >= Duration::from_millis(150));
}

#[test]
fn idle_connections_over_the_cap_wait_and_are_served_later() {
    let telemetry = Telemetry::new(TelemetryOptions::default());
    let options = HttpOptions {
        connections_max: 2,
        head_timeout: Duration::from_millis(300),
        ..options()
    };
    let server = serve(options, telemetry, Readiness::new("")).expect("a free port");
    let idle: Vec<_> = (0..2)
        .map(|_| TcpStream::connect(server.local_addr()).expect("it listens"))
        .collect();
    assert_eq!(get(&server, "/healthz").0, 200);
    drop(idle);
}

#[test]
fn shutdown_ends_idle_connections_and_frees_the_port() {
    let (server, ..) = start();
    let address = server.local_addr();
    let mut idle = TcpStream::connect(address).expect("it listens");
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .expect("it reads");
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).expect("it answers");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let started = Instant::now();
    server.shutdown();
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    let again = serve(
        HttpOptions {
            bind: address,
            ..options()
        },
        Telemetry::new(TelemetryOptions::default()),
        Readiness::new(""),
    );
    assert!(again.is_ok(), "{again:?}");
}

#[test]
fn a_taken_port_is_a_readable_error() {
    let (server, ..) = start();
    let taken = HttpOptions {
        bind: server.local_addr(),
        ..options()
    };
    let error = serve(
        taken,
        Telemetry::new(TelemetryOptions::default()),
        Readiness::new(""),
    );
    let error = error.expect_err("the port is taken");
    assert!(matches!(error, ServeError::Bind { .. }));
    assert!(
        error.to_string().starts_with("cannot listen on 127.0.0.1:"),
        "{error}"
    );
}
