use std::path::Path;
use std::time::Duration;

use driftline_engine::{PerformanceBaseline, WindowSpanSpec};
use driftline_event::{Metric, Severity};

use super::checked::Labels;
use super::*;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn text(labels: &str) -> String {
    format!(
        "\
app: example
kafka: {{brokers: localhost:9092}}
streams: {{predictions: {{topic: p, format: json}}, labels: {{topic: l, format: json}}}}
models:
  - id: churn
    versions: [{{version: 1, reference: churn-1.json}}]
{labels}"
    )
}

fn read(labels: &str) -> Result<(Config, Problems), Problems> {
    parse(&text(labels), "c.yaml", Path::new("dir"))
}

fn labels(given: &str) -> Option<Labels> {
    let (mut config, warnings) = read(given).map_err(|p| format!("{given}\n{p}")).unwrap();
    assert_eq!(warnings.list, [], "{given}");
    config.models.remove(0).labels
}

#[test]
fn labels_are_judged_by_default_if_the_reference_knows_them() {
    let absent = labels("").unwrap();
    assert!(!absent.is_explicit && absent.judges_when_usual);
    let spec = &absent.spec;
    assert_eq!((spec.step, spec.ttl, spec.wait), (HOUR, 30 * DAY, 30 * DAY));
    assert_eq!((spec.budget_share, spec.sampling_rate), (0.25, 1.0));
    assert!(spec.rules.is_empty() && spec.detectors.is_empty());
    for empty in ["    labels: {}\n", "    labels: true\n"] {
        let given = labels(empty).unwrap();
        assert!(given.is_explicit, "{empty}");
        assert_eq!(given.spec, absent.spec, "{empty}");
    }
    for off in ["    labels: off\n", "    labels: false\n"] {
        assert_eq!(labels(off), None, "{off}");
    }
}

#[test]
fn every_key_reaches_the_engine() {
    let given = "    labels:
      step: 2h
      ttl: 10d
      wait: 5d
      mature_after: [1h, 1d]
      coverage_min: 0.3
      windows: [1d, {size: 7d, slide: 1d, name: week}, month]
      sampling_rate: 0.5
      budget_share: 0.4
      severity: critical
      metrics: {beta: 2, top_k: 3, quantile: 0.9, ranking_k: 5, confidence: 0.9}
      rules: [{metric: roc_auc, tolerance: 0.05, window: week, baseline_windows: 4, min_labels: 9}]
      detectors: [{name: ddm, severity: info}]
";
    let labels = labels(given).unwrap();
    assert!(labels.is_explicit && !labels.judges_when_usual);
    let spec = labels.spec;
    assert_eq!(
        (spec.step, spec.ttl, spec.wait),
        (2 * HOUR, 10 * DAY, 5 * DAY)
    );
    assert_eq!(spec.mature_after, [HOUR, DAY]);
    assert_eq!(spec.coverage_min, Some(0.3));
    assert_eq!((spec.sampling_rate, spec.budget_share), (0.5, 0.4));
    assert_eq!(spec.severity, Severity::Critical);
    let week = WindowSpanSpec::Fixed {
        size: 7 * DAY,
        slide: DAY,
    };
    let names: Vec<&str> = spec.windows.iter().map(|w| w.name.as_str()).collect();
    assert_eq!(names, ["1d", "week", "month"]);
    assert_eq!(spec.windows[1].span, week);
    assert_eq!(spec.windows[2].span, WindowSpanSpec::Month);
    let rule = &spec.rules[0];
    assert_eq!(
        (rule.metric, rule.window.as_str()),
        (Metric::RocAuc, "week")
    );
    assert_eq!((rule.drop, rule.min_labels), (0.05, 9));
    assert_eq!(rule.baseline, PerformanceBaseline::FirstWindows(4));
    assert_eq!(spec.detectors[0].severity, Severity::Info);
    let options = spec.performance;
    assert_eq!((options.beta, options.top_k, options.ndcg_k), (2.0, 3, 5));
}

