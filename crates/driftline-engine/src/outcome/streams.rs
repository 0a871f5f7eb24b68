//! What is watched in outcomes: errors, calibration and labels, as indicators of the bank.

use driftline_detect::bank::{Bank, BankOptions, Indicator, Indicators, Tally};
use driftline_event::{AlertKind, Task};
use driftline_sketch::{Bins, OutcomeProfile, OutcomeSummary};

use super::loss::BinLoss;
use super::spec::LabelSpec;
use crate::calibration::{LevelCalibration, StreamCalibration};

/// About so many groups of score bins have a calibration indicator each.
const SCORE_GROUPS: usize = 10;
/// The most decided classes whose errors have an indicator of their own.
const DECIDED_MAX: usize = 64;
/// What a wanted item at each of the first ten places loses: 1 − 1/log2(place + 1).
const RANK_LOSS: [f64; 10] = [
    0.0,
    0.369_070_246_428_542_47,
    0.5,
    0.569_323_441_926_606_9,
    0.613_147_192_765_458_4,
    0.643_792_812_891_977_9,
    0.666_666_666_666_666_7,
    0.684_535_123_214_271_2,
    0.698_970_004_336_018_7,
    0.710_935_173_682_112_1,
];
/// For how many standard deviations of a reference's own error the null hypotheses allow.
const REFERENCE_SIGMAS: f64 = 4.0;

/// What a stream of labels is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamKind {
    /// How often and where predictions are wrong, or how far.
    Error,
    /// How far predictions are off on average, of a regression.
    Loss,
    /// What is true given the score; in a regression, which way errors go.
    Calibration,
    /// What is true.
    Label,
}

impl StreamKind {
    /// The name where a column's is due.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Loss => "loss",
            Self::Calibration => "calibration",
            Self::Label => "label",
        }
    }

    pub(crate) const fn alert_kind(self) -> AlertKind {
        match self {
            Self::Error | Self::Loss | Self::Calibration => AlertKind::ConceptDrift,
            Self::Label => AlertKind::LabelDrift,
        }
    }

    /// What history says about such a stream.
    pub(crate) fn of(self, calibration: Option<LevelCalibration>) -> Option<StreamCalibration> {
        match self {
            Self::Error | Self::Loss => calibration?.error,
            Self::Calibration => calibration?.calibration,
            Self::Label => calibration?.label,
        }
    }

    /// The part of a level's budget, up to a common factor: half of it for errors, which the mean loss shares if there is one.
    const fn weight(self, has_loss: bool) -> f64 {
        match self {
            Self::Error if !has_loss => 0.5,
            Self::Error | Self::Loss | Self::Calibration | Self::Label => 0.25,
        }
    }
}

#[derive(Clone, Debug)]
struct Stream {
    kind: StreamKind,
    indicators: Indicators,
}

/// The streams of a model's outcomes; the same for all its segments and levels of maturity.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    streams: Vec<Stream>,
    /// By score bin of two classes: the group that it is in. Groups ascend.
    groups: Vec<usize>,
    /// The classes whose errors have an indicator of their own.
    decided: Vec<usize>,
    /// How many items of a ranking count.
    ranks: usize,
    /// Of a regression: one more stream, which the bank does not judge.
    loss: Option<BinLoss>,
}

impl Streams {
    /// `ranks` is k of the ranking metrics.
    pub(crate) fn new(profile: &OutcomeProfile, ranks: usize) -> Self {
        let reference = profile.reference().all();
        let mut built = Self {
            streams: Vec::new(),
            groups: Vec::new(),
            decided: Vec::new(),
            ranks: ranks.clamp(1, RANK_LOSS.len()),
            loss: BinLoss::new(profile, &reference),
        };
        let rates = Indicators::rates;
        match profile.task() {
            Task::Binary => {
                built.push(StreamKind::Error, rates(3));
                if profile.has_scores() {
                    built.groups = score_groups(profile, &reference);
                    let groups = built.groups.last().map_or(0, |last| last + 1);
                    built.push(StreamKind::Calibration, rates(groups));
                }
                built.push(StreamKind::Label, rates(1));
            }
            Task::Multiclass => {
                built.decided = decided_classes(&reference);
                built.push(StreamKind::Error, rates(1 + built.decided.len()));
                let labels = class_labels(&reference);
                built.push(StreamKind::Label, Indicators::categories(&labels));
            }
            Task::Regression => {
                for kind in [
                    StreamKind::Error,
                    StreamKind::Calibration,
                    StreamKind::Label,
                ] {
                    let counts = binned(profile, &reference, kind);
                    built.push(kind, Indicators::ordered(&counts));
                }
            }
            Task::Ranking => built.push(StreamKind::Error, rates(2)),
        }
        built
    }

