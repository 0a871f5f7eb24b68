//! The two streams of a column: what they count, and how their indicators read.

use driftline_detect::bank::{
    Bank, BankOptions, Indicator, Indicators, RateBounds, Tally, threshold,
};
use driftline_sketch::{
    CategoricalProfile, ColumnProfile, ColumnSummary, NumericProfile, ReferenceProfile,
};

use crate::calibration::ColumnCalibration;

use super::spec::DecisionSpec;

/// Streams of a column: its shape, then its quality.
pub(crate) const STREAMS: usize = 2;
/// The index of the quality stream.
pub(crate) const QUALITY: usize = 1;

/// For how many standard deviations of a reference's own error the null hypotheses allow.
const REFERENCE_SIGMAS: f64 = 4.0;

/// A rate of the quality stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rate {
    Missing,
    Invalid,
    BelowMin,
    AboveMax,
    Unseen,
}

impl Rate {
    const fn words(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::BelowMin => "below the reference's minimum",
            Self::AboveMax => "above the reference's maximum",
            Self::Unseen => "unseen",
        }
    }
}

/// What a column is watched for, its shape first and then its quality; the same for all its segments, seasons and
/// baselines. Public so that a calibration measures exactly what is judged.
#[derive(Clone, Debug)]
pub struct ColumnStreams {
    indicators: [Indicators; STREAMS],
    rates: &'static [Rate],
}

impl ColumnStreams {
    /// The streams of the column that this is the profile of.
    pub fn new(profile: &ColumnProfile) -> Self {
        let (shape, rates): (_, &[Rate]) = match profile {
            ColumnProfile::Numeric(p) => (
                Indicators::ordered(&p.reference().counts),
                &[Rate::Missing, Rate::Invalid, Rate::BelowMin, Rate::AboveMax],
            ),
            ColumnProfile::Categorical(p) => (
                Indicators::categories(&p.reference().counts),
                &[Rate::Missing, Rate::Invalid, Rate::Unseen],
            ),
            // A random feature is a hit of a fraction. What is no vector is missing.
            ColumnProfile::Embedding(p) => (Indicators::rates(p.features()), &[Rate::Missing]),
        };
        Self {
            indicators: [shape, Indicators::rates(rates.len())],
            rates,
        }
    }

    /// What is watched in each stream.
    pub fn indicators(&self) -> &[Indicators; STREAMS] {
        &self.indicators
    }

    /// Counts the indicators of both streams in a summary of the column. What stood in the tallies before is lost.
    pub fn read(&self, summary: &ColumnSummary, into: &mut [Tally; STREAMS]) {
        let [shape, quality] = into;
        match summary {
            ColumnSummary::Numeric(s) => self.indicators[0].read(&s.counts, shape),
            ColumnSummary::Categorical(s) => self.indicators[0].read(&s.counts, shape),
            ColumnSummary::Embedding(s) => {
                shape.hits.clear();
                shape.hits.extend(s.hits());
                shape.trials.clear();
                shape.trials.resize(s.sums.len(), s.valid as f64);
            }
        }
        let (rows, valid) = (summary.rows(), valid(summary));
        quality.hits.clear();
        quality.trials.clear();
        for rate in self.rates {
            let (hits, trials) = match (rate, summary) {
                (Rate::Missing, ColumnSummary::Numeric(s)) => (s.missing, rows),
                (Rate::Missing, ColumnSummary::Categorical(s)) => (s.missing, rows),
                (Rate::Missing, ColumnSummary::Embedding(s)) => (s.missing, rows),
                (Rate::Invalid, ColumnSummary::Numeric(s)) => (s.invalid(), rows),
                (Rate::Invalid, ColumnSummary::Categorical(s)) => (s.wrong_type, rows),
                (Rate::BelowMin, ColumnSummary::Numeric(s)) => (s.below_min, valid),
                (Rate::AboveMax, ColumnSummary::Numeric(s)) => (s.above_max, valid),
                (Rate::Unseen, ColumnSummary::Categorical(s)) => (s.unseen, valid),
                // A summary is of the profile that the rates were chosen for.
                _ => (0, 0),
            };
            quality.hits.push(hits as f64);
            quality.trials.push(trials as f64);
        }
    }

    /// The banks of both streams against a reference. `own` is given when that is the profile's own, of which is
    /// known how many of its texts stand in it only once.
    pub(crate) fn banks(
        &self,
        reference: &ColumnSummary,
        own: Option<&ColumnProfile>,
        options: &[BankOptions; STREAMS],
    ) -> [Bank; STREAMS] {
        let mut tallies = <[Tally; STREAMS]>::default();
        self.read(reference, &mut tallies);
        let bounds = self.bounds(own);
        let [shape, quality] = &self.indicators;
        [
            Bank::new(shape, &tallies[0], &options[0]),
            Bank::new_with_bounds(quality, &tallies[1], &bounds, &options[1]),
        ]
    }

