//! What summaries say, against a plain recount.

use driftline_sketch::{
    DecisionSource, OutcomeBuildError, OutcomeLabel, OutcomeOptions, OutcomeProfile, OutcomeRow,
    OutcomeSummary, PredictedSummary, Scored, Truth, TruthError,
};

use super::rows::{
    MINUTE, add, all_tasks, binary_options, binary_rows, multiclass_options, multiclass_rows,
    names, noise, regression_options, regression_rows,
};

fn close(found: f64, wanted: f64, tolerance: f64) {
    assert!(
        (found - wanted).abs() <= tolerance,
        "{found} is not {wanted}"
    );
}

/// Scores and truths of the labelled rows.
fn labelled(rows: &[OutcomeRow]) -> Vec<(f64, bool)> {
    let pair = |row: &OutcomeRow| match (row.scored, row.label?.truth) {
        (Scored::Binary { score, .. }, Truth::Class(class)) => Some((score, class == 1)),
        _ => None,
    };
    rows.iter().filter_map(pair).collect()
}

#[test]
fn two_classes_are_recounted() {
    let rows = binary_rows(20_000);
    let profile = OutcomeProfile::build(&binary_options(), &rows).unwrap();
    let all = profile.reference().all();
    let view = all.binary().unwrap();
    let pairs = labelled(&rows);
    let n = pairs.len() as f64;
    let count = |truth: bool, decided: bool| {
        let is =
            |(score, positive): &&(f64, bool)| *positive == truth && (*score >= 0.3) == decided;
        pairs.iter().filter(is).count() as u64
    };
    let matrix = [
        [count(false, false), count(false, true)],
        [count(true, false), count(true, true)],
    ];
    assert_eq!(view.confusion_counts(), matrix);
    assert_eq!(view.confusion(), matrix.map(|row| row.map(|n| n as f64)));
    assert_eq!(all.errors(), matrix[0][1] + matrix[1][0]);
    assert_eq!(
        (all.labelled(), all.unknown(), all.effective_n()),
        (18_000, 0, n)
    );
    let losses: Vec<f64> = pairs
        .iter()
        .map(|(p, y)| -if *y { *p } else { 1.0 - p }.max(f64::EPSILON).ln())
        .collect();
    let mean = losses.iter().sum::<f64>() / n;
    let log_loss = view.log_loss().unwrap();
    close(log_loss.mean, mean, 1e-7);
    let squares = losses.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    close(log_loss.variance, squares, 1e-5);
    let brier = pairs
        .iter()
        .map(|(p, y)| (p - f64::from(u8::from(*y))).powi(2));
    close(view.brier().unwrap().mean, brier.sum::<f64>() / n, 1e-7);
    assert_eq!(profile.reference().coverage(), Some(0.9));
    let within = profile.reference().coverage_within(60 * MINUTE).unwrap();
    close(within, 0.9 * 61.0 / 240.0, 0.01);
    close(all.delays().quantile_seconds(0.5).unwrap(), 7_200.0, 800.0);
}

#[test]
fn the_histogram_knows_the_area_under_the_curve() {
    for power in [1, 3, 8] {
        let row = |i| {
            let score = noise(i, 1).powi(power);
            let positive = noise(i, 2) < 0.05 + 0.9 * score;
            let label = Truth::Class(u16::from(positive));
            OutcomeRow {
                scored: Scored::Binary {
                    score,
                    positive: score >= 0.5,
                },
                label: Some(OutcomeLabel {
                    truth: label,
                    weight: 1.0,
                    delay_micros: None,
                }),
            }
        };
        let rows: Vec<OutcomeRow> = (0..40_000).map(row).collect();
        let profile = OutcomeProfile::build(&binary_options(), &rows).unwrap();
        let all = profile.reference().all();
        let view = all.binary().unwrap();
        let (mut below, mut sum, mut positives) = (0.0, 0.0, 0.0);
        for bin in 0..view.bins() {
            let of = |truth| view.weight(bin, truth, false) + view.weight(bin, truth, true);
            sum += of(true) * (below + of(false) / 2.0);
            below += of(false);
            positives += of(true);
        }
        let mut pairs = labelled(&rows);
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut negatives, mut exact) = (0.0, 0.0);
        for (_, positive) in pairs {
            if positive {
                exact += negatives
            } else {
                negatives += 1.0
            }
        }
        let [found, wanted] = [sum, exact].map(|area| area / (positives * negatives));
        close(found, wanted, 3e-4);
    }
}

