//! What must hold for any two samples, however odd.

use driftline_stat::sample::{CategoricalPair, NumericPair, Test, TestError, numeric};
use proptest::prelude::*;

/// Values with ties, atoms, both zeros and the ends of the double range.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-3_i32..4).prop_map(f64::from),
        4 => -1.0..1.0_f64,
        1 => prop::num::f64::NORMAL,
        1 => Just(-0.0),
    ]
}

proptest! {
    #[test]
    fn any_sample_gives_a_finite_statistic_and_a_probability(
        reference in prop::collection::vec(value(), 1..60),
        current in prop::collection::vec(value(), 1..60),
    ) {
        let pair = NumericPair::new(&reference, &current).unwrap();
        for &test in Test::ALL {
            let Ok(result) = pair.run(test) else { continue };
            prop_assert!(
                result.statistic.is_finite() || test == Test::FisherExact,
                "{} {}", test, result.statistic
            );
            prop_assert_eq!(result.p_value.is_some(), result.method != "none");
            prop_assert!(result.p_value.is_none_or(|p| (0.0..=1.0).contains(&p)), "{} {:?}", test, result);
        }
    }

    #[test]
    fn a_sample_does_not_differ_from_itself(sample in prop::collection::vec(value(), 5..60)) {
        let pair = NumericPair::new(&sample, &sample).unwrap();
        for test in [
            Test::KolmogorovSmirnov, Test::Kuiper, Test::Wasserstein, Test::Energy, Test::Psi,
            Test::JensenShannon, Test::Hellinger, Test::TotalVariation, Test::LInfinity, Test::ChiSquare,
        ] {
            prop_assert!(pair.run(test).unwrap().statistic.abs() < 1e-9, "{}", test);
        }
        prop_assert_eq!(pair.run(Test::KolmogorovSmirnov).unwrap().p_value, Some(1.0));
        prop_assert_eq!(pair.run(Test::MannWhitney).unwrap().p_value, Some(1.0));
    }

    #[test]
    fn the_sides_may_be_swapped(
        reference in prop::collection::vec(-5_i32..5, 2..30),
        current in prop::collection::vec(-5_i32..5, 2..30),
    ) {
        let numbers = |side: &[i32]| side.iter().copied().map(f64::from).collect::<Vec<_>>();
        let (a, b) = (numbers(&reference), numbers(&current));
        for test in [
            Test::KolmogorovSmirnov, Test::Kuiper, Test::CramerVonMises, Test::AndersonDarling,
            Test::MannWhitney, Test::WelchT, Test::EppsSingleton, Test::FisherExact, Test::ZTest,
        ] {
            match (numeric(test, &a, &b), numeric(test, &b, &a)) {
                (Ok(one), Ok(other)) => {
                    let (p, q) = (one.p_value.unwrap(), other.p_value.unwrap());
                    prop_assert!((p - q).abs() <= 1e-9, "{} {} {}", test, p, q);
                }
                (one, other) => prop_assert_eq!(one, other),
            }
        }
    }

    #[test]
    fn any_table_gives_a_probability(
        cells in prop::collection::vec((0_u64..3_000_000_000, 0_u64..3_000_000_000), 1..5),
    ) {
        let side = |pick: fn(&(u64, u64)) -> u64| -> Vec<(String, u64)> {
            cells.iter().enumerate().map(|(i, cell)| (i.to_string(), pick(cell))).collect()
        };
        let Ok(pair) = CategoricalPair::new(&side(|c| c.0), &side(|c| c.1)) else { return Ok(()) };
        for &test in Test::ALL {
            let Ok(result) = pair.run(test) else { continue };
            prop_assert!(!result.statistic.is_nan(), "{}", test);
            prop_assert!(result.p_value.is_none_or(|p| (0.0..=1.0).contains(&p)), "{} {:?}", test, result);
        }
    }
}

#[test]
fn what_is_not_a_sample_is_an_error() {
    for &test in Test::ALL {
        assert_eq!(numeric(test, &[], &[1.0]), Err(TestError::Empty));
        assert_eq!(numeric(test, &[1.0], &[]), Err(TestError::Empty));
        let nan = numeric(test, &[1.0], &[f64::NAN]);
        assert_eq!(nan, Err(TestError::NotANumber));
    }
}

#[test]
fn infinities_have_an_order_and_no_distance() {
    let wild = [
        f64::NEG_INFINITY,
        1.0,
        2.0,
        3.0,
        f64::INFINITY,
        f64::INFINITY,
    ];
    let tame = [1.0, 2.0, 3.0, 4.0, 5.0];
    for &test in Test::ALL {
        match (test, numeric(test, &wild, &tame)) {
            (Test::WelchT | Test::EppsSingleton | Test::Wasserstein | Test::Energy, result) => {
                assert_eq!(result, Err(TestError::NotFinite), "{test}");
            }
            (Test::FisherExact | Test::ZTest, result) => {
                assert_eq!(result, Err(TestError::NotBinary), "{test}");
            }
            (_, result) => assert!(result.unwrap().statistic.is_finite(), "{test}"),
        }
    }
    let only = [f64::NEG_INFINITY, f64::INFINITY];
    for &test in Test::ALL {
        if let Ok(result) = numeric(test, &only, &only) {
            assert!(!result.statistic.is_nan(), "{test} {result:?}");
        }
    }
}
