//! The flights, month by month: what `replay` says from binned counts against scipy and scikit-learn on the raw columns.
//!
//! The golden files and the scripts that made them are in `tests/golden/flights` and `tests/golden/performance_flights`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use driftline::cli::{self, ColumnOptions, KindOptions};
use driftline::commands::reference;
use driftline::commands::replay::{LabelOptions, Replay};
use driftline::data::{FLIGHTS_LABELS, FLIGHTS_PREDICTIONS};
use driftline::files::{Input, LabelFile, PredictionDefaults, PredictionFile, Table, TableFilter};
use driftline::pipeline::{joiner_options, label_options, models, observer_options};
use driftline::{config, config::Config};
use driftline_engine::{EvaluatorOptions, ModelSet, Output};
use driftline_event::{
    ColumnKind, Metric, PerformanceReport, Statistic, Timestamp, WindowReport, WindowSpan,
};
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
    labels: {step: 1d, mature_after: [1d], windows: [month]}
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
/// Of the area under the ROC curve, which is taken from the score's bins.
const AUC_WITHIN: f64 = 3e-4;
/// Of means, whose sums are fixed-point numbers.
const MEAN_WITHIN: f64 = 1e-6;
/// Of a delay's quantile, which is taken from half octaves: relative.
const DELAY_WITHIN: f64 = 0.05;
/// Where both sides count the same cells.
const EXACT: f64 = 1e-9;

fn flights() -> Input {
    Input::Bytes {
        name: "predictions.parquet",
        bytes: FLIGHTS_PREDICTIONS,
    }
}

fn labels() -> Input {
    Input::Bytes {
        name: "labels.parquet",
        bytes: FLIGHTS_LABELS,
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
    let (source, options) = ((&flights(), &filter), cli::LabelOptions::default());
    let with_labels = reference::labels::with_labels;
    let (profile, _) = with_labels(profile, &table, source, Some(&labels()), &options).unwrap();
    let model = &config.models[0];
    let spec = models::spec(config, model, &model.versions[0], Arc::new(profile), None);
    ModelSet::new(vec![spec]).unwrap()
}

/// What the replay says of the calendar's months.
struct Months {
    /// By month and column; the windows that are as long as the month.
    columns: BTreeMap<(u64, String), WindowReport>,
    /// By month, in its last revision.
    performance: BTreeMap<u64, PerformanceReport>,
}

static MONTHS_REPLAYED: LazyLock<Months> = LazyLock::new(|| {
    let (config, _) = config::parse(CONFIG, "flights.yaml", Path::new("")).unwrap();
    months(&config, &models(&config))
});

fn months(config: &Config, models: &ModelSet) -> Months {
    let options = observer_options(config, 1);
    let mut replay = Replay::new(models, options, EvaluatorOptions::default(), "flights");
    let options = LabelOptions {
        files: vec![LabelFile::open(&labels(), None).unwrap()],
        forwarder: label_options(config, 1),
        joiner: joiner_options(config, 1),
    };
    replay.join(models, options).unwrap();
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
    let month_of = |span: &WindowSpan| {
        let found = spans
            .iter()
            .find(|(_, start, end)| *start == span.start && *end == span.end);
        found.map(|(month, ..)| *month)
    };
    let mut months = Months {
        columns: BTreeMap::new(),
        performance: BTreeMap::new(),
    };
    let mut sink = |output| {
        match output {
            Output::Report(report) => {
                if let Some(month) = month_of(&report.window) {
                    let key = (month, report.series.feature.clone());
                    months.columns.insert(key, report);
                }
            }
            Output::Performance(report) => {
                if let Some(month) = month_of(&report.window) {
                    let before = months.performance.insert(month, report);
                    let revision = before.map_or(0, |before| before.revision + 1);
                    assert_eq!(months.performance[&month].revision, revision);
                }
            }
            Output::Violation(violation) => panic!("{violation}"),
            _ => {}
        }
        Ok(())
    };
    replay
        .file(&mut file, &mut sink, &ProgressBar::hidden())
        .unwrap();
    replay.finish(&mut sink).unwrap();
    assert_eq!(replay.counts.counted, 336_776);
    assert!(replay.counts.dropped.is_empty());
    assert!(replay.label_counts().unwrap().dropped.is_empty());
    months
}

fn golden(name: &str) -> Value {
    let path = format!("../../tests/golden/{name}/golden.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_month_agrees_with_scikit_learn_on_the_joined_rows() {
    let golden = golden("performance_flights");
    let mut compared = 0;
    for row in golden["rows"].as_array().unwrap() {
        let month = row["month"].as_u64().unwrap();
        // The reference's own months are not among those that are looked at.
        let Some(report) = MONTHS_REPLAYED.performance.get(&month) else {
            assert!(month < 3, "{month}");
            continue;
        };
        compared += 1;
        let maturity = &report.maturity;
        assert_eq!(
            Some(maturity.predicted),
            row["predicted"].as_u64(),
            "{month}"
        );
        assert_eq!(Some(maturity.labelled), row["labelled"].as_u64(), "{month}");
        assert!(maturity.is_mature && maturity.is_final, "{month}");
        let number = |key: &str| row[key].as_f64().unwrap();
        for (metric, within) in [
            (Metric::RocAuc, AUC_WITHIN),
            (Metric::Accuracy, EXACT),
            (Metric::F1, EXACT),
            (Metric::LogLoss, MEAN_WITHIN),
            (Metric::Brier, MEAN_WITHIN),
        ] {
            let (actual, expected) = (report.realised(metric).unwrap(), number(metric.as_str()));
            let difference = (actual.value - expected).abs();
            assert!(
                difference <= within,
                "{metric} of month {month}: {difference}"
            );
            assert!(actual.lower <= expected && expected <= actual.upper);
            assert!(
                report.estimated(metric).is_some(),
                "{metric} of month {month}"
            );
        }
        for (actual, key) in [
            (maturity.delay_p50_seconds, "delay_p50_seconds"),
            (maturity.delay_p95_seconds, "delay_p95_seconds"),
        ] {
            let ratio = actual.unwrap() / number(key);
            assert!(
                (ratio - 1.0).abs() <= DELAY_WITHIN,
                "{key} of month {month}: {ratio}"
            );
        }
    }
    assert_eq!(compared, 10);
}

#[test]
fn every_month_agrees_with_scipy_on_the_raw_columns() {
    let golden = golden("flights");
    let reports = &MONTHS_REPLAYED.columns;
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
