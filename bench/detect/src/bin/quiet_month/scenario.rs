//! Months in which nothing has drifted: how the mean of a feature wanders without harm.

use std::f64::consts::TAU;
use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::rng::Rng;
use crate::traffic::{Bursts, Law};

/// Minutes of a day.
pub(crate) const DAY: usize = 1_440;
/// Days of calibration that precede a month.
pub(crate) const CALIBRATION_DAYS: usize = 14;
/// Minutes of a month of thirty days.
pub(crate) const MONTH: usize = 30 * DAY;
/// Features of the model.
pub(crate) const FEATURES: usize = 100;
/// Rows of a feature's reference.
pub(crate) const REFERENCE_ROWS: usize = 50_000;

/// The standard deviation of the wandering mean, and the minutes in which its memory falls to 1/e.
const WANDER_SD: f64 = 0.02;
const WANDER_MINUTES: f64 = 120.0;

/// What happens in a month without drift.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Independent events of the reference's own law.
    Iid,
    /// The same, 0.03 standard deviations off the reference for ever.
    Offset,
    /// A daily cycle of 0.02 to 0.08 standard deviations and a slow random wander.
    Cycle,
    /// The same from bursty users.
    CycleBursts,
    /// A daily cycle of 0.1 to 0.3 standard deviations, the wander, and bursty users.
    StrongCycleBursts,
    /// As [`Kind::CycleBursts`], but some users send many events.
    HeavyBursts,
}

impl Kind {
    pub(crate) fn bursts(self) -> Bursts {
        match self {
            Self::Iid | Self::Offset | Self::Cycle => Bursts::None,
            Self::CycleBursts | Self::StrongCycleBursts => Bursts::Triples,
            Self::HeavyBursts => Bursts::Geometric,
        }
    }

    fn amplitude(self) -> Option<(f64, f64)> {
        match self {
            Self::Iid | Self::Offset => None,
            Self::Cycle | Self::CycleBursts | Self::HeavyBursts => Some((0.02, 0.08)),
            Self::StrongCycleBursts => Some((0.1, 0.3)),
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Iid => "iid",
            Self::Offset => "harmless offset of 0.03 sd",
            Self::Cycle => "daily cycle of 0.02–0.08 sd, wander",
            Self::CycleBursts => "the same, each value three times",
            Self::StrongCycleBursts => "daily cycle of 0.1–0.3 sd, wander, each value three times",
            Self::HeavyBursts => "daily cycle of 0.02–0.08 sd, wander, each value 1, 2, 3, … times",
        }
    }
}

/// A kind of month at a rate of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Scenario {
    pub(crate) kind: Kind,
    /// Events a minute, on average.
    pub(crate) rate: u32,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.to_possible_value().expect("no kind is hidden");
        write!(f, "{}-{}", kind.get_name(), self.rate)
    }
}

impl Scenario {
    /// All: the kinds at 2, 200 and 2,000 events a minute.
    pub(crate) fn all() -> Vec<Self> {
        let rates = [200, 2, 2_000];
        let at = |rate| {
            Kind::value_variants()
                .iter()
                .map(move |kind| Self { kind: *kind, rate })
        };
        rates.into_iter().flat_map(at).collect()
    }

    /// What separates the random numbers of one scenario from another's.
    pub(crate) fn stream(self) -> u64 {
        ((self.kind as u64) << 32) | u64::from(self.rate)
    }
}

/// How one feature's mean moves.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    offset: f64,
    amplitude: f64,
    phase: f64,
    wander: Option<f64>,
}

impl Path {
    pub(crate) fn new(kind: Kind, rng: &mut Rng) -> Self {
        let amplitude = kind.amplitude();
        Self {
            offset: if kind == Kind::Offset { 0.03 } else { 0.0 },
            amplitude: amplitude.map_or(0.0, |(low, high)| rng.between(low, high)),
            phase: rng.between(0.0, TAU),
            wander: amplitude.map(|_| WANDER_SD * rng.normal()),
        }
    }

    /// The reference's rows: from the same days' cycle at random times, but without the offset.
    pub(crate) fn reference(&self, rows: usize, rng: &mut Rng) -> Vec<f64> {
        (0..rows)
            .map(|_| {
                let cycle = self.amplitude * rng.between(0.0, TAU).sin();
                let wander = self.wander.map_or(0.0, |_| WANDER_SD * rng.normal());
                Law::at(cycle + wander).draw(rng)
            })
            .collect()
    }

    /// The law of the next minute.
    pub(crate) fn next(&mut self, minute: usize, rng: &mut Rng) -> Law {
        if let Some(wander) = &mut self.wander {
            let memory = (-1.0 / WANDER_MINUTES).exp();
            let innovation = WANDER_SD * (1.0 - memory * memory).sqrt();
            *wander = memory * *wander + innovation * rng.normal();
        }
        let cycle = if self.amplitude > 0.0 {
            let turn = TAU * (minute % DAY) as f64 / DAY as f64;
            self.amplitude * (turn + self.phase).sin()
        } else {
            0.0
        };
        Law::at(self.offset + cycle + self.wander.unwrap_or(0.0))
    }
}
