//! From reports to at most so many series.
//!
//! Each model may have [`series_per_model_max`](TelemetryOptions::series_per_model_max) series and all
//! models together [`series_max`](TelemetryOptions::series_max), which small models are served from first.
//! A model over its share keeps its window totals, its outputs and the features with the highest scores
//! (relative to their thresholds); the others are folded into `feature="__other__"`, whose score, flag and
//! ratios are the largest among them. What is folded or left out is counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use driftline_event::{ColumnRole, SeriesState, Statistic, Verdict, WindowReport};

use crate::catalogue::{self as c, Metric};
use crate::{OTHER, TelemetryOptions, label_value};

/// The metrics that are built here; a [`Sample`]'s metric is an index into them.
pub(crate) const METRICS: [Metric; 19] = [
    c::DRIFT_SCORE,
    c::DRIFT_THRESHOLD,
    c::DRIFT_DETECTED,
    c::DRIFT_P_VALUE,
    c::FEATURE_MISSING,
    c::FEATURE_INVALID,
    c::FEATURE_OUT_OF_RANGE,
    c::FEATURE_UNSEEN,
    c::PREDICTION_SCORE,
    c::PREDICTION_THRESHOLD,
    c::PREDICTION_DETECTED,
    c::PREDICTION_P_VALUE,
    c::PREDICTION_MISSING,
    c::PREDICTION_INVALID,
    c::PREDICTION_OUT_OF_RANGE,
    c::PREDICTION_UNSEEN,
    c::SEGMENT_SCORE,
    c::WINDOW_EVENTS,
    c::WINDOW_END,
];
const SCORE: usize = 0;
const THRESHOLD: usize = 1;
const DETECTED: usize = 2;
const P_VALUE: usize = 3;
const MISSING: usize = 4;
/// Where the outputs' metrics begin; they stand in the features' order.
const OUTPUT: usize = 8;
const SEGMENT_SCORE: usize = 16;
const WINDOW_EVENTS: usize = 17;
const WINDOW_END: usize = 18;

/// One series' value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) metric: usize,
    pub(crate) labels: Vec<String>,
    pub(crate) value: f64,
}

/// What one scrape gets.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    /// In the order of [`METRICS`] and of their labels, each label set once.
    pub(crate) samples: Vec<Sample>,
    /// Series folded or left out, by model; every model is there.
    pub(crate) dropped: BTreeMap<String, u64>,
}

/// Builds the series of all models within the budget.
pub(crate) fn expose(reports: &[Arc<WindowReport>], options: &TelemetryOptions) -> Exposition {
    let mut models: BTreeMap<&str, Vec<&WindowReport>> = BTreeMap::new();
    for report in reports {
        models.entry(&report.series.model).or_default().push(report);
    }
    let mut plans: Vec<Plan<'_>> = models
        .into_iter()
        .map(|(m, r)| Plan::new(m, &r, options))
        .collect();
    plans.sort_by(|a, b| {
        a.demand()
            .cmp(&b.demand())
            .then_with(|| a.model.cmp(b.model))
    });

    let mut exposition = Exposition::default();
    let mut series = BTreeMap::new();
    let (mut left, mut waiting) = (options.series_max, plans.len());
    for plan in plans {
        let share = options.series_per_model_max.min(left / waiting);
        let (samples, mut dropped) = plan.fit(share);
        left -= samples.len();
        waiting -= 1;
        let model = plan.model.to_owned();
        for sample in samples {
            dropped += merge(&mut series, sample);
        }
        *exposition.dropped.entry(model).or_default() += dropped;
    }
    let sample = |((metric, labels), value)| Sample {
        metric,
        labels,
        value,
    };
    exposition.samples = series.into_iter().map(sample).collect();
    exposition
}

/// Adds a sample; where its label set is taken, the value that says "drift" louder stays. One if taken.
fn merge(into: &mut BTreeMap<(usize, Vec<String>), f64>, sample: Sample) -> u64 {
    let least = matches!(sample.metric, P_VALUE | THRESHOLD)
        || sample.metric == OUTPUT + P_VALUE
        || sample.metric == OUTPUT + THRESHOLD;
    match into.entry((sample.metric, sample.labels)) {
        std::collections::btree_map::Entry::Vacant(vacant) => {
            vacant.insert(sample.value);
            0
        }
        std::collections::btree_map::Entry::Occupied(mut taken) => {
            let old = *taken.get();
            taken.insert(if least {
                old.min(sample.value)
            } else {
                old.max(sample.value)
            });
            1
        }
    }
}

/// A column of one version and segment with all its windows: kept or folded as a whole.
#[derive(Debug, Default)]
struct Subject<'a> {
    reports: Vec<&'a WindowReport>,
    /// How many series it has. They are made only if it is kept.
    demand: usize,
    /// The highest score relative to its threshold.
    weight: f64,
}

/// In the order in which subjects are kept: outputs, features, segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Output,
    Feature,
    Segment,
}

