//! KSWIN, Kolmogorov–Smirnov windowing.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::options::checked;
use super::usable;
use super::{AfterDrift, Compat, Options, Parameter, ParameterError, SequentialDetector, Signal};

/// Parameters of [`Kswin`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KswinOptions {
    /// Significance of one look (α).
    pub alpha: f64,
    /// Values in the window (n).
    pub window_size: u64,
    /// Newest values, and as many drawn from the older ones (r).
    pub stat_size: u64,
    /// Seed of the drawing.
    pub seed: u64,
    /// How a distance is judged: not a named parameter.
    pub test: KswinTest,
    /// What is kept after a drift: not a named parameter, nothing in river's form.
    pub after_drift: AfterDrift,
}

/// When a distance D of two samples of r values is a drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KswinTest {
    /// The paper's bound: D > √(−ln(α)/r).
    Bound,
    /// River's: the exact two-sided p-value is at most α, and D exceeds 0.1 besides.
    PValue,
}

impl Default for KswinOptions {
    /// The form of the paper.
    fn default() -> Self {
        Self {
            alpha: 0.005,
            window_size: 100,
            stat_size: 30,
            seed: 1,
            test: KswinTest::Bound,
            after_drift: AfterDrift::Recent,
        }
    }
}

impl Options for KswinOptions {
    const DETECTOR: &'static str = "kswin";

    fn defaults(compat: Compat) -> Option<Self> {
        let (test, after_drift) = match compat {
            Compat::River => (KswinTest::PValue, AfterDrift::Nothing),
            Compat::Paper => (KswinTest::Bound, AfterDrift::Recent),
            Compat::Moa | Compat::Frouros => return None,
        };
        Some(Self {
            test,
            after_drift,
            ..Self::default()
        })
    }

    fn parameters(&mut self) -> Vec<Parameter<'_>> {
        vec![
            Parameter::number(
                "alpha",
                &mut self.alpha,
                [1e-100, 1.0],
                "significance of one look",
            ),
            Parameter::count(
                "window_size",
                &mut self.window_size,
                [2, 100_000],
                "values in the window",
            ),
            Parameter::count(
                "stat_size",
                &mut self.stat_size,
                [1, 10_000],
                "newest values, and as many drawn from the older ones",
            ),
            Parameter::count(
                "seed",
                &mut self.seed,
                [0, u64::MAX],
                "seed of the drawing; one seed always draws the same",
            ),
        ]
    }

    fn conflict(&self) -> Option<&'static str> {
        (2 * self.stat_size > self.window_size)
            .then_some("`stat_size` must be at most half of `window_size`")
    }
}

/// KSWIN: the newest values against a sample of the older ones in the window, by Kolmogorov and Smirnov.
///
/// **Formula.** Once there are `window_size` values, at each value r = `stat_size` of all but the newest r are drawn without
/// repetition, and their distribution function is compared with that of the newest r. D is the largest difference;
/// see [`KswinTest`] for what is a drift. There is no warning.
///
/// **Randomness.** The draws come from a generator (SplitMix64) that is part of the state: the same seed and values give the
/// same signals, and a snapshot goes on with the same draws. Indices are drawn by a partial Fisher–Yates shuffle, each
/// by the upper 32 bits of the generator times what is left, divided by 2³². A drift starts the
/// generator again from its seed.
///
/// **Assumes** independent values from a continuous distribution; on 0 and 1 it does little. **When not to use it.** As
/// an alarm: α is the error of one look, and there is a look at each value. It costs a sort of 2r values each time.
///
/// **Parity.** `river`: `river.drift.KSWIN` with its draws replaced by those above, for its own come from Python's
/// generator. River fires only if D > 0.1 besides, which no page of it says; and it forgets the whole window at a
/// drift, though its code means to keep the newest values. In the form of `paper` there is no such bound, and the
/// newest r values are kept.
///
/// **Paper.** C. Raab, M. Heusinger, F.-M. Schleif: Reactive soft prototype computing for concept drift streams.
/// Neurocomputing 416, 2020.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Snapshot")]
pub struct Kswin {
    options: KswinOptions,
    window: VecDeque<f64>,
    /// State of the generator.
    random: u64,
    skipped: u64,
    /// Least r·D that is a drift; more than r if there is none.
    #[serde(skip)]
    critical: u64,
    #[serde(skip)]
    scratch: Scratch,
}

