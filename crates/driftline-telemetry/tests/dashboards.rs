//! The committed dashboards are what the generator makes, and follow the rules of Grafana's
//! dashboard-linter and some of our own.

#[path = "../examples/dashboards/builder.rs"]
mod builder;
#[path = "../examples/dashboards/model.rs"]
mod model;

use std::collections::BTreeSet;
use std::path::Path;

use driftline_telemetry::catalogue::{CATALOGUE, MetricType};
use serde_json::Value;

fn panels(json: &Value) -> Vec<&Value> {
    json["panels"]
        .as_array()
        .expect("a dashboard has panels")
        .iter()
        .collect()
}

fn drawn(json: &Value) -> Vec<&Value> {
    panels(json)
        .into_iter()
        .filter(|p| p["type"] != "row")
        .collect()
}

/// Names in a query that look like metrics: words with our prefixes.
fn metric_names(query: &str) -> Vec<&str> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    words
        .filter(|w| w.starts_with("driftline_") || w.starts_with("process_"))
        .collect()
}

#[test]
fn committed_files_are_what_the_generator_makes() {
    for dashboard in model::dashboards() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../grafana")
            .join(dashboard.file());
        let committed = std::fs::read_to_string(&file).expect("the dashboard is committed");
        assert_eq!(
            committed,
            format!("{:#}\n", dashboard.json()),
            "run: cargo run -p driftline-telemetry --example dashboards -- grafana/"
        );
    }
}

#[test]
fn every_metric_of_a_query_is_in_the_catalogue_and_counters_are_rated() {
    for query in model::dashboards()
        .iter()
        .flat_map(builder::Dashboard::queries)
    {
        let names = metric_names(&query);
        assert!(!names.is_empty(), "{query}");
        for name in names {
            let known = CATALOGUE.iter().find(|m| {
                let histogram = m.metric_type == MetricType::Histogram;
                m.name == name || histogram && name.strip_suffix("_bucket") == Some(m.name)
            });
            let metric = known.unwrap_or_else(|| panic!("{name} is not in the catalogue: {query}"));
            if metric.metric_type != MetricType::Gauge {
                for (at, _) in query.match_indices(name) {
                    let before = &query[..at];
                    assert!(
                        before.ends_with("rate(") || before.ends_with("increase("),
                        "{query}"
                    );
                }
            }
        }
        assert!(!query.contains('$'), "a variable is left in {query}");
    }
}

#[test]
fn panels_have_what_the_linter_asks_for() {
    for dashboard in model::dashboards() {
        let json = dashboard.json();
        assert_eq!(json["editable"], false);
        assert!(
            json["uid"]
                .as_str()
                .is_some_and(|uid| !uid.is_empty() && uid.len() <= 40)
        );
        for panel in drawn(&json) {
            let title = panel["title"].as_str().expect("a title");
            assert!(!title.is_empty());
            assert!(
                panel["description"].as_str().is_some_and(|d| d.len() > 20),
                "{title}"
            );
            let unit = panel["fieldConfig"]["defaults"]["unit"]
                .as_str()
                .expect("a unit");
            let known = [
                "none",
                "short",
                "percentunit",
                "cps",
                "s",
                "bytes",
                "dateTimeAsIso",
            ];
            assert!(known.contains(&unit), "{title}: {unit}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            let targets = panel["targets"].as_array().expect("targets");
            assert!(!targets.is_empty(), "{title}");
            for target in targets {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
                let expr = target["expr"].as_str().expect("an expression");
                for selector in expr.split('{').skip(1) {
                    assert!(selector.contains(r#"job=~"$job""#), "{title}: {expr}");
                    assert!(
                        selector.contains(r#"instance=~"$instance""#),
                        "{title}: {expr}"
                    );
                }
                for range in expr.split('[').skip(1) {
                    assert!(range.starts_with("$__rate_interval]"), "{title}: {expr}");
                }
                let depth = expr
                    .chars()
                    .fold(0_i32, |d, c| d + i32::from(c == '(') - i32::from(c == ')'));
                assert_eq!(depth, 0, "{title}: {expr}");
            }
        }
    }
}

#[test]
fn variables_begin_with_the_data_source_and_reload_with_the_time_range() {
    for dashboard in model::dashboards() {
        let json = dashboard.json();
        let variables = json["templating"]["list"].as_array().expect("variables");
        let names: Vec<_> = variables
            .iter()
            .filter_map(|v| v["name"].as_str())
            .collect();
        assert_eq!(names[..3], ["datasource", "job", "instance"]);
        for variable in &variables[1..] {
            assert_eq!(variable["refresh"], 2);
            assert_eq!(variable["datasource"]["uid"], "${datasource}");
        }
    }
}

#[test]
fn panels_have_ids_of_their_own_and_do_not_overlap() {
    let mut uids = BTreeSet::new();
    for dashboard in model::dashboards() {
        let json = dashboard.json();
        assert!(uids.insert(dashboard.uid));
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in panels(&json) {
            assert!(ids.insert(panel["id"].as_u64()), "{panel}");
            let at = |key: &str| panel["gridPos"][key].as_u64().expect("a position");
            assert!(at("x") + at("w") <= 24, "{panel}");
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(taken.insert((x, y)), "{} overlaps", panel["title"]);
                }
            }
        }
    }
}