/// Rank, version, column and segment.
type SubjectKey<'a> = (Rank, &'a str, &'a str, Option<&'a str>);
/// A series under [`OTHER`]: metric, version, detector and window.
type OtherKey<'a> = (usize, &'a str, Option<Statistic>, &'a str);

#[derive(Debug)]
struct Plan<'a> {
    model: &'a str,
    options: &'a TelemetryOptions,
    totals: Vec<Sample>,
    /// In the order in which they are kept.
    subjects: Vec<(SubjectKey<'a>, Subject<'a>)>,
}

impl<'a> Plan<'a> {
    fn new(model: &'a str, reports: &[&'a WindowReport], options: &'a TelemetryOptions) -> Self {
        let mut totals = BTreeMap::new();
        let mut subjects: BTreeMap<SubjectKey<'a>, Subject<'a>> = BTreeMap::new();
        for &report in reports {
            let key = &report.series;
            let rank = match (&key.segment, key.role) {
                (Some(_), _) if !options.segments => continue,
                (Some(_), _) => Rank::Segment,
                (None, ColumnRole::Output | ColumnRole::Label) => Rank::Output,
                (None, ColumnRole::Feature) => Rank::Feature,
            };
            if rank != Rank::Segment {
                window_totals(report, &mut totals);
            }
            let id = (
                rank,
                key.version.as_str(),
                key.feature.as_str(),
                key.segment.as_deref(),
            );
            let subject = subjects.entry(id).or_default();
            subject.weight = subject.weight.max(weight(report));
            subject.reports.push(report);
            for_each_value(report, rank, options, |_, _, _| subject.demand += 1);
        }
        let mut subjects: Vec<_> = subjects.into_iter().collect();
        subjects.sort_by(|((rank_a, ..), a), ((rank_b, ..), b)| {
            rank_a.cmp(rank_b).then(b.weight.total_cmp(&a.weight))
        });
        let totals = totals.into_iter();
        let totals = totals
            .map(|((metric, labels), value)| Sample {
                metric,
                labels,
                value,
            })
            .collect();
        Self {
            model,
            options,
            totals,
            subjects,
        }
    }

    fn demand(&self) -> usize {
        self.totals.len() + self.subjects.iter().map(|(_, s)| s.demand).sum::<usize>()
    }

    /// At most `share` samples, and how many were folded or left out.
    fn fit(&self, share: usize) -> (Vec<Sample>, u64) {
        let demand = self.demand();
        let mut kept = self.totals.clone();
        // Room for `__other__` is set aside for all that might be folded, not only for what will be.
        let reserve = if demand > share {
            self.fold(&self.subjects).len()
        } else {
            0
        };
        let mut folded_from = self.subjects.len();
        for (i, ((rank, ..), subject)) in self.subjects.iter().enumerate() {
            if kept.len() + subject.demand + reserve > share {
                folded_from = i;
                break;
            }
            for report in &subject.reports {
                for_each_value(report, *rank, self.options, |metric, detector, value| {
                    let labels = labels(report, *rank, detector);
                    kept.push(Sample {
                        metric,
                        labels,
                        value,
                    });
                });
            }
        }
        let whole = kept.len().min(share);
        for ((metric, version, detector, window), value) in self.fold(&self.subjects[folded_from..])
        {
            let [model, version, window] = [self.model, version, window].map(label_value);
            let mut labels = vec![model.into_owned(), version.into_owned(), OTHER.to_owned()];
            labels.extend(detector.map(|d| d.as_str().to_owned()));
            labels.push(window.into_owned());
            kept.push(Sample {
                metric,
                labels,
                value,
            });
        }
        kept.truncate(share);
        (kept, demand.saturating_sub(whole) as u64)
    }

    /// What has a meaning over several features, as the largest among them.
    fn fold(&self, subjects: &[(SubjectKey<'a>, Subject<'a>)]) -> BTreeMap<OtherKey<'a>, f64> {
        let mut other: BTreeMap<OtherKey<'a>, f64> = BTreeMap::new();
        for ((rank, version, ..), subject) in subjects {
            for report in subject.reports.iter().filter(|_| *rank == Rank::Feature) {
                for_each_value(report, *rank, self.options, |metric, detector, value| {
                    if !matches!(metric, THRESHOLD | P_VALUE) {
                        let key = (metric, *version, detector, report.window.name.as_str());
                        let largest = other.entry(key).or_insert(value);
                        *largest = largest.max(value);
                    }
                });
            }
        }
        other
    }
}

/// How loudly a report says "drift": the highest ratio of a statistic to its threshold, else the distance.
fn weight(report: &WindowReport) -> f64 {
    let against = report
        .evidence
        .iter()
        .filter(|c| c.threshold > 0.0 && c.enough_data);
    let ratio = against
        .map(|c| c.value / c.threshold)
        .filter(|r| r.is_finite())
        .fold(evidence_share(report), f64::max);
    let distance = report
        .value(Statistic::JensenShannon)
        .filter(|v| v.is_finite())
        .unwrap_or(0.0);
    // A distance is at most one, so a rule that holds always comes first.
    ratio.max(distance * 0.5)
}

