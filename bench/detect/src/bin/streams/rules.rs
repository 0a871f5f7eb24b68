//! The rules that are compared, and one run of them over a table.

use std::collections::VecDeque;
use std::ops::Range;

use anyhow::{Context, Result};
use driftline_sketch::ColumnSummary;
use serde::Serialize;

use crate::bank_rule::BankRule;
use crate::stream::Table;
use crate::watch::{Distances, Reference, Scope};

/// Events in a pane: how often every rule looks.
pub(crate) const PANE: usize = 50;
/// Panes in the sliding window of the classical rules.
pub(crate) const WINDOW_PANES: usize = 20;
/// False alarms that the bank may raise in one pass over a drift-free stream, on average.
pub(crate) const BUDGET: f64 = 0.1;

const LEVEL: f64 = 0.05;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Rule {
    Bank,
    BankCalibrated,
    Test,
    Bonferroni,
    BenjaminiHochberg,
    Psi1,
    Psi2,
    Wasserstein,
}

impl Rule {
    pub(crate) const ALL: [Self; 8] = [
        Self::Bank,
        Self::BankCalibrated,
        Self::Test,
        Self::Bonferroni,
        Self::BenjaminiHochberg,
        Self::Psi1,
        Self::Psi2,
        Self::Wasserstein,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bank => "bank, uncalibrated",
            Self::BankCalibrated => "bank, calibrated",
            Self::Test => "KS p < .05",
            Self::Bonferroni => "KS Bonferroni, columns × looks",
            Self::BenjaminiHochberg => "Benjamini–Hochberg 5 %",
            Self::Psi1 => "PSI > 0.1",
            Self::Psi2 => "PSI > 0.2",
            Self::Wasserstein => "W1/σ > 0.1",
        }
    }

    /// Which columns are in alarm.
    fn decide(self, window: &[Distances], looks: usize) -> Vec<bool> {
        let is = |judge: &dyn Fn(&Distances) -> bool| window.iter().map(judge).collect();
        match self {
            Self::Test => is(&|d| d.p_value < LEVEL),
            Self::Bonferroni => {
                let level = LEVEL / (window.len() * looks).max(1) as f64;
                is(&|d| d.p_value < level)
            }
            Self::BenjaminiHochberg => {
                let mut sorted: Vec<f64> = window.iter().map(|d| d.p_value).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                let line = |rank: usize| LEVEL * (rank + 1) as f64 / window.len() as f64;
                let ranks = (0..sorted.len()).rev();
                let last = ranks
                    .map(|rank| (sorted[rank], line(rank)))
                    .find(|(p, line)| p <= line);
                is(&|d| last.is_some_and(|(p, _)| d.p_value <= p))
            }
            Self::Psi1 => is(&|d| d.psi > 0.1),
            Self::Psi2 => is(&|d| d.psi > 0.2),
            Self::Wasserstein => is(&|d| d.distance > 0.1),
            Self::Bank | Self::BankCalibrated => vec![false; window.len()],
        }
    }
}

/// A rule at work. An alarm is a pane in which some column that was silent before is in alarm.
#[derive(Debug)]
enum Watcher {
    Bank(Box<BankRule>),
    Threshold { rule: Rule, on: Vec<bool> },
}

impl Watcher {
    fn new(rule: Rule, reference: &Reference, table: &Table, looks: usize) -> Self {
        let threshold = looks as f64 / BUDGET;
        let bank = |history| Self::Bank(Box::new(BankRule::new(reference, threshold, history)));
        match rule {
            Rule::Bank => bank(None),
            Rule::BankCalibrated => bank(Some(table)),
            rule => Self::Threshold {
                rule,
                on: vec![false; reference.classical().len()],
            },
        }
    }

