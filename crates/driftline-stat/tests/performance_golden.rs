//! Every metric against scikit-learn; `tests/golden/performance_sklearn/make.py` says how the file came about.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use driftline_event::{Metric, MetricValue, Task};
use driftline_sketch::{
    ClassScore, DecisionSource, OutcomeLabel, OutcomeOptions, OutcomeProfile, OutcomeRow,
    OutcomeSummary, Scored, Truth,
};
use driftline_stat::estimate::CostMatrix;
use driftline_stat::performance::{PerformanceOptions, performance};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
struct Case {
    task: Task,
    seed: u64,
    n: usize,
    weighted: bool,
    #[serde(default)]
    shape: String,
    #[serde(default)]
    labels: String,
    #[serde(default)]
    threshold: f64,
    #[serde(default)]
    classes: usize,
    #[serde(default)]
    strength: f64,
    #[serde(default)]
    unseen: usize,
    #[serde(default)]
    never: Option<usize>,
    #[serde(default)]
    bias: f64,
    #[serde(default)]
    noise: f64,
    #[serde(default)]
    missing: f64,
    expected: BTreeMap<String, Expected>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Expected {
    Value(Option<f64>),
    Classes(Vec<[Option<f64>; 3]>),
}

/// The names that items stand under: their hashes only need to differ.
fn item(place: usize) -> u32 {
    place as u32 + 1
}

impl Case {
    /// The same steps as `draw_*` in make.py, each exact in IEEE doubles.
    fn rows(&self) -> Vec<(Scored, Truth, f64)> {
        let mut state = self.seed;
        let mut unit = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as f64 / 4_294_967_296.0
        };
        let rows = 0..self.n;
        match self.task {
            Task::Binary => rows.map(|_| self.binary(&mut unit)).collect(),
            Task::Multiclass => rows.map(|_| self.multiclass(&mut unit)).collect(),
            Task::Regression => rows.map(|_| self.regression(&mut unit)).collect(),
            Task::Ranking => rows.map(|_| self.ranking(&mut unit)).collect(),
        }
    }

    fn weight(&self, unit: &mut impl FnMut() -> f64) -> f64 {
        if self.weighted {
            ((unit() * 16.0).floor() + 1.0) / 4.0
        } else {
            1.0
        }
    }

    fn binary(&self, unit: &mut impl FnMut() -> f64) -> (Scored, Truth, f64) {
        let (u, v) = (unit(), unit());
        let weight = self.weight(unit);
        let score = match self.shape.as_str() {
            "fraud" => u * u * u * u * u * u,
            "ties" => (u * 8.0).floor() / 8.0,
            "sure" => f64::from(u8::from(u >= 0.5)),
            "constant" => 0.5,
            _ => u,
        };
        let chance = match self.shape.as_str() {
            "overconfident" => 0.25 + score / 2.0,
            "reversed" => 1.0 - score,
            "sure" => 0.125 + 0.75 * score,
            "random" => 0.375,
            _ => score,
        };
        let label = match self.labels.as_str() {
            "positives" => true,
            "negatives" => false,
            _ => v < chance,
        };
        let positive = score >= self.threshold;
        let scored = Scored::Binary { score, positive };
        (scored, Truth::Class(u16::from(label)), weight)
    }

    fn multiclass(&self, unit: &mut impl FnMut() -> f64) -> (Scored, Truth, f64) {
        let v = unit();
        let weight = self.weight(unit);
        let label = (v * v * (self.classes + self.unseen) as f64).floor() as usize;
        let mut raw: Vec<f64> = (0..self.classes)
            .map(|k| unit() + if k == label { self.strength } else { 0.0 })
            .collect();
        if let Some(never) = self.never {
            raw[never] = 0.0;
        }
        let total = raw.iter().fold(0.0, |sum, x| sum + x);
        let mut best: Vec<usize> = (0..self.classes).collect();
        best.sort_by(|a, b| raw[*b].total_cmp(&raw[*a]).then(a.cmp(b)));
        let mut top = [ClassScore::NONE; 5];
        for (to, class) in top.iter_mut().zip(&best) {
            *to = ClassScore {
                class: *class as u16,
                probability: (raw[*class] / total) as f32,
            };
        }
        let decided = best[0] as u16;
        let scored = Scored::Multiclass { decided, top };
        (scored, Truth::Class(label as u16), weight)
    }

    fn regression(&self, unit: &mut impl FnMut() -> f64) -> (Scored, Truth, f64) {
        let u = unit();
        let v = unit() + unit() - 1.0;
        let weight = self.weight(unit);
        let label = match self.shape.as_str() {
            "zeros" if u < 0.4 => 0.0,
            "zeros" => u * 10.0,
            "signed" => (u - 0.5) * 20.0,
            "constant" => 3.0,
            "positive" => 5.0 + u * 50.0,
            _ => u * 8.0 * (u * 8.0),
        };
        let grid = |x: f64| (x * 1024.0).floor() / 1024.0;
        let label = grid(label);
        let value = grid(label + self.bias + v * self.noise);
        (Scored::Regression { value }, Truth::Number(label), weight)
    }

    fn ranking(&self, unit: &mut impl FnMut() -> f64) -> (Scored, Truth, f64) {
        let (u, v) = (unit(), unit());
        let weight = self.weight(unit);
        let place = if v >= self.missing {
            (u * u * 10.0).floor() as usize
        } else {
            10
        };
        let items = std::array::from_fn(item);
        (Scored::Ranking { items }, Truth::Item(item(place)), weight)
    }

