//! The columns that are derived from others: the leaf of a row, and the features of its vector.

#![allow(clippy::unwrap_used)] // A test that fails is allowed to panic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use driftline_engine::{
    DecisionSpec, Evaluator, EvaluatorOptions, ModelSet, ModelSpec, Observer, ObserverOptions,
    Output, WindowSpec,
};
use driftline_event::{
    ColumnKind, ColumnRole, LayoutId, Row, SourcePartition, Statistic, Timestamp, Value,
    WindowReport,
};
use driftline_sketch::{
    ColumnProfile, ColumnSummary, EmbeddingOptions, JOINT_COLUMN, JointOptions, MISSING,
    ProfileOptions, ReferenceBuilder, ReferenceProfile,
};

const START: i64 = 1_700_000_040;
const KINDS: [&str; 3] = ["red", "green", "blue"];

/// SplitMix64 with a seed that a failure prints.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Two numbers that go together, a category that goes with them, and a vector of three correlated
/// coordinates, of which the first is a column as well.
#[derive(Clone, Debug)]
struct Event {
    second: i64,
    numbers: [f64; 2],
    kind: Option<&'static str>,
    vector: [f64; 3],
    segment: &'static str,
}

fn event(random: &mut Random, rho: f64, second: i64) -> Event {
    let mut pair = || {
        let a = random.normal();
        (a, rho * a + (1.0 - rho * rho).sqrt() * random.normal())
    };
    let ((x, y), (u, v)) = (pair(), pair());
    let w = random.normal();
    let kind = KINDS[usize::from(x > -0.5) + usize::from(x > 0.5)];
    let (mut numbers, mut vector) = ([x, y], [x, u, v]);
    if random.uniform() < 0.02 {
        numbers[0] = MISSING;
        vector[0] = MISSING;
    }
    if random.uniform() < 0.02 {
        numbers[1] = f64::NAN;
    }
    if w > 2.0 {
        vector[2] = f64::INFINITY;
    }
    Event {
        second,
        numbers,
        kind: (random.uniform() > 0.03).then_some(kind),
        vector,
        segment: if u > 0.0 { "up" } else { "down" },
    }
}

fn events(rows: i64, rho: f64, seed: u64) -> Vec<Event> {
    let mut random = Random(seed);
    (0..rows)
        .map(|i| event(&mut random, rho, i * 240 / rows + i % 7))
        .collect()
}

fn reference() -> ReferenceProfile {
    let events = events(6_000, 0.8, 1);
    let options = ProfileOptions {
        joint: Some(JointOptions {
            leaves: 32,
            seed: 0,
        }),
        ..ProfileOptions::default()
    };
    let mut builder = ReferenceBuilder::new("m", "1", options);
    let number = |i: usize| events.iter().map(|e| e.numbers[i]).collect();
    builder
        .numeric("x", ColumnRole::Feature, number(0))
        .unwrap();
    let kinds = events.iter().map(|e| e.kind);
    builder
        .categorical("kind", ColumnRole::Feature, kinds)
        .unwrap();
    builder
        .numeric("y", ColumnRole::Feature, number(1))
        .unwrap();
    let coordinate = |(i, name): (usize, &str)| {
        (
            name.to_owned(),
            events.iter().map(|e| e.vector[i]).collect(),
        )
    };
    let coordinates = [(0, "x"), (1, "u"), (2, "v")].map(coordinate).to_vec();
    let embedding = EmbeddingOptions::default();
    builder.embedding("place", coordinates, embedding).unwrap();
    builder.build().unwrap()
}

fn models(profile: &Arc<ReferenceProfile>) -> ModelSet {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let spec = ModelSpec {
        segments: vec!["s".to_owned()],
        windows: vec![WindowSpec {
            name: "4m".to_owned(),
            size: minutes(4),
            slide: minutes(1),
        }],
        ..ModelSpec::new(Arc::clone(profile), "m", "1")
    };
    ModelSet::new(vec![spec]).unwrap()
}

fn fill(row: &mut Row, event: &Event) {
    let number = |value: f64| match driftline_sketch::is_missing(value) {
        true => Value::Missing,
        false => Value::Double(value),
    };
    row.clear();
    // The layout: x, kind, y, then u and v, which are coordinates only.
    row.start(LayoutId(0), 5, 1);
    row.set_time(Timestamp::from_seconds(START + event.second));
    row.set_value(0, number(event.numbers[0]));
    if let Some(kind) = event.kind {
        let text = row.push_text(kind);
        row.set_value(1, Value::Text(text));
    }
    row.set_value(2, number(event.numbers[1]));
    row.set_value(3, number(event.vector[1]));
    row.set_value(4, number(event.vector[2]));
    let segment = row.push_text(event.segment);
    row.set_segment(0, segment);
}

