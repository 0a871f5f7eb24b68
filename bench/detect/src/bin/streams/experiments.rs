//! The three experiments: drift injected into shuffled streams, known drift, and real streams as they came.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use crate::inject::{Change, inject};
use crate::random::Random;
use crate::rules::{Rule, run, run_relearning};
use crate::score::{Score, Truth, dummy};
use crate::stream::{Stream, Table, Use};
use crate::watch::Scope;

/// Where in the stream drift is injected.
const REGION: std::ops::Range<f64> = 0.5..0.8;
/// Share of a shuffled stream that is the reference.
const REFERENCE: f64 = 0.25;
/// Events of a new reference after an alarm, if the first reference is not shorter.
pub(crate) const RELEARN: usize = 5_000;

pub(crate) const SCOPES: [Scope; 2] = [Scope::WithLabels, Scope::Inputs];

/// Trials of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) trials: usize,
    pub(crate) rows_max: usize,
}

/// One cell of the experiment with injected drift; `None` is the control without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Cell {
    pub(crate) labels: bool,
    pub(crate) rule: Rule,
    pub(crate) dummy: bool,
    /// Place in [`Change::ALL`], and whether it is gradual.
    pub(crate) drift: Option<(usize, bool)>,
}

/// Scores by base stream and cell.
pub(crate) type Injected = BTreeMap<(String, Cell), Score>;

/// The alarms of one trial, kept until the dummies' pace is known.
struct Trial {
    cell: Cell,
    truth: Option<Truth>,
    from: usize,
    rows: usize,
    phase: f64,
}

/// Longest delay that still counts, by the stream's length: as the paper sets it for streams of such lengths.
pub(crate) fn delay_max(rows: usize) -> usize {
    match rows {
        25_000.. => 2_500,
        10_000.. => 1_500,
        _ => 500,
    }
}

/// Shuffles a stream `trials` times; runs all rules on it as it is and with each drift injected.
pub(crate) fn injected(stream: &Stream, number: u64, plan: &Plan) -> Result<Injected> {
    let mut scores = Injected::new();
    let mut trials = Vec::new();
    for trial in 0..plan.trials {
        let mut random = Random::new(plan.seed, (number << 32) | trial as u64);
        let mut order: Vec<usize> = (0..stream.table.rows).collect();
        random.shuffle(&mut order);
        order.truncate(plan.rows_max);
        let table = stream.table.pick(&order).without_outputs();
        let from = (table.rows as f64 * REFERENCE) as usize;
        for scope in SCOPES {
            let phase = random.unit();
            let alarms = run(&table, 0..from, scope, &Rule::ALL)?;
            for (rule, alarms) in Rule::ALL.into_iter().zip(alarms) {
                let cell = Cell {
                    labels: scope == Scope::WithLabels,
                    rule,
                    dummy: false,
                    drift: None,
                };
                let score = scores.entry((stream.meta.name.clone(), cell)).or_default();
                score.add_null(alarms.len(), table.rows - from);
                trials.push(Trial {
                    cell,
                    truth: None,
                    from,
                    rows: table.rows,
                    phase,
                });
            }
        }
        inject_all(stream, &table, from, &mut random, &mut scores, &mut trials)?;
    }
    add_dummies(&stream.meta.name, &trials, &mut scores);
    Ok(scores)
}

