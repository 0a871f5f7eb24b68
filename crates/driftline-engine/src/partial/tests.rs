use proptest::prelude::*;

use super::*;

fn model(name: &str) -> ModelRef<'_> {
    ModelRef {
        model: name,
        version: "1",
        reference: "abc",
        pane_micros: 60_000_000,
    }
}

fn delta<'a>(model: usize, segment: Option<&'a str>, minute: i64, body: &'a [u8]) -> RawDelta<'a> {
    RawDelta {
        model,
        segment,
        pane: Timestamp::from_seconds(60 * minute),
        rows: 7,
        body,
    }
}

fn progress(topic: &str, partition: i32) -> Progress {
    Progress {
        source: SourcePartition {
            topic: topic.to_owned(),
            partition,
        },
        of_outcomes: false,
        topic_partitions: 12,
        range: OffsetRange { from: 5, to: 90 },
        front: Some(Timestamp::from_seconds(-3)),
        newest: None,
        idle: true,
        received: 80,
        counted: 70,
        dropped: 10,
    }
}

fn example(bytes_max: usize) -> Vec<Vec<u8>> {
    let mut writer = BatchWriter::new(bytes_max);
    writer.delta(3, model("a"), &delta(0, None, -1, &[1; 40]));
    writer.delta(3, model("a"), &delta(0, Some("s=x"), 2, &[2; 40]));
    writer.delta(8, model("b"), &delta(0, None, 2, &[]));
    writer.finish(&[progress("t", 0), progress("s", 1), progress("t", 1)])
}

#[test]
fn reads_what_it_wrote() {
    let batches = example(10_000);
    assert_eq!(batches.len(), 1);
    let batch = Batch::decode(&batches[0]).unwrap();
    assert_eq!(batch.models, [model("a"), model("b")]);
    assert_eq!(
        batch.deltas,
        [
            delta(0, None, -1, &[1; 40]),
            delta(0, Some("s=x"), 2, &[2; 40]),
            delta(1, None, 2, &[])
        ]
    );
    assert_eq!(
        batch.progress,
        [progress("t", 0), progress("s", 1), progress("t", 1)]
    );
}

#[test]
fn splits_what_is_too_large_and_only_the_last_part_makes_progress() {
    let batches = example(80);
    let parts: Vec<_> = batches.iter().map(|b| Batch::decode(b).unwrap()).collect();
    assert_eq!(
        parts.iter().map(|p| p.deltas.len()).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(
        parts.iter().map(|p| p.progress.len()).collect::<Vec<_>>(),
        [0, 3]
    );
    assert_eq!(parts[1].models, [model("a"), model("b")]);
}

#[test]
fn refuses_every_truncation_and_every_extension() {
    let bytes = &example(10_000)[0];
    for end in 0..bytes.len() {
        assert!(Batch::decode(&bytes[..end]).is_err(), "{end}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(
        Batch::decode(&longer),
        Err(BatchError::Malformed("bytes follow the end"))
    );
    let mut newer = bytes.clone();
    newer[4] = 9;
    assert_eq!(Batch::decode(&newer), Err(BatchError::UnknownFormat(9)));
    assert_eq!(Batch::decode(b"hello"), Err(BatchError::NotABatch));
}

fn outcome<'a>(
    model: usize,
    segment: Option<&'a str>,
    change: OutcomeChange,
    body: &'a [u8],
) -> RawOutcome<'a> {
    RawOutcome {
        model,
        step_micros: 3_600_000_000 * (1 + model as i64),
        segment,
        arrival: Timestamp::from_seconds(7_200 * 5),
        bucket: Timestamp::from_seconds(-7_200),
        change,
        body,
    }
}

/// A batch as the joiner writes it, with deltas of predictions for good measure.
fn joined(bytes_max: usize) -> Vec<Vec<u8>> {
    let delay = 3;
    let mut writer = BatchWriter::new(bytes_max);
    writer.delta(3, model("a"), &delta(0, None, -1, &[1; 40]));
    let changes = [
        OutcomeChange::Predicted,
        OutcomeChange::Add(delay),
        OutcomeChange::Retract(delay),
    ];
    for change in changes {
        writer.outcome(3, model("a"), &outcome(0, Some("s=x"), change, &[2; 40]));
    }
    writer.outcome(8, model("b"), &outcome(1, None, changes[0], &[]));
    let of_outcomes = Progress {
        of_outcomes: true,
        ..progress("t", 1)
    };
    writer.finish(&[progress("t", 0), of_outcomes])
}

#[test]
fn reads_outcomes_back() {
    let batches = joined(10_000);
    let batch = Batch::decode(&batches[0]).unwrap();
    let delay = 3;
    assert_eq!(
        batch.outcomes,
        [
            outcome(0, Some("s=x"), OutcomeChange::Predicted, &[2; 40]),
            outcome(0, Some("s=x"), OutcomeChange::Add(delay), &[2; 40]),
            outcome(0, Some("s=x"), OutcomeChange::Retract(delay), &[2; 40]),
            outcome(1, None, OutcomeChange::Predicted, &[]),
        ]
    );
    assert_eq!(batch.deltas, [delta(0, None, -1, &[1; 40])]);
    let flags: Vec<bool> = batch.progress.iter().map(|p| p.of_outcomes).collect();
    assert_eq!(flags, [false, true]);
}

#[test]
fn a_batch_without_outcomes_stays_in_format_1() {
    assert_eq!(example(10_000)[0][4], 1);
    assert_eq!(joined(10_000)[0][4], 2);
    let mut writer = BatchWriter::new(10_000);
    writer.outcome(
        0,
        model("a"),
        &outcome(0, None, OutcomeChange::Predicted, &[]),
    );
    assert_eq!(writer.finish(&[])[0][4], 2);
}

#[test]
fn outcomes_are_split_too() {
    let parts = joined(120);
    let parts: Vec<_> = parts.iter().map(|b| Batch::decode(b).unwrap()).collect();
    assert!(parts.len() > 1);
    assert_eq!(parts.iter().map(|p| p.outcomes.len()).sum::<usize>(), 4);
    assert!(parts.iter().rev().skip(1).all(|p| p.progress.is_empty()));
}

#[test]
fn refuses_truncated_and_impossible_outcomes() {
    let bytes = &joined(10_000)[0];
    for end in 0..bytes.len() {
        assert!(Batch::decode(&bytes[..end]).is_err(), "{end}");
    }
    let mut writer = BatchWriter::new(10_000);
    let early = RawOutcome {
        arrival: Timestamp::from_seconds(-3_600 * 9),
        ..outcome(0, None, OutcomeChange::Predicted, &[])
    };
    writer.outcome(0, model("a"), &early);
    assert_eq!(
        Batch::decode(&writer.finish(&[])[0]),
        Err(BatchError::Malformed(
            "an outcome is known before its prediction"
        ))
    );
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(of_outcomes: bool, at: prop::sample::Index, byte: u8, tail in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut bytes = if of_outcomes { joined(10_000) } else { example(10_000) }.remove(0);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Batch::decode(&bytes);
        let mut headed = b"DLPB\x01".to_vec();
        headed[4] += u8::from(of_outcomes);
        headed.extend(tail);
        let _ = Batch::decode(&headed);
    }
}
