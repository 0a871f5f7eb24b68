//! The bank e-detector as the engine runs it: two streams a column, one budget, latches.

use driftline_detect::bank::{
    Bank, BankOptions, BankState, Indicators, Latch, RateBounds, Tally, decide,
};
use driftline_sketch::{ColumnProfile, ColumnSummary};

use crate::watch::{Reference, Watched};

/// A column's share of its weight that goes to the shape of its values; the rest goes to their quality.
const SHAPE_SHARE: f64 = 0.75;
/// Tolerance of quality rates, as Cohen's h.
const QUALITY_TOLERANCE: f64 = 0.05;
/// Return evidence that ends an alert.
const CLEAR_EVIDENCE: f64 = 1_000.0;

#[derive(Debug)]
struct Stream {
    weight: f64,
    column: usize,
    /// Else quality.
    shape: bool,
    indicators: Indicators,
    bank: Bank,
    state: BankState,
    latch: Latch,
}

/// All streams of a monitored table.
#[derive(Debug)]
pub(crate) struct BankRule {
    streams: Vec<Stream>,
    threshold: f64,
}

impl BankRule {
    /// With a threshold c: at most one false alarm in c panes is expected.
    pub(crate) fn new(reference: &Reference, tolerance: f64, threshold: f64) -> Self {
        let each = 1.0 / reference.columns.len().max(1) as f64;
        let mut streams = Vec::new();
        for (column, watched) in reference.columns.iter().enumerate() {
            let mut add = |shape: bool, indicators: Indicators, bank: Bank| {
                let share = if shape {
                    SHAPE_SHARE
                } else {
                    1.0 - SHAPE_SHARE
                };
                streams.push(Stream {
                    weight: each * share,
                    column,
                    shape,
                    indicators,
                    state: BankState::new(&bank),
                    bank,
                    latch: Latch::default(),
                });
            };
            let (indicators, bank) = shape(watched, tolerance);
            add(true, indicators, bank);
            let (indicators, bank) = quality(watched);
            add(false, indicators, bank);
        }
        Self { streams, threshold }
    }

    /// Takes in a pane; true if it raises an alarm.
    pub(crate) fn step(&mut self, pane: &[ColumnSummary]) -> bool {
        for stream in &mut self.streams {
            let mut tally = Tally::new(stream.indicators.len());
            let summary = &pane[stream.column];
            match (stream.shape, summary) {
                (true, ColumnSummary::Numeric(s)) => stream.indicators.read(&s.counts, &mut tally),
                (true, ColumnSummary::Categorical(s)) => {
                    stream.indicators.read(&s.counts, &mut tally);
                }
                _ => rates(summary, &mut tally),
            }
            let refresh = self.threshold / stream.weight;
            let state = &mut stream.state;
            stream
                .latch
                .step(&stream.bank, state, &tally, refresh, CLEAR_EVIDENCE);
        }
        let weigh = |stream: &Stream| match stream.latch.is_watching() {
            true => stream.weight * stream.state.evidence(),
            false => 0.0,
        };
        let weighted: Vec<f64> = self.streams.iter().map(weigh).collect();
        let named = decide(&weighted, self.threshold);
        for place in &named {
            let stream = &mut self.streams[*place];
            stream.latch.latch(&stream.bank, &mut stream.state);
        }
        !named.is_empty()
    }
}

fn shape(watched: &Watched, tolerance: f64) -> (Indicators, Bank) {
    let (indicators, counts) = match &watched.profile {
        ColumnProfile::Numeric(profile) => {
            let counts = &profile.reference().counts;
            (Indicators::ordered(counts), counts.clone())
        }
        ColumnProfile::Categorical(profile) => {
            let counts = &profile.reference().counts;
            (Indicators::categories(counts), counts.clone())
        }
        _ => (Indicators::rates(0), Vec::new()),
    };
    let mut tally = Tally::new(indicators.len());
    indicators.read(&counts, &mut tally);
    let options = BankOptions {
        tolerance,
        ..BankOptions::default()
    };
    let bank = Bank::new(&indicators, &tally, &options);
    (indicators, bank)
}

fn quality(watched: &Watched) -> (Indicators, Bank) {
    let reference = watched.profile.reference();
    let options = BankOptions {
        tolerance: QUALITY_TOLERANCE,
        ..BankOptions::default()
    };
    let mut bounds = Vec::new();
    let indicators = Indicators::rates(match &watched.profile {
        ColumnProfile::Categorical(profile) => {
            let valid = profile.reference().valid();
            let unseen = RateBounds::unseen(profile.singletons(), valid, options.reference_sigmas);
            bounds = vec![None, None, Some(unseen)];
            3
        }
        _ => 4,
    });
    let mut tally = Tally::new(indicators.len());
    rates(&reference, &mut tally);
    let bank = Bank::new_with_bounds(&indicators, &tally, &bounds, &options);
    (indicators, bank)
}

/// Missing and invalid of all rows; of the valid ones, those outside the range or unseen.
fn rates(summary: &ColumnSummary, into: &mut Tally) {
    let rows = summary.rows();
    let pairs = match summary {
        ColumnSummary::Numeric(s) => {
            let valid = s.valid();
            let invalid = s.invalid();
            vec![
                (s.missing, rows),
                (invalid, rows),
                (s.below_min, valid),
                (s.above_max, valid),
            ]
        }
        ColumnSummary::Categorical(s) => {
            vec![
                (s.missing, rows),
                (s.wrong_type, rows),
                (s.unseen, s.valid()),
            ]
        }
        _ => Vec::new(),
    };
    for (place, (hits, trials)) in pairs.into_iter().enumerate() {
        into.hits[place] = hits as f64;
        into.trials[place] = trials as f64;
    }
}
