use proptest::prelude::*;

use super::*;

struct Source(u64);

impl Source {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Losses with a mean of `mean` (up to ½) that lean to the left, as those of a regression do.
    fn tally(&mut self, n: usize, mean: f64) -> LossTally {
        let mut tally = LossTally::default();
        for _ in 0..n {
            let u = self.unit();
            tally.add(3.0 * mean * u * u);
        }
        tally
    }
}

fn test_against(mean: f64) -> BoundedLoss {
    let reference = Source(1).tally(20_000, mean);
    BoundedLoss::new(&reference, &BoundedLossOptions::default())
}

/// The mean of each component's factor over two independent losses of a step, by their distribution.
fn mean_factors(test: &BoundedLoss, losses: &[(f64, f64)], predicted: f64) -> Vec<f64> {
    let live = (0..COMPONENTS).filter(|index| test.weights[*index] > 0.0);
    live.map(|index| {
        let mut mean = 0.0;
        for (a, of_a) in losses {
            for (b, of_b) in losses {
                let mut tally = LossTally::default();
                tally.add(*a);
                tally.add(*b);
                let log = test.log_ratio(LossComponent::at(index), &tally, predicted);
                mean += of_a * of_b * libm::exp(log);
            }
        }
        mean
    })
    .collect()
}

proptest! {
    /// The promise: any distribution whose mean is within the edges, and any prediction.
    #[test]
    fn no_factor_has_a_mean_above_one_anywhere_in_the_band(
        points in prop::collection::vec((0.0_f64..=1.0, 0.01_f64..1.0), 1..6),
        reference in prop::collection::vec(0.0_f64..=1.0, 200..400),
        place in 0.0_f64..=1.0,
        predicted in 0.0_f64..=1.0,
        dispersion in 1.0_f64..4.0,
    ) {
        let mut tally = LossTally::default();
        reference.iter().for_each(|l| tally.add_many(*l, 1_000));
        let options = BoundedLossOptions { dispersion, ..BoundedLossOptions::default() };
        let test = BoundedLoss::new(&tally, &options);
        let (low, high) = test.tolerated();
        let wanted = (low + place * (high - low)).clamp(0.0, 1.0);
        // Mixed with 0 or 1 until the mean is the wanted one.
        let total: f64 = points.iter().map(|p| p.1).sum();
        let mean: f64 = points.iter().map(|p| p.0 * p.1).sum::<f64>() / total;
        let (end, rest) = if mean > wanted {
            (0.0, wanted / mean)
        } else {
            (1.0, (1.0 - wanted) / (1.0 - mean).max(1e-12))
        };
        let rest = rest.clamp(0.0, 1.0);
        let mut losses: Vec<(f64, f64)> = points.iter().map(|p| (p.0, p.1 / total * rest)).collect();
        losses.push((end, 1.0 - rest));
        for mean in mean_factors(&test, &losses, predicted) {
            prop_assert!(mean <= 1.0 + 1e-9, "{mean} at {wanted} in {low} {high}");
        }
    }

    #[test]
    fn hostile_sums_and_snapshots_stay_evidence(
        n in any::<f64>(), sum in any::<f64>(), squares in any::<f64>(),
        components in prop::collection::vec(any::<f64>(), 0..20),
        predicted in any::<f64>(),
    ) {
        let test = test_against(0.2);
        let tally = LossTally::from_sums(n, sum, squares);
        prop_assert!(tally.squares() <= tally.sum() && tally.sum() <= tally.n());
        let text = serde_json::to_string(&(components, predicted)).unwrap();
        let (components, predicted): (Vec<Option<f64>>, Option<f64>) = serde_json::from_str(&text).unwrap();
        let components: Vec<f64> = components.into_iter().map(|c| c.unwrap_or(0.0)).collect();
        let snapshot = serde_json::json!({"components": components, "predicted": predicted.unwrap_or(0.5)});
        let mut state: BoundedLossState = serde_json::from_value(snapshot).unwrap();
        for _ in 0..3 {
            state.step(&test, &tally);
            prop_assert!(state.evidence().is_finite() && state.evidence() >= 0.0);
            prop_assert!((0.0..=1.0).contains(&state.predicted()));
        }
    }
}

/// Evidence is at most the number of steps on average, at the worst tolerated mean.
#[test]
fn evidence_stays_below_the_steps_at_the_edge() {
    let test = test_against(0.2);
    let (low, high) = test.tolerated();
    for (seed, mean) in [(11, low), (12, high)] {
        let mut source = Source(seed);
        let (steps, repeats) = (50, 400);
        let mut sum = 0.0;
        for _ in 0..repeats {
            let mut state = BoundedLossState::new(&test);
            for _ in 0..steps {
                state.step(&test, &source.tally(20, mean));
            }
            sum += state.evidence();
        }
        let mean = sum / f64::from(repeats);
        println!("seed {seed}: {mean}");
        assert!(mean <= f64::from(steps), "{mean}");
    }
}

