//! Outcomes as a part of a reference's JSON.

use driftline_event::ColumnRole;
use driftline_sketch::{
    DelayBucket, OutcomeProfile, ProfileError, ProfileOptions, ReferenceBuilder, ReferenceProfile,
};

use super::rows::all_tasks;

fn reference(outcome: Option<OutcomeProfile>) -> ReferenceProfile {
    let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
    let values = || (0..2_000).map(f64::from).collect();
    let columns = outcome.iter().flat_map(|outcome| outcome.score_columns());
    for name in columns {
        builder.numeric(name, ColumnRole::Output, values()).unwrap();
    }
    builder.numeric("x", ColumnRole::Feature, values()).unwrap();
    builder.build().unwrap().with_outcome(outcome)
}

#[test]
fn what_is_written_is_read_again() {
    for (outcome, _) in all_tasks(2_000) {
        let reference = reference(Some(outcome));
        let json = reference.to_json();
        assert!(json.starts_with(r#"{"format":3,"#));
        let read = ReferenceProfile::from_json(&json).unwrap();
        assert_eq!(read, reference);
        assert_eq!(read.to_json(), json);
    }
}

#[test]
fn without_labels_nothing_changes() {
    let plain = reference(None);
    let json = plain.to_json();
    assert!(json.starts_with(r#"{"format":1,"#) && !json.contains("outcome"));
    let (outcome, _) = all_tasks(100).pop().unwrap();
    let with = plain.clone().with_outcome(Some(outcome));
    assert_ne!(with.id(), plain.id());
    assert_eq!(with.with_outcome(None), plain);
}

#[test]
fn a_file_stays_small() {
    let (outcome, _) = all_tasks(20_000).swap_remove(0);
    assert!(outcome.reference().outcomes().len() >= 4);
    let without = reference(None).to_json().len();
    let with = reference(None).with_outcome(Some(outcome)).to_json().len();
    assert!(with - without < 24_000, "{} bytes", with - without);
}

#[test]
fn calibration_and_counts_are_part_of_the_id() {
    let (mut outcome, _) = all_tasks(500).swap_remove(0);
    let before = reference(Some(outcome.clone()));
    let bins = outcome.score_bins().count();
    assert!(outcome.set_calibration(0, &vec![0.25; bins]));
    let after = reference(Some(outcome));
    assert_ne!(before.id(), after.id());
    let json = before
        .to_json()
        .replace(r#""threshold":0.3"#, r#""threshold":0.4"#);
    assert!(matches!(
        ReferenceProfile::from_json(&json),
        Err(ProfileError::Id { .. })
    ));
}

/// The task's number, what stands in its JSON, what stands there instead, and a part of the error.
const HOSTILE: [(usize, &str, &str, &str); 17] = [
    (
        0,
        r#""classes":["0","1"]"#,
        r#""classes":["0"]"#,
        "fit the task",
    ),
    (
        0,
        r#""task":"binary""#,
        r#""task":"regression""#,
        "`outcome`",
    ),
    (
        0,
        r#""task":"binary""#,
        r#""task":"clustering""#,
        "clustering",
    ),
    (0, r#""threshold":0.3,"#, "", "belongs to its task"),
    (
        0,
        r#""score_bounds":["#,
        r#""score_bounds":[7,"#,
        "ascending",
    ),
    (
        0,
        r#""score_bounds":["#,
        r#""score_bounds":[-7.0,"#,
        "for each bin",
    ),
    (
        0,
        r#""scores":["value"]"#,
        r#""scores":["score"]"#,
        "`score`",
    ),
    (0, r#""predicted":""#, r#""predicted":"x"#, "hexadecimal"),
    (
        0,
        r#""predicted":""#,
        r#""predicted":"ff"#,
        "contradicts itself",
    ),
    (
        0,
        r#""summary":""#,
        r#""summary":"00"#,
        "contradicts itself",
    ),
    (0, r#"{"delay":0"#, r#"{"delay":99"#, "ascending"),
    (2, r#"{"delay":16"#, r#"{"delay":99"#, "not known"),
    (
        1,
        r#""class_bounds":[["#,
        r#""class_bounds":[[],["#,
        "each class",
    ),
    (
        1,
        r#""probabilities":[["#,
        r#""probabilities":[[[0.5,2.0],"#,
        "for each bin",
    ),
    (
        3,
        r#""large_error_bin":"#,
        r#""large_error_bin":9"#,
        "large errors",
    ),
    (
        3,
        r#""losses":[["#,
        r#""losses":[[1,1,1,1,1],["#,
        "one loss",
    ),
    (
        3,
        r#""error_scale_exponent":"#,
        r#""error_scale_exponent":9999"#,
        "grid",
    ),
];

#[test]
fn hostile_outcomes_are_refused() {
    let tasks = all_tasks(500);
    for (task, from, to, why) in HOSTILE {
        let text = reference(Some(tasks[task].0.clone())).to_json();
        assert!(text.contains(from), "{from}");
        let error = ReferenceProfile::from_json(&text.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(why), "{from} to {to}: {error}");
    }
}

#[test]
fn labels_by_delay_are_kept_apart() {
    let (outcome, _) = all_tasks(2_000).swap_remove(0);
    let reference = outcome.reference();
    let buckets: Vec<DelayBucket> = reference
        .outcomes()
        .iter()
        .map(|(bucket, _)| *bucket)
        .collect();
    assert!(buckets.is_sorted() && !buckets.contains(&DelayBucket::UNKNOWN));
    let parts = reference.outcomes().iter().map(|(_, part)| part.labelled());
    assert_eq!(parts.sum::<u64>(), reference.all().labelled());
    assert_eq!(
        reference.of(|bucket| bucket == buckets[1]),
        reference.outcomes()[1].1
    );
}
