//! `driftline run` as a process, fed by clients that nobody here wrote.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::data::{self, Fare, Fares, fares};
use support::http::Registry;
use support::service::Service;
use support::{
    Consumed, Scratch, brokers, consume, environment, eventually, kcat_produce, produce,
};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn drifting(n: u64) -> Vec<Fare> {
    fares(Fares {
        seed: 7,
        n,
        disorder: 5,
        drift_from: n / 2,
    })
}

/// Sends with Python's confluent-kafka and its own Avro serialiser.
fn send_with_python(topic: &str, registry: &Registry, rows: &[Fare]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_produce.py");
    let mut child = Command::new(environment("DRIFTLINE_PYTHON"))
        .arg(script)
        .args([&brokers(), topic, &registry.url()])
        .arg(repository("schemas/prediction.avsc"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for row in rows {
        writeln!(stdin, "{}", row.json()).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    assert_eq!(printed.trim(), rows.len().to_string());
}

/// An alert is a CloudEvent whose body is what the published schema says.
fn check_alert(record: &Consumed) -> Value {
    let text = std::fs::read_to_string(repository("schemas/alert.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let body = record.json();
    if let Err(error) = jsonschema::validate(&schema, &body) {
        panic!("{error}: {body}");
    }
    assert_eq!(record.header("ce_specversion"), "1.0");
    assert_eq!(record.header("ce_type"), "io.driftline.drift.alert.v1");
    assert_eq!(record.header("ce_id"), body["alert_id"]);
    assert_eq!(record.header("content-type"), "application/json");
    assert!(record.header("ce_source").starts_with("driftline/t-"));
    assert_eq!(record.key, body["fingerprint"]);
    body
}

fn detected(service: &Service, feature: &str) -> Option<f64> {
    let labels = [
        ("model", "fares"),
        ("feature", feature),
        ("detector", "psi"),
        ("window", "30m"),
    ];
    service.metric("driftline_drift_detected", &labels)
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn avro_from_python_drifts_and_the_alert_is_sent() {
    const EVENTS: u64 = 9_000;
    let scratch = Scratch::new("python");
    scratch.create_topics(2);
    data::write_reference(&scratch.directory);
    let registry = Registry::serve();
    let more = format!("registry: {{url: '{}'}}", registry.url());
    let text = data::config(&scratch.app, &brokers(), "format: avro", &more);
    let service = Service::start(&scratch.write("driftline.yaml", &text), "run");
    send_with_python(&scratch.topic("in"), &registry, &drifting(EVENTS));
    assert_eq!(
        registry.schemas(),
        1,
        "the serialiser has registered the schema"
    );
    // An id that the registry does not know, a frame without a body, and no frame at all.
    let bad: [&[u8]; 3] = [b"\0\0\0\0\x2a123", b"\0\0\0\x12\x67", b"hello"];
    produce(&scratch.topic("in"), 2, bad.map(<[u8]>::to_vec));

    eventually("all are counted or refused", || {
        service.received() == (EVENTS, 3)
    });
    eventually("the drift is seen", || {
        detected(&service, "amount") == Some(1.0)
    });
    assert_eq!(detected(&service, "passengers"), Some(0.0));
    assert_eq!(detected(&service, "kind"), Some(0.0));
    let alerts = scratch.topic("alerts");
    let rules = || -> BTreeSet<String> {
        let bodies = consume(&alerts).into_iter().map(|r| check_alert(&r));
        let of_shape = bodies.filter(|body| {
            // What has grown has also left the reference's range.
            assert_eq!(body["feature"], "amount");
            body["kind"] == "feature_drift"
        });
        of_shape.map(|body| body["rule"].to_string()).collect()
    };
    let wanted: BTreeSet<String> = ["\"bank\"", "\"psi\""].map(str::to_owned).into();
    eventually("the rule and the budget have alerted", || rules() == wanted);
    eventually("they are in the dead letters", || {
        consume(&scratch.topic("dead-letters")).len() == 3
    });
    let mut codes: Vec<String> = consume(&scratch.topic("dead-letters"))
        .iter()
        .map(|r| r.header("driftline.error.code").to_owned())
        .collect();
    codes.sort();
    assert_eq!(codes, ["malformed", "malformed", "unknown_schema"]);
    service.terminate();
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn json_from_kcat_counts_and_nothing_counts_again_after_a_restart() {
    const EVENTS: u64 = 3_000;
    let scratch = Scratch::new("kcat");
    scratch.create_topics(1);
    data::write_reference(&scratch.directory);
    let text = data::config(&scratch.app, &brokers(), "format: json", "");
    let path = scratch.write("driftline.yaml", &text);
    let lines: Vec<String> = drifting(EVENTS).iter().map(Fare::json).collect();
    let (first, second) = lines.split_at(2_000);
    let service = Service::start(&path, "first");
    kcat_produce(&scratch.topic("in"), &first.join("\n"));
    eventually("the first are counted", || service.received() == (2_000, 0));
    let window = [("window", "10m")];
    eventually("a window has closed", || {
        service.metric("driftline_window_events", &window).is_some()
    });
    service.terminate();

    kcat_produce(&scratch.topic("in"), &second.join("\n"));
    let service = Service::start(&path, "second");
    eventually("the others are counted", || {
        service.received() == (1_000, 0)
    });
    let end = [("window", "10m"), ("model", "fares")];
    // 50 minutes less the minute of disorder and less the step of the window.
    let last = (data::START + 48 * 60) as f64;
    eventually("its windows go on", || {
        service.metric("driftline_window_end_timestamp_seconds", &end) >= Some(last)
    });
    let violations = "driftline_invariant_violations_total";
    assert_eq!(service.metric(violations, &[]).unwrap_or(0.0), 0.0);
    service.terminate();
}
