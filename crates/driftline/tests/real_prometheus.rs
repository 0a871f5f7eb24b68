//! A real Prometheus with the repository's rules scrapes the real service: every query of every dashboard has
//! an answer, and the alert comes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

#[allow(dead_code, reason = "the test wants the queries only")]
#[path = "../../driftline-telemetry/examples/dashboards/builder.rs"]
mod builder;
#[path = "../../driftline-telemetry/examples/dashboards/model.rs"]
mod model;

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::data::Fare;
use support::labelled::{self, labels, predictions, produce_labels};
use support::service::Service;
use support::{Scratch, brokers, environment, eventually, http, produce};

/// Killed when the test ends.
struct Prometheus {
    child: Child,
    address: String,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// With the configuration and rules of `deploy/prometheus`; only addresses and intervals are others.
    fn start(scratch: &Scratch, service: &str) -> Self {
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus");
        for rules in ["alerts.yaml", "recording.yaml"] {
            std::fs::copy(deploy.join(rules), scratch.directory.join(rules)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let address = port.to_string();
        let text = std::fs::read_to_string(deploy.join("prometheus.yml")).unwrap();
        let text = ["driftline:9464", "localhost:9090", "alertmanager:9093"]
            .iter()
            .zip([service, &address, "127.0.0.1:9"])
            .fold(text.replace(": 15s", ": 1s"), |text, (from, to)| {
                assert!(text.contains(from), "no {from} in prometheus.yml");
                text.replace(from, to)
            });
        let config = scratch.write("prometheus.yml", &text);
        let child = Command::new(environment("DRIFTLINE_PROMETHEUS"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg(format!(
                "--storage.tsdb.path={}",
                scratch.directory.join("tsdb").display()
            ))
            .stdout(Stdio::null())
            .stderr(File::create(scratch.directory.join("prometheus.log")).unwrap())
            .spawn()
            .unwrap();
        let prometheus = Self { child, address };
        eventually("Prometheus is ready", || {
            http::get(&prometheus.address, "/-/ready").is_ok()
        });
        prometheus
    }

    fn get(&self, path: &str) -> Value {
        let text = http::get(&self.address, path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// How many series a query has now.
    fn series(&self, query: &str) -> usize {
        let path = format!("/api/v1/query?query={}", http::percent_encoded(query));
        self.get(&path)["result"].as_array().unwrap().len()
    }
}

fn check_exposition(metrics: &str) {
    let mut child = Command::new(environment("DRIFTLINE_PROMTOOL"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(metrics.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "promtool: {said}"
    );
}

fn messages(events: &[Fare]) -> impl Iterator<Item = Vec<u8>> {
    events.iter().map(|fare| fare.json().into_bytes())
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn every_query_of_every_dashboard_has_an_answer_and_the_alert_comes() {
    let scratch = Scratch::new("prometheus");
    scratch.create_topics(1);
    for topic in ["labels", "outcomes"] {
        support::create_topic(&scratch.topic(topic), 3, &[]);
    }
    labelled::write_reference(&scratch.directory);
    let text = labelled::config(&scratch.app, &brokers(), "join: {directory: pending}");
    let service = Service::start(&scratch.write("driftline.yaml", &text), "run");
    let prometheus = Prometheus::start(&scratch, &service.address);
    // A rate needs a sample from before what it counts.
    eventually("the service is scraped", || {
        prometheus.series("driftline_events_rejected_total == 0") > 0
    });
    let mut rows = predictions(6, 9_000);
    let half = rows.len() / 2;
    for row in &mut rows[half..] {
        row.amount = row.amount.map(|amount| 1.5 * amount);
    }
    let labels = labels(7, &rows, u64::MAX);
    let (first, second) = rows.split_at(half);
    let (first_labels, second_labels) = labels.split_at(labels.len() / 2);
    let input = scratch.topic("in");
    let label_input = scratch.topic("labels");
    produce(&input, 1, messages(first));
    produce_labels(&label_input, 1, first_labels);
    eventually("the first half is scraped", || {
        prometheus.series("sum(driftline_events_total{stream=\"prediction\"}) >= 4500") > 0
            && prometheus.series("sum(driftline_join_labels_total) >= 3500") > 0
    });
    produce(&input, 1, [b"no prediction".to_vec()]);
    produce(&input, 1, messages(second));
    produce_labels(&label_input, 1, second_labels);

    // Rates and increases look back a minute, so each query is asked until it has been answered once.
    let mut open: Vec<String> = model::dashboards()
        .iter()
        .flat_map(|dashboard| dashboard.queries())
        .map(|query| query.to_string())
        .collect();
    assert!(open.len() > 30, "{}", open.len());
    let deadline = std::time::Instant::now() + support::WITHIN;
    while !open.is_empty() {
        open.retain(|query| prometheus.series(query) == 0);
        let late = std::time::Instant::now() > deadline;
        assert!(!late, "queries without a series: {open:#?}");
    }
    check_exposition(&service.metrics());

    eventually("the alert is pending or fires", || {
        let alerts = prometheus.get("/api/v1/alerts");
        let alerts = alerts["alerts"].as_array().unwrap();
        alerts.iter().any(|alert| {
            let labels = &alert["labels"];
            labels["alertname"] == "FeatureDrift" && labels["feature"] == "amount"
        })
    });
    let alerts = prometheus.get("/api/v1/alerts");
    for alert in alerts["alerts"].as_array().unwrap() {
        let name = alert["labels"]["alertname"].as_str().unwrap();
        let expected = ["FeatureDrift", "DeadLetterRateHigh", "DriftlineDown"];
        assert!(expected.contains(&name), "{alert}");
        assert_ne!(alert["labels"]["feature"], "passengers");
    }
    let rules = prometheus.get("/api/v1/rules");
    for group in rules["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            assert_eq!(rule["health"], "ok", "{rule}");
        }
    }
    drop(prometheus);
    service.terminate();
}
