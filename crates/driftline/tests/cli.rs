//! The binary as a user meets it: exit codes, messages, and the shapes of what it prints.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// How a run of the binary ended.
struct Run {
    code: i32,
    out: String,
    err: String,
}

fn driftline(directory: &Path, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_driftline"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("DRIFTLINE_CONFIG")
        .env_remove("DRIFTLINE_LOG")
        .output()
        .expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    let code = output.status.code().expect("no signal ends it");
    Run {
        code,
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// A fresh directory that goes when the test does.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("the directory can be made");
        Self(directory)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("the file can be written");
    }

    fn run(&self, arguments: &[&str]) -> Run {
        driftline(&self.0, arguments)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("not JSON: {e}\n{text}"))
}

const CONFIG: &str = "\
app: test
kafka: {brokers: '127.0.0.1:1'}
streams: {predictions: {topic: predictions, format: json}}
models:
  - id: m
    versions: [{version: 1, reference: ref.json}]
    windows: [1h]
";

/// Two hundred rows in which `x` counts up, shifted by `shift`, and `c` alternates.
fn rows(shift: i32) -> String {
    let mut text = String::from("id,ts,x,c,score,pred\n");
    for i in 0..200 {
        let category = if (i + shift) % 2 == 0 { "a" } else { "b" };
        let at = format!("2024-01-01T{:02}:{:02}:00Z", i / 60, i % 60);
        text.push_str(&format!(
            "{i},{at},{},{category},0.{:03},{}\n",
            i + shift,
            i,
            i % 2
        ));
    }
    text
}

fn with_reference(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    scratch.write("a.csv", &rows(0));
    scratch.write("c.yaml", CONFIG);
    let built = scratch.run(&[
        "reference",
        "build",
        "--input",
        "a.csv",
        "--model",
        "m",
        "--model-version",
        "1",
        "--out",
        "ref.json",
    ]);
    assert_eq!(built.code, 0, "{}", built.err);
    assert!(built.out.is_empty(), "progress is not data: {}", built.out);
    scratch
}

#[test]
fn help_and_version_are_fine_and_mistakes_are_usage() {
    let scratch = Scratch::new("usage");
    for arguments in [
        ["--help"].as_slice(),
        &["--version"],
        &["compare", "--help"],
        &["help", "reference"],
    ] {
        let run = scratch.run(arguments);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{arguments:?}");
    }
    assert!(
        scratch
            .run(&["compare", "--help"])
            .out
            .contains("Examples:")
    );
    assert!(scratch.run(&["--help"]).out.contains("Exit codes:"));
    for arguments in [
        [].as_slice(),
        &["chek"],
        &["check"],
        &["compare", "--reference", "a.csv"],
    ] {
        let run = scratch.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}");
        assert!(!run.err.is_empty());
    }
}

#[test]
fn a_wrong_configuration_is_78_with_every_problem() {
    let scratch = Scratch::new("config");
    scratch.write(
        "c.yaml",
        "app: x\nkafka: {brokers: nowhere, bogus: 1}\nmodel: []\n",
    );
    let run = scratch.run(&["check", "--offline", "--config", "c.yaml"]);
    assert_eq!((run.code, run.out.as_str()), (78, ""));
    for part in [
        "error: the configuration has 5 errors",
        "c.yaml:2:9: error: kafka.brokers: `nowhere` is not a broker address",
        "c.yaml:2:27: error: kafka.bogus: unknown key `bogus`",
        "c.yaml:3:1: error: model: unknown key `model`\n  hint: did you mean `models`?",
        "error: streams.predictions: this section is missing",
        "error: models: there is no model to monitor",
    ] {
        assert!(run.err.contains(part), "missing: {part}\nin: {}", run.err);
    }
    let run = scratch.run(&["check", "--offline", "--config", "no.yaml"]);
    assert_eq!(run.code, 78);
    assert!(
        run.err
            .starts_with("error: the configuration no.yaml cannot be read"),
        "{}",
        run.err
    );
}

