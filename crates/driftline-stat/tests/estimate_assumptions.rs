//! Several classes against two, histograms against rows, and what makes an estimate doubtful.

use driftline_stat::estimate::{
    ClassCalibration, ClassRows, EstimateBin, HealthOptions, HealthReason, HealthReference,
    HealthState, LabelledRows, Metric, Thresholds, estimate_binary_rows, estimate_multiclass,
    estimate_multiclass_rows, judge_bins, realised_binary, realised_multiclass, sampling_binary,
    sampling_multiclass,
};
use proptest::prelude::*;

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

/// Probabilities of three classes, the most likely one, and a class drawn by them.
fn classes(seed: u64, rows: usize) -> (Vec<Vec<f64>>, Vec<usize>, Vec<usize>) {
    let mut draws = Draws(seed);
    let (mut scores, mut said, mut is) = (vec![Vec::new(); 3], Vec::new(), Vec::new());
    for _ in 0..rows {
        let raw = [draws.unit(), draws.unit(), draws.unit()];
        let sum: f64 = raw.iter().sum();
        let p = raw.map(|x| x / sum);
        for (scores, p) in scores.iter_mut().zip(p) {
            scores.push(p);
        }
        let best = (0..3).max_by(|a, b| p[*a].total_cmp(&p[*b]));
        said.push(best.unwrap_or(0));
        let u = draws.unit();
        is.push(if u < p[0] {
            0
        } else {
            1 + usize::from(u >= p[0] + p[1])
        });
    }
    (scores, said, is)
}

#[test]
fn two_of_several_classes_are_the_two_classes() {
    let mut draws = Draws(3);
    let p: Vec<f64> = (0..500).map(|_| draws.unit()).collect();
    let said: Vec<bool> = p.iter().map(|p| *p > 0.4).collect();
    let binary = estimate_binary_rows(&p, &p, Some(&said), None).unwrap();
    let both = vec![p.iter().map(|p| 1.0 - p).collect(), p.clone()];
    let predicted: Vec<usize> = said.iter().map(|s| usize::from(*s)).collect();
    let rows = ClassRows {
        scores: &both,
        predicted: &predicted,
    };
    let found = estimate_multiclass_rows(&rows, &both, None).unwrap();
    let close = |a: Option<f64>, b: Option<f64>| (a.unwrap() - b.unwrap()).abs() < 1e-9;
    for metric in [Metric::Accuracy, Metric::RocAuc] {
        let (a, b) = (found.metric(metric), binary.metric(metric));
        assert!(close(a.map(|e| e.value), b.map(|e| e.value)), "{metric}");
    }
    for (truth, predicted, metric) in [(1, 1, Metric::TruePositive), (1, 0, Metric::FalseNegative)]
    {
        let (a, b) = (found.cell(truth, predicted), binary.metric(metric));
        assert!(close(a.map(|e| e.value), b.map(|e| e.value)), "{metric}");
        assert!(
            close(a.map(|e| e.deviation), b.map(|e| e.deviation)),
            "{metric}"
        );
    }
    assert_eq!(found.cell(2, 0), None);
}

