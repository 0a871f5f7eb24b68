//! `driftline calibrate` as a user meets it: a history in, findings and a file out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A directory with a reference of normal values, and a configuration.
struct Scratch(PathBuf);

const CONFIG: &str = "\
app: test
kafka: {brokers: 'localhost:9092'}
streams:
  predictions: {topic: p, format: json}
models:
  - id: m
    versions: [{version: '1', reference: m.json}]
    segments: [zone]
    pane: 1h
    windows: [24h]
    lateness: {out_of_orderness: 1h}
";

/// Rows of so many days from 2024-01-01, 60 an hour; `x` is spread evenly over 1,000 around a mean of the hour.
fn rows(days: u32, mean: impl Fn(u32) -> f64) -> String {
    let mut text = String::from("id,ts,zone,x\n");
    for hour in 0..24 * days {
        for i in 0..60 {
            // Multiples of the golden ratio fill an interval evenly in any stretch.
            let n = f64::from(hour * 60 + i);
            let x = mean(hour) + 1_000.0 * (n * 0.618_033_988_75).fract();
            let (day, zone) = (1 + hour / 24, ["a", "b"][(i % 2) as usize]);
            let (hour_of_day, minute) = (hour % 24, i);
            writeln!(
                text,
                "{hour}-{i},2024-01-{day:02}T{hour_of_day:02}:{minute:02}:00Z,{zone},{x:.3}"
            )
            .expect("a text takes everything");
        }
    }
    text
}

impl Scratch {
    fn new(name: &str, history: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("the directory can be made");
        let scratch = Self(directory);
        for (file, text) in [
            ("driftline.yaml", CONFIG),
            ("reference.csv", &rows(28, |_| 0.0)),
            ("history.csv", history),
        ] {
            std::fs::write(scratch.0.join(file), text).expect("the file can be written");
        }
        let build =
            "reference build --input reference.csv --model m --model-version 1 --out m.json";
        assert_eq!(scratch.run(build).0, 0);
        scratch
    }

    /// Exit code, standard output and standard error.
    fn run(&self, arguments: &str) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_driftline"))
            .args(arguments.split(' '))
            .current_dir(&self.0)
            .output()
            .expect("the binary runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().expect("no signal ends it");
        (code, text(&output.stdout), text(&output.stderr))
    }

    fn file(&self) -> String {
        std::fs::read_to_string(self.0.join("c.yaml")).expect("the file was written")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const CALIBRATE: &str = "calibrate --config driftline.yaml --predictions history.csv --out c.yaml --model m --model-version 1";

#[test]
fn a_daily_cycle_is_found_and_a_quiet_month_foretold() {
    let cycle = |hour: u32| 400.0 * f64::from(hour % 24).mul_add(0.2618, 0.0).sin();
    let scratch = Scratch::new("calibrate-cycle", &rows(21, cycle));
    let (code, out, err) = scratch.run(&format!("{CALIBRATE} --format json --months 20"));
    assert_eq!(code, 0, "{err}");
    let found: Value = serde_json::from_str(&out).expect("the findings are JSON");
    let version = &found["versions"][0];
    assert_eq!(version["season"], "hour_of_day", "{out}");
    assert_eq!(version["history"]["days"], 21);
    assert_eq!(version["alarms"]["alarms"], 0, "{out}");
    let column = |name: &str| {
        let columns = version["columns"].as_array().expect("columns");
        columns
            .iter()
            .find(|c| c["column"] == name)
            .expect("the column")
            .clone()
    };
    assert!(
        column("x")["shape"]["band"].as_f64().expect("a number") < 0.1,
        "{out}"
    );
    let file = scratch.file();
    assert!(
        file.contains("season: hour_of_day") && file.contains("slots:"),
        "{file}"
    );
    // Without the flag no segment is judged.
    assert!(!file.contains("zone=a"));
    let (code, out, _) = scratch.run(&format!("{CALIBRATE} --months 20 --segments"));
    assert_eq!(code, 0);
    assert!(
        out.contains("Expected false alarms: 0.00 a month") && out.contains("zone=a"),
        "{out}"
    );
    assert!(scratch.file().contains("zone=b"));
}

#[test]
fn a_short_history_is_refused_or_said_to_be_short() {
    let scratch = Scratch::new("calibrate-short", &rows(5, |_| 0.0));
    let (code, _, err) = scratch.run(CALIBRATE);
    assert_eq!(code, 65);
    assert!(
        err.contains("5 days of history are too few") && err.contains("--allow-short"),
        "{err}"
    );
    let (code, out, _) = scratch.run(&format!("{CALIBRATE} --allow-short --months 0"));
    assert_eq!(code, 0);
    assert!(
        out.contains("5 days are fewer than 14") && out.contains("No trial was made"),
        "{out}"
    );
    assert!(scratch.file().contains("short: true"));
}
