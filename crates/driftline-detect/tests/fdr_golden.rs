//! Corrections against statsmodels and online-fdr; `tests/golden/fdr/make.py` says how the file came about.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use driftline_detect::fdr::{Correction, ELond, Lord, Saffron, e_value};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    batches: Vec<Batch>,
    sequences: Vec<Sequence>,
}

#[derive(Deserialize)]
struct Batch {
    p: Vec<f64>,
    adjusted: BTreeMap<String, Vec<f64>>,
}

#[derive(Deserialize)]
struct Sequence {
    p: Vec<f64>,
    lord: Run,
    saffron: Run,
    e_lond: Run,
}

#[derive(Deserialize)]
struct Run {
    levels: Vec<f64>,
    rejected: Vec<bool>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../tests/golden/fdr/golden.json")).unwrap()
}

#[test]
fn adjusted_p_values_agree_with_statsmodels() {
    for batch in golden().batches {
        for correction in Correction::ALL.iter().filter(|c| **c != Correction::None) {
            let expected = &batch.adjusted[correction.as_str()];
            for (actual, expected) in correction.adjust(&batch.p).iter().zip(expected) {
                let gap = (actual - expected).abs();
                assert!(gap <= 1e-12, "{correction:?} {actual} {expected}");
            }
        }
    }
}

#[test]
fn online_procedures_agree_with_online_fdr() {
    for sequence in golden().sequences {
        let mut lord = Lord::new(0.05, 0.025);
        let mut saffron = Saffron::new(0.05, 0.02, 0.4);
        let mut e_lond = ELond::new(0.05);
        for (i, &p) in sequence.p.iter().enumerate() {
            let check = |run: &Run, level: f64, rejected: bool| {
                let gap = (level - run.levels[i]).abs();
                assert!(gap <= 1e-12 * level, "{i}: {level} {}", run.levels[i]);
                assert_eq!(rejected, run.rejected[i]);
            };
            check(&sequence.lord, lord.level(), lord.test(p));
            check(&sequence.saffron, saffron.level(), saffron.test(p));
            check(
                &sequence.e_lond,
                e_lond.level(),
                e_lond.test(e_value(p, 0.5)),
            );
        }
    }
}