/// Everything the evaluator says of the events, which are read from two partitions and flushed every so often.
fn run(models: &ModelSet, events: &[Event], flush_every: usize) -> Vec<Output> {
    let mut observer = Observer::new(models, ObserverOptions::default());
    let options = EvaluatorOptions {
        emit_panes: true,
        ..EvaluatorOptions::default()
    };
    let mut evaluator = Evaluator::new(models, options);
    observer.announce_topic("t", 2);
    let sources = [0, 1].map(|partition| {
        let topic = "t".to_owned();
        observer.assign(SourcePartition { topic, partition }, 0, None)
    });
    let mut row = Row::default();
    let mut out = Vec::new();
    let mut flush = |observer: &mut Observer| {
        for (_, batch) in observer.flush().batches {
            evaluator.handle(&batch, &mut out).unwrap();
        }
    };
    for (i, event) in events.iter().enumerate() {
        fill(&mut row, event);
        let offset = (i / 2) as i64;
        observer
            .observe(sources[i % 2], offset, None, &row)
            .unwrap();
        if (i + 1) % flush_every == 0 {
            flush(&mut observer);
        }
    }
    for source in sources {
        observer.finish(source);
    }
    flush(&mut observer);
    out
}

/// Every pane's columns, by segment and start.
type Panes = BTreeMap<(Option<String>, Timestamp), Vec<ColumnSummary>>;

fn panes(profile: &ReferenceProfile, out: &[Output]) -> Panes {
    let mut panes = Panes::new();
    for output in out {
        assert!(!matches!(output, Output::Violation(_)), "{output:?}");
        let Output::Pane(pane) = output else { continue };
        let mut bytes = &pane.bytes[..];
        let columns = profile.columns.iter();
        let read = |c: &ColumnProfile| ColumnSummary::decode(&mut bytes, c).unwrap();
        let columns = columns.map(|c| &c.profile).map(read).collect();
        assert!(bytes.is_empty());
        panes.insert((pane.segment.clone(), pane.start), columns);
    }
    panes
}

/// The leaves and the vectors' sums of every pane, counted event by event.
fn oracle(profile: &ReferenceProfile, events: &[Event]) -> Panes {
    let tree = profile.joint_tree().unwrap();
    let derived = &profile.columns[profile.event_columns()..];
    let (
        ColumnProfile::Categorical(kinds),
        ColumnProfile::Categorical(leaves),
        ColumnProfile::Embedding(embedding),
    ) = (
        &profile.columns[1].profile,
        &derived[0].profile,
        &derived[1].profile,
    )
    else {
        unreachable!("built in this order")
    };
    let mut panes = Panes::new();
    for event in events {
        let at = Timestamp::from_seconds(START + event.second).floor_to(Duration::from_secs(60));
        let code = event
            .kind
            .map_or(driftline_sketch::MISSING_CODE, |k| kinds.code(k));
        let [x, y] = event.numbers;
        let leaf = tree.leaf(&[x, y], &[code]);
        let row = [x, y, event.vector[1], event.vector[2]];
        for segment in [None, Some(format!("s={}", event.segment))] {
            let summaries = panes
                .entry((segment, at))
                .or_insert_with(|| derived.iter().map(|c| c.profile.empty_summary()).collect());
            let [
                ColumnSummary::Categorical(count),
                ColumnSummary::Embedding(sums),
            ] = &mut summaries[..]
            else {
                unreachable!("made from the profile")
            };
            leaves.add_codes(&[leaf], count);
            embedding.add_rows([row.as_slice()], &mut Vec::new(), sums);
        }
    }
    panes
}

#[test]
fn counts_agree_with_an_oracle_and_do_not_know_the_cut() {
    let profile = Arc::new(reference());
    let models = models(&profile);
    assert_eq!(models.catalog().layout(LayoutId(0)).columns.len(), 5);
    let events = events(3_000, 0.3, 2);
    let wanted = oracle(&profile, &events);
    let mut first = None;
    for flush_every in [1, 63, 5_000] {
        let found = panes(&profile, &run(&models, &events, flush_every));
        assert_eq!(found.len(), wanted.len());
        for (key, columns) in &found {
            assert_eq!(columns[profile.event_columns()..], wanted[key], "{key:?}");
        }
        assert_eq!(first.get_or_insert_with(|| found.clone()), &found);
    }
}

fn last_reports(out: Vec<Output>) -> BTreeMap<String, WindowReport> {
    let reports = out.into_iter().filter_map(|output| match output {
        Output::Report(report)
            if report.series.segment.is_none() && report.window.events > 2_000 =>
        {
            Some((report.series.feature.clone(), report))
        }
        _ => None,
    });
    reports.collect()
}

