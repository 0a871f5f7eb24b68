//! How history would fare: its days reshuffled into months, judged by the calibrated banks.

use std::collections::BTreeMap;

use driftline_event::Season;

use super::history::{HOUR_MICROS, HistoryPane, day_of};
use super::{poisson_lower, poisson_upper};
use crate::bank::{Bank, Passage};

/// How months are made of days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BootstrapOptions {
    /// How many months.
    pub months: usize,
    /// How many days each has.
    pub days_per_month: usize,
    /// Hours whose largest evidence is taken for the evidence of all of them, a divisor of 24: a bound from above.
    pub interval_hours: usize,
    /// Seeds the choice of days.
    pub seed: u64,
}

impl Default for BootstrapOptions {
    /// 100 months of 30 days, six hours at a time.
    fn default() -> Self {
        Self {
            months: 100,
            days_per_month: 30,
            interval_hours: 6,
            seed: 1,
        }
    }
}

/// What came of the months.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Alarms in all months.
    pub alarms: u64,
    /// How many months.
    pub months: usize,
    /// Months without an alarm.
    pub quiet_months: usize,
    /// The largest weighted sum of evidence, as a bound from above.
    pub evidence_peak: f64,
    /// The streams with the most evidence in any alarm, ascending: whose bands are too narrow.
    pub blamed: Vec<usize>,
}

impl Outcome {
    /// Alarms a month.
    pub fn per_month(&self) -> f64 {
        self.alarms as f64 / self.months.max(1) as f64
    }

    /// The two-sided 95 % interval of alarms a month, as if the months were independent.
    pub fn interval(&self) -> (f64, f64) {
        let months = self.months.max(1) as f64;
        (
            poisson_lower(self.alarms, 0.025) / months,
            poisson_upper(self.alarms, 0.025) / months,
        )
    }

    /// The one-sided 95 % upper limit of alarms a month.
    pub fn at_most(&self) -> f64 {
        poisson_upper(self.alarms, 0.05) / self.months.max(1) as f64
    }
}

/// A block bootstrap of whole days. All streams live through the same days, so what they have in common stays.
///
/// Streams are taken one after the other, and of each only the largest evidence in every interval is kept. The sum of
/// these is at least the largest sum, so alarms are counted from above. A stream whose own evidence is an alarm starts from
/// nothing afterwards, as in the proof of the bank's guarantee, so that each time it comes so far is an alarm. Where only the
/// sum is one, nothing starts again, and successive intervals are the same alarm.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    options: BootstrapOptions,
    /// The days of history, ascending.
    days: Vec<i64>,
    /// By month, indices into `days`.
    plan: Vec<Vec<usize>>,
    threshold: f64,
    /// By stream, weighted evidence by interval of all months.
    streams: Vec<Vec<f32>>,
}

impl Bootstrap {
    /// Draws the months. `days` are those with events, see [`day_of`], `threshold` is c. For the hour of the week a day is
    /// only ever replaced by one of the same weekday.
    pub fn new(days: &[i64], season: Season, threshold: f64, options: BootstrapOptions) -> Self {
        let mut state = options.seed;
        let mut draw = |n: usize| (split_mix(&mut state) % n.max(1) as u64) as usize;
        let weekdays = season == Season::HourOfWeek;
        let month = |_| {
            let first = draw(7) as i64;
            let day = |at: usize| {
                let same = |day: &i64| !weekdays || (day - first - at as i64).rem_euclid(7) == 0;
                let fitting: Vec<usize> = (0..days.len()).filter(|i| same(&days[*i])).collect();
                fitting.get(draw(fitting.len())).copied()
            };
            (0..options.days_per_month).filter_map(day).collect()
        };
        let plan = (0..options.months).map(month).collect();
        Self {
            options,
            days: days.to_vec(),
            plan,
            threshold,
            streams: Vec::new(),
        }
    }

    fn intervals(&self) -> usize {
        (24 / self.options.interval_hours.clamp(1, 24)).max(1)
    }

