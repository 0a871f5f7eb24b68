//! What is refused, and that nothing panics.

use serde_json::Value;

use super::{COLUMNS, Scratch, rows};

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let good = rows(1, 60, 0.0, 1.0, true);
    let scratch = Scratch::with("places", &good, "p,y_hat\n0.5,1\nhalf,1\n");
    let cases: [(&str, &[&str], i32, &str); 9] = [
        (
            "p,y_hat\n0.5,1\nhalf,1\n",
            &[],
            65,
            "b.csv:3: column `p`: this is not a finite number",
        ),
        (
            "p,y_hat\n0.5,1\n0.4,maybe\n",
            &[],
            65,
            "b.csv:3: column `y_hat`: the class `maybe`",
        ),
        ("p,yhat\n0.5,1\n", &[], 65, "did you mean `yhat`?"),
        ("p,y_hat\n", &[], 65, "b.csv: there are no rows"),
        (
            "p,y_hat\n1.5,1\n",
            &["--calibrate", "never"],
            65,
            "b.csv:2: column `p`: the score 1.5 is not between",
        ),
        (
            "p,y_hat\n0.5,1\n",
            &["--metrics", "roc_uac"],
            2,
            "did you mean `roc_auc`?",
        ),
        (
            "p,y_hat\n0.5,1\n",
            &["--metrics", "business_value"],
            2,
            "--cost-matrix",
        ),
        (
            "p,y_hat\n0.5,1\n",
            &["--cost-matrix", "1,2;3"],
            2,
            "is not 2 rows of 2 numbers",
        ),
        (
            "p,y_hat\n0.5,1\n",
            &["--task", "regression"],
            2,
            "no scores of classes",
        ),
    ];
    for (current, arguments, code, expected) in cases {
        scratch.write("b.csv", current);
        let run = scratch.run(&[&COLUMNS[..], arguments].concat());
        assert_eq!(run.code, code, "{arguments:?}: {}", run.err);
        assert!(run.err.contains(expected), "{expected}: {}", run.err);
        assert!(run.out.is_empty());
    }
}

#[test]
fn a_reference_without_labels_is_refused() {
    let scratch = Scratch::with("unlabelled", "p,y_hat\n0.5,1\n", "p,y_hat\n0.5,1\n");
    let run = scratch.run(&COLUMNS);
    assert!(
        run.code == 65 && run.err.contains("column `y`: there is no such column"),
        "{}",
        run.err
    );
    scratch.write("a.csv", "p,y_hat,y\n0.5,1,\n");
    let run = scratch.run(&COLUMNS);
    assert!(
        run.code == 65 && run.err.contains("the reference must be labelled"),
        "{}",
        run.err
    );
}

#[test]
fn odd_files_give_an_answer_or_an_error_and_never_a_panic() {
    let good = rows(1, 60, 0.0, 1.0, true);
    let scratch = Scratch::with("odd", &good, "p,y_hat\n,1\n,\n");
    let json = scratch
        .run(&[&COLUMNS[..], &["--format", "json"]].concat())
        .json();
    assert_eq!(json["chunks"][0]["used"], 0);
    assert_eq!(
        json["chunks"][0]["metrics"]["roc_auc"]["estimate"],
        Value::Null
    );
    assert_eq!(json["chunks"][0]["health"]["state"], "broken");
    assert_eq!(scratch.run(&COLUMNS).code, 0);
    for reference in [
        "p,y_hat,y\n0.5,1,1\n",
        "p,y_hat,y\n0.5,1,1\n0.5,1,1\n0.5,1,1\n",
        "p,y_hat,y\n0,0,1\n0,0,0\n1,1,1\n1e308,1,0\n-1e308,0,1\n",
    ] {
        scratch.write("a.csv", reference);
        for current in ["p,y_hat,y\n0.5,1,1\n", "p,y_hat\n-5,0\n7,1\n1e308,1\n"] {
            scratch.write("b.csv", current);
            for calibrate in ["auto", "always"] {
                let run = scratch.run(&[&COLUMNS[..], &["--calibrate", calibrate]].concat());
                assert_eq!(run.code, 0, "{reference} {current}: {}", run.err);
            }
        }
    }
    scratch.write("b.csv", "p,y_hat\n0.5,yes\n");
    scratch.write("a.csv", "p,y_hat,y\n0.5,yes,yes\n0.2,no,no\n0.1,no,yes\n");
    let run = scratch.run(&[&COLUMNS[..], &["--positive", "yes"]].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    let run = scratch.run(&COLUMNS);
    assert!(
        run.code == 65 && run.err.contains("--positive"),
        "{}",
        run.err
    );
}
