//! From decoded rows to predictions.

use driftline_event::{Column, ColumnKind, ColumnRole, Layout, LayoutId, Row, Task, Value};
use driftline_sketch::{
    DecisionSource, OutcomeColumns, OutcomeOptions, OutcomeProfile, Scored, ranking_item,
};

use super::rows::{binary_options, multiclass_options, names, regression_options};

fn layout(columns: &[&str]) -> Layout {
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        kind: ColumnKind::Numeric,
        role: ColumnRole::Output,
    };
    Layout {
        model: "m".into(),
        version: "1".into(),
        columns: columns.iter().map(column).collect(),
        segments: vec![],
    }
}

/// What is kept of a row whose output columns hold these values.
fn scored(options: &OutcomeOptions, columns: &[(&str, Given)]) -> Option<Scored> {
    let profile = OutcomeProfile::unfitted(options).unwrap();
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let layout = layout(&names);
    let resolved = OutcomeColumns::resolve(&profile, &layout).unwrap();
    let mut row = Row::default();
    row.start(LayoutId(0), columns.len(), 0);
    for (i, (_, given)) in columns.iter().enumerate() {
        let value = match given {
            Given::Value(value) => *value,
            Given::Text(text) => Value::Text(row.push_text(text)),
        };
        row.set_value(i, value);
    }
    profile.scored(&resolved, &row)
}

#[derive(Clone, Copy)]
enum Given {
    Value(Value),
    Text(&'static str),
}

const fn score(score: f64) -> Given {
    Given::Value(Value::Double(score))
}

const MISSING: Given = Given::Value(Value::Missing);

#[test]
fn a_score_decides_from_its_threshold_on() {
    let of = |given| scored(&binary_options(), &[("value", given)]);
    let found = |score, positive| Some(Scored::Binary { score, positive });
    assert_eq!(of(score(0.3)), found(0.3, true));
    assert_eq!(
        of(score(0.3_f64.next_down())),
        found(0.3_f64.next_down(), false)
    );
    assert_eq!(of(Given::Value(Value::Long(1))), found(1.0, true));
    for nothing in [
        MISSING,
        score(f64::NAN),
        score(f64::INFINITY),
        Given::Text("0.5"),
    ] {
        assert_eq!(of(nothing), None);
    }
}

#[test]
fn a_column_says_what_was_decided() {
    let options = OutcomeOptions {
        decision: DecisionSource::Column("label".into()),
        ..binary_options()
    };
    let of = |decided| {
        let found = scored(&options, &[("value", score(0.1)), ("label", decided)]);
        found.map(|scored| matches!(scored, Scored::Binary { positive: true, .. }))
    };
    let truths = [
        Given::Text("1"),
        Given::Text("true"),
        Given::Value(Value::Long(1)),
        Given::Value(Value::Double(1.0)),
        Given::Value(Value::Bool(true)),
    ];
    assert!(truths.into_iter().all(|given| of(given) == Some(true)));
    assert_eq!(of(Given::Text("0")), Some(false));
    assert_eq!(of(Given::Text("review")), Some(false));
    // Empty: the score decides.
    assert_eq!(of(MISSING), Some(false));
    let bare = OutcomeOptions {
        score_columns: vec![],
        ..options
    };
    let found = scored(&bare, &[("label", Given::Text("1"))]);
    assert_eq!(
        found,
        Some(Scored::Binary {
            score: 1.0,
            positive: true
        })
    );
    assert_eq!(scored(&bare, &[("label", MISSING)]), None);
}

#[test]
fn the_five_best_classes_are_kept() {
    let options = multiclass_options(7);
    let given = [0.05, 0.3, 0.05, 0.2, 0.25, f64::NAN, 0.15];
    let columns: Vec<(String, Given)> = given
        .iter()
        .enumerate()
        .map(|(i, p)| (format!("scores.c{i}"), score(*p)))
        .collect();
    let columns: Vec<(&str, Given)> = columns.iter().map(|(n, g)| (n.as_str(), *g)).collect();
    let Some(Scored::Multiclass { decided, top }) = scored(&options, &columns) else {
        panic!("it has scores")
    };
    // Of two that are equal the first stays.
    assert_eq!((decided, top.map(|best| best.class)), (1, [1, 4, 3, 6, 0]));
    assert_eq!(
        top.map(|best| best.probability),
        [0.3, 0.25, 0.2, 0.15, 0.05]
    );
    let bare = OutcomeOptions {
        score_columns: vec![],
        decision: DecisionSource::Column("label".into()),
        ..options
    };
    let found = |text| match scored(&bare, &[("label", Given::Text(text))]) {
        Some(Scored::Multiclass { decided, top }) if top[0].is_none() => decided,
        other => panic!("{other:?}"),
    };
    assert_eq!((found("c6"), found("other")), (6, 7));
}

#[test]
fn values_and_rankings_are_read() {
    let value = scored(
        &regression_options(),
        &[("value", Given::Value(Value::Long(-3)))],
    );
    assert_eq!(value, Some(Scored::Regression { value: -3.0 }));
    let items: Vec<String> = (0..12).map(|i| format!("scores.i{i}")).collect();
    let options = OutcomeOptions {
        score_columns: items.clone(),
        ..OutcomeOptions::new(Task::Ranking)
    };
    let columns: Vec<(&str, Given)> = items
        .iter()
        .enumerate()
        .map(|(i, name)| (name.as_str(), score(i as f64)))
        .collect();
    let best: Vec<u32> = (2..12)
        .rev()
        .map(|i| ranking_item(&format!("i{i}")))
        .collect();
    let wanted = Some(Scored::Ranking {
        items: best.try_into().unwrap(),
    });
    assert_eq!(scored(&options, &columns), wanted);
    let list = OutcomeOptions {
        decision: DecisionSource::Column("items".into()),
        ..OutcomeOptions::new(Task::Ranking)
    };
    let found = scored(&list, &[("items", Given::Text(r#"["b", "a"]"#))]);
    let mut items = [0; 10];
    (items[0], items[1]) = (ranking_item("b"), ranking_item("a"));
    assert_eq!(found, Some(Scored::Ranking { items }));
    assert_eq!(scored(&list, &[("items", Given::Text("[]"))]), None);
}

#[test]
fn a_column_that_is_not_there_is_named() {
    let options = OutcomeOptions {
        score_columns: names(&["probability"]),
        ..binary_options()
    };
    let profile = OutcomeProfile::unfitted(&options).unwrap();
    let error = OutcomeColumns::resolve(&profile, &layout(&["value"])).unwrap_err();
    assert!(error.to_string().contains("`probability`"), "{error}");
}
