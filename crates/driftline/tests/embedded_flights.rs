//! The flights, month by month: what `replay` says from binned counts against scipy on the raw columns.
//!
//! The golden file and the script that made it are in `tests/golden/flights`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use driftline::cli::{ColumnOptions, KindOptions};
use driftline::commands::{reference, replay::Replay};
use driftline::data::FLIGHTS_PREDICTIONS;
use driftline::files::{Input, PredictionDefaults, PredictionFile, Table, TableFilter};
use driftline::pipeline::{models, observer_options};
use driftline::{config, config::Config};
use driftline_engine::{EvaluatorOptions, ModelSet, Output};
use driftline_event::{ColumnKind, Statistic, Timestamp, WindowReport};
use driftline_sketch::ProfileOptions;
use indicatif::ProgressBar;
use serde_json::Value;

/// A month is a window of this many days that ends with it; no rules.
const CONFIG: &str = "\
app: flights
kafka: {brokers: 'localhost:9092'}
streams: {predictions: {topic: flights, format: json}}
models:
  - id: flights-delay
    versions: [{version: '1', reference: none.json}]
    pane: 1d
    windows:
      - {size: 30d, slide: 1d, name: 30d}
      - {size: 31d, slide: 1d, name: 31d}
    rules: []
";

/// The first instants of March to December and of the January after.
const MONTHS: [(u64, &str, &str); 10] = [
    (3, "2013-03-01T00:00:00Z", "2013-04-01T00:00:00Z"),
    (4, "2013-04-01T00:00:00Z", "2013-05-01T00:00:00Z"),
    (5, "2013-05-01T00:00:00Z", "2013-06-01T00:00:00Z"),
    (6, "2013-06-01T00:00:00Z", "2013-07-01T00:00:00Z"),
    (7, "2013-07-01T00:00:00Z", "2013-08-01T00:00:00Z"),
    (8, "2013-08-01T00:00:00Z", "2013-09-01T00:00:00Z"),
    (9, "2013-09-01T00:00:00Z", "2013-10-01T00:00:00Z"),
    (10, "2013-10-01T00:00:00Z", "2013-11-01T00:00:00Z"),
    (11, "2013-11-01T00:00:00Z", "2013-12-01T00:00:00Z"),
    (12, "2013-12-01T00:00:00Z", "2014-01-01T00:00:00Z"),
];

/// `docs/statistics.md` says where these come from.
const KS_WITHIN: f64 = 0.005;
/// Of a numeric column, whose cells end on bin edges and not on deciles; whichever is more.
const PSI_WITHIN: f64 = 0.04;
const PSI_WITHIN_RELATIVE: f64 = 0.07;
/// Of the standard deviation of the reference, so that it means the same for miles and for inches.
const WASSERSTEIN_WITHIN: f64 = 0.02;
/// Where both sides count the same cells.
const EXACT: f64 = 1e-9;

fn flights() -> Input {
    Input::Bytes {
        name: "predictions.parquet",
        bytes: FLIGHTS_PREDICTIONS,
    }
}

fn models(config: &Config) -> ModelSet {
    let filter = TableFilter {
        until: Some("2013-03-01T00:00:00Z".parse().unwrap()),
        kinds: KindOptions {
            categorical: vec!["pred".to_owned()],
            numeric: Vec::new(),
        },
        ..TableFilter::default()
    };
    let table = Table::read(&flights(), &filter).unwrap();
    let options = ProfileOptions::default();
    let profile = reference::profile(&table, "flights-delay", "1", options).unwrap();
    let model = &config.models[0];
    let spec = models::spec(config, model, &model.versions[0], Arc::new(profile), None);
    ModelSet::new(vec![spec]).unwrap()
}

/// The reports of the windows that are calendar months, by month and column.
fn months(config: &Config, models: &ModelSet) -> BTreeMap<(u64, String), WindowReport> {
    let options = observer_options(config, 1);
    let mut replay = Replay::new(models, options, EvaluatorOptions::default(), "flights");
    let mut file = PredictionFile::open(
        &flights(),
        &ColumnOptions::default(),
        models.catalog().clone(),
        PredictionDefaults::default(),
    )
    .unwrap();
    let spans = MONTHS.map(|(month, start, end)| {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        (month, at(start), at(end))
    });
    let mut reports = BTreeMap::new();
    let mut sink = |output| {
        if let Output::Report(report) = output {
            let span = (report.window.start, report.window.end);
            if let Some((month, ..)) = spans.iter().find(|(_, start, end)| (*start, *end) == span) {
                reports.insert((*month, report.series.feature.clone()), report);
            }
        }
        Ok(())
    };
    replay
        .file(&mut file, &mut sink, &ProgressBar::hidden())
        .unwrap();
    replay.finish(&mut sink).unwrap();
    assert_eq!(replay.counts.counted, 336_776);
    assert!(replay.counts.dropped.is_empty());
    reports
}

#[test]
fn every_month_agrees_with_scipy_on_the_raw_columns() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/flights/golden.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (config, _) = config::parse(CONFIG, "flights.yaml", Path::new("")).unwrap();
    let models = models(&config);
    let reports = months(&config, &models);
    let rows = golden["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 10 * 12);
    let mut wrong = Vec::new();
    for row in rows {
        let name = row["feature"].as_str().unwrap();
        // The score is the model's output, and its column is called `value`.
        let column = if name == "score" { "value" } else { name };
        let month = row["month"].as_u64().unwrap();
        let report = &reports[&(month, column.to_owned())];
        assert_eq!(
            report.sample_size.current,
            row["n"].as_u64().unwrap(),
            "{month} {name}"
        );
        let mut compare = |statistic: Statistic, golden: &Value, within: f64, relative: f64| {
            let Some(expected) = golden.as_f64() else {
                return;
            };
            let actual = report.value(statistic).unwrap();
            let within = within.max(relative * expected);
            if (actual - expected).abs() > within {
                wrong.push(format!(
                    "{statistic} of {name} in month {month}: {actual}, scipy says {expected} ± {within}"
                ));
            }
        };
        let psi = match report.kind {
            ColumnKind::Numeric => (PSI_WITHIN, PSI_WITHIN_RELATIVE),
            ColumnKind::Categorical | ColumnKind::Embedding => (EXACT, 0.0),
        };
        let deviation = row["standard_deviation"].as_f64().unwrap_or(0.0);
        compare(Statistic::KolmogorovSmirnov, &row["ks"], KS_WITHIN, 0.0);
        compare(Statistic::Psi, &row["psi"], psi.0, psi.1);
        let within = WASSERSTEIN_WITHIN * deviation;
        compare(Statistic::Wasserstein, &row["wasserstein"], within, 0.0);
        compare(Statistic::MissingRatio, &row["missing_ratio"], EXACT, 0.0);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
