use std::path::PathBuf;
use std::sync::Arc;

use driftline_event::{Catalog, Column, ColumnKind, ColumnRole, DropReason, Layout, Row, Value};
use driftline_sketch::is_missing;

use super::*;
use crate::cli::{ColumnOptions, KindOptions};
use crate::data::{FLIGHTS_LABELS, FLIGHTS_PREDICTIONS};

fn csv(text: &'static str) -> Input {
    Input::Bytes {
        name: "test.csv",
        bytes: text.as_bytes(),
    }
}

fn jsonl(text: &'static str) -> Input {
    Input::Bytes {
        name: "test.jsonl",
        bytes: text.as_bytes(),
    }
}

fn flights() -> Input {
    Input::Bytes {
        name: "predictions.parquet",
        bytes: FLIGHTS_PREDICTIONS,
    }
}

fn numbers(table: &Table, name: &str) -> Vec<Option<f64>> {
    match &table.column(name).expect("the column is there").values {
        Values::Numbers(values) => values
            .iter()
            .map(|x| (!is_missing(*x)).then_some(*x))
            .collect(),
        Values::Categories { .. } => panic!("`{name}` is not numeric"),
    }
}

fn categories(table: &Table, name: &str) -> Vec<Option<String>> {
    match &table.column(name).expect("the column is there").values {
        Values::Categories { codes, names } => codes
            .iter()
            .map(|c| names.get(*c as usize).cloned())
            .collect(),
        Values::Numbers(_) => panic!("`{name}` is not categorical"),
    }
}

#[test]
fn a_table_infers_kinds_and_knows_what_is_missing() {
    let text =
        "id,ts,x,carrier,pred\n1,2013-01-01,1.5,UA,0\n2,2013-01-02,NA,,1\n3,2013-01-03,,NA,1\n";
    let table = Table::read(&csv(text), &TableFilter::default()).unwrap();
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!((table.rows, names), (3, vec!["x", "carrier", "pred"]));
    assert_eq!(numbers(&table, "x"), [Some(1.5), None, None]);
    // NA is an airline's code as well as a missing number.
    assert_eq!(
        categories(&table, "carrier"),
        [Some("UA".into()), None, Some("NA".into())]
    );
    assert_eq!(
        categories(&table, "pred"),
        ["0", "1", "1"].map(|t| Some(t.to_owned()))
    );
}

#[test]
fn kinds_and_times_can_be_chosen() {
    let text = "ts,hour,mixed\n2013-01-01,5,1\n2013-01-02,6,b\n2013-01-03,7,3\n";
    let filter = TableFilter {
        kinds: KindOptions {
            categorical: vec!["hour".into()],
            numeric: vec!["mixed".into()],
        },
        since: Some("2013-01-02".parse().unwrap()),
        until: Some("2013-01-03".parse().unwrap()),
        ..TableFilter::default()
    };
    let table = Table::read(&csv(text), &filter).unwrap();
    assert_eq!(categories(&table, "hour"), [Some("6".to_owned())]);
    assert_eq!(table.column("mixed").unwrap().values.missing(), 1);
}

#[test]
fn a_single_column_needs_no_header() {
    for text in ["1\n2\n3\n", "value\n1\n2\n3\n", "\"\"\n1\n2\n3\n"] {
        let table = Table::read(&csv(text), &TableFilter::default()).unwrap();
        assert_eq!(
            numbers(&table, "value"),
            [Some(1.0), Some(2.0), Some(3.0)],
            "{text:?}"
        );
    }
}

#[test]
fn json_lines_join_nested_keys() {
    let text = "{\"a\": 1, \"b\": {\"c\": \"x\"}}\n\n{\"a\": null, \"d\": true}\n{\"a\": 2.5, \"l\": [1]}\n";
    let table = Table::read(&jsonl(text), &TableFilter::default()).unwrap();
    assert_eq!(numbers(&table, "a"), [Some(1.0), None, Some(2.5)]);
    assert_eq!(categories(&table, "b.c"), [Some("x".into()), None, None]);
    assert_eq!(categories(&table, "d"), [None, Some("true".into()), None]);
    assert_eq!(table.left_out, ["l"]);
}

#[test]
fn errors_name_file_line_and_column() {
    let told =
        |input: &Input, filter: &TableFilter| Table::read(input, filter).unwrap_err().to_string();
    let plain = TableFilter::default();
    assert_eq!(
        told(&csv("a,b\n1,2\n3\n"), &plain),
        "test.csv:3: 1 cells, but the file has 2 columns"
    );
    assert_eq!(told(&csv(""), &plain), "test.csv: the file is empty");
    assert_eq!(
        told(&csv("a,a\n1,2\n"), &plain),
        "test.csv: column `a`: the name is there twice"
    );
    assert!(
        told(&jsonl("{\"a\": 1}\n{\"a\": \n"), &plain)
            .starts_with("test.jsonl:2: the line is not JSON")
    );
    assert!(told(&jsonl("[1]\n"), &plain).contains("not a JSON object"));
    let missing = Input::Path(PathBuf::from("/nonexistent/x.csv"));
    assert!(told(&missing, &plain).starts_with("/nonexistent/x.csv: cannot be read"));
    let odd = Input::Path(PathBuf::from("x.xlsx"));
    assert!(told(&odd, &plain).contains("the name's ending does not say"));
    let garbage = Input::Bytes {
        name: "x.parquet",
        bytes: b"PAR1 this is not it PAR1",
    };
    assert!(told(&garbage, &plain).starts_with("x.parquet: cannot be read as Parquet"));
    let late = TableFilter {
        since: Some("2013-01-01".parse().unwrap()),
        ..TableFilter::default()
    };
    assert_eq!(
        told(&csv("ts,a\nyesterday,1\n"), &late),
        "test.csv:2: column `ts`: this is not a time such as 2013-01-01T05:15:00Z"
    );
    let columns = ColumnOptions {
        score_column: Some("skore".into()),
        ..ColumnOptions::default()
    };
    let filter = TableFilter {
        columns,
        ..TableFilter::default()
    };
    let error = Table::read(&csv("score,a\n1,1\n"), &filter).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("did you mean `score`?"));
}

