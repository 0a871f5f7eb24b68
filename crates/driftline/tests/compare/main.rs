//! `driftline compare` as a user meets it: tables, JSON, pages, and what happens with hostile files.

mod page;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

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
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("compare-{name}"));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("the directory can be made");
        Self(directory)
    }

    /// With `a.csv` and `b.csv`.
    fn with(name: &str, reference: &str, current: &str) -> Self {
        let scratch = Self::new(name);
        scratch.write("a.csv", reference);
        scratch.write("b.csv", current);
        scratch
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("the file can be written");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).expect("the file was written")
    }

    fn compare(&self, arguments: &[&str]) -> Run {
        self.compare_with(arguments, &[])
    }

    fn compare_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_driftline"))
            .args(["compare", "--reference", "a.csv", "--current", "b.csv"])
            .args(arguments)
            .current_dir(&self.0)
            .env_remove("DRIFTLINE_LOG")
            .env_remove("COLUMNS")
            .envs(environment.iter().copied())
            .output()
            .expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
        Run {
            code: output.status.code().expect("no signal ends it"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let run = self.compare(&[&["--format", "json"], arguments].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        serde_json::from_str(&run.out).unwrap_or_else(|e| panic!("not JSON: {e}\n{}", run.out))
    }

    fn page(&self) -> String {
        let run = self.compare(&["--format", "html", "--out", "page.html"]);
        assert_eq!((run.code, run.out.as_str()), (0, ""), "{}", run.err);
        self.read("page.html")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A number in 0..1 that looks random and is the same on every machine (SplitMix64).
fn noise(i: u64) -> f64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as f64 / u64::MAX as f64
}

/// Rows in which `steady` is the same on both sides, `moved` is shifted, `kind` has other shares and a new
/// category, and `gaps` loses values.
fn rows(seed: u64, count: u64, drifted: bool) -> String {
    let mut text = String::from("steady,moved,kind,gaps\n");
    for i in 0..count {
        let at = |k: u64| noise(seed * 1_000_003 + i * 7 + k);
        let moved = at(1) + if drifted { 0.3 } else { 0.0 };
        let kind = match (at(2), drifted) {
            (x, true) if x < 0.1 => "new",
            (x, _) if x < 0.5 => "a",
            _ => "b",
        };
        let gap = drifted && at(3) < 0.2;
        let gaps = if gap {
            String::new()
        } else {
            format!("{:.3}", at(4))
        };
        let _ = writeln!(text, "{:.3},{moved:.3},{kind},{gaps}", at(0));
    }
    text
}

fn feature<'a>(comparison: &'a Value, name: &str) -> &'a Value {
    let features = comparison["features"].as_array().expect("a list");
    features
        .iter()
        .find(|f| f["name"] == name)
        .expect("the column was compared")
}

#[test]
fn the_json_has_floors_and_verdicts_beside_the_documented_shape() {
    let scratch = Scratch::with("json", &rows(1, 600, false), &rows(2, 400, true));
    let comparison = scratch.json(&[]);
    let verdicts: Vec<(&str, &str)> = comparison["features"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|f| (f["name"].as_str().unwrap(), f["verdict"].as_str().unwrap()))
        .collect();
    let expected = [
        ("steady", "stable"),
        ("moved", "drifted"),
        ("kind", "drifted"),
        ("gaps", "drifted"),
    ];
    assert_eq!(verdicts, expected, "in the order of the file");
    let moved = feature(&comparison, "moved");
    assert_eq!(moved["drift"], true);
    assert_eq!(moved["reasons"], serde_json::json!(["shape"]));
    assert_eq!(
        feature(&comparison, "gaps")["reasons"],
        serde_json::json!(["missing"])
    );
    let gaps = &feature(&comparison, "gaps")["current"];
    assert_eq!(
        gaps["n"].as_u64().unwrap() + gaps["missing"].as_u64().unwrap(),
        400
    );
    let kind = feature(&comparison, "kind");
    assert_eq!(
        (&kind["kind"], &kind["categories"]["new"]),
        (&"categorical".into(), &1.into())
    );
    for result in moved["results"].as_array().expect("a list") {
        let keys = ["test", "statistic", "p_value", "method"];
        assert!(keys.iter().all(|key| result.get(key).is_some()), "{result}");
        assert_eq!(
            result["p_value"].is_null(),
            result["method"] == "none",
            "{result}"
        );
        if let Some(floor) = result.get("floor") {
            assert!(
                floor["mean"].as_f64() <= floor["upper"].as_f64(),
                "{result}"
            );
        }
    }
    let of = |test: &str| {
        let results = moved["results"].as_array().expect("a list");
        results
            .iter()
            .find(|r| r["test"] == test)
            .expect("it ran")
            .clone()
    };
    assert_eq!(of("ks")["drift"], true);
    assert!(of("ks")["floor"]["upper"].as_f64() < of("ks")["statistic"].as_f64());
    assert_eq!(
        of("wasserstein").get("drift"),
        None,
        "a distance without a threshold is not judged"
    );
}

