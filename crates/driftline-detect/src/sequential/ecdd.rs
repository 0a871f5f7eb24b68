//! ECDD, the EWMA chart for concept drift.

use serde::{Deserialize, Serialize};

use super::level::{lambda, min_num_instances};
use super::options::checked;
use super::{
    Choice, Compat, Options, Parameter, ParameterError, SequentialDetector, Signal, Slot, usable,
};

/// The average run lengths that the paper has limits for: values to the first false alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AverageRunLength {
    /// 100 values.
    #[serde(rename = "100")]
    Hundred,
    /// 400 values.
    #[default]
    #[serde(rename = "400")]
    FourHundred,
    /// 1,000 values.
    #[serde(rename = "1000")]
    Thousand,
}

impl AverageRunLength {
    const ALL: [Self; 3] = [Self::Hundred, Self::FourHundred, Self::Thousand];

    /// The coefficients of 1, p, p³, p⁵ and p⁷ in the limit L(p).
    fn coefficients(self) -> [f64; 5] {
        match self {
            Self::Hundred => [2.76, -6.23, 18.12, -312.45, 1002.18],
            Self::FourHundred => [3.97, -6.56, 48.73, -330.13, 848.18],
            Self::Thousand => [1.17, 7.56, -21.24, 112.12, -987.23],
        }
    }

    /// L(p), in standard deviations of z.
    fn limit(self, p: f64) -> f64 {
        let [one, p1, p3, p5, p7] = self.coefficients();
        let square = p * p;
        let (cube, fifth) = (square * p, square * square * p);
        one + p1 * p + p3 * cube + p5 * fifth + p7 * (fifth * square)
    }
}

impl Choice for AverageRunLength {
    fn words(&self) -> &'static [&'static str] {
        &["100", "400", "1000"]
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Hundred => "100",
            Self::FourHundred => "400",
            Self::Thousand => "1000",
        }
    }

    fn choose(&mut self, word: &str) -> bool {
        let found = Self::ALL.into_iter().find(|length| length.word() == word);
        found.map(|length| *self = length).is_some()
    }
}

/// Parameters of [`Ecdd`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EcddOptions {
    /// Whose first test, parameters and names.
    pub compat: Compat,
    /// Values before the first test.
    pub min_num_instances: u64,
    /// The weight of the newest value (λ). The paper's limits are for 0.2.
    pub lambda: f64,
    /// The paper's average run length; MOA has only 400.
    pub average_run_length: AverageRunLength,
    /// The share of the limit that is a warning; MOA has only 0.5.
    pub warning_level: f64,
}

impl Default for EcddOptions {
    fn default() -> Self {
        Self {
            compat: Compat::Paper,
            min_num_instances: 30,
            lambda: 0.2,
            average_run_length: AverageRunLength::FourHundred,
            warning_level: 0.5,
        }
    }
}

impl Options for EcddOptions {
    const DETECTOR: &'static str = "ecdd";

    fn defaults(compat: Compat) -> Option<Self> {
        (compat != Compat::River).then(|| Self {
            compat,
            ..Self::default()
        })
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        let compat = self.compat;
        let mut parameters = vec![
            min_num_instances(compat, &mut self.min_num_instances),
            Parameter::number(
                lambda(compat),
                &mut self.lambda,
                [0.0, 1.0],
                "weight of the newest value; the limits are for 0.2",
            ),
        ];
        if compat != Compat::Moa {
            let meaning = "values to a false alarm, by the paper; see the detector's page";
            parameters.push(Parameter {
                name: "average_run_length",
                meaning,
                slot: Slot::Choice(&mut self.average_run_length),
            });
            parameters.push(Parameter::number(
                "warning_level",
                &mut self.warning_level,
                [0.0, 1.0],
                "share of the limit that is a warning",
            ));
        }
        parameters
    }
}

