//! The indicator bank on a plain stream of numbers.

use driftline_detect::bank::{Bank, BankOptions, BankState, Indicators, Tally, decide};
use driftline_detect::sequential::{
    Compat, Options, Parameter, ParameterError, SequentialDetector, Signal, VALUE_MAX,
};
use driftline_event::ColumnRole;
use driftline_sketch::{
    ColumnProfile, NumericProfile, NumericSummary, ProfileOptions, ReferenceBuilder,
};

/// The name of the detector on the command line.
pub(super) const NAME: &str = "bank";
/// A warning is an alarm of the same bank at so many times the budget.
const WARNING_BUDGETS: f64 = 10.0;
const MILLION: f64 = 1e6;

/// Parameters of [`BankDetector`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BankDetectorOptions {
    /// Values that the others are compared with: the first ones, and after a drift the first ones again.
    reference: u64,
    /// False alarms to expect at most in a million values.
    alarms_per_million: f64,
    /// The smallest change that matters, as Cohen's h.
    tolerance: f64,
    /// For how many standard deviations of the reference's own error to allow.
    reference_sigmas: f64,
    /// Values of a step.
    step: u64,
}

impl Default for BankDetectorOptions {
    fn default() -> Self {
        let bank = BankOptions::default();
        Self {
            reference: 1_000,
            alarms_per_million: 1.0,
            tolerance: bank.tolerance,
            reference_sigmas: bank.reference_sigmas,
            step: 1,
        }
    }
}

impl BankDetectorOptions {
    pub(super) fn reference(&self) -> u64 {
        self.reference
    }
}

impl Options for BankDetectorOptions {
    const DETECTOR: &'static str = NAME;

    fn defaults(compat: Compat) -> Option<Self> {
        (compat == Compat::Paper).then(Self::default)
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        vec![
            Parameter::count(
                "reference",
                &mut self.reference,
                [20, 1_000_000],
                "first values, which the others are compared with; and again after a drift",
            ),
            Parameter::number(
                "alarms_per_million",
                &mut self.alarms_per_million,
                [1e-6, 1e5],
                "false alarms to expect at most in a million values",
            ),
            Parameter::number(
                "tolerance",
                &mut self.tolerance,
                [0.0, 3.0],
                "smallest change of a share that matters, as Cohen's h",
            ),
            Parameter::number(
                "reference_sigmas",
                &mut self.reference_sigmas,
                [0.0, 10.0],
                "standard deviations of the reference's own error to allow for",
            ),
            Parameter::count(
                "step",
                &mut self.step,
                [1, 1_000_000],
                "values of a step: fewer see sooner, more take less time",
            ),
        ]
    }
}

/// What it does with the values.
#[derive(Debug)]
enum Stage {
    /// Keeps them for the reference.
    Learning(Vec<f64>),
    /// Compares them with it.
    Watching(Box<Watch>),
}

/// The bank of [`driftline_detect::bank`] as a detector of one stream: the first values are the reference, and all
/// later ones are judged by their bins.
///
/// With `alarms_per_million` = a and steps of s values the threshold c is 10⁶/(a·s) steps, so that at most a false alarms
/// are expected in a million values, if these are independent and the reference is representative to `reference_sigmas`.
/// Evidence of c/10 is a warning. After a drift the next values are a new reference.
#[derive(Debug)]
pub(super) struct BankDetector {
    options: BankDetectorOptions,
    stage: Stage,
    skipped: u64,
}

impl BankDetector {
    pub(super) fn new(options: BankDetectorOptions) -> Result<Self, ParameterError> {
        options.check()?;
        Ok(Self {
            options,
            stage: Stage::Learning(Vec::new()),
            skipped: 0,
        })
    }

    pub(super) fn options(&self) -> &BankDetectorOptions {
        &self.options
    }

    /// Values of the reference that have not come yet.
    pub(super) fn missing(&self) -> u64 {
        match &self.stage {
            Stage::Learning(values) => self.options.reference - values.len() as u64,
            Stage::Watching(_) => 0,
        }
    }
}

impl SequentialDetector for BankDetector {
    fn update(&mut self, value: f64) -> Signal {
        // NaN is not within the range either.
        let usable = value.abs() <= VALUE_MAX;
        if !usable {
            self.skipped += 1;
            return Signal::Stable;
        }
        let signal = match &mut self.stage {
            Stage::Watching(watch) => watch.update(value),
            Stage::Learning(values) => {
                values.push(value);
                if values.len() as u64 >= self.options.reference {
                    let watch = Watch::new(std::mem::take(values), &self.options);
                    self.stage = Stage::Watching(Box::new(watch));
                }
                Signal::Stable
            }
        };
        if signal == Signal::Drift {
            self.reset();
        }
        signal
    }

    fn reset(&mut self) {
        self.stage = Stage::Learning(Vec::new());
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

/// A reference, and the evidence against it.
#[derive(Debug)]
struct Watch {
    profile: Option<NumericProfile>,
    indicators: Indicators,
    bank: Bank,
    state: BankState,
    pane: NumericSummary,
    tally: Tally,
    step: u64,
    in_step: u64,
    threshold: f64,
    signal: Signal,
}

impl Watch {
    fn new(reference: Vec<f64>, options: &BankDetectorOptions) -> Self {
        let profile = profile(reference);
        let counts = profile.as_ref().map(|p| p.reference().counts.clone());
        let counts = counts.unwrap_or_default();
        let indicators = Indicators::ordered(&counts);
        let mut tally = Tally::default();
        indicators.read(&counts, &mut tally);
        let threshold = MILLION / (options.alarms_per_million * options.step as f64);
        let bank = BankOptions {
            tolerance: options.tolerance,
            reference_sigmas: options.reference_sigmas,
            horizon: threshold,
            ..BankOptions::default()
        };
        let bank = Bank::new(&indicators, &tally, &bank);
        Self {
            pane: profile
                .as_ref()
                .map(NumericProfile::empty_summary)
                .unwrap_or_default(),
            state: BankState::new(&bank),
            profile,
            indicators,
            bank,
            tally,
            step: options.step,
            in_step: 0,
            threshold,
            signal: Signal::Stable,
        }
    }

    fn update(&mut self, value: f64) -> Signal {
        let Some(profile) = &self.profile else {
            return Signal::Stable;
        };
        profile.add_column(&[value], &mut self.pane);
        self.in_step += 1;
        if self.in_step >= self.step {
            self.in_step = 0;
            self.indicators.read(&self.pane.counts, &mut self.tally);
            self.pane = profile.empty_summary();
            self.state.step(&self.bank, &self.tally);
            let evidence = [self.state.evidence()];
            let alarm = |threshold: f64| !decide(&evidence, threshold).is_empty();
            self.signal = match (
                alarm(self.threshold),
                alarm(self.threshold / WARNING_BUDGETS),
            ) {
                (true, _) => Signal::Drift,
                (false, true) => Signal::Warning,
                (false, false) => Signal::Stable,
            };
        }
        self.signal
    }
}

/// The bins of these values. They are finite, so there is always a profile.
fn profile(values: Vec<f64>) -> Option<NumericProfile> {
    let mut builder = ReferenceBuilder::new(NAME, NAME, ProfileOptions::default());
    builder.numeric("value", ColumnRole::Feature, values).ok()?;
    let mut columns = builder.build().ok()?.columns;
    match columns.pop()?.profile {
        ColumnProfile::Numeric(profile) => Some(profile),
        _ => None,
    }
}