/// What is wrong, where, and what the advice says.
const PROBLEMS: &[(&str, &str, &str)] = &[
    ("{stepp: 1h}", ".stepp", "did you mean `step`?"),
    ("sometimes", "", "expected `off`"),
    ("{step: 90s}", ".step", "pane"),
    ("{ttl: 90m}", ".ttl", "step"),
    ("{ttl: 2d, wait: 3d}", ".wait", "ttl at least as long"),
    ("{mature_after: [2h]}", ".mature_after[0]", "one of 1m, 5m"),
    (
        "{mature_after: [1d, 1h]}",
        ".mature_after[1]",
        "youngest first",
    ),
    (
        "{ttl: 1d, mature_after: [7d]}",
        ".mature_after[0]",
        "longer ttl",
    ),
    ("{coverage_min: 2}", ".coverage_min", "0.001 to 1"),
    ("{windows: [90m]}", ".windows[0]", "step"),
    ("{windows: [1d, 1d]}", ".windows[1]", "there twice"),
    ("{windows: [{slide: 1d}]}", ".windows[0].size", "or month"),
    ("{sampling_rate: 0}", ".sampling_rate", "allowed"),
    ("{budget_share: 1}", ".budget_share", "0.01 to 0.99"),
    ("{metrics: {beta: 0}}", ".metrics.beta", "default"),
    (
        "{metrics: {ranking_k: 11}}",
        ".metrics.ranking_k",
        "default",
    ),
    (
        "{metrics: {confidence: 1}}",
        ".metrics.confidence",
        "default",
    ),
    ("{rules: [{tolerance: 0.1}]}", ".rules[0].metric", "roc_auc"),
    (
        "{rules: [{metric: roc_auk, tolerance: 0.1}]}",
        ".rules[0].metric",
        "roc_auc",
    ),
    (
        "{rules: [{metric: roc_auc}]}",
        ".rules[0].tolerance",
        "0.05",
    ),
    (
        "{rules: [{metric: f1, tolerance: 0.1, window: 2d}]}",
        ".rules[0].window",
        "1d",
    ),
    ("{detectors: [{name: dmm}]}", ".detectors[0].name", "ddm"),
    (
        "{detectors: [{name: ddm, compat: rivr}]}",
        ".detectors[0].compat",
        "river",
    ),
    (
        "{detectors: [{name: ddm, params: {no: 1}}]}",
        ".detectors[0].params",
        "--list",
    ),
];

#[test]
fn every_problem_of_labels_names_its_place_and_what_to_do() {
    for (given, place, hint) in PROBLEMS {
        let told = match read(&format!("    labels: {given}\n")) {
            Ok(_) => panic!("{given} is taken"),
            Err(problems) => problems.to_string(),
        };
        assert!(told.contains("c.yaml:7:"), "{given}: {told}");
        assert!(
            told.contains(&format!(" models[0].labels{place}: ")),
            "{given}: {told}"
        );
        // Some say it all in the message.
        let says_it = ["hint: ", "expected", "twice"];
        let has_hint = says_it.iter().any(|s| told.contains(s));
        assert!(has_hint && told.contains(hint), "{given}: {told}");
    }
}

#[test]
fn labels_that_no_stream_brings_are_a_warning() {
    let text = text("    labels: {step: 1h}\n").replace(", labels: {topic: l, format: json}", "");
    let (_, warnings) = parse(&text, "c.yaml", Path::new("dir")).unwrap();
    let told = warnings.to_string();
    assert_eq!(warnings.warnings(), 1, "{told}");
    assert!(
        told.contains("models[0].labels: no stream brings labels"),
        "{told}"
    );
}

#[test]
fn outcomes_are_kept_as_long_as_labels_may_take() {
    let (config, _) = read("    labels: {ttl: 60d}\n").unwrap();
    let kept = &config.topics.outcomes.properties["retention.ms"];
    assert_eq!(*kept, (2 * 60 * DAY).as_millis().to_string());
    let short = format!("{}topics: {{outcomes: {{retention: 1d}}}}\n", text(""));
    let (_, warnings) = parse(&short, "c.yaml", Path::new("dir")).unwrap();
    assert!(
        warnings.to_string().contains("topics.outcomes.retention"),
        "{warnings}"
    );
}