/// Room that is used anew at each look.
#[derive(Clone, Debug, Default)]
struct Scratch {
    /// 0, 1, 2, … between looks.
    indices: Vec<u32>,
    swaps: Vec<u32>,
    older: Vec<f64>,
    newer: Vec<f64>,
}

impl PartialEq for Scratch {
    /// It holds nothing from one look to the next.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Kswin {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If a parameter is outside its range, or `stat_size` exceeds half of `window_size`.
    pub fn new(options: KswinOptions) -> Result<Self, ParameterError> {
        options.check()?;
        let older = options.window_size - options.stat_size;
        Ok(Self {
            window: VecDeque::with_capacity(options.window_size as usize),
            random: options.seed,
            skipped: 0,
            critical: critical(&options),
            scratch: Scratch {
                indices: (0..older as u32).collect(),
                ..Scratch::default()
            },
            options,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn options(&self) -> &KswinOptions {
        &self.options
    }

    /// Draws indices of older values by swapping them to the front of `indices`, then puts everything back.
    fn draw(&mut self) {
        let Scratch {
            indices,
            swaps,
            older,
            ..
        } = &mut self.scratch;
        swaps.clear();
        older.clear();
        for i in 0..self.options.stat_size as usize {
            let left = (indices.len() - i) as u64;
            let j = i + (((next(&mut self.random) >> 32) * left) >> 32) as usize;
            indices.swap(i, j);
            swaps.push(j as u32);
            older.push(self.window[indices[i] as usize]);
        }
        for (i, j) in swaps.iter().enumerate().rev() {
            indices.swap(i, *j as usize);
        }
    }

    /// Whether the newest values differ from a sample of the older ones.
    fn look(&mut self) -> bool {
        self.draw();
        let Scratch { older, newer, .. } = &mut self.scratch;
        let first = self.window.len() - self.options.stat_size as usize;
        newer.clear();
        newer.extend(self.window.range(first..));
        older.sort_unstable_by(f64::total_cmp);
        newer.sort_unstable_by(f64::total_cmp);
        largest_difference(older, newer) >= self.critical
    }
}

impl SequentialDetector for Kswin {
    fn update(&mut self, value: f64) -> Signal {
        if !usable(value) {
            self.skipped = self.skipped.saturating_add(1);
            return Signal::Stable;
        }
        if self.window.len() as u64 == self.options.window_size {
            self.window.pop_front();
        }
        // So that −0 and 0, which are the same value, are sorted as such.
        self.window.push_back(value + 0.0);
        if (self.window.len() as u64) < self.options.window_size || !self.look() {
            return Signal::Stable;
        }
        let kept = match self.options.after_drift {
            AfterDrift::Nothing => 0,
            AfterDrift::Recent => self.options.stat_size as usize,
        };
        self.window.drain(..self.window.len() - kept);
        self.random = self.options.seed;
        Signal::Drift
    }

    fn reset(&mut self) {
        self.window.clear();
        self.random = self.options.seed;
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// n times the largest difference of the distribution functions of two sorted samples of n values.
fn largest_difference(a: &[f64], b: &[f64]) -> u64 {
    let (mut i, mut j, mut largest) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        let at = a[i].min(b[j]);
        while a.get(i) == Some(&at) {
            i += 1;
        }
        while b.get(j) == Some(&at) {
            j += 1;
        }
        largest = largest.max(i.abs_diff(j));
    }
    largest as u64
}

/// The least r·D that is a drift; r + 1 if there is none.
fn critical(options: &KswinOptions) -> u64 {
    let r = options.stat_size;
    let is_drift = |h: u64| {
        let distance = h as f64 / r as f64;
        match options.test {
            KswinTest::Bound => distance > (-libm::log(options.alpha) / r as f64).sqrt(),
            KswinTest::PValue => distance > 0.1 && p_value(r, h) <= options.alpha,
        }
    };
    // Both grow with the distance, so that a bisection finds the border.
    let (mut below, mut above) = (0, r + 1);
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        if is_drift(middle) {
            above = middle;
        } else {
            below = middle;
        }
    }
    above
}

/// Exact probability that two samples of n values from one continuous distribution are at least h/n apart.
///
/// By reflection it is 2·Σ (−1)^(k−1)·C(2n, n − kh)/C(2n, n) over k = 1, 2, … (Gnedenko and Korolyuk). The sum is taken as
/// scipy takes it, from the inside: P ← x_k·(1 − P) with x_k the ratio of neighbouring terms.
fn p_value(n: u64, h: u64) -> f64 {
    if h == 0 {
        return 1.0;
    }
    let (n, h) = (n as f64, h as f64);
    let mut p = 0.0;
    let mut k = (n / h).floor();
    while k >= 0.0 {
        let mut ratio = 1.0;
        let mut j = 0.0;
        while j < h {
            ratio *= (n - k * h - j) / (n + k * h + j + 1.0);
            j += 1.0;
        }
        p = ratio * (1.0 - p);
        k -= 1.0;
    }
    2.0 * p
}

/// What a snapshot holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    #[serde(deserialize_with = "checked")]
    options: KswinOptions,
    window: VecDeque<f64>,
    random: u64,
    skipped: u64,
}

impl TryFrom<Snapshot> for Kswin {
    type Error = ParameterError;

    fn try_from(snapshot: Snapshot) -> Result<Self, Self::Error> {
        let mut kswin = Self::new(snapshot.options)?;
        let problem = |problem| ParameterError::Together { problem };
        if snapshot.window.len() as u64 > kswin.options.window_size {
            return Err(problem("the snapshot has more values than `window_size`"));
        }
        if !snapshot.window.iter().copied().all(usable) {
            return Err(problem(
                "the snapshot has a value that would have been skipped",
            ));
        }
        kswin.window.extend(snapshot.window);
        (kswin.random, kswin.skipped) = (snapshot.random, snapshot.skipped);
        Ok(kswin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_p_values_are_those_of_scipy() {
        // scipy 1.17.1: ks_2samp on samples that are h apart.
        for (n, h, p) in [
            (30, 4, 0.9578462903438838),
            (30, 13, 0.006548396368058784),
            (30, 30, 1.6911233892144742e-17),
            (20, 9, 0.0335416594061465),
            (50, 17, 0.005841778142694731),
            (7, 3, 0.5751748251748252),
            (1, 1, 1.0),
            (1000, 90, 0.0006029005665324465),
        ] {
            assert!(
                (p_value(n, h) / p - 1.0).abs() < 1e-12,
                "{n} {h}: {}",
                p_value(n, h)
            );
        }
    }

    #[test]
    fn differences_count_ties_once() {
        assert_eq!(largest_difference(&[0.0, 0.0, 1.0], &[0.0, 1.0, 1.0]), 1);
        assert_eq!(largest_difference(&[0.0, 1.0], &[2.0, 3.0]), 2);
        assert_eq!(largest_difference(&[1.0, 1.0], &[1.0, 1.0]), 0);
    }

    #[test]
    fn a_look_leaves_the_indices_in_order() {
        let mut kswin = Kswin::new(KswinOptions::default()).unwrap();
        for i in 0..150_u32 {
            kswin.update(f64::from(i * 31 % 17));
        }
        assert!(kswin.scratch.indices.iter().copied().eq(0..70));
    }

    #[test]
    fn the_paper_keeps_the_newest_values() {
        for (compat, left) in [(Compat::River, 0), (Compat::Paper, 30)] {
            let mut kswin = Kswin::new(KswinOptions::defaults(compat).unwrap()).unwrap();
            let drift = (0..300_u32).any(|i| {
                let value = f64::from(i % 10) + if i < 150 { 0.0 } else { 20.0 };
                kswin.update(value) == Signal::Drift
            });
            assert!(drift);
            assert_eq!(kswin.window.len(), left);
        }
    }
}
