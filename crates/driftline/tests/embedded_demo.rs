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