    /// The bank of one indicator of one stream alone, as its number 0.
    pub(crate) fn single(
        &self,
        (stream, indicator): (usize, usize),
        reference: &ColumnSummary,
        options: &[BankOptions; STREAMS],
    ) -> Bank {
        let mut tallies = <[Tally; STREAMS]>::default();
        self.read(reference, &mut tallies);
        let (hits, trials) = tallies[stream].of(indicator);
        let one = Tally {
            hits: vec![hits],
            trials: vec![trials],
        };
        Bank::new(&Indicators::rates(1), &one, &options[stream])
    }

    /// Limits of the quality stream's rates where they do not follow from the reference's tally. `own` is the profile if
    /// that is the reference: texts that it does not have are no drift as long as they are as many as Good and Turing
    /// expect. Empty where there are none.
    pub fn bounds(&self, own: Option<&ColumnProfile>) -> Vec<Option<RateBounds>> {
        let Some(ColumnProfile::Categorical(p)) = own else {
            return Vec::new();
        };
        // Of very many texts the reference itself counts the rarest as unseen.
        let singletons = p.singletons().saturating_add(p.reference().unseen);
        let unseen = RateBounds::unseen(singletons, p.reference().valid(), REFERENCE_SIGMAS);
        let of = |rate: &Rate| (*rate == Rate::Unseen).then_some(unseen);
        self.rates.iter().map(of).collect()
    }

    /// What an indicator of the `column`-th column is about, in words.
    pub(crate) fn words(
        &self,
        reference: &ReferenceProfile,
        column: usize,
        (stream, indicator): (usize, usize),
    ) -> String {
        let Some(profiled) = reference.columns.get(column) else {
            return String::new();
        };
        let name = &profiled.column.name;
        let is_joint = column >= reference.event_columns() && reference.joint_tree().is_some();
        match (
            self.indicators[stream].indicator(indicator),
            &profiled.profile,
        ) {
            (Indicator::Rate(feature), ColumnProfile::Embedding(_)) if stream != QUALITY => {
                format!("{name}: random feature {feature}")
            }
            (Indicator::Rate(rate), _) => {
                let words = self.rates.get(rate).map_or("unknown", |rate| rate.words());
                words.to_owned()
            }
            (Indicator::Below { bin }, ColumnProfile::Numeric(p)) => between(name, p, 0, bin),
            (Indicator::Between { first, last }, ColumnProfile::Numeric(p)) => {
                between(name, p, first, last)
            }
            (Indicator::Cells { .. }, ColumnProfile::Numeric(_)) => {
                format!("{name} between the values of the reference")
            }
            (Indicator::Cells { cells }, ColumnProfile::Categorical(_))
                if is_joint && cells.len() == 1 =>
            {
                reference.leaf_description(cells[0])
            }
            (Indicator::Cells { cells }, ColumnProfile::Categorical(p)) => {
                categories(name, p, &cells)
            }
            _ => name.clone(),
        }
    }
}

/// How much memory the bank takes for one column of one series, in bytes: the evidence of both streams, and the null
/// hypotheses and alternatives that it is stepped by.
pub fn bank_bytes(profile: &ColumnProfile) -> usize {
    // Six shifts in two directions: evidence, slope and drift as f32 each; rate, both edges and weight, padded to f64.
    const INDICATOR_BYTES: usize = 12 * 3 * size_of::<f32>() + 4 * size_of::<f64>();
    const STREAM_BYTES: usize = 400;
    let indicators = ColumnStreams::new(profile).indicators;
    indicators
        .iter()
        .map(|i| INDICATOR_BYTES * i.len() + STREAM_BYTES)
        .sum()
}

/// Values that are in the shape, plus unseen ones.
fn valid(summary: &ColumnSummary) -> u64 {
    match summary {
        ColumnSummary::Numeric(s) => s.valid(),
        ColumnSummary::Categorical(s) => s.valid(),
        ColumnSummary::Embedding(s) => s.valid,
    }
}

/// What the banks of a column tolerate.
pub(crate) fn options(
    spec: &DecisionSpec,
    calibration: Option<ColumnCalibration>,
) -> [BankOptions; STREAMS] {
    let calibration = calibration.unwrap_or_default();
    let of = |tolerance, stream: crate::calibration::StreamCalibration| BankOptions {
        tolerance,
        band: stream.band,
        dispersion: stream.dispersion,
        reference_sigmas: REFERENCE_SIGMAS,
        horizon: threshold(spec.alarms_per_month, spec.step),
        ..BankOptions::default()
    };
    [
        of(spec.tolerance, calibration.shape),
        of(spec.quality_tolerance, calibration.quality),
    ]
}

/// The upper end of a bin; the last one ends at the reference's maximum.
fn upper(profile: &NumericProfile, bin: usize) -> f64 {
    let bound = profile.upper_bounds().get(bin).copied();
    bound.filter(|b| b.is_finite()).unwrap_or(profile.maximum())
}

/// The first number that is above a bin's bound, if the bound stands just below a value with a bin of its own.
fn atom_above(profile: &NumericProfile, bin: usize) -> Option<f64> {
    let bounds = profile.upper_bounds();
    let next = bounds.get(bin)?.next_up() + 0.0;
    (bounds.get(bin + 1) == Some(&next)).then_some(next)
}

