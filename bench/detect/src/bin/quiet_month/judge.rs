//! The shipped decision rule on one feature's panes.

use std::time::Duration;

use driftline_detect::bank::{self, Bank, BankOptions, BankState, Indicators, Latch, Tally};
use driftline_detect::calibration::{
    CalibrationOptions, HistoryPane, StreamFit, calibrate_stream, choose_season,
};
use driftline_event::{Season, Timestamp};
use driftline_sketch::{NumericProfile, NumericSummary};
use serde::{Deserialize, Serialize};

use crate::months::Calibrated;
use crate::record::ALARMS_PER_MONTH;
use crate::scenario::FEATURES;

/// The decision step.
const STEP: Duration = Duration::from_secs(60);

/// The threshold of the model's evidence.
pub(crate) fn threshold() -> f64 {
    bank::threshold(ALARMS_PER_MONTH, STEP)
}

/// Within a feature: what the shape of its values weighs, and what its data quality does.
const SHAPE_WEIGHT: f64 = 0.75;
const QUALITY_WEIGHT: f64 = 0.25;
/// The tolerance of quality rates, and of shapes after a calibration.
const TOLERANCE: f64 = 0.05;

/// How much evidence of a return ends an alert.
const CLEAR_EVIDENCE: f64 = 1_000.0;

/// Missing, invalid, below the minimum, above the maximum.
const RATES: usize = 4;

/// How a feature is judged.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    season: Season,
    shape: Stream,
    quality: Stream,
}

/// What one stream is judged by.
#[derive(Clone, Debug)]
struct Stream {
    indicators: Indicators,
    options: BankOptions,
    /// By slot of the season.
    banks: Vec<Bank>,
}

impl Setting {
    /// The tolerance of a shape without calibration.
    pub(crate) const UNCALIBRATED: f64 = 0.1;

    /// Without a calibration.
    pub(crate) fn plain(profile: &NumericProfile, tolerance: f64) -> Self {
        let stream = |kind: Kind, tolerance| {
            let options = BankOptions {
                tolerance,
                horizon: threshold(),
                ..BankOptions::default()
            };
            let (indicators, reference) = kind.reference(profile);
            let banks = vec![Bank::new(&indicators, &reference, &options)];
            Stream {
                indicators,
                options,
                banks,
            }
        };
        Self {
            season: Season::None,
            shape: stream(Kind::Shape, tolerance),
            quality: stream(Kind::Quality, TOLERANCE),
        }
    }

    /// By what the shipped calibration says of a history, all of it but its last step: the bootstrap over all features
    /// can only widen bands.
    pub(crate) fn calibrated(fit: Fit, season: Season) -> Self {
        let stream = |side: FitSide| {
            // A stream that could not try the season follows none.
            let chosen = side.fit.season(season).or(side.fit.season(Season::None));
            let chosen = chosen.expect("the plain season is always tried");
            let dispersion = chosen.dispersion;
            Stream {
                banks: chosen.banks(&side.indicators, dispersion, &side.options),
                options: chosen.bank_options(dispersion, &side.options.bank),
                indicators: side.indicators,
            }
        };
        Self {
            season,
            shape: stream(fit.shape),
            quality: stream(fit.quality),
        }
    }

    pub(crate) fn summary(&self) -> Calibrated {
        Calibrated {
            season: self.season.as_str().to_owned(),
            band: self.shape.options.band,
            dispersion: self.shape.options.dispersion,
        }
    }
}

/// The two streams of a feature.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Shape,
    Quality,
}

impl Kind {
    fn weight(self) -> f64 {
        let within = match self {
            Self::Shape => SHAPE_WEIGHT,
            Self::Quality => QUALITY_WEIGHT,
        };
        within / FEATURES as f64
    }

    fn reference(self, profile: &NumericProfile) -> (Indicators, Tally) {
        let indicators = match self {
            Self::Shape => Indicators::ordered(&profile.reference().counts),
            Self::Quality => Indicators::rates(RATES),
        };
        let mut tally = Tally::new(indicators.len());
        self.read(&indicators, profile.reference(), &mut tally);
        (indicators, tally)
    }

    fn read(self, indicators: &Indicators, pane: &NumericSummary, tally: &mut Tally) {
        if let Self::Shape = self {
            indicators.read(&pane.counts, tally);
            return;
        }
        let (rows, valid) = (pane.rows() as f64, pane.valid() as f64);
        let hits = [pane.missing, pane.invalid(), pane.below_min, pane.above_max];
        tally.hits.clear();
        tally.hits.extend(hits.map(|hits| hits as f64));
        tally.trials.clear();
        tally.trials.extend([rows, rows, valid, valid]);
    }
}

/// What history says about a feature.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    shape: FitSide,
    quality: FitSide,
}

#[derive(Clone, Debug)]
struct FitSide {
    indicators: Indicators,
    options: CalibrationOptions,
    fit: StreamFit,
    weight: f64,
}

