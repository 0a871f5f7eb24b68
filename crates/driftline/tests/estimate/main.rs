//! `driftline estimate` as a user meets it: parity with NannyML, tables, JSON, and hostile files.

mod golden;
mod refusals;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).expect("it writes JSON")
    }
}

/// Runs `driftline estimate` in a directory.
pub fn estimate(directory: &Path, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_driftline"))
        .arg("estimate")
        .args(arguments)
        .current_dir(directory)
        .env_remove("DRIFTLINE_LOG")
        .env_remove("COLUMNS")
        .output()
        .expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    Run {
        code: output.status.code().expect("no signal ends it"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// A fresh directory that goes when the test does.
struct Scratch(PathBuf);

impl Scratch {
    /// With `a.csv` and `b.csv`.
    fn with(name: &str, reference: &str, current: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("estimate-{name}"));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("the directory can be made");
        let scratch = Self(directory);
        scratch.write("a.csv", reference);
        scratch.write("b.csv", current);
        scratch
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("the file can be written");
    }

    /// Runs with `a.csv` as reference and `b.csv` as current file.
    fn run(&self, arguments: &[&str]) -> Run {
        estimate(
            &self.0,
            &[&["--reference", "a.csv", "--current", "b.csv"], arguments].concat(),
        )
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const COLUMNS: [&str; 6] = ["--score", "p", "--prediction", "y_hat", "--label", "y"];

struct Draws(u64);

impl Draws {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Rows with well-calibrated scores between `low` and `high`.
fn rows(seed: u64, n: usize, low: f64, high: f64, labelled: bool) -> String {
    let mut draws = Draws(seed);
    let mut text = String::from(if labelled { "p,y_hat,y\n" } else { "p,y_hat\n" });
    for _ in 0..n {
        let p = low + (high - low) * draws.unit();
        let y = u8::from(draws.unit() < p);
        let said = u8::from(p >= 0.5);
        let _ = if labelled {
            writeln!(text, "{p},{said},{y}")
        } else {
            writeln!(text, "{p},{said}")
        };
    }
    text
}

#[test]
fn a_shift_towards_uncertain_scores_is_estimated_and_fails_on_request() {
    let scratch = Scratch::with(
        "shift",
        &rows(1, 4_000, 0.0, 1.0, true),
        &(rows(2, 1_000, 0.0, 1.0, false)
            + rows(3, 1_000, 0.35, 0.65, false)
                .split_once('\n')
                .unwrap()
                .1),
    );
    let json = scratch
        .run(&[&COLUMNS[..], &["--chunk-size", "1000", "--format", "json"]].concat())
        .json();
    assert_eq!(json["task"], "binary");
    let chunks = json["chunks"].as_array().expect("chunks");
    assert_eq!(chunks.len(), 2);
    let accuracy = |i: usize| &chunks[i]["metrics"]["accuracy"];
    assert!(
        (accuracy(0)["estimate"].as_f64().unwrap() - 0.75).abs() < 0.03,
        "{}",
        accuracy(0)
    );
    assert!(
        (accuracy(1)["estimate"].as_f64().unwrap() - 0.575).abs() < 0.03,
        "{}",
        accuracy(1)
    );
    assert_eq!(
        (&accuracy(0)["alert"], &accuracy(1)["alert"]),
        (&false.into(), &true.into())
    );
    assert_eq!(
        (&chunks[1]["start"], &chunks[1]["end"]),
        (&1000.into(), &1999.into())
    );
    assert!(accuracy(0).get("realised").is_none(), "there are no labels");
    assert_eq!(chunks[0]["health"]["state"], "ok");
    assert_eq!(chunks[1]["health"]["reasons"][0], "score_drift");

    let table = scratch.run(
        &[
            &COLUMNS[..],
            &["--chunk-size", "1000", "--fail-on", "drift"],
        ]
        .concat(),
    );
    assert_eq!(table.code, 1, "{}", table.err);
    for expected in [
        "rows",
        "roc_auc",
        "0–999",
        "▼",
        "expected",
        "doubtful",
        "1 of 2 chunks is beyond",
    ] {
        assert!(table.out.contains(expected), "{expected}: {}", table.out);
    }
    assert!(!table.out.contains("realised"), "{}", table.out);
}

#[test]
fn labels_of_the_current_file_stand_beside_the_estimates() {
    let scratch = Scratch::with(
        "labels",
        &rows(1, 2_000, 0.0, 1.0, true),
        &rows(2, 400, 0.0, 1.0, true),
    );
    let run = scratch.run(&COLUMNS);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("realised"), "{}", run.out);
    assert!(
        run.out
            .contains("within what the reference leads to expect"),
        "{}",
        run.out
    );
    // Labels that are the opposite of what the scores say.
    let mut lied = String::from("p,y_hat,y\n");
    let mut draws = Draws(5);
    for _ in 0..300 {
        let p = draws.unit();
        let _ = writeln!(lied, "{p},{},{}", u8::from(p >= 0.5), u8::from(p < 0.5));
    }
    scratch.write("b.csv", &lied);
    let json = scratch
        .run(&[&COLUMNS[..], &["--format", "json"]].concat())
        .json();
    let reasons = json["chunks"][0]["health"]["reasons"]
        .as_array()
        .expect("reasons");
    assert!(reasons.contains(&"labels_disagree".into()), "{reasons:?}");
    let auc = &json["chunks"][0]["metrics"]["roc_auc"];
    assert!(auc["realised"].as_f64().unwrap() < 0.05 && auc["estimate"].as_f64().unwrap() > 0.7);
}

#[test]
fn scores_alone_and_a_threshold_do_too() {
    let scratch = Scratch::with(
        "threshold",
        &rows(1, 1_000, 0.0, 1.0, true),
        &rows(2, 200, 0.0, 1.0, false),
    );
    let score = ["--score", "p", "--label", "y", "--format", "json"];
    let names = |run: &Run| -> Vec<String> {
        let metrics = run.json()["chunks"][0]["metrics"]
            .as_object()
            .expect("metrics")
            .clone();
        metrics.keys().cloned().collect()
    };
    assert_eq!(
        names(&scratch.run(&score)),
        ["average_precision", "roc_auc"]
    );
    let with = scratch.run(&[&score[..], &["--threshold", "0.5"]].concat());
    let without = scratch.run(&[&COLUMNS[..], &["--format", "json"]].concat());
    assert_eq!(with.json()["chunks"], without.json()["chunks"]);
    let refused = scratch.run(&[&score[..], &["--metrics", "f1"]].concat());
    assert_eq!(refused.code, 2);
    assert!(
        refused.err.contains("f1 needs predictions"),
        "{}",
        refused.err
    );
}

#[test]
fn chunks_can_be_months() {
    let (mut reference, mut current) = (String::from("t,p,y_hat,y\n"), String::from("t,p,y_hat\n"));
    let mut draws = Draws(9);
    for i in 0..600 {
        let (p, day) = (draws.unit(), i % 28 + 1);
        let y = u8::from(draws.unit() < p);
        let month = i % 12 + 1;
        let _ = writeln!(
            reference,
            "2023-{month:02}-{day:02}T00:00:00Z,{p},{},{y}",
            u8::from(p > 0.5)
        );
        // The file is not in the order of time.
        let month = 3 - i % 3;
        let _ = writeln!(
            current,
            "2024-{month:02}-{day:02}T00:00:00Z,{p},{}",
            u8::from(p > 0.5)
        );
    }
    let scratch = Scratch::with("months", &reference, &current);
    let periods = ["--time", "t", "--chunk-period", "month", "--format", "json"];
    let json = scratch.run(&[&COLUMNS[..], &periods].concat()).json();
    let chunks = json["chunks"].as_array().expect("chunks");
    assert_eq!(chunks.len(), 3);
    assert_eq!(chunks[1]["start"], 200);
    assert!(
        chunks[1]["start_time"]
            .as_str()
            .unwrap()
            .starts_with("2024-02-01")
    );
    let table = scratch.run(&[&COLUMNS[..], &periods[..4]].concat());
    assert!(table.out.contains("200–399  2024-02-01"), "{}", table.out);
}

#[test]
fn a_regression_errs_more_where_its_labels_scatter_more() {
    let mut draws = Draws(11);
    let mut file = |n: usize, low: f64, labelled: bool| {
        let mut text = String::from(if labelled {
            "id,x,kind,y_hat,y\n"
        } else {
            "id,x,kind,y_hat\n"
        });
        for i in 0..n {
            let x = low + (2.0 - low) * draws.unit();
            let kind = ["a", "b"][i % 2];
            let _ = if labelled {
                let y = 5.0 + x + (0.1 + x) * (2.0 * draws.unit() - 1.0);
                writeln!(text, "{i},{x},{kind},{},{y}", 5.0 + x)
            } else {
                writeln!(text, "{i},{x},{kind},{}", 5.0 + x)
            };
        }
        text
    };
    let scratch = Scratch::with(
        "regression",
        &file(3_000, 0.0, true),
        &file(600, 1.5, false),
    );
    let asked = [
        "--task",
        "regression",
        "--prediction",
        "y_hat",
        "--label",
        "y",
        "--metrics",
        "mae,rmse",
    ];
    let json = scratch
        .run(&[&asked[..], &["--format", "json"]].concat())
        .json();
    let mae = &json["chunks"][0]["metrics"]["mae"];
    // Half of the mean spread, 0.1 + 1.75; the reference's own is 0.55.
    assert!(
        (mae["estimate"].as_f64().unwrap() - 0.925).abs() < 0.07,
        "{mae}"
    );
    assert_eq!(mae["alert"], true);
    assert_eq!(
        json["chunks"][0]["health"]["state"], "broken",
        "scores are elsewhere than in the reference"
    );
    let table = scratch.run(&asked);
    assert!(
        table.out.contains("losses learned on the reference"),
        "{}",
        table.out
    );
}

#[test]
fn several_classes_are_told_by_their_columns() {
    let mut draws = Draws(13);
    let mut text = String::from("p_a,p_b,p_c,said,is\n");
    for _ in 0..600 {
        let (a, b) = (draws.unit(), draws.unit());
        let (a, b) = (a.min(b), (a - b).abs());
        let c = 1.0 - a - b;
        let said = if a >= b && a >= c {
            "a"
        } else if b >= c {
            "b"
        } else {
            "c"
        };
        let u = draws.unit();
        let is = if u < a {
            "a"
        } else if u < a + b {
            "b"
        } else {
            "c"
        };
        let _ = writeln!(text, "{a},{b},{c},{said},{is}");
    }
    let scratch = Scratch::with("classes", &text, &text);
    let asked = [
        "--score",
        "c=p_c,a=p_a,b=p_b",
        "--prediction",
        "said",
        "--label",
        "is",
        "--format",
        "json",
    ];
    let json = scratch
        .run(&[&asked[..], &["--metrics", "accuracy,confusion_matrix"]].concat())
        .json();
    assert_eq!(json["task"], "multiclass");
    let metrics = &json["chunks"][0]["metrics"];
    assert_eq!(metrics.as_object().unwrap().len(), 10);
    let cell = metrics["true_a_pred_b"]["estimate"].as_f64().unwrap();
    assert!(cell > 0.0 && cell < 60.0, "{cell}");
    let unknown = scratch.run(&[
        "--score",
        "a=p_a,b=p_b",
        "--prediction",
        "said",
        "--label",
        "is",
    ]);
    assert_eq!(unknown.code, 65);
    assert!(
        unknown.err.contains("the class `c` is not known here"),
        "{}",
        unknown.err
    );
}