#[test]
fn calibration_starts_as_the_share_of_positives() {
    let rows = binary_rows(20_000);
    let mut profile = OutcomeProfile::build(&binary_options(), &rows).unwrap();
    let bins = profile.probability_bins(0).to_vec();
    assert_eq!(bins.len(), profile.score_bins().count());
    assert!(bins.windows(2).all(|pair| pair[0].score <= pair[1].score));
    // The model is calibrated by construction, and a bin has about 140 labels.
    let far = bins.iter().map(|bin| (bin.score - bin.probability).abs());
    assert!(far.fold(0.0, f64::max) < 0.25);
    let before = profile.clone();
    assert!(!profile.set_calibration(0, &[0.5]));
    assert!(!profile.set_calibration(1, &vec![0.5; bins.len()]));
    assert!(!profile.set_calibration(0, &vec![f64::NAN; bins.len()]));
    assert_eq!(profile, before);
    assert!(profile.set_calibration(0, &vec![0.5; bins.len()]));
    assert!(
        profile
            .probability_bins(0)
            .iter()
            .all(|bin| bin.probability == 0.5)
    );
}

#[test]
fn the_threshold_is_an_edge_and_is_found_from_the_decisions() {
    let rows = binary_rows(5_000);
    let options = OutcomeOptions {
        threshold: None,
        decision: DecisionSource::Column("label".into()),
        ..binary_options()
    };
    let profile = OutcomeProfile::build(&options, &rows).unwrap();
    let lowest = rows.iter().filter_map(|row| match row.scored {
        Scored::Binary {
            score,
            positive: true,
        } => Some(score),
        _ => None,
    });
    assert_eq!(profile.threshold(), lowest.reduce(f64::min).unwrap());
    let bounds = profile.score_bins().upper_bounds();
    assert!(bounds.contains(&profile.threshold().next_down()));
    let all = profile.reference().all();
    let view = all.binary().unwrap();
    for bin in 0..view.bins() {
        let of = |decided| view.count(bin, false, decided) + view.count(bin, true, decided);
        assert!(of(false) == 0 || of(true) == 0);
    }
}

#[test]
fn several_classes_are_recounted() {
    for classes in [3, 5, 70] {
        let rows = multiclass_rows(4_000, classes);
        let profile = OutcomeProfile::build(&multiclass_options(classes), &rows).unwrap();
        let all = profile.reference().all();
        let view = all.multiclass().unwrap();
        let mut counted = 0;
        for (truth, decided, count, weight) in view.confusion() {
            assert_eq!(weight, count as f64);
            assert_eq!(view.count(truth, decided), count);
            let is = |row: &&OutcomeRow| {
                let Scored::Multiclass { decided: d, .. } = row.scored else {
                    unreachable!()
                };
                usize::from(d) == decided && row.label.unwrap().truth == Truth::Class(truth as u16)
            };
            assert_eq!(rows.iter().filter(is).count() as u64, count);
            counted += count;
        }
        assert_eq!((counted, view.ranked().0), (4_000, 4_000));
        let first: u64 = (0..classes).map(|c| view.count(c, c)).sum();
        assert_eq!((view.rank_count(0), all.errors()), (first, 4_000 - first));
        let in_all: u64 = (0..5).map(|rank| view.rank_count(rank)).sum();
        assert!(classes > 5 || in_all == 4_000);
        let likelihood = |row: &OutcomeRow| {
            let (Scored::Multiclass { top, .. }, Truth::Class(truth)) =
                (row.scored, row.label.unwrap().truth)
            else {
                unreachable!()
            };
            let best = top.iter().find(|best| best.class == truth);
            best.map(|best| f64::from(best.probability))
        };
        if classes <= 5 {
            let losses = rows.iter().map(|row| -likelihood(row).unwrap().ln());
            close(
                view.log_loss().unwrap().mean,
                losses.sum::<f64>() / 4_000.0,
                1e-6,
            );
        }
        let predicted = profile
            .reference()
            .predicted()
            .multiclass(&profile)
            .unwrap();
        for class in 0..classes {
            let bins = predicted.bins(class);
            assert_eq!(bins, profile.probability_bins(class).len());
            let all = (0..bins)
                .map(|b| predicted.count(class, b, false) + predicted.count(class, b, true));
            assert_eq!(all.sum::<u64>(), 4_000);
        }
    }
}

