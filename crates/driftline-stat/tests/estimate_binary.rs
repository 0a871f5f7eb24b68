//! Estimates from histograms and rows against brute force: their values, their deviations, their bias.

use driftline_stat::estimate::{
    BinaryEstimate, CostMatrix, EstimateBin, Metric, estimate_binary, estimate_binary_rows,
};

const SEED: u64 = 20_261_123;

/// A linear congruential generator: reproducible everywhere, and good enough to draw labels.
struct Draws(u64);

impl Draws {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

const COSTS: [[f64; 2]; 2] = [[1.0, -10.0], [-20.0, 5.0]];

fn value(estimate: &BinaryEstimate, metric: Metric) -> f64 {
    estimate
        .metric(metric)
        .map_or(f64::NAN, |found| found.value)
}

/// The metrics of known labels are the estimate for probabilities 0 and 1.
fn realised(scores: &[f64], labels: &[f64], predicted: &[bool]) -> BinaryEstimate {
    estimate_binary_rows(
        scores,
        labels,
        Some(predicted),
        Some(&CostMatrix::from_rows(COSTS)),
    )
    .expect("there are rows")
}

#[test]
fn known_labels_give_the_metrics_of_the_textbook() {
    let scores = [0.9, 0.8, 0.7, 0.6, 0.4, 0.3];
    let labels = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0];
    let predicted = [true, true, true, true, false, false];
    let found = realised(&scores, &labels, &predicted);
    let expected = [
        (Metric::RocAuc, 4.0 / 8.0),
        (
            Metric::AveragePrecision,
            (1.0 + 2.0 / 3.0 + 3.0 / 4.0 + 4.0 / 6.0) / 4.0,
        ),
        (Metric::Accuracy, 4.0 / 6.0),
        (Metric::F1, 0.75),
        (Metric::Precision, 0.75),
        (Metric::Recall, 0.75),
        (Metric::Specificity, 0.5),
        (Metric::BusinessValue, 3.0 * 5.0 - 10.0 - 20.0 + 1.0),
        (Metric::TruePositive, 3.0),
        (Metric::TrueNegative, 1.0),
        (Metric::FalsePositive, 1.0),
        (Metric::FalseNegative, 1.0),
    ];
    for (metric, expected) in expected {
        assert!((value(&found, metric) - expected).abs() < 1e-12, "{metric}");
        assert_eq!(found.metric(metric).unwrap().deviation, 0.0, "{metric}");
    }
}

#[test]
fn deviations_are_those_of_drawn_labels() {
    println!("seed {SEED}");
    let mut draws = Draws(SEED);
    let n = 400;
    let scores: Vec<f64> = (0..n).map(|_| draws.unit()).collect();
    let probabilities: Vec<f64> = scores.iter().map(|s| 0.05 + 0.8 * s * s).collect();
    let predicted: Vec<bool> = scores.iter().map(|s| *s > 0.6).collect();
    let costs = CostMatrix::from_rows(COSTS);
    let estimate =
        estimate_binary_rows(&scores, &probabilities, Some(&predicted), Some(&costs)).unwrap();
    let rounds = 1_500;
    let mut sums = vec![(0.0, 0.0); Metric::ALL.len()];
    for _ in 0..rounds {
        let labels: Vec<f64> = probabilities
            .iter()
            .map(|p| f64::from(u8::from(draws.unit() < *p)))
            .collect();
        let found = realised(&scores, &labels, &predicted);
        for (sum, metric) in sums.iter_mut().zip(Metric::ALL) {
            let x = value(&found, metric);
            *sum = (sum.0 + x, sum.1 + x * x);
        }
    }
    for ((sum, squares), metric) in sums.into_iter().zip(Metric::ALL) {
        let mean = sum / f64::from(rounds);
        let drawn = (squares / f64::from(rounds) - mean * mean).sqrt();
        let found = estimate.metric(metric).unwrap();
        assert!(
            (found.deviation / drawn - 1.0).abs() < 0.08,
            "{metric}: {} {drawn}",
            found.deviation
        );
        assert!(
            (found.value - mean).abs() < 0.3 * drawn,
            "{metric}: {} {mean}",
            found.value
        );
    }
}