    fn push(&mut self, kind: StreamKind, indicators: Indicators) {
        if !indicators.is_empty() {
            self.streams.push(Stream { kind, indicators });
        }
    }

    /// How many streams the bank judges: the first ones.
    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    /// What all streams are about: those of the bank, and the loss if there is one.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = StreamKind> {
        let banks = self.streams.iter().map(|s| s.kind);
        banks.chain(self.loss.iter().map(|_| StreamKind::Loss))
    }

    pub(crate) fn kind(&self, stream: usize) -> StreamKind {
        self.kinds().nth(stream).unwrap_or(StreamKind::Error)
    }

    /// The loss whose mean is judged.
    pub(crate) fn loss(&self) -> Option<&BinLoss> {
        self.loss.as_ref()
    }

    /// The part of a level's budget that a stream has. All of them add up to one.
    pub(crate) fn weight(&self, stream: usize) -> f64 {
        let weight = |kind: StreamKind| kind.weight(self.loss.is_some());
        let all: f64 = self.kinds().map(weight).sum();
        self.kinds()
            .nth(stream)
            .map_or(0.0, |kind| weight(kind) / all)
    }

    /// The banks of all streams that have one against a reference.
    pub(crate) fn banks(
        &self,
        profile: &OutcomeProfile,
        reference: &OutcomeSummary,
        (calibration, horizon): (Option<LevelCalibration>, f64),
    ) -> Vec<Bank> {
        let tallies = self.read(profile, reference);
        let streams = self.streams.iter().zip(&tallies);
        let bank = |(stream, tally): (&Stream, &Tally)| {
            let options = options(stream.kind.of(calibration), horizon);
            Bank::new(&stream.indicators, tally, &options)
        };
        streams.map(bank).collect()
    }

    /// What a stream counts.
    pub(crate) fn indicators(&self, stream: usize) -> Option<&Indicators> {
        self.streams.get(stream).map(|s| &s.indicators)
    }

    /// Counts the indicators of every stream of the bank.
    pub(crate) fn read(&self, profile: &OutcomeProfile, summary: &OutcomeSummary) -> Vec<Tally> {
        let streams = self.streams.iter();
        let of = |stream: &Stream| match profile.task() {
            Task::Binary => self.read_binary(stream.kind, summary),
            Task::Multiclass if stream.kind == StreamKind::Error => self.read_decided(summary),
            Task::Multiclass => counted(&stream.indicators, &class_labels(summary)),
            Task::Regression => counted(&stream.indicators, &binned(profile, summary, stream.kind)),
            Task::Ranking => self.read_ranks(summary),
        };
        streams.map(of).collect()
    }

    fn read_binary(&self, kind: StreamKind, summary: &OutcomeSummary) -> Tally {
        let Some(view) = summary.binary() else {
            return Tally::default();
        };
        let [[right, false_positive], [false_negative, hit]] = view.confusion_counts();
        let all = right + false_positive + false_negative + hit;
        match kind {
            StreamKind::Error | StreamKind::Loss => tally([
                (false_positive + false_negative, all),
                (false_positive, false_positive + hit),
                (false_negative, false_negative + right),
            ]),
            StreamKind::Label => tally([(false_negative + hit, all)]),
            StreamKind::Calibration => {
                let groups = self.groups.last().map_or(0, |last| last + 1);
                let mut tally = Tally::new(groups);
                for (bin, &group) in self.groups.iter().enumerate() {
                    let of = |truth| {
                        (view.count(bin, truth, false) + view.count(bin, truth, true)) as f64
                    };
                    let positive = of(true);
                    tally.hits[group] += positive;
                    tally.trials[group] += positive + of(false);
                }
                tally
            }
        }
    }

    fn read_decided(&self, summary: &OutcomeSummary) -> Tally {
        let mut counts = Tally::new(1 + self.decided.len());
        let Some(view) = summary.multiclass() else {
            return counts;
        };
        for (truth, decided, count, _) in view.confusion() {
            let own = self.decided.iter().position(|class| *class == decided);
            let is_error = truth != decided || truth == view.classes();
            for indicator in std::iter::once(0).chain(own.map(|own| own + 1)) {
                counts.trials[indicator] += count as f64;
                counts.hits[indicator] += if is_error { count as f64 } else { 0.0 };
            }
        }
        counts
    }

    fn read_ranks(&self, summary: &OutcomeSummary) -> Tally {
        let Some(view) = summary.ranking() else {
            return Tally::default();
        };
        let all = summary.judged() as f64;
        let ranks = RANK_LOSS.iter().enumerate().take(self.ranks);
        let (mut loss, mut found) = (0.0, 0.0);
        for (rank, of_rank) in ranks {
            let count = view.rank_count(rank) as f64;
            loss += of_rank * count;
            found += count;
        }
        let misses = (all - found).max(0.0);
        Tally {
            hits: vec![loss + misses, misses],
            trials: vec![all, all],
        }
    }

    /// What an indicator is about, in words.
    pub(crate) fn words(
        &self,
        profile: &OutcomeProfile,
        (stream, indicator): (usize, usize),
    ) -> String {
        let Some(stream) = self.streams.get(stream) else {
            return String::new();
        };
        let class = |class: usize| {
            let name = profile.classes().get(class);
            name.map_or("a class that the reference does not have", String::as_str)
        };
        match (
            profile.task(),
            stream.kind,
            stream.indicators.indicator(indicator),
        ) {
            (Task::Binary, StreamKind::Error, _) => match indicator {
                0 => "wrong".to_owned(),
                1 => format!("wrong where predicted {}", class(1)),
                _ => format!("wrong where predicted {}", class(0)),
            },
            (Task::Binary, StreamKind::Calibration, _) => {
                let group = score_range(profile.score_bins(), &self.groups, indicator);
                format!("truly {} where {group}", class(1))
            }
            (Task::Binary, StreamKind::Label, _) => format!("label = {}", class(1)),
            (Task::Multiclass, StreamKind::Error, _) => {
                match indicator.checked_sub(1).and_then(|i| self.decided.get(i)) {
                    Some(&decided) => format!("wrong where predicted {}", class(decided)),
                    None => "wrong".to_owned(),
                }
            }
            (Task::Multiclass, _, Indicator::Cells { cells }) => {
                let names: Vec<&str> = cells.iter().take(4).map(|cell| class(*cell)).collect();
                let more = if cells.len() > 4 { ", …" } else { "" };
                format!("label = {}{more}", names.join(" or "))
            }
            (Task::Ranking, _, _) if indicator == 0 => {
                format!("1 − NDCG of the first {}", self.ranks)
            }
            (Task::Ranking, _, _) => format!("not among the first {}", self.ranks),
            (_, kind, Indicator::Below { bin }) => {
                let bins = bins_of(profile, kind);
                format!("{} ≤ {}", noun(kind), edge(bins, bin))
            }
            (_, kind, Indicator::Between { first, last }) => {
                let (bins, noun) = (bins_of(profile, kind), noun(kind));
                match first.checked_sub(1) {
                    Some(before) => {
                        format!("{} < {noun} ≤ {}", edge(bins, before), edge(bins, last))
                    }
                    None => format!("{noun} ≤ {}", edge(bins, last)),
                }
            }
            (_, kind, _) => format!("{} where the reference has none", noun(kind)),
        }
    }
}