#[test]
fn the_table_has_a_line_a_column_and_the_worst_on_top() {
    let scratch = Scratch::with("table", &rows(1, 600, false), &rows(2, 400, true));
    let run = scratch.compare(&[]);
    assert_eq!(run.code, 0, "{}", run.err);
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!(
        lines[0],
        "reference a.csv (600 rows), current b.csv (400 rows)"
    );
    let header: Vec<&str> = lines[2].split_whitespace().collect();
    assert_eq!(header[..5], ["feature", "verdict", "effect", "ks", "floor"]);
    let first_words: Vec<&str> = lines[3..7]
        .iter()
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    assert_eq!(first_words.last(), Some(&"steady"), "{}", run.out);
    assert!(
        run.out
            .contains("\n3 of 4 features drifted (at most 5 % chance of any false alarm): ")
    );
    assert!(!run.out.contains('\u{1b}'), "no colours in a pipe");

    let by_name = scratch.compare(&["--sort", "name"]).out;
    assert!(
        by_name
            .lines()
            .nth(3)
            .is_some_and(|l| l.starts_with("gaps ")),
        "{by_name}"
    );
    let detail = scratch.compare(&["--detail"]).out;
    assert!(
        detail.contains("cramer_von_mises") && detail.contains("no drift"),
        "{detail}"
    );
    let one = scratch.compare(&["--limit", "1"]).out;
    assert!(one.contains("… and 3 more columns"), "{one}");
}