#[test]
fn a_class_that_is_not_known_is_an_error_of_several_and_not_judged_of_two() {
    let rows = multiclass_rows(100, 3);
    let profile = OutcomeProfile::build(&multiclass_options(3), &rows).unwrap();
    let mut summary = OutcomeSummary::empty(&profile);
    let truth = profile.truth_of_text("unheard of").unwrap();
    summary
        .add(&profile, &rows[0].scored, truth, 1.0, None)
        .unwrap();
    assert_eq!((summary.errors(), summary.unknown()), (1, 0));
    let profile = OutcomeProfile::build(&binary_options(), &binary_rows(100)).unwrap();
    let mut summary = OutcomeSummary::empty(&profile);
    let scored = Scored::Binary {
        score: 0.5,
        positive: true,
    };
    let truth = profile.truth_of_text("maybe").unwrap();
    assert_eq!(truth, Truth::Class(2));
    summary.add(&profile, &scored, truth, 1.0, None).unwrap();
    assert_eq!(
        (summary.labelled(), summary.judged(), summary.errors()),
        (1, 0, 0)
    );
    assert_eq!(profile.truth_of_text("true"), Ok(Truth::Class(1)));
    assert_eq!(profile.truth_of_text("1.0"), Ok(Truth::Class(1)));
    assert_eq!(profile.truth_of_number(0.0), Ok(Truth::Class(0)));
    assert_eq!(profile.truth_of_number(0.5), Err(TruthError::NotAClass));
}

#[test]
fn errors_of_numbers_are_recounted() {
    let rows = regression_rows(10_000);
    let profile = OutcomeProfile::build(&regression_options(), &rows).unwrap();
    let all = profile.reference().all();
    let view = all.regression(&profile).unwrap();
    let pairs: Vec<(f64, f64)> = rows
        .iter()
        .map(|row| match (row.scored, row.label.unwrap().truth) {
            (Scored::Regression { value }, Truth::Number(label)) => (value, label),
            _ => unreachable!(),
        })
        .collect();
    let mean = |of: &dyn Fn(f64, f64) -> f64| {
        pairs
            .iter()
            .map(|(value, label)| of(*value, *label))
            .sum::<f64>()
            / 10_000.0
    };
    let is = |found: f64, of: &dyn Fn(f64, f64) -> f64, relative: f64| {
        close(found, mean(of), relative * mean(of).abs());
    };
    is(view.error().unwrap().mean, &|v, y| v - y, 1e-5);
    is(
        view.absolute_error().unwrap().mean,
        &|v, y| (v - y).abs(),
        1e-6,
    );
    let squared = view.squared_error().unwrap();
    is(squared.mean, &|v, y| (v - y).powi(2), 1e-6);
    let fourth = squared.variance + squared.mean * squared.mean;
    is(fourth, &|v, y| (v - y).powi(4), 1e-4);
    is(
        view.relative_error().unwrap().mean,
        &|v, y| ((v - y) / y).abs(),
        1e-5,
    );
    let log = |v: f64, y: f64| (v.ln_1p() - y.max(-0.99).ln_1p()).powi(2);
    assert!(pairs.iter().all(|(_, label)| *label > -0.99));
    is(view.squared_log_error().unwrap().mean, &log, 1e-4);
    is(view.label().unwrap().mean, &|_, y| y, 1e-6);
    let pinball = |v: f64, y: f64| if y > v { 0.9 * (y - v) } else { 0.1 * (v - y) };
    is(view.quantile_loss(0.9).unwrap().mean, &pinball, 1e-5);
    let share = all.errors() as f64 / 10_000.0;
    assert!((0.08..0.1).contains(&share), "{share}");
    let losses = profile.value_losses();
    let found = losses.iter().map(|bin| bin.n as f64 * bin.absolute_error);
    close(
        found.sum::<f64>() / 10_000.0,
        mean(&|v, y| (v - y).abs()),
        1e-5,
    );
    // Errors grow with the value.
    assert!(losses[losses.len() - 1].absolute_error > 3.0 * losses[0].absolute_error);
}