    /// Takes in a pane; the columns that it raises an alarm about.
    fn step(
        &mut self,
        pane: &[ColumnSummary],
        window: Option<&[Distances]>,
        looks: usize,
    ) -> Vec<usize> {
        match self {
            Self::Bank(bank) => bank.step(pane),
            Self::Threshold { rule, on } => {
                let Some(window) = window else {
                    return Vec::new();
                };
                let now = rule.decide(window, looks);
                let raised = (0..now.len())
                    .filter(|column| now[*column] && !on[*column])
                    .collect();
                *on = now;
                raised
            }
        }
    }
}

/// The last panes, and their sum.
#[derive(Debug, Default)]
struct Window {
    panes: VecDeque<Vec<ColumnSummary>>,
    sum: Vec<ColumnSummary>,
}

impl Window {
    /// Adds a pane; the window's distances once it is full.
    fn push(
        &mut self,
        pane: Vec<ColumnSummary>,
        reference: &Reference,
    ) -> Result<Option<Vec<Distances>>> {
        if self.sum.is_empty() {
            self.sum = reference
                .columns
                .iter()
                .map(|c| c.profile.empty_summary())
                .collect();
        }
        for (sum, part) in self.sum.iter_mut().zip(&pane) {
            sum.merge(part)?;
        }
        self.panes.push_back(pane);
        if self.panes.len() > WINDOW_PANES {
            let oldest = self.panes.pop_front().context("a full window")?;
            for (sum, part) in self.sum.iter_mut().zip(&oldest) {
                sum.subtract(part)?;
            }
        }
        let columns = reference.classical().iter().zip(&self.sum);
        Ok((self.panes.len() == WINDOW_PANES)
            .then(|| columns.map(|(column, sum)| column.distances(sum)).collect()))
    }
}

/// The events after which each rule raised an alarm, with one reference for the whole run.
pub(crate) fn run(
    table: &Table,
    reference: Range<usize>,
    scope: Scope,
    rules: &[Rule],
) -> Result<Vec<Vec<usize>>> {
    let looks = (table.rows - reference.end) / PANE;
    let start = reference.end;
    let learnt = Reference::learn(table, reference, scope)?;
    let mut watchers: Vec<Watcher> = rules
        .iter()
        .map(|rule| Watcher::new(*rule, &learnt, table, looks))
        .collect();
    let mut alarms = vec![Vec::new(); rules.len()];
    let mut window = Window::default();
    for look in 0..looks {
        let rows = start + look * PANE..start + (look + 1) * PANE;
        let end = rows.end;
        let pane = learnt.pane(table, rows);
        let distances = window.push(pane.clone(), &learnt)?;
        for (watcher, alarms) in watchers.iter_mut().zip(&mut alarms) {
            if !watcher.step(&pane, distances.as_deref(), looks).is_empty() {
                alarms.push(end);
            }
        }
    }
    Ok(alarms)
}

/// As [`run`] for one rule that learns a new reference from the next `relearn` events after each alarm, and is blind
/// meanwhile. Each alarm comes with the columns that it is about.
pub(crate) fn run_relearning(
    table: &Table,
    reference: Range<usize>,
    relearn: usize,
    scope: Scope,
    rule: Rule,
) -> Result<Vec<(usize, Vec<String>)>> {
    let looks = (table.rows - reference.end) / PANE;
    let mut alarms = Vec::new();
    let mut reference = reference;
    while reference.end + PANE <= table.rows {
        let mut at = reference.end;
        let learnt = Reference::learn(table, reference.clone(), scope)?;
        let mut watcher = Watcher::new(rule, &learnt, table, looks);
        let mut window = Window::default();
        let mut raised = Vec::new();
        while raised.is_empty() && at + PANE <= table.rows {
            let pane = learnt.pane(table, at..at + PANE);
            at += PANE;
            let distances = match watcher {
                Watcher::Bank(_) => None,
                Watcher::Threshold { .. } => window.push(pane.clone(), &learnt)?,
            };
            raised = watcher.step(&pane, distances.as_deref(), looks);
        }
        if !raised.is_empty() {
            let names = raised
                .iter()
                .map(|column| learnt.columns[*column].name.clone());
            alarms.push((at, names.collect()));
        }
        reference = at..at + relearn;
    }
    Ok(alarms)
}