/// How a stream is judged: a calibration makes the tolerance fit it.
pub(crate) fn options(calibration: Option<StreamCalibration>, horizon: f64) -> BankOptions {
    let tolerance = match calibration {
        Some(_) => LabelSpec::TOLERANCE_CALIBRATED,
        None => LabelSpec::TOLERANCE,
    };
    let calibration = calibration.unwrap_or_default();
    BankOptions {
        tolerance,
        band: calibration.band,
        dispersion: calibration.dispersion,
        reference_sigmas: REFERENCE_SIGMAS,
        horizon,
        ..BankOptions::default()
    }
}

const fn noun(kind: StreamKind) -> &'static str {
    match kind {
        StreamKind::Error | StreamKind::Loss => "|error|",
        StreamKind::Calibration => "error",
        StreamKind::Label => "label",
    }
}

fn bins_of(profile: &OutcomeProfile, kind: StreamKind) -> &Bins {
    match kind {
        StreamKind::Error | StreamKind::Loss => profile.absolute_error_bins(),
        StreamKind::Calibration => profile.error_bins(),
        StreamKind::Label => profile.label_bins(),
    }
}

fn edge(bins: &Bins, bin: usize) -> String {
    let edge = bins.upper_bounds().get(bin).copied();
    edge.filter(|e| e.is_finite())
        .map_or_else(|| "the largest".to_owned(), shown)
}