#[test]
fn extremes_are_counted_and_clamped() {
    let profile = OutcomeProfile::build(&regression_options(), &regression_rows(1_000)).unwrap();
    let mut summary = OutcomeSummary::empty(&profile);
    let extremes = [f64::MAX, f64::MIN, 0.0, -0.0, 5e-324, -1.0, 1e300];
    for value in extremes {
        for label in extremes {
            for weight in [1.0, f64::INFINITY, -1.0, f64::NAN] {
                let scored = Scored::Regression { value };
                let added = summary.add(
                    &profile,
                    &scored,
                    Truth::Number(label),
                    weight,
                    Some(i64::MIN),
                );
                assert_eq!(added, Ok(()));
            }
        }
    }
    let view = summary.regression(&profile).unwrap();
    assert!(view.clamped() > 0 && view.squared_error().unwrap().mean.is_finite());
    let mut bytes = Vec::new();
    summary.encode(&mut bytes);
    assert_eq!(
        OutcomeSummary::decode(&mut &bytes[..], &profile),
        Ok(summary)
    );
}

#[test]
fn ranks_are_recounted() {
    let (profile, rows) = all_tasks(2_000).pop().unwrap();
    let all = profile.reference().all();
    let view = all.ranking().unwrap();
    let rank = |row: &OutcomeRow| {
        let (Scored::Ranking { items }, Truth::Item(wanted)) =
            (row.scored, row.label.unwrap().truth)
        else {
            unreachable!()
        };
        items.iter().position(|item| *item == wanted)
    };
    for place in 0..10 {
        let count = rows.iter().filter(|row| rank(row) == Some(place)).count();
        assert_eq!(view.rank_count(place), count as u64);
    }
    assert_eq!(view.misses(), all.errors());
}

#[test]
fn weights_count_beside_the_outcomes() {
    let rows = binary_rows(1_000);
    let profile = OutcomeProfile::build(&binary_options(), &rows).unwrap();
    let (mut thrice, mut weighted) = (
        OutcomeSummary::empty(&profile),
        OutcomeSummary::empty(&profile),
    );
    for row in &rows {
        (0..3).for_each(|_| add(&profile, &mut thrice, row, 1.0));
        add(&profile, &mut weighted, row, 3.0);
    }
    assert!(weighted.is_weighted() && !thrice.is_weighted());
    assert_eq!((weighted.labelled(), weighted.weight()), (900, 2_700.0));
    close(weighted.effective_n(), 900.0, 1e-9);
    let (a, b) = (thrice.binary().unwrap(), weighted.binary().unwrap());
    assert_eq!(a.confusion(), b.confusion());
    close(
        a.log_loss().unwrap().mean,
        b.log_loss().unwrap().mean,
        1e-12,
    );
    close(
        a.brier().unwrap().variance,
        b.brier().unwrap().variance,
        1e-12,
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let (profile, _) = all_tasks(50).swap_remove(0);
    let mut summary = OutcomeSummary::empty(&profile);
    let number = Scored::Regression { value: 1.0 };
    assert!(
        summary
            .add(&profile, &number, Truth::Number(1.0), 1.0, None)
            .is_err()
    );
    assert!(summary.is_empty());
    let mut predicted = PredictedSummary::empty(&profile);
    assert!(predicted.add(&profile, &number).is_err() && predicted.is_empty());
    let none = OutcomeProfile::build(&binary_options(), &[]);
    assert_eq!(none, Err(OutcomeBuildError::NoLabels));
    for wrong in [
        OutcomeOptions {
            classes: names(&["0"]),
            ..binary_options()
        },
        OutcomeOptions {
            classes: names(&["1", "1"]),
            ..binary_options()
        },
        OutcomeOptions {
            score_columns: vec![],
            ..binary_options()
        },
        OutcomeOptions {
            threshold: Some(f64::NAN),
            ..binary_options()
        },
        OutcomeOptions {
            score_bins: 1,
            ..binary_options()
        },
        OutcomeOptions {
            classes: names(&["a"]),
            ..regression_options()
        },
        OutcomeOptions {
            score_columns: names(&["a"]),
            ..multiclass_options(3)
        },
        multiclass_options(257),
    ] {
        assert!(
            OutcomeProfile::build(&wrong, &binary_rows(10)).is_err(),
            "{wrong:?}"
        );
    }
}
