//! What the engine says about a stream follows from the stream alone.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use driftline_engine::{ObserverOptions, Output};
use driftline_event::{AlertStatus, DropReason, SeriesState};
use driftline_sim::{
    Oracle, OracleColumn, OraclePane, PaneKey, Plan, Run, Stream, StreamOptions, oracle, run,
    stream,
};
use driftline_sketch::ColumnSummary;

/// The seeds are 0 and 1: few and long streams find more than many short ones, in which windows hardly fill.
const SEEDS: u64 = 2;

fn example(seed: u64) -> Stream {
    stream(StreamOptions {
        seed,
        models: 3,
        records: 400,
        ..StreamOptions::default()
    })
}

/// No violation, nothing late for the evaluator, all records accounted for.
fn assert_regular(run: &Run, seed: u64) {
    assert_eq!(run.irregular, [], "seed {seed}");
    assert_eq!(run.violations, [], "seed {seed}");
    assert_eq!(
        run.received,
        run.counted + run.dropped.values().sum::<u64>(),
        "seed {seed}"
    );
}

fn assert_same(expected: &Run, plan: Plan, stream: &Stream, seed: u64) -> Run {
    let got = run(stream, plan);
    assert_regular(&got, seed);
    for (model, outputs) in &expected.outputs {
        let other = &got.outputs[model];
        for (i, (a, b)) in outputs.iter().zip(other).enumerate() {
            assert_eq!(a, b, "seed {seed}, {plan:?}, {model}, output {i}");
        }
        assert_eq!(outputs.len(), other.len(), "seed {seed}, {plan:?}, {model}");
    }
    assert_eq!(
        (expected.received, expected.counted, &expected.dropped),
        (got.received, got.counted, &got.dropped),
        "seed {seed}, {plan:?}"
    );
    got
}

#[test]
fn the_same_plan_twice_gives_the_same() {
    for seed in 0..SEEDS {
        let stream = example(seed);
        let plan = Plan {
            seed,
            observers: 2,
            partials_partitions: 2,
            crash: 0.2,
            ..Plan::default()
        };
        assert_eq!(run(&stream, plan), run(&stream, plan), "seed {seed}");
    }
}

#[test]
fn neither_cuts_nor_interleaving_nor_partitions_matter() {
    for seed in 0..SEEDS {
        let stream = example(seed);
        let one_flush = run(
            &stream,
            Plan {
                seed,
                flush_every: u64::MAX,
                ..Plan::default()
            },
        );
        assert_regular(&one_flush, seed);
        for (i, flush_every) in [1, 3, 40, 500].into_iter().enumerate() {
            let plan = Plan {
                seed: 1_000 + seed,
                observers: 1 + i as u32 % 3,
                partials_partitions: 1 + i as u32,
                flush_every,
                batch_bytes_max: if i == 2 { 500 } else { 900_000 },
                ..Plan::default()
            };
            assert_same(&one_flush, plan, &stream, seed);
        }
    }
}

#[test]
fn a_crash_at_any_flush_leaves_no_trace() {
    let mut crashes = 0;
    for seed in 0..SEEDS {
        let stream = example(seed);
        let undisturbed = run(
            &stream,
            Plan {
                seed,
                ..Plan::default()
            },
        );
        for observers in [1, 3] {
            let (flush_every, crash) = (25, 0.4);
            let plan = Plan {
                seed,
                observers,
                flush_every,
                crash,
                ..Plan::default()
            };
            crashes += assert_same(&undisturbed, plan, &stream, seed).crashes;
        }
    }
    assert!(crashes > 20, "{crashes}");
}

/// All panes of a run, in the oracle's words.
fn panes(stream: &Stream, run: &Run) -> BTreeMap<PaneKey, OraclePane> {
    let mut panes = BTreeMap::new();
    for output in run.outputs.values().flatten() {
        let Output::Pane(pane) = output else { continue };
        let (_, spec) = stream.models.find(&pane.model, &pane.version).unwrap();
        let mut bytes = &pane.bytes[..];
        let mut columns = Vec::new();
        for column in &spec.profile.columns {
            let summary = ColumnSummary::decode(&mut bytes, &column.profile).unwrap();
            columns.push(OracleColumn::of(&column.profile, &summary));
        }
        assert!(bytes.is_empty());
        let key = (
            pane.model.clone(),
            pane.version.clone(),
            pane.segment.clone(),
            pane.start,
        );
        let twice = panes.insert(
            key,
            OraclePane {
                rows: pane.rows,
                columns,
            },
        );
        assert!(twice.is_none(), "a pane closed twice");
    }
    panes
}

#[test]
fn agrees_with_the_oracle_to_the_last_count() {
    for seed in 0..SEEDS {
        let stream = example(seed);
        let Oracle {
            panes: mut expected,
            received,
            counted,
            dropped,
        } = oracle(&stream, &ObserverOptions::default());
        for ((model, version, ..), pane) in &mut expected {
            let (_, spec) = stream.models.find(model, version).unwrap();
            for (column, profiled) in pane.columns.iter_mut().zip(&spec.profile.columns) {
                column.fold_unseen(&profiled.profile);
            }
        }
        let run = run(
            &stream,
            Plan {
                seed,
                observers: 2,
                flush_every: 17,
                ..Plan::default()
            },
        );
        assert_eq!(
            (run.received, run.counted, &run.dropped),
            (received, counted, &dropped),
            "seed {seed}"
        );
        let got = panes(&stream, &run);
        assert_eq!(got.len(), expected.len(), "seed {seed}");
        for (key, pane) in &expected {
            assert_eq!(got.get(key), Some(pane), "seed {seed}, {key:?}");
        }
    }
}

/// The streams must exercise what the tests above claim.
#[test]
fn the_streams_hold_what_they_promise() {
    let (mut states, mut statuses, mut dropped) = (vec![], vec![], BTreeMap::new());
    let (mut decided, mut of_bank) = (0, 0);
    for seed in 0..SEEDS {
        let run = run(
            &example(seed),
            Plan {
                seed,
                ..Plan::default()
            },
        );
        for output in run.outputs.values().flatten() {
            match output {
                Output::Report(report) => {
                    decided += u32::from(report.decision.is_some());
                    states.push(report.state);
                }
                Output::Alert(alert) => {
                    of_bank += u32::from(alert.incident.is_some());
                    statuses.push(alert.status);
                }
                _ => {}
            }
        }
        run.dropped
            .iter()
            .for_each(|(reason, n)| *dropped.entry(*reason).or_insert(0) += n);
    }
    for state in [
        SeriesState::WarmingUp,
        SeriesState::NotEnoughData,
        SeriesState::Stable,
        SeriesState::Warning,
        SeriesState::Drifted,
        SeriesState::Stale,
    ] {
        assert!(states.contains(&state), "{state:?}");
    }
    assert!(decided > 100 && of_bank > 5, "{decided} {of_bank}");
    assert!(statuses.contains(&AlertStatus::Firing) && statuses.contains(&AlertStatus::Resolved));
    for reason in [
        DropReason::Late,
        DropReason::Future,
        DropReason::InvalidTimestamp,
        DropReason::Malformed,
        DropReason::UnknownModel,
    ] {
        assert!(dropped.get(&reason).is_some_and(|n| *n > 0), "{reason}");
    }
}
