//! `driftline detect` as a user meets it: tables, JSON, exit codes, and what happens with hostile input.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

struct Run {
    code: i32,
    out: String,
    err: String,
}

/// A fresh directory that goes when the test does.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("detect-{name}"));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("the directory can be made");
        Self(directory)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("the file can be written");
    }

    fn detect(&self, arguments: &str) -> Run {
        self.detect_from(arguments, "")
    }

    /// With `input` as standard input.
    fn detect_from(&self, arguments: &str, input: &str) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_driftline"))
            .arg("detect")
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .env_remove("DRIFTLINE_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("it is piped");
        // A command that refuses its arguments does not read.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
        Run {
            code: output.status.code().expect("no signal ends it"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    fn json(&self, arguments: &str) -> Value {
        let run = self.detect(&format!("{arguments} --format json"));
        assert_eq!(run.code, 0, "{}", run.err);
        serde_json::from_str(&run.out).unwrap_or_else(|e| panic!("not JSON: {e}\n{}", run.out))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Every tenth an error, and from 2,000 on every third.
fn errors() -> String {
    let error = |i: u32| if i < 2_000 { i % 10 == 9 } else { i % 3 == 2 };
    (0..4_000).fold(String::new(), |mut text, i| {
        let _ = writeln!(text, "{}", u8::from(error(i)));
        text
    })
}

fn indices(value: &Value) -> Vec<u64> {
    let array = value.as_array().expect("an array");
    array
        .iter()
        .map(|i| i.as_u64().expect("an index"))
        .collect()
}

#[test]
fn json_says_what_was_run_and_where_it_drifted() {
    let scratch = Scratch::new("json");
    scratch.write("errors.txt", &errors());
    let found = scratch
        .json("--detector ddm --compat river --param drift_threshold=2.5 --input errors.txt");
    assert_eq!(found["detector"], "ddm");
    assert_eq!(found["compat"], "river");
    assert_eq!(found["params"]["drift_threshold"], 2.5);
    assert_eq!(found["params"]["warm_start"], 30);
    assert_eq!(found["n"], 4_000);
    let drifts = indices(&found["drifts"]);
    assert_eq!(drifts.len(), 1, "{drifts:?}");
    assert!((2_000..2_400).contains(&drifts[0]), "{drifts:?}");
    let warnings = indices(&found["warnings"]);
    assert!(!warnings.is_empty() && warnings.iter().all(|i| *i < drifts[0] && *i >= 2_000));
    assert_eq!(found["warning_count"], warnings.len());
}

#[test]
fn every_detector_runs_at_its_defaults() {
    let scratch = Scratch::new("all");
    scratch.write("errors.txt", &errors());
    for name in
        "adwin ddm eddm hddm_a hddm_w page_hinkley kswin stepd cusum ecdd rddm gma fhddm bank"
            .split(' ')
    {
        let found = scratch.json(&format!("--detector {name} --input errors.txt"));
        assert_eq!(found["detector"], name);
        assert_eq!(found["compat"], "paper");
    }
}

#[test]
fn the_bank_learns_from_the_first_values() {
    let scratch = Scratch::new("bank");
    scratch.write("errors.txt", &errors());
    let found = scratch.json("--detector bank --input errors.txt");
    let drifts = indices(&found["drifts"]);
    assert!(
        drifts.len() == 1 && (2_000..2_200).contains(&drifts[0]),
        "{drifts:?}"
    );
    assert_eq!(found["params"]["reference"], 1_000);

    let numbers: String = (0..3_000_u32)
        .map(|i| {
            format!(
                "{}\n",
                f64::from(i * 7_919 % 1_000) / 1e3 + if i < 2_000 { 0.0 } else { 0.4 }
            )
        })
        .collect();
    scratch.write("numbers.txt", &numbers);
    let drifts = indices(&scratch.json("--detector bank --input numbers.txt")["drifts"]);
    assert!(
        drifts.len() == 1 && (2_000..2_100).contains(&drifts[0]),
        "{drifts:?}"
    );

    let constant = "0\n".repeat(1_500) + &"1\n0\n".repeat(100);
    scratch.write("constant.txt", &constant);
    let drifts = indices(&scratch.json("--detector bank --input constant.txt")["drifts"]);
    assert!(
        drifts.first().is_some_and(|at| (1_500..1_530).contains(at)),
        "{drifts:?}"
    );

    let short = scratch.detect_from("--detector bank --input -", "1\n2\n");
    assert_eq!(short.code, 0);
    assert!(short.err.contains("not judged"), "{}", short.err);
}

#[test]
fn the_table_shows_means_and_fail_on_drift_exits_with_1() {
    let scratch = Scratch::new("table");
    let run = scratch.detect_from(
        "--detector adwin --compat river --input - --fail-on drift --window 50",
        &errors(),
    );
    assert_eq!(run.code, 1, "{}", run.err);
    for part in [
        "adwin (river)",
        "delta=0.002",
        "mean before",
        "0.1",
        "0.34",
        "drift",
    ] {
        assert!(run.out.contains(part), "{part}\n{}", run.out);
    }
    let quiet = scratch.detect_from(
        "--detector adwin --input - --fail-on drift",
        "1\n1\n1\n\n\n",
    );
    assert_eq!(quiet.code, 0);
    assert!(quiet.out.contains("0 drifts, 0 warnings"), "{}", quiet.out);
    let nothing = scratch.detect_from("--detector adwin --input -", "");
    assert_eq!(nothing.code, 0, "{}", nothing.err);
}

#[test]
fn values_come_from_columns_too() {
    let scratch = Scratch::new("columns");
    let mut csv = String::from("at,error\n");
    for (i, line) in errors().lines().enumerate() {
        let _ = writeln!(csv, "{i},{line}");
    }
    scratch.write("errors.txt", &errors());
    scratch.write("errors.csv", &csv);
    let jsonl: String = errors()
        .lines()
        .map(|line| format!("{{\"wrong\":{}}}\n", line == "1"))
        .collect();
    scratch.write("errors.jsonl", &jsonl);
    let expected = scratch.json("--detector adwin --input errors.txt");
    for arguments in ["--input errors.csv --column error", "--input errors.jsonl"] {
        let found = scratch.json(&format!("--detector adwin {arguments}"));
        assert_eq!(found, expected, "{arguments}");
    }
    let piped = scratch.detect_from(
        "--detector adwin --input - --column error --format json",
        &csv,
    );
    let piped: Value = serde_json::from_str(&piped.out).expect("JSON");
    assert_eq!(piped, expected);

    let which = scratch.detect("--detector adwin --input errors.csv");
    assert_eq!(which.code, 65);
    assert!(which.err.contains("`at`, `error`"), "{}", which.err);
    let none = scratch.detect("--detector adwin --input errors.csv --column x");
    assert_eq!(none.code, 65);
    assert!(none.err.contains("there is no column `x`"), "{}", none.err);
}

#[test]
fn bad_lines_are_refused_with_their_place() {
    let scratch = Scratch::new("bad");
    let long = format!("1\n{}\n", "1".repeat(5_000));
    for (text, place) in [
        ("1\n2\nthree\n", "bad.txt:3: `three` is not a number"),
        ("error\n1\n", "bad.txt:1: `error` is not a number"),
        ("1\nNaN\n", "bad.txt:2: `NaN` is not a finite number"),
        ("1\n-inf\n", "bad.txt:2: `-inf` is not a finite number"),
        ("1\n1e300\n", "bad.txt:2: `1e300` is larger than 1e100"),
        ("1\n\n2\n", "bad.txt:2: the line is blank"),
        ("1\n\u{1b}[2J\n", "bad.txt:2: `\u{fffd}[2J` is not a number"),
        (
            long.as_str(),
            "bad.txt:2: the line is longer than 1024 bytes",
        ),
    ] {
        scratch.write("bad.txt", text);
        let run = scratch.detect("--detector adwin --input bad.txt");
        assert_eq!(run.code, 65, "{}", run.err);
        assert!(run.err.contains(place), "{place}\n{}", run.err);
        assert!(run.out.is_empty());
    }
    scratch.write("bad.csv", "a,b\n1,2\n3,\n");
    let run = scratch.detect("--detector adwin --input bad.csv --column b");
    assert_eq!(run.code, 65);
    assert!(
        run.err
            .contains("bad.csv:3: column `b`: the value is missing"),
        "{}",
        run.err
    );
    std::fs::write(scratch.0.join("bad.txt"), [b'1', b'\n', 0xff, b'\n']).expect("written");
    assert_eq!(scratch.detect("--detector adwin --input bad.txt").code, 65);
    assert_eq!(
        scratch.detect("--detector adwin --input missing.txt").code,
        65
    );
    let odd = scratch.detect_from("--detector ddm --input -", "0\n0.5\n");
    assert_eq!(odd.code, 0);
    assert!(
        odd.err
            .contains("ddm wants 1 for an error and 0 for none; value 1 is 0.5"),
        "{}",
        odd.err
    );
}

#[test]
fn detectors_and_parameters_that_do_not_exist_are_explained() {
    let scratch = Scratch::new("usage");
    for (arguments, said) in [
        ("--detector adwim", "there is no detector `adwim`"),
        (
            "--detector adwin --compat moab",
            "there is no compat `moab`",
        ),
        (
            "--detector rddm --compat frouros",
            "rddm has no compat `frouros`; it has `moa`, `paper`",
        ),
        (
            "--detector adwin --param epsilon=1",
            "adwin has no parameter `epsilon`",
        ),
        (
            "--detector adwin --param delta=2",
            "parameter `delta` cannot be `2`",
        ),
        ("--detector adwin --param delta", "there is no `=`"),
        (
            "--detector adwin --param delta=0.1 --param delta=0.2",
            "given twice",
        ),
        ("--detector bank --param reference=1", "from 20 to"),
        ("--detector bank --compat moa", "bank has no compat `moa`"),
    ] {
        let run = scratch.detect(&format!("{arguments} --input -"));
        assert_eq!(run.code, 2, "{arguments}: {}", run.err);
        assert!(run.err.contains(said), "{said}\n{}", run.err);
    }
    assert_eq!(scratch.detect("--input -").code, 2);
    let list = scratch.detect("--list --compat moa");
    assert_eq!(list.code, 0, "{}", list.err);
    for part in [
        "minNumInstances=129",
        "windowSize=30",
        "alarms_per_million=1",
        "adwin: reads any numbers",
    ] {
        assert!(list.out.contains(part), "{part}\n{}", list.out);
    }
    let one = scratch.detect("--list --detector stepd");
    assert!(
        one.out.contains("alpha_drift=0.003") && !one.out.contains("adwin"),
        "{}",
        one.out
    );
}
