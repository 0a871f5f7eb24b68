//! The demo on its embedded broker, and the configurations that come with the repository.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[test]
fn the_demo_counts_what_it_sends_and_sees_the_weather_drift() {
    let output = Command::new(env!("CARGO_BIN_EXE_driftline"))
        .args(["demo", "--once", "--port", "0", "--speed", "1e12"])
        .args(["--format", "json", "--quiet"])
        .env_remove("DRIFTLINE_LOG")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let predictions = &summary["predictions"];
    assert_eq!(predictions["sent"], 309_772, "February to December");
    assert_eq!(predictions["sent"], predictions["counted"]);
    assert!(summary["labels"].as_u64().unwrap() > 290_000, "{summary}");
    let series = |name: &str| {
        let found = summary["series"].as_array().unwrap();
        let found = found.iter().find(|s| s["feature"] == name);
        found.unwrap_or_else(|| panic!("no series of {name}: {summary}"))
    };
    let alerts = |name: &str| series(name)["alerts"].as_u64().unwrap();
    assert!(alerts("temp") > 0);
    assert!(series("temp")["first_drift"].is_string());
    for stable in ["carrier", "origin"] {
        assert_eq!(alerts(stable), 0, "{}", series(stable));
        assert!(series(stable)["first_drift"].is_null());
    }
    its_labels_come_in(&summary);
    the_concept_drift_of_spring_is_called(&summary);
}

/// Every month that was served in full has the labels and the area under the curve of scikit-learn's golden file.
fn its_labels_come_in(summary: &Value) {
    let golden = include_str!("../../../tests/golden/performance_flights/golden.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    let months = summary["performance"].as_array().unwrap();
    assert_eq!(months.len(), 11, "February to December: {months:?}");
    for month in months {
        let start = month["start"].as_str().unwrap();
        let number: u64 = start[5..7].parse().unwrap();
        let rows = golden["rows"].as_array().unwrap();
        let expected = rows.iter().find(|r| r["month"] == number).unwrap();
        assert_eq!(
            month["maturity"]["predicted"], expected["predicted"],
            "{start}"
        );
        assert_eq!(
            month["maturity"]["labelled"], expected["labelled"],
            "{start}"
        );
        let auc = |values: &Value| {
            let values = values.as_array().unwrap().iter();
            let found = values.clone().find(|v| v["metric"] == "roc_auc");
            found.unwrap_or_else(|| panic!("{month}"))["value"]
                .as_f64()
                .unwrap()
        };
        let difference = (auc(&month["realised"]) - expected["roc_auc"].as_f64().unwrap()).abs();
        assert!(difference < 3e-4, "{start}: {difference}");
        // The scores alone do not see it.
        assert!(auc(&month["estimated"]) > 0.75, "{start}");
    }
}

fn the_concept_drift_of_spring_is_called(summary: &Value) {
    let alerts = summary["concept_alerts"].as_array().unwrap();
    let of_scores = |a: &&Value| a["kind"] == "concept_drift" && a["what"] == "calibration";
    let first = alerts.iter().find(of_scores);
    let called = first.unwrap_or_else(|| panic!("{alerts:?}"))["called"].as_str();
    assert!(
        called.is_some_and(|at| at.starts_with("2013-03")),
        "{called:?}"
    );
    let in_training = |a: &Value| a["called"].as_str().is_some_and(|at| at < "2013-03-01");
    assert!(!alerts.iter().any(in_training), "{alerts:?}");
}

#[test]
fn the_configurations_of_the_repository_are_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.push(root.join("deploy/docker/driftline.yaml"));
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.display().to_string();
        let parsed = driftline::config::parse(&text, &name, file.parent().unwrap());
        let (_, warnings) = parsed.unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(warnings.warnings(), 0, "{warnings}");
    }
}