/// Up to four decimals; a number that has none of them in the form for small ones.
pub(super) fn shown(number: f64) -> String {
    let text = format!("{number:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "0" | "-0" if number != 0.0 => format!("{number:.3e}"),
        _ => text.to_owned(),
    }
}

fn tally<const N: usize>(pairs: [(u64, u64); N]) -> Tally {
    Tally {
        hits: pairs.iter().map(|(hits, _)| *hits as f64).collect(),
        trials: pairs.iter().map(|(_, trials)| *trials as f64).collect(),
    }
}

fn counted(indicators: &Indicators, counts: &[u64]) -> Tally {
    let mut tally = Tally::default();
    indicators.read(counts, &mut tally);
    tally
}

/// Cuts the score bins into groups of about as many of the reference's outcomes each.
fn score_groups(profile: &OutcomeProfile, reference: &OutcomeSummary) -> Vec<usize> {
    let bins = profile.score_bins().count();
    let of = |bin: usize| {
        reference.binary().map_or(0, |view| {
            [false, true]
                .into_iter()
                .flat_map(|truth| [(truth, false), (truth, true)])
                .map(|(truth, decided)| view.count(bin, truth, decided))
                .sum()
        })
    };
    let counts: Vec<u64> = (0..bins).map(of).collect();
    let all: u64 = counts.iter().sum();
    let (mut groups, mut group, mut before, mut is_new) = (Vec::new(), 0, 0_u64, true);
    for count in counts {
        // A group ends once it reaches its even share of what there is.
        let wanted = all as f64 * (group + 1) as f64 / SCORE_GROUPS as f64;
        if !is_new && before as f64 >= wanted && group + 1 < SCORE_GROUPS {
            group += 1;
            is_new = true;
        }
        groups.push(group);
        before += count;
        is_new &= count == 0;
    }
    groups
}

fn score_range(bins: &Bins, groups: &[usize], group: usize) -> String {
    let first = groups.partition_point(|g| *g < group);
    let last = groups.partition_point(|g| *g <= group);
    let groups = groups.last().map_or(0, |last| last + 1);
    match (first, group + 1 == groups) {
        (0, true) => "the score is any".to_owned(),
        (0, false) => format!("the score ≤ {}", edge(bins, last.saturating_sub(1))),
        (_, true) => format!("the score > {}", edge(bins, first - 1)),
        (_, false) => format!(
            "{} < the score ≤ {}",
            edge(bins, first - 1),
            edge(bins, last.saturating_sub(1))
        ),
    }
}

/// The classes that the reference decides for most often, in ascending order.
fn decided_classes(reference: &OutcomeSummary) -> Vec<usize> {
    let Some(view) = reference.multiclass() else {
        return Vec::new();
    };
    let mut counts = vec![0_u64; view.classes() + 1];
    for (_, decided, count, _) in view.confusion() {
        counts[decided] += count;
    }
    let mut classes: Vec<usize> = (0..view.classes()).collect();
    classes.sort_by_key(|class| std::cmp::Reverse(counts[*class]));
    classes.truncate(DECIDED_MAX);
    classes.sort_unstable();
    classes
}

/// Labels by class, those of unknown classes last.
fn class_labels(summary: &OutcomeSummary) -> Vec<u64> {
    let Some(view) = summary.multiclass() else {
        return Vec::new();
    };
    let mut counts = vec![0; view.classes() + 1];
    for (truth, _, count, _) in view.confusion() {
        counts[truth] += count;
    }
    counts
}

/// The counts of a regression that a stream is read from.
fn binned(profile: &OutcomeProfile, summary: &OutcomeSummary, kind: StreamKind) -> Vec<u64> {
    let Some(view) = summary.regression(profile) else {
        return Vec::new();
    };
    let bins = 0..bins_of(profile, kind).count();
    bins.map(|bin| match kind {
        StreamKind::Error | StreamKind::Loss => view.absolute_error_count(bin),
        StreamKind::Calibration => view.error_count(bin),
        StreamKind::Label => view.label_count(bin),
    })
    .collect()
}

#[cfg(test)]
mod tests;
