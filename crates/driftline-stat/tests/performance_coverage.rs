//! How often intervals hold the truth, by simulation with one seed.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;

use driftline_event::{Better, Metric, Task};
use driftline_sketch::{
    ClassScore, DecisionSource, OutcomeLabel, OutcomeOptions, OutcomeProfile, OutcomeRow,
    OutcomeSummary, PredictedSummary, Scored, Truth,
};
use driftline_stat::estimate::{CostMatrix, HealthOptions, HealthState};
use driftline_stat::performance::{PerformanceOptions, assumption_health, estimated, performance};

const SEED: u64 = 20_261_123;
const REPEATS: usize = 400;
const ROWS: usize = 300;
const POPULATION: usize = 150_000;

struct Source(u64);

impl Source {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let (u, v) = (self.unit(), self.unit());
        (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    fn row(&mut self, task: Task) -> (Scored, Truth) {
        match task {
            Task::Binary => {
                let u = self.unit();
                let score = u * u;
                let label = self.unit() < score;
                let positive = score >= 0.5;
                (
                    Scored::Binary { score, positive },
                    Truth::Class(u16::from(label)),
                )
            }
            Task::Multiclass => {
                // Labels as the probabilities say, and some classes rarer than others.
                let frequency = [3.0, 2.0, 1.0, 0.5];
                let raw = frequency.map(|f| f * self.unit().powi(4) + 0.01);
                let total: f64 = raw.iter().sum();
                let mut left = self.unit() * total;
                let label = raw.iter().position(|r| {
                    left -= r;
                    left < 0.0
                });
                let label = label.unwrap_or(0);
                let mut best: Vec<usize> = (0..4).collect();
                best.sort_by(|a, b| raw[*b].total_cmp(&raw[*a]));
                let mut top = [ClassScore::NONE; 5];
                for (to, class) in top.iter_mut().zip(&best) {
                    *to = ClassScore {
                        class: *class as u16,
                        probability: (raw[*class] / total) as f32,
                    };
                }
                let decided = best[0] as u16;
                (
                    Scored::Multiclass { decided, top },
                    Truth::Class(label as u16),
                )
            }
            Task::Regression => {
                // Far from zero: next to it a relative error has no variance.
                let value = 30.0 + 3.0 * self.normal();
                let label = value - 0.2 + (0.5 + 0.1 * (value - 30.0).abs()) * self.normal();
                (Scored::Regression { value }, Truth::Number(label))
            }
            Task::Ranking => {
                let place = (self.unit() * self.unit() * 14.0) as u32;
                let items = std::array::from_fn(|k| k as u32 + 1);
                (Scored::Ranking { items }, Truth::Item(place + 1))
            }
        }
    }

    fn rows(&mut self, task: Task, n: usize) -> Vec<(Scored, Truth)> {
        (0..n).map(|_| self.row(task)).collect()
    }
}

fn profile(task: Task, rows: &[(Scored, Truth)]) -> OutcomeProfile {
    let mut options = OutcomeOptions::new(task);
    match task {
        Task::Binary => {
            options.classes = vec!["no".to_owned(), "yes".to_owned()];
            options.score_columns = vec!["score".to_owned()];
        }
        Task::Multiclass => {
            options.classes = (0..4).map(|k| k.to_string()).collect();
            options.score_columns = (0..4).map(|k| format!("scores.{k}")).collect();
        }
        Task::Regression => options.score_columns = vec!["value".to_owned()],
        Task::Ranking => options.decision = DecisionSource::Column("items".to_owned()),
    }
    let row = |&(scored, truth): &(Scored, Truth)| OutcomeRow {
        scored,
        label: Some(OutcomeLabel {
            truth,
            weight: 1.0,
            delay_micros: None,
        }),
    };
    let rows: Vec<OutcomeRow> = rows.iter().map(row).collect();
    OutcomeProfile::build(&options, &rows).unwrap()
}

fn summed(profile: &OutcomeProfile, rows: &[(Scored, Truth)], weight: f64) -> OutcomeSummary {
    weighed(profile, rows, || weight)
}

fn weighed(
    profile: &OutcomeProfile,
    rows: &[(Scored, Truth)],
    mut weight: impl FnMut() -> f64,
) -> OutcomeSummary {
    let mut summary = OutcomeSummary::empty(profile);
    for (scored, truth) in rows {
        summary
            .add(profile, scored, *truth, weight(), None)
            .unwrap();
    }
    summary
}

fn options() -> PerformanceOptions {
    PerformanceOptions {
        cost_matrix: Some(CostMatrix::from_rows([[1.0, -2.0], [-8.0, 5.0]])),
        top_k: 2,
        ndcg_k: 5,
        ..PerformanceOptions::default()
    }
}

/// Which part of `REPEATS` samples has the population's metric in its interval, without weights or with such from 0 to 2.
fn coverage(task: Task, is_weighted: bool) -> BTreeMap<(Metric, Option<String>), f64> {
    println!("seed {SEED}");
    let mut source = Source(SEED);
    let profile = profile(task, &source.rows(task, 20_000));
    let population = summed(&profile, &source.rows(task, POPULATION), 1.0);
    let truth: BTreeMap<_, f64> = performance(&profile, &population, &options())
        .into_iter()
        .map(|v| ((v.metric, v.class), v.value))
        .collect();
    let mut held: BTreeMap<(Metric, Option<String>), f64> = BTreeMap::new();
    for _ in 0..REPEATS {
        let rows = source.rows(task, ROWS);
        let weight = || {
            if is_weighted {
                2.0 * source.unit()
            } else {
                1.0
            }
        };
        let sample = weighed(&profile, &rows, weight);
        for found in performance(&profile, &sample, &options()) {
            let key = (found.metric, found.class);
            // Cells grow with the rows.
            let is_cell = found.metric.better() == Better::Neither;
            let scale = if is_cell {
                ROWS as f64 / POPULATION as f64
            } else {
                1.0
            };
            let truth = truth[&key] * scale;
            let is_held = found.lower <= truth && truth <= found.upper;
            *held.entry(key).or_default() += f64::from(u8::from(is_held)) / REPEATS as f64;
        }
    }
    held
}

/// What a metric's coverage may be; nominal is 0.95, and 400 samples have a standard deviation of 0.011.
fn expected(metric: Metric) -> (f64, f64) {
    match metric {
        // Its interval allows for errors of all groups to one side.
        Metric::CalibrationError => (0.97, 1.0),
        // Means of few large losses, and averages over classes that have ten labels.
        Metric::Mse | Metric::Rmse | Metric::Recall | Metric::F1 | Metric::Precision => {
            (0.91, 0.99)
        }
        _ => (0.92, 0.99),
    }
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for (task, is_weighted) in [
        (Task::Binary, false),
        (Task::Binary, true),
        (Task::Multiclass, false),
        (Task::Regression, false),
        (Task::Ranking, false),
    ] {
        for ((metric, class), share) in coverage(task, is_weighted) {
            // A sum of weights varies with the weights, which its interval takes for given.
            if is_weighted && metric.better() == Better::Neither {
                continue;
            }
            let (lowest, highest) = expected(metric);
            let place = format!("{task:?} {is_weighted} {metric} {class:?} {share:.3}");
            println!("{place}");
            assert!((lowest..=highest).contains(&share), "{place}");
        }
    }
}

/// Estimates against what the labels of the same predictions then say.
#[test]
fn estimates_hold_what_the_labels_will_say() {
    println!("seed {SEED}");
    for task in [Task::Binary, Task::Multiclass, Task::Regression] {
        let mut source = Source(SEED ^ 7);
        let profile = profile(task, &source.rows(task, 60_000));
        let mut held: BTreeMap<Metric, (f64, f64)> = BTreeMap::new();
        for _ in 0..REPEATS {
            let rows = source.rows(task, ROWS);
            let mut predicted = PredictedSummary::empty(&profile);
            for (scored, _) in &rows {
                predicted.add(&profile, scored).unwrap();
            }
            let realised = performance(&profile, &summed(&profile, &rows, 1.0), &options());
            for found in estimated(&profile, &predicted, &options()) {
                let is_it = |v: &&driftline_event::MetricValue| {
                    v.metric == found.metric && v.class.is_none()
                };
                let Some(realised) = realised.iter().find(is_it) else {
                    continue;
                };
                let is_held = found.lower <= realised.value && realised.value <= found.upper;
                let (share, off) = held.entry(found.metric).or_default();
                *share += f64::from(u8::from(is_held)) / REPEATS as f64;
                *off += (found.value - realised.value) / REPEATS as f64;
            }
        }
        for (metric, (share, off)) in held {
            let place = format!("{task:?} {metric} {share:.3} {off:.5}");
            println!("{place}");
            // The bands of macro averages take classes for independent, as NannyML's do, which they are not.
            let is_average = task == Task::Multiclass && metric != Metric::Accuracy;
            let lowest = if is_average { 0.86 } else { 0.90 };
            assert!((lowest..=0.99).contains(&share), "{place}");
        }
    }
}

#[test]
fn weights_that_are_all_the_same_say_no_more_than_none() {
    for task in [
        Task::Binary,
        Task::Multiclass,
        Task::Regression,
        Task::Ranking,
    ] {
        let mut source = Source(SEED ^ 3);
        let rows = source.rows(task, 2_000);
        let profile = profile(task, &rows);
        let plain = performance(&profile, &summed(&profile, &rows, 1.0), &options());
        let threefold = performance(&profile, &summed(&profile, &rows, 3.0), &options());
        assert_eq!(plain.len(), threefold.len());
        for (a, b) in plain.iter().zip(&threefold) {
            let is_total = matches!(
                a.metric,
                Metric::TruePositives
                    | Metric::FalsePositives
                    | Metric::FalseNegatives
                    | Metric::TrueNegatives
            );
            let factor = if is_total { 3.0 } else { 1.0 };
            for (a, b) in [(a.value, b.value), (a.lower, b.lower), (a.upper, b.upper)] {
                assert!((factor * a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} {b}");
            }
        }
    }
}

#[test]
fn health_follows_the_scores() {
    let mut source = Source(SEED ^ 5);
    for task in [Task::Binary, Task::Multiclass, Task::Regression] {
        let profile = profile(task, &source.rows(task, 20_000));
        let summed = |rows: &[(Scored, Truth)]| {
            let mut predicted = PredictedSummary::empty(&profile);
            for (scored, _) in rows {
                predicted.add(&profile, scored).unwrap();
            }
            predicted
        };
        let rows = source.rows(task, 2_000);
        let judge = |rows: &[(Scored, Truth)]| {
            assumption_health(&profile, &summed(rows), 0, &HealthOptions::default())
        };
        assert_eq!(judge(&rows).unwrap().state, HealthState::Ok, "{task:?}");
        let one: Vec<_> = std::iter::repeat_n(rows[0], 2_000).collect();
        assert_eq!(judge(&one).unwrap().state, HealthState::Broken, "{task:?}");
        assert!(judge(&[]).is_none());
    }
}