fn inject_all(
    stream: &Stream,
    table: &Table,
    from: usize,
    random: &mut Random,
    scores: &mut Injected,
    trials: &mut Vec<Trial>,
) -> Result<()> {
    let delay_max = delay_max(table.rows);
    for (place, change) in Change::ALL.into_iter().enumerate() {
        for gradual in [false, true] {
            let width = if gradual { delay_max } else { 0 };
            let Some(changed) = inject(table, change, REGION, width, random) else {
                continue;
            };
            let rows = changed.table.rows;
            let until = changed.end + delay_max;
            let truth = Truth {
                from,
                start: changed.start,
                until,
            };
            for scope in SCOPES {
                let phase = random.unit();
                let alarms = run(&changed.table, 0..from, scope, &Rule::ALL)?;
                for (rule, alarms) in Rule::ALL.into_iter().zip(alarms) {
                    let labels = scope == Scope::WithLabels;
                    let cell = Cell {
                        labels,
                        rule,
                        dummy: false,
                        drift: Some((place, gradual)),
                    };
                    let score = scores.entry((stream.meta.name.clone(), cell)).or_default();
                    score.add(truth, &alarms, rows);
                    trials.push(Trial {
                        cell,
                        truth: Some(truth),
                        from,
                        rows,
                        phase,
                    });
                }
            }
        }
    }
    Ok(())
}

/// For each rule a dummy that raised as many alarms per event over all trials of this stream.
fn add_dummies(name: &str, trials: &[Trial], scores: &mut Injected) {
    let mut totals: BTreeMap<(bool, Rule), Score> = BTreeMap::new();
    for ((_, cell), score) in scores.iter() {
        totals
            .entry((cell.labels, cell.rule))
            .or_default()
            .merge(score);
    }
    for trial in trials {
        let pace = totals.get(&(trial.cell.labels, trial.cell.rule));
        let Some(every) = pace.and_then(Score::between_alarms) else {
            continue;
        };
        let alarms = dummy(every, trial.phase, trial.from, trial.rows);
        let cell = Cell {
            dummy: true,
            ..trial.cell
        };
        let score = scores.entry((name.to_owned(), cell)).or_default();
        match trial.truth {
            Some(truth) => score.add(truth, &alarms, trial.rows),
            None => score.add_null(alarms.len(), trial.rows - trial.from),
        }
    }
}

/// What a rule did on a stream as it came, learning anew after each alarm.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Passage {
    pub(crate) rule: Rule,
    pub(crate) alarms: Vec<usize>,
    pub(crate) score: Score,
    pub(crate) dummy: Score,
}

/// Runs every rule over a stream in its own order, with labels where it has them.
pub(crate) fn passages(stream: &Stream, seed: u64) -> Result<Vec<Passage>> {
    let table = &stream.table;
    let reference = match stream.meta.usage {
        Use::Base => table.rows / 4,
        _ => stream.meta.reference_rows,
    };
    let relearn = reference.min(RELEARN);
    let mut passages = Vec::new();
    for rule in Rule::ALL {
        let scope = Scope::WithLabels;
        let alarms = run_relearning(table, 0..reference, relearn, scope, rule)?;
        let score = against_drifts(stream, &alarms, reference);
        let mut dummies = Score::default();
        if let Some(every) = score.between_alarms() {
            let mut random = Random::new(seed, rule as u64);
            for _ in 0..20 {
                let alarms = dummy(every, random.unit(), reference, table.rows);
                dummies.merge(&against_drifts(stream, &alarms, reference));
            }
        }
        passages.push(Passage {
            rule,
            alarms,
            score,
            dummy: dummies,
        });
    }
    Ok(passages)
}

/// The first alarm between the start of a drift and that of the next finds it, however late; all others are false.
/// (As in Lukats et al. 2024.)
fn against_drifts(stream: &Stream, alarms: &[usize], from: usize) -> Score {
    let rows = stream.table.rows;
    let mut score = Score::default();
    let starts: Vec<usize> = stream.meta.drifts.iter().map(|drift| drift.start).collect();
    for (place, start) in starts.iter().enumerate() {
        let until = starts.get(place + 1).copied().unwrap_or(rows);
        score.drifts += 1;
        if let Some(alarm) = alarms
            .iter()
            .find(|alarm| (start + 1..=until).contains(*alarm))
        {
            score.found += 1;
            score.delays.push(alarm - start);
        }
    }
    score.add_null(alarms.len(), rows - from);
    score.false_alarms -= score.found;
    score
}
