//! A column's summaries as the hits and trials of its two streams.

use driftline_detect::bank::{BankOptions, Indicators, RateBounds, Tally};
use driftline_sketch::{ColumnProfile, ColumnSummary};

/// The streams of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The distribution of valid values.
    Shape,
    /// Missing, invalid, out-of-range and unseen values.
    Quality,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Shape, Self::Quality];
}

/// One stream of a column: its indicators and what the reference says about them.
#[derive(Clone, Debug)]
pub struct Stream {
    side: Side,
    /// What is watched.
    pub indicators: Indicators,
    /// The reference's tally.
    pub reference: Tally,
    /// Limits of the reference's rates, where they do not follow from the tally.
    pub bounds: Vec<Option<RateBounds>>,
}

impl Stream {
    /// The stream of a column.
    #[must_use]
    pub fn new(side: Side, profile: &ColumnProfile) -> Self {
        let indicators = match (side, profile) {
            (Side::Shape, ColumnProfile::Numeric(p)) => Indicators::ordered(&p.reference().counts),
            (Side::Shape, ColumnProfile::Categorical(p)) => {
                Indicators::categories(&p.reference().counts)
            }
            (Side::Shape, ColumnProfile::Embedding(p)) => Indicators::rates(p.features()),
            (Side::Quality, ColumnProfile::Numeric(_)) => Indicators::rates(4),
            (Side::Quality, ColumnProfile::Categorical(_)) => Indicators::rates(3),
            (Side::Quality, ColumnProfile::Embedding(_)) => Indicators::rates(1),
        };
        let bounds = match (side, profile) {
            (Side::Quality, ColumnProfile::Categorical(p)) => {
                let sigmas = BankOptions::default().reference_sigmas;
                let seen = p.reference().valid();
                // Of very many texts the reference itself counts the rarest as unseen.
                let unseen = p.singletons().saturating_add(p.reference().unseen);
                vec![None, None, Some(RateBounds::unseen(unseen, seen, sigmas))]
            }
            _ => Vec::new(),
        };
        let mut stream = Self {
            side,
            reference: Tally::new(indicators.len()),
            indicators,
            bounds,
        };
        stream.reference = stream.read(&profile.reference());
        stream
    }

    /// Hits and trials of a summary of the column.
    #[must_use]
    pub fn read(&self, summary: &ColumnSummary) -> Tally {
        let read = |counts: &[u64]| {
            let mut tally = Tally::new(self.indicators.len());
            self.indicators.read(counts, &mut tally);
            tally
        };
        match (self.side, summary) {
            (Side::Shape, ColumnSummary::Numeric(s)) => read(&s.counts),
            (Side::Shape, ColumnSummary::Categorical(s)) => read(&s.counts),
            (Side::Shape, ColumnSummary::Embedding(s)) => {
                let hits: Vec<f64> = s.hits().collect();
                let trials = vec![s.valid as f64; hits.len()];
                Tally { hits, trials }
            }
            (Side::Quality, ColumnSummary::Numeric(s)) => {
                let (rows, valid) = (s.rows(), s.valid());
                tally_of(&[
                    (s.missing, rows),
                    (s.invalid(), rows),
                    (s.below_min, valid),
                    (s.above_max, valid),
                ])
            }
            (Side::Quality, ColumnSummary::Categorical(s)) => {
                let (rows, valid) = (s.rows(), s.valid());
                tally_of(&[(s.missing, rows), (s.wrong_type, rows), (s.unseen, valid)])
            }
            (Side::Quality, ColumnSummary::Embedding(s)) => tally_of(&[(s.missing, s.rows())]),
        }
    }
}

fn tally_of(rates: &[(u64, u64)]) -> Tally {
    let (hits, trials) = rates.iter().map(|(x, n)| (*x as f64, *n as f64)).unzip();
    Tally { hits, trials }
}
