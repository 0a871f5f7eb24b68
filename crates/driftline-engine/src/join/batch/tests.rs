use driftline_event::{OffsetRange, SourcePartition, Timestamp};
use proptest::prelude::*;

use super::*;

fn progress() -> Progress {
    Progress {
        source: SourcePartition {
            topic: "labels".to_owned(),
            partition: 3,
        },
        of_outcomes: false,
        topic_partitions: 4,
        range: OffsetRange { from: 5, to: 90 },
        front: Some(Timestamp::from_seconds(7)),
        newest: None,
        idle: false,
        received: 80,
        counted: 80,
        dropped: 0,
    }
}

const SCORERS: [Scorer<'_>; 2] = [
    Scorer {
        model: "fares",
        version: "1",
        reference: "abc",
    },
    Scorer {
        model: "fares",
        version: "2",
        reference: "def",
    },
];
const SEGMENTS: [&[&str]; 3] = [&[], &["city=Rome"], &["city=Rome", "day=Monday"]];
const SCOPES: [ScopeEntry<'_>; 2] = [
    ScopeEntry {
        model: "fares",
        version: None,
    },
    ScopeEntry {
        model: "fares",
        version: Some("1"),
    },
];

/// Writes predictions as (model, segments, entry), and reads them back with tables resolved.
fn predictions(
    entries: &[(usize, usize, PredictionEntry)],
    bytes_max: usize,
) -> Vec<(usize, usize, PredictionEntry)> {
    let mut writer = PredictionsWriter::new(bytes_max);
    for (model, segments, entry) in entries {
        let group = 3 * model + segments;
        let texts = SEGMENTS[*segments].iter().copied();
        writer.add((*model, SCORERS[*model]), (group, texts), entry);
    }
    let mut back = Vec::new();
    let batches = writer.finish(&[progress()]);
    for (i, bytes) in batches.iter().enumerate() {
        let batch = OutcomeBatch::decode(bytes).unwrap();
        assert_eq!(batch.progress.len(), usize::from(i + 1 == batches.len()));
        let Side::Predictions(read) = batch.side else {
            panic!("predictions were written");
        };
        for entry in read.entries {
            let group = &read.groups[entry.group];
            let scorer = read.models[group.model];
            let model = SCORERS.iter().position(|s| *s == scorer).unwrap();
            let segments = SEGMENTS.iter().position(|s| **s == group.segments[..]);
            let entry = PredictionEntry { group: 0, ..entry };
            back.push((model, segments.unwrap(), entry));
        }
    }
    back
}

type WrittenLabel = (Option<usize>, u128, i64, Result<f64, String>, f64, i64);

fn labels(entries: &[WrittenLabel], bytes_max: usize) -> Vec<WrittenLabel> {
    let mut writer = LabelsWriter::new(bytes_max);
    for (scope, id, at, value, weight, revision) in entries {
        let entry = LabelEntry {
            scope: None,
            id: *id,
            at: *at,
            value: match value {
                Ok(number) => Value::Number(*number),
                Err(text) => Value::Text(text),
            },
            weight: *weight,
            revision: *revision,
        };
        writer.add(scope.map(|scope| SCOPES[scope]), &entry);
    }
    let mut back = Vec::new();
    for bytes in writer.finish(&[progress()]) {
        let Side::Labels(read) = OutcomeBatch::decode(&bytes).unwrap().side else {
            panic!("labels were written");
        };
        for entry in read.entries {
            let scope = entry.scope.map(|i| read.scopes[i]);
            let scope = scope.map(|s| SCOPES.iter().position(|other| *other == s).unwrap());
            let value = match entry.value {
                Value::Number(number) => Ok(number),
                Value::Text(text) => Err(text.to_owned()),
            };
            back.push((
                scope,
                entry.id,
                entry.at,
                value,
                entry.weight,
                entry.revision,
            ));
        }
    }
    back
}

fn any_prediction() -> impl Strategy<Value = (usize, usize, PredictionEntry)> {
    let scored = prop::collection::vec(any::<u8>(), 0..=SCORED_BYTES);
    let parts = (
        0..2_usize,
        0..3_usize,
        any::<u128>(),
        -MICROS_MAX..MICROS_MAX,
        scored,
    );
    parts.prop_map(|(model, segments, id, at, bytes)| {
        let mut scored = [0; SCORED_BYTES];
        scored[..bytes.len()].copy_from_slice(&bytes);
        let entry = PredictionEntry {
            group: 0,
            id,
            at,
            scored,
        };
        (model, segments, entry)
    })
}

fn any_label() -> impl Strategy<Value = WrittenLabel> {
    let value = prop_oneof![(-1e9..1e9).prop_map(Ok), ".{0,12}".prop_map(Err),];
    let weight = prop_oneof![Just(1.0), 0.0..9.0];
    let scope = prop::option::of(0..2_usize);
    (
        scope,
        any::<u128>(),
        -MICROS_MAX..MICROS_MAX,
        value,
        weight,
        any::<i64>(),
    )
}

/// Both kinds of batches, one of each.
fn examples() -> [Vec<u8>; 2] {
    let mut writer = PredictionsWriter::new(1_000);
    let entry = PredictionEntry {
        group: 0,
        id: 7,
        at: 1_000_000,
        scored: [9; SCORED_BYTES],
    };
    writer.add((1, SCORERS[1]), (0, ["city=Rome"].into_iter()), &entry);
    let mut label_writer = LabelsWriter::new(1_000);
    let label = LabelEntry {
        scope: None,
        id: 7,
        at: 1_000_000,
        value: Value::Text("yes"),
        weight: 0.5,
        revision: -1,
    };
    label_writer.add(Some(SCOPES[1]), &label);
    [
        writer.finish(&[progress()]).remove(0),
        label_writer.finish(&[progress()]).remove(0),
    ]
}

#[test]
fn refuses_every_truncation_and_every_extension() {
    for whole in examples() {
        assert!(OutcomeBatch::decode(&whole).is_ok());
        for cut in 0..whole.len() {
            assert!(OutcomeBatch::decode(&whole[..cut]).is_err(), "{cut}");
        }
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(
            OutcomeBatch::decode(&longer),
            Err(BatchError::Malformed("bytes follow the end"))
        );
        let mut newer = whole.clone();
        newer[4] = VERSION + 1;
        assert_eq!(
            OutcomeBatch::decode(&newer),
            Err(BatchError::UnknownFormat(VERSION + 1))
        );
    }
    assert_eq!(OutcomeBatch::decode(b"DLPB"), Err(BatchError::NotABatch));
}

#[test]
fn a_count_that_is_not_there_takes_no_memory() {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([VERSION, PREDICTIONS, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(OutcomeBatch::decode(&bytes), Err(BatchError::Truncated));
}

proptest! {
    #[test]
    fn reads_the_predictions_that_it_wrote(
        entries in prop::collection::vec(any_prediction(), 0..40),
        bytes_max in 50..4_000_usize,
    ) {
        prop_assert_eq!(predictions(&entries, bytes_max), entries);
    }

    #[test]
    fn reads_the_labels_that_it_wrote(
        entries in prop::collection::vec(any_label(), 0..40),
        bytes_max in 50..4_000_usize,
    ) {
        prop_assert_eq!(labels(&entries, bytes_max), entries);
    }

    /// Whatever the bytes are, reading them ends with a batch or a reason.
    #[test]
    fn survives_any_change(at in 0..200_usize, byte: u8, which in 0..2_usize) {
        let mut bytes = examples()[which].clone();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = OutcomeBatch::decode(&bytes);
    }
}