#[test]
fn reports_show_a_broken_correlation_in_the_derived_columns_alone() {
    let profile = Arc::new(reference());
    let models = models(&profile);
    let report = |rho, seed| last_reports(run(&models, &events(3_000, rho, seed), 500));
    let (same, broken) = (report(0.8, 3), report(0.0, 4));
    let p = |reports: &BTreeMap<String, WindowReport>, feature: &str, statistic| {
        let values = &reports[feature].statistics;
        let value = values.iter().find(|s| s.statistic == statistic).unwrap();
        (value.p_value.unwrap(), value.value / value.floor.unwrap())
    };
    for (feature, statistic) in [
        (JOINT_COLUMN, Statistic::ChiSquare),
        ("place", Statistic::Mmd),
    ] {
        let ((p_same, over_same), (p_broken, over_broken)) =
            (p(&same, feature, statistic), p(&broken, feature, statistic));
        assert!(
            p_same > 1e-3 && over_same < 3.0,
            "{feature}: {p_same} {over_same}"
        );
        assert!(
            p_broken < 1e-12 && over_broken > 5.0,
            "{feature}: {p_broken}"
        );
    }
    for feature in ["x", "y", "kind"] {
        assert!(
            p(&broken, feature, Statistic::ChiSquare).0 > 1e-3,
            "{feature}"
        );
    }
    let place = &broken["place"];
    assert_eq!(place.kind, ColumnKind::Embedding);
    assert!(place.quality.missing > 20 && place.sample_size.current > 2_000);
}

#[test]
fn without_drift_vectors_are_as_far_as_their_floor() {
    // Seed 6. 200 windows of 100 vectors: 20 below 0.1 and 2 below 0.01 expected, and the mean of the
    // statistics 1 ± 0.05 times the floor.
    let profile = Arc::new(reference());
    let ColumnProfile::Embedding(embedding) = &profile.columns.last().unwrap().profile else {
        unreachable!("embeddings are last")
    };
    let covariance = embedding.covariance();
    let traces = driftline_stat::mmd::Traces {
        first: covariance.trace,
        second: covariance.trace_of_square,
        third: covariance.trace_of_cube,
    };
    let hits: Vec<f64> = embedding.reference().hits().collect();
    let events = events(20_000, 0.8, 6);
    let (mut sum, mut below) = (0.0, [0; 2]);
    for window in events.chunks(100) {
        let mut summary = embedding.empty_summary();
        for e in window {
            let row = [e.numbers[0], e.numbers[1], e.vector[1], e.vector[2]];
            embedding.add_rows([row.as_slice()], &mut Vec::new(), &mut summary);
        }
        let current: Vec<f64> = summary.hits().collect();
        let side = |hits, trials| driftline_stat::mmd::Side { hits, trials };
        let reference = side(&hits, embedding.reference().valid);
        let found = driftline_stat::mmd::mmd(reference, side(&current, summary.valid), &traces);
        let found = found.unwrap();
        sum += found.statistic / found.floor;
        below[0] += i32::from(found.p_value < 0.1);
        below[1] += i32::from(found.p_value < 0.01);
    }
    assert!((sum / 200.0 - 1.0).abs() < 0.15, "{sum}");
    assert!((8..36).contains(&below[0]) && below[1] < 9, "{below:?}");
}

/// The numbers go on as they were, each by itself; only how they go together is another.
#[test]
fn decisions_watch_what_goes_together() {
    let mut random = Random(21);
    let events: Vec<Event> = (0..12_000)
        .map(|i| event(&mut random, if i < 6_000 { 0.8 } else { -0.8 }, i * 6 / 10))
        .collect();
    let minute = Duration::from_secs(60);
    let spec = ModelSpec {
        windows: vec![WindowSpec {
            name: "10m".to_owned(),
            size: 10 * minute,
            slide: minute,
        }],
        decision: Some(DecisionSpec::new(1.0, minute)),
        ..ModelSpec::new(Arc::new(reference()), "m", "1")
    };
    let out = run(&ModelSet::new(vec![spec]).unwrap(), &events, 1_000);
    let alerts = out.iter().filter_map(|o| match o {
        Output::Alert(alert) => Some(alert),
        _ => None,
    });
    let mut found = BTreeMap::new();
    for alert in alerts {
        let minute = (alert.evaluated_at.as_micros() / 1_000_000 - START) / 60;
        assert!((60..70).contains(&minute), "{alert:?}");
        let words = alert.effect.as_ref().unwrap().indicator.clone();
        found.insert(alert.series.feature.clone(), words);
    }
    let features: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(features, [JOINT_COLUMN, "place"], "{found:#?}");
    assert!(
        found["place"].starts_with("place: random feature"),
        "{found:?}"
    );
    assert!(
        found[JOINT_COLUMN].contains('x') && found[JOINT_COLUMN].contains('y'),
        "{found:?}"
    );
}
