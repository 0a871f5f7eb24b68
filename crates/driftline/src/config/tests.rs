use std::path::Path;
use std::time::Duration;

use super::*;

const MINIMAL: &str = "\
app: example
kafka: {brokers: localhost:9092}
streams: {predictions: {topic: ml.predictions.v1, format: json}}
models:
  - id: churn
    versions: [{version: 1, reference: churn-1.json}]
";

fn read(text: &str) -> Result<(Config, Problems), Problems> {
    parse(text, "c.yaml", Path::new("dir"))
}

fn problems(text: &str) -> String {
    read(text).expect_err("the text is wrong").to_string()
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let (documented, warnings) = read(DEFAULT_YAML).map_err(|p| p.to_string()).unwrap();
    assert_eq!(warnings.list, []);
    let (minimal, _) = read(MINIMAL).map_err(|p| p.to_string()).unwrap();
    assert_eq!(documented, minimal);
}

#[test]
fn every_optional_section_in_the_comments_is_right_too() {
    // Uncomments the lines that stand for sections, and expects only what they add.
    let wanted = [
        "sasl",
        "  mechanism",
        "  username",
        "  password",
        "tls",
        "  ca_file",
        "  certificate_file",
        "  key_file",
        "  key_password",
        "registry",
        "  url",
        "  auth",
        "  timeout",
        "labels",
        "  topic",
    ];
    let text: String = DEFAULT_YAML
        .lines()
        .map(|line| match line.split_once("# ") {
            Some((indent, rest))
                if indent.trim().is_empty()
                    && wanted.iter().any(|w| rest.starts_with(&format!("{w}:"))) =>
            {
                format!("{indent}{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let (config, _) = read(&text).map_err(|p| format!("{text}\n{p}")).unwrap();
    assert!(config.kafka.sasl.is_some() && config.kafka.tls.is_some());
    assert!(config.registry.is_some() && config.labels.is_some());
}

#[test]
fn every_problem_is_reported_at_once_with_place_and_advice() {
    let text = "\
app: my app
kafka: {broker: localhost}
streams:
  predictions: {topic: p, format: avrro}
  labels: {topic: p, format: json}
models:
  - id: m
    versions: []
    pane: 7m
    windows: [1h, 15 minutes, {size: 7m, slide: 14m}]
    rules:
      - {statistic: pis, treshold: 0.2, windows: [2h]}
      - {statistic: ks, threshold: 1.5, min_events: many}
flush: {interval: 0s}
limits: {series_max: 0}
http: {bind: everywhere}
late_events: dead-letter
";
    let expected = "\
c.yaml:1:1: error: app: `my app` cannot be part of a topic name
  hint: use 1 to 100 of the characters a-z A-Z 0-9 . _ -
";
    let told = problems(text);
    assert!(told.starts_with(expected), "{told}");
    for part in [
        "c.yaml:2:9: error: kafka.broker: unknown key `broker`\n  hint: did you mean `brokers`?",
        "kafka.brokers: this key is missing",
        "c.yaml:4:27: error: streams.predictions.format: `avrro` is not one of avro, avro_plain, json\n  hint: did you mean `avro`?",
        "c.yaml:5:12: error: streams.labels.topic: the topic `p` already serves as streams.predictions.topic",
        "models[0].versions: the model has no version",
        "models[0].windows[0]: 1h is not a whole number of panes of 7m",
        "c.yaml:10:19: error: models[0].windows[1]: `15 minutes` is not a duration",
        "models[0].windows[2].slide: the slide is longer than the window",
        "models[0].rules[0].statistic: `pis` is not a statistic\n  hint: did you mean `psi`?",
        "models[0].rules[0].treshold: unknown key `treshold`\n  hint: did you mean `threshold`?",
        "models[0].rules[0].threshold: this key is missing",
        "models[0].rules[0].windows[0]: the model has no window `2h`",
        "models[0].rules[1].threshold: 1.5 cannot be a threshold of ks",
        "models[0].rules[1].min_events: expected a whole number, 0 or more, found the text `many`",
        "flush.interval: this must be longer than nothing",
        "limits.series_max: 0 is out of range",
        "http.bind: `everywhere` is not an address with a port",
        "c.yaml:17:1: error: late_events: `dead-letter` is not one of count, dead_letter\n  hint: did you mean `dead_letter`?",
    ] {
        assert!(told.contains(part), "missing: {part}\nin:\n{told}");
    }
    let lines: Vec<u64> = read(text)
        .unwrap_err()
        .list
        .iter()
        .filter_map(|p| p.at)
        .map(|at| at.line)
        .collect();
    assert!(lines.is_sorted(), "{lines:?}");
}

#[test]
fn what_a_broken_file_holds_is_not_quoted() {
    let told = problems("kafka: {sasl: {password: hunter2]\n");
    assert!(
        told.starts_with("c.yaml:1:") && !told.contains("hunter2"),
        "{told}"
    );
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_repeated() {
    let sasl = |password: &str| {
        let sasl = format!("{{mechanism: PLAIN, username: u, password: {password}}}");
        MINIMAL.replace(
            "brokers: localhost:9092",
            &format!("brokers: 'b:1', sasl: {sasl}"),
        )
    };
    for password in ["hunter2", "\"hunter2\"", "[hunter2]", "{value: hunter2}"] {
        let told = problems(&sasl(password));
        assert!(told.contains("kafka.sasl.password"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    let told = problems(&sasl("20140601"));
    assert!(!told.contains("20140601"), "{told}");
    let (config, _) = read(&sasl("{env: NAME_OF_IT}"))
        .map_err(|p| p.to_string())
        .unwrap();
    let password = config.kafka.sasl.map(|sasl| sasl.password);
    assert_eq!(password, Some(SecretSource::Env("NAME_OF_IT".into())));

    let property = MINIMAL.replace(
        "localhost:9092",
        "'b:1', properties: {sasl.password: hunter2}",
    );
    let told = problems(&property);
    assert!(
        told.contains("use kafka.sasl.password") && !told.contains("hunter2"),
        "{told}"
    );
    let url = format!("{MINIMAL}registry: {{url: 'http://u:hunter2@host'}}\n");
    let told = problems(&url);
    assert!(
        told.contains("holds a user name or password") && !told.contains("hunter2"),
        "{told}"
    );
}

#[test]
fn settings_that_exactly_once_depends_on_are_refused() {
    let text = MINIMAL.replace(
        "localhost:9092",
        "'b:1', properties: {enable.auto.commit: true}",
    );
    assert!(
        problems(&text).contains("positions are committed with the output, in one transaction")
    );
}

#[test]
fn framed_avro_needs_a_registry_or_a_schema() {
    let text = MINIMAL.replace(", format: json", "");
    assert!(problems(&text).contains("give registry.url, or schema_file here, or format: json"));
    assert!(read(&format!("{text}registry: {{url: 'http://r:8081'}}\n")).is_ok());
    assert!(read(&MINIMAL.replace("format: json", "schema_file: p.avsc")).is_ok());
}

#[test]
fn names_keep_their_spelling() {
    let (config, _) = read(&MINIMAL.replace("version: 1", "version: 1.10")).unwrap();
    assert_eq!(config.models[0].versions[0].version, "1.10");
}

#[test]
fn an_empty_file_says_what_is_needed() {
    let told = problems("");
    for path in ["app", "kafka.brokers", "streams.predictions", "models"] {
        assert!(told.contains(&format!("error: {path}: ")), "{told}");
    }
}

#[test]
fn the_json_schema_accepts_the_defaults_and_refuses_what_the_parser_refuses() {
    let schema = serde_json::to_value(json_schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let json = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&json(DEFAULT_YAML))
        .map(|e| e.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    for wrong in [
        MINIMAL.replace("brokers", "broker"),
        MINIMAL.replace("format: json", "format: xml"),
        MINIMAL.replace("app: example\n", ""),
        format!("{MINIMAL}flush: {{interval: 5}}\n"),
    ] {
        assert!(!validator.is_valid(&json(&wrong)), "{wrong}");
    }
}

#[test]
fn the_examples_are_right() {
    for (name, text) in [
        (
            "driftline.yaml",
            include_str!("../../../../examples/driftline.yaml"),
        ),
        (
            "secured.yaml",
            include_str!("../../../../examples/secured.yaml"),
        ),
    ] {
        let parsed = parse(text, name, Path::new("examples"));
        let (_, warnings) = parsed.unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(warnings.list, [], "{name}");
    }
}

#[test]
fn default_slides_divide_their_windows() {
    let text = |window: &str, pane: &str| {
        let model = format!("    pane: {pane}\n    windows: [{window}]\n");
        read(&format!("{MINIMAL}{model}")).unwrap().0.models[0].windows[0].slide
    };
    let minutes = |n: u64| std::time::Duration::from_secs(60 * n);
    assert_eq!(text("1h", "1m"), minutes(5));
    assert_eq!(text("24h", "1m"), minutes(120));
    assert_eq!(
        text("15m", "1m"),
        minutes(3),
        "1.25 panes, and the next that divides 15"
    );
    assert_eq!(text("7m", "1m"), minutes(1));
    assert_eq!(text("1h", "1h"), minutes(60));
    assert!(
        read(&format!(
            "{MINIMAL}    windows: [{{size: 1h, slide: 7m}}]\n"
        ))
        .is_err()
    );
}

#[test]
fn partial_counts_outlive_the_longest_window() {
    let text = |more: &str| {
        format!(
            "app: a\nkafka: {{brokers: 'b:1'}}\nstreams: {{predictions: {{topic: t, format: json}}}}\n\
             models: [{{id: m, versions: [{{version: '1', reference: r.json}}], pane: 1h, \
             windows: [{{size: 28d, slide: 1d}}]}}]\n{more}"
        )
    };
    let (config, warnings) = read(&text("")).unwrap();
    let kept: u64 = config.topics.partials.properties["retention.ms"]
        .parse()
        .unwrap();
    assert!(
        kept >= 2 * 28 * 86_400_000 && warnings.warnings() == 0,
        "{kept} {warnings}"
    );
    let (_, warnings) = read(&text("topics: {partials: {retention: 7d}}\n")).unwrap();
    assert!(
        warnings
            .to_string()
            .contains("shorter than the longest window"),
        "{warnings}"
    );
}

#[test]
fn the_budget_is_on_unless_it_is_turned_off() {
    let model = |keys: &str| {
        let (mut config, _) = read(&format!("{MINIMAL}{keys}"))
            .map_err(|p| p.to_string())
            .unwrap();
        config.models.remove(0)
    };
    let on = model("");
    assert_eq!(on.decision.map(|d| d.alarms_per_month), Some(1.0));
    assert!(on.rules.is_empty(), "rules flood: only on request");
    let off = model("    decision: off\n");
    assert!(off.decision.is_none() && off.rules.len() == 6);
    let keys =
        "    decision: {alarms_per_month: 0.5, step: 24h, tolerance: 0.2, weights: {age: 3}}\n";
    let decision = model(keys).decision.unwrap();
    assert_eq!(decision.step, Duration::from_secs(86_400));
    assert_eq!(
        (decision.alarms_per_month, decision.tolerance),
        (0.5, Some(0.2))
    );
    assert_eq!(decision.weights["age"], 3.0);
}

#[test]
fn a_version_is_compared_with_one_thing() {
    let version = |keys: &str| {
        MINIMAL.replace(
            "[{version: 1, reference: churn-1.json}]",
            &format!("[{{version: '1', reference: r}}, {{version: '2', reference: r, compare_with: {keys}}}]"),
        )
    };
    let with = |keys: &str| {
        let (config, _) = read(&version(keys)).map_err(|p| p.to_string()).unwrap();
        config.models[0].versions[1].compare_with.clone()
    };
    let day = Duration::from_secs(86_400);
    assert_eq!(with("reference"), CompareWith::Reference);
    assert_eq!(with("{version: '1'}"), CompareWith::Version("1".into()));
    let trailing = CompareWith::Trailing {
        size: 7 * day,
        lag: day,
    };
    assert_eq!(with("{trailing: 7d, lag: 1d}"), trailing);
    let trailing = CompareWith::Trailing {
        size: 7 * day,
        lag: 7 * day,
    };
    assert_eq!(with("{trailing: 7d}"), trailing);
    for (keys, told) in [
        ("{version: '2'}", "`2` is not another version"),
        (
            "{version: '1', trailing: 7d}",
            "does not say what to compare with",
        ),
        ("{lag: 1d}", "does not say what to compare with"),
        ("{trailing: 90s}", "not a whole number of panes"),
        ("refernce", "reference"),
    ] {
        let problems = problems(&version(keys));
        assert!(problems.contains(told), "{keys}: {problems}");
    }
}

#[test]
fn rules_over_many_columns_are_read_and_checked() {
    let keys = "
    rules: [{statistic: psi, threshold: 0.2, for: 2, of: 5}]
    p_value_rules: [{test: ks, alpha: 0.05, correction: saffron}]
    quorums: [{rule: ks_p_value, share: 0.5}, {name: three, rule: psi, at_least: 3, windows: [1h]}]
";
    let (config, _) = read(&format!("{MINIMAL}{keys}"))
        .map_err(|p| p.to_string())
        .unwrap();
    let model = &config.models[0];
    assert_eq!(model.rules[0].of_closes, Some(5));
    assert_eq!(model.p_value_rules[0].name, "ks_p_value");
    assert_eq!(model.quorums[1].windows, ["1h"]);
    for (keys, told) in [
        ("p_value_rules: [{test: psi}]", "`psi` has no p-value here"),
        (
            "p_value_rules: [{test: ks, correction: lrd}]",
            "`lrd` is not a correction",
        ),
        (
            "p_value_rules: [{test: ks}, {test: ks}]",
            "p_value_rules[1]",
        ),
        (
            "quorums: [{rule: psi, share: 0.5}]",
            "the model has no rule `psi`",
        ),
        (
            "decision: off\n    quorums: [{rule: psi}]",
            "how many columns",
        ),
        (
            "rules: [{statistic: psi, threshold: 0.2, for: 4, of: 3}]",
            "rules[0].of: 3 is out of range",
        ),
    ] {
        let problems = problems(&format!("{MINIMAL}    {keys}\n"));
        assert!(problems.contains(told), "{keys}: {problems}");
    }
}