    /// The weighted evidence of a stream by interval of all months.
    ///
    /// `bank` gives the bank for an instant's slot, `weight` is ω. Panes of days in `dropped` are left out.
    pub fn live<'a>(
        &self,
        panes: &[HistoryPane],
        bank: impl Fn(&HistoryPane) -> Option<&'a Bank>,
        weight: f64,
        dropped: &[i64],
    ) -> Vec<f32> {
        let intervals = self.intervals();
        let hours = self.options.interval_hours.clamp(1, 24) as i64;
        let mut passages: BTreeMap<(i64, usize), Passage> = BTreeMap::new();
        for pane in panes.iter().filter(|p| !p.tally.is_empty()) {
            let day = day_of(pane.start);
            let hour = pane
                .start
                .as_micros()
                .div_euclid(HOUR_MICROS)
                .rem_euclid(24);
            let Some(bank) = bank(pane).filter(|_| !dropped.contains(&day)) else {
                continue;
            };
            let interval = ((hour / hours) as usize).min(intervals - 1);
            let passage = passages.entry((day, interval));
            passage
                .or_insert_with(|| Passage::new(bank))
                .step(bank, &pane.tally);
        }
        let mut lived =
            Vec::with_capacity(self.plan.len() * intervals * self.options.days_per_month);
        let mut evidence: Vec<f32> = Vec::new();
        for month in &self.plan {
            evidence.clear();
            let mut now = 0.0;
            for day in month {
                for interval in 0..intervals {
                    if let Some(passage) = passages.get(&(self.days[*day], interval)) {
                        now = weight * passage.pass(&mut evidence);
                    }
                    lived.push(now as f32);
                    if now >= self.threshold {
                        evidence.clear();
                        now = 0.0;
                    }
                }
            }
        }
        lived
    }

    /// Takes in what [`Bootstrap::live`] gave for a stream, in place of what it had; streams are numbered from 0.
    pub fn set(&mut self, stream: usize, lived: Vec<f32>) {
        if self.streams.len() <= stream {
            self.streams.resize(stream + 1, Vec::new());
        }
        self.streams[stream] = lived;
    }

    /// Counts the alarms.
    pub fn outcome(&self) -> Outcome {
        let length = self.streams.iter().map(Vec::len).max().unwrap_or(0);
        let mut sums = vec![0.0_f64; length];
        for stream in &self.streams {
            for (sum, lived) in sums.iter_mut().zip(stream) {
                *sum += f64::from(*lived);
            }
        }
        let per_month = self.plan.first().map_or(0, Vec::len) * self.intervals();
        let mut outcome = Outcome {
            months: self.plan.len(),
            ..Outcome::default()
        };
        for (month, sums) in sums.chunks(per_month.max(1)).enumerate() {
            let (mut alarming, before) = (false, outcome.alarms);
            for (at, &sum) in sums.iter().enumerate() {
                outcome.evidence_peak = outcome.evidence_peak.max(sum);
                if sum >= self.threshold {
                    let largest = self.largest(month * per_month + at);
                    let alone = largest.is_some_and(|(_, evidence)| evidence >= self.threshold);
                    outcome.alarms += u64::from(alone || !alarming);
                    outcome.blamed.extend(largest.map(|(stream, _)| stream));
                }
                alarming = sum >= self.threshold;
            }
            outcome.quiet_months += usize::from(outcome.alarms == before);
        }
        outcome.quiet_months += self
            .plan
            .len()
            .saturating_sub(sums.chunks(per_month.max(1)).len());
        outcome.blamed.sort_unstable();
        outcome.blamed.dedup();
        outcome
    }

    /// The stream with the most evidence, and how much that is.
    fn largest(&self, at: usize) -> Option<(usize, f64)> {
        let evidence = |lived: &Vec<f32>| f64::from(lived.get(at).copied().unwrap_or(0.0));
        let all = self.streams.iter().map(evidence).enumerate();
        all.max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// S. Vigna's splitmix64: the next of a fixed sequence of well mixed numbers.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