#[test]
fn check_predicts_series_and_memory() {
    let scratch = with_reference("check");
    let run = scratch.run(&["check", "--offline", "--config", "c.yaml"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("c.yaml: fine"), "{}", run.out);
    let run = scratch.run(&[
        "check",
        "--offline",
        "--config",
        "c.yaml",
        "--format",
        "json",
    ]);
    let report = json(&run.out);
    // x and value: 10 each; c and label: 8 each; one window.
    assert_eq!(report["series"], 36);
    assert_eq!(report["models"][0]["versions"][0]["columns"], 4);
    assert!(report["memory_bytes_max"].as_u64() > Some(0));
    assert_eq!(report["brokers_asked"], false);
}

#[test]
fn warnings_can_be_denied() {
    let scratch = with_reference("warnings");
    scratch.write(
        "c.yaml",
        &format!("{CONFIG}limits: {{series_per_model_max: 10}}\n"),
    );
    let arguments = ["check", "--offline", "--config", "c.yaml"];
    let run = scratch.run(&arguments);
    assert_eq!(run.code, 0);
    assert!(run.err.contains("needs 36 metric series"), "{}", run.err);
    let run = scratch.run(&[arguments.as_slice(), &["--deny-warnings"]].concat());
    assert_eq!((run.code, run.out.as_str()), (78, ""));
}

#[test]
fn a_missing_or_foreign_reference_is_a_configuration_error() {
    let scratch = with_reference("foreign");
    scratch.write("c.yaml", &CONFIG.replace("ref.json", "other.json"));
    let run = scratch.run(&["check", "--offline", "-c", "c.yaml"]);
    assert_eq!(run.code, 78);
    assert!(
        run.err.contains("the reference other.json cannot be read"),
        "{}",
        run.err
    );
    assert!(
        run.err.contains("hint: `driftline reference build`"),
        "{}",
        run.err
    );
    scratch.write("c.yaml", &CONFIG.replace("id: m", "id: n"));
    let run = scratch.run(&["check", "--offline", "-c", "c.yaml"]);
    assert!(run.err.contains("is of model `m`, not `n`"), "{}", run.err);
    let rules = "    rules: [{statistic: ks, threshold: 0.1, columns: [xx]}]\n";
    scratch.write("c.yaml", &format!("{CONFIG}{rules}"));
    let run = scratch.run(&["check", "--offline", "-c", "c.yaml"]);
    assert!(
        run.err
            .contains("names the column `xx`, which no reference has"),
        "{}",
        run.err
    );
}

#[test]
fn a_broker_that_does_not_answer_is_69() {
    let scratch = with_reference("broker");
    let run = scratch.run(&["check", "--config", "c.yaml"]);
    assert_eq!((run.code, run.out.as_str()), (69, ""));
    assert!(
        run.err.contains("127.0.0.1:1") && run.err.contains("--offline"),
        "{}",
        run.err
    );
}

#[test]
fn a_secret_is_never_printed() {
    let scratch = with_reference("secret");
    let sasl = "'127.0.0.1:1', sasl: {mechanism: PLAIN, username: u, password: {file: password}}";
    scratch.write("c.yaml", &CONFIG.replace("'127.0.0.1:1'", sasl));
    scratch.write("password", "hunter2\n");
    for arguments in [
        ["topics", "--config", "c.yaml"].as_slice(),
        &["check", "--offline", "--config", "c.yaml", "-vv"],
        &["check", "--config", "c.yaml", "-vv"],
    ] {
        let run = scratch.run(arguments);
        assert!(
            !run.out.contains("hunter2") && !run.err.contains("hunter2"),
            "{arguments:?}"
        );
    }
    std::fs::remove_file(scratch.0.join("password")).expect("it was there");
    let run = scratch.run(&["check", "--config", "c.yaml"]);
    assert_eq!(run.code, 78);
    assert!(run.err.contains("the secret file"), "{}", run.err);
}

#[test]
fn topics_lists_what_is_needed_with_rights() {
    let scratch = Scratch::new("topics");
    scratch.write("c.yaml", CONFIG);
    let run = scratch.run(&["topics", "--config", "c.yaml"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for part in [
        "test.partials",
        "--create --if-not-exists --topic test.alerts --partitions 1",
        "--operation Read --operation Describe --topic predictions",
        "--resource-pattern-type prefixed --transactional-id test",
    ] {
        assert!(run.out.contains(part), "missing: {part}\nin: {}", run.out);
    }
    let topics = json(
        &scratch
            .run(&["topics", "--config", "c.yaml", "--format", "json"])
            .out,
    );
    let names: Vec<&str> = topics["topics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|t| t["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "predictions",
            "test.partials",
            "test.alerts",
            "test.dead-letters"
        ]
    );
    assert_eq!(topics["topics"][1]["partitions"], 4);
    assert_eq!(
        scratch
            .run(&["topics", "--config", "c.yaml", "--create"])
            .code,
        69
    );
}

#[test]
fn a_reference_tells_what_it_holds() {
    let scratch = with_reference("show");
    let run = scratch.run(&["reference", "show", "ref.json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(
        run.out.contains("model m, version 1, 200 rows from a.csv"),
        "{}",
        run.out
    );
    let shown = json(
        &scratch
            .run(&["reference", "show", "ref.json", "--format", "json"])
            .out,
    );
    let columns: Vec<(&str, &str, &str)> = shown["columns"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|c| {
            (
                c["name"].as_str().unwrap(),
                c["role"].as_str().unwrap(),
                c["kind"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("x", "feature", "numeric"),
        ("c", "feature", "categorical"),
        ("value", "output", "numeric"),
        ("label", "output", "categorical"),
    ];
    assert_eq!(columns, expected);
    assert_eq!(shown["columns"][0]["values"]["maximum"], 199.0);
    scratch.write("not.json", "{}");
    assert_eq!(scratch.run(&["reference", "show", "not.json"]).code, 65);
}

#[test]
fn a_reference_can_be_of_some_rows_only() {
    let scratch = with_reference("some_rows");
    let arguments = [
        "reference",
        "build",
        "--input",
        "a.csv",
        "--model",
        "m",
        "--out",
        "-",
        "--until",
        "2024-01-01T01:00:00Z",
    ];
    let run = scratch.run(&arguments);
    assert_eq!(json(&run.out)["rows"], 60, "{}", run.err);
    let none = [arguments.as_slice(), &["--since", "2025-01-01"]].concat();
    let run = scratch.run(&none);
    assert_eq!(run.code, 65);
    assert!(run.err.contains("no rows are left"), "{}", run.err);
}

#[test]
fn compare_prints_the_documented_json() {
    let scratch = Scratch::new("compare");
    scratch.write("a.csv", &rows(0));
    scratch.write("b.csv", &rows(60));
    let arguments = ["compare", "--reference", "a.csv", "--current", "b.csv"];
    let run = scratch.run(
        &[
            arguments.as_slice(),
            &["--tests", "ks,psi,chi_square", "--format", "json"],
        ]
        .concat(),
    );
    assert_eq!(run.code, 0, "{}", run.err);
    let comparison = json(&run.out);
    assert_eq!(comparison.as_object().map(serde_json::Map::len), Some(1));
    let features = comparison["features"].as_array().expect("a list");
    let names: Vec<&str> = features.iter().filter_map(|f| f["name"].as_str()).collect();
    assert_eq!(names, ["x", "c", "score", "pred"]);
    let x = &features[0];
    assert_eq!(x["reference"], serde_json::json!({"n": 200, "missing": 0}));
    assert_eq!(x["kind"], "numeric");
    let ks = &x["results"][0];
    assert_eq!(
        (ks["test"].as_str(), ks["statistic"].as_f64()),
        (Some("ks"), Some(0.3))
    );
    assert!(ks["p_value"].as_f64() < Some(1e-6) && ks["method"] == "exact");
    assert_eq!(
        features[1]["results"].as_array().map(Vec::len),
        Some(2),
        "no ks of categories"
    );

    assert_eq!(
        scratch
            .run(&[arguments.as_slice(), &["--fail-on", "drift"]].concat())
            .code,
        1
    );
    let same = [
        "compare",
        "--reference",
        "a.csv",
        "--current",
        "a.csv",
        "--fail-on",
        "drift",
    ];
    let run = scratch.run(&same);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("no feature differs"), "{}", run.out);
}

#[test]
fn compare_explains_what_it_cannot_do() {
    let scratch = Scratch::new("compare_errors");
    scratch.write("a.csv", "x,y\n1,2\n");
    scratch.write("b.csv", "z\n1\n");
    let run = scratch.run(&["compare", "--reference", "a.csv", "--current", "b.csv"]);
    assert_eq!(run.code, 65);
    assert!(
        run.err.contains("a.csv and b.csv have no column in common"),
        "{}",
        run.err
    );
    let run = scratch.run(&[
        "compare",
        "--reference",
        "a.csv",
        "--current",
        "a.csv",
        "--tests",
        "kss",
    ]);
    assert_eq!(run.code, 2);
    assert!(
        run.err
            .contains("there is no test `kss`\nhint: did you mean `ks`?"),
        "{}",
        run.err
    );
    scratch.write("bad.csv", "x,y\n1,2\n3\n");
    let run = scratch.run(&["compare", "--reference", "a.csv", "--current", "bad.csv"]);
    assert_eq!(run.code, 65);
    assert!(
        run.err
            .starts_with("error: bad.csv:3: 1 cells, but the file has 2 columns"),
        "{}",
        run.err
    );
    let run = scratch.run(&["compare", "--reference", "no.csv", "--current", "a.csv"]);
    assert_eq!(run.code, 65);
}

#[test]
fn compare_takes_files_of_one_unnamed_column() {
    let scratch = Scratch::new("unnamed");
    scratch.write("a.csv", "1\n2\n3\n4\n");
    scratch.write("b.csv", "value\n3\n4\n5\n6\n");
    let arguments = [
        "compare",
        "--reference",
        "a.csv",
        "--current",
        "b.csv",
        "--tests",
        "ks",
        "--format",
        "json",
    ];
    let run = scratch.run(&arguments);
    let comparison = json(&run.out);
    assert_eq!(comparison["features"][0]["name"], "value");
    assert_eq!(comparison["features"][0]["results"][0]["statistic"], 0.5);
}

#[test]
fn every_schema_is_json() {
    let scratch = Scratch::new("schema");
    for name in ["config", "alert", "retrain-request", "prediction", "label"] {
        let run = scratch.run(&["schema", name]);
        assert_eq!(run.code, 0, "{name}: {}", run.err);
        assert!(json(&run.out).is_object(), "{name}");
    }
    let schema = json(&scratch.run(&["schema", "config"]).out);
    assert_eq!(schema["title"], "Driftline configuration");
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn logs_can_be_json_and_silence_is_possible() {
    let scratch = with_reference("logs");
    let build = [
        "reference",
        "build",
        "--input",
        "a.csv",
        "--model",
        "m",
        "--out",
        "ref.json",
    ];
    let run = scratch.run(&[build.as_slice(), &["--log-format", "json"]].concat());
    assert!(
        run.err.lines().all(|line| json(line)["level"].is_string()),
        "{}",
        run.err
    );
    assert!(!run.err.is_empty());
    assert_eq!(scratch.run(&[build.as_slice(), &["-q"]].concat()).err, "");
}
