//! Observing a row allocates nothing in the steady state.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use driftline_engine::{ModelSet, ModelSpec, Observer, ObserverOptions};
use driftline_event::{ColumnRole, LayoutId, Row, SourcePartition, Timestamp, Value};
use driftline_sketch::{ProfileOptions, ReferenceBuilder};

fn models() -> ModelSet {
    let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
    builder
        .numeric(
            "x",
            ColumnRole::Feature,
            (0..1_000).map(f64::from).collect(),
        )
        .unwrap();
    let names = (0..1_000).map(|i| Some(["a", "b", "12"][i % 3]));
    builder
        .categorical("c", ColumnRole::Feature, names)
        .unwrap();
    let profile = Arc::new(builder.build().unwrap());
    let spec = ModelSpec {
        segments: vec!["region".to_owned()],
        ..ModelSpec::new(profile, "m", "1")
    };
    ModelSet::new(vec![spec]).unwrap()
}

/// Rows of two panes, two segments and all kinds of values.
fn fill(row: &mut Row, i: i64) {
    row.clear();
    row.start(LayoutId(0), 2, 1);
    row.set_time(Timestamp::from_seconds(1_700_000_000 + i % 100));
    let text = row.push_text(["a", "b", "never seen"][i as usize % 3]);
    row.set_value(
        0,
        if i % 7 == 0 {
            Value::Missing
        } else {
            Value::Double(i as f64)
        },
    );
    row.set_value(
        1,
        if i % 5 == 0 {
            Value::Long(12)
        } else {
            Value::Text(text)
        },
    );
    let region = row.push_text(if i % 2 == 0 { "north" } else { "south" });
    row.set_segment(0, region);
}

#[test]
fn observing_a_row_allocates_nothing_in_the_steady_state() {
    let mut observer = Observer::new(&models(), ObserverOptions::default());
    let source = observer.assign(
        SourcePartition {
            topic: "t".to_owned(),
            partition: 0,
        },
        0,
        None,
    );
    let mut row = Row::default();
    let mut observe = |from: i64, to: i64| {
        for offset in from..to {
            fill(&mut row, offset);
            observer.observe(source, offset, None, &row).unwrap();
        }
    };
    let warm_up = allocation_counter::measure(|| observe(0, 1_000));
    assert!(warm_up.count_total > 0, "the counter counts");
    let steady = allocation_counter::measure(|| observe(1_000, 20_000));
    assert_eq!(steady.count_total, 0);
}