    /// A profile of other rows of the same kind, so that its bins are not cut to measure.
    fn profile(&self) -> OutcomeProfile {
        let reference = Self {
            seed: self.seed + 1_000_000,
            n: 5_000,
            labels: "both".to_owned(),
            unseen: 0,
            ..self.clone()
        };
        let mut options = OutcomeOptions::new(self.task);
        match self.task {
            Task::Binary => {
                options.classes = vec!["0".to_owned(), "1".to_owned()];
                options.score_columns = vec!["score".to_owned()];
                options.threshold = Some(self.threshold);
            }
            Task::Multiclass => {
                options.classes = (0..self.classes).map(|k| k.to_string()).collect();
                options.score_columns = (0..self.classes).map(|k| format!("scores.{k}")).collect();
            }
            Task::Regression => options.score_columns = vec!["value".to_owned()],
            Task::Ranking => options.decision = DecisionSource::Column("items".to_owned()),
        }
        let row = |(scored, truth, weight)| OutcomeRow {
            scored,
            label: Some(OutcomeLabel {
                truth,
                weight,
                delay_micros: None,
            }),
        };
        let rows: Vec<OutcomeRow> = reference.rows().into_iter().map(row).collect();
        OutcomeProfile::build(&options, &rows).unwrap()
    }

    /// How far a metric may be from scikit-learn's, and why.
    fn tolerance(&self, metric: Metric, expected: f64) -> f64 {
        match metric {
            // A loss is rounded to 2^-24, a probability of several classes to 24 bits; relative and logarithmic errors
            // are rounded to 2^-20.
            Metric::LogLoss | Metric::Brier => 3e-8,
            Metric::Mape | Metric::Msle => 2.5e-7,
            // Of few predictions the order inside a bin is chance: a pair that is tied counts half instead of 0 or 1.
            Metric::RocAuc if self.n < 1_000 => 1e-3,
            Metric::RocAuc => 3e-4,
            Metric::AveragePrecision if self.n < 1_000 => 4e-3,
            Metric::AveragePrecision => 1.5e-3,
            // The grid of errors is 2^-20 of the reference's spread.
            _ if self.task == Task::Regression => 1e-9 * expected.abs().max(1.0),
            _ => 1e-9,
        }
    }
}

fn options() -> PerformanceOptions {
    PerformanceOptions {
        beta: 2.0,
        cost_matrix: Some(CostMatrix::from_rows([[0.5, -2.0], [-10.0, 4.0]])),
        top_k: 2,
        quantile: 0.9,
        ndcg_k: 5,
        confidence: 0.95,
    }
}

fn check(case: &Case, worst: &mut BTreeMap<Metric, f64>) {
    let profile = case.profile();
    let mut summary = OutcomeSummary::empty(&profile);
    for (scored, truth, weight) in case.rows() {
        summary.add(&profile, &scored, truth, weight, None).unwrap();
    }
    let found = performance(&profile, &summary, &options());
    let place = format!("seed {} {:?} {}", case.seed, case.task, case.shape);
    for value in &found {
        let ends = [value.lower, value.value, value.upper];
        assert!(ends.iter().all(|x| x.is_finite()), "{place}: {value:?}");
        assert!(ends.is_sorted(), "{place}: {value:?}");
        assert!(value.n as usize <= case.n, "{place}: {value:?}");
    }
    for (name, expected) in &case.expected {
        let metric: Metric = match name.as_str() {
            "classes" => {
                check_classes(&place, expected, &found);
                continue;
            }
            name => *Metric::ALL.iter().find(|m| m.as_str() == name).unwrap(),
        };
        let Expected::Value(expected) = *expected else {
            panic!("{place}: {name}");
        };
        let found = found
            .iter()
            .find(|v| v.metric == metric && v.class.is_none());
        let needs_two =
            case.task == Task::Regression || matches!(metric, Metric::LogLoss | Metric::Brier);
        match (expected, found) {
            (None, None) => {}
            (Some(_), None) if needs_two && case.n < 2 => {}
            (Some(expected), Some(found)) => {
                let error = (found.value - expected).abs();
                assert!(
                    error <= case.tolerance(metric, expected),
                    "{place}: {name} {} {expected}",
                    found.value
                );
                let most = worst.entry(metric).or_default();
                *most = most.max(error);
            }
            other => panic!("{place}: {name} {other:?}"),
        }
    }
}

fn check_classes(place: &str, expected: &Expected, found: &[MetricValue]) {
    let Expected::Classes(classes) = expected else {
        panic!("{place}");
    };
    // The last is that of labels never heard of, which has no name.
    for (class, values) in classes
        .iter()
        .take(classes.len().saturating_sub(1))
        .enumerate()
    {
        let name = class.to_string();
        for (metric, expected) in [Metric::Precision, Metric::Recall, Metric::F1]
            .iter()
            .zip(values)
        {
            let is_it = |v: &&MetricValue| v.metric == *metric && v.class.as_ref() == Some(&name);
            let found = found.iter().find(is_it).map(|v| v.value);
            match (expected, found) {
                (None, None) => {}
                (Some(a), Some(b)) => assert!((a - b).abs() < 1e-9, "{place}: {metric} {class}"),
                other => panic!("{place}: {metric} {class} {other:?}"),
            }
        }
    }
}

#[test]
fn metrics_are_scikit_learns() {
    let text = include_str!("../../../tests/golden/performance_sklearn/golden.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    assert!(cases.len() >= 40);
    let mut worst = BTreeMap::new();
    for case in &cases {
        check(case, &mut worst);
    }
    println!("largest differences: {worst:#?}");
}
