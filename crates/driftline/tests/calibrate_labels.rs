//! `driftline calibrate --labels` as a user meets it: unlike days raise alarms, and do not once they are calibrated.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

struct Scratch(PathBuf);

fn config(calibration: &str) -> String {
    format!(
        "app: test\nkafka: {{brokers: 'localhost:9092'}}\nstreams:\n  predictions: {{topic: p, format: json}}\n  labels: {{topic: l, \
         format: json}}\nmodels:\n  - id: m\n    versions: [{{version: '1', reference: m.json{calibration}}}]\n    pane: \
         1h\n    windows: [24h]\n    lateness: {{out_of_orderness: 1h}}\n    decision: {{alarms_per_month: 1, step: 24h}}\n    \
         labels: {{step: 24h, mature_after: [1d], windows: [7d]}}\n"
    )
}

/// Predictions and their labels: a day has a tenth more or fewer positives than the scores say, and from `broken` on
/// scores say nothing.
fn days(from: u32, until: u32, broken: u32) -> (String, String) {
    let (mut rows, mut labels) = (
        String::from("id,ts,score,pred\n"),
        String::from("id,label_ts,late\n"),
    );
    for day in from..until {
        let unlike = [0.14, -0.12, 0.0, 0.08, -0.1][(day * day + day / 5) as usize % 5];
        for i in 0..240_u32 {
            let n = f64::from(day * 240 + i);
            let score = (n * 0.618_033_988_75).fract();
            let chance = (n * 0.754_877_666_2).fract();
            let truth = if day < broken { score + unlike } else { 0.5 };
            let (month, day_of_month) = (1 + day / 28, 1 + day % 28);
            let (hour, minute) = (i / 10, 6 * (i % 10));
            let at = format!("2024-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:00Z");
            let pred = u8::from(score > 0.5);
            writeln!(rows, "{day}-{i},{at},{score:.4},{pred}").expect("a text takes everything");
            let late = u8::from(chance < truth);
            writeln!(labels, "{day}-{i},{at},{late}").expect("a text takes everything");
        }
    }
    (rows, labels)
}

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("the directory can be made");
        Self(directory)
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.join(file), text).expect("the file can be written");
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.join(file)).expect("the file was written")
    }

    /// Standard output of a run that must end well.
    fn run(&self, arguments: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_driftline"))
            .args(arguments.split(' '))
            .current_dir(&self.0)
            .output()
            .expect("the binary runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    /// When the alerts of labels began, and whether reports say that they are calibrated.
    fn replay(&self, config: &str) -> (Vec<String>, bool) {
        self.run(&format!(
            "replay --config {config} --predictions year.csv --labels year.labels.csv --model m --model-version 1 --out out"
        ));
        let json = |line: &str| serde_json::from_str::<Value>(line).expect("a line is JSON");
        let alerts = self.read("out/alerts.jsonl");
        let alerts = alerts.lines().map(json);
        let began = alerts.filter(|a| a["role"] == "label" && a["status"] == "firing");
        let began = began.map(|a| a["started_at"].as_str().unwrap_or_default().to_owned());
        let reports = self.read("out/performance.jsonl");
        let is_calibrated = reports.lines().all(|r| json(r)["calibrated"] == true);
        (began.collect(), is_calibrated)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn days_that_are_unlike_each_other_are_no_drift_and_a_broken_model_is() {
    let scratch = Scratch::new("calibrate-labels");
    let (rows, labels) = days(0, 84, 70);
    scratch.write("year.csv", &rows);
    scratch.write("year.labels.csv", &labels);
    scratch.write("wide.yaml", &config(""));
    scratch.write("calibrated.yaml", &config(", calibration: c.yaml"));
    scratch.run(
        "reference build --input year.csv --labels year.labels.csv --until 2024-02-01 --model m --model-version 1 \
         --categorical pred --out m.json",
    );
    let out = scratch.run(
        "calibrate --config wide.yaml --predictions year.csv --labels year.labels.csv --until 2024-02-01 --model m \
         --model-version 1 --months 20 --out c.yaml --format json",
    );
    let found: Value = serde_json::from_str(&out).expect("the findings are JSON");
    let labels = &found["versions"][0]["labels"];
    assert_eq!(
        (&labels["days"], &labels["step"]),
        (&28.into(), &"1d".into())
    );
    assert_eq!(labels["alarms"]["budget"], 0.25);
    let error = &labels["levels"][0]["error"];
    assert!(
        error["sees"]["change"]
            .as_str()
            .is_some_and(|s| s.starts_with("wrong: ")),
        "{out}"
    );
    let file = scratch.read("c.yaml");
    assert!(
        file.contains("    labels:") && file.contains("after: 1d"),
        "{file}"
    );
    // Columns are held to what labels leave.
    assert_eq!(found["versions"][0]["alarms"]["budget"], 0.75);
    let (wide, is_calibrated) = scratch.replay("wide.yaml");
    assert!(!wide.is_empty() && !is_calibrated, "{wide:?}");
    let (alarms, is_calibrated) = scratch.replay("calibrated.yaml");
    println!("wide: {wide:?}\ncalibrated: {alarms:?}");
    assert!(is_calibrated);
    // The 70th day is 2024-03-15.
    assert!(
        !alarms.is_empty() && alarms.iter().all(|at| at.as_str() > "2024-03-15"),
        "{alarms:?}"
    );
    // A calibration in other steps says nothing about these, and whoever has one is told so.
    let check = |file: &str| {
        Command::new(env!("CARGO_BIN_EXE_driftline"))
            .args(["check", "--offline", "--config", file])
            .current_dir(&scratch.0)
            .output()
            .map(|output| String::from_utf8_lossy(&output.stderr).into_owned())
            .expect("the binary runs")
    };
    let other = config(", calibration: c.yaml").replace("labels: {step: 24h", "labels: {step: 12h");
    scratch.write("other.yaml", &other);
    let (same, other) = (check("calibrated.yaml"), check("other.yaml"));
    assert!(!same.contains("labels.step"), "{same}");
    let told = "has `labels.step: 12h`, and its labels were calibrated in steps of 1d";
    assert!(other.contains(told), "{other}");
    assert!(!scratch.replay("other.yaml").1);
}
