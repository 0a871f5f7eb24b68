//! Predictions with labels, the same on every machine.

use driftline_event::Task;
use driftline_sketch::{
    ClassScore, OutcomeLabel, OutcomeOptions, OutcomeProfile, OutcomeRow, OutcomeSummary, Scored,
    Truth, ranking_item,
};

pub(crate) const MINUTE: i64 = 60_000_000;

/// Numbers that look random and are the same everywhere: an additive recurrence of the golden ratio.
pub(crate) fn noise(i: usize, stream: u64) -> f64 {
    let mut x = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ x >> 31) >> 11) as f64 / (1_u64 << 53) as f64
}

pub(crate) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub(crate) fn binary_options() -> OutcomeOptions {
    OutcomeOptions {
        classes: names(&["0", "1"]),
        threshold: Some(0.3),
        score_columns: names(&["value"]),
        ..OutcomeOptions::new(Task::Binary)
    }
}

/// Skewed scores that are probabilities; nine of ten have a label, after up to four hours.
pub(crate) fn binary_rows(n: usize) -> Vec<OutcomeRow> {
    let row = |i| {
        let score = noise(i, 1).powi(3);
        let truth = Truth::Class(u16::from(noise(i, 2) < score));
        let label = OutcomeLabel {
            truth,
            weight: 1.0,
            delay_micros: Some((noise(i, 3) * 240.0) as i64 * MINUTE),
        };
        OutcomeRow {
            scored: Scored::Binary {
                score,
                positive: score >= 0.3,
            },
            label: (i % 10 > 0).then_some(label),
        }
    };
    (0..n).map(row).collect()
}

pub(crate) fn regression_options() -> OutcomeOptions {
    OutcomeOptions {
        score_columns: names(&["value"]),
        ..OutcomeOptions::new(Task::Regression)
    }
}

pub(crate) fn regression_rows(n: usize) -> Vec<OutcomeRow> {
    let row = |i| {
        let value = 100.0 * noise(i, 1);
        let label = value + (1.0 + value / 10.0) * (noise(i, 2) - 0.4);
        OutcomeRow {
            scored: Scored::Regression { value },
            label: Some(OutcomeLabel {
                truth: Truth::Number(label),
                weight: 1.0,
                delay_micros: None,
            }),
        }
    };
    (0..n).map(row).collect()
}

pub(crate) fn multiclass_options(classes: usize) -> OutcomeOptions {
    let classes: Vec<String> = (0..classes).map(|c| format!("c{c}")).collect();
    OutcomeOptions {
        score_columns: classes.iter().map(|c| format!("scores.{c}")).collect(),
        classes,
        ..OutcomeOptions::new(Task::Multiclass)
    }
}

pub(crate) fn multiclass_rows(n: usize, classes: usize) -> Vec<OutcomeRow> {
    let row = |i: usize| {
        let weights: Vec<f64> = (0..classes)
            .map(|c| noise(i, 10 + c as u64).powi(4))
            .collect();
        let all: f64 = weights.iter().sum();
        let mut scores: Vec<(usize, f64)> = weights.iter().map(|w| w / all).enumerate().collect();
        let mut left = noise(i, 5);
        let truth = scores.iter().position(|(_, p)| {
            left -= p;
            left < 0.0
        });
        scores.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut top = [ClassScore::NONE; 5];
        for (best, (class, probability)) in top.iter_mut().zip(&scores) {
            *best = ClassScore {
                class: *class as u16,
                probability: *probability as f32,
            };
        }
        OutcomeRow {
            scored: Scored::Multiclass {
                decided: scores[0].0 as u16,
                top,
            },
            label: Some(OutcomeLabel {
                truth: Truth::Class(truth.unwrap_or(classes) as u16),
                weight: 1.0,
                delay_micros: None,
            }),
        }
    };
    (0..n).map(row).collect()
}

pub(crate) fn ranking_rows(n: usize) -> Vec<OutcomeRow> {
    let row = |i: usize| {
        let mut items = [0; 10];
        let length = 1 + i % 10;
        for (rank, item) in items.iter_mut().enumerate().take(length) {
            *item = ranking_item(&format!("item {rank}"));
        }
        let wanted = (12.0 * noise(i, 1)) as usize;
        OutcomeRow {
            scored: Scored::Ranking { items },
            label: Some(OutcomeLabel {
                truth: Truth::Item(ranking_item(&format!("item {wanted}"))),
                weight: 1.0,
                delay_micros: Some(0),
            }),
        }
    };
    (0..n).map(row).collect()
}

/// A profile of each task with its own rows.
pub(crate) fn all_tasks(n: usize) -> Vec<(OutcomeProfile, Vec<OutcomeRow>)> {
    let ranking = OutcomeOptions {
        score_columns: names(&["scores.item 0", "scores.item 1"]),
        ..OutcomeOptions::new(Task::Ranking)
    };
    let pairs = [
        (binary_options(), binary_rows(n)),
        (multiclass_options(3), multiclass_rows(n, 3)),
        (multiclass_options(70), multiclass_rows(n, 70)),
        (regression_options(), regression_rows(n)),
        (ranking, ranking_rows(n)),
    ];
    let built = |(options, rows): (OutcomeOptions, Vec<OutcomeRow>)| {
        (OutcomeProfile::build(&options, &rows).unwrap(), rows)
    };
    pairs.into_iter().map(built).collect()
}

pub(crate) fn add(
    profile: &OutcomeProfile,
    into: &mut OutcomeSummary,
    row: &OutcomeRow,
    weight: f64,
) {
    if let Some(label) = row.label {
        let (truth, delay) = (label.truth, label.delay_micros);
        into.add(profile, &row.scored, truth, weight, delay)
            .unwrap();
    }
}
