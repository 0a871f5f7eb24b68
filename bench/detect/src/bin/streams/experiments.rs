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

pub(crate) const SCOPES: [Scope; 2] = [Scope::All, Scope::Inputs];

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
    truth: Truth,
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

/// Runs all rules on a stream that is shuffled anew for each trial: as it is, and with each drift injected.
pub(crate) fn injected(stream: &Stream, number: u64, plan: &Plan) -> Result<Injected> {
    let mut scores = Injected::new();
    let mut trials = Vec::new();
    let kinds = (0..Change::ALL.len()).flat_map(|place| [(place, false), (place, true)]);
    let drifts: Vec<Option<(usize, bool)>> = [None].into_iter().chain(kinds.map(Some)).collect();
    for trial in 0..plan.trials {
        for (kind, drift) in drifts.iter().enumerate() {
            let seed = (number << 32) | ((trial as u64) << 8) | kind as u64;
            let mut random = Random::new(plan.seed, seed);
            let Some((table, truth)) = draw(&stream.table, *drift, plan, &mut random) else {
                continue;
            };
            let rows = table.rows;
            let from = truth.from;
            for scope in SCOPES {
                let phase = random.unit();
                let alarms = run(&table, 0..from, scope, &Rule::ALL)?;
                for (rule, alarms) in Rule::ALL.into_iter().zip(alarms) {
                    let cell = Cell {
                        labels: scope == Scope::All,
                        rule,
                        dummy: false,
                        drift: *drift,
                    };
                    let score = scores.entry((stream.meta.name.clone(), cell)).or_default();
                    score.add(drift.map(|_| truth), &alarms, from..rows);
                    trials.push(Trial {
                        cell,
                        truth,
                        rows,
                        phase,
                    });
                }
            }
        }
    }
    add_dummies(&stream.meta.name, &trials, &mut scores);
    Ok(scores)
}

/// One shuffled stream, with drift if it has what the drift needs.
fn draw(
    table: &Table,
    drift: Option<(usize, bool)>,
    plan: &Plan,
    random: &mut Random,
) -> Option<(Table, Truth)> {
    let mut order: Vec<usize> = (0..table.rows).collect();
    random.shuffle(&mut order);
    order.truncate(plan.rows_max);
    let table = table.pick(&order).without_outputs();
    let from = (table.rows as f64 * REFERENCE) as usize;
    let Some((place, gradual)) = drift else {
        let end = table.rows;
        let truth = Truth {
            from,
            start: end,
            until: end,
        };
        return Some((table, truth));
    };
    let delay_max = delay_max(table.rows);
    let width = if gradual { delay_max } else { 0 };
    let changed = inject(&table, Change::ALL[place], REGION, width, random)?;
    let truth = Truth {
        from,
        start: changed.start,
        until: changed.end + delay_max,
    };
    Some((changed.table, truth))
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
        let alarms = dummy(every, trial.phase, trial.truth.from, trial.rows);
        let cell = Cell {
            dummy: true,
            ..trial.cell
        };
        let score = scores.entry((name.to_owned(), cell)).or_default();
        let truth = trial.cell.drift.map(|_| trial.truth);
        score.add(truth, &alarms, trial.truth.from..trial.rows);
    }
}

/// What a rule did on a stream as it came, learning anew after each alarm.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Passage {
    pub(crate) rule: Rule,
    pub(crate) alarms: Vec<usize>,
    /// The columns that each alarm is about.
    pub(crate) columns: Vec<Vec<String>>,
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
        let scope = Scope::All;
        let alarms = run_relearning(table, 0..reference, relearn, scope, rule)?;
        let (alarms, columns): (Vec<usize>, Vec<Vec<String>>) = alarms.into_iter().unzip();
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
            columns,
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
    score.add(None, alarms, from..rows);
    score.false_alarms -= score.found;
    score
}