#[test]
fn the_table_keeps_to_the_width() {
    let long = "a_column_with_a_name_that_goes_on_and_on_without_an_end_in_sight";
    let rename = |text: String| text.replacen("steady", long, 1);
    let (a, b) = (rename(rows(1, 300, false)), rename(rows(2, 300, true)));
    let scratch = Scratch::with("width", &a, &b);
    for width in [50, 60, 80, 100, 140] {
        let columns = width.to_string();
        let run = scratch.compare_with(&[], &[("COLUMNS", &columns)]);
        let table: Vec<&str> = run.out.lines().skip(2).take(5).collect();
        for line in &table {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        assert!(
            table[0].contains("verdict") && table[0].contains("ks"),
            "{table:?}"
        );
    }
}

#[test]
fn exit_codes_follow_the_verdict() {
    let scratch = Scratch::with("exit", &rows(1, 600, false), &rows(2, 400, true));
    assert_eq!(scratch.compare(&[]).code, 0);
    let fail = ["--fail-on", "drift"];
    assert_eq!(scratch.compare(&fail).code, 1);
    assert_eq!(
        scratch
            .compare(&[&fail[..], &["--columns", "steady"]].concat())
            .code,
        0
    );
    // Certain, but said to be too small to matter.
    let tolerant = [&fail[..], &["--tolerance", "3", "--columns", "moved"]].concat();
    let run = scratch.compare(&tolerant);
    assert_eq!(run.code, 0);
    assert!(
        run.out
            .contains("no drift; 1 of 1 features differ by little"),
        "{}",
        run.out
    );
    let html = [&fail[..], &["--format", "html", "--out", "x.html"]].concat();
    assert_eq!(scratch.compare(&html).code, 1);
    for wrong in [
        ["--threshold", "psi"],
        ["--threshold", "psi=x"],
        ["--threshold", "welch_t=2"],
        ["--threshold", "psy=0.1"],
        ["--tolerance", "-1"],
        ["--out", "no/such/directory/x.html"],
    ] {
        let run = scratch.compare(&wrong);
        assert_eq!(run.code, 2, "{wrong:?}: {}", run.err);
    }
}

#[test]
fn what_is_within_its_floor_is_never_drift() {
    let scratch = Scratch::with("floor", &rows(1, 400, false), &rows(2, 250, false));
    let arguments = [
        "--threshold",
        "psi=0.001,jensen_shannon=0.001",
        "--fail-on",
        "drift",
    ];
    let comparison = scratch.json(&arguments[..2]);
    for name in ["steady", "moved", "gaps"] {
        let results = feature(&comparison, name)["results"]
            .as_array()
            .expect("a list")
            .clone();
        for test in ["psi", "jensen_shannon"] {
            let result = results.iter().find(|r| r["test"] == test).expect("it ran");
            assert!(
                result["statistic"].as_f64() > Some(0.001),
                "the threshold is crossed: {result}"
            );
            assert_eq!(result["drift"], false, "but the floor is not: {result}");
        }
    }
    assert_eq!(scratch.compare(&arguments).code, 0);
    // Above the floor a threshold counts, also without a p-value.
    let scratch = Scratch::with("threshold", &rows(1, 600, false), &rows(2, 600, true));
    let only = [
        "--tests",
        "psi",
        "--columns",
        "moved",
        "--threshold",
        "psi=0.2",
    ];
    let comparison = scratch.json(&only);
    let reasons = &feature(&comparison, "moved")["reasons"];
    assert!(
        reasons
            .as_array()
            .is_some_and(|r| r.contains(&"threshold".into())),
        "{reasons}"
    );
}

#[test]
fn small_and_empty_columns_are_said_to_be_so() {
    let scratch = Scratch::with("few", "x,y,z\n1,,3\n2,,4\n", "x,y,z\n5,,\n6,,\n");
    let comparison = scratch.json(&[]);
    assert_eq!(feature(&comparison, "x")["verdict"], "too_few");
    assert_eq!(feature(&comparison, "y")["verdict"], "empty");
    assert_eq!(feature(&comparison, "z")["verdict"], "empty");
    assert_eq!(feature(&comparison, "y")["results"], serde_json::json!([]));
    assert_eq!(scratch.compare(&["--fail-on", "drift"]).code, 0);
    assert!(scratch.page().contains("A side has no values"));

    // A column that goes missing altogether has drifted, whatever its kind was.
    let full = format!("x,c\n{}", "1,a\n".repeat(100));
    let gone = format!("x,c\n{}", ",\n".repeat(100));
    let scratch = Scratch::with("gone", &full, &gone);
    let comparison = scratch.json(&[]);
    for name in ["x", "c"] {
        assert_eq!(feature(&comparison, name)["verdict"], "drifted", "{name}");
        assert_eq!(
            feature(&comparison, name)["reasons"],
            serde_json::json!(["missing"])
        );
    }
    scratch.page();
}

#[test]
fn columns_of_one_file_are_named() {
    let scratch = Scratch::with("one-sided", "x,old\n1,2\n", "x,fresh\n1,2\n");
    let comparison = scratch.json(&[]);
    assert_eq!(comparison["only_in_reference"], serde_json::json!(["old"]));
    assert_eq!(comparison["only_in_current"], serde_json::json!(["fresh"]));
    let run = scratch.compare(&[]);
    assert!(
        run.out
            .contains("only in the reference, b.csv does not have it: old"),
        "{}",
        run.out
    );
    assert!(
        scratch
            .page()
            .contains("Only in the current file, so not compared: fresh.")
    );
}

#[test]
fn infinities_are_values() {
    let a = "x\n1\n2\n3\ninf\n";
    let b = "x\n1\n2\n-inf\ninf\n";
    let scratch = Scratch::with("infinite", a, b);
    let comparison = scratch.json(&["--tests", "ks,wasserstein"]);
    let x = feature(&comparison, "x");
    assert_eq!(x["reference"], serde_json::json!({"n": 4, "missing": 0}));
    assert_eq!(x["results"][0]["statistic"], 0.25);
    let run = scratch.compare(&["--tests", "ks,wasserstein"]);
    assert!(run.out.contains("x: no wasserstein: "), "{}", run.out);
    page::well_formed(&scratch.page());
}

#[test]
fn a_peer_is_repeated_beside_the_verdict() {
    let scratch = Scratch::with("peer", &rows(1, 600, false), &rows(2, 400, true));
    let comparison = scratch.json(&["--compat", "evidently"]);
    assert_eq!(comparison["compat"]["peer"], "Evidently");
    assert_eq!(comparison["compat"]["columns"], 4);
    let says = |name: &str| feature(&comparison, name)["compat"].clone();
    assert_eq!(
        (&says("moved")["test"], &says("kind")["test"]),
        (&"ks".into(), &"chisquare".into())
    );
    assert_eq!(
        (&says("moved")["drift"], &says("kind")["drift"]),
        (&true.into(), &true.into())
    );
    let run = scratch.compare(&["--compat", "evidently", "--fail-on", "drift"]);
    assert_eq!(run.code, 1, "half of the columns are enough: {}", run.out);
    assert!(run.out.contains("Evidently would call "), "{}", run.out);

    let comparison = scratch.json(&["--compat", "nannyml"]);
    let moved = &feature(&comparison, "moved")["compat"];
    assert_eq!(
        (&moved["test"], &moved["drift"]),
        (&"jensen_shannon".into(), &true.into())
    );
    assert!(moved["threshold"].as_f64() < moved["score"].as_f64());
    page::well_formed(&scratch.page());
}
