//! Labels joined to the predictions of a reference.

use driftline_event::Task;
use driftline_sketch::{DecisionSource, ProfileOptions};

use super::*;
use crate::cli::ColumnOptions;

/// Predictions whose score is right three times out of four; a minute apart.
fn predictions(last: &str) -> String {
    let mut text = format!("id,ts,x,score,{last}\n");
    for i in 0..400 {
        let (hour, minute) = (i / 60, i % 60);
        let score = if i % 2 == 0 { 0.25 } else { 0.75 };
        let end = if last == "pred" {
            i % 2
        } else {
            i32::from(i % 2 == 1) ^ i32::from(i % 4 == 0)
        };
        text.push_str(&format!(
            "p{i},2024-01-01T{hour:02}:{minute:02}:00Z,{i},{score},{end}\n"
        ));
    }
    text
}

/// A label for nine of ten, half an hour later; one of an id that nobody has, one twice, one corrected.
fn labels() -> String {
    let mut text = "id,label_ts,late,revision\n".to_owned();
    for i in (0..400).filter(|i| i % 10 != 9) {
        let late = i + 30;
        let truth = i32::from(i % 2 == 1) ^ i32::from(i % 4 == 0);
        text.push_str(&format!(
            "p{i},2024-01-01T{:02}:{:02}:00Z,{truth},0\n",
            late / 60,
            late % 60
        ));
    }
    text.push_str("nobody,2024-01-01T09:00:00Z,1,0\n");
    text.push_str("p1,2024-01-01T09:00:00Z,0,0\n");
    text.push_str("p2,2024-01-01T09:00:00Z,1,7\n");
    text.push_str("p3,2024-01-01T09:00:00Z,,0\n");
    text
}

fn input(name: &'static str, text: String) -> Input {
    Input::Bytes {
        name,
        bytes: text.into_bytes().leak(),
    }
}

fn built(
    predictions: String,
    labels: Option<String>,
    options: &LabelOptions,
) -> Result<(ReferenceProfile, LabelCounts), Failure> {
    let source = input("predictions.csv", predictions);
    let ignore = match labels {
        None => options.label.iter().cloned().collect(),
        Some(_) => Vec::new(),
    };
    let filter = TableFilter {
        columns: ColumnOptions {
            ignore,
            ..ColumnOptions::default()
        },
        ..TableFilter::default()
    };
    let table = Table::read(&source, &filter).unwrap();
    let profile = super::super::profile(&table, "m", "1", ProfileOptions::default())?;
    let labels = labels.map(|labels| input("labels.csv", labels));
    with_labels(
        profile,
        &table,
        (&source, &filter),
        labels.as_ref(),
        options,
    )
}

#[test]
fn labels_find_their_predictions() {
    let options = LabelOptions::default();
    let (profile, counts) = built(predictions("pred"), Some(labels()), &options).unwrap();
    assert_eq!((counts.predictions, counts.labelled), (400, 360));
    assert_eq!(
        (counts.other_ids, counts.replaced, counts.dropped),
        (1, 2, 1)
    );
    assert_eq!(counts.remarks().len(), 3);
    let outcome = profile.outcome().unwrap();
    assert_eq!(outcome.task(), Task::Binary);
    assert_eq!(outcome.classes(), ["0", "1"]);
    assert_eq!(outcome.decision(), &DecisionSource::Column("label".into()));
    assert_eq!(outcome.threshold(), 0.75);
    let all = outcome.reference().all();
    // Every fourth is wrong, but one of these is corrected.
    let wrong = (0..400).filter(|i| i % 4 == 0 && i % 10 != 9).count() as u64;
    assert_eq!(all.errors(), wrong + 1);
    assert_eq!(outcome.reference().coverage(), Some(0.9));
    let half = all.delays().quantile_seconds(0.5).unwrap();
    assert!((1_448.0..2_048.5).contains(&half), "{half}");
    let text = describe(outcome);
    assert!(
        text.contains("binary, 360 of 400 predictions (90.0 %); delay p50"),
        "{text}"
    );
    assert!(text.contains("roc_auc 0.8"), "{text}");
    assert_eq!(summary(outcome)["labelled"], 360);
    let read = ReferenceProfile::from_json(&profile.to_json()).unwrap();
    assert_eq!(read, profile);
}

