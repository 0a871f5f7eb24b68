//! The documentation and the alert rules say what the code does.

mod page;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use driftline_telemetry::catalogue::{CATALOGUE, MetricType};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rules(path: &str) -> Vec<Value> {
    let file = yaml(path);
    let groups = file["groups"].as_array().expect("groups");
    groups
        .iter()
        .flat_map(|g| g["rules"].as_array().expect("rules").clone())
        .collect()
}

#[test]
fn the_metrics_page_is_what_the_catalogue_says() {
    assert_eq!(
        read("docs/metrics.md"),
        page::metrics_page(),
        "run: cargo run -p driftline-telemetry --example metrics_page > docs/metrics.md"
    );
}

#[test]
fn every_alert_has_its_annotations_its_runbook_and_its_tests() {
    let mut names = BTreeSet::new();
    for alert in rules("deploy/prometheus/alerts.yaml") {
        let name = alert["alert"]
            .as_str()
            .expect("only alerts in this file")
            .to_owned();
        let annotation = |key: &str| alert["annotations"][key].as_str().unwrap_or("").to_owned();
        let summary = annotation("summary");
        assert!(
            summary.ends_with('.') && !summary.contains("{{"),
            "{name}: {summary}"
        );
        assert!(annotation("description").contains("{{ $labels."), "{name}");
        let runbook = format!("docs/runbooks/{name}.md");
        let url = format!("https://github.com/driftline/driftline/blob/main/{runbook}");
        assert_eq!(annotation("runbook_url"), url);
        assert!(read(&runbook).starts_with(&format!("# {name}\n")));
        let severity = alert["labels"]["severity"].as_str().unwrap_or("");
        assert!(
            ["critical", "warning", "info"].contains(&severity),
            "{name}"
        );

        let test = yaml(&format!("deploy/prometheus/tests/{name}.yaml"));
        let cases = test["tests"][0]["alert_rule_test"]
            .as_array()
            .expect("cases");
        assert!(
            cases.iter().all(|case| case["alertname"] == name.as_str()),
            "{name}"
        );
        let firing: Vec<bool> = cases
            .iter()
            .map(|c| c["exp_alerts"].as_array().is_some_and(|a| !a.is_empty()))
            .collect();
        let first = firing
            .iter()
            .position(|f| *f)
            .unwrap_or_else(|| panic!("{name} never fires"));
        assert!(first > 0, "{name} has no case that does not fire yet");
        assert!(
            firing[first..].contains(&false),
            "{name} has no resolved case"
        );
        assert!(names.insert(name));
    }
    let directory = std::fs::read_dir(root().join("docs/runbooks")).expect("runbooks");
    let runbooks = directory.map(|e| {
        e.expect("an entry")
            .file_name()
            .to_string_lossy()
            .replace(".md", "")
    });
    assert_eq!(
        runbooks.collect::<BTreeSet<_>>(),
        names,
        "a runbook for each alert and no other"
    );
}

#[test]
fn rules_use_metrics_of_the_catalogue_and_recorded_ones() {
    let recording = rules("deploy/prometheus/recording.yaml");
    let recorded: BTreeSet<&str> = recording
        .iter()
        .filter_map(|r| r["record"].as_str())
        .collect();
    for rule in recording
        .iter()
        .chain(&rules("deploy/prometheus/alerts.yaml"))
    {
        let expr = rule["expr"].as_str().expect("an expression");
        let words = expr.split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c));
        for word in words.filter(|w| w.contains("driftline_")) {
            let known = CATALOGUE.iter().find(|m| m.name == word);
            assert!(
                known.is_some() || recorded.contains(word),
                "{word} of {expr}"
            );
            if known.is_some_and(|m| m.metric_type == MetricType::Counter)
                && rule["record"].is_string()
            {
                let rated = expr.matches(&format!("rate({word}")).count();
                assert_eq!(rated, expr.matches(word).count(), "{expr}");
            }
        }
    }
}