/// The minutes before a month, as calibration reads them.
#[derive(Debug)]
pub(crate) struct History<'a> {
    profile: &'a NumericProfile,
    sides: [(Kind, Indicators, Vec<HistoryPane>); 2],
}

impl<'a> History<'a> {
    pub(crate) fn new(profile: &'a NumericProfile) -> Self {
        let sides = [Kind::Shape, Kind::Quality];
        Self {
            profile,
            sides: sides.map(|kind| (kind, kind.reference(profile).0, Vec::new())),
        }
    }

    pub(crate) fn push(&mut self, minute: usize, pane: &NumericSummary) {
        for (kind, indicators, panes) in &mut self.sides {
            let mut tally = Tally::new(indicators.len());
            kind.read(indicators, pane, &mut tally);
            panes.push(HistoryPane {
                start: at(minute),
                tally,
            });
        }
    }

    pub(crate) fn fit(self) -> Fit {
        let mut shape_dispersion = 1.0;
        let [shape, quality] = self.sides.map(|(kind, indicators, panes)| {
            let (_, reference) = kind.reference(self.profile);
            let options = CalibrationOptions {
                pane: STEP,
                bank: BankOptions {
                    tolerance: TOLERANCE,
                    horizon: threshold(),
                    ..BankOptions::default()
                },
                threshold: threshold() / kind.weight(),
                dispersion_when_rare: shape_dispersion,
                ..CalibrationOptions::default()
            };
            let fit = calibrate_stream(&panes, &indicators, Some(&reference), &options);
            shape_dispersion = fit.dispersion;
            FitSide {
                indicators,
                options,
                fit,
                weight: kind.weight(),
            }
        });
        Fit { shape, quality }
    }
}

/// The season that the features of a model follow together: the one that suits their shapes best.
pub(crate) fn season(fits: &[Fit]) -> Season {
    choose_season(fits.iter().map(|fit| &fit.shape).map(|side| {
        let components = (side.indicators.len() * 2 * bank::SHIFTS) as f64;
        let price = (side.options.threshold * components).ln();
        (&side.fit, side.weight, price)
    }))
}

fn at(minute: usize) -> Timestamp {
    Timestamp::from_seconds(60 * minute as i64)
}

/// What an alarm was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Blame {
    /// The distribution of values.
    Shape,
    /// Missing, invalid or out-of-range values.
    Quality,
}

/// What one step said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// What the feature adds to the model's evidence after the step: nothing of a stream that is latched or that this
    /// alarm is about.
    pub(crate) evidence: f64,
    /// Whose streams' evidence reached the model's threshold alone, if it did.
    pub(crate) alarm: Option<Blame>,
}

/// One stream being judged.
#[derive(Clone, Debug)]
struct Side {
    kind: Kind,
    stream: Stream,
    state: BankState,
    latch: Latch,
    tally: Tally,
}

impl Side {
    fn new(kind: Kind, stream: Stream) -> Self {
        Self {
            kind,
            state: BankState::new(&stream.banks[0]),
            latch: Latch::default(),
            tally: Tally::new(stream.indicators.len()),
            stream,
        }
    }

    /// What takes part in the model's sum.
    fn weighted(&self) -> f64 {
        if self.latch.is_watching() {
            self.kind.weight() * self.state.evidence()
        } else {
            0.0
        }
    }

    fn step(&mut self, slot: usize, pane: &NumericSummary, threshold: f64) {
        self.kind
            .read(&self.stream.indicators, pane, &mut self.tally);
        let bank = &self.stream.banks[slot.min(self.stream.banks.len() - 1)];
        let refresh = threshold / self.kind.weight();
        self.latch
            .step(bank, &mut self.state, &self.tally, refresh, CLEAR_EVIDENCE);
    }
}

/// Judges one feature minute by minute.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    season: Season,
    threshold: f64,
    sides: [Side; 2],
}

impl Judge {
    pub(crate) fn new(setting: Setting) -> Self {
        Self {
            season: setting.season,
            threshold: threshold(),
            sides: [
                Side::new(Kind::Shape, setting.shape),
                Side::new(Kind::Quality, setting.quality),
            ],
        }
    }

    /// Steps by one pane. Empty panes change nothing.
    pub(crate) fn step(&mut self, minute: usize, pane: &NumericSummary) -> Verdict {
        let mut alarm = None;
        if pane.rows() > 0 {
            let slot = self.season.slot(at(minute));
            for side in &mut self.sides {
                side.step(slot, pane, self.threshold);
            }
            let weighted = self.sides.each_ref().map(Side::weighted);
            for stream in bank::decide(&weighted, self.threshold) {
                let side = &mut self.sides[stream];
                let banks = &side.stream.banks;
                side.latch
                    .latch(&banks[slot.min(banks.len() - 1)], &mut side.state);
                let blame = [Blame::Shape, Blame::Quality][stream];
                alarm = alarm.or(Some(blame));
            }
        }
        Verdict {
            evidence: self.sides.iter().map(Side::weighted).sum(),
            alarm,
        }
    }
}
