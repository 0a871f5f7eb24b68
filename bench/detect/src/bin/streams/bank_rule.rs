//! The bank e-detector as the engine runs it: two streams a column, one budget, latches.

use std::time::Duration;

use driftline_detect::bank::{
    Bank, BankOptions, BankState, Indicators, Latch, RateBounds, Tally, decide,
};
use driftline_detect::calibration::{CalibrationOptions, HistoryPane, calibrate_stream};
use driftline_event::{Season, Timestamp};
use driftline_sketch::{ColumnProfile, ColumnSummary};

use crate::rules::PANE;
use crate::stream::Table;
use crate::watch::{Reference, Watched};

/// A column's share of its weight that goes to the shape of its values; the rest goes to their quality.
const SHAPE_SHARE: f64 = 0.75;
/// Tolerance of shapes without a calibration, as Cohen's h.
const TOLERANCE: f64 = 0.1;
/// Tolerance of quality rates, and of shapes where a calibration says what is harmless besides.
const QUALITY_TOLERANCE: f64 = 0.05;
/// Return evidence that ends an alert.
const CLEAR_EVIDENCE: f64 = 1_000.0;
/// Streams without times are calibrated as if so many events came in an hour.
const EVENTS_PER_HOUR: usize = 1_000;

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
    /// With a threshold c: at most one false alarm in c panes is expected. With `history`, calibrated on the
    /// reference's own rows in it.
    pub(crate) fn new(reference: &Reference, threshold: f64, history: Option<&Table>) -> Self {
        let each = 1.0 / reference.columns.len().max(1) as f64;
        let mut streams = Vec::new();
        let panes = history.map(|table| panes(reference, table));
        for (column, watched) in reference.columns.iter().enumerate() {
            for shape in [true, false] {
                let share = if shape {
                    SHAPE_SHARE
                } else {
                    1.0 - SHAPE_SHARE
                };
                let weight = each * share;
                let judged = Judged::new(watched, shape);
                let mut options = BankOptions {
                    tolerance: if shape { TOLERANCE } else { QUALITY_TOLERANCE },
                    ..BankOptions::default()
                };
                if let Some(panes) = &panes {
                    let from = reference.history(watched).start;
                    let panes = panes.iter().filter(|(start, _)| *start >= from);
                    let panes = panes.map(|(start, pane)| (*start, &pane[column]));
                    options = judged.calibrate(panes, threshold / weight);
                }
                streams.push(judged.watch(column, weight, &options));
            }
        }
        Self { streams, threshold }
    }

    /// Takes in a pane; the columns that it raises an alarm about.
    pub(crate) fn step(&mut self, pane: &[ColumnSummary]) -> Vec<usize> {
        for stream in &mut self.streams {
            let tally = tally(&stream.indicators, stream.shape, &pane[stream.column]);
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
        let mut columns = Vec::new();
        for place in decide(&weighted, self.threshold) {
            let stream = &mut self.streams[place];
            stream.latch.latch(&stream.bank, &mut stream.state);
            columns.push(stream.column);
        }
        columns
    }
}

/// The reference's own panes, and the row that each starts with.
fn panes(reference: &Reference, table: &Table) -> Vec<(usize, Vec<ColumnSummary>)> {
    let starts = reference.rows.clone().step_by(PANE);
    let whole = starts.filter(|start| start + PANE <= reference.rows.end);
    let see = |start| (start, reference.pane(table, start..start + PANE));
    whole.map(see).collect()
}

/// One stream of a column before its bank is made.
struct Judged {
    shape: bool,
    indicators: Indicators,
    reference: Tally,
    bounds: Vec<Option<RateBounds>>,
}

impl Judged {
    fn new(watched: &Watched, shape: bool) -> Self {
        let summary = watched.profile.reference();
        let mut bounds = Vec::new();
        let indicators = match (&watched.profile, shape) {
            (ColumnProfile::Numeric(p), true) => Indicators::ordered(&p.reference().counts),
            (ColumnProfile::Categorical(p), true) => Indicators::categories(&p.reference().counts),
            (ColumnProfile::Categorical(profile), false) => {
                let valid = profile.reference().valid();
                let sigmas = BankOptions::default().reference_sigmas;
                let unseen = RateBounds::unseen(profile.singletons(), valid, sigmas);
                bounds = vec![None, None, Some(unseen)];
                Indicators::rates(3)
            }
            (ColumnProfile::Numeric(_), false) => Indicators::rates(4),
            _ => Indicators::rates(0),
        };
        let reference = tally(&indicators, shape, &summary);
        Self {
            shape,
            indicators,
            reference,
            bounds,
        }
    }

    /// How the stream is to be judged, as its own history says.
    fn calibrate<'a>(
        &self,
        panes: impl Iterator<Item = (usize, &'a ColumnSummary)>,
        threshold: f64,
    ) -> BankOptions {
        let micros = 3_600_000_000 / EVENTS_PER_HOUR;
        let panes = panes.map(|(start, pane)| HistoryPane {
            start: Timestamp::from_micros((start * micros) as i64),
            tally: tally(&self.indicators, self.shape, pane),
        });
        let panes: Vec<HistoryPane> = panes.collect();
        let options = CalibrationOptions {
            pane: Duration::from_micros((PANE * micros) as u64),
            seasons: vec![Season::None],
            threshold,
            bounds: self.bounds.clone(),
            ..CalibrationOptions::default()
        };
        let fit = calibrate_stream(&panes, &self.indicators, Some(&self.reference), &options);
        let plain = fit.season(Season::None);
        plain.map_or(options.bank.clone(), |season| {
            season.bank_options(fit.dispersion, &options.bank)
        })
    }

    fn watch(self, column: usize, weight: f64, options: &BankOptions) -> Stream {
        let bank = Bank::new_with_bounds(&self.indicators, &self.reference, &self.bounds, options);
        Stream {
            weight,
            column,
            shape: self.shape,
            indicators: self.indicators,
            state: BankState::new(&bank),
            bank,
            latch: Latch::default(),
        }
    }
}

fn tally(indicators: &Indicators, shape: bool, summary: &ColumnSummary) -> Tally {
    let mut tally = Tally::new(indicators.len());
    match (shape, summary) {
        (true, ColumnSummary::Numeric(s)) => indicators.read(&s.counts, &mut tally),
        (true, ColumnSummary::Categorical(s)) => indicators.read(&s.counts, &mut tally),
        _ => rates(summary, &mut tally),
    }
    tally
}

/// Missing and invalid of all rows; of the valid ones, those outside the range or unseen.
fn rates(summary: &ColumnSummary, into: &mut Tally) {
    let rows = summary.rows();
    let pairs = match summary {
        ColumnSummary::Numeric(s) => {
            let valid = s.valid();
            vec![
                (s.missing, rows),
                (s.invalid(), rows),
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