#[test]
fn a_histogram_of_128_quantile_bins_is_nearly_as_good_as_rows() {
    println!("seed {SEED}");
    let mut draws = Draws(SEED);
    // A fraud score: most of the mass close to zero.
    let mut scores: Vec<f64> = (0..20_000).map(|_| draws.unit().powi(6)).collect();
    scores.sort_by(f64::total_cmp);
    let predicted: Vec<bool> = scores.iter().map(|s| *s > 0.5).collect();
    let rows = estimate_binary_rows(&scores, &scores, Some(&predicted), None).unwrap();
    let bins: Vec<EstimateBin> = (0..128)
        .map(|b| {
            let part = &scores[b * 20_000 / 128..(b + 1) * 20_000 / 128];
            EstimateBin {
                count: part.len() as u64,
                probability: part.iter().sum::<f64>() / part.len() as f64,
                predicted_positive: part.iter().filter(|s| **s > 0.5).count() as u64,
            }
        })
        .collect();
    let binned = estimate_binary(&bins, None).unwrap();
    for metric in Metric::ALL.into_iter().filter(|m| m.upper_limit() == 1.0) {
        let (a, b) = (rows.metric(metric).unwrap(), binned.metric(metric).unwrap());
        println!("{metric}: {:.6} {:+.6}", a.value, b.value - a.value);
        // Most of the precision is decided inside the few bins that hold the positives.
        let bias = if metric == Metric::AveragePrecision {
            1.5e-3
        } else {
            5e-4
        };
        assert!(
            (a.value - b.value).abs() < bias,
            "{metric}: {} {}",
            a.value,
            b.value
        );
        assert!((b.deviation / a.deviation - 1.0).abs() < 0.02, "{metric}");
    }
    // Only the bin with the threshold in it holds both predictions.
    let bound = 20_000.0 / 128.0 / 4.0 * 0.1;
    let cells = [Metric::TruePositive, Metric::FalseNegative];
    for metric in cells {
        assert!(
            (value(&rows, metric) - value(&binned, metric)).abs() < bound,
            "{metric}"
        );
    }
    let gap = value(&rows, Metric::RocAuc) - value(&binned, Metric::RocAuc);
    assert!(gap >= 0.0, "ties can only take from AUC here: {gap}");
}

#[test]
fn windows_add_up() {
    let bin = |count, probability, predicted_positive| EstimateBin {
        count,
        probability,
        predicted_positive,
    };
    let one = estimate_binary(&[bin(10, 0.2, 1), bin(20, 0.7, 15)], None).unwrap();
    let split = [bin(4, 0.2, 1), bin(6, 0.2, 0), bin(20, 0.7, 15)];
    let two = estimate_binary(&split, None).unwrap();
    for metric in [Metric::Accuracy, Metric::F1, Metric::Specificity] {
        assert!((value(&one, metric) - value(&two, metric)).abs() < 1e-12);
    }
}

#[test]
fn poor_input_gives_no_estimate_and_no_panic() {
    let bin = |count, probability, predicted_positive| EstimateBin {
        count,
        probability,
        predicted_positive,
    };
    assert_eq!(estimate_binary(&[], None), None);
    assert_eq!(
        estimate_binary(&[bin(0, 0.5, 9), bin(3, f64::NAN, 0)], None),
        None
    );
    assert_eq!(estimate_binary_rows(&[0.1], &[], None, None), None);
    assert_eq!(estimate_binary_rows(&[f64::NAN], &[0.4], None, None), None);
    let certain = estimate_binary(&[bin(5, 7.0, 9)], None).unwrap();
    assert_eq!(certain.metric(Metric::RocAuc), None);
    assert_eq!(value(&certain, Metric::Accuracy), 1.0);
    assert_eq!(value(&certain, Metric::Specificity), 0.0);
    let never = estimate_binary(&[bin(5, 0.0, 0)], None).unwrap();
    assert_eq!(never.metric(Metric::AveragePrecision), None);
    assert_eq!(value(&never, Metric::F1), 0.0);
    let scores_only = estimate_binary_rows(&[0.1, 0.9], &[0.1, 0.9], None, None).unwrap();
    assert_eq!(scores_only.metric(Metric::Accuracy), None);
    assert!(scores_only.metric(Metric::RocAuc).is_some());
}