fn flights_catalog() -> Arc<Catalog> {
    let column = |name: &str, kind, role| Column {
        name: name.into(),
        kind,
        role,
    };
    let columns = vec![
        column("temp", ColumnKind::Numeric, ColumnRole::Feature),
        column("carrier", ColumnKind::Categorical, ColumnRole::Feature),
        column("value", ColumnKind::Numeric, ColumnRole::Output),
        column("label", ColumnKind::Categorical, ColumnRole::Output),
        column("absent", ColumnKind::Numeric, ColumnRole::Feature),
    ];
    let layout = Layout {
        model: "m".into(),
        version: "1".into(),
        columns,
        segments: vec!["origin".into()],
    };
    Arc::new(Catalog::new(vec![layout]).unwrap())
}

fn open(input: &Input) -> PredictionFile {
    let defaults = PredictionDefaults::default();
    PredictionFile::open(
        input,
        &ColumnOptions::default(),
        flights_catalog(),
        defaults,
    )
    .unwrap()
}

#[test]
fn the_flights_are_whole_and_in_order() {
    let mut file = open(&flights());
    assert_eq!(file.absent_columns(), ["absent"]);
    let mut row = Row::default();
    let (mut rows, mut before) = (0, driftline_event::Timestamp::MIN);
    while let Some(step) = file.next(&mut row).unwrap() {
        assert_eq!(step, Step::Row);
        if rows == 0 {
            assert_eq!(
                (row.id(), row.time().to_string().as_str()),
                ("0", "2013-01-01T05:15:00Z")
            );
            let Value::Text(carrier) = row.values()[1] else {
                panic!("{:?}", row.values())
            };
            assert_eq!(
                (row.values()[0], row.text(carrier)),
                (Value::Double(39.02), "UA")
            );
            assert_eq!(row.segments().collect::<Vec<_>>(), [Some("EWR")]);
            assert_eq!(
                (row.values()[3], row.values()[4]),
                (Value::Long(0), Value::Missing)
            );
            let Value::Double(score) = row.values()[2] else {
                panic!("{:?}", row.values())
            };
            assert!((score - 0.187_319_917_559_420_9).abs() < 1e-7);
        }
        assert!(row.time() >= before);
        before = row.time();
        rows += 1;
    }
    assert_eq!(rows, 336_776);
}

#[test]
fn the_flights_labels_are_whole() {
    let input = Input::Bytes {
        name: "labels.parquet",
        bytes: FLIGHTS_LABELS,
    };
    let mut reader = RecordReader::open(&input).unwrap();
    assert_eq!(reader.columns(), ["id", "label_ts", "late"]);
    let mut record = Record::default();
    let mut rows = 0;
    while reader.read(&mut record).unwrap() {
        if rows == 0 {
            assert!(matches!(
                record.cells(),
                [Cell::Long(5), Cell::Time(_), Cell::Long(0)]
            ));
        }
        rows += 1;
    }
    assert_eq!(rows, 327_346);
}

#[test]
fn a_bad_line_is_a_dropped_record_with_its_reason() {
    let text = "model,model_version,ts,temp\nm,1,2013-01-01,1\nm,1,soon,2\nm,1,,3\nn,1,2013-01-01,4\nm,1,1356998400000,x\n";
    let mut file = open(&csv(text));
    let mut row = Row::default();
    let mut steps = Vec::new();
    while let Some(step) = file.next(&mut row).unwrap() {
        steps.push(match step {
            Step::Row => None,
            Step::Dropped(reason, detail) => {
                assert!(detail.starts_with("test.csv:"), "{detail}");
                Some(reason)
            }
        });
    }
    let expected = [
        None,
        Some(DropReason::InvalidTimestamp),
        Some(DropReason::MissingField),
        Some(DropReason::UnknownModel),
        None,
    ];
    assert_eq!(steps, expected);
    assert_eq!(row.time().to_string(), "2013-01-01T00:00:00Z");
    assert!(
        matches!(row.values()[0], Value::Text(_)),
        "a text where a number should be stays one"
    );
}

#[test]
fn csv_and_parquet_give_the_same_numbers() {
    let mut from_csv = open(&csv(
        "ts,temp,carrier,score\n2013-01-01 05:15:00,39.02,UA,0.5\n",
    ));
    let mut row = Row::default();
    from_csv.next(&mut row).unwrap();
    assert_eq!(row.values()[0], Value::Double(39.02));
    assert_eq!(row.values()[2], Value::Double(0.5));
}