/// The bank's evidence as a share of what an alarm takes; one and more once it has been raised.
fn evidence_share(report: &WindowReport) -> f64 {
    let share = |verdict: &Verdict| match (verdict.state, &report.decision) {
        (SeriesState::Drifted, _) => 1.0,
        (_, Some(decision)) if decision.threshold > 0.0 => verdict.evidence / decision.threshold,
        _ => 0.0,
    };
    verdicts(report)
        .map(|(_, verdict)| share(verdict))
        .filter(|share| share.is_finite())
        .fold(0.0, f64::max)
}

fn window_totals(report: &WindowReport, totals: &mut BTreeMap<(usize, Vec<String>), f64>) {
    let key = &report.series;
    let labels =
        [&key.model, &key.version, &report.window.name].map(|l| label_value(l).into_owned());
    let values = [
        (WINDOW_EVENTS, report.window.events as f64),
        (WINDOW_END, report.window.end.as_seconds_f64()),
    ];
    for (metric, value) in values {
        let total = totals.entry((metric, labels.to_vec())).or_insert(value);
        *total = total.max(value);
    }
}

/// The label values of a column's series, in the catalogue's order.
fn labels(report: &WindowReport, rank: Rank, detector: Option<Statistic>) -> Vec<String> {
    let key = &report.series;
    let segment = key.segment.as_deref().filter(|_| rank == Rank::Segment);
    let parts = [
        Some(key.model.as_str()),
        Some(&key.version),
        segment,
        Some(&key.feature),
    ];
    let mut labels: Vec<String> = parts
        .into_iter()
        .flatten()
        .map(|part| label_value(part).into_owned())
        .collect();
    labels.extend(detector.map(|d| d.as_str().to_owned()));
    labels.push(label_value(&report.window.name).into_owned());
    labels
}

/// Calls `each` with the metric, the detector and the value of every series that a report has.
fn for_each_value(
    report: &WindowReport,
    rank: Rank,
    options: &TelemetryOptions,
    mut each: impl FnMut(usize, Option<Statistic>, f64),
) {
    let of_role = if rank == Rank::Output { OUTPUT } else { 0 };
    let mut push = |metric: usize, detector: Option<Statistic>, value: f64| {
        if value.is_finite() {
            each(metric, detector, value);
        }
    };
    let mut rules: BTreeMap<Statistic, (f64, bool)> = BTreeMap::new();
    for rule in &report.evidence {
        let (threshold, holds) = rules
            .entry(rule.statistic)
            .or_insert((f64::INFINITY, false));
        *threshold = threshold.min(rule.threshold);
        *holds |= rule.enough_data && rule.exceeded;
    }
    // The bank's evidence is shown with the decision, where its threshold is.
    for s in report
        .statistics
        .iter()
        .filter(|s| !s.statistic.is_evidence())
    {
        let detector = s.statistic;
        let shown = options.detectors.contains(&detector) || rules.contains_key(&detector);
        match (rank, ratio_offset(detector)) {
            (Rank::Segment, None) if shown => push(SEGMENT_SCORE, Some(detector), s.value),
            (Rank::Output | Rank::Feature, Some(offset)) => {
                push(of_role + MISSING + offset, None, s.value);
            }
            (Rank::Output | Rank::Feature, None) if shown => {
                push(of_role + SCORE, Some(detector), s.value);
                if let Some(p) = s.p_value {
                    push(of_role + P_VALUE, Some(detector), p);
                }
            }
            _ => {}
        }
    }
    for (detector, verdict) in verdicts(report) {
        if rank == Rank::Segment {
            push(SEGMENT_SCORE, Some(detector), verdict.evidence);
        } else {
            push(of_role + SCORE, Some(detector), verdict.evidence);
            let threshold = report.decision.as_ref().map_or(f64::NAN, |d| d.threshold);
            rules.insert(detector, (threshold, verdict.state == SeriesState::Drifted));
        }
    }
    if rank != Rank::Segment {
        for (detector, (threshold, holds)) in rules {
            push(of_role + THRESHOLD, Some(detector), threshold);
            push(
                of_role + DETECTED,
                Some(detector),
                f64::from(u8::from(holds)),
            );
        }
    }
}

/// What the bank says about both sides of a series.
fn verdicts(report: &WindowReport) -> impl Iterator<Item = (Statistic, &Verdict)> {
    report.decision.iter().flat_map(|d| {
        [
            (Statistic::Bank, &d.shape),
            (Statistic::BankQuality, &d.quality),
        ]
    })
}

/// The place of a quality statistic among the ratio metrics.
const fn ratio_offset(statistic: Statistic) -> Option<usize> {
    match statistic {
        Statistic::MissingRatio => Some(0),
        Statistic::InvalidRatio => Some(1),
        Statistic::OutOfRangeRatio => Some(2),
        Statistic::UnseenRatio => Some(3),
        _ => None,
    }
}
