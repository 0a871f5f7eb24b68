//! What labels cannot be judged by is refused.

use std::time::Duration;

use driftline_event::Metric;

use super::stream::{World, profile, spec};
use crate::{
    DetectorRule, LabelSpec, ModelSet, ModelSpec, PerformanceBaseline, PerformanceRule,
    PerformanceWindow, WindowSpanSpec,
};

fn said(specs: Vec<ModelSpec>) -> String {
    let set = ModelSet::new(specs);
    set.err().map_or_else(String::new, |e| e.to_string())
}

fn rule(spoil: fn(&mut PerformanceRule)) -> Vec<PerformanceRule> {
    let mut rule = PerformanceRule::new("r", Metric::Accuracy, "1d");
    spoil(&mut rule);
    vec![rule]
}

fn window(name: &str, size: u64, slide: u64) -> PerformanceWindow {
    PerformanceWindow {
        name: name.to_owned(),
        span: WindowSpanSpec::Fixed {
            size: Duration::from_secs(size),
            slide: Duration::from_secs(slide),
        },
    }
}

/// What makes labels wrong.
type Spoil = fn(&mut LabelSpec);

fn all_are_said(cases: &[(Spoil, &str)]) {
    let outcome = profile(World::default(), true);
    for (spoil, wanted) in cases {
        let mut labels = LabelSpec::default();
        spoil(&mut labels);
        let said = said(vec![spec(outcome.clone(), "1", labels)]);
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

#[test]
fn windows_and_rules_that_cannot_be() {
    let cases: [(Spoil, &str); 7] = [
        (
            |l| l.windows.push(window("1d", 3_600, 3_600)),
            "`1d` must have a name of its own",
        ),
        (
            |l| l.windows.push(window("w", 5_400, 3_600)),
            "performance window `w`: size",
        ),
        (
            |l| l.rules = rule(|r| r.window = "2d".to_owned()),
            "no performance window `2d`",
        ),
        (
            |l| l.rules = rule(|r| r.metric = Metric::Bias),
            "neither good when large",
        ),
        (|l| l.rules = rule(|r| r.drop = 1.0), "drop must be above 0"),
        (
            |l| l.rules = rule(|r| r.windows = 0),
            "it must look at 1 to",
        ),
        (
            |l| {
                let name = driftline_detect::sequential::DetectorName::Ddm;
                let mut detector = DetectorRule::new("d", name);
                detector.parameters = vec![("x".to_owned(), "1".to_owned())];
                l.detectors = vec![detector];
            },
            "detector `d`: ddm has no parameter `x`",
        ),
    ];
    all_are_said(&cases);
}

#[test]
fn times_and_shares_that_cannot_be() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let cases: [(Spoil, &str); 13] = [
        (
            |l| l.step = Duration::from_secs(90),
            "step must be a whole multiple of the pane",
        ),
        (
            |l| l.step = Duration::ZERO,
            "step must be a whole multiple of the pane",
        ),
        (|l| l.ttl = HOUR / 2, "ttl must be a whole multiple"),
        (
            |l| l.ttl = Duration::from_secs(u64::MAX / 2),
            "ttl must be a whole multiple",
        ),
        (|l| l.wait = 1_000 * HOUR, "wait must be at most"),
        (|l| l.mature_after.clear(), "mature_after must ascend"),
        (|l| l.mature_after.reverse(), "mature_after must ascend"),
        (|l| l.mature_after = vec![4 * HOUR], "made of 1m, 5m"),
        (
            |l| l.mature_after = vec![60 * 24 * HOUR],
            "must not be longer than ttl",
        ),
        (
            |l| l.coverage_min = Some(0.0),
            "coverage_min must be above 0",
        ),
        (
            |l| l.sampling_rate = f64::NAN,
            "sampling_rate must be above 0",
        ),
        (|l| l.budget_share = 1.0, "budget_share must be above 0"),
        (|l| l.performance.top_k = 9, "metrics: top_k"),
    ];
    all_are_said(&cases);
    let outcome = profile(World::default(), true);
    let fine = spec(outcome, "1", LabelSpec::default());
    assert_eq!(said(vec![fine.clone()]), "");
    let without = ModelSpec {
        profile: std::sync::Arc::new(fine.profile.as_ref().clone().with_outcome(None)),
        ..fine
    };
    assert!(said(vec![without]).contains("says nothing about labels"));
}

#[test]
fn a_version_that_is_compared_with_must_be_alike() {
    let outcome = profile(World::default(), true);
    let with = |version: &str, of: &str, spoil: fn(&mut LabelSpec)| {
        let mut labels = LabelSpec {
            rules: rule(|_| {}),
            ..LabelSpec::default()
        };
        labels.rules[0].baseline = PerformanceBaseline::Version(of.to_owned());
        spoil(&mut labels);
        spec(outcome.clone(), version, labels)
    };
    let other = |spoil: fn(&mut LabelSpec)| {
        let mut labels = LabelSpec::default();
        spoil(&mut labels);
        spec(outcome.clone(), "1", labels)
    };
    let unlabelled = ModelSpec {
        labels: None,
        ..other(|_| {})
    };
    for (specs, wanted) in [
        (vec![with("2", "1", |_| {})], "it is not configured"),
        (vec![with("1", "1", |_| {})], "it is this one"),
        (vec![unlabelled, with("2", "1", |_| {})], "it has no labels"),
        (
            vec![
                other(|l| l.windows[0].name.push('x')),
                with("2", "1", |_| {}),
            ],
            "it has no such window",
        ),
        (
            vec![
                other(|l| l.mature_after.truncate(1)),
                with("2", "1", |_| {}),
            ],
            "mature at another age",
        ),
        (vec![other(|_| {}), with("2", "1", |_| {})], ""),
    ] {
        let said = said(specs);
        assert!(
            said.contains(wanted) && said.is_empty() == wanted.is_empty(),
            "{said}"
        );
    }
}