#[test]
fn scores_are_calibrated_by_their_labels() {
    let options = LabelOptions::default();
    let (profile, _) = built(predictions("pred"), Some(labels()), &options).unwrap();
    let outcome = profile.outcome().unwrap();
    let at = |score: f64| outcome.probability_bins(0)[outcome.score_bins().bin(score)];
    // Half of the even ones are positive, and all of the odd.
    assert!((at(0.25).probability - 0.5).abs() < 0.01, "{:?}", at(0.25));
    assert!((at(0.75).probability - 1.0).abs() < 0.01, "{:?}", at(0.75));
    assert!((at(0.25).score - 0.25).abs() < 1e-6);
}

#[test]
fn labels_may_be_a_column() {
    let options = LabelOptions {
        label: Some("late".into()),
        threshold: Some(0.5),
        ..LabelOptions::default()
    };
    let (profile, counts) = built(predictions("late"), None, &options).unwrap();
    assert_eq!((counts.predictions, counts.labelled), (400, 400));
    let outcome = profile.outcome().unwrap();
    assert_eq!(outcome.decision(), &DecisionSource::Score);
    assert_eq!(
        (outcome.threshold(), outcome.reference().has_delays()),
        (0.5, false)
    );
    assert_eq!(outcome.reference().all().errors(), 100);
}

#[test]
fn other_tasks_are_told_by_their_labels() {
    let options = |task| LabelOptions {
        label: Some("y".into()),
        task,
        ..LabelOptions::default()
    };
    let mut numbers = "id,x,score,y\n".to_owned();
    let mut classes = "id,x,scores.a,scores.b,scores.c,y\n".to_owned();
    for i in 0..300 {
        numbers.push_str(&format!("{i},{i},{i},{}.5\n", i + i % 3));
        let class = ["a", "b", "c"][i % 3];
        classes.push_str(&format!("{i},{i},0.5,0.3,0.2,{class}\n"));
    }
    let (profile, _) = built(numbers, None, &options(None)).unwrap();
    let outcome = profile.outcome().unwrap();
    assert_eq!(outcome.task(), Task::Regression);
    let all = outcome.reference().all();
    let bias = all.regression(outcome).unwrap().error().unwrap().mean;
    assert!((bias + 1.5).abs() < 1e-4, "{bias}");
    let (profile, _) = built(classes, None, &options(None)).unwrap();
    let outcome = profile.outcome().unwrap();
    assert_eq!(
        (outcome.task(), outcome.classes().len()),
        (Task::Multiclass, 3)
    );
    assert_eq!(outcome.reference().all().errors(), 200);
    assert_eq!(outcome.score_columns()[0], "scores.a");
}

#[test]
fn what_does_not_fit_is_said() {
    let error = |text: &str, labels: &str, options: &LabelOptions| {
        let labels = Some(labels.to_owned()).filter(|labels| !labels.is_empty());
        built(text.to_owned(), labels, options)
            .unwrap_err()
            .to_string()
    };
    let none = LabelOptions::default();
    let said = error(&predictions("pred"), "id,late\nnobody,1\n", &none);
    assert!(
        said.contains("no prediction has a label") && said.contains("1 labels have an id"),
        "{said}"
    );
    let said = error("x,score\n1,0.5\n", "id,late\n1,1\n", &none);
    assert!(said.contains("no prediction has an id"), "{said}");
    let by = |label: &str| LabelOptions {
        label: Some(label.into()),
        ..none.clone()
    };
    let said = error("id,x,score,y\n1,2,0.5,red\n2,2,0.5,blue\n", "", &by("y"));
    assert!(
        said.contains("which class is positive") && said.contains("--positive"),
        "{said}"
    );
    let said = error("id,x,y\n1,2,0\n2,2,1\n", "", &by("y"));
    assert!(
        said.contains("neither scores nor predicted labels"),
        "{said}"
    );
    let binary = LabelOptions {
        task: Some(LabelTask::Binary),
        ..by("y")
    };
    let said = error(
        "id,x,score,y\n1,2,0.5,0\n2,2,0.5,1\n3,1,0.1,2\n",
        "",
        &binary,
    );
    assert!(said.contains("more than two classes"), "{said}");
}
