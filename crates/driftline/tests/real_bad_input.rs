//! Bad input: each message is a dead letter with its reason and origin, or counts as data quality, and what
//! is good around it counts.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::data::{self, Fare, Fares, fares};
use support::http;
use support::service::Service;
use support::{Consumed, Scratch, brokers, consume, eventually, producer};

use driftline_kafka::OutRecord;

/// Forty minutes, so that the last window of half an hour has the flood in it.
const GOOD: u64 = 2_400;
const PARTITIONS: i32 = 2;

fn good() -> Vec<Fare> {
    fares(Fares {
        seed: 3,
        n: GOOD,
        disorder: 0,
        drift_from: u64::MAX,
    })
}

/// A good event of second `at` with a change.
fn changed(at: u64, change: impl FnOnce(&mut Value)) -> Option<Vec<u8>> {
    let fare = good().swap_remove(at as usize);
    let mut event: Value = serde_json::from_str(&fare.json()).unwrap();
    change(&mut event);
    Some(event.to_string().into_bytes())
}

/// A good event in which one field of the top level is another.
fn with(field: &str, value: Value) -> Option<Vec<u8>> {
    changed(100, |event| event[field] = value)
}

/// What is no use to anyone, with the reason that is expected.
fn unusable() -> Vec<(&'static str, Option<Vec<u8>>)> {
    let mut all = vec![
        ("unknown_model", with("model_id", json!("nobody"))),
        ("unknown_model", with("model_version", json!("99"))),
        ("missing_field", with("model_id", Value::Null)),
        ("missing_field", with("predicted_at", Value::Null)),
        ("missing_field", with("predicted_at", json!([1]))),
        (
            "future",
            with("predicted_at", json!("2090-01-01T00:00:00Z")),
        ),
    ];
    let absurd = [
        json!(0),
        json!(-5),
        // Seconds, where microseconds are expected.
        json!(1_704_067_200),
        json!(i64::MAX),
        json!("yesterday"),
    ];
    all.extend(absurd.map(|time| ("invalid_timestamp", with("predicted_at", time))));
    all.extend(unreadable());
    all
}

fn unreadable() -> Vec<(&'static str, Option<Vec<u8>>)> {
    let text = |s: &str| Some(s.as_bytes().to_vec());
    let whole = with("model_id", json!("fares")).unwrap();
    let (head, tail) = whole.split_at(whole.len() / 2);
    let deep: Value = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let long = json!("x".repeat(5_000));
    vec![
        ("empty", None),
        ("empty", text("")),
        ("malformed", text("{")),
        ("malformed", text("not json at all")),
        ("malformed", text("[1, 2, 3]")),
        ("malformed", Some(vec![0xff, 0, 0xfe, 0x80])),
        ("malformed", Some(head.to_vec())),
        ("malformed", Some(tail.to_vec())),
        ("oversize", Some(vec![b'x'; 1_500_000])),
        (
            "bound_exceeded",
            changed(100, |e| e["features"]["extra"] = deep),
        ),
        (
            "bound_exceeded",
            changed(100, |e| e["features"]["kind"] = long),
        ),
    ]
}

/// What counts all the same, as bad data quality.
fn dirty() -> Vec<Option<Vec<u8>>> {
    vec![
        changed(200, |e| e["features"]["amount"] = json!("a lot")),
        changed(201, |e| e["features"]["amount"] = json!({"value": 3})),
        changed(202, |e| e["features"]["passengers"] = json!([1, 2])),
        changed(203, |e| e["features"]["kind"] = Value::Null),
        changed(204, |e| e["features"] = json!({})),
        changed(205, |e| e["features"]["amount"] = json!(1e300)),
        changed(206, |e| e["prediction"] = json!({})),
    ]
}

/// Ten thousand values of the segment field and of a category.
fn flood() -> Vec<Option<Vec<u8>>> {
    (0..10_000_u64)
        .map(|i| {
            changed_fare(300 + i / 10, |e| {
                e["segments"]["region"] = json!(format!("region {i}"));
                e["features"]["kind"] = json!(format!("kind {i}"));
            })
        })
        .collect()
}

fn changed_fare(second: u64, change: impl FnOnce(&mut Value)) -> Option<Vec<u8>> {
    let fare = Fare {
        id: second,
        at: driftline_event::Timestamp::from_seconds(data::START + second as i64),
        amount: Some(20.0),
        passengers: 2,
        kind: "day",
        score: 0.5,
        region: "north",
    };
    let mut event: Value = serde_json::from_str(&fare.json()).unwrap();
    change(&mut event);
    Some(event.to_string().into_bytes())
}