fn between(name: &str, profile: &NumericProfile, first: usize, last: usize) -> String {
    let high = upper(profile, last);
    let is_last = last + 1 >= profile.bins();
    let at_most = match atom_above(profile, last).filter(|_| !is_last) {
        Some(atom) => format!("< {}", decimal(atom)),
        None => format!("≤ {}", decimal(high)),
    };
    let Some(before) = first.checked_sub(1) else {
        return format!("{name} {at_most}");
    };
    let (low, atom) = (upper(profile, before), atom_above(profile, before));
    match atom {
        Some(atom) if atom == high => format!("{name} = {}", decimal(atom)),
        Some(atom) if is_last => format!("{name} ≥ {}", decimal(atom)),
        None if is_last => format!("{name} > {}", decimal(low)),
        Some(atom) => format!("{} ≤ {name} {at_most}", decimal(atom)),
        None => format!("{} < {name} {at_most}", decimal(low)),
    }
}

/// As many names as a sentence bears.
const NAMES_MAX: usize = 3;

fn categories(name: &str, profile: &CategoricalProfile, cells: &[usize]) -> String {
    if cells.len() <= NAMES_MAX && cells.iter().all(|cell| *cell < profile.named_cells()) {
        let names: Vec<&str> = cells.iter().map(|cell| profile.name(*cell)).collect();
        return match names[..] {
            [one] => format!("{name} = {one}"),
            _ => format!("{name} in {}", names.join(", ")),
        };
    }
    // The most frequent categories come first, so a set without the first one is of rarer ones.
    let kind = if cells.contains(&0) { "common" } else { "rare" };
    match cells.len() {
        1 => format!("{name} in a group of rare values"),
        n => format!("{name} in {n} {kind} values"),
    }
}

/// Up to four significant digits, and never fewer than the whole part has: `41.0`, `0.001234`, `12345`.
fn decimal(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return "0.0".to_owned();
    }
    if !(1e-4..1e9).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let whole_digits = magnitude.log10().floor() as i32 + 1;
    let decimals = (4 - whole_digits).clamp(1, 7) as usize;
    let text = format!("{value:.decimals$}");
    let short = text.trim_end_matches('0');
    if short.ends_with('.') {
        format!("{short}0")
    } else {
        short.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use driftline_event::ColumnRole;
    use driftline_sketch::{ProfileOptions, ReferenceBuilder, ReferenceProfile};

    use super::*;

    fn reference() -> ReferenceProfile {
        let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
        let numbers = (0..1_000).map(f64::from).collect();
        builder.numeric("x", ColumnRole::Feature, numbers).unwrap();
        let atoms = (0..1_000).map(|i| f64::from(i % 3)).collect();
        builder.numeric("n", ColumnRole::Feature, atoms).unwrap();
        let names = (0..1_000).map(|i| Some(["a", "b", "c", "d", "e"][i % 5]));
        builder
            .categorical("c", ColumnRole::Feature, names)
            .unwrap();
        builder.build().unwrap()
    }

    #[test]
    fn indicators_read_like_conditions() {
        let reference = reference();
        let words = |column: usize, stream: usize| -> Vec<String> {
            let streams = ColumnStreams::new(&reference.columns[column].profile);
            let indicators = streams.indicators[stream].len();
            let words = |i| streams.words(&reference, column, (stream, i));
            (0..indicators).map(words).collect()
        };
        for (column, wanted) in [(0, "x ≤ 49"), (0, " < x ≤ "), (1, "n = 1.0"), (2, "c = a")] {
            let words = words(column, 0);
            assert!(
                words.iter().any(|w| w.contains(wanted)),
                "{wanted}: {words:?}"
            );
        }
        assert!(words(2, 0).contains(&"c in a, b".to_owned()));
        assert_eq!(
            words(0, QUALITY),
            [
                "missing",
                "invalid",
                "below the reference's minimum",
                "above the reference's maximum"
            ]
        );
    }

    #[test]
    fn numbers_are_short() {
        let of = |value| decimal(value);
        assert_eq!(
            [
                of(41.0),
                of(0.001_234_5),
                of(12_345.6),
                of(-3.567_8),
                of(1e-9),
                of(0.0)
            ],
            ["41.0", "0.001234", "12345.6", "-3.568", "1.000e-9", "0.0"]
        );
    }

    #[test]
    fn rates_count_what_they_say() {
        let reference = reference();
        let ColumnProfile::Numeric(p) = &reference.columns[0].profile else {
            unreachable!()
        };
        let mut summary = p.empty_summary();
        p.add_column(
            &[f64::NAN, -5.0, 2_000.0, 5.0, driftline_sketch::MISSING],
            &mut summary,
        );
        let mut tallies = <[Tally; STREAMS]>::default();
        ColumnStreams::new(&reference.columns[0].profile)
            .read(&ColumnSummary::Numeric(summary), &mut tallies);
        assert_eq!(tallies[QUALITY].hits, [1.0, 1.0, 1.0, 1.0]);
        assert_eq!(tallies[QUALITY].trials, [5.0, 5.0, 3.0, 3.0]);
        assert_eq!(tallies[0].trials[0], 3.0);
    }
}