#[test]
fn estimates_of_several_classes_are_where_the_labels_are() {
    let (scores, said, is) = classes(5, 6_000);
    let rows = ClassRows {
        scores: &scores,
        predicted: &said,
    };
    let costs = vec![
        vec![1.0, -2.0, 0.0],
        vec![-1.0, 3.0, -4.0],
        vec![0.0, -5.0, 2.0],
    ];
    let estimate = estimate_multiclass_rows(&rows, &scores, Some(&costs)).unwrap();
    let realised = realised_multiclass(&rows, &is, Some(&costs)).unwrap();
    let sampling = sampling_multiclass(&rows, &is, Some(&costs)).unwrap();
    for metric in Metric::MULTICLASS {
        let (found, truth) = (
            estimate.metric(metric).unwrap(),
            realised.metric(metric).unwrap(),
        );
        let reach = 4.0 * sampling.metric(metric).unwrap().deviation(6_000.0);
        assert!(
            (found.value - truth).abs() < reach,
            "{metric}: {} {truth} ±{reach}",
            found.value
        );
        // What the scores imply and what the reference shows are two ways to the same scatter.
        let ratio = 4.0 * found.deviation / reach;
        assert!((0.5..1.5).contains(&ratio), "{metric}: {ratio}");
    }
    let cells: f64 = (0..9)
        .filter_map(|i| estimate.cell(i / 3, i % 3))
        .map(|cell| cell.value)
        .sum();
    assert!((cells - 6_000.0).abs() < 1e-6);
    // From histograms: 60 bins of equal width by class.
    let histogram = |class: usize| -> Vec<EstimateBin> {
        let mut bins = vec![EstimateBin::default(); 60];
        for (p, said) in scores[class].iter().zip(&said) {
            let bin = &mut bins[((p * 60.0) as usize).min(59)];
            bin.count += 1;
            bin.probability += p;
            bin.predicted_positive += u64::from(*said == class);
        }
        bins.iter_mut()
            .for_each(|bin| bin.probability /= bin.count.max(1) as f64);
        bins
    };
    let binned = estimate_multiclass(&[histogram(0), histogram(1), histogram(2)]).unwrap();
    for metric in [
        Metric::RocAuc,
        Metric::Accuracy,
        Metric::F1,
        Metric::Specificity,
    ] {
        let (a, b) = (
            binned.metric(metric).unwrap(),
            estimate.metric(metric).unwrap(),
        );
        assert!(
            (a.value - b.value).abs() < 2e-3,
            "{metric}: {} {}",
            a.value,
            b.value
        );
    }
    assert_eq!(binned.cell(0, 1), None);
}

#[test]
fn calibrated_classes_add_up_to_one() {
    let (scores, _, is) = classes(7, 800);
    let always = ClassCalibration::fit(&scores, &is, |_, _| true);
    assert!(always.calibrated().all(|done| done));
    let p = always.calibrate(&scores);
    for row in 0..800 {
        let sum: f64 = p.iter().map(|class| class[row]).sum();
        assert!((sum - 1.0).abs() < 1e-12);
    }
    let text = serde_json::to_string(&always).unwrap();
    assert_eq!(
        serde_json::from_str::<ClassCalibration>(&text).unwrap(),
        always
    );
    let undecided = ClassCalibration::fit(&scores, &is, |_, _| false);
    let p = undecided.calibrate(&[vec![0.0], vec![0.0], vec![0.0]]);
    assert_eq!(p, vec![vec![1.0 / 3.0]; 3]);
}

#[test]
fn slices_that_do_not_fit_together_are_refused() {
    let scores = vec![vec![0.5, 0.5], vec![0.5, 0.5]];
    let rows = |predicted| ClassRows {
        scores: &scores,
        predicted,
    };
    assert!(estimate_multiclass_rows(&rows(&[0]), &scores, None).is_none());
    assert!(estimate_multiclass_rows(&rows(&[0, 2]), &scores, None).is_none());
    assert!(estimate_multiclass_rows(&rows(&[0, 1]), &scores, Some(&[vec![1.0]])).is_none());
    assert!(realised_multiclass(&rows(&[0, 1]), &[0], None).is_none());
    assert!(sampling_multiclass(&rows(&[0, 1]), &[0, 5], None).is_none());
    assert!(estimate_multiclass(&[]).is_none());
}

