//! Whatever was counted, metrics are numbers and lie in their intervals.

#![allow(clippy::unwrap_used)]

use driftline_event::{MetricValue, Task};
use driftline_sketch::{
    ClassScore, DecisionSource, OutcomeLabel, OutcomeOptions, OutcomeProfile, OutcomeRow,
    OutcomeSummary, PredictedSummary, Scored, Truth,
};
use driftline_stat::estimate::CostMatrix;
use driftline_stat::performance::{PerformanceOptions, estimated, performance};
use proptest::prelude::*;

/// A prediction and its label out of any numbers.
fn row(task: Task, a: f64, b: f64, c: u16) -> (Scored, Truth) {
    match task {
        Task::Binary => (
            Scored::Binary {
                score: a,
                positive: c.is_multiple_of(2),
            },
            Truth::Class(c / 2 % 3),
        ),
        Task::Multiclass => {
            let mut top = [ClassScore::NONE; 5];
            if !c.is_multiple_of(5) {
                top[0] = ClassScore {
                    class: c % 3,
                    probability: (a.abs() % 1.0) as f32,
                };
            }
            let decided = c / 3 % 4;
            (Scored::Multiclass { decided, top }, Truth::Class(c / 7 % 5))
        }
        Task::Regression => (Scored::Regression { value: a }, Truth::Number(b)),
        Task::Ranking => {
            let items = std::array::from_fn(|k| k as u32 + 1);
            (
                Scored::Ranking { items },
                Truth::Item(u32::from(c % 14) + 1),
            )
        }
    }
}

fn profile(task: Task, rows: &[(Scored, Truth)]) -> Option<OutcomeProfile> {
    let mut options = OutcomeOptions::new(task);
    match task {
        Task::Binary => {
            options.classes = vec!["no".to_owned(), "yes".to_owned()];
            options.score_columns = vec!["score".to_owned()];
        }
        Task::Multiclass => {
            options.classes = (0..3).map(|k| k.to_string()).collect();
            options.score_columns = (0..3).map(|k| format!("scores.{k}")).collect();
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
    OutcomeProfile::build(&options, &rows).ok()
}

fn check(found: &[MetricValue]) {
    for value in found {
        let ends = [value.lower, value.value, value.upper];
        assert!(ends.iter().all(|x| x.is_finite()), "{value:?}");
        assert!(ends.is_sorted(), "{value:?}");
    }
}

fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |x| x.is_finite()),
        -3.0_f64..3.0,
        0.0_f64..=1.0,
        Just(0.0),
        Just(1.0),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn metrics_are_numbers_in_their_intervals(
        rows in prop::collection::vec((finite(), finite(), any::<u16>(), any::<f64>()), 1..30),
        of_reference in 1_usize..30,
        confidence in any::<f64>(),
    ) {
        let options = PerformanceOptions {
            cost_matrix: Some(CostMatrix::from_rows([[1e12, -1e12], [3.0, 0.0]])),
            confidence,
            ..PerformanceOptions::default()
        };
        for task in [Task::Binary, Task::Multiclass, Task::Regression, Task::Ranking] {
            let pairs: Vec<_> = rows.iter().map(|r| row(task, r.0, r.1, r.2)).collect();
            let Some(profile) = profile(task, &pairs[..of_reference.min(pairs.len())]) else {
                continue;
            };
            let mut summary = OutcomeSummary::empty(&profile);
            let mut predicted = PredictedSummary::empty(&profile);
            for ((scored, truth), (_, _, _, weight)) in pairs.iter().zip(&rows) {
                summary.add(&profile, scored, *truth, *weight, None).unwrap();
                predicted.add(&profile, scored).unwrap();
                check(&performance(&profile, &summary, &options));
            }
            check(&estimated(&profile, &predicted, &options));
        }
    }
}