/// ECDD: a moving average of the errors leaves the error rate.
///
/// **Formula.** With p the error rate of all n values so far and z ← (1 − `lambda`)·z + `lambda`·x from 0 on,
/// σ = √(p(1 − p)·λ/(2 − λ)·(1 − (1 − λ)²ⁿ)). Once there are `min_num_instances` values, z > p + L(p)·σ is a drift and
/// z > p + `warning_level`·L(p)·σ a warning. L is the paper's polynomial for the average run length: with 400,
/// L(p) = 3.97 − 6.56p + 48.73p³ − 330.13p⁵ + 848.18p⁷.
///
/// **Assumes** independent errors, `lambda` = 0.2, and an error rate of at most about 0.3. **When not to use it.** As an alarm:
/// one false alarm in about 400 errors and hits is what it is made for. The polynomials as published do not even keep that.
/// In a simulation of 400 quiet streams the mean number of values to the first alarm was, with the test from the 30th value:
///
/// | p | `100` | `400` | `1000` |
/// | --- | --- | --- | --- |
/// | 0.01 | 133 | 199 | 124 |
/// | 0.05 | 103 | 284 | 66 |
/// | 0.1 | 83 | 325 | 89 |
/// | 0.2 | 52 | 363 | 230 |
/// | 0.3 | 39 | 402 | 570 |
/// | 0.4 | 34 | 438 | 127 |
/// | 0.5 | 72 | over 5,000 | 37 |
///
/// **Parity.** `moa`: `EWMAChartDM`, which has only the polynomial of 400, takes p as the sum over n, and has its first
/// warning (but not drift) one value sooner, after `minNumInstances` − 1; `frouros`: `ECDDWT`, started afresh after each
/// drift, which Frouros leaves to its caller. `paper` is as Frouros.
///
/// **Paper.** G. J. Ross, N. M. Adams, D. K. Tasoulis, D. J. Hand: Exponentially weighted moving average charts for detecting
/// concept drift. Pattern Recognition Letters 33, 2012.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ecdd {
    #[serde(deserialize_with = "checked")]
    options: EcddOptions,
    n: u64,
    /// The sum of the values for `moa`, else their mean.
    errors: f64,
    /// z.
    average: f64,
    /// (1 − λ)²ⁿ.
    settling: f64,
    skipped: u64,
}

impl Ecdd {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range.
    pub fn new(options: EcddOptions) -> Result<Self, ParameterError> {
        options.check()?;
        Ok(Self {
            options,
            n: 0,
            errors: 0.0,
            average: 0.0,
            settling: 1.0,
            skipped: 0,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &EcddOptions {
        &self.options
    }

    /// The moving average z.
    #[must_use]
    pub fn average(&self) -> f64 {
        self.average
    }

    /// Takes the value into z and p; p.
    fn add(&mut self, value: f64) -> f64 {
        let lambda = self.options.lambda;
        self.n = self.n.saturating_add(1);
        self.settling *= (1.0 - lambda) * (1.0 - lambda);
        if self.options.compat == Compat::Moa {
            self.errors += value;
            self.average += lambda * (value - self.average);
            return self.errors / self.n as f64;
        }
        self.errors += (value - self.errors) / self.n as f64;
        self.average = lambda * value + (1.0 - lambda) * self.average;
        self.errors
    }
}

impl SequentialDetector for Ecdd {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        let p = self.add(value);
        let EcddOptions {
            compat,
            min_num_instances,
            lambda,
            average_run_length,
            warning_level,
        } = self.options;
        let ahead = u64::from(compat == Compat::Moa);
        if self.n.saturating_add(ahead) < min_num_instances {
            return Signal::Stable;
        }
        let variance = p * (1.0 - p) * lambda * (1.0 - self.settling) / (2.0 - lambda);
        // NaN where p is no rate: then no comparison holds, as in the references.
        let reach = average_run_length.limit(p) * variance.sqrt();
        if self.n >= min_num_instances && self.average > p + reach {
            self.reset();
            return Signal::Drift;
        }
        Signal::of(false, self.average > p + warning_level * reach)
    }

    fn reset(&mut self) {
        (self.n, self.errors) = (0, 0.0);
        (self.average, self.settling) = (0.0, 1.0);
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