#[test]
fn a_month_within_the_tolerance_is_quiet_and_a_change_is_not() {
    let test = test_against(0.2);
    let mut source = Source(20_261_123);
    let mut state = BoundedLossState::new(&test);
    let c = 43_200.0;
    for _ in 0..43_200 / 10 {
        state.step(&test, &source.tally(20, 0.2));
        assert!(state.evidence() < c);
    }
    for (mean, direction, within) in [(0.3, Direction::Up, 40), (0.13, Direction::Down, 60)] {
        let mut changed = state.clone();
        let found = (1..500).find(|_| {
            changed.step(&test, &source.tally(20, mean));
            changed.evidence() >= c
        });
        println!("{mean}: {found:?} steps of 20");
        assert!(
            found.is_some_and(|steps| steps <= within),
            "{mean} {found:?}"
        );
        assert_eq!(changed.best().direction, direction);
    }
}

#[test]
fn variance_pays() {
    // The same means; losses that hardly vary are told apart from far fewer.
    let steps = |spread: f64| {
        let mut reference = LossTally::default();
        (0..20_000).for_each(|i| reference.add(0.4 + spread * f64::from(i % 2 * 2 - 1)));
        let test = BoundedLoss::new(&reference, &BoundedLossOptions::default());
        let mut state = BoundedLossState::new(&test);
        (1..10_000).find(|_| {
            let mut tally = LossTally::default();
            (0..10).for_each(|i| tally.add(0.48 + spread * f64::from(i % 2 * 2 - 1)));
            state.step(&test, &tally);
            state.evidence() >= 43_200.0
        })
    };
    let (narrow, wide) = (steps(0.05).unwrap(), steps(0.4).unwrap());
    assert!(narrow * 5 < wide, "{narrow} {wide}");
}

#[test]
fn evidence_of_a_return_grows_when_it_is_back() {
    let test = test_against(0.2);
    let mut source = Source(5);
    let sum = |source: &mut Source, mean: f64| -> f64 {
        (0..50)
            .map(|_| test.return_log_ratio(Direction::Up, &source.tally(50, mean)))
            .sum()
    };
    assert!(sum(&mut source, 0.2) > libm::log(1_000.0));
    assert!(sum(&mut source, 0.3) < 0.0);
}

#[test]
fn an_effect_holds_the_mean() {
    let test = test_against(0.2);
    let mut source = Source(9);
    let effect = test.effect(&source.tally(2_000, 0.3), 10, 0.05);
    assert!(effect.lower < 0.3 && 0.3 < effect.upper, "{effect:?}");
    assert!(effect.lower > 0.2, "{effect:?}");
    assert!(effect.h > effect.tolerance);
    let nothing = test.effect(&LossTally::default(), 1, 0.05);
    assert_eq!((nothing.lower, nothing.upper), (0.0, 1.0));
}

#[test]
fn a_poor_reference_judges_nothing() {
    for reference in [
        LossTally::default(),
        LossTally::from_sums(1.0, 0.5, 0.25),
        LossTally::from_sums(f64::NAN, 0.5, 0.25),
        LossTally::from_sums(10.0, 5.0, 4.0),
    ] {
        let test = BoundedLoss::new(&reference, &BoundedLossOptions::default());
        assert_eq!(test.components(), 0);
        let mut state = BoundedLossState::new(&test);
        state.step(&test, &LossTally::from_sums(1e6, 1e6, 1e6));
        assert_eq!(state.evidence(), 0.0);
    }
}

#[test]
fn rare_steps_do_not_fill_the_horizon() {
    let reference = Source(1).tally(20_000, 0.2);
    let options = BoundedLossOptions {
        horizon: 43_200.0,
        ..BoundedLossOptions::default()
    };
    let test = BoundedLoss::new(&reference, &options);
    let mut state = BoundedLossState::new(&test);
    let one = LossTally::from_sums(1.0, test.mean(), test.mean() * test.mean() + test.variance);
    for _ in 0..100_000 {
        state.step(&test, &one);
    }
    assert!(state.evidence() <= 4_320.0, "{}", state.evidence());
}

#[test]
fn a_snapshot_goes_on_where_it_was() {
    let test = test_against(0.2);
    let mut source = Source(4);
    let mut state = BoundedLossState::new(&test);
    for _ in 0..20 {
        state.step(&test, &source.tally(30, 0.25));
    }
    let text = serde_json::to_string(&state).unwrap();
    let mut back: BoundedLossState = serde_json::from_str(&text).unwrap();
    assert_eq!(back, state);
    let next = source.tally(30, 0.25);
    back.step(&test, &next);
    state.step(&test, &next);
    assert_eq!(back, state);
    state.reset();
    assert_eq!(state.evidence(), 0.0);
    assert!(state.bytes() < 300);
}