#[test]
fn the_same_scores_are_healthy_and_others_are_not() {
    let mut draws = Draws(11);
    let reference: Vec<f64> = (0..5_000).map(|_| draws.unit()).collect();
    let health = HealthReference::new(&reference, HealthOptions::default()).unwrap();
    let same: Vec<f64> = (0..1_000).map(|_| draws.unit()).collect();
    let found = health.judge(&same, 0, 0);
    assert_eq!(found.state, HealthState::Ok, "{found:?}");
    assert!(
        found.distance < found.floor && (0.05..0.06).contains(&found.floor),
        "{found:?}"
    );
    let low: Vec<f64> = same.iter().map(|x| 0.8 * x).collect();
    let found = health.judge(&low, 0, 0);
    assert_eq!(
        (found.state, &found.reasons[..]),
        (HealthState::Doubtful, &[HealthReason::ScoreDrift][..])
    );
    let beyond: Vec<f64> = same.iter().map(|x| x + 0.5).collect();
    let found = health.judge(&beyond, 0, 0);
    assert_eq!(found.state, HealthState::Broken);
    assert!(
        found.reasons.contains(&HealthReason::OutsideReference),
        "{found:?}"
    );
    assert_eq!(
        health.judge(&same, 9_000, 0).reasons,
        [HealthReason::Missing]
    );
    assert_eq!(health.judge(&[], 10, 0).state, HealthState::Broken);
    assert!(HealthReference::new(&[f64::NAN], HealthOptions::default()).is_none());
}

#[test]
fn bins_are_judged_as_rows_are() {
    let options = HealthOptions::default();
    let even = [1_000u64; 10];
    let ok = judge_bins(&even, &[100; 10], 0, 0, &options).unwrap();
    assert_eq!((ok.state, ok.distance), (HealthState::Ok, 0.0));
    let shifted = [10, 10, 10, 10, 10, 190, 190, 190, 190, 190];
    let found = judge_bins(&even, &shifted, 0, 0, &options).unwrap();
    assert_eq!(found.reasons, [HealthReason::ScoreDrift]);
    assert!((found.distance - 0.45).abs() < 1e-12);
    let thin = judge_bins(&[10_000, 5], &[600, 400], 100, 0, &options).unwrap();
    assert_eq!(thin.state, HealthState::Broken);
    assert!(thin.reasons.contains(&HealthReason::ThinReference));
    assert!(judge_bins(&even, &[1; 9], 0, 0, &options).is_none());
    assert!(judge_bins(&even, &[0; 10], 0, 0, &options).is_none());
}

#[test]
fn thresholds_stay_within_the_limits_and_leave_out_what_has_no_value() {
    let values = [Some(0.9), None, Some(1.0)];
    let found = Thresholds::of_chunks(&values, 3.0, (0.0, 1.0)).unwrap();
    assert!((found.lower - 0.8).abs() < 1e-12 && found.upper == 1.0);
    assert!(found.alert(0.79) && !found.alert(0.81) && !found.alert(1.0));
    assert_eq!(Thresholds::of_chunks(&[None], 3.0, (0.0, 1.0)), None);
}

proptest! {
    #[test]
    fn nothing_is_nan_and_shares_are_shares(
        rows in prop::collection::vec((0u8..5, any::<bool>(), any::<bool>()), 1..40),
    ) {
        let scores: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 4.0).collect();
        let predicted: Vec<bool> = rows.iter().map(|r| r.1).collect();
        let labels: Vec<bool> = rows.iter().map(|r| r.2).collect();
        let known = LabelledRows { scores: &scores, predicted: Some(&predicted), labels: &labels };
        let realised = realised_binary(&known, None);
        let sampling = sampling_binary(&known, None);
        let estimate = estimate_binary_rows(&scores, &scores, Some(&predicted), None).unwrap();
        for metric in Metric::ALL {
            let (low, high) = (metric.lower_limit(), metric.upper_limit() + 1e-9);
            if let Some(x) = realised.get(metric) {
                prop_assert!((low..=high).contains(&x), "{} {}", metric, x);
            }
            if let Some(found) = estimate.metric(metric) {
                prop_assert!((low..=high).contains(&found.value), "{} {:?}", metric, found);
                prop_assert!(found.deviation.is_finite());
                let (a, b) = found.band(metric, 3.0);
                prop_assert!(a <= found.value + 1e-9 && found.value <= b + 1e-9);
            }
            if let Some(error) = sampling.get(metric) {
                prop_assert!(error.deviation(10.0) >= 0.0);
            }
        }
    }
}