/// The good ones with all others in between, in the order of their event time; where each bad one went,
/// with its reason.
fn send(topic: &str) -> BTreeMap<String, &'static str> {
    let producer = producer();
    let mut next = [0_i64; PARTITIONS as usize];
    let mut bad = BTreeMap::new();
    let mut send = |value: Option<Vec<u8>>, reason: Option<&'static str>, turn: usize| {
        let partition = turn % PARTITIONS as usize;
        let record = OutRecord {
            topic: topic.to_owned(),
            partition: Some(partition as i32),
            value,
            headers: vec![("trace".to_owned(), b"t-1".to_vec())],
            ..OutRecord::default()
        };
        producer.send(&record, support::WITHIN).unwrap();
        let at = format!("{topic}/{partition}/{}", next[partition]);
        next[partition] += 1;
        bad.extend(reason.map(|reason| (at, reason)));
    };
    let mut unusable = unusable().into_iter();
    let mut dirty = dirty().into_iter();
    let mut flood = flood().into_iter();
    for (turn, fare) in good().iter().enumerate() {
        send(Some(fare.json().into_bytes()), None, turn);
        if turn >= 100 && turn % 3 == 0 {
            for (reason, value) in unusable.by_ref().take(1) {
                send(value, Some(reason), turn / 3);
            }
        }
        if turn >= 200 {
            dirty.by_ref().take(1).for_each(|v| send(v, None, turn));
        }
        if turn >= 300 {
            flood.by_ref().take(10).for_each(|v| send(v, None, turn));
        }
    }
    assert!(unusable.next().is_none() && dirty.next().is_none() && flood.next().is_none());
    producer.flush(support::WITHIN).unwrap();
    bad
}

fn origin(letter: &Consumed) -> String {
    let part = |name: &str| letter.header(&format!("driftline.error.{name}")).to_owned();
    format!("{}/{}/{}", part("topic"), part("partition"), part("offset"))
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn each_is_a_dead_letter_once_or_data_quality_and_the_good_ones_count() {
    let scratch = Scratch::new("bad");
    scratch.create_topics(PARTITIONS);
    data::write_reference(&scratch.directory);
    let text = data::config(&scratch.app, &brokers(), "format: json", "");
    let service = Service::start(&scratch.write("driftline.yaml", &text), "run");
    let bad = send(&scratch.topic("in"));
    let counted = GOOD + dirty().len() as u64 + 10_000;
    eventually("all are counted or refused", || {
        service.received() == (counted, bad.len() as u64)
    });
    let topic = scratch.topic("dead-letters");
    eventually("all letters are there", || {
        consume(&topic).len() >= bad.len()
    });

    let letters = consume(&topic);
    assert_eq!(letters.len(), bad.len(), "each once");
    let metrics = service.metrics();
    let mut by_reason: BTreeMap<&str, f64> = BTreeMap::new();
    for letter in &letters {
        let reason = bad.get(&origin(letter));
        let reason = reason.unwrap_or_else(|| panic!("{} is good", origin(letter)));
        assert_eq!(letter.header("driftline.error.code"), *reason, "{letter:?}");
        assert_eq!(letter.header("driftline.error.app"), scratch.app);
        assert!(!letter.header("driftline.error.message").is_empty());
        assert_eq!(letter.header("trace"), "t-1", "its own headers are kept");
        *by_reason.entry(*reason).or_default() += 1.0;
    }
    for (reason, n) in by_reason {
        for name in [
            "driftline_events_rejected_total",
            "driftline_dead_letters_total",
        ] {
            let of = http::sample(&metrics, name, &[("reason", reason)]);
            assert_eq!(of, Some(n), "{name} {reason}");
        }
    }
    let oversize = letters
        .iter()
        .find(|l| l.header("driftline.error.code") == "oversize");
    assert_eq!(
        oversize.unwrap().header("driftline.error.value_bytes"),
        "1500000"
    );

    let ratio = |name: &str, feature: &str| {
        let labels = [("feature", feature), ("window", "30m")];
        service.metric(name, &labels).unwrap()
    };
    eventually("the window with the flood has closed", || {
        ratio("driftline_feature_unseen_category_ratio", "kind") > 0.5
    });
    assert!(ratio("driftline_feature_invalid_ratio", "amount") > 0.0);
    assert!(ratio("driftline_feature_missing_ratio", "amount") > 0.0);
    let series = service
        .metrics()
        .lines()
        .filter(|l| l.contains("region"))
        .count();
    assert!(series < 2_000, "ten thousand segments gave {series} series");
    let memory = service
        .metric("process_resident_memory_bytes", &[])
        .unwrap();
    assert!(memory < 500e6, "{memory} bytes");
    assert_eq!(
        service
            .metric("driftline_invariant_violations_total", &[])
            .unwrap_or(0.0),
        0.0
    );
    service.terminate();
}
